"""Look into an artifact of any stage.

What it is, what made it, whether it is complete, and with `--check` whether every checksum agrees.
What reads an artifact is imported once the artifact is there: a missing one is answered at once.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from l2l.errors import BadInput
from l2l.jobs.leftovers import RECORD
from l2l.terminal import escape

_ALL_AGREE = "every checksum agrees"
_MOST_VIDEOS = 20
ZARR = "zarr.json"  # the marker of a folder in Zarr
ROWS = {"descriptors": "clips described"}  # what the rows of a video are, where not all moments


def inspect(store: Path, /, check: bool = False) -> int:
    """Print what a file of results holds and what made it.

    An HDF5 file, a folder of features in Zarr, a network, a table or a report; of
    the folder of a run, or a folder in it, one line per artifact.

    Args:
        store: the file or folder.
        check: also read every array and every cell, so that each checksum is compared.

    Returns:
        0 for a complete artifact, 1 for one that is not.

    Raises:
        BadInput: if it is not an artifact, or is damaged.

    Example:
        l2l inspect results/demo/skimmer/skimmer.pt --check
    """
    if not os.path.lexists(store):
        raise BadInput(f"{store}: no such file or folder")
    store = store.parent if store.name == ZARR else store
    if store.is_dir() and not (store / ZARR).exists() and (artifacts := list(_artifacts(store))):
        return _list_artifacts(store, artifacts, check)
    describe = _describer(store)
    if describe is None:
        raise BadInput(
            f"{store}: expected an artifact of l2l: a folder of features, or a file named "
            f"{', '.join(DESCRIBERS)}"
        )
    if not store.is_dir() and not store.is_file():
        raise BadInput(f"{store}: is no plain file")
    complete = True
    for line in describe(store, check):
        print(escape(line))
        complete = complete and "NOT complete" not in line
    return int(not complete)


def _describer(path: Path) -> Callable[[Path, bool], Iterator[str]] | None:
    """What describes an artifact; None: it is none."""
    if path.is_dir():
        return _features
    return _configuration if path.name == RECORD else DESCRIBERS.get(path.suffix)


def _artifacts(folder: Path) -> Iterator[Path]:
    """The artifacts of a folder, in order, and of those in it; a folder in Zarr is one."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue  # what a job writes, or had written when it was killed
        if path.is_dir() and not (path / ZARR).exists():
            yield from _artifacts(path)
        elif _describer(path):
            yield path


def _list_artifacts(folder: Path, artifacts: Sequence[Path], check: bool) -> int:
    """Print the first line on each artifact; one that is damaged does not hide the others."""
    broken = 0
    for path in artifacts:
        try:
            line = _first_line(path, check)
        except BadInput as error:
            line = str(error)
            broken += 1
        else:
            broken += "NOT complete" in line
        print(escape(line))
    print(escape(f"{folder}: {len(artifacts)} artifacts, {broken} not complete or damaged"))
    return int(broken > 0)


def _first_line(path: Path, check: bool) -> str:
    """What an artifact is, and its size; with `check`, after all of it was read."""
    describe = _describer(path)
    assert describe is not None  # or it were no artifact
    with closing(describe(path, check)) as lines:  # type: ignore[type-var]
        first = next(lines)
        if check:
            for _ in lines:
                pass
    size = "" if path.is_dir() else f", {path.stat().st_size:,} bytes"
    return first + size


def _configuration(path: Path, check: bool) -> Iterator[str]:
    from l2l.run_record import read_record

    checksum_lines = _checksum_lines(path, check)
    record = read_record(path.parent)
    yield f"{path}: the configuration of a run, complete, {len(record)} sections"
    yield f"  {', '.join(record)}"
    yield from checksum_lines


def _video_lines(lengths: Sequence[tuple[str, int]], rows: str = "moments") -> Iterator[str]:
    for video, count in lengths[:_MOST_VIDEOS]:
        yield f"  {video}  {count} {rows}"
    if len(lengths) > _MOST_VIDEOS:
        yield f"  ... and {len(lengths) - _MOST_VIDEOS} more"


def _setting_lines(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(settings.items()):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            text = json.dumps(text, default=str)
        yield f"  {name}: {text if len(text) <= 160 else text[:157] + '...'}"


def _features(store: Path, check: bool) -> Iterator[str]:
    from l2l.features.artifact import read_features

    features = read_features(store)  # refuses what is not complete
    if check:
        features.check()
    lengths = [(video, features.moments(video)) for video in features.videos]
    moments = sum(count for _, count in lengths)
    yield (
        f"{store}: features, complete, {len(lengths)} videos, {moments} moments, "
        f"{len(features.classes)} classes"
    )
    yield from _setting_lines(features.provenance)
    for shard, array in features.arrays():
        axes = ", ".join(
            name or "" for name in getattr(array.metadata, "dimension_names", ()) or ()
        )
        unit = array.attrs.get("unit", "")
        yield f"  {shard}/{array.basename}  {array.shape} {array.dtype}  ({axes})  {unit}"
    yield from _video_lines(lengths)
    if check:
        yield _ALL_AGREE


def _hdf5(path: Path, check: bool) -> Iterator[str]:
    from l2l.hdf5 import open_hdf5

    with open_hdf5(path) as store:
        kind, _, complete = store.header()
        yield f"{path}: {kind}, {'complete' if complete else 'NOT complete'}"
        yield from _setting_lines(store.attributes())
        for array in store.arrays():
            yield f"  {array}"
            if check:
                array[...]
    if complete and (read := _reader(kind)):
        with read(path) as reader:  # refuses content that it cannot make sense of
            lengths = [(video, reader.moments(video)) for video in reader.videos]
            yield from _video_lines(lengths, ROWS.get(kind, "moments"))
    if check:
        yield _ALL_AGREE


def _reader(kind: str) -> Callable[[Path], AbstractContextManager[Any]] | None:
    """What reads an HDF5 file of a kind."""
    from l2l.evaluation.videos.artifact import read_scores
    from l2l.media.artifact import read_media
    from l2l.mels.artifact import read_mels
    from l2l.motion.artifact import read_motion
    from l2l.sampler.artifact import read_saliency
    from l2l.teacher.artifact import read_descriptors

    readers: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {
        "media": read_media,
        "mels": read_mels,
        "motion": read_motion,
        "descriptors": read_descriptors,
        "saliency": read_saliency,
        "scores": read_scores,
    }
    return readers.get(kind)


def _network(path: Path, check: bool) -> Iterator[str]:
    from l2l.training import open_network

    saved = open_network(path)  # which compares every checksum
    state = saved["state"]
    numbers = sum(value.numel() for value in state.values())
    yield f"{path}: {saved['kind']}, complete, {numbers:,} numbers in {len(state)} tensors"
    yield from _setting_lines({"made_by": saved.get("made_by", "l2l"), **saved["settings"]})
    if check:
        yield _ALL_AGREE


def _exported(path: Path, check: bool) -> Iterator[str]:
    from l2l.apply.exported import read_exported, read_header

    header = read_header(path)
    networks = read_exported(path) if check else {}  # which compares the checksum
    yield (
        f"{path}: the run {header['run']}, exported, complete, with {', '.join(header['settings'])}"
    )
    yield from _setting_lines({"made_by": header["made_by"], **header["settings"]["student"]})
    yield from (f"  licence: {note}" for note in header["licences"])
    for row in header["scores"]:
        yield f"  {row.get('method')}: top-1 {row.get('top1')} %, mAP {row.get('map')} %"
    if networks:
        yield _ALL_AGREE


def _checksum_lines(path: Path, check: bool) -> Iterator[str]:
    """Whether a text or table has a checksum, which agrees; it is compared when this is called."""
    from l2l.stores import checksum_path, verify_checksum

    if not check:
        return iter(())
    name = checksum_path(path).name
    agrees = verify_checksum(path)
    return iter((_ALL_AGREE if agrees else f"no checksum: there is no {name} next to it",))


def _table(path: Path, check: bool) -> Iterator[str]:
    from l2l.apply.artifact import prediction_columns
    from l2l.evaluation.artifact import check_rows, table_of_columns
    from l2l.manifest.artifact import COLUMNS
    from l2l.stores import read_columns

    checksum_lines = _checksum_lines(path, check)
    columns, rows = read_columns(path)
    if not columns:
        raise BadInput(f"{path}: it is empty; expected a tab-separated table")
    if set(COLUMNS) <= set(columns):
        yield from _videos(path)
        yield f"  columns: {', '.join(columns)}"
        yield from checksum_lines
        return
    if columns[:3] == prediction_columns(0)[:3] and set(prediction_columns(0)) <= set(columns):
        yield f"{path}: answers of a finished run, by collect_predictions, {len(rows)} videos"
        counts = Counter(row["status"] for row in rows)
        yield f"  status: {_counted(counts)}"
        yield f"  columns: {', '.join(columns)}"
        yield from checksum_lines
        return
    table = table_of_columns(columns)
    title = f"a table with the columns {', '.join(columns)}"
    if table:
        title = f"{table.title}, by {table.written_by}"
    yield f"{path}: {title}, complete, {len(rows)} rows"
    if table:
        units = [f" ({column.unit})" if column.unit else "" for column in table.columns]
        names = [f"{name}{unit}" for name, unit in zip(columns, units, strict=True)]
        yield f"  columns: {', '.join(names)}"
    if check and table:
        check_rows(path, table, rows)
        yield "every number is finite"
    yield from checksum_lines


def _videos(path: Path) -> Iterator[str]:
    from l2l.manifest.artifact import read_videos

    videos = read_videos(path)  # refuses a row that is not one of a video
    yield (
        f"{path}: table of videos, by list_videos or collect_statuses, complete, {len(videos)} rows"
    )
    for column, counts in (
        ("split", Counter(video.split for video in videos)),
        ("status", Counter(video.status for video in videos)),
    ):
        yield f"  {column}: {_counted(counts)}"
    if duplicates := [i for i, count in Counter(v.video for v in videos).items() if count > 1]:
        raise BadInput(f"{path}: the id {duplicates[0]!r} is duplicated")


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _answers(path: Path, check: bool) -> Iterator[str]:
    """The predictions of a shard, or the selected moments of a data set: one object per video."""
    from l2l.apply.artifact import read_statuses

    checksum_lines = _checksum_lines(path, check)
    statuses, looks = read_statuses(path)
    yield f"{path}: answers of a finished run, {len(statuses)} videos, {looks} selected moments"
    yield f"  status: {_counted(Counter(statuses))}"
    yield from checksum_lines


def _plot(path: Path, check: bool) -> Iterator[str]:
    """A plot of the report."""
    checksum_lines = _checksum_lines(path, check)
    complete = path.read_text("utf-8", "replace").rstrip().endswith("</svg>")
    yield f"{path}: plot, {'complete' if complete else 'NOT complete'}"
    yield from checksum_lines


def _report(path: Path, check: bool) -> Iterator[str]:
    checksum_lines = _checksum_lines(path, check)
    text = path.read_text("utf-8", "replace")
    made_by = re.search(r'<meta name="generator" content="(l2l [^"]*)">', text)
    if made_by is None:
        raise BadInput(f"{path}: not a report that l2l wrote")
    yield f"{path}: report, {'complete' if text.rstrip().endswith('</html>') else 'NOT complete'}"
    yield (
        f"  made_by: {made_by[1]}; the page ends with the versions and the configuration it was "
        "made with"
    )
    yield from checksum_lines


DESCRIBERS: Mapping[str, Callable[[Path, bool], Iterator[str]]] = {
    ".h5": _hdf5,
    ".pt": _network,
    ".tsv": _table,
    ".html": _report,
    ".svg": _plot,
    ".jsonl": _answers,
    ".safetensors": _exported,
}
