"""The features of every moment of a data set, in Zarr:
``zarr.open("results/<run>/features/<dataset>")``.

One group per shard, written once by one job. Each of its arrays has the rows of all videos one
after another: video i has rows offset[i] to offset[i + 1]. video_index, moment and start_seconds
say of each row whose it is. Names of videos and classes, splits and labels are attributes of the
group. Chunks have a checksum. ``complete`` is written last.

What is read may come from anybody: only what l2l writes is opened (Zarr 3, little-endian numbers,
CRC-32C), since other codecs can run code or expand without bound, and no array is larger than the
files that hold its chunks.
"""

import asyncio
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
import zarr.codecs
import zarr.core.sync

from l2l.arrays import (
    ROW_UNITS,
    Labelled,
    NotFiniteError,
    VideoLabels,
    VideoRows,
    check_finite,
    labels_of,
    offsets_of,
    row_coordinates,
)
from l2l.errors import BadInput
from l2l.features.dataset import labelled_dataset
from l2l.stores import CURE, MADE_BY, MOVE_AWAY, atomic_path, check_header

if TYPE_CHECKING:
    import xarray

KIND, LAYOUT = "features", 3
_MARK = "zarr.json"
_SHARDS_KEPT = 2
_CHUNKS_KEPT = 8
_END_SECONDS = 5.0  # that reads which an error has overtaken may take to end
_ARRAYS_OPEN = 256
_CHECKSUM_BYTES = 4  # at the end of each chunk
_CODECS = ["bytes", "crc32c"]
_ITEM_BYTES = {"bool": 1, "float16": 2, "float32": 4, "float64": 8, "int32": 4, "int64": 8}
AXES = {
    "image_feature": ("moment", "image_channel"),
    "audio_feature": ("moment", "audio_channel"),
    "fused_feature": ("moment", "descriptor"),
    "score": ("moment", "class"),
    "has_sound": ("moment",),
    "offset": ("video_edge",),
    **dict.fromkeys(ROW_UNITS, ("moment",)),
}
UNITS = {"score": "logit", "offset": "moments since the start of the shard", **ROW_UNITS}
# How the rows are the videos': by the names of Awkward and of CF (indexed ragged array).
_RAGGED = {
    "offset": {"ragged": "ListOffsetArray: video i has [offset[i], offset[i + 1]) of moment"},
    "video_index": {"instance_dimension": "video"},
}


@dataclass(frozen=True)
class VideoFeatures:
    """The features of one video, which the skimmer reads."""

    features: Mapping[str, np.ndarray]  # "image", "audio": float32 (moments, channel)
    fused: np.ndarray  # float32 (moments, descriptor): Psi of the features
    scores: np.ndarray  # float32 (moments, classes): the student's logits; (moments, 0): unknown
    has_sound: np.ndarray  # bool (moments,)

    def __len__(self) -> int:
        return len(self.fused)

    def __repr__(self) -> str:
        names = " and ".join(self.features)
        return (
            f"VideoFeatures({len(self)} moments, {names} features, sound in {self.has_sound.sum()})"
        )


def write_features(
    path: Path,
    rows: Sequence[tuple[str, VideoFeatures]],
    classes: Sequence[str],
    dtype: str,
    chunk_moments: int,
    provenance: Mapping[str, Any],
    listed: Iterable[Labelled] = (),
) -> None:
    """Write one shard's group under a temporary name, then rename it.

    Args:
        path: the group, a folder.
        rows: each video's id and features.
        classes: their names.
        dtype: of features and scores: float16 or float32.
        chunk_moments: rows per chunk.
        provenance: what the features were made with.
        listed: splits and labels of the videos.

    Raises:
        BadInput: if a number is not finite, or too large for `dtype`.
    """
    with atomic_path(path, _MARK) as part, zarr.config.set({"array.write_empty_chunks": True}):
        group = zarr.create_group(part, zarr_format=3)
        videos = labels_of([video for video, _ in rows], listed)
        arrays = _flat_arrays(path, rows, dtype)
        for name, array in arrays.items():
            chunks = (chunk_moments if name != "offset" else len(array), *array.shape[1:])
            stored = group.create_array(
                name,
                shape=array.shape,
                dtype=array.dtype,
                chunks=tuple(max(1, c) for c in chunks),
                compressors=[zarr.codecs.Crc32cCodec()],
                dimension_names=AXES[name],
                attributes={"unit": UNITS.get(name, "1"), **_RAGGED.get(name, {})},
            )
            stored[...] = array
        attributes = {
            "kind": KIND,
            "layout": LAYOUT,
            "videos": [each.video for each in videos],
            "splits": [each.split for each in videos],
            "labels": [list(each.labels) for each in videos],
            "classes": list(classes),
            "provenance": dict(provenance),
            "made_by": MADE_BY,
            "arrays": {name: _metadata_checksum(part, name) for name in arrays},
        }
        group.attrs.update(_with_checksum(attributes))


def _flat_arrays(
    path: Path, rows: Sequence[tuple[str, VideoFeatures]], dtype: str
) -> dict[str, np.ndarray]:
    """The arrays of a shard by name, all videos one after another."""
    offsets = offsets_of(len(video) for _, video in rows)
    arrays: dict[str, np.ndarray] = {"offset": offsets, **row_coordinates(offsets)._asdict()}
    if not rows:
        return arrays
    columns = {
        **{f"{m}_feature": [f.features[m] for _, f in rows] for m in rows[0][1].features},
        "fused_feature": [f.fused for _, f in rows],
        "score": [f.scores for _, f in rows],
    }
    for name, parts in columns.items():
        with np.errstate(over="ignore"):  # what is too large for float16 is refused below
            arrays[name] = np.concatenate(parts).astype(dtype)
        for (video, _), part in zip(rows, parts, strict=True):
            with np.errstate(over="ignore"):
                if not np.isfinite(part.astype(dtype)).all():
                    raise BadInput(
                        f"{path}: not written: {name} of {video!r} holds numbers that are not "
                        f"finite as {dtype}"
                    )
    if not arrays["score"].shape[1]:
        del arrays["score"]
    return arrays | {"has_sound": np.concatenate([f.has_sound for _, f in rows])}


def complete_root(root: Path, shards: Sequence[Path]) -> None:
    """Mark a data set's features as complete once every shard's group is, so that the folder opens
    as one Zarr group.

    Raises:
        BadInput: if a shard is missing or damaged, or was made with another student.
    """
    videos, provenance = 0, dict[str, Any]()
    for shard in shards:
        attributes = _read_group(shard)
        videos += len(attributes["videos"])
        provenance = _same_student(provenance, attributes["provenance"], shard, shards[0])
    attributes = {
        "kind": KIND,
        "layout": LAYOUT,
        "shards": [shard.name for shard in shards],
        "videos": videos,
    }
    with atomic_path(root / _MARK) as part:
        metadata = {
            "attributes": _with_checksum(attributes),
            "zarr_format": 3,
            "node_type": "group",
        }
        part.write_text(json.dumps(metadata, indent=2), encoding="utf-8")


def _same_student(
    common: Mapping[str, Any], provenance: Mapping[str, Any], shard: Path, first: Path
) -> dict[str, Any]:
    """What shards were made with, if it was one student: that of the first, and what later ones
    add.
    """
    common = common or provenance
    for name in ("student", "student_digest"):
        if provenance.get(name) != common.get(name):
            raise BadInput(f"{shard}: made with another student than {first}; run snakemake again")
    return {**provenance, **common}


def _with_checksum(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with their checksum, which Zarr has not, and the mark that all is there."""
    return {**attributes, "checksum": _checksum(attributes), "complete": True}


def _checksum(attributes: Mapping[str, Any]) -> str:
    text = json.dumps(attributes, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _metadata_checksum(store: Path, name: str) -> str:
    """A checksum of what Zarr says of an array: its shape, type, axes and unit."""
    metadata = store / name / _MARK
    content = metadata.read_bytes() if metadata.is_file() else b""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _read_metadata(node: Path, node_type: str) -> dict[str, Any]:
    """The metadata of a group or an array of Zarr 3, as they are on disk.

    Raises:
        BadInput: if there are none, or they are of another version or kind.
    """
    try:
        metadata = json.loads((node / _MARK).read_bytes())
    except FileNotFoundError:
        missing = "a folder without zarr.json" if node.is_dir() else "no such folder"
        raise BadInput(f"{node}: {missing}; expected {KIND} that l2l wrote, in Zarr 3") from None
    except OSError as error:
        raise BadInput(f"{node / _MARK}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{node / _MARK}: damaged ({error}); {MOVE_AWAY}") from None
    if not isinstance(metadata, dict):
        raise BadInput(f"{node / _MARK}: damaged (no table of names); {MOVE_AWAY}")
    version = metadata.get("zarr_format"), metadata.get("node_type")
    if version != (3, node_type):
        raise BadInput(
            f"{node / _MARK}: found zarr_format, node_type = {version}, expected "
            f"{(3, node_type)}; {MOVE_AWAY}"
        )
    return metadata


def _read_group(path: Path) -> dict[str, Any]:
    """The attributes of a shard's group, or of the root, after their checksum was compared.

    Raises:
        BadInput: if it is missing, incomplete, damaged or of another kind or layout.
    """
    attributes = _read_metadata(path, "group").get("attributes", {})
    if not isinstance(attributes, dict):
        raise BadInput(f"{path}: damaged (attributes are no table of names); {MOVE_AWAY}")
    header = attributes.get("kind"), attributes.get("layout"), attributes.pop("complete", False)
    check_header(path, header, KIND, LAYOUT)
    if attributes.pop("checksum", None) != _checksum(attributes):
        raise BadInput(f"{path}: damaged (the checksum of its attributes does not agree); {CURE}")
    return attributes


def _open_array(store: Path, name: str) -> zarr.Array:
    """An array of a shard, if its metadata are as l2l writes them.

    Raises:
        BadInput: if it is missing or damaged, or is stored otherwise than l2l stores arrays.
    """
    digests = _read_group(store)["arrays"]
    if name not in digests or _metadata_checksum(store, name) != digests[name]:
        raise BadInput(
            f"{store / name}: damaged (the checksum of zarr.json does not agree); delete the store "
            f"{store} and run snakemake again"
        )
    metadata = _read_metadata(store / name, "array")
    try:
        codecs = [codec["name"] for codec in metadata["codecs"]]
        rows, *width = metadata["shape"]
        grid = metadata["chunk_grid"]
        chunk_rows, *chunk_width = grid["configuration"]["chunk_shape"]
        plain = (
            (codecs, grid["name"], metadata["data_type"] in _ITEM_BYTES)
            == (_CODECS, "regular", True)
            and metadata["chunk_key_encoding"]
            == {"name": "default", "configuration": {"separator": "/"}}
            and not metadata.get("storage_transformers")
            and all(type(n) is int and n >= 0 for n in (rows, *width))
            and all(type(n) is int and n >= 1 for n in (chunk_rows, *chunk_width))
            and chunk_width == [max(1, n) for n in width]
        )
        if not plain:
            raise ValueError("not stored as l2l stores arrays")
        # not by consolidated metadata, which nothing has checked
        array = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)[name]
        assert isinstance(array, zarr.Array)
        bytes_per_chunk = math.prod(array.chunks) * _ITEM_BYTES[metadata["data_type"]]
    except BadInput:
        raise
    except Exception as error:  # zarr raises many kinds of errors for damaged metadata
        reason = " ".join(str(error).split())
        raise BadInput(f"{store / name}: damaged ({reason}); {MOVE_AWAY}") from None
    _check_chunk_files(store, array, bytes_per_chunk + _CHECKSUM_BYTES)
    return array


def _check_chunk_files(store: Path, array: zarr.Array, file_bytes: int) -> None:
    """Refuse an array whose chunks are missing or of another size, before any memory is taken."""
    folder = store / array.basename / "c"
    for chunk in range(-(-array.shape[0] // array.chunks[0])):
        path = folder.joinpath(str(chunk), *["0"] * (array.ndim - 1))
        size = path.stat().st_size if path.is_file() else -1
        if size != file_bytes:
            defect = "is missing" if size < 0 else f"has {size} bytes, expected {file_bytes}"
            raise BadInput(
                f"{folder}: damaged: chunk {chunk} of {array.basename} {defect}; move the store "
                f"{store} away and run snakemake again"
            )


def _read_chunks(store: Path, array: zarr.Array, chunks: range) -> np.ndarray:
    """Neighbouring chunks of an array.

    Raises:
        BadInput: if one does not match its checksum, or holds numbers that are not finite.
    """
    rows = slice(chunks.start * array.chunks[0], chunks.stop * array.chunks[0])
    try:
        return check_finite(array.basename, np.asarray(array[rows]))
    except NotFiniteError as error:
        raise BadInput(f"{store}: {error}; {MOVE_AWAY}") from None
    except ValueError as error:
        zarr.core.sync.sync(_end_of_reads())
        raise BadInput(
            f"{store / array.basename / 'c'}: damaged: {_damaged_chunk(array, chunks)} is not as "
            f"l2l wrote it ({error}); delete the store {store} and run snakemake again"
        ) from None


async def _end_of_reads() -> None:
    """Wait for what zarr still reads after an error: Python complains of tasks that it ends."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_END_SECONDS)  # two that wait for each other go on


def _damaged_chunk(array: zarr.Array, chunks: range) -> str:
    """The first of some chunks that cannot be read."""
    for chunk in chunks:
        try:
            array[chunk * array.chunks[0] : (chunk + 1) * array.chunks[0]]
        except ValueError:
            return f"chunk {chunk} of {array.basename}"
    return f"{array.basename}"


def _read_whole(store: Path, name: str) -> np.ndarray:
    """All of an array."""
    array = _open_array(store, name)
    return _read_chunks(store, array, range(-(-array.shape[0] // array.chunks[0])))


class Features:
    """The features of a data set, video by video.

    `load` reads the whole shard of a video and keeps the last `_SHARDS_KEPT`: chunks hold many
    videos, so that videos in the order of `videos` cost no more than reading the files once, in
    bounded memory. For any other order `stored` reads only the chunks that hold a video's features,
    and keeps the last `_CHUNKS_KEPT`.
    """

    def __init__(self, root: Path, shards: Sequence[str]) -> None:
        self.root = root
        self.provenance: dict[str, Any] = {}  # what the first shard was made with
        self.classes: tuple[str, ...] = ()
        self.modalities: tuple[str, ...] = ()
        self.has_scores = False
        self.labels: dict[str, VideoLabels] = {}  # split and labels of each video
        self._rows: dict[str, VideoRows] = {}  # by shard
        self._shard_of: dict[str, str] = {}
        self._arrays = functools.lru_cache(maxsize=_SHARDS_KEPT)(self._read_shard)
        self._array = functools.lru_cache(maxsize=_ARRAYS_OPEN)(self._open_array)
        self._chunk = functools.lru_cache(maxsize=_CHUNKS_KEPT)(self._read_chunk)
        for shard in shards:
            self._add_shard(shard, root / shards[0])

    def _add_shard(self, shard: str, first: Path) -> None:
        path = self.root / shard
        attributes = _read_group(path)
        self.provenance = _same_student(self.provenance, attributes["provenance"], path, first)
        classes, videos = tuple(attributes["classes"]), tuple(attributes["videos"])
        splits, labels = attributes["splits"], attributes["labels"]
        named = (*classes, *videos, *splits, *(name for each in labels for name in each))
        if not all(isinstance(name, str) for name in named):
            raise ValueError("a class, a video, a split or a label is no text")
        if (self.classes or classes) != classes:
            raise BadInput(f"{path}: of other classes than {first}; run snakemake again")
        self.classes = classes
        if not self.modalities:
            names = attributes["arrays"]
            self.modalities = tuple(m for m in ("image", "audio") if f"{m}_feature" in names)
            self.has_scores = "score" in names
        self._rows[shard] = VideoRows(videos, _read_whole(path, "offset"), path)
        for video, split, of_video in zip(videos, splits, labels, strict=True):
            self.labels[video] = VideoLabels(video, split, tuple(of_video))
        if duplicates := self._shard_of.keys() & set(videos):
            raise BadInput(f"{path}: {min(duplicates)!r} is in another shard too; {MOVE_AWAY}")
        self._shard_of |= dict.fromkeys(videos, shard)

    def _read_shard(self, shard: str) -> dict[str, np.ndarray]:
        names = (*(f"{m}_feature" for m in self.modalities), "fused_feature", "has_sound")
        names += ("score",) * self.has_scores
        arrays = {name: _read_whole(self.root / shard, name) for name in names}
        try:
            self._rows[shard].check_arrays(**{name: len(array) for name, array in arrays.items()})
        except ValueError as error:
            raise BadInput(f"{self.root / shard}: damaged ({error}); {MOVE_AWAY}") from None
        return arrays

    def _open_array(self, shard: str, name: str) -> zarr.Array:
        return _open_array(self.root / shard, name)

    def _read_chunk(self, shard: str, name: str, chunk: int) -> np.ndarray:
        return _read_chunks(self.root / shard, self._array(shard, name), range(chunk, chunk + 1))

    def _read_rows(self, shard: str, name: str, rows: slice) -> np.ndarray:
        size = self._array(shard, name).chunks[0]
        chunks = range(rows.start // size, -(-rows.stop // size))
        parts = [
            self._chunk(shard, name, chunk)[max(0, rows.start - chunk * size) :][
                : rows.stop - max(rows.start, chunk * size)
            ]
            for chunk in chunks
        ]
        return np.concatenate(parts)

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of the videos, in the order they are stored."""
        return tuple(self._shard_of)

    @property
    def student_digest(self) -> str:
        """Of the student that made the features.

        Empty for imported ones, of which it is not known.
        """
        return str(self.provenance.get("student_digest", ""))

    def check_student(self, student: Path, digest: str) -> None:
        """Refuse a student that is not the one that made the features.

        Raises:
            BadInput: naming both.
        """
        if self.student_digest not in ("", digest):
            raise BadInput(
                f"{self.root}: made with another student than {student}; name that one, or run "
                "snakemake again"
            )

    def moments(self, video: str) -> int:
        """Number of moments of a video.

        Raises:
            BadInput: for a video that is not in the store.
        """
        shard, _ = self._find(video)
        return self._rows[shard].count(video)

    def load(self, video: str) -> VideoFeatures:
        """Everything stored of one video, as float32.

        Raises:
            BadInput: for a video that is not in the store, or a missing or damaged chunk.
        """
        shard, rows = self._find(video)
        arrays = self._arrays(shard)
        fused = arrays["fused_feature"][rows].astype(np.float32)
        unknown = np.zeros((len(fused), 0), np.float32)
        return VideoFeatures(
            features={m: arrays[f"{m}_feature"][rows].astype(np.float32) for m in self.modalities},
            fused=fused,
            scores=arrays["score"][rows].astype(np.float32) if self.has_scores else unknown,
            has_sound=arrays["has_sound"][rows],
        )

    def stored(self, video: str, modalities: Sequence[str]) -> dict[str, np.ndarray]:
        """A video's features of some modalities, (moments, channel) each, as they are stored.

        Raises:
            BadInput: for a video that is not in the store, or a missing or damaged chunk.
        """
        shard, rows = self._find(video)
        return {m: self._read_rows(shard, f"{m}_feature", rows) for m in modalities}

    def arrays(self) -> Iterator[tuple[str, zarr.Array]]:
        """Every array of every shard, with the name of its shard.

        Raises:
            BadInput: naming the first that is missing or damaged.
        """
        for shard in self._rows:
            for name in sorted(_read_group(self.root / shard)["arrays"]):
                yield shard, self._array(shard, name)

    def check(self) -> None:
        """Compare every checksum.

        Raises:
            BadInput: naming the first shard or chunk that is damaged.
        """
        for shard, array in self.arrays():
            if array.basename in ROW_UNITS:
                self._check_coordinate(shard, array.basename)
        for video in self.videos:
            self.load(video)

    def _check_coordinate(self, shard: str, name: str) -> None:
        """Refuse coordinates of rows that are not those of the videos."""
        store, rows = self.root / shard, self._rows[shard]
        expected = row_coordinates(offsets_of(map(rows.count, rows.videos)))._asdict()[name]
        if not np.array_equal(_read_whole(store, name), expected):
            raise BadInput(f"{store}: damaged ({name} is not that of its videos); {MOVE_AWAY}")

    def to_xarray(
        self, videos: Iterable[str] | None = None, dtype: str | None = None
    ) -> "xarray.Dataset":
        """Some videos as one labelled xarray Dataset, in memory.

        Its rows, the dimension `moment`, are all moments of the first video, then of the next.
        Coordinates of rows: `video_index`, `moment`, `start_seconds`. Of videos: `video`, `split`,
        `label` (the first), `labelled` (by class), and `row_size`, as CF's contiguous ragged array
        has it. Of scores: `class`.

        Args:
            videos: their ids; default: all.
            dtype: of features and scores, such as float32, which netCDF needs (it has no float16);
                default: as on disk.

        Raises:
            BadInput: if xarray is not installed, a video is not in the store, or is damaged.
        """
        chosen = list(self.videos if videos is None else videos)
        names = (*(f"{m}_feature" for m in self.modalities), "fused_feature", "has_sound")
        names += ("score",) * self.has_scores
        places = [self._find(video) for video in chosen]
        arrays = {
            name: np.concatenate([self._read_rows(shard, name, rows) for shard, rows in places])
            for name in names
            if places
        }
        if dtype:
            arrays |= {k: a.astype(dtype) for k, a in arrays.items() if a.dtype.kind == "f"}
        return labelled_dataset(
            {name: (AXES[name], array, UNITS.get(name, "1")) for name, array in arrays.items()},
            [self.labels[video] for video in chosen],
            offsets_of(map(self.moments, chosen)),
            self.classes,
            {"made_of": str(self.root), "provenance": json.dumps(self.provenance, sort_keys=True)},
        )

    def _find(self, video: str) -> tuple[str, slice]:
        if video not in self._shard_of:
            raise BadInput(f"{self.root}: no features of video {video!r}")
        shard = self._shard_of[video]
        return shard, self._rows[shard][video]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shard_of)

    def __repr__(self) -> str:
        moments = sum(rows.total for rows in self._rows.values())
        return (
            f"Features({str(self.root)!r}, {len(self._shard_of)} videos, {moments} moments, "
            f"{' and '.join(self.modalities) or 'no'} features, {len(self.classes)} classes)"
        )


def read_features(root: Path) -> Features:
    """Open the features of a data set, or of one shard alone.

    Raises:
        BadInput: if the folder or one of its shards is missing, incomplete, damaged or of another
            kind.
    """
    attributes = _read_group(root)
    try:
        if "shards" not in attributes:
            return Features(root.parent, (root.name,))
        shards = list(attributes["shards"])
        if not all(isinstance(name, str) and Path(name).name == name for name in shards):
            raise ValueError(f"shards are {shards}, expected names of folders")
        features = Features(root, shards)
    except BadInput:
        raise
    except Exception as error:  # a damaged value may lead to any
        reason = " ".join(str(error).split())
        raise BadInput(f"{root}: damaged ({reason}); {MOVE_AWAY}") from None
    if len(features.videos) != attributes["videos"]:
        raise BadInput(
            f"{root}: {len(features.videos)} videos in its shards, {attributes['videos']} when it "
            "was completed; run snakemake again"
        )
    return features
