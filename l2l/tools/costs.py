"""The page of what a run took."""

from pathlib import Path

from l2l.terminal import escape


def costs(run: Path, /, output: Path | None = None) -> None:
    """Write a page with a run's learning curves, and the seconds and memory of each stage.

    Args:
        run: a run's folder, such as results/demo.
        output: the page; default: the run's name with -costs.html, in the working directory.

    Raises:
        BadInput: if the run has neither logs of trainings nor benchmarks.
    """
    from l2l.report.costs import costs_page
    from l2l.stores import write_text

    page = output or Path(f"{run.absolute().name}-costs.html")
    write_text(page, costs_page(run))
    print(escape(str(page)))
