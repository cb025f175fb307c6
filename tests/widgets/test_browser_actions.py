"""Every action of the page by key and by mouse, in a real browser on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.widgets import actions
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOOK = (Path(__file__).parents[2] / "tools" / "look.js").read_text(encoding="utf-8")
"""What is cut off, overlaps or would have to be scrolled, as sentences."""


@pytest.fixture(scope="module")
def subjects(simulated):
    return actions.subjects(simulated)


@pytest.fixture(scope="module")
def kept(browser, voila, subjects):
    """One visit for this whole file: a page takes seconds to open."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    visit = Visit(context.new_page())
    visit.page.goto(f"{voila}/?detectid={subjects[False]}", timeout=120_000)
    visit.wait()
    visit.until("document.querySelectorAll('.ew-plot-box[data-ready]').length == 2")
    yield visit
    context.close()


@pytest.mark.parametrize("way", ["key", "mouse"])
@pytest.mark.parametrize("row", actions.TABLE, ids=str)
def test_the_page_follows(kept, subjects, row, way):
    row.by(actions.Hand(kept.page), way, subjects)
    kept.clean()


@pytest.mark.parametrize("red", [False, True], ids=["five images", "one image"])
def test_no_line_of_text_is_cut_off_or_overlaps_and_nothing_scrolls(kept, subjects, red):
    actions.Hand(kept.page).start(subjects[red])
    for width, height in ((1920, 1080), (1440, 900)):
        kept.page.set_viewport_size({"width": width, "height": height})
        kept.page.wait_for_timeout(1500)
        assert kept.page.evaluate(LOOK) == [], (width, height)
    kept.clean()
