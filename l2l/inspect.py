"""Look into a store: what it is, what is in it, whether it is complete, and with `--check` whether every number is sound."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import zarr

from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.fitting import load_network

_MOST_VIDEOS = 20


def inspect(store: Path, /, check: bool = False) -> int:
    """Print what a store holds: an HDF5 file, a folder of features in Zarr, or a network.

    Args:
        store: the file or folder.
        check: also read every array, so that each checksum is compared.

    Returns:
        0 for a complete store, 1 for one that is not.
    """
    if not store.exists():
        raise BadInput(f"{store}: no such file or folder")
    lines = _features(store, check) if store.is_dir() else _network(store) if store.suffix == ".pt" else _hdf5(store, check)
    for line in lines:
        print(line)
    return 0


def _shown(videos: list[tuple[str, int]], unit: str) -> Iterator[str]:
    for video, count in videos[:_MOST_VIDEOS]:
        yield f"  {video}  {count} {unit}"
    if len(videos) > _MOST_VIDEOS:
        yield f"  ... and {len(videos) - _MOST_VIDEOS} more"


def _features(store: Path, check: bool) -> Iterator[str]:
    features = read_features(store)  # refuses what is not complete
    lengths = [(video, features.moments(video)) for video in features.videos]
    moments = sum(count for _, count in lengths)
    yield f"{store}: features, complete, {len(lengths)} videos, {moments} moments, {len(features.classes)} classes"
    root = zarr.open_group(store, mode="r")
    groups = [group for _, group in sorted(root.groups())] or [root]
    for group in groups:
        for name, array in sorted(group.arrays()):
            axes = ", ".join(name or "" for name in getattr(array.metadata, "dimension_names", None) or ())
            yield f"  {group.name.strip('/') or '.'}/{name}  {array.shape} {array.dtype}  ({axes})  {array.attrs.get('unit', '')}"
    yield from _shown(lengths, "moments")
    if check:
        for video in features.videos:
            features.load(video)
        yield "every checksum agrees"


def _hdf5(store: Path, check: bool) -> Iterator[str]:
    try:
        with h5py.File(store, "r") as file:
            complete = bool(file.attrs.get("complete", False))
            yield f"{store}: {file.attrs.get('kind', 'unknown')}, {'complete' if complete else 'NOT complete'}"
            for name, value in sorted(file.attrs.items()):
                yield f"  {name}: {_short(value)}"
            arrays: list[h5py.Dataset] = []
            file.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
            for array in arrays:
                axes, unit = array.attrs.get("axes", ""), array.attrs.get("unit", "")
                yield f"  {array.name}  {array.shape} {array.dtype}  ({axes})  {unit}"
                if check:
                    array[...]
            if check:
                yield "every checksum agrees"
    except OSError as error:
        raise BadInput(f"{store}: not a sound HDF5 file ({error}); delete it and run snakemake again") from None


def _network(store: Path) -> Iterator[str]:
    for kind in ("teacher", "student", "student-head", "skimmer"):
        try:
            settings, state = load_network(store, kind)
        except BadInput:
            continue
        yield f"{store}: {kind}, {sum(value.numel() for value in state.values()):,} numbers in {len(state)} tensors"
        for name, value in settings.items():
            yield f"  {name}: {_short(value)}"
        return
    raise BadInput(f"{store}: not a network that l2l wrote")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=lambda number: number.item())
    return text if len(text) <= 160 else text[:157] + "..."
