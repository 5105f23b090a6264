"""What files declare: read in a child process that any file may hang or crash."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
from media_files import decoded, make_video, run

from l2l.config import ManifestConfig
from l2l.datasets import FolderDataset
from l2l.errors import BadInput, MachineError
from l2l.manifest import probe
from l2l.manifest.artifact import read_videos, shard_of
from l2l.manifest.contents import describe_contents
from l2l.manifest.probe import ProbeResult, fingerprint_of, probe_file, probe_files
from l2l.manifest.stage import list_videos

NAMES = [
    "-y.mp4",
    "a b.mp4",
    'it\'s "so".mp4',
    "a;touch PWNED;.mp4",
    "$(touch PWNED).mp4",
    "%03d.mp4",
    "a:b.mp4",
    "file:x.mp4",
    "a\nb.mp4",
    "é*?.mp4",
    os.fsdecode(b"\xff.mp4"),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds of pictures and sound."""
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_declared_facts_are_those_of_the_file(clip):
    facts = probe_file(clip)
    assert facts.duration_seconds == pytest.approx(2.0, abs=0.001)
    assert facts == ProbeResult(
        status="ok",
        duration_seconds=facts.duration_seconds,
        frame_rate=25.0,
        width=64,
        height=64,
        audio="44100 Hz, 1 channels",
        video_stream=0,
        audio_stream=1,
        fingerprint=facts.fingerprint,
    )


def test_a_program_stream_declares_no_end(tmp_path):
    """What the demuxer estimates for it ends half a second too early, and the whole file would
    count as damaged.
    """
    path = make_video(tmp_path / "v.mpg", rate=30, video=("-c:v", "mpeg2video", "-q:v", "2"))
    assert (probe_file(path).status, probe_file(path).duration_seconds) == ("ok", 0)
    assert (decoded(path).status, decoded(path).frames) == ("ok", 60)


def test_names_are_only_names(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        shutil.copy(clip, Path("./", name))
    assert [facts.status for facts in probe_files([Path(name) for name in NAMES])] == ["ok"] * len(
        NAMES
    )
    assert not Path("PWNED").exists()


def test_what_cannot_be_read_has_a_state_and_a_reason(clip, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.mp4").write_text("<!DOCTYPE html><html>404</html>")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    run("-f", "lavfi", "-i", "sine=d=1", tmp_path / "sound.mp4")
    names = ["empty", "page", "cut", "gone", "loop", "folder", "pipe", "sound", "absent"]
    found = dict(zip(names, probe_files(tmp_path / f"{name}.mp4" for name in names), strict=True))
    assert {name: facts.status for name, facts in found.items()} == {
        "empty": "corrupt",
        "page": "corrupt",
        "cut": "truncated",
        "gone": "missing",
        "loop": "refused",
        "folder": "refused",
        "pipe": "refused",
        "sound": "refused",
        "absent": "missing",
    }
    assert all(facts.reason and "\n" not in facts.reason for facts in found.values())
    assert "a link to a file" in found["gone"].reason
    assert "HTML" in found["page"].reason
    assert found["sound"].audio == "44100 Hz, 1 channels"


def playlists(folder: Path, clip: Path) -> list[Path]:
    """Lists of other files, under the name of a video."""
    shutil.copy(clip, folder / "clip.mp4")
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.mp4\n#EXT-X-ENDLIST\n"
    dash = (
        '<?xml version="1.0"?><MPD '
        'xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>clip.mp4</BaseURL></Period></MPD>'
    )
    contents = {"hls": hls, "concat": "ffconcat version 1.0\nfile clip.mp4\n", "dash": dash}
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_text(content)
    return [folder / f"{name}.mp4" for name in contents]


def test_a_playlist_is_not_followed(clip, tmp_path):
    lists = playlists(tmp_path, clip)
    run("-i", lists[1], "-f", "null", "-")  # ffmpeg by itself would
    for facts in probe_files(lists):
        assert facts.status in ("refused", "corrupt")
        assert facts.video_stream == -1


def test_a_file_that_hangs_or_crashes_the_demuxer_costs_only_itself(clip, tmp_path, monkeypatch):
    bad_child = (
        "import sys, time, os, json\n"
        "from l2l.manifest import probe\n"
        "kept = probe.probe_file\n"
        "def probe_file(path):\n"
        "    if path.name == 'hang.mp4': time.sleep(600)\n"
        "    if path.name == 'crash.mp4': os.kill(os.getpid(), 11)\n"
        "    if path.name == 'exit.mp4': os._exit(3)\n"
        "    print('noise on the answers')\n"
        "    return kept(path)\n"
        "probe.probe_file = probe_file\n"
        "probe.serve()\n"
    )
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", bad_child))
    for name in ("hang", "crash", "exit"):
        (tmp_path / f"{name}.mp4").touch()
    found = list(
        probe_files(
            [
                clip,
                tmp_path / "hang.mp4",
                clip,
                tmp_path / "crash.mp4",
                tmp_path / "exit.mp4",
                clip,
            ],
            10.0,
        )
    )
    assert [facts.status for facts in found] == ["ok", "refused", "ok", "refused", "refused", "ok"]
    assert "within 10 s" in found[1].reason
    assert "SIGSEGV" in found[3].reason
    assert "exit 3" in found[4].reason


def test_a_process_that_somebody_kills_says_nothing_of_the_file(clip, monkeypatch):
    monkeypatch.setattr(
        probe,
        "CHILD",
        (
            sys.executable,
            "-c",
            "import os, signal; print(flush=True); input(); os.kill(os.getpid(), signal.SIGKILL)",
        ),
    )
    with pytest.raises(BadInput, match=r"clip.mp4: the process that opens it .* killed"):
        list(probe_files([clip]))


def test_a_process_that_does_not_start_is_no_fault_of_the_files(clip, monkeypatch):
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", "import no_such_module"))
    with pytest.raises(BadInput, match=r"does not start.*`l2l doctor`"):
        list(probe_files([clip]))


def test_pictures_are_the_largest_stream_and_no_cover(tmp_path):
    small, large = (f"testsrc=s={size}:r=25:d=1" for size in ("32x32", "64x48"))
    run(
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-f",
        "lavfi",
        "-i",
        small,
        "-f",
        "lavfi",
        "-i",
        large,
        *("-map", "0", "-map", "1", "-map", "2"),
        tmp_path / "two.mkv",
    )
    facts = probe_file(tmp_path / "two.mkv")
    assert (facts.audio_stream, facts.video_stream, facts.width) == (0, 2, 64)
    cover = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=640x480:r=1:d=1",
        "-map",
        "0:v",
        "-map",
        "1:v",
        "-c:v:1",
        "mjpeg",
        "-frames:v:1",
        "1",
    ]
    run(
        "-f",
        "lavfi",
        "-i",
        large,
        *cover,
        "-disposition:v:1",
        "attached_pic",
        tmp_path / "cover.mp4",
    )
    facts = probe_file(tmp_path / "cover.mp4")
    assert (facts.video_stream, facts.width, facts.audio_stream) == (0, 64, -1)


def test_pictures_end_where_they_end_though_sound_goes_on(tmp_path):
    long_sound = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=5"]
    for name in ("a.mp4", "a.mkv", "a.webm", "a.avi", "a.flv", "a.ts"):
        run(*long_sound, *(("-ar", "44100") if name == "a.flv" else ()), tmp_path / name)
        assert probe_file(tmp_path / name).duration_seconds == pytest.approx(2.0, abs=0.06), name


def test_where_only_the_whole_is_timed_the_packets_tell(tmp_path):
    sources = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=5"]
    run(*sources, "-write_crc32", "0", tmp_path / "a.mkv")
    whole = (
        (tmp_path / "a.mkv").read_bytes().replace(b"DURATION", b"duration")
    )  # the durations of its streams
    (tmp_path / "bare.mkv").write_bytes(whole)
    assert probe_file(tmp_path / "bare.mkv").duration_seconds == pytest.approx(2.0, abs=0.06)
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    cut = probe_file(tmp_path / "cut.mkv")
    assert (cut.status, cut.reason[-17:]) == ("truncated", "of 5.0 s declared")


@pytest.mark.parametrize("name", ["a.mkv", "silent.mkv", "a.ts", "a.flv", "a.wmv"])
def test_time_that_does_not_begin_at_nought_is_no_damage(tmp_path, name):
    sound = [] if name == "silent.mkv" else ["-f", "lavfi", "-i", "sine=r=44100:d=4"]
    run(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=4",
        *sound,
        "-g",
        "5",
        "-output_ts_offset",
        "50",
        tmp_path / name,
    )
    assert probe_file(tmp_path / name).duration_seconds == pytest.approx(4.0, abs=0.06)
    if name.endswith(".mkv"):
        cut = tmp_path / f"cut_{name}"
        cut.write_bytes((tmp_path / name).read_bytes()[: (tmp_path / name).stat().st_size * 2 // 3])
        assert probe_file(cut).status == "truncated"


def test_late_sound_makes_no_file_longer_than_it_is(tmp_path):
    late = ["-itsoffset", "2", "-f", "lavfi", "-i", "sine=r=44100:d=2"]
    run("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=4", *late, tmp_path / "a.wmv")
    facts = probe_file(tmp_path / "a.wmv")
    assert (facts.status, facts.duration_seconds) == ("ok", pytest.approx(4.0, abs=0.06))


@pytest.mark.parametrize("tag", ["00:09:00.000000000", "about two seconds", "2.0", "::"])
@pytest.mark.parametrize("name", ["a.ogv", "a.nut"])
def test_the_duration_is_no_comment_that_somebody_wrote(tmp_path, name, tag):
    run(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=2",
        "-metadata:s:v",
        f"DURATION={tag}",
        tmp_path / name,
    )
    facts = probe_file(tmp_path / name)
    assert (facts.status, facts.duration_seconds) == ("ok", pytest.approx(2.0, abs=0.06))


def test_a_late_start_is_told(tmp_path):
    run(
        "-f",
        "lavfi",
        "-i",
        "sine=d=4",
        "-itsoffset",
        "1.5",
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=2",
        tmp_path / "late.mp4",
    )
    facts = probe_file(tmp_path / "late.mp4")
    assert facts.duration_seconds == pytest.approx(3.5, abs=0.05)
    assert facts.reason == "its pictures start at 1.5 s; the first is shown until then"


def test_high_dynamic_range_is_told(odd):
    assert (
        probe_file(odd / "41_hdr10_hevc.mp4").reason
        == "its pictures are HDR (PQ); they are shown as stored, without tone mapping"
    )
    assert probe_file(odd / "01_ref_25fps.mp4").reason == ""


# ---- the child and its machine -------------------------------------------------------------------


def test_the_child_runs_no_module_of_the_folder_and_hears_nothing_of_the_environment(
    clip, tmp_path, monkeypatch
):
    for module in ("av", "json", "l2l", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("open('PWNED', 'w')\n")
    shutil.copy(clip, tmp_path / "clip.mp4")
    expected = probe_file(clip)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as `python -m` and an empty entry of PYTHONPATH do
    hostile = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "av.py"),
        "PYTHONHOME": "/nowhere",
        "PYTHONOPTIMIZE": "x",
        "AV_LOG_FORCE_COLOR": "1",
        "FFREPORT": "file=report.log:level=56",
        "LC_ALL": "de_DE.ISO-8859-1",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    assert list(probe_files([Path("clip.mp4")])) == [expected]
    assert not list(tmp_path.glob("PWNED")) + list(tmp_path.glob("*.log"))


def test_a_machine_without_memory_or_files_to_give_is_no_fault_of_the_file(clip, monkeypatch):
    for number in (errno.EMFILE, errno.ENOMEM, errno.EAGAIN, errno.ESTALE):

        def refuse(path, number=number):
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(probe, "fingerprint_of", refuse)
        with pytest.raises(MachineError, match=os.strerror(number)):
            probe_file(clip)
    monkeypatch.undo()
    monkeypatch.setattr(probe, "describe_shortage", lambda memory, threads: "no threads here")
    assert probe_file(clip).status == "ok"
    with pytest.raises(MachineError, match="no threads here"):
        probe_file(Path(__file__))


def test_a_child_that_the_machine_starves_stops_the_job(clip, monkeypatch):
    starved = (
        "import errno, os\n"
        "from l2l.manifest import probe\n"
        "def refuse(path): raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))\n"
        "probe.fingerprint_of = refuse\n"
        "probe.serve()\n"
    )
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", starved))
    with pytest.raises(MachineError, match=r"clip\.mp4.*Too many open files"):
        list(probe_files([clip]))


# ---- what a file really is -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x1f\x8b\x08" + bytes(100), "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"/annex/objects/SHA256E-s1--0.mp4\n", "git-annex"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(100), "JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        (b"  <!DOCTYPE html><html>", "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b'{"error": "rate limit"}', "JSON"),
        ("Zugriff verweigert, bitte später".encode(), "text: Zugriff"),
        (bytes(10_000), "zeros"),
    ],
)
def test_contents_that_are_no_video_are_named(tmp_path, content, kind):
    (tmp_path / "v.mp4").write_bytes(content)
    result = probe_file(tmp_path / "v.mp4")
    assert result.status in ("corrupt", "refused")
    assert kind in result.reason
    assert result.reason.isprintable()


def test_bytes_that_look_like_nothing_known_are_not_guessed_at():
    assert describe_contents(b"") == ""
    assert describe_contents(b"\x80\x01" * 300) == ""
    assert describe_contents("ä".encode() * 600)[:5] == "text:"  # cut within a character


def test_a_disabled_track_is_not_chosen_over_an_enabled_one(tmp_path):
    large, small = (f"testsrc=s={size}:r=25:d=1" for size in ("64x48", "32x32"))
    sources = ["-f", "lavfi", "-i", large, "-f", "lavfi", "-i", small]
    maps = ["-map", "0", "-map", "1", *("-disposition:v:0", "0", "-disposition:v:1", "default")]
    run(*sources, *maps, tmp_path / "a.mov")
    result = probe_file(tmp_path / "a.mov")
    assert (result.video_stream, result.width) == (1, 32)


def test_the_sound_that_is_marked_as_default_is_chosen(tmp_path):
    sources = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1"]
    sources += ["-f", "lavfi", "-i", "sine=r=8000:d=1", "-f", "lavfi", "-i", "sine=r=44100:d=1"]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-ar:a:0", "48000", "-ar:a:1", "44100"]
    for name in ("a.mkv", "a.mp4"):
        for default, rate in ((0, 48000), (1, 44100)):
            marks = [f"-disposition:a:{default}", "default", f"-disposition:a:{1 - default}", "0"]
            run(*sources, *maps, *marks, tmp_path / name)
            result = probe_file(tmp_path / name)
            assert (result.audio_stream, result.audio) == (1 + default, f"{rate} Hz, 1 channels")


def test_a_title_in_another_encoding_is_no_reason_to_refuse_a_file(tmp_path):
    run(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=1",
        "-metadata",
        "title=XYZ",
        tmp_path / "a.avi",
    )
    content = (tmp_path / "a.avi").read_bytes()
    assert content.count(b"XYZ") == 1
    (tmp_path / "a.avi").write_bytes(content.replace(b"XYZ", b"\xfc\xff\xe4"))
    assert probe_file(tmp_path / "a.avi").status == "ok"


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_wmv_that_is_cut_is_truncated_wherever_it_is_cut(tmp_path, share):
    sources = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=4", "-f", "lavfi", "-i", "sine=d=4"]
    run(*sources, tmp_path / "a.wmv")
    content = (tmp_path / "a.wmv").read_bytes()
    assert probe_file(tmp_path / "a.wmv").status == "ok"
    (tmp_path / "cut.wmv").write_bytes(content[: int(len(content) * share)])
    cut = probe_file(tmp_path / "cut.wmv")
    assert cut.status == "truncated"
    assert f"{len(content):,}" in cut.reason


@pytest.mark.parametrize("size", [1, 100_000, 4 << 20, (4 << 20) + 1, 30_000_001])
def test_a_replaced_file_of_the_same_size_has_another_fingerprint(tmp_path, size):
    content = bytearray(os.urandom(size))
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    before = fingerprint_of(path)[0]
    assert before == fingerprint_of(path)[0]
    middle = slice(size * 2 // 5, size * 3 // 5 + 1)  # head and tail stay
    content[middle] = bytes(255 - each for each in content[middle])
    path.write_bytes(content)
    assert fingerprint_of(path)[0] != before


# ---- the stage -----------------------------------------------------------------------------------


def stage(tmp_path: Path, shards: int = 4) -> dict[str, bytes]:
    """List the videos below `tmp_path`/videos; the bytes of every table."""
    dataset = FolderDataset(
        adapter="folder", role="source", shards=shards, folder=tmp_path / "videos"
    )
    list_videos(
        tmp_path / "o/videos.tsv",
        tmp_path / "o/shards",
        dataset,
        ManifestConfig(max_bad_fraction=0.6),
        seed=0,
    )
    return {path.name: path.read_bytes() for path in sorted((tmp_path / "o").rglob("*.tsv"))}


def test_a_replaced_file_changes_its_row_and_one_more_video_changes_one_shard(clip, tmp_path):
    for split in ("train", "test"):
        for i in range(4):
            (tmp_path / f"videos/{split}/a").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"videos/{split}/a/{i}.mp4").write_bytes(
                clip.read_bytes() + f"{split}{i}".encode()
            )
    before = stage(tmp_path)
    assert list(before) == [
        "shard-000.tsv",
        "shard-001.tsv",
        "shard-002.tsv",
        "shard-003.tsv",
        "test-000.tsv",
        "videos.tsv",
    ]
    assert stage(tmp_path) == before
    replaced = tmp_path / "videos/test/a/1.mp4"
    replaced.write_bytes(clip.read_bytes() + b"TEST1")  # as long as it was
    after = stage(tmp_path)
    assert changed(before, after) == {"videos.tsv", "test-000.tsv"}
    (tmp_path / "videos/train/a/new.mp4").write_bytes(clip.read_bytes() + b"new")
    assert changed(after, stage(tmp_path)) == {"videos.tsv", shard_file("train/a/new.mp4")}


def test_fewer_shards_leave_none_of_the_old_ones(clip, tmp_path):
    (tmp_path / "videos/train/a").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "videos/train/a/1.mp4")
    assert len(stage(tmp_path, shards=3)) == 5
    assert list(stage(tmp_path, shards=1)) == ["shard-000.tsv", "test-000.tsv", "videos.tsv"]


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def shard_file(video: str) -> str:
    return f"shard-{shard_of(video, 4):03d}.tsv"


def test_the_same_bytes_twice_count_once_and_bad_files_do_not_stop_the_others(clip, tmp_path):
    folder = tmp_path / "videos/train/a"
    folder.mkdir(parents=True)
    shutil.copy(clip, folder / "1.mp4")
    shutil.copy(clip, folder / "2.mp4")
    middle = len(clip.read_bytes()) // 2
    (folder / "3.mp4").write_bytes(clip.read_bytes() + b"\0")
    (folder / "4.mp4").symlink_to("nowhere")
    (folder / "5.mp4").write_bytes(clip.read_bytes()[:middle])
    stage(tmp_path)
    found = {v.path.name: (v.status, v.reason) for v in read_videos(tmp_path / "o/videos.tsv")}
    assert [status for status, _ in found.values()] == [
        "ok",
        "duplicate",
        "ok",
        "missing",
        "truncated",
    ]
    assert found["2.mp4"][1] == "the same bytes as train/a/1.mp4"
