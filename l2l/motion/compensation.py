"""Motion compensation as MPEG-4 does it, in plain numbers: what a picture is predicted to be from
the one before, and how far it is from that.

ISO/IEC 14496-2, 7.6: a macroblock of 16 x 16 luma and 8 x 8 chroma samples has one vector in half
pixels. Between samples the mean is taken, rounded up or, in every other picture of a group (GOP),
down. Outside of the picture its nearest sample is taken.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, Int8, UInt8

from l2l.config import CELL_PIXELS

# Red, green and blue of luma, blue and red difference, times 2 to the 16th: ITU-R BT.601, limited
# range. In whole numbers, so that every machine has the same bytes.
RGB_OF_YCBCR = np.array([[76309, 0, 104597], [76309, -25675, -53279], [76309, 132201, 0]], np.int64)
# Sums over a cell's 256 luma samples, in half levels.
RESIDUAL_SHIFT = 16 + 8 - 1


def predict_blocks(
    planes: UInt8[np.ndarray, "pictures side side"],
    picture: Int[np.ndarray, " blocks"],
    corner: Int[np.ndarray, "blocks 2"],
    between: Bool[np.ndarray, "blocks 2"],
    round_up: Bool[np.ndarray, " blocks"],
    block: int,
) -> UInt8[np.ndarray, "blocks block block"]:
    """Blocks of square planes at whole or half samples.

    Args:
        planes: what is read.
        picture: of each block, the plane that it is read from.
        corner: the sample at its top left, row and column; it may lie outside of the plane.
        between: whether it lies half a sample below, and to the right of that.
        round_up: whether halves are rounded up.
        block: side of a block.
    """
    side, margin = planes.shape[1], block + 1
    padded = np.pad(planes, ((0, 0), (margin, margin), (margin, margin)), "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (block + 1, block + 1), (1, 2))
    row, column = np.clip(corner, -margin, side).T + margin
    predicted = np.empty((len(picture), block, block), np.uint8)
    for below in (False, True):
        for right in (False, True):
            chosen = np.flatnonzero((between == (below, right)).all(1))
            read = windows[picture[chosen], row[chosen], column[chosen]]
            if not below and not right:
                predicted[chosen] = read[:, :-1, :-1]
                continue
            total = read[:, :-1, :-1].astype(np.uint16)
            if right:
                total += read[:, :-1, 1:]
            if below:
                total += read[:, 1:, :-1]
            if below and right:
                total += read[:, 1:, 1:]
                total += 1
            total += round_up[chosen, None, None]
            predicted[chosen] = total >> (2 if below and right else 1)
    return predicted


def cell_sums(
    planes: Sequence[UInt8[np.ndarray, "pictures side side"]],
) -> Int[np.ndarray, "pictures 3 rows columns"]:
    """The sum over each cell of luma, and of both differences at the size of luma."""
    cells = planes[0].shape[1] // CELL_PIXELS
    sums = []
    for plane in planes:
        count, side, block = len(plane), plane.shape[1], plane.shape[1] // cells
        rows = plane.reshape(count, cells, block, side).sum(2, dtype=np.int32)
        of_cells = rows.reshape(count, cells, cells, block).sum(3, dtype=np.int32)
        sums.append(of_cells * (CELL_PIXELS // block) ** 2)
    return np.stack(sums, 1)


def predicted_sums(
    before: Sequence[UInt8[np.ndarray, "pictures side side"]],
    vectors: Int[np.ndarray, "pictures rows columns 2"],
    round_up: Bool[np.ndarray, " pictures"],
) -> Int[np.ndarray, "pictures 3 rows columns"]:
    """`cell_sums` of what pictures are predicted to be; see `predict`."""
    count, rows, columns, _ = vectors.shape
    sums = [
        blocks.sum((1, 2), dtype=np.int32) * (CELL_PIXELS // blocks.shape[1]) ** 2
        for blocks in predict(before, vectors, round_up)
    ]
    return np.stack(sums).reshape(3, count, rows, columns).swapaxes(0, 1)


def predict(
    before: Sequence[UInt8[np.ndarray, "pictures side side"]],
    vectors: Int[np.ndarray, "pictures rows columns 2"],
    round_up: Bool[np.ndarray, " pictures"],
) -> list[UInt8[np.ndarray, "blocks block block"]]:
    """What the macroblocks of pictures are predicted to be, in luma, blue and red difference.

    The vector of chroma is half that of luma: quarters of a sample count as halves.

    Args:
        before: luma, blue and red difference of the picture before each.
        vectors: where each cell is read from, relative to its place: right, down, in half pixels.
        round_up: whether halves are rounded up.
    """
    count, rows, columns, _ = vectors.shape
    picture, *place = np.indices((count, rows, columns)).reshape(3, -1)
    vector = vectors.reshape(-1, 2)[:, ::-1]  # down, right
    corner = np.stack(place, 1) * CELL_PIXELS
    half = CELL_PIXELS // 2
    luma = (corner + (vector >> 1), (vector & 1) > 0, round_up[picture], CELL_PIXELS)
    chroma = (corner // 2 + (vector >> 2), (vector & 3) > 0, round_up[picture], half)
    return [
        predict_blocks(plane, picture, *where)
        for plane, where in zip(before, (luma, chroma, chroma), strict=True)
    ]


def residual(
    difference: Int[np.ndarray, "pictures 3 rows columns"],
) -> Int8[np.ndarray, "pictures 3 rows columns"]:
    """The mean of each cell in red, green and blue, in half levels, clipped to +-127.

    Args:
        difference: `cell_sums` of decoded pictures minus those predicted.
    """
    total = np.einsum("rc,pcyx->pryx", RGB_OF_YCBCR, difference.astype(np.int64))
    return clip(total + (1 << RESIDUAL_SHIFT - 1) >> RESIDUAL_SHIFT)


def clip(numbers: Int[np.ndarray, "*axes"]) -> Int8[np.ndarray, "*axes"]:
    """Whole numbers as int8; beyond +-127 the nearest."""
    return np.clip(numbers, -127, 127).astype(np.int8)
