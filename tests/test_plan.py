"""What a run will cost is told before it."""

from pathlib import Path

import pytest
import yaml

from l2l.__main__ import main
from l2l.config import FolderDataset, read_config
from l2l.errors import BadInput
from l2l.plan import contents_of, estimate, read_rates
from l2l.rates import Rates, measured

ROOT = Path(__file__).parents[1]
TINY = ROOT / "workflow/configs/tiny.yaml"

# Seconds of all jobs of each stage of a demo run with seed 11 and nothing beside it on two cores, as its benchmark files have
# them. The default rates were set by this run: what is checked is that the counts they are multiplied with stay what they were.
DEMO_SECONDS = {
    "videos": 186.9,
    "manifest": 3.9,
    "media": 139.4,
    "mels": 22.6,
    "teacher": 419.9,
    "student": 246.1,
    "features": 22.5,
    "skimmer": 85.2 + 33 + 42,  # the two variants were fitted later, by themselves
}


def told(config, rates=None):
    contents = {name: contents_of(name, each, config.seed, None, 0) for name, each in config.videos.items()}
    return {row.stage: row for row in estimate(config, contents, rates or Rates())}


def test_the_demo_is_told_to_take_as_long_as_it_took():
    rows = told(read_config(ROOT / "config.yaml"))
    for stage, seconds in DEMO_SECONDS.items():
        assert rows[stage].cpu_seconds + rows[stage].network_seconds == pytest.approx(seconds, rel=0.3), stage


def test_twice_the_videos_cost_twice_as_much_where_videos_are_what_costs():
    values = yaml.safe_load(TINY.read_text())
    once = told(read_config(TINY))
    for section in values["videos"].values():
        section |= {split: 2 * section[split] for split in ("train", "val", "test")}
    twice = told(type(read_config(TINY)).model_validate(values))
    for stage in ("videos", "media", "mels"):
        assert twice[stage].size == pytest.approx(2 * once[stage].size, rel=0.2)  # what a shard costs by itself stays
    assert twice["teacher"].network_seconds == pytest.approx(2 * once["teacher"].network_seconds)
    assert [row.jobs for row in twice.values()] == [row.jobs for row in once.values()]


def test_one_command_prints_every_stage_and_the_sum_and_how_large_to_make_shards(capsys):
    assert main(["plan", "--configfile", str(TINY)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.split()[0].endswith(":")] == [
        *("stage", "videos", "manifest", "media", "mels", "teacher", "student", "features", "skimmer", "evaluation", "report"),
        "all",
    ]
    assert "minutes a shard" in lines[0]


def test_videos_that_are_not_at_hand_need_their_length_told(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.mp4").touch()
    dataset = FolderDataset(adapter="folder", role="both", folder=tmp_path, shards=1)
    with pytest.raises(BadInput, match="give --seconds"):
        contents_of("found", dataset, 1, None, 640 * 360)
    assert contents_of("found", dataset, 1, 90.0, 640 * 360).mean_seconds == 90


def test_rates_are_read_back_as_they_were_written_and_nothing_else_is(tmp_path):
    file = tmp_path / "rates.yaml"
    file.write_text(yaml.safe_dump(Rates(mel=0.5).model_dump()))
    assert read_rates(file) == Rates(mel=0.5)
    file.write_text("mle: 1")
    with pytest.raises(BadInput, match=r"rates.yaml.*--measure"):
        read_rates(file)


def test_measuring_gives_a_rate_for_all_that_costs(media):
    example = sorted((media / "fight").rglob("*.mp4"))[0]
    rates = measured(read_config(TINY), example, 4)
    assert all(value > 0 for name, value in rates.model_dump().items() if name not in ("gpu", "decode_pixel"))
    assert 0 < rates.mel < 0.1
    assert rates.teacher_fit > rates.teacher_forward
