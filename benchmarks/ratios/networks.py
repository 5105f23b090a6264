"""The full-size networks' forward passes against the rate of a large matrix product."""

from collections.abc import Iterator
from pathlib import Path

import torch
from bench import Row

from l2l.evaluation.cost import count_macs
from l2l.student.inference import for_inference as student_for_inference
from l2l.student.network import Student
from l2l.teacher.inference import for_inference
from l2l.teacher.network import R2Plus1D
from l2l.training import device

SIDE = 2048  # of the product's matrices
MOMENTS, CLIPS = 32, 4


def rows(_: Path) -> Iterator[Row]:
    """Student and teacher, in float32."""
    where = device()
    a = torch.randn(SIDE, SIDE, device=where)
    student = student_for_inference(Student(("image", "audio"), 200).eval(), where, MOMENTS)
    teacher = R2Plus1D(400).eval()
    describe = for_inference(teacher, where)
    frames = torch.randn(MOMENTS, 3, 112, 112, device=where)
    mels = torch.randn(MOMENTS, 101, 40, device=where)
    sound = torch.ones(MOMENTS, dtype=torch.bool, device=where)
    clips = torch.randn(CLIPS, 3, 16, 112, 112, device=where)

    @torch.inference_mode()
    def product() -> None:
        for _ in range(8):
            a @ a

    @torch.inference_mode()
    def look() -> None:
        student(frames, mels, sound)

    @torch.inference_mode()
    def watch() -> None:
        describe(clips)

    limit = f"rate of a {SIDE} x {SIDE} matrix product"
    for what, call, at_least in (("student, forward", look, 1.0), ("teacher, forward", watch, 0.9)):
        yield Row(what, limit, call, product, at_least, count_macs(call) / count_macs(product))
