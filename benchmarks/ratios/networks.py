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
    frames = torch.randn(MOMENTS, 3, 112, 112)
    mels = torch.randn(MOMENTS, 101, 40)
    sound = torch.ones(MOMENTS, dtype=torch.bool)
    student = Student(("image", "audio"), 200).eval()
    # of the plain network: the counter does not know oneDNN's own calls
    student_macs = count_macs(lambda: student(frames, mels, sound))
    faster = student_for_inference(student, where, MOMENTS)
    moments = [x.to(where) for x in (frames, mels, sound)]
    describe = for_inference(R2Plus1D(400).eval(), where)
    clips = torch.randn(CLIPS, 3, 16, 112, 112, device=where)

    @torch.inference_mode()
    def product() -> None:
        for _ in range(8):
            a @ a

    @torch.inference_mode()
    def look() -> None:
        faster(*moments)

    @torch.inference_mode()
    def watch() -> None:
        describe(clips)

    limit = f"rate of a {SIDE} x {SIDE} matrix product"
    per_product = 1 / count_macs(product)
    yield Row("student, forward", limit, look, product, 1.0, student_macs * per_product)
    yield Row("teacher, forward", limit, watch, product, 0.9, count_macs(watch) * per_product)
