"""A change of a stage's numbers is seen, and the line is named that makes old results again."""

import math

import pytest
from golden import (
    COLUMNS,
    EXEMPT,
    ROOT,
    TOLERANCE,
    TRAINED_TOLERANCE,
    UNTRAINED,
    golden_rows,
    rule_versions,
)

from l2l.stores import read_table

pytestmark = pytest.mark.workflow

GOLDEN = ROOT / "tests/golden.tsv"
REWRITE = "python tests/support/golden.py RUN >tests/golden.tsv (RUN: a finished tiny run)"


def agrees(rule: str, golden: str, value: str) -> bool:
    """Whether a number is the golden one, within what processors differ by."""
    if golden.startswith(("text ", "empty")) or value.startswith(("text ", "empty")):
        return golden == value
    tolerance = TOLERANCE if rule in UNTRAINED else TRAINED_TOLERANCE
    return math.isclose(float(golden), float(value), rel_tol=tolerance, abs_tol=1e-9)


def differences(golden: list[dict[str, str]], rows: list[dict[str, str]]) -> list[str]:
    """One line for each rule whose numbers moved or whose version is another one."""
    files = {
        rule: path.name
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for rule in rule_versions()
        if f"rule {rule}:" in path.read_text(encoding="utf-8")
    }
    lines = []
    for rule in dict.fromkeys(row["rule"] for row in [*golden, *rows]):
        before = {row["number"]: row for row in golden if row["rule"] == rule}
        after = {row["number"]: row for row in rows if row["rule"] == rule}
        moved = [
            number
            for number in {**before, **after}
            if number not in before
            or number not in after
            or not agrees(rule, before[number]["value"], after[number]["value"])
        ]
        versions = {row["version"] for row in [*before.values(), *after.values()]}
        if len(versions) > 1:
            lines.append(f"{rule}: its version was raised; write its new numbers: {REWRITE}")
        elif moved:
            lines.append(
                f"{rule}: other numbers ({', '.join(moved)}) with the same version; raise its "
                f"`version` in workflow/rules/{files.get(rule)}, then {REWRITE}"
            )
    return lines


def test_the_numbers_of_every_rule_are_those_of_its_version(tiny_run):
    found = differences(read_table(GOLDEN, COLUMNS), golden_rows(tiny_run))
    assert not found, "\n".join(found)


def test_every_rule_is_golden_or_exempt_for_a_reason():
    golden = {row["rule"] for row in read_table(GOLDEN, COLUMNS)}
    assert not golden & EXEMPT.keys()
    assert golden | EXEMPT.keys() == rule_versions().keys() | {"all"}


def test_a_moved_number_names_the_version_to_raise():
    golden = read_table(GOLDEN, COLUMNS)
    moved = [
        row | {"value": "10.6"} if row["number"] == "mel: mean of squares" else row
        for row in golden
    ]
    (line,) = differences(golden, moved)
    assert line.startswith("compute_mels: other numbers (mel: mean of squares)")
    assert "`version` in workflow/rules/mels.smk" in line
    raised = [row | {"version": "99"} if row["rule"] == "compute_mels" else row for row in golden]
    (line,) = differences(golden, raised)
    assert line.startswith("compute_mels: its version was raised")
