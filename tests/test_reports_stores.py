"""Surroundings that public reports name: a file system without locks, and targets that are no
plain files.
"""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from small_stores import STORES

REPORTS = Path(__file__).parents[2] / "shared" / "reports"
INSPECT_ALL = (
    "import sys; from pathlib import Path; from l2l.tools.inspect import inspect\n"
    "for path in sys.argv[1:]: inspect(Path(path), check=True)"
)


@pytest.mark.parametrize(("number", "wanted"), [(30, ""), (37, "TRUE"), (95, "FALSE"), (524, "")])
def test_every_store_is_read_without_flock(tmp_path, number, wanted):
    """With any value of HDF5_USE_FILE_LOCKING."""
    source = REPORTS / "e01_no_flock" / "noflock.c"
    if not source.is_file() or not (compiler := shutil.which("cc")):
        pytest.skip("no report of a file system without flock, or no C compiler")
    library = tmp_path / "noflock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    for name, (write_store, _) in STORES.items():
        write_store(tmp_path / name)
    surroundings = {**os.environ, "FLOCK_ERRNO": str(number), "LD_PRELOAD": str(library)}
    if wanted:
        surroundings["HDF5_USE_FILE_LOCKING"] = wanted
    done = subprocess.run(
        [sys.executable, "-c", INSPECT_ALL, *(tmp_path / name for name in STORES)],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("every checksum agrees") == len(STORES)
    assert "delete" not in done.stdout + done.stderr


def test_a_file_that_may_not_grow_is_reported_in_one_line(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "from pathlib import Path; import numpy as np; import sys\n"
        "from l2l.config import MelsConfig; from l2l.mels.artifact import write_mels\n"
        "from l2l.errors import BadInput\n"
        "rows = {'v': (np.zeros((99, 101, 40), np.float32), np.ones(99, bool))}\n"
        "try: write_mels(Path(sys.argv[1]), rows, MelsConfig(), (101, 40))\n"
        "except BadInput as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "m.h5"], capture_output=True, text=True, check=True
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path / 'm.h5'}: cannot be written (File too large)")
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_scores_are_not_written_over_what_is_no_plain_file(tmp_path, kind):
    target = tmp_path / "t.tsv"
    if kind == "pipe":
        os.mkfifo(target)
    else:
        (tmp_path / "kept").write_text("keep")
        target.symlink_to("kept")
    before = target.lstat()
    code = "import sys; from l2l.stores import write_table; from pathlib import Path\n"
    code += "write_table(Path(sys.argv[1]), ('a',), [{'a': 1}])\n"
    done = subprocess.run(
        [sys.executable, "-c", code, target], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"t.tsv: is a {kind}" in done.stderr
    assert stat.S_IFMT(target.lstat().st_mode) == stat.S_IFMT(before.st_mode)
    assert kind == "pipe" or (tmp_path / "kept").read_text() == "keep"
