"""A student that only describes is faster on a CPU, and says the same of a moment in any batch."""

import pytest
import torch
from torch import nn

from l2l.student.inference import OneDnnConv, OneDnnTrunk, for_inference
from l2l.student.network import Student

CPU = torch.device("cpu")
ROWS = 6
SIZES = {
    "narrow": {"image_widths": (4, 4, 8, 8), "audio_widths": (5, 4, 8, 9)},
    "with linear layers": {"stream_width": 12},
    "one modality": {"modalities": ("image",)},
    "published networks": {
        "image_network": "efficientnet_lite0",
        "audio_network": "efficientat_mn04",
    },
}


def trained(modalities=("image", "audio"), **sizes) -> Student:
    """A student whose batch norms have some history."""
    torch.manual_seed(0)
    widths = {"image_widths": (8, 16, 24, 32), "audio_widths": (8, 8, 16, 32)} | sizes
    student = Student(modalities, 7, 16, blocks=(1, 2, 1, 1), **widths).eval()
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return student


def moments() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frames, mels, and has_sound: one moment has none."""
    has_sound = torch.tensor([True, True, False, True, True, True])
    return torch.randn(ROWS, 3, 40, 40), torch.randn(ROWS, 101, 40), has_sound


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_it_says_what_the_plain_student_says(sizes):
    student = trained(**sizes)
    faster, inputs = for_inference(student, CPU, ROWS), moments()
    with torch.inference_mode():
        for ours, plain in zip(faster(*inputs), student(*inputs), strict=True):
            assert float((ours - plain).abs().max()) <= 2e-6 * float(plain.abs().max())


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_moment_has_the_same_bits_in_any_place_of_a_batch_of_any_size(sizes):
    faster, inputs = for_inference(trained(**sizes), CPU, ROWS), moments()
    with torch.inference_mode():
        features, outputs = faster.features(*inputs), faster(*inputs)
        for count in range(1, ROWS + 1):
            order = torch.randperm(ROWS)[:count]
            part = [x[order] for x in inputs]
            for name, values in faster.features(*part).items():
                assert torch.equal(values, features[name][order])
            for values, whole in zip(faster(*part), outputs, strict=True):
                assert torch.equal(values, whole[order])


def test_no_batch_norm_and_no_other_convolution_stays_in_its_trunks():
    faster = for_inference(trained(), CPU, ROWS)
    for stream in (faster.image, faster.audio):
        assert isinstance(stream.trunk, OneDnnTrunk)
        kinds = [type(module) for module in stream.trunk.modules()]
        assert OneDnnConv in kinds
        assert nn.BatchNorm2d not in kinds
        assert nn.Conv2d not in kinds


def test_the_plain_student_stays_as_it_is():
    student = trained()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    for_inference(student, CPU, ROWS)
    after = student.state_dict()
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)
