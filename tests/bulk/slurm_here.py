"""A real SLURM of one node on this computer, for tests: started on the loopback address, ended by the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "srun")
PORTS = (16817, 16818)

SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/munge.sock
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoAddrCache,NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SwitchType=switch/none
SlurmctldTimeout=60
SlurmdTimeout=60
MinJobAge=300
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 \
RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why no SLURM can be started here; empty if it can."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"no {', '.join(missing)}: install slurm-wlm and munge (tools/ensure_slurm.sh)"
    if os.getuid() != 0:
        return "a SLURM of one's own needs root"
    return ""


def _call(*words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """SLURM and munge, with their files in `folder`; gives the environment to work with.

    Raises
    ------
    RuntimeError
        If it does not come up; the end of the logs is in it.
    """
    folder.chmod(0o755)
    for name in ("state", "spool", "log", "run", "munge"):
        (folder / name).mkdir(mode=0o755)
    (folder / "munge").chmod(0o711)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = os.uname().nodename.split(".")[0]
    settings = folder / "slurm.conf"
    settings.write_text(SETTINGS.format(host=host, folder=folder, ports=PORTS))
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    environment = os.environ | {"SLURM_CONF": str(settings), "PATH": path}
    inside = folder / "munge"
    try:
        _call(
            "munged",
            f"--key-file={key}",
            f"--socket={inside}/munge.sock",
            f"--pid-file={inside}/munged.pid",
            f"--log-file={inside}/munged.log",
            f"--seed-file={inside}/seed",
            "--num-threads=2",
            environment=environment,
        )
        told = _call("slurmctld", "-c", environment=environment)
        told_too = _call("slurmd", environment=environment)
        deadline = time.monotonic() + 30
        while "idle" not in _call("sinfo", "--noheader", "--format", "%T", environment=environment).stdout:
            if time.monotonic() > deadline:
                logs = "\n".join(each.read_text()[-1500:] for each in (folder / "log").iterdir())
                raise RuntimeError(f"SLURM does not come up: {told.stderr}{told_too.stderr}\n{logs}")
            time.sleep(0.1)
        yield environment
    finally:
        _call("scancel", "--user", "root", environment=environment)
        daemons: list[int] = []
        for name in (folder / "run/slurmd.pid", folder / "run/slurmctld.pid", inside / "munged.pid"):
            with suppress(OSError, ValueError):
                daemons.append(int(name.read_text()))
                os.kill(daemons[-1], signal.SIGTERM)
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{each}").exists() for each in daemons) and time.monotonic() < deadline:
            time.sleep(0.1)
