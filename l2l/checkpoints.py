"""Checkpoints of a training, next to its artifact, so that it continues where it was killed.

Snakemake deletes a job's outputs before it starts it, so the checkpoints of `skimmer.pt` lie in
`skimmer.pt.checkpoints/<key>/`. The key is a hash of all that determines the training: where a
setting or an input is another one, the training starts from the beginning.
"""

import contextlib
import hashlib
import io
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from l2l.errors import BadInput
from l2l.jobs.processes import team
from l2l.stores import atomic_path

LAYOUT = 1
KEPT = 2
EVERY_SECONDS = 600  # within an epoch; each epoch's end has one besides
_DIGEST_BYTES = hashlib.sha256().digest_size


@contextlib.contextmanager
def captured_signal(number: signal.Signals) -> Iterator[list[signal.Signals]]:
    """The arrivals of a signal, which does nothing else until the block ends."""
    arrived: list[signal.Signals] = []
    before = signal.signal(number, lambda *_: arrived.append(number))
    try:
        yield arrived
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def postponed_interrupt() -> Iterator[list[signal.Signals]]:
    """The arrival of Ctrl-C, which does nothing else until the block ends; the second one ends it.

    Where it is ignored, as in a shell's background, it stays so.
    """
    arrived: list[signal.Signals] = []

    def note(*_: object) -> None:
        if arrived:
            raise KeyboardInterrupt
        arrived.append(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, note)
    try:
        yield arrived
    finally:
        signal.signal(signal.SIGINT, before)


class Checkpoints:
    """The checkpoints of one training.

    Each file is a SHA-256 digest, then what `torch.save` makes of the state.
    """

    def __init__(self, folder: Path, asked: list[signal.Signals]) -> None:
        self.folder, self._asked, self._saved = folder, asked, time.monotonic()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.pt"))

    def due(self) -> bool:
        """Whether the last one is long ago, or SIGUSR1 has asked for one."""
        return bool(self._asked) or time.monotonic() - self._saved >= EVERY_SECONDS

    def save(self, steps: int, state: Mapping[str, Any]) -> None:
        """Write the state after so many steps under a temporary name, then rename it; keep the last
        two.

        Raises:
            BadInput: if it cannot be written.
        """
        content = io.BytesIO()
        torch.save(dict(state), content)
        path = self.folder / f"{steps:012}.pt"
        try:
            with atomic_path(path) as part, open(part, "wb") as file:
                file.write(hashlib.sha256(content.getbuffer()).digest())
                file.write(content.getbuffer())
        except OSError as error:
            raise BadInput(
                f"{path}: cannot be written ({error.strerror}); free disk space and run it again"
            ) from None
        for old in self._files()[:-KEPT]:
            old.unlink(missing_ok=True)
        self._asked.clear()
        self._saved = time.monotonic()

    def latest(self) -> dict[str, Any] | None:
        """The state of the last checkpoint that is whole; None where there is none."""
        for path in reversed(self._files()):
            content = memoryview(path.read_bytes())
            if hashlib.sha256(content[_DIGEST_BYTES:]).digest() == content[:_DIGEST_BYTES]:
                return torch.load(
                    io.BytesIO(content[_DIGEST_BYTES:]), map_location="cpu", weights_only=True
                )
            print(f"{path}: damaged; not used", file=sys.stderr)
        return None


@contextlib.contextmanager
def resumable(
    artifact: Path, inputs: Sequence[Path], settings: Sequence[object]
) -> Iterator[Checkpoints]:
    """The checkpoints of the training that writes `artifact`; all are removed when the block ends
    well.

    Until then SIGUSR1 asks for a checkpoint and does nothing else.

    Args:
        artifact: a file.
        inputs: the files it is made from, of which name, size and time of change count.
        settings: everything else that determines the numbers, of plain types.
    """
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in inputs]
    everything = json.dumps([LAYOUT, torch.__version__, team().size, list(settings), stamps])
    folder = artifact.with_name(f"{artifact.name}.checkpoints")
    with captured_signal(signal.SIGUSR1) as asked:
        yield Checkpoints(folder / hashlib.sha256(everything.encode()).hexdigest()[:16], asked)
        if team().is_main:
            shutil.rmtree(folder, ignore_errors=True)
