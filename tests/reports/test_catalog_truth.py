"""The catalogue of a simulated release against its truth, and every column against what is said of it."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import elixer_widgets as ew
from elixer_widgets.releases.layout import catalog_layout
from elixer_widgets.reports import read_catalog, write_catalog
from elixer_widgets.reports.catalog import TABLES
from elixer_widgets.reports.catalog_columns import columns

tables = pytest.importorskip("tables")
PROJECT = Path(__file__).resolve().parents[2]

AS_THE_FILL = {"ffsky_subtraction", "mag_g_wide_limit", "fixed_aper_flags"}
"""Columns that are filled with what is their fill too (near a detection no circle has a remark)."""

BY_A_PERSON = {"sky_background", "num_fibers"}
"""Columns that are filled where a person changed something."""


@pytest.fixture(scope="module")
def release(simulated: Path) -> ew.releases.Release:
    return ew.open_release(simulated)


@pytest.fixture(scope="module")
def written(release: ew.releases.Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = (ew.interpret(ew.measure(release.detection(int(each)))) for each in release.detectids())
    return write_catalog(found, tmp_path_factory.mktemp("truth") / "sim_cat.h5")


@pytest.fixture(scope="module")
def truth(simulated: Path) -> Table:
    table = Table.read(simulated / "truth.ecsv")
    table.sort("detectid")
    return table


@pytest.fixture(scope="module")
def rows(written: Path, truth: Table) -> np.ndarray:
    """`Detections` in the order of the truth."""
    found = read_catalog(written)["Detections"]
    found = found[np.argsort(found["detectid"])]
    assert found["detectid"].tolist() == truth["detectid"].tolist()
    return found


@pytest.mark.parametrize("name", [each for each in TABLES if each != "Version"])
def test_columns_are_filled_or_kept_as_is_said(written: Path, name: str) -> None:
    layout = catalog_layout(name)
    empty = layout.rows(1)
    with tables.open_file(str(written)) as file:
        found = file.get_node(f"/{name}")[:]
    assert found.size > 10
    for each in columns(name):
        fill, values = empty[each.name][0], found[each.name]
        changed = values != fill
        if values.dtype.kind == "f":
            changed &= ~(np.isnan(values) & np.isnan(fill))
        if each.kept or each.name in BY_A_PERSON:
            assert not changed.any(), each.name
        elif each.name not in AS_THE_FILL:
            assert changed.any(), each.name


def test_the_page_on_the_catalogue_is_of_today() -> None:
    tool = runpy.run_path(str(PROJECT / "tools" / "catalogue_table.py"))
    text = (PROJECT / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert tool["with_tables"](text) == text, "run python tools/catalogue_table.py"


def test_lines_are_those_of_the_truth(rows: np.ndarray, truth: Table) -> None:
    galaxies = np.isin(truth["kind"], ["LAE", "OII", "OIII"]) & (truth["sn"] > 5.5)
    mine, true = rows[galaxies], truth[galaxies]
    assert len(mine) >= 8
    assert np.abs(mine["wavelength_obs"] - true["wave"]).max() < 5.0
    pull = (mine["flux_line"] - true["flux"] * true["captured"]) / mine["flux_line_err"]
    assert np.median(np.abs(pull)) < 1.5
    width = mine["fwhm_line_aa"] / (2.3548 * true["sigma"])
    assert np.median(width) == pytest.approx(1.0, abs=0.2)
    velocity = mine["fwhm_line_aa"] / mine["wavelength_obs"] * 299792.458
    assert np.allclose(mine["fwhm_line_kms"], velocity, rtol=1e-4)


def test_positions_and_magnitudes_are_those_of_the_truth(rows: np.ndarray, truth: Table) -> None:
    real = np.isfinite(truth["z"])
    east = (rows["ra"] - truth["ra"]) * np.cos(np.radians(truth["dec"])) * 3600
    assert np.median(np.hypot(east, (rows["dec"] - truth["dec"]) * 3600)[real]) < 0.6
    bright = real & (truth["mag_g"] < 22.5) & (truth["half_light"] < 1.0) & (truth["captured"] > 0.85)
    assert bright.sum() >= 4
    assert np.abs(np.median((rows["mag_g_wide"] - truth["mag_g"])[bright])) < 0.3
    both = np.isfinite(rows["color_gr"][:, 0]) & real
    error = 0.5 * (rows["color_gr"][:, 2] - rows["color_gr"][:, 1])[both]
    off = rows["color_gr"][both, 0] - (truth["mag_g"] - truth["mag_r"])[both]
    assert both.sum() >= 3 and np.median(np.abs(off) / np.hypot(error, 0.05)) < 2.0


def test_redshifts_are_those_of_the_truth(rows: np.ndarray, truth: Table) -> None:
    galaxies = np.isin(truth["kind"], ["LAE", "OII", "OIII"])
    right = np.abs(rows["z_best"] - truth["z"])[galaxies] < 0.005 * (1 + truth["z"][galaxies])
    assert right.mean() >= 0.75
    lae, oii = (rows["plya_classification"][truth["identity"] == name] for name in ("Lya", "OII"))
    assert np.median(lae) > 0.5 > np.median(oii)
    assert set(rows["z_best_plya_thresh"].tolist()) == {0.5}


def test_spectra_are_those_of_the_release(written: Path, release: ew.releases.Release) -> None:
    catalog = read_catalog(written, tables=["CalibratedSpectra"])
    for row in catalog["CalibratedSpectra"][:6]:
        spectrum = release.detection(int(row["detectid"])).spectrum
        good = np.asarray(spectrum.good)
        assert np.allclose(row["flux"][good], 2.0 * spectrum.flux[good], rtol=1e-5)
        assert np.allclose(row["flux_err"][good], 2.0 * np.asarray(spectrum.error)[good], rtol=1e-5)
        assert not row["flux_err"][~good].any()
