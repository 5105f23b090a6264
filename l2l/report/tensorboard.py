"""Learning curves as event files of TensorBoard, made from the logs of the trainings.

A training itself writes none: its results are the same with and without TensorBoard.
"""

import io
from pathlib import Path

from l2l.errors import BadInput
from l2l.report.epochs import Training, read_trainings
from l2l.stores import atomic_path


def write_event_files(folder: Path, logs: Path) -> None:
    """Write the figures of every epoch that the logs have, one TensorBoard run per training.

    A training whose log has changed since gets a further file, named by the time of the change. It
    has all epochs, and first has TensorBoard drop those of the earlier files. These stay: a
    TensorBoard that is open reads each to its end before it looks for the next.

    Args:
        folder: its subfolders are the runs: train_skimmer/lstm.
        logs: folder of the run's logs, logs/<run>.

    Raises:
        BadInput: if TensorBoard is not installed, or no log has an epoch.
    """
    trainings = read_trainings(logs)
    if not trainings:
        raise BadInput(f"{logs}: found no epoch of a training to show")
    for training in trainings:
        events = _events(training)
        name = f"events.out.tfevents.{training.written_seconds:021.9f}.l2l"
        with atomic_path(folder / training.name / name) as part:
            part.write_bytes(events)


def _events(training: Training) -> bytes:
    """The content of an event file: its version, a start at the first epoch, and the figures."""
    try:
        # here: nothing else needs it
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise BadInput(
            f"--tensorboard: TensorBoard is not installed ({error}): pip install tensorboard"
        ) from None
    finished = _finished_seconds(training)
    events = [
        Event(wall_time=finished[0], file_version="brain.Event:2"),
        Event(wall_time=finished[0], step=1, session_log=SessionLog(status=SessionLog.START)),
    ]
    for figure, values in training.figures.items():
        for epoch, value, seconds in zip(training.numbers, values, finished, strict=True):
            summary = Summary(value=[Summary.Value(tag=figure, simple_value=value)])
            events.append(Event(wall_time=seconds, step=epoch, summary=summary))
    content = io.BytesIO()
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString())
    return content.getvalue()


def _finished_seconds(training: Training) -> list[float]:
    """When each epoch was finished, in seconds since 1970; the last when the log was written."""
    later = [sum(training.seconds[i:]) for i in range(1, len(training.seconds) + 1)]
    return [training.written_seconds - each for each in later]
