"""Real images of other surveys, opened by nothing but a few lines of TOML."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from elixer_widgets.imaging import open_library
from elixer_widgets.imaging.catalog_formats import TractorFormat
from elixer_widgets.imaging.surveys import Library

TOML = """
[[survey]]
name = "BASS"
bands = ["g", "r"]
folder = "{folder}/decam_legacypipe"
images = "ksb_*_ooi_*.fits*"
name_pattern = 'ksb_.*_ooi_(?P<band>[gr])_ls9.CCD\\d'
zero_point = {{ g = {g}, r = {r} }}

[[survey]]
name = "MzLS"
bands = ["z"]
folder = "{folder}/decam_legacypipe"
images = "k4m_*_ooi_*.fits*"
name_pattern = 'k4m_.*_ooi_(?P<band>z)d_ls9.CCD\\d'
zero_point = {z}

[[survey]]
name = "HLF"
bands = ["F775W"]
folder = "{folder}/hst_f775w_udf_tdose"
images = "*_sci_*.fits*"
zero_point = 25.67
psf_fwhm = 0.1

[[survey]]
name = "HDFS"
bands = ["F606W"]
folder = "{folder}/hst_wfpc2_hdfs_mpdaf"
images = "HST-HDFS.fits*"
zero_point = "hst"
psf_fwhm = 0.15

[[survey]]
name = "MUSE"
bands = ["white"]
folder = "{folder}/muse_white_hdfs_mpdaf"
images = "image.fits*"
hdu = "DATA"
zero_point = 25.0

[[survey]]
name = "NTT"
bands = ["B"]
folder = "{folder}/sep_eso_ntt"
images = "image.fits"
zero_point = 25.0
"""


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "reference" / "real" / "imaging"


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    ccds = Table.read(folder / "decam_legacypipe" / "mzlsbass2" / "survey-ccds-1.fits.gz")
    points = {str(ccd["filter"]).strip()[0]: float(ccd["zpt"]) for ccd in ccds}
    path = tmp_path_factory.mktemp("own") / "surveys.toml"
    path.write_text(TOML.format(folder=folder, **points))
    return open_library(None, surveys=path)


def place(path: Path, x: float, y: float) -> tuple[float, float]:
    """Position of a fraction of the way along both axes of an image."""
    with fits.open(path) as hdus:
        image = next(hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2)
        ra, dec = WCS(image.header).pixel_to_world_values(x * image.shape[1] - 0.5, y * image.shape[0] - 0.5)
    return float(ra), float(dec)


IMAGES = {
    ("BASS", "g"): ("decam_legacypipe/mzlsbass2/ksb_180313_081856_ooi_g_ls9.CCD4.fits.gz", 0.454),
    ("BASS", "r"): ("decam_legacypipe/mzlsbass2/ksb_170430_055945_ooi_r_ls9.CCD4.fits.gz", 0.454),
    ("MzLS", "z"): ("decam_legacypipe/mzlsbass2/k4m_160319_075112_ooi_zd_ls9.CCD3.fits.gz", 0.262),
    ("HLF", "F775W"): (
        "hst_f775w_udf_tdose/hlsp_hlf_hst_acs-60mas_goodss_f775w_v2.0_sci_id5082_cutout4p5x4p5arcsec.fits.gz",
        0.06,
    ),
    ("HDFS", "F606W"): ("hst_wfpc2_hdfs_mpdaf/HST-HDFS.fits.gz", 0.04),
    ("MUSE", "white"): ("muse_white_hdfs_mpdaf/image.fits.gz", 0.2),
}


@pytest.mark.parametrize("which", IMAGES)
def test_pixels_are_those_of_the_file(folder: Path, library: Library, which: tuple[str, str]) -> None:
    name, band = which
    path, scale = IMAGES[which]
    position = place(folder / path, 0.5, 0.5)
    imaging = library.imaging(*position, size=3.0)
    (cutout,) = [c for c in imaging.cutouts if (c.survey, c.band, Path(c.path).name) == (name, band, Path(path).name)]
    assert cutout.pixel_scale == pytest.approx(scale, rel=0.02)
    with fits.open(folder / path) as hdus:
        image = next(hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2)
        whole, projection = image.data, WCS(image.header)
    column, row = (float(v) for v in projection.world_to_pixel_values(*position))
    x, y = cutout.pixel(*position)
    x0, y0 = column - x, row - y
    assert (x0, y0) == pytest.approx((round(x0), round(y0)), abs=1e-3)
    ny, nx = cutout.data.shape
    part = whole[round(y0) : round(y0) + ny, round(x0) : round(x0) + nx]
    np.testing.assert_array_equal(part.astype(np.float32), cutout.data)


@pytest.mark.parametrize("which", IMAGES)
def test_edges_are_said(folder: Path, library: Library, which: tuple[str, str]) -> None:
    name, _ = which
    path, *_ = IMAGES[which]
    (survey,) = [survey for survey in library.surveys if survey.name == name]
    notes: list[str] = []
    cutouts = library.cutouts(survey, *place(folder / path, 0.02, 0.5), 9.0, notes)
    assert cutouts and all("partly outside the image" in c.note and np.isnan(c.data).any() for c in cutouts)
    assert library.cutouts(survey, *place(folder / path, -0.5, 0.5), 9.0, notes) == []


def test_an_image_without_a_sky_is_said(library: Library) -> None:
    (survey,) = [survey for survey in library.surveys if survey.name == "NTT"]
    (fault,) = library.footprints(survey).broken
    assert "sep_eso_ntt/image.fits" in fault and "no two-dimensional image with a celestial WCS" in fault
    assert any(fault in note for note in library.imaging(10.0, 10.0).notes)


def test_hdfs_is_on_the_ab_system(folder: Path, library: Library) -> None:
    # WFPC2 F606W: PHOTFLAM 1.9e-18 is 23.21 AB at the pivot of 6001 Å: ST 23.20, less 5 lg(6001) and 18.692.
    (cutout,) = library.imaging(*place(folder / IMAGES["HDFS", "F606W"][0], 0.5, 0.5), size=3.0).cutouts[:1]
    flux = 1.89972e-18 * 6001.294**2 / 2.99792458e18  # erg/s/cm²/Hz of one count
    assert cutout.zero_point == pytest.approx(-2.5 * np.log10(flux) - 48.60, abs=0.001)


def test_a_brick_with_edges_and_no_coverage(folder: Path, tmp_path: Path) -> None:
    """The built-in entry reads a real Legacy Surveys brick, of which 12 % is covered."""
    (tmp_path / "decals").mkdir()
    path = tmp_path / "decals" / "legacysurvey-0959p805-image-g.fits.fz"
    shutil.copy(folder / "legacysurvey_dr6_0959p805" / path.name, path)
    library = open_library(tmp_path)
    with fits.open(path) as hdus:
        data, projection = hdus[1].data, WCS(hdus[1].header)
    covered = data != 0
    rng = np.random.default_rng(4)
    seen = {"whole": 0, "none": 0, "part": 0}
    for x, y in rng.integers(20, 3580, (150, 2)):
        box = covered[y - 18 : y + 18, x - 18 : x + 18]
        share = float(box.mean())
        kind = "whole" if share == 1 else "none" if share == 0 else "part" if 0.1 < share < 0.9 else ""
        if not kind or seen[kind] >= 6:
            continue
        seen[kind] += 1
        imaging = library.imaging(*(float(v) for v in projection.pixel_to_world_values(x, y)), size=9.0)
        if kind == "none":
            assert imaging.cutouts == ()
            assert any("blank: no data here in legacysurvey-0959p805-image-g" in note for note in imaging.notes)
            assert imaging.notes[-1] == "no image on disk has usable data at this position"
            continue
        (cutout,) = imaging.cutouts
        assert ("hold no data" in cutout.note) == (kind == "part")
        assert np.isfinite(cutout.data).mean() == pytest.approx(share, abs=0.06)
    assert seen["whole"] and seen["none"] == 6, seen


@pytest.mark.parametrize("name", ["tractor-1054p567", "tractor-3303p000", "sweep-330m005-340p000"])
def test_real_tractor_tables(folder: Path, name: str) -> None:
    path = folder / "tractor_catalogs" / f"{name}.fits.gz"
    table = TractorFormat(("x",)).read(path, "DECaLS")
    raw = Table.read(path)
    assert len(table.ra) == len(raw)
    for row, line in enumerate(raw):
        target = table.object(row)
        for band in "grz":
            flux, variance = float(line[f"FLUX_{band.upper()}"]), float(line[f"FLUX_IVAR_{band.upper()}"])
            found = target.magnitude(band)
            if variance <= 0:
                assert found is None
            elif flux > 2 / np.sqrt(variance):
                assert found is not None and found.value == pytest.approx(22.5 - 2.5 * np.log10(flux), abs=1e-4)
            else:
                assert found is not None and found.is_limit
        point = str(line["TYPE"]).strip() == "PSF"
        assert np.isnan(target.major) if point else target.major >= target.minor > 0
