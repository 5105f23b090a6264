"""The configuration that made a run is kept in its folder and compared at each start."""

import base64
import json
import re
import shutil
from pathlib import Path

import pytest
from workflow_runs import ROOT, TINY, snakemake, tiny_with

from l2l.config import read_config
from l2l.errors import BadInput
from l2l.jobs.leftovers import CHECKS, RECORD
from l2l.jobs.leftovers import METADATA as METADATA_FOLDER
from l2l.run_record import compare_record, first_rules, update_record
from l2l.stores import write_text

METADATA = Path(METADATA_FOLDER)
CONFIG = read_config(TINY)


def know(path):
    """Leave Snakemake's record of a file."""
    METADATA.mkdir(parents=True, exist_ok=True)
    (METADATA / base64.urlsafe_b64encode(path.encode()).decode()).touch()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run that Snakemake knows."""
    monkeypatch.chdir(tmp_path)
    know("results/tiny/manifest.tsv")
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
    know("results/tiny2/manifest.tsv")  # another run
    assert not CHECKS["moved results"](tmp_path)[1]
    know("results/tiny/manifest.tsv")
    assert CHECKS["moved results"](tmp_path)[1]


def test_moved_results_are_made_again_with_another_configuration_where_it_is_forced(folder):
    shutil.rmtree(METADATA)
    changed = CONFIG.model_copy(update={"mels": CONFIG.mels.model_copy(update={"bands": 41})})
    line, is_overlooked = compare_record(folder, changed)
    assert is_overlooked
    assert line.endswith("move .snakemake here too, or add --forcerun compute_mels")
    for forced in ({"compute_mels", "train_skimmer"}, None):
        assert compare_record(folder, changed, forced)[1] is False
    assert compare_record(folder, changed, {"train_skimmer"}) == (line, True)
    assert "made with another mels; what reads these is run again" in update_record(
        folder, changed, {"compute_mels"}
    )
    assert "kept as they are" in update_record(folder, changed)


def test_the_rules_to_force_are_rules_and_every_section_that_makes_files_has_some():
    rules = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        rules |= set(re.findall(r"^ *rule (\w+):", path.read_text(encoding="utf-8"), re.M))
    for section in type(CONFIG).model_fields:
        named = first_rules(section, CONFIG)
        assert set(named) <= rules, section
        assert named or section in ("run", "study", "apply", "custom_rules"), section


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


@pytest.mark.workflow
def test_a_dry_run_of_moved_results_says_at_its_end_what_a_changed_setting_needs(folder, tmp_path):
    shutil.rmtree(METADATA)
    changed = tiny_with(tmp_path / "c.yaml", skimmer={"steps": 3})
    line = "results/tiny: results without Snakemake's record of them (.snakemake/metadata), made "
    for options, expected in (
        ((), "with another skimmer; Snakemake would keep them as they are: move .snakemake here "),
        (("--forcerun", "train_skimmer"), "with another skimmer; what reads these is run again"),
    ):
        dry = snakemake(tmp_path, "--dry-run", "--quiet", *options, configfile=changed)
        assert dry.returncode == 0, dry.stderr[-3000:]
        assert dry.stderr.splitlines()[-1].startswith(line + expected)
