"""The door of the page's server, and its places, without a server."""

from __future__ import annotations

import pytest

from elixer_widgets.widgets.visitors import Door, NoPlace, Refusal, Visitors, host_of, new_token, visitor_address


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8866", "127.0.0.1:1", "[::1]:8866", "10.0.0.3:80", "LocalHost"]
)
def test_names_of_this_computer_and_numbers_are_served(host: str) -> None:
    assert Door().admits_host(host)


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:8866", "localhost.evil.example", "[", "a b", "127.0.0.1.nip.io"]
)
def test_a_name_that_was_made_to_point_here_is_not(host: str | None) -> None:
    assert not Door(frozenset({"hetdex.example.org"})).admits_host(host)


def test_names_that_were_given_are_served() -> None:
    door = Door(frozenset({"hetdex.example.org"}))
    assert door.admits_host("hetdex.example.org") and door.admits_host("HETDEX.example.org.:443")
    assert not door.admits_host("example.org")


@pytest.mark.parametrize(
    ("origin", "host", "admitted"),
    [
        ("http://localhost:8866", "localhost:8866", True),
        ("https://hetdex.example.org", "hetdex.example.org", True),
        ("http://localhost:8867", "localhost:8866", False),
        ("http://evil.example", "localhost:8866", False),
        ("null", "localhost:8866", False),
        (None, "localhost:8866", False),
        ("", "", False),
        ("http://[", "localhost", False),
    ],
)
def test_only_the_pages_own_origin_acts(origin: str | None, host: str, admitted: bool) -> None:
    assert Door().admits_origin(origin, host) is admitted


def test_the_token() -> None:
    door = Door(token=new_token())
    assert door.knows(door.token)
    assert not any(door.knows(other) for other in (None, "", door.token[:-1], door.token + "x", "ä"))
    assert Door().knows(None)
    assert door.cookie != Door(token=new_token()).cookie and door.token not in door.cookie


def test_the_secret_of_the_proxy() -> None:
    door = Door(secret="s" * 20, user_header="X-User")
    door.check_proxy(["s" * 20])
    for brought in ([], ["s" * 19], ["s" * 20, "s" * 20], ["ä"]):
        with pytest.raises(Refusal) as refused:
            door.check_proxy(brought)
        assert refused.value.code == 403
    Door().check_proxy([])


def test_where_a_visitor_comes_from_is_said_by_a_trusted_proxy_alone() -> None:
    assert visitor_address("127.0.0.1", {"X-Real-IP": "1.2.3.4"}, True) == "1.2.3.4"
    assert visitor_address("127.0.0.1", {"X-Real-IP": "1.2.3.4"}, False) == "127.0.0.1"
    assert host_of("") == ""


# ------------------------------------------------------------------------------------------------------ places


def test_no_more_than_there_are() -> None:
    visitors = Visitors(2)
    one, _ = visitors.reserve("a", 0.0)
    visitors.reserve("b", 0.0)
    with pytest.raises(NoPlace) as full:
        visitors.reserve("c", 0.0)
    assert 1 <= full.value.seconds <= 60
    visitors.drop(one)
    visitors.drop(one)
    assert len(visitors) == 1
    visitors.reserve("c", 0.0)


def test_a_page_that_nobody_came_for_gives_way() -> None:
    visitors = Visitors(1, grace=30.0)
    place, _ = visitors.reserve("a", 0.0)
    place.kernel = "k"
    # as long as it is being made, and for a moment after, it is somebody's
    with pytest.raises(NoPlace):
        visitors.reserve("b", 100.0)
    visitors.sent(place, 100.0)
    with pytest.raises(NoPlace) as full:
        visitors.reserve("b", 104.0)
    assert full.value.seconds == 1
    _, ended = visitors.reserve("b", 106.0)
    assert ended == "k" and len(visitors) == 1


def test_a_page_that_is_looked_at_never_gives_way() -> None:
    visitors = Visitors(1, grace=30.0)
    place, _ = visitors.reserve("a", 0.0)
    place.kernel = "k"
    visitors.sent(place, 0.0)
    visitors.connected("k")
    with pytest.raises(NoPlace):
        visitors.reserve("b", 9_999.0)
    # nor while its browser may come back after a break
    visitors.disconnected("k", 10_000.0)
    with pytest.raises(NoPlace) as full:
        visitors.reserve("b", 10_010.0)
    assert full.value.seconds == 20
    assert visitors.sweep(["k"], 10_029.0) == []
    assert visitors.sweep(["k"], 10_031.0) == ["k"] and len(visitors) == 0


def test_a_kernel_that_ended_frees_its_place() -> None:
    visitors = Visitors(3)
    for kernel in ("k", "l"):
        place, _ = visitors.reserve("a", 0.0)
        place.kernel = kernel
    visitors.reserve("a", 0.0)  # its kernel is being started
    assert visitors.sweep(["l"], 1.0) == []
    assert len(visitors) == 2 and visitors.kernels() == {"l"} and visitors.of("k") is None and visitors.of("") is None


def test_one_address_does_not_take_all() -> None:
    visitors = Visitors(10, most_each=2)
    for _ in range(2):
        visitors.reserve("a", 0.0)
    with pytest.raises(NoPlace):
        visitors.reserve("a", 0.0)
    visitors.reserve("b", 0.0)


def test_a_page_is_not_opened_again_and_again() -> None:
    place, _ = Visitors(1).reserve("a", 0.0)
    opened = sum(place.openings.take(1, 100.0 + n / 100) for n in range(100))
    assert 40 <= opened <= 45 and place.openings.take(1, 110.0)
