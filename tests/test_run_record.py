"""The configuration that made a run is kept in its folder and compared at each start."""

import json
import shutil
from pathlib import Path

import pytest
from workflow_runs import TINY, snakemake, tiny_with

from l2l.config import read_config
from l2l.errors import BadInput
from l2l.jobs.leftovers import CHECKS, RECORD
from l2l.jobs.leftovers import METADATA as METADATA_FOLDER
from l2l.run_record import update_record
from l2l.stores import write_text

METADATA = Path(METADATA_FOLDER)
CONFIG = read_config(TINY)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run that Snakemake knows."""
    monkeypatch.chdir(tmp_path)
    METADATA.mkdir(parents=True)
    (METADATA / "job").touch()
    folder = tmp_path / "results/tiny"
    assert update_record(folder, CONFIG) == ""
    (folder / "manifest.tsv").touch()
    return folder


def test_the_record_holds_the_configuration_and_stays_as_it_is(folder):
    before = (folder / RECORD).stat()
    assert json.loads((folder / RECORD).read_text()) == CONFIG.model_dump(
        mode="json", exclude={"apply"}
    )
    assert update_record(folder, CONFIG) == ""
    assert (folder / RECORD).stat().st_mtime_ns == before.st_mtime_ns


def test_sections_that_differ_are_named_once(folder):
    changed = CONFIG.model_copy(update={"seed": 99, "mels": CONFIG.mels.model_copy()})
    line = update_record(folder, changed)
    assert "results/tiny: made with another seed;" in line
    assert update_record(folder, changed) == ""


def test_moved_results_are_noticed_and_refused_with_another_configuration(folder, tmp_path):
    shutil.rmtree(tmp_path / ".snakemake")
    assert not CHECKS["moved results"](tmp_path)[1]
    assert "kept as they are" in update_record(folder, CONFIG)
    with pytest.raises(BadInput, match=r"results/tiny: .*another seed; .*move \.snakemake"):
        update_record(folder, CONFIG.model_copy(update={"seed": 99}))
    METADATA.mkdir(parents=True)
    (METADATA / "job").touch()
    assert CHECKS["moved results"](tmp_path)[1]


def test_a_start_that_made_nothing_leaves_the_next_one_free(folder, tmp_path):
    shutil.rmtree(tmp_path / ".snakemake")
    (folder / "manifest.tsv").rename(folder / ".manifest.tsv.abcdefgh.part")
    assert CHECKS["moved results"](tmp_path)[1]
    changed = CONFIG.model_copy(update={"seed": 99})
    assert "made with another seed;" in update_record(folder, changed)


def test_a_record_that_was_changed_by_hand_is_refused(folder):
    (folder / RECORD).write_text("{}")
    with pytest.raises(BadInput, match="checksum does not agree"):
        update_record(folder, CONFIG)


def test_a_section_that_an_older_record_lacks_made_nothing(folder):
    older = json.loads((folder / RECORD).read_text())
    del older["motion"]
    write_text(folder / RECORD, json.dumps(older))
    assert update_record(folder, CONFIG) == ""
    assert json.loads((folder / RECORD).read_text()) == CONFIG.model_dump(
        mode="json", exclude={"apply"}
    )


@pytest.mark.workflow
def test_a_start_says_what_differs_from_the_run_that_is_there(tmp_path):
    target = "results/tiny/videos/clips"
    made = snakemake(tmp_path, target, configfile=TINY)
    assert made.returncode == 0, made.stderr[-3000:]
    assert (tmp_path / "results/tiny/config.json").is_file()
    changed = tiny_with(tmp_path / "c.yaml", mels={"floor": 1e-5}, report={"title": "Another"})
    again = snakemake(tmp_path, "results/tiny/videos/untrimmed", configfile=changed)
    assert "results/tiny: made with another mels, report;" in again.stdout + again.stderr
