"""Every action of the page by key and by mouse, in a real browser on a real server."""

from __future__ import annotations

import pytest

from tests.widgets import actions
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
