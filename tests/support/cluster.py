"""A real Slurm on this machine: munge, slurmctld, and a slurmd for each of two CPU nodes and one
node with two made-up GPUs.

As root on Debian, whose packages it installs where they are missing; everything else lies in one
folder, ports are loopback's. Without accounting (which takes a MariaDB), so that states are asked
of squeue.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PORT = 17817
NODES = {"c1": PORT + 1, "c2": PORT + 2, "g1": PORT + 3}
HOSTS, NAMES = Path("/etc/hosts"), f"127.0.0.1 {' '.join(NODES)}\n"
ETC = Path("/etc/slurm")  # where srun looks: the job's step is started without SLURM_CONF
CONFIG = """\
ClusterName=l2l
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
# no cgroups, so that it runs in a container; the hardware is made up
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=2
# a job over its memory is killed within some seconds, a node that does not answer is down after ten
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SlurmdTimeout=10
SlurmctldTimeout=30
KillWait=2
MinJobAge=3600
ReturnToService=2
GresTypes=gpu
NodeName=c1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={c1} CPUs=2 RealMemory=64000
NodeName=c2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={c2} CPUs=2 RealMemory=64000
NodeName=g1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={g1} CPUs=2 RealMemory=64000 Gres=gpu:2
PartitionName=cpu Nodes=c1,c2 Default=YES
PartitionName=gpu Nodes=g1
"""


def why_not() -> str:
    """Why no cluster can be brought up here; empty if one can."""
    if os.geteuid() != 0:
        return "a private Slurm takes root"
    if shutil.which("slurmctld") is None and shutil.which("apt-get") is None:
        return (
            f"a private Slurm takes {', '.join(PACKAGES)}, and there is no apt-get to install them"
        )
    if any(
        (ETC / name).exists() and not (ETC / name).is_symlink()
        for name in ("slurm.conf", "gres.conf")
    ):
        return f"this machine has a Slurm already: {ETC}"
    return ""


def install() -> None:
    """Install the Debian packages that are missing, without starting their services."""
    if all(map(shutil.which, ("slurmctld", "slurmd", "sbatch", "munged"))):
        return
    policy = Path("/usr/sbin/policy-rc.d")
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            said = subprocess.run(
                ["apt-get", "-o", "DPkg::Lock::Timeout=300", *command],
                env=environment,
                capture_output=True,
                text=True,
            )
            assert said.returncode == 0, said.stderr
    finally:
        if made:
            policy.unlink()


def until(what: str, holds: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
    except OSError:
        return False


class Cluster:
    """The cluster in a folder; its daemons are known by their pid files."""

    def __init__(self, folder: Path) -> None:
        assert len(str(folder)) < 80, f"{folder}: too long for the path of a Unix socket"
        self.folder = folder
        for name in ("state", "spool", *(f"spool/{node}" for node in NODES)):
            (folder / name).mkdir(parents=True)
        (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, port=PORT, **NODES))
        for number in range(2):
            (folder / f"gpu{number}").touch()
        (folder / "gres.conf").write_text(f"NodeName=g1 Name=gpu File={folder}/gpu[0-1]\n")
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)

    def up(self) -> None:
        """Start everything."""
        ETC.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink(missing_ok=True)
            (ETC / name).symlink_to(self.folder / name)
        with contextlib.suppress(
            OSError
        ):  # where it is closed, a training on several nodes cannot be tried
            HOSTS.write_text(HOSTS.read_text() + NAMES)  # by which its processes find each other
        options = {
            "key-file": "munge.key",
            "socket": "munge.socket",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
        }
        options["seed-file"] = "munge.seed"
        self.run(
            "munged",
            "--force",
            *(f"--{option}={self.folder / name}" for option, name in options.items()),
        )
        self.run("slurmctld")
        for node in NODES:
            self.run("slurmd", "-N", node)
        until(
            "every node is idle",
            lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(NODES),
        )

    def down(self) -> None:
        """Cancel all jobs and stop everything."""
        self.run("scancel", "--user=root")
        until("no job is left", lambda: not self.jobs())
        for name in (*NODES, "slurmctld", "munged"):
            self.stop(name)
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink()
        with contextlib.suppress(OSError):
            HOSTS.write_text(HOSTS.read_text().replace(NAMES, ""))

    def run(self, *command: str) -> str:
        """Run one of Slurm's programs; what it prints."""
        said = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert said.returncode == 0, f"{command}: {said.stderr}"
        return said.stdout

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop a daemon: slurmctld, munged, or that of a node."""
        pid = int((self.folder / f"{name}.pid").read_text())
        if _alive(pid):
            os.kill(pid, how)
        until(f"{name} has ended", lambda: not _alive(pid))

    def restart_controller(self) -> None:
        """As an administrator does, while jobs run."""
        self.stop("slurmctld")
        self.run("slurmctld")

    def jobs(self, form: str = "%i") -> list[str]:
        """Jobs that wait, run or are being ended, one line each."""
        return self.run(
            "squeue", "-h", "--states=PENDING,RUNNING,COMPLETING", "-o", form
        ).splitlines()

    def kill_node(self, node: str) -> None:
        """Have a node die, with all that runs on it: the controller gets no message."""
        jobs = self.run("squeue", "-h", "-w", node, "-o", "%A").split()
        self.stop(node, signal.SIGKILL)
        here = f"SLURMD_NODENAME={node}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                step = (
                    process.joinpath("cmdline")
                    .read_text()
                    .startswith(tuple(f"slurmstepd: [{job}." for job in jobs))
                )
                if step or here in process.joinpath("environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:  # it has ended
                continue

    def revive_node(self, node: str) -> None:
        """Start a dead node again, once the controller has noticed."""
        until(
            "the node is seen to be down",
            lambda: "down" in self.run("sinfo", "-h", "-n", node, "-o", "%T"),
            300,
        )
        self.run("slurmd", "-N", node)
        until(
            "the node is back",
            lambda: "down" not in self.run("sinfo", "-h", "-n", node, "-o", "%T"),
        )
