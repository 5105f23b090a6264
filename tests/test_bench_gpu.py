"""The benchmark of a GPU runs whole on a CPU with tiny sizes, so that it works on one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def gpu_py(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where no GPU is seen."""
    return subprocess.run(
        [sys.executable, "benchmarks/gpu.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def rows(text: str, title: str) -> list[list[str]]:
    """The cells of the table below a title, without its head."""
    lines = text.partition(f"## {title}")[2].partition("## ")[0].splitlines()
    return [[cell.strip() for cell in each.strip("|").split("|")] for each in lines if "|" in each][
        2:
    ]


def test_without_a_gpu_it_says_so_in_one_line():
    ran = gpu_py()
    assert (ran.returncode, ran.stderr) == (1, "")
    assert re.fullmatch(r"gpu\.py: torch sees no GPU, so nothing was measured[^\n]*\n", ran.stdout)


@pytest.mark.long
def test_a_dry_run_makes_every_table_and_writes_no_file():
    before = sorted((ROOT / "benchmarks/results").glob("*.md"))
    ran = gpu_py("--cpu")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.startswith("A dry run on a CPU with tiny sizes: its numbers say nothing.\n")
    assert re.search(r"Product of 64 x 64 matrices in bfloat16: [\d.e-]+ TMAC/s", ran.stdout)
    ways = ["float32", "bfloat16", "bfloat16, compiled", "bfloat16, CUDA graphs"]
    forward = rows(ran.stdout, "Forward")
    assert [(row[0], row[2]) for row in forward] == [
        (network, way) for network in ("teacher", "student") for way in ("PyTorch's own", *ways)
    ]
    steps = rows(ran.stdout, "Distillation")
    assert [row[0] for row in steps] == ways
    loading = rows(ran.stdout, "Loading")
    assert [row[0] for row in loading] == ["0", "1"]
    answers = rows(ran.stdout, "Answers")
    assert [row[:2] for row in answers] == [[way, n] for way in ways for n in ("1", "5")]
    for row in (*forward, *steps, *loading, *answers):
        assert all(float(cell) >= 0 for cell in row[3:]), row
    assert sorted((ROOT / "benchmarks/results").glob("*.md")) == before


def test_the_page_has_the_name_of_the_card(tmp_path):
    program = (
        "import sys; sys.path.insert(0, 'benchmarks'); from pathlib import Path; import gpu; "
        "print(gpu.write_page(Path(sys.argv[1]), 'NVIDIA H100 80GB (SXM)', ['| a |']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.stdout.strip() == str(tmp_path / "nvidia-h100-80gb-sxm.md"), ran.stderr
    text = (tmp_path / "nvidia-h100-80gb-sxm.md").read_text()
    assert text.startswith("# NVIDIA H100 80GB (SXM)\n\n`python benchmarks/gpu.py` wrote")
    assert text.endswith("| a |")
