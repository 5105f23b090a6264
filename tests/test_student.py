"""The student: its streams are torchvision's, its loss is the paper's, its modalities are data."""

import math

import numpy as np
import pytest
import torch
from torchvision.models import ResNet18_Weights, resnet18
from training_world import make_world, training

from l2l.config import (
    FinetuningConfig,
    MediaConfig,
    MelsConfig,
    StudentConfig,
    TrainingConfig,
)
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, read_videos, write_videos
from l2l.media.artifact import read_media
from l2l.moments import moments_inside
from l2l.student import stage
from l2l.student.artifact import (
    build_student,
    load_image_weights,
    load_student,
    media_of,
    mels_of,
    save_student,
)
from l2l.student.loss import distillation_loss
from l2l.student.network import AudioStream, Student, Trunk, frame_input, mel_input
from l2l.student.stage import starting_student

SMALL = {"image_widths": (4, 4, 8, 8), "audio_widths": (4, 4, 8, 6), "blocks": (1, 1, 1, 1)}
FIT = TrainingConfig(epochs=1, batch_size=2, learning_rate=0.1)
FINETUNE = FinetuningConfig(**FIT.model_dump())


def small(modalities=("image", "audio"), **changes) -> Student:
    torch.manual_seed(0)
    return Student(modalities, 5, 16, **{**SMALL, **changes}).eval()


def moments(count=3):
    generator = torch.Generator().manual_seed(1)
    frames, mels = (
        torch.randn(count, 3, 32, 32, generator=generator),
        torch.randn(count, 101, 40, generator=generator),
    )
    return frames, mels, torch.tensor([True] * count)


def test_the_image_stream_is_torchvisions_resnet_18():
    theirs = resnet18(weights=None).eval()
    trunk = Trunk(3, (64, 128, 256, 512), (2, 2, 2, 2), 2).eval()
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    trunk.load_state_dict(state)
    pictures = torch.randn(2, 3, 64, 64)
    theirs.fc, theirs.avgpool = torch.nn.Identity(), torch.nn.AdaptiveAvgPool2d(1)
    assert torch.allclose(trunk(pictures).mean((2, 3)), theirs(pictures), atol=1e-5)


@pytest.mark.parametrize(("stride", "rows", "columns"), [(1, 7, 3), (2, 4, 2)])
def test_the_audio_trunk_has_the_shapes_of_the_paper_and_of_the_public_code(stride, rows, columns):
    stream = AudioStream((64, 128, 256, 512), (2, 2, 2, 2), stride, "mean", 40)
    assert stream.trunk(torch.zeros(1, 1, 101, 40)).shape == (1, 512, rows, columns)
    assert stream.band_sum.in_channels == columns
    assert stream(torch.zeros(1, 101, 40)).shape == (1, 512)


def test_time_is_pooled_and_bands_are_summed_by_learned_weights():
    for pooling, pool in (("mean", np.mean), ("max", np.max)):
        stream = AudioStream((4, 4, 8, 8), (1, 1, 1, 1), 2, pooling, 40).eval()
        mels = torch.randn(2, 101, 40)
        with torch.no_grad():
            maps = stream.trunk(mels[:, None]).numpy()  # (moments, channel, time, band columns)
            ours = stream(mels).numpy()
        weight, bias = stream.band_sum.weight.detach().numpy().ravel(), stream.band_sum.bias.item()
        for m in range(2):
            for c in range(8):
                by_time = [
                    sum(maps[m, c, t, b] * weight[b] for b in range(len(weight))) + bias
                    for t in range(maps.shape[2])
                ]
                assert ours[m, c] == pytest.approx(pool(by_time), abs=1e-5)


@pytest.mark.parametrize(
    ("stream_width", "psi"),
    [
        (None, 1024 * 1024 + 1024 + 1024 * 512 + 512),
        (256, 512 * 512 + 512 + 512 * 512 + 512),
    ],  # public code; supplement
)
def test_psi_has_the_sizes_of_the_public_code_and_of_the_supplement(stream_width, psi):
    with torch.device("meta"):
        student = Student(("image", "audio"), 200, stream_width=stream_width)
        image, audio = student.features(*moments_of_zeros()).values()
        assert student(*moments_of_zeros())[0].shape == (1, 512)
    assert image.shape == audio.shape == (1, stream_width or 512)
    assert sum(p.numel() for p in student.fusion.parameters()) == psi


def moments_of_zeros():
    return torch.zeros(1, 3, 112, 112), torch.zeros(1, 101, 40), torch.ones(1, dtype=torch.bool)


def test_a_stream_of_another_width_is_the_trunks_feature_through_a_linear_layer():
    wide, narrow = small(), small(stream_width=5)
    for stream in ("image", "audio"):
        getattr(narrow, stream).load_state_dict(getattr(wide, stream).state_dict(), strict=False)
    features, narrowed = wide.features(*moments()), narrow.features(*moments())
    for stream in ("image", "audio"):
        layer = getattr(narrow, stream).narrow
        assert torch.allclose(
            narrowed[stream], features[stream] @ layer.weight.T + layer.bias, atol=1e-6
        )
    assert (narrow.features(*moments()[:2], torch.zeros(3, dtype=torch.bool))["audio"] == 0).all()


def config_from(path, **changes) -> StudentConfig:
    return StudentConfig(image_weights=str(path), distil=FIT, finetune=FINETUNE, **changes)


def test_the_image_stream_starts_from_resnet_18_and_everything_else_as_it_is_drawn(tmp_path):
    torch.manual_seed(3)
    theirs = resnet18(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    config = config_from(tmp_path / "resnet18.pth", stream_width=256)
    drawn, started = (build_student(config, ("image", "audio"), 3, 512, 40) for _ in range(2))
    started.load_state_dict(drawn.state_dict())
    load_image_weights(drawn, "none")
    load_image_weights(started, config.image_weights)
    ours, before, given = started.state_dict(), drawn.state_dict(), theirs.state_dict()
    for name, value in ours.items():
        trunk = name.startswith("image.trunk.")
        assert torch.equal(
            value, given[name.removeprefix("image.trunk.")] if trunk else before[name]
        ), name
    assert not torch.equal(ours["image.trunk.conv1.weight"], before["image.trunk.conv1.weight"])
    deaf = build_student(config, ("audio",), 3, 512, 40)
    load_image_weights(deaf, "nowhere.pth")  # nothing to start: not read


def test_undistilled_students_start_from_their_weights_where_these_are_given(tmp_path):
    same, others = config_from("a.pth"), config_from("a.pth", undistilled_image_weights="b.pth")
    assert (same.weights_of_undistilled, others.weights_of_undistilled) == ("a.pth", "b.pth")
    assert [path.name for path in same.weights_files] == ["a.pth"]
    assert [path.name for path in others.weights_files] == ["a.pth", "b.pth"]
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "b.pth")
    given = torch.load(tmp_path / "b.pth")["conv1.weight"]
    config = config_from("none", undistilled_image_weights=str(tmp_path / "b.pth"))
    student = starting_student(None, config, ["image"], 3, 40)
    assert torch.equal(student.image.trunk.conv1.weight, given)


def test_imagenets_weights_by_name_are_torchvisions_download(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    theirs = resnet18(weights=None).state_dict()
    torch.save(
        theirs, tmp_path / "hub/checkpoints" / ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    )
    student = build_student(config_from("IMAGENET1K_V1"), ("image",), 3, 512, 40)
    load_image_weights(student, "IMAGENET1K_V1")
    assert torch.equal(student.image.trunk.layer4[1].conv2.weight, theirs["layer4.1.conv2.weight"])


def test_a_trunk_that_is_no_resnet_18_and_numbers_that_are_none_are_refused(tmp_path):
    state = resnet18(weights=None).state_dict()
    torch.save(state, tmp_path / "good.pth")
    torch.save(state | {"bn1.weight": torch.full((64,), math.nan)}, tmp_path / "bad.pth")
    with pytest.raises(BadInput, match=r"good\.pth: not the numbers of resnet18"):
        load_image_weights(small(), str(tmp_path / "good.pth"))
    with pytest.raises(BadInput, match=r"bad\.pth: bn1\.weight holds numbers that are not finite"):
        load_image_weights(small(), str(tmp_path / "bad.pth"))
    with pytest.raises(
        BadInput,
        match=r"student\.image_weights: 'imagenet' is neither a file nor one of IMAGENET1K_V1",
    ):
        load_image_weights(small(), "imagenet")


def test_psi_and_the_classifier_follow_the_formula():
    student = small()
    frames, mels, has_sound = moments()
    with torch.no_grad():
        features = student.features(frames, mels, has_sound)
        descriptor, scores = student(frames, mels, has_sound)
        both = torch.cat([features["image"], features["audio"]], 1).numpy()
    fc1, fc2, classifier = student.fusion.fc1, student.fusion.fc2, student.classifier
    for m in range(3):
        inner = np.maximum(fc1.weight.detach().numpy() @ both[m] + fc1.bias.detach().numpy(), 0)
        z = fc2.weight.detach().numpy() @ inner + fc2.bias.detach().numpy()
        assert np.allclose(descriptor[m], z, atol=1e-5)
        assert np.allclose(
            scores[m],
            classifier.weight.detach().numpy() @ z + classifier.bias.detach().numpy(),
            atol=1e-5,
        )


def test_without_sound_the_audio_feature_is_zero_and_what_the_mel_holds_is_not_heard():
    student = small()
    frames, mels, _ = moments()
    deaf = torch.tensor([False, True, False])
    features = student.features(frames, mels, deaf)["audio"]
    assert (features[~deaf] == 0).all()
    assert (features[1] != 0).any()
    assert torch.equal(student(frames, mels, deaf)[1][0], student(frames, mels + 5, deaf)[1][0])


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_a_student_of_one_modality_does_not_look_at_the_other(modality):
    student = small((modality,))
    frames, mels, has_sound = moments()
    other = {"image": (frames, mels + 1), "audio": (frames + 1, mels)}[modality]
    assert torch.equal(student(frames, mels, has_sound)[1], student(*other, has_sound)[1])
    assert not any(
        name.startswith({"image": "audio", "audio": "image"}[modality])
        for name, _ in student.named_parameters()
    )


def test_the_distillation_loss_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    z, zt, s, st = (rng.normal(size=(4, n)) for n in (6, 6, 3, 3))
    loss = distillation_loss(*(torch.tensor(x) for x in (z, s, zt, st)), soft_loss_weight=100.0)
    total = 0.0
    for m in range(4):
        q = np.exp(st[m]) / np.exp(st[m]).sum()
        log_p = s[m] - math.log(np.exp(s[m]).sum())
        total += sum(abs(z[m, d] - zt[m, d]) for d in range(6)) - 100 * sum(
            q[c] * log_p[c] for c in range(3)
        )
    assert loss.item() == pytest.approx(total / 4)


def test_frames_are_prepared_as_imagenets_weights_say():
    frames = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8)
    preset = ResNet18_Weights.IMAGENET1K_V1.transforms(resize_size=224)
    assert torch.allclose(frame_input(frames), preset(frames.permute(0, 3, 1, 2)), atol=1e-6)


def test_silence_enters_as_zero_and_unit_power_as_one():
    assert mel_input(
        torch.tensor([[[math.log(1e-6), 0.0]]]), 1e-6
    ).flatten().tolist() == pytest.approx([0, 1])


def test_a_student_survives_the_disk_with_all_it_was_made_for(tmp_path):
    training = {"distil": FIT, "finetune": FINETUNE}
    config = StudentConfig(**SMALL, audio_stem_stride=2, stream_width=7, **training)
    torch.manual_seed(0)
    student = build_student(config, ("image", "audio"), 3, 16, 40).eval()
    media, mels = MediaConfig(frame_pixels=56, clip_frames=8, clip_stride=4), MelsConfig(floor=1e-5)
    save_student(tmp_path / "s.pt", student, config, ["a", "b", "c"], True, media, mels)
    again = load_student(tmp_path / "s.pt")
    assert torch.equal(again(*moments())[1], student(*moments())[1])
    assert again.class_names == ("a", "b", "c")
    assert (media_of(again.settings), mels_of(again.settings)) == (media, mels)
    assert not again.training


@pytest.mark.parametrize("segments", [True, False])
def test_a_student_is_fine_tuned_inside_the_segments_or_on_all_moments_as_configured(
    segments, tmp_path, monkeypatch
):
    world = make_world(tmp_path / "world")
    with read_media(world["media"][0]) as reader:
        count = reader.moments("v0")
    inside = (Segment(0.0, 2 * 16 / 30 + 0.01, "a"),)  # two moments of one video
    rows = [
        row._replace(segments=inside if row.video == "v0" else ())
        for row in read_videos(world["videos"])
    ]
    write_videos(tmp_path / "videos.tsv", rows)
    trained_on = []

    def only_count(network, groups, dataset, *_, **__) -> None:
        trained_on.append(len(dataset))

    monkeypatch.setattr(stage, "train", only_count)
    inputs = training("fine-tuned student", world).options | {"videos": tmp_path / "videos.tsv"}
    finetune = inputs["config"].finetune.model_copy(update={"segments": segments})
    config = inputs["config"].model_copy(update={"finetune": finetune})
    stage.finetune_student(**inputs | {"config": config}, student=tmp_path / "student.pt")
    train_videos = 8
    labelled = len(moments_inside([(0.0, inside[0].end_seconds)], count))
    assert 0 < labelled < count
    assert trained_on == [labelled if segments else train_videos * count]
