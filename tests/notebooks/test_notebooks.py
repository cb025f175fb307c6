"""Each notebook runs from top to bottom, and says what is true of the simulated release."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Row, Table
from PIL import Image

from elixer_widgets.widgets.dashboard import RELEASE_VARIABLE
from tests.notebooks.running import NOTEBOOKS, Ran, cells, run

pytestmark = pytest.mark.slow

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(scope="module")
def truth(simulated: Path) -> Table:
    table = Table.read(simulated / "truth.ecsv")
    table.add_index("detectid")
    return table


@pytest.fixture
def execute(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def _execute(name: str) -> Ran:
        monkeypatch.setenv(RELEASE_VARIABLE, str(simulated))
        return run(name, tmp_path)

    return _execute


def numbers(text: str, pattern: str) -> list[float]:
    """The groups of the first match, as numbers."""
    found = re.search(pattern, text)
    assert found is not None, f"{pattern!r} is not in {text!r}"
    return [float(each) for each in found.groups()]


@pytest.mark.parametrize("name", NAMES)
def test_cells_have_names_of_their_own_and_no_output(name: str) -> None:
    found = cells(name)
    assert len({each["id"] for each in found}) == len(found)
    assert [each["id"] for each in found if each.get("outputs") or each.get("execution_count")] == []


def test_the_page_in_a_notebook(execute, truth: Table) -> None:
    ran = execute("explorer")
    assert ran.widgets == {"open": 1}
    first = truth[np.isfinite(truth["z"])]
    said = numbers(ran.text["state"], r"z = ([\d.]+) P\(Lyα\) = ([\d.]+)")
    assert 0.0 <= said[1] <= 1.0
    # the redshift shown is that of one of its objects, whichever identity was taken for the first
    shown = truth[int(np.argmin(truth["detectid"]))]
    if shown["identity"] in ("Lya", "OII"):
        assert np.abs(np.asarray(first["z"]) - said[0]).min() < 0.003


def test_the_page_of_the_dashboard(execute) -> None:
    assert execute("dashboard").widgets == {"page": 1}


def test_one_detection_taken_apart(execute, truth: Table) -> None:
    ran = execute("deep_dive")
    (detectid,) = numbers(ran.text["detection"], r"^(\d+) at")
    row: Row = truth.loc[int(detectid)]
    center, error, flux, flux_err, sn = numbers(
        ran.text["line"], r"centre ([\d.]+) ± ([\d.]+) Å.*?\(([\d.]+) ± ([\d.]+)\)·10⁻¹⁷.*?S/N ([\d.]+)"
    )
    assert abs(center - row["wave"]) < 4 * error
    # extraction catches a share of the light; the pipeline's recorded S/N is the truth's noisy one
    assert abs(flux - row["flux"] * 1e17 * row["captured"]) < 4 * flux_err + 0.15 * flux
    assert sn == pytest.approx(row["sn"], rel=0.4)
    assert len(ran.pictures["evidence"]) == 1 and len(ran.pictures["spectrum"]) == 1
    odds = [float(each) for each in re.findall(r"^\s*([+-][\d.]+)  ", ran.text["evidence"], flags=re.M)]
    (p_lya,) = numbers(ran.text["measure"], r"P\(Lyα\) = ([\d.]+)")
    # the pieces add up to the whole: the verdict's probability, as far as its three digits tell
    assert 1.0 / (1.0 + np.exp(-sum(odds))) == pytest.approx(p_lya, abs=0.02)
    width, height = Image.open(io.BytesIO(ran.pictures["report"][0])).size
    assert width > 800 and height > 800


def test_the_two_interfaces_of_the_guide(execute, truth: Table) -> None:
    ran = execute("catalogs_and_classify_api")
    assert "is covered by ['" in ran.text["library"]
    survey = re.search(r"covered by \['([^']+)'", ran.text["library"])
    with_images = truth[truth["survey"] != "none"]
    there = str(with_images[int(np.argmax(with_images["sn"]))]["survey"])
    assert survey is not None and survey[1].lower().startswith(there)
    assert len(re.findall(r"limit \d", ran.text["cutouts"])) >= 1
    assert "taken" in ran.text["details"]
    ratio, p_lae = numbers(ran.text["plae"], r"P\(LAE\)/P\(OII\) = ([\d.e+-]+);.*P\(LAE\) = ([\d.]+)")
    assert p_lae == pytest.approx(ratio / (1 + ratio), abs=0.002)
    detectid, wave = numbers(ran.text["solutions"], r"(\d+): main line at ([\d.]+) Å")
    shown = truth.loc[int(detectid)]
    assert abs(wave - shown["wave"]) < 3.0
    found = [float(each) for each in re.findall(r"z = (-?[\d.]+)", ran.text["solutions"])]
    if shown["others"] != "none":
        assert min(abs(each - shown["z"]) for each in found) < 0.005


def test_a_campaign_from_the_list_to_the_report(execute, simulated: Path, tmp_path: Path) -> None:
    from elixer_widgets.campaigns import Campaign
    from elixer_widgets.campaigns.exports import read_answers

    ran = execute("campaign")
    assert ran.widgets == {"page": 1}
    assert "after an undo: 2" in ran.text["answer"]
    assert "[('karl', " in ran.text["others"] and "not answered yet: answer first" in ran.text["others"]
    # what the folder holds is what the notebook said, read by somebody else
    campaign = Campaign(tmp_path / "a_first_look")
    assert len(campaign.definition.detectids) == 12
    by_whom = {each.inspector for each in campaign.answers()}
    assert {"karl", "robin"} < by_whom and len(by_whom) == 3
    answers = read_answers(tmp_path / "answers.csv")
    assert f"{len(answers)} answers read back" in ran.text["export"]
    assert len((tmp_path / "elixer_cls.dat").read_text().splitlines()) >= len(answers)


def test_many_detections(execute, truth: Table, tmp_path: Path) -> None:
    import h5py

    ran = execute("bulk")
    assert "8 done, 0 skipped, 1 failed" in ran.text["run"] and "exit code 1" in ran.text["run"]
    assert "detection 99 is not among" in ran.text["run"]
    assert "1 done, 7 skipped" in ran.text["recover"]
    assert len(list((tmp_path / "some").glob("*.pdf"))) == len(list((tmp_path / "some").glob("*.png"))) == 8
    assert "10 rows, 10 detections" in ran.text["merge"]
    with h5py.File(tmp_path / "all_cat.h5") as file:
        rows = file["Detections"][:]
    for row in rows:
        assert abs(row["wavelength_obs"] - truth.loc[int(row["detectid"])]["wave"]) < 5.0
