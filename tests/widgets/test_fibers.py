"""The fiber strip: what it shows, what it lights up, and what it switches off."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.detection import FiberImages
from elixer_widgets.spectra.exposures import ExposureSignal
from elixer_widgets.widgets import fiber_strip, fibers_markup
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.state import ExplorerState
from tests import factories
from tests.widgets import fakes


@pytest.fixture
def measured(monkeypatch, faked):
    """The fibers that each measurement was asked to leave out."""
    asked = []

    def measure(detection, *, aperture=None, excluded_fibers=()):
        asked.append(tuple(excluded_fibers))
        return fakes.measure(detection, aperture=aperture)

    monkeypatch.setattr(state_module, "measure", measure)
    return asked


@pytest.fixture
def strip(measured):
    """The strip on a made-up detection of five fibers in three exposures."""
    state = ExplorerState(fakes.FakeRelease())
    state.start()
    return fiber_strip.FiberStrip(state)


def ids():
    return [fiber.fiber_id for fiber in factories.make_fibers()]


def tell(strip, **content):
    """What the browser sends."""
    strip.strip._handle_custom_msg(content, [])


def test_a_click_switches_a_fiber_off_and_another_on_again(strip, measured):
    second = ids()[1]
    tell(strip, picked=f"fiber:{second}")
    assert strip.state.choices.excluded_fibers == (second,)
    assert measured[-1] == (second,)
    row = re.search(rf'<div class="ew-strip-row"[^>]*data-key="fiber:{second}"[^>]*>', strip.strip.markup).group()
    assert 'aria-pressed="false"' in row
    assert "4 of 5 fibers" in strip.strip.markup
    tell(strip, picked=f"fiber:{second}")
    assert strip.state.choices.excluded_fibers == ()
    tell(strip, picked="fiber:unheard of")
    assert strip.state.choices.excluded_fibers == ()


def test_undo_switches_it_on(strip):
    tell(strip, picked=f"fiber:{ids()[0]}")
    strip.state.undo()
    assert strip.state.choices.excluded_fibers == ()
    assert 'aria-pressed="false"' not in strip.strip.markup


def test_a_whole_exposure_goes_and_comes(strip):
    own = tuple(fiber.fiber_id for fiber in factories.make_fibers() if fiber.expnum == 2)
    assert len(own) == 2
    tell(strip, picked="exposure:2")
    assert strip.state.choices.excluded_fibers == own
    assert re.search(r'data-key="exposure:2" aria-pressed="false"[^>]*>exp 2 off', strip.strip.markup)
    tell(strip, picked="exposure:2")
    assert strip.state.choices.excluded_fibers == ()
    strip.state.act("switch exposure 2")
    assert strip.state.choices.excluded_fibers == own


def test_one_fiber_must_stay(strip, measured):
    for number in (1, 2):
        tell(strip, picked=f"exposure:{number}")
    before = strip.state.choices.excluded_fibers
    tell(strip, picked="exposure:3")
    assert strip.state.choices.excluded_fibers == before
    assert "must stay" in strip.state.message


def test_hover_goes_to_the_state_and_comes_from_it(strip):
    tell(strip, hover=ids()[2])
    assert strip.state.hover_fiber == ids()[2]
    strip.state.hover_fiber = ids()[3]  # pointed at on the sky
    assert strip.strip.hover == ids()[3]
    strip.state.act("switch fiber")
    assert strip.state.choices.excluded_fibers == (ids()[3],)
    tell(strip, hover="")
    strip.state.act("switch fiber")
    assert strip.state.choices.excluded_fibers == (ids()[3],)
    assert "Point at a fiber" in strip.state.message


def test_the_cursor_is_shared(strip):
    tell(strip, cursor=4512.5)
    assert strip.state.cursor == 4512.5
    strip.state.cursor = 4488.0
    assert strip.strip.cursor == 4488.0
    for nothing in (None, "4500", float("inf")):
        tell(strip, cursor=nothing)
        assert np.isnan(strip.state.cursor) and strip.strip.cursor is None


def test_every_fiber_can_be_pointed_at_and_told_in_words(strip):
    markup = strip.strip.markup
    for fiber in factories.make_fibers():
        assert f'data-key="fiber:{fiber.fiber_id}"' in markup
    text = fibers_markup.in_words(factories.make_fibers()[4])
    for part in ("weight 0.080", "2.00″", "χ² 1.10", "exposure 2 of 20190201v012", "041", "amplifier LL", "fiber 54"):
        assert part in text
    assert "on the edge of its IFU" in text


def test_pictures_tell_their_wavelengths():
    cutout = factories.make_detection().fiber_images.cutouts[0]
    low, high = fibers_markup.span_of(cutout)
    # 49 pixels of 2 Å about 4500 Å, each as wide as its step
    assert (low, high) == (4500.0 - 49.0, 4500.0 + 49.0)
    markup = fibers_markup.draw(factories.make_detection().fiber_images)
    assert markup.count('data-low="4451.00" data-high="4549.00"') == 2 + 4 * 3 + 2


def test_a_fiber_lies_on_the_ccd_where_its_row_is():
    images = factories.make_detection().fiber_images
    marks = re.findall(
        r'class="ew-ccd-mark" data-fiber="([^"]+)"[^>]*top:([\d.]+)%;height:([\d.]+)%', str(fibers_markup.draw(images))
    )
    # of the five only the fourth shares exposure and amplifier with the first, and its y is too far off
    assert {fiber for fiber, _, _ in marks} == {ids()[0]}
    top, height = float(marks[0][1]), float(marks[0][2])
    assert top + height / 2 == pytest.approx(50.0, abs=0.1)


def test_the_sum_is_that_of_the_fibers_in_use():
    cutouts = factories.make_detection().fiber_images.cutouts[:2]
    both = fibers_markup.weighted_sum(cutouts)
    one = fibers_markup.weighted_sum(cutouts, (cutouts[1].fiber.fiber_id,))
    used = ~cutouts[0].cosmic
    assert np.allclose(one[used], cutouts[0].image[used])
    assert not np.allclose(both[used], one[used])


def test_exposures_tell_whether_the_line_is_in_them():
    signals = (ExposureSignal(1, 5.2, 4.8, 2), ExposureSignal(2, 0.3, 4.9, 2))
    markup = fibers_markup.exposures(factories.make_fibers(), signals, ())
    first, second, third = re.findall(r"<button.*?</button>", markup)
    assert "S/N <b>5.2</b>" in first and "weak" not in first and "4.8 were it as bright" in first
    assert "S/N <b>0.3</b> weak" in second
    assert "not measured" in third
    absorbed = (ExposureSignal(1, -5.2, -4.8, 2), ExposureSignal(2, 0.3, -4.9, 2))
    first, second, _ = re.findall(
        r"<button.*?</button>", fibers_markup.exposures(factories.make_fibers(), absorbed, ())
    )
    assert "S/N <b>5.2</b>" in first and "weak" not in first
    assert "S/N <b>−0.3</b> weak" in second


def test_the_stretch_is_one_and_can_be_chosen(strip):
    before = strip.strip.markup
    strip.state.stretch = "asinh"
    assert strip.strip.markup != before
    strip.state.stretch = "zscale"
    assert strip.strip.markup != before
    strip.state.stretch = ""
    assert strip.strip.markup == before


def test_no_pictures_but_fibers_can_still_be_switched():
    markup = fibers_markup.draw(FiberImages(reason="no shot file"), factories.make_fibers())
    assert "no shot file" in markup and markup.count('data-key="exposure:') == 3


def test_what_comes_from_files_is_text():
    odd = replace(factories.make_fibers()[0], fiber_id='"><script>', specid="<b>")
    markup = fibers_markup.others((odd,) * 6, ()) + fibers_markup.describe(odd)
    assert "<script>" not in markup and "<b>0" in markup and "<b> LL" not in markup
