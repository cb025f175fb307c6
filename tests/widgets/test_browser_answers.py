"""Answers in a real browser: keys struck one after the other, remarks, the menu, the gallery, a reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from elixer_widgets import open_release
from elixer_widgets.campaigns import Campaign, Definition, Guideline
from elixer_widgets.widgets import dashboard
from tests.widgets.conftest import Visit

pytestmark = pytest.mark.browser

PRESSED = ".ew-choose [aria-pressed=true]"


@pytest.fixture(scope="module")
def folder(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign on the simulated release, of which bob has answered the first detection."""
    path = tmp_path_factory.mktemp("campaign")
    ids = tuple(int(each) for each in open_release(simulated).detectids())
    guidelines = {"verdict 15": Guideline("Look at the exposures.", (ids[5],))}
    bob = Campaign(path, None, "bob", definition=Definition(ids, repeats=0.0, guidelines=guidelines))
    bob.answer(ids[0], verdict=1, quality=2, comment="I see a doublet")
    return path


@pytest.fixture(scope="module")
def address(
    simulated: Path, folder: Path, private: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A dashboard that collects the answers of ann."""
    environment = {**private, dashboard.CAMPAIGN_VARIABLE: str(folder), dashboard.INSPECTOR_VARIABLE: "ann"}
    with dashboard.running(simulated, environment=environment, log=tmp_path_factory.mktemp("voila") / "log") as url:
        yield url


def counted(visit: Visit, count: int) -> None:
    """Wait until so many detections are answered."""
    visit.until(f"document.querySelector('.ew-progress b').textContent === '{count}'")


def test_answers_struck_ahead_of_the_pages_are_dropped_and_that_is_said(
    visit: Visit, simulated: Path, private: dict[str, str], tmp_path: Path
) -> None:
    """Eight answers without looking: only those count whose page was painted, each for its own."""
    ids = tuple(int(each) for each in open_release(simulated).detectids())
    Campaign(tmp_path / "ahead", None, "bob", definition=Definition(ids, repeats=0.0))
    environment = {**private, dashboard.CAMPAIGN_VARIABLE: str(tmp_path / "ahead"), dashboard.INSPECTOR_VARIABLE: "ann"}
    with dashboard.running(simulated, environment=environment, log=tmp_path / "log") as url:
        visit.page.goto(url, timeout=120_000)
        visit.wait()
        for _ in range(8):
            for key in "e3":
                visit.page.keyboard.press(key)
        visit.until("document.body.innerText.includes('not taken: the page was not drawn yet')")
        visit.drawn()
        answered = [each.detectid for each in Campaign(tmp_path / "ahead").answers()]
        # the first at once, whatever stood before the person then; no page was painted between the others
        assert answered == list(ids[: len(answered)]) and 1 <= len(answered) < 8
        visit.shows(ids[len(answered)])
    visit.clean()


def test_a_night(visit: Visit, address: str, folder: Path) -> None:
    ids = Campaign(folder).definition.detectids
    page = visit.page
    page.goto(address, timeout=120_000)
    visit.wait()
    assert "bob" not in visit.text(".ew-choose")

    # both keys of an answer struck as fast as keys can be, on a page that is there to be seen
    for place, keys in enumerate(("dn", "e3", "dr")):
        visit.shows(ids[place])
        for key in keys:
            page.keyboard.press(key)
        counted(visit, place + 1)
    visit.shows(ids[3])
    said = {each.detectid: each for each in Campaign(folder).answers() if each.inspector == "ann"}
    assert [(said[each].verdict, said[each].quality) for each in ids[:3]] == [(10, 0), (1, 3), (15, 0)]
    assert all(each.seconds > 0.0 and each.automatic for each in said.values())

    # the menu shows what may follow, with guidelines; Esc and a wrong key only end it
    before = visit.text(".ew-who")
    page.keyboard.press("d")
    visit.until("getComputedStyle(document.querySelector('.ew-menu[data-menu=d]')).display !== 'none'")
    assert "Look at the exposures." in visit.text(".ew-menu[data-menu=d]")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.keyboard.press("o")
    visit.until("getComputedStyle(document.querySelector('.ew-menu[data-menu=d]')).display === 'none'")
    page.wait_for_timeout(500)  # time for a wrong key to do harm
    assert visit.text(".ew-who") == before
    assert "automatic" in visit.text(".ew-line")

    # a remark saves itself, also when the page is turned at once; its letters do nothing else
    page.keyboard.press("Shift+C")
    page.keyboard.type("dn e3 n a remark")
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    visit.until(f"document.querySelector('.ew-who').textContent !== {before!r}")

    def remark() -> str:
        answer = Campaign(folder, None, "ann").current(ids[3])
        return answer.comment if answer else ""

    assert visit.holds(lambda: remark() == "dn e3 n a remark")
    assert visit.holds(lambda: page.input_value(".ew-remark textarea") == "")
    counted(visit, 3)

    # others after one's own answer, by the strip
    page.click(f".ew-ten button[data-key='go:{ids[0]}:0']")
    visit.until("document.querySelector('.ew-others').textContent.includes('I see a doublet')")
    assert visit.holds(lambda: visit.text(PRESSED).endswith("noise"))

    # take back, by key: first the remark, which was said last, then the last verdict
    visit.drawn()
    page.keyboard.press("Backspace")
    visit.until(f"document.querySelector('.ew-who').textContent.includes('{ids[3]}')")
    assert Campaign(folder, None, "ann").current(ids[3]) is None
    visit.drawn()
    page.keyboard.press("Backspace")
    counted(visit, 2)

    # a reload goes on at the first gap
    page.goto(address, timeout=120_000)
    visit.wait()
    counted(visit, 2)
    visit.until(f"document.querySelector('.ew-who').textContent.includes('{ids[2]}')")

    # thirty at once: mark one, reject the rest
    page.keyboard.press("Shift+G")
    page.wait_for_selector(".ew-thumb")
    shown = len(ids) - 2
    assert visit.holds(lambda: page.locator(".ew-thumb").count() == shown)
    visit.drawn()
    page.locator(".ew-thumb").nth(3).click()
    visit.until("document.querySelectorAll('.ew-thumb[aria-pressed=true]').length === 1")
    visit.drawn()
    page.keyboard.press("d")
    page.keyboard.press("d")
    visit.until("document.querySelectorAll('.ew-thumb').length === 1")
    page.keyboard.press("Shift+G")
    counted(visit, len(ids) - 1)
    gallery = [each for each in Campaign(folder).answers() if each.source == "gallery"]
    assert {(each.verdict, each.quality, each.inspector) for each in gallery} == {(10, 0, "ann")}
    assert len(gallery) == shown - 1

    # nothing to scroll, nothing out of the window
    assert page.evaluate(
        "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"
    )
    assert page.evaluate("document.querySelector('.ew-answers').getBoundingClientRect().bottom <= innerHeight")
    visit.clean()
