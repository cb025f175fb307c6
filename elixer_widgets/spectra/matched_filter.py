"""The matched filter of the blind search: signal to noise of a line of a given width, at every sample.

Also what that signal to noise is worth: after so many trials, and where the noise is larger than the errors say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, stats

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.gaussians import ROOT_2PI, Samples

FILTER_WIDTHS = (2.4, 4.0, 7.0, 12.0, 20.0, 35.0)
"""Å; a factor of 1.7 apart, so that no line loses more than 4 % of its signal to noise."""

NODES_PER_SIGMA = 4.0
"""The filter moves in steps of σ over this; between the nodes its shape is taken as linear, wrong by less than 1 %."""

MOST_NODES = 20000

SCALE_HALF_WINDOW = 300.0
SCALE_SIGMAS = 50.0
"""Half width of the window in which noise is compared with the errors: Å, or in σ of the line if that is more."""

LEAST_PLACES = 10.0
"""Independent places below which the scatter of the noise is not known."""

LEAST_HALF_WINDOW = 28.0
"""Å on either side of a narrow line: some 20 samples of continuum at HETDEX's 2 Å step."""

HALF_WINDOW_SIGMAS = 4.5
"""Half width of the window of a broad line in units of its σ: beyond, less than 1e-5 of the flux is left."""


def half_window(sigma: float) -> float:
    """Half the width (Å) of the part of the spectrum in which a line of σ `sigma` (Å) is looked for."""
    return max(LEAST_HALF_WINDOW, HALF_WINDOW_SIGMAS * sigma)


def _summed(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    out: np.ndarray = ndimage.correlate1d(values, kernel, mode="constant")
    return out


@dataclass(frozen=True)
class _Width:
    """The filter of one width: what does not depend on the flux, on evenly spaced nodes."""

    width: float
    nodes: np.ndarray
    index: np.ndarray
    part: np.ndarray
    kernel: np.ndarray
    gaussian: np.ndarray
    weight: np.ndarray
    determinant: np.ndarray

    @classmethod
    def of(cls, wavelength: np.ndarray, ivar: np.ndarray, width: float) -> _Width:
        """Weights of the samples laid on nodes, each shared by the two beside it, so that an uneven grid is even."""
        steps, span = np.diff(wavelength), float(wavelength[-1] - wavelength[0])
        step = float(np.median(steps))
        # whole steps, so that the samples of an even grid lie on nodes
        spacing = max(step * max(1, int(width / NODES_PER_SIGMA / step)), 0.1 * width, span / MOST_NODES)
        if np.ptp(steps) > 1e-3 * step:
            spacing = max(min(spacing, 0.4 * width), span / MOST_NODES)
        place = (wavelength - wavelength[0]) / spacing
        index = np.floor(place + 1e-6).astype(int)
        part = place - index
        nodes = wavelength[0] + spacing * np.arange(int(index[-1]) + 2)
        reach = max(2, round(half_window(width) / spacing))
        offsets = np.arange(-reach, reach + 1) * spacing
        kernel = np.exp(-0.5 * (offsets / width) ** 2) / (width * ROOT_2PI)
        laid = _laid(ivar, index, part, nodes.size)
        square, gaussian = _summed(laid, kernel**2), _summed(laid, kernel)
        weight = _summed(laid, np.ones_like(kernel))
        determinant = square * weight - gaussian**2
        determinant = np.where(determinant > 1e-9 * square * weight, determinant, np.nan)
        return cls(width, nodes, index, part, kernel, gaussian, weight, determinant)

    def area(self, weighted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Area and its error at the nodes, from flux times inverse variance (n,)."""
        laid = _laid(weighted, self.index, self.part, self.nodes.size)
        both = _summed(laid, self.kernel), _summed(laid, np.ones_like(self.kernel))
        area = (both[0] * self.weight - self.gaussian * both[1]) / self.determinant
        return area, np.sqrt(self.weight / self.determinant)


def _laid(values: np.ndarray, index: np.ndarray, part: np.ndarray, n: int) -> np.ndarray:
    laid = np.bincount(index, values * (1.0 - part), n) + np.bincount(index + 1, values * part, n)
    out: np.ndarray = laid[:n]
    return out


@dataclass(frozen=True)
class MatchedFilter:
    """The filter for one grid and one set of errors, at all widths; to be used for many fluxes.

    Make it with `MatchedFilter.of(spectrum)`.
    """

    wavelength: np.ndarray
    ivar: np.ndarray
    widths: tuple[_Width, ...]

    @classmethod
    def of(cls, spectrum: Spectrum, widths: tuple[float, ...] = FILTER_WIDTHS) -> MatchedFilter:
        """The filter for the grid and the errors of a spectrum; `widths` are σ in Å."""
        wavelength, ivar = np.asarray(spectrum.wavelength), Samples.of([spectrum]).ivar[0]
        return cls(wavelength, ivar, tuple(_Width.of(wavelength, ivar, each) for each in widths))

    def snr(self, flux: np.ndarray) -> np.ndarray:
        """Signed signal to noise, shape (widths, n); 0 where masked samples leave it undetermined."""
        weighted = np.where(self.ivar > 0, flux, 0.0) * self.ivar
        out = np.empty((len(self.widths), self.wavelength.size))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for i, each in enumerate(self.widths):
                area, area_err = each.area(weighted)
                out[i] = np.interp(self.wavelength, each.nodes, np.nan_to_num(area / area_err, posinf=0.0, neginf=0.0))
        return out


def matched_filter(spectrum: Spectrum, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Area of a Gaussian of σ `width` (Å) at every sample, with a free local continuum.

    Returns
    -------
    area, area_err : array, shape (n,)
        Flux density x Å; NaN where masked samples leave it undetermined.
    """
    one = MatchedFilter.of(spectrum, (width,))
    weighted = np.where(one.ivar > 0, spectrum.flux, 0.0) * one.ivar
    with np.errstate(invalid="ignore", divide="ignore"):
        area, area_err = one.widths[0].area(weighted)
    nodes = one.widths[0].nodes
    return np.interp(one.wavelength, nodes, area), np.interp(one.wavelength, nodes, area_err)


def number_of_trials(spectrum: Spectrum) -> float:
    """How many independent places and widths the search tries: its span over 2.5 σ, summed over the widths."""
    span = float(np.sum(spectrum.good) * spectrum.step)
    return float(sum(span / (2.5 * width) for width in FILTER_WIDTHS))


def corrected_significance(snr: float | np.ndarray, trials: float) -> np.ndarray:
    """σ of a Gaussian with the chance that the best of `trials` noise peaks, of either sign, reaches `snr`."""
    log_single = np.log(2.0) + stats.norm.logsf(snr)
    chance = -np.expm1(trials * np.log1p(-np.exp(np.minimum(log_single, np.log(0.999999)))))
    # beyond 37σ the chance underflows; there the correction is the change of the log probability
    direct = stats.norm.isf(np.maximum(chance, 1e-300))
    far = np.sqrt(np.maximum(np.asarray(snr) ** 2 - 2.0 * np.log(2.0 * trials), 0.0))
    return np.where(chance > 1e-290, direct, far)


def noise_scale(snr: np.ndarray, wavelength: np.ndarray, usable: np.ndarray, center: float, sigma: float) -> float:
    """By how much noise exceeds what the errors say, for a line of one width at one place; 1 where it does not.

    Parameters
    ----------
    snr : array, shape (widths, n)
        The filter's signal to noise where all lines have been taken off: its scatter should be 1. It is larger where
        errors are too small, and where the noise of neighbouring samples is correlated.
    wavelength : array, shape (n,)
        Å.
    usable : array of bool, shape (n,)
        Samples that are neither masked nor covered by a strong line.
    center, sigma : float
        Of the line, Å.

    Returns
    -------
    float
        The 68 % quantile of |snr| around the line, which outliers hardly move; 1 unless it exceeds 1 by more than its
        own uncertainty.
    """
    i = int(np.argmin(np.abs(np.log(np.array(FILTER_WIDTHS) / sigma))))
    half = max(SCALE_HALF_WINDOW, SCALE_SIGMAS * FILTER_WIDTHS[i])
    near = usable & (np.abs(wavelength - center) <= half)
    step = float(np.median(np.diff(wavelength)))
    places = np.sum(near) * step / (2.5 * FILTER_WIDTHS[i])
    if places < LEAST_PLACES:
        return 1.0
    scale = float(np.quantile(np.abs(snr[i, near]), 0.6827))
    # a 68 % quantile of |x| of n Gaussians scatters by 0.96 / √n
    return scale if scale > 1.0 + 0.96 / np.sqrt(places) else 1.0
