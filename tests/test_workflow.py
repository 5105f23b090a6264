"""Whole runs of the real workflow on tiny videos.

From nothing to a report, again, and with single artifacts looked into.
"""

import json
import re
import shutil
import zipfile

import h5py
import pytest
import zarr
from workflow_runs import ROOT, TINY, snakemake

from l2l.__main__ import main
from l2l.config import read_config
from l2l.evaluation.artifact import TABLES, read_evaluation_table
from l2l.evaluation.videos.methods import chosen_methods
from l2l.features.artifact import read_features
from l2l.manifest.artifact import read_videos
from l2l.stores import checksum_path, read_table
from l2l.student.artifact import digest_of, load_student
from l2l.tools.inspect import inspect
from l2l.tools.plan.contents import Given, contents_of
from l2l.tools.plan.estimate import estimate
from l2l.tools.plan.rates import Rates
from l2l.tools.predict import predict

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def run(tiny_run):
    """A finished tiny run's working directory."""
    return tiny_run


def test_one_command_goes_from_nothing_to_every_table_and_the_report(run):
    results = run / "results/tiny"
    table1 = read_evaluation_table(results / "evaluation/table1.tsv")
    assert [row["method"] for row in table1] == [method.name for method in chosen_methods(None)]
    assert all(
        0 <= float(row["top1"]) <= 100 and float(row["gmacs_per_video"]) > 0 for row in table1
    )
    clips = read_evaluation_table(results / "evaluation/clips.tsv")
    assert [(row["model"], row["modalities"], row["distilled"]) for row in clips] == [
        ("teacher", "", ""),
        *(("student", m, d) for m in ("image", "audio", "image-audio") for d in ("yes", "no")),
    ]
    ablations = read_evaluation_table(results / "evaluation/ablations.tsv")
    assert len(ablations) == 6
    assert all(0 <= float(row["top1"]) <= 100 for row in ablations)
    recognition = read_evaluation_table(results / "evaluation/recognition.tsv")
    assert [row["model"] for row in recognition] == [
        "skimmer",
        "visual_indexing",
        "single_query",
        "",
    ]
    for table in TABLES:
        rows = read_evaluation_table(results / f"evaluation/{table.name}.tsv")
        # what methods outside the paper's Table 1 pick; the run has none of them
        assert bool(rows) == (table.name != "picks"), table.name
    page = (results / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", ""), "the page must load nothing"
    assert page.count("data:image/jpeg;base64,") >= 2 * 3 * 2
    for table in TABLES:
        # The film strips are under the heading of the selected moments, whose table is not shown.
        assert f"<h2>{table.title}</h2>" in page or not table.in_report
    shown = {row["ablation"] for row in ablations} | {"ours", "visual indexing", "single query"}
    assert [name for name in shown if f'<td class="name">{name}</td>' not in page] == []


def test_no_moment_is_lost_between_the_stages(run):
    results = run / "results/tiny"
    features = read_features(results / "features/untrimmed")
    videos = read_videos(results / "media/untrimmed/videos.tsv")
    assert sorted(features.videos) == sorted(video.video for video in videos)
    for video in videos:
        frames = int(video.duration_seconds * 30 + 1e-6)
        assert (
            abs(features.moments(video.video) - ((frames - 25) // 16 + 1)) <= 1
        )  # 4 pictures, every 8th: 25 frames


def test_the_features_open_with_plain_zarr(run):
    group = zarr.open(run / "results/tiny/features/untrimmed", mode="r")
    assert group.attrs["complete"] is True
    assert group["shard-000/image_feature"].dtype == "float16"


def test_a_second_run_has_nothing_to_do_and_says_so(run):
    again = snakemake(run)
    assert again.returncode == 0
    assert "Nothing to be done" in again.stderr + again.stdout


def test_the_page_on_the_layout_opens_the_stores_as_it_says(run, monkeypatch):
    page = (ROOT / "docs/layout.md").read_text(encoding="utf-8").partition("## Open the stores")[2]
    monkeypatch.chdir(run)
    names: dict = {}
    exec(page.split("```")[1].removeprefix("python").replace("demo", "tiny"), names)
    assert len(names["fused"]) == len(names["has_sound"]) > 0
    assert len(names["videos"]) == len(names["offset"]) - 1


@pytest.mark.long
def test_the_same_seed_gives_the_same_bytes_on_one_core_and_on_two(run, tmp_path):
    assert snakemake(tmp_path, "results/tiny/skimmer/skimmer.pt", cores=1).returncode == 0
    compared = 0
    for file in sorted((tmp_path / "results").rglob("*")):
        other = run / file.relative_to(tmp_path)
        if file.is_file() and ".snakemake" not in file.name and file.suffix != ".sha256":
            text = file.read_bytes().replace(
                bytes(tmp_path), bytes(run)
            )  # tables name the videos' files
            assert text == other.read_bytes(), file
            compared += 1
    assert compared > 60


def test_predict_answers_for_single_files_and_names_what_it_cannot_read(run, tmp_path, capsys):
    good = sorted((run / "results/tiny/videos/untrimmed/test").rglob("*.mp4"))[0]
    bad = tmp_path / "-bad.mp4"
    bad.write_bytes(good.read_bytes()[:1500])
    assert predict([good, bad], run=run / "results/tiny", json=True) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers[0]["label"] in read_features(run / "results/tiny/features/untrimmed").classes
    selected = answers[0]["image_selected_seconds"]
    assert len(selected) == 3  # four steps, the first of which sees the mean
    assert all(0 <= seconds < answers[0]["duration_seconds"] for seconds in selected)
    assert answers[0]["gmacs"] > 0
    assert answers[1]["status"] in ("truncated", "corrupt")
    assert "label" not in answers[1]


def test_predict_says_what_the_evaluation_said(run, capsys):
    rows = read_table(
        run / "results/tiny/evaluation/predictions.tsv",
        ("video", "method", "predicted", "probability"),
    )
    said = {row["video"]: row for row in rows if row["method"] == "ours_dense"}
    video, row = sorted(said.items())[0]
    predict([run / "results/tiny/videos/untrimmed" / video], run=run / "results/tiny", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["label"] == row["predicted"]
    assert answer["probability"] == pytest.approx(
        float(row["probability"]), abs=2e-3
    )  # the store holds half precision


def test_every_real_clip_is_answered_for_or_refused_with_a_reason(run, media, capsys):
    clips = sorted((media / "clips").iterdir())
    predict(clips, run=run / "results/tiny", json=True)
    answers = {a["video"]: a for a in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(answers) == [str(clip) for clip in clips]
    unanswered = {path: answer for path, answer in answers.items() if "label" not in answer}
    assert all(answer["reason"] for answer in unanswered.values())
    assert [path.rpartition("/")[2] for path in unanswered] == ["mmaction2__tests_test.wav"]


def test_inspect_lists_the_videos_of_a_store_and_whether_it_is_complete(run, capsys):
    assert inspect(run / "results/tiny/features/untrimmed", check=True) == 0
    said = capsys.readouterr().out
    assert "features, complete, 22 videos" in said
    assert "test/cross_bouncing/0000.mp4" in said
    assert "every checksum agrees" in said


def weak_spot(file):
    """Where a byte counts in a file.

    Of an HDF5 file or a network in the numbers, for between them there is room.
    """
    if file.suffix == ".h5":
        with h5py.File(file, "r") as store:
            arrays = []
            store.visititems(
                lambda _, item: (
                    arrays.append(item) if isinstance(item, h5py.Dataset) and item.size else None
                )
            )
            return arrays[-1].id.get_chunk_info(0).byte_offset
    content = file.read_bytes()
    if file.suffix == ".pt":
        with zipfile.ZipFile(file) as parts:
            at = max(parts.infolist(), key=lambda part: part.file_size).header_offset
        return (
            at + 30 + sum(int.from_bytes(content[at + i : at + i + 2], "little") for i in (26, 28))
        )
    return len(content) // 2


def test_a_flipped_byte_in_any_artifact_of_a_run_is_reported_by_its_name(run, tmp_path, capsys):
    results = shutil.copytree(run / "results/tiny", tmp_path / "tiny")
    assert {file.suffix for file in results.rglob("[!.]*.*") if file.is_file()} == {
        *(".tsv", ".h5", ".pt", ".html", ".json", ".svg"),
        *(".sha256", ".fingerprint"),  # a checksum, and nothing but a checksum
        ".mp4",  # drawn; the manifest has its fingerprint
        ".txt",  # says that a check passed; nothing is read from it
    }
    store = results / "features/untrimmed"
    for artifact in [
        store,
        *sorted(
            each for each in results.rglob("*.*") if each.suffix in (".tsv", ".h5", ".pt", ".html")
        ),
    ]:
        assert inspect(artifact, check=True) == 0
        assert "every checksum agrees" in capsys.readouterr().out
    looked_at = 0
    for file in sorted(file for file in results.rglob("*") if file.is_file()):
        if file.suffix in (".sha256", ".fingerprint", ".mp4", ".txt") or file.name.startswith("."):
            continue
        artifact = store if file.is_relative_to(store) else file
        content, at = file.read_bytes(), weak_spot(file)
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert main(["inspect", str(artifact), "--check"]) == 1, file
        (line,) = capsys.readouterr().err.splitlines()
        assert str(artifact) in line, file
        file.write_bytes(content)
        looked_at += 1
    assert looked_at > 80


def test_features_say_which_student_made_them(run):
    features = read_features(run / "results/tiny/features/untrimmed")
    students = run / "results/tiny/student/finetuned"
    digests = {path.stem: digest_of(load_student(path)) for path in students.glob("*.pt")}
    assert len(set(digests.values())) == len(digests) == 6
    assert features.provenance["student_digest"] == digests["image-audio-distilled"]


def test_a_plan_states_jobs_files_and_bytes_of_every_stage_before_the_run(run, tmp_path):
    config = read_config(TINY)
    rows = estimate(
        config,
        {name: contents_of(name, each, 1, Given()) for name, each in config.videos.items()},
        Rates(),
    )
    dry = snakemake(tmp_path, "--dry-run")
    jobs = int(re.search(r"^total +(\d+)$", dry.stdout, re.MULTILINE)[1])
    assert sum(row.jobs for row in rows) == pytest.approx(jobs - 1, rel=0.3)  # without `all`
    for row in rows:
        names = [row.stage] if row.stage != "report" else ["report.html", "figures"]
        places = [run / "results/tiny" / name for name in names]
        files = [
            file
            for place in places
            for file in [place, checksum_path(place), *place.rglob("*")]
            if file.is_file()
        ]
        assert row.files == pytest.approx(len(files), rel=0.3), row.stage
        size = sum(file.stat().st_size for file in files)
        assert row.size == pytest.approx(size, rel=0.3), row.stage


def test_snakemakes_own_report_holds_the_page_every_table_with_its_caption_and_the_plots(
    run, tmp_path
):
    made = snakemake(run, "--report", str(tmp_path / "report.zip"))
    assert made.returncode == 0, made.stderr[-3000:]
    with zipfile.ZipFile(tmp_path / "report.zip") as files:
        names = {name.rpartition("/")[2] for name in files.namelist()}
        pages = {name: files.read(name) for name in files.namelist() if name.endswith(".html")}
    assert {f"{table.name}.tsv" for table in TABLES} <= names
    assert {f"{table.name}.svg" for table in TABLES if table.plotted} <= names
    own = (run / "results/tiny/report.html").read_bytes()
    (around,) = (page for page in pages.values() if page != own)
    assert len(pages) == 2
    for table in TABLES:
        assert table.title.encode() in around


def test_no_python_file_of_the_working_directory_is_run_by_a_job(run):
    assert (run / "torch.py").is_file()
    assert not (run / "PWNED").exists(), (run / "PWNED").read_text()
