"""Who shares the work of a run; nothing of Dask is loaded to say so."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

MEMORY = 1000.0
"""MB that a worker may hold: about twice what is usual, see docs/bulk.md."""

ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
}
"""The workers are the parallelism; threads of the linear algebra in each would only get into each other's way."""


@dataclass(frozen=True)
class SlurmWorkers:
    """Workers that SLURM starts for a scheduler in this process: `jobs` jobs of `processes` workers each.

    `prologue`: shell lines before the work; `options`: further arguments of `dask_jobqueue.SLURMCluster`.
    """

    jobs: int
    processes: int = 1
    queue: str = ""
    walltime: str = "01:00:00"
    account: str = ""
    prologue: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Workers:
    """Who shares the work: `count` processes here, or `slurm`, or those of the Dask scheduler at address `scheduler`.

    `memory`: what a worker may hold, in MB; one that holds more is ended and replaced, and its detection tried anew.
    `tries`: how many workers a detection may kill before it counts as failed. `patience`: how long, in s, a run without
    any worker waits for one.
    """

    count: int = 1
    scheduler: str = ""
    slurm: SlurmWorkers | None = None
    memory: float = MEMORY
    tries: int = 3
    patience: float = 120.0


def cores() -> int:
    """How many cores this process may use."""
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def room(memory: float) -> int:
    """How many workers of `memory` MB have room in what is free on this computer; 1 if that is unknown."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/meminfo") as file:  # better than the number above: files in memory make room
            found = [line.split()[1] for line in file if line.startswith("MemAvailable:")]
        free = 1024 * int(found[0]) if found else free
    except (OSError, ValueError, AttributeError):
        return 1
    return max(1, int(free / (memory * 2**20)))
