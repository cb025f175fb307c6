"""Pictures of the page in a headless Chromium: `python tools/screenshots.py FOLDER [--release R] [--spectra S]`.

Six kinds of detection (a Lyα emitter, an [O II] galaxy, an active nucleus, an artifact, one without imaging, and a
real spectrum if a file of spectra is given) in two sizes of the window, light and dark. The kinds are those of the
truth beside a simulated release. Says of each picture what is cut off, overlaps or would have to be scrolled
(look.js), and ends with 1 if anything was found. `--docs` writes the few that the documentation shows into
docs/figures instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.table import Table
from bench_page import CHROMIUM_ARGUMENTS, find_chromium

from elixer_widgets import open_release
from elixer_widgets.simulation.kept import kept_release
from elixer_widgets.simulation.truth import NAME as TRUTH
from elixer_widgets.widgets import dashboard

SIZES = ((1440, 900), (1920, 1080))
THEMES = ("light", "dark")
DOCS = Path(__file__).resolve().parents[1] / "docs" / "figures"
SIGNAL = 8.0  # S/N from which a detection shows what there is to see
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")

KINDS: dict[str, Callable[[Any], bool]] = {
    "lae": lambda row: row["kind"] == "LAE" and row["survey"] != "none" and row["sn"] > SIGNAL,
    "oii": lambda row: row["kind"] == "OII" and row["survey"] != "none" and row["sn"] > SIGNAL,
    "agn": lambda row: str(row["kind"]).startswith("AGN") and row["survey"] != "none" and row["sn"] > SIGNAL,
    "artifact": lambda row: row["identity"] == "artifact" and row["survey"] != "none",
    "no-imaging": lambda row: row["survey"] == "none",
}


@dataclass(frozen=True)
class Shot:
    """A picture to be taken: what of, in which window."""

    name: str
    detectid: str
    size: tuple[int, int]
    theme: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.size[0]}x{self.size[1]}-{self.theme}.png"


def subjects(release: Path) -> dict[str, str]:
    """The first detection of every kind in a simulated release: name -> number."""
    truth = Table.read(release / TRUTH)
    found = {name: [str(row["detectid"]) for row in truth if fits(row)] for name, fits in KINDS.items()}
    missing = [name for name, numbers in found.items() if not numbers]
    if missing:
        raise SystemExit(f"{release}: holds no {', '.join(missing)}; simulate more detections")
    return {name: numbers[0] for name, numbers in found.items()}


def shots(names: dict[str, str]) -> Iterator[Shot]:
    """Every subject in every window."""
    for name, detectid in names.items():
        for size in SIZES:
            for theme in THEMES:
                yield Shot(name, detectid, size, theme)


@contextmanager
def chromium() -> Iterator[Any]:
    """An installed browser."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise SystemExit("no Chromium or Chrome is installed")
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        try:
            yield launched
        finally:
            launched.close()


def wait(page: Any) -> None:
    """Until a page is measured, drawn, and as wide as its window."""
    page.wait_for_selector(".ew-spectrum .bqplot svg path.line", state="attached", timeout=120_000)
    page.wait_for_selector(".ew-verdict-line .ew-line", timeout=60_000)
    page.wait_for_function("!document.querySelector('.ew-page').classList.contains('ew-busy')", timeout=60_000)
    page.wait_for_timeout(1500)


def take(browser: Any, url: str, wanted: Iterable[Shot], folder: Path) -> list[str]:
    """Take pictures of one server; one visit a subject. What is wrong with them, each a sentence.

    Parameters
    ----------
    browser : playwright Browser
    url : str
    wanted : iterable of Shot
        Those of one subject one after the other.
    folder : Path
    """
    faults: list[str] = []
    page, shown = None, ""
    for shot in wanted:
        if page is None or shown != shot.detectid:
            if page is not None:
                page.close()
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{url}/?detectid={shot.detectid}", timeout=120_000)
            shown = shot.detectid
            wait(page)
        page.set_viewport_size({"width": shot.size[0], "height": shot.size[1]})
        page.emulate_media(color_scheme=shot.theme)
        page.mouse.move(2, 2)
        wait(page)
        page.screenshot(path=folder / shot.file)
        found = page.evaluate(LOOK)
        faults += [f"{shot.file}: {each}" for each in found]
        print(f"{shot.file}: {len(found)} faults", flush=True)
    if page is not None:
        page.close()
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="where the pictures go")
    parser.add_argument("--release", type=Path, help="a simulated release; the kept one if not given")
    parser.add_argument("--spectra", type=Path, help="a file of real spectra, for the sixth kind")
    parser.add_argument("--spectrum", default="", help="which of them, by the beginning of its name; else the first")
    parser.add_argument("--only", nargs="+", default=[], help="these kinds")
    parser.add_argument("--docs", action="store_true", help="a few pictures for the documentation, into docs/figures")
    arguments = parser.parse_args()
    if arguments.folder is None and not arguments.docs:
        parser.error("give a folder, or --docs")
    folder = DOCS if arguments.docs else arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    release = arguments.release or kept_release(print)
    names = {name: number for name, number in subjects(release).items() if name in (arguments.only or KINDS)}
    faults: list[str] = []
    with chromium() as browser, tempfile.TemporaryDirectory() as temporary:
        if names:
            wanted = list(shots(names))
            if arguments.docs:
                wanted = [
                    Shot(f"page-{name}", names[name], SIZES[0], theme)
                    for name, theme in (("lae", "light"), ("oii", "light"), ("agn", "dark"))
                ]
            with dashboard.running(release, log=Path(temporary) / "log") as url:
                faults += take(browser, url, wanted, folder)
        # a real spectrum is nobody's to put into the documentation
        if arguments.spectra is not None and not arguments.docs and (not arguments.only or "real" in arguments.only):
            opened = open_release(arguments.spectra)
            numbers = [int(number) for number in opened.detectids()]
            number = next(n for n in numbers if opened.detection(n).label.startswith(arguments.spectrum))
            with dashboard.running(arguments.spectra, log=Path(temporary) / "log") as url:
                faults += take(browser, url, shots({"real": str(number)}), folder)
    print("\n".join(faults) or "nothing is cut off, overlaps or scrolls")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
