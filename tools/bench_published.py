"""How the published page does: a search among a million detections, and ten visitors at once.

    python tools/bench_published.py [RELEASE] [--visitors 10]

Memory is the proportional set size (PSS): what a kernel adds to the computer's, shared pages counted once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from elixer_widgets.releases.search_index import SearchIndex, load_index
from elixer_widgets.simulation.kept import kept_release
from elixer_widgets.widgets.landing import Landing
from elixer_widgets.widgets.serving import Publication, publishing


def million(n: int = 1_000_000, seed: int = 1) -> SearchIndex:
    """A survey of made-up detections over the whole sky."""
    rng = np.random.default_rng(seed)
    return SearchIndex(
        np.arange(n) + 2_100_000_000, rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
        rng.uniform(3500, 5500, n), rng.exponential(3, n) + 4.8, rng.uniform(0, 3.5, n), rng.uniform(0, 1, n),
        rng.integers(0, 3, n).astype(np.uint8), ("", "Lya", "OII"),
    )  # fmt: skip


def searches(folder: Path) -> None:
    """From a change of the form to the finished table, median of 30."""
    million().save(folder)
    landing = Landing(load_index(folder), "a million", lambda one, found: None)

    def set_all(**values: str) -> None:
        landing._filling = True
        for name, field in landing._fields.items():
            field.value = values.get(name, "release" if name == "order" else "")
        landing._filling = False

    cases: dict[str, dict[str, str]] = {
        "all": {},
        "by number": {"q": "2100500000"},
        "within 10 arcmin": {"q": "150.1 2.2 600"},
        "a class": {"class": "Lya"},
        "class, probability, S/N, most doubtful first": {
            "class": "Lya", "p_from": "0.2", "p_to": "0.8", "sn_from": "6", "order": "doubt",
        },
    }  # fmt: skip
    print("| search among 1,000,000 | found | median, ms | 95 %, ms |\n|---|---|---|---|")
    for name, values in cases.items():
        set_all(**values)
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            landing.search()
            times.append(1000 * (time.perf_counter() - begun))
        print(f"| {name} | {landing.found.size:,} | {np.median(times):.0f} | {np.percentile(times, 95):.0f} |")


def kernels(server: int) -> list[int]:
    """Process numbers of a server's kernels."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                line = (entry / "cmdline").read_text()
            except (OSError, IndexError):
                continue
            if parent == server and "ipykernel" in line:
                found.append(int(entry.name))
    return found


def pss(process: int) -> float:
    """MB that a process adds to what is in use."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))) / 1024


def wait(condition: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.25)
    return False


def visitors(release: Path, count: int, log: Path) -> None:
    """So many pages at once: how long each takes to open and to answer, what memory they take, and that they end."""
    from playwright.sync_api import sync_playwright

    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    arguments = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-dev-shm-usage"]
    how = Publication(port=0, warm=1, sessions=count + 2)
    with publishing(release, None, how, log=log) as (url, server), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=arguments)

        def health() -> dict:
            with urlopen(f"{url}healthz") as answer:
                return dict(json.load(answer))

        ids = [
            int(line) for line in np.load(Path(f"/proc/{server.pid}/cwd").resolve().parent / "index" / "detectid.npy")
        ]
        opened, pages, turns = [], [], []
        for visitor in range(count):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            begun = time.perf_counter()
            page.goto(f"{url}?detectid={ids[visitor % len(ids)]}", timeout=180_000)
            page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=180_000)
            opened.append(time.perf_counter() - begun)
            pages.append(page)
        memory = [pss(each) for each in kernels(server.pid)]
        for page in pages:
            before = page.inner_text(".ew-who b")
            begun = time.perf_counter()
            page.click(".ew-next button, button.ew-next")
            page.wait_for_function(
                f"document.querySelector('.ew-who b').textContent != {json.dumps(before)}", timeout=60_000
            )
            turns.append(1000 * (time.perf_counter() - begun))
        full = health()
        for page in pages:
            page.close(run_before_unload=True)
        gone = wait(lambda: health()["sessions"] == 0, 60)
        browser.close()
        print(f"\n{count} visitors, load {os.getloadavg()[0]:.1f}; health when all were there: {full}\n")
        print("| | median | most |\n|---|---|---|")
        print(f"| page open, s | {np.median(opened):.1f} | {max(opened):.1f} |")
        print(f"| next detection, ms | {np.median(turns):.0f} | {max(turns):.0f} |")
        print(
            f"| memory of a kernel (PSS, {len(memory)} with the warm one), MB "
            f"| {np.median(memory):.0f} | {max(memory):.0f} |"
        )
        print(f"\nkernels gone after closing: {'yes' if gone else 'no'} {health()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", nargs="?", type=Path, help="default: the simulated one")
    parser.add_argument("--visitors", type=int, default=10)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory(prefix="elixer-bench-") as folder:
        searches(Path(folder) / "index")
        if options.visitors:
            release = options.release or kept_release(announce=print)
            visitors(release, options.visitors, Path(folder) / "server.log")


if __name__ == "__main__":
    main()
