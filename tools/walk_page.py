"""Walk over the page with random hands, and hold what is drawn against a fresh measurement: none may be another's.

    python tools/walk_page.py [RELEASE] [--actions 1000] [--seed 1] [--busy 0] [--throttle 1] [--campaign] [--first 0]

Turns, jumps, identities by key and card, undo and redo, zoom, smoothing, tabs, stretches, the theme, sizes of the
window and, with --campaign, answers, at random intervals from 0 to 2 s, in headless Chromium against Voila. Half of the
time the page is read when it says that it is drawn, else at whatever moment it is: what is visible and not covered
must then belong to the header. Read are the header, the curves (from their paths, through the ticks of the drawn axes),
the names of lines and their places, the numbers, the images by their contents; a second page without a browser gives
what they should be. --first opens so many pages besides, and turns each within 1.5 s of its first curve.
--busy so many processes keep the processors busy; --throttle slows the browser's own as many times.
"""

from __future__ import annotations

import argparse
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
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from elixer_widgets import measure, open_release
from elixer_widgets.campaigns import Campaign, Definition
from elixer_widgets.widgets import dashboard
from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.tiles import STRETCHES

PATIENCE = 120_000
"""ms; a loaded computer is slow, which is no fault of the page."""

NEAR = 1.2
"""px between a point that is drawn and its place on the drawn axes: axes are drawn between pixels."""

# All that a person sees, read in one task of the browser; of panels that are covered nothing.
READ = r"""
() => {
  const root = document.querySelector('.ew-page'), { stamp, drawn, dropped, redrawn } = root.dataset;
  const seen = (panel) => {
    const found = root.querySelector(panel);
    return found && getComputedStyle(found, '::after').content === 'none' && found.checkVisibility() ? found : null;
  };
  const text = (panel, selector) => [...(seen(panel)?.querySelectorAll(selector) ?? [])].map((e) => e.textContent);
  const place = (e) => (e.getAttribute('transform').match(/-?[\d.]+(e-?\d+)?/g) ?? []).map(Number);
  const plot = (panel, selector) => {
    const figure = seen(panel)?.querySelector(selector);
    if (!figure) return null;
    const axes = [...figure.querySelectorAll('.axis')].map((axis) =>
      [...axis.querySelectorAll('.tick')].map((e) => [Number(e.textContent.replace('−', '-')), ...place(e)]));
    const groups = [...figure.querySelectorAll('.object_grp')].filter((e) => e.textContent);
    const names = groups.map((e) => [e.textContent, ...place(e).slice(0, 2)]);
    const paths = [...figure.querySelectorAll('path.line')].map((e) => e.getAttribute('d') ?? '');
    const open = paths.filter((d) => !d.endsWith('Z')).sort((a, b) => b.length - a.length);
    return { axes, names, curve: open[0] ?? '' };
  };
  const images = (panel, selector, name) =>
    [...(seen(panel)?.querySelectorAll(selector) ?? [])].map((e) => e.getAttribute(name));
  return {
    stamp, drawn, dropped: Number(dropped ?? 0), redrawn: Number(redrawn ?? 0),
    who: root.querySelector('.ew-who b')?.textContent ?? '', count: root.querySelector('.ew-count').textContent,
    smooth: root.querySelector('.ew-smoothing select').selectedOptions[0].textContent,
    pressed: root.querySelector('.ew-card[aria-pressed=true], .ew-nocard[aria-pressed=true]')?.dataset.key ?? null,
    stretch: [...root.querySelectorAll('.ew-image-tools .ew-choice')].find((e) => e.textContent.startsWith('stretch'))
      ?.querySelector('select').selectedOptions[0].textContent ?? '',
    by: text('.ew-verdict', '.ew-line small').join(),
    verdict: text('.ew-verdict', '.ew-verdict-line').join(), evidence: text('.ew-evidence', '.ew-markup').join('|'),
    rivals: text('.ew-rivals', '.ew-markup').join('|'), numbers: text('.ew-fit', '.ew-fit-numbers').join(),
    fibers: images('.ew-fibers', 'img', 'src'), tiles: images('.ew-imaging', '.ew-tile image', 'href'),
    spectrum: plot('.ew-spectrum', '.bqplot'), fit: plot('.ew-fit', '.ew-plot'),
  };
}
"""
DRAWN = """
(n) => {
  const { stamp, drawn, settled } = document.querySelector('.ew-page').dataset;
  return drawn === stamp && settled === String(n);
}
"""
ASK = "n => document.querySelector('.ew-page').dispatchEvent(new CustomEvent('ew-ask', { detail: n }))"
HARMLESS = (
    "atisf", "Federation", "RUNTIME-", "Failed to create module", "Connection lost", "WebSocket", "ERR_CONNECTION",
    "favicon", "GPU stall", "status of 404",
)  # fmt: skip
"""Parts of what Voila's own modules and the end of the server say on the console."""


class _Words(HTMLParser):
    """The text of HTML, as browsers join it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def words_of(markup: str) -> str:
    """What `textContent` gives for this HTML."""
    parser = _Words()
    parser.feed(markup)
    parser.close()
    return "".join(parser.found)


def pixels(ticks: list[list[float]], column: int, values: np.ndarray) -> np.ndarray:
    """Where values lie by the ticks of a drawn axis; `column` 1 is across, 2 is down."""
    first, last = min(ticks, key=lambda each: each[0]), max(ticks, key=lambda each: each[0])
    slope = (last[column] - first[column]) / (last[0] - first[0])
    return np.asarray(first[column] + slope * (np.asarray(values, float) - first[0]))


def points(path: str) -> np.ndarray:
    """The points of a path, shape (n, 2), px."""
    return np.array([[float(x), float(y)] for x, y in re.findall(r"([-\d.e]+),([-\d.e]+)", path)]).reshape(-1, 2)


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


class Truth:
    """A page of its own without a browser, on which the same is shown.

    Parameters
    ----------
    release : path
    """

    def __init__(self, release: Path | str) -> None:
        opened = open_release(release)
        self.ids = [int(each) for each in opened.detectids()]
        self._explorer = Explorer(opened)
        self._fresh: dict[int, Any] = {}

    def show(self, detectid: int, identity: str | None, stretch: str) -> Explorer:
        """A detection under an identity, as measured here; `stretch` as the page calls it."""
        state = self._explorer.state
        state.stretch = next((name for name, words in STRETCHES.items() if words == stretch), state.stretch)
        if state.detectids[state.position] != detectid:
            state.jump(detectid)
        if state.choices.identity != identity:
            state.choose(identity=identity)
        return self._explorer

    def flux(self, detectid: int) -> tuple[np.ndarray, np.ndarray]:
        """Wavelengths and fluxes of the unmasked samples of a fresh measurement."""
        if detectid not in self._fresh:
            measured = measure(open_release(self._explorer.state.release.path).detection(detectid))
            spectrum = measured.spectrum or measured.detection.spectrum
            self._fresh[detectid] = (np.asarray(spectrum.wavelength), np.where(spectrum.good, spectrum.flux, np.nan))
        wavelength, flux = self._fresh[detectid]
        return wavelength[np.isfinite(flux)], flux[np.isfinite(flux)]


def wrong_plot(seen: dict[str, Any], truth: Truth, detectid: int, explorer: Explorer) -> Iterator[str]:
    """What of the plot of all the spectrum is not this detection's, in words."""
    across, up = sorted(seen["axes"], key=lambda ticks: -max((abs(each[1]) for each in ticks), default=0.0))
    if len({each[0] for each in across}) != len(across) or len({each[0] for each in up}) != len(up):
        yield "doubled ticks"
    if len(across) < 2 or len(up) < 2:
        yield "no ticks"
        return
    wavelength, flux = truth.flux(detectid)
    drawn = points(seen["curve"])[: len(flux)]  # behind it may stand one that adds nothing
    if len(drawn) != len(flux):
        yield f"{len(drawn)} points drawn of {len(flux)}"
        return
    off = np.abs(drawn - np.column_stack([pixels(across, 1, wavelength), pixels(up, 2, flux)])).max(axis=0)
    if off.max() > NEAR:
        peak = float(wavelength[np.argmin(drawn[:, 1])])
        yield f"curve off by {off[0]:.1f}, {off[1]:.1f} px, drawn peak at {peak:.0f} Å"


def wrong_names(seen: dict[str, Any], explorer: Explorer) -> Iterator[str]:
    """What of the names of lines is not this hypothesis's."""
    across = max(seen["axes"], key=lambda ticks: max((abs(each[1]) for each in ticks), default=0.0))
    texts = explorer.spectrum.texts
    places = {text: float(x) for text, x in zip(texts.text, texts.x, strict=True) if text}
    left = [text for text, *_ in seen["names"] if text not in places]
    if left:
        yield f"names {left}"
    elif len(across) > 1 and places:
        main = explorer.state.interpretation.line_label if explorer.state.interpretation is not None else ""
        for text, x, _y in seen["names"]:
            # names move aside for each other as there is room; that of the line itself stays nearly where it is
            if text == main and abs(x - float(pixels(across, 1, np.array([places[text]]))[0])) > 100:
                yield f"{text} stands {x:.0f} px across"


def wrong(seen: dict[str, Any], truth: Truth, identity: str | None) -> list[str]:
    """All that is visible and does not belong to the header."""
    who = re.search(r"\d+", seen["who"])
    if who is None:
        return ["no detection in the header"]
    detectid = int(who[0])
    found: list[str] = []
    if seen["count"] != f"{truth.ids.index(detectid) + 1} of {len(truth.ids)}":
        found.append(f"count {seen['count']}")
    explorer = truth.show(detectid, identity, seen["stretch"])
    for name, part in (("verdict", explorer.verdict.line), ("numbers", explorer.line_fit.numbers)):
        if seen[name] and "measuring" not in seen[name] and seen[name] != words_of(part.markup):
            found.append(f"{name}: {seen[name][:60]!r} for {words_of(part.markup)[:60]!r}")
    for name, panel in (("evidence", explorer.evidence), ("rivals", explorer.rivals)):
        wanted = {words_of(part.markup) for part in panel._parts if hasattr(part, "markup")}
        if seen[name] and not set(filter(None, seen[name].split("|"))) <= wanted | set("".join(wanted).split("|")):
            found.append(name)
    if seen["fibers"] and not all(each in explorer.fibers.strip.markup for each in seen["fibers"]):
        found.append("pictures of fibers")
    found += [f"spectrum: {each}" for each in _plots(seen, truth, detectid, explorer)]
    return [f"{detectid}: {each}" for each in found]


def _plots(seen: dict[str, Any], truth: Truth, detectid: int, explorer: Explorer) -> Iterator[str]:
    if seen["spectrum"] is not None and seen["smooth"] == "none":
        yield from wrong_plot(seen["spectrum"], truth, detectid, explorer)
    if seen["spectrum"] is not None:
        yield from wrong_names(seen["spectrum"], explorer)


class Walker:
    """A hand with a random will on one page.

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
    """

    def __init__(self, page: Any, truth: Truth, seed: int, campaign: bool = False, longest: float = 2.0) -> None:
        self.page, self.truth, self.campaign, self.longest = page, truth, campaign, longest
        self.random = random.Random(seed)
        self.tally = Tally()
        self._asked = 0
        page.on("pageerror", lambda error: self.tally.errors.append(str(error)[:200]))
        page.on("console", self._said)

    def _said(self, message: Any) -> None:
        if message.type == "error" and not any(part in message.text for part in HARMLESS):
            self.tally.errors.append(message.text[:200])

    def settle(self) -> None:
        """Until all that was asked for is done and drawn."""
        for _ in range(2):  # boxes may wait with their value until the last message was answered
            self._asked += 1
            self.page.evaluate(
                "n => document.querySelector('.ew-page').dispatchEvent(new CustomEvent('ew-ask', {detail: n}))",
                self._asked,
            )
            self.page.wait_for_function(DRAWN, arg=self._asked, timeout=PATIENCE)

    def check(self, waited: bool) -> None:
        """Read the page, and note what is wrong on it."""
        seen = self.page.evaluate(READ)
        self.tally.checks["drawn" if waited else "as it was"] += 1
        if waited and seen["spectrum"] is None:
            self.tally.mismatches.append("the spectrum is covered on a page that says it is drawn")
        # the identity that a person chose is that of the card; what follows from it is held against it
        identity = seen["pressed"] if seen["by"] == "set by you" else None
        self.tally.mismatches += wrong(seen, self.truth, identity)
        self.tally.dropped, self.tally.redrawn = seen["dropped"], seen["redrawn"]

    def act(self) -> None:
        """Do one thing."""
        kinds = [
            ("turn", 6, self._turn), ("jump", 2, self._jump), ("identity", 3, self._choose), ("undo", 1, self._undo),
            ("zoom", 2, self._zoom), ("smooth", 1, self._smooth), ("tab", 1, self._tab), ("theme", 1, self._theme),
            ("window", 1, self._window), ("answer", 4 if self.campaign else 0, self._answer),
        ]  # fmt: skip
        name, _, do = self.random.choices(kinds, [weight for _, weight, _ in kinds])[0]
        do()
        self.tally.actions[name] += 1

    def walk(self, actions: int) -> Tally:
        """Do so many things, and read the page after each."""
        for _ in range(actions):
            self.act()
            self.page.wait_for_timeout(self.random.uniform(0.0, 1000.0 * self.longest))
            waited = self.random.random() < 0.5
            if waited:
                self.settle()
            self.check(waited)
        return self.tally

    # ------------------------------------------------------------------------------------------ what hands do

    def _press(self, *keys: str) -> None:
        self.page.evaluate("document.querySelector('.ew-page').focus({preventScroll: true})")
        for key in keys:
            self.page.keyboard.press(f"Shift+{key}" if len(key) == 1 and key.isupper() else key)

    def _turn(self) -> None:
        self._press(self.random.choice("nnp"))

    def _jump(self) -> None:
        self.page.fill(".ew-jump input", str(self.random.choice(self.truth.ids)))
        self.page.press(".ew-jump input", "Enter")

    def _choose(self) -> None:
        self._press(self.random.choice("loa"))

    def _undo(self) -> None:
        self._press(self.random.choice("zZ"))

    def _zoom(self) -> None:
        self._press(self.random.choice("+-0]["))

    def _smooth(self) -> None:
        self._press(self.random.choice("sS"))

    def _tab(self) -> None:
        self._press(self.random.choice("tvwq"))

    def _theme(self) -> None:
        self._press("T")

    def _window(self) -> None:
        width, height = self.random.choice(((1440, 900), (1600, 900), (1280, 800), (1920, 1080)))
        self.page.set_viewport_size({"width": width, "height": height})

    def _answer(self) -> None:
        self._press(*self.random.choice((("e", "3"), ("d", "n"), ("i", "2"), ("Backspace",), ("N",))))


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


def first_pages(browser: Any, url: str, truth: Truth, given: argparse.Namespace) -> Tally:
    """Turn pages within 1.5 s of their first curve, and read each at once and when it is drawn."""
    tally = Tally()
    for number in range(given.first):
        page = open_page(browser, url, given.throttle)
        walker = Walker(page, truth, given.seed + number)
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
    parser.add_argument("--busy", type=int, default=0, help="processes that keep the processors busy")
    parser.add_argument("--throttle", type=float, default=1.0, help="how many times slower the browser's processor is")
    parser.add_argument("--first", type=int, default=0, help="pages to open and turn at once, before the walk")
    parser.add_argument("--campaign", action="store_true", help="give answers too")
    given = parser.parse_args()
    from bench_page import CHROMIUM_ARGUMENTS, find_chromium
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        print("no page was walked: no Chromium or Chrome is installed on this computer")
        return 0
    release = given.release or dashboard.release_path()
    truth, wrongs, begin = Truth(release), 0, time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
        environment = {name: str(Path(folder) / name.lower()) for name in names}
        if given.campaign:
            campaign = Path(folder) / "campaign"
            Campaign(campaign, None, "maker", definition=Definition(tuple(truth.ids), repeats=0.0))
            environment |= {dashboard.CAMPAIGN_VARIABLE: str(campaign), dashboard.INSPECTOR_VARIABLE: "walker"}
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        url = stack.enter_context(dashboard.running(release, environment=environment, log=Path(folder) / "voila.log"))
        stack.enter_context(busy(given.busy))
        if given.first:
            tally = first_pages(browser, url, truth, given)
            print(tally.table(), flush=True)
            wrongs += len(tally.mismatches) + len(tally.errors)
        if given.actions:
            page = open_page(browser, url, given.throttle)
            walker = Walker(page, truth, given.seed, given.campaign)
            walker.settle()
            tally = walker.walk(given.actions)
            print(tally.table(), flush=True)
            wrongs += len(tally.mismatches) + len(tally.errors)
        browser.close()
    print(f"{time.monotonic() - begin:.0f} s, load {given.busy} processes, browser slowed {given.throttle:g} times")
    return int(wrongs > 0)


if __name__ == "__main__":
    sys.exit(main())
