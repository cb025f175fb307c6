"""Reading catalogues back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import elixer_widgets as ew
from elixer_widgets.analysis import Aperture
from elixer_widgets.detection import DataError
from elixer_widgets.releases.pytables import remove_index
from elixer_widgets.reports import catalog_reading, merge_catalogs, read_catalog, write_catalog
from elixer_widgets.widgets.exports import catalog_bytes
from tests.factories import make_bare_detection, make_detection, make_interpretation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three detections, the middle one bare."""
    found = [
        make_interpretation(make_detection(12)),
        make_interpretation(make_bare_detection(), identity="OII"),
        make_interpretation(make_detection(11)),
    ]
    return write_catalog(found, tmp_path / "cat.h5")


def test_what_was_written_is_read(path: Path) -> None:
    given = make_interpretation(make_detection(12))
    catalog = read_catalog(path)
    assert (len(catalog), catalog.version, catalog.detectids.tolist()) == (3, "0.8.1", [12, 7, 11])
    found = catalog.detection(12)
    assert found.identity == given.identity
    assert found.posterior == pytest.approx({name: given.posterior.get(name, math.nan) for name in found.posterior})
    assert found.evidence == given.evidence
    assert found.choices == () and found.state == {}
    assert found.row["flux_line"] == pytest.approx(given.measurements.line.flux)
    spectrum = found.tables["CalibratedSpectra"][0]
    assert np.allclose(spectrum["flux"], 2.0 * make_detection().spectrum.flux, rtol=1e-6)


def test_missing_numbers_are_nan(path: Path) -> None:
    bare = read_catalog(path).detection(7)
    for name in ("ra", "response", "ccd_adjacent_mag", "apcor_4500"):
        assert np.isnan(bare.row[name]), name
    assert bare.row["mag_g_wide_limit"] > 20
    assert bare.tables["Aperture"].size == 0


@pytest.mark.parametrize("indexed", [True, False])
def test_some_detections_and_some_tables(path: Path, monkeypatch: pytest.MonkeyPatch, indexed: bool) -> None:
    if not indexed:
        monkeypatch.setattr(catalog_reading, "FEW", 0)
    catalog = read_catalog(path, detectids=[11, 12, 99], tables=["ElixerApertures"])
    assert set(catalog.tables) == {"Detections", "ElixerApertures"}
    assert catalog.detectids.tolist() == [12, 11]
    assert catalog["ElixerApertures"]["detectid"].tolist() == [12] * 10 + [11] * 10
    assert catalog.detection(11).posterior == {}


def test_a_stale_index_is_not_trusted(path: Path) -> None:
    with h5py.File(path, "r+") as file:  # rows appended behind the index's back
        table = file["Detections"]
        rows = table[:1]
        rows["detectid"] = 99
        table.resize((4,))
        space = table.id.get_space()
        space.select_hyperslab((3,), (1,))
        table.id.write(h5py.h5s.create_simple((1,)), space, rows, mtype=table.id.get_type())
    assert read_catalog(path, detectids=[99]).detectids.tolist() == [99]
    with h5py.File(path, "r+") as file:
        remove_index(file, "/Detections")
    assert read_catalog(path, detectids=[99]).detectids.tolist() == [99]


def test_choices_of_a_page_come_back(tmp_path: Path) -> None:
    """What the page's HDF5 button gives, merged with others, tells what a person decided."""
    base = make_interpretation(make_detection(5), identity="OII")
    fibers = tuple(each.fiber_id for each in base.measurements.detection.fibers)
    touched = replace(base, measurements=replace(base.measurements, aperture=Aperture(1.5), excluded_fibers=fibers))
    page = tmp_path / "page.h5"
    page.write_bytes(catalog_bytes(touched))
    other = write_catalog([make_interpretation(make_detection(6))], tmp_path / "other.h5")
    catalog = read_catalog(merge_catalogs([other, page], tmp_path / "m.h5", unique=True))
    found = catalog.detection(5)
    assert found.identity == "OII" and len(found.choices) == 3
    assert "[O II]" in found.choices[0]
    assert found.state["identity"] == "OII" and found.state["detectid"] == 5
    assert found.state["excluded_fibers"] == list(fibers)
    assert catalog.detection(6).choices == ()


def test_another_programs_catalogue(tmp_path: Path, path: Path, shared: Path) -> None:
    assert len(read_catalog(shared / "reference" / "original" / "elixer_empty_all_tables.h5")) == 0
    with h5py.File(path, "r+") as file:
        del file["ElixerWidgets"], file["CatalogMatch"]
    found = read_catalog(path).detection(12)
    assert (found.identity, found.evidence, found.tables["CatalogMatch"].size) == ("", (), 0)


def test_refusals(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="detectid 99 is not in it"):
        read_catalog(path).detection(99)
    with pytest.raises(DataError, match="no table is called Nonsense"):
        read_catalog(path, tables=["Nonsense"])
    with pytest.raises(DataError, match="there is no such file"):
        read_catalog(tmp_path / "gone.h5")
    with pytest.raises(DataError, match="more than once"):
        read_catalog(merge_catalogs([path, path], tmp_path / "twice.h5")).detection(12)
    assert ew.read_catalog is read_catalog
