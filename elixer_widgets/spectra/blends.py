"""Two lines that look like one: joint fits of two Gaussians where a single one does not describe the data.

Two narrow lines a resolution element apart are taken apart. A broad line that is no Gaussian (Lyα, with the forest on
one side and N V on the other) is fitted around its peak, where its redshift is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.fitting import AT_LIMIT, FLUX_UNIT, LineFit, minimum_sigma
from elixer_widgets.spectra.gaussians import ROOT_2PI, levenberg
from elixer_widgets.spectra.matched_filter import HALF_WINDOW_SIGMAS, LEAST_HALF_WINDOW

MISFIT = 5.0
"""σ by which χ² must exceed its expectation for a second line to be tried."""

GAIN = 30.0
"""Δχ² that the three further parameters must bring, well beyond the 16 that noise reaches once in 1000."""

MIN_SNR = 6.0
SEPARATION = 0.8
"""Smallest distance of two lines of a blend, in units of the larger σ."""

PAIRS = (
    (-0.8, 0.45, 0.8, 0.45),
    (-1.5, 0.4, 1.5, 0.4),
    (-0.5, 0.35, 1.0, 0.7),
    (0.5, 0.35, -1.0, 0.7),
    (-1.3, 0.4, 0.2, 0.7),
    (1.3, 0.4, -0.2, 0.7),
    (0.0, 0.45, 0.0, 1.2),
)
"""Where two lines may lie under one Gaussian: offset and width of the one and the other, in σ of the single fit."""

BLENDED = "blended with another line"
CORE = "not a Gaussian: fitted around its peak"

CORE_SIGMA = 12.0
"""Å; only lines broader than this are fitted around the peak."""

CORE_SNR = 15.0
CORE_LEVELS = (0.45, 0.65, 0.8)
"""The core of a line is where it exceeds such a share of its height; the higher ones where wings merge with a
neighbour."""

NARROWER = 0.8
"""The core must be narrower than the whole line by this factor."""


def is_misfit(fit: LineFit) -> bool:
    """Whether χ² says that the line is not one Gaussian."""
    if not np.isfinite(fit.chi2) or fit.n_samples < 8:
        return False
    return (fit.chi2 - 1.0) * float(np.sqrt(fit.n_samples / 2.0)) > MISFIT


def split(spectrum: Spectrum, fit: LineFit, sigma_max: float) -> tuple[LineFit, LineFit] | None:
    """Two lines in place of one, or None if the data do not ask for them.

    Parameters
    ----------
    spectrum : Spectrum
        With errors, other lines taken off.
    fit : LineFit
        The single Gaussian.
    sigma_max : float
        Largest σ, Å.

    Returns
    -------
    tuple of two LineFit, or None
        Bluer first; errors from the joint covariance matrix.
    """
    if not is_misfit(fit):
        return None
    reach = max(LEAST_HALF_WINDOW, (HALF_WINDOW_SIGMAS + 1.0) * fit.sigma)
    keep = spectrum.good & (np.abs(spectrum.wavelength - fit.center) <= reach)
    x, y = np.asarray(spectrum.wavelength)[keep], np.asarray(spectrum.flux)[keep]
    root = 1.0 / np.asarray(spectrum.error)[keep]
    if x.size < 12:
        return None
    lowest = minimum_sigma(spectrum)
    bound = np.sign(fit.flux) * np.inf
    low = np.array([min(0.0, bound), x[0], lowest] * 2 + [-np.inf, -np.inf])
    high = np.array([max(0.0, bound), x[-1], sigma_max] * 2 + [np.inf, np.inf])

    def normal(p: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return _normal(p, x, y, root, fit.center, reach)

    start = _start(fit, x, y, root, lowest, reach)
    if start is None:
        return None
    single = _chi2_of_one(fit, x, y, root)
    chi2, p, hessian = levenberg(normal, start, low, high)
    if max(p[2], p[5]) > 0.95 * sigma_max:  # that is the continuum's shape, not a line
        return None
    if single - chi2 < GAIN or abs(p[1] - p[4]) < SEPARATION * max(p[2], p[5]):
        return None
    diagonal = np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    scaled = hessian / np.outer(diagonal, diagonal)
    if np.linalg.cond(scaled) > 1e10:
        return None
    error = np.sqrt(np.maximum(np.diag(np.linalg.inv(scaled)), 0.0)) / diagonal
    reduced = chi2 / max(x.size - 8, 1)
    parts = []
    for i in (0, 3):
        snr = float(abs(p[i]) * np.sqrt(hessian[i, i]))
        if snr < MIN_SNR or error[i] > 0.5 * abs(p[i]):
            return None
        parts.append(
            LineFit(
                center=float(p[i + 1]), sigma=float(p[i + 2]), flux=float(p[i]) * FLUX_UNIT, continuum=float(p[6]),
                snr=snr, chi2=float(reduced), center_err=float(error[i + 1]), sigma_err=float(error[i + 2]),
                flux_err=float(error[i]) * FLUX_UNIT, continuum_err=float(error[6]), n_samples=int(x.size),
                flags=(BLENDED,),
            )
        )  # fmt: skip
    parts = [replace(each, slope=float(p[7]) / reach) for each in parts]
    first, second = sorted(parts, key=lambda each: each.center)
    return first, second


def _start(
    fit: LineFit, x: np.ndarray, y: np.ndarray, root: np.ndarray, lowest: float, reach: float
) -> np.ndarray | None:
    """The best of some pairs of places and widths, with the areas and the continuum that belong to it by least squares.

    The eight parameters of a blend; None if in no pair both lines have the sign of the fit.
    """
    sign = np.sign(fit.flux)
    peak = (float(x[np.argmax(sign * np.convolve(y, np.ones(5) / 5.0, mode="same"))]) - fit.center) / fit.sigma
    pairs = np.array([*PAIRS, (peak, 0.45, -peak, 1.0), (peak, 0.45, peak - 1.5, 0.6), (peak, 0.45, peak + 1.5, 0.6)])
    places, widths = fit.center + pairs[:, ::2] * fit.sigma, np.maximum(pairs[:, 1::2] * fit.sigma, 1.1 * lowest)
    t = (x - places[:, :, None]) / widths[:, :, None]
    rows = np.empty((len(pairs), 4, x.size))
    rows[:, :2] = np.exp(-0.5 * t * t) / (widths[:, :, None] * ROOT_2PI)
    rows[:, 2], rows[:, 3] = 1.0, (x - fit.center) / reach
    rows *= root
    gradient = rows @ (y * root)
    product = rows @ rows.transpose(0, 2, 1)
    scale = np.sqrt(np.maximum(np.einsum("kii->ki", product), 1e-300))
    scaled = product / (scale[:, :, None] * scale[:, None, :]) + 1e-9 * np.eye(4)
    linear = np.linalg.solve(scaled, (gradient / scale)[:, :, None])[:, :, 0] / scale
    gain = np.where(np.all(sign * linear[:, :2] > 0, axis=1), np.sum(linear * gradient, axis=1), -np.inf)
    best = int(np.argmax(gain))
    if not np.isfinite(gain[best]):
        return None
    (first, second), (one, two), (a, b, level, tilt) = places[best], widths[best], linear[best]
    return np.array([a, first, one, b, second, two, level, tilt])


def core(spectrum: Spectrum, fit: LineFit) -> LineFit | None:
    """The Gaussian of the part around the peak of a broad line that is no Gaussian; None if it is one.

    Parameters
    ----------
    spectrum : Spectrum
        With errors, other lines taken off.
    fit : LineFit
        The single Gaussian over the whole line; its continuum is kept.
    """
    if fit.sigma < CORE_SIGMA or fit.snr < CORE_SNR or not is_misfit(fit):
        return None
    near = spectrum.good & (np.abs(spectrum.wavelength - fit.center) <= 2.5 * fit.sigma)
    x = np.asarray(spectrum.wavelength)[near]
    if x.size < 15:
        return None
    sign = float(np.sign(fit.flux))
    above = sign * (np.asarray(spectrum.flux)[near] - fit.continuum - fit.slope * (x - fit.center))
    weight = np.asarray(spectrum.error)[near] ** -2.0
    kernel = np.exp(-0.5 * ((x[:, None] - x) / max(6.0, 0.2 * fit.sigma)) ** 2) * weight
    smooth = kernel @ above / kernel.sum(axis=1)
    inner = np.abs(x - fit.center) <= 1.5 * fit.sigma
    if not inner.any():
        return None
    peak = int(np.flatnonzero(inner)[np.argmax(smooth[inner])])
    if smooth[peak] <= 0:
        return None
    for level in CORE_LEVELS:
        below = np.flatnonzero(smooth < level * smooth[peak])
        first = below[below < peak].max(initial=-1) + 1
        last = below[below > peak].min(initial=x.size)
        if last - first < 6:
            return None
        found = _peak(x[first:last], above[first:last], np.sqrt(weight[first:last]), minimum_sigma(spectrum), fit)
        if found is not None:
            return found
    return None


def _peak(x: np.ndarray, y: np.ndarray, root: np.ndarray, narrowest: float, fit: LineFit) -> LineFit | None:
    """A Gaussian without continuum on the samples of a core; None if it is not narrower than the whole line."""

    def normal(p: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        t = (x - p[1]) / p[2]
        g = np.exp(-0.5 * t * t) / (p[2] * ROOT_2PI)
        rows = np.stack([g, p[0] * g * t / p[2], p[0] * g * (t * t - 1.0) / p[2], y - p[0] * g]) * root
        product = rows @ rows.T
        return float(product[3, 3]), product[:3, :3], product[:3, 3]

    width = min(max(0.4 * float(x[-1] - x[0]), narrowest * 1.1), NARROWER * fit.sigma)
    start = np.array([float(np.max(y)) * width * ROOT_2PI, float(np.mean(x)), width])
    chi2, p, hessian = levenberg(normal, start, np.array([0.0, x[0], narrowest]), np.array([np.inf, x[-1], fit.sigma]))
    diagonal = np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    scaled = hessian / np.outer(diagonal, diagonal)
    if np.linalg.cond(scaled) > 1e8 or p[2] > NARROWER * fit.sigma:
        return None
    reduced = chi2 / max(x.size - 3, 1)
    error = np.sqrt(np.diag(np.linalg.inv(scaled)) * max(reduced, 1.0)) / diagonal
    return LineFit(
        center=float(p[1]), sigma=float(p[2]), flux=float(np.sign(fit.flux) * p[0]) * FLUX_UNIT,
        continuum=fit.continuum, snr=float(p[0] * np.sqrt(hessian[0, 0])), chi2=float(reduced),
        center_err=float(error[1]), sigma_err=float(error[2]), flux_err=float(error[0]) * FLUX_UNIT,
        continuum_err=fit.continuum_err, n_samples=int(x.size),
        flags=(*(flag for flag in fit.flags if flag != AT_LIMIT), CORE), slope=fit.slope,
    )  # fmt: skip


def _normal(
    p: np.ndarray, x: np.ndarray, y: np.ndarray, root: np.ndarray, middle: float, reach: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """χ², JᵀWJ (8, 8) and JᵀWr (8,) of two Gaussians on a sloped continuum."""
    rows = np.empty((9, x.size))
    rows[6], rows[7] = 1.0, (x - middle) / reach
    model = p[6] + p[7] * rows[7]
    for i in (0, 3):
        t = (x - p[i + 1]) / p[i + 2]
        g = np.exp(-0.5 * t * t) / (p[i + 2] * ROOT_2PI)
        rows[i], rows[i + 1], rows[i + 2] = g, p[i] * g * t / p[i + 2], p[i] * g * (t * t - 1.0) / p[i + 2]
        model = model + p[i] * g
    rows[8] = y - model
    rows *= root
    product = rows @ rows.T
    return float(product[8, 8]), product[:8, :8], product[:8, 8]


def _chi2_of_one(fit: LineFit, x: np.ndarray, y: np.ndarray, root: np.ndarray) -> float:
    """χ² of the single Gaussian over the same samples, with continuum and slope as free as the blend's."""
    base = np.stack([fit.profile(x), np.ones_like(x), x - fit.center]) * root
    coefficients = np.linalg.lstsq(base.T, y * root, rcond=None)[0]
    return float(np.sum((y * root - coefficients @ base) ** 2))
