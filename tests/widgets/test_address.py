"""Links and reloads: an address says what is shown, and leads back to it."""

from __future__ import annotations

import pytest

from elixer_widgets.analysis import Aperture
from elixer_widgets.widgets import address
from elixer_widgets.widgets.state import Choices, ExplorerState
from tests.widgets.fakes import FakeRelease


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"redshift": 2.7123456},
        {"redshift": 0.1 + 0.2, "aperture": Aperture(1.0 / 3.0, 1e3 / 7.0, -1e2 / 7.0)},
        {"identity": "OII", "counterpart": "SDSS a&b=c +1"},
        {"aperture": Aperture(1.7)},
        {"aperture": Aperture(1.7, 214.8123456, -52.7654321)},
        {"excluded_fibers": ("one", "two"), "without": ("g, wide", "r")},
    ],
)
def test_an_address_leads_back_to_what_a_person_chose(state, faked, choices):
    state.next()
    state.choose(**choices)
    other = ExplorerState(FakeRelease())
    address.follow(other, address.query_of(state))
    assert other.message == "" and other.position == 1
    assert repr(other.choices) == repr(state.choices)  # NaN, which is not equal to itself, stands for no place


def test_an_address_leads_back_to_the_way_of_looking(state, faked):
    state.zoom, state.smoothing, state.stretch, state.field = (4400.0, 4600.5), 2.5, "zscale", 30.0
    state.band, state.blink = "r", True
    other = ExplorerState(FakeRelease())
    address.follow(other, address.query_of(state))
    assert (other.zoom, other.smoothing, other.stretch, other.field) == ((4400.0, 4600.5), 2.5, "zscale", 30.0)
    assert (other.band, other.blink) == ("r", True)


def test_what_is_usual_is_not_in_the_address(state):
    assert address.query_of(state) == f"?detectid={FakeRelease.ids[0]}"


def test_ids_keep_every_digit(faked):
    class Big(FakeRelease):
        ids = (9007199254740993123, 9007199254740993124, 9007199254740993125)

    state = ExplorerState(Big())
    address.follow(state, "?detectid=9007199254740993124")
    assert address.query_of(state) == "?detectid=9007199254740993124"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("aperture=wide", "aperture=wide in the address is not a number"),
        ("aperture=1,2", "is not a radius"),
        ("zoom=4600,4400", "is not two wavelengths"),
        ("stretch=bright", "is not a stretch; give one of zscale, sigma, asinh"),
        ("zoom=here", "is not a number; give one such as zoom"),
        ("smooth=much", "is not a number"),
        ("counterpart=unheard+of", "no counterpart"),
        ("z=high", "z=high in the address is not a number"),
    ],
)
def test_an_address_that_cannot_be_followed_says_why_and_shows_the_page(state, query, words):
    address.follow(state, query)
    assert words in state.message
    assert state.interpretation is not None and state.choices == Choices()


def test_the_page_keeps_its_address(explorer):
    explorer.state.choose(identity="OII")
    explorer.state.field = 20.0
    assert explorer.frame.stamp["query"] == f"?detectid={FakeRelease.ids[0]}&identity=OII&field=20"
    explorer.state.next()
    assert explorer.frame.stamp["query"] == f"?detectid={FakeRelease.ids[1]}&field=20"
