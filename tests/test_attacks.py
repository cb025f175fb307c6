"""The program that attacks the page's server, at a small share of its length; `python tools/attack.py` does it all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacking import near
from attacking.bench import Target, served
from attacking.bidding import bid
from attacking.lies import lies
from attacking.near import come_in
from attacking.reading import read

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


@pytest.fixture(scope="module")
def target(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A published release with a few places."""
    log = tmp_path_factory.mktemp("attacked") / "log"
    with served(simulated, log, "--warm", "1", "--sessions", "5") as made:
        yield made


# whether the server answers within a second depends on what else a computer does; that is for the long run to tell
def _wrong(found: list[str]) -> list[str]:
    return [each for each in found if "/healthz took" not in each]


def test_lies_on_the_wire_harm_nobody(target: Target) -> None:
    count, words = lies(target, 80, pages=1)
    assert count.tried == 80 and not _wrong(count.wrong), words
    assert count.outcomes["closed"] > 30 and count.outcomes["handshake refused"] > 5
    assert not count.outcomes["silent"]


def test_requests_for_files_get_nothing(target: Target, tmp_path: Path) -> None:
    count, words = read(target, 60, tmp_path)
    assert count.tried == 60 and not _wrong(count.wrong), words
    assert count.outcomes["404"] + count.outcomes["400"] + count.outcomes["403"] > 30


def test_hostile_messages_to_widgets_run_nothing(target: Target, tmp_path: Path) -> None:
    count, words = bid(target, 24, tmp_path)
    assert not _wrong(count.wrong), words
    assert count.outcomes["done or ignored"] + count.outcomes["closed in words"] == 24


def test_another_user_of_the_computer_does_not_come_in(simulated: Path, tmp_path: Path) -> None:
    if why := near.possible():
        pytest.skip(f"not tried: {why}")
    count, words = come_in(simulated, tmp_path)
    assert count.tried >= 20 and count.outcomes["in"] == 0 and not count.wrong, words
