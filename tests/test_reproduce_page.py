"""docs/reproduce.md: the paths that it shows fit the presets, and its Table 1 is the paper's."""

import re
from pathlib import Path

import pytest

from l2l.config import read_config
from l2l.evaluation.videos.methods import METHODS
from l2l.report.sections import quoted_table1

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reproduce.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("preset", ["activitynet", "mini_sports1m"])
def test_the_paths_on_top_of_a_preset_are_valid_and_replace_every_path(preset, tmp_path):
    (shown,) = (block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if preset in block)
    (tmp_path / "paths.yaml").write_text(shown)
    presets = [ROOT / "workflow/configs" / f"{name}.yaml" for name in ("paper", preset)]
    for dataset in read_config(*presets, tmp_path / "paths.yaml").videos.values():
        assert all(path.is_absolute() for path in (dataset.folder, *dataset.annotation_files))


def test_table_1_has_the_rows_and_the_numbers_of_the_paper():
    rows = re.findall(r"^\| ([\w() -]+) \| `(\w+)` \| (\S+) \| (\S+) \|$", PAGE, re.M)
    quoted = [
        next(iter(quoted_table1(adapter).values())) for adapter in ("activitynet", "mini_sports1m")
    ]
    assert rows == [
        (method.label, method.name, *(column.get(method.name, "-") for column in quoted))
        for method in METHODS
        if method.paper
    ]
