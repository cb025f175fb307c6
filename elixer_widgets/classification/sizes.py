"""How large the source looks on the images, in units that the seeing can be taken off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import Cutout
from elixer_widgets.imaging.sources import AT_EDGE, BLENDED, MISSING_PIXELS, SourceEllipse

KRON_POINT = 1.75
"""Mean radius of the drawn ellipse of a point source in units of the seeing (FWHM)."""
HALF_LIGHT = 1.35
"""What the half-light radius of a disc weighs beside the seeing in that radius. Both were measured on images of points
and exponential discs (half-light radii of 0.15 to 1 arcsec, seeing of 0.6 to 1.4) at 60σ; see docs/posterior.md."""
SCATTER = 0.07
NOISE_SCATTER = 1.4
"""Scatter of the logarithm of the radius: of bright sources, and per unit of relative error of the counts."""

FAINTEST = 0.15
"""Error of the magnitude up to which a size says something: the outskirts of fainter ones are lost in the noise."""
REACH = 0.7
"""arcsec from the position: a source further off may be another one."""


@dataclass(frozen=True)
class Extent:
    """The drawn radius (arcsec, geometric mean of the semi-axes) of the selected source of one image, the error of its
    logarithm, and the seeing (FWHM, arcsec)."""

    radius: float
    log_err: float
    seeing: float
    survey: str = ""
    band: str = ""


def extents(sources: Iterable[SourceEllipse], cutouts: Sequence[Cutout]) -> tuple[Extent, ...]:
    """The sizes that may be used: of selected sources near the position, bright enough, whole and not blended.

    Parameters
    ----------
    sources : iterable of SourceEllipse
    cutouts : sequence of Cutout
        The images they were found on; those whose seeing is not known give nothing.

    Returns
    -------
    tuple of Extent
        The best measured relative to its seeing first.
    """
    seeing = {(each.survey, each.band): each.psf_fwhm for each in cutouts}
    found = []
    for source in sources:
        fwhm = seeing.get((source.survey, source.band), np.nan)
        usable = source.selected and source.separation < REACH and source.mag_err < FAINTEST and fwhm > 0
        if not usable or source.flags & (BLENDED | AT_EDGE | MISSING_PIXELS):
            continue
        error = float(np.hypot(SCATTER, NOISE_SCATTER * source.mag_err * np.log(10.0) / 2.5))
        radius = float(np.sqrt(source.major * source.minor))
        if radius > 0:
            found.append(Extent(radius, error, float(fwhm), source.survey, source.band))
    return tuple(sorted(found, key=lambda each: each.log_err * each.seeing))


def drawn_radius(half_light: np.ndarray, seeing: float) -> np.ndarray:
    """Radius (arcsec) at which a disc of this half-light radius (arcsec) is drawn."""
    return KRON_POINT * np.hypot(seeing, HALF_LIGHT * half_light)
