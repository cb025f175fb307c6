"""Image cutouts and catalogue rows around one simulated detection, in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.wcs import WCS

from elixer_widgets.detection import NAN, CatalogObject, Cutout, Imaging, Magnitude
from elixer_widgets.simulation.imaging import Measured, Survey, measure, render
from elixer_widgets.simulation.spectra import Source

SIZE = 9.0  # arcsec, of a cutout

SURVEYS = {
    "deep r": Survey({"r": 26.2}, 0.168, 0.75, 27.0, 600.0),
    "deep g r": Survey({"g": 25.7, "r": 25.3}, 0.186, 0.8, 30.0, 2500.0, 11.0),
    "shallow g r": Survey({"g": 24.1, "r": 23.5}, 0.262, 1.3, 22.5, 166.0),
}
"""HETDEX's own HSC r, a survey as CFHTLS, and one as the Legacy Surveys; None stands for no imaging."""

SHARE = {"deep r": 0.35, "deep g r": 0.30, "shallow g r": 0.20, "none": 0.15}
"""Of the detections; assumed."""

_PHOTO_Z_GRID = np.arange(0.0, 5.5, 0.02)
CATASTROPHIC = 0.12  # share of photometric redshifts that are altogether wrong; assumed


def picture(survey_name: str, sources: Sequence[Source], ra: float, dec: float, rng: np.random.Generator) -> Imaging:
    """Cutouts and catalogue of `sources` around a position.

    Parameters
    ----------
    survey_name : str
        Of `SURVEYS`, or "none".
    sources : sequence of Source
        Placed on the sky, the detection's own first if it has one.
    ra, dec : float
        Degrees, of the detection.
    """
    if survey_name not in SURVEYS:
        return Imaging(notes=("no imaging of this field",))
    survey = SURVEYS[survey_name]
    wcs = _wcs(survey, ra, dec)
    images = render(sources, survey, wcs, rng)
    cutouts = tuple(
        Cutout(
            image,
            wcs,
            band,
            survey.zero_point,
            survey=survey_name,
            position=(ra, dec),
            depth=survey.depth[band],
            psf_fwhm=survey.seeing,
        )
        for band, image in images.items()
    )
    catalog = measure(sources, survey, wcs, rng)
    photometric = survey_name == "deep g r"
    objects = tuple(_object(number, row, survey, survey_name, photometric, rng) for number, row in enumerate(catalog))
    return Imaging(cutouts, objects)


def _wcs(survey: Survey, ra: float, dec: float) -> WCS:
    pixels = int(np.ceil(SIZE / survey.scale))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [pixels / 2.0 + 0.6, pixels / 2.0 + 0.3]
    angle = np.radians(survey.rotation)
    wcs.wcs.cd = survey.scale / 3600.0 * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.array_shape = (pixels, pixels)
    wcs.wcs.set()
    return wcs


def _object(
    number: int, row: Measured, survey: Survey, name: str, photometric: bool, rng: np.random.Generator
) -> CatalogObject:
    known = [(band, *row.magnitude(band, survey)) for band in survey.depth]
    magnitudes = tuple(Magnitude(band, value, error, source=name) for band, value, error in known if np.isfinite(value))
    r = next((value for band, value, _ in known if band == "r" and np.isfinite(value)), NAN)
    source = row.source
    blur = survey.seeing / 2.3548
    spec_z = NAN
    if source.z > 0 and r < 24.0 and rng.uniform() < (0.15 if r < 22.0 else 0.04):
        spec_z = source.z + 0.0004 * float(rng.standard_normal())
    photo = _photo_z(source.z, r, rng) if photometric and r < 25.0 else None
    return CatalogObject(
        row.ra,
        row.dec,
        name,
        str(number),
        magnitudes,
        spec_z=spec_z,
        photo_z=photo[0] if photo else NAN,
        photo_z_low=photo[1] if photo else NAN,
        photo_z_high=photo[2] if photo else NAN,
        photo_z_pdf=photo[3] if photo else None,
        major=float(np.hypot(source.half_light, blur)),
        minor=float(np.hypot(source.half_light * source.axis_ratio, blur)),
        position_angle=source.angle,
    )


def _photo_z(
    z: float, r: float, rng: np.random.Generator
) -> tuple[float, float, float, tuple[np.ndarray, np.ndarray]] | None:
    """Peak, 68 % limits and PDF.

    The scatter is 0.045 in 1 + z, growing beyond r = 23; PDFs are a fifth too narrow, since published ones are
    overconfident; stars (z = 0) come out anywhere low.
    """
    true = z if z > 0 else float(rng.uniform(0.05, 0.7))
    scatter = 0.045 * (1.0 + true) * (1.0 + 0.4 * max(r - 23.0, 0.0))
    wrong = rng.uniform() < CATASTROPHIC
    peak = float(rng.uniform(0.05, 4.5)) if wrong else max(true + scatter * float(rng.standard_normal()), 0.03)
    width = 0.8 * scatter
    pdf = np.exp(-0.5 * ((_PHOTO_Z_GRID - peak) / width) ** 2)
    # The Lyman break and the 4000 Å break are taken for each other: (1 + z) 1216 = (1 + z') 4000
    other = (1.0 + peak) * 4000.0 / 1216.0 - 1.0 if peak < 0.9 else (1.0 + peak) * 1216.0 / 4000.0 - 1.0
    if 0.0 < other < 5.0:
        share = rng.uniform(0.0, 0.25)
        pdf += share * np.exp(-0.5 * ((_PHOTO_Z_GRID - other) / (1.5 * width)) ** 2)
    pdf /= pdf.sum() * (_PHOTO_Z_GRID[1] - _PHOTO_Z_GRID[0])
    steps = np.cumsum(pdf) * (_PHOTO_Z_GRID[1] - _PHOTO_Z_GRID[0])
    low, high = np.interp((0.16, 0.84), steps, _PHOTO_Z_GRID)
    return peak, float(low), float(high), (_PHOTO_Z_GRID, pdf)
