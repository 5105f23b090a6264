"""A job ends when the Snakemake that started it has ended, so that jobs of a killed Snakemake do
not write over a newer run's results.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

POLL_SECONDS = 0.2  # a new Snakemake takes longer to start its first job
# For the last step and checkpoint of a training, which are the same as a newer run would write.
# Slurm gives 30 seconds.
GRACE_SECONDS = 20


def end_with_job(job: str) -> None:
    """End this process when the shell or the Snakemake of its job ends.

    Args:
        job: "HOST PID PID", from `workflow/rules/common.smk`. On another host, to which a job may
            have spread, the numbers mean nothing and nothing is done.
    """
    host, *starters = job.split()
    if host == socket.gethostname():
        end_with([int(pid) for pid in starters])


def end_with(starters: Sequence[int]) -> None:
    """End this process as soon as one of the processes with these numbers has ended: a training
    after its current step, everything else at once.
    """
    threading.Thread(target=_watch, args=(tuple(starters),), daemon=True).start()


def _watch(starters: Sequence[int]) -> None:
    while all(_is_running(pid) for pid in starters):
        time.sleep(POLL_SECONDS)
    print(
        "l2l: the process that started this job was killed, so the job ends; otherwise it could "
        "write over the results of a newer run",
        file=sys.stderr,
        flush=True,
    )
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_running(pid: int) -> bool:
    """Whether there is such a process, zombies not counted."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, and belongs to somebody else
        return True
    except FileNotFoundError:  # it has just ended, or the system has no /proc
        return not Path("/proc/self").exists()
