"""What the configuration says of itself: `l2l config` and docs/configuration.md."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from l2l.__main__ import main
from l2l.tools.config import as_markdown, keys

ROOT = Path(__file__).parents[1]


def test_every_key_has_a_meaning():
    assert len(keys()) > 100
    assert [key.path for key in keys() if len(key.meaning) < 4] == []


def test_every_key_of_a_stage_has_the_papers_value():
    stages = ("manifest", "media", "mels", "teacher", "student", "features", "skimmer")
    stages += ("evaluation", "report", "study")
    without = [
        key.path
        for key in keys()
        if key.path.startswith(tuple(f"{stage}." for stage in stages))
        and "Paper: " not in key.meaning
    ]
    assert without == []


def test_a_key_whose_name_has_a_unit_names_the_unit():
    for unit in ("seconds", "pixels", "samples", "bytes"):
        named = [key for key in keys() if key.path.endswith(f"_{unit}")]
        assert named
        assert [key.path for key in named if unit not in key.meaning] == []


def test_the_page_of_all_keys_is_as_l2l_config_makes_it():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "l2l config --markdown > docs/configuration.md"


def test_one_key_one_section_and_all_are_printed(capsys):
    assert main(["config", "skimmer.steps"]) == 0
    one = capsys.readouterr().out
    assert "skimmer.steps" in one
    assert "default 10" in one
    assert "Paper: 10." in one
    assert main(["config", "skimmer"]) == 0
    section = capsys.readouterr().out
    assert one.strip() in section
    assert "skimmer.training.epochs" in section
    assert "student.modalities" not in section
    assert main(["config"]) == 0
    assert section.strip() in capsys.readouterr().out


def test_an_unknown_key_is_refused_in_one_line(capsys):
    assert main(["config", "skimmer.stepz"]) == 1
    line = capsys.readouterr().err
    assert "skimmer.stepz" in line
    assert len(line.splitlines()) == 1


def test_the_schema_accepts_the_demo_and_refuses_a_wrong_key(capsys):
    assert main(["config", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    demo = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(demo, schema)
    demo["skimmer"]["stepz"] = 3
    with pytest.raises(jsonschema.ValidationError, match="stepz"):
        jsonschema.validate(demo, schema)


@pytest.mark.parametrize("key", ["seed", "run", "medai"])
def test_aliases_that_stand_for_a_hundred_million_values_are_refused_in_one_line(
    tmp_path, capsys, key
):
    bomb = [f"{key}:", "- &b0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"- &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "bomb.yaml").write_text("\n".join(bomb) + "\n")
    assert main(["plan", "--configfile", str(tmp_path / "bomb.yaml")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "bomb.yaml: its aliases stand for 1" in line
    assert len(line) < 300
