"""P(LAE)/P(OII): how much more often a line like this one is Lyα than [O II].

The ratio of the expected numbers of Lyα emitters and [O II] galaxies at the observed wavelength, line flux
and equivalent width: Leung et al. 2017, ApJ 843, 130 (arXiv:1510.07043), in the form of Farrow et al.
2021, MNRAS 507, 3187. It compares these two only. Fluxes are in erg/s/cm² and, in this module, continua in
erg/s/cm²/Å.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, isfinite, log
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from elixer_widgets.classification.equivalent_widths import LOG_WIDTHS, density_redshifts, log_density
from elixer_widgets.classification.universe import (
    REST_WAVELENGTH,
    Kind,
    evolution_nodes,
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
_SIGNS = (("LAE", 1.0), ("OII", -1.0))
_LARGEST = 709.0  # ln of the largest number
_Numbers = TypeVar("_Numbers", float, np.ndarray)


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

    ln R = constant + slope ln F + decline F + table(ln W - ln λ): F in erg/s/cm², W the observed width in Å.
    """

    constant: float
    slope: float
    decline: float
    log_wave: float
    log_width: np.ndarray
    table: np.ndarray

    def log_ratio(self, flux: _Numbers, log_flux: _Numbers, log_width: _Numbers) -> _Numbers:
        """ln R of positive fluxes and widths, numbers or arrays."""
        width = np.interp(log_width - self.log_wave, self.log_width, self.table)
        return self.constant + self.slope * log_flux + self.decline * flux + width


@dataclass(frozen=True, eq=False)
class _Tables:
    """What `_Place` is read from, so that a wavelength never seen before costs a look-up.

    `wave` in Å and, there, `constant` less `growth` ln z and `decline`, z being the redshift of [O II]: smooth between
    the nodes, among which are all places where the published evolution bends. `nodes` in Å, `log_width` the ln of
    the observed width over the wavelength, and `difference` of the ln densities of widths, Lyα less [O II], shape
    (nodes, widths): exact, for the densities are linear between the same nodes.
    """

    wave: np.ndarray
    constant: np.ndarray
    growth: float
    decline: np.ndarray
    slope: float
    nodes: tuple[float, ...]
    log_width: np.ndarray
    difference: np.ndarray


_STEP = 0.25  # Å; ln R is then good to 5e-9 at 1e-16 erg/s/cm² and to 3e-7 at a hundred times that
_LONGEST = 5600.0  # Å, beyond which nothing is tabulated


def _terms(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Constant, decline and slope of `_Place` at wavelengths (Å) where [O II] is possible."""
    constant, decline, slope = np.zeros_like(wave), np.zeros_like(wave), 0.0
    for kind, sign in _SIGNS:
        sky = _sky_there(kind, wave / REST_WAVELENGTH[kind] - 1.0)
        constant += sign * (sky.amplitude + sky.slope * np.log(sky.scale) - np.log(sky.stretch))
        decline -= sign * sky.scale
        slope += sign * sky.slope
    return constant, decline, slope


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    """Filled once, at the first ratio."""
    shortest = REST_WAVELENGTH["OII"]
    bends = np.concatenate([REST_WAVELENGTH[kind] * (1.0 + np.array(evolution_nodes(kind))) for kind, _ in _SIGNS])
    wave = np.union1d(np.arange(shortest + _STEP, _LONGEST, _STEP), bends[(bends > shortest) & (bends < _LONGEST)])
    constant, decline, slope = _terms(wave)
    # At low redshift the volume goes as z² and L/L* as z² too, by which the luminosity function enters with its slope
    growth = -2.0 - 2.0 * _sky_there("OII", np.asarray(0.1)).slope
    constant -= growth * np.log(wave / shortest - 1.0)
    rest = np.array([REST_WAVELENGTH[kind] for kind, _ in _SIGNS])
    nodes = np.unique(np.concatenate([(1.0 + density_redshifts(kind)) * REST_WAVELENGTH[kind] for kind, _ in _SIGNS]))
    # A rest width is the observed one over λ, times the rest wavelength: nodes in rest width stay put in that ratio
    log_width = np.sort((LOG_WIDTHS[:, None] * np.log(10.0) - np.log(rest)).ravel())
    difference = np.zeros((nodes.size, log_width.size))
    for kind, sign in _SIGNS:
        redshift = nodes[:, None] / REST_WAVELENGTH[kind] - 1.0
        difference += sign * log_density(kind, np.exp(log_width) * REST_WAVELENGTH[kind], redshift)
    return _Tables(wave, constant, growth, decline, slope, tuple(nodes.tolist()), log_width, difference)


@lru_cache(maxsize=4096)
def _place(wavelength: float) -> _Place | None:
    """What `log_ratio` needs of one wavelength, kept: a line is judged on several continua. None without [O II]."""
    if not wavelength > REST_WAVELENGTH["OII"]:
        return None
    tables = _tables()
    if tables.wave[0] <= wavelength <= tables.wave[-1]:
        growth = tables.growth * log(wavelength / REST_WAVELENGTH["OII"] - 1.0)
        constant = float(np.interp(wavelength, tables.wave, tables.constant)) + growth
        decline = float(np.interp(wavelength, tables.wave, tables.decline))
    else:
        first, second, _ = _terms(np.array([wavelength]))
        constant, decline = float(first[0]), float(second[0])
    nodes = tables.nodes
    i = min(max(bisect_right(nodes, wavelength) - 1, 0), len(nodes) - 2)
    part = min(max((wavelength - nodes[i]) / (nodes[i + 1] - nodes[i]), 0.0), 1.0)
    table = (1.0 - part) * tables.difference[i] + part * tables.difference[i + 1]
    return _Place(constant, tables.slope, decline, log(wavelength), tables.log_width, table)


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
        ratio = place.log_ratio(safe_flux, np.log(safe_flux), np.log(safe_width))
    else:
        ratio = _log_number("LAE", wavelength, safe_flux, safe_width) - _log_number(
            "OII", wavelength, safe_flux, safe_width
        )
    return np.where(good, np.where(width > OII_WIDTH_LIMIT, np.inf, ratio), np.nan)


def _one_ratio(wavelength: float, flux: float, width: float) -> float:
    """The ratio itself for positive numbers, without the cost of arrays."""
    place = _place(wavelength)
    if place is None or width > OII_WIDTH_LIMIT:
        return float("inf")
    logarithm = place.log_ratio(flux, log(flux), log(width))
    return exp(logarithm) if logarithm < _LARGEST else float("inf")


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
    if not draws and not lines and flux > 0 and continuum > 0 and isfinite(flux * continuum * wavelength):
        value = _one_ratio(float(wavelength), float(flux), float(flux / continuum))
        return PlaeRatio(value, value, value, source)
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
