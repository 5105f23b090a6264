"""Rules of a user's own, named in the configuration."""

import json
import os
import re

import pytest
from workflow_runs import ROOT, planned, snakemake, tiny_with

pytestmark = pytest.mark.workflow


def documented_rule() -> str:
    """The rule in docs/extending.md."""
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    return re.search(r"```\n(rule best_methods:.*?)```", page, re.DOTALL)[1]


def test_the_documented_rule_is_included_and_planned_with_what_it_reads(tmp_path):
    (tmp_path / "my_rules.smk").write_text(documented_rule())
    config = tiny_with(tmp_path / "c.yaml", custom_rules=["my_rules.smk"])
    rules = planned(snakemake(tmp_path, "--dry-run", "best_methods", configfile=config))
    assert {"best_methods", "evaluate_videos"} <= rules
    assert "write_report" not in rules


def test_a_file_of_rules_that_is_not_there_is_named_in_one_line(tmp_path):
    config = tiny_with(tmp_path / "c.yaml", custom_rules=["nowhere.smk"])
    stopped = snakemake(tmp_path, "--dry-run", configfile=config)
    assert stopped.returncode != 0
    output = stopped.stdout + stopped.stderr
    assert "custom_rules: nowhere.smk: no such file" in output
    assert "Traceback" not in output


def test_no_entry_of_pythonpath_stands_for_the_working_directory_of_a_job(tmp_path):
    (tmp_path / "my_rules.smk").write_text(
        'rule show:\n    output: "folders"\n'
        "    shell: \"python -c 'import json, sys; print(json.dumps(sys.path))' >{output}\"\n"
    )
    config = tiny_with(tmp_path / "c.yaml", custom_rules=["my_rules.smk"])
    entries = os.pathsep.join(["", str(ROOT), ".", "sub", "/elsewhere", ""])
    shown = snakemake(tmp_path, "folders", configfile=config, PYTHONPATH=entries)
    assert shown.returncode == 0, shown.stderr
    folders = json.loads((tmp_path / "folders").read_text())
    assert folders[0] == str(ROOT)
    assert "/elsewhere" in folders
    assert not {"", str(tmp_path), str(tmp_path / "sub")} & set(folders)
