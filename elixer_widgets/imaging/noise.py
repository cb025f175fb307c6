"""The noise of an image: its sky, and how far pixels depart from being independent. Opens no file."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from elixer_widgets.detection import NAN, Cutout

# Empty boxes needed, independent of each other, for their scatter to say anything; and pixels above this many σ of the
# smoothed image count as sources when empty places are sought.
EMPTY_BOXES_MINIMUM = 20
EMPTY_SIGMA = 3.0

# Standard deviation of a unit Gaussian cut at ±3.
CLIPPED_SIGMA = 0.98658


def clipped_sky(values: np.ndarray, n_sigma: float = 3.0, iterations: int = 10) -> tuple[float, float, int]:
    """Median and standard deviation of the values within `n_sigma` of the median, clipped until nothing changes.

    Parameters
    ----------
    values : array, shape (n,)
        Finite numbers.

    Returns
    -------
    median, scatter : float
        NaN without values. The scatter is corrected for what clipping takes from a Gaussian.
    count : int
        Values kept.
    """
    kept = np.sort(np.asarray(values, dtype=float).ravel())
    if kept.size == 0:
        return NAN, NAN, 0
    for _ in range(iterations):
        middle = kept[kept.size // 2]
        # 1.4826 x the median absolute deviation, by quartiles: the array is sorted, so this costs nothing.
        spread = 0.7413 * (kept[(3 * (kept.size - 1)) // 4] - kept[(kept.size - 1) // 4])
        if spread <= 0:
            break
        low, high = np.searchsorted(kept, (middle - n_sigma * spread, middle + n_sigma * spread))
        if high - low == kept.size or high <= low:
            break
        kept = kept[low:high]
    scatter = float(np.std(kept)) / CLIPPED_SIGMA if kept.size > 1 else NAN
    middle = 0.5 * (kept[(kept.size - 1) // 2] + kept[kept.size // 2])  # the median: the array is sorted
    return float(middle), scatter, int(kept.size)


def thinned(values: np.ndarray, most: int = 10_000) -> np.ndarray:
    """Every so many of the values, at most about `most`: enough for a median, and quick to sort."""
    return values[:: max(values.size // most, 1)]


def empty_noise_factor(values: np.ndarray, good: np.ndarray, radius: float) -> float:
    """How much noisier sums over an aperture are than independent pixels would make them.

    Resampling and faint unseen sources tie neighbouring pixels together, so √(area) times the scatter of a pixel is
    too small. Here boxes with the area of the aperture are summed wherever no source is seen, about the local mean.

    Parameters
    ----------
    values : array, shape (ny, nx)
        Counts in units of each pixel's noise, sky subtracted.
    good : bool array, shape (ny, nx)
        Pixels with data.
    radius : float
        Of the aperture, in pixels.

    Returns
    -------
    float
        1 or more; 1 where there are too few empty places to tell.
    """
    values = np.where(good, values, 0.0)
    smooth = ndimage.uniform_filter(values, 3, mode="nearest")
    level, scatter, _ = clipped_sky(smooth[::2, ::2][good[::2, ::2]])
    if not scatter > 0:
        return 1.0
    sources = ndimage.binary_dilation(smooth - level > EMPTY_SIGMA * scatter, iterations=2)
    empty = (good & ~sources).astype(float)
    side = max(round(radius * np.sqrt(np.pi)), 1)
    while side > 1:
        wide = 6 * side + 1
        share = ndimage.uniform_filter(empty, wide, mode="constant")
        local = np.divide(
            ndimage.uniform_filter(values * empty, wide, mode="constant"),
            share,
            out=np.zeros_like(values),
            where=share > 0,
        )
        count = ndimage.uniform_filter(empty, side, mode="constant") * side**2
        total = ndimage.uniform_filter((values - local) * empty, side, mode="constant") * side**2
        # Boxes half a side apart hold nearly all the information there is.
        apart = (slice(side // 4, None, max(side // 2, 1)),) * 2
        count, total = count[apart], total[apart]
        usable = count > 0.9 * side**2
        if np.count_nonzero(usable) >= 4 * EMPTY_BOXES_MINIMUM:
            _, spread, _ = clipped_sky(total[usable] / np.sqrt(count[usable]))
            return float(max(spread, 1.0))
        side //= 2  # smaller boxes see less of the correlation: better than nothing
    return 1.0


class Background:
    """The pixels of a cutout and the noise that all of them share, which is reckoned once and kept with the cutout.

    Attributes
    ----------
    good : bool array, shape (ny, nx)
        Pixels with data (and with an error, where the cutout has errors).
    data : array, shape (ny, nx)
        Counts, 0 where there are none.
    variance : array, shape (ny, nx), or None
        From the cutout's error image.
    """

    def __init__(self, cutout: Cutout) -> None:
        self.scale = cutout.pixel_scale
        self.good = np.isfinite(cutout.data)
        if cutout.error is not None:
            self.good &= np.isfinite(cutout.error)
        self.data = np.where(self.good, cutout.data, 0.0).astype(float)
        self.variance = None if cutout.error is None else np.where(self.good, cutout.error, 0.0).astype(float) ** 2
        self._kept = cutout.kept

    @property
    def overall(self) -> tuple[float, float, int]:
        """Level and scatter of all pixels, and how many they are from."""
        if "overall" not in self._kept:
            self._kept["overall"] = clipped_sky(thinned(self.data[self.good]))
        level, scatter, count = self._kept["overall"]
        return level, scatter, count

    def noise_factor(self, radius: float) -> float:
        """Noise of apertures of `radius` arcsec over that of independent pixels, from empty places."""
        key = f"noise factor {radius!r}"
        if key not in self._kept:
            self._kept[key] = self._noise_factor(radius)
        return float(self._kept[key])

    def _noise_factor(self, radius: float) -> float:
        level, scatter, _ = self.overall
        if not scatter > 0:
            return 1.0
        noise = scatter if self.variance is None else np.sqrt(self.variance)
        usable = self.good & (noise > 0)
        values = np.divide(self.data - level, noise, out=np.zeros_like(self.data), where=usable)
        return empty_noise_factor(values, usable, radius / self.scale)
