"""A teacher that only describes is faster and says the same."""

import pytest
import torch
from torch import nn

from l2l.evaluation.cost import count_macs
from l2l.teacher.inference import CpuTeacher, SpatialConv, TemporalConv, for_inference
from l2l.teacher.network import build_teacher

# how many convolutions are of time and space at once, and stay 3-D
CONVOLUTIONS = {"r2plus1d_18": 0, "mc3_18": 5, "r3d_18": 17, "s3d": 0}
CLIPS = {"s3d": (24, 209)}  # S3D pools windows of 2 x 7 x 7, of which these hold two


def trained(network, widths=(8, 8, 16, 16), blocks=(1, 2, 1, 1)):
    """A teacher whose batch norms have some history."""
    torch.manual_seed(0)
    teacher = build_teacher(network, 7, widths, blocks).eval()
    for module in teacher.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return teacher


def clips_for(network, count=1):
    time, side = CLIPS.get(network, (5, 30))
    return torch.randn(count, 3, time, side, side)


@pytest.mark.parametrize("network", CONVOLUTIONS)
def test_it_says_what_the_plain_teacher_says(network):
    teacher, clips = trained(network), clips_for(network, 2 if network == "r2plus1d_18" else 1)
    with torch.inference_mode():
        for ours, plain in zip(CpuTeacher(teacher)(clips), teacher(clips), strict=True):
            assert ours.shape == plain.shape
            assert float((ours - plain).abs().max()) <= 2e-6 * float(plain.abs().max())


@pytest.mark.parametrize("network", CONVOLUTIONS)
def test_no_convolution_stays_3d_that_is_2d_and_no_batch_norm_stays(network):
    with torch.device("meta"):
        teacher = build_teacher(network, 7, (8, 8, 16, 16), (1, 2, 1, 1)).eval()
        left = [type(module) for module in CpuTeacher(teacher).modules()]
    assert sum(issubclass(kind, nn.Conv3d) for kind in left) == CONVOLUTIONS[network]
    assert nn.BatchNorm3d not in left


@pytest.mark.parametrize("network", ["mvit_v2_s", "swin3d_t"])
def test_a_transformer_keeps_its_layers(network):
    with torch.device("meta"):
        teacher = build_teacher(network, 7, (), ()).eval()
        (fast,) = CpuTeacher(teacher).children()
    assert [type(m) for m in fast.modules()] == [type(m) for m in teacher.modules()]


def test_it_computes_what_the_plain_teacher_computes_and_no_more():
    teacher, clips = trained("r2plus1d_18"), clips_for("r2plus1d_18")
    assert count_macs(lambda: CpuTeacher(teacher)(clips)) == count_macs(lambda: teacher(clips))


def test_a_clip_has_the_same_numbers_in_any_batch():
    fast, clips = CpuTeacher(trained("r2plus1d_18")), clips_for("r2plus1d_18", 3)
    with torch.inference_mode():
        one_by_one = torch.cat([fast(clips[i : i + 1])[0] for i in range(3)])
        assert torch.equal(fast(clips)[0], one_by_one)


def test_the_teacher_itself_stays_as_it_was():
    teacher = trained("r2plus1d_18")
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    for_inference(teacher, torch.device("cpu"))
    after = teacher.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("planar", "kernel", "stride", "padding"),
    [
        (SpatialConv, (1, 3, 3), (1, 2, 2), (0, 1, 1)),
        (SpatialConv, (1, 1, 1), (2, 2, 2), (0, 0, 0)),
        (TemporalConv, (3, 1, 1), (2, 1, 1), (1, 0, 0)),
    ],
)
def test_a_planar_convolution_is_the_3d_one_and_keeps_channels_innermost(
    planar, kernel, stride, padding
):
    conv = nn.Conv3d(4, 6, kernel, stride, padding)
    x = torch.randn(2, 4, 5, 8, 8).contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        y = planar(conv)(x)
        torch.testing.assert_close(y, conv(x))
    assert y.is_contiguous(memory_format=torch.channels_last_3d)
