"""P(LAE)/P(OII): how much more often a line like this one is Lyα than [O II].

The ratio of the expected numbers of Lyα emitters and [O II] galaxies at the observed wavelength, line flux
and equivalent width: Leung et al. 2017, ApJ 843, 130 (arXiv:1510.07043), in the form of Farrow et al.
2021, MNRAS 507, 3187. It compares these two only. Fluxes are in erg/s/cm² and, in this module, continua in
erg/s/cm²/Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from elixer_widgets.classification.equivalent_widths import log_density, log_density_at
from elixer_widgets.classification.universe import (
    REST_WAVELENGTH,
    Kind,
    luminosity,
    luminosity_function,
    volume_element,
)
from elixer_widgets.detection import NAN

PUBLISHED_RANGE = (0.001, 1000.0)
"""Where the display and the catalogue clip the ratio."""

OII_WIDTH_LIMIT = 600.0
"""Å, observed frame; beyond it the published calculation excludes [O II]."""

LINE_MATCH = 2.0
"""Å observed; a further line counts as one of [O II]'s companions within this distance."""

# Rest wavelength (Å) and flux relative to [O II] (Leung et al. 2017, table 3: one-fifth solar metallicity).
_COMPANIONS: tuple[tuple[float, float], ...] = (
    (3869.00, 0.23227247),
    (4861.32, 0.55834729),
    (4958.91, 0.90284757),
    (5006.84, 2.65326633),
)
_DRAWS = 1000
_SEED = 20170901


@dataclass(frozen=True)
class PlaeRatio:
    """P(LAE)/P(OII) with its 68 % interval; unclipped (the display and the catalogue clip to 0.001 to 1000).

    `source` names the continuum it rests on. Infinite where [O II] is impossible.
    """

    value: float
    low: float = NAN
    high: float = NAN
    source: str = ""

    @property
    def clipped(self) -> tuple[float, float, float]:
        """Value, low and high within the published range 0.001 to 1000; NaN stays NaN."""
        low, high = PUBLISHED_RANGE
        value, below, above = np.clip([self.value, self.low, self.high], low, high)
        return float(value), float(below), float(above)


@dataclass(frozen=True)
class ExtraLine:
    """Another line of the same object: Å observed, and flux with its error in erg/s/cm²."""

    wavelength: float
    flux: float
    flux_err: float


@dataclass(frozen=True, eq=False)
class _Sky:
    """What depends on wavelength and class alone.

    `amplitude` is the ln of φ* dV/dz/λ0 (-inf where the class is impossible), `scale` L/L* of a flux of 1 erg/s/cm²,
    `stretch` 1 + z, `slope` α + 1.
    """

    amplitude: np.ndarray
    scale: np.ndarray
    stretch: np.ndarray
    slope: float


def _sky(kind: Kind, wavelength: np.ndarray) -> _Sky:
    rest = REST_WAVELENGTH[kind]
    z = wavelength / rest - 1.0
    possible = z > 0
    safe = np.where(possible, z, 0.1)
    lf = luminosity_function(kind, safe)
    amplitude = np.log(lf.phi_star * lf.total_factor * volume_element(safe) / rest)
    scale = luminosity(1.0, safe, "published") / 10.0**lf.log_l_star
    return _Sky(np.where(possible, amplitude, -np.inf), scale, 1.0 + safe, lf.alpha + 1.0)


@lru_cache(maxsize=512)
def _sky_at(kind: Kind, wavelength: float) -> tuple[_Sky, np.ndarray, np.ndarray]:
    """`_sky` of one wavelength and the equivalent-width density there, kept: a line is judged on several continua."""
    sky = _sky(kind, np.asarray(wavelength))
    return sky, *log_density_at(kind, float(sky.stretch) - 1.0)


def _log_number(kind: Kind, wavelength: np.ndarray, flux: np.ndarray, width: np.ndarray) -> np.ndarray:
    """ln of the expected number, up to what both classes share; -inf where the class is impossible.

    `width` is the observed equivalent width in Å; `flux` and `width` are positive.
    """
    if wavelength.ndim == 0:
        sky, nodes, row = _sky_at(kind, float(wavelength))
        log_width = np.log(width / sky.stretch)
        density = np.interp(log_width / np.log(10.0), nodes, row)
    else:
        sky = _sky(kind, wavelength)
        log_width = np.log(width / sky.stretch)
        density = log_density(kind, width / sky.stretch, sky.stretch - 1.0)
    x = flux * sky.scale
    return sky.amplitude + sky.slope * np.log(x) - x + log_width + density


def _log_companions(wavelength: float, flux: np.ndarray, flux_err: float, lines: Sequence[ExtraLine]) -> np.ndarray:
    """ln of the further lines' likelihood ratio, Lyα (nothing there) over [O II] (a companion there)."""
    total = np.zeros_like(flux)
    if wavelength <= REST_WAVELENGTH["OII"]:
        return total
    stretch = wavelength / REST_WAVELENGTH["OII"]
    for rest, strength in _COMPANIONS:
        for line in lines:
            if abs(line.wavelength - rest * stretch) > LINE_MATCH or not line.flux_err > 0:
                continue
            variance = line.flux_err**2 + (strength * flux_err) ** 2
            total = total + 0.5 * ((line.flux - strength * flux) ** 2 - line.flux**2) / variance
            break
    return total


def log_ratio(wavelength: ArrayLike, flux: ArrayLike, equivalent_width: ArrayLike) -> np.ndarray:
    """Natural logarithm of P(LAE)/P(OII), vectorised, without further lines.

    Parameters
    ----------
    wavelength : array-like
        Å observed.
    flux : array-like
        Line flux, erg/s/cm², positive.
    equivalent_width : array-like
        Å, observed frame, positive.

    Returns
    -------
    array
        Broadcast shape. +inf where [O II] is impossible (blueward of 3727.8 Å, or wider than 600 Å), NaN
        where flux or width is not positive.

    Notes
    -----
    n = φ(ln L) · dV/dz/λ0 · E f(E, z) for each class (Farrow et al. 2021, equations 5 to 8). No flux limit
    enters, since both classes share flux and wavelength.
    """
    wavelength = np.asarray(wavelength, float)
    flux, width = np.asarray(flux, float), np.asarray(equivalent_width, float)
    good = (flux > 0) & (width > 0) & np.isfinite(wavelength)
    safe_flux, safe_width = np.where(good, flux, 1e-17), np.where(good, width, 1.0)
    ratio = _log_number("LAE", wavelength, safe_flux, safe_width) - _log_number(
        "OII", wavelength, safe_flux, safe_width
    )
    return np.where(good, np.where(width > OII_WIDTH_LIMIT, np.inf, ratio), np.nan)


def _exp(logarithm: float) -> float:
    """The exponential, infinite where it overflows."""
    return float(np.exp(logarithm)) if logarithm < 700.0 else float("inf")


def _positive_normal(value: float, error: float, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draws from a normal distribution cut to positive values."""
    if not error > 0:
        return np.full(size, value)
    below = ndtr(-value / error)
    # Far below zero the cut leaves nothing to draw from in double precision
    if below > 1.0 - 1e-12:
        return np.full(size, np.nan)
    return value + error * ndtri(below + generator.random(size) * (1.0 - below))


def draw_log_ratio(
    wavelength: float,
    flux: float,
    flux_err: float,
    continuum: float,
    continuum_err: float,
    *,
    lines: Sequence[ExtraLine] = (),
    draws: int = _DRAWS,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Draws of ln P(LAE)/P(OII) for flux and continuum within their errors, shape (draws,).

    Parameters
    ----------
    wavelength : float
        Å observed.
    flux, flux_err : float
        erg/s/cm².
    continuum, continuum_err : float
        erg/s/cm²/Å. Both quantities are drawn from normal distributions cut to positive values.
    lines : sequence of ExtraLine
        Further lines of the object; those at the places of [O II]'s companions count.
    draws : int
    generator : numpy.random.Generator, optional
        By default one with a fixed seed, so that the same input gives the same output.
    """
    generator = np.random.default_rng(_SEED) if generator is None else generator
    fluxes = _positive_normal(flux, flux_err, draws, generator)
    continua = _positive_normal(continuum, continuum_err, draws, generator)
    ratio = log_ratio(wavelength, fluxes, fluxes / continua)
    if lines:
        ratio = ratio + _log_companions(wavelength, fluxes, flux_err, lines)
    return ratio


def plae_poii(
    wavelength: float,
    flux: float,
    flux_err: float = 0.0,
    continuum: float = NAN,
    continuum_err: float = 0.0,
    *,
    lines: Sequence[ExtraLine] = (),
    source: str = "",
    draws: int = _DRAWS,
    generator: np.random.Generator | None = None,
) -> PlaeRatio:
    """P(LAE)/P(OII) of one line, with its 68 % interval.

    Parameters
    ----------
    wavelength : float
        Å observed.
    flux, flux_err : float
        Line flux, erg/s/cm².
    continuum, continuum_err : float
        Continuum under the line, erg/s/cm²/Å.
    lines : sequence of ExtraLine
        Further lines of the object.
    source : str
        What the continuum rests on; copied to the result.
    draws : int
        0 gives the value without an interval.
    generator : numpy.random.Generator, optional

    Returns
    -------
    PlaeRatio
        `value` is the ratio at the values given where these are positive, else the median of the draws;
        `low` and `high` enclose the central 68 % of the draws. All NaN if flux or continuum cannot be
        positive.
    """
    if not (np.isfinite(wavelength) and np.isfinite(flux) and np.isfinite(continuum)):
        return PlaeRatio(NAN, source=source)
    flux_err = float(flux_err) if np.isfinite(flux_err) else 0.0
    continuum_err = float(continuum_err) if np.isfinite(continuum_err) else 0.0
    if wavelength <= REST_WAVELENGTH["OII"]:
        possible = flux > 0 or flux_err > 0
        value = float("inf") if possible else NAN
        return PlaeRatio(value, value, value, source)
    central = NAN
    if flux > 0 and continuum > 0:
        single = np.array([float(flux)])
        logarithm = log_ratio(wavelength, single, single / continuum) + _log_companions(
            wavelength, single, flux_err, lines
        )
        central = _exp(float(logarithm[0]))
    if draws == 0 or not (flux_err > 0 or continuum_err > 0):
        return PlaeRatio(central, central, central, source)
    sample = draw_log_ratio(
        wavelength, flux, flux_err, continuum, continuum_err, lines=lines, draws=draws, generator=generator
    )
    if np.any(np.isnan(sample)):
        return PlaeRatio(central, source=source)
    # Sorted ranks instead of interpolated quantiles: some draws may be infinite
    low, middle, high = (_exp(float(x)) for x in np.sort(sample)[[int(q * draws) for q in (0.16, 0.5, 0.84)]])
    return PlaeRatio(middle if np.isnan(central) else central, low, high, source)
