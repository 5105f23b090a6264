"""The page of what a run took."""

from pathlib import Path

from l2l.terminal import escape


def costs(
    run: Path,
    /,
    output: Path | None = None,
    csv: Path | None = None,
    tensorboard: Path | None = None,
) -> None:
    """Write a page of a run's learning curves and each stage's time and memory.

    Args:
        run: a run's folder, such as results/demo.
        output: the page; default: the run's name with -costs.html, in the working directory.
        csv: a table to write as well: the loss, the val accuracy and the seconds of every epoch.
        tensorboard: a folder in which the same figures are written as well, for `tensorboard
            --logdir`; while a run goes on, the same command writes its later epochs.

    Raises:
        BadInput: if the run has neither logs of trainings nor benchmarks; or, with `tensorboard`,
            no epoch yet, or that package is not installed.

    Example:
        l2l costs results/demo --csv epochs.csv
    """
    from l2l.report.costs import costs_page, logs_of
    from l2l.report.epochs import epochs_csv, read_trainings
    from l2l.report.tensorboard import write_event_files
    from l2l.stores import write_text

    page = output or Path(f"{run.absolute().name}-costs.html")
    write_text(page, costs_page(run))
    if csv is not None:
        write_text(csv, epochs_csv(read_trainings(logs_of(run))))
    if tensorboard is not None:
        write_event_files(tensorboard, logs_of(run))
    print(escape(str(page)))
