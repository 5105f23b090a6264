"""Damaged files in a shard: each has its status and stops no other."""

import os
import shutil
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_files import (
    ODD_NAMES,
    WHOLE,
    decoded,
    listed,
    make_video,
    numbers,
    playlists,
    shown_at,
)

from l2l.__main__ import main
from l2l.config import ManifestConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import read_videos, write_videos
from l2l.manifest.source import Source
from l2l.media.artifact import read_media
from l2l.media.decode import decode
from l2l.media.stage import _describe_work, collect_statuses, decode_videos


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Three seconds of numbered pictures, a key frame each second, index in front."""
    folder = tmp_path_factory.mktemp("clip")
    return make_video(folder / "clip.mp4", seconds=3, extra=["-g", "25", "-movflags", "+faststart"])


@pytest.fixture
def shard(clip, tmp_path) -> Path:
    """Good files among bad ones, listed in a table."""
    good = clip.read_bytes()
    damaged = bytearray(good)
    at = good.index(b"mdat") + 3000
    damaged[at : at + 300] = bytes(300)
    files = {
        "1 good": good,
        "2 half": good[: len(good) * 2 // 3],
        "3 damaged": bytes(damaged),
        "5 good": good + b"\0",
    }
    rows = []
    for name, content in files.items():
        (tmp_path / f"{name}.mp4").write_bytes(content)
        rows.append(listed(tmp_path / f"{name}.mp4", video=name))
    rows.insert(3, rows[0]._replace(video="4 missing", status="missing", reason="no such file"))
    soundless = make_video(tmp_path / "soundless.mp4", sound=None)
    rows += [
        listed(soundless, video="6 soundless"),
        rows[0]._replace(video="7 vanished", file=str(tmp_path / "vanished.mp4")),
    ]
    write_videos(tmp_path / "shard.tsv", rows)
    return tmp_path / "shard.tsv"


STATUSES = {
    "1 good": "ok",
    "2 half": "truncated",
    "3 damaged": "corrupt",
    "4 missing": "missing",
    "5 good": "ok",
    "6 soundless": "no_audio",
    "7 vanished": "missing",
}


def test_a_bad_file_stops_no_other_and_is_replaced_by_nothing(shard, tmp_path):
    decode_videos(shard, tmp_path / "a.h5", WHOLE, "source")
    with read_media(tmp_path / "a.h5") as media:
        assert {video: status for video, (status, _) in media.statuses.items()} == STATUSES
        assert media.videos == ("1 good", "5 good", "6 soundless")
        assert media.statuses["4 missing"] == ("missing", "no such file")
        assert all(
            "\n" not in reason and "0x" not in reason for _, reason in media.statuses.values()
        )
        assert media.statuses["2 half"][1].endswith("3.0 s are declared")
        for video in ("2 half", "3 damaged"):
            assert (media.moments(video), len(media.waveform(video))) == (0, 0)
        assert numbers(media.clip("5 good", 1)) == [
            shown_at(75, Fraction(25), 16 + 2 * i) for i in range(16)
        ]


def test_a_file_that_is_cut_and_does_not_state_its_length_is_truncated(tmp_path):
    path = make_video(tmp_path / "live.mkv", seconds=3, extra=["-live", "1"])
    assert listed(path).duration_seconds == 0
    assert decoded(path).status == "ok"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = decoded(path)
    assert (found.status, found.reason) == ("truncated", "the file ends before its last packet")


def test_several_files_at_once_give_the_same_bytes(shard, tmp_path):
    for threads in (1, 4):
        decode_videos(shard, tmp_path / f"{threads}.h5", WHOLE, "both", threads)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "4.h5").read_bytes()


def test_a_target_or_a_source_decoded_on_the_fly_keeps_one_frame_a_moment_and_the_same_one(
    shard, tmp_path
):
    on_the_fly = WHOLE.model_copy(update={"clips": "decoded"})
    for name, config, role in (
        ("clips", WHOLE, "both"),
        ("target", WHOLE, "target"),
        ("fly", on_the_fly, "source"),
        ("finetuned", on_the_fly, "finetuned"),
    ):
        decode_videos(shard, tmp_path / f"{name}.h5", config, role)
    with (
        read_media(tmp_path / "clips.h5") as clips,
        read_media(tmp_path / "target.h5") as target,
        read_media(tmp_path / "fly.h5") as fly,
        read_media(tmp_path / "finetuned.h5") as finetuned,
    ):
        assert finetuned.clips_stored  # a teacher is fine-tuned on them
        assert (clips.clips_stored, target.clips_stored, fly.clips_stored) == (True, False, False)
        assert clips.statuses == target.statuses == fly.statuses
        for row in read_videos(shard):
            if row.video not in clips.videos:
                continue
            again = decode(row.source, fly.config, "clips")
            for moment in range(clips.moments(row.video)):
                np.testing.assert_array_equal(again.clip(moment), clips.clip(row.video, moment))
                np.testing.assert_array_equal(
                    clips.frame(row.video, moment), target.frame(row.video, moment)
                )
                np.testing.assert_array_equal(
                    clips.frame(row.video, moment), fly.frame(row.video, moment)
                )


def test_what_was_remarked_when_it_was_listed_stays(clip, tmp_path):
    write_videos(
        tmp_path / "shard.tsv", [listed(clip)._replace(reason="segment 3 to 2 s of 9 s dropped")]
    )
    decode_videos(tmp_path / "shard.tsv", tmp_path / "a.h5", WHOLE, "target")
    with read_media(tmp_path / "a.h5") as media:
        assert media.statuses["v"] == ("ok", "segment 3 to 2 s of 9 s dropped")


def test_final_statuses_are_in_the_order_of_the_manifest_and_too_many_bad_stop_the_run(
    shard, tmp_path
):
    rows = read_videos(shard)
    manifest = tmp_path / "videos.tsv"
    write_videos(manifest, rows[::-1])
    for part in (0, 1):
        write_videos(tmp_path / "part.tsv", rows[part::2])
        arguments = [
            "--manifest",
            tmp_path / "part.tsv",
            "--media",
            tmp_path / f"{part}.h5",
            "--config",
            WHOLE.model_dump_json(),
        ]
        assert (
            main(["decode_videos", *map(str, arguments), "--role", "target", "--threads", "2"]) == 0
        )
    media = [tmp_path / "0.h5", tmp_path / "1.h5"]
    collect_statuses(
        manifest, media, tmp_path / "final.tsv", ManifestConfig(max_bad_fraction=4 / 7)
    )
    final = read_videos(tmp_path / "final.tsv")
    assert [(row.video, row.status) for row in final] == list(STATUSES.items())[::-1]
    assert [row._replace(status="", reason="") for row in final] == [
        row._replace(status="", reason="") for row in rows[::-1]
    ]
    with pytest.raises(BadInput, match="4 of 7 videos are unusable after decoding"):
        collect_statuses(
            manifest, media, tmp_path / "again.tsv", ManifestConfig(max_bad_fraction=0.5)
        )
    assert not (tmp_path / "again.tsv").exists()
    assert read_videos(tmp_path / "again.refused.tsv") == sorted(
        final, key=lambda video: video.usable
    )
    with pytest.raises(BadInput, match="3 videos, without '1 good'"):
        collect_statuses(
            manifest, media[1:], tmp_path / "again.tsv", ManifestConfig(max_bad_fraction=1)
        )


def test_the_line_about_the_work_is_short_however_many_files_are_odd():
    why = Counter({f"corrupt: damaged at {i} " + "x" * 999: 1 for i in range(500)})
    why["its container is gif"] = 7
    line = _describe_work(Counter(decoded=3, total=4, videos=507), why)
    assert line.startswith("decoded 3 of 4 pictures of 507 videos; all pictures where its cont")
    assert line.endswith("; other reasons: 496")
    assert len(line) < 700


def test_names_are_only_names(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ODD_NAMES:
        shutil.copy(clip, Path("./", name))
    found = [
        decode(Source(Path(name), 0, 1, duration_seconds=3.0), WHOLE, "moments")
        for name in ODD_NAMES
    ]
    assert [(each.status, each.grid_frames) for each in found] == [("ok", 90)] * len(ODD_NAMES)
    assert sorted(os.listdir()) == sorted(ODD_NAMES)


def test_only_containers_on_the_list_are_opened_and_only_files(clip, tmp_path):
    for path in playlists(tmp_path, clip):
        found = decode(Source(path, 0, duration_seconds=3.0), WHOLE, "clips")
        assert (found.status, found.grid_frames, len(found.pictures)) == ("corrupt", 0, 0)
