"""A job ends with what started it.

What a killed Snakemake leaves running must not write over a newer run's results.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

LOOK_SECONDS = 0.2  # a new Snakemake takes longer to come to its first job
# for a training's last step and checkpoint, which has the bits that a newer run's would; Slurm
# gives 30
GRACE_SECONDS = 20


def end_with_job(job: str) -> None:
    """End with the shell and the Snakemake of a rule's job, told as "HOST PID PID"
    (`workflow/rules/common.smk`).

    On another host, where a job's shell may have started more of itself, those numbers mean nothing
    and nothing is done.
    """
    host, *starters = job.split()
    if host == socket.gethostname():
        end_with([int(pid) for pid in starters])


def end_with(starters: Sequence[int]) -> None:
    """End this process as soon as one of those with these numbers is no more.

    A training after its step, all else at once.
    """
    threading.Thread(target=_watch, args=(tuple(starters),), daemon=True).start()


def _watch(starters: Sequence[int]) -> None:
    while all(_runs(pid) for pid in starters):
        time.sleep(LOOK_SECONDS)
    print(
        "l2l: what started this job was killed; it ends, lest it write over a newer run's results",
        file=sys.stderr,
        flush=True,
    )
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether there is such a process.

    One that is dead and only waits for its parent to notice is none.
    """
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, and alive
        return True
    except FileNotFoundError:  # a system without /proc, or it has ended just now
        return not Path("/proc/self").exists()
