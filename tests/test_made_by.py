"""What artifacts say made them: the code's own version and, in a checkout, the commit and whether
the code was changed since.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import l2l
from l2l.checkout import _commit, revision
from l2l.stores import MADE_BY

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


def git(folder, *arguments):
    named = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", folder, *named, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A repository with a package and a page, committed."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    (tmp_path / "package/inner").mkdir(parents=True)
    for name in ("package/a.py", "package/inner/long name of a file.py", "page.md"):
        (tmp_path / name).write_text(f"# {name}\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    return tmp_path


def test_a_changed_or_missing_file_of_the_package_is_said_and_no_other(repository):
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert revision(repository, "package") == commit
    (repository / "page.md").write_text("changed\n")
    (repository / "package/new.py").write_text("# not tracked, as git describe --dirty has it\n")
    assert revision(repository, "package") == commit
    inner = repository / "package/inner/long name of a file.py"
    content = inner.read_bytes()
    inner.write_text("# changed\n")
    assert revision(repository, "package") == f"{commit}-modified"
    inner.unlink()
    assert revision(repository, "package") == f"{commit}-modified"
    inner.write_bytes(content)  # at another time, the same bytes
    assert revision(repository, "package") == commit


def test_every_file_of_the_index_is_compared(repository):
    listed = git(repository, "ls-files").splitlines()
    for name in listed:
        path = repository / name
        content = path.read_bytes()
        path.write_bytes(content + b"#")
        marked = revision(repository, "package").endswith("-modified")
        assert marked == name.startswith("package/"), name
        path.write_bytes(content)


def test_a_worktree_and_a_flag_of_the_index_change_nothing(repository, tmp_path_factory):
    worktree = tmp_path_factory.mktemp("other") / "tree"
    git(repository, "worktree", "add", "--quiet", worktree)
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert revision(worktree, "package") == commit
    (worktree / "package/a.py").write_text("# changed\n")
    assert revision(worktree, "package") == f"{commit}-modified"
    (repository / "package/z.py").write_text("# z\n")
    git(repository, "add", "--intent-to-add", "package/z.py")  # an index of version 3
    assert revision(repository, "package") == f"{commit}-modified"


@pytest.mark.parametrize("index", [b"", b"DIRC", b"DIRC\0\0\0\2\0\0\0\7short", b"DIRC\0\0\0\4"])
def test_an_index_that_is_not_understood_says_nothing(repository, index):
    commit = git(repository, "rev-parse", "HEAD")[:12]
    (repository / ".git/index").write_bytes(index)
    assert revision(repository, "package") == commit
