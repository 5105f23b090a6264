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
    rows: Sequence[Cost], cores: int, memory: int, free_bytes: float, asked: dict[str, int]
) -> list[str]:
    """One line per kind of thing of which a stage asks for more than there is.

    Args:
        rows: the stages.
        cores: of Snakemake, `--cores`.
        memory: in MB.
        free_bytes: of the disk where results are written.
        asked: MB that a job of each stage asks for.
    """
    lines = []
    for row in rows:
        needed = asked.get(row.stage, 0)
        at_once = min(cores, row.jobs)
        if row.jobs and needed > memory:
            lines.append(
                f"{row.stage}: a job asks for {needed:,} MB of memory, this machine has {memory:,}"
            )
        elif needed * at_once > memory:
            lines.append(
                f"{row.stage}: {at_once} jobs at once ask for {needed * at_once:,} MB of memory, "
                f"this machine has {memory:,}: snakemake --resources mem_mb={memory}"
            )
    if (size := sum(row.size for row in rows)) > free_bytes:
        lines.append(f"all: {size / 1e9:,.1f} GB of files, this disk has {free_bytes / 1e9:,.1f}")
    return lines


def free_bytes() -> int:
    """Of the disk of the working directory."""
    return shutil.disk_usage(".").free
