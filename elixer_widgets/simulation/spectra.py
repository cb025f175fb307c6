"""What the simulated objects send out: continua, emission lines, magnitudes.

Wavelengths of emission lines are laboratory values in vacuum; what is observed is converted to air. Continua are flux
densities in 1e-17 erg/s/cm²/Å, line fluxes in 1e-17 erg/s/cm².
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from elixer_widgets.simulation.optics import LSF_SIGMA
from elixer_widgets.spectra.wavelengths import vacuum_to_air

CONTINUUM_GRID = np.arange(3000.0, 10600.0, 4.0)  # Å: from the blue end of u to the red end of z
FINE_GRID = np.arange(3440.0, 5580.0, 0.5)  # Å: fine enough to interpolate lines of the instrument's width

SPEED_OF_LIGHT = 299792.458  # km/s

# Å in vacuum: NIST atomic spectra database.
REST = {
    "Lya": 1215.670,
    "NV": 1240.15,
    "SiIV": 1398.33,
    "CIV": 1549.06,
    "HeII": 1640.42,
    "CIII": 1908.73,
    "MgII": 2798.75,
    "OII3726": 3727.092,
    "OII3729": 3729.875,
    "NeIII": 3869.86,
    "Hg": 4341.69,
    "Hb": 4862.69,
    "OIII4959": 4960.295,
    "OIII5007": 5008.240,
}

# Edges in Å of the flat part of the u g r i z response, each with a soft rim.
BANDS = {
    "u": (3450.0, 4080.0),
    "g": (4080.0, 5470.0),
    "r": (5600.0, 6990.0),
    "i": (6950.0, 8450.0),
    "z": (8380.0, 9900.0),
}


@dataclass(frozen=True)
class Emission:
    """One Gaussian component: centre (Å, air), σ (Å) before the instrument broadens it, flux (1e-17 erg/s/cm²).

    `name` is that of the line in `REST`, empty for what is no line.
    """

    wave: float
    sigma: float
    flux: float
    name: str = ""


def emission(name: str, z: float, flux: float, sigma_v: float, shift: float = 0.0) -> Emission:
    """A line of `REST` at redshift `z`, `sigma_v` wide and moved by `shift`, both in km/s."""
    vacuum = REST[name] * (1.0 + z) * (1.0 + shift / SPEED_OF_LIGHT)
    wave = float(vacuum_to_air(np.array(vacuum)))
    return Emission(wave, wave * sigma_v / SPEED_OF_LIGHT, flux, name)


def oii_doublet(z: float, flux: float, sigma_v: float, ratio: float) -> tuple[Emission, Emission]:
    """[O II]; `ratio` is 3729/3726, 1.5 at low density, 0.35 at high (Osterbrock & Ferland 2006, section 5.6)."""
    return (
        emission("OII3726", z, flux / (1.0 + ratio), sigma_v),
        emission("OII3729", z, flux * ratio / (1.0 + ratio), sigma_v),
    )


def lya_profile(z: float, flux: float, sigma_v: float, tail: float) -> tuple[Emission, Emission]:
    """Lyα with a sharp blue side and a red tail that holds the share `tail` of the flux; its centroid is at `z`."""
    far = 2.2 * sigma_v
    return (
        emission("Lya", z, flux * (1.0 - tail), 0.7 * sigma_v, shift=-tail * far),
        emission("Lya", z, flux * tail, 1.5 * sigma_v, shift=(1.0 - tail) * far),
    )


def moments(parts: Iterable[Emission]) -> tuple[float, float, float]:
    """Centroid (Å), observed σ with the instrument's broadening (Å), and flux of a blend."""
    wave, sigma, flux = np.array([(part.wave, part.sigma, part.flux) for part in parts]).T
    total = flux.sum()
    centre = (flux * wave).sum() / total
    variance = (flux * (sigma**2 + (wave - centre) ** 2)).sum() / total
    return float(centre), float(np.hypot(np.sqrt(variance), LSF_SIGMA)), float(total)


@dataclass(eq=False)
class Source:
    """Something on the simulated sky.

    `main` is the blend that is (to be) detected, `lines` all others; `continuum` lies on `CONTINUUM_GRID`;
    `half_light` in arcsec, `axis_ratio` and `angle` (degrees east of north) its shape; `ra`, `dec` in degrees.
    `kind` and `identity` are those of the truth table; a galaxy that only fills the sky has kind "field".
    """

    kind: str
    identity: str
    z: float
    main: tuple[Emission, ...] = ()
    lines: tuple[Emission, ...] = ()
    continuum: np.ndarray = field(default_factory=lambda: np.zeros(CONTINUUM_GRID.size))
    half_light: float = 0.0
    axis_ratio: float = 1.0
    angle: float = 0.0
    ra: float = np.nan
    dec: float = np.nan
    ew_rest: float = np.nan
    magnitudes: Mapping[str, float] = field(default_factory=dict)

    def continuum_at(self, wavelength: float) -> float:
        """Flux density of the continuum, 1e-17 erg/s/cm²/Å."""
        return float(np.interp(wavelength, CONTINUUM_GRID, self.continuum))

    def spectrum(self) -> np.ndarray:
        """Flux density on `FINE_GRID`, 1e-17 erg/s/cm²/Å, as the spectrograph sees it."""
        flux = np.interp(FINE_GRID, CONTINUUM_GRID, self.continuum)
        for part in (*self.main, *self.lines):
            sigma = np.hypot(part.sigma, LSF_SIGMA)
            low, high = np.searchsorted(FINE_GRID, (part.wave - 8 * sigma, part.wave + 8 * sigma))
            x = (FINE_GRID[low:high] - part.wave) / sigma
            flux[low:high] += part.flux / (sigma * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * x**2)
        return flux

    def measure_magnitudes(self) -> None:
        """Set `magnitudes` (AB, u g r i z) from continuum and lines."""
        self.magnitudes = magnitudes(self.continuum, (*self.main, *self.lines))


@lru_cache(maxsize=8)
def response(band: str) -> np.ndarray:
    """Relative photon response of a band on `CONTINUUM_GRID`."""
    low, high = BANDS[band]
    return 1.0 / ((1.0 + np.exp((low - CONTINUUM_GRID) / 40.0)) * (1.0 + np.exp((CONTINUUM_GRID - high) / 40.0)))


def magnitudes(continuum: np.ndarray, lines: Iterable[Emission] = ()) -> dict[str, float]:
    """AB magnitudes, u g r i z, of a continuum (1e-17 erg/s/cm²/Å on `CONTINUUM_GRID`) with lines; NaN without light.

    Photon-weighted: <f_ν> = ∫ f_λ λ R dλ / ∫ c R/λ dλ (Bessell & Murphy 2012, PASP 124, 140, eq. A12).
    """
    grid = CONTINUUM_GRID
    step = grid[1] - grid[0]
    found = {}
    for band in BANDS:
        through = response(band)
        photons = float((continuum * grid * through).sum() * step)
        for part in lines:
            photons += part.flux * part.wave * float(np.interp(part.wave, grid, through))
        f_nu = photons * 1e-17 / float((through / grid).sum() * step * SPEED_OF_LIGHT * 1e13)
        found[band] = float(-2.5 * np.log10(f_nu) - 48.6) if f_nu > 0 else float("nan")
    return found


def flux_density(magnitude: float, wavelength: float) -> float:
    """f_λ in 1e-17 erg/s/cm²/Å of an AB magnitude at `wavelength` (Å)."""
    return float(10 ** (-0.4 * (magnitude + 48.6)) * SPEED_OF_LIGHT * 1e13 / wavelength**2 * 1e17)


def power_law(level: float, wavelength: float, slope: float) -> np.ndarray:
    """f_λ ∝ λ^slope through `level` at `wavelength`, on `CONTINUUM_GRID`."""
    return level * (CONTINUUM_GRID / wavelength) ** slope


def intergalactic(z: float) -> np.ndarray:
    """Mean transmission of the intergalactic medium on `CONTINUUM_GRID` for a source at `z`.

    Lyα forest with τ = 0.0018 (1 + z)^3.92 (Faucher-Giguère et al. 2008, ApJ 681, 831, table 5), 5 % below the
    Lyman limit.
    """
    absorber = CONTINUUM_GRID / REST["Lya"] - 1.0
    through = np.where(absorber < z, np.exp(-0.0018 * np.maximum(1.0 + absorber, 0.0) ** 3.92), 1.0)
    return np.where(912.0 * (1.0 + z) > CONTINUUM_GRID, 0.05, through)


def absorption(features: Iterable[tuple[float, float, float]]) -> np.ndarray:
    """Transmission on `CONTINUUM_GRID` of features (centre Å, σ Å, depth 0 to 1)."""
    through = np.ones(CONTINUUM_GRID.size)
    for centre, sigma, depth in features:
        through *= 1.0 - depth * np.exp(-0.5 * ((CONTINUUM_GRID - centre) / sigma) ** 2)
    return through


def blackbody(temperature: float) -> np.ndarray:
    """Planck's f_λ on `CONTINUUM_GRID`, 1 at 4700 Å."""

    def planck(wavelength: np.ndarray) -> np.ndarray:
        return wavelength**-5.0 / np.expm1(1.43877e8 / (wavelength * temperature))

    return planck(CONTINUUM_GRID) / planck(np.array(4700.0))
