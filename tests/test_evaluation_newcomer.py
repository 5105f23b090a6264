"""What a newcomer does in a copy of the package: add a method, a network, a table.

Each addition touches no more files than stated, and comes out in Table 1, the rules, the plan, the
report and `inspect`.
"""

import json
from pathlib import Path

import feature_world
import pytest
from checkout import CheckoutCopy
from evaluation_world import BRIEF, OUTPUTS, untrained_networks

from l2l.config import as_json
from l2l.manifest.artifact import read_videos, write_videos
from l2l.media.artifact import write_media

METHODS = "l2l/evaluation/videos/methods.py"
EVALUATION = '{"random_draws": 2}'


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=8, val=0, test=6)


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> list[Path]:
    return list(untrained_networks(tmp_path_factory.mktemp("networks")).values())


class Copy(CheckoutCopy):
    """A copy of the checkout, and what is asked of it here."""

    def dry_run(self) -> str:
        """The commands of a dry run on the tiny configuration."""
        tiny = self.root / "workflow/configs/tiny.yaml"
        return self.run(
            *("snakemake", "--dry-run", "--printshellcmds", "--configfile", tiny, "--cores", "1")
        )

    def planned_networks(self) -> int:
        """How many trainings the plan has in the skimmer's stage."""
        plan = self.run("l2l", "plan", "--configfile", self.root / "workflow/configs/tiny.yaml")
        (row,) = (line for line in plan.splitlines() if line.split()[:1] == ["skimmer"])
        return int(row.split()[1])

    def evaluate(self, world, networks: list[Path], folder: Path, *more: object) -> None:
        """Run evaluate_videos into a folder."""
        outputs = [x for name, file in OUTPUTS.items() for x in (f"--{name}", folder / file)]
        files = ["--student", world.student, "--videos", world.videos]
        files += ["--media", world.media, "--features", world.features, "--trained", *networks]
        settings = ["--config", EVALUATION, "--seed", "0"]
        self.run("l2l", "evaluate_videos", *files, *outputs, *settings, *more)


@pytest.fixture
def copy(tmp_path) -> Copy:
    return Copy(tmp_path)


def columns_of(path: Path) -> list[str]:
    """The first cell of each row."""
    return [line.split("\t")[0] for line in path.read_text().splitlines()[1:]]


def test_a_method_that_picks_moments_takes_one_file(copy, world, networks, tmp_path):
    copy.edit(
        METHODS,
        (
            "# ---- How methods predict.",
            "def ends(count: int, moments: int) -> list[int]:\n"
            '    """The first and the last moment."""\n'
            "    return sorted({0, count - 1})[:moments]\n\n\n# ---- How methods predict.",
        ),
        (
            '    Method("scsampler"',
            '    Method("ends", "First and last", average_of(ends)),\n    Method("scsampler"',
        ),
    )
    assert copy.touched == {METHODS}
    copy.evaluate(world, networks, tmp_path)
    assert columns_of(tmp_path / "table1.tsv")[4:7] == ["end", "ends", "scsampler"]
    assert '"ends"' in copy.dry_run()  # in the parameters of evaluate_videos, so that it runs again


def test_a_method_with_its_own_network_takes_three_files_and_no_rule(
    copy, world, networks, tmp_path
):
    before = copy.planned_networks()
    copy.edit(
        "l2l/skimmer/baselines.py",
        (
            "def skim_once(",
            "class MeanPool(LstmBaseline):\n"
            '    """The LSTM baseline under another name."""\n\n\n'
            "def skim_once(",
        ),
    )
    copy.edit(
        "l2l/skimmer/artifact.py",
        (
            'Model = Literal["skimmer", ',
            'Model = Literal["mean_pool", "skimmer", ',
        ),
        (
            "import LstmBaseline,",
            "import LstmBaseline, MeanPool,",
        ),
        (
            '    if model == "lstm":',
            '    if model == "mean_pool":\n'
            "        sizes = (fusion_hidden, descriptor_width, descriptor_width)\n"
            "        return MeanPool(widths, classes, *sizes)\n"
            '    if model == "lstm":',
        ),
    )
    copy.edit(
        METHODS,
        (
            '    Method("ours_sparse"',
            '    Method("mean_pool", "Mean pooling", classified_by("mean_pool"), "mean_pool"),\n'
            '    Method("ours_sparse"',
        ),
    )
    assert len(copy.touched) == 3
    assert not any(file.endswith(".smk") for file in copy.touched)
    commands = copy.dry_run()
    assert "--model mean_pool" in commands
    (evaluation,) = (line for line in commands.splitlines() if "l2l evaluate_videos" in line)
    assert "skimmer/mean_pool.pt" in evaluation
    assert copy.planned_networks() == before + 1
    trained = tmp_path / "any.pt"
    copy.run(
        *("l2l", "train_skimmer", "--student", world.student, "--videos", world.videos),
        *("--features", world.features, "--skimmer", trained, "--model", "mean_pool"),
        *("--config", as_json(BRIEF), "--seed", "0"),
    )
    copy.evaluate(world, [*networks, trained], tmp_path)
    assert "mean_pool" in columns_of(tmp_path / "table1.tsv")


def test_a_report_table_takes_three_files(copy, world, networks, tmp_path):
    copy.edit(
        "l2l/evaluation/artifact.py",
        (
            '    Table(\n        "predictions",',
            '    Table(\n        "lengths",\n        "Videos by length",\n'
            '        "evaluate_videos",\n'
            '        (Column("video", "video"), Column("moments", "moments", "")),\n'
            '        "One row per test video.",\n    ),\n'
            '    Table(\n        "predictions",',
        ),
    )
    copy.edit(
        "l2l/evaluation/videos/stage.py",
        ("    predictions: Path,\n", "    predictions: Path,\n    lengths: Path,\n"),
        (
            '    write_evaluation_table(table, "table1", rows)\n',
            '    write_evaluation_table(table, "table1", rows)\n'
            '    moments = [{"video": v.video, "moments": stored.moments(v.video)} for v in test]\n'
            '    write_evaluation_table(lengths, "lengths", moments)\n',
        ),
    )
    copy.edit(
        "workflow/rules/evaluation.smk",
        (
            '        predictions=evaluation_table("predictions"),\n',
            '        predictions=evaluation_table("predictions"),\n'
            '        lengths=evaluation_table("lengths"),\n',
        ),
        (
            "            --predictions {output.predictions:q} \\\n",
            "            --predictions {output.predictions:q} \\\n"
            "            --lengths {output.lengths:q} \\\n",
        ),
    )
    assert len(copy.touched) == 3
    commands = copy.dry_run()
    (report,) = (line for line in commands.splitlines() if "--tables" in line)
    assert "results/tiny/evaluation/lengths.tsv" in report
    copy.evaluate(world, networks, tmp_path, "--lengths", tmp_path / "lengths.tsv")
    shown = copy.run("l2l", "inspect", tmp_path / "lengths.tsv", "--check")
    assert "Videos by length, by evaluate_videos, complete, 6 rows" in shown
    settings = {"run": "r", "videos": {tmp_path.name: {"adapter": "folder"}}}
    unusable = [video._replace(status="missing") for video in read_videos(world.videos)]
    videos, media = tmp_path / "videos.tsv", tmp_path / "media.h5"
    write_videos(videos, unusable)  # so that no pictures are needed
    with write_media(media, feature_world.MEDIA, clips_stored=False):
        pass
    copy.run(
        *("l2l", "write_report", "--tables", tmp_path / "lengths.tsv", tmp_path / "table1.tsv"),
        *("--videos", videos, "--source-videos", videos, "--media", media),
        *("--report", tmp_path / "report.html", "--config", '{"film_strips": 0}'),
        *("--settings", json.dumps(settings)),
    )
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Videos by length</h2>" in page
    assert ">test-000</td>" in page
    assert "<h2>Whole videos (Table 1)</h2>" in page
