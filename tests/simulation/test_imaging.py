"""Mosaics: light at the right place and of the right amount; catalogues that agree with them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.special import gammainc

from elixer_widgets.simulation import imaging, optics
from elixer_widgets.simulation.shots import ShotPlan
from elixer_widgets.simulation.spectra import Source


def _plan(survey: str, tag: str) -> ShotPlan:
    return ShotPlan(20230214012, survey, tag, "test", 212.9, 53.6, 40.0, 1.75, ("LL",), "412", "053", "043")


def _source(x: float, y: float, magnitude: float, half_light: float = 0.0, **more: float) -> Source:
    ra, dec = optics.to_sky(x, y, 212.9, 53.6)
    bands = dict.fromkeys("ugriz", magnitude)
    return Source("field", "", 0.5, half_light=half_light, ra=float(ra), dec=float(dec), magnitudes=bands, **more)


def _radius(wcs: WCS, source: Source, scale: float) -> np.ndarray:
    """Distance in arcsec of every pixel from a source."""
    ny, nx = wcs.array_shape
    x, y = wcs.world_to_pixel_values(source.ra, source.dec)
    gy, gx = np.mgrid[:ny, :nx]
    return np.hypot(gx - x, gy - y) * scale


@pytest.mark.parametrize("name", ["hsc", "cfhtls", "decals"])
def test_star_has_its_magnitude_and_its_place(name: str) -> None:
    survey = imaging.SURVEYS[name]
    wcs = imaging.mosaic_wcs(_plan(name, ""), survey)
    star = _source(12.3, -21.7, 17.0)
    for band, image in imaging.render([star], survey, wcs, np.random.default_rng(1)).items():
        radius = _radius(wcs, star, survey.scale)
        sky = np.median(image[(radius > 12) & (radius < 16)])
        flux = (image - sky)[radius < 4.0].sum()
        assert survey.zero_point - 2.5 * np.log10(flux) == pytest.approx(17.0, abs=0.04), band
        close = radius < 2.0
        gy, gx = np.mgrid[: image.shape[0], : image.shape[1]]
        x, y = wcs.world_to_pixel_values(star.ra, star.dec)
        light = (image - sky)[close]
        assert (light * gx[close]).sum() / light.sum() == pytest.approx(float(x), abs=0.08)
        assert (light * gy[close]).sum() / light.sum() == pytest.approx(float(y), abs=0.08)


def test_depth_is_five_sigma_in_a_two_arcsec_circle() -> None:
    survey = imaging.SURVEYS["hsc"]
    wcs = imaging.mosaic_wcs(_plan("hsc", ""), survey)
    image = imaging.render([], survey, wcs, np.random.default_rng(2))["r"]
    rng = np.random.default_rng(3)
    gy, gx = np.mgrid[:15, :15]
    circle = np.hypot(gx - 7, gy - 7) * survey.scale < 1.0
    corners = rng.integers(0, image.shape[0] - 15, (600, 2))
    sums = [image[y : y + 15, x : x + 15][circle].sum() for y, x in corners]
    limit = survey.zero_point - 2.5 * np.log10(5 * np.std(sums))
    assert limit == pytest.approx(26.2, abs=0.1)


def test_galaxy_profile_is_an_exponential_disc() -> None:
    """Half of the light of a large disc falls within its half-light radius; 1 - (1 + x) e^-x with x = 1.678 r/r_h."""
    survey = imaging.SURVEYS["hsc"]
    wcs = imaging.mosaic_wcs(_plan("hsc", ""), survey)
    galaxy = _source(0.0, 0.0, 16.0, half_light=3.0)
    image = imaging.render([galaxy], survey, wcs, np.random.default_rng(4))["r"]
    radius = _radius(wcs, galaxy, survey.scale)
    total = imaging.counts(16.0, survey)
    for r in (3.0, 5.0):
        inside = image[radius < r].sum() / total
        assert inside == pytest.approx(float(gammainc(2.0, 1.678 * r / 3.0)), abs=0.04)


def test_position_angle_counts_from_north_to_east_also_in_a_turned_mosaic() -> None:
    survey = imaging.SURVEYS["cfhtls"]
    wcs = imaging.mosaic_wcs(_plan("cfhtls", ""), survey)
    galaxy = _source(0.0, 0.0, 17.0, half_light=2.5, axis_ratio=0.3, angle=30.0)
    image = imaging.render([galaxy], survey, wcs, np.random.default_rng(5))["r"]
    east = galaxy.ra + np.array([1.0, -1.0]) * 3.0 * np.sin(np.radians(30)) / 3600 / np.cos(np.radians(galaxy.dec))
    north = galaxy.dec + np.array([1.0, -1.0]) * 3.0 * np.cos(np.radians(30)) / 3600
    along = wcs.world_to_pixel_values(east, north)
    east = galaxy.ra + np.array([1.0, -1.0]) * 3.0 * np.sin(np.radians(120)) / 3600 / np.cos(np.radians(galaxy.dec))
    north = galaxy.dec + np.array([1.0, -1.0]) * 3.0 * np.cos(np.radians(120)) / 3600
    across = wcs.world_to_pixel_values(east, north)
    value = [image[np.rint(y).astype(int), np.rint(x).astype(int)].mean() for x, y in (along, across)]
    assert value[0] > 5 * value[1]


def test_files_have_the_names_and_keywords_of_the_surveys(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    sources = [
        _source(float(x), float(y), float(m), 0.4) for x, y, m in rng.uniform((-40, -40, 19), (40, 40, 27), (80, 3))
    ]
    for survey, tag in (("hsc", "16000-4_5"), ("cfhtls", "W3-2"), ("decals", "2129p536")):
        imaging.write_field(tmp_path, _plan(survey, tag), sources, rng)
    with fits.open(tmp_path / "hsc/image_tract_patch/16000/calexp-HSC-R-16000-4_5.fits") as hdus:
        assert hdus[0].data is None and hdus[1].data.ndim == 2
        assert 2.5 * np.log10(hdus[1].header["FLUXMAG0"]) == pytest.approx(27.0)
    for band in "ugriz":
        header = fits.getheader(tmp_path / f"cfhtls/CFHTLS_W_{band}_W3-2_MEDIAN.fits")
        assert header["MZP_AB"] == 30.0
        assert {"SEEING", "EXPTIME"} <= set(header)
        angle = np.degrees(np.arctan2(header["PC1_2"], -header["PC1_1"]))
        assert abs(angle) == pytest.approx(11.0, abs=0.01)
    table = Table.read(tmp_path / "decals/tractor-2129p536.fits")
    assert {"ra", "dec", "type", "shape_r", "shape_e1", "shape_e2"} <= set(table.colnames)
    assert {f"flux{kind}_{band}" for kind in ("", "_ivar") for band in "grz"} <= set(table.colnames)
    with h5py.File(tmp_path / "photz/pdf_cfhtls_W3-2.h5") as file:
        step = file["z"][1] - file["z"][0]
        np.testing.assert_allclose(file["pdf"][:].sum(axis=1) * step, 1.0, rtol=1e-3)
        assert file["pdf"].shape == (file["ra"].size, file["z"].size)


def test_catalogue_is_complete_where_bright_and_not_where_faint() -> None:
    survey = imaging.SURVEYS["decals"]
    wcs = imaging.mosaic_wcs(_plan("decals", ""), survey)
    rng = np.random.default_rng(7)
    grid = [(x, y) for x in np.linspace(-40, 40, 15) for y in np.linspace(-40, 40, 15)]
    for magnitude, low, high in ((22.0, 0.99, 1.0), (24.0, 0.3, 0.8), (26.0, 0.0, 0.02)):
        found = imaging.measure([_source(x, y, magnitude) for x, y in grid], survey, wcs, rng)
        assert low <= len(found) / len(grid) <= high, magnitude
        pulls = [(row.flux["g"] - imaging.counts(magnitude, survey)) / row.error["g"] for row in found]
        if magnitude == 22.0:
            assert np.std(pulls) == pytest.approx(1.0, abs=0.2)
