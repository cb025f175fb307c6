"""The spectrum panels: their data, and that they follow the state."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from elixer_widgets.classification.solutions import Companion
from elixer_widgets.detection import Spectrum
from elixer_widgets.widgets import spectrum
from tests import factories


def wide(label, page=1440):
    """The Å that a label's text takes."""
    return spectrum.letter_width(3470.0, 5540.0, page) * (len(label.text) + 1)


def is_line(mark):
    """Whether a curve has two points beside each other, so that there is anything of it to see."""
    there = np.isfinite(np.asarray(mark.x, float)) & np.isfinite(np.asarray(mark.y, float))
    return bool((there[1:] & there[:-1]).any())


def test_a_curve_ends_with_a_number_that_adds_nothing_to_it(explorer):
    """Where bqplot puts the name of a curve, if only to hide it."""
    for place in range(len(explorer.state.detectids)):
        explorer.state.position = place
        for mark in (
            *explorer.spectrum.figure.marks,
            *explorer.line_fit.figure.marks,
            *explorer.line_fit.residual.marks,
        ):
            assert np.isfinite([np.asarray(mark.x, float)[-1], np.asarray(mark.y, float)[-1]]).all()


def test_labels_of_lya_name_it_and_its_companion_in_range():
    labels = spectrum.line_labels(factories.make_interpretation(), 3470.0, 5540.0)
    assert {label.text: label.wavelength for label in labels} == {"Lyα 1216": 4500.0, "N V 1241": 4592.7}


@pytest.mark.parametrize("page", [1000, 1440, 1920])
def test_labels_never_touch_and_the_deciding_lines_keep_their_names(page):
    made = factories.make_interpretation()
    crowd = tuple(
        Companion(f"X{n}", f"Line {n}", 4480.0 + 8 * n, True, status="found" if n == 3 else "not seen")
        for n in range(12)
    )
    labels = spectrum.line_labels(replace(made, companions=crowd), 3470.0, 5540.0, page)
    assert len(labels) == 13  # every line keeps its mark
    named = [label for label in labels if label.text]
    assert {"Lyα 1216", "Line 3"} <= {label.text for label in named}
    for row in range(len(spectrum.LABEL_ROWS)):
        spans = sorted((n.place - wide(n, page) / 2, n.place + wide(n, page) / 2) for n in named if n.row == row)
        assert all(end <= begin + 1e-6 for (_, end), (begin, _) in pairwise(spans))


def test_labels_stay_inside():
    made = factories.make_interpretation()
    edge = (Companion("A", "A long name", 3471.0, True, status="found"), Companion("B", "Another", 5539.0, True))
    for label in spectrum.line_labels(replace(made, companions=edge), 3470.0, 5540.0):
        if label.text:
            assert label.place - wide(label) / 2 >= 3470.0 - 1e-6
            assert label.place + wide(label) / 2 <= 5540.0 + 1e-6


def test_the_flux_axis_shows_the_line_and_ignores_a_bad_pixel():
    rng = np.random.default_rng(2)
    x = np.arange(3470.0, 5541.0, 2.0)
    flux = rng.normal(0.0, 0.2, x.size)
    flux[100] = 500.0
    flux[515] = 9.0  # a narrow line: one sample
    made = Spectrum(x, flux, np.full(x.shape, 0.2))
    _, blind = spectrum.flux_range(made)
    _, top = spectrum.flux_range(made, float(x[515]))
    assert blind < 3.0
    assert 9.0 < top < 12.0


def test_the_flux_axis_of_nothing_is_finite():
    x = np.arange(10.0)
    low, high = spectrum.flux_range(Spectrum(x, np.full(10, np.nan), np.full(10, np.nan)))
    assert np.isfinite([low, high]).all() and high > low


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 3.7e-3), (-250.0, 9100.0), (4460.0, 4540.0)])
def test_ticks_are_round_and_inside(low, high):
    ticks = spectrum.ticks(low, high, 5)
    assert 2 <= ticks.size <= 8
    assert ticks[0] >= low - 1e-9 and ticks[-1] <= high + 1e-9
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** np.floor(np.log10(step) + 1e-9), 6) in (1.0, 2.0, 5.0)


def test_steps_outline_each_sample_over_its_own_width():
    x, y = spectrum.steps(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0]))
    assert list(x) == [0.5, 1.5, 1.5, 2.5, 2.5, 3.5]
    assert list(y) == [5.0, 5.0, 6.0, 6.0, 7.0, 7.0]


def test_reassigning_changes_the_labels_only(explorer):
    panel = explorer.spectrum
    before = np.asarray(panel.flux.y)
    assert [text for text in panel.texts.text if text] == ["Lyα 1216", "N V 1241"]
    explorer.state.choose(identity="OII")
    assert [text for text in panel.texts.text if text] == ["[O II] 3728", "[Ne III] 3869"]
    assert np.asarray(panel.flux.y) is before


def test_turning_the_page_undoes_the_zoom(explorer):
    explorer.spectrum.x.min, explorer.spectrum.x.max = 4400.0, 4600.0
    explorer.state.next()
    assert (explorer.spectrum.x.min, explorer.spectrum.x.max) == (3470.0, 5540.0)


def test_the_fit_is_drawn_where_it_was_fitted(explorer):
    panel, line = explorer.line_fit, explorer.state.measurements.line
    peak = np.asarray(panel.model.x)[np.argmax(panel.model.y)]
    assert peak == pytest.approx(line.center, abs=0.5)
    assert "4500.00 ± 0.30" in panel.numbers.markup


def test_without_a_measurement_the_curves_are_gone(explorer):
    explorer.state.position = 4
    assert not is_line(explorer.spectrum.flux)
    assert not is_line(explorer.line_fit.model)
    assert not any(explorer.spectrum.texts.text)


def test_where_no_line_was_found_the_last_fit_does_not_stay(explorer):
    made = explorer.state.measurements
    explorer.state.measurements = replace(made, line=replace(made.line, center=float("nan"), sigma=float("nan")))
    assert "no line was found" in explorer.line_fit.numbers.markup
    assert not is_line(explorer.line_fit.model)
    assert explorer.line_fit._fault.markup == "" and explorer.spectrum._fault.markup == ""


def test_both_plots_follow_the_fibers_in_use(explorer):
    made = explorer.state.measurements
    other = factories.make_spectrum(seed=9)
    explorer.state.measurements = replace(made, spectrum=other)
    assert np.array_equal(np.asarray(explorer.spectrum.flux.y), other.flux)
    low, high = explorer.line_fit.x.min, explorer.line_fit.x.max
    shown = np.asarray(explorer.line_fit.flux.y)
    assert np.isin(other.window(low, high).flux, shown).all()


def test_a_fiber_pointed_at_is_drawn_in_the_zoomed_plot_in_its_color(explorer):
    state, panel = explorer.state, explorer.line_fit
    assert not is_line(panel.fiber)
    state.hover_fiber = state.detection.fibers[1].fiber_id
    own = state.detection.fiber_spectra[1]
    assert np.isin(own.window(panel.x.min, panel.x.max).flux, np.asarray(panel.fiber.y)).all()
    assert panel.fiber.colors == ["var(--ew-fiber-2)"]
    state.hover_fiber = ""
    assert not is_line(panel.fiber)


def test_the_zoom_is_shown_in_the_whole_spectrum_and_follows_the_hand(explorer):
    state = explorer.state
    state.zoom = (4900.0, 5000.0)
    assert (explorer.line_fit.x.min, explorer.line_fit.x.max) == (4900.0, 5000.0)
    assert sorted(set(np.asarray(explorer.spectrum.window.x))) == [4900.0, 5000.0]
    explorer.line_fit.x.set_state({"min": 4910.0, "max": 5010.0})  # as the browser does after a drag
    assert state.zoom == (4910.0, 5010.0)
    assert sorted(set(np.asarray(explorer.spectrum.window.x))) == [4910.0, 5010.0]


def test_the_labels_are_in_both_plots_and_follow_the_identity(explorer):
    state = explorer.state
    assert [text for text in explorer.line_fit.names.texts.text if text] == ["Lyα 1216"]
    state.choose(identity="OII")
    assert [text for text in explorer.line_fit.names.texts.text if text] == ["[O II] 3728"]
    state.zoom = (4640.0, 4700.0)
    assert [text for text in explorer.line_fit.names.texts.text if text] == ["[Ne III] 3869"]


def test_the_cursor_stands_in_both_plots(explorer):
    explorer.state.cursor = 4321.0
    assert explorer.line_fit.pointer.cursor == explorer.spectrum.pointer.cursor == 4321.0
    explorer.state.cursor = float("nan")
    assert explorer.line_fit.pointer.cursor is None


def test_a_zoom_where_there_is_no_line_shows_the_spectrum(explorer):
    made = explorer.state.measurements
    nothing = replace(made.line, center=float("nan"), sigma=float("nan"))
    explorer.state.measurements = replace(made, line=nothing, lines=())
    explorer.state.zoom = (4900.0, 5000.0)
    assert is_line(explorer.line_fit.flux)
    assert explorer.line_fit._fault.markup == ""
