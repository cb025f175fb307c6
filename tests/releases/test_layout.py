"""Columns against the format's schema, and the names of shots, amplifiers and fibers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets.detection import DataError
from elixer_widgets.releases import layout

SCHEMA_NAMES = {
    "detect_file:Detections": "detect/Detections",
    "detect_file:Fibers": "detect/Fibers",
    "detect_file:Spectra": "detect/Spectra",
    "continuum_file:Detections": "continuum/Detections",
    "continuum_file:Fibers": "detect/Fibers",
    "continuum_file:Spectra": "detect/Spectra",
    "shot_file:VIRUSFiber": "shot/Data/Fibers",
    "shot_file:VIRUSImage": "shot/Data/Images",
    "shot_file:VIRUSFiberIndex": "shot/Data/FiberIndex",
    "shot_file:VIRUSShot": "shot/Shot",
    "shot_file/Astrometry:QualityAssessment": "shot/Astrometry/QA",
    "shot_file/Astrometry:NominalVals": "shot/Astrometry/NominalVals",
    "shot_file/Astrometry:Dithall": "shot/Astrometry/Dithall",
    "shot_file/Astrometry:StarCatalog": "shot/Astrometry/StarCatalog",
    "fiber_index_file:VIRUSFiberIndex": "fiber_index/FiberIndex",
    "fiber_index_file:VIRUSFiberIndexWithFlags": "fiber_index/FiberIndexWithFlags",
    "detect_index_file:Detections": "detect_index/DetectIndex",
}


def test_layouts_equal_the_schema(shared: Path) -> None:
    schema = json.loads((shared / "spec" / "data_model_schema.json").read_text())
    for name, table in schema.items():
        known = layout.LAYOUTS[SCHEMA_NAMES.get(name) or "catalog/" + name.split(":")[1]]
        assert known.dtype.itemsize == table["rowsize"], name
        assert list(known.dtype.names) == [column["name"] for column in table["columns"]], name
        for column in table["columns"]:
            kind = known.dtype[column["name"]]
            assert (kind.base.str, list(kind.shape)) == (column["dtype"], column["shape"]), (name, column)
            fill, wanted = known.fills.get(column["name"], 0), column["fill"] or 0
            assert np.isnan(fill) if wanted == "NaN" else fill == wanted, (name, column)
            assert (column["name"] in known.booleans) == (column["pytables"] == "bool"), (name, column)


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("detect/Detections", 281),
        ("detect/Spectra", 49736),
        ("shot/Data/Images", 12780335),
        ("catalog/Detections", 539),
    ],
)
def test_row_sizes(key: str, size: int) -> None:
    """Bytes a row as documented; a column too many or too few changes them."""
    assert layout.LAYOUTS[key].dtype.itemsize == size


def test_new_rows_hold_the_fill_values() -> None:
    rows = layout.catalog_layout("Detections").rows(2)
    assert rows["flux_line"].tolist() == [np.float32(-999.999)] * 2
    assert rows["z_best"].tolist() == [-1.0, -1.0]
    assert rows["flags"].tolist() == [0, 0]
    assert np.isnan(rows["color_gr"]).all()


def test_grid() -> None:
    grid = layout.wavelength_grid()
    assert (grid[0], grid[-1], grid.size) == (3470.0, 5540.0, 1036)


three = st.integers(0, 999).map("{:03d}".format)
multiframes = st.builds(layout.Multiframe, three, three, three, st.sampled_from(layout.AMPLIFIERS))
shotids = st.builds(layout.shotid_of, st.integers(20_170_101, 20_991_231), st.integers(1, 999))


@given(multiframes)
def test_multiframe_round_trip(name: layout.Multiframe) -> None:
    assert len(str(name)) == 20
    assert layout.parse_multiframe(str(name)) == name
    assert layout.parse_multiframe(str(name).encode()) == name


@given(shotids, st.integers(1, 3), multiframes, st.integers(1, 112))
def test_fiber_id_round_trip(shotid: int, expnum: int, multiframe: layout.Multiframe, fibnum: int) -> None:
    name = layout.FiberName(shotid, expnum, multiframe, fibnum)
    written = str(name)
    assert len(written) == 38
    # The columns the format documents.
    assert written[0:11] == str(shotid) and written[12:13] == str(expnum)
    assert written[14:34] == str(multiframe) and written[35:38] == f"{fibnum:03d}"
    assert layout.parse_fiber_id(written) == name


@given(shotids)
def test_shotid_round_trip(shotid: int) -> None:
    assert layout.parse_shotid(layout.datevobs(shotid)) == shotid
    assert layout.parse_shotid(str(shotid)) == shotid
    assert layout.shotid_of(shotid // 1000, shotid % 1000) == shotid


@given(st.text(max_size=50))
def test_anything_else_is_refused_in_one_sentence(name: str) -> None:
    for parse in (layout.parse_multiframe, layout.parse_fiber_id, layout.parse_shotid):
        try:
            parsed = parse(name)
        except DataError as error:
            assert "check" in str(error)
        else:
            assert name in (str(parsed), layout.datevobs(parsed) if isinstance(parsed, int) else str(parsed))


@pytest.mark.parametrize("shotid", [0, 2019, 999_999_999_999])
def test_shot_numbers_of_another_length_are_refused(shotid: int) -> None:
    with pytest.raises(DataError, match="eleven-digit"):
        layout.datevobs(shotid)


def test_paths(tmp_path: Path) -> None:
    tree = layout.ReleaseTree(tmp_path / "hdr5", "hdr5")
    assert tree.shot_file(20190105012) == tmp_path / "hdr5/reduction/data/20190105v012.h5"
    assert tree.detect_file == tmp_path / "hdr5/detect/detect_hdr5.h5"
    assert tree.flat_file("038", "LU") == tmp_path / "lib_calib/lib_pflat/pixelflat_cam038_LU.fits"
    assert tree.imaging == tmp_path / "imaging"
