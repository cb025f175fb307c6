"""How fast the page answers: click to repaint, next detection, first page, in headless Chromium against Voila.

    python tools/bench_page.py [RELEASE] [--repeats 30] [--visits 5] [--turns 500]

A repaint is counted from the click to the first frame after the last change of the page that followed from it; so at
least one to two frames (17 to 33 ms) of every number are the screen's own. Without RELEASE the simulated one is used.
"Prepared" pages are those whose measuring in the background had time to end; "not prepared" ones are jumped to from
afar. Visits find a kernel that is warm. Page turns are counted with the widgets that the kernel makes meanwhile and
with the memory it takes, after 60 turns that do not count.
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

from elixer_widgets import open_release
from elixer_widgets.widgets import dashboard

# Counts changes of the page after a click, and notes the time of the first frame after each of them.
WATCH = """
() => {
  const watch = window.ewWatch = { start: NaN, last: NaN, changes: 0, pointer: false };
  const page = document.querySelector('.ew-page');
  page.addEventListener('pointermove', () => { if (watch.pointer) watch.start = performance.now(); }, true);
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
WARMUP = float(os.environ.get("ELIXER_BENCH_WARMUP", "15"))
"""Seconds after which the next kernel is taken to be warm."""

QUIET = 0.25
"""Seconds without a change after which a page counts as drawn."""

LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
TURNS = (".ew-next", ".ew-prev")

# without a software WebGL: nothing on the page needs one, and its compositor would be what is timed
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-gpu",
]  # fmt: skip


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def _repainted(page: Any, what: str, patience: float) -> float:
    """Milliseconds from the watch's start to the frame after the last change that followed."""
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
    raise TimeoutError(f"nothing on the page changed within {patience:g} s of {what}")


def click_to_repaint(page: Any, selector: str, patience: float = 20.0) -> float:
    """Milliseconds from a click on `selector` to the frame after the last change that followed."""
    page.evaluate(CLICK, selector)
    return _repainted(page, f"a click on {selector}", patience)


def drag_to_repaint(page: Any, steps: int) -> list[float]:
    """Milliseconds of each step of a drag of the aperture over its image; empty where no image has one."""
    grip = page.locator(".ew-tile [data-grip=size]").first
    if not grip.count():
        return []
    box = page.locator(".ew-tile svg:has([data-grip=size])").first.bounding_box()
    edge = grip.bounding_box()
    x, y = edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] / 2
    found = []
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("window.ewWatch.pointer = true")
    for step in range(steps + 1):
        page.evaluate("window.ewWatch.last = NaN")
        page.mouse.move(x + box["width"] * 0.01 * (1 + step % 12), y)
        try:
            found.append(_repainted(page, "a step of a drag", 5.0))
        except TimeoutError:  # told as not measured
            break
    page.mouse.up()
    page.evaluate("window.ewWatch.pointer = false")
    page.wait_for_timeout(600)
    return found[1:]  # the first takes the aperture up


def kernel_memory(server: int) -> dict[int, float]:
    """Megabytes of each kernel below a server, by process number; empty where there is no /proc."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            command = (status.parent / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if int(lines["PPid"]) == server and b"ipykernel" in command and "VmRSS" in lines:
            found[int(status.parent.name)] = int(lines["VmRSS"].split()[0]) / 1024
    return found


class Wire:
    """What travels: widgets that the kernel makes, and requests that leave the computer."""

    def __init__(self, page: Any) -> None:
        self.opened = 0
        self.elsewhere: list[str] = []
        page.on("request", lambda request: request.url.startswith(LOCAL) or self.elsewhere.append(request.url))
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, bytes) else frame.encode()
        self.opened += b"comm_open" in text[:4000]


def turn_pages(page: Any, turns: int) -> None:
    """Turn forth and back, waiting for each page."""
    for number in range(turns):
        before = page.evaluate(
            "selector => { const now = document.querySelector('.ew-count').textContent; "
            "document.querySelector(selector).click(); return now; }",
            TURNS[number // 20 % 2],
        )
        page.wait_for_function(f"document.querySelector('.ew-count').textContent != '{before}'", timeout=20_000)


def wait_for_page(page: Any, url: str) -> float:
    """Seconds from opening `url` to a drawn spectrum."""
    begin = time.monotonic()
    page.goto(url, timeout=120_000)
    page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=120_000)
    page.wait_for_selector(".ew-card[aria-pressed=true], .ew-nocard[aria-pressed=true]", timeout=120_000)
    return time.monotonic() - begin


def jump_to_repaint(page: Any, detectid: str) -> float:
    """Milliseconds from giving a number to the repainted page."""
    page.fill(".ew-jump input", detectid)
    page.evaluate("window.ewWatch.last = NaN; window.ewWatch.start = performance.now()")
    page.press(".ew-jump input", "Enter")
    return _repainted(page, f"a jump to {detectid}", 20.0)


def measure_page(page: Any, detectids: list[str], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of what a person does on an open page, by name."""
    found: dict[str, list[float]] = {}
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    cards = ".ew-card[data-key=OII]", ".ew-card[data-key=Lya]"
    found["reassign the line"] = [click_to_repaint(page, cards[n % 2]) for n in range(repeats)]
    found["aperture, a step of a drag"] = drag_to_repaint(page, repeats)
    prepared: list[float] = []
    for number in range(repeats):
        page.wait_for_timeout(1200)  # what a glance takes; the neighbours are measured meanwhile
        prepared.append(click_to_repaint(page, TURNS[number // 20 % 2]))
    found["next, prepared"] = prepared
    far = detectids[len(detectids) // 2 :: 4] + detectids[len(detectids) // 2 + 2 :: 4] + detectids[24::4]
    found["next, not prepared"] = [jump_to_repaint(page, each) for each in far[:repeats]]
    return found


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def table(found: dict[str, list[float]]) -> str:
    """The measurements as text: how many, median and 95th percentile."""
    lines = [f"{'page (ms)':<28}{'n':>5}{'median':>10}{'95 %':>10}"]
    for name, values in found.items():
        if not values:
            lines.append(f"{name:<28}{'not measured: nothing on this page answered':>20}")
            continue
        lines.append(f"{name:<28}{len(values):>5}{statistics.median(values):>10.0f}{percentile(values, 0.95):>10.0f}")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", nargs="?", default=None)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--visits", type=int, default=5, help="of a page whose kernel is warm")
    parser.add_argument("--turns", type=int, default=500)
    given = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("the page was not timed: no Chromium or Chrome is installed on this computer")
        return 0
    from playwright.sync_api import sync_playwright

    release = given.release or dashboard.release_path()
    detectids = [str(each) for each in open_release(release).detectids()]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
        private = {name: str(Path(folder) / name.lower()) for name in names}
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        with dashboard.serving(release, warm=1, environment=private, log=Path(folder) / "voila.log") as (url, server):
            first = []
            for _ in range(given.visits):
                time.sleep(WARMUP)
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                first.append(1000 * wait_for_page(page, url))
                page.close(run_before_unload=True)
            time.sleep(WARMUP)
            before = kernel_memory(server)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            wire = Wire(page)
            first.append(1000 * wait_for_page(page, url))
            print(table({"first page, kernel warm": first, **measure_page(page, detectids, given.repeats)}), flush=True)
            jump_to_repaint(page, detectids[0])  # there are pages to turn from here
            turn_pages(page, 60)
            opened, held = wire.opened, kernel_memory(server)
            turn_pages(page, given.turns)
            page.wait_for_timeout(2000)
            grown = [now - held[each] for each, now in kernel_memory(server).items() if each in held and each in before]
            print(
                f"{given.turns} page turns: {wire.opened - opened} new widgets, kernel "
                f"{max(grown, default=float('nan')):+.0f} MB; requests leaving the computer: {len(wire.elsewhere)}"
            )
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
