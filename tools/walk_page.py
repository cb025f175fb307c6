"""Walk over the page with random hands, and hold what is drawn against a fresh measurement: none may be another's.

    python tools/walk_page.py [RELEASE] [--actions 1000] [--seed 1] [--busy 0] [--throttle 1] [--first 0]
                              [--campaign | --lab | --lab --pages 2]

Turns, jumps, identities by key and card, lines and apertures dragged by the mouse, matches, exposures, undo and redo,
zoom, smoothing, tabs, stretches, the theme, sizes of the window and, with --campaign, answers, at random intervals from
0 to 2 s, in headless Chromium against Voila, or with --lab against JupyterLab. Half of the time the page is read when
it says that it is drawn, else at whatever moment it is: what is visible and not covered must then belong to the header.
What is read and what it is held against: tools/page_truth.py. --first opens so many pages besides, and turns each
within 1.5 s of its first curve. --pages so many are shown in one notebook, and hands go from one to the other.
--busy so many processes keep the processors busy; --throttle slows the browser's own as many times. An answer that is
stored without its detection having been on the screen when the key was struck is a mismatch too.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab_server import lab_running
from page_truth import READ, Truth, wrong

from elixer_widgets.campaigns import Campaign, Definition
from elixer_widgets.widgets import dashboard

PATIENCE = 120_000
"""ms; a loaded computer is slow, which is no fault of the page."""

DRAWN = """
([page, n]) => {
  const { stamp, drawn, settled } = document.querySelectorAll('.ew-page')[page].dataset;
  return drawn === stamp && settled === String(n);
}
"""
ASK = """
([page, n]) => document.querySelectorAll('.ew-page')[page].dispatchEvent(new CustomEvent('ew-ask', { detail: n }))
"""
STRUCK = """
() => {
  window.ewStruck = [];
  window.addEventListener('keydown', (event) => {
    const root = event.target.closest?.('.ew-page');
    const who = root?.querySelector('.ew-who b')?.textContent;
    if (who) window.ewStruck.push([who, root.dataset.drawn !== undefined]);
  }, true);
}
"""
HARMLESS = (
    "atisf", "Federation", "RUNTIME-", "Failed to create module", "Connection lost", "WebSocket", "ERR_CONNECTION",
    "favicon", "GPU stall", "status of 404",
)  # fmt: skip
"""Parts of what Voila's own modules and the end of the server say on the console."""


@dataclass
class Tally:
    """What a walk came to."""

    actions: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dropped: int = 0
    redrawn: int = 0

    def table(self) -> str:
        """For people."""
        rows = [
            ("actions", sum(self.actions.values()), ", ".join(f"{n} {w}" for w, n in self.actions.most_common())),
            ("pages read", sum(self.checks.values()), ", ".join(f"{n} {w}" for w, n in self.checks.most_common())),
            ("mismatches", len(self.mismatches), "; ".join(self.mismatches[:8])),
            ("page errors", len(self.errors), "; ".join(self.errors[:5])),
            ("answers and keys dropped", self.dropped, ""),
            ("plots drawn anew", self.redrawn, ""),
        ]
        return "\n".join(f"{name:<26}{count:>7}  {more}".rstrip() for name, count, more in rows)


class Walker:
    """A hand with a random will on one page, or on several in one notebook.

    Parameters
    ----------
    page : playwright page
        Showing the explorer.
    truth : Truth
    seed : int
    campaign : bool
        Whether answers are given too.
    longest : float
        Seconds between two actions at most.
    pages : int
        How many explorers the notebook shows.
    show : bool
        Whether each mismatch is printed when it is found.
    """

    def __init__(
        self, page: Any, truth: Truth, seed: int, *,
        campaign: bool = False, longest: float = 2.0, pages: int = 1, show: bool = False,
    ) -> None:  # fmt: skip
        self.page, self.truth, self.campaign, self.longest = page, truth, campaign, longest
        self.pages, self.number, self.show = pages, 0, show
        self.random = random.Random(seed)
        self.tally = Tally()
        self._asked = 0
        page.evaluate(STRUCK)
        page.on("pageerror", lambda error: self.tally.errors.append(str(error)[:200]))
        page.on("console", self._said)

    def _said(self, message: Any) -> None:
        if message.type == "error" and not any(part in message.text for part in HARMLESS):
            self.tally.errors.append(message.text[:200])

    def settle(self) -> None:
        """Until all that was asked for is done and drawn."""
        for _ in range(2):  # boxes may wait with their value until the last message was answered
            self._asked += 1
            self.page.evaluate(ASK, [self.number, self._asked])
            self.page.wait_for_function(DRAWN, arg=[self.number, self._asked], timeout=PATIENCE)

    def check(self, waited: bool) -> None:
        """Read the page, and note what is wrong on it."""
        seen = self.page.evaluate(READ, self.number)
        self.tally.checks["drawn" if waited else "as it was"] += 1
        found = wrong(seen, self.truth)
        if waited and seen["spectrum"] is None:
            found.append("the spectrum is covered on a page that says it is drawn")
        if found and self.show:
            print(
                f"{sum(self.tally.actions.values())} {'drawn' if waited else ''} {seen['query']}: {found}", flush=True
            )
        self.tally.mismatches += found
        self.tally.dropped, self.tally.redrawn = seen["dropped"], seen["redrawn"]

    def act(self) -> None:
        """Do one thing."""
        kinds = [
            ("turn", 6, self._turn), ("jump", 2, self._jump), ("identity", 3, self._choose), ("undo", 1, self._undo),
            ("zoom", 2, self._zoom), ("smooth", 1, self._smooth), ("tab", 1, self._tab), ("theme", 1, self._theme),
            ("window", 1, self._window), ("drag lines", 2, self._drag_lines), ("drag aperture", 1, self._drag_aperture),
            ("match", 1, self._match), ("exposure", 1, self._exposure), ("answer", 4 * self.campaign, self._answer),
        ]  # fmt: skip
        name, _, do = self.random.choices(kinds, [weight for _, weight, _ in kinds])[0]
        do()
        self.tally.actions[name] += 1

    def walk(self, actions: int) -> Tally:
        """Do so many things, and read the page after each."""
        for _ in range(actions):
            self.number = self.random.randrange(self.pages)
            self.act()
            self.page.wait_for_timeout(self.random.uniform(0.0, 1000.0 * self.longest))
            waited = self.random.random() < 0.5
            if waited:
                self.settle()
            self.check(waited)
        return self.tally

    def check_answers(self, campaign: Path) -> None:
        """Answers in the journal are about detections that were on the screen when a key was struck."""
        struck = self.page.evaluate("window.ewStruck")
        looked_at = {int(re.sub(r"\D", "", who)) for who, drawn in struck if drawn}
        stored = [answer.detectid for answer in Campaign(campaign, None, "walker").answers()]
        self.tally.checks["answers"] = len(stored)
        self.tally.mismatches += [f"an answer about {each}, never shown" for each in stored if each not in looked_at]

    # ------------------------------------------------------------------------------------------ what hands do

    def _press(self, *keys: str) -> None:
        self.page.evaluate("n => document.querySelectorAll('.ew-page')[n].focus({preventScroll: true})", self.number)
        for key in keys:
            self.page.keyboard.press(f"Shift+{key}" if len(key) == 1 and key.isupper() else key)

    def _turn(self) -> None:
        self._press(self.random.choice("nnp"))

    def _jump(self) -> None:
        box = self.page.locator(".ew-jump input").nth(self.number)
        box.fill(str(self.random.choice(self.truth.ids)), timeout=PATIENCE)
        box.press("Enter")

    def _choose(self) -> None:
        self._press(self.random.choice("loa"))

    def _undo(self) -> None:
        self._press(self.random.choice("zZ"))

    def _zoom(self) -> None:
        self._press(self.random.choice("+-0]["))

    def _smooth(self) -> None:
        self._press(self.random.choice("sS"))

    def _tab(self) -> None:
        self._press(self.random.choice("tvwqy"))

    def _theme(self) -> None:
        self._press("T")

    def _window(self) -> None:
        width, height = self.random.choice(((1440, 900), (1600, 900), (1280, 800), (1920, 1080)))
        self.page.set_viewport_size({"width": width, "height": height})

    def _match(self) -> None:
        self._press(self.random.choice("jjJK"))

    def _exposure(self) -> None:
        self._press(self.random.choice("789"))

    def _answer(self) -> None:
        self._press(*self.random.choice((("e", "3"), ("d", "n"), ("i", "2"), ("Backspace",), ("N",))))

    def _drag_lines(self) -> None:
        box = self._box(".ew-spectrum .bqplot")
        if box is not None:
            self._drag(box["x"] + box["width"] * self.random.uniform(0.2, 0.8), box["y"] + 0.6 * box["height"], "Shift")

    def _drag_aperture(self) -> None:
        box = self._box(".ew-tile .ew-move")
        if box is not None:
            self._drag(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def _box(self, selector: str) -> dict[str, float] | None:
        """Where something stands in the window; None if it is not there now."""
        return self.page.evaluate(
            """([n, selector]) => {
              const found = document.querySelectorAll('.ew-page')[n].querySelector(selector);
              return found?.checkVisibility() ? found.getBoundingClientRect().toJSON() : null;
            }""",
            [self.number, selector],
        )

    def _drag(self, x: float, y: float, key: str = "") -> None:
        mouse = self.page.mouse
        if key:
            self.page.keyboard.down(key)
        mouse.move(x, y)
        mouse.down()
        for step in range(1, self.random.randrange(3, 8)):
            mouse.move(x + step * self.random.uniform(-6, 6), y)
        mouse.up()
        if key:
            self.page.keyboard.up(key)


# ------------------------------------------------------------------------------------------------- the surroundings


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other work for the processors."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def throttle(page: Any, times: float) -> None:
    """Slow the browser's processor."""
    if times > 1:
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": times})


def open_page(browser: Any, url: str, times: float = 1.0) -> Any:
    """A page of the explorer whose first curve is there; what else it draws may be under way."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    throttle(page, times)
    page.goto(url, timeout=PATIENCE)
    page.wait_for_selector(".ew-page", state="attached", timeout=PATIENCE)
    return page


def write_notebook(path: Path, release: Path | str, pages: int) -> None:
    """A notebook that shows so many pages of the release."""
    sources = [f"from elixer_widgets import open_release\nfrom elixer_widgets.widgets.explorer import Explorer\n"
               f"release = open_release({str(release)!r})"] + ["Explorer(release)"] * pages  # fmt: skip
    cells = [
        {"cell_type": "code", "execution_count": None, "id": f"c{n}", "metadata": {}, "outputs": [], "source": source}
        for n, source in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
    )


def open_lab(browser: Any, url: str, pages: int, times: float) -> Any:
    """A notebook that was run, with all its pages there."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    throttle(page, times)
    page.goto(f"{url}/lab/workspaces/walk/tree/walk.ipynb?reset", timeout=PATIENCE)
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=PATIENCE)
    page.wait_for_selector("text=/\\| Idle/", timeout=PATIENCE)  # before that it would run nothing
    page.click('.lm-MenuBar-itemLabel:has-text("Run")', timeout=PATIENCE)
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")', timeout=PATIENCE)
    page.wait_for_function(
        "n => document.querySelectorAll('.ew-spectrum .bqplot svg path.line:first-child').length >= n",
        arg=pages, timeout=PATIENCE,
    )  # fmt: skip
    return page


def first_pages(browser: Any, url: str, truth: Truth, given: argparse.Namespace) -> Tally:
    """Turn pages within 1.5 s of their first curve, and read each at once and when it is drawn."""
    tally = Tally()
    for number in range(given.first):
        page = open_page(browser, url, given.throttle)
        walker = Walker(page, truth, given.seed + number, show=True)
        page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=PATIENCE)
        page.wait_for_timeout(1500 * number / max(given.first - 1, 1))
        walker._press("n")
        walker.tally.actions["early turn"] += 1
        walker.check(False)
        walker.settle()
        walker.check(True)
        tally.actions += walker.tally.actions
        tally.checks += walker.tally.checks
        tally.mismatches += walker.tally.mismatches
        tally.errors += walker.tally.errors
        page.close(run_before_unload=True)
        page.context.close()
    return tally


def main() -> int:
    """Walk, and print what it came to; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", nargs="?", default=None)
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds between two actions at most")
    parser.add_argument("--busy", type=int, default=0, help="processes that keep the processors busy")
    parser.add_argument("--throttle", type=float, default=1.0, help="how many times slower the browser's processor is")
    parser.add_argument("--first", type=int, default=0, help="pages to open and turn at once, before the walk")
    parser.add_argument("--campaign", action="store_true", help="give answers too")
    parser.add_argument("--lab", action="store_true", help="in JupyterLab")
    parser.add_argument("--pages", type=int, default=1, help="explorers in one notebook of JupyterLab")
    given = parser.parse_args()
    from bench_page import CHROMIUM_ARGUMENTS, find_chromium
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        print("no page was walked: no Chromium or Chrome is installed on this computer")
        return 0
    release = Path(given.release or dashboard.release_path()).resolve()
    truth, tallies, begin = Truth(release), [], time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
        environment = {name: str(folder / name.lower()) for name in names}
        campaign = folder / "campaign"
        if given.campaign:
            Campaign(campaign, None, "maker", definition=Definition(tuple(truth.ids), repeats=0.0))
            environment |= {dashboard.CAMPAIGN_VARIABLE: str(campaign), dashboard.INSPECTOR_VARIABLE: "walker"}
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        if given.lab:
            (folder / "work").mkdir()
            write_notebook(folder / "work" / "walk.ipynb", release, given.pages)
            url = stack.enter_context(lab_running(folder / "work", environment))
        else:
            running = dashboard.running(release, environment=environment, log=folder / "voila.log")
            url = stack.enter_context(running)
        stack.enter_context(busy(given.busy))
        if given.first:
            tallies.append(first_pages(browser, url, truth, given))
            print(tallies[-1].table(), flush=True)
        if given.actions:
            if given.lab:
                page = open_lab(browser, url, given.pages, given.throttle)
            else:
                page = open_page(browser, url, given.throttle)
            walker = Walker(
                page, truth, given.seed,
                campaign=given.campaign, longest=given.longest, pages=given.pages if given.lab else 1, show=True,
            )  # fmt: skip
            walker.settle()
            tallies.append(walker.walk(given.actions))
            if given.campaign:
                walker.check_answers(campaign)
            print(walker.tally.table(), flush=True)
        browser.close()
    print(f"{time.monotonic() - begin:.0f} s, {given.busy} busy processes, browser slowed {given.throttle:g} times")
    return int(any(tally.mismatches or tally.errors for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
