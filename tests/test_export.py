"""A finished run as one file: it answers as the run's folder does, and is read strictly."""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from media_files import make_video
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from untrained_run import add_one_look, make_run

import l2l
from l2l.__main__ import main
from l2l.apply.artifact import prediction_values
from l2l.apply.exported import KEY, read_exported, read_header
from l2l.apply.run import files_of_run
from l2l.apply.stage import apply_videos, collect_predictions, write_predictions_page
from l2l.config import ApplyConfig, FeaturesConfig, ManifestConfig, read_config
from l2l.datasets import FolderDataset
from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME, write_evaluation_table
from l2l.manifest.stage import list_videos
from l2l.run_record import update_record
from l2l.training import load_network

TINY = Path(__file__).parents[1] / "workflow/configs/tiny.yaml"
NUMBERS = {column.name: "1" for column in BY_NAME["table1"].columns}
SCORES = [{**NUMBERS, "method": "ours_dense", "top1": "60.0", "map": "70.0"}]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run with a one look and a Table 1."""
    folder = make_run(tmp_path_factory.mktemp("finished") / "run")
    add_one_look(folder)
    update_record(folder, read_config(TINY))
    write_evaluation_table(folder / "evaluation/table1.tsv", "table1", SCORES)
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "run.safetensors"
    assert main(["export", str(run), str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "heard.mp4", 6.1, sound="0.3*sin(700*t)*sin(3*t)")
    make_video(folder / "mute.mp4", 3.0)
    (folder / "not.mp4").write_text("no video")
    return folder


def test_an_exported_run_becomes_the_folder_of_a_run_again(run, exported, tmp_path, capsys):
    folder = tmp_path / "results/imported"
    assert main(["import_checkpoint", str(exported), str(folder)]) == 0
    assert (folder / "config.json").read_bytes() == (run / "config.json").read_bytes()
    kinds = {"student/finetuned/image-audio-distilled.pt": "student"}
    for name, kind in (
        kinds | dict.fromkeys(["skimmer/skimmer.pt", "skimmer/one_look.pt"], "skimmer")
    ).items():
        before, after = (load_network(each / name, kind) for each in (run, folder))
        assert before[0] == after[0]
        torch.testing.assert_close(before[1], after[1], rtol=0, atol=0)
    assert main(["export", str(folder), str(tmp_path / "again.safetensors")]) == 0
    assert main(["import_checkpoint", str(exported), str(folder)]) == 1
    assert f"{folder}: exists and is not replaced" in capsys.readouterr().err
    (tmp_path / "cut.safetensors").write_bytes(exported.read_bytes()[:-9])
    assert main(["import_checkpoint", str(tmp_path / "cut.safetensors"), str(tmp_path / "no")]) == 1
    assert "expected a file that `l2l export` wrote" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("method", ["ours", "one_look"])
def test_the_file_answers_as_the_folder_does(run, exported, videos, method):
    paths = sorted(videos.iterdir())
    answers = [
        [
            json.dumps(prediction_values(each))
            for each in l2l.load(source, threads=1, method=method).predict_many(paths, factor=2)
        ]
        for source in (run, exported)
    ]
    assert len(answers[0]) == 3
    assert answers[0] == answers[1]


def test_predict_prints_the_same_with_either(run, exported, videos, capsys):
    printed = []
    for source in (run, exported):
        words = ["predict", str(videos / "heard.mp4"), "--run", str(source), "--json"]
        assert main([*words, "--threads", "1"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != ""


def test_a_data_set_is_answered_with_the_same_bytes(run, exported, videos, tmp_path):
    dataset = FolderDataset(adapter="folder", role="apply", folder=videos, shards=1)
    tables = tmp_path / "shards"
    list_videos(tmp_path / "videos.tsv", tables, dataset, ManifestConfig(), seed=0)
    config = ApplyConfig(film_strips=1, pictures=2)
    (table,) = tables.glob("*.tsv")
    for name, source in (("folder", run), ("file", exported)):
        out = tmp_path / name
        apply_videos(table, source, out / "shard-000.jsonl", config, FeaturesConfig())
        shards = [out / "shard-000.jsonl"]
        collect_predictions(shards, tmp_path / "videos.tsv", out / "p.tsv", out / "m.jsonl", config)
        write_predictions_page(shards, tmp_path / "videos.tsv", source, out / "r.html", config)
    for file in ("shard-000.jsonl", "p.tsv", "m.jsonl"):
        assert (tmp_path / "folder" / file).read_bytes() == (tmp_path / "file" / file).read_bytes()
    assert "data:image/jpeg" in (tmp_path / "file/r.html").read_text()


def test_it_holds_the_networks_and_what_made_them(run, exported, tmp_path):
    header, networks = read_header(exported), read_exported(exported)
    files = {
        "student": run / "student/finetuned/image-audio-distilled.pt",
        "skimmer": run / "skimmer/skimmer.pt",
        "one_look": run / "skimmer/one_look.pt",
    }
    assert networks.keys() == header["settings"].keys() == files.keys()
    for name, path in files.items():
        settings, state = load_network(path, "student" if name == "student" else "skimmer")
        assert json.dumps(networks[name][0]) == json.dumps(settings)  # the order counts, too
        assert networks[name][1].keys() == state.keys()
        assert all(torch.equal(networks[name][1][key], state[key]) for key in state)
    assert header["run"] == "run"
    assert header["config"] == json.loads((run / "config.json").read_text())
    assert [row["method"] for row in header["scores"]] == ["ours_dense"]
    assert any("untrimmed (adapter demo" in note for note in header["licences"])
    again = tmp_path / "again.safetensors"
    assert main(["export", str(run), str(again)]) == 0
    assert again.read_bytes() == exported.read_bytes()


def test_what_snakemake_watches_is_the_one_file(run, exported):
    assert files_of_run(exported, "one_look") == [exported]
    assert run / "skimmer/one_look.pt" in files_of_run(run, "one_look")


def test_inspect_describes_it(exported, capsys):
    assert main(["inspect", str(exported), "--check"]) == 0
    printed = capsys.readouterr().out
    for part in (
        "the run run, exported, complete",
        "ours_dense: top-1 60.0 %",
        "licence: ",
        "every checksum agrees",
    ):
        assert part in printed


# ---- what is refused -----------------------------------------------------------------------------


def with_header(exported: Path, path: Path, **changes: object) -> Path:
    """The file with keys of its header changed."""
    header = read_header(exported) | changes
    save_file(load_file(exported), path, {KEY: json.dumps(header)})
    return path


def cut(exported: Path, path: Path) -> Path:
    path.write_bytes(exported.read_bytes()[:-100])
    return path


def empty(exported: Path, path: Path) -> Path:
    path.touch()
    return path


def foreign(exported: Path, path: Path) -> Path:
    save_file(load_file(exported), path, {"format": "pt"})
    return path


def text(exported: Path, path: Path) -> Path:
    path.write_text("a run\n" * 100)
    return path


def huge_header(exported: Path, path: Path) -> Path:
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    return path


def flipped(exported: Path, path: Path) -> Path:
    content = bytearray(exported.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    return path


def not_finite(exported: Path, path: Path) -> Path:
    """With a checksum that agrees."""
    from l2l.apply import exported as module

    tensors, header = load_file(exported), read_header(exported)
    tensors["skimmer.classifier.bias"][0] = torch.nan
    header["sha256"] = module._digest(header, tensors)
    save_file(tensors, path, {KEY: json.dumps(header)})
    return path


REFUSED = {
    "cut": (cut, "cannot be read (Error while deserializing header"),
    "empty": (empty, "cannot be read ("),
    "text": (text, "cannot be read ("),
    "huge_header": (huge_header, "cannot be read ("),
    "foreign": (foreign, "found safetensors that l2l did not write"),
    "flipped": (flipped, "damaged (its checksum does not agree)"),
    "not_finite": (not_finite, "skimmer.classifier.bias holds numbers that are not finite"),
    "layout": (lambda e, p: with_header(e, p, layout=2), "found layout 2 of 'run', expected"),
    "kind": (lambda e, p: with_header(e, p, kind="store"), "found layout 1 of 'store', expected"),
    "settings": (lambda e, p: with_header(e, p, settings={"student": {}}), "damaged (ValueError"),
    "scores": (lambda e, p: with_header(e, p, scores=[1]), "damaged (TypeError"),
    "run": (lambda e, p: with_header(e, p, run="other"), "damaged (its checksum does not agree)"),
}


@pytest.mark.parametrize("damage", REFUSED)
def test_another_or_a_damaged_file_is_one_line(exported, tmp_path, videos, damage, capsys):
    make, line = REFUSED[damage]
    path = make(exported, tmp_path / "f.safetensors")
    with pytest.raises(BadInput) as refused:
        l2l.load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert line in str(refused.value)
    assert main(["predict", str(videos / "mute.mp4"), "--run", str(path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["inspect", str(path), "--check"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_student_in_it_is_refused(exported, tmp_path):
    from l2l.apply import exported as module

    tensors, header = load_file(exported), read_header(exported)
    tensors["student.classifier.bias"] += 1
    header["sha256"] = module._digest(header, tensors)
    save_file(tensors, tmp_path / "f.safetensors", {KEY: json.dumps(header)})
    with pytest.raises(BadInput, match="trained for another student"):
        l2l.load(tmp_path / "f.safetensors")


def test_an_export_needs_a_finished_run_and_replaces_no_file(run, exported, tmp_path, capsys):
    before = exported.read_bytes()
    bare = make_run(tmp_path / "bare")
    for words, line in (
        ((run, exported), f"{exported}: exists and is not replaced"),
        ((exported, tmp_path / "f"), f"{exported}: found a file, expected the folder"),
        ((tmp_path / "no", tmp_path / "f"), "no: no such folder"),
        ((bare, tmp_path / "f"), "bare/config.json: no such file"),
    ):
        assert main(["export", *map(str, words)]) == 1
        (printed,) = capsys.readouterr().err.splitlines()
        assert line in printed
    assert exported.read_bytes() == before
    assert not (tmp_path / "f").exists()


def test_a_run_without_one_look_or_scores_is_exported_and_says_so(tmp_path, videos, capsys):
    bare = make_run(tmp_path / "bare")
    update_record(bare, read_config(TINY))
    file = tmp_path / "bare.safetensors"
    assert main(["export", str(bare), str(file)]) == 0
    printed = capsys.readouterr()
    assert f"{file}: student, skimmer of {bare}" in printed.out
    assert "evaluation/table1.tsv: no such file, so the file has no scores" in printed.err
    asked = ["predict", str(videos / "mute.mp4"), "--run", str(file), "--method", "one_look"]
    assert main(asked) == 1
    assert "found no one look (no one_look among its networks)" in capsys.readouterr().err
    with safe_open(file, "pt") as tensors:
        assert not any(name.startswith("one_look") for name in tensors.keys())  # noqa: SIM118
    other = tmp_path / "other"
    shutil.copytree(bare, other)
    make_student_another(other)
    assert main(["export", str(other), str(tmp_path / "f")]) == 1
    assert "trained for another student" in capsys.readouterr().err


def make_student_another(folder: Path) -> None:
    path = folder / "student/finetuned/image-audio-distilled.pt"
    saved = torch.load(path, weights_only=True)
    saved["state"]["classifier.bias"] += 1
    torch.save(saved, path)


def test_its_header_is_read_without_torch(exported):
    program = (
        "import sys; from pathlib import Path; from l2l.apply.run import files_of_run; "
        f"files_of_run(Path({str(exported)!r})); print('torch' in sys.modules, len(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.split()[0] == "False", ran.stderr
