"""How many lines of each kind a survey of the sky would detect, and what galaxies and nuclei they belong to.

The numbers are deliberately not those of `classification.universe` and `classification.priors`, on which the posterior
rests: a model judged on its own draws would always look calibrated. Where the literature has another measurement it is
used here; where it has none, the number is marked as assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from elixer_widgets.classification.universe import luminosity, luminosity_distance
from elixer_widgets.simulation.optics import LSF_SIGMA
from elixer_widgets.simulation.sky import line_flux_error
from elixer_widgets.simulation.spectra import SPEED_OF_LIGHT
from elixer_widgets.spectra.lines import LINES, observed_air

WAVE_RANGE = (3500.0, 5500.0)  # Å; where detected lines may lie
MINIMUM_SN = 4.8  # measured; HETDEX lists line detections from here on
SQUARE_DEGREES = (180.0 / np.pi) ** 2  # in a steradian

GALAXY_LINES = ("OII", "NeIII", "Hd", "Hg", "Hb", "OIII4959", "OIII")
_AGN_LINES = ("OVI", "Lya", "NV", "SiIV", "CIV", "HeII", "CIII", "MgII")

IDENTITY_OF_LINE = {name: name for name in ("Lya", "OII", "OIII", "Hb", "Hg", "CIV", "CIII", "HeII", "MgII")}
"""Detections of any other line have the identity "other"."""

# Rest equivalent widths in Å: O VI to Mg II of Vanden Berk et al. 2001, AJ 122, 549, table 2 (rounded); nuclei differ
# by 0.25 dex (assumed).
_AGN_WIDTHS = {"OVI": 10.0, "Lya": 80.0, "NV": 8.0, "SiIV": 8.0, "CIV": 24.0, "HeII": 4.0, "CIII": 21.0, "MgII": 32.0}
_NARROW_BOOST = {"HeII": 3.0, "CIV": 1.2, "NV": 0.7, "OVI": 0.7, "SiIV": 0.6, "MgII": 0.5, "CIII": 0.8}

LYA_WIDTH_SCATTER = 0.15  # dex, of the scale of equivalent widths from object to object; assumed
OII_WIDTH_SCATTER = 0.37  # dex, of equivalent widths; assumed

COMPANION_SHARE = 0.3  # of lines beside an object's strongest that stand in the list as detections; assumed

AGN_DENSITY = 60.0  # nuclei per square degree brighter than g = 22; assumed, see `_nuclei`


@dataclass(frozen=True, eq=False)
class Lines:
    """Candidate lines, arrays of one length.

    `name` of the line, `z`, `wave` (Å, air), `flux` (1e-17 erg/s/cm²), `sigma` (Å, as observed), `width` the rest
    equivalent width (Å) of the object's Lyα or [O II], `velocity` σ in km/s, `fluxes` of all lines of the object
    (1e-17, rows by `members`), `magnitude` g of a nucleus, `half_light` in arcsec; `fwhm`, `depth`, `error_factor` of
    `observing_conditions`, `sn` as measured, and `deviate`, what noise adds to it. `area` in square degrees.
    """

    name: np.ndarray
    z: np.ndarray
    wave: np.ndarray
    flux: np.ndarray
    sigma: np.ndarray
    width: np.ndarray
    velocity: np.ndarray
    fluxes: np.ndarray
    members: tuple[str, ...]
    magnitude: np.ndarray
    narrow: np.ndarray
    half_light: np.ndarray
    fwhm: np.ndarray = field(default_factory=lambda: np.zeros(0))
    depth: np.ndarray = field(default_factory=lambda: np.zeros(0))
    error_factor: np.ndarray = field(default_factory=lambda: np.zeros(0))
    deviate: np.ndarray = field(default_factory=lambda: np.zeros(0))
    sn: np.ndarray = field(default_factory=lambda: np.zeros(0))
    area: float = 0.0

    def __len__(self) -> int:
        return int(self.wave.size)

    def take(self, rows: np.ndarray) -> Lines:
        """The given rows."""
        kept = {
            name: value[rows] if isinstance(value, np.ndarray) and value.size else value
            for name, value in vars(self).items()
        }
        return Lines(**kept)


def observing_conditions(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seeing (FWHM, arcsec), noise relative to `optics.detection_noise`, and reported over true error.

    Seeing is lognormal about 1.7", within 1.2 to 2.2; noise grows with it and with the throughput of the night. The
    median of 2.0 is chosen such that Lyα emitters and [O II] galaxies above S/N 5.5 come out within a factor of about
    two of the 51,863 and 123,891 in 25 square degrees of the first public catalogue (Mentuch Cooper et al. 2023, ApJ
    943, 177). That reported errors are off by 5 % is assumed.
    """
    fwhm = np.clip(1.7 * np.exp(0.15 * rng.standard_normal(count)), 1.2, 2.2)
    depth = 2.0 * (fwhm / 1.7) ** 0.6 * np.exp(0.18 * rng.standard_normal(count))
    return fwhm, depth, np.exp(0.05 * rng.standard_normal(count) - 0.02)


# --------------------------------------------------------------------------------------------- luminosity functions


@dataclass(frozen=True)
class _Schechter:
    """log10 of L* (erg/s) and φ* (Mpc⁻³) and α, each linear in `x` of two nodes; H0 = 70."""

    nodes: tuple[float, float]
    log_l: tuple[float, float]
    log_phi: tuple[float, float]
    alpha: tuple[float, float]

    def density(self, log_luminosity: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Objects per Mpc³ and unit ln L."""
        part = np.clip((z - self.nodes[0]) / (self.nodes[1] - self.nodes[0]), -0.4, 1.6)
        l_star, phi, alpha = (a + (b - a) * part for a, b in (self.log_l, self.log_phi, self.alpha))
        x = 10.0 ** (log_luminosity - l_star)
        return 10.0**phi * x ** (alpha + 1.0) * np.exp(-x)


# Lyα: Konno et al. 2016, ApJ 823, 20 (z = 2.2: L* 5.3e42, φ* 6.3e-4, α -1.75) and Ouchi et al. 2008, ApJS 176, 301
# (z = 3.1: L* 5.8e42, φ* 9.2e-4, α -1.5); from memory but for Ouchi's. They count what passes a narrow-band cut of
# about 20 Å (Konno); weaker emitters are added.
_LYA = _Schechter((2.2, 3.1), (42.72, 42.76), (-3.20, -3.04), (-1.75, -1.5))

# [O II]: Comparat et al. 2016, MNRAS 461, 1076: log L* = 41.1 + 2.33 log(1+z), log φ* = -2.4 - 0.73 log(1+z), α = -1.46
# (from memory), here at z = 0 and 0.5.
_OII = _Schechter((0.0, 0.5), (41.10, 41.51), (-2.40, -2.53), (-1.46, -1.46))

_EW_CUT = 20.0  # Å


def lya_width_scale(z: np.ndarray) -> np.ndarray:
    """Scale of the exponential distribution of rest equivalent widths in Å.

    63 at z = 2.1 and 83 at z = 3.1: between Ciardullo et al. 2012 and Hashimoto et al. 2017; assumed.
    """
    return 20.3 * (1.0 + z)


def oii_width_median(z: np.ndarray) -> np.ndarray:
    """Å; 8 at z = 0.1, 15 at z = 0.45; assumed."""
    return 8.0 + 20.0 * np.maximum(z - 0.1, 0.0)


def _volume(z: np.ndarray) -> np.ndarray:
    """Comoving dV/dz in Mpc³ per square degree (Planck 2018, by differences of the distance)."""
    step = 1e-4
    comoving = [np.asarray(luminosity_distance(z + d, "Planck18")) / (1.0 + z + d) for d in (-step, step)]
    return (comoving[1] ** 3 - comoving[0] ** 3) / (3.0 * 2.0 * step) / SQUARE_DEGREES


_CELLS = (240, 160)


@lru_cache(maxsize=2)
def cells(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
    """Cells of redshift and ln flux (1e-17), objects per square degree in each, and the cells' sizes."""
    if kind == "LAE":
        low, high = (wave / LINES["Lya"].vacuum - 1.0 for wave in WAVE_RANGE)
        faint, bright, table = 2.0, 300.0, _LYA
    else:
        low, high = 0.003, WAVE_RANGE[1] / LINES["OII"].vacuum - 1.0
        faint, bright, table = 0.4, 1500.0, _OII
    dz, df = (high - low) / _CELLS[0], np.log(bright / faint) / _CELLS[1]
    z = low + dz * (np.arange(_CELLS[0]) + 0.5)
    log_flux = np.log(faint) + df * (np.arange(_CELLS[1]) + 0.5)
    log_l = np.log10(np.asarray(luminosity(np.exp(log_flux)[None, :] * 1e-17, z[:, None], "Planck18")))
    number = table.density(log_l, z[:, None]) * _volume(z)[:, None] * dz * df
    if kind == "LAE":
        number *= np.exp(_EW_CUT / lya_width_scale(z))[:, None]
    return z, log_flux, number, (dz, df)


def _draw_cells(kind: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Redshifts, fluxes (1e-17), and the area (square degrees) in which there are so many."""
    z, log_flux, number, (dz, df) = cells(kind)
    total = float(number.sum())
    cell = np.searchsorted(np.cumsum(number.ravel()) / total, rng.uniform(size=count))
    i, j = np.unravel_index(np.minimum(cell, number.size - 1), number.shape)
    drawn = z[i] + dz * rng.uniform(-0.5, 0.5, count)
    return drawn, np.exp(log_flux[j] + df * rng.uniform(-0.5, 0.5, count)), count / total


# ------------------------------------------------------------------------------------------------------ the objects


def _emitters(count: int, rng: np.random.Generator) -> Lines:
    z, flux, area = _draw_cells("LAE", count, rng)
    # Exponential with a scale that differs from object to object, so that the tail is fatter than an exponential's
    width = rng.exponential(lya_width_scale(z)) * 10 ** (LYA_WIDTH_SCATTER * rng.standard_normal(count))
    width = np.maximum(width, 1.0)
    velocity = 110.0 * np.exp(0.4 * rng.standard_normal(count))
    size = np.clip(0.14 * np.exp(0.4 * rng.standard_normal(count)), 0.05, 0.4)
    nothing = np.full(count, np.nan)
    return _flatten(("Lya",), z, flux[:, None], velocity, width, nothing, np.zeros(count, bool), size, area, rng)


def galaxy_ratios(width: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fluxes of `GALAXY_LINES` over [O II], shape (n, lines), for rest equivalent widths of [O II] in Å; see
    `_galaxies`."""
    count = width.size
    excitation = -0.05 + 0.5 * (np.log10(width) - 1.08) + 0.35 * rng.standard_normal(count)
    oiii = 10 ** np.clip(excitation, -1.3, 1.1)
    hb = 0.35 * 10 ** (0.15 * rng.standard_normal(count) + 0.12 * np.clip(excitation, -1.0, 1.0))
    # [Ne III]/[O III] is nearly fixed, since both ions share the gas; the Balmer lines follow case B with some dust
    dust = 10 ** (-0.03 * np.abs(rng.standard_normal(count)))
    neiii = oiii * 0.08 * 10 ** (0.12 * rng.standard_normal(count))
    one = np.ones(count)
    return np.stack([one, neiii, 0.259 * hb * dust**2, 0.468 * hb * dust, hb, oiii / 2.98, oiii], axis=1)


def _galaxies(count: int, rng: np.random.Generator) -> Lines:
    """Star-forming galaxies at z < 0.48, with all lines that follow from their [O II].

    Rest equivalent widths are lognormal with median 8 Å at z = 0.1 and 15 Å at z = 0.45 and a spread of 0.37 dex
    (compare Blanton & Lin 2000, ApJ 543, L125, for the shape; numbers assumed). Of [O III] to [O II] the median is 0.9
    at 12 Å, grows with the equivalent width, and scatters by 0.35 dex, since excitation falls with metallicity; Hβ is
    0.35 of [O II] with 0.15 dex (assumed, compare Kewley et al. 2004, AJ 127, 2002).
    """
    z, flux, area = _draw_cells("galaxy", count, rng)
    width = oii_width_median(z) * 10 ** (OII_WIDTH_SCATTER * rng.standard_normal(count))
    fluxes = flux[:, None] * galaxy_ratios(width, rng)
    velocity = 55.0 * np.exp(0.4 * rng.standard_normal(count))
    size = np.clip(0.6 * np.exp(0.4 * rng.standard_normal(count)), 0.2, 1.8)
    nothing = np.full(count, np.nan)
    return _flatten(GALAXY_LINES, z, fluxes, velocity, width, nothing, np.zeros(count, bool), size, area, rng)


def _nuclei(count: int, rng: np.random.Generator) -> Lines:
    """Active nuclei: 60 per square degree brighter than g = 22, growing by 10^0.28 a magnitude down to g = 24.5.

    That gives some 170 per square degree with a line that is found, as many as Liu et al. 2022, ApJS 261, 24, report;
    their redshifts peak at 2.1. Two thirds have broad lines of FWHM about 3500 km/s, the rest narrow ones of some
    900 km/s, weaker in N V and stronger in He II (assumed).
    """
    brightest, faintest, slope = 17.0, 24.5, 0.28
    area = count / (AGN_DENSITY * 10 ** (slope * (faintest - 22.0)))
    spread = 10 ** (slope * (np.array([brightest, faintest]) - faintest))
    magnitude = faintest + np.log10(rng.uniform(spread[0], spread[1], count)) / slope
    z = 2.1 + 0.85 * rng.standard_normal(count)
    z = np.where((z < 0.25) | (z > 3.9), rng.uniform(0.25, 3.9, count), z)
    narrow = rng.uniform(size=count) < 0.33
    velocity = np.where(narrow, 900.0, 3500.0) * np.exp(0.35 * rng.standard_normal(count)) / 2.3548
    # f_λ in g, at 4700 Å, carried to each line with a slope of -1.5
    level = 10 ** (-0.4 * (magnitude + 48.6)) * SPEED_OF_LIGHT * 1e13 / 4700.0**2 * 1e17
    strength = 0.2 * rng.standard_normal(count)
    columns = []
    width = np.full(count, np.nan)
    for name in _AGN_LINES:
        wave = LINES[name].vacuum * (1.0 + z)
        each = _AGN_WIDTHS[name] * 10 ** (strength + 0.15 * rng.standard_normal(count))
        each = each * np.where(narrow, _NARROW_BOOST.get(name, 1.0), 1.0)
        if name == "Lya":
            width = each
        columns.append(each * (1.0 + z) * level * (wave / 4700.0) ** -1.5)
    return _flatten(
        _AGN_LINES, z, np.stack(columns, axis=1), velocity, width, magnitude, narrow, np.zeros(count), area, rng
    )


def _flatten(
    names: tuple[str, ...],
    z: np.ndarray,
    fluxes: np.ndarray,
    velocity: np.ndarray,
    width: np.ndarray,
    magnitude: np.ndarray,
    narrow: np.ndarray,
    half_light: np.ndarray,
    area: float,
    rng: np.random.Generator,
) -> Lines:
    """A row for the strongest line of every object within the range of wavelengths, and for some of its other lines."""
    parts: dict[str, list[np.ndarray]] = {key: [] for key in ("row", "name", "wave", "sigma")}
    places = np.stack([np.asarray(observed_air(LINES[name], z)) for name in names], axis=1)
    within = np.where((places > WAVE_RANGE[0]) & (places < WAVE_RANGE[1]), fluxes, 0.0)
    strongest = within.argmax(axis=1)
    for column, name in enumerate(names):
        line, wave = LINES[name], places[:, column]
        listed = (strongest == column) | (rng.uniform(size=z.size) < COMPANION_SHARE)
        rows = np.flatnonzero((within[:, column] > 0) & listed)
        sigma = wave[rows] * np.hypot(velocity[rows] / SPEED_OF_LIGHT, line.spread / line.vacuum)
        parts["row"].append(rows)
        parts["name"].append(np.full(rows.size, column))
        parts["wave"].append(wave[rows])
        parts["sigma"].append(np.hypot(sigma, LSF_SIGMA))
    row, column_of = np.concatenate(parts["row"]), np.concatenate(parts["name"])
    return Lines(
        name=np.array(names)[column_of],
        z=z[row],
        wave=np.concatenate(parts["wave"]),
        flux=fluxes[row, column_of],
        sigma=np.concatenate(parts["sigma"]),
        width=width[row],
        velocity=velocity[row],
        fluxes=fluxes[row],
        members=names,
        magnitude=magnitude[row],
        narrow=narrow[row],
        half_light=half_light[row],
        area=area,
    )


_MAKERS = {"LAE": _emitters, "galaxy": _galaxies, "AGN": _nuclei}
KINDS = tuple(_MAKERS)


def detected(kind: str, count: int, rng: np.random.Generator) -> Lines:
    """Lines of `count` objects of a kind that are measured above `MINIMUM_SN`, each under its own conditions.

    The measured S/N is the expected one plus a unit normal deviate, over the factor by which reported errors are off.
    Where noise helps a line over the limit its measured flux is high: the sample has the bias of a real one.
    """
    lines = _MAKERS[kind](count, rng)
    fwhm, depth, factor = observing_conditions(len(lines), rng)
    deviate = rng.standard_normal(len(lines))
    expected = lines.flux / (line_flux_error(lines.wave, lines.sigma) * depth)
    # Weights of a point source catch less of an extended one: for Gaussians of widths s and t, 2 s²/(s² + t²)
    expected = expected / (1.0 + 2.0 * (lines.half_light / fwhm) ** 2)
    sn = (expected + deviate) / factor
    values = {**vars(lines), "fwhm": fwhm, "depth": depth, "error_factor": factor, "deviate": deviate, "sn": sn}
    return Lines(**values).take(np.flatnonzero(sn >= MINIMUM_SN))


_TRIALS = {"LAE": 400_000, "galaxy": 1_000_000, "AGN": 100_000}


@lru_cache(maxsize=1)
def surface_density() -> dict[str, float]:
    """Detected lines per square degree of each kind, by a Monte Carlo with a seed of its own."""
    found = {}
    for kind, trials in _TRIALS.items():
        lines = detected(kind, trials, np.random.default_rng(20230101))
        found[kind] = len(lines) / lines.area
    return found


def draw(kind: str, count: int, rng: np.random.Generator) -> Lines:
    """Exactly `count` detected lines of a kind, at random out of as many objects as it takes."""
    pieces: list[Lines] = []
    have = 0
    trials = 2000 + 40 * count
    while have < count:
        lines = detected(kind, trials, rng)
        pieces.append(lines)
        have += len(lines)
    joined: dict[str, Any] = dict(vars(pieces[0]))
    for name, value in vars(pieces[0]).items():
        if isinstance(value, np.ndarray):
            joined[name] = np.concatenate([getattr(piece, name) for piece in pieces])
    return Lines(**joined).take(rng.permutation(have)[:count])


def noise_peak_sn(count: int, rng: np.random.Generator, factor: float) -> np.ndarray:
    """S/N (in reported errors) of peaks of pure noise above the limit.

    Peaks of a Gaussian field in four dimensions (position, wavelength, width) thin out as s³ exp(-s²/2) (Adler 1981;
    Bardeen et al. 1986, ApJ 304, 15, for the form); errors are underestimated by `factor` where such peaks are picked.
    """
    s = np.linspace(MINIMUM_SN, MINIMUM_SN + 4.0, 2000)
    density = (s * factor) ** 3 * np.exp(-0.5 * (s * factor) ** 2)
    steps = np.cumsum(density)
    return np.interp(rng.uniform(size=count), steps / steps[-1], s)
