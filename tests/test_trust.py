"""What is on disk is believed only where it is whole.

Flipped bytes, full and read-only disks, stores of another table.
"""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from inspect import signature
from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from kills import smallest
from workflow_runs import environment, snakemake, snakemake_argv

from l2l.__main__ import main
from l2l.config import EvaluationConfig, MediaConfig, MelsConfig, MotionConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME
from l2l.evaluation.inputs import load_trained
from l2l.evaluation.variants.stage import evaluate_variants
from l2l.evaluation.videos.stage import evaluate_tradeoff, evaluate_videos
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.manifest.artifact import Video, read_videos, write_videos
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import read_mels, write_mels
from l2l.motion.artifact import Motion, read_motion, write_motion
from l2l.reference.stage import score
from l2l.shards import check_videos, read_shards
from l2l.skimmer.artifact import load_skimmer, save_skimmer
from l2l.skimmer.stage import train_skimmer
from l2l.stores import checksum_path, remove, write_table, write_text
from l2l.student.artifact import digest_of, load_student
from l2l.teacher.artifact import ClipDescriptors, read_descriptors, write_descriptors
from l2l.teacher.network import R2Plus1D
from l2l.tools.inspect import inspect
from l2l.tools.predict import predict
from l2l.training import load_network, save_network

MEDIA = MediaConfig(resize_pixels=(32, 40), frame_pixels=32)
VIDEOS = [Video(f"test/a/{name}.mp4", f"{name}.mp4", "test", ("a", "b")) for name in ("one", "twö")]
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 32, 32, 3), np.uint8)
SOUND = RNG.integers(-9999, 9999, 30_000, np.int16)
MEL, HEARD = RNG.normal(size=(3, 101, 40)).astype(np.float16), np.array([True, False, True])
FEATURES = VideoFeatures(
    {"image": np.full((3, 8), 0.5, "f4")},
    RNG.normal(size=(3, 6)).astype("f2").astype("f4"),
    np.ones((3, 2), "f4"),
    HEARD,
)
DESCRIBED = ClipDescriptors(
    np.arange(3, dtype=np.int32), RNG.normal(size=(3, 4)).astype("f2"), np.ones((3, 2), "f2")
)


def write_a_media(path: Path) -> None:
    with write_media(path, MEDIA, clips_stored=False) as writer:
        for video in VIDEOS:
            writer.add(
                video,
                Decoded(
                    "ok",
                    "",
                    63,
                    16,
                    EncodedPictures.from_array(PICTURES),
                    SOUND,
                    np.array([[0, 30_000]]),
                ),
            )


def read_a_media(path: Path) -> list:
    with read_media(path) as media:
        found = [media.config, media.clips_stored, media.statuses, media.videos]
        for video in media.videos:
            frames = [media.frame(video, k) for k in range(media.moments(video))]
            found += [
                *frames,
                media.waveform(video),
                media.has_sound(video),
                media.grid_frames(video),
            ]
        return found


def write_some_mels(path: Path) -> None:
    write_mels(path, {video.video: (MEL, HEARD) for video in VIDEOS}, MelsConfig(), (101, 40))


def read_some_mels(path: Path) -> list:
    with read_mels(path) as mels:
        return [
            mels.config,
            mels.videos,
            *(mels.mels(v) for v in mels.videos),
            *(mels.has_sound(v) for v in mels.videos),
        ]


def write_some_motion(path: Path) -> None:
    rng, section = np.random.default_rng(1), MotionConfig(pixels=64)
    with write_motion(path, section, MEDIA) as writer:
        for video in VIDEOS:
            writer.add(
                video.video,
                Motion(
                    rng.integers(-9, 9, (40, 2, 4, 4), np.int8),
                    rng.integers(-9, 9, (40, 3, 4, 4), np.int8),
                    (np.arange(40) % 12).astype(np.uint8),
                ),
            )


def read_some_motion(path: Path) -> list:
    with read_motion(path) as reader:
        arrays = [array for video in reader.videos for array in reader.motion(video)]
        return [reader.config, reader.media, reader.videos, *arrays]


def write_some_descriptors(path: Path) -> None:
    write_descriptors(
        path,
        {video.video: DESCRIBED for video in VIDEOS},
        R2Plus1D(2, (2, 2, 2, 4), (1, 1, 1, 1)),
        ["a", "b"],
    )


def read_some_descriptors(path: Path) -> list:
    with read_descriptors(path) as shard:
        parts = [shard.described(video) for video in shard.videos]
        return [
            shard.class_names,
            shard.videos,
            *(x for p in parts for x in (p.moments, p.descriptors, p.scores)),
        ]


def write_some_features(path: Path) -> None:
    write_features(
        path / "shard-000",
        [(video.video, FEATURES) for video in VIDEOS],
        ("a", "b"),
        "float16",
        4,
        {"made": "here"},
    )
    complete_root(path, [path / "shard-000"])


def read_some_features(path: Path) -> list:
    bank = read_features(path)
    parts = [bank.load(video) for video in bank.videos]
    found = [x for p in parts for x in (p.features["image"], p.fused, p.scores, p.has_sound)]
    return [bank.classes, bank.videos, bank.provenance, *found]


def write_a_network(path: Path) -> None:
    torch.manual_seed(0)
    save_network(path, "line", torch.nn.Linear(3000, 3), {"width": 3000})


def read_a_network(path: Path) -> list:
    settings, state = load_network(path, "line")
    return [settings, *(value.numpy() for value in state.values())]


STORES: dict[str, tuple[Callable[[Path], None], Callable[[Path], list]]] = {
    "media.h5": (write_a_media, read_a_media),
    "mels.h5": (write_some_mels, read_some_mels),
    "motion.h5": (write_some_motion, read_some_motion),
    "descriptors.h5": (write_some_descriptors, read_some_descriptors),
    "features": (write_some_features, read_some_features),
    "network.pt": (write_a_network, read_a_network),
}


def same(one: list, other: list) -> bool:
    pairs = zip(one, other, strict=True)
    return len(one) == len(other) and all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b
        for a, b in pairs
    )


@pytest.mark.parametrize("name", STORES)
def test_a_flipped_byte_is_noticed_or_changes_nothing(tmp_path, name):
    write, read = STORES[name]
    write(tmp_path / name)
    whole = read(tmp_path / name)
    files = sorted(
        path for path in [tmp_path / name, *(tmp_path / name).rglob("*")] if path.is_file()
    )
    draw, messages = random.Random(0), []
    for _ in range(150):
        path = draw.choice(files)
        content = path.read_bytes()
        at = draw.randrange(len(content))
        path.write_bytes(
            content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
        )
        try:
            assert same(read(tmp_path / name), whole), (path.name, at)
        except BadInput as error:
            messages.append(str(error))
        path.write_bytes(content)
    assert len(messages) > 50
    assert all(name in each and "\n" not in each for each in messages)


def test_a_flipped_letter_of_an_id_or_a_setting_is_noticed(tmp_path):
    """Text on a heap would have no checksum."""
    for name, word in (
        ("mels.h5", b"test/a/one"),
        ("descriptors.h5", b"test/a/one"),
        ("media.h5", b"jpeg_quality"),
    ):
        STORES[name][0](tmp_path / name)
        content = (tmp_path / name).read_bytes()
        assert content.count(word) == 1
        (tmp_path / name).write_bytes(content.replace(word, word[:-1] + b"X"))
        with pytest.raises(BadInput, match=name):
            STORES[name][1](tmp_path / name)


# ---- stores and tables that do not belong together -----------------------------------------------


def test_a_shard_of_other_videos_than_the_tables_is_refused(tmp_path):
    write_some_mels(tmp_path / "mels.h5")
    ids = {video.video for video in VIDEOS}
    with read_shards([tmp_path / "mels.h5"], read_mels, ids) as shards:
        assert set(shards) == ids
    for wanted, message in (
        (ids | {"x"}, "2 videos, without 'x'"),
        (ids - {"test/a/one.mp4"}, "with 'test/a/one.mp4'"),
    ):
        with (
            pytest.raises(BadInput, match=message),
            read_shards([tmp_path / "mels.h5"], read_mels, wanted),
        ):
            pass
    with (
        pytest.raises(BadInput, match="with"),
        read_shards([tmp_path / "mels.h5"] * 2, read_mels, ids),
    ):
        pass  # a video in two shards
    check_videos(tmp_path, ids, ids)


def test_features_of_two_students_do_not_become_one_set(tmp_path):
    shards = [tmp_path / f"shard-{i:03d}" for i in range(3)]

    def write(i: int, **made_with: object) -> None:
        write_features(shards[i], [(f"v{i}", FEATURES)], ("a", "b"), "float16", 4, made_with)

    write(0, student="s", student_digest="1")
    write(1, student="s", student_digest="1")
    write(2, student="s", student_digest="1")
    complete_root(tmp_path, shards)
    assert read_features(tmp_path).provenance == {"student": "s", "student_digest": "1"}
    for other in (
        {"student": "s", "student_digest": "2"},
        {"student": "t", "student_digest": "1"},
        {},
    ):
        write(2, **other)
        for use in (lambda: complete_root(tmp_path, shards), lambda: read_features(tmp_path)):
            with pytest.raises(
                BadInput, match=r"shard-002: made with another student than .*shard-000"
            ):
                use()


def test_another_student_than_the_one_that_made_the_features_is_refused(tmp_path):
    """Of the same sizes, classes and settings: only its numbers are others."""
    world = feature_world.make_world(tmp_path, 4, 2, 2)
    student = load_student(world.student)
    with torch.no_grad():
        student.fusion.fc1.bias[0] += 1e-3
    save_network(tmp_path / "other.pt", "student", student, student.settings)
    given = {"student": tmp_path / "other.pt", "videos": world.videos, "features": world.features}
    others: dict[Callable[..., None], dict[str, object]] = {
        train_skimmer: {"config": feature_world.SKIMMER, "model": "skimmer", "seed": 0},
        evaluate_videos: {"trained": [], "config": EvaluationConfig(), "seed": 0},
        evaluate_tradeoff: {"dataset": "made up"},
        evaluate_variants: {"skimmers": []},
    }
    for stage, options in others.items():
        needed = [p.name for p in signature(stage).parameters.values() if p.default is p.empty]
        with pytest.raises(
            BadInput, match=r"features: made with another student than .*other\.pt"
        ) as error:
            stage(**dict.fromkeys(needed, Path("nowhere")) | options | given)
        assert "\n" not in str(error.value)
    read_features(world.features).check_student(
        world.student, digest_of(load_student(world.student))
    )
    write_some_features(tmp_path / "imported")  # whose maker is not known
    read_features(tmp_path / "imported").check_student(tmp_path / "other.pt", digest_of(student))


def test_a_skimmer_is_refused_beside_another_student_than_it_was_fitted_for(tmp_path):
    world = feature_world.make_world(tmp_path, 4, 2, 2)
    run, bank = tmp_path / "run", read_features(world.features)
    path, student = run / "skimmer/skimmer.pt", run / "student/finetuned/image-audio-distilled.pt"
    for file in (path, student):
        file.parent.mkdir(parents=True)
    shutil.copy(world.student, student)
    train_skimmer(
        world.student, world.videos, world.features, path, feature_world.SKIMMER, "skimmer", 0
    )
    trained = load_skimmer(path)
    assert trained.student_digest == bank.student_digest == digest_of(load_student(student))
    uses = {
        world.features: (
            lambda: load_trained(path, bank),
            lambda: score(path, world.features, tmp_path / "scores.tsv"),
        ),
        student: (lambda: predict([], run=run),),
    }
    for digest in (trained.student_digest, "", "0123456789abcdef"):
        widths = trained.network.widths
        save_skimmer(path, replace(trained, student_digest=digest), widths, feature_world.SKIMMER)
        for other, users in uses.items():
            message = (
                f"skimmer.pt: trained for another student than that of {re.escape(str(other))}"
            )
            for use in users:
                with (
                    pytest.raises(BadInput, match=message)
                    if digest.startswith("0123")
                    else nullcontext()
                ):
                    use()


# ---- inspect -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STORES)
def test_inspect_tells_what_a_store_is_and_what_made_it_and_compares_every_checksum(
    tmp_path, name, capsys
):
    STORES[name][0](tmp_path / name)
    assert inspect(tmp_path / name, check=True) == 0
    said = capsys.readouterr().out
    kind = {"network.pt": "line"}.get(name, name.removesuffix(".h5"))
    assert f"{name}: {kind}, complete" in said
    assert "made" in said
    assert "every checksum agrees" in said
    shard = tmp_path / name / "shard-000"
    if shard.exists():
        assert inspect(shard) == 0
        assert "2 videos, 6 moments" in capsys.readouterr().out


@pytest.mark.parametrize("check", [True, False])
def test_inspect_refuses_features_of_which_zarr_cannot_read_an_array(tmp_path, check):
    write_some_features(tmp_path / "features")
    said = tmp_path / "features/shard-000/image_feature/zarr.json"
    said.write_bytes(b"!" + said.read_bytes()[1:])
    with pytest.raises(BadInput, match=r"features.*: damaged"):
        inspect(tmp_path / "features", check)


def test_inspect_tells_nobody_to_delete_a_folder_that_is_no_store(tmp_path):
    (tmp_path / "precious.mp4").touch()
    with pytest.raises(BadInput, match=r"a folder without zarr\.json") as caught:
        inspect(tmp_path)
    assert "delete" not in str(caught.value)


def test_inspect_takes_no_empty_file_for_a_table(tmp_path, capsys):
    (tmp_path / "t.tsv").touch()
    with pytest.raises(BadInput, match=r"t\.tsv: it is empty"):
        inspect(tmp_path / "t.tsv")
    write_table(tmp_path / "t.tsv", ("one", "other"), [])
    assert inspect(tmp_path / "t.tsv", check=True) == 0
    assert "a table with the columns one, other, complete, 0 rows" in capsys.readouterr().out


def test_inspect_tells_of_tables_and_reports(tmp_path, capsys):
    write_videos(tmp_path / "videos.tsv", VIDEOS)
    assert inspect(tmp_path / "videos.tsv", check=True) == 0
    assert "2 rows" in (said := capsys.readouterr().out)
    assert "status: 2 ok" in said
    row = {**dict.fromkeys(BY_NAME["table1"].column_names, "1.5"), "method": "random"}
    write_table(tmp_path / "table1.tsv", BY_NAME["table1"].column_names, [row])
    assert inspect(tmp_path / "table1.tsv", check=True) == 0
    assert "(Table 1), by evaluate_videos, complete, 1 rows" in capsys.readouterr().out
    write_table(tmp_path / "table1.tsv", BY_NAME["table1"].column_names, [row | {"map": "nan"}])
    assert main(["inspect", str(tmp_path / "table1.tsv"), "--check"]) == 1
    assert "row 1: map is 'nan'" in capsys.readouterr().err
    page = '<html><meta name="generator" content="l2l 9"></html>\n'
    for content, status in ((page, 0), (page[:-8], 1)):
        write_text(tmp_path / "report.html", content)
        assert inspect(tmp_path / "report.html") == status
        assert "made_by: l2l 9" in capsys.readouterr().out


PLAIN: dict[str, Callable[[Path], None]] = {
    "videos.tsv": lambda path: write_videos(path, VIDEOS),
    "table1.tsv": lambda path: write_table(
        path, BY_NAME["table1"].column_names, [dict.fromkeys(BY_NAME["table1"].column_names, "1.5")]
    ),
    "empty.tsv": lambda path: write_table(path, BY_NAME["clips"].column_names, []),
    "report.html": lambda path: write_text(
        path, '<html><meta name="generator" content="l2l 9">Ü</html>\n'
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_any_flipped_byte_of_a_table_or_page_is_told_with_its_cure(tmp_path, name, capsys):
    path = tmp_path / name
    PLAIN[name](path)
    assert inspect(path, check=True) == 0
    assert "every checksum agrees" in capsys.readouterr().out
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert main(["inspect", str(path), "--check"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{name}: not as l2l wrote it" in line
        assert line.endswith(
            "run snakemake again, or, if you changed it and want to keep the change, delete "
            f"{name}.sha256"
        )
    checksum_path(path).unlink()
    path.write_bytes(whole)
    assert inspect(path, check=True) == 0
    assert f"there is no {name}.sha256" in capsys.readouterr().out


@pytest.mark.parametrize("name", PLAIN)
def test_the_checksum_beside_a_table_is_one_that_other_programs_compare(tmp_path, name):
    PLAIN[name](tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == [name, f"{name}.sha256"]
    compare = ["sha256sum", "--check", "--strict", f"{name}.sha256"]
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum here")
    assert subprocess.run(compare, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    remove(tmp_path / name)
    remove(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_table_cut_short_is_refused(tmp_path):
    write_videos(tmp_path / "videos.tsv", VIDEOS)
    whole = (tmp_path / "videos.tsv").read_bytes()
    (tmp_path / "videos.tsv").write_bytes(whole[: whole.rindex(b"\t")])
    with pytest.raises(BadInput, match=r"videos\.tsv: .*checksum does not agree"):
        read_videos(tmp_path / "videos.tsv")


# ---- disks ---------------------------------------------------------------------------------------


@contextmanager
def mounted(at: Path, size: str) -> Iterator[Path]:
    """A disk of this size."""
    at.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "l2l-test", str(at)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("a small disk can only be mounted by root, where the system lets it")
    try:
        yield at
    finally:
        subprocess.run(
            ["umount", "--lazy", str(at)], check=True
        )  # where a test failed, something may still run there


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A disk of 16 kB."""
    with mounted(tmp_path / "disk", "16k") as at:
        yield at


def remount(at: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(at)], check=True)


def write_a_long_table(path: Path) -> None:
    write_videos(path, VIDEOS * 1000)


WRITERS = {name: write for name, (write, _) in STORES.items()} | {"videos.tsv": write_a_long_table}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_in_a_line_and_the_rerun_completes(disk, name):
    remount(disk, "size=4k" if name in ("features", "descriptors.h5") else "size=16k")
    with pytest.raises(
        BadInput, match=rf"{name}.*: cannot be written \(No space left on device\)"
    ) as error:
        WRITERS[name](disk / name)
    assert "\n" not in str(error.value)
    assert [path for path in disk.rglob("*") if path.is_file()] == []
    remount(disk, "size=4m")
    WRITERS[name](disk / name)
    if name in STORES:
        STORES[name][1](disk / name)


@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_folder_is_told_in_a_line_and_the_rerun_completes(disk, name):
    remount(disk, "size=4m,ro")
    with pytest.raises(BadInput, match=rf"{name}.*: cannot be written \(Read-only file system\)"):
        WRITERS[name](disk / name)
    remount(disk, "rw")
    WRITERS[name](disk / name)


def test_what_the_system_refuses_is_one_line_of_the_command(tmp_path, capsys):
    write_videos(tmp_path / "videos.tsv", VIDEOS)
    (tmp_path / "file").touch()
    assert (
        main(["check", str(tmp_path / "videos.tsv"), "--tsv", str(tmp_path / "file/out.tsv")]) == 1
    )
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("l2l check: ")
    assert "file/out.tsv: cannot be written (" in said[-1]


MOST_FILES = 110  # of the smallest run, before its last tables
FULL, CLOSED = "No space left on device", "Read-only file system"


def files_below(folder: Path) -> int:
    """How many files there are by now.

    Folders may come and go meanwhile, which os.walk, unlike rglob, takes as it comes.
    """
    return sum(len(files) for _, _, files in os.walk(folder))


def shut(at: Path, how: str) -> None:
    """Fill a disk, or take away the permission to write to it, once nothing is open there."""
    while True:
        used = subprocess.run(
            ["du", "--summarize", "--block-size=4096", str(at)],
            capture_output=True,
            text=True,
            check=False,
        )
        options = f"nr_blocks={used.stdout.split()[0]}" if how == FULL else "ro"
        if (
            subprocess.run(
                ["mount", "-o", f"remount,{options}", str(at)], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return


@pytest.mark.kills
@pytest.mark.workflow
def test_a_run_whose_disk_fills_or_turns_read_only_says_where_and_a_rerun_completes(tmp_path):
    """At random places all along a run, chosen by the count of files it has left by then."""
    config, run, rng = smallest(tmp_path / "small.yaml"), tmp_path / "run", random.Random(5)
    with mounted(run / "results", "64m") as results:
        for number, files in enumerate([*sorted(rng.sample(range(1, MOST_FILES), 4)), None]):
            how = (FULL, CLOSED)[number % 2]
            with open(tmp_path / "said", "w+", encoding="utf-8") as said:
                argv = snakemake_argv(run, configfile=config)
                process = subprocess.Popen(
                    argv, stdout=said, stderr=subprocess.STDOUT, env=environment()
                )
                while files and process.poll() is None and files_below(results) < files:
                    time.sleep(0.02)
                if files and process.poll() is None:
                    shut(results, how)
                if how == CLOSED and process.wait():
                    again = snakemake(run, configfile=config)
                    assert again.returncode == 1
                    assert re.search(
                        f"{results}: cannot be written|Write-protected output files",
                        again.stderr,
                    )
                    assert "Traceback" not in again.stderr
                status = process.wait()
                said.seek(0)
                lines = said.read().splitlines()
            subprocess.run(["mount", "-o", "remount,rw,nr_blocks=16384", str(results)], check=True)
            if status == 0:  # the last run; or one whose rest fits where old results were
                break
            assert status == 1, (files, lines[-40:])
            reported = [line for line in lines if how in line]
            assert reported, (files, lines[-40:])
            ours = [
                line for line in reported if not line.startswith("OSError: ")
            ]  # which Snakemake may meet before any job does
            assert all("results/small/" in line for line in ours), (files, reported)
            assert not any("/l2l/" in line for line in lines if line.startswith('  File "')), (
                files,
                lines,
            )
        assert number >= 2, "closed at least twice"
        artifacts = [
            path for path in results.rglob("*") if path.suffix in (".tsv", ".h5", ".pt", ".html")
        ]
        assert len(artifacts) > 40
        assert [
            inspect(path, check=True) for path in (*artifacts, results / "small/features/all")
        ] == [0] * (len(artifacts) + 1)
        assert not list(results.rglob("*.part"))
