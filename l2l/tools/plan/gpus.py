"""How fast named GPUs are taken to be: by their data sheets, since none has been measured."""

from typing import Literal

from l2l.tools.plan.rates import Rates

Gpu = Literal["t4", "v100", "a10", "l4", "rtx4090", "l40s", "a100", "h100", "h200"]

# 10^12 multiply-accumulates per second, half of the operations in NVIDIA's data sheets: dense TF32,
# in which torch computes convolutions by default; FP32 of the two cards that have no TF32.
PEAK: dict[Gpu, float] = {
    "t4": 4.05,
    "v100": 7.85,
    "a10": 31.25,
    "l4": 30,
    "rtx4090": 41.3,
    "l40s": 91.6,
    "a100": 78,
    "h100": 247,
    "h200": 247,
}
SHARE = 1 / 8  # of that, assumed: an A100 then does the 10^13 per second of docs/scale.md
STEP_SECONDS = 0.01  # of a training's step at least, assumed there too


def rates_of(gpu: Gpu) -> Rates:
    """The rates of a machine with such a GPU; those of its cores are the defaults."""
    forward = 1e9 / (SHARE * PEAK[gpu] * 1e12)
    train = 3 * forward  # a backward pass is two forward passes
    return Rates(
        gpu=True,
        teacher_forward=forward,
        teacher_train=train,
        student_forward=forward,
        student_train=train,
        skimmer_train=train,
        step=STEP_SECONDS,
    )
