"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def odd() -> Path:
    """A folder of made files, each with one trap; `L2L_MEDIA` names the folder it stands in."""
    beside = Path(__file__).parents[1] / ".." / "shared" / "media"
    folder = Path(os.environ.get("L2L_MEDIA", beside)).resolve() / "odd"
    if not folder.is_dir():
        pytest.skip(f"needs the collection of odd media in {folder}; set L2L_MEDIA to the folder that holds it")
    return folder
