"""Drawings made before their page is turned to: the same as made then, no more of them than are kept, none stale."""

from __future__ import annotations

import pytest

from elixer_widgets.widgets import imaging, prefetch
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.ahead import Ahead, Look
from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.fiber_strip import automatic_strip
from tests import factories
from tests.widgets.fakes import FakeRelease


@pytest.fixture
def drawn():
    """Drawings that tell their detection and look, and a list of those made."""
    made, ahead = [], Ahead(2)

    def draw(measurements, look):
        made.append((measurements.detection.detectid, look))
        return made[-1]

    ahead.offer("words", draw)
    return ahead, made


def test_what_was_drawn_ahead_is_not_drawn_again(drawn):
    ahead, made = drawn
    measurements = factories.make_measurements(factories.make_detection(7))
    ahead.draw(measurements)
    assert ahead.get("words", measurements) == (7, Look())
    assert len(made) == 1


def test_another_look_is_drawn_anew(drawn):
    ahead, made = drawn
    measurements = factories.make_measurements(factories.make_detection(7))
    ahead.draw(measurements)
    ahead.look = Look(stretch="zscale")
    assert ahead.get("words", measurements) == (7, Look("zscale"))
    assert len(made) == 2


def test_a_detection_read_anew_is_drawn_anew(drawn):
    ahead, made = drawn
    for _ in range(2):
        ahead.get("words", factories.make_measurements(factories.make_detection(7)))
    assert len(made) == 2


def test_what_was_not_asked_for_the_longest_is_forgotten(drawn):
    ahead, made = drawn
    measured = [factories.make_measurements(factories.make_detection(number)) for number in (1, 2, 3)]
    for each in (*measured, measured[0]):
        ahead.get("words", each)
    assert [number for number, _look in made] == [1, 2, 3, 1]


def test_a_prepared_page_has_only_to_be_sent(faked, counts, monkeypatch):
    monkeypatch.setattr(prefetch, "PAUSE", 0.0)
    monkeypatch.setattr(state_module, "NEIGHBOURS", (1,))
    explorer = Explorer(FakeRelease(), [FakeRelease.ids[0], FakeRelease.ids[2]])
    state = explorer.state
    assert state._prefetch.wait()
    before = dict(counts)
    monkeypatch.setattr(imaging.pictures, "data_uri", lambda *_: pytest.fail("a picture was made after all"))
    state.next()
    assert counts == before
    assert explorer.images._fault.markup == explorer.fibers._fault.markup == ""
    assert set(explorer.images.tiles.pictures) == {tile["key"] for tile in explorer.images.tiles.scene["tiles"]}
    monkeypatch.undo()
    assert explorer.fibers.strip.markup == automatic_strip(state.measurements, Look())
    state._prefetch.end()


def test_the_look_follows_the_page(state):
    state.stretch, state.field = "sigma", 30.0
    assert state.ahead.look == Look("sigma", 30.0)
