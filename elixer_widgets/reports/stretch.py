"""From counts to 8-bit pictures. Pure arrays; knows neither the page nor matplotlib."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

STRETCHES = {"zscale": "zscale", "sigma": "−2σ to 5σ", "asinh": "asinh"}
"""How counts become greys, by name, with what a person reads."""

CHOICES = {"": "standard"} | STRETCHES
"""What a person chooses from: the standard is asinh for images and linear for fibers."""

CUTOUT_CONTRAST = 1.0
IMAGE_CONTRAST = 0.25
"""zscale contrasts of the ELiXer report: fiber cutouts, and images of the sky."""

REJECTION = 2.5  # σ, of zscale, as in the ELiXer report
SMOOTHING = (2.0, 1.0)  # σ in pixels along the fiber direction and along wavelength
FLAT_LIMITS = (0.8, 1.2)
BAD_FLAT = 0.7
COSMIC_RGB = (51, 255, 59)
BAD_FLAT_RGB = (255, 51, 51)


def zscale(values: np.ndarray, contrast: float) -> tuple[float, float]:
    """Display limits by the zscale rule of IRAF; (0, 1) where there is nothing to show."""
    from astropy.visualization import ZScaleInterval

    finite = np.asarray(values, float)[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    if finite.size < 30 or np.ptp(finite) == 0:
        low, high = float(finite.min()), float(finite.max())
    else:
        low, high = ZScaleInterval(contrast=contrast, krej=REJECTION).get_limits(finite)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def grey(values: np.ndarray, limits: tuple[float, float], *, inverted: bool = True) -> np.ndarray:
    """8-bit RGB, shape (ny, nx, 3); `inverted` shows high counts dark. NaN becomes pale blue-grey."""
    low, high = limits
    array = np.asarray(values, float)
    level = np.clip((np.nan_to_num(array, nan=low) - low) / (high - low), 0.0, 1.0)
    shade = np.round(255 * (1.0 - level if inverted else level)).astype(np.uint8)
    picture = np.repeat(shade[..., None], 3, axis=2)
    picture[~np.isfinite(array)] = (226, 230, 238)
    return picture


# Nine colours of the map viridis (Smith & van der Walt 2015), which keeps its order in grey and for every eye.
_VIRIDIS = np.array(
    [
        (68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142), (31, 158, 137), (53, 183, 121),
        (110, 206, 88), (253, 231, 37),
    ],
    float,
)  # fmt: skip


def colored(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """8-bit RGB, shape (ny, nx, 3), in the colours of viridis. NaN becomes pale blue-grey."""
    low, high = limits
    array = np.asarray(values, float)
    level = np.clip((np.nan_to_num(array, nan=low) - low) / (high - low), 0.0, 1.0) * (len(_VIRIDIS) - 1)
    channels = [np.interp(level, np.arange(len(_VIRIDIS)), _VIRIDIS[:, i]) for i in range(3)]
    picture = np.round(np.stack(channels, axis=-1)).astype(np.uint8)
    picture[~np.isfinite(array)] = (226, 230, 238)
    return picture


def map_limits(values: np.ndarray, scatter: float) -> tuple[float, float]:
    """Display limits of a flux map: -1 to 4 of the background's scatter, as in the ELiXer report."""
    finite = values[np.isfinite(values)]
    if not scatter > 0:
        scatter = float(np.std(finite)) if finite.size else 1.0
    scatter = scatter or 1.0
    low = max(float(finite.min()) if finite.size else -scatter, -scatter)
    return (low, 4.0 * scatter) if low < 4.0 * scatter else (low, low + scatter)


def widened(limits: tuple[float, float], factor: float) -> tuple[float, float]:
    """The limits spread about their middle by 1 / `factor`.

    The ELiXer report divides both limits by its factors, which is the same where the sky was subtracted.
    """
    middle, half = 0.5 * (limits[0] + limits[1]), 0.5 * (limits[1] - limits[0]) / factor
    return middle - half, middle + half


def smooth(image: np.ndarray, cosmic: np.ndarray | None = None) -> np.ndarray:
    """The cutout smoothed for the eye, masked pixels set to 0 first."""
    clean = np.array(image, float)
    if cosmic is not None:
        clean[cosmic] = 0.0
    return gaussian_filter(np.nan_to_num(clean), SMOOTHING)


def cutout_limits(image: np.ndarray) -> tuple[float, float]:
    """zscale of a fiber cutout from its own pixels, last row and column left out."""
    return zscale(np.asarray(image)[:-1, :-1], CUTOUT_CONTRAST)


def flat_picture(flat: np.ndarray) -> np.ndarray:
    """The pixel flat, 0.8 black to 1.2 white, values below 0.7 in red."""
    picture = grey(flat, FLAT_LIMITS, inverted=False)
    picture[np.nan_to_num(np.asarray(flat, float), nan=1.0) < BAD_FLAT] = BAD_FLAT_RGB
    return picture


def cutout_picture(image: np.ndarray, cosmic: np.ndarray | None, limits: tuple[float, float]) -> np.ndarray:
    """The 2-D spectrum, cosmic rays in green."""
    picture = grey(image, widened(limits, 0.5))
    if cosmic is not None:
        picture[np.asarray(cosmic, bool)] = COSMIC_RGB
    return picture
