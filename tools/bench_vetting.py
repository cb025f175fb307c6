"""What vetting takes: a scripted vetter answers every detection of a simulated release by key, in headless Chromium.

    python tools/bench_vetting.py [RELEASE] [--n 200] [--list 25000]

The vetter knows the truth beside the release and strikes the keys that say it: `d n` for noise, `d` and a reason for an
artifact, `i 3` for a star, `e 3` for a line whose identity the page has right, the identity's key before it where not;
every tenth detection gets a remark of twenty letters. Seconds are the computer's alone, from the last key of one answer
to the next page standing complete: no one looks or thinks. Then pages are turned with and without a campaign of
`--list` detections and five inspectors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from bench_campaign import simulate
from bench_page import CHROMIUM_ARGUMENTS, find_chromium
from playwright.sync_api import sync_playwright

from elixer_widgets import open_release, simulate_release
from elixer_widgets.campaigns import Campaign, Definition
from elixer_widgets.campaigns.choices import group
from elixer_widgets.campaigns.together import identity_of
from elixer_widgets.simulation.truth import NAME as TRUTH
from elixer_widgets.widgets import dashboard
from elixer_widgets.widgets.explorer import Explorer

IDENTITY_KEYS = {"Lya": "l", "OII": "o", "OIII": "3", "Hb": "b", "CIV": "4", "CIII": "c", "MgII": "m"}
REMARK = "a doublet, I think so"

READY = """(before) => {
  const who = document.querySelector('.ew-who b')?.textContent;
  return who && who !== before && document.querySelector('.ew-line')
    && !document.querySelector('.ew-page').classList.contains('ew-busy');
}"""


def keys_for(truth: str, shown: str) -> list[str]:
    """What the vetter strikes for a detection whose true identity is `truth`, where the page says `shown`."""
    if truth == "noise":
        return ["d", "n"]
    if truth == "artifact":
        return ["d", "r"]
    if truth == "star":
        return ["i", "3"]
    if truth == shown or truth not in IDENTITY_KEYS:
        return ["e", "3"]
    return [IDENTITY_KEYS[truth], "e", "2"]


def vet(release: Path, folder: Path, count: int) -> tuple[list[int], list[float]]:
    """Keys and seconds of each detection."""
    truth = {str(row["detectid"]): str(row["identity"]) for row in Table.read(release / TRUTH)}
    environment = {dashboard.CAMPAIGN_VARIABLE: str(folder), dashboard.INSPECTOR_VARIABLE: "script"}
    keys, seconds = [], []
    with (
        tempfile.TemporaryDirectory() as logs,
        dashboard.running(release, environment=environment, log=Path(logs) / "log") as url,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url, timeout=120_000)
        page.wait_for_function(READY, arg="", timeout=120_000)
        page.wait_for_timeout(3000)
        for place in range(count):
            who = page.text_content(".ew-who b")
            struck = answer(page, truth[who], place)
            start = time.perf_counter()
            keys.append(struck)
            if place + 1 < count:
                page.wait_for_function(READY, arg=who, timeout=60_000, polling=10)
                seconds.append(time.perf_counter() - start)
                # nobody answers within a third of a second; the next page is prepared meanwhile
                page.wait_for_timeout(300)
        page.wait_for_timeout(1500)
        browser.close()
    return keys, seconds


def answer(page: Any, truth: str, place: int) -> int:
    """Answer what is shown; the number of keys, letters of remarks not counted."""
    shown = page.evaluate("document.querySelector('.ew-card[aria-pressed=true]')?.dataset.key || ''")
    struck = keys_for(truth, shown)
    count = len(struck)
    if place % 10 == 0:
        page.keyboard.press("Shift+C")
        page.keyboard.type(REMARK)
        page.keyboard.press("Enter")
        count += 2
    for key in struck:
        page.keyboard.press(key)
    return count


def turns(release: Path, folder: Path | None, repeats: int) -> tuple[list[float], list[float]]:
    """Processor and clock seconds of turning prepared pages within this process, with or without a campaign."""
    opened = open_release(release)
    campaign = None if folder is None else Campaign(folder, None, "inspector 1")
    explorer = Explorer(opened, [int(each) for each in opened.detectids()], campaign=campaign)
    state = explorer.state
    state.position = 0
    for _ in range(4):
        state.next()
        time.sleep(1.0)
    processor, clock = [], []
    for turn in range(repeats):
        start = time.process_time(), time.perf_counter()
        state.previous() if turn % 2 else state.next()
        processor.append(time.process_time() - start[0])
        clock.append(time.perf_counter() - start[1])
    return processor, clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", nargs="?", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--list", type=int, default=25_000)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--no-browser", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="elixer-vetting-") as work:
        release = arguments.release
        if release is None:
            release = Path(work) / "release"
            simulate_release(release, n=arguments.n, seed=3)
        ids = tuple(int(each) for each in open_release(release).detectids())[: arguments.n]
        print(f"load {os.getloadavg()[0]:.1f}")
        if not arguments.no_browser:
            told(release, Path(work) / "campaign", ids)
        print("\n| turning prepared pages in the kernel | processor, ms | clock, ms |\n| --- | --- | --- |")
        large = Path(work) / "large"
        more = tuple(range(9_000_000_000, 9_000_000_000 + arguments.list - len(ids)))
        simulate(large, ids + more, 5)
        for name, folder in (("without a campaign", None), (f"campaign of {arguments.list}, 5 inspectors", large)):
            processor, clock = (np.median(each) * 1000 for each in turns(release, folder, arguments.turns))
            print(f"| {name} | {processor:.1f} | {clock:.1f} |", flush=True)


def told(release: Path, folder: Path, ids: tuple[int, ...]) -> None:
    """Vet, then say what it took and compare what was saved with the truth."""
    Campaign(folder, None, "script", definition=Definition(ids, repeats=0.0)).close()
    keys, seconds = vet(release, folder, len(ids))
    answers = Campaign(folder).answers()
    truth = {int(row["detectid"]): str(row["identity"]) for row in Table.read(release / TRUTH)}
    # the vetter says of a star that it is a continuum source, and gives it no label
    known = {each: "continuum" if identity == "star" else identity for each, identity in truth.items()}
    right = sum(identity_of(each) == known[each.detectid] for each in answers)
    print(
        f"{len(answers)} of {len(ids)} saved, {right} as the vetter knew it: {dict(Counter(map(str, truth.values())))}"
    )
    judged, remarks = sum(group(each.verdict) != "" for each in answers), sum(bool(each.comment) for each in answers)
    print(f"{judged} with a verdict, {remarks} remarks")
    print("\n| per detection | median | mean | 95 % | most |\n| --- | --- | --- | --- | --- |")
    for name, values in (("keys", keys), ("seconds from the last key to the next page", seconds)):
        high = float(np.percentile(values, 95))
        print(
            f"| {name} | {statistics.median(values):.2f} | {np.mean(values):.2f} | {high:.2f} | {max(values):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
