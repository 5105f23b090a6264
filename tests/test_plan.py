"""What a run will cost, before it starts."""

import csv
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from l2l.__main__ import main
from l2l.config import MotionConfig, read_config
from l2l.datasets import FolderDataset, TableDataset
from l2l.errors import BadInput
from l2l.tools.plan.contents import Given, cautions, contents_of
from l2l.tools.plan.estimate import Cost, estimate, estimate_scsampler
from l2l.tools.plan.machine import memory_mb, memory_of_stages, shortages
from l2l.tools.plan.rates import Rates, measured, read_rates
from l2l.tools.plan.stage import SHARD_MINUTES, _advice, by_dataset, plan
from l2l.verbs import parser_of

ROOT = Path(__file__).parents[1]
TINY = ROOT / "workflow/configs/tiny.yaml"

# What the default rates were set by; checked is that the counts they are multiplied with stay what
# they were.
DEMO = csv.DictReader(
    (
        line
        for line in (ROOT / "tests/support/demo_seconds.tsv").read_text().splitlines()
        if not line.startswith("#")
    ),
    delimiter="\t",
)


def estimated(config, rates=None):
    contents = {
        name: contents_of(name, each, config.seed, Given()) for name, each in config.videos.items()
    }
    return {row.stage: row for row in estimate(config, contents, rates or Rates())}


def test_the_demo_is_estimated_to_take_as_long_as_it_took():
    rows = estimated(read_config(ROOT / "config.yaml"))
    took = {row["stage"]: row for row in DEMO}
    assert list(rows) == list(took)
    for stage, row in rows.items():
        assert row.jobs == int(took[stage]["jobs"]), stage
        seconds = row.cpu_seconds + row.network_seconds
        assert seconds == pytest.approx(int(took[stage]["seconds"]), rel=0.3, abs=1), (
            stage
        )  # the log's clock has whole seconds


def test_a_variant_more_costs_a_fit_more():
    values = yaml.safe_load(TINY.read_text())
    less = estimated(
        type(read_config(TINY)).model_validate(
            values | {"evaluation": values.get("evaluation", {}) | {"variants": []}}
        )
    )
    more = estimated(read_config(TINY))
    fits = len(read_config(TINY).compared)
    assert fits
    assert more["skimmer"].jobs == less["skimmer"].jobs + fits
    assert more["skimmer"].files == less["skimmer"].files + fits
    assert more["skimmer"].network_seconds > less["skimmer"].network_seconds


def test_a_teacher_that_is_fine_tuned_on_the_target_costs_a_training_and_the_clips_of_the_target():
    values = yaml.safe_load(TINY.read_text())
    less = estimated(read_config(TINY))
    values["teacher"] |= {"finetune": values["teacher"]["training"]}
    more = estimated(type(read_config(TINY)).model_validate(values))
    assert more["teacher"].jobs == less["teacher"].jobs + 1
    assert more["teacher"].files == less["teacher"].files + 1
    assert more["teacher"].chain_seconds > less["teacher"].chain_seconds
    assert more["media"].size > less["media"].size
    assert more["evaluation"].network_seconds > less["evaluation"].network_seconds
    assert more["student"] == less["student"]  # nothing is distilled from the copy


def test_twice_the_videos_cost_twice_as_much_where_videos_are_what_costs():
    values = yaml.safe_load(TINY.read_text())
    once = estimated(read_config(TINY))
    for section in values["videos"].values():
        section |= {split: 2 * section[split] for split in ("train", "val", "test")}
    twice = estimated(type(read_config(TINY)).model_validate(values))
    for stage in ("videos", "media", "mels"):
        assert twice[stage].size == pytest.approx(
            2 * once[stage].size, rel=0.2
        )  # what a shard costs by itself stays
    assert twice["teacher"].network_seconds == pytest.approx(2 * once["teacher"].network_seconds)
    assert [row.jobs for row in twice.values()] == [row.jobs for row in once.values()]


def test_motion_costs_by_the_pictures_of_the_target_and_their_size():
    config = read_config(TINY)
    contents = {
        name: contents_of(name, each, config.seed, Given()) for name, each in config.videos.items()
    }
    rates = Rates(start=0, decode_start=0, decode=0, decode_pixel=0)
    costs = []
    for section in ({}, {"stride": 2}, {"stride": 2, "pixels": 448}):
        other = config.model_copy(update={"motion": MotionConfig(**section)})
        costs += estimate_scsampler(other, contents, rates)
    costs, samplers = costs[::2], costs[1::2]
    assert [cost.stage for cost in samplers] == ["sampler"] * 3
    # scoring reads every picture of motion
    assert samplers[0].network_seconds > samplers[1].network_seconds > 0
    assert samplers[1].jobs == 3 + 14 + 1 + 2  # of shards, networks, test shards, tables
    assert [cost.jobs for cost in costs] == [3, 3, 3]  # shards of the target
    assert costs[0].cpu_seconds == pytest.approx(2 * costs[1].cpu_seconds)
    assert costs[2].cpu_seconds == pytest.approx(4 * costs[1].cpu_seconds)
    assert costs[0].size == pytest.approx(2 * costs[1].size)


def test_one_command_prints_every_stage_and_the_sum_and_how_large_to_make_shards(capsys):
    assert main(["plan", "--configfile", str(TINY)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.split()[0].endswith(":")] == [
        *(
            "stage",
            "videos",
            "manifest",
            "media",
            "mels",
            "teacher",
            "student",
            "features",
            "skimmer",
            "evaluation",
            "report",
        ),
        "all",
        "snakemake",
        "motion",
        "sampler",
        "about",
    ]
    (header,) = (line for line in lines if line.startswith("stage "))
    assert header.split()[2:8] == ["CPU", "min", "GPU", "min", "clock", "min"]  # less than an hour
    assert re.search(r"^about [\d.]+ minutes by the clock on \d+ cores?: one stage ", lines[-1])
    assert not [line for line in lines if "shards: " in line], "as many as they should be"
    assert "is not a part of this run" in "\n".join(lines)


def test_other_numbers_of_shards_are_advised_only_where_they_matter():
    assert _advice("train_val", 2, 10) == _advice("test", 4, 4 * SHARD_MINUTES) == ""
    assert _advice("train_val", 2, 20_000) == (
        "; shards: 2 have 10,000 minutes of video each, shards: 7 would have about 3,000, an hour "
        "or two of decoding"
    )
    assert "; test_shards: 40 have 10 minutes of video each, test_shards: 1 " in _advice(
        "test", 40, 400
    )


def test_few_moments_few_train_videos_and_unusable_files_are_named():
    config = read_config(TINY)
    contents = contents_of(config.target, config.videos[config.target], 1, Given())
    assert cautions(config.target, contents, config) == []
    odd = replace(
        contents,
        seconds=(1.0, 1.5, 60.0),
        classes=3,
        train_videos={"run": 14, "sit": 60, "a\nb": 59},
        looked_at=54,
        unusable=5,
    )
    unusable, moments, classes = cautions(config.target, odd, config)
    assert "5 of 54 files cannot be used, by what they declare (9%); above 10% of all a" in unusable
    assert "most videos have 2 moments or fewer, and skimmer.steps is 4: there is " in moments
    assert "2 of 3 classes have fewer than 60 train videos ('run' has 14)" in classes
    assert len(cautions("another", odd, config)) == 1


@pytest.fixture
def absent(tmp_path):
    """A configuration whose videos are not here."""
    values = yaml.safe_load(TINY.read_text())
    folder = {"adapter": "folder", "role": "both", "folder": str(tmp_path / "no"), "shards": 20}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values | {"videos": {"mine": folder}}))
    return tmp_path / "c.yaml"


def planned_rows(capsys):
    """What was printed: the numbers of each row, and the other lines."""
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.replace(",", "").split()[1:] for line in lines[2:13]}
    return {name: [float(cell) for cell in cells] for name, cells in rows.items()}, lines


def test_a_plan_needs_no_videos_where_their_number_and_length_are_given(absent, capsys):
    given = {"videos": ["10000"], "seconds": ["117"], "cores": 8}
    assert plan([absent], **given) == 0
    cores, lines = planned_rows(capsys)
    assert lines[0].startswith("mine: 10,000 videos of 117 s, 325.0 hours")
    assert re.match(r"about [\d,.]+ hours by the clock on 8 cores: one stage ", lines[-1])
    plan([absent], **given, gpu="a100", gpus=2)
    gpus, lines = planned_rows(capsys)
    assert re.match(r"about [\d,.]+ hours by the clock on 8 cores and 2 a100s: ", lines[-1])
    cpu_h, gpu_h, clock_h = range(1, 4)
    assert cores["media"][clock_h] == pytest.approx(cores["media"][cpu_h] / 8, abs=0.01)
    assert cores["student"][gpu_h] == 0 < gpus["student"][gpu_h]
    assert cores["all"][clock_h] < cores["all"][cpu_h]
    assert gpus["media"] == cores["media"]
    with pytest.raises(BadInput, match="give the mean length of a video of mine too"):
        plan([absent], videos=["100"])
    with pytest.raises(BadInput, match="--cores 0: expected 1 or more"):
        plan([absent], videos=["100"], seconds=["1"], cores=0)
    with pytest.raises(BadInput, match="--gpu with --measure or --rates"):
        plan([absent], videos=["100"], seconds=["1"], gpu="a100", measure=True)


def test_number_and_length_are_given_for_all_data_sets_or_for_one():
    names = ["kinetics", "activitynet"]
    assert by_dataset("seconds", None, names) == {}
    assert by_dataset("seconds", ["10", "activitynet=117"], names) == {
        "kinetics": 10,
        "activitynet": 117,
    }
    assert by_dataset("videos", ["activitynet=20000"], names) == {"activitynet": 20_000}
    for option, word, line in (
        ("videos", "ucf=100", "no such data set; expected kinetics or activitynet"),
        ("videos", "9", "expected 10 or more"),
        ("videos", "kinetics=1.5", "expected 10 or more"),
        ("seconds", "-5", "expected more than 0"),
        ("seconds", "nan", "expected more than 0"),
        ("seconds", "0", "expected more than 0"),
    ):
        with pytest.raises(BadInput, match=rf"^--{option} {word}: {line}"):
            by_dataset(option, [word], names)
    options = "--configfile c.yaml --videos a=10 --seconds a=1 --videos b=20 --seconds 3"
    parsed = parser_of("plan").parse_args(shlex.split(options))
    assert (parsed.videos, parsed.seconds) == (["a=10", "b=20"], ["a=1", "3"])


def test_another_machine_is_compared_only_with_what_is_given_of_it(absent, capsys):
    given = {"videos": ["10000"], "seconds": ["117"], "cores": 10_000}
    plan([absent], **given)
    printed = capsys.readouterr()
    assert "not compared with the machine's memory and disk, since" in printed.err
    assert "MB of memory" not in printed.err
    plan([absent], **given, memory_gb=1, disk_gb=1)
    printed = capsys.readouterr()
    assert "--memory-gb" not in printed.err
    assert ": a job asks for up to " in printed.err
    assert " GB of files, the disk has 1.0" in printed.err


def test_jobs_that_wait_for_one_another_take_their_time_on_any_number_of_cores():
    cost = Cost("student", jobs=9, cpu_seconds=10.0, network_seconds=80.0, chain_seconds=30.0)
    assert [cost.clock_seconds(cores, 0) for cores in (1, 2, 9, 90)] == [90, 45, 30, 30]
    assert [cost.clock_seconds(1, gpus) for gpus in (1, 2, 9)] == [80, 40, 30]


def test_a_stage_that_asks_for_more_than_the_machine_has_is_named():
    rows = [Cost("media", jobs=40, size=3e9), Cost("student", jobs=9, size=1e9)]
    asked = {"media": 2000, "student": 8000}
    assert shortages(rows, 4, 32_000, 5e9, asked) == []
    assert shortages(rows, 8, 32_000, 5e9, asked) == [
        "student: jobs at once ask for up to 64,000 MB of memory, the machine has 32,000: "
        "snakemake --resources mem_mb=32000"
    ]
    small = shortages(rows, 1, 6000, 2e9, asked)
    assert small[0] == "student: a job asks for up to 8,000 MB of memory, the machine has 6,000"
    assert small[1] == "all: 4.0 GB of files, the disk has 2.0"
    assert shortages(rows, 8, None, None, asked) == []
    assert len(shortages(rows, 40, 1000, None, asked)) == 1


def test_the_memory_of_a_stage_is_what_its_rules_ask_for():
    asked = memory_of_stages()
    assert (asked["media"], asked["teacher"], asked["mels"]) == (2000, 8000, 4000)
    stages = "manifest media mels motion teacher student features skimmer sampler evaluation"
    assert set(stages.split()) <= set(asked)
    assert 500 < memory_mb() < 10**8


def test_a_data_set_without_labels_has_a_row_of_its_answers(clip, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    for number in range(3):
        (tmp_path / f"videos/{number}.mp4").write_bytes(clip.read_bytes())
    dataset = {"role": "apply", "adapter": "folder", "folder": str(tmp_path / "videos")}
    extra = {"videos": {"mine": {**dataset, "shards": 2}}}
    (tmp_path / "apply.yaml").write_text(yaml.safe_dump(extra))
    assert plan([TINY, tmp_path / "apply.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (described,) = (line for line in lines if line.startswith("mine: 3 videos of 2 s"))
    assert "of test" not in described
    (row,) = (line.split() for line in lines if line.startswith("apply "))
    assert int(row[1]) == 3 + 3 * 2


def test_videos_that_are_not_available_need_a_given_length(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.mp4").touch()
    dataset = FolderDataset(adapter="folder", role="both", folder=tmp_path, shards=1)
    with pytest.raises(BadInput, match="give --seconds"):
        contents_of("found", dataset, 1, Given())
    assert contents_of("found", dataset, 1, Given(90.0)).mean_seconds == 90


def test_a_teacher_that_cannot_take_the_clips_is_refused_as_in_the_run(tmp_path):
    values = yaml.safe_load(TINY.read_text())
    values["teacher"] = {
        "network": "s3d",
        "weights": "train",
        "training": values["teacher"]["training"],
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(BadInput, match=r"^media: found clips of .* s3d does not take them"):
        plan([tmp_path / "c.yaml"])


def test_a_plan_is_made_of_something(tmp_path):
    with pytest.raises(BadInput, match="a picture has some"):
        plan([TINY], pixels=0)
    table = tmp_path / "t.csv"
    table.write_text("video,label\n")
    dataset = {
        "adapter": "table",
        "role": "both",
        "shards": 1,
        "video_column": "video",
        "label_column": "label",
    }
    with pytest.raises(BadInput, match="no videos are listed"):
        contents_of("found", TableDataset(folder=tmp_path, tables=[table], **dataset), 1, Given())


def test_rates_are_read_back_as_they_were_written_and_nothing_else_is(tmp_path):
    file = tmp_path / "rates.yaml"
    file.write_text(yaml.safe_dump(Rates(mel=0.5).model_dump()))
    assert read_rates(file) == Rates(mel=0.5)
    bomb = "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 12))
    for content in ("mle: 1", "mel: .inf", "mel: .nan", "[" * 5000, f"a0: &a0 [x]\n{bomb}", "\0"):
        file.write_text(content)
        with pytest.raises(BadInput, match=r"rates.yaml.*--measure") as refused:
            read_rates(file)
        assert len(str(refused.value)) < 2000


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_rates_are_not_written_over_what_is_no_plain_file(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("l2l.tools.plan.stage.measured", lambda *_: pytest.fail("measured"))
    rates = tmp_path / "rates.yaml"
    os.mkfifo(rates) if kind == "pipe" else rates.symlink_to("precious")
    with pytest.raises(BadInput, match=f"is a {kind} and is not replaced"):
        plan(configfile=[TINY], measure=True, rates=rates)
    assert not (tmp_path / "precious").exists()


def test_measuring_gives_a_rate_for_all_that_costs(media):
    example = sorted((media / "fight").rglob("*.mp4"))[0]
    rates = measured(read_config(TINY), example, 4)
    assert all(
        value > 0
        for name, value in rates.model_dump().items()
        # two are differences of measured times, which may be nothing
        if name not in ("gpu", "decode_pixel", "code_pixel", "step")
    )
    assert 0 < rates.mel < 0.1
    assert rates.teacher_train > rates.teacher_forward


LOG = """
[Sat Nov 21 15:40:26 2026]
localrule copy_shard_table:
    jobid: 22
[Sat Nov 21 15:40:27 2026]
rule list_videos:
    jobid: 3
[Sat Nov 21 15:40:30 2026]
Finished jobid: 22 (Rule: copy_shard_table)
[Sat Nov 21 15:40:36 2026]
"""


def test_a_stage_takes_as_long_as_its_jobs_together_and_only_a_run_that_finished_counts(tmp_path):
    log = tmp_path / "run.log"
    argv = [sys.executable, str(ROOT / "benchmarks/stage_seconds.py"), str(log)]
    log.write_text(LOG)
    unfinished = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (unfinished.returncode, unfinished.stdout) == (1, "")
    assert "1 of its jobs did not" in unfinished.stderr
    log.write_text(LOG + "Finished jobid: 3 (Rule: list_videos)\n")
    assert (
        "\nmanifest\t2\t13\n"
        in subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    )
