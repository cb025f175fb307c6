"""How rest-frame equivalent widths of Lyα and [O II] are distributed as measured, noise included.

A measured equivalent width is a noisy flux over a noisy continuum, so its distribution differs from the true
exponential: faint continua scatter to large widths. Here it is computed by quadrature from the published luminosity
functions and scale lengths and the noise of spectrum and imaging, after the recipe of Farrow et al. 2021, MNRAS 507,
3187, section 3. `docs/plae_poii.md` compares it with the tables in use at HETDEX, with and without the fitted
corrections below.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid
from scipy.interpolate import CubicSpline, PchipInterpolator

from elixer_widgets.classification.universe import (
    REST_WAVELENGTH,
    Kind,
    equivalent_width_scale,
    luminosity,
    luminosity_function,
)

AB_ZERO_POINT = 3631e-23
"""erg/s/cm²/Hz of AB magnitude 0 (Oke & Gunn 1983, ApJ 266, 713)."""
LIGHT_SPEED = 2.99792458e18
"""Å/s."""

IMAGING_DEPTH = 25.0
"""AB magnitude (5σ) of the imaging that HETDEX's distributions assume."""

LIMIT_SIGMA = 5.0
"""S/N above which a line is detected: published, the flux has an error of the line limit over this."""

NORMALISED_BETWEEN = (0.51823, 3000.0)
"""Å rest frame; the distributions integrate to 1 over this range. The lower end is that of the tables in use at HETDEX;
beyond the upper one there are next to none. Continua measured negative, which have no width, are not counted."""

# 5σ line limits (erg/s/cm²) in use at HETDEX, at wavelengths in Å; the second is the minimum
_LIMIT_WAVELENGTH = (3499.0, 5167.0, 5498.0)
_LIMIT_FLUX = (8.588e-17, 3.60e-17, 3.976e-17)

OII_TABLE_REDSHIFT = 0.25
"""The [O II] scale lengths of the tables in use at HETDEX are the published ones times (1 + z)/1.25: as if observed
widths had all been brought to the rest frame of the middle of the table, z = 0.25. Without this factor the distribution
cannot be reproduced; with it, it is to a few per cent."""

# What is left over, fitted to published ordinates of the tables in use at HETDEX: their scale length over that of the
# recipe, by redshift ...
_SCALE_CORRECTION: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "LAE": ((1.94, 2.10, 2.30, 2.50, 2.75, 3.00, 3.25), (0.776, 0.807, 0.890, 0.933, 0.973, 0.992, 1.007)),
    "OII": (
        (0.0395, 0.08, 0.12, 0.16, 0.20, 0.25, 0.30, 0.35, 0.40),
        (0.981, 0.952, 0.956, 0.962, 0.972, 0.979, 0.989, 0.996, 1.005),
    ),
}
# ... the same for the noise of the imaging ...
_NOISE_CORRECTION: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "LAE": ((1.94, 2.10, 2.30, 2.50, 2.75), (0.68, 0.79, 0.95, 0.94, 0.88)),
    "OII": ((0.0,), (0.95,)),
}
# ... and the error of the flux at the limit over the limit, by observed wavelength (Å), the same for both classes
_FLUX_ERROR = (
    (3574.0, 3770.0, 3875.0, 4020.0, 4200.0, 4324.0, 4500.0),
    (0.308, 0.304, 0.29, 0.27, 0.245, 0.235, 0.212),
)

# Faintest true flux, in units of the limit, that noise may lift above it: sets how heavy the far tail is
_FAINTEST: dict[str, float] = {"LAE": 0.1, "OII": 0.5}

_Z_NODES: dict[str, np.ndarray] = {"LAE": np.linspace(1.80, 3.60, 19), "OII": np.linspace(0.001, 0.501, 21)}
LOG_WIDTHS = np.linspace(np.log10(0.05), np.log10(3000.0), 140)
"""log10 of the rest widths (Å) of the tables."""


def ab_flux_density(magnitude: ArrayLike, wavelength: ArrayLike) -> np.ndarray:
    """Flux density (erg/s/cm²/Å) at `wavelength` (Å) of an AB magnitude."""
    magnitude, wavelength = np.asarray(magnitude, float), np.asarray(wavelength, float)
    return AB_ZERO_POINT * 10.0 ** (-0.4 * magnitude) * LIGHT_SPEED / wavelength**2


@lru_cache(maxsize=1)
def _log_limit() -> PchipInterpolator:
    return PchipInterpolator(_LIMIT_WAVELENGTH, np.log(_LIMIT_FLUX), extrapolate=True)


def line_limit(wavelength: ArrayLike) -> np.ndarray:
    """5σ line limit (erg/s/cm²) at an observed wavelength (Å): a monotone curve through the published values."""
    return np.exp(_log_limit()(np.asarray(wavelength, float)))


def recipe_scale(kind: Kind, z: ArrayLike) -> np.ndarray:
    """Scale length (Å, rest frame) that the recipe starts from, without the fitted corrections."""
    z = np.asarray(z, float)
    scale = equivalent_width_scale(kind, z)
    return scale * (1.0 + z) / (1.0 + OII_TABLE_REDSHIFT) if kind == "OII" else scale


def _corrected(table: dict[str, tuple[tuple[float, ...], tuple[float, ...]]], kind: Kind, z: float) -> float:
    return float(np.interp(z, *table[kind]))


def distribution(kind: Kind, z: float, width: np.ndarray, *, corrected: bool = True) -> np.ndarray:
    """Probability density of the measured rest equivalent width at one redshift, by quadrature.

    Parameters
    ----------
    kind : {"LAE", "OII"}
    z : float
    width : array, shape (n,)
        Å, rest frame, positive.
    corrected : bool
        False leaves out the fitted corrections, so that nothing but published parameters and `OII_TABLE_REDSHIFT`
        enter.

    Returns
    -------
    array, shape (n,)
        per Å, of all lines whose measured flux is above the limit (not normalised to `NORMALISED_BETWEEN`).

    Notes
    -----
    True fluxes follow the luminosity function, true widths E an exponential. The flux F' is measured with an error
    of about limit/5, the continuum with an error n of a fifth of the imaging's depth, so 1/E' = (F/F')/E + n (1+z)/F':
    an exponential of scale w0 F'/F, and in 1/E' a normal error. Nodes: measured flux, its error, the continuum's error.
    """
    wavelength = REST_WAVELENGTH[kind] * (1.0 + z)
    scale = float(recipe_scale(kind, z))
    noise = float(ab_flux_density(IMAGING_DEPTH, wavelength)) / 5.0
    if corrected:
        scale *= _corrected(_SCALE_CORRECTION, kind, z)
        noise *= _corrected(_NOISE_CORRECTION, kind, z)
    relative = float(np.interp(wavelength, *_FLUX_ERROR)) if corrected else 1.0 / LIMIT_SIGMA
    limit = float(line_limit(wavelength))
    node, flux_weight = np.polynomial.legendre.leggauss(14)
    measured = limit * np.exp(0.5 * (node + 1.0) * np.log(100.0))  # beyond, noise hardly matters
    error, error_weight = np.polynomial.hermite_e.hermegauss(5)
    true = measured[:, None] - error * relative * limit
    possible = true > _FAINTEST[kind] * limit
    true = np.where(possible, true, limit)
    number = luminosity_function(kind, z).density(luminosity(true, z, "published")) / true  # per unit of flux
    weight = np.where(possible, flux_weight[:, None] * error_weight * measured[:, None] * number, 0.0)
    weight /= weight.sum()
    scales = scale * measured[:, None] / true

    offset, offset_weight = np.polynomial.legendre.leggauss(48)
    offset, offset_weight = (
        6.5 * offset,
        6.5 * offset_weight * np.exp(-0.5 * (6.5 * offset) ** 2) / np.sqrt(2.0 * np.pi),
    )
    inverse = 1.0 / width[:, None, None] - (noise * (1.0 + z) / measured)[:, None] * offset
    positive = inverse > 0
    inverse = np.where(positive, inverse, 1.0)
    density = np.zeros(width.size)
    for share, each in zip(weight.T, scales.T, strict=True):
        exponential = np.exp(-1.0 / (inverse * each[:, None])) / (each[:, None] * inverse**2)
        density += (np.where(positive, exponential, 0.0) @ offset_weight) @ share
    return density / width**2


def log_density_row(kind: Kind, z: float, *, corrected: bool = True) -> np.ndarray:
    """Natural log of the normalised density (per Å) at one redshift, at the table's widths."""
    # A spline through few widths is as good as many: the density is smooth in the logarithm
    coarse = np.linspace(LOG_WIDTHS[0], LOG_WIDTHS[-1], 56) * np.log(10.0)
    spline = CubicSpline(coarse, np.log(distribution(kind, z, np.exp(coarse), corrected=corrected)))
    low, high = np.log(NORMALISED_BETWEEN)
    fine = np.linspace(low, high, 400)
    area = trapezoid(np.exp(spline(fine) + fine), fine)
    return np.asarray(spline(LOG_WIDTHS * np.log(10.0)) - np.log(area))


@lru_cache(maxsize=2)
def _table(kind: Kind) -> np.ndarray:
    """Natural log of the density, shape (redshift nodes, width nodes); computed at the first use."""
    table = np.array([log_density_row(kind, float(z)) for z in _Z_NODES[kind]])
    table.setflags(write=False)
    return table


def density_redshifts(kind: Kind) -> np.ndarray:
    """Redshifts between which, at one width, `log_density` is a straight line."""
    return _Z_NODES[kind]


def log_density(kind: Kind, width: ArrayLike, z: ArrayLike) -> np.ndarray:
    """Natural log of the probability density (per Å) of a measured rest-frame equivalent width.

    Parameters
    ----------
    kind : {"LAE", "OII"}
    width : array-like
        Å, rest frame, positive. Outside 0.05 to 3000 Å the density of the nearer end is given.
    z : array-like
        Redshift; broadcasts against `width`. Outside 1.80 to 3.60 (LAE), 0.001 to 0.501 (OII) that of the
        nearer end.

    Returns
    -------
    array
        Finite for every positive width.
    """
    table, nodes = _table(kind), _Z_NODES[kind]
    row = (np.asarray(z, float) - nodes[0]) / (nodes[1] - nodes[0])
    row = np.minimum(np.maximum(row, 0.0), nodes.size - 1.0)
    column = (np.log10(width) - LOG_WIDTHS[0]) / (LOG_WIDTHS[1] - LOG_WIDTHS[0])
    column = np.minimum(np.maximum(column, 0.0), LOG_WIDTHS.size - 1.0)
    i = np.minimum(row.astype(int), nodes.size - 2)
    j = np.minimum(column.astype(int), LOG_WIDTHS.size - 2)
    a, b = row - i, column - j
    return (1.0 - a) * ((1.0 - b) * table[i, j] + b * table[i, j + 1]) + a * (
        (1.0 - b) * table[i + 1, j] + b * table[i + 1, j + 1]
    )
