"""A hand on the spectrum and the fibers: a real browser on a real server, on the simulated release."""

from __future__ import annotations

import re

import pytest

from elixer_widgets import interpret, measure, open_release
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FULL, ZOOMED = ".ew-spectrum .ew-plot-box", ".ew-fit .ew-plot-box"
LEFT, RIGHT = 42, 16


@pytest.fixture(scope="module")
def emitter(simulated):
    """The first simulated detection taken for Lyα or [O II] that has a companion within the spectrum, measured."""
    release = open_release(simulated)
    for detectid in release.detectids():
        found = interpret(measure(release.detection(int(detectid))))
        if found.identity in ("Lya", "OII") and any(c.in_range for c in found.companions):
            return found
    raise AssertionError("no simulated emitter")


@pytest.fixture(scope="module")
def kept(browser, voila, emitter):
    """One visit for this whole file: a page takes seconds to open."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    visit = Visit(context.new_page())
    visit.page.goto(f"{voila}/?detectid={emitter.measurements.detection.detectid}", timeout=120_000)
    visit.wait()
    visit.until("document.querySelectorAll('.ew-plot-box[data-ready]').length == 2")
    yield visit
    context.close()


@pytest.fixture
def page(kept):
    """The page with everything automatic and nothing zoomed."""
    found = kept.page
    found.mouse.move(3, 3)
    if found.is_enabled(".ew-reset"):
        found.click(".ew-reset")
    found.click(".ew-spectrum button:text-is('whole range')")
    kept.until("document.querySelector('.ew-line small')?.textContent == 'automatic'")
    yield found
    kept.clean()


def number(text):
    """The first number in what stands on the page."""
    return float(re.search(r"[\d.]+", text).group())


def place(page, box, wavelength, low, high):
    """Where a wavelength lies on the screen, half way up a plot from `low` to `high` (Å)."""
    found = page.locator(f"{box} .bqplot").bounding_box()
    width = found["width"] - LEFT - RIGHT
    return found["x"] + LEFT + width * (wavelength - low) / (high - low), found["y"] + 0.5 * found["height"]


def whole(emitter):
    """The range of the whole spectrum."""
    wavelength = emitter.measurements.detection.spectrum.wavelength
    return float(wavelength[0]), float(wavelength[-1])


def until(page, expression, argument=None):
    page.wait_for_function(expression, arg=argument, timeout=20_000)


def cursor(page, box):
    """The wavelength that the cursor of a plot shows, or None."""
    return page.evaluate(
        """box => { const line = document.querySelector(box + ' .ew-cursor');
        return getComputedStyle(line).display == 'none' ? null : parseFloat(line.textContent); }""",
        box,
    )


def test_the_cursor_is_one_in_both_plots_and_in_the_strip(page, emitter):
    line = emitter.measurements.line.center
    page.mouse.move(*place(page, FULL, line, *whole(emitter)))
    until(page, "() => getComputedStyle(document.querySelector('.ew-fit .ew-cursor')).display == 'block'")
    # a pixel of the whole spectrum is 2.2 Å
    assert cursor(page, FULL) == pytest.approx(line, abs=3.0)
    assert cursor(page, ZOOMED) == pytest.approx(cursor(page, FULL), abs=0.11)
    until(page, "() => getComputedStyle(document.querySelector('.ew-strip-cursor')).display == 'block'")
    shown = page.evaluate(
        """() => { const line = document.querySelector('.ew-strip-cursor'), cell = line.parentElement.dataset;
        return Number(cell.low) + parseFloat(line.style.left) / 100 * (cell.high - cell.low); }"""
    )
    assert shown == pytest.approx(line, abs=3.0)
    # and back, from a fiber's picture to the plots
    box = page.locator(".ew-strip-row[data-fiber] > div").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    low, high = page.eval_on_selector(
        ".ew-strip-row[data-fiber] > div", "cell => [Number(cell.dataset.low), Number(cell.dataset.high)]"
    )
    shown = f"parseFloat(document.querySelector('{ZOOMED} .ew-cursor').textContent)"
    until(page, f"() => Math.abs({shown} - {low + (high - low) / 4}) < 2")
    page.mouse.move(3, 3)
    until(page, "() => getComputedStyle(document.querySelector('.ew-fit .ew-cursor')).display == 'none'")


def test_a_fiber_under_the_pointer_lights_up_on_the_ccd_and_in_the_plot(page):
    row = page.locator(".ew-strip-row[data-fiber]").first
    fiber = row.get_attribute("data-fiber")
    row.locator(".ew-strip-text").hover()
    until(page, "() => document.querySelector('.ew-strip-row.ew-lit')")
    until(page, "() => document.querySelectorAll('.ew-ccd-mark.ew-lit').length == 2")
    lit = page.eval_on_selector_all(".ew-lit", "found => found.map(each => [each.className, each.dataset.fiber])")
    assert {who for _, who in lit} == {fiber}
    drawn = """() => [...document.querySelectorAll('.ew-fit .bqplot path.line')].some(
        each => each.style.stroke.includes('fiber') && (each.getAttribute('d') || '').length > 100)"""
    until(page, drawn)
    page.mouse.move(3, 3)
    until(page, f"() => !({drawn})()")
    until(page, "() => !document.querySelector('.ew-lit')")


def test_a_fiber_switched_off_changes_spectrum_fit_and_verdict(page, emitter):
    before = page.inner_text(".ew-fit-numbers")
    row = page.locator(".ew-strip-row[data-fiber]").first
    row.locator(".ew-strip-text").click()
    until(page, "() => document.querySelector('.ew-strip-row[aria-pressed=false]')")
    until(page, "() => document.querySelector('.ew-asserted')?.textContent.includes('fibers')")
    until(page, "before => document.querySelector('.ew-fit-numbers').innerText != before", before)
    detection = emitter.measurements.detection
    expected = measure(detection, excluded_fibers=(detection.fibers[0].fiber_id,)).line
    until(page, "snr => document.querySelector('.ew-fit-numbers').innerText.includes(snr)", f"{expected.snr:.1f}")
    page.focus(".ew-strip-row[aria-pressed=false]")
    page.keyboard.press("Enter")  # and on again, without a mouse
    until(page, "() => !document.querySelector('.ew-strip-row[aria-pressed=false]')")
    until(page, "before => document.querySelector('.ew-fit-numbers').innerText == before", before)


def test_an_exposure_is_switched_by_its_button(page):
    first = page.locator(".ew-exposure").first
    assert "S/N" in first.inner_text()
    first.click()
    until(page, "() => document.querySelector('.ew-exposure').innerText.includes('off')")
    page.locator(".ew-exposure").first.click()
    until(page, "() => document.querySelector('.ew-exposure').innerText.includes('S/N')")


def test_a_click_fits_a_feature_and_its_name_gives_z(page, emitter):
    line = emitter.measurements.line
    page.mouse.click(*place(page, FULL, line.center, *whole(emitter)))
    until(page, "() => document.querySelector('.ew-quick').innerText.includes('S/N')")
    assert number(page.inner_text(".ew-quick")) == pytest.approx(line.center, abs=max(3 * line.center_err, 0.5))
    options = page.eval_on_selector_all(".ew-name-line option", "all => all.map(each => each.value)")
    wanted = next(text for text in options if text.startswith("C IV 1549"))
    page.select_option(".ew-name-line select", value=wanted)
    z = wanted.rsplit(" ", 1)[1]
    until(page, "z => document.querySelector('.ew-z b').textContent == z", z)
    until(page, "() => document.querySelector('.ew-line b').textContent.startsWith('C IV')")


def test_wheel_and_drag_zoom_and_a_double_click_ends_it(page, kept):
    def ticks():
        return page.eval_on_selector_all(
            ".ew-fit .ew-plot-low .axis text", "found => found.map(each => each.textContent).filter(Boolean)"
        )

    before = ticks()
    box = page.locator(f"{ZOOMED} .bqplot").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    for _ in range(3):
        page.mouse.wheel(0, -120)
    until(page, "before => [...document.querySelectorAll('.ew-fit .ew-plot-low .axis text')]"
                ".map(each => each.textContent).filter(Boolean).join() != before", ",".join(before))  # fmt: skip
    zoomed = ticks()
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1], steps=4)
    page.mouse.up()
    assert kept.holds(lambda: ticks() != zoomed)
    assert "click a feature" in page.inner_text(".ew-quick") or "S/N" in page.inner_text(".ew-quick")
    page.mouse.dblclick(box["x"] + box["width"] - 40, box["y"] + box["height"] - 12)
    until(page, "before => [...document.querySelectorAll('.ew-fit .ew-plot-low .axis text')]"
                ".map(each => each.textContent).filter(Boolean).join() == before", ",".join(before))  # fmt: skip


def test_a_label_dragged_moves_all_lines_and_the_redshift(page, emitter):
    low, high = whole(emitter)
    line = emitter.measurements.line.center
    x, y = place(page, FULL, line, low, high)
    z = number(page.inner_text(".ew-z b"))
    page.keyboard.down("Shift")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=6)
    until(page, "z => Math.abs(parseFloat(document.querySelector('.ew-z b').textContent) - z) > 0.01", z)
    page.mouse.move(x + 60, y, steps=6)
    page.mouse.up()
    page.keyboard.up("Shift")
    moved = (high - low) / (page.locator(f"{FULL} .bqplot").bounding_box()["width"] - LEFT - RIGHT) * 60
    expected = (1 + z) * (line + moved) / line - 1
    until(page, "z => Math.abs(parseFloat(document.querySelector('.ew-z b').textContent) - z) < 0.002", expected)
    until(page, "() => document.querySelector('.ew-asserted').textContent.includes('redshift')")


def test_the_name_of_a_line_is_a_handle_of_its_own(page):
    z = page.inner_text(".ew-z b")
    label = page.eval_on_selector_all(
        ".ew-spectrum text.label",
        """all => { const box = all.find(each => each.textContent).getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]; }""",
    )
    page.mouse.move(*label)
    page.mouse.down()
    page.mouse.move(label[0] + 40, label[1], steps=5)
    until(page, "z => document.querySelector('.ew-z b').textContent != z", z)
    page.keyboard.press("Escape")  # before it is let go: all as it was
    page.mouse.up()
    until(page, "z => document.querySelector('.ew-z b').textContent == z", z)


def test_a_source_of_the_continuum_is_left_out_and_let_in(page):
    first = page.locator(".ew-continuum-name").first
    name = first.inner_text()
    first.click()
    until(page, "() => document.querySelector('.ew-continuum-name[aria-pressed=false]')")
    until(page, "name => document.querySelector('.ew-asserted')?.textContent.includes(name)", name)
    page.locator(".ew-continuum-name[aria-pressed=false]").click()
    until(page, "() => !document.querySelector('.ew-continuum-name[aria-pressed=false]')")


def test_the_slider_moves_the_labels_while_it_moves(page):
    labels = page.eval_on_selector_all(".ew-spectrum text.label", "all => all.map(each => each.textContent).join()")
    slider = page.locator(".ew-z-slider input")
    slider.focus()
    page.keyboard.press("PageUp")
    until(
        page,
        "before => [...document.querySelectorAll('.ew-spectrum text.label')].map(e => e.textContent).join() != before",
        labels,
    )
    until(
        page,
        """() => { const [text, slider] = ['.ew-z b', '.ew-z-slider output'].map(
        each => parseFloat(document.querySelector(each).textContent));
        return Math.abs(text - slider) <= 1e-4; }""",
    )


def test_expected_lines_zoom_by_chip_button_and_key(page, emitter):
    count = page.locator(".ew-chip").count()
    assert count == 1 + sum(c.in_range for c in emitter.companions)
    page.locator(".ew-chip[aria-pressed=false]").first.click()
    name = page.locator(".ew-chip").filter(has=page.locator("b")).first.inner_text()
    assert name
    until(page, "() => document.querySelector('.ew-chip[data-status=main]').ariaPressed == 'false'")
    page.click(".ew-spectrum button:text-is('whole range')")
    until(page, "() => document.querySelector('.ew-chip[data-status=main]').ariaPressed == 'true'")
    page.click(".ew-spectrum button:text-is('›')")
    until(page, "() => document.querySelector('.ew-chip[data-status=main]').ariaPressed == 'false'")
    page.focus(".ew-page")
    page.keyboard.press("0")
    until(page, "() => document.querySelector('.ew-chip[data-status=main]').ariaPressed == 'true'")
    page.keyboard.press("]")
    until(page, "() => document.querySelector('.ew-chip[data-status=main]').ariaPressed == 'false'")


def test_smoothing_says_its_sigma_and_none(page):
    rough = page.get_attribute(".ew-spectrum .bqplot path.line >> nth=-1", "d")
    assert page.eval_on_selector(".ew-smoothing select", "each => each.value") == "none"
    page.focus(".ew-page")
    page.keyboard.press("s")
    until(page, "() => document.querySelector('.ew-smoothing select').value == 'σ 1 Å'")
    assert rough is not None
    page.select_option(".ew-smoothing select", value="none")
    until(page, "() => document.querySelector('.ew-smoothing select').value == 'none'")


def test_the_quick_fit_by_key_and_rivals_by_key(page, emitter):
    line = emitter.measurements.line
    page.focus(".ew-page")
    page.mouse.move(*place(page, FULL, line.center, *whole(emitter)))
    until(page, "() => getComputedStyle(document.querySelector('.ew-fit .ew-cursor')).display == 'block'")
    page.keyboard.press("f")
    until(page, "() => document.querySelector('.ew-quick').innerText.includes('S/N')")
    second = page.locator(".ew-card").nth(1).get_attribute("data-key")
    page.keyboard.press(".")
    until(page, "key => document.querySelector(`.ew-card[data-key=${key}]`).ariaPressed == 'true'", second)


def test_the_same_hand_in_a_notebook(visit, lab):
    page = visit.page
    page.goto(f"{lab}/lab/workspaces/spectrum/tree/notebooks/explorer.ipynb?reset", timeout=120_000)
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=90_000)
    page.wait_for_timeout(1500)  # the menus come before they answer
    page.click('.lm-MenuBar-itemLabel:has-text("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    visit.wait()
    visit.until("document.querySelectorAll('.ew-plot-box[data-ready]').length == 2")
    page.evaluate("document.querySelector('.ew-page').scrollIntoView({block: 'start'})")
    box = page.locator(f"{FULL} .bqplot").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.6 * box["height"])
    until(page, "() => document.querySelector('.ew-quick').innerText.includes('λ')")
    page.locator(".ew-strip-row[data-fiber] .ew-strip-text").first.hover()
    until(page, "() => document.querySelector('.ew-strip-row.ew-lit')")
    visit.clean()
