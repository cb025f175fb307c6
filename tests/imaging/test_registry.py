"""Every survey of the registry on a small tree in its own layout, and the rules for zero points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from scipy.integrate import trapezoid

from elixer_widgets.catalogs import CatalogLibrary
from elixer_widgets.imaging import SURVEYS, open_library
from elixer_widgets.imaging.registry import WAVELENGTH_ORDER
from elixer_widgets.imaging.zero_points import FixedZeroPoint, HeaderZeroPoint, fluxmag0, unit_of_header
from tests.imaging.layouts import LAYOUTS, MAG, build
from tests.imaging.sky import DEC, RA

# ELiXer's table (spec/report_imaging.md, section 7): bands, scale, limits, FWHM and first radius.
TABLE = {
    "HSC-DEX": ("r", 0.168, (26.2,), 1.0, 1.0),
    "HSC-SSP": ("g r i z y", 0.168, (26.6, 26.2, 26.2, 25.3, 24.5), 0.75, 0.875),
    "HSC-NEP": ("g r i z", 0.168, (27.2, 26.7, 26.4, 26.0), 1.0, 1.0),
    "CFHTLS": ("u g r i z", 0.186, (25.2, 25.5, 25.0, 24.8, 23.9), 0.6, 0.8),
    "CFHTLS-D3": ("u g r i z", 0.186, (26.3, 26.0, 25.6, 25.4, 25.0), 0.6, 0.8),
    "KPNO": ("g", None, (24.7,), 1.0, 1.0),
    "SHELA": ("u g r i z", 0.27, (25.7, 24.7, 24.7, 24.0, 23.9), 1.0, 1.0),
    "COSMOS": ("u g r i z", 0.27, (25.7,) * 5, 1.0, 1.0),
    "CANDELS-EGS": ("F606W F814W F105W F125W F140W F160W", 0.06, (30.0,) * 6, 0.15, 0.575),
    "GOODS-N": ("F435W F606W F775W F814W F105W F125W F160W", 0.06, (30.0,) * 7, 0.15, 0.575),
    "SDSS": ("u g r i z", 0.396, (22.5,) * 5, 1.67, 1.335),
    "Pan-STARRS": ("g r i z y", 0.25, (23.5,) * 5, 1.4, 1.2),
}


def test_every_survey_has_a_layout_to_test() -> None:
    assert {survey.name for survey in SURVEYS} == set(LAYOUTS)
    for survey in SURVEYS:
        assert set(survey.bands) <= set(WAVELENGTH_ORDER), survey.name
        assert set(survey.depth) <= set(survey.bands), survey.name


@pytest.mark.parametrize("name", TABLE)
def test_entries_are_those_of_the_table(name: str) -> None:
    (survey,) = [survey for survey in SURVEYS if survey.name == name]
    bands, scale, limits, fwhm, start = TABLE[name]
    assert survey.bands == tuple(bands.split())
    assert survey.scale == scale if scale else np.isnan(survey.scale)
    assert tuple(survey.depth[band] for band in survey.bands) == limits
    assert (survey.psf_fwhm, survey.start_radius) == (fwhm, start)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_survey_is_found_in_its_own_layout(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    library = open_library(build(tmp_path, layout))
    (survey,) = library.covering(RA, DEC)
    assert survey.name == name
    imaging = library.imaging(RA, DEC, size=80 * layout.scale)
    # a catalogue written for this test lacks columns that the survey's has, and that is all it says
    assert [note for note in imaging.notes if "no column" not in note] == []
    assert {c.band for c in imaging.cutouts} == {band for band, *_ in layout.images.values()}
    for cutout in imaging.cutouts:
        # All light of the one source, in AB magnitudes.
        assert cutout.zero_point - 2.5 * np.log10(cutout.data.sum()) == pytest.approx(MAG, abs=0.002), cutout.band
        assert cutout.pixel_scale == pytest.approx(layout.scale, rel=1e-6)
        assert cutout.data.dtype == np.float32
        assert cutout.depth == survey.depth.get(cutout.band) or np.isnan(cutout.depth)
    if not layout.catalog:
        assert imaging.objects == ()
        return
    (target,) = imaging.objects
    assert {m.band: pytest.approx(m.value, abs=1e-3) for m in target.magnitudes} == layout.catalog
    assert all(0.015 < m.error < 0.05 for m in target.magnitudes)
    assert (target.ra, target.dec) == pytest.approx((RA, DEC), abs=1e-6)
    assert target.photo_z == pytest.approx(layout.photo_z, abs=0.011, nan_ok=True)
    assert target.spec_z == pytest.approx(layout.spec_z, nan_ok=True)
    if np.isfinite(layout.pdf_peak):
        assert target.photo_z_pdf is not None
        grid, pdf = target.photo_z_pdf
        assert grid[np.argmax(pdf)] == pytest.approx(layout.pdf_peak, abs=0.011)
        assert trapezoid(pdf, grid) == pytest.approx(1.0, 1e-3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_catalogs_interface_answers_for_every_survey(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    library = CatalogLibrary(path=build(tmp_path, layout))
    position = SkyCoord(RA, DEC, unit="deg")
    bands = {band for band, *_ in layout.images.values()}
    assert [c.name for c in library.find_catalogs(position, verify=True)] == [name]
    assert set(library.get_filters(position)[name]) == bands
    wanted = sorted(bands)[0]
    (entry,) = library.get_cutouts(
        position,
        side=60 * layout.scale * u.arcsec,
        catalogs=[name],
        aperture=1.0,
        filter=wanted,
        first=True,
        allow_bad_image=False,
    )
    assert (entry["filter"], entry["instrument"]) == (wanted, name)
    assert entry["details"]["catalog_name"] == name and entry["details"]["pixel_scale"] == pytest.approx(layout.scale)
    objects = library.get_catalog_objects(position, 3 * u.arcsec, catalogs=[name])
    assert [found["name"] for found in objects] == ([name] if layout.catalog else [])
    for found in objects:
        *_, band = found["get_filter_flux"](found["dataframe"].iloc[0])
        assert found["count"] == 1 and band in layout.catalog


def test_an_image_without_a_zero_point_is_said(tmp_path: Path) -> None:
    layout = LAYOUTS["KPNO"]
    (name,) = layout.images
    bare = replace(layout, images={name: ("g", 100.0, {})})
    imaging = open_library(build(tmp_path, bare)).imaging(RA, DEC)
    assert imaging.cutouts == ()
    assert any("no zero point" in note and "km1418_5218" in note for note in imaging.notes)


def test_ab_not_st_for_hubble() -> None:
    # ACS/WFC F606W: 26.49 AB and 26.67 ST (STScI ACS zero points, 2009 on).
    header = {"PHOTFLAM": 7.8e-20, "PHOTPLAM": 5921.1}
    st = -2.5 * np.log10(7.8e-20) - 21.10
    assert unit_of_header(header) == pytest.approx(26.50, abs=0.02)
    assert st - unit_of_header(header) == pytest.approx(0.17, abs=0.005)
    # Electrons of the whole exposure instead of a rate.
    whole = header | {"BUNIT": "ELECTRONS", "EXPTIME": 100.0}
    assert unit_of_header(whole) == pytest.approx(unit_of_header(header) + 5.0)
    assert unit_of_header({"PHOTFLAM": 7.8e-20}, "F606W") == pytest.approx(unit_of_header(header), abs=0.001)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"BUNIT": "nJy"}, 31.40),
        ({"BUNIT": "uJy"}, 23.90),
        ({"BUNIT": "10.0*nanoJansky"}, 28.90),
        ({"BUNIT": "nanomaggy"}, 22.5),
        ({"BUNIT": "MJy/sr", "PIXAR_SR": 1.0, "PHOTMJSR": 3.0}, -6.10),  # PHOTMJSR does not apply again
        ({"BUNIT": "DN/s", "PIXAR_SR": 1.0, "PHOTMJSR": 3.0}, -6.10 - 2.5 * np.log10(3.0)),
        ({"BUNIT": "MJy/sr"}, np.nan),
        ({"BUNIT": "ADU"}, np.nan),
        ({"PHOTFLAM": 1e-19}, np.nan),  # neither PHOTPLAM nor a known band
        ({}, np.nan),
    ],
)
def test_zero_point_from_the_unit(header: dict[str, float | str], expected: float) -> None:
    assert unit_of_header(header) == pytest.approx(expected, abs=0.002, nan_ok=True)


def test_zero_points_from_keywords() -> None:
    assert fluxmag0({"FLUXMAG0": 63095734448.0}) == pytest.approx(27.0)
    assert fluxmag0({}) == 27.0
    rule = HeaderZeroPoint(("MZP_AB", "PHOTZP"), 30.0)
    assert [rule(h, "g") for h in ({"MZP_AB": 29.9, "PHOTZP": 1.0}, {"PHOTZP": 29.8}, {"PHOTZP": "bad"})] == [
        29.9,
        29.8,
        30.0,
    ]
    assert FixedZeroPoint(25.0, whole_exposure=True)({"EXPTIME": 100.0}, "g") == pytest.approx(30.0)
    assert np.isnan(FixedZeroPoint(25.0, whole_exposure=True)({}, "g"))
    assert FixedZeroPoint(bands={"g": 25.1})({}, "g") == 25.1
    assert np.isnan(FixedZeroPoint(bands={"g": 25.1})({}, "r"))
