"""docs/datasets.md explains every adapter, key and status."""

import hashlib
import re
from pathlib import Path

import pytest

from l2l.datasets import BY_ADAPTER
from l2l.manifest.artifact import STATUSES

ROOT = Path(__file__).parents[1]
ANNOTATIONS = ROOT.parent / "shared/annotations"
DATASETS = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")


def test_every_key_of_every_adapter_is_explained():
    general, *parts = DATASETS.split("\n## ")
    sections = {name: part for part in parts for name in part.partition("\n")[0].split(", ")}
    for adapter, dataset in BY_ADAPTER.items():
        explained = set(re.findall(r"`(\w+)`", sections[adapter])) | set(
            re.findall(r"^\| `(\w+)` \|", general, re.MULTILINE)
        )
        assert set(dataset.model_fields) - {"adapter"} <= explained, adapter
        shown = re.findall(
            r"^ +(\w+):",
            "\n".join(re.findall(r"```yaml\n(.*?)```", sections[adapter], re.DOTALL)),
            re.MULTILINE,
        )
        assert set(shown) <= {*dataset.model_fields}, adapter


def test_every_status_of_a_video_is_explained():
    table = DATASETS.partition("\n## Status of a video\n")[2]
    assert set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))
    ) == set(STATUSES)


@pytest.mark.skipif(not ANNOTATIONS.is_dir(), reason=f"no {ANNOTATIONS}")
def test_the_checksums_of_lists_are_those_of_the_lists():
    block = DATASETS.partition("### Checksums of lists")[2].partition("```\n")[2]
    lines = [line.split("  ") for line in block.partition("```")[0].splitlines()]
    assert len(lines) >= 5
    for checksum, name in lines:
        content = (ANNOTATIONS / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == checksum, name


def test_every_public_data_set_has_a_row_that_says_where_it_is():
    table = DATASETS.partition("## Get the public data sets")[2].partition("\n\n**")[0]
    sets = {
        re.sub(r"\W", "_", row.lower()) for row in re.findall(r"^\| ([\w .-]+) \|", table, re.M)
    }
    ours = {"folder", "table", "mmaction2", "demo"}  # for any videos
    for adapter in set(BY_ADAPTER) - ours:
        name = {"kinetics": "kinetics_400", "activitynet": "activitynet_v1_3", "ucf101": "ucf_101"}
        assert name.get(adapter, adapter) in sets, adapter
