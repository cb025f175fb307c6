"""Whether commands and campaigns lose, break or leave anything: killed, two at once, disks full, and more.

    python tools/kill_runs.py                    200 kills a command, 1,000 of answering, the faults; tables on output
    python tools/kill_runs.py --kills 20 --only merge

A command is killed (TERM, INT or KILL; its whole group or the process alone) at a random moment, looked at, and started
again until it ends by itself; then everything is compared with a command that nobody disturbed. A child that is killed
is a copy of this process, in which all is loaded: kills fall into the command's own work. For the row `run` it also
remembers interpretations and drawings (see `Bench.drawings_remembered`); the next row remembers nothing. Needs Linux;
small and read-only disks are tmpfs mounts, which take the rights of root and are left out, saying so, without them.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DRAWN = 8  # one kill of a run that draws for so many of one that remembers: each takes as much longer


def main() -> int:
    """The command line."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    bench_of, kills, faults, answers = (
        importlib.import_module(f"killing.{name}") for name in ("bench", "kills", "faults", "answering")
    )
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="of each command (200); five times as many of answering")
    parser.add_argument("--n", type=int, default=3, help="detections of the simulated release (3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop each command's kills after so long")
    parser.add_argument("--only", choices=(*kills.KILLED, "answers", "faults", *faults.FAULTS), action="append")
    parser.add_argument("--work", type=Path, help="a folder of its own, which must not exist yet")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="elixer-kill-")) / "work"
    work.mkdir()
    wrong = 0
    wanted = given.only or [*kills.KILLED, "answers", "faults"]
    try:
        if "answers" in wanted:
            wrong += answers.tried(work / "answers", 5 * given.kills, given.seed)
        if wanted != ["answers"]:
            bench = bench_of.prepared(work / "bench", given.n)
            print("| what | tried | ended by itself and compared | wrong |\n| --- | --- | --- | --- |", flush=True)
        for name, trial in kills.KILLED.items():
            if name in wanted:
                number = given.kills if "drawing" not in name else -(-given.kills // DRAWN)
                until = time.monotonic() + 60 * given.minutes
                wrong += tell(name, trial(bench, number, random.Random(given.seed), until))
        for name, fault in faults.FAULTS.items():
            if "faults" in wanted or name in wanted:
                wrong += tell(name, fault(bench))
    finally:
        shutil.rmtree(work)  # made above
    return 1 if wrong else 0


def tell(name: str, count: Any) -> int:
    """A line of the table; how much was wrong."""
    kills = ", ".join(f"{number} {what}" for what, number in sorted(count.kills.items()))
    total = f"{sum(count.kills.values())} kills ({kills})" if count.kills else "1"
    print(f"| {name} | {count.left_out or total} | {count.ends} | {len(count.wrong)} |", flush=True)
    return len(count.wrong)


if __name__ == "__main__":
    sys.exit(main())
