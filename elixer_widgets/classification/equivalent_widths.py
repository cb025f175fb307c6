"""How rest-frame equivalent widths of Lyα and [O II] are distributed as measured, continuum noise included.

An equivalent width is a flux over a noisy continuum, so the measured distribution differs from the true
exponential: faint continua scatter to large widths. Here the distribution is computed by quadrature from
the luminosity function, the exponential, and the noise of the imaging, after the recipe of Farrow et al.
2021, MNRAS 507, 3187, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid

from elixer_widgets.classification.universe import REST_WAVELENGTH, Kind, luminosity, luminosity_function

AB_ZERO_POINT = 3631e-23
"""erg/s/cm²/Hz of AB magnitude 0 (Oke & Gunn 1983, ApJ 266, 713)."""
LIGHT_SPEED = 2.99792458e18
"""Å/s."""

IMAGING_DEPTH = 25.0
"""AB magnitude (5σ) of the imaging that HETDEX's distributions assume."""

NORMALISED_BETWEEN = (0.51823, 1500.0)
"""Å rest frame; the distributions integrate to 1 over this range: the lower end is that of the tables in
use at HETDEX, the upper one makes their normalisation."""

# Faintest line flux (erg/s/cm²) that enters, at wavelengths in Å. The curve of 5σ limits in use at HETDEX
# runs from 8.6e-17 at 3499 Å through 3.6e-17 at 5167 Å; this one was fitted together with the scales below.
_LIMIT_WAVELENGTH = (3450.0, 3574.0, 3769.0, 4012.0, 4255.0, 4559.0, 4863.0, 5167.0, 5471.0, 5560.0)
_LIMIT_FLUX = (9.3e-17, 8.29e-17, 6.86e-17, 5.35e-17, 4.75e-17, 4.5e-17, 4.2e-17, 3.98e-17, 4.115e-17, 4.2e-17)


_LIMIT_FACTOR: dict[str, float] = {"LAE": 1.0, "OII": 0.85}
"""The tail of the [O II] distribution is made of noise; this makes it as heavy as the one in use at HETDEX."""


@dataclass(frozen=True)
class _Scale:
    """Effective scale (Å) and its logarithmic spread over redshift nodes.

    The distributions in use at HETDEX are not exactly those of the published scale lengths. These values,
    fitted to a sample of their ordinates, make the recipe reproduce them (to 4 % for Lyα and 2 % for [O
    II] where there are galaxies).
    """

    z: tuple[float, ...]
    scale: tuple[float, ...]
    spread: tuple[float, ...]


_SCALES: dict[str, _Scale] = {
    "LAE": _Scale(
        (1.94, 2.10, 2.30, 2.50, 2.75, 3.00, 3.25, 3.50),
        (46.82, 54.11, 62.93, 72.11, 85.57, 99.98, 115.36, 129.13),
        (0.374, 0.303, 0.199, 0.03, 0.0, 0.0, 0.0, 0.0),
    ),
    "OII": _Scale(
        (0.0395, 0.08, 0.12, 0.16, 0.20, 0.25, 0.30, 0.35, 0.40, 0.46),
        (5.64, 6.35, 7.39, 8.43, 9.65, 11.23, 13.71, 16.58, 19.76, 23.70),
        (0.178, 0.170, 0.147, 0.155, 0.143, 0.135, 0.135, 0.140, 0.138, 0.142),
    ),
}
_Z_NODES: dict[str, np.ndarray] = {"LAE": np.linspace(1.80, 3.60, 19), "OII": np.linspace(0.001, 0.501, 21)}
_LOG_E = np.linspace(np.log10(0.05), np.log10(3000.0), 140)


def ab_flux_density(magnitude: ArrayLike, wavelength: ArrayLike) -> np.ndarray:
    """Flux density (erg/s/cm²/Å) at `wavelength` (Å) of an AB magnitude."""
    magnitude, wavelength = np.asarray(magnitude, float), np.asarray(wavelength, float)
    return AB_ZERO_POINT * 10.0 ** (-0.4 * magnitude) * LIGHT_SPEED / wavelength**2


def _extended(z: float, nodes: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Linear interpolation, the end pieces extended as straight lines."""
    i = int(np.clip(np.searchsorted(nodes, z) - 1, 0, len(nodes) - 2))
    return values[i] + (z - nodes[i]) * (values[i + 1] - values[i]) / (nodes[i + 1] - nodes[i])


def _line_limit(wavelength: float) -> float:
    """Faintest line flux (erg/s/cm²) entering the distribution."""
    return float(np.exp(np.interp(wavelength, _LIMIT_WAVELENGTH, np.log(_LIMIT_FLUX))))


def _noise_kernel(kind: Kind, z: float, lines: int = 24, samples: int = 121) -> tuple[np.ndarray, np.ndarray]:
    """Noise of the inverse rest equivalent width: offsets (1/Å) and their probabilities (adding to 1).

    1/E = C(1+z)/F, so Gaussian continuum noise is Gaussian in 1/E with σ = σ_C (1+z)/F, wide for faint
    lines. The kernel is the mean over the luminosity function above the line limit.
    """
    wavelength = REST_WAVELENGTH[kind] * (1.0 + z)
    node, weight = np.polynomial.legendre.leggauss(lines)
    faintest = _line_limit(wavelength) * _LIMIT_FACTOR[kind]
    # Beyond 200 times the limit, noise hardly matters
    flux = faintest * np.exp(0.5 * (node + 1.0) * np.log(200.0))
    weight = weight * luminosity_function(kind, z).density(luminosity(flux, z, "published"))
    sigma = ab_flux_density(IMAGING_DEPTH, wavelength) / 5.0 * (1.0 + z) / flux
    # Dense near 0, where bright lines put a spike
    offset = 7.0 * sigma[0] * np.sinh(np.linspace(-7.0, 7.0, samples)) / np.sinh(7.0)
    kernel = np.sum(weight / sigma * np.exp(-0.5 * (offset[:, None] / sigma) ** 2), axis=1)
    kernel *= np.gradient(offset)
    return offset, kernel / kernel.sum()


def _distribution(kind: Kind, z: float, width: np.ndarray) -> np.ndarray:
    """Probability density (1/Å) of the measured rest equivalent width at one redshift."""
    table = _SCALES[kind]
    scale = max(_extended(z, table.z, table.scale), 1.0)
    spread = max(_extended(z, table.z, table.spread), 0.0)
    node, weight = np.polynomial.hermite_e.hermegauss(5)
    scales = scale * np.exp(spread * node - 0.5 * spread**2)
    weight = weight / weight.sum()
    offset, kernel = _noise_kernel(kind, z)
    inverse = 1.0 / width[:, None] - offset  # of the true width
    positive = inverse > 0
    safe = np.where(positive, inverse, 1.0)
    density = np.zeros_like(safe)
    for each, share in zip(scales, weight, strict=True):
        density += share * np.exp(-1.0 / (safe * each)) / (each * safe**2)
    return (np.where(positive, density, 0.0) @ kernel) / width**2


@lru_cache(maxsize=2)
def _table(kind: Kind) -> np.ndarray:
    """Natural log of the density, shape (redshift nodes, width nodes); computed at the first use."""
    width = 10.0**_LOG_E
    fine = np.geomspace(*NORMALISED_BETWEEN, 160)
    rows = []
    for z in _Z_NODES[kind]:
        area = trapezoid(_distribution(kind, float(z), fine) * fine, np.log(fine))
        rows.append(np.log(_distribution(kind, float(z), width) / area))
    table = np.array(rows)
    table.setflags(write=False)
    return table


def log_density_at(kind: Kind, z: float) -> tuple[np.ndarray, np.ndarray]:
    """The density at one redshift: log10 of the width (Å, ascending) and natural log of the density (per Å)."""
    table, nodes = _table(kind), _Z_NODES[kind]
    row = min(max((z - nodes[0]) / (nodes[1] - nodes[0]), 0.0), nodes.size - 1.0)
    i = min(int(row), nodes.size - 2)
    return _LOG_E, table[i] + (row - i) * (table[i + 1] - table[i])


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
    column = (np.log10(width) - _LOG_E[0]) / (_LOG_E[1] - _LOG_E[0])
    column = np.minimum(np.maximum(column, 0.0), _LOG_E.size - 1.0)
    i = np.minimum(row.astype(int), nodes.size - 2)
    j = np.minimum(column.astype(int), _LOG_E.size - 2)
    a, b = row - i, column - j
    return (1.0 - a) * ((1.0 - b) * table[i, j] + b * table[i, j + 1]) + a * (
        (1.0 - b) * table[i + 1, j] + b * table[i + 1, j + 1]
    )
