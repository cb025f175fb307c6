"""Maps of the sky made from fibers: where the light of a line, or all light, comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from astropy.wcs import WCS

from elixer_widgets._sky import ARCSEC, separation
from elixer_widgets.detection import NAN

FIBER_AREA = np.pi * 0.75**2
"""arcsec²; fibers of 1.5 arcsec (Hill et al. 2021, AJ 162, 298)."""

PIXEL = 0.25
SIDE = 9.0
KERNEL_FWHM = 1.5
"""arcsec: pixel, side and smoothing of a map. The smoothing is a fiber's own width: finer detail is not sampled."""

REACH = 1.1
"""arcsec; a pixel farther than this from every fiber is left empty."""

APERTURE = 1.5
RING = (5.0, 7.0)
"""arcsec: the radius in which the flux is summed, and the ring in which its background is taken."""


@dataclass(frozen=True, eq=False)
class FluxMap:
    """A map of surface brightness, north up and east left.

    Attributes
    ----------
    data, error : array, shape (n, n)
        Surface brightness per arcsec² in the unit of the fibers' fluxes, and its error; NaN where no fiber is near.
        Neighbouring pixels share fibers: their errors are correlated.
    wcs : WCS
    flux, flux_err : float
        Inside `APERTURE` of the position, background taken off. The error counts every fiber once. The light outside
        is not added: of a point source under a seeing of 1.8 arcsec 63 % are inside.
    background_err : float
        Scatter of the surface brightness of the fibers in the ring, in the same unit per arcsec².
    peak : tuple of float
        (ra, dec) of the flux-weighted centre inside the aperture; NaN if it has no flux.
    n_fibers : int
    reason : str
        Why there is no map; empty if there is.
    """

    data: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    error: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    wcs: WCS | None = None
    flux: float = NAN
    flux_err: float = NAN
    background_err: float = NAN
    peak: tuple[float, float] = (NAN, NAN)
    n_fibers: int = 0
    reason: str = ""

    @property
    def snr(self) -> float:
        """Signal to noise in the aperture; NaN where it is not known."""
        return self.flux / self.flux_err if self.flux_err > 0 else NAN


def fiber_map(
    ra: np.ndarray,
    dec: np.ndarray,
    flux: np.ndarray,
    flux_err: np.ndarray,
    center: tuple[float, float],
    side: float = SIDE,
) -> FluxMap:
    """Interpolate what fibers received onto the sky.

    Parameters
    ----------
    ra, dec : array, shape (n,)
        Centres of the fibers, degrees.
    flux, flux_err : array, shape (n,)
        What each received, in any unit; NaN is left out.
    center : tuple of float
        (ra, dec) of the middle of the map, degrees.
    side : float
        arcsec.

    Returns
    -------
    FluxMap

    Notes
    -----
    A pixel is the mean of the fibers around it, weighted by a Gaussian of `KERNEL_FWHM` and the inverse variances
    (a Nadaraya-Watson mean). It is a linear combination of fibers, as is the flux in the aperture; errors follow from
    the coefficients.
    """
    good = np.isfinite(flux) & np.isfinite(flux_err) & (flux_err > 0) & np.isfinite(ra) & np.isfinite(dec)
    if not np.any(good):
        return FluxMap(reason="no fiber around the position could be measured")
    ra, dec = np.asarray(ra, float)[good], np.asarray(dec, float)[good]
    brightness = np.asarray(flux, float)[good] / FIBER_AREA
    noise = np.asarray(flux_err, float)[good] / FIBER_AREA
    distance = separation(center[0], center[1], ra, dec)
    if not np.any(distance < APERTURE):
        return FluxMap(n_fibers=int(ra.size), reason=f'no fiber lies within {APERTURE:g}" of the position')
    ring = (distance > RING[0]) & (distance < RING[1])
    sky, sky_err, scatter = _background(brightness[ring], noise[ring])

    wcs = _north_up(center, side)
    count = int(wcs.pixel_shape[0])
    x, y = wcs.world_to_pixel_values(ra, dec)
    rows, columns = np.mgrid[:count, :count].astype(float)
    share, near = _shares(columns.ravel(), rows.ravel(), x, y, noise)
    data = np.where(near, share @ (brightness - sky), np.nan).reshape(count, count)
    error = np.where(near, np.sqrt(share**2 @ noise**2 + sky_err**2), np.nan).reshape(count, count)

    middle = (count - 1) / 2.0
    inside = (np.hypot(columns - middle, rows - middle) * PIXEL <= APERTURE).ravel() & near
    # The aperture's area counts whole, whatever pixels inside it no fiber is near
    area = np.pi * APERTURE**2
    coefficient = share[inside].mean(axis=0) * area
    total = float(coefficient @ (brightness - sky))
    total_err = float(np.sqrt(coefficient**2 @ noise**2 + (area * sky_err) ** 2))
    light = np.clip(data.ravel()[inside], 0.0, None)
    peak = (NAN, NAN)
    if light.sum() > 0:
        place = wcs.pixel_to_world_values(
            float(np.average(columns.ravel()[inside], weights=light)),
            float(np.average(rows.ravel()[inside], weights=light)),
        )
        peak = (float(place[0]), float(place[1]))
    return FluxMap(data, error, wcs, total, total_err, scatter, peak, int(ra.size))


def _background(brightness: np.ndarray, noise: np.ndarray) -> tuple[float, float, float]:
    """Median of the ring's fibers, its error, and their scatter; (0, 0, NaN) where there are too few to say."""
    if brightness.size < 5:
        return 0.0, 0.0, NAN
    middle = float(np.median(brightness))
    scatter = float(1.4826 * np.median(np.abs(brightness - middle)))
    # The error of a median of normal deviates is √(π/2) of that of their mean
    return middle, float(np.sqrt(np.pi / 2.0 / brightness.size) * max(scatter, float(np.median(noise)))), scatter


def _shares(
    columns: np.ndarray, rows: np.ndarray, x: np.ndarray, y: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What share each fiber (n,) has in each pixel (p,), shape (p, n), and whether a fiber is near the pixel."""
    sigma = KERNEL_FWHM / 2.3548 / PIXEL
    squared = (columns[:, None] - x) ** 2 + (rows[:, None] - y) ** 2
    near = np.min(squared, axis=1) <= (REACH / PIXEL) ** 2
    weight = np.exp(-0.5 * squared / sigma**2) / noise**2
    total = np.sum(weight, axis=1, keepdims=True)
    return weight / np.where(total > 0, total, 1.0), near & (total[:, 0] > 0)


def _north_up(center: tuple[float, float], side: float) -> WCS:
    """A tangent projection about `center`, north up and east left, an odd number of pixels wide."""
    count = 2 * round(side / PIXEL / 2.0) + 1
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = list(center)
    wcs.wcs.crpix = [(count + 1) / 2.0] * 2
    wcs.wcs.cdelt = [-PIXEL / ARCSEC, PIXEL / ARCSEC]
    wcs.pixel_shape = (count, count)
    wcs.wcs.set()
    return wcs
