"""The match table and the redshifts below it: what they list, one selection, and choosing a counterpart."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from elixer_widgets.analysis import match_id, measure
from elixer_widgets.detection import DataError
from elixer_widgets.widgets import photoz
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.explorer import Explorer
from tests import factories
from tests.widgets.fakes import FakeRelease

FIRST, SECOND = "TEST a", "TEST b"


def pick(explorer, key):
    """What the browser sends when the element with this key is clicked."""
    explorer.matches.table._handle_custom_msg({"picked": key}, [])


def rows(explorer):
    """The rows of the table as text, without tags."""
    found = re.findall(r"<tr class.*?</tr>", explorer.matches.table.markup)
    return [re.sub(r"<[^>]+>", " ", each) for each in found]


@pytest.fixture
def real(monkeypatch):
    """A page whose measuring and interpreting are the real ones, on the made-up detections."""
    known = {}

    def measured(detection, **options):
        if detection.detectid not in known:
            known[detection.detectid] = measure(detection, **options)
        return known[detection.detectid]

    monkeypatch.setattr(state_module, "measure", measured)
    return Explorer(FakeRelease())


def test_matches_are_listed_best_first(explorer):
    listed = rows(explorer)
    assert len(listed) == 2
    assert all(part in listed[0] for part in ("0.22″", "1 %", "g 24.60", "2.7000", "2.70"))


def test_score_widths_and_ratio_are_those_of_the_analysis(real):
    found = real.state.interpretation
    match = found.measurements.matches[0]
    [estimate] = [each for each in found.continuum_sources if each.name == "catalog TEST g"]
    [ratio] = [each for each in found.plae_sources if each.source == "catalog TEST g"]
    cells = re.findall(r"<td>(.*?)</td>", re.findall(r"<tr class.*?</tr>", real.matches.table.markup)[0])
    words = [re.sub(r"<[^>]+>", "", each) for each in cells]
    assert words[4] == f"{match.match_score:.2f}"
    line = found.measurements.line
    # W_rest = F / f_λ / (1 + z), from the continuum in 1e-17 erg/s/cm²/Å
    for cell, rest in ((words[8], 1215.67), (words[9], 3728.5)):
        width = line.flux / (estimate.value * 1e-17) / (line.center / rest)
        assert float(cell) == pytest.approx(width, rel=0.02)
    assert float(words[10].lstrip("≥≤ ")) == pytest.approx(min(ratio.value, 1000.0), rel=0.01)


def test_matches_of_another_detection_do_not_stay(explorer, monkeypatch):
    def broken(*_args, **_options):
        raise DataError("no")

    monkeypatch.setattr(state_module, "interpret", broken)
    explorer.state.position = 2
    assert "0.22″" in explorer.matches.table.markup
    explorer.state.position = 1  # no imaging, and again no interpretation
    assert "0.22″" not in explorer.matches.table.markup
    assert "no catalogue objects" in explorer.matches.table.markup


def test_one_selection_for_table_image_and_redshifts(explorer):
    pick(explorer, SECOND)
    assert explorer.state.selected_match == explorer.images.tiles.selected_match == SECOND
    assert re.search(rf'<tr class="ew-picked" data-key="{SECOND}"', explorer.matches.table.markup)
    explorer.images.tiles.selected_match = FIRST  # clicked in the image
    assert re.search(rf'<tr class="[^"]*ew-picked" data-key="{FIRST}"', explorer.matches.table.markup)
    assert re.search(rf'<g class="ew-pdf ew-picked[^"]*" data-key="{FIRST}"', explorer.matches.table.markup)
    pick(explorer, FIRST)
    assert explorer.state.selected_match == ""


def test_the_photo_z_plot_marks_both_redshifts(explorer):
    markup = explorer.matches.table.markup
    assert "polyline" in markup
    line = explorer.state.measurements.line.center
    for kind, rest in (("ew-as-lya", 1215.67), ("ew-as-oii", 3728.5)):
        x = float(re.search(rf'class="{kind}[^"]*" x1="([\d.]+)"', markup)[1])
        assert x == pytest.approx(photoz.place(line / rest - 1.0), abs=0.1)
    spec = float(re.search(r'class="ew-spec" d="M([\d.]+)', markup)[1])
    assert spec == pytest.approx(photoz.place(2.70), abs=0.1)
    explorer.state.next()
    assert "polyline" not in explorer.matches.table.markup


def test_a_photo_z_without_a_density_is_drawn_as_its_range():
    made = factories.make_measurements()
    one = replace(made.matches[0], object=replace(made.matches[0].object, photo_z_pdf=None))
    markup = photoz.photo_z_plot(replace(made, matches=(one,)), None, 5)
    ends = re.search(r'<line x1="([\d.]+)" x2="([\d.]+)"', markup)
    assert float(ends[1]) == pytest.approx(photoz.place(2.55), abs=0.1)
    assert float(ends[2]) == pytest.approx(photoz.place(2.85), abs=0.1)


def test_choosing_a_counterpart_changes_the_interpretation_and_dropping_it_too(real):
    state = real.state
    automatic = state.interpretation
    assert [match.selected for match in automatic.measurements.matches] == [True, False]
    pick(real, f"take:{SECOND}")
    assert state.choices.counterpart == SECOND
    chosen = state.interpretation
    assert chosen.measurements.matches[0].object.identifier == "b"
    assert chosen.p_lya != automatic.p_lya
    # the table keeps the order and the keys of what was measured
    assert [row.split()[0] for row in rows(real)] == ["○", "◉"]
    pick(real, "take:none")
    none = state.interpretation
    assert not any(match.selected for match in none.measurements.matches) and none.p_lya != chosen.p_lya
    assert 'data-key="take:none" aria-pressed="true"' in real.matches.table.markup
    pick(real, "automatic")
    assert state.choices.counterpart is None
    assert state.interpretation.p_lya == automatic.p_lya
    state.undo()
    assert state.choices.counterpart == "none"


def test_matches_can_be_chosen_by_key(explorer):
    state = explorer.state
    state.act("take match")
    assert "press j" in state.message and state.choices.counterpart is None
    state.act("next match")
    assert state.selected_match == FIRST
    state.act("next match")
    state.act("take match")
    assert state.choices.counterpart == SECOND
    state.act("no match")
    assert state.choices.counterpart == "none"
    state.act("next match")
    assert state.selected_match == FIRST


def test_keys_are_those_of_the_analysis(explorer):
    measured = explorer.state.measurements
    assert [match_id(match) for match in measured.matches] == [FIRST, SECOND]
    shown = [shape["key"] for shape in explorer.images.tiles.scene["objects"]]
    assert shown[:2] == [FIRST, SECOND]


def test_the_match_of_a_page_that_was_turned_is_not_selected(explorer):
    pick(explorer, SECOND)
    explorer.state.position = 2
    assert "ew-picked" not in explorer.matches.table.markup and explorer.images.tiles.selected_match == ""
