"""Which jobs Snakemake plans: those downstream of a job to run keep their own reasons to run.

Snakemake compares the params and the age of the inputs only of jobs that are not downstream of a
job to run, because that one makes them run. A job that is downstream by `ancient` inputs alone is
not made to run by it. Its changed params would be overlooked until the next start, and this one
would end well with its old results. This is so in Snakemake 9.27; `tests/test_planning.py` fails
where a version needs this no more, or in another way.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snakemake.dag import DAG


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


_every_job: Callable[..., Iterator[Any]] = DAG.bfs


def _bfs(dag: Any, direction: Mapping[Any, Any], *jobs: Any, **options: Any) -> Iterator[Any]:
    # --omit-from looks for all jobs downstream; nothing else that follows this direction does
    if direction is dag.depending and not (dag.omitrules or dag.omitfiles):
        direction = _EdgesThatMakeRun(direction)
    return _every_job(dag, direction, *jobs, **options)


def compare_jobs_behind_ancient_inputs() -> None:
    """Have Snakemake, in this process, plan every job that has its own reason to run."""
    DAG.bfs = _bfs
