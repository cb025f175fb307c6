"""What lines there are to be seen: how many of each kind, how wide, and on how bright a continuum.

Lyα emitters and [O II] galaxies follow the published luminosity functions. For the other kinds there are no numbers of
that quality; those below are plain estimates, each with its ground, and the posterior made from them is provisional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import log_ndtr

from elixer_widgets.classification.calibration import Calibration
from elixer_widgets.classification.identities import Shifts
from elixer_widgets.classification.universe import (
    equivalent_width_scale,
    luminosity,
    luminosity_distance,
    luminosity_function,
    number_density,
    volume_element,
)

SQUARE_DEGREES = (180.0 / np.pi) ** 2
"""In a steradian."""


@dataclass(frozen=True)
class Kind:
    """One kind of object behind a line; several kinds may share an identity.

    Attributes
    ----------
    identity : str
    name : str
    width : tuple of float
        Median of the velocity dispersion in km/s and the spread of its logarithm.
    equivalent_width : tuple of float
        Rest frame: median in Å and the spread of its logarithm; spread 0 means an exponential of that scale (0: the
        published one).
    """

    identity: str
    name: str
    width: tuple[float, float]
    equivalent_width: tuple[float, float]
    shape: Literal["line", "star", "blank"] = "line"


# Widths: Lyα of faint emitters has FWHM 200 to 450 km/s (Trainor et al. 2015, ApJ 809, 89); nebular lines of low-mass
# galaxies FWHM 100 to 200; broad lines of quasars FWHM 2000 to 8000, Lyα and C IV of HETDEX AGN half of that
# (Liu et al. 2022, ApJS 261, 24). Equivalent widths of AGN after Vanden Berk et al. 2001, AJ 122, 549, table 2; of
# nebular lines of dwarfs, our estimate.
KINDS: tuple[Kind, ...] = (
    Kind("Lya", "Lyα emitter", (130.0, 0.45), (0.0, 0.0)),
    Kind("Lya", "AGN", (1200.0, 0.6), (80.0, 0.7)),
    Kind("OII", "[O II] galaxy", (65.0, 0.4), (0.0, 0.0)),
    Kind("OIII", "[O III] galaxy", (50.0, 0.4), (60.0, 1.2)),
    Kind("Hb", "Hβ galaxy", (50.0, 0.4), (12.0, 1.0)),
    Kind("Hg", "Hγ galaxy", (50.0, 0.4), (6.0, 1.0)),
    Kind("CIV", "AGN", (1500.0, 0.6), (35.0, 0.8)),
    Kind("CIV", "narrow-line AGN", (250.0, 0.5), (25.0, 0.8)),
    Kind("CIII", "AGN", (1800.0, 0.5), (22.0, 0.7)),
    Kind("CIII", "narrow-line galaxy", (150.0, 0.5), (10.0, 0.8)),
    Kind("HeII", "AGN", (900.0, 0.7), (8.0, 0.9)),
    Kind("MgII", "AGN", (1500.0, 0.5), (35.0, 0.7)),
    Kind("MgII", "narrow-line galaxy", (120.0, 0.5), (6.0, 0.8)),
    Kind("other", "other line of a galaxy", (50.0, 0.5), (6.0, 1.2)),
    Kind("other", "other line of a nucleus", (1200.0, 0.7), (12.0, 1.0)),
    Kind("star", "star", (1000.0, 1.0), (2.5, 1.0), "star"),
    Kind("artifact", "artifact", (120.0, 1.2), (0.0, 0.0), "blank"),
    Kind("noise", "noise", (150.0, 0.8), (0.0, 0.0), "blank"),
)

# Lines per square degree, Å and unit ln flux at the median flux: HETDEX finds some 170 AGN per square degree
# (Liu et al. 2022), each with one to three of these lines within 2070 Å; narrow ones are few.
_AGN_RATE: dict[tuple[str, str], float] = {
    ("Lya", "AGN"): 0.010,
    ("CIV", "AGN"): 0.012,
    ("CIV", "narrow-line AGN"): 0.0015,
    ("CIII", "AGN"): 0.010,
    ("CIII", "narrow-line galaxy"): 0.001,
    ("HeII", "AGN"): 0.001,
    ("MgII", "AGN"): 0.008,
    ("MgII", "narrow-line galaxy"): 0.001,
}
_AGN_FLUX = (2.5e-16, 1.2)
"""Median line flux (erg/s/cm²) and the spread of its logarithm; our estimate from the same catalogue."""

_NEBULAR_TO_OII = {"OIII": 0.9, "Hb": 0.4, "Hg": 0.18}
"""Flux over [O II] of the galaxies that make the [O II] luminosity function; typical of their metallicity."""

_STAR_FLUX = (4e-16, 1.3)
_STAR_RATE = 0.006
"""False lines in stars, as `_AGN_RATE`: peaks of a few Å equivalent width, and as wide as may be, between their
absorption lines; our estimate."""

SIZES: dict[str, tuple[float, float]] = {
    "OII": (2.5, 0.5), "OIII": (0.9, 0.6), "Hb": (1.2, 0.6), "Hg": (1.5, 0.6), "Lya": (0.9, 0.5),
}  # fmt: skip
"""Half-light radius of galaxies of unknown luminosity: median in kpc and the spread of its logarithm. Late types of 1e9
solar masses at z = 0.25 have 2.7 kpc with a scatter of 0.4 (van der Wel et al. 2014, ApJ 788, 28, from memory), the
dwarfs that are seen by their other lines are smaller; Lyα emitters have about 1 kpc (Malhotra et al. 2012, ApJ 750,
L36)."""

_SIZE_OF_1E9 = (2.7, -17.7, 0.25)
"""kpc, absolute magnitude (AB, blue) of 1e9 solar masses of young stars, and the power of mass that sizes go with: van
der Wel et al. 2014 again, with one solar mass per solar luminosity."""
_ROUND = 0.77
"""Radius of the circle of the same area, as drawn sources are measured, over the semi-major axis, as those are: discs
with axis ratios of 0.3 to 1."""
_SIZE_SPREAD = 0.5


def galaxy_size(identity: str, redshift: float, wavelength: float, continuum: float) -> tuple[float, float]:
    """Median half-light radius (kpc) of galaxies, and the spread of its logarithm.

    Parameters
    ----------
    identity : str
        One of `SIZES`.
    redshift : float
    wavelength, continuum : float
        Å, and the flux density there in 1e-17 erg/s/cm²/Å. With it, the radius of nearby galaxies follows from their
        luminosity: at one apparent brightness they have much the same apparent size, whatever their redshift.
    """
    if identity == "Lya" or not continuum > 0:
        return SIZES[identity]
    distance = float(luminosity_distance(redshift, "Planck18"))
    density = continuum * 1e-17 * wavelength**2 / 2.99792458e18  # erg/s/cm²/Hz
    magnitude = -2.5 * np.log10(density * (distance * 1e5) ** 2 / (1.0 + redshift)) - 48.6
    kpc, reference, power = _SIZE_OF_1E9
    brighter = min(max(reference - float(magnitude), -5.0), 5.0)
    return _ROUND * kpc * 10.0 ** (0.4 * power * brighter), _SIZE_SPREAD


def line_density(kind: Kind, wavelength: float, redshift: float, rest: float, flux: np.ndarray) -> np.ndarray:
    """Lines of one kind per square degree, Å and unit ln flux, before any calibration.

    Parameters
    ----------
    kind : Kind
        Not one of those that are shares of the others (artifact, noise, other).
    wavelength : float
        Å observed.
    redshift : float
        Of the line if it is of this kind; 0 is returned where it is not positive (not asked of a star).
    rest : float
        Rest wavelength in Å.
    flux : array
        erg/s/cm², positive.

    Returns
    -------
    array, shape of `flux`
    """
    if kind.shape == "star":
        median, spread = _STAR_FLUX
        return _STAR_RATE * np.exp(-0.5 * (np.log(flux / median) / spread) ** 2)
    if not redshift > 0:
        return np.zeros_like(flux)
    if (kind.identity, kind.name) in _AGN_RATE:
        median, spread = _AGN_FLUX
        return _AGN_RATE[kind.identity, kind.name] * np.exp(-0.5 * (np.log(flux / median) / spread) ** 2)
    if kind.identity in ("Lya", "OII"):
        name = "LAE" if kind.identity == "Lya" else "OII"
        return number_density(name, wavelength, flux) / SQUARE_DEGREES
    bright = luminosity(flux / _NEBULAR_TO_OII[kind.identity], redshift, "published")
    density = luminosity_function("OII", redshift).density(bright) * volume_element(redshift) / rest
    return density / SQUARE_DEGREES


def rate(kind: Kind, calibration: Calibration) -> float:
    """Factor of the calibration on the number of lines of one kind."""
    if kind.shape == "star":
        return calibration.star
    if (kind.identity, kind.name) in _AGN_RATE:
        return calibration.agn
    return {"Lya": calibration.lae, "OII": calibration.oii}.get(kind.identity, calibration.nebular)


def share(kind: Kind, calibration: Calibration) -> float:
    """Share of a kind that is no galaxy line, relative to all that are, at S/N near 6; 0 for those that are."""
    if kind.identity == "other":
        nucleus = kind.name == "other line of a nucleus"
        return calibration.other * (calibration.other_broad if nucleus else 1.0 - calibration.other_broad)
    return {"artifact": calibration.artifact, "noise": calibration.noise}.get(kind.identity, 0.0)


_WIDE = [i for i, kind in enumerate(KINDS) if kind.shape != "blank" and kind.equivalent_width[1] > 0]
_EXPONENTIAL = [i for i, kind in enumerate(KINDS) if kind.shape != "blank" and not kind.equivalent_width[1] > 0]
_BLANK = [i for i, kind in enumerate(KINDS) if kind.shape == "blank"]
_MEDIAN = np.array([np.log(KINDS[i].equivalent_width[0]) for i in _WIDE])[:, None, None]
_SPREAD = np.array([KINDS[i].equivalent_width[1] for i in _WIDE])[:, None, None]


def log_continuum_density(
    log_continuum: np.ndarray, flux: np.ndarray, shifts: Shifts, calibration: Calibration
) -> np.ndarray:
    """ln of the probability density of ln continuum, given the line's flux, for every kind.

    Parameters
    ----------
    log_continuum : array, shape (n,)
        ln of 1e-17 erg/s/cm²/Å.
    flux : array, shape (m,)
        erg/s/cm².
    shifts : mapping
        Redshift for every identity.
    calibration : Calibration

    Returns
    -------
    array, shape (kinds, m, n)
    """
    out = np.empty((len(KINDS), flux.size, log_continuum.size))
    # Wherever noise strikes there is mostly empty sky, at times an unrelated object (magnitudes near 27.5 and 23.5 at
    # 4500 Å, where magnitude 25 is 0.054)
    empty = _normal(log_continuum, np.log(0.0054), 1.0)
    object_there = _normal(log_continuum, np.log(0.21), 1.4)
    out[_BLANK] = np.log(0.85 * empty + 0.15 * object_there)
    observed = np.log(flux * 1e17)[:, None] - log_continuum
    z = np.array([max(shifts.get(kind.identity, 0.0), 0.0) for kind in KINDS])
    width = observed - np.log1p(z[_WIDE])[:, None, None]
    # As for the exponentials below: a few have far more or less continuum than their kind
    far = calibration.width_outliers * _normal(
        width, _MEDIAN, np.maximum(_SPREAD, calibration.width_outliers_log_sigma)
    )
    out[_WIDE] = np.log((1.0 - calibration.width_outliers) * _normal(width, _MEDIAN, _SPREAD) + far + 1e-12)
    for i in _EXPONENTIAL:
        scale = float(equivalent_width_scale("LAE" if KINDS[i].identity == "Lya" else "OII", z[i]))
        x = observed - np.log1p(z[i]) - np.log(scale)
        ratio = np.exp(np.minimum(x, 6.5))
        # A few of either class lie far outside the exponential: AGN, mergers, measurements gone wrong
        outlier = calibration.width_outliers * _normal(x, 0.0, calibration.width_outliers_log_sigma)
        out[i] = np.log((1.0 - calibration.width_outliers) * ratio * np.exp(-ratio) + outlier)
    return out


def log_fainter(log_continuum: np.ndarray, flux: np.ndarray, shifts: Shifts) -> np.ndarray:
    """ln of the chance that an object's own continuum is fainter than given, as `log_continuum_density` has it but for
    its outliers; shape (kinds, m, n), 0 for kinds that have none."""
    out = np.zeros((len(KINDS), flux.size, log_continuum.size))
    observed = np.log(flux * 1e17)[:, None] - log_continuum
    z = np.array([max(shifts.get(kind.identity, 0.0), 0.0) for kind in KINDS])
    out[_WIDE] = log_ndtr((_MEDIAN - (observed - np.log1p(z[_WIDE])[:, None, None])) / _SPREAD)
    for i in _EXPONENTIAL:
        scale = float(equivalent_width_scale("LAE" if KINDS[i].identity == "Lya" else "OII", z[i]))
        out[i] = -np.exp(np.minimum(observed - np.log1p(z[i]) - np.log(scale), 6.5))
    return out


def _normal(x: np.ndarray, mean: float | np.ndarray, spread: float | np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * np.sqrt(2.0 * np.pi))
