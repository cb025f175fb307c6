"""The posterior distribution of a line's parameters, on demand: exact on a grid, no chain to converge.

Given centre and width, flux and continuum are linear parameters with a Gaussian posterior that can be written down.
What remains is a distribution over two numbers, which a fine grid holds; the draws come out of it independent of each
other, in milliseconds, and the same for the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from elixer_widgets.detection import DataError, Spectrum
from elixer_widgets.spectra.fitting import FLUX_UNIT, LineFit, fit_line, minimum_sigma
from elixer_widgets.spectra.gaussians import ROOT_2PI
from elixer_widgets.spectra.starts import MAX_SHIFT, SIGMA_MAX, SLOPE_SIGMA, half_window

NODES = 41
"""Nodes of the grid in centre and in ln σ."""

REACH = 6.0
"""The grid spans so many errors of the fit on either side, within the bounds of the fit."""

SIDE = (1.0 - special.erf(np.sqrt(0.5))) / 2.0
"""What lies on either side of an interval of 68.3 %."""


@dataclass(frozen=True)
class SampledLine:
    """Draws from the posterior of a Gaussian on a local continuum.

    Attributes
    ----------
    center, sigma : array, shape (n,)
        Å.
    flux : array, shape (n,)
        erg/s/cm²; of one sign, that of the fit.
    continuum : array, shape (n,)
        At the centre of the fit, 1e-17 erg/s/cm²/Å.
    fit : LineFit
        The fit around which the grid lies.
    """

    center: np.ndarray
    sigma: np.ndarray
    flux: np.ndarray
    continuum: np.ndarray
    fit: LineFit

    def interval(self, name: str, level: float = 1.0 - 2.0 * SIDE) -> tuple[float, float, float]:
        """Median, lower and upper end of the central interval of `center`, `sigma`, `flux` or `continuum`.

        Parameters
        ----------
        name : str
        level : float
            What the interval holds, 0 to 1; 68.3 % unless told.
        """
        side = 0.5 * (1.0 - level)
        middle, low, high = np.quantile(getattr(self, name), [0.5, side, 1.0 - side])
        return float(middle), float(low), float(high)


@dataclass(frozen=True)
class _Window:
    """The samples that are fitted: offsets from the line (Å), flux and 1/error; continuum terms (2 or 1, w)."""

    x: np.ndarray
    flux: np.ndarray
    root: np.ndarray
    terms: np.ndarray

    def linear(self, center: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Area, its error, and the signal to noise, continuum free, at k places (offsets) and widths, each (k,)."""
        g = np.exp(-0.5 * ((self.x - center[:, None]) / sigma[:, None]) ** 2) / (sigma[:, None] * ROOT_2PI)
        g = g * self.root
        # what the continuum cannot explain
        base, _ = np.linalg.qr((self.terms * self.root).T)
        free = self.flux * self.root
        free = free - base @ (base.T @ free)
        inner = g @ base
        norm = np.einsum("kw,kw->k", g, g) - np.einsum("kt,kt->k", inner, inner)
        norm = np.maximum(norm, 1e-12 * np.einsum("kw,kw->k", g, g) + 1e-300)
        overlap = g @ free
        return overlap / norm, 1.0 / np.sqrt(norm), overlap / np.sqrt(norm)


def sample_line(
    spectrum: Spectrum,
    line: LineFit | float,
    *,
    n: int = 1000,
    seed: int = 0,
    window: float | None = None,
) -> SampledLine:
    """Draw from the posterior of a line: what the fit says, with its skewness and correlations.

    Parameters
    ----------
    spectrum : Spectrum
        With the neighbours of the line taken off, if it has any (`fitting.without_lines`).
    line : LineFit or float
        A fit of the line, or the wavelength (Å in air) near which it is fitted first.
    n : int
        Number of draws.
    seed : int
        The same seed gives the same draws.
    window : float, optional
        Half width in Å of the part used; by default that of the fit.

    Returns
    -------
    SampledLine

    Raises
    ------
    DataError
        If `n` is not positive, or there is no line to sample: too few samples, or a fit without errors.

    Notes
    -----
    Prior: flat in centre, ln σ and continuum, and in flux over its error at the centre and width in question (Jeffreys'
    prior of the flux), so that all signal to noise ratios are equally likely at every width; a prior flat in flux would
    favour the broad lines, whose fluxes are the less certain. The flux keeps the sign of the fit.
    """
    if n < 1:
        raise DataError(f"sample_line: n is {n}; ask for at least one draw")
    fit = line if isinstance(line, LineFit) else fit_line(spectrum, line, window=window)
    if not (np.isfinite(fit.flux_err) and fit.center_err > 0 and fit.sigma_err > 0 and fit.flux != 0):
        raise DataError(
            f"sample_line: the fit at {fit.center:.1f} Å has no errors ({', '.join(fit.flags) or 'no flags'}); "
            "there is nothing to sample around"
        )
    half = float(half_window(np.asarray(fit.sigma), window))
    part = _window(spectrum, fit, half)
    sign = -1.0 if fit.is_absorption else 1.0
    shift = min(REACH * fit.center_err, max(MAX_SHIFT, 0.5 * fit.sigma))
    reach = REACH * fit.sigma_err / fit.sigma
    low = max(np.log(minimum_sigma(spectrum)), np.log(fit.sigma) - reach)
    high = max(min(np.log(min(SIGMA_MAX, half / 2.0)), np.log(fit.sigma) + reach), low + 1e-3)
    places, widths = np.linspace(-shift, shift, NODES), np.linspace(low, high, NODES)
    center, log_sigma = (each.ravel() for each in np.meshgrid(places, widths))
    _, _, snr = part.linear(center, np.exp(log_sigma))
    # ∫ exp(-χ²/2) / (error of the flux) over flux of the right sign and continuum
    weight = 0.5 * snr**2 + special.log_ndtr(sign * snr)
    chance = np.cumsum(np.exp(weight - weight.max()))
    rng = np.random.default_rng(seed)
    node = np.searchsorted(chance, rng.uniform(0.0, chance[-1], n))
    node = np.minimum(node, chance.size - 1)
    # anywhere in the cell of the node
    jitter = rng.uniform(-0.5, 0.5, (2, n))
    center = center[node] + jitter[0] * (places[1] - places[0])
    sigma = np.exp(log_sigma[node] + jitter[1] * (widths[1] - widths[0]))
    area, error, snr = part.linear(center, sigma)
    below = special.ndtr(-sign * snr)
    height = special.ndtri(below + rng.uniform(0.0, 1.0, n) * (1.0 - below))
    area = area + sign * error * np.where(np.isfinite(height), height, 0.0)
    return SampledLine(fit.center + center, sigma, area * FLUX_UNIT, _continuum(part, center, sigma, area, rng), fit)


def _window(spectrum: Spectrum, fit: LineFit, half: float) -> _Window:
    keep = spectrum.good & (np.abs(spectrum.wavelength - fit.center) <= half)
    x = np.asarray(spectrum.wavelength)[keep] - fit.center
    # without errors the scatter about the fit serves as one
    root = 1.0 / np.asarray(spectrum.error)[keep] if spectrum.has_error else np.full(x.size, fit.chi2**-0.5)
    level = np.ones((1, x.size))
    sloped = fit.slope != 0.0 or fit.sigma > SLOPE_SIGMA
    terms = np.concatenate([level, x[None, :] / half]) if sloped else level
    return _Window(x, np.asarray(spectrum.flux)[keep], root, terms)


def _continuum(
    part: _Window, center: np.ndarray, sigma: np.ndarray, area: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws of the continuum at the fit's centre, given the line of each draw."""
    g = np.exp(-0.5 * ((part.x - center[:, None]) / sigma[:, None]) ** 2) / (sigma[:, None] * ROOT_2PI)
    terms = part.terms * part.root
    covariance = np.linalg.inv(terms @ terms.T)
    rest = (part.flux - area[:, None] * g) * part.root
    # the tilt is zero at the centre of the fit: only the constant counts there
    level = (rest @ terms.T) @ covariance[:, 0]
    return level + np.sqrt(covariance[0, 0]) * rng.normal(size=area.size)
