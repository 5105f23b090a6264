"""What artifacts say made them: the code's own version and, in a checkout, the commit."""

import subprocess
import sys
from pathlib import Path

import pytest

import l2l
from l2l.stores import MADE_BY, _commit

ROOT = Path(__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_version_is_said_without_the_distribution_installed(tmp_path):
    """The package lies in a folder and nothing says that it is installed, as with conda."""
    (tmp_path / "l2l").symlink_to(ROOT / "l2l")
    blind = "import importlib.metadata as m; m.version = None; import l2l.stores as s; "
    code = blind + "print(s.MADE_BY)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"l2l {l2l.__version__}")


def test_a_checkout_says_its_commit():
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    git = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert git.returncode or _commit(ROOT) == git.stdout[:12]
    assert MADE_BY.startswith(f"l2l {l2l.__version__} (commit ")


@pytest.mark.parametrize("kind", ["detached", "branch", "packed", "worktree"])
def test_the_commit_is_found_wherever_git_keeps_it(tmp_path, kind):
    git = tmp_path / ".git"
    if kind == "worktree":
        git.write_text("gitdir: main/worktrees/w\n")
        git, shared = tmp_path / "main/worktrees/w", tmp_path / "main"
        git.mkdir(parents=True)
        (git / "commondir").write_text("../..\n")
    else:
        git.mkdir()
        shared = git
    (git / "HEAD").write_text(f"{COMMIT}\n" if kind == "detached" else "ref: refs/heads/a/b\n")
    if kind == "packed":
        (shared / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/a/b\n")
    elif kind != "detached":
        (shared / "refs/heads/a").mkdir(parents=True)
        (shared / "refs/heads/a/b").write_text(f"{COMMIT}\n")
    assert _commit(tmp_path) == COMMIT[:12]


def test_what_is_no_checkout_has_no_commit(tmp_path):
    assert _commit(tmp_path) == ""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/unborn\n")
    assert _commit(tmp_path) == ""
