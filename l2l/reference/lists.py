"""The lists and features that the public code reads.

Pairs of paths and labels, and one `.npy` file per video.
"""

import io
import math
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from l2l.errors import BadInput
from l2l.torch_files import BoundedUnpickler, first_line

FUSED, IMAGE, AUDIO = "imageAudio_features", "image_features", "audio_features"
CHANNELS = 512

Label = int | str


class Listed(NamedTuple):
    """A line of a list."""

    path: str  # of the video's image-audio features
    label: Label  # a class's index or its name


def read_list(path: Path) -> list[Listed]:
    """Read a list: a pickle of (paths, labels), or text with `path label` in a line, parted at the
    last space.

    Raises:
        BadInput: if the file is missing, is neither, or pickles anything but lists, tuples, strings
            and numbers.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: not readable ({error.strerror}); expected a list of paths and labels"
        ) from None
    pickled = content[:1] == b"\x80" or path.suffix in (
        ".pkl",
        ".pickle",
    )  # \x80 begins every pickle since protocol 2
    lines = _unpickled(path, content) if pickled else _lines(path, content)
    if not lines:
        raise BadInput(f"{path}: lists nothing")
    return lines


def _unpickled(path: Path, content: bytes) -> list[Listed]:
    expected = (
        "expected a pickle of (paths, labels): lists, tuples, strings and numbers only; or a text "
        "of `path label` lines"
    )
    try:
        pair = BoundedUnpickler(io.BytesIO(content)).load()
    except Exception as error:  # a damaged pickle may raise anything
        raise BadInput(f"{path}: refused ({first_line(error)}); {expected}") from None
    if not (
        isinstance(pair, (list, tuple))
        and len(pair) == 2
        and all(isinstance(part, (list, tuple)) for part in pair)
    ):
        raise BadInput(f"{path}: found {type(pair).__name__}; {expected}")
    paths, labels = pair
    if len(paths) != len(labels):
        raise BadInput(f"{path}: {len(paths)} paths, but {len(labels)} labels")
    return [
        _listed(f"{path}: entry {i}", p, label)
        for i, (p, label) in enumerate(zip(paths, labels, strict=True), start=1)
    ]


def _lines(path: Path, content: bytes) -> list[Listed]:
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadInput(
            f"{path}: neither a pickle nor text; expected a list of paths and labels"
        ) from None
    listed = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            features, _, label = line.strip().rpartition(" ")
            listed.append(
                _listed(
                    f"{path}: line {number}",
                    features.strip(),
                    int(label) if label.isdecimal() and len(label) < 10 else label,
                )
            )
    return listed


def _listed(where: str, path: object, label: object) -> Listed:
    if not isinstance(path, str) or not path:
        raise BadInput(f"{where}: found {_shown(path)} for a path; expected `path label`")
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if (
        isinstance(label, bool)
        or not isinstance(label, (int, str))
        or label == ""
        or (isinstance(label, int) and not 0 <= label < 10**18)
    ):
        raise BadInput(
            f"{where}: found {_shown(label)} for a label; expected a class's index or name"
        )
    return Listed(path, label)


def _shown(value: object) -> str:
    """A value of a pickle in few words: one of some bytes may be endless when it is printed."""
    if (
        value is None
        or isinstance(value, (str, float, bool))
        or (isinstance(value, int) and abs(value) < 10**18)
    ):
        return reprlib.repr(value)
    return type(value).__name__ if not isinstance(value, int) else "a number of many digits"


def video_id(path: str) -> str:
    """A video's id: what is below the folder of image-audio features, without the ending.

    Else the file's bare name.

    Raises:
        BadInput: if the path names no file.
    """
    parts = Path(path.removesuffix(".npy")).parts
    if not parts:
        raise BadInput(f"{path!r}: expected the path of a video's features, such as v_abc.npy")
    return "/".join(parts[parts.index(FUSED) + 1 :]) if FUSED in parts[:-1] else parts[-1]


def feature_paths(listed: str, folder: Path | None, only: str | None) -> dict[str, Path]:
    """Where a video's features are, by `imageAudio_features`, `image_features`, `audio_features`;
    or `only` one folder.

    Args:
        listed: the path that the list has.
        folder: that holds the folders of features, in place of what the list says; None: as listed.
        only: a folder read in place of the three.

    Raises:
        BadInput: if the path leads through no folder `imageAudio_features` by which the others are
            found.
    """
    if FUSED not in Path(listed).parts[:-1]:
        raise BadInput(
            f"{listed}: not below a folder {FUSED}, next to which the other features are expected"
        )
    parts = Path(listed).parts
    at = parts.index(FUSED)
    above = folder if folder is not None else Path(*parts[:at])
    return {
        name: above.joinpath(name, *parts[at + 1 :])
        for name in ([only] if only else [FUSED, IMAGE, AUDIO])
    }


def check_features(paths: dict[str, Path], channels: int | None = CHANNELS) -> int:
    """Look at the headers of a video's feature files; the number of channels of the first.

    Raises:
        BadInput: naming the file that is missing, no array of numbers (moments, `channels`), or
            longer or shorter than the first.
    """
    shapes = {path: _opened(path).shape for path in paths.values()}
    (first, (moments, width)), *others = shapes.items()
    for path, shape in shapes.items():
        if channels is not None and shape[1] != channels:
            raise BadInput(f"{path}: found {shape}, expected (moments, {channels})")
    for path, shape in others:
        if shape[0] != moments:
            raise BadInput(f"{path}: {shape[0]} moments, but {first} has {moments}")
    return width


def load_features(path: Path) -> Float[np.ndarray, "moments channel"]:
    """A file's features, float32.

    Raises:
        BadInput: if it is no array of finite numbers with two axes.
    """
    features = np.array(_opened(path), dtype=np.float32)
    if not np.isfinite(features).all():
        raise BadInput(f"{path}: holds numbers that are not finite")
    return features


def _opened(path: Path) -> np.ndarray:
    """The array of a file, of which nothing but the header is read yet; nothing is unpickled."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise BadInput(
            f"{path}: no such file; expected features, (moments, channels), as .npy"
        ) from None
    except Exception as error:  # a damaged header may raise anything
        raise BadInput(
            f"{path}: not a readable .npy file ({' '.join(str(error).split())})"
        ) from None
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind != "f":
        raise BadInput(
            f"{path}: found {array.dtype} {array.shape}, expected floating-point numbers "
            "(moments, channels)"
        )
    return array


def class_indices(
    where: Path, listed: Sequence[Listed], classes: Sequence[str] | None
) -> tuple[tuple[str, ...], list[int]]:
    """The names of the classes, and the class of each line by index.

    Args:
        where: for errors.
        listed: lines whose labels are all indices or all names.
        classes: known names; None: the indices 0, 1, ... themselves, or every name of the list,
            sorted.

    Raises:
        BadInput: if a label is not of the classes, or indices and names are mixed.
    """
    labels = [line.label for line in listed]
    if len({type(label) for label in labels}) > 1:
        raise BadInput(
            f"{where}: some labels are numbers and some are names; expected one or the other"
        )
    if classes is None:
        numbers = [label for label in labels if isinstance(label, int)]
        if numbers and max(numbers) >= 1_000_000:
            raise BadInput(f"{where}: label {max(numbers)} is too large for a class's index")
        classes = (
            [str(i) for i in range(max(numbers) + 1)]
            if numbers
            else sorted({str(label) for label in labels})
        )
    places = {name: i for i, name in enumerate(classes)}
    indices = []
    for line in listed:
        index = line.label if isinstance(line.label, int) else places.get(line.label, math.inf)
        if index >= len(classes):
            raise BadInput(
                f"{where}: {line.path} has label {line.label!r}, not one of the {len(classes)} "
                "classes"
            )
        indices.append(int(index))
    return tuple(classes), indices
