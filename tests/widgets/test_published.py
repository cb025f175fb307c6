"""The published page, without a browser."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import elixer_widgets as ew
from elixer_widgets.campaigns import Campaign
from elixer_widgets.releases.search_index import build_index
from elixer_widgets.widgets import published
from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.published import PublishedPage, page, user_of


@pytest.fixture(scope="module")
def release(simulated: Path):
    return ew.open_release(simulated)


@pytest.fixture
def made(release) -> PublishedPage:
    return PublishedPage(release, build_index(release))


def test_it_begins_with_the_search(made: PublishedPage) -> None:
    made.follow("")
    assert made.children[1] is made.landing and made.explorer is None
    assert made.manners.query == "?"


def test_a_link_to_a_detection_opens_it_among_its_neighbours(made: PublishedPage, release) -> None:
    wanted = int(release.detectids()[3])
    made.follow(f"detectid={wanted}&identity=OII")
    explorer = made.explorer
    assert isinstance(explorer, Explorer) and made.children[1] is explorer
    assert explorer.state.detection.detectid == wanted
    assert explorer.state.choices.identity == "OII"
    listed = explorer.state.detectids
    index = release.index()
    at = int((index.detectid == wanted).argmax())
    near = release.search(index.ra[at], index.dec[at], published.NEAR)
    assert set(listed) == {int(each) for each in near} and wanted in listed


@pytest.mark.parametrize("asked", ["12", "x", "../../etc/passwd", "9" * 30, "9" * 19, "9" * 5000, "²", "-1", "<b>"])
def test_a_link_to_nothing_says_so(made: PublishedPage, asked: str) -> None:
    made.follow(f"detectid={asked}")
    assert made.children[1] is made.landing and made.explorer is None
    assert "There is no detection" in made.landing.said.markup and "<b>" not in made.landing.said.markup


def test_what_was_found_is_what_is_leafed_through(made: PublishedPage, release) -> None:
    ids = [int(each) for each in release.detectids()]
    made.open_one(ids[2], release.detectids()[:5])
    state = made.explorer.state
    assert state.detectids == tuple(ids[:5]) and state.position == 2
    made.search()
    # another list of the same length, and the same place in it: the page must show the other detection
    made.open_one(ids[7], release.detectids()[5:10])
    assert made.explorer.state is state and state.position == 2
    assert state.detection.detectid == ids[7]
    assert made.explorer.detections.choice.options[0][0].startswith(f"1 · {ids[5]}")
    state.next()
    assert state.detection.detectid == ids[8]


def test_a_page_leafs_through_a_part_of_what_is_too_long(made: PublishedPage, release, monkeypatch) -> None:
    monkeypatch.setattr(published, "LISTED", 6)
    ids = [int(each) for each in release.detectids()]
    made.open_one(ids[10], release.detectids())
    state = made.explorer.state
    assert len(state.detectids) == 6 and state.detection.detectid == ids[10]
    assert state.detectids == tuple(ids[7:13])


def test_a_named_visitor_answers_a_campaign(made: PublishedPage, release, tmp_path: Path) -> None:
    ids = [int(each) for each in release.detectids()]
    campaign = Campaign(tmp_path / "first", ids[:4], "karl")
    made.invite(campaign)
    made.follow("")
    assert made.children[1] is made.landing and made.vetting is None
    button = made.landing.children[1]
    assert "0 of 4 answered" in button.description
    button.click()
    assert made.children[1] is made.vetting and made.vetting.campaign is campaign
    made.search()
    # a link into the campaign opens it there, another one without a way to answer
    made.follow(f"detectid={ids[2]}")
    assert made.children[1] is made.vetting and made.vetting.state.detection.detectid == ids[2]
    made.follow(f"detectid={ids[6]}")
    assert made.children[1] is made.explorer and made.explorer.campaign is None


def test_strangers_are_not_asked(simulated: Path, release, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ELIXER_WIDGETS_RELEASE", str(simulated))
    build_index(release).save(tmp_path / "index")
    Campaign(tmp_path / "first", [int(release.detectids()[0])], "karl")
    known = {"ELIXER_WIDGETS_INDEX": str(tmp_path / "index"), published.CAMPAIGN_VARIABLE: str(tmp_path / "first")}
    assert page(known).campaign is None
    header = {"ELIXER_WIDGETS_USER_HEADER": "X-User", "HTTP_X_USER": "robin"}
    assert page({**known, **header}).campaign.inspector == "robin"


@pytest.mark.parametrize(
    ("environment", "user"),
    [
        ({}, ""),
        ({"HTTP_X_FORWARDED_USER": "mallory"}, ""),  # nobody said that this header may be believed
        (
            {"ELIXER_WIDGETS_USER_HEADER": "X-Forwarded-User", "HTTP_X_FORWARDED_USER": "karl@hetdex.org"},
            "karl@hetdex.org",
        ),
        ({"ELIXER_WIDGETS_USER_HEADER": "X-Forwarded-User", "HTTP_X_FORWARDED_USER": "../karl"}, ""),
        ({"ELIXER_WIDGETS_USER_HEADER": "X-Forwarded-User", "HTTP_X_FORWARDED_USER": "a b"}, ""),
        ({"JUPYTERHUB_USER": "karl"}, "karl"),
    ],
)
def test_whom_the_server_in_front_named(environment: dict[str, str], user: str) -> None:
    assert user_of(environment) == user


def test_what_cannot_be_opened_is_a_sentence(simulated: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ELIXER_WIDGETS_RELEASE", str(simulated))
    shown = page({"ELIXER_WIDGETS_INDEX": str(tmp_path)})
    assert 'role="alert"' in shown.value and "no search index" in shown.value


def test_a_page_that_computes_without_end_is_ended() -> None:
    code = "from elixer_widgets.widgets.visitor import limit_time\nlimit_time(3)\nwhile True: pass"
    ended = subprocess.run([sys.executable, "-c", code], timeout=300, check=False)
    assert ended.returncode == -signal.SIGXCPU


def test_a_page_has_its_share_of_the_processor(simulated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[int] = []
    monkeypatch.setattr(published, "limit_time", shares.append)
    monkeypatch.setattr(published, "be_discreet", lambda: None)
    page({published.CPU_VARIABLE: "60", published.INDEX_VARIABLE: str(simulated / "nowhere")})
    assert shares == [60]
