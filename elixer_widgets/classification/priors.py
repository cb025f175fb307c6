"""What lines there are to be seen: how many of each kind, how wide, and on how bright a continuum.

Lyα emitters and [O II] galaxies follow the published luminosity functions. For the other kinds there are no numbers of
that quality; those below are plain estimates, each with its ground, and the posterior made from them is provisional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from elixer_widgets.classification.universe import (
    equivalent_width_scale,
    luminosity,
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
    Kind("other", "other line", (150.0, 1.0), (20.0, 1.4)),
    Kind("star", "star", (500.0, 0.9), (5.0, 1.3), "star"),
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

_FRACTION = {"other": 0.005, "star": 0.02, "artifact": 0.03, "noise": 0.1}
"""Share in detections relative to all galaxies of the same flux and wavelength; our estimate for S/N near 6."""


def line_density(kind: Kind, wavelength: float, redshift: float, rest: float, flux: float) -> float:
    """Lines of one kind per square degree, Å and unit ln flux.

    Parameters
    ----------
    kind : Kind
        Not one of those that are shares of the others (star, artifact, noise, other).
    wavelength : float
        Å observed.
    redshift : float
        Of the line if it is of this kind; 0 is returned where it is not positive.
    rest : float
        Rest wavelength in Å.
    flux : float
        erg/s/cm².
    """
    if not (redshift > 0 and flux > 0):
        return 0.0
    if (kind.identity, kind.name) in _AGN_RATE:
        median, spread = _AGN_FLUX
        return _AGN_RATE[kind.identity, kind.name] * float(np.exp(-0.5 * (np.log(flux / median) / spread) ** 2))
    if kind.identity == "Lya":
        return float(number_density("LAE", wavelength, flux)) / SQUARE_DEGREES
    if kind.identity == "OII":
        return float(number_density("OII", wavelength, flux)) / SQUARE_DEGREES
    ratio = _NEBULAR_TO_OII[kind.identity]
    bright = luminosity(flux / ratio, redshift, "published")
    density = luminosity_function("OII", redshift).density(bright) * volume_element(redshift) / rest
    return float(density) / SQUARE_DEGREES


def share(kind: Kind) -> float:
    """Share of a kind that is no galaxy line, relative to all that are; 0 for those that are."""
    return _FRACTION.get(kind.identity, 0.0)


def log_continuum_density(kind: Kind, log_continuum: np.ndarray, flux: float, redshift: float) -> np.ndarray:
    """ln of the probability density of ln continuum, given the line's flux.

    Parameters
    ----------
    kind : Kind
    log_continuum : array
        ln of 1e-17 erg/s/cm²/Å.
    flux : float
        erg/s/cm².
    redshift : float
        Of the line if it is of this kind (0 for star, artifact, noise).
    """
    if kind.shape == "blank":
        # Wherever noise strikes there is mostly empty sky, at times an unrelated object (magnitudes near 27.5 and 23.5
        # at 4500 Å, where magnitude 25 is 0.054)
        empty = _normal(log_continuum, np.log(0.0054), 1.0)
        object_there = _normal(log_continuum, np.log(0.21), 1.4)
        return np.log(0.85 * empty + 0.15 * object_there)
    log_width = np.log(flux * 1e17) - log_continuum - np.log1p(redshift)
    median, spread = kind.equivalent_width
    if spread > 0:
        return np.log(_normal(log_width, np.log(median), spread) + 1e-12)
    scale = (
        median if median > 0 else float(equivalent_width_scale("LAE" if kind.identity == "Lya" else "OII", redshift))
    )
    ratio = np.exp(np.minimum(log_width - np.log(scale), 300.0))
    # A few of either class lie far outside the exponential: AGN, mergers, measurements gone wrong
    outlier = 0.01 * _normal(log_width, np.log(scale), 2.0)
    return np.log(0.99 * ratio * np.exp(-np.minimum(ratio, 700.0)) + outlier)


def _normal(x: np.ndarray, mean: float, spread: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * np.sqrt(2.0 * np.pi))
