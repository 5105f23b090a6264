"""Fixtures that several test files share."""

import fcntl
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# In tests, the axes that functions of the networks state are checked on every call; before anything
# of l2l is imported.
_CHECKED = (
    "l2l.mels.spectrogram",
    "l2l.teacher.network",
    "l2l.student.network",
    "l2l.student.loss",
    "l2l.skimmer",
    "l2l.evaluation",
    "l2l.pretrained",
    "l2l.reference.preset",
)
install_import_hook(list(_CHECKED), "beartype.beartype")

# A law holds however long an example takes: on a busy machine any of them may take seconds. The
# examples are the same in every run; `pytest --hypothesis-profile new_examples` draws others.
settings.register_profile("same_examples", deadline=None, derandomize=True)
settings.register_profile("new_examples", deadline=None)
settings.load_profile("same_examples")

# A shell starts what it puts into the background with Ctrl-C ignored, and so would be every process
# of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole runs first: they take longest, and the other files run next to them."""
    items.sort(key=lambda item: "workflow" not in item.keywords)


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real and damaged media.

    `L2L_MEDIA` names it where it is not next to the checkout.
    """
    default = Path(__file__).parents[1] / ".." / "shared" / "media"
    folder = Path(os.environ.get("L2L_MEDIA", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the collection of media in {folder}; set L2L_MEDIA to where it is")
    return folder


@pytest.fixture(scope="session")
def odd(media: Path) -> Path:
    """A folder of made files, each with one trap."""
    return media / "odd"


@pytest.fixture(scope="session")
def published() -> Path:
    """A folder of official annotation files; `L2L_ANNOTATIONS` names it."""
    default = Path(__file__).parents[1] / ".." / "shared" / "annotations"
    folder = Path(os.environ.get("L2L_ANNOTATIONS", default)).resolve()
    if not folder.is_dir():
        pytest.skip(
            f"needs the data sets' own annotation files in {folder}; set L2L_ANNOTATIONS to the "
            "folder that holds them"
        )
    return folder


@pytest.fixture(scope="session")
def weights() -> Path:
    """A folder of published weights; `L2L_WEIGHTS` names it."""
    default = Path(__file__).parents[1] / ".." / "shared" / "weights"
    folder = Path(os.environ.get("L2L_WEIGHTS", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"needs published weights in {folder}; set L2L_WEIGHTS to the folder with them")
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of numbered pictures with sound, the index at the end; not to be changed."""
    from media_files import make_video  # here, after the hook above

    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Small inputs for every training: see training_world."""
    from training_world import make_world  # here, after the hook above

    return make_world(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The working directory of a finished run of workflow/configs/tiny.yaml.

    Python files lie in it that would write their names to PWNED if any job ran them. With several
    workers of pytest-xdist, the first one that asks makes the run, and each gets its own copy.
    """
    from workflow_runs import snakemake  # here, after the hook above

    def lay_traps(folder: Path) -> None:
        for module in ("av", "ffmpeg", "filecmp", "h5py", "json", "l2l", "numpy", "torch", "zarr"):
            trap = f"open({str(folder / 'PWNED')!r}, 'a').write(__file__)\n"
            (folder / f"{module}.py").write_text(trap)

    base = tmp_path_factory.getbasetemp()
    original = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny"
    with open(f"{original}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (original / "finished").exists():
            shutil.rmtree(original, ignore_errors=True)  # of a worker that failed
            original.mkdir()
            lay_traps(original)
            run = snakemake(original)
            assert run.returncode == 0, run.stderr[-3000:]
            (original / "finished").touch()
    folder = tmp_path_factory.mktemp("run") / "tiny"
    shutil.copytree(original, folder, symlinks=True)
    lay_traps(folder)
    return folder


@pytest.fixture(scope="session")
def full():
    """Networks of the published sizes, by variant: ours, and the public code's state dict."""
    from reference_world import full_size_networks  # here, after the hook above

    return full_size_networks()


@pytest.fixture
def release(tmp_path):
    """A folder like the published one: features and lists."""
    from reference_world import Release  # here, after the hook above

    return Release(tmp_path / "v")
