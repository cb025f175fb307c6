"""What a person states about spectra on the command line reaches whatever reads them; what was taken is said."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from elixer_widgets import DataError, cli, interpret, measure, open_release, read_catalog
from elixer_widgets.releases.stated import (
    COLUMNS_VARIABLE,
    MEDIUM_VARIABLE,
    UNIT_VARIABLE,
    columns_of,
    open_stated,
    state,
)
from elixer_widgets.reports.page import notes

WAVE = np.arange(3470.0, 5542.0, 2.0)
LINE = 12.0 * np.exp(-0.5 * ((WAVE - 4500.0) / 3.0) ** 2) / (3.0 * np.sqrt(2.0 * np.pi))  # 1e-17 erg/s/cm2/A
NOISE = np.random.default_rng(5).normal(0.0, 0.05, WAVE.size)


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table whose names say nothing: what, in 1e-16 erg/s/cm2/A, is found in `b`."""
    for name in (COLUMNS_VARIABLE, UNIT_VARIABLE, MEDIUM_VARIABLE):
        monkeypatch.setenv(name, "")  # so that it is taken back after the test
    path = tmp_path / "odd.csv"
    table = np.column_stack([np.full(WAVE.size, 7.0), (LINE + NOISE) / 10.0, WAVE, np.full(WAVE.size, 0.005)])
    np.savetxt(path, table, delimiter=",", header="a,b,c,d", comments="")
    return path


STATED = ("--columns", "wavelength=c,flux=b,error=d", "--unit", "1e-16 erg/s/cm2/A", "--medium", "vacuum")


def test_a_run_reads_as_it_is_told(odd: Path, tmp_path: Path) -> None:
    code = cli.main(["run", "--dets", "1", "--release", str(odd), "--name", str(tmp_path / "out"), *STATED])
    assert code == 0
    row = read_catalog(tmp_path / "out" / "out_cat.h5").tables["Detections"][0]
    assert float(row["flux_line"]) == pytest.approx(12e-17, rel=0.05)  # what was put in
    assert float(row["wavelength_obs"]) == pytest.approx(4500.0 / 1.0002811, abs=0.5)  # in air, Morton (1991)


@pytest.mark.parametrize("command", ["explore", "serve"])
def test_pages_read_as_they_are_told(command: str, odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's process knows of it by the environment."""
    from elixer_widgets.widgets import dashboard, serving

    def instead(*given: object, **options: object) -> None:
        raise DataError("far enough")

    monkeypatch.setattr(dashboard, "serve", instead)
    monkeypatch.setattr(serving, "publishing", instead)
    assert cli.main([command, str(odd), *STATED]) == 2
    spectrum = open_stated(odd).detection(1).spectrum
    assert spectrum.flux == pytest.approx(LINE + NOISE, rel=1e-6)
    assert os.environ[UNIT_VARIABLE] == "1e-16 erg/s/cm2/A"


@pytest.mark.parametrize("columns", ["flux", "flux=", "light=b", "flux=a,flux=b", "=b", ","])
def test_columns_that_name_nothing(columns: str, odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--dets", "1", "--release", str(odd), "--name", "x", "--columns", columns]) == 2
    assert "does not name a column; give wavelength=NAME" in capsys.readouterr().err


def test_columns_in_words() -> None:
    assert columns_of(" flux = F ,wavelength=W=1") == {"flux": "F", "wavelength": "W=1"}


def test_a_medium_that_is_none() -> None:
    with pytest.raises(DataError, match="medium='water' is not known; give 'air' or 'vacuum'"):
        state(medium="water", environment={})


def test_of_a_release_nothing_need_be_stated(simulated: Path) -> None:
    """It would be passed over in silence."""
    with pytest.raises(DataError, match="leave unit, medium out"):
        open_release(simulated, unit="Jy", medium="air")


def test_a_guess_is_told_on_the_page_and_in_the_report(tmp_path: Path) -> None:
    """Where the file does not say its unit, who looks at the result reads what was taken."""
    from elixer_widgets.widgets.markup import escape
    from elixer_widgets.widgets.state import ExplorerState
    from elixer_widgets.widgets.status import Status

    path = tmp_path / "plain.txt"
    np.savetxt(path, np.column_stack([WAVE, LINE + NOISE, np.full(WAVE.size, 0.05)]))
    release = open_release(path)
    taken = [note for note in release.detection(1).notes if "unit" in note]
    assert taken
    assert set(taken) <= set(notes(interpret(measure(release.detection(1)))))
    state_of_page = ExplorerState(release)
    state_of_page.show([1], 1)
    line = Status(state_of_page).line.markup
    assert all(escape(note) in line for note in taken)
