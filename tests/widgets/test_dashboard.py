"""The dashboard: which release it opens, what an address asks for, and what it says when it cannot."""

from __future__ import annotations

import json

import pytest

from elixer_widgets import releases
from elixer_widgets.detection import DataError
from elixer_widgets.widgets import dashboard, starting
from tests.widgets.fakes import FakeRelease


def test_the_release_named_in_the_environment_wins(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / dashboard.SIMULATED).mkdir()
    monkeypatch.setenv(dashboard.RELEASE_VARIABLE, "/data/hdr5")
    assert str(dashboard.release_path()) == "/data/hdr5"
    monkeypatch.delenv(dashboard.RELEASE_VARIABLE)
    assert dashboard.release_path() == tmp_path / dashboard.SIMULATED


def test_a_simulated_release_further_up_is_found(monkeypatch, tmp_path):
    monkeypatch.delenv(dashboard.RELEASE_VARIABLE, raising=False)
    (tmp_path / dashboard.SIMULATED).mkdir()
    below = tmp_path / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    assert dashboard.release_path() == tmp_path / dashboard.SIMULATED


def test_without_any_release_one_is_made_once(monkeypatch, tmp_path):
    from elixer_widgets.simulation import kept

    made = []

    def simulate(path):
        made.append(path)
        path.mkdir()

    monkeypatch.setattr("elixer_widgets.simulation.release.simulate_release", simulate)
    monkeypatch.delenv(kept.CACHE_VARIABLE, raising=False)
    monkeypatch.delenv(dashboard.RELEASE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    first = dashboard.release_path()
    assert first.is_dir() and dashboard.release_path() == first
    assert len(made) == 1


@pytest.mark.parametrize("mark", ["?", ""])
def test_an_address_leads_to_a_detection_and_a_redshift(state, mark):
    dashboard.follow_query(state, f"{mark}detectid={FakeRelease.ids[2]}&z=0.417")
    assert state.position == 2 and state.choices.redshift == 0.417


def test_an_address_may_name_an_identity(state):
    dashboard.follow_query(state, "identity=OII")
    assert state.interpretation.identity == "OII"


@pytest.mark.parametrize(
    ("query", "words"),
    [("detectid=17", "not in this list"), ("z=high", "is not a number"), ("identity=Foo", "is not an identity")],
)
def test_an_address_that_leads_nowhere_says_so_and_shows_the_page(state, query, words):
    dashboard.follow_query(state, query)
    assert words in state.message and state.interpretation is not None


def test_the_page_follows_the_address_and_measures_only_that(faked, counts, monkeypatch):
    monkeypatch.setattr(releases, "open_release", lambda _path, **stated: FakeRelease())
    monkeypatch.setenv(dashboard.RELEASE_VARIABLE, "anything")
    monkeypatch.setenv("QUERY_STRING", f"detectid={FakeRelease.ids[3]}")
    explorer = dashboard.page()
    assert explorer.state.position == 3
    assert counts["measure"] == 1


def test_a_release_that_is_not_there_is_a_sentence_on_the_page(monkeypatch, tmp_path):
    monkeypatch.setenv(dashboard.RELEASE_VARIABLE, str(tmp_path / "<nowhere>"))
    shown = dashboard.page()
    assert 'role="alert"' in shown.value and "&lt;nowhere&gt;" in shown.value


def test_the_notebook_is_a_notebook(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    path = starting.lay_out(tmp_path, "page()")
    nbformat.validate(nbformat.read(path, 4))
    assert (tmp_path / "jupyter" / "voila" / "templates" / "elixer" / "index.html.j2").is_file()
    assert "cdn" not in (tmp_path / "jupyter" / "voila" / "templates" / "elixer" / "index.html.j2").read_text()


@pytest.mark.parametrize("name", ["dashboard.ipynb", "explorer.ipynb"])
def test_the_notebooks_carry_no_output(name):
    from pathlib import Path

    cells = json.loads((Path(__file__).parents[2] / "notebooks" / name).read_text())["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_a_server_on_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is nothing there"), dashboard.running(tmp_path / "nowhere"):
        pass
