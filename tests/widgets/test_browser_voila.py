"""A person at the dashboard: a real browser on a real server, on the simulated release."""

from __future__ import annotations

import re

import pytest

from elixer_widgets import open_release
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINE, REDSHIFT, WIDTH = ".ew-line b", ".ew-z b", ".ew-ew b"


def settled(visit, url, query=""):
    """The page, drawn, with its address in place."""
    visit.page.goto(f"{url}/{query}", timeout=120_000)
    visit.wait()
    return visit


@pytest.fixture(scope="module")
def kept(browser, voila):
    """One visit for this whole file: a page takes seconds to open."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield settled(Visit(context.new_page()), voila)
    context.close()


@pytest.fixture
def opened(kept, first):
    """The dashboard at its first detection, everything automatic."""
    if kept.text(".ew-who b") != first:
        kept.page.fill(".ew-jump input", first)
        kept.page.press(".ew-jump input", "Enter")
        kept.until(f"document.querySelector('.ew-who b').textContent == '{first}'")
    if kept.text(".ew-line small") != "automatic":
        kept.page.click(".ew-reset")
        kept.until("document.querySelector('.ew-line small')?.textContent == 'automatic'")
    return kept


@pytest.fixture(scope="module")
def first(simulated):
    """The number of the first detection, as text."""
    return str(open_release(simulated).detectids()[0])


def number(text):
    """The first number in what stands on the page."""
    return float(re.search(r"[\d.]+", text).group())


def test_the_page_fits_without_scrolling_and_asks_nothing_of_other_computers(opened):
    page = opened.page
    page.wait_for_timeout(1000)
    sizes = page.evaluate(
        "[document.documentElement.scrollHeight, innerHeight, document.documentElement.scrollWidth, innerWidth]"
    )
    assert sizes[0] <= sizes[1] and sizes[2] <= sizes[3]
    for area in ("fibers", "fit", "evidence", "spectrum", "rivals", "imaging", "matches", "verdict"):
        box = page.locator(f".ew-{area}").first.bounding_box()
        assert box["width"] > 100 and box["height"] > 30, area
        assert box["y"] + box["height"] <= 900 and box["x"] + box["width"] <= 1440, area
    opened.clean()


def test_reassigning_the_line_changes_z_width_and_labels(opened):
    opened.page.click(".ew-card[data-key=Lya]")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('Lyα')")
    lya = opened.text(REDSHIFT), opened.text(WIDTH), opened.labels()
    assert any(label.startswith("Lyα") for label in lya[2])
    opened.page.click(".ew-card[data-key=OII]")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    opened.until(
        "[...document.querySelectorAll('.ew-spectrum text.label')].some(e => e.textContent.startsWith('[O II]'))"
    )
    oii = opened.text(REDSHIFT), opened.text(WIDTH), opened.labels()
    assert not any(label.startswith("Lyα") for label in oii[2])
    # one line, two rest wavelengths: (1 + z) and the rest width scale with them (air and vacuum differ by 0.03 %)
    assert (1 + number(lya[0])) / (1 + number(oii[0])) == pytest.approx(3728.5 / 1215.67, rel=1e-3)
    assert number(oii[1]) / number(lya[1]) == pytest.approx(3728.5 / 1215.67, rel=0.15)
    opened.clean()


def test_the_dropdown_and_the_z_box_reassign_too(opened):
    opened.page.select_option(".ew-identity select", label="[O II]")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    z = opened.text(REDSHIFT)
    assert opened.page.input_value(".ew-redshift input") == z
    opened.page.click(".ew-card[data-key=Lya]")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('Lyα')")
    opened.page.fill(".ew-redshift input", z)
    opened.page.press(".ew-redshift input", "Enter")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    assert opened.text(".ew-line small") == "set by you"
    opened.page.click(".ew-reset")
    opened.until("document.querySelector('.ew-line small')?.textContent == 'automatic'")
    opened.clean()


def test_next_jump_and_the_list_turn_the_page(opened, first):
    opened.page.click(".ew-next")
    opened.until(f"document.querySelector('.ew-who b').textContent != '{first}'")
    opened.until("document.querySelector('.ew-count').textContent.startsWith('2 of ')")
    second = opened.text(".ew-who b")
    opened.until(f"location.search.includes('{second}') && document.title.includes('{second}')")
    opened.page.fill(".ew-jump input", first)
    opened.page.press(".ew-jump input", "Enter")
    opened.until(f"document.querySelector('.ew-who b').textContent == '{first}'")
    opened.clean()


def test_keys_turn_the_page_and_reassign_but_not_while_typing(opened, first):
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("n")
    opened.until("document.querySelector('.ew-count').textContent.startsWith('2 of')")
    opened.page.keyboard.press("p")
    opened.until(f"document.querySelector('.ew-who b').textContent == '{first}' && document.querySelector('{LINE}')")
    opened.page.keyboard.press("o")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    opened.page.focus(".ew-jump input")
    opened.page.keyboard.type("n")
    opened.page.wait_for_timeout(500)
    assert opened.text(".ew-count").startswith("1 of ")
    opened.page.fill(".ew-jump input", "")
    opened.page.keyboard.press("Escape")  # out of the box, and the keys are the page's again
    opened.page.wait_for_timeout(100)
    opened.page.keyboard.press("a")
    opened.until("document.querySelector('.ew-line small')?.textContent == 'automatic'")
    opened.clean()


def test_the_report_and_the_catalogue_download_and_open(opened, first, tmp_path):
    pdf = opened.download(".ew-exports button:text-is('PDF')", tmp_path)
    assert pdf.name == f"{first}.pdf"
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF") and b"%%EOF" in content[-1024:]
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1
    tables = pytest.importorskip("tables")
    hdf5 = opened.download(".ew-exports button:text-is('HDF5')", tmp_path)
    with tables.open_file(str(hdf5)) as catalogue:
        rows = catalogue.root.Detections.read()
    assert [int(row) for row in rows["detectid"]] == [int(first)]
    opened.clean()


def test_an_address_opens_the_same_view(visit, voila, simulated):
    detectid = int(open_release(simulated).detectids()[2])
    settled(visit, voila, f"?detectid={detectid}&identity=OII")
    assert visit.text(".ew-who b") == str(detectid)
    assert visit.text(LINE).startswith("[O II]")
    visit.clean()


def test_a_new_aperture_moves_the_numbers(opened, simulated):
    if not opened.page.query_selector(".ew-tile"):
        pytest.skip("the first simulated detection has no imaging")
    before = opened.text(".ew-tile .ew-tile-text")
    readout = ".ew-slider .widget-readout"
    opened.page.click(readout)
    opened.page.keyboard.press("Control+A")
    opened.page.keyboard.type("3.3")
    opened.page.keyboard.press("Enter")
    opened.until("document.querySelector('.ew-tile-text').textContent.includes('in 3.3″')")
    assert opened.text(".ew-tile .ew-tile-text") != before
    opened.clean()
