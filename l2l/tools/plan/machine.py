"""What this machine has, and which stages ask for more."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from l2l.tools.plan.estimate import Cost

RULES = Path(__file__).parents[3] / "workflow/rules"  # of a checkout


def memory_of_stages(rules: Path = RULES) -> dict[str, int]:
    """The most memory, in MB, that a rule of each stage asks for at its first attempt; none where
    l2l is installed without its workflow.
    """
    return {
        path.stem: max(map(int, asked))
        for path in sorted(rules.glob("*.smk"))
        if (asked := re.findall(r"mem_mb=escalating_memory\((\d+)\)", path.read_text("utf-8")))
    }


def memory_mb() -> int:
    """The memory of this machine, or of its container where that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    limited = limit.read_text().strip() if limit.is_file() else "max"
    return (min(total, int(limited)) if limited.isdigit() else total) // 10**6


def shortages(
    rows: Sequence[Cost],
    cores: int,
    memory: int | None,
    free_bytes: float | None,
    asked: dict[str, int],
) -> list[str]:
    """One line per kind of thing of which stages ask for more than there is.

    Args:
        rows: the stages.
        cores: of Snakemake, `--cores`.
        memory: in MB; None where it is not known.
        free_bytes: of the disk where results are written; None where it is not known.
        asked: MB that a job of each stage asks for.
    """
    lines = []
    if memory is not None:
        run = [row for row in rows if row.jobs]
        alone = {row.stage: asked.get(row.stage, 0) for row in run}
        too_large = {stage: needed for stage, needed in alone.items() if needed > memory}
        together = {row.stage: alone[row.stage] * min(cores, row.jobs) for row in run}
        too_many = {
            stage: needed
            for stage, needed in together.items()
            if needed > memory and stage not in too_large
        }
        if too_large:
            most = max(too_large.values())
            lines.append(
                f"{', '.join(too_large)}: a job asks for up to {most:,} MB of memory, the machine "
                f"has {memory:,}"
            )
        if too_many:
            most = max(too_many.values())
            lines.append(
                f"{', '.join(too_many)}: jobs at once ask for up to {most:,} MB of memory, the "
                f"machine has {memory:,}: snakemake --resources mem_mb={memory}"
            )
    size = sum(row.size for row in rows)
    if free_bytes is not None and size > free_bytes:
        lines.append(f"all: {size / 1e9:,.1f} GB of files, the disk has {free_bytes / 1e9:,.1f}")
    return lines


def free_bytes() -> int:
    """Of the disk of the working directory."""
    return shutil.disk_usage(".").free
