"""P(LAE)/P(OII): how much more often a line like this one is Lyα than [O II].

The ratio of the expected numbers of Lyα emitters and [O II] galaxies at the observed wavelength, line flux
and equivalent width: Leung et al. 2017, ApJ 843, 130 (arXiv:1510.07043), in the form of Farrow et al.
2021, MNRAS 507, 3187. It compares these two only. Fluxes are in erg/s/cm² and, in this module, continua in
erg/s/cm²/Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from elixer_widgets.classification.equivalent_widths import log_density, log_density_at
from elixer_widgets.classification.universe import (
    REST_WAVELENGTH,
    Kind,
    luminosity_function,
    sphere_and_volume,
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
    z = wavelength / REST_WAVELENGTH[kind] - 1.0
    possible = z > 0
    sky = _sky_there(kind, np.where(possible, z, 0.1))
    return replace(sky, amplitude=np.where(possible, sky.amplitude, -np.inf))


def _sky_there(kind: Kind, z: np.ndarray) -> _Sky:
    """The same at redshifts that are all positive."""
    lf = luminosity_function(kind, z)
    sphere, volume = sphere_and_volume(z)
    amplitude = np.log(lf.phi_star * lf.total_factor * volume / REST_WAVELENGTH[kind])
    return _Sky(amplitude, sphere / 10.0**lf.log_l_star, 1.0 + z, lf.alpha + 1.0)


@dataclass(frozen=True, eq=False)
class _Place:
    """The ratio at one wavelength as a function of flux and width alone.

    ln R = constant + slope ln F + decline F + table(ln W): F in erg/s/cm², W the observed width in Å.
    """

    constant: float
    slope: float
    decline: float
    log_width: np.ndarray
    table: np.ndarray


@lru_cache(maxsize=4096)
def _place(wavelength: float) -> _Place | None:
    """What `log_ratio` needs of one wavelength, kept: a line is judged on several continua. None without [O II]."""
    if not wavelength > REST_WAVELENGTH["OII"]:
        return None
    constant, slope, decline = 0.0, 0.0, 0.0
    nodes, rows = [], []
    for kind, sign in (("LAE", 1.0), ("OII", -1.0)):
        sky = _sky_there(kind, np.asarray(wavelength / REST_WAVELENGTH[kind] - 1.0))
        scale, stretch = float(sky.scale), float(sky.stretch)
        constant += sign * (float(sky.amplitude) + sky.slope * np.log(scale) - np.log(stretch))
        slope += sign * sky.slope
        decline -= sign * scale
        log_width, density = log_density_at(kind, stretch - 1.0)
        nodes.append(log_width * np.log(10.0) + np.log(stretch))
        rows.append(density)
    # Both are linear between their own nodes, so their difference is so between the nodes of either
    together = np.sort(np.concatenate(nodes))
    table = np.interp(together, nodes[0], rows[0]) - np.interp(together, nodes[1], rows[1])
    return _Place(constant, slope, decline, together, table)


def _log_number(kind: Kind, wavelength: np.ndarray, flux: np.ndarray, width: np.ndarray) -> np.ndarray:
    """ln of the expected number, up to what both classes share; -inf where the class is impossible.

    `width` is the observed equivalent width in Å; `flux` and `width` are positive.
    """
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
    if wavelength.ndim == 0:
        place = _place(float(wavelength))
        if place is None:
            return np.where(good, np.inf, np.nan)
        ratio = (
            place.constant
            + place.slope * np.log(safe_flux)
            + place.decline * safe_flux
            + np.interp(np.log(safe_width), place.log_width, place.table)
        )
    else:
        ratio = _log_number("LAE", wavelength, safe_flux, safe_width) - _log_number(
            "OII", wavelength, safe_flux, safe_width
        )
    return np.where(good, np.where(width > OII_WIDTH_LIMIT, np.inf, ratio), np.nan)


@lru_cache(maxsize=16)
def _even_draws(dimension: int, size: int) -> np.ndarray:
    """Numbers spread evenly over 0 to 1, shape (size,), different in each dimension.

    An additive recurrence in two dimensions (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences",
    from memory): pairs fill the unit square evenly, so that a few hundred tell what takes thousands of random ones.
    """
    plastic = 1.324717957244746
    even = np.mod(0.5 + np.arange(1, size + 1) / plastic**dimension, 1.0)
    even.setflags(write=False)
    return even


def _positive_normal(value: np.ndarray, error: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Draws from normal distributions cut to positive values, at the given quantiles.

    Parameters
    ----------
    value, error : array, shape (n, 1) or (1,)
        An error of 0 gives the value itself.
    even : array, shape (draws,) or (n, draws)
        0 to 1.

    Returns
    -------
    array
        Broadcast shape; NaN where nothing positive can be drawn.
    """
    exact = ~(error > 0)
    sigma = np.where(exact, 1.0, error)
    below = ndtr(-value / sigma)
    # Far below zero the cut leaves nothing to draw from in double precision
    impossible = ~exact & (below > 1.0 - 1e-12)
    below = np.minimum(below, 1.0 - 1e-12)
    drawn = value + sigma * ndtri(below + even * (1.0 - below))
    return np.where(impossible, np.nan, np.where(exact, value + 0.0 * even, drawn))


def draw_log_ratio(
    wavelength: float,
    flux: float,
    flux_err: float,
    continuum: ArrayLike,
    continuum_err: ArrayLike,
    *,
    lines: Sequence[ExtraLine] = (),
    draws: int = _DRAWS,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Draws of ln P(LAE)/P(OII) for flux and continuum within their errors.

    Parameters
    ----------
    wavelength : float
        Å observed.
    flux, flux_err : float
        erg/s/cm².
    continuum, continuum_err : float or array, shape (n,)
        erg/s/cm²/Å; several continua are judged on the same draws of the flux. All are drawn from normal
        distributions cut to positive values.
    lines : sequence of ExtraLine
        Further lines of the object; those at the places of [O II]'s companions count.
    draws : int
    generator : numpy.random.Generator, optional
        By default the draws are spread evenly, the same for every call.

    Returns
    -------
    array, shape (draws,), or (n, draws) for arrays of continua
        NaN where flux or continuum cannot be positive.
    """
    if generator is None:
        first, second = _even_draws(1, draws), _even_draws(2, draws)
    else:
        first, second = generator.random(draws), generator.random((*np.shape(continuum), draws))
    fluxes = _positive_normal(np.array([flux], float), np.array([flux_err], float), first)
    continua = _positive_normal(
        np.asarray(continuum, float)[..., None], np.asarray(continuum_err, float)[..., None], second
    )
    ratio = log_ratio(wavelength, fluxes, fluxes / continua)
    if lines:
        ratio = ratio + _log_companions(wavelength, fluxes, flux_err, lines)
    return ratio


def plae_poii_many(
    wavelength: float,
    flux: float,
    flux_err: float,
    continuum: ArrayLike,
    continuum_err: ArrayLike,
    *,
    lines: Sequence[ExtraLine] = (),
    sources: Sequence[str] = (),
    draws: int = _DRAWS,
    generator: np.random.Generator | None = None,
) -> tuple[PlaeRatio, ...]:
    """P(LAE)/P(OII) of one line on several continua, each with its 68 % interval, in one go.

    Parameters
    ----------
    wavelength : float
        Å observed.
    flux, flux_err : float
        Line flux, erg/s/cm².
    continuum, continuum_err : array-like, shape (n,)
        Continua under the line, erg/s/cm²/Å. An error that is not finite counts as 0.
    lines : sequence of ExtraLine
        Further lines of the object.
    sources : sequence of str, length n
        What each continuum rests on; copied to the results.
    draws : int
        0 gives values without intervals.
    generator : numpy.random.Generator, optional
        By default the draws are spread evenly, the same for every call.

    Returns
    -------
    tuple of PlaeRatio, length n
        As `plae_poii` gives them one by one.
    """
    continua = np.atleast_1d(np.asarray(continuum, float))
    errors = np.broadcast_to(np.asarray(continuum_err, float), continua.shape)
    errors = np.where(np.isfinite(errors), errors, 0.0)
    names = tuple(sources) or ("",) * continua.size
    if not (np.isfinite(wavelength) and np.isfinite(flux)):
        return tuple(PlaeRatio(NAN, source=name) for name in names)
    flux_err = float(flux_err) if np.isfinite(flux_err) else 0.0
    known = np.isfinite(continua)
    if wavelength <= REST_WAVELENGTH["OII"]:
        value = float("inf") if flux > 0 or flux_err > 0 else NAN
        return tuple(
            PlaeRatio(value, value, value, name) if each else PlaeRatio(NAN, source=name)
            for name, each in zip(names, known, strict=True)
        )
    central = np.full(continua.size, np.nan)
    seen = known & (continua > 0)
    if flux > 0 and seen.any():
        fluxes = np.full(int(seen.sum()), float(flux))
        central[seen] = log_ratio(wavelength, fluxes, fluxes / continua[seen])
        if lines:
            central[seen] += _log_companions(wavelength, fluxes, flux_err, lines)
    low, high = central.copy(), central.copy()
    drawn = known & ((errors > 0) | (flux_err > 0))
    if draws and drawn.any():
        sample = draw_log_ratio(
            wavelength, flux, flux_err, continua[drawn], errors[drawn], lines=lines, draws=draws, generator=generator
        )
        # Sorted ranks instead of interpolated quantiles: some draws may be infinite. NaN makes NaN
        sample.sort(axis=-1)
        low[drawn], middle, high[drawn] = (
            np.where(np.isnan(sample[:, -1]), np.nan, sample[:, int(q * draws)]) for q in (0.16, 0.5, 0.84)
        )
        central[drawn] = np.where(np.isnan(central[drawn]), middle, central[drawn])
    with np.errstate(over="ignore"):
        values = np.exp(np.stack([central, low, high], axis=-1)).tolist()
    return tuple(
        PlaeRatio(value, below, above, name) for (value, below, above), name in zip(values, names, strict=True)
    )


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
    """P(LAE)/P(OII) of one line, with its 68 % interval; see `plae_poii_many` for several continua at once.

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
        By default the draws are spread evenly, the same for every call.

    Returns
    -------
    PlaeRatio
        `value` is the ratio at the values given where these are positive, else the median of the draws;
        `low` and `high` enclose the central 68 % of the draws. All NaN if flux or continuum cannot be
        positive.
    """
    return plae_poii_many(
        wavelength,
        flux,
        flux_err,
        [continuum],
        [continuum_err],
        lines=lines,
        sources=(source,),
        draws=draws,
        generator=generator,
    )[0]
