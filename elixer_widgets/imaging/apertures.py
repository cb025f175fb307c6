"""Aperture photometry on a cutout. Opens no file."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.detection import NAN, Cutout


@dataclass(frozen=True)
class ApertureStep:
    """One radius of a growing aperture: `radius` arcsec, `counts` less sky, `area` in pixels, magnitudes AB."""

    radius: float
    counts: float
    counts_err: float
    area: float
    mag: float
    mag_err: float


@dataclass(frozen=True)
class Growth:
    """A circular aperture grown at one place on one cutout.

    Attributes
    ----------
    band, survey : str
    ra, dec : float
        Centre, degrees.
    radius : float
        Adopted radius, arcsec.
    counts, counts_err : float
        Sky-subtracted counts in the adopted aperture and their error (pixel noise and sky error).
    mag, mag_err : float
        AB; NaN magnitude if the counts are not positive. `mag` stays the measured value when `is_limit`.
    limit : float
        2σ limiting magnitude of this aperture at this place.
    limit3 : float
        The 3σ limit.
    is_limit : bool
        True if the counts are below 2σ: quote `limit`, not `mag`.
    steps : tuple of ApertureStep
        Every radius tried, in order.
    sky, sky_err : float
        Counts per pixel in the annulus, and the error of that level.
    annulus : tuple of float
        Inner and outer radius of the sky annulus, arcsec, about the same centre.
    depth : float
        The survey's nominal 5σ depth.
    by_person : bool
        True if a person set the radius or the centre.
    note : str
    """

    band: str
    ra: float
    dec: float
    radius: float
    mag: float
    mag_err: float
    limit: float
    steps: tuple[ApertureStep, ...] = ()
    survey: str = ""
    counts: float = NAN
    counts_err: float = NAN
    limit3: float = NAN
    is_limit: bool = False
    sky: float = NAN
    sky_err: float = NAN
    sky_area: float = NAN
    area: float = NAN
    annulus: tuple[float, float] = (NAN, NAN)
    depth: float = NAN
    pixel_scale: float = NAN
    by_person: bool = False
    note: str = ""


def grow_aperture(cutout: Cutout, ra: float, dec: float) -> Growth:
    """Grow a circular aperture at a position."""
    raise NotImplementedError


def measure_aperture(cutout: Cutout, ra: float, dec: float, radius: float) -> Growth:
    """Measure one circular aperture of a given radius (arcsec) the same way."""
    raise NotImplementedError
