"""Whether strangers can stop, read, use up or take over the page's server.

    python tools/attack.py                         all, at full length (40 minutes on two cores); a table on output
    python tools/attack.py --only frames --share 0.05

Real servers (`serve`, `explore`) are started on a simulated release, and then:

frames    10,000 malformed frames, messages and handshakes, while another visitor turns pages
files     500 requests for files
messages  400 hostile messages to widgets, while another visitor turns pages
user      the ways in of another user of this computer (needs root, to be `nobody` for a while)
crowd     25 sessions at once
day       one session, with as many turns as 8 hours have at one in 24 s
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FULL = {"frames": 10_000, "files": 500, "messages": 400, "user": 1, "crowd": 25, "day": 1200}


def tried(name: str, number: int, release: Path, work: Path) -> tuple[Any, str]:
    """One kind of attack, so many times."""
    bench, lies, reading, bidding, near, crowds = (
        importlib.import_module(f"attacking.{module}")
        for module in ("bench", "lies", "reading", "bidding", "near", "crowd")
    )
    if name == "user":
        why = near.possible()
        return (bench.Count(), f"left out: {why}") if why else near.come_in(release, work)
    places = {"crowd": number, "frames": 9}.get(name, 4)
    warm = "0" if name in ("crowd", "day") else "1"
    with bench.served(release, work / f"{name}.log", "--sessions", str(places), "--warm", warm) as target:
        if name == "frames":
            return lies.lies(target, number)
        if name == "files":
            return reading.read(target, number, work)
        if name == "messages":
            return bidding.bid(target, number, work)
        return crowds.crowd(target, number, 3) if name == "crowd" else crowds.day(target, number)


def main() -> int:
    """The command line."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(FULL), action="append")
    parser.add_argument("--share", type=float, default=1.0, help="of the full length (1)")
    parser.add_argument("--release", type=Path, help="default: a simulated one of 24 detections")
    given = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        work = Path(folder)
        release = given.release or work / "hdr"
        if given.release is None:
            from elixer_widgets import simulate_release

            simulate_release(release, n=24, seed=7)
        print(f"load at first {os.getloadavg()[0]:.1f}\n")
        print("| what | tried | outcomes | wrong | seen |\n|---|---|---|---|---|")
        for name in given.only or FULL:
            begun = time.monotonic()
            count, words = tried(name, max(1, round(FULL[name] * given.share)), release, work)
            outcomes = ", ".join(f"{what} {number}" for what, number in count.outcomes.most_common())
            taken = time.monotonic() - begun
            print(f"| {name} | {count.tried} | {outcomes} | {len(count.wrong)} | {words} ({taken:.0f} s) |", flush=True)
            wrong += len(count.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
