"""A shard's media in one HDF5 file: pictures as JPEG bytes, sound as int16, flat with offsets.

videos/id, fingerprint, status, reason, grid_frames, moments   (videos,)
    all videos of the shard, in the manifest's order; fingerprint: of the file's content, as listed;
    grid_frames: length on the 30 fps grid
videos/frames_decoded, frames_total               (videos,)
    pictures that were decoded, and those of the file
frame_needs (moments, 3)
    of each moment of each video: what decoding its frame takes, see `pictures_needed`
videos/first_picture, first_sample, first_run (videos + 1,)
    where a video's part of the flat arrays starts
videos/split (videos,)   videos/label, label_offset
    as listed, see `l2l.video_rows.add_labels`
moments/video_index, moment, start_seconds (moments,)
    whose the rows of frame_needs are, see `l2l.video_rows.add_coordinates`
pictures/bytes (bytes,)  pictures/offsets (pictures + 1,)
    JPEG; raw rows for `lossless`
pictures/video_index, moment, start_seconds (pictures,)
    whose the pictures are
sound/samples (samples,) int16   sound/runs (runs, 2)
    mono 16 kHz; spans that were decoded, from the video's time zero
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from l2l.arrays import VideoLabels, VideoRows, offsets_of, row_coordinates
from l2l.config import MediaConfig, as_json
from l2l.errors import BadInput
from l2l.hdf5 import (
    INTEGERS,
    GrowingArray,
    Store,
    add_array,
    add_texts,
    read_store,
    write_hdf5,
)
from l2l.manifest.artifact import Video
from l2l.media.decoded import Decoded, clip_pictures, covered, cut_windows, pictures_needed
from l2l.media.pictures import EncodedPictures, encode
from l2l.moments import MOMENT_FRAMES, ClipGrid
from l2l.stores import MADE_BY, MOVE_AWAY
from l2l.video_rows import (
    add_coordinates,
    add_labels,
    add_offsets,
    check_coordinates,
    read_labels,
)

KIND, LAYOUT = "media", 6
NUMBERS = ("grid_frames", "moments", "frames_decoded", "frames_total")  # of each video
# Of the flat arrays: a few clips of JPEG. What is read and checked together.
CHUNK_BYTES = 1 << 18
BATCH_PICTURES = 1000  # joined at once


def _flat(
    group: h5py.Group, name: str, dtype: type, axis: str, unit: str = "", row: tuple[int, ...] = ()
) -> GrowingArray:
    return GrowingArray(group, name, dtype, row, axis, unit, CHUNK_BYTES)


class MediaWriter:
    """Adds the videos of a shard one by one; see `write_media`."""

    def __init__(self, file: h5py.File, media: MediaConfig, clips_stored: bool) -> None:
        self._file = file
        self._media = media
        self._clips_stored = clips_stored
        pictures, sound = file.create_group("pictures"), file.create_group("sound")
        self._bytes = _flat(pictures, "bytes", np.uint8, "byte")
        self._offsets = _flat(pictures, "offsets", np.int64, "picture_edge", unit="bytes")
        self._offsets.append(np.zeros(1, np.int64))
        self._samples = _flat(sound, "samples", np.int16, "sample", unit="full scale / 32768")
        self._runs = _flat(sound, "runs", np.int64, "run bound", unit="samples", row=(2,))
        self._needs = _flat(file, "frame_needs", np.int64, "moment need", unit="pictures", row=(3,))
        self._rows: list[tuple[str | int, ...]] = []  # id, fingerprint, status, reason, NUMBERS
        self._listed: list[VideoLabels] = []
        self._firsts = [(0, 0, 0)]

    def add(self, video: Video, decoded: Decoded) -> None:
        """Add a decoded video; of an unusable one only its status and reason.

        Raises:
            ValueError: if the pictures are not those that this file holds.
        """
        side = self._media.frame_pixels
        if decoded.grid_frames and decoded.pictures.side != side:
            raise ValueError(
                f"{video.video}: pictures with a side of {decoded.pictures.side} pixels, expected "
                f"a side of {side} pixels"
            )
        encoded = self._select(decoded) if decoded.grid_frames else []
        ends = self._bytes.count + np.cumsum([len(picture) for picture in encoded], dtype=np.int64)
        self._offsets.append(ends)
        for first in range(0, len(encoded), BATCH_PICTURES):
            batch = b"".join(encoded[first : first + BATCH_PICTURES])
            self._bytes.append(np.frombuffer(batch, np.uint8))
        self._samples.append(decoded.waveform)
        self._runs.append(decoded.sound_runs)
        self._needs.append(decoded.needs)
        frames = (decoded.frames_decoded, decoded.frames_total)
        self._end(
            video, decoded.status, decoded.reason, decoded.grid_frames, decoded.moments, *frames
        )

    def add_unusable(self, video: Video, status: str, reason: str) -> None:
        """Add a video that has no pictures, with its status and the reason."""
        self._end(video, status, reason, 0, 0, 0, 0)

    def _select(self, decoded: Decoded) -> list[bytes]:
        """The encoded pictures that this file keeps of a video."""
        pictures = decoded.pictures
        if self._clips_stored:
            if decoded.step != self._media.clip_stride:
                raise ValueError(f"pictures {decoded.step} frames apart cannot be stored as clips")
            last = clip_pictures(decoded.moments - 1, self._media.grid, len(pictures))[-1]
            kept = slice(0, last + 1)
        else:
            step = MOMENT_FRAMES // decoded.step
            kept = slice(0, decoded.moments * step, step)
        return _encoded_as(pictures, kept, self._media.jpeg_quality)

    def _end(self, video: Video, status: str, reason: str, *numbers: int) -> None:
        self._rows.append((video.video, video.fingerprint, status, reason, *numbers))
        self._listed.append(VideoLabels(video.video, video.split, video.labels))
        self._firsts.append((self._offsets.count - 1, self._samples.count, self._runs.count))

    def finish(self) -> None:
        """Write what is pending and the table of videos."""
        for flat in (self._bytes, self._offsets, self._samples, self._runs, self._needs):
            flat.flush()
        videos = self._file.create_group("videos")
        for column, name in enumerate(("id", "fingerprint", "status", "reason")):
            add_texts(videos, name, [str(row[column]) for row in self._rows], ["video"])
        for column, name in enumerate(NUMBERS, start=4):
            add_array(
                videos, name, np.array([row[column] for row in self._rows], np.int64), ["video"]
            )
        firsts = np.array(self._firsts, np.int64)
        for column, axis in enumerate(("picture", "sample", "run")):
            add_offsets(videos, f"first_{axis}", firsts[:, column].copy(), axis)
        add_labels(videos, self._listed)
        self._add_coordinates(firsts[:, 0])

    def _add_coordinates(self, first_picture: np.ndarray) -> None:
        """Of each moment and of each picture."""
        counts = [int(row[4 + NUMBERS.index("moments")]) for row in self._rows]
        moments = row_coordinates(offsets_of(counts))
        add_coordinates(self._file.create_group("moments"), "moment", moments)
        per_moment = self._media.grid.pictures_per_moment if self._clips_stored else 1
        pictures = row_coordinates(first_picture, per_moment)
        add_coordinates(self._file["pictures"], "picture", pictures)


@contextlib.contextmanager
def write_media(
    path: Path, media: MediaConfig, clips_stored: bool, made_by: str = MADE_BY
) -> Iterator[MediaWriter]:
    """Open a media file for writing; it appears, whole, when the block ends without an error.

    Memory does not grow with the number of videos: they are written to disk as they are added.
    """
    attributes = {"made_by": made_by, "config": as_json(media), "clips_stored": clips_stored}
    with write_hdf5(path, KIND, LAYOUT, attributes) as file:
        writer = MediaWriter(file, media, clips_stored)
        yield writer
        writer.finish()


class MediaReader:
    """A shard's media, read video by video and moment by moment; see `read_media`.

    All methods raise BadInput for a video that the shard does not have.
    """

    def __init__(self, store: Store) -> None:
        self.path = store.path
        self.config = MediaConfig.model_validate_json(store.attribute("config"))
        self.clips_stored = bool(store.attributes()["clips_stored"])
        videos = store.texts("videos/id")

        def by_video(values: list) -> dict:
            return dict(zip(videos, values, strict=True))

        def numbers(name: str) -> dict[str, int]:
            return by_video(store.array(f"videos/{name}", INTEGERS, ())[...].tolist())

        # Of the content of each video's file when it was listed; empty: it could not be read.
        self.fingerprints: dict[str, str] = by_video(store.texts("videos/fingerprint"))
        reasons = store.texts("videos/reason")
        # Status and reason of each video.
        self.statuses: dict[str, tuple[str, str]] = by_video(
            list(zip(store.texts("videos/status"), reasons, strict=True))
        )
        self.listed = read_labels(store, videos, "videos/")
        self._grid_frames = numbers("grid_frames")
        self._moments = numbers("moments")
        self._frames_decoded = numbers("frames_decoded")
        self._frames_total = numbers("frames_total")
        self.videos: tuple[str, ...] = tuple(v for v in videos if self._moments[v])
        self._picture_rows = VideoRows(
            videos, store.array("videos/first_picture", INTEGERS)[...], store.path
        )
        for video, moments in self._moments.items():
            if not 0 <= moments <= self._picture_rows.count(video):
                raise ValueError(f"{video!r} has {moments} moments")
        self._sample_rows = VideoRows(
            videos, store.array("videos/first_sample", INTEGERS)[...], store.path
        )
        self._run_rows = VideoRows(
            videos, store.array("videos/first_run", INTEGERS)[...], store.path
        )
        self._bytes = store.array("pictures/bytes", INTEGERS, ())
        self._samples = store.array("sound/samples", INTEGERS, ())
        self._runs = store.array("sound/runs", INTEGERS, (2,))[...]
        self._needs = store.array("frame_needs", INTEGERS, (3,))[...]
        self._offsets = store.array("pictures/offsets", INTEGERS, ())[...]
        counts = [self._moments[video] for video in videos]
        self._moment_rows = VideoRows(videos, offsets_of(counts), store.path)
        self._moment_rows.check_arrays(moments=len(self._needs))
        check_coordinates(store, self._moment_rows.total, "moments/")
        check_coordinates(store, self._picture_rows.total, "pictures/")
        self._picture_rows.check_arrays(pictures=len(self._offsets) - 1)
        self._sample_rows.check_arrays(samples=len(self._samples))
        self._run_rows.check_arrays(runs=len(self._runs))

    @property
    def grid(self) -> ClipGrid:
        """How clips are taken from the 30 fps grid."""
        return self.config.grid

    def moments(self, video: str) -> int:
        """Number of moments of a video; 0 where it is not usable."""
        return self._moment_rows.count(video)

    def grid_frames(self, video: str) -> int:
        """Length of a video in frames of the 30 fps grid."""
        self._moment_rows[video]  # or a line
        return self._grid_frames[video]

    def frames_decoded(self, video: str) -> tuple[int, int]:
        """How many pictures of a file were decoded, and how many it has."""
        self._moment_rows[video]  # or a line
        return self._frames_decoded[video], self._frames_total[video]

    def pictures_needed(self, video: str, moments: Sequence[int]) -> int:
        """How many pictures of a file are decoded for the frames of some moments."""
        return pictures_needed(self._needs[self._moment_rows[video]], moments)

    def frame(self, video: str, moment: int) -> np.ndarray:
        """The first picture of a moment's clip, uint8 (side, side, 3).

        Raises:
            BadInput: if there is no such video or moment.
        """
        self._check(video, moment)
        step = self.grid.pictures_per_moment if self.clips_stored else 1
        return self._pictures(video, np.array([moment * step]))[0]

    def clip(self, video: str, moment: int) -> np.ndarray:
        """A moment's clip, uint8 (clip_frames, side, side, 3); a video shorter than a clip is
        padded by its last frame.

        Raises:
            BadInput: if there is no such video or moment, or only the first frame of each moment is
                stored.
        """
        self._check(video, moment)
        if not self.clips_stored:
            raise BadInput(f"{self.path}: holds the first frame of each moment, no clips")
        pictures = self._picture_rows.count(video)
        return self._pictures(video, clip_pictures(moment, self.grid, pictures))

    def waveform(self, video: str) -> np.ndarray:
        """All sound of a video, int16 (samples,), from its time zero; empty where it has none."""
        return self._samples[self._sample_rows[video]]

    def windows(self, video: str) -> np.ndarray:
        """Each moment's second of sound, int16 (moments, 16000), zero after its end."""
        return cut_windows(self.waveform(video), range(self.moments(video)))

    def has_sound(self, video: str) -> np.ndarray:
        """Whether at least half of each moment's second was decoded, bool (moments,)."""
        return covered(self._runs[self._run_rows[video]], self.moments(video))

    def __repr__(self) -> str:
        moments = sum(self._moments.values())
        return f"MediaReader({str(self.path)!r}, {len(self.videos)} videos, {moments} moments)"

    def _check(self, video: str, moment: int) -> None:
        if not 0 <= moment < self.moments(video):
            count = self.moments(video)
            raise BadInput(f"{self.path}: no moment {moment} in video {video!r}, it has {count}")

    def _pictures(self, video: str, numbers: np.ndarray) -> np.ndarray:
        """Some pictures of a video, uint8 (numbers, side, side, 3), whose bytes are read together.

        The numbers rise; some of them may be equal.
        """
        rows = numbers + self._picture_rows[video].start
        first, last = rows[0], rows[-1]
        offsets = self._offsets[first : last + 2]
        stored = self._bytes[offsets[0] : offsets[-1]].tobytes()
        starts = (offsets - offsets[0]).tolist()
        encoded = [stored[start:stop] for start, stop in itertools.pairwise(starts)]
        pictures = EncodedPictures(self.config.frame_pixels, self.config.jpeg_quality, encoded)
        try:
            return pictures.select(rows - first)
        except ValueError as error:
            raise BadInput(f"{self.path}: damaged: {video!r}: {error}; {MOVE_AWAY}") from None


def _encoded_as(pictures: EncodedPictures, kept: slice, quality: int | str) -> list[bytes]:
    if pictures.quality == quality:
        return pictures.encoded[kept]
    return [encode(pictures[number], quality) for number in range(len(pictures))[kept]]


@contextlib.contextmanager
def read_media(path: Path) -> Iterator[MediaReader]:
    """Open a media file.

    Raises:
        BadInput: if it is missing, not whole, of another kind or layout, or damaged (also while it
            is read).
    """
    with read_store(path, KIND, LAYOUT, MediaReader) as reader:
        yield reader


def read_listed_media(
    videos: Iterable[Video],
) -> Callable[[Path], contextlib.AbstractContextManager[MediaReader]]:
    """`read_media` for the videos of a table: what it opens has to be made of the same contents.

    The function that is returned raises BadInput where `read_media` does, and if a video was
    decoded from a file of another content than the one that is listed.
    """
    listed = {video.video: video.fingerprint for video in videos}

    @contextlib.contextmanager
    def read(path: Path) -> Iterator[MediaReader]:
        with read_media(path) as reader:
            for video, fingerprint in reader.fingerprints.items():
                if listed.get(video, fingerprint) != fingerprint:
                    raise BadInput(
                        f"{path}: made of another file than the listed one of video {video!r}: "
                        f"content {fingerprint}, expected {listed[video]}; run snakemake again"
                    )
            yield reader

    return read
