"""Look into an artifact of any stage.

What it is, what made it, whether it is whole, and with `--check` whether all is sound.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from l2l.errors import BadInput
from l2l.evaluation.artifact import check_rows, table_of_columns
from l2l.features.artifact import read_features
from l2l.hdf5 import open_hdf5
from l2l.manifest.artifact import COLUMNS, read_videos
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels
from l2l.stores import CURE, checksum_path, read_table, verify_checksum
from l2l.teacher.artifact import read_descriptors
from l2l.training import open_network

_MOST_VIDEOS = 20
_READERS: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {
    "media": read_media,
    "mels": read_mels,
    "descriptors": read_descriptors,
}


def inspect(store: Path, /, check: bool = False) -> int:
    """Print what an artifact holds: an HDF5 file, a folder of features in Zarr, a network, a table
    or a report.

    Args:
        store: the file or folder.
        check: also read every array and every cell, so that each checksum is compared.

    Returns:
        0 for a complete artifact, 1 for one that is not.

    Raises:
        BadInput: if it is none, or is damaged.
    """
    if not store.exists():
        raise BadInput(f"{store}: no such file or folder")
    store = store.parent if store.name == "zarr.json" else store
    looks = {".h5": _hdf5, ".pt": _network, ".tsv": _table, ".html": _report}
    if (
        store.is_dir() and not (store / "zarr.json").exists()
    ):  # it may be anything: nobody is told to delete it
        raise BadInput(
            f"{store}: no features that are complete: a folder without zarr.json, which is "
            "written last"
        )
    look = _features if store.is_dir() else looks.get(store.suffix)
    if look is None:
        raise BadInput(
            f"{store}: expected an artifact of l2l: a folder of features, or a file named "
            f"{', '.join(looks)}"
        )
    complete = True
    for line in look(store, check):
        print(line)
        complete = complete and "NOT complete" not in line
    return int(not complete)


def _shown(videos: Sequence[tuple[str, int]], unit: str) -> Iterator[str]:
    for video, count in videos[:_MOST_VIDEOS]:
        yield f"  {video}  {count} {unit}"
    if len(videos) > _MOST_VIDEOS:
        yield f"  ... and {len(videos) - _MOST_VIDEOS} more"


def _settings(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(values.items()):
        text = value.decode() if isinstance(value, bytes) else value
        text = (
            text
            if isinstance(text, str)
            else json.dumps(text, default=lambda number: number.item())
        )
        yield f"  {name}: {text if len(text) <= 160 else text[:157] + '...'}"


def _features(store: Path, check: bool) -> Iterator[str]:
    features = read_features(store)  # refuses what is not complete
    if check:
        features.check()
    lengths = [(video, features.moments(video)) for video in features.videos]
    moments = sum(count for _, count in lengths)
    yield (
        f"{store}: features, complete, {len(lengths)} videos, {moments} moments, "
        f"{len(features.classes)} classes"
    )
    yield from _settings(features.provenance)
    for shard, array in features.arrays():
        axes = ", ".join(getattr(array.metadata, "dimension_names", None) or ())
        unit = array.attrs.get("unit", "")
        yield f"  {shard}/{array.basename}  {array.shape} {array.dtype}  ({axes})  {unit}"
    yield from _shown(lengths, "moments")
    if check:
        yield "every checksum agrees"


def _hdf5(path: Path, check: bool) -> Iterator[str]:
    with open_hdf5(path) as store:
        kind, _, complete = store.header()
        yield f"{path}: {kind}, {'complete' if complete else 'NOT complete'}"
        yield from _settings(store.attributes())
        for array in store.arrays():
            yield f"  {array}"
            if check:
                array[...]
    if complete and kind in _READERS:
        with _READERS[kind](path) as reader:  # refuses content that it cannot make sense of
            yield from _shown(
                [(video, reader.moments(video)) for video in reader.videos], "moments"
            )
    if check:
        yield "every checksum agrees"


def _network(store: Path, check: bool) -> Iterator[str]:
    saved = open_network(store)  # which compares every checksum
    state = saved["state"]
    numbers = sum(value.numel() for value in state.values())
    yield f"{store}: {saved['kind']}, complete, {numbers:,} numbers in {len(state)} tensors"
    yield from _settings({"made_by": saved.get("made_by", "l2l"), **saved["settings"]})
    if check:
        yield "every checksum agrees"


def _compared(store: Path, check: bool) -> Iterator[str]:
    """What is to be said of the checksum beside a text or table, which is compared at once."""
    if not check:
        return iter(())
    told = (
        "every checksum agrees"
        if verify_checksum(store)
        else f"no {checksum_path(store).name} beside it: from other hands, or an older l2l"
    )
    return iter((told,))


def _table(store: Path, check: bool) -> Iterator[str]:
    compared = _compared(store, check)
    rows = read_table(store, ())
    with open(store, encoding="utf-8", errors="surrogateescape") as file:
        columns = tuple(file.readline().rstrip("\n").replace('"', "").split("\t"))
    if columns == ("",):
        raise BadInput(f"{store}: it is empty; {CURE}")
    if set(COLUMNS) <= set(columns):
        yield from _videos(store)
        yield from compared
        return
    table = table_of_columns(columns)
    title = f"a table with the columns {', '.join(columns)}"
    if table:
        title = f"{table.title}, by {table.written_by}"
    yield f"{store}: {title}, complete, {len(rows)} rows"
    if check and table:
        check_rows(store, table, rows)
        yield "every number is finite"
    yield from compared


def _videos(store: Path) -> Iterator[str]:
    videos = read_videos(store)  # which refuses a row that is not one of a video
    yield (
        f"{store}: table of videos, by list_videos or collect_statuses, complete, "
        f"{len(videos)} rows"
    )
    for what, counts in (
        ("split", Counter(v.split for v in videos)),
        ("status", Counter(v.status for v in videos)),
    ):
        yield f"  {what}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    if len({video.video for video in videos}) < len(videos):
        raise BadInput(f"{store}: an id stands there twice; {CURE}")


def _report(store: Path, check: bool) -> Iterator[str]:
    compared = _compared(store, check)
    text = store.read_text("utf-8", "replace")
    made_by = re.search(r'<meta name="generator" content="(l2l [^"]*)">', text)
    if made_by is None:
        raise BadInput(f"{store}: no report that l2l wrote")
    yield f"{store}: report, {'complete' if text.rstrip().endswith('</html>') else 'NOT complete'}"
    yield (
        f"  made_by: {made_by[1]}; the page ends with the versions and the configuration it was "
        "made with"
    )
    yield from compared
