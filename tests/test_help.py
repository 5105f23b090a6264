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
import reference
import torch
import yaml
from reference_world import Release
from untrained_run import make_run
from workflow_runs import environment, planned

from l2l.__main__ import main
from l2l.config import merge_configs, read_config
from l2l.run_record import update_record
from l2l.verbs import STAGES, TOOLS, VERBS, example_of, nearest, parser_of, summary_of

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "workflow/configs"


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
    assert "--method {ours,one_look,ours_dense," in shown("predict")
    assert "--modalities {image,audio} [{image,audio} ...]" in shown("distil_student")
    assert "--split {train,val,test}" in shown("import_features")
    assert "--acceleration JSON" in shown("predict")
    assert "exit status: 0 when every file has an answer" in shown("predict")


def test_each_verb_has_a_summary_of_one_sentence_and_each_tool_one_of_one_line(capsys):
    assert [verb for verb in VERBS if not re.fullmatch(r"[^\n]+\.", summary_of(verb))] == []
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    assert {f"  {verb:<20}{summary_of(verb)}" for verb in TOOLS} <= set(lines)


def test_an_argument_with_choices_shows_them_and_wrong_usage_has_one_line_of_usage(capsys):
    with pytest.raises(SystemExit):
        main(["completion", "--help"])
    assert "{bash,zsh,tcsh}" in capsys.readouterr().out
    for arguments in (["completion", "fish"], ["train_skimmer"], ["predict", "--top", "x"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        usage, error = capsys.readouterr().err.splitlines()
        assert re.fullmatch(rf"usage: l2l {arguments[0]} .*\(l2l {arguments[0]} --help\)", usage)
        assert error.startswith(f"l2l {arguments[0]}: error: ")
        if "fish" in arguments:
            assert "choose from" in error
            assert "because shtab, which writes the completion, has none for it" in error


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
    configurations(folder)
    sizes = {"classes": 5, "features": 512, "hidden": 9, "key": 7, "query": 8, "psi": 512}
    state = reference.two_modalities_state(**sizes)
    torch.save(reference.checkpoint(state), folder / "skimmer.pth.tar")
    (folder / "classes.txt").write_text("a\nb\nc\nd\ne\n")
    shutil.copy(Release(folder / "release").pickled(), folder / "test.pkl")
    (folder / "logs/demo").mkdir(parents=True)
    (folder / "logs/demo/train_teacher.log").write_text("epoch 1/1 loss 2 seconds 3 (0.0 s left)\n")
    for run in ("before", "after"):
        shutil.copytree(folder / "results/demo", folder / "results" / run)
    shutil.copy(ROOT / "config.yaml", folder)
    return folder


def configurations(folder: Path) -> None:
    """The files that examples of stages name, and what they name."""
    (folder / "weights.pt").touch()
    mine = {"adapter": "folder", "folder": str(folder / "mine"), "shards": 1}
    both = {"run": "mine", "seed": 1, "videos": {"mine": mine | {"role": "both"}}}
    weights = str(folder / "weights.pt")
    frames = merge_configs(*(CONFIGS / name for name in ("fight.yaml", "pretrained_fight.yaml")))
    frames["teacher"] |= {"weights": weights, "audio_weights": weights}
    frames["student"] |= {"image_weights": weights, "audio_weights": weights}
    texts = {
        "load_teacher": both,
        "fit_frame_teacher": frames | both,
        "finetune_teacher": {
            "teacher": {"finetune": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1}}
        },
        "apply": {
            "videos": {"archive": mine | {"role": "apply"}},
            "apply": {"run": str(folder / "results/demo")},
        },
    }
    for name, values in texts.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))


def stages_by_example() -> dict[str, list[str]]:
    """The stages whose examples differ by the forced rule alone."""
    groups: dict[str, list[str]] = {}
    for stage in STAGES:
        example = re.sub(r"--forcerun \w+", "--forcerun RULE", example_of(stage))
        groups.setdefault(example, []).append(stage)
    return groups


@pytest.mark.workflow
@pytest.mark.parametrize("stages", stages_by_example().values(), ids=lambda stages: stages[0])
def test_the_example_of_a_stage_plans_it(stages, place):
    shutil.copy(ROOT / "config.yaml", place)
    example = example_of(stages[0])
    for name, written in (("my.yaml", stages[0]), ("apply.yaml", "apply")):
        example = example.replace(f" {name}", f" {shlex.quote(str(place / written))}.yaml")
    dry_run = subprocess.run(
        [sys.executable, "-m", *shlex.split(example), "--directory", str(place)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert set(stages) <= planned(dry_run)


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
        ("import_checkpoint", "skimmer.pt"),
        ("import_features", "features.videos.tsv"),
        ("score", "scores.tsv"),
    ],
)
def test_the_example_of_a_tool_runs(verb, written, place):
    """In the order of the list: what one example writes, a later one reads."""
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
    assert main(shlex.split(example_of(verb))[1:]) == 0
    assert (tiny_run / written).is_file()
