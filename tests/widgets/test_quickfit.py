"""Pointing at features, naming them, stepping through lines, zooming: state in, state out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.classification.solutions import Companion
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.lines import LINES, observed_air, redshift_of
from elixer_widgets.widgets import quickfit, spectrum_data
from elixer_widgets.widgets.gestures import LineDrag, moved_redshift
from elixer_widgets.widgets.spectrum import SpectrumPanel, expected_markup
from tests import factories


def send(widget, **content):
    """What the browser sends."""
    widget._handle_custom_msg(content, [])


@pytest.fixture
def panel(state):
    return SpectrumPanel(state)


# ---------------------------------------------------------------------------------------------- fit and name


def test_a_click_fits_what_lies_there(state, panel):
    send(panel.pointer, clicked=4503.0)
    fit = state.feature
    # the line put into the made-up spectrum: 4500 Å, σ 3 Å, 1.5e-16 erg/s/cm²
    assert abs(fit.center - 4500.0) < 4 * fit.center_err and fit.center_err < 1.0
    assert abs(fit.sigma - 3.0) < 4 * fit.sigma_err
    assert abs(fit.flux - 1.5e-16) < 4 * fit.flux_err
    words = dict(quickfit.in_words(fit))
    assert set(words) == {"λ", "σ", "F", "S/N"} and "±" in words["F"]


def test_the_key_fits_at_the_cursor_or_asks_for_one(state, panel):
    state.act("fit")
    assert state.feature is None and "Point at a feature" in state.message
    state.cursor = 4498.0
    state.act("fit")
    assert state.feature.center == pytest.approx(4500.0, abs=2.0)


def test_a_feature_outside_the_zoom_is_shown(state, panel):
    send(panel.pointer, clicked=5200.0)
    low, high = quickfit.zoomed(state)
    assert low < state.feature.center < high


@pytest.mark.parametrize("name", ["Lya", "OII", "NeIII", "CIV"])
def test_naming_a_feature_gives_its_redshift(state, panel, name):
    send(panel.pointer, clicked=4500.0)
    options = {value: text for text, value in quickfit.name_options(state.feature)}
    assert LINES[name].label in options[name]
    quickfit.name_feature(state, name)
    expected = float(redshift_of(state.feature.center, LINES[name]))
    assert state.choices.redshift == pytest.approx(expected)
    assert f"{expected:.4f}" in options[name]


def test_lines_to_the_blue_of_their_rest_are_not_offered():
    names = {value for _, value in quickfit.name_options(replace(factories.make_measurements().line, center=4500.0))}
    assert "OII" in names and "Hg" in names and "Hb" not in names


def test_the_page_turn_forgets_feature_and_zoom(state, panel):
    send(panel.pointer, clicked=5200.0)
    assert state.zoom
    state.next()
    assert state.feature is None and state.zoom == ()


# ------------------------------------------------------------------------------------------------- zoom, steps


def test_zoom_keeps_the_place_under_the_cursor(state, panel):
    state.cursor = 4510.0
    low, high = quickfit.zoomed(state)
    share = (4510.0 - low) / (high - low)
    state.act("zoom in")
    low2, high2 = state.zoom
    assert high2 - low2 == pytest.approx((high - low) / quickfit.ZOOM_STEP)
    assert (4510.0 - low2) / (high2 - low2) == pytest.approx(share)
    for _ in range(30):
        state.act("zoom out")
    assert state.zoom == (3470.0, 5540.0)
    for _ in range(60):
        state.act("zoom in")
    assert state.zoom[1] - state.zoom[0] >= spectrum_data.NARROWEST_ZOOM / 2
    state.act("whole spectrum")
    assert state.zoom == ()


def test_steps_go_through_the_lines_within_the_spectrum(state, panel):
    # Lyα at 4500 and N V at 4592.7; C IV lies outside
    visited = []
    for _ in range(3):
        state.act("next line")
        visited.append(sum(state.zoom) / 2)
    assert visited == pytest.approx([4592.7, 4500.0, 4592.7])
    state.act("previous line")
    assert sum(state.zoom) / 2 == pytest.approx(4500.0)


def test_smoothing_goes_in_steps_and_back_to_none(state, panel):
    seen = []
    for _ in quickfit.SMOOTHINGS:
        state.act("smooth more")
        seen.append(state.smoothing)
    assert seen == [*quickfit.SMOOTHINGS[1:], quickfit.SMOOTHINGS[-1]]
    assert panel.smoothing.label == "σ 12 Å"
    for _ in quickfit.SMOOTHINGS:
        state.act("smooth less")
    assert state.smoothing == 0.0 and panel.smoothing.label == "none"
    panel.smoothing.value = 3.0
    assert state.smoothing == 3.0


def test_smoothing_keeps_flux_width_and_masks():
    x = np.arange(3470.0, 5541.0, 2.0)
    flux = np.exp(-0.5 * ((x - 4500.0) / 6.0) ** 2)
    bad = (x > 5000) & (x < 5020)
    made = Spectrum(x, np.where(bad, 1e6, flux), np.where(bad, 0.0, 0.1))
    soft = spectrum_data.smoothed(made, 8.0)
    assert np.isnan(soft[bad]).all() and np.nanmax(soft[x > 4900]) < 1e-3
    line = x < 4700
    assert np.sum(soft[line]) == pytest.approx(np.sum(flux[line]), rel=1e-3)
    width = np.sqrt(np.sum(soft[line] * (x[line] - 4500.0) ** 2) / np.sum(soft[line]))
    assert width == pytest.approx(np.hypot(6.0, 8.0), rel=0.01)
    same = spectrum_data.smoothed(made, 0.0)
    assert np.array_equal(same[~bad], flux[~bad])


# ------------------------------------------------------------------------------------------------ moving lines


def test_a_dragged_line_lies_where_the_hand_is():
    line = LINES["OII"]
    z = moved_redshift(0.2, float(observed_air(line, 0.2)), 4600.0)
    assert float(observed_air(line, z)) == pytest.approx(4600.0, abs=0.01)


def test_a_drag_is_one_step_to_undo_and_escape_takes_it_back(state, panel):
    z = state.interpretation.redshift
    for end in (4502.0, 4504.0, 4506.0):
        send(panel.pointer, dragged=[4500.0, end])
        assert state.choices.redshift == pytest.approx(moved_redshift(z, 4500.0, end))
    send(panel.pointer, dropped=[4500.0, 4506.0])
    assert panel.pointer.drawn == 3
    state.undo()
    assert state.choices.redshift is None
    send(panel.pointer, dragged=[4500.0, 4510.0])
    send(panel.pointer, dragged=None)
    assert state.choices.redshift is None


def test_a_click_that_drags_nothing_leaves_the_history(state):
    drag = LineDrag(state)
    drag.move(None, None)
    assert not state.can_undo


def test_the_slider_moves_all_and_is_one_step_to_undo(state, panel):
    assert panel.slider.value == pytest.approx(2.7027)
    for z in (2.6, 2.5, 0.4):
        send(panel.slider, trial=z)
        assert state.choices.redshift == z
    send(panel.slider, set=0.3)
    assert state.choices.redshift == 0.3
    state.undo()
    assert state.choices.redshift is None
    assert panel.slider.drawn == 3


@pytest.mark.parametrize(
    "content", [{}, {"clicked": "x"}, {"dragged": [1]}, {"dropped": ["a", 2.0]}, {"clicked": None}]
)
def test_a_message_that_is_none_changes_nothing(state, panel, content):
    send(panel.pointer, **content)
    send(panel.slider, **content)
    assert state.feature is None and not state.can_undo


# --------------------------------------------------------------------------------------------- expected lines


def test_expected_lines_tell_flux_or_limit():
    made = factories.make_interpretation()
    found = Companion("HeII", "He II 1640", 5100.0, True, 2.1e-17, 0.4e-17, 3e-17, 5.0, "found")
    markup = expected_markup(replace(made, companions=(*made.companions, found)), (4460.0, 4540.0))
    assert "Lyα 1216 <b>15.0 ± 1.2</b>" in markup
    assert "N V 1241 <b>&lt; 1.9</b>" in markup and "limits 3σ" in markup
    assert "He II 1640 <b>2.1 ± 0.4</b>" in markup
    assert "1 outside" in markup and "C IV 1549 5735 Å" in markup
    assert markup.count('aria-pressed="true"') == 1


def test_a_chip_zooms_on_its_line(state, panel):
    send(panel.expected, picked="4592.700")
    assert sum(state.zoom) / 2 == pytest.approx(4592.7)


def test_a_redshift_of_no_line_shows_the_whole_list():
    made = replace(factories.make_interpretation(), identity="other", redshift=0.5, companions=())
    lines = {each.name: each.wavelength for each in spectrum_data.expected_lines(made)}
    assert set(lines) == set(LINES)
    assert lines["OII"] == pytest.approx(float(observed_air(LINES["OII"], 0.5)))


# ------------------------------------------------------------------------------------------------------ rivals


def test_rivals_are_adopted_by_key(explorer):
    state = explorer.state
    state.act("next rival")
    assert state.choices.identity == "OII"
    state.act("next rival")
    assert state.choices.identity == "Lya"
    state.act("previous rival")
    assert state.choices.identity == "OII"


def test_the_verdict_says_what_a_person_set(explorer):
    assert "you set" not in explorer.verdict.line.markup
    explorer.state.interpretation = replace(explorer.state.interpretation, asserted=("aperture", "fibers"))
    assert "aperture, fibers" in explorer.verdict.line.markup


def test_a_source_of_the_continuum_can_be_left_out(explorer):
    table, state = explorer.continua.table, explorer.state
    send(table, picked="narrow")
    assert state.choices.without == ("narrow",)
    assert 'data-key="narrow" aria-pressed="false"' in table.markup
    send(table, picked="unheard of")
    assert state.choices.without == ("narrow",)
    send(table, picked="narrow")
    assert state.choices.without == ()
