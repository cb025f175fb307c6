"""No way in gives an identity a redshift that no source has: the page, the command line, files of answers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from elixer_widgets import cli, interpret, measure, open_release
from elixer_widgets.analysis import Interpretation
from elixer_widgets.campaigns import Campaign, elixer_cls, exports
from elixer_widgets.classification.choice import MAX_REDSHIFT, MIN_REDSHIFT
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import DataError
from elixer_widgets.widgets import Explorer

IMPOSSIBLE = (-0.18, -1.0, 99.0)


def redshifts(found: Interpretation) -> list[float]:
    """Every redshift that an interpretation tells."""
    return [found.redshift, *(each.redshift for each in found.rivals)]


def possible(values: list[float]) -> bool:
    """Whether each is one that a source can have, or not set; stars of our own galaxy move a little."""
    return all(not np.isfinite(z) or MIN_REDSHIFT < z <= MAX_REDSHIFT for z in values)


@pytest.fixture(scope="module")
def bluest(simulated: Path) -> tuple[Path, int]:
    """A release and its detection of the shortest wavelength, at which most lines would be bluer than at rest."""
    index = open_release(simulated).index()
    return simulated, int(index.detectid[np.argmin(index.wavelength)])


def test_every_identity_on_the_page(bluest: tuple[Path, int]) -> None:
    """Chosen as a person does; where it cannot be, the page says so and keeps what it shows."""
    path, detectid = bluest
    explorer = Explorer(open_release(path), [detectid])
    wavelength = explorer.state.detection.wavelength
    refused = 0
    for identity in IDENTITIES:
        explorer.state.message = ""
        explorer.state.choose(identity=identity)
        shown = explorer.state.interpretation
        assert shown is not None and possible(redshifts(shown)), identity
        if shown.identity != identity:
            assert "z" in explorer.state.message or "cannot" in explorer.state.message, identity
            refused += 1
    assert wavelength < 4800
    assert refused >= 1


def test_every_identity_in_python(bluest: tuple[Path, int]) -> None:
    path, detectid = bluest
    measured = measure(open_release(path).detection(detectid))
    refused = 0
    for identity in IDENTITIES:
        try:
            assert possible(redshifts(interpret(measured, identity))), identity
        except DataError as error:
            assert f"cannot be {identity}" in str(error) or "give" in str(error)
            refused += 1
    assert refused >= 1


@pytest.mark.parametrize("redshift", IMPOSSIBLE)
def test_the_command_line(
    bluest: tuple[Path, int], redshift: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, detectid = bluest
    words = ["run", "--release", str(path), "--dets", str(detectid), "--name", str(tmp_path / "o")]
    try:
        code = cli.main([*words, f"--known_z={redshift}"])
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    assert code == 2
    assert f"{redshift:g}" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("redshift", IMPOSSIBLE)
def test_an_answer_of_a_person(redshift: float, tmp_path: Path) -> None:
    campaign = Campaign(tmp_path / "c", [1, 2], "ann")
    with pytest.raises(DataError, match="which no source has"):
        campaign.answer(1, verdict=1, quality=2, identity="OIII", redshift=redshift)
    assert campaign.answers() == []


@pytest.mark.parametrize("redshift", [-0.18, 99.0])
def test_a_file_of_the_widget_is_kept_as_it_says_and_no_table_repeats_it(redshift: float, tmp_path: Path) -> None:
    """What others said is not lost; but nobody who reads a table takes it for a redshift."""
    old = tmp_path / "old.dat"
    old.write_text(f"detectid vis_class flag z counterpart comments\n2 3 1 {redshift} -1 ?\n")
    campaign = Campaign(tmp_path / "c", [1, 2], "ann")
    told = elixer_cls.import_answers(campaign, old)
    assert "which no source has" in " ".join(told.notes)
    path = exports.write_answers(campaign.answers(), tmp_path / "a.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    assert possible([float(each["redshift"]) for each in rows])
    assert "which no source has" in rows[0]["contradiction"]
    assert f"{redshift:g}" in rows[0]["as_said"]
