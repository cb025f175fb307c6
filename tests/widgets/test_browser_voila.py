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
        kept.shows(first)
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
    assert opened.holds(lambda: any(label.startswith("Lyα") for label in opened.labels()))
    lya = opened.text(REDSHIFT), opened.text(WIDTH)
    opened.page.click(".ew-card[data-key=OII]")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    opened.until(
        "[...document.querySelectorAll('.ew-spectrum text.label')].some(e => e.textContent.startsWith('[O II]'))"
    )
    assert opened.holds(lambda: not any(label.startswith("Lyα") for label in opened.labels()))
    oii = opened.text(REDSHIFT), opened.text(WIDTH)
    # one line, two rest wavelengths: (1 + z) and the rest width scale with them (air and vacuum differ by 0.03 %)
    assert (1 + number(lya[0])) / (1 + number(oii[0])) == pytest.approx(3728.5 / 1215.67, rel=1e-3)
    assert number(oii[1]) / number(lya[1]) == pytest.approx(3728.5 / 1215.67, rel=0.15)
    opened.clean()


def test_the_dropdown_and_the_z_box_reassign_too(opened):
    opened.page.select_option(".ew-identity select", label="[O II]")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    z = opened.text(REDSHIFT)
    assert opened.holds(lambda: opened.page.input_value(".ew-redshift input") == z)
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
    opened.leaves(first)
    opened.until("document.querySelector('.ew-count').textContent.startsWith('2 of ')")
    second = opened.text(".ew-who b")
    opened.until(f"location.search.includes('{second}') && document.title.includes('{second}')")
    opened.page.fill(".ew-jump input", first)
    opened.page.press(".ew-jump input", "Enter")
    opened.shows(first)
    opened.clean()


def test_keys_turn_the_page_and_reassign_but_not_while_typing(opened, first):
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("n")
    opened.until("document.querySelector('.ew-count').textContent.startsWith('2 of')")
    opened.page.keyboard.press("p")
    opened.until(f"document.querySelector('.ew-who b').textContent == '{first}' && document.querySelector('{LINE}')")
    opened.drawn()  # a key that means what is shown counts only then
    opened.page.keyboard.press("o")
    opened.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    opened.page.focus(".ew-jump input")
    opened.page.keyboard.type("n")
    opened.page.wait_for_timeout(500)
    assert opened.text(".ew-count").startswith("1 of ")
    opened.page.fill(".ew-jump input", "")
    opened.page.keyboard.press("Escape")  # out of the box, and the keys are the page's again
    opened.page.wait_for_timeout(100)
    opened.drawn()
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


# ------------------------------------------------------------------------------------ keys, theme, reload, a fault


def focus(opened):
    """Give the keys to the page."""
    opened.page.evaluate("document.activeElement?.blur()")
    opened.page.focus(".ew-page")


def test_undo_and_redo_by_key_and_by_button(opened, first):
    focus(opened)
    opened.page.keyboard.press("n")  # a turn of the page forgets what other tests did here
    opened.leaves(first)
    opened.page.keyboard.press("p")
    opened.shows(first)
    opened.until("document.querySelector('.ew-tools [data-key=undo]').disabled")
    opened.page.click(".ew-card[data-key=Lya]")
    opened.until("document.querySelector('.ew-line small')?.textContent == 'set by you'")
    for undo, redo in (("z", "Z"), ("Control+z", "Control+Shift+Z")):
        focus(opened)
        opened.page.keyboard.press(undo)
        opened.until("document.querySelector('.ew-line small')?.textContent == 'automatic'")
        opened.page.keyboard.press(redo)
        opened.until("document.querySelector('.ew-line small')?.textContent == 'set by you'")
    opened.page.click(".ew-tools [data-key=undo]")
    opened.until("document.querySelector('.ew-line small')?.textContent == 'automatic'")
    opened.until("document.querySelector('.ew-tools [data-key=undo]').disabled")
    opened.page.click(".ew-tools [data-key=redo]")
    opened.until("document.querySelector('.ew-line small')?.textContent == 'set by you'")
    opened.clean()


def test_the_list_of_keys_opens_and_closes_and_holds_the_keys_meanwhile(opened):
    page = opened.page
    focus(opened)
    count = opened.text(".ew-count")
    page.keyboard.press("?")
    page.wait_for_selector(".ew-help-box", state="visible")
    box = page.locator(".ew-help-box").bounding_box()
    assert box["x"] >= 0 and box["y"] >= 0 and box["x"] + box["width"] <= 1440 and box["y"] + box["height"] <= 900
    assert page.evaluate("(e => e.scrollHeight <= e.clientHeight + 1)(document.querySelector('.ew-help-list'))")
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    page.wait_for_selector(".ew-help-box", state="hidden")
    assert opened.text(".ew-count") == count
    page.click(".ew-tools [data-key=keys]")
    page.wait_for_selector(".ew-help-box", state="visible")
    page.click(".ew-help button")
    page.wait_for_selector(".ew-help-box", state="hidden")
    page.keyboard.press("n")  # the page has its keys again
    opened.until(f"document.querySelector('.ew-count').textContent != '{count}'")
    opened.clean()


def paper(opened):
    """How light the page's paper is, 0 to 255."""
    color = opened.page.evaluate("getComputedStyle(document.querySelector('.ew-verdict')).backgroundColor")
    return max(int(part) for part in re.findall(r"\d+", color)[:3])


def test_the_theme_follows_the_computer_and_the_switch_and_is_kept(visit, voila):
    page = visit.page
    page.emulate_media(color_scheme="dark")
    settled(visit, voila)
    assert paper(visit) < 60
    for selector in (".ew-line b", ".ew-who b", ".ew-z b", ".ew-count"):  # light on dark
        color = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).color")
        assert max(int(part) for part in re.findall(r"\d+", color)[:3]) > 150, selector
    page.emulate_media(color_scheme="light")
    visit.until("!document.querySelector('.ew-page').classList.contains('ew-dark')")
    assert paper(visit) > 200
    page.click(".ew-tools [data-key=theme]")
    visit.until("document.querySelector('.ew-page').classList.contains('ew-dark')")
    page.keyboard.press("Shift+T")
    visit.until("!document.querySelector('.ew-page').classList.contains('ew-dark')")
    page.keyboard.press("Shift+T")
    page.keyboard.press("Shift+T")
    visit.until("document.querySelector('.ew-page').classList.contains('ew-dark')")
    page.reload(timeout=120_000)
    visit.wait()
    visit.until("document.querySelector('.ew-page').classList.contains('ew-dark')")
    visit.clean()


def test_full_screen_by_key_and_by_button(opened):
    focus(opened)
    opened.page.keyboard.press("Shift+F")
    opened.until("document.fullscreenElement?.classList.contains('ew-page')")
    opened.page.click(".ew-tools [data-key='full screen']")
    opened.until("!document.fullscreenElement")
    opened.clean()


def test_a_reload_shows_what_a_person_chose(visit, voila, simulated):
    detectid = int(open_release(simulated).detectids()[1])
    settled(visit, voila, f"?detectid={detectid}")
    visit.page.click(".ew-card[data-key=OII]")
    visit.until(f"document.querySelector('{LINE}')?.textContent.startsWith('[O II]')")
    visit.until("location.search.includes('identity=OII')")
    visit.page.reload(timeout=120_000)
    visit.wait()
    assert visit.text(".ew-who b") == str(detectid)
    assert visit.text(LINE).startswith("[O II]") and visit.text(".ew-line small") == "set by you"
    visit.clean()


def test_every_control_is_reached_by_tab_and_has_a_name(opened):
    page = opened.page
    page.wait_for_timeout(4500)  # names are given when all panels are there
    focus(opened)
    seen = []
    for _ in range(400):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => {
            const it = document.activeElement;
            if (!it || it === document.body || it.classList.contains('ew-page') || !it.closest('.ew-page')) return null;
            it.dataset.seen = '1';
            const labels = [...(it.labels || [])].map(l => l.textContent).join(' ');
            const name = it.getAttribute('aria-label') || labels || it.textContent || it.title || '';
            return [it.tagName + '.' + it.className, name.trim()];
        }""")
        if found is None:
            break
        seen.append(found)
    assert len(seen) > 25
    assert [what for what, name in seen if not name] == [], seen
    missed = page.evaluate("""() => [...document.querySelectorAll(
        '.ew-page button:enabled, .ew-page input:enabled, .ew-page select:enabled')]
        .filter(e => e.offsetParent && !e.dataset.seen && getComputedStyle(e).visibility == 'visible')
        .map(e => e.tagName + '.' + e.className + ' ' + (e.title || e.textContent))""")
    assert missed == []
    opened.clean()
