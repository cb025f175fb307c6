"""What a circular aperture on an image gives: every radius tried, the adopted one, the sky around it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from elixer_widgets.detection import NAN


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
        AB, of the whole source: what the aperture leaves out is added, what belongs to neighbours left out (see
        `profiles.total_light`), and the error holds the uncertainty of that. For a person's aperture: of the light in
        it. NaN if the counts are not positive. `mag` stays the measured value when `is_limit`.
    aperture_mag, aperture_mag_err : float
        AB, of the light in the adopted circle.
    limit : float
        2σ limiting magnitude of this aperture at this place.
    limit3 : float
        The 3σ limit.
    is_limit : bool
        True if the counts, or what of them is the source's own, are below 2σ: quote `limit`, not `mag`.
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
    noise_factor : float
        How much noisier apertures of this size are than independent pixels would make them, from empty places on the
        cutout; in `counts_err` already.
    local_depth : float
        5σ limit of the first aperture at this place, from the noise found here.
    aperture_correction : float
        Magnitudes to add to `aperture_mag` for a point source of the survey's seeing (not positive). NaN without
        seeing.
    minor, position_angle : float
        Semi-minor axis in arcsec (`radius` for a circle), and the direction of the major one in degrees east of north.
    size, size_err : float
        Half-light radius without the seeing, arcsec; NaN where the seeing is not known or a person set the aperture.
    foreign : float
        Share of the pixels around the place that was left out of the whole light as something else.
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
    noise_factor: float = 1.0
    local_depth: float = NAN
    aperture_correction: float = NAN
    aperture_mag: float = NAN
    aperture_mag_err: float = NAN
    minor: float = NAN
    position_angle: float = 0.0
    size: float = NAN
    size_err: float = NAN
    foreign: float = 0.0

    @property
    def total_mag(self) -> float:
        """The magnitude of the whole source; for a person's aperture that of a point source, where the seeing is
        known."""
        return self.mag + self._missing if self.by_person else self.mag

    @property
    def total_limit(self) -> float:
        """The 2σ limit on the whole light of a point source; `limit` where the seeing is not known."""
        return self.limit + self._missing

    @property
    def _missing(self) -> float:
        return self.aperture_correction if isfinite(self.aperture_correction) else 0.0


@dataclass(frozen=True)
class Sky:
    """The level around a source: counts per pixel, its error, the scatter of a pixel, and where it was measured."""

    level: float
    level_err: float
    scatter: float
    pixels: int
    inner: float
    outer: float
    note: str = ""
