"""What differs between two runs: `l2l diff`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_stores import write_a_network, write_some_features, write_some_mels

import l2l.features.artifact
import l2l.hdf5
import l2l.training
from l2l.__main__ import main
from l2l.config import read_config
from l2l.evaluation.artifact import BY_NAME, write_evaluation_table
from l2l.manifest.artifact import Video, write_videos
from l2l.run_record import update_record
from l2l.tools.diff import ARTIFACTS, made_by

ROOT = Path(__file__).parents[1]
TINY = read_config(ROOT / "workflow/configs/tiny.yaml")


def video(name, **facts):
    facts = {"split": "test", "labels": ("a",), "fingerprint": f"1-{name}"} | facts
    return Video(name, f"/v/{name}", **facts)


def table1(top1, low, high, method="ours_dense"):
    row = dict.fromkeys(BY_NAME["table1"].column_names, "1")
    return row | {"method": method, "top1": top1, "top1_low": low, "top1_high": high}


def prediction(name, predicted):
    return {
        "video": name,
        "label": "a",
        "method": "dense",
        "predicted": predicted,
        "probability": "0.5",
    }


def make(run, config=TINY, videos=("1", "2"), rows=(), predictions=()):
    update_record(run, config)
    write_videos(
        run / "media/mine/videos.tsv",
        [each if isinstance(each, Video) else video(each) for each in videos],
    )
    write_evaluation_table(
        run / "evaluation/table1.tsv", "table1", rows or [table1("50", "40", "60")]
    )
    write_evaluation_table(
        run / "evaluation/predictions.tsv",
        "predictions",
        predictions or [prediction("1", "a"), prediction("2", "a")],
    )
    return run


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def diff(in_a_folder, capsys):
    """The status and the lines of comparing the runs `a` and `b`."""

    def compare():
        status = main(["diff", "a", "b"])
        return status, capsys.readouterr().out.splitlines()

    return compare


def test_a_run_does_not_differ_from_its_copy_and_nothing_is_written(diff):
    make(Path("a"))
    shutil.copytree("a", "b")
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    status, lines = diff()
    assert status == 0
    assert lines == [
        "a -> b",
        *(f"{part}: nothing differs" for part in ("config", "data", "code", "numbers")),
    ]
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def test_each_key_that_differs_is_named_and_the_runs_name_is_not(diff):
    training = TINY.skimmer.training.model_copy(update={"epochs": 77})
    skimmer = TINY.skimmer.model_copy(update={"training": training})
    make(Path("a"))
    make(Path("b"), TINY.model_copy(update={"skimmer": skimmer, "run": "other"}))
    status, lines = diff()
    assert status == 1
    epochs = TINY.skimmer.training.epochs
    assert lines[1:3] == ["config:", f"  skimmer.training.epochs: {epochs} -> 77"]
    assert lines[3] == "data: nothing differs"


def test_videos_are_compared_by_id(diff):
    make(Path("a"), videos=("1", "2", "3", "gone"))
    make(
        Path("b"),
        videos=("1", video("2", fingerprint="1-new"), video("3", status="corrupt"), "new"),
    )
    _, lines = diff()
    assert lines[lines.index("data:") + 1 : lines.index("code: nothing differs")] == [
        "  mine: 1 videos only in a: gone",
        "  mine: 1 videos only in b: new",
        "  mine: 1 of 3 videos have another status: 3; 1 ok -> corrupt",
        "  mine: 1 of 3 videos have another fingerprint: 2",
    ]


def test_what_one_run_has_only_listed_is_compared_as_listed(diff):
    for run, status in (("a", "ok"), ("b", "missing")):
        update_record(Path(run), TINY)
        write_videos(Path(run, "manifest/mine/videos.tsv"), [video("1"), video("2", status=status)])
    write_videos(Path("a/media/mine/videos.tsv"), [video("1", status="corrupt"), video("2")])
    write_videos(Path("a/media/more/videos.tsv"), [video("1")])
    _, lines = diff()
    assert lines[lines.index("data:") + 1 : lines.index("code: nothing differs")] == [
        "  mine: 1 of 2 videos have another status: 2; 1 ok -> missing",
        "  more: its table of videos is only in a (media)",
    ]


def test_numbers_are_shown_with_their_intervals(diff):
    make(Path("a"), rows=[table1("50.00", "40.00", "60.00"), table1("9", "8", "10", "random")])
    make(
        Path("b"),
        rows=[table1("62.50", "52.50", "71.00"), table1("9", "8", "10", "dense")],
        predictions=[prediction("1", "b"), prediction("2", "a")],
    )
    _, lines = diff()
    assert lines[lines.index("numbers:") + 1 :] == [
        "  table1: 1 rows only in a: random",
        "  table1: 1 rows only in b: dense",
        "  table1: ours_dense: top1 50.00 [40.00, 60.00] -> 62.50 [52.50, 71.00] (+12.5)",
        "  predictions: 1 of 2 rows have another predicted",
    ]


def test_a_changed_interval_alone_is_a_difference(diff):
    make(Path("a"))
    make(Path("b"), rows=[table1("50", "45", "60")])
    assert "  table1: ours_dense: top1 50 [40, 60] -> 50 [45, 60] (+0)" in diff()[1]


def test_the_code_of_each_kind_of_artifact_is_read(diff, monkeypatch):
    for run in ("a", "b"):
        for module in (l2l.hdf5, l2l.training, l2l.features.artifact):
            monkeypatch.setattr(module, "MADE_BY", f"l2l 0 (commit {run})")
        make(Path(run))
        write_some_mels(Path(run, "mels/mine/shard-000.h5"))
        write_a_network(Path(run, "skimmer/skimmer.pt"))
        write_some_features(Path(run, "features/mine"))
        Path(run, "report.html").write_text(
            f'<meta name="generator" content="l2l 0 (commit {run})">'
        )
    _, lines = diff()
    start = lines.index("code:")
    assert [line.split(": ")[0].strip() for line in lines[start + 1 : start + 5]] == [
        "mels",
        "features",
        "skimmer",
        "report",
    ]
    assert all(
        "(commit a)" in line and "(commit b)" in line for line in lines[start + 1 : start + 5]
    )
    assert lines[start + 5] == "numbers: nothing differs"


def test_an_artifact_that_does_not_say_what_made_it_is_no_trouble(in_a_folder):
    Path("a/skimmer").mkdir(parents=True)
    Path("a/skimmer/old.pt").write_bytes(b"no archive")
    Path("a/report.html").write_text("<html>")
    assert made_by(Path("a")) == {"skimmer": {"not recorded"}, "report": {"not recorded"}}
    assert {pattern.partition("/")[0] for pattern, _ in ARTIFACTS} >= {
        "media",
        "student",
        "sampler",
    }


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda run: shutil.rmtree(run), "b: no run; expected the folder of one"),
        (lambda run: (run / "config.json").write_text("{"), "config.json: not as l2l wrote it"),
        (lambda run: (run / "evaluation/table1.tsv").write_text("x"), "table1.tsv: not as l2l"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(in_a_folder, capsys, damage, line):
    make(Path("a"))
    damage(make(Path("b")))
    assert main(["diff", "a", "b"]) == 1
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_it_imports_no_torch(in_a_folder):
    make(Path("a"))
    program = (
        "import sys; from l2l.__main__ import main; assert main(['diff', 'a', 'a']) == 0; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
