"""How fast the page answers: hand to repaint, next detection, first page, in headless Chromium against Voila.

    python tools/bench_page.py [RELEASE] [--repeats 30] [--visits 5] [--turns 500]

A repaint is counted from the click (or from the pointer's own time stamp) until the page shows the new values, every
picture that changed is decoded, nothing changes any more, and two more frames were drawn; so 17 to 33 ms of every
number are the screen's own. What must be shown is looked up in the page: the number of the detection, its curve, the
identity's labels, the radius that an aperture was dragged to. A step that never shows them is an error, not a time.

Beside the times on the clock stand those of the processors, for a computer that does other things too: of the kernel
and of the browser's process that draws the page, all that they did from click to repaint.

"Prepared" pages are those whose making in the background had time to end; "not prepared" ones are jumped to from afar.
Visits find a kernel that has come to rest. Page turns are counted with the widgets that the kernel holds before and
after them, the elements of the page, and the kernel's memory, after 80 turns that do not count. Without RELEASE the
simulated one is used.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elixer_widgets import open_release
from elixer_widgets.widgets import dashboard

QUIET = 250
"""Milliseconds without a change after which a page counts as drawn."""

# Notes when the page was last painted after a change; times begin with a click, or with the pointer's next move.
WATCH = """
(quiet) => {
  const page = document.querySelector('.ew-page');
  const watch = window.ewWatch = { start: NaN, changed: NaN, painted: NaN, armed: false };
  const frame = () => new Promise(requestAnimationFrame);
  let newest = 0;
  new MutationObserver(async (records) => {
    const mine = ++newest;
    watch.changed = performance.now();
    const pictures = new Set();
    for (const { target, addedNodes } of records) {
      if (target.decode) pictures.add(target);
      for (const node of addedNodes) {
        if (node.decode) pictures.add(node);
        node.querySelectorAll?.('img, image').forEach((each) => pictures.add(each));
      }
    }
    await Promise.all([...pictures].map((each) => each.decode?.().catch(() => null)));
    await frame();
    await frame();
    if (mine === newest) watch.painted = performance.now();
  }).observe(page, { subtree: true, childList: true, attributes: true, characterData: true });
  window.addEventListener('pointermove', (event) => {
    if (!watch.armed) return;
    watch.armed = false;
    watch.start = event.timeStamp;
  }, true);
  const text = (selector) => document.querySelector(selector)?.textContent ?? '';
  const all = (selector, value) => [...document.querySelectorAll(`.ew-spectrum ${selector}`)].map(value).join('|');
  const labels = () => all('text.label', (each) => each.textContent);
  const curves = () => all('path.line', (each) => each.getAttribute('d'));
  // what the page shows, and whether it is another detection or identity than before
  watch.face = () => ({ who: text('.ew-who'), count: text('.ew-count'), curves: curves(), labels: labels(),
                        line: text('.ew-line b'), strip: document.querySelector('.ew-strip img')?.src });
  watch.turned = (before) => {
    const now = watch.face();
    return now.who !== before.who && now.count !== before.count && now.curves !== before.curves &&
      (now.strip === undefined || now.strip !== before.strip) && now.line !== '' && !page.matches('.ew-busy');
  };
  watch.reassigned = (before, key) => {
    const now = watch.face();
    return now.line !== before.line && now.labels !== before.labels &&
      document.querySelector(`.ew-card[data-key=${key}]`)?.ariaPressed === 'true';
  };
  watch.radius = () => document.querySelector('.ew-tile .ew-grip:not(.ew-move)')?.getAttribute('rx');
  watch.dragged = (before) => {
    const now = watch.radius();
    return now !== before && text('.ew-readout').includes(`radius ${Number(now).toFixed(2)}″`);
  };
  watch.repaint = async (shown, patience = 20000) => {
    const end = performance.now() + patience;
    while (performance.now() < end) {
      await new Promise((go) => setTimeout(go, 20));
      const { start, changed, painted } = watch;
      const still = changed < painted && performance.now() - changed > quiet;
      if (start < changed && still && shown()) return painted - start;
    }
    throw new Error('the page does not show what was asked for');
  };
  watch.click = (selector, shown) => {
    const target = document.querySelector(selector);
    watch.start = performance.now();
    target.click();
    return watch.repaint(shown);
  };
}
"""
TURN = "selector => { const was = ewWatch.face(); return ewWatch.click(selector, () => ewWatch.turned(was)); }"
REASSIGN = """
key => {
  const was = ewWatch.face();
  return ewWatch.click(`.ew-card[data-key=${key}]`, () => ewWatch.reassigned(was, key));
}
"""
JUMP = """
detectid => {
  const was = ewWatch.face(), box = document.querySelector('.ew-jump input');
  box.value = detectid;
  ewWatch.start = performance.now();
  for (const name of ['input', 'change']) box.dispatchEvent(new Event(name, { bubbles: true }));
  return ewWatch.repaint(() => ewWatch.turned(was));
}
"""
DRAGGED = "was => ewWatch.repaint(() => ewWatch.dragged(was), 5000)"

# Asks the kernel, as any second client may, how many widgets it holds.
COMMS = """
() => new Promise((resolve, reject) => {
  const { baseUrl, kernelId } = JSON.parse(document.getElementById('jupyter-config-data').textContent);
  const socket = new WebSocket(`ws://${location.host}${baseUrl}api/kernels/${kernelId}/channels?session_id=bench`);
  const header = { msg_id: `bench${Math.random()}`, msg_type: 'comm_info_request', session: 'bench', username: '',
                   version: '5.3', date: new Date().toISOString() };
  const content = { target_name: 'jupyter.widget' };
  const asked = { channel: 'shell', header, parent_header: {}, metadata: {}, content };
  socket.onopen = () => socket.send(JSON.stringify(asked));
  socket.onerror = () => reject(new Error('the kernel does not answer'));
  socket.onmessage = ({ data }) => {
    const message = typeof data === 'string' ? JSON.parse(data) : {};
    if (message.header?.msg_type !== 'comm_info_reply') return;
    socket.close();
    resolve(Object.keys(message.content.comms).length);
  };
})
"""
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
TURNS = (".ew-next", ".ew-prev")

# without a software WebGL: nothing on the page needs one, and its compositor would be what is timed; and names of
# other computers lead nowhere, so that nothing can come from there unseen
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


# ------------------------------------------------------------------------------------------------- processes


@dataclass(frozen=True)
class Process:
    """A running program: its parent, its command line, its processor time (s) and its memory (MB)."""

    parent: int
    command: str
    seconds: float
    memory: float


def processes() -> dict[int, Process]:
    """All that run, by number; none where there is no /proc."""
    found, tick, page = {}, os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            numbers = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            resident = int((folder / "statm").read_text().split()[1])
        except OSError:  # it ended meanwhile
            continue
        seconds = (int(numbers[11]) + int(numbers[12])) / tick
        found[int(folder.name)] = Process(int(numbers[1]), command, seconds, resident * page / 1e6)
    return found


class Watched:
    """The kernel and the browser's drawing process of one page, told from all others by what they descend from."""

    def __init__(self, server: int) -> None:
        self._server = server

    def kernels(self) -> dict[int, Process]:
        """The server's kernels."""
        return {n: p for n, p in processes().items() if p.parent == self._server and "ipykernel" in p.command}

    def busiest_kernel(self) -> int:
        """The kernel of the open page: it has done most. 0 where processes cannot be seen."""
        kernels = self.kernels()
        return max(kernels, key=lambda number: kernels[number].seconds, default=0)

    def rest(self, still: float = 3.0, patience: float = 180.0) -> None:
        """Until the kernels have done nothing for so many seconds: they are warm then, and all is prepared."""
        end, known, since = time.monotonic() + patience, -1.0, time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < still:
            time.sleep(0.2)
            spent = sum(each.seconds for each in self.kernels().values())
            if spent - known > 0.01:
                since = time.monotonic()
            known = spent

    def spent(self) -> tuple[float, float]:
        """Seconds of processor that kernels and drawing processes took so far."""
        everything, kernel, drawing = processes(), 0.0, 0.0
        for each in everything.values():
            if each.parent == self._server and "ipykernel" in each.command:
                kernel += each.seconds
            elif "--type=renderer" in each.command and self._ours(each, everything):
                drawing += each.seconds
        return kernel, drawing

    def _ours(self, process: Process, everything: dict[int, Process]) -> bool:
        while process.parent in everything:
            if process.parent == os.getpid():
                return True
            process = everything[process.parent]
        return False


@dataclass
class Times:
    """What was timed of one thing that a person does: milliseconds of each, and processor milliseconds in all."""

    elapsed: list[float] = field(default_factory=list)
    kernel: float = 0.0
    drawing: float = 0.0


class Meter:
    """Times actions on an open page."""

    def __init__(self, page: Any, watched: Watched) -> None:
        self.page, self.watched = page, watched

    def take(self, times: Times, action: Callable[[], float]) -> None:
        """Do it, and note how long it took."""
        before = self.watched.spent()
        times.elapsed.append(action())
        after = self.watched.spent()
        times.kernel += 1000 * (after[0] - before[0])
        times.drawing += 1000 * (after[1] - before[1])

    def ask(self, script: str, given: Any) -> Callable[[], float]:
        """What runs a script of this file on the page."""
        return lambda: float(self.page.evaluate(script, given))


# -------------------------------------------------------------------------------------------- what is measured


def reassign(meter: Meter, repeats: int) -> Times:
    """Adopt two identities in turn by their cards."""
    times = Times()
    keys = ["OII", "Lya"]
    if meter.page.locator(".ew-card[data-key=OII][aria-pressed=true]").count():
        keys.reverse()  # the first must be another one than is shown
    for number in range(repeats):
        meter.take(times, meter.ask(REASSIGN, keys[number % 2]))
    return times


def drag(meter: Meter, repeats: int) -> Times:
    """Steps of a drag of the aperture's edge over its image; none where no image has one."""
    page, times = meter.page, Times()
    grip = page.locator(".ew-tile .ew-grip:not(.ew-move)").first
    if not grip.count():
        return times
    box = grip.bounding_box()
    x, y = box["x"] + box["width"], box["y"] + box["height"] / 2  # the right end of the circle
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 6, y)  # takes it up; not counted
    page.wait_for_timeout(1000)
    for number in range(repeats):
        was = page.evaluate("ewWatch.armed = true, ewWatch.radius()")

        def step(was: str = was, reach: float = 6 + 3 * (1 + number % 5)) -> float:
            page.mouse.move(x + reach, y)
            return float(page.evaluate(DRAGGED, was))

        meter.take(times, step)
    page.mouse.up()
    page.wait_for_timeout(1500)
    page.evaluate("document.querySelector('.ew-reset').click()")
    page.wait_for_timeout(1500)
    return times


def turn_prepared(meter: Meter, repeats: int) -> Times:
    """Turn the page as somebody who looks at it for a moment: what was to be prepared is, and the kernel at rest."""
    times = Times()
    for number in range(repeats):
        meter.page.wait_for_timeout(500)
        meter.watched.rest(still=1.0)
        meter.take(times, meter.ask(TURN, TURNS[number // 20 % 2]))
    return times


def jump(meter: Meter, detectids: list[str]) -> Times:
    """Jump to detections whose neighbours were not looked at."""
    times = Times()
    for detectid in detectids:
        meter.take(times, meter.ask(JUMP, detectid))
    return times


def turn_many(page: Any, turns: int) -> None:
    """Turn forth and back, waiting for each page."""
    for number in range(turns):
        before = page.evaluate(
            "selector => { const now = document.querySelector('.ew-count').textContent; "
            "document.querySelector(selector).click(); return now; }",
            TURNS[number // 20 % 2],
        )
        page.wait_for_function(f"document.querySelector('.ew-count').textContent != '{before}'", timeout=20_000)


def wait_for_page(page: Any, url: str) -> float:
    """Seconds from opening `url` to a drawn page."""
    begin = time.monotonic()
    page.goto(url, timeout=120_000)
    page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=120_000)
    page.wait_for_selector(".ew-card[aria-pressed=true], .ew-nocard[aria-pressed=true]", timeout=120_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return time.monotonic() - begin


@dataclass(frozen=True)
class Held:
    """What is held at a moment: widgets in the kernel, elements in the page, the kernel's megabytes."""

    widgets: int
    elements: int
    memory: float


def held(page: Any, watched: Watched, kernel: int) -> Held:
    """What is held now, after everything has come to rest."""
    page.wait_for_timeout(2000)
    widgets, elements = page.evaluate(COMMS), page.evaluate("document.querySelectorAll('*').length")
    known = watched.kernels().get(kernel)
    return Held(int(widgets), int(elements), float("nan") if known is None else known.memory)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


HEADING = f"{'page (ms)':<28}{'n':>4}{'median':>8}{'95 %':>8}{'limit':>8}{'kernel':>9}{'drawing':>9}{'load':>7}"


def row(name: str, times: Times, limit: float) -> str:
    """One line of the table: median and 95th percentile, then processor time of each, in the mean."""
    count = len(times.elapsed)
    if not count:
        return f"{name:<28}   not measured: nothing on this page answers to it"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{name:<28}{count:>4}{statistics.median(times.elapsed):>8.0f}{percentile(times.elapsed, 0.95):>8.0f}"
        f"{limit:>8.0f}{times.kernel / count:>9.0f}{times.drawing / count:>9.0f}{load:>7.1f}"
    )


def measure(page: Any, watched: Watched, detectids: list[str], given: argparse.Namespace) -> None:
    """Time what a person does on an open page, and print it line by line."""
    meter = Meter(page, watched)
    far = detectids[len(detectids) // 2 :: 4] + detectids[len(detectids) // 2 + 2 :: 4] + detectids[24::4]
    steps: tuple[tuple[str, float, Callable[[], Times]], ...] = (
        ("reassign the line", 100, lambda: reassign(meter, given.repeats)),
        ("aperture, a step of a drag", 60, lambda: drag(meter, given.repeats)),
        ("next, prepared", 100, lambda: turn_prepared(meter, given.repeats)),
        ("next, not prepared", 1000, lambda: jump(meter, far[: given.repeats])),
    )
    for name, limit, take in steps:
        if not given.only or given.only in name:
            print(row(name, take(), limit), flush=True)


def count_turns(page: Any, watched: Watched, detectids: list[str], turns: int) -> None:
    """Turn many pages, and print what is held before and after."""
    if detectids[0] not in page.locator(".ew-who").inner_text():
        page.evaluate(JUMP, detectids[0])  # there are pages to turn from here
    turn_many(page, 80)  # and back again
    kernel = watched.busiest_kernel()
    before = held(page, watched, kernel)
    turn_many(page, turns)
    after = held(page, watched, kernel)
    print(
        f"{turns} page turns: widgets {before.widgets} -> {after.widgets}, elements {before.elements} -> "
        f"{after.elements}, kernel {before.memory:.0f} -> {after.memory:.0f} MB "
        f"({after.memory - before.memory:+.0f}; limit +50)",
        flush=True,
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", nargs="?", default=None)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--visits", type=int, default=5, help="of a page whose kernel is warm")
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--only", default="", help="the line whose name holds this")
    given = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("the page was not timed: no Chromium or Chrome is installed on this computer")
        return 0
    from playwright.sync_api import sync_playwright

    release = given.release or dashboard.release_path()
    detectids = [str(each) for each in open_release(release).detectids()]
    elsewhere: list[str] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
        private = {name: str(Path(folder) / name.lower()) for name in names}
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        with dashboard.serving(release, warm=1, environment=private, log=Path(folder) / "voila.log") as (url, server):
            watched, first = Watched(server), Times()

            def note(request: Any) -> None:
                if not request.url.startswith(LOCAL):
                    elsewhere.append(request.url)

            def visit() -> tuple[Any, float]:
                watched.rest()
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.on("request", note)
                page.on("websocket", note)
                return page, 1000 * wait_for_page(page, url)

            print(HEADING, flush=True)
            for _ in range(given.visits):
                page, elapsed = visit()
                first.elapsed.append(elapsed)
                page.close(run_before_unload=True)
            page, elapsed = visit()
            first.elapsed.append(elapsed)
            print(row("first page, kernel warm", first, 3000), flush=True)
            watched.rest()
            page.evaluate(WATCH, QUIET)
            measure(page, watched, detectids, given)
            if given.turns:
                count_turns(page, watched, detectids, given.turns)
            print(f"requests that would leave the computer: {len(elsewhere)} {' '.join(elsewhere[:5])}".rstrip())
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
