"""docs/datasets.md explains every adapter, key and status."""

import re
from pathlib import Path

from l2l.datasets import BY_ADAPTER
from l2l.manifest.artifact import STATUSES

ROOT = Path(__file__).parents[1]
DATASETS = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")


def test_every_key_of_every_adapter_is_explained():
    general, *parts = DATASETS.split("\n## ")
    sections = {name: part for part in parts for name in part.partition("\n")[0].split(", ")}
    for adapter, dataset in BY_ADAPTER.items():
        explained = set(re.findall(r"`(\w+)`", sections[adapter])) | set(
            re.findall(r"^\| `(\w+)` \|", general, re.MULTILINE)
        )
        assert set(dataset.model_fields) - {"adapter"} <= explained, adapter
        shown = re.findall(
            r"^ +(\w+):",
            "\n".join(re.findall(r"```yaml\n(.*?)```", sections[adapter], re.DOTALL)),
            re.MULTILINE,
        )
        assert set(shown) <= {*dataset.model_fields}, adapter


def test_every_status_of_a_video_is_explained():
    table = DATASETS.partition("\n## Status of a video\n")[2]
    assert set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))
    ) == set(STATUSES)
