"""From class scores of clips to rows of the clip-level table."""

import numpy as np
from jaxtyping import Float, Int

from l2l.evaluation.measures.intervals import interval, resampled_shares
from l2l.evaluation.measures.metrics import top1

# The teacher's rows: by its own classifier, where that knows the target's classes; by a linear one,
# fit on its descriptors; and of a copy that was fine-tuned as a whole.
TEACHER, LINEAR_HEAD, FINETUNED = "teacher", "teacher_linear_head", "teacher_finetuned"


def clip_row(
    model: str,
    modalities: str,
    distilled: str,
    scores: Float[np.ndarray, "clips classes"],
    labels: Int[np.ndarray, " clips"],
    macs: int,
    of_video: Int[np.ndarray, " clips"],
    counts: Int[np.ndarray, "resamples videos"],
) -> dict[str, str]:
    """A row of the clip-level table.

    Args:
        model: one of the teacher's rows, or `student`.
        modalities: of a student.
        distilled: `yes` or `no`, of a student.
        scores: class scores (logits) of each clip.
        labels: index of the class of each clip.
        macs: multiply-accumulates per clip.
        of_video: the number of each clip's video. The bootstrap resamples videos, since clips of
            one video are alike.
        counts: how many times each video is in each resample.
    """
    accuracy, right = top1(scores, labels), np.bincount(of_video, scores.argmax(1) == labels)
    low, high = interval(
        resampled_shares(counts, right, np.bincount(of_video).astype(float)), accuracy
    )
    return {
        "model": model,
        "modalities": modalities,
        "distilled": distilled,
        "top1": f"{100 * accuracy:.2f}",
        "gmacs_per_clip": f"{macs / 1e9:.6g}",
        "top1_low": f"{100 * low:.2f}",
        "top1_high": f"{100 * high:.2f}",
        "clips": str(len(labels)),
        "videos": str(counts.shape[1]),
    }
