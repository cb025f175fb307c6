"""Real images against outside measurements of the same objects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from elixer_widgets._sky import separation
from elixer_widgets.detection import Cutout
from elixer_widgets.imaging import find_sources, grow_aperture


@pytest.fixture
def imaging(shared: Path) -> Path:
    return shared / "reference" / "real" / "imaging"


def gaia_to_sdss(band: str, color: float) -> float:
    """G minus an SDSS magnitude from BP - RP: Gaia DR2 documentation, table 5.8 (Evans et al. 2018, A&A 616, A4)."""
    polynomials = {
        "g": (0.13518, -0.46245, -0.25171, 0.021349),
        "r": (-0.12879, 0.24662, -0.027464, -0.049465),
    }
    return float(np.polynomial.polynomial.polyval(color, polynomials[band]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("band", "tolerance"), [("g", 0.16), ("r", 0.1)])
def test_stars_have_the_magnitudes_of_gaia(imaging: Path, band: str, tolerance: float) -> None:
    folder = imaging / "decam_legacypipe" / "mzlsbass2"
    (path,) = folder.glob(f"ksb_*_ooi_{band}_*")
    ccds = Table.read(folder / "survey-ccds-1.fits.gz")
    name = path.name.split("_ls9")[0]
    (ccd,) = [row for row in ccds if name in str(row["image_filename"])]
    with fits.open(path) as hdus:
        wcs, shape = WCS(hdus[1].header), hdus[1].shape
    stars = Table.read(folder / "gaia" / "chunk-00881.fits.gz")
    x, y = wcs.world_to_pixel_values(stars["ra"], stars["dec"])
    # The transformation holds for well measured colours; near the edge the sky ring is cut.
    inside = (np.minimum(x, shape[1] - x) > 15) & (np.minimum(y, shape[0] - y) > 15) & (stars["phot_g_mean_mag"] < 20)
    assert inside.sum() >= 2
    for star in stars[inside]:
        # Pixels are counts per second.
        cutout = Cutout.from_fits(path, band, float(ccd["zpt"]), (star["ra"], star["dec"]), 30.0, psf_fwhm=1.3)
        growth = grow_aperture(cutout, float(star["ra"]), float(star["dec"]))
        expected = star["phot_g_mean_mag"] - gaia_to_sdss(band, star["phot_bp_mean_mag"] - star["phot_rp_mean_mag"])
        assert growth.mag == pytest.approx(expected, abs=tolerance)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_real_image_answers(imaging: Path) -> None:
    measured = 0
    for path in sorted(imaging.rglob("*.fits*")):
        with fits.open(path) as hdus:
            planes = [h for h in hdus if getattr(h, "is_image", False) and h.header.get("NAXIS") == 2]
            if not planes:
                continue
            wcs, shape = WCS(planes[0].header), planes[0].shape
        if not wcs.has_celestial:
            continue
        for x, y in ((shape[1] / 2, shape[0] / 2), (2.0, 2.0), (shape[1] - 3.0, shape[0] / 3)):
            ra, dec = (float(v) for v in wcs.pixel_to_world_values(x, y))
            cutout = Cutout.from_fits(path, "x", 25.0, (ra, dec), 9.0)
            growth = grow_aperture(cutout, ra, dec)
            sources = find_sources(cutout)
            assert np.isfinite(growth.limit) or growth.note, path.name
            assert all(np.isfinite(s.major) and s.major >= s.minor > 0 for s in sources)
            measured += 1
    assert measured > 20


def test_against_the_original_on_known_images(shared: Path) -> None:
    """Points and discs of known magnitude, at the position, without neighbours: bias, scatter and coverage."""
    folder = shared / "reference" / "original"
    truth = json.loads((folder / "phot_truth_public.json").read_text())
    names = {"f1_points": "phot_f1_points", "f2_discs": "phot_f2_discs", "f3_mixed": "phot_f3_mixed"}
    original = Table.read(folder / "phot_results_public.csv")
    theirs = {row["id"]: (float(row["ap_mag"]), float(row["ap_mag_err"])) for row in original}
    rows = []
    for target in truth:
        clean = target["offset_arcsec"] == 0 and target["neighbour"] is None and target["kind"] != "empty"
        if not clean or target["mag_true"] > 25:
            continue
        position = (target["ra"], target["dec"])
        path = folder / f"{names[target['field']]}.fits"
        cutout = Cutout.from_fits(path, "r", 27.0, position, 30.0, psf_fwhm=0.8)
        growth = grow_aperture(cutout, *position)
        (source,) = [s for s in find_sources(cutout) if s.selected]
        mag = target["mag_true"]
        rows.append(
            (
                target["kind"] == "point",
                growth.total_mag - mag,
                growth.mag_err,
                source.mag - mag,
                theirs[target["id"]][0] - mag,
                theirs[target["id"]][1],
            )
        )
    table = np.array(rows, dtype=float)
    assert len(table) > 40
    points = table[table[:, 0] == 1]
    assert abs(np.median(points[:, 1])) < 0.01
    # One σ covers 68 % of the points; 24 points scatter by ±10 %.
    covered = np.mean(np.abs(points[:, 1]) < points[:, 2])
    assert 0.5 < covered < 0.88
    assert covered > np.mean(np.abs(points[:, 4]) < points[:, 5]) + 0.2
    # All, discs too.
    assert abs(np.median(table[:, 1])) < 0.01
    assert abs(np.median(table[:, 3])) < 0.01
    assert np.median(np.abs(table[:, 3])) < np.median(np.abs(table[:, 4]))


def test_deep_hubble_images_against_rafelski(imaging: Path) -> None:
    """Places and isophotal counts of the UVUDF catalogue (Rafelski et al. 2015, AJ 150, 31): counts are those of the
    image (25.671 is F775W's AB zero point for them); bright sources to 0.1 mag, all but one place to 0.03 arcsec."""
    folder = imaging / "hst_f775w_udf_tdose"
    catalog = fits.getdata(folder / "rafelski_f775w_sourcecat.fits.gz", 1)
    offsets, bright = [], []
    for number in (5082, 6729):
        row = catalog[catalog["id"] == number][0]
        position = (float(row["ra"]), float(row["dec"]))
        path = next(folder.glob(f"*sci_id{number}*"))
        cutout = Cutout.from_fits(path, "F775W", 25.671, position, 4.5, psf_fwhm=0.11)
        for source in find_sources(cutout):
            distance = separation(source.ra, source.dec, catalog["ra"], catalog["dec"])
            nearest = int(np.argmin(distance))
            offsets.append(distance[nearest])
            counts = float(catalog["flux_iso_f775w"][nearest])
            if counts > 0.3 and distance[nearest] < 0.1:
                bright.append(source.counts / counts)
        growth = grow_aperture(cutout, *position)
        expected = 25.671 - 2.5 * np.log10(float(row["flux_iso_f775w"]))
        # Isophotes leave the outskirts out: ours may be brighter by as much as 0.1
        assert -0.1 < growth.mag - expected < 0.03
    assert len(offsets) >= 10 and np.sum(np.array(offsets) < 0.03) >= len(offsets) - 1
    assert len(bright) >= 3 and np.all(np.abs(np.array(bright) - 1.0) < 0.1)
