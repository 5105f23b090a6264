"""Good files, damaged at random with a seed: each has a status, the same in every run.

None hangs or crashes. Where a usable one shows other pictures than the good file, the strictest
decoder finds no error in it.
"""

import random
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from media_files import H264, WHOLE, decoded, make_video, numbers

from l2l.manifest.artifact import STATUSES, USABLE
from l2l.manifest.probe import ProbeResult, probe_files
from l2l.media.decode import decode
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import ffmpeg_program

MUTATIONS = 600
SEED = 1
LATE_FRAMES = 8  # a quarter of a second: as far as declared and decoded ends may differ
MAX_UNNOTICED = 0.03
"""Most codecs and time stamps have no checksum, so a flipped bit may give another picture or
another time; and a stream spliced between two packets is one of variable rate. ffmpeg with the
option to stop at the first error stops at none of these."""
STRICT = ("-xerror", "-err_detect", "crccheck+bitstream+buffer+explode")

GOOD = {
    "indexed.mp4": (*H264, "-g", "12"),
    "fragments.mp4": (*H264, "-g", "12", "-movflags", "+frag_keyframe+empty_moov"),
    "clusters.mkv": (*H264, "-g", "12"),
    "checked.mkv": ("-c:v", "ffv1", "-slicecrc", "1"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "2"),
    "jpegs.avi": ("-c:v", "mjpeg", "-q:v", "2"),
    "packets.ts": (*H264, "-g", "12"),
    "tags.flv": (*H264, "-g", "12"),
    "program.mpg": ("-c:v", "mpeg2video", "-q:v", "2"),
}


@dataclass(frozen=True)
class Case:
    path: Path
    kind: str
    good: str


def flipped(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    good[r.randrange(len(good))] ^= 1 << r.randrange(8)
    return good


def scattered(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    for _ in range(r.randint(2, 40)):
        good[r.randrange(len(good))] = r.randrange(256)
    return good


def cut(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    return good[: r.randrange(len(good))]


def spliced(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    other = r.choice(others)
    return good[: r.randrange(len(good))] + other[r.randrange(len(other)) :]


def dropped(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    at = r.randrange(len(good))
    return good[:at] + good[at + r.randint(1, 2000) :]


def zeroed(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    at = r.randrange(len(good))
    until = min(len(good), at + r.randint(1, 2000))
    return good[:at] + bytes(until - at) + good[until:]


def stuffed(r: random.Random, good: bytearray, others: Sequence[bytes]) -> bytes:
    at = r.randrange(len(good))
    return good[:at] + r.randbytes(r.randint(1, 500)) + good[at:]


KINDS = (flipped, scattered, cut, spliced, dropped, zeroed, stuffed)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("good")
    return {
        name: make_video(
            folder / name, seconds=1.6, rate=30, video=video, extra=("-fflags", "+bitexact")
        )
        for name, video in GOOD.items()
    }


def mutated(good: dict[str, Path], folder: Path) -> list[Case]:
    r = random.Random(SEED)
    contents = {name: path.read_bytes() for name, path in good.items()}
    cases = []
    for number in range(MUTATIONS):
        name, kind = r.choice(sorted(good)), r.choice(KINDS)
        path = folder / f"{number:03d}-{kind.__name__}-{name}"
        path.write_bytes(kind(r, bytearray(contents[name]), list(contents.values())))
        cases.append(Case(path, kind.__name__, name))
    return cases


def result(case: Case, facts: ProbeResult) -> Decoded | ProbeResult:
    if facts.status not in USABLE:
        return facts
    return decode(facts.source(case.path), WHOLE, "clips")


def shows_what_it_should(shown: Sequence[int], expected: Sequence[int]) -> bool:
    """Whether each picture's number is that of its time, or one shortly before it, as where one
    picture got lost.
    """
    near = [abs(a - b) <= LATE_FRAMES for a, b in zip(shown, expected, strict=False)]
    return all(near) and list(shown) == sorted(shown) and len(shown) <= len(expected) + LATE_FRAMES


def shows_no_error(path: Path, stream: int) -> bool:
    """Whether the strictest decode of the pictures says nothing."""
    argv = [
        ffmpeg_program(),
        "-nostdin",
        "-hide_banner",
        "-loglevel",
        "error",
        *STRICT,
        "-i",
        f"file:{path}",
    ]
    ended = subprocess.run(
        [*argv, "-map", f"0:{stream}", "-f", "null", "-"],
        capture_output=True,
        timeout=300,
        check=False,
    )
    return not ended.returncode and not ended.stderr


@pytest.mark.slow
def test_each_damaged_file_has_a_status_and_shows_no_other_pictures(good, tmp_path, capsys):
    whole = {name: decoded(path) for name, path in good.items()}
    assert {name: each.status for name, each in whole.items()} == dict.fromkeys(GOOD, "ok")
    expected = {name: numbers(each.pictures.as_array()) for name, each in whole.items()}
    cases = mutated(good, tmp_path)
    facts = list(probe_files(case.path for case in cases))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(result, cases, facts))

    statuses = Counter(each.status for each in results)
    usable = [
        (c, each)
        for c, each in zip(cases, results, strict=True)
        if each.status in USABLE and isinstance(each, Decoded)
    ]
    strange = [
        (c, each)
        for c, each in usable
        if not shows_what_it_should(numbers(each.pictures.as_array()), expected[c.good])
    ]
    with capsys.disabled():
        counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
        print(
            f"\n{len(cases)} damaged files: {counts}; {len(strange)} of {len(usable)} usable ones "
            "show other pictures"
        )
    assert statuses.keys() <= set(STATUSES)
    for case, fact, before in list(zip(cases, facts, results, strict=True))[::10]:
        again = result(case, fact)
        assert (again.status, again.reason) == (before.status, before.reason), case.path.name
    assert all(each.reason for each in results if each.status != "ok")
    assert all(each.pictures.side == 64 for _, each in usable)
    stream_of = {case.path: fact.video_stream for case, fact in zip(cases, facts, strict=True)}
    assert [
        c.path.name
        for c, _ in strange
        if c.kind == "cut" or not shows_no_error(c.path, stream_of[c.path])
    ] == []
    assert len(strange) <= MAX_UNNOTICED * len(usable)
