"""What a change makes again, of a finished run: what depends on it, and nothing else.

A change of the configuration is seen by its section, a stage's change by the `version` of its rule,
and a method's by the list of methods.
"""

import re
import shutil

import pytest
from checkout import CheckoutCopy
from workflow_runs import AFTER_MELS, VIDEO_LEVEL, planned, snakemake, tiny_with

pytestmark = pytest.mark.workflow

TEACHING = {"train_teacher", "extract_descriptors"}
TABLE_1_AND_AFTER = {"evaluate_videos", "evaluate_tradeoff", "write_report"}


@pytest.mark.parametrize(
    ("section", "change", "reruns"),
    [
        ("mels", {"floor": 1e-5}, {"compute_mels"} | AFTER_MELS | VIDEO_LEVEL),
        ("teacher", {"batch_clips": 8}, TEACHING | (AFTER_MELS) | VIDEO_LEVEL),
        (
            "features",
            {"chunk_moments": 64},
            {"extract_features", "complete_features"} | VIDEO_LEVEL,
        ),
        ("skimmer", {"steps": 3}, VIDEO_LEVEL),
        ("evaluation", {"moments": 3}, TABLE_1_AND_AFTER),
        (
            "evaluation",
            {"methods": ["dense", "lstm"]},
            TABLE_1_AND_AFTER,
        ),
        ("report", {"film_strips": 1}, {"write_report"}),
    ],
)
def test_a_changed_section_reruns_its_stage_and_what_follows_and_nothing_else(
    tiny_run, tmp_path, section, change, reruns
):
    changed = tiny_with(tmp_path / "changed.yaml", **{section: change})
    # the report shows the whole configuration, so it follows every change
    assert planned(snakemake(tiny_run, "--dry-run", configfile=changed)) == reruns


def test_a_variant_that_reads_the_teacher_has_it_describe_every_moment_of_the_target(
    tiny_run, tmp_path
):
    """And one that is not listed is trained when it is asked for."""
    changed = tiny_with(tmp_path / "changed.yaml", evaluation={"variants": ["fused_then_teacher"]})
    plan = snakemake(tiny_run, "--dry-run", "--printshellcmds", configfile=changed)
    reads_methods = {"evaluate_videos", "evaluate_tradeoff"}  # and no variant
    assert planned(plan) == {"extract_descriptors", "evaluate_clips"} | VIDEO_LEVEL - reads_methods
    assert (
        plan.stdout.count("--part all") == 3
    )  # the target's shards, two to fit on and one to test; the source's stay
    variant = '{"indexing": ["fused"], "queried": [], "recognition": ["teacher"], "selected": true}'
    assert f"--variant '{variant}' --descriptors " in plan.stdout
    assert planned(snakemake(tiny_run, "--dry-run", "results/tiny/skimmer/audio.pt")) == {
        "train_skimmer"
    }


@pytest.fixture
def copy(tmp_path) -> CheckoutCopy:
    return CheckoutCopy(tmp_path)


def raise_version(copy: CheckoutCopy, rule: str) -> None:
    """Raise the `version` in the parameters of a rule, and nothing else."""
    (path,) = (
        path
        for path in (copy.root / "workflow/rules").glob("*.smk")
        if f"rule {rule}:" in path.read_text(encoding="utf-8")
    )
    before, line, after = path.read_text(encoding="utf-8").partition(f"rule {rule}:")
    raised = re.sub(r"version=(\d+)", lambda v: f"version={int(v[1]) + 1}", after, count=1)
    assert raised != after
    path.write_text(before + line + raised, encoding="utf-8")


@pytest.mark.parametrize(
    ("rule", "made_again"),
    [
        ("compute_mels", {"compute_mels"} | AFTER_MELS | VIDEO_LEVEL),
        ("train_skimmer", VIDEO_LEVEL),
        ("evaluate_videos", TABLE_1_AND_AFTER),
        ("write_report", {"write_report"}),
    ],
)
def test_a_raised_version_makes_its_stage_again_and_what_follows_and_nothing_else(
    tiny_run, copy, rule, made_again
):
    raise_version(copy, rule)
    assert planned(snakemake(tiny_run, "--dry-run", checkout=copy.root)) == made_again


def test_an_added_method_makes_table_1_again_and_what_follows_and_nothing_else(tiny_run, copy):
    copy.edit(
        "l2l/evaluation/videos/methods.py",
        (
            '    Method("dense"',
            '    Method("last", "Last", average_of(lambda count, moments: [count - 1])),\n'
            '    Method("dense"',
        ),
    )
    assert planned(snakemake(tiny_run, "--dry-run", checkout=copy.root)) == TABLE_1_AND_AFTER


def test_a_run_that_made_something_ends_with_what_was_recognised_and_where_the_page_is(
    tiny_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    page = run / "results/tiny/report.html"
    before = page.read_bytes()
    page.unlink()
    made = snakemake(run)
    assert made.returncode == 0, made.stderr
    closing = re.search(
        r"^Ours \(dense\) \d+ % top-1 with .*: results/tiny/report.html$", made.stderr, re.M
    )
    assert closing, made.stderr
    assert page.read_bytes() == before
