"""Which jobs Snakemake plans: those downstream of a job to run keep their own reasons to run.

Snakemake compares the params and the age of the inputs only of jobs that are not downstream of a
job to run, because that one makes them run. A job that is downstream by `ancient` inputs alone is
not made to run by it. Its changed params would be overlooked until the next start, and this one
would end well with its old results. This is so in Snakemake 9.27; `tests/test_planning.py` fails
where a version needs this no more, or in another way. A version without what is replaced here plans
as it does by itself, and a line says so.
"""

import atexit
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from snakemake.logging import logger

from l2l.terminal import escape


class _EdgesThatMakeRun(Mapping[Any, dict[Any, Any]]):
    """The jobs that depend on each job, without those that do so by `ancient` inputs alone."""

    def __init__(self, depending: Mapping[Any, dict[Any, Any]]) -> None:
        self._depending = depending

    def __getitem__(self, job: Any) -> dict[Any, Any]:
        return {
            other: files
            for other, files in self._depending[job].items()
            # one that does not exist makes the job run
            if not all(file.is_ancient and Path(file).exists() for file in files)
        }

    def __iter__(self) -> Iterator[Any]:
        return iter(self._depending)

    def __len__(self) -> int:
        return len(self._depending)


def compare_jobs_behind_ancient_inputs() -> None:
    """Have Snakemake, in this process, plan every job that has its own reason to run."""
    planner = _planner()
    if planner is None:
        logger.warning(
            f"snakemake {version('snakemake')} plans in another way than 9.27, for which l2l is "
            "made: where videos are listed again, it may overlook a changed configuration; run it "
            "twice then, or install the version in constraints.txt"
        )
        return
    every_job: Callable[..., Iterator[Any]] = planner.bfs

    def bfs(dag: Any, direction: Mapping[Any, Any], *jobs: Any, **options: Any) -> Iterator[Any]:
        # --omit-from looks for all jobs downstream; nothing else that follows this direction does
        if direction is dag.depending and not (dag.omitrules or dag.omitfiles):
            direction = _EdgesThatMakeRun(direction)
        return every_job(dag, direction, *jobs, **options)

    planner.bfs = bfs


def stop_planning(line: str) -> NoReturn:
    """End this process with this line and status 1, where a plan cannot go on.

    For functions that a rule names: an exception of theirs is printed as a block of Snakemake's,
    with its traceback.

    Raises:
        SystemExit: always.
    """
    sys.exit(escape(line))


_REMARKS: list[Callable[[], Iterable[str]]] = []


def remark_after_plan(lines: Callable[[], Iterable[str]]) -> None:
    """Have this process end with these lines, after what it prints else."""
    if not _REMARKS:
        atexit.register(_print_remarks)
    _REMARKS.append(lines)


def _print_remarks() -> None:
    while _REMARKS:
        for line in filter(None, _REMARKS.pop(0)()):
            print(escape(line), file=sys.stderr)


def fail_after_plan(line: str) -> None:
    """Have this process, a dry run, end with this line and status 1 after what it prints else."""

    def fail() -> None:
        _print_remarks()
        print(escape(line), file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # a handler cannot change the status in another way

    atexit.register(fail)


def _planner() -> Any:
    """Snakemake's class of plans; None if it has not all that is used of it here."""
    try:
        from snakemake.dag import DAG
        from snakemake.io import _IOFile

        kept = {"depending", "omitrules", "omitfiles"} <= set(DAG.__init__.__code__.co_names)
        parameters = list(inspect.signature(DAG.bfs).parameters)
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    known = kept and parameters[1:3] == ["direction", "jobs"] and hasattr(_IOFile, "is_ancient")
    return DAG if known else None
