"""The state: what is computed when, what resets, and how failures are told."""

from __future__ import annotations

import pytest
from traitlets import TraitError

from elixer_widgets.analysis import Aperture
from elixer_widgets.detection import DataError
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import REMEMBERED, Choices, ExplorerState
from tests.widgets.fakes import FakeRelease


def test_the_first_detection_is_measured_once(state, counts):
    assert state.detection.detectid == FakeRelease.ids[0]
    assert state.interpretation.measurements is state.measurements
    assert counts == {"measure": 1, "interpret": 1}


def test_reassigning_the_line_only_interprets(state, counts):
    state.choose(identity="OII")
    assert state.interpretation.identity == "OII"
    state.choose(redshift=2.7)
    assert state.interpretation.identity == "Lya"
    assert counts == {"measure": 1, "interpret": 3}


def test_an_identity_drops_a_redshift_and_the_other_way_round(state):
    state.choose(redshift=0.2)
    state.choose(identity="CIV")
    assert state.choices == Choices(identity="CIV")
    state.choose(redshift=0.3)
    assert state.choices == Choices(redshift=0.3)


def test_a_new_aperture_measures_the_images_alone_and_keeps_the_identity(state, counts):
    state.choose(identity="OII")
    state.choose(aperture=Aperture(2.0))
    assert state.choices.identity == "OII"
    assert state.interpretation.identity == "OII"
    assert all(growth.radius == 2.0 for growth in state.measurements.growths)
    assert counts["measure"] == 1


def test_excluded_fibers_reach_the_measurement(state, monkeypatch):
    asked = []

    def measure(detection, *, aperture, excluded_fibers):
        asked.append(excluded_fibers)
        return state.measurements

    monkeypatch.setattr(state_module, "measure", measure)
    state.choose(excluded_fibers=("a fiber",))
    assert asked == [("a fiber",)]


def test_turning_the_page_resets_every_choice(state):
    state.choose(identity="OII", aperture=Aperture(2.0), excluded_fibers=("x",))
    state.next()
    assert state.choices == Choices()
    state.previous()
    assert state.interpretation.chosen_by == "automatic"


def test_going_back_measures_nothing_again(state, counts):
    state.next()
    state.previous()
    assert counts["measure"] == 2


def test_the_memory_is_bounded(faked):
    class Long(FakeRelease):
        ids = tuple(range(1, 3 * REMEMBERED))

    state = ExplorerState(Long(), [i for i in Long.ids if i not in (Long.ids[1], Long.ids[-1])])
    state.start()
    while state.position < len(state.detectids) - 1:
        state.next()
    assert len(state._measured) == REMEMBERED


def test_the_ends_of_the_list_hold(state):
    state.previous()
    assert state.position == 0
    for _ in range(20):
        state.next()
    assert state.position == len(state.detectids) - 1


def test_jump_takes_numbers_and_text(state):
    state.jump(str(FakeRelease.ids[2]))
    assert state.position == 2
    state.jump(FakeRelease.ids[0])
    assert state.position == 0


@pytest.mark.parametrize("wanted", ["12", "not a number", ""])
def test_a_jump_to_nowhere_stays_and_says_so(state, wanted):
    state.jump(wanted)
    assert state.position == 0
    assert "is not in this list of 5" in state.message
    state.next()
    assert state.message == ""


def test_ids_of_19_digits_keep_every_digit(faked):
    class Big(FakeRelease):
        ids = (9007199254740993123, 9007199254740993124, 9007199254740993125, 9007199254740993126)

    state = ExplorerState(Big())
    state.jump("9007199254740993125")
    assert state.detection.detectid == 9007199254740993125


def test_a_detection_that_cannot_be_read_is_named_and_the_rest_goes_on(state):
    state.position = 4
    assert state.detection is None and state.measurements is None and state.interpretation is None
    assert "damaged" in state.message and str(FakeRelease.ids[4]) in state.message
    state.previous()
    assert state.message == "" and state.interpretation is not None


def test_a_fault_in_a_room_becomes_a_sentence(state, monkeypatch, caplog):
    def broken(*_args, **_options):
        raise ZeroDivisionError("no such luck")

    monkeypatch.setattr(state_module, "interpret", broken)
    state.choose(identity="OII")
    assert state.interpretation is None and state.measurements is not None
    assert "no such luck" in state.message and "turn the page" in state.message
    assert "ZeroDivisionError" in caplog.text  # the whole traceback is in the log


def test_unknown_identities_and_redshifts_are_refused_with_a_sentence(state):
    state.choose(identity="Foo")
    assert "'Foo' is not an identity" in state.message
    state.choose(redshift=float("nan"))
    assert "is not a number" in state.message
    assert state.choices == Choices()
    with pytest.raises(TraitError):
        state.position = 99


def test_an_empty_list_is_refused(faked):
    with pytest.raises(DataError, match="no detections to show"):
        ExplorerState(FakeRelease(), [])


def test_observers_of_the_interpretation_see_the_matching_detection(state):
    seen = []
    state.observe(lambda change: seen.append((state.detection, change.new.measurements.detection)), "interpretation")
    state.position = 2
    assert seen and all(shown is measured for shown, measured in seen)


def test_busy_is_said_while_measuring_and_never_stays(state, monkeypatch):
    seen = []

    def slow(detection, **options):
        seen.append(state.busy)
        raise ValueError("halfway")

    monkeypatch.setattr(state_module, "measure", slow)
    state.next()
    assert seen == [True] and not state.busy


def test_the_verdict_says_that_it_waits(explorer, monkeypatch):
    said = []

    def slow(detection, **options):
        said.append(explorer.verdict.line.markup)
        raise ValueError("halfway")

    monkeypatch.setattr(state_module, "measure", slow)
    explorer.state.next()
    assert "measuring" in said[0] and "no verdict" in explorer.verdict.line.markup


def test_busy_ends_only_when_the_verdict_is_there(state):
    at_end = []
    state.observe(lambda change: change.new or at_end.append(state.interpretation.measurements.detection), "busy")
    state.next()
    assert at_end == [state.detection]


def test_a_new_aperture_does_not_veil_the_page(state, monkeypatch):
    seen = []
    state.observe(lambda change: seen.append(change.new), "busy")
    state.choose(aperture=Aperture(2.0))
    assert seen == []


# ------------------------------------------------------------------------------------------------- undo and redo


def test_undo_and_redo_walk_through_the_choices(state):
    state.choose(identity="OII")
    state.choose(aperture=Aperture(2.0))
    state.choose(counterpart="none")
    assert state.can_undo and not state.can_redo
    state.undo()
    assert state.choices == Choices(identity="OII", aperture=Aperture(2.0))
    state.undo()
    assert state.choices == Choices(identity="OII") and state.interpretation.identity == "OII"
    assert state.measurements.aperture is None
    state.redo()
    assert state.measurements.aperture == Aperture(2.0)
    state.undo()
    state.undo()
    assert state.choices == Choices() and state.interpretation.chosen_by == "automatic"
    assert not state.can_undo and state.can_redo
    state.undo()  # nothing more to take back
    assert state.choices == Choices()


def test_a_new_choice_ends_what_could_be_redone(state):
    state.choose(identity="OII")
    state.undo()
    state.choose(identity="CIV")
    assert not state.can_redo
    state.redo()
    assert state.choices == Choices(identity="CIV")


def test_reset_can_be_undone(state):
    state.choose(identity="OII", without=("g",))
    state.reset()
    state.undo()
    assert state.choices == Choices(identity="OII", without=("g",))


def test_a_drag_is_one_step_back(state):
    state.choose(identity="OII")
    for radius in (1.1, 1.2, 1.3):
        state.choose(aperture=Aperture(radius), passing=True)
    state.choose(aperture=Aperture(1.4))
    state.choose(counterpart="none")
    state.undo()
    assert state.choices.aperture == Aperture(1.4)
    state.undo()
    assert state.choices == Choices(identity="OII")


def test_a_drag_that_ends_where_it_last_was_is_over(state):
    state.choose(aperture=Aperture(1.1), passing=True)
    state.choose(aperture=Aperture(1.1))
    state.choose(identity="OII")
    state.undo()
    assert state.choices == Choices(aperture=Aperture(1.1))


def test_choosing_what_is_chosen_is_no_step(state):
    state.choose(identity="OII")
    state.choose(identity="OII")
    state.undo()
    assert state.choices == Choices()


def test_the_history_ends_with_the_detection(state):
    state.choose(identity="OII")
    state.next()
    assert not state.can_undo and not state.can_redo
    state.undo()
    assert state.choices == Choices()


def test_a_choice_that_cannot_be_is_told_and_not_kept(state):
    state.choose(identity="OII")
    state.choose(counterpart="unheard of")
    assert "no counterpart 'unheard of'" in state.message
    assert state.choices == Choices(identity="OII") and state.interpretation.identity == "OII"
    state.undo()
    assert state.choices == Choices()


def test_counterpart_and_left_out_continua_reach_the_interpretation(state, monkeypatch):
    asked = []
    monkeypatch.setattr(state_module, "interpret", lambda _measured, **options: asked.append(options))
    state.choose(counterpart="SDSS 7", without=("g",))
    assert asked[-1]["counterpart"] == "SDSS 7" and asked[-1]["without"] == ("g",)


# --------------------------------------------------------------------------------- looking about, and actions


def test_what_belongs_to_one_detection_ends_with_it_and_ways_of_looking_stay(state):
    state.set_trait("cursor", 4500.0)
    state.hover_fiber, state.selected_match, state.zoom = "a fiber", "SDSS 7", (4400.0, 4600.0)
    state.smoothing, state.stretch, state.field, state.blink, state.band = 2.0, "zscale", 30.0, True, "r"
    state.next()
    assert state.cursor != state.cursor  # NaN
    assert (state.hover_fiber, state.selected_match, state.zoom) == ("", "", ())
    assert (state.smoothing, state.stretch, state.field, state.blink, state.band) == (2.0, "zscale", 30.0, True, "r")


@pytest.mark.parametrize(("asked", "given"), [(3.0, 9.0), (20.0, 20.0), (400.0, 60.0)])
def test_the_field_stays_within_reason(state, asked, given):
    state.field = asked
    assert state.field == given


def test_actions_are_done_by_name_and_a_failing_one_is_told(state, caplog):
    done = []
    state.register("wave", key="w W", help="Wave.", do=lambda: done.append("waved"))
    state.register("fall", help="Fall.", do=lambda: 1 / 0)
    state.act("wave")
    assert done == ["waved"] and state.actions["wave"].keys == ("w", "W")
    state.act("fall")
    assert "fall failed (ZeroDivisionError" in state.message and "ZeroDivisionError" in caplog.text


def test_no_key_means_two_things(state):
    state.register("wave", key="w", help="Wave.", do=lambda: None)
    with pytest.raises(ValueError, match="'w' of 'wink' is that of 'wave'"):
        state.register("wink", key="w", help="Wink.", do=lambda: None)
    with pytest.raises(ValueError, match="already"):
        state.register("wave", help="Wave.", do=lambda: None)


# ------------------------------------------------------------------------------------------------- how it is drawn


class Counting(Panel):
    """A panel that counts its drawings."""

    def __init__(self, state, *names):
        self.drawn, self.seen, self.fails = 0, None, False
        super().__init__(state, "counting", ())
        self.watch(self._draw, *names, clear=self._clear)

    def _draw(self):
        if self.fails:
            raise ValueError("nothing to draw with")
        self.drawn += 1
        self.seen = self.state.interpretation

    def _clear(self):
        raise RuntimeError("cannot be cleared either")


def test_a_panel_draws_once_when_a_known_page_is_turned_to(state):
    state.next()
    panel = Counting(state, "detection", "measurements", "interpretation", "choices")
    panel.drawn = 0
    state.previous()
    assert panel.drawn == 1 and panel.seen is state.interpretation


def test_a_panel_that_fails_even_in_clearing_leaves_the_others_drawn(state, caplog):
    broken, other = Counting(state, "interpretation"), Counting(state, "interpretation")
    broken.fails = True
    state.choose(identity="OII")
    assert other.seen.identity == "OII"
    assert "nothing to draw with" in broken._fault.markup and "please report" in broken._fault.markup
    assert "cannot be cleared either" in caplog.text
    broken.fails = False
    state.choose(identity="Lya")
    assert broken._fault.markup == "" and broken.seen.identity == "Lya"


def test_what_a_drawing_changes_is_drawn_as_well(state):
    class Setting(Counting):
        def _draw(self):
            super()._draw()
            self.state.selected_match = f"of {self.state.interpretation.identity}"

    Setting(state, "interpretation")
    follower = Counting(state, "selected_match")
    follower.drawn = 0
    state.choose(identity="OII")
    assert state.selected_match == "of OII" and follower.drawn == 1
