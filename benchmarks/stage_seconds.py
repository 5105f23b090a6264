"""What each stage of a finished run really took, as `l2l plan` is checked against it.

    python benchmarks/stage_seconds.py .snakemake/log/LOG >tests/support/demo_seconds.tsv

Adds up the jobs of a Snakemake log by stage, from a job's start to its end by the clock, to a
second. Take the log of a cold `make demo` with nothing else running: a busy machine stretches the
clock.
"""

import re
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

RULES = Path(__file__).resolve().parents[1] / "workflow/rules"
STAGES = (
    "videos",
    "manifest",
    "media",
    "mels",
    "teacher",
    "student",
    "features",
    "skimmer",
    "evaluation",
    "report",
)
LINE = re.compile(
    r"\[(?P<time>\w{3} \w{3} .*\d{4})\]|(?:local)?rule (?P<rule>\w+):|    jobid: "
    r"(?P<job>\d+)|Finished jobid: (?P<end>\d+)"
)


def stage_of(rule: str) -> str | None:
    """The stage whose rule file has a rule; None for the target of all."""
    return next(
        (
            stage
            for stage in STAGES
            if f"rule {rule}:" in (RULES / f"{stage}.smk").read_text(encoding="utf-8")
        ),
        None,
    )


def all_reduce(lines: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Jobs and seconds of each rule; what started and did not finish stops the program."""
    jobs, seconds = Counter[str](), Counter[str]()
    now, rule = datetime.min, ""
    running: dict[str, tuple[str, datetime]] = {}
    for matched in filter(None, map(LINE.match, lines)):
        if matched["time"]:
            now = datetime.strptime(matched["time"], "%a %b %d %H:%M:%S %Y")
        elif matched["rule"]:
            rule = matched["rule"]
        elif matched["job"]:
            running[matched["job"]] = rule, now
        else:
            ended, began = running.pop(matched["end"])
            jobs[ended] += 1
            seconds[ended] += int((now - began).total_seconds())
    if running or not jobs:
        sys.exit(
            f"{sys.argv[1]}: not the log of a run that finished; {len(running)} of its jobs did not"
        )
    return jobs, seconds


def main() -> None:
    """Print one line per stage."""
    jobs, seconds = all_reduce(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    print(
        "# A cold `make demo` with seed 11 and little else running, two cores; made by "
        "benchmarks/stage_seconds.py from its log."
    )
    print("stage\tjobs\tseconds")
    for stage in STAGES:
        of_stage = [rule for rule in jobs if stage_of(rule) == stage]
        print(
            stage,
            sum(jobs[rule] for rule in of_stage),
            sum(seconds[rule] for rule in of_stage),
            sep="\t",
        )


if __name__ == "__main__":
    main()
