"""The features of every moment of a data set, in Zarr:
``zarr.open("results/<run>/features/<dataset>")``.

One group a shard, written once by one job; in it one ragged array for each thing, all videos one
after another, and ``offset`` to tell them apart: video i is rows offset[i] to offset[i + 1]. Chunks
carry a checksum. ``complete`` is written last.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.codecs
import zarr.errors

from l2l.errors import BadInput
from l2l.stores import CURE, MADE_BY, atomic_path

KIND, LAYOUT = "features", 1
_SHARDS_KEPT = 2
_CHUNKS_KEPT = 8
_ARRAYS_OPEN = 256
AXES = {
    "image_feature": ("moment", "image_channel"),
    "audio_feature": ("moment", "audio_channel"),
    "fused_feature": ("moment", "descriptor"),
    "score": ("moment", "class"),
    "has_sound": ("moment",),
    "offset": ("video_edge",),
}
UNITS = {"score": "logit", "offset": "moments since the start of the shard"}


@dataclass(frozen=True)
class VideoFeatures:
    """What the skimmer may read of one video.

    `features` holds one array (moments, channel) for each modality.
    """

    features: Mapping[str, np.ndarray]  # "image", "audio": float32 (moments, channel)
    fused: np.ndarray  # float32 (moments, descriptor): Psi of the features
    scores: np.ndarray  # float32 (moments, classes): the student's logits
    has_sound: np.ndarray  # bool (moments,)

    def __len__(self) -> int:
        return len(self.fused)


def write_features(
    path: Path,
    rows: Sequence[tuple[str, VideoFeatures]],
    classes: Sequence[str],
    dtype: str,
    chunk_moments: int,
    provenance: Mapping[str, Any],
) -> None:
    """Write one shard's store, whole, aside, then rename it."""
    arrays: dict[str, np.ndarray] = {
        "offset": np.cumsum([0, *(len(features) for _, features in rows)], dtype=np.int64)
    }
    if rows:
        for modality in rows[0][1].features:
            arrays[f"{modality}_feature"] = np.concatenate(
                [f.features[modality] for _, f in rows]
            ).astype(dtype)
        arrays["fused_feature"] = np.concatenate([f.fused for _, f in rows]).astype(dtype)
        arrays["score"] = np.concatenate([f.scores for _, f in rows]).astype(dtype)
        arrays["has_sound"] = np.concatenate([f.has_sound for _, f in rows])
    with (
        atomic_path(path, "zarr.json") as part,
        zarr.config.set({"array.write_empty_chunks": True}),
    ):
        group = zarr.create_group(part, zarr_format=3)
        for name, array in arrays.items():
            chunks = (chunk_moments if name != "offset" else len(array), *array.shape[1:])
            stored = group.create_array(
                name,
                shape=array.shape,
                dtype=array.dtype,
                chunks=tuple(max(1, c) for c in chunks),
                compressors=[zarr.codecs.Crc32cCodec()],
                dimension_names=AXES[name],
                attributes={"unit": UNITS.get(name, "1")},
            )
            stored[...] = array
        what = {
            "kind": KIND,
            "layout": LAYOUT,
            "videos": [video for video, _ in rows],
            "classes": list(classes),
        }
        told = {
            "provenance": dict(provenance),
            "made_by": MADE_BY,
            "arrays": {name: _described(part, name) for name in arrays},
        }
        group.attrs.update(_sealed({**what, **told}))


def complete_root(root: Path, shards: Sequence[Path]) -> None:
    """Mark a data set's features as complete once every shard's store is, so that the folder opens
    as one Zarr group.
    """
    videos, provenance = 0, dict[str, Any]()
    for shard in shards:
        marks = _open_group(shard).attrs
        videos += len(marks["videos"])  # type: ignore[arg-type]
        provenance = _agreed(provenance, dict(marks["provenance"]), shard, shards[0])  # type: ignore[arg-type]
    attributes = {
        "kind": KIND,
        "layout": LAYOUT,
        "shards": [shard.name for shard in shards],
        "videos": videos,
    }
    with atomic_path(root / "zarr.json") as part:
        text = json.dumps(
            {"attributes": _sealed(attributes), "zarr_format": 3, "node_type": "group"}, indent=2
        )
        part.write_text(text, encoding="utf-8")


def _agreed(
    known: Mapping[str, Any], made_with: dict[str, Any], shard: Path, first: Path
) -> dict[str, Any]:
    """What shards were made with: the first one's word, and what later ones add to it; all have to
    tell of one student.

    A shard of before there were digests tells of none.
    """
    known = known or made_with
    digests = {told["student_digest"] for told in (known, made_with) if "student_digest" in told}
    if made_with.get("student") != known.get("student") or len(digests) > 1:
        raise BadInput(f"{shard}: made with another student than {first}; {CURE}")
    return {**made_with, **known}


def _sealed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with their checksum and the mark that all is there.

    Zarr has no checksum of its own for them.
    """
    return {**attributes, "checksum": _checksum(attributes), "complete": True}


def _described(store: Path, name: str) -> str:
    """A checksum of what Zarr says of an array, its shape, type, axes and unit.

    It has none of its own for that.
    """
    said = store / name / "zarr.json"
    return hashlib.blake2b(said.read_bytes() if said.is_file() else b"", digest_size=8).hexdigest()


def _checksum(attributes: Mapping[str, Any]) -> str:
    return hashlib.blake2b(
        json.dumps(attributes, sort_keys=True).encode(), digest_size=8
    ).hexdigest()


def _open_group(path: Path) -> zarr.Group:
    try:
        group = zarr.open_group(path, mode="r")
        attributes = group.attrs.asdict()
    except (OSError, zarr.errors.GroupNotFoundError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            f"{path}: no Zarr group ({error}); expected {KIND} that l2l wrote; {CURE}"
        ) from None
    found = attributes.get("kind"), attributes.get("layout"), attributes.pop("complete", False)
    if found != (KIND, LAYOUT, True):
        raise BadInput(
            f"{path}: found kind, layout, complete = {found}, expected {(KIND, LAYOUT, True)}; "
            f"{CURE}"
        )
    if (told := attributes.pop("checksum", None)) and told != _checksum(attributes):
        raise BadInput(f"{path}: damaged (the checksum of its attributes does not agree); {CURE}")
    return group


def _read_chunks(store: Path, array: zarr.Array, chunks: range) -> np.ndarray:
    """Neighbouring chunks of an array, believed only if they are there and each matches its
    checksum.
    """
    folder = store / array.basename / "c"
    for chunk in chunks:
        if not folder.joinpath(str(chunk), *["0"] * (array.ndim - 1)).is_file():
            cure = f"delete the store {store} and run snakemake again"
            raise BadInput(f"{folder}: chunk {chunk} of {array.basename} is missing; {cure}")
    try:
        return np.asarray(array[chunks.start * array.chunks[0] : chunks.stop * array.chunks[0]])
    except ValueError as error:
        raise BadInput(
            f"{folder}: damaged ({error}); delete the store {store} and run snakemake again"
        ) from None


def _array_of(store: Path, group: zarr.Group, name: str) -> zarr.Array:
    try:
        array = group[name]
        assert isinstance(array, zarr.Array)
        return array
    except Exception as error:  # what is wrong with its metadata, Zarr says in many ways
        raise BadInput(
            f"{store / name}: damaged ({error}); delete the store {store} and run snakemake again"
        ) from None


def _read_whole(store: Path, group: zarr.Group, name: str) -> np.ndarray:
    """An array, believed only if all of its chunks are."""
    array = _array_of(store, group, name)
    return _read_chunks(store, array, range(-(-array.shape[0] // array.chunks[0])))


class Features:
    """The features of a data set, video by video.

    To `load` a video its shard is read whole, and the last `_SHARDS_KEPT` are kept: chunks hold
    many videos, so that reading videos in the order of `videos` costs no more than reading the
    files, in memory that stays flat. For any other order `stored` reads only the chunks that hold a
    video's features, and keeps the last `_CHUNKS_KEPT`.
    """

    def __init__(self, root: Path, shards: Sequence[str]) -> None:
        self.root, self._shards = root, tuple(shards)
        self.provenance: dict[str, Any] = {}  # what the first shard was made with
        self._place: dict[str, tuple[str, slice]] = {}
        self.classes: tuple[str, ...] = ()
        self.modalities: tuple[str, ...] = ()
        self._arrays = functools.lru_cache(maxsize=_SHARDS_KEPT)(self._read_shard)
        self._array = functools.lru_cache(maxsize=_ARRAYS_OPEN)(self._open_array)
        self._chunk = functools.lru_cache(maxsize=_CHUNKS_KEPT)(self._read_chunk)
        for name in shards:
            group = _open_group(root / name)
            made_with = dict(group.attrs["provenance"])  # type: ignore[arg-type]
            self.provenance = _agreed(self.provenance, made_with, root / name, root / shards[0])
            classes: tuple[str, ...] = tuple(group.attrs["classes"])  # type: ignore[arg-type]
            if (self.classes or classes) != classes:
                raise BadInput(f"{root / name}: of other classes than {root / shards[0]}; {CURE}")
            self.classes = classes
            self.modalities = self.modalities or tuple(
                m for m in ("image", "audio") if f"{m}_feature" in group
            )
            offset = _read_whole(root / name, group, "offset")
            for i, video in enumerate(group.attrs["videos"]):  # type: ignore[arg-type]
                self._place[str(video)] = (name, slice(int(offset[i]), int(offset[i + 1])))

    def _read_shard(self, name: str) -> dict[str, np.ndarray]:
        group = _open_group(self.root / name)
        wanted = (*(f"{m}_feature" for m in self.modalities), "fused_feature", "score", "has_sound")
        arrays = {each: _read_whole(self.root / name, group, each) for each in wanted}
        moments = sum(
            rows.stop - rows.start for shard, rows in self._place.values() if shard == name
        )
        if bad := [each for each, array in arrays.items() if len(array) != moments]:
            raise BadInput(
                f"{self.root / name}: damaged ({bad[0]} is not of {moments} moments); {CURE}"
            )
        return arrays

    def _open_array(self, shard: str, name: str) -> zarr.Array:
        return _array_of(self.root / shard, _open_group(self.root / shard), name)

    def _read_chunk(self, shard: str, name: str, chunk: int) -> np.ndarray:
        return _read_chunks(self.root / shard, self._array(shard, name), range(chunk, chunk + 1))

    def _read_rows(self, shard: str, name: str, rows: slice) -> np.ndarray:
        size = self._array(shard, name).chunks[0]
        chunks = range(rows.start // size, -(-rows.stop // size))
        read = np.concatenate([self._chunk(shard, name, chunk) for chunk in chunks])
        return read[rows.start - chunks.start * size : rows.stop - chunks.start * size].copy()

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of the videos, in the order they are stored."""
        return tuple(self._place)

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
        """Number of moments of a video."""
        _, rows = self._place[video]
        return rows.stop - rows.start

    def load(self, video: str) -> VideoFeatures:
        """Everything stored of one video, as float32.

        Raises:
            BadInput: for a video that is not in the store, or a missing or damaged chunk.
        """
        name, rows = self._where(video)
        arrays = self._arrays(name)
        return VideoFeatures(
            features={m: arrays[f"{m}_feature"][rows].astype(np.float32) for m in self.modalities},
            fused=arrays["fused_feature"][rows].astype(np.float32),
            scores=arrays["score"][rows].astype(np.float32),
            has_sound=arrays["has_sound"][rows],
        )

    def stored(self, video: str, modalities: Sequence[str]) -> dict[str, np.ndarray]:
        """A video's features of some modalities, (moments, channel) each, as they are stored.

        Raises:
            BadInput: for a video that is not in the store, or a missing or damaged chunk.
        """
        name, rows = self._where(video)
        return {m: self._read_rows(name, f"{m}_feature", rows) for m in modalities}

    def check(self) -> None:
        """Compare every checksum.

        Raises:
            BadInput: naming the first shard or chunk that is damaged.
        """
        for name in self._shards:
            known: Mapping[str, str] = _open_group(self.root / name).attrs.get("arrays", {})  # type: ignore[assignment]
            if bad := [
                array
                for array, digest in known.items()
                if _described(self.root / name, array) != digest
            ]:
                raise BadInput(
                    f"{self.root / name / bad[0]}: damaged (the checksum of zarr.json does not "
                    f"agree); {CURE}"
                )
        for video in self.videos:
            self.load(video)

    def _where(self, video: str) -> tuple[str, slice]:
        if video not in self._place:
            raise BadInput(f"{self.root}: no features of video {video!r}")
        return self._place[video]

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)


def read_features(root: Path) -> Features:
    """Open the features of a data set.

    Raises:
        BadInput: if the folder or one of its shards is missing, incomplete, damaged or of another
            kind.
    """
    marks = _open_group(root).attrs
    alone = "shards" not in marks  # one shard's store by itself
    try:
        features = (
            Features(root.parent, (root.name,))
            if alone
            else Features(root, tuple(map(str, marks["shards"])))  # type: ignore[arg-type]
        )
    except BadInput:
        raise
    except Exception as error:  # what is wrong with metadata, Zarr says in many ways
        raise BadInput(f"{root}: damaged ({' '.join(str(error).split())}); {CURE}") from None
    if alone:
        return features
    if len(features.videos) != marks["videos"]:
        raise BadInput(
            f"{root}: {len(features.videos)} videos in its shards, {marks['videos']} when it was "
            f"completed; {CURE}"
        )
    return features
