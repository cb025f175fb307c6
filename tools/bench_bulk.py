"""How fast many detections go, how that grows with workers, and what a worker holds.

    python tools/bench_bulk.py                    2,000 simulated detections by 2 workers, and 1 worker against 2
    python tools/bench_bulk.py --n 200 --release PATH

The first table is one run over the whole list. The second compares one worker with two, in turns on parts of the list
of equal size, so that the load of a shared computer falls on both; the start of the workers is left out. On a computer
with other work the ratio of the times says little. Then the ratio expected on idle cores is: two, times the processor
time a detection of one worker over that of two, times the share of the time in which the two had work.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import elixer_widgets as ew
from elixer_widgets.bulk import Output, run
from elixer_widgets.bulk.progress import Progress
from elixer_widgets.bulk.work import Outcome
from elixer_widgets.bulk.workers import Workers


@dataclass
class Measured:
    """One run: detections, failures, seconds without and of the start, processor time, share of busy time, and more.

    `peak` is the memory of a worker, `size` what is on disk, in MB; `load` that of the computer at the end.
    """

    count: int
    failed: int
    seconds: float
    start: float
    cpu: float
    busy: float
    peak: float
    size: float
    load: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def measure(release: ew.releases.Release, detectids: list[int], workers: int, folder: Path) -> Measured:
    """Run a list with some workers, into a folder that does not exist yet."""
    output = Output(folder)
    begun = time.perf_counter()
    progress = Progress(len(detectids))
    work: list[float] = []
    first: list[float] = []

    def watch(outcome: Outcome) -> None:
        if not first:  # outcomes come a piece at a time: what came before this one is the start
            first.append(time.perf_counter() - begun)
        work.append(outcome.seconds)
        progress.add(f"{outcome.detectid} {outcome.reason}", failed=bool(outcome.reason))

    summary = run(release, detectids, output, workers=Workers(workers), watch=watch)
    total = time.perf_counter() - begun
    piece = sum(work[: max(1, min(12, len(detectids) // (4 * workers)))])
    start = max(0.0, first[0] - piece)
    seconds = total - start
    size = sum(path.stat().st_size for path in output.folder.rglob("*") if path.is_file()) / 1e6
    return Measured(
        len(summary.done),
        len(summary.failed),
        seconds,
        start,
        summary.cpu,
        sum(work) / (workers * seconds),
        summary.peak,
        size,
        os.getloadavg()[0],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000, help="detections of the long run (2000)")
    parser.add_argument("--part", type=int, default=96, help="detections of each part of the comparison (96)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of the comparison (2)")
    parser.add_argument("--release", type=Path, help="an existing release instead of a simulated one")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="elixer-bench-") as name:
        work = Path(name)
        path = arguments.release
        if path is None:
            path = work / "release"
            begun = time.process_time()
            ew.simulate_release(path, n=max(arguments.n, 2 * arguments.part), seed=1)
            print(f"release simulated in {time.process_time() - begun:.0f} s of processor time")
        release = ew.open_release(path)
        ids = [int(each) for each in release.detectids()]
        pairs: list[tuple[Measured, Measured]] = []
        for turn in range(arguments.rounds):
            halves = (ids[: arguments.part], ids[arguments.part : 2 * arguments.part])
            # the lists change places, so that neither is always the harder one
            one = measure(release, halves[turn % 2], 1, work / f"one{turn}")
            two = measure(release, halves[1 - turn % 2], 2, work / f"two{turn}")
            pairs.append((one, two))
        print("\n| workers | detections | a second | processor time each | busy | start | load | peak |")
        print("|---|---|---|---|---|---|---|---|")
        for pair in pairs:
            for workers, each in zip((1, 2), pair, strict=True):
                print(
                    f"| {workers} | {each.count} | {each.rate:.2f} | {each.cpu / each.count:.2f} s | {each.busy:.0%} "
                    f"| {each.start:.0f} s | {each.load:.1f} | {each.peak:.0f} MB |"
                )
        seen = sum(two.rate for _, two in pairs) / sum(one.rate for one, _ in pairs)
        once, twice = (sum(pair[at].cpu / pair[at].count for pair in pairs) for at in (0, 1))
        busy = sum(two.busy for _, two in pairs) / sum(one.busy for one, _ in pairs)
        print(
            f"\ntwo workers against one: {seen:.2f} times as fast; expected on idle cores {2 * once / twice * busy:.2f}"
        )
        chosen = ids[: arguments.n]
        if chosen:
            whole = measure(release, chosen, 2, work / "whole")
            print(
                f"\n{whole.count} detections ({whole.failed} failed) by 2 workers: {whole.seconds:.0f} s, "
                f"{whole.rate:.2f} a second, {whole.cpu / whole.count:.2f} s of processor time each, "
                f"peak memory of a worker {whole.peak:.0f} MB, {whole.size / whole.count:.2f} MB on disk each"
            )
            print(f"load at the end: {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
