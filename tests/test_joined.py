"""Files that were joined byte by byte: no part is lost without a word."""

import random

import pytest
from media_files import WHOLE, decoded, make_video, run

from l2l.manifest.joined import second_file_at

SUFFIXES = ("mp4", "mov", "mkv", "webm", "flv", "wmv")
CODECS = {
    "mov": ["-c:v", "mpeg4"],
    "webm": ["-c:v", "libvpx", "-c:a", "libvorbis"],
    "flv": ["-c:v", "flv", "-c:a", "mp3", "-ar", "44100"],
    "wmv": ["-c:v", "wmv2", "-c:a", "wmav2"],
}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A second of video in every container that names its end, and in a transport stream."""
    folder = tmp_path_factory.mktemp("films")
    one = make_video(folder / "one.mp4", seconds=1)
    for suffix in (*SUFFIXES, "ts"):
        run("-i", one, *CODECS.get(suffix, []), folder / f"a.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_of_a_joined_file_no_part_is_lost_without_a_word(films, tmp_path, suffix):
    whole = (films / f"a.{suffix}").read_bytes()
    assert second_file_at(films / f"a.{suffix}") == 0
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(whole + whole)
    assert second_file_at(joined) == len(whole)
    video = decoded(joined, WHOLE)
    assert (video.status, video.grid_frames) == ("truncated", 0)
    assert f"byte {len(whole):,} begins another; join them with" in video.reason


def test_fragments_that_go_on_are_one_file_and_those_that_begin_again_are_two(films, tmp_path):
    fragments = ["-movflags", "frag_keyframe+empty_moov", "-g", "10"]
    run("-i", films / "a.mp4", *fragments, tmp_path / "whole.mp4")
    whole = (tmp_path / "whole.mp4").read_bytes()
    init, later = whole[: whole.index(b"moof") - 4], whole.rindex(b"moof") - 4
    for content, second in (
        (whole, 0),
        # as in a download of segments, each with the index in front
        (whole[:later] + init + whole[later:], 0),
        (whole + whole, len(whole)),
    ):
        (tmp_path / "joined.mp4").write_bytes(content)
        assert second_file_at(tmp_path / "joined.mp4") == second


def test_files_of_different_containers_may_be_joined_too(films, tmp_path):
    one, other = ((films / f"a.{suffix}").read_bytes() for suffix in ("mp4", "mkv"))
    for first, second in ((one, other), (other, one)):
        (tmp_path / "joined").write_bytes(first + second)
        assert second_file_at(tmp_path / "joined") == len(first)


def test_joined_transport_streams_are_read_whole(films, tmp_path):
    joined = tmp_path / "joined.ts"
    joined.write_bytes((films / "a.ts").read_bytes() * 2)
    assert second_file_at(joined) == 0
    assert abs(decoded(joined, WHOLE).grid_frames - 60) <= 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_that_make_no_sense_have_no_second_file_and_cost_nothing(films, tmp_path, suffix):
    whole, rng = (films / f"a.{suffix}").read_bytes(), random.Random(0)
    path = tmp_path / "odd"
    for _ in range(50):
        content = bytearray(whole[: rng.randrange(len(whole))])
        for at in rng.sample(range(min(len(content), 300)), k=min(len(content), 5)):
            content[at] = rng.randrange(256)
        path.write_bytes(content)
        assert 0 <= second_file_at(path) < max(1, len(content))
