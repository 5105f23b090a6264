"""Files that are no videos, or not the ones that were listed."""

import itertools
import os

import pytest
from media_files import playlists, run

from l2l.manifest.contents import describe_contents
from l2l.manifest.probe import fingerprint_of, hashed_parts, probe_file, probe_files


def test_what_cannot_be_read_has_a_status_and_a_reason(clip, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.mp4").write_text("<!DOCTYPE html><html>404</html>")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    run("-f", "lavfi", "-i", "sine=d=1", tmp_path / "sound.mp4")
    names = ["empty", "page", "cut", "gone", "loop", "folder", "pipe", "sound", "absent"]
    results = dict(zip(names, probe_files(tmp_path / f"{name}.mp4" for name in names), strict=True))
    assert {name: result.status for name, result in results.items()} == {
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
    assert all(result.reason and "\n" not in result.reason for result in results.values())
    assert "a link to a file" in results["gone"].reason
    assert "HTML" in results["page"].reason
    assert results["sound"].audio == "44100 Hz, 1 channels"


def test_a_playlist_is_not_followed(clip, tmp_path):
    lists = playlists(tmp_path, clip)
    run("-i", lists[1], "-f", "null", "-")  # ffmpeg by itself would
    for result in probe_files(lists):
        assert result.status in ("refused", "corrupt")
        assert result.video_stream == -1


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


@pytest.mark.parametrize("size", [(4 << 20) + 1, 20_000_001, 3 << 30])
def test_of_a_large_file_no_part_of_a_mebibyte_or_a_thousandth_is_left_out(size):
    parts = sorted((start, start + length) for start, length in hashed_parts(size))
    gaps = [start - end for (_, end), (start, _) in itertools.pairwise(parts)]
    assert parts[0][0] == 0
    assert max(end for _, end in parts) >= size
    assert max(gaps) < max(1 << 20, size // 1000)
    assert sum(end - start for start, end in parts) <= 9 << 20
