"""Noise shared by neighbouring samples, as resampling makes it: how much, and what it does to the errors of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.starts import half_window

MAX_LAG = 6
"""Samples; resampling mixes a few neighbours, what reaches further is the continuum."""

MIN_PAIRS = 100
CLIP = 3.5
"""Residuals beyond so many σ, and their neighbours, are lines, or what is left of the sky."""

SIGNIFICANT = 3.5
"""σ from which the correlation of direct neighbours counts: white noise stays as it is, but in few of 1,000 spectra."""

SMOOTHING = 81
"""Samples over whose running median the continuum is taken off."""


def noise_correlation(spectrum: Spectrum, lines: Sequence[LineFit] = ()) -> np.ndarray:
    """The autocorrelation of a spectrum's noise, from its parts without lines.

    Parameters
    ----------
    spectrum : Spectrum
    lines : sequence of LineFit
        Lines to keep away from; what exceeds 3.5 σ is left out in any case.

    Returns
    -------
    array, shape (lags,)
        Correlation of samples 0, 1, 2 ... apart, the first being 1; only that if the noise is white as far as can be
        told, or if there are too few samples.
    """
    white = np.ones(1)
    good = np.array(spectrum.good)
    if good.sum() < MIN_PAIRS:
        return white
    wavelength = np.asarray(spectrum.wavelength)
    flux = np.where(good, spectrum.flux, np.interp(wavelength, wavelength[good], np.asarray(spectrum.flux)[good]))
    residual = flux - ndimage.median_filter(flux, SMOOTHING, mode="nearest")
    if spectrum.has_error:
        residual = residual / np.where(good, spectrum.error, 1.0)
    scatter = 1.4826 * float(np.median(np.abs(residual[good])))
    if not scatter > 0:
        return white
    keep = good & ~ndimage.binary_dilation(np.abs(residual) > CLIP * scatter, iterations=2)
    for each in lines:
        if np.isfinite(each.flux):
            keep &= np.abs(wavelength - each.center) > 3.0 * each.sigma
    if keep.sum() < MIN_PAIRS:
        return white
    r = np.where(keep, residual - np.mean(residual[keep]), 0.0)
    variance = np.mean(r[keep] ** 2)
    out = [1.0]
    for lag in range(1, MAX_LAG + 1):
        pairs = int(np.sum(keep[lag:] & keep[:-lag]))
        if pairs < MIN_PAIRS:
            break
        value = float(np.sum(r[lag:] * r[:-lag])) / (pairs * variance)
        error = pairs**-0.5
        # the first that is lost in its own error ends the list: beyond, only noise would be added up
        if abs(value) < (SIGNIFICANT if lag == 1 else 1.0) * error:
            break
        out.append(value)
    return np.array(out)


def with_correlated_noise(fit: LineFit, spectrum: Spectrum, correlation: np.ndarray) -> LineFit:
    """The fit with the errors that it has if the noise of neighbouring samples is correlated.

    Parameters
    ----------
    fit : LineFit
        As from `fit_line` on `spectrum`, whose errors say the scatter of single samples.
    spectrum : Spectrum
    correlation : array, shape (lags,)
        As from `noise_correlation`.

    Returns
    -------
    LineFit
        Errors enlarged (or, if neighbours are anticorrelated, lowered) by the ratio of the covariance of the estimate
        under correlated noise, H⁻¹ Jᵀ R J H⁻¹ with H = JᵀJ, to that under white noise, H⁻¹; the signal to noise by
        that of the matched filter. Unchanged for a correlation of one element.
    """
    if correlation.size < 2 or not np.isfinite(fit.flux) or fit.flux == 0:
        return fit
    wavelength = np.asarray(spectrum.wavelength)
    inside = np.abs(wavelength - fit.center) <= float(half_window(np.asarray(fit.sigma), None))
    good = np.asarray(spectrum.good)[inside]
    t = (wavelength[inside] - fit.center) / fit.sigma
    g = np.exp(-0.5 * t * t)
    # what flux, centre, width at the same flux, and continuum change, but for factors that cancel in the ratio
    rows = [g, t * g, (t * t - 1.0) * g, np.ones(t.size)]
    if fit.slope != 0.0:
        rows.append(t)
    error = np.asarray(spectrum.error)[inside] if spectrum.has_error else np.ones(t.size)
    root = np.where(good, 1.0 / np.where(good, error, 1.0), 0.0)
    design = np.stack(rows) * root
    # R J: every sample with its neighbours
    mixed = correlation[0] * design
    for lag, value in enumerate(correlation[1:], start=1):
        mixed[:, lag:] += value * design[:, :-lag]
        mixed[:, :-lag] += value * design[:, lag:]
    hessian = design @ design.T
    if np.linalg.cond(hessian) > 1e12:
        return fit
    inverse = np.linalg.inv(hessian)
    # an estimated correlation need not be one that can be: keep the variances positive
    ratio = np.maximum(np.diag(inverse @ (design @ mixed.T) @ inverse) / np.diag(inverse), 0.05)
    flux, center, sigma, level = np.sqrt(ratio[:4])
    filtered = float(np.sqrt(max((design[0] @ mixed[0]) / hessian[0, 0], 0.05)))
    return replace(
        fit, center_err=fit.center_err * center, sigma_err=fit.sigma_err * sigma, flux_err=fit.flux_err * flux,
        continuum_err=fit.continuum_err * level, snr=fit.snr / filtered,
    )  # fmt: skip
