"""What every method of Table 1 predicts for each test video, and where ours looked, in HDF5.

probability (videos, predictions, classes) float64
    the numbers that Table 1 is computed from
method, draw (predictions,)   class (classes,)
    a random method has one prediction per draw, the others draw 0
attention (moments, looks, modalities) float32   modality (modalities,)
    of ours (dense): the weight of each moment by the query of each modality after each step; all
    videos one after another
modality_weight (videos, looks, modalities) float32
    of each query among those of the step (eq. 8)
video, split (videos,)   offset (videos + 1,)   label, label_offset
video_index, moment, start_seconds (moments,)
    whose the rows of attention are, see `l2l.video_rows.add_video_rows`
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from l2l.arrays import Labelled, offsets_of, row_coordinates
from l2l.errors import BadInput
from l2l.hdf5 import (
    FLOATS,
    INTEGERS,
    Store,
    add_array,
    add_texts,
    read_store,
    write_hdf5,
)
from l2l.video_rows import (
    add_video_rows,
    read_video_rows,
)

KIND, LAYOUT = "scores", 1
Probabilities = Float64[np.ndarray, "draws classes"]


class Attention(NamedTuple):
    """Of one video: what each modality's query weighs after each step."""

    modalities: tuple[str, ...]
    weights: Float32[np.ndarray, "looks modalities moments"]
    modality_weights: Float32[np.ndarray, "looks modalities"]

    def __repr__(self) -> str:
        looks, _, moments = self.weights.shape
        return f"Attention({' and '.join(self.modalities)}, {looks} looks, {moments} moments)"


def write_scores(
    path: Path,
    videos: Sequence[Labelled],
    classes: Sequence[str],
    probabilities: Mapping[str, Sequence[Probabilities]],
    attentions: Sequence[Attention],
) -> None:
    """Write the scores of some test videos.

    Args:
        path: the file.
        videos: in order.
        classes: their names.
        probabilities: of each method for each video, one row per draw.
        attentions: of ours (dense), for each video.
    """
    draws = [(name, draw) for name, each in probabilities.items() for draw in range(len(each[0]))]
    offsets = offsets_of(each.weights.shape[2] for each in attentions)
    with write_hdf5(path, KIND, LAYOUT, {}) as file:
        of_videos = zip(*probabilities.values(), strict=True)
        array = np.stack([np.concatenate(of_video) for of_video in of_videos]).astype(np.float64)
        add_array(file, "probability", array, ("video", "prediction", "class"), "1")
        add_texts(file, "method", [name for name, _ in draws], ("prediction",))
        numbers = np.array([draw for _, draw in draws], np.int32)
        add_array(file, "draw", numbers, ("prediction",))
        add_texts(file, "class", classes, ("class",))
        add_texts(file, "modality", attentions[0].modalities, ("modality",))
        weights = np.concatenate([np.moveaxis(each.weights, 2, 0) for each in attentions])
        add_array(file, "attention", weights, ("moment", "look", "modality"), "1")
        of_modalities = np.stack([each.modality_weights for each in attentions])
        add_array(file, "modality_weight", of_modalities, ("video", "look", "modality"), "1")
        add_video_rows(file, "moment", videos, offsets, row_coordinates(offsets))


class Scores:
    """What was predicted for the test videos of a run; see `read_scores`."""

    def __init__(self, store: Store) -> None:
        self.path = store.path
        self.classes: tuple[str, ...] = tuple(store.texts("class"))
        self.modalities: tuple[str, ...] = tuple(store.texts("modality"))
        self._methods = store.texts("method")
        draws = store.array("draw", INTEGERS, ())
        self._probability = store.array(
            "probability", FLOATS, (len(self._methods), len(self.classes))
        )
        self._attention = store.array("attention", FLOATS, (None, len(self.modalities)))
        self._modality_weight = store.array("modality_weight", FLOATS, (None, len(self.modalities)))
        # What is known of each video: its id, split and labels.
        self._rows, self.listed = read_video_rows(store, attention=len(self._attention))
        self.videos: tuple[str, ...] = self._rows.videos
        self._number = {video: i for i, video in enumerate(self.videos)}
        if not all(each.labels and set(each.labels) <= set(self.classes) for each in self.listed):
            raise ValueError("a video has no label, or one that is no class")
        for name, rows, expected in (
            ("draw", len(draws), len(self._methods)),
            ("probability", len(self._probability), len(self.videos)),
            ("modality_weight", len(self._modality_weight), len(self.videos)),
        ):
            if rows != expected:
                raise ValueError(f"{name} has {rows} rows, expected {expected}")

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order of Table 1."""
        return tuple(dict.fromkeys(self._methods))

    @property
    def labels(self) -> Int64[np.ndarray, " videos"]:
        """The number of each video's class, the first of its labels."""
        number = {name: i for i, name in enumerate(self.classes)}
        return np.array([number[each.labels[0]] for each in self.listed], np.int64)

    @property
    def shown(self) -> Bool[np.ndarray, "videos classes"]:
        """Which classes each video shows, by all of its labels."""
        return np.array(
            [[name in each.labels for name in self.classes] for each in self.listed], bool
        )

    def probabilities(self, method: str) -> Float64[np.ndarray, "draws videos classes"]:
        """The class probabilities of a method; several draws of a random method, else one.

        Raises:
            BadInput: if the run has no such method.
        """
        rows = [i for i, name in enumerate(self._methods) if name == method]
        if not rows:
            methods = ", ".join(self.methods)
            raise BadInput(f"{self.path}: no method {method!r}; it has {methods}")
        return np.moveaxis(self._probability[:, rows], 1, 0)

    def moments(self, video: str) -> int:
        """Number of moments of a video."""
        return self._rows.count(video)

    def attention(self, video: str) -> Attention:
        """Where ours (dense) looked and listened in a video.

        Raises:
            BadInput: if there is no such video.
        """
        weights = np.moveaxis(self._attention[self._rows[video]], 0, 2)
        return Attention(self.modalities, weights, self._modality_weight[self._number[video]])

    def __repr__(self) -> str:
        return (
            f"Scores({str(self.path)!r}, {len(self.videos)} videos, {len(self.classes)} classes, "
            f"{len(self.methods)} methods)"
        )


@contextlib.contextmanager
def read_scores(path: Path) -> Iterator[Scores]:
    """Open the scores of a run, results/<run>/evaluation/scores.h5.

    Raises:
        BadInput: if the file is missing, incomplete, damaged or of another kind.
    """
    with read_store(path, KIND, LAYOUT, Scores) as reader:
        yield reader
