"""The front page of a published release, without a browser."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.releases.search_index import SearchIndex
from elixer_widgets.widgets.landing import SHOWN, Landing
from tests.releases.test_search_index import sky


def numbers(landing: Landing) -> list[int]:
    """The detections in the table, from top to bottom."""
    return [int(each) for each in re.findall(r'data-key="(\d+)"', landing.results.markup)]


@pytest.fixture
def opened() -> list[tuple[int, list[int]]]:
    return []


@pytest.fixture
def landing(opened: list) -> Landing:
    return Landing(sky(5000), "hdr <5>", lambda one, found: opened.append((one, found.tolist())))


def test_it_begins_with_what_there_is(landing: Landing) -> None:
    assert "hdr &lt;5&gt;: 5,000 detections" in landing.head.markup
    assert numbers(landing) == landing.index.detectid[:SHOWN].tolist()
    assert f"5,000 detections, the first {SHOWN} shown" in landing.said.markup


def test_a_number_is_found(landing: Landing) -> None:
    landing.text.value = "2100000042"
    assert numbers(landing) == [2_100_000_042]
    assert "1 detection " in landing.said.markup
    landing.text.value = "7"
    assert numbers(landing) == [] and "Widen the search" in landing.said.markup


def test_class_probability_and_order(landing: Landing) -> None:
    landing.identity.value = "Lya"
    landing.p_from.value, landing.p_to.value = "0.4", "0.6"
    index = landing.index
    wanted = (index.identity == 1) & (index.p_lya >= 0.4) & (index.p_lya <= 0.6)
    assert sorted(landing.found.tolist()) == index.detectid[wanted].tolist()
    landing.order.value = "doubt"
    doubt = [abs(float(index.p_lya[each - 2_100_000_000]) - 0.5) for each in numbers(landing)]
    assert doubt == sorted(doubt) and doubt[0] == np.abs(index.p_lya[wanted] - 0.5).min()
    landing.order.value = "sn"
    sn = [float(index.sn[each - 2_100_000_000]) for each in numbers(landing)]
    assert sn == sorted(sn, reverse=True) and sn[0] == index.sn[wanted].max()


@pytest.mark.parametrize(("field", "value"), [("p_from", "half"), ("sn_from", "nan"), ("wave_to", "1e999")])
def test_a_bound_that_is_none_is_told(landing: Landing, field: str, value: str) -> None:
    getattr(landing, field).value = value
    assert 'role="alert"' in landing.said.markup and "is no number" in landing.said.markup
    assert landing.results.markup == ""


def test_text_of_a_stranger_is_only_text(landing: Landing) -> None:
    landing.text.value = "<img src=x onerror=alert(1)>"
    assert "<img" not in landing.said.markup and "&lt;img" in landing.said.markup


def test_only_what_was_found_is_opened(landing: Landing, opened: list) -> None:
    landing.text.value = "2100000042"
    for key in ("2100000041", "../x", "", "2100000042"):
        landing.results._handle_custom_msg({"picked": key}, [])
    assert opened == [(2_100_000_042, [2_100_000_042])]


def test_the_address_fills_the_form_again(landing: Landing) -> None:
    landing.identity.value, landing.sn_from.value, landing.order.value = "OII", "6.5", "sn"
    address = landing.address()
    again = Landing(landing.index, "hdr5", lambda one, found: None)
    again.follow(address)
    assert again.found.tolist() == landing.found.tolist() and numbers(again) == numbers(landing)
    assert again.address() == address
    assert Landing(landing.index, "hdr5", lambda one, found: None).address() == "?"


def test_an_address_cannot_choose_what_is_not_offered(landing: Landing) -> None:
    landing.follow("?class=quasar&order=backwards&p_from=x")
    assert landing.identity.value == "" and landing.order.value == "release"
    assert "is no number" in landing.said.markup


def test_without_a_catalogue_classes_are_not_offered() -> None:
    index: SearchIndex = sky(10)
    bare = replace(index, p_lya=np.full(10, np.nan), identity=np.zeros(10, np.uint8), identities=("",))
    landing = Landing(bare, "hdr5", lambda one, found: None)
    assert landing.identity.disabled and landing.p_from.disabled
    assert "No catalogue was given" in landing.head.markup
    assert len(numbers(landing)) == 10


@pytest.mark.slow
def test_a_million_detections_are_searched() -> None:
    landing = Landing(sky(1_000_000), "hdr5", lambda one, found: None)
    landing.text.value = "150.0 20.0 3600"
    landing.identity.value = "Lya"
    assert len(numbers(landing)) == min(landing.found.size, SHOWN) > 0
