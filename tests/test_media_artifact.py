"""A shard's media file: what is written is what is read, whole and checked."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from l2l.config import MediaConfig
from l2l.errors import BadInput
from l2l.hdf5 import FLUSH_BYTES
from l2l.manifest.artifact import Video
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded, covered, pictures_needed
from l2l.media.pictures import EncodedPictures
from l2l.moments import ClipGrid, moment_count, start_sample

SIDE = 16
PAPER = ClipGrid(16, 2)
grids = st.sampled_from([ClipGrid(16, 2), ClipGrid(8, 4), ClipGrid(3, 1), ClipGrid(2, 16)])


def config(grid: ClipGrid = PAPER, quality: int | str = "lossless") -> MediaConfig:
    return MediaConfig(
        resize_pixels=(SIDE, SIDE),
        frame_pixels=SIDE,
        clip_frames=grid.frames,
        clip_stride=grid.stride,
        jpeg_quality=quality,
    )


def video(name: str) -> Video:
    return Video(name, "/nowhere", "train", ("a",))


def noise(frames: int, grid: ClipGrid = PAPER, step: int | None = None, seed: int = 0) -> Decoded:
    """A video of noise: another picture for every frame of the 30 fps grid, and sound with a gap in
    its middle.
    """
    random = np.random.default_rng(seed)
    step = step or grid.stride
    sound = random.integers(-(1 << 15), 1 << 15, frames * 533).astype(np.int16)
    gap = np.array([[0, len(sound) // 3], [len(sound) // 2, len(sound)]])
    pictures = random.integers(0, 256, (frames, SIDE, SIDE, 3), np.uint8)[::step]
    return Decoded(
        *("ok", "noise", frames, step, EncodedPictures.from_array(pictures), sound, gap, grid),
        frames_decoded=frames - 1,
        frames_total=frames,
        frame_needs=random.integers(0, 9, (moment_count(frames, grid), 3)),
    )


def write(
    path: Path, videos: dict[str, Decoded | None], media: MediaConfig, clips_stored: bool
) -> Path:
    with write_media(path, media, clips_stored) as writer:
        for name, decoded in videos.items():
            if decoded is None:
                writer.add_unusable(video(name), "missing", "gone")
            else:
                writer.add(video(name), decoded)
    return path


names = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    unique=True,
    max_size=4,
)


@settings(max_examples=40)
@given(names, st.data(), grids, st.booleans())
def test_what_is_written_is_what_is_read(tmp_path_factory, names, data, grid, clips_stored):
    lengths = {name: data.draw(st.none() | st.integers(1, 100)) for name in names}
    videos = {
        name: None if n is None else noise(n, grid, seed=i)
        for i, (name, n) in enumerate(lengths.items())
    }
    path = write(tmp_path_factory.mktemp("media") / "a.h5", videos, config(grid), clips_stored)
    with read_media(path) as media:
        assert media.config == config(grid)
        assert (media.grid, media.clips_stored) == (grid, clips_stored)
        assert media.videos == tuple(name for name, decoded in videos.items() if decoded)
        assert list(media.statuses.items()) == [
            (n, ("ok", "noise") if d else ("missing", "gone")) for n, d in videos.items()
        ]
        for name, decoded in videos.items():
            if decoded is None:
                assert (
                    media.moments(name)
                    == media.grid_frames(name)
                    == len(media.waveform(name))
                    == len(media.windows(name))
                    == 0
                )
                continue
            assert media.moments(name) == decoded.moments == moment_count(decoded.grid_frames, grid)
            assert media.grid_frames(name) == decoded.grid_frames
            assert media.frames_decoded(name) == (decoded.grid_frames - 1, decoded.grid_frames)
            every = range(decoded.moments)
            assert media.pictures_needed(name, every) == pictures_needed(decoded.needs, every)
            np.testing.assert_array_equal(media.waveform(name), decoded.waveform)
            np.testing.assert_array_equal(media.windows(name), decoded.windows())
            np.testing.assert_array_equal(media.has_sound(name), decoded.has_sound())
            for moment in range(decoded.moments):
                np.testing.assert_array_equal(media.frame(name, moment), decoded.frame(moment))
                if clips_stored:
                    np.testing.assert_array_equal(media.clip(name, moment), decoded.clip(moment))


@pytest.mark.parametrize("grid", [ClipGrid(16, 2), ClipGrid(8, 4)])
def test_a_clip_is_every_stride_th_picture_from_its_moment_on(grid):
    every = noise(100, ClipGrid(1, 1)).pictures.as_array()
    decoded = noise(100, grid)
    for moment in range(decoded.moments):
        expected = [every[16 * moment + grid.stride * i] for i in range(grid.frames)]
        np.testing.assert_array_equal(decoded.clip(moment), expected)
        np.testing.assert_array_equal(decoded.frame(moment), every[16 * moment])


def test_a_video_shorter_than_a_clip_is_one_moment_padded_by_its_last_frame():
    decoded = noise(9)
    assert decoded.moments == 1
    assert len(decoded.pictures) == 5
    np.testing.assert_array_equal(decoded.clip(0)[:5], decoded.pictures.as_array())
    assert (decoded.clip(0)[5:] == decoded.pictures[4]).all()


def test_frames_of_moments_are_stored_alike_from_either_kind_of_pictures(tmp_path):
    write(tmp_path / "a.h5", {"v": noise(100, step=2)}, config(), clips_stored=False)
    write(tmp_path / "b.h5", {"v": noise(100, step=16)}, config(), clips_stored=False)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_pictures_that_are_not_those_of_the_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match="16 frames apart cannot be stored as clips"):
        write(tmp_path / "a.h5", {"v": noise(100, step=16)}, config(), clips_stored=True)
    with pytest.raises(ValueError, match="expected a side of 8 pixels"):
        write(
            tmp_path / "a.h5",
            {"v": noise(100)},
            MediaConfig(resize_pixels=(8, 8), frame_pixels=8),
            clips_stored=True,
        )
    with pytest.raises(ValueError, match="frames apart"):
        noise(100, step=16).clip(0)
    assert list(tmp_path.iterdir()) == []


def test_jpeg_is_near_and_nearer_with_quality(tmp_path):
    ramp = np.linspace(30, 220, SIDE)
    picture = ramp[:, None, None] * [1, 0.7, 0.4] + ramp[None, :, None] * [0, 0.3, 0.2]
    pictures = np.repeat(picture.astype(np.uint8)[None], 16, axis=0)
    decoded = replace(noise(31), pictures=EncodedPictures.from_array(pictures))
    errors, sizes = [], []
    for quality in (50, 90, 95):
        path = write(
            tmp_path / f"{quality}.h5", {"v": decoded}, config(quality=quality), clips_stored=True
        )
        with read_media(path) as media:
            clip = media.clip("v", 0)
        assert clip.shape == (16, SIDE, SIDE, 3)
        errors.append(np.abs(clip.astype(int) - decoded.clip(0)).mean())
        sizes.append(path.stat().st_size)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1.5


def test_the_same_videos_give_the_same_bytes(tmp_path):
    videos = {"a": noise(40), "b": None, "c": noise(7)}
    a, b = (
        write(tmp_path / name, videos, config(quality=90), True).read_bytes()
        for name in ("a.h5", "b.h5")
    )
    assert a == b


def test_a_shard_without_videos_is_whole(tmp_path):
    with read_media(write(tmp_path / "a.h5", {}, config(), True)) as media:
        assert (media.videos, media.statuses) == ((), {})


def test_what_is_gathered_in_memory_goes_to_disk_as_it_comes(tmp_path):
    media = MediaConfig(resize_pixels=(112, 112), frame_pixels=112, jpeg_quality="lossless")
    pictures = np.zeros((300, 112, 112, 3), np.uint8)  # 11 MB
    with write_media(tmp_path / "a.h5", media, clips_stored=True) as writer:
        for i in range(6):
            writer.add(
                video(str(i)),
                Decoded(
                    "ok", "", 600, 2, EncodedPictures.from_array(pictures), np.zeros(0, np.int16)
                ),
            )
            held = sum(
                flat._pending_bytes for flat in (writer._bytes, writer._samples, writer._offsets)
            )
            assert held < FLUSH_BYTES + pictures.nbytes
        assert writer._bytes.array.nbytes > 3 * pictures.nbytes


def test_asking_for_what_is_not_there_is_an_error(tmp_path):
    write(tmp_path / "a.h5", {"v": noise(50), "gone": None}, config(), clips_stored=False)
    with read_media(tmp_path / "a.h5") as media:
        for moment in (-1, 2):
            with pytest.raises(
                BadInput, match=rf"a\.h5: no moment {moment} in video 'v', it has 2"
            ):
                media.frame("v", moment)
        with pytest.raises(BadInput, match=r"a\.h5: no moment 0 in video 'gone'"):
            media.frame("gone", 0)
        with pytest.raises(BadInput, match=r"a\.h5: holds .* no clips"):
            media.clip("v", 0)
        for ask in (media.waveform, media.has_sound, media.grid_frames, media.frames_decoded):
            with pytest.raises(BadInput, match=r"a\.h5: no video 'stranger'; it has 'v', 'gone'"):
                ask("stranger")
        with pytest.raises(BadInput, match=r"a\.h5: no video 'stranger'"):
            media.frame("stranger", 0)


def test_a_damaged_file_is_an_error_that_names_it_never_other_pictures(tmp_path):
    decoded = noise(200)
    path = write(tmp_path / "a.h5", {"v": decoded}, config(), clips_stored=True)
    good = path.read_bytes()
    at = good.index(decoded.pictures[50].tobytes()[:64])
    path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    with pytest.raises(BadInput, match=r"a.h5: damaged"), read_media(path) as media:
        for moment in range(media.moments("v")):
            media.clip("v", moment)
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(BadInput, match=r"a.h5"), read_media(path):
        pass


def picture(kind: str, mode: str = "RGB", side: int = SIDE, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


GOOD = picture("JPEG")
SIZE_AT = GOOD.index(b"\xff\xc0") + 5  # in the header of the frame: height and width, 16 bits each
BOMB = GOOD[:SIZE_AT] + b"\xff\xff\xff\xff" + GOOD[SIZE_AT + 4 :]


@pytest.mark.parametrize(
    "stored",
    [
        *map(picture, ("PNG", "TIFF", "GIF", "BMP", "WEBP", "EPS", "PPM", "TGA", "ICO", "PDF")),
        *(picture("JPEG", mode) for mode in ("L", "CMYK")),
        *(picture("JPEG", side=side) for side in (1, 15, 17, 3000)),
        picture("TIFF", compression="jpeg"),
        BOMB,
        GOOD[:-20],
        GOOD[: SIZE_AT + 2],
        GOOD.replace(b"\xff\xc4", b"\xff\xc3"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n(PWNED) (w) file closefile\n",
        b"<svg/>",
        b"\xff\xd8\xff",
        b"",
    ],
)
def test_bytes_that_are_no_jpeg_of_the_right_size_are_refused_in_one_line(tmp_path, stored):
    hostile = Decoded("ok", "", 16, 16, EncodedPictures(SIDE, 90, [stored]), np.zeros(0, np.int16))
    path = write(tmp_path / "a.h5", {"v": hostile}, config(quality=90), clips_stored=False)
    with pytest.raises(BadInput) as refused, read_media(path) as media:
        media.frame("v", 0)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{path}: damaged: 'v': a ")


# ---- sound of a moment ---------------------------------------------------------------------------


def test_a_moment_has_sound_where_half_of_its_second_is_decoded():
    runs = np.array([[0, 8000], [20_000, 27_999]])
    starts = [start_sample(moment) for moment in range(4)]  # 0, 8533, 17067, 25600
    inside = [
        sum(start <= i < start + 16_000 for a, b in runs for i in range(a, b)) for start in starts
    ]
    assert inside == [8000, 4533, 7999, 2399]
    assert covered(runs, 4).tolist() == [True, False, False, False]
    assert covered(np.array([[20_000, 28_000]]), 4).tolist() == [False, False, True, False]
    assert covered(np.zeros((0, 2), int), 2).tolist() == [False, False]


@given(st.integers(1, 200), st.integers(0, 60_000))
def test_windows_are_seconds_of_the_waveform_zero_past_its_end(frames, samples):
    sound = np.arange(1, samples + 1, dtype=np.int64).astype(np.int16)
    decoded = Decoded("ok", "", frames, 2, EncodedPictures(1), sound)
    padded = np.concatenate([sound, np.zeros(200 * 16_000, np.int16)])
    assert decoded.windows().shape == (decoded.moments, 16_000)
    for moment, window in enumerate(decoded.windows()):
        np.testing.assert_array_equal(window, padded[start_sample(moment) :][:16_000])
