"""The command line: what it answers before anything heavy is imported, its exit status, and what
reaches a terminal.
"""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from l2l.__main__ import BROKEN_PIPE_STATUS, STAGES, VERBS, main, numbered
from l2l.errors import BadInput
from l2l.report.page import page_template
from l2l.stores import read_table
from l2l.terminal import EscapedOutput, escape

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "numpy", "pydantic", "h5py", "zarr", "av", "ffmpeg", "matplotlib", "yaml"}


def l2l(*arguments: str | Path, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a verb in a separate process, where l2l is on PYTHONPATH and nothing else is."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-P", "-m", "l2l", *map(str, arguments)],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def imported(program: str) -> set[str]:
    """The heavy packages that a program imports."""
    print_modules = "import sys; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{print_modules}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return HEAVY & set(done.stdout.splitlines()[-1].split())


def test_help_and_wrong_usage_of_every_verb_import_nothing_heavy():
    program = (
        "from l2l.__main__ import main, VERBS\n"
        "for verb in VERBS:\n"
        "    for wrong in ('--help', '--no-such-option'):\n"
        "        try:\n"
        "            main([verb, wrong])\n"
        "        except SystemExit as ended:\n"
        "            assert ended.code == (0 if wrong == '--help' else 2), (verb, ended.code)\n"
        "        else:\n"
        "            raise AssertionError(verb)\n"
        "assert main(['--help']) == 0\n"
        "assert main([]) == main(['no_such_verb']) == 2\n"
        "assert main(['--version']) == 0\n"
    )
    assert imported(program) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "v.mp4", "--run", "nowhere"],
        ["predict", "v.mp4", "--run", "unfinished"],
        ["predict", "v.mp4", "w.mp4", "--run", "run"],
        ["hear", "v.mp4", "--weights", "w.pt"],
        ["check", "nowhere.mp4"],
        ["inspect", "nowhere.pt"],
        ["inspect", "unknown.kind"],
    ],
)
def test_a_missing_file_is_answered_before_anything_heavy_is_imported(arguments, tmp_path):
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unknown.kind").touch()
    (tmp_path / "run/skimmer").mkdir(parents=True)
    (tmp_path / "run/skimmer/skimmer.pt").touch()  # never opened
    program = f"import os; os.chdir({str(tmp_path)!r})\n"
    program += f"from l2l.__main__ import main; assert main({arguments!r}) == 1"
    assert imported(program) <= {"pydantic", "yaml"}


@pytest.mark.parametrize(
    ("module", "distribution", "arguments"),
    [
        ("safetensors", "safetensors", ["inspect", "run.safetensors"]),
        ("shtab", "shtab", ["completion", "bash"]),
        ("yaml", "pyyaml", ["plan", "--configfile", "c.yaml"]),
        ("numpy", "numpy", ["inspect", "table.h5"]),
    ],
)
def test_a_missing_package_is_answered_in_one_line(module, distribution, arguments, tmp_path):
    for name in arguments[1:]:
        (tmp_path / name).touch()
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"  # as if it were not installed
        f"from l2l.__main__ import main; sys.exit(main({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"l2l {arguments[0]}: the package {distribution} is not installed in ")
    assert f"-m pip install {distribution}`" in line
    assert "l2l doctor" in line


def test_a_run_s_folder_answers_without_safetensors(tmp_path):
    program = (
        "import sys; sys.modules['safetensors'] = None\n"
        "from l2l.__main__ import main; sys.exit(main(['predict', 'v', '--run', 'nowhere']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "nowhere: no such folder" in done.stderr


def test_import_l2l_imports_nothing_heavy():
    assert imported("import l2l; assert callable(l2l.load)") == set()


def test_a_verb_is_in_the_stage_of_its_package_or_is_a_tool_of_its_name():
    for verb, module in VERBS.items():
        _, package, *inner = module.split(".")
        if package == "tools":
            assert verb not in STAGES, verb
            assert inner in ([verb], [verb, "stage"]), verb
        else:
            assert inner[-1] == "stage", verb


def test_an_option_is_converted_as_the_function_declares_it(tmp_path, capsys):
    options = ["compute_mels", "--media", "m", "--mels", "o", "--threads", "x", "--config", "{}"]
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert "--threads: invalid int value: 'x'" in capsys.readouterr().err
    options[6] = "1"
    options[8] = '{"no_such_key": 1}'
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert "no_such_key" in capsys.readouterr().err


def test_it_runs_from_a_checkout_and_names_its_version(tmp_path):
    from l2l import __version__

    done = l2l("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.split()[:2] == ["l2l", __version__]
    assert (len(done.stdout.split()) > 2) == (ROOT / ".git").exists()  # the commit


def test_a_span_of_more_than_a_million_paths_is_refused():
    assert len(numbered([Path("a{0..3}")])) == 4
    for huge in ("a{0..99999999999}", f"a{{0..{10**400}}}", "a{0..1000000}"):
        with pytest.raises(BadInput, match="stands for more than"):
            numbered([Path(huge)])


# ---- exit status ---------------------------------------------------------------------------------


def test_output_that_no_one_reads_any_more_ends_with_the_status_of_the_pipe(clip, tmp_path):
    shutil.copy(clip, tmp_path / "copy.mp4")
    command = (
        f'"{sys.executable}" -P -m l2l check "$VIDEO" copy.mp4 | true; echo ${{PIPESTATUS[0]}}'
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIDEO": str(clip)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split() == [str(BROKEN_PIPE_STATUS)]
    assert done.stderr == ""


def test_the_table_is_written_though_no_one_reads_the_lines(clip, tmp_path):
    shutil.copy(clip, tmp_path / "copy.mp4")
    command = (
        f'"{sys.executable}" -P -m l2l check "$VIDEO" copy.mp4 nowhere.mp4 --tsv out.tsv | true;'
        " echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIDEO": str(clip)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert int(done.stdout) in (1, BROKEN_PIPE_STATUS)
    rows = read_table(tmp_path / "out.tsv", ("file", "status"))
    assert [row["status"] for row in rows] == ["ok", "duplicate", "missing"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_onto_a_full_disk_is_a_failure_of_one_line(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "l2l", "--help"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert done.returncode == 1
    assert done.stderr == "l2l: standard output: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_status(clip, tmp_path, closed):
    command = f'"{sys.executable}" -P -m l2l check "$VIDEO" --tsv out.tsv {closed}'
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIDEO": str(clip)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in read_table(tmp_path / "out.tsv", ("status",))] == ["ok"]


# ---- what reaches a terminal ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é 日本", "é 日本"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("one\ntwo\rthree", "one\\ntwo\\rthree"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
        ("\u2066x\u2069\x9b2J", "\\u2066x\\u2069\\x9b2J"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert escape(text) == shown
    assert escape(shown) == shown
    assert str(BadInput(text)) == shown


def test_lines_pass_and_what_an_encoding_cannot_hold_is_escaped():
    raw = io.BytesIO()
    out = EscapedOutput(io.TextIOWrapper(raw, encoding="cp1252"), "a test")
    print("日本\té\x1b[2J", "\u202e", file=out, flush=True)
    assert raw.getvalue() == b"\\u65e5\\u672c\t\xe9\\x1b[2J \\u202e\n"


@pytest.mark.parametrize("page", ["l2l.report", "l2l.report.scsampler", "l2l.apply"])
def test_what_a_page_shows_is_escaped(page):
    environment = page_template(page).environment
    shown = environment.from_string("<b>{{ name }}</b>{{ each | length }}").render(
        name="<i>\x1b]0;t\x07\u202e\udcff\n", each="ab"
    )
    assert shown == "<b>&lt;i&gt;\\x1b]0;t\\x07\\u202e\\udcff\n</b>2"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_file_is_checked_in_any_encoding_of_the_terminal(clip, tmp_path, encoding):
    folder = tmp_path / "日本"
    folder.mkdir()
    for name in ("0.mp4", "\u202e1.mp4"):
        (folder / name).write_bytes(clip.read_bytes() + name.encode())
    done = l2l("check", folder.name, cwd=tmp_path, env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, "")
    first, second, last = done.stdout.splitlines()
    name = folder.name if encoding == "utf-8" else ascii(folder.name)[1:-1]
    assert first.startswith(f"{name}/0.mp4: ok; ")
    assert second.startswith(f"{name}/\\u202e1.mp4: ok; ")
    assert last == "2 of 2 files can be used: 2 ok"


@pytest.mark.parametrize("name", ["\x1b]0;title\x07.mp4", "a\nb.mp4"])
def test_a_name_in_a_message_of_any_verb_is_escaped(tmp_path, name, capsys):
    for arguments in (["inspect", name], ["predict", "v.mp4", "--run", name], [name]):
        assert main(arguments) != 0
        said = capsys.readouterr()
        (line,) = (said.out + said.err).splitlines()
        assert line.isprintable()
        assert escape(name) in line or repr(name) in line


# ---- files that lie where it is run --------------------------------------------------------------


def test_no_python_file_of_the_folder_it_is_run_in_is_run(clip, tmp_path):
    trap = "open('PWNED', 'a').write(__file__)\n"
    for module in ("filecmp", "av", "json", "numpy", "ffmpeg", "sitecustomize", "l2l"):
        (tmp_path / f"{module}.py").write_text(trap)
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "b.mp4").write_bytes(clip.read_bytes())
    done = l2l("check", ".", cwd=tmp_path)
    assert not (tmp_path / "PWNED").exists(), (tmp_path / "PWNED").read_text()
    assert "a.mp4: ok" in done.stdout
    assert "b.mp4: duplicate" in done.stdout
