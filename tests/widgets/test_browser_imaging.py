"""A person at the images, the sky and the match table: a real browser on a real server."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from elixer_widgets import measure, open_release
from elixer_widgets.analysis import match_id
from elixer_widgets.widgets import aladin
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TILE, READOUT, TABLE = ".ew-tile", ".ew-readout", ".ew-match-table"


@pytest.fixture(scope="module")
def subject(simulated):
    """The first simulated detection with images, fibers and two catalogue matches: (detectid, Measurements)."""
    release = open_release(simulated)
    for detectid in release.detectids():
        measured = measure(release.detection(int(detectid)))
        if measured.cutouts and len(measured.matches) > 1 and measured.detection.fibers:
            return int(detectid), measured
    pytest.skip("no simulated detection has images, fibers and two matches")


@pytest.fixture(scope="module")
def kept(browser, voila, subject):
    """One visit for this whole file: a page takes seconds to open."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    visit = Visit(context.new_page())
    visit.page.goto(f"{voila}/?detectid={subject[0]}", timeout=120_000)
    visit.wait()
    visit.page.wait_for_timeout(3000)  # the page's first size and its neighbours are still on their way
    yield visit
    context.close()


@pytest.fixture
def opened(kept):
    """The images of the subject, everything automatic."""
    kept.page.click(".ew-tab[data-key=images]")
    if kept.page.is_enabled(".ew-reset"):
        kept.page.click(".ew-reset")
        kept.until("document.querySelector('.ew-reset').disabled")
    kept.page.select_option(".ew-choice select >> nth=0", label="9″")
    kept.until("document.querySelector('.ew-tile svg').getAttribute('viewBox').endsWith(' 9 9')")
    kept.page.wait_for_selector(f"{TILE} .ew-aperture", state="attached")
    return kept


def attribute(visit, selector, name):
    """A number in an attribute of the first element that matches."""
    return float(visit.page.get_attribute(selector, name))


def place(visit, x, y):
    """The pixel of a place in the first image, arcsec right and down of its middle."""
    box = visit.page.locator(f"{TILE} svg").first.bounding_box()
    return box["x"] + box["width"] * (0.5 + x / 9.0), box["y"] + box["height"] * (0.5 + y / 9.0)


def pull(visit, start, end):
    """Drag from one place in the first image to another."""
    visit.page.mouse.move(*place(visit, *start))
    visit.page.mouse.down()
    for share in np.linspace(0.2, 1.0, 5):
        at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
        visit.page.mouse.move(*place(visit, *at))
        visit.page.wait_for_timeout(40)
    visit.page.mouse.up()


def test_pulling_the_edge_sets_the_radius_and_the_numbers_follow(opened):
    before = opened.text(READOUT)
    radius = attribute(opened, f"{TILE} .ew-aperture", "rx")
    x, y = (attribute(opened, f"{TILE} .ew-aperture", name) for name in ("cx", "cy"))
    wanted = 2.0 if radius > 2.5 else 3.0
    pull(opened, (x + radius, y), (x + wanted, y))
    opened.until(
        f"Math.abs(parseFloat(document.querySelector('{READOUT}').textContent.split('radius ')[1]) - {wanted}) < 0.1"
    )
    opened.until("!document.querySelector('.ew-image-tools button').disabled")
    assert opened.holds(lambda: "P(Lyα)" in opened.text(READOUT) and "P(LAE)/P(OII)" in opened.text(READOUT))
    assert opened.text(READOUT) != before
    assert opened.holds(lambda: opened.text(f"{TILE} .ew-tile-text").endswith(f"in {wanted:.1f}″"))
    opened.clean()


def test_the_aperture_is_moved_and_undo_brings_it_back(opened):
    pull(opened, (0.0, -0.05), (1.2, -1.0))
    opened.until("document.querySelector('.ew-number input').value.startsWith('−1.')")
    opened.until("!document.querySelector('.ew-reset').disabled")
    assert opened.holds(lambda: attribute(opened, f"{TILE} .ew-aperture", "cx") == pytest.approx(1.2, abs=0.15))
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("Control+z")
    opened.until("Math.abs(document.querySelector('.ew-tile .ew-aperture').getAttribute('cx')) < 0.05")
    opened.clean()


def test_radius_and_centre_can_be_typed(opened):
    opened.page.fill(".ew-number input >> nth=0", "0.8")
    opened.page.press(".ew-number input >> nth=0", "Enter")
    opened.until("Math.abs(document.querySelector('.ew-tile .ew-aperture').getAttribute('cx') - -0.8) < 0.02")
    opened.page.click(".ew-image-tools button:text-is('automatic')")
    opened.until("Math.abs(document.querySelector('.ew-tile .ew-aperture').getAttribute('cx')) < 0.05")
    opened.clean()


def test_the_field_is_widened_by_wheel_key_and_list(opened):
    opened.page.mouse.move(*place(opened, 0.0, 2.0))
    opened.page.mouse.wheel(0, 120)
    opened.until("document.querySelector('.ew-tile svg').getAttribute('viewBox').endsWith(' 15 15')")
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("w")
    opened.until("document.querySelector('.ew-tile svg').getAttribute('viewBox').endsWith(' 30 30')")
    opened.page.keyboard.press("q")
    opened.until("document.querySelector('.ew-tile svg').getAttribute('viewBox').endsWith(' 15 15')")
    opened.clean()


def test_the_stretch_changes_the_picture(opened):
    picture = f"document.querySelector('{TILE} image').getAttribute('href')"
    seen = {opened.page.evaluate(picture)}
    for name in ("zscale", "−2σ to 5σ", "asinh"):
        before = opened.page.evaluate(picture)
        opened.page.select_option(".ew-choice select >> nth=1", label=name)
        opened.until(f"{picture}.length != {len(before)} || {picture}.slice(-60) != '{before[-60:]}'")
        seen.add(opened.page.evaluate(picture))
    assert len(seen) == 3
    opened.clean()


def test_a_fiber_under_the_pointer_lights_up(opened, subject):
    fiber = subject[1].detection.fibers[0]
    circle = opened.page.locator(f'{TILE} [data-fiber="{fiber.fiber_id}"]').first
    x, y, r = (float(circle.get_attribute(name)) for name in ("cx", "cy", "r"))
    box = opened.page.locator(f"{TILE} svg").first
    # along its edge until nothing else lies above it
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        opened.page.mouse.move(*place(opened, x + r * np.cos(angle), y + r * np.sin(angle)))
        opened.page.wait_for_timeout(60)
        if box.locator(".ew-fiber.ew-lit").count():
            break
    lit = box.locator(".ew-fiber.ew-lit")
    assert opened.holds(lambda: lit.count() == 1)
    opened.page.mouse.move(5, 5)
    opened.until(f"!document.querySelector('{TILE} .ew-lit')")
    opened.clean()


def test_images_blink_in_one_place(opened):
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("k")
    opened.until("document.querySelectorAll('.ew-blinking .ew-tile.ew-now').length == 1")
    count = opened.page.locator(f"{TILE}").count()
    images = f".ew-image-host:not(.ew-flux) {TILE}"  # few images have the maps of the flux beside them
    visible = f"[...document.querySelectorAll('{images}')].filter(e => e.offsetParent).length"
    assert count >= 1
    opened.until(f"{visible} == 1")
    opened.page.keyboard.press("k")
    opened.until("!document.querySelector('.ew-blinking')")
    opened.clean()


def test_one_selection_in_table_and_image(opened, subject):
    keys = [match_id(match) for match in subject[1].matches[:2]]
    opened.page.click(f'{TABLE} .ew-rank[data-key="{keys[1]}"]')
    opened.until(f"document.querySelector('{TILE} .ew-picked')?.dataset.match == '{keys[1]}'")
    opened.until(f"document.querySelectorAll('{TABLE} tr.ew-picked').length == 1")
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("j")
    opened.until(f"document.querySelector('{TILE} .ew-picked')?.dataset.match != '{keys[1]}'")
    opened.clean()


def test_the_photo_z_plot_shares_the_selection(visit, voila, simulated):
    release = open_release(simulated)
    for detectid in release.detectids():
        measured = measure(release.detection(int(detectid)))
        known = [m for m in measured.matches if m.object.photo_z_pdf is not None or np.isfinite(m.object.spec_z)]
        if len(measured.matches) > 1 and known:
            break
    else:
        pytest.skip("no simulated detection has two matches, one with a redshift")
    key = match_id(known[0])
    other = next(match_id(each) for each in measured.matches if match_id(each) != key)
    visit.page.goto(f"{voila}/?detectid={int(detectid)}", timeout=120_000)
    visit.wait()
    curve = f'.ew-photo-z [data-key="{key}"]'
    visit.page.wait_for_selector(curve, state="attached")
    texts = visit.page.locator(".ew-photo-z text").all_text_contents()
    assert any(each.startswith("Lyα ") for each in texts)
    visit.page.click(f'{TABLE} .ew-rank[data-key="{other}"]')
    visit.until(f"document.querySelector('{TABLE} tr.ew-picked')?.dataset.key == '{other}'")
    visit.until(f"!document.querySelector('{curve}').classList.contains('ew-picked')")
    visit.page.dispatch_event(f"{curve} > *", "click")
    visit.until(f"document.querySelector('{TABLE} tr.ew-picked')?.dataset.key == '{key}'")
    visit.until(f"document.querySelector('{curve}').classList.contains('ew-picked')")
    visit.clean()


def test_another_counterpart_changes_the_answer_and_none_can_be_taken(opened, subject):
    keys = [match_id(match) for match in subject[1].matches[:2]]
    opened.page.click(f'{TABLE} [data-key="take:{keys[1]}"]')
    opened.until(f"document.querySelector('{TABLE} tr.ew-taken')?.dataset.key == '{keys[1]}'")
    opened.page.click('.ew-match-foot [data-key="take:none"]')
    opened.until(f"!document.querySelector('{TABLE} tr.ew-taken')")
    opened.page.click('.ew-match-foot [data-key="automatic"]')
    opened.until(f"document.querySelector('{TABLE} tr.ew-taken')?.dataset.key == '{keys[0]}'")
    opened.clean()


def test_the_maps_of_the_flux_are_a_tab_away(opened, subject):
    opened.page.focus(".ew-page")
    opened.page.keyboard.press("y")
    opened.page.wait_for_selector(".ew-flux .ew-tile image[href^='data:image/png']", state="attached")
    snr = subject[1].line_map.snr
    assert opened.holds(lambda: re.search(rf"S/N −?{abs(snr):.1f} in 1.5″", opened.text(".ew-flux .ew-tile-text")))
    opened.clean()


def test_the_sky_shows_the_image_with_no_other_computer(opened, subject):
    if not aladin.LIBRARY.is_file():
        pytest.skip("Aladin Lite was not fetched: make aladin")
    opened.page.click(".ew-tab[data-key=sky]")
    # it says itself when the image is there, or why it is not
    opened.page.wait_for_selector(".ew-sky [data-sky=shown]", state="attached", timeout=150_000)
    assert opened.text(".ew-sky-words").strip() == ""

    def grey() -> np.ndarray:
        picture = opened.page.locator(".ew-sky .aladin-widget").screenshot()
        return np.asarray(Image.open(BytesIO(picture)).convert("L"), float)

    # dark and light pixels: an image is there, not an empty sky
    assert opened.holds(lambda: float(np.ptp(np.percentile(grey(), (5, 95)))) > 60)
    opened.clean()


def test_without_webgl_the_sky_says_so_and_the_rest_works(browser, voila, subject):
    if not aladin.LIBRARY.is_file():
        pytest.skip("Aladin Lite was not fetched: make aladin")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        "  return String(kind).startsWith('webgl') ? null : get.call(this, kind, ...more); };"
    )
    visit = Visit(context.new_page())
    visit.page.goto(f"{voila}/?detectid={subject[0]}", timeout=120_000)
    visit.wait()
    visit.page.click(".ew-tab[data-key=sky]")
    visit.until("document.querySelector('.ew-sky')?.textContent.includes('WebGL')")
    visit.page.click(".ew-tab[data-key=images]")
    visit.page.wait_for_selector(f"{TILE} .ew-aperture", state="attached")
    visit.clean()
    context.close()
