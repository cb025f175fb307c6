"""How long things take: `make bench`.

Prints the median and the 95th percentile of each step on a simulated release, then (where a browser is found) the times
from a click to the repainted page. Absolute times depend on the computer and its load; compare rows of one run.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import bench_original
import numpy as np

import elixer_widgets as ew


def timed(action: Callable[[], object], repeat: int) -> np.ndarray:
    """Seconds of `repeat` calls, after one that does not count."""
    action()
    seconds = []
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)


def timed_each(actions: list[Callable[[], object]]) -> np.ndarray:
    """Seconds of each action, every one done once."""
    seconds = []
    for action in actions:
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)


def row(name: str, seconds: np.ndarray) -> None:
    median, high = np.percentile(seconds * 1000.0, [50, 95])
    print(f"| {name:44s} | {seconds.size:4d} | {median:10.2f} | {high:10.2f} |", flush=True)


def compute(release_path: Path, work: Path) -> None:
    """The compute core, step by step, each detection of the release once."""
    row("open release", timed(lambda: ew.open_release(release_path), 10))
    release = ew.open_release(release_path)
    ids = [int(each) for each in release.detectids()]
    row("load detection (table rows and spectrum)", timed_each([lambda i=i: release.detection(i) for i in ids]))
    detections = [release.detection(i) for i in ids]
    row("fiber cutouts and CCD region", timed_each([lambda d=d: d.fiber_images for d in detections]))
    row("imaging and catalogue rows", timed_each([lambda d=d: d.imaging for d in detections]))
    row("measure", timed_each([lambda d=d: ew.measure(d) for d in detections]))
    measured = [ew.measure(d) for d in detections]
    row("interpret, best identity", timed_each([lambda m=m: ew.interpret(m) for m in measured]))
    row("interpret, [O II] by a person", timed_each([lambda m=m: ew.interpret(m, identity="OII") for m in measured]))
    interpretations = [ew.interpret(m) for m in measured]
    row(
        "report, PDF",
        timed_each([lambda i=i: ew.write_report(i, work / "page.pdf") for i in interpretations[:16]]),
    )
    row(
        "report, PNG at 150 dpi",
        timed_each([lambda i=i: ew.write_report(i, work / "page.png") for i in interpretations[:8]]),
    )
    row("catalogue, one detection", timed(lambda: ew.write_catalog(interpretations[:1], work / "one_cat.h5"), 10))
    row(f"catalogue, {len(ids)} detections", timed(lambda: ew.write_catalog(interpretations, work / "cat.h5"), 3))

    def from_files() -> None:
        fresh = ew.open_release(release_path)
        ew.write_report(ew.interpret(ew.measure(fresh.detection(ids[0]))), work / "page.pdf")

    row("one detection, from files to PDF", timed(from_files, 5))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=32, help="detections in the simulated release")
    parser.add_argument("--release", type=Path, help="measure on this release instead")
    parser.add_argument("--no-browser", action="store_true", help="the compute core only")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, {platform.machine()}")
    if hasattr(os, "getloadavg"):
        print(f"load when started: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="elixer-bench-") as folder:
        work = Path(folder)
        release_path = arguments.release
        if release_path is None:
            release_path = work / "release"
            start = time.perf_counter()
            ew.simulate_release(release_path, n=arguments.n, seed=1)
            seconds = time.perf_counter() - start
            size = sum(p.stat().st_size for p in release_path.rglob("*") if p.is_file()) / 1e6
            print(f"simulated release: {arguments.n} detections, {seconds:.1f} s, {size:.0f} MB")
        print(f"\n| {'step':44s} | runs | median, ms | 95 %, ms   |\n|{'-' * 46}|------|------------|------------|")
        compute(release_path, work)
        print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB\n")
        print("Against ELiXer 1.22.5 (its figures: one idle core of another, similar computer), processor time:\n")
        bench_original.main()
        print(flush=True)
        subprocess.call([sys.executable, str(Path(__file__).with_name("bench_merge.py"))])
        print(flush=True)
        if arguments.no_browser:
            return 0
        page = Path(__file__).with_name("bench_page.py")
        return subprocess.call([sys.executable, str(page), str(release_path)])


if __name__ == "__main__":
    sys.exit(main())
