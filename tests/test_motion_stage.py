"""From videos to motion: known displacements, the decoder's own prediction, bad input."""

import io
import signal
import sys
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from media_files import listed, run
from training_world import Training
from training_world import run as run_killed

from l2l.config import MediaConfig, MotionConfig
from l2l.errors import BadInput, KilledError
from l2l.manifest.artifact import Video, write_videos
from l2l.media.artifact import read_media
from l2l.media.ffmpeg import FfmpegStopped
from l2l.media.stage import decode_videos
from l2l.motion import cells, proxy, stage
from l2l.motion.artifact import Motion, read_motion
from l2l.motion.cells import CellReader
from l2l.motion.compensation import predict
from l2l.motion.proxy import code_proxy
from l2l.motion.stage import extract_motion

SIDE = 64
WHOLE = MediaConfig(resize_pixels=(SIDE, SIDE), frame_pixels=SIDE, jpeg_quality="lossless")
SECTION = MotionConfig(pixels=SIDE, quality=2)
RNG = np.random.default_rng(0)


def smooth(height: int, width: int) -> np.ndarray:
    """A pattern without repetition in which a block search has one minimum: uint8, with colours."""
    coarse = RNG.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3)).astype(float)
    for axis in (0, 1):
        coarse = np.repeat(coarse, 8, axis)
        coarse = sum(np.roll(coarse, k, axis) for k in range(8)) / 8
    return coarse[8 : height + 8, 8 : width + 8].astype(np.uint8)


def drawn(path: Path, pictures: np.ndarray, *options: str) -> Path:
    """A video of these pictures, uint8 (pictures, side, side, 3), at 30 per second, lossless."""
    side = pictures.shape[1]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side}x{side}", "-r", "30", "-i", "pipe:")
    codec = options or ("-c:v", "ffv1", "-pix_fmt", "gbrp")
    run(*raw, *codec, path, pictures=pictures.tobytes())
    return path


def sliding(count: int, right: int, down: int) -> np.ndarray:
    """Pictures whose content moves by whole pixels."""
    margin = count * max(abs(right), abs(down))
    pattern = smooth(SIDE + 2 * margin, SIDE + 2 * margin)
    return np.stack(
        [pattern[margin - down * k :, margin - right * k :][:SIDE, :SIDE] for k in range(count)]
    )


def shard(folder: Path, videos: list[Video], config: MediaConfig = WHOLE) -> tuple[Path, Path]:
    """A table of videos and their media."""
    write_videos(folder / "videos.tsv", videos)
    decode_videos(folder / "videos.tsv", folder / "media.h5", config, "target")
    return folder / "videos.tsv", folder / "media.h5"


def motion_of(path: Path, folder: Path) -> Motion:
    """The motion of one file; its table, media and motion are written to a folder."""
    extract_motion(*shard(folder, [listed(path)]), folder / "motion.h5", SECTION)
    with read_motion(folder / "motion.h5") as reader:
        return reader.motion("v")


def proxy_bytes(path: Path, config: MotionConfig = SECTION, media: MediaConfig = WHOLE) -> bytes:
    coded = bytearray()
    code_proxy(listed(path).source, media, config, coded.extend)
    return bytes(coded)


SLIDES = {"slides": (3, -2), "slides left": (-1, 0), "slides down": (0, 5)}


def world() -> dict[str, np.ndarray]:
    """Drawn pictures by the name of their video."""
    square = np.full((12, SIDE, SIDE, 3), 90, np.uint8)
    pattern = smooth(32, 32)
    for k, picture in enumerate(square):
        picture[16:48, 2 * k : 2 * k + 32] = pattern
    still = np.repeat(smooth(SIDE, SIDE)[None], 16, 0)
    redder = still[:12] // 2
    redder[..., 0] += (6 * np.arange(12, dtype=np.uint8))[:, None, None]
    slides = {name: sliding(12, *step) for name, step in SLIDES.items()}
    return {
        **slides,
        "mirrored": slides["slides"][:, :, ::-1].copy(),
        "square": square,
        "still": still,
        "redder": redder,
        "cut": np.concatenate([sliding(20, 2, 0), sliding(28, -1, 1)]),
        "one picture": still[:1],
        "two moments less one": still[[0] * 46],
    }


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> tuple[Path, dict[str, Motion]]:
    """A shard of all of them, and the motion of each."""
    folder = tmp_path_factory.mktemp("motion")
    videos = [
        listed(drawn(folder / f"{name}.mkv", pictures), name) for name, pictures in world().items()
    ]
    extract_motion(*shard(folder, videos), folder / "motion.h5", SECTION)
    with read_motion(folder / "motion.h5") as reader:
        return folder, {video: reader.motion(video) for video in reader.videos}


@pytest.mark.parametrize(("video", "step"), SLIDES.items())
def test_what_slides_by_whole_pixels_has_that_displacement_and_little_residual(shown, video, step):
    motion = shown[1][video]
    inner = motion.displacement[motion.moves][..., 1:-1, 1:-1]
    for axis, pixels in enumerate(step):
        assert (inner[:, axis] == 2 * pixels).mean() > 0.95
    assert np.abs(motion.residual[motion.moves][..., 1:-1, 1:-1]).mean() < 1


def test_a_square_that_moves_is_where_the_displacement_is(shown):
    motion = shown[1]["square"]
    # From picture 8 on the square covers the four cells in the middle.
    assert (motion.displacement[9:12, 0, 1:3, 1:3] == 4).all()
    assert (motion.displacement[9:12, 1, 1:3, 1:3] == 0).all()
    assert not motion.displacement[:, :, [0, 3]].any()


def test_a_still_video_has_neither(shown):
    motion = shown[1]["still"]
    assert not motion.displacement.any()
    assert np.abs(motion.residual).mean() < 0.1


def test_a_mirror_turns_the_displacement_to_the_right_round(shown):
    plain = shown[1]["slides"].displacement[1:, :, 1:-1, 1:-1]
    turned = shown[1]["mirrored"].displacement[1:, :, 1:-1, 1:-1][..., ::-1]
    assert (turned[:, 0] == -plain[:, 0]).mean() > 0.9
    assert (turned[:, 1] == plain[:, 1]).mean() > 0.9


def test_a_residual_has_the_colour_and_the_size_of_what_changed(shown):
    """In `redder` red alone grows, by six levels from picture to picture."""
    red, green, blue = (shown[1]["redder"].residual[1:] / 2).mean((0, 2, 3))
    assert red == pytest.approx(6, abs=0.5)
    assert np.abs([green, blue]).max() < 1  # what coding leaves


def test_key_pictures_are_twelve_apart_also_at_a_cut_and_have_no_motion(shown):
    motion = shown[1]["cut"]
    assert motion.gop_position.tolist() == [k % 12 for k in range(32)]  # two moments
    assert not motion.displacement[~motion.moves].any()
    assert not motion.residual[~motion.moves].any()
    # The cut is in the residual of the picture after it, which is no key picture.
    size = np.abs(motion.residual.astype(int)).mean((1, 2, 3))
    assert size.argmax() == 20
    assert motion.moves[20]


def test_motion_has_the_moments_of_the_media(shown):
    folder, motions = shown
    with read_media(folder / "media.h5") as media, read_motion(folder / "motion.h5") as reader:
        assert reader.videos == media.videos == tuple(motions)
        assert reader.media == media.config
        for video in media.videos:
            assert reader.moments(video) == media.moments(video)
            assert reader.pictures(video) == min(
                media.grid_frames(video), 16 * media.moments(video)
            )
        assert reader.pictures("one picture") == 1
        assert not reader.moment("one picture", 0).moves.any()
        assert reader.pictures("two moments less one") == 16


def test_the_same_bytes_come_twice_and_nothing_of_the_proxy_stays(shown, tmp_path, monkeypatch):
    folder, _ = shown
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    extract_motion(folder / "videos.tsv", folder / "media.h5", tmp_path / "again.h5", SECTION)
    assert (tmp_path / "again.h5").read_bytes() == (folder / "motion.h5").read_bytes()
    assert not list((tmp_path / "temporary").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"temporary", "again.h5"}


def test_a_killed_extraction_leaves_nothing_and_gives_the_same_bytes_again(shown, tmp_path):
    folder, _ = shown
    inputs = {"manifest": folder / "videos.tsv", "media": folder / "media.h5", "config": SECTION}
    extraction = Training(extract_motion, inputs, "motion")
    killed = run_killed(extraction, tmp_path / "m.h5", at=4000)
    assert killed.status == (-signal.SIGKILL,)
    assert not (tmp_path / "m.h5").exists()
    assert run_killed(extraction, tmp_path / "m.h5").status == (0,)
    assert (tmp_path / "m.h5").read_bytes() == (folder / "motion.h5").read_bytes()


def test_another_stride_reads_fewer_pictures(shown, tmp_path):
    folder, _ = shown
    section = SECTION.model_copy(update={"stride": 4, "gop_pictures": 5})
    extract_motion(folder / "videos.tsv", folder / "media.h5", tmp_path / "m.h5", section)
    with read_motion(tmp_path / "m.h5") as reader:
        assert reader.pictures("slides") == 3
        assert reader.motion("cut").gop_position.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
        assert reader.moments("cut") == 2
        inner = reader.motion("slides").displacement[1:, :, 1:-1, 1:-1]
        assert (inner[:, 0] == 4 * 6).mean() > 0.5


def decoded_proxy(
    coded: bytes, side: int = SIDE, threads: int = 1, **options: str
) -> list[tuple[list[np.ndarray], np.ndarray]]:
    """Planes of each picture, and the vectors that were exported with it."""
    pictures = []
    with av.open(io.BytesIO(coded), format="m4v") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = threads
        stream.codec_context.options = {
            "flags": "+bitexact",
            "flags2": "+export_mvs",
            **options,
        }
        for frame in container.decode(stream):
            vectors = frame.side_data.get("MOTION_VECTORS")
            pictures.append(
                (
                    cells._planes(frame, side),
                    np.zeros(0, [("dst_x", int)]) if vectors is None else vectors.to_ndarray(),
                )
            )
    return pictures


def as_picture(blocks: np.ndarray) -> np.ndarray:
    rows, side = SIDE // 16, blocks.shape[1]
    return blocks.reshape(rows, rows, side, side).swapaxes(1, 2).reshape(rows * side, rows * side)


@pytest.fixture(scope="module")
def textured(tmp_path_factory) -> Path:
    """Content that turns and grows, so that vectors fall between pixels and reach outside."""
    path = tmp_path_factory.mktemp("textured") / "a.mkv"
    moving = (
        "testsrc2=s=96x96:r=30:d=2,rotate=t:c=gray,zoompan=z=1.2+0.3*sin(on/5):d=1:s=64x64:fps=30"
    )
    run("-f", "lavfi", "-i", moving, "-c:v", "ffv1", path)
    return path


def test_the_prediction_is_the_decoders_own(textured):
    """Without residuals (skip_idct) the decoder shows the prediction; in the first picture after a
    key picture it is made of a whole one.
    """
    coded = proxy_bytes(textured)
    whole, predicted = decoded_proxy(coded), decoded_proxy(coded, skip_idct="nokey")
    compared = between = 0
    assert all(blocks["w"].tolist() == [16] * len(blocks) for _, blocks in whole if len(blocks))
    for number in range(1, len(whole), 12):
        before, vectors = whole[number - 1][0], np.zeros((1, 4, 4, 2), int)
        blocks = whole[number][1]
        row, column = blocks["dst_y"] // 16, blocks["dst_x"] // 16
        vectors[0, row, column] = np.stack([blocks["motion_x"], blocks["motion_y"]], 1)
        covered = np.zeros((4, 4), bool)
        covered[row, column] = True
        ours = predict([plane[None] for plane in before], vectors, np.array([False]))
        for mine, theirs, side in zip(ours, predicted[number][0], (16, 8, 8), strict=True):
            shown = np.kron(covered, np.ones((side, side), bool))
            assert (as_picture(mine)[shown] == theirs[shown]).all()
            compared += shown.sum()
        between += (vectors % 2 != 0).any(-1).sum()
    assert compared > 10_000
    assert between > 10


def test_the_proxy_is_read_alike_by_two_threads(textured):
    coded = proxy_bytes(textured)
    for one, two in zip(decoded_proxy(coded), decoded_proxy(coded, threads=2), strict=True):
        assert (one[1] == two[1]).all()
        assert all((a == b).all() for a, b in zip(one[0], two[0], strict=True))


def test_the_residual_is_what_the_decoder_adds_to_its_prediction(textured, tmp_path):
    coded = proxy_bytes(textured)
    whole, predicted = decoded_proxy(coded), decoded_proxy(coded, skip_idct="nokey")
    motion = motion_of(textured, tmp_path)
    for number in range(1, 25, 12):
        added = [
            decoded.astype(int) - prediction
            for decoded, prediction in zip(whole[number][0], predicted[number][0], strict=True)
        ]
        y, u, v = (
            plane.reshape(4, len(plane) // 4, 4, len(plane) // 4).mean((1, 3)) for plane in added
        )
        red, green, blue = (
            1.164384 * y + 1.596027 * v,
            1.164384 * y - 0.391762 * u - 0.812968 * v,
            1.164384 * y + 2.017232 * u,
        )
        covered = np.zeros((4, 4), bool)
        blocks = whole[number][1]
        covered[blocks["dst_y"] // 16, blocks["dst_x"] // 16] = True
        stored = motion.residual[number] / 2
        assert np.abs(stored - np.stack([red, green, blue]))[:, covered].max() < 0.26


def test_halves_are_rounded_up_in_every_other_picture():
    """Between 0 and 1, and between 0, 1, 1 and 1, by the formulas of ISO/IEC 14496-2, 7.6.2."""
    plane = np.array([[0, 1], [1, 1]], np.uint8).repeat(16, 0).repeat(16, 1)[None]
    vectors = np.zeros((1, 2, 2, 2), int)
    vectors[0, 0, 0] = (1, 0)
    for up in (False, True):
        luma = predict([plane, plane[:, ::2, ::2], plane[:, ::2, ::2]], vectors, np.array([up]))[0]
        assert (luma[0][:, :15] == 0).all()
        assert (luma[0][:, 15] == up).all()
    vectors[0, 0, 0] = (1, 1)
    for up in (False, True):
        luma = predict([plane, plane[:, ::2, ::2], plane[:, ::2, ::2]], vectors, np.array([up]))[0]
        assert luma[0][15, 15] == (3 + 1 + up) // 4


CODECS = {
    "H.264 with B": ("-c:v", "libx264", "-bf", "3"),
    "HEVC": ("-c:v", "libx265", "-x265-params", "log-level=error"),
    "VP9": ("-c:v", "libvpx-vp9", "-cpu-used", "8"),
    "AV1": ("-c:v", "libsvtav1", "-preset", "12"),
    "MPEG-1": ("-c:v", "mpeg1video", "-f", "mpeg"),
    "varying rate": ("-vf", "select='not(eq(mod(n,5),2))'", "-fps_mode", "vfr", "-c:v", "mpeg4"),
}


def test_every_codec_that_decodes_has_motion(tmp_path):
    """Its pictures are those of the media, or it has the media's status."""
    pictures = sliding(40, 2, 1)
    videos = []
    for name, options in CODECS.items():
        path = tmp_path / f"{name}.{'mpg' if name == 'MPEG-1' else 'mkv'}"
        videos.append(listed(drawn(path, pictures, *options), name))
    run("-display_rotation", "90", "-i", tmp_path / "HEVC.mkv", "-c", "copy", tmp_path / "r.mp4")
    videos.append(listed(tmp_path / "r.mp4", "rotated"))
    broken = tmp_path / "truncated.mkv"
    content = (tmp_path / "HEVC.mkv").read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    videos.append(listed(broken, "truncated"))
    extract_motion(*shard(tmp_path, videos), tmp_path / "m.h5", SECTION)
    with read_media(tmp_path / "media.h5") as media, read_motion(tmp_path / "m.h5") as reader:
        assert reader.videos == media.videos == (*CODECS, "rotated")
        assert media.statuses["truncated"][0] in ("truncated", "corrupt")
        for video in reader.videos:
            assert reader.moments(video) == media.moments(video) >= 1
            motion = reader.moment(video, 0)
            assert np.abs(motion.displacement[motion.moves]).mean() > 1, video


def test_the_proxy_shows_what_the_media_show(tmp_path):
    """Luma of its pictures against that of the frames that the media keep, scaled alike."""
    path = drawn(tmp_path / "a.mkv", sliding(32, 2, 1))
    media = WHOLE.model_copy(update={"resize_pixels": (48, 60), "frame_pixels": 48})
    section = SECTION.model_copy(update={"pixels": 48})
    _, file = shard(tmp_path, [listed(path)], media)
    coded = decoded_proxy(proxy_bytes(path, section, media), 48)
    with read_media(file) as reader:
        frame = reader.frame("v", 0).astype(float)
    luma = 16 + frame @ np.array([65.481, 128.553, 24.966]) / 255
    assert np.abs(luma - coded[0][0][0]).mean() < 1.5


@pytest.mark.parametrize(
    ("size", "side", "pixels", "wanted"),
    [
        ((128, 171), 112, 224, (256, 342)),
        ((128, 171), 112, 112, (128, 171)),
        ((40, 40), 40, 128, (128, 128)),
        (128, 112, 224, 256),
        (113, 112, 16, 16),
    ],
)
def test_a_proxy_of_another_size_shows_the_same_part(size, side, pixels, wanted):
    media = MediaConfig(resize_pixels=size, frame_pixels=side)
    other = proxy.scaled(media, pixels)
    assert (other.resize_pixels, other.frame_pixels) == (wanted, pixels)


def test_a_transport_stream_whose_time_wraps_keeps_the_clock_of_its_media(odd, tmp_path):
    """ffmpeg's clock depends on the sound there, which is therefore read."""
    motion = motion_of(odd / "16_ts_wrap_offset.ts", tmp_path)
    assert len(motion.gop_position) == 16 * 17  # moments of 301 ticks


# ---- what can be wrong ---------------------------------------------------------------------------


@pytest.fixture
def one(tmp_path) -> tuple[Path, Path, Path]:
    """A video, its table and its media."""
    path = drawn(tmp_path / "a.mkv", sliding(12, 1, 0))
    return path, *shard(tmp_path, [listed(path)])


def test_an_ffmpeg_without_the_encoder_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho \"Codec 'mpeg4' is not recognized by FFmpeg.\"\n")
    program.chmod(0o755)
    monkeypatch.setattr("l2l.media.ffmpeg.ffmpeg_program", lambda: program)
    monkeypatch.setattr("l2l.motion.proxy.ffmpeg_program", lambda: program)
    with pytest.raises(BadInput, match=r"ffmpeg: this ffmpeg has no encoder mpeg4.* PATH"):
        extract_motion(tmp_path / "none", tmp_path / "none", tmp_path / "m.h5", SECTION)


def test_a_video_that_changed_since_it_was_listed_is_refused(one, tmp_path):
    path, table, media = one
    drawn(path, sliding(13, 1, 0))
    with pytest.raises(BadInput, match=r"a\.mkv: it is missing, or changed since it was listed"):
        extract_motion(table, media, tmp_path / "m.h5", SECTION)
    path.unlink()
    with pytest.raises(BadInput, match=r"a\.mkv: it is missing"):
        extract_motion(table, media, tmp_path / "m.h5", SECTION)
    assert not (tmp_path / "m.h5").exists()


def test_a_proxy_with_another_number_of_pictures_is_refused(one, tmp_path):
    """As with media that another ffmpeg made of the same file."""
    path, table, media = one
    drawn(path, sliding(13, 1, 0))
    write_videos(table, [listed(path)])
    with h5py.File(media, "r+") as store:
        store["videos/fingerprint"][0] = listed(path).fingerprint
    with pytest.raises(BadInput, match=r"a\.mkv: coded again it has 13 .* it has 12; .*media\.h5"):
        extract_motion(table, media, tmp_path / "m.h5", SECTION)


def test_media_of_another_table_are_refused(one, tmp_path):
    path, table, media = one
    write_videos(table, [listed(path, "another")])
    with pytest.raises(BadInput, match=r"media\.h5: made of another table of videos"):
        extract_motion(table, media, tmp_path / "m.h5", SECTION)


def test_a_video_with_zeros_after_its_last_packet_is_read_as_it_was_decoded(tmp_path):
    path = tmp_path / "a.ts"
    drawn(path, sliding(40, 1, 0), "-c:v", "mpeg2video", "-f", "mpegts")
    with open(path, "ab") as file:
        file.write(bytes(188 * 50))
    motion = motion_of(path, tmp_path)
    assert len(motion.gop_position) == 16


def test_a_video_that_takes_too_long_is_refused_by_its_limit(one, tmp_path):
    path, _, _ = one
    media = WHOLE.model_copy(update={"time_limit_seconds": 1e-4})
    with CellReader(SECTION) as reader, pytest.raises(BadInput, match=r"a\.mkv: .*time_limit"):
        stage._code(listed(path).source, media, reader, SECTION, 0)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"gop_pictures": 6}, r"key pictures at \[0, 12\] of 0 to 15, expected every 6"),
        ({"pixels": 48}, "its proxy is 64 x 64 yuv420p, expected 48 x 48 yuv420p"),
    ],
)
def test_another_stream_than_the_proxy_is_refused(one, tmp_path, section, message):
    coded = proxy_bytes(drawn(tmp_path / "b.mkv", sliding(16, 1, 0)))
    with (
        CellReader(SECTION.model_copy(update=section)) as reader,
        pytest.raises(BadInput, match=message),
    ):
        reader.read(lambda take: take(memoryview(coded)))


@pytest.mark.parametrize("flags", ["+qpel", "+mv4"])
def test_a_stream_whose_vectors_are_not_half_pixels_of_whole_cells_is_refused(
    textured, tmp_path, flags
):
    """Quarter pixels, or four vectors per macroblock."""
    coding = ("-c:v", "mpeg4", "-g", "12", "-bf", "0", "-q:v", "2", "-flags", flags, "-f", "m4v")
    run("-i", textured, "-vf", "format=yuv420p", *coding, tmp_path / "a.m4v")
    coded = (tmp_path / "a.m4v").read_bytes()
    with (
        CellReader(SECTION) as reader,
        pytest.raises(BadInput, match=r"its proxy has vectors with .*, expected half pixels per c"),
    ):
        reader.read(lambda take: take(memoryview(coded)))


def test_one_child_reads_proxy_after_proxy_and_an_empty_one(one):
    coded = proxy_bytes(one[0])
    with CellReader(SECTION) as reader:
        fed, first = reader.read(lambda take: take(memoryview(coded)) or "fed")
        assert fed == "fed"
        _, none = reader.read(lambda take: None)
        _, again = reader.read(
            lambda take: [take(memoryview(coded[k : k + 7])) for k in range(0, len(coded), 7)]
        )
    assert len(none.gop_position) == 0
    assert none.displacement.shape == (0, 2, 4, 4)
    for mine, others in zip(first, again, strict=True):
        assert (mine == others).all()


@pytest.mark.parametrize(
    ("child", "error", "message"),
    [
        ("import os; os.kill(os.getpid(), 9)", KilledError, "it was killed"),
        ("import os; os.kill(os.getpid(), 11)", BadInput, r"crashed \(SIGSEGV\)"),
        ("import no_such_module", BadInput, r"crashed \(exit 1\)"),
    ],
)
def test_a_child_that_ends_is_no_fault_of_the_video(monkeypatch, child, error, message):
    monkeypatch.setattr(cells, "CHILD", (sys.executable, "-c", child))
    with CellReader(SECTION) as reader, pytest.raises(error, match=message):
        reader.read(lambda take: [take(memoryview(bytes(1 << 16))) for _ in range(64)])


@pytest.mark.parametrize(
    "child",
    ["import time; time.sleep(99)", "import sys, time; sys.stdin.buffer.read(); time.sleep(99)"],
)
def test_a_child_that_does_not_answer_is_ended_at_its_limit(monkeypatch, child):
    """Whether or not it takes what it is fed."""
    monkeypatch.setattr(cells, "CHILD", (sys.executable, "-c", child))
    with CellReader(SECTION) as reader, pytest.raises(FfmpegStopped, match="not read within"):
        reader.read(lambda take: [take(memoryview(bytes(1 << 16))) for _ in range(64)], 0.5)


def test_an_error_of_what_feeds_a_proxy_leaves_no_child(monkeypatch):
    with CellReader(SECTION) as reader:
        with pytest.raises(ZeroDivisionError):
            reader.read(lambda take: 1 / 0)
        assert reader._process is None
