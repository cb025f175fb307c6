"""The published sky: how many Lyα emitters and [O II] galaxies there are, and how strong their lines.

The numbers are those with which HETDEX reckons P(LAE)/P(OII): Leung et al. 2017, ApJ 843, 130
(arXiv:1510.07043), as modified by Farrow et al. 2021, MNRAS 507, 3187. Distances in that calculation use
H0 = 100 km/s/Mpc; luminosities shown to people follow Planck 2018 instead (Planck Collaboration VI, 2020,
A&A 641, A6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline
from scipy.special import gamma, gammaincc

Kind = str
"""Name of a class: "LAE" or "OII"."""

REST_WAVELENGTH: dict[str, float] = {"LAE": 1215.67, "OII": 3727.8}
"""Å, as used in the published P(LAE)/P(OII); the redshift is λ/λ0 − 1 without a change of medium."""

LAE_EQUIVALENT_WIDTH_CUT = 20.0
"""Å rest frame. The Lyα luminosity functions count only stronger emitters (Gronwall et al. 2007, ApJ 667,
79)."""

LIGHT_SPEED = 299792.458
"""km/s."""

HUBBLE_DISTANCE = LIGHT_SPEED / 100.0
"""c/H0 in Mpc for H0 = 100 km/s/Mpc."""

OMEGA_MATTER = (0.0224 + 0.1193) / 0.67**2
"""(Ωb h² + Ωc h²)/h² with h = 0.67 in a flat universe, as published."""

_MPC_IN_CM = 3.0856775814913673e24
_Z_TOP = 12.0


@dataclass(frozen=True)
class _Population:
    """Published evolution of one class: node redshifts and the values there (logarithms base 10)."""

    z: tuple[float, ...]
    log_l_star: tuple[float, ...]
    log_phi_total: tuple[float, ...]
    w0: tuple[float, ...]
    alpha: float
    log_l_min: float
    hubble: float  # the h with which the luminosity function was published


# Leung et al. 2017, tables 1 and 2: Lyα after Gronwall et al. 2016 and Ciardullo et al. 2012, [O II] after
# Ciardullo et al. 2013, with the evolution of Lyα (rlf_h, w0) as Farrow et al. 2021 use it.
_POPULATIONS: dict[str, _Population] = {
    "LAE": _Population(
        (2.063, 3.104),
        (42.61, 42.77),
        (-3.08, -2.98),
        (50.01, 100.01),
        -1.65,
        float(np.log10(1.5e42)),
        0.6766,
    ),
    "OII": _Population(
        (0.1, 0.2625, 0.3875, 0.505),
        (41.07, 41.29, 41.50, 41.68),
        (-2.30, -2.12, -2.07, -2.07),
        (8.0, 11.5, 16.6, 21.5),
        -1.2,
        40.5,
        0.7,
    ),
}


def _population(kind: str) -> _Population:
    if kind not in _POPULATIONS:
        raise ValueError(f"{kind!r} is not a class of the published sky; give one of {', '.join(_POPULATIONS)}")
    return _POPULATIONS[kind]


def _linear(z: ArrayLike, nodes: tuple[float, ...], values: tuple[float, ...]) -> np.ndarray:
    """Piecewise linear in redshift, the end pieces extended as straight lines."""
    z = np.asarray(z, float)
    start = (values[1] - values[0]) / (nodes[1] - nodes[0])
    if len(nodes) == 2:
        return values[0] + (z - nodes[0]) * start
    end = (values[-1] - values[-2]) / (nodes[-1] - nodes[-2])
    below, above = np.minimum(z - nodes[0], 0.0), np.maximum(z - nodes[-1], 0.0)
    return np.interp(z, nodes, values) + below * start + above * end


# ------------------------------------------------------------------------------------------------- distances


@dataclass(frozen=True)
class _Cosmology:
    """A flat universe: H0 in km/s/Mpc; photons of `t_cmb` K and three neutrinos, one with `m_nu` eV, if not 0."""

    h0: float
    omega_matter: float
    t_cmb: float = 0.0
    n_eff: float = 3.046
    m_nu: float = 0.06

    def expansion(self, z: np.ndarray) -> np.ndarray:
        """H(z)/H0. Neutrinos by the fit of Komatsu et al. 2011, ApJS 192, 18, equations 25 and 26."""
        # 4σT⁴/c³ over 3H0²/8πG, H0 in km/s/Mpc
        photons = 4.4816201e-3 * self.t_cmb**4 / self.h0**2 if self.t_cmb else 0.0

        def radiation(scale: np.ndarray) -> np.ndarray:
            mass = self.m_nu / (8.617333e-5 * 0.7137658555 * self.t_cmb) if self.t_cmb else 0.0
            heavy = (1.0 + (0.3173 * mass / scale) ** 1.83) ** (1.0 / 1.83)
            return photons * scale**4 * (1.0 + 0.22710731766 * self.n_eff / 3.0 * (2.0 + heavy))

        scale = 1.0 + z
        dark = 1.0 - self.omega_matter - float(radiation(np.asarray(1.0)))
        return np.sqrt(self.omega_matter * scale**3 + radiation(scale) + dark)


# Astropy has the second one too, but importing its cosmology takes longer than all else here together
_COSMOLOGIES: dict[str, _Cosmology] = {
    "published": _Cosmology(100.0, OMEGA_MATTER),
    "Planck18": _Cosmology(67.66, 0.30966, t_cmb=2.7255),
}


@lru_cache(maxsize=4)
def _comoving_spline(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Spline through the line-of-sight comoving distance (Mpc); better than 1e-6 for 0 < z < 12."""
    cosmology = _COSMOLOGIES[name]
    z = np.concatenate([np.linspace(0.0, 4.0, 1601), np.linspace(4.01, _Z_TOP, 800)])
    inverse = CubicSpline(z, 1.0 / cosmology.expansion(z)).antiderivative()
    return CubicSpline(z, inverse(z) * LIGHT_SPEED / cosmology.h0)


def luminosity_distance(z: ArrayLike, cosmology: Literal["published", "Planck18"] = "published") -> np.ndarray:
    """Luminosity distance in Mpc.

    Parameters
    ----------
    z : array-like, any shape
        Redshift, up to 12.
    cosmology : {"published", "Planck18"}
        "published": flat, H0 = 100, Ωm = 0.315661 (P(LAE)/P(OII)). "Planck18": for luminosities shown to
        people.

    Returns
    -------
    array, shape of `z`
        NaN where z <= 0 or beyond the table.
    """
    z = np.asarray(z, float)
    inside = (z > 0) & (z <= _Z_TOP)
    distance = _comoving_spline(cosmology)(np.where(inside, z, 0.1)) * (1.0 + z)
    return np.where(inside, distance, np.nan)


def luminosity(flux: ArrayLike, z: ArrayLike, cosmology: Literal["published", "Planck18"] = "Planck18") -> np.ndarray:
    """Line luminosity 4π d_L² F in erg/s for a flux in erg/s/cm²; NaN where z <= 0."""
    distance = luminosity_distance(z, cosmology) * _MPC_IN_CM
    return 4.0 * np.pi * distance**2 * np.asarray(flux, float)


def volume_element(z: ArrayLike) -> np.ndarray:
    """Comoving volume dV/dz in Mpc³ per steradian, H0 = 100; 0 where z <= 0.

    Hogg 1999 (astro-ph/9905116), equation 28, for a flat universe.
    """
    z = np.asarray(z, float)
    inside = (z > 0) & (z <= _Z_TOP)
    return np.where(inside, sphere_and_volume(np.where(inside, z, 0.1))[1], 0.0)


def sphere_and_volume(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """4π d_L² in cm² and dV/dz in Mpc³ per steradian, H0 = 100, from one look-up of the distance.

    Parameters
    ----------
    z : array
        Redshift, 0 < z <= 12 (not checked).
    """
    distance = _comoving_spline("published")(z)
    expansion = np.sqrt(OMEGA_MATTER * (1.0 + z) ** 3 + 1.0 - OMEGA_MATTER)
    sphere = 4.0 * np.pi * (distance * (1.0 + z) * _MPC_IN_CM) ** 2
    return sphere, HUBBLE_DISTANCE * distance**2 / expansion


# --------------------------------------------------------------------------------------- luminosity functions


def upper_gamma(a: float, x: ArrayLike) -> np.ndarray:
    """Upper incomplete gamma function Γ(a, x) for -1 < a < 0, x > 0.

    By Γ(a, x) = [Γ(a + 1, x) − xᵃ e⁻ˣ]/a (Abramowitz & Stegun 6.5.22), since the regularised function of
    scipy needs a > 0.
    """
    x = np.asarray(x, float)
    return (gammaincc(a + 1.0, x) * gamma(a + 1.0) - x**a * np.exp(-x)) / a


@dataclass(frozen=True, eq=False)
class Schechter:
    """A luminosity function φ(L) dL = φ* (L/L*)^α e^(−L/L*) dL/L* of one class at one redshift (or an
    array of them).

    Attributes
    ----------
    kind : str
        "LAE" or "OII".
    redshift : array
    log_l_star : array
        log10 of L* in erg/s, for H0 = 100.
    phi_star : array
        Comoving Mpc⁻³, for H0 = 100. For "LAE": of emitters above the 20 Å cut (see `total_factor`).
    alpha : float
    log_l_min : float
        log10 of the luminosity (erg/s) down to which it was measured.
    total_factor : array
        Multiplies `phi_star` to count Lyα emitters below the 20 Å cut too, e^(20/w0) for an exponential
        distribution of equivalent widths; 1 for "OII".
    """

    kind: str
    redshift: np.ndarray
    log_l_star: np.ndarray
    phi_star: np.ndarray
    alpha: float
    log_l_min: float
    total_factor: np.ndarray

    def density(self, luminosity: ArrayLike) -> np.ndarray:
        """Emitters per Mpc³ and per unit ln L at `luminosity` (erg/s), all equivalent widths."""
        x = np.asarray(luminosity, float) / 10.0**self.log_l_star
        return self.phi_star * self.total_factor * x ** (self.alpha + 1.0) * np.exp(-x)

    def number_above(self, luminosity: ArrayLike) -> np.ndarray:
        """Emitters per Mpc³ brighter than `luminosity` (erg/s), all equivalent widths."""
        x = np.asarray(luminosity, float) / 10.0**self.log_l_star
        return self.phi_star * self.total_factor * upper_gamma(self.alpha + 1.0, x)


def luminosity_function(kind: Kind, z: ArrayLike) -> Schechter:
    """The published luminosity function of a class at redshift `z`, rescaled to H0 = 100.

    Parameters
    ----------
    kind : {"LAE", "OII"}
    z : array-like, any shape

    Returns
    -------
    Schechter
        Its arrays have the shape of `z`.

    Raises
    ------
    ValueError
        If `kind` is unknown.

    Notes
    -----
    log L* and the log of the total density above L_min are linear in redshift between (and beyond) the
    published nodes; φ* = φ_total / Γ(α + 1, L_min/L*). Leung et al. 2017, section 2; L scales with h², φ
    with h⁻³.
    """
    population = _population(kind)
    z = np.asarray(z, float)
    l_star = 10.0 ** _linear(z, population.z, population.log_l_star)
    phi_total = 10.0 ** _linear(z, population.z, population.log_phi_total)
    l_min = 10.0**population.log_l_min
    phi_star = phi_total / upper_gamma(population.alpha + 1.0, l_min / l_star) / population.hubble**3
    factor = np.exp(LAE_EQUIVALENT_WIDTH_CUT / equivalent_width_scale(kind, z)) if kind == "LAE" else np.ones_like(z)
    return Schechter(
        kind=kind,
        redshift=z,
        log_l_star=np.log10(l_star * population.hubble**2),
        phi_star=phi_star,
        alpha=population.alpha,
        log_l_min=population.log_l_min + 2.0 * float(np.log10(population.hubble)),
        total_factor=factor,
    )


def evolution_nodes(kind: Kind) -> tuple[float, ...]:
    """Redshifts at which the published evolution of a class bends; between and beyond, it is smooth."""
    return _population(kind).z


def equivalent_width_scale(kind: Kind, z: ArrayLike) -> np.ndarray:
    """Scale w0 (Å, rest frame) of the exponential distribution of equivalent widths, dN/dW ∝ e^(−W/w0)/w0.

    Linear in redshift between and beyond the published nodes (Leung et al. 2017, section 2.3; Farrow et
    al. 2021), never below 1 Å.
    """
    population = _population(kind)
    return np.maximum(_linear(z, population.z, population.w0), 1.0)


def number_density(kind: Kind, wavelength: ArrayLike, flux: ArrayLike) -> np.ndarray:
    """Emitters on the sky per steradian, per Å of observed wavelength and per unit ln flux.

    Parameters
    ----------
    kind : {"LAE", "OII"}
    wavelength : array-like
        Å observed; broadcasts against `flux`.
    flux : array-like
        Line flux, erg/s/cm².

    Returns
    -------
    array
        φ(ln L) dV/dz dz/dλ; 0 where the redshift would not be positive or the flux is not.
    """
    _population(kind)
    rest = REST_WAVELENGTH[kind]
    wavelength, flux = np.broadcast_arrays(np.asarray(wavelength, float), np.asarray(flux, float))
    z = wavelength / rest - 1.0
    possible = (z > 0) & (flux > 0)
    safe_z = np.where(possible, z, 0.1)
    bright = luminosity(np.where(possible, flux, 1e-17), safe_z, "published")
    density = luminosity_function(kind, safe_z).density(bright) * volume_element(safe_z) / rest
    return np.where(possible, density, 0.0)
