"""How fast the page answers: click to repaint, next detection, first page, in headless Chromium against Voila.

    python tools/bench_page.py [RELEASE] [--repeats 30] [--warm]

A repaint is counted from the click to the first frame after the last change of the page that followed from it; so at
least one to two frames (17 to 33 ms) of every number are the screen's own. Without RELEASE the simulated one is used.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from elixer_widgets.widgets import dashboard

# Counts changes of the page after a click, and notes the time of the first frame after each of them.
WATCH = """
() => {
  const watch = window.ewWatch = { start: NaN, last: NaN, changes: 0 };
  const page = document.querySelector('.ew-page');
  new MutationObserver(() => {
    watch.changes += 1;
    requestAnimationFrame(() => requestAnimationFrame((now) => { watch.last = performance.now(); }));
  }).observe(page, { subtree: true, childList: true, attributes: true, characterData: true });
}
"""
# Clicks within the browser, so that the driver's own delay is no part of the time.
CLICK = """
(selector) => {
  const target = document.querySelector(selector);
  window.ewWatch.last = NaN; window.ewWatch.changes = 0;
  window.ewWatch.start = performance.now();
  target.click();
}
"""
ELAPSED = "() => window.ewWatch.last - window.ewWatch.start"
QUIET = 0.25
"""Seconds without a change after which a page counts as drawn."""

# without a software WebGL: nothing on the page needs one, and its compositor would be what is timed
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-gpu",
]  # fmt: skip


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def click_to_repaint(page: Any, selector: str, patience: float = 20.0) -> float:
    """Milliseconds from a click on `selector` to the frame after the last change that followed."""
    page.evaluate(CLICK, selector)
    end = time.monotonic() + patience
    last, since = float("nan"), time.monotonic()
    while time.monotonic() < end:
        time.sleep(0.02)
        now = page.evaluate(ELAPSED)
        if now is None or now != now:
            continue
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET:
            return float(last)
    raise TimeoutError(f"nothing on the page changed within {patience:g} s of a click on {selector}")


def wait_for_page(page: Any, url: str) -> float:
    """Seconds from opening `url` to a drawn spectrum."""
    begin = time.monotonic()
    page.goto(url, timeout=120_000)
    page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=120_000)
    page.wait_for_selector(".ew-card[aria-pressed=true], .ew-nocard[aria-pressed=true]", timeout=120_000)
    return time.monotonic() - begin


def measure_page(url: str, repeats: int, chromium: str) -> dict[str, list[float]]:
    """Every measurement, in ms, by name."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            found["first page"] = [1000 * wait_for_page(page, url)]
            page.wait_for_timeout(1500)
            page.evaluate(WATCH)
            cards = ".ew-card[data-key=OII]", ".ew-card[data-key=Lya]"
            found["reassign the line"] = [click_to_repaint(page, cards[n % 2]) for n in range(repeats)]
            turns = min(repeats, 8)
            found["next, not prepared"] = [click_to_repaint(page, ".ew-next") for _ in range(turns)]
            found["previous, prepared"] = [click_to_repaint(page, ".ew-prev") for _ in range(turns)]
            found["next, prepared"] = [click_to_repaint(page, ".ew-next") for _ in range(turns)]
        finally:
            browser.close()
    return found


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def table(found: dict[str, list[float]]) -> str:
    """The measurements as text: how many, median and 95th percentile."""
    lines = [f"{'page (ms)':<24}{'n':>5}{'median':>10}{'95 %':>10}"]
    for name, values in found.items():
        lines.append(f"{name:<24}{len(values):>5}{statistics.median(values):>10.0f}{percentile(values, 0.95):>10.0f}")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", nargs="?", default=None)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--warm", action="store_true", help="prepare a kernel before the visit")
    given = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("the page was not timed: no Chromium or Chrome is installed on this computer")
        return 0
    release = given.release or dashboard.release_path()
    with tempfile.TemporaryDirectory() as folder:
        names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
        private = {name: str(Path(folder) / name.lower()) for name in names}
        with dashboard.running(
            release, warm=int(given.warm), environment=private, log=Path(folder) / "voila.log"
        ) as url:
            if given.warm:
                time.sleep(float(os.environ.get("ELIXER_BENCH_WARMUP", "15")))
            print(table(measure_page(url, given.repeats, chromium)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
