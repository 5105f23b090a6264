"""How networks compute: channels innermost, in bfloat16, compiled; on a CPU in place of a GPU, and
on a GPU where there is one.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch.utils.data import TensorDataset

from l2l import acceleration
from l2l.acceleration import Inference, for_training, to_channels_last
from l2l.config import NOT_ACCELERATED, AccelerationConfig, TrainingConfig, read_config
from l2l.errors import BadInput
from l2l.student.inference import StudentInference
from l2l.student.network import Student
from l2l.teacher.inference import for_inference, gpu_teacher
from l2l.teacher.network import build_teacher
from l2l.training import train

HERE = Path(__file__).parent
CPU = torch.device("cpu")
COMPILED = AccelerationConfig(compile="default")
HALF = AccelerationConfig(bfloat16=True)


class Pictures(nn.Module):
    """A convolution with batch norm, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        feature = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return feature, self.fc(feature)


@pytest.fixture
def drawn():
    """A network in evaluation mode."""
    torch.manual_seed(0)
    return Pictures().eval()


@pytest.fixture
def like_a_gpu(monkeypatch):
    """A CPU compiles what a GPU would: the graph is traced, and computed by PyTorch's own
    operators.
    """
    monkeypatch.setattr(acceleration, "COMPILED_ON", ("cpu",))
    monkeypatch.setattr(acceleration, "BACKEND", "aot_eager")
    torch._dynamo.reset()
    counters.clear()
    yield monkeypatch
    torch._dynamo.reset()


def graphs() -> int:
    """How many graphs were compiled so far."""
    return counters["stats"]["unique_graphs"]


def test_a_cpu_computes_the_same_bytes_with_any_section(drawn):
    x = torch.randn(5, 8, 6, 6)
    asked = AccelerationConfig(bfloat16=True, compile="reduce-overhead")
    counters.clear()
    plain = drawn(x)
    for each in (NOT_ACCELERATED, asked):
        computed = Inference(copy.deepcopy(drawn), CPU, each, 5)(x)
        assert all(torch.equal(a, b) for a, b in zip(plain, computed, strict=True))
        trained = for_training(copy.deepcopy(drawn), CPU, each)
        assert torch.allclose(trained(x)[1], plain[1], atol=1e-6)
    assert graphs() == 0


def test_compiled_and_eager_answers_agree_and_a_batch_of_any_size_compiles_nothing_more(
    drawn, like_a_gpu
):
    compiled = Inference(drawn, CPU, COMPILED, 6)
    x = torch.randn(6, 8, 5, 5).contiguous(memory_format=torch.channels_last)
    whole = compiled(x)
    for computed, plain in zip(whole, drawn(x), strict=True):
        torch.testing.assert_close(computed, plain, rtol=1e-5, atol=1e-6)
    for size in (1, 2, 3, 4, 5, 6, 2):
        ours = compiled(x[:size])
        assert [len(each) for each in ours] == [size, size]
        assert all(torch.equal(a, b[:size]) for a, b in zip(ours, whole, strict=True))
    assert graphs() == 1


def test_results_of_a_batch_stay_when_the_next_is_computed(drawn, like_a_gpu):
    """A CUDA graph writes them to the same place in memory: here a function that does so."""
    place = torch.zeros(4, 2)
    like_a_gpu.setattr(torch, "compile", lambda function, **_: function)
    compiled = Inference(lambda x: (place.copy_(x),), CPU, COMPILED, 4)
    (first,) = compiled(torch.ones(4, 2))
    compiled(torch.zeros(4, 2))
    assert (first == 1).all()


def a_student() -> Student:
    torch.manual_seed(0)
    widths = (8, 8, 16, 16)
    student = Student(("image", "audio"), 3, 8, widths, widths, (1, 1, 1, 1)).eval()
    student.settings = {"mels": {"floor": 1e-6}}
    return student


def moments(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return (
        rng.integers(0, 256, (count, 32, 32, 3), np.uint8),
        rng.normal(size=(count, 101, 40)).astype(np.float32),
        np.arange(count) % 3 > 0,
    )


def test_channels_innermost_are_the_same_numbers():
    student, (frames, mels, has_sound) = a_student(), moments(4)
    plain = copy.deepcopy(student)
    moved = to_channels_last(student, CPU)
    assert moved.image.trunk.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    x = torch.from_numpy(frames).float().permute(0, 3, 1, 2)
    inputs = torch.from_numpy(mels), torch.from_numpy(has_sound)
    with torch.inference_mode():
        for ours, theirs in zip(moved(x, *inputs), plain(x.contiguous(), *inputs), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    teacher = build_teacher("r2plus1d_18", 3, (8, 8, 8, 8), (1, 1, 1, 1))
    weight = to_channels_last(teacher, CPU).stem[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last_3d)


def test_a_teacher_as_a_gpu_has_it_says_what_the_plain_one_says():
    torch.manual_seed(0)
    teacher = build_teacher("r2plus1d_18", 7, (8, 8, 16, 16), (1, 1, 1, 1)).eval()
    clips = torch.randn(3, 3, 4, 24, 24)
    with torch.inference_mode():
        plain = teacher(clips)
    for ours, theirs in zip(
        gpu_teacher(teacher, CPU, NOT_ACCELERATED, 4)(clips), plain, strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))
    assert not any(p.is_inference() for p in teacher.parameters())


def test_bfloat16_stays_within_its_precision_and_results_are_float32(monkeypatch):
    """By the CPU's autocast in the place of CUDA's."""
    autocast = torch.autocast
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch, "autocast", lambda _, dtype, enabled: autocast("cpu", dtype, enabled=enabled)
    )
    student, inputs = a_student(), moments(4)
    whole, half = (
        StudentInference(copy.deepcopy(student), CPU, 4, each)(*inputs)
        for each in (NOT_ACCELERATED, HALF)
    )
    for ours, theirs in zip(half, whole, strict=True):
        assert ours.dtype == torch.float32
        assert 0 < float((ours - theirs).abs().max()) <= 0.03 * float(theirs.abs().max())


def line(config: AccelerationConfig, epochs: int = 3) -> tuple[Pictures, list[int]]:
    """A network trained on 18 pictures in batches of 8, the last of two; and how many graphs were
    compiled by the end of each epoch.
    """
    torch.manual_seed(0)
    network = for_training(Pictures(), CPU, config)
    x = torch.randn(18, 8, 5, 5)
    compiled = []

    def validate():
        with torch.inference_mode():
            network(x[:8])
        compiled.append(graphs())
        return {}

    train(
        network,
        [{"params": network.parameters()}],
        TensorDataset(x, x.mean((1, 2, 3))),
        lambda batch: (network(batch[0])[1].sum(1) - batch[1]).square().mean(),
        TrainingConfig(epochs=epochs, batch_size=8, learning_rate=0.1),
        validate,
    )
    return network, compiled


def test_a_compiled_training_is_the_eager_one_and_compiles_nothing_after_its_first_epoch(
    like_a_gpu,
):
    plain, _ = line(NOT_ACCELERATED)
    assert graphs() == 0
    compiled, counts = line(COMPILED)
    assert counts == [3, 3, 3]  # batches of eight and of two, and validation
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    for ours, theirs in zip(
        compiled.state_dict().values(), plain.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_graphs_are_refused_where_a_batch_is_computed_in_parts(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "acceleration: {compile: reduce-overhead}\nstudent: {distil: {gradient_accumulation: 2}}\n"
    )
    tiny = HERE.parent / "workflow/configs/tiny.yaml"
    with pytest.raises(BadInput, match=r"found with student\.distil\.gradient_accumulation 2, exp"):
        read_config(tiny, path)
    path.write_text(path.read_text().replace("reduce-overhead", "default"))
    assert read_config(tiny, path).acceleration.compile == "default"


# In a separate process: here the axes of the networks are checked on every call, which is not
# traced.
COMPARE = """
import copy, sys
import torch
sys.path.insert(0, sys.argv[1])
from test_acceleration import COMPILED, CPU, NOT_ACCELERATED, a_student, graphs, moments
from l2l import acceleration
from l2l.student.inference import StudentInference
from l2l.teacher.inference import gpu_teacher
from l2l.teacher.network import build_teacher

acceleration.COMPILED_ON, acceleration.BACKEND = ("cpu",), sys.argv[2]
torch.set_num_threads(1)
student = a_student()
plain = StudentInference(copy.deepcopy(student), CPU, 4)
compiled = StudentInference(student, CPU, 4, COMPILED)
for count in (4, 3, 1):
    for ours, theirs in zip(compiled(*moments(count)), plain(*moments(count)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
print(graphs())
teacher = build_teacher("r2plus1d_18", 7, (8, 8, 8, 8), (1, 1, 1, 1)).eval()
describe = gpu_teacher(teacher, CPU, COMPILED, 2)
clips = torch.randn(3, 3, 4, 24, 24)
with torch.inference_mode():
    expected = teacher(clips)
for at in (slice(0, 2), slice(2, 3)):
    for ours, theirs in zip(describe(clips[at]), expected, strict=True):
        torch.testing.assert_close(ours, theirs[at], rtol=1e-3, atol=1e-4)
print(graphs())
"""


def compiler() -> bool:
    """Whether there is a C++ compiler for PyTorch's own."""
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception:
        return False
    return True


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.long)])
def test_student_and_teacher_are_one_graph_each_and_say_what_they_say_uncompiled(backend):
    if backend == "inductor" and not compiler():
        pytest.skip("needs a C++ compiler")
    program = [sys.executable, "-c", COMPARE, str(HERE), backend]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.split() == ["1", "2"]


# ---- on a GPU ------------------------------------------------------------------------------------


@pytest.fixture
def gpu():
    if not torch.cuda.is_available():
        assert not os.environ.get("FAIL_WITHOUT_GPU"), "FAIL_WITHOUT_GPU is set, and there is none"
        pytest.skip("needs a GPU")
    return torch.device("cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["none", "default", "reduce-overhead"])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_gpu_says_what_a_cpu_says(gpu, mode, bfloat16):
    config = AccelerationConfig(bfloat16=bfloat16, compile=mode)
    student = a_student()
    expected = StudentInference(copy.deepcopy(student), CPU, 5)
    describe = StudentInference(student, gpu, 5, config)
    bound = 0.03 if bfloat16 else 2e-3
    for count in (5, 2):
        for ours, theirs in zip(describe(*moments(count)), expected(*moments(count)), strict=True):
            assert float((ours.cpu() - theirs).abs().max()) <= bound * float(theirs.abs().max())
    teacher = build_teacher("r2plus1d_18", 7, (8, 8, 16, 16), (1, 1, 1, 1)).eval()
    clips = torch.randn(3, 3, 4, 24, 24)
    plain = for_inference(teacher, CPU)(clips)
    for ours, theirs in zip(for_inference(teacher, gpu, config)(clips.to(gpu)), plain, strict=True):
        assert float((ours.cpu() - theirs).abs().max()) <= bound * float(theirs.abs().max())
