"""A SLURM of one node on this machine: written, started and stopped without touching the system's own.

    apt-get install slurmctld slurmd slurm-client munge          # Debian, once
    eval $(python tests/slurm/cluster.py start /tmp/cluster)     # sets SLURM_CONF
    sinfo
    python tests/slurm/cluster.py stop /tmp/cluster

Everything lies in the folder that is given: munge's key, sockets, slurm.conf, spools, logs. No cgroups are needed. One false
GPU, ``/dev/null``, lets jobs ask for one.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

#: Daemons in the order in which they start, where Debian puts them.
DAEMONS = ("munged", "slurmctld", "slurmd")
START_S = 30.0
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=1
ReturnToService=2
KillWait=2
MinJobAge=600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
PartitionName=other Nodes=ALL Default=NO MaxTime=60 State=UP
"""


def missing() -> list[str]:
    """Programs that are not here."""
    return [name for name in ("sbatch", *DAEMONS) if _program(name) is None]


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def start(folder: Path) -> Path:
    """Start the daemons and wait until the node is idle; returns slurm.conf.

    Raises:
        RuntimeError: a daemon ended, or the node does not come up; with the ends of the logs.
    """
    folder = folder.absolute()
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    os.chmod(folder, 0o755)  # munge refuses a folder that others may write to
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(2):
            free = held.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    configuration = folder / "slurm.conf"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            folder=folder,
            ports=ports,
            cores=os.cpu_count(),
            memory=memory // 2,
        )
    )
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    munge = [f"--{name}={folder}/munge.{end}" for name, end in (("socket", "socket"), ("key-file", "key"))]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    for name, options in zip(DAEMONS, (munge, ["-c"], ["-c"]), strict=True):
        program = _program(name)
        assert program is not None, f"{name} is not installed"
        done = subprocess.run(
            [program, *options], env=environment(configuration), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{name} does not start: {done.stderr}\n{_logs(folder)}")
    end = time.monotonic() + START_S
    state = ""
    while time.monotonic() < end:
        asked = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=environment(configuration), capture_output=True, text=True
        )
        state = asked.stdout + asked.stderr
        if "idle" in asked.stdout:
            return configuration
        time.sleep(0.1)
    raise RuntimeError(f"no idle node after {START_S:.0f} s: {state}\n{_logs(folder)}")


def environment(configuration: Path) -> dict[str, str]:
    """Environment of commands that speak to this SLURM."""
    return {**os.environ, "SLURM_CONF": str(configuration)}


def stop(folder: Path) -> None:
    """Cancel what runs and end the daemons that `start` started."""
    configuration = folder.absolute() / "slurm.conf"
    subprocess.run(["scancel", "-u", getpass.getuser()], env=environment(configuration), capture_output=True)
    for name in reversed(DAEMONS):
        with contextlib.suppress(OSError, ValueError):
            number = int((folder / f"{name.replace('munged', 'munge')}.pid").read_text())
            os.kill(number, signal.SIGTERM)
            end = time.monotonic() + 10
            while Path(f"/proc/{number}").exists() and time.monotonic() < end:
                time.sleep(0.05)


def _logs(folder: Path) -> str:
    return "\n".join(f"{log}:\n{log.read_text(errors='replace')[-1500:]}" for log in folder.glob("*.log"))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """The cluster while the context lasts; gives slurm.conf."""
    try:
        yield start(folder)
    finally:
        stop(folder)


if __name__ == "__main__":
    action, where = sys.argv[1], Path(sys.argv[2])
    if action == "start":
        print(f"export SLURM_CONF={start(where)}")
    else:
        stop(where)
