"""What `l2l VERB --help` says: the text, default and choices of each option, and an example that
runs; and what is said of a misspelt verb or option.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from untrained_run import make_run
from workflow_runs import environment

from l2l.__main__ import main
from l2l.config import read_config
from l2l.run_record import update_record
from l2l.verbs import STAGES, TOOLS, VERBS, example_of, nearest, parser_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_the_text_of_each_option_and_an_example_and_nothing_of_exceptions(verb):
    parser = parser_of(verb)
    without = [action.dest for action in parser._actions if not action.help]
    assert without == []
    shown = parser.format_help()
    assert "Raises" not in shown
    assert "Args" not in shown
    assert example_of(verb), "no example"
    assert example_of(verb) in shown


def test_help_shows_defaults_and_choices_also_of_named_words(capsys):
    def shown(verb):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        return " ".join(capsys.readouterr().out.split())

    assert "--top TOP classes per video in the JSON object. (default: 5)" in shown("predict")
    assert "--method {ours,one_look}" in shown("predict")
    assert "--modalities {image,audio} [{image,audio} ...]" in shown("distil_student")
    assert "--split {train,val,test}" in shown("import_features")
    assert "--acceleration JSON" in shown("predict")
    assert "exit status: 0 when every file has an answer" in shown("predict")


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (["predct", "v.mp4"], "unknown verb 'predct'; did you mean predict?"),
        (["fetch-weigths"], "did you mean fetch_weights?"),
        (["check", "v.mp4", "--tvs", "t.tsv"], "did you mean --tsv?"),
        (["predict", "v.mp4", "--run", "r", "--budgt-gmacs=3"], "did you mean --budget-gmacs?"),
    ],
)
def test_a_misspelt_verb_or_option_is_answered_with_the_nearest(arguments, question, capsys):
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert question in capsys.readouterr().err


def test_what_is_like_nothing_gets_no_question(capsys):
    assert nearest("xyz", list(VERBS)) == ""
    assert main(["xyz"]) == 2
    assert "expected one of render_demo, " in capsys.readouterr().err


def test_a_verb_may_be_written_with_hyphens(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export-predictions", "--help"])
    assert ended.value.code == 0
    assert "l2l export_predictions" in capsys.readouterr().out


# ---- examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", TOOLS)
def test_the_example_of_a_tool_is_right_usage(verb):
    example = example_of(verb)
    for command in re.findall(rf"\bl2l {verb} ([^)\"]+)", example):
        parser_of(verb).parse_args(shlex.split(command))
    if "l2l " not in example:
        assert example.startswith("snakemake --cores 8 ")


def test_the_rule_that_the_example_of_a_stage_forces_is_there():
    rules = "".join(path.read_text("utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert set(STAGES) - set(re.findall(r"^ *rule (\w+):", rules, re.MULTILINE)) == set()


@pytest.fixture(scope="module")
def place(tmp_path_factory, clip) -> Path:
    """A working directory with what examples name: videos, and an untrained run."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("video.mp4", "folder/a.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(clip.read_bytes() + name.encode())
    for number in range(24):
        file = folder / f"mine/{'left' if number % 2 else 'right'}/{number}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(clip.read_bytes() + bytes([number]))
    make_run(folder / "results/demo")
    update_record(folder / "results/demo", read_config(ROOT / "config.yaml"))
    (folder / "logs/demo").mkdir(parents=True)
    (folder / "logs/demo/train_teacher.log").write_text("epoch 1/1 loss 2 seconds 3 (0.0 s left)\n")
    for run in ("before", "after"):
        shutil.copytree(folder / "results/demo", folder / "results" / run)
    shutil.copy(ROOT / "config.yaml", folder)
    return folder


@pytest.mark.parametrize(
    ("verb", "written"),
    [
        ("init", "my.yaml"),
        ("predict", ""),
        ("export", "demo.safetensors"),
        ("check", "checked.tsv"),
        ("costs", "epochs.csv"),
        ("diff", ""),
        ("inspect", ""),
        ("plan", ""),
        ("config", ""),
        ("completion", ""),
    ],
)
def test_the_example_of_a_tool_runs(verb, written, place):
    program = f'l2l() {{ {shlex.quote(sys.executable)} -P -m l2l "$@"; }}; '
    command = example_of(verb).replace("/data/mine", "mine")
    ran = subprocess.run(
        ["bash", "-c", program + command],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert not written or (place / written).is_file()


def test_a_shell_completes_verbs_and_options(capsys):
    for shell in ("bash", "zsh", "tcsh"):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        for word in ("predict", "budget-gmacs", "evaluate_videos"):
            assert word in script, (shell, word)


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("verb", "written"), [("show", "video.html"), ("export_predictions", "results.json")]
)
def test_the_example_of_a_tool_for_a_whole_run_runs(verb, written, tiny_run, monkeypatch):
    monkeypatch.chdir(tiny_run)
    demo = tiny_run / "results/demo"
    if not demo.exists():
        demo.symlink_to("tiny")
    (tiny_run / written).unlink(missing_ok=True)
    rows = (tiny_run / "results/tiny/evaluation/predictions.tsv").read_text().splitlines()
    command = example_of(verb).replace("test/moon_bouncing/0004", rows[1].split("\t")[0])
    assert main(shlex.split(command)[1:]) == 0
    assert (tiny_run / written).is_file()
