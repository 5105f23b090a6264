"""The configuration: what it takes, what it refuses and how it says so."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from l2l.config import (
    Config,
    MelsConfig,
    PublicCodeConfig,
    as_json,
    check_config,
    read_config,
)
from l2l.errors import BadInput

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "workflow/configs/paper.yaml"  # on top of it goes one of the paper's data sets
REFERENCE = ROOT / "workflow/configs/reference.yaml"  # and this on top of both
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path: str, value: object) -> dict:
    """The demo's configuration with one key set."""
    values = copy.deepcopy(DEMO)
    *sections, key = path.split(".")
    section = values
    for name in sections:
        section = section[name]
    section[key] = value
    return values


@pytest.mark.parametrize(
    "path",
    sorted(
        {*(ROOT / "workflow/configs").glob("*.yaml"), ROOT / "config.yaml"} - {PAPER, REFERENCE}
    ),
    ids=lambda p: p.name,
)
def test_every_configuration_in_the_repository_is_valid(path):
    names = re.findall(r"on top of (\w+\.yaml)", path.read_text(encoding="utf-8"), re.IGNORECASE)
    below = [ROOT / name if name == "config.yaml" else PAPER.with_name(name) for name in names]
    assert isinstance(read_config(*below, path), Config)


@pytest.mark.parametrize(
    ("path", "value", "fact"),
    [
        ("mels.bnads", 40, "mels.bnads: no such key; allowed in mels: window_samples, hop_samples"),
        ("medai", {}, "medai: no such key; allowed in the top level: run, seed, videos"),
        (
            "teacher.training.epoch",
            3,
            "teacher.training.epoch: no such key; allowed in teacher.training: epochs",
        ),
        ("mels.bands", 0, "mels.bands: Input should be greater than or equal to 1 (found 0)"),
        (
            "student.modalities",
            ["smell"],
            "student.modalities.0: Input should be 'image' or 'audio' (found 'smell')",
        ),
        (
            "student.modalities",
            ["audio", "image"],
            "modalities must be [image, audio], [image] or [audio]",
        ),
        (
            "student.modalities",
            ["image", "image"],
            "modalities must be [image, audio], [image] or [audio]",
        ),
        ("mels.floor", 1, "mels.floor: Input should be less than 1"),
        ("mels.fft_samples", 256, "fft_samples 256 must be even, at least window_samples 400"),
        ("mels.fft_samples", 401, "fft_samples 401 must be even"),
        (
            "mels.fft_samples",
            32000,
            "fft_samples 32000 must be even, at least window_samples 400, and below 32000",
        ),
        ("media.clip_stride", 3, "must divide 16"),
        ("teacher.training.milestones", [90], "must rise and lie before epoch"),
        (
            "videos.clips.role",
            "target",
            "videos: role source (or both): found none, expected one data set",
        ),
        (
            "videos.clips.adapter",
            "floder",
            "videos.clips.adapter: found 'floder', expected one of demo, folder, activitynet, ",
        ),
        (
            "videos.clips.trian",
            3,
            "videos.clips.trian: no such key; allowed in videos.clips: role, shards, test_shards, "
            "adapter, ",
        ),
        (
            "videos.clips.min_seconds",
            0,
            "videos.clips.min_seconds: Input should be greater than or equal to 1.5 (found 0)",
        ),
        (
            "skimmer.variants",
            {"own": {"a": 1}},
            "skimmer.variants.own.a: no such key; allowed in skimmer.variants.own: recognition",
        ),
        ("run", "../escape", "run: String should match pattern"),
        ("media.frame_pixels", 400, "is larger than resize_pixels"),
        ("media.clips", "decoded", "found decoded, expected stored: the teacher is trained on"),
        ("teacher.weights", "KINETICS400_V1", "`training` belongs to weights: train"),
        ("study.seeds", [3, 4, 3], "study: seeds: 3 is listed 2 times"),
        ("videos.clips.max_seconds", float("inf"), "max_seconds: Input should be a finite number"),
        ("media.time_limit_seconds", float("inf"), "should be a finite number"),
        ("skimmer.training.learning_rate", float("nan"), "learning_rate: Input should be"),
    ],
)
def test_a_wrong_key_or_value_is_refused_in_one_line_that_names_it(path, value, fact):
    with pytest.raises(BadInput) as refused:
        check_config(changed(path, value), "config.yaml")
    assert fact in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("config.yaml: ")


def test_a_key_of_a_section_in_a_data_set_and_a_missing_adapter_are_named():
    groups = {
        "adapter": "folder",
        "role": "both",
        "folder": "x",
        "shards": 1,
        "groups": {"table": "t.tsv", "colum": "c"},
    }
    allowed = (
        r"videos\.all\.groups\.colum: no such key; allowed in videos\.all\.groups: table, "
        r"file_column, group_column$"
    )
    for videos, line in (
        (groups, allowed),
        ({"role": "both"}, r"videos\.all\.adapter: missing; expected one of demo, "),
    ):
        with pytest.raises(BadInput, match=line):
            check_config(DEMO | {"videos": {"all": videos}}, "config.yaml")


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("skimmer.steps", 3, """--config 'skimmer={"steps": 3}'"""),
        ("student.distil.epochs", 2, """--config 'student={"distil": {"epochs": 2}}'"""),
        ("report.title", "A b", """--config 'report={"title": "A b"}'"""),
    ],
)
def test_a_key_with_dots_is_refused_with_the_right_form(key, value, right):
    with pytest.raises(BadInput) as refused:
        check_config(DEMO | {key: value}, "config.yaml")
    assert key in str(refused.value)
    assert right in str(refused.value)
    assert "\n" not in str(refused.value)
    given = yaml.safe_load(right.partition("=")[2].rstrip("'"))
    *sections, last = key.split(".")
    for section in sections[1:]:
        given = given[section]
    assert given == {last: value}


def test_a_missing_section_is_named():
    values = {key: value for key, value in DEMO.items() if key != "skimmer"}
    with pytest.raises(BadInput, match="skimmer: missing"):
        check_config(values, "config.yaml")


def test_a_file_that_is_no_configuration_is_refused(tmp_path):
    for text, fact in (
        ("- a\n- b\n", "expected sections"),
        ("a: [", "not YAML"),
        ("", "expected sections"),
    ):
        (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(BadInput, match=fact):
            read_config(tmp_path / "c.yaml")
    with pytest.raises(BadInput, match="no such file; expected a configuration file"):
        read_config(tmp_path / "absent.yaml")


def test_the_reference_switches_on_what_is_off_in_every_other_configuration():
    below = [PAPER, ROOT / "workflow/configs/activitynet.yaml"]
    off, on = (read_config(*files).skimmer for files in (below, [*below, REFERENCE]))
    assert off.public_code == PublicCodeConfig()
    assert not any(value for _, value in off.public_code)
    assert all(value for _, value in on.public_code)
    assert on.model_copy(update={"public_code": off.public_code}) == off
    with pytest.raises(ValueError, match="expected the shorter length first"):
        PublicCodeConfig(crop_moments=(500, 200))


def test_a_section_survives_the_command_line():
    mels = MelsConfig(bands=64, floor=1e-5)
    assert MelsConfig.model_validate_json(as_json(mels)) == mels


@pytest.mark.parametrize("preset", ["activitynet", "mini_sports1m", "kinetics_sounds", "ucf101"])
def test_the_numbers_of_the_paper_are_in_the_full_size_configurations(preset):
    config = read_config(*(ROOT / f"workflow/configs/{name}.yaml" for name in ("paper", preset)))
    assert (config.run, config.source, config.target) == (preset, "kinetics400", preset)
    assert (config.teacher.network, config.teacher.weights) == ("r2plus1d_18", "KINETICS400_V1")
    assert (config.student.image_weights, config.student.stream_width) == ("none", None)
    assert config.student.undistilled_image_weights == "IMAGENET1K_V1"
    assert config.student.finetune.segments
    # what the paper states of its data sets (supplement, B), and of Fig. 5 (section 4.1)
    stated = {
        "activitynet": ("val_fraction", 0),  # all training videos are trained on
        "kinetics_sounds": ("classes", 31),
        "ucf101": ("division", 1),
        "mini_sports1m": ("train_videos", 30),
    }
    key, value = stated[preset]
    assert getattr(config.videos[preset], key) == value
    clips_alone = preset in ("kinetics_sounds", "ucf101")
    assert (config.teacher.finetune is not None) == clips_alone == config.stores_clips(preset)
    assert not config.stores_clips("kinetics400")
    assert (config.media.frame_pixels, config.media.clip_frames, config.media.clip_stride) == (
        112,
        16,
        2,
    )
    assert (config.mels.window_samples, config.mels.hop_samples, config.mels.bands) == (
        400,
        160,
        40,
    )
    distil = config.student.distil
    assert (distil.epochs, distil.batch_size, distil.learning_rate, distil.milestones) == (
        60,
        16,
        0.001,
        (30, 50),
    )
    assert config.student.soft_loss_weight == 100
    assert config.student.image_widths == config.student.audio_widths == (64, 128, 256, 512)
    skimmer = config.skimmer
    assert (skimmer.lstm_width, skimmer.key_width, skimmer.query_width, skimmer.steps) == (
        1024,
        512,
        1024,
        10,
    )
    training = skimmer.training
    assert (
        training.epochs,
        training.batch_size,
        training.learning_rate,
        training.milestones,
    ) == (
        25,
        256,
        0.01,
        (15, 20),
    )
    assert (training.momentum, training.weight_decay) == (0.9, 1e-4)
    assert (distil.momentum, distil.weight_decay) == (0.9, 1e-4)
    assert config.evaluation.sparse_factor == 5
