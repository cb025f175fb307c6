"""Searching a survey by number, position, class and probability."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

import elixer_widgets as ew
from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import catalog_layout
from elixer_widgets.releases.search_index import Query, SearchIndex, build_index, load_index, understood


def sky(n: int = 20_000, seed: int = 3) -> SearchIndex:
    rng = np.random.default_rng(seed)
    return SearchIndex(
        detectid=np.arange(n) + 2_100_000_000,
        ra=rng.uniform(0, 360, n),
        dec=np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
        wavelength=rng.uniform(3500, 5500, n),
        sn=rng.exponential(3, n) + 4.8,
        redshift=rng.uniform(0, 3.5, n),
        p_lya=rng.uniform(0, 1, n),
        identity=rng.integers(0, 3, n).astype(np.uint8),
        identities=("", "Lya", "OII"),
    )


def test_a_number_is_found_and_only_that() -> None:
    index = sky()
    assert index.find(Query(detectid=2_100_000_123)).tolist() == [123]
    assert index.find(Query(detectid=7)).size == 0


@pytest.mark.parametrize("position", [(0.0005, 12.0), (359.9995, -3.0), (123.0, 89.99), (200.0, -89.995)])
def test_a_position_finds_what_astropy_finds(position: tuple[float, float]) -> None:
    index = sky()
    near = SkyCoord(index.ra, index.dec, unit="deg").separation(SkyCoord(*position, unit="deg")).to_value(u.arcsec)
    radius = 20_000.0
    rows = index.find(Query(position=position, radius=radius))
    assert set(rows) == set(np.flatnonzero(near <= radius)) and rows.size > 0
    assert (np.diff(near[rows]) >= 0).all()


def test_every_condition_must_hold() -> None:
    index = sky()
    rows = index.find(Query(identity="Lya", p_lya=(0.5, 0.9), sn=(6.0, np.inf), wavelength=(4000.0, 4500.0)))
    expected = [
        i
        for i in range(len(index))
        if index.identity[i] == 1
        and 0.5 <= index.p_lya[i] <= 0.9
        and index.sn[i] >= 6
        and 4000 <= index.wavelength[i] <= 4500
    ]
    assert rows.tolist() == expected and len(expected) > 20
    near = index.find(Query(position=(100.0, 10.0), radius=30_000.0))
    both = index.find(Query(position=(100.0, 10.0), radius=30_000.0, identity="OII"))
    assert both.tolist() == [i for i in near if index.identity[i] == 2] and 0 < both.size < near.size


def test_what_no_catalogue_says_is_not_found_by_probability() -> None:
    index = sky(100)
    index.p_lya[:50] = np.nan
    assert index.find(Query(p_lya=(0.0, 1.0))).min() == 50


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"'quasar' is no class of this index; there are Lya, OII"):
        sky(5).find(Query(identity="quasar"))


def test_it_is_written_mapped_and_the_same(tmp_path: Path) -> None:
    index = sky(1000)
    index.save(tmp_path / "index")
    again = load_index(tmp_path / "index")
    assert isinstance(again.ra, np.memmap)
    assert again.identities == index.identities
    np.testing.assert_array_equal(again.detectid, index.detectid)
    np.testing.assert_allclose(again.p_lya, index.p_lya, rtol=1e-6)


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    sky(10).save(tmp_path)
    np.save(tmp_path / "ra.npy", np.zeros(3))
    with pytest.raises(DataError, match="differ in length"):
        load_index(tmp_path)
    (tmp_path / "ra.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match="holds no search index"):
        load_index(tmp_path)


def test_classes_come_from_our_catalogue(simulated: Path, tmp_path: Path) -> None:
    release = ew.open_release(simulated)
    chosen = [int(each) for each in release.detectids()[:3]]
    found = [ew.interpret(ew.measure(release.detection(each))) for each in chosen]
    ew.write_catalog(found, tmp_path / "some_cat.h5")
    index = build_index(release, tmp_path / "some_cat.h5")
    assert len(index) == len(release)
    for row, each in enumerate(found):
        assert index.identities[index.identity[row]] == each.identity
        assert index.p_lya[row] == pytest.approx(each.p_lya, abs=1e-6)
    assert (index.identity[3:] == 0).all() and np.isnan(index.p_lya[3:]).all()
    assert not build_index(release).classified


def test_a_published_catalogue_tells_identities_by_redshift(simulated: Path, tmp_path: Path) -> None:
    release = ew.open_release(simulated)
    ids = release.detectids()
    rows = np.zeros(
        3, [("detectid", "<i8"), ("wavelength_obs", "<f4"), ("z_best", "<f4"), ("plya_classification", "<f4")]
    )
    assert set(rows.dtype.names) <= set(catalog_layout("Detections").dtype.names)
    # Lyα 1215.67 and [O II] 3728 in vacuum, observed in air; the third was never classified
    rows["detectid"], rows["wavelength_obs"] = ids[:3], (4498.0, 4472.2, 5000.0)
    rows["z_best"], rows["plya_classification"] = (2.7, 0.2, -1.0), (0.97, 0.02, -999.999)
    with h5py.File(tmp_path / "old_cat.h5", "w") as file:
        file["Detections"] = rows
    index = build_index(release, tmp_path / "old_cat.h5")
    assert [index.identities[code] for code in index.identity[:3]] == ["Lya", "OII", ""]
    assert np.isnan(index.p_lya[2]) and np.isnan(index.redshift[2])


def test_no_catalogue_is_said(simulated: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong_cat.h5").write_text("no catalogue")
    with pytest.raises(DataError, match=r"wrong_cat\.h5: not a whole HDF5 file"):
        build_index(ew.open_release(simulated), tmp_path / "wrong_cat.h5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 2100000123 ", Query(detectid=2100000123)),
        ("150.1 2.2", Query(position=(150.1, 2.2))),
        ("150.1, -2.2, 30", Query(position=(150.1, -2.2), radius=30.0)),
        ("10h00m24.0s +2d12m00s", Query(position=(150.1, 2.2))),
        ("10:00:24.0 -02:12:00 15", Query(position=(150.1, -2.2), radius=15.0)),
    ],
)
def test_what_people_type(text: str, expected: Query) -> None:
    found = understood(text)
    assert (found.detectid, found.radius) == (expected.detectid, expected.radius)
    if expected.position is not None:
        assert found.position == pytest.approx(expected.position)


@pytest.mark.parametrize("text", ["", "abc", "1 2 3 4", "150 95", "150 2 -3", "../../etc/passwd", "nan nan", "9" * 30])
def test_what_is_not_understood_is_told(text: str) -> None:
    with pytest.raises(DataError, match="a detection number, or a position"):
        understood(text)


@given(st.text(max_size=200))
def test_any_text_is_a_query_or_a_sentence(text: str) -> None:
    try:
        found = understood(text)
    except DataError:
        return
    assert (found.detectid is None) != (found.position is None)
