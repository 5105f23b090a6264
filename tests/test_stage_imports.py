"""A job imports what it uses: torch and torchvision take seconds, most stages need less."""

import subprocess
import sys

import pytest

from l2l.__main__ import STAGES

PRINT_MODULES = "import sys; print(*(name for name in sys.modules))"
HEAVY = {"torch", "torchvision", "torchaudio", "sympy", "matplotlib", "sklearn", "scipy", "pandas"}
# What each stage may import of these, and how many modules in all; the others need all of torch.
ALLOWED = {
    "l2l.demo.stage": (set(), 600),
    "l2l.manifest.stage": (set(), 450),
    "l2l.media.stage": (set(), 700),
    "l2l.features.stage": (set(), 800),
    "l2l.mels.stage": ({"torch", "torchaudio"}, 1900),
}


@pytest.mark.parametrize("module", ALLOWED)
def test_a_stage_imports_no_heavy_package_that_it_does_not_use(module):
    assert module in STAGES.values()
    program = [sys.executable, "-c", f"import {module}\n{PRINT_MODULES}"]
    ran = subprocess.run(program, capture_output=True, text=True, check=True, timeout=300)
    modules = ran.stdout.split()
    heavy, count = ALLOWED[module]
    assert HEAVY & set(modules) <= heavy
    assert len(modules) <= count
