"""A copy of the checkout, to be edited and run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class CheckoutCopy:
    """A copy of the checkout that is edited, and in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.root, self.touched = folder / "checkout", set()
        skipped = shutil.ignore_patterns("__pycache__")
        for name in ("l2l", "workflow", "profiles"):
            if (ROOT / name).exists():
                shutil.copytree(ROOT / name, self.root / name, ignore=skipped)
        for name in ("Snakefile", "config.yaml", "environment.yml", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root / name)

    def edit(self, file: str, *changes: tuple[str, str]) -> None:
        """Replace texts in a file; each has to be there once."""
        text = (self.root / file).read_text(encoding="utf-8")
        for before, after in changes:
            assert text.count(before) == 1, (file, before)
            text = text.replace(before, after)
        (self.root / file).write_text(text, encoding="utf-8")
        self.touched.add(file)

    def run(self, *arguments: object) -> str:
        """What a command prints; it has to succeed."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
