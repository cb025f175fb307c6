"""The simulated population: what is on the sky, and how strong it shines.

Lyα emitters and [O II] galaxies follow the published luminosity functions and equivalent-width distributions
(`classification.universe`) above the survey's flux limit, in their natural proportion. The other kinds are rarer or
depend on the instrument, so their numbers are set by hand: see `mixture`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from elixer_widgets.classification import universe
from elixer_widgets.simulation.optics import LSF_SIGMA, detection_noise
from elixer_widgets.simulation.spectra import (
    CONTINUUM_GRID,
    REST,
    Emission,
    Source,
    absorption,
    blackbody,
    emission,
    flux_density,
    intergalactic,
    lya_profile,
    moments,
    oii_doublet,
    power_law,
)

IDENTITY = {
    "LAE": "Lya",
    "OII": "OII",
    "OIII": "OIII",
    "AGN_Lya": "Lya",
    "AGN_CIV": "CIV",
    "AGN_CIII": "CIII",
    "AGN_MgII": "MgII",
    "star": "star",
    "whitedwarf": "star",
    "cosmic": "artifact",
    "chargetrap": "artifact",
    "sky": "artifact",
    "noise": "noise",
}
"""The kinds of the truth table and the identity of each."""

INSTRUMENTAL = ("cosmic", "chargetrap", "sky", "noise")

# Share of each kind; Lyα emitters and [O II] galaxies together take the rest.
_SHARE = {
    "OIII": 0.05,
    "AGN_Lya": 0.04,
    "AGN_CIV": 0.025,
    "AGN_CIII": 0.02,
    "AGN_MgII": 0.02,
    "star": 0.04,
    "whitedwarf": 0.02,
    "cosmic": 0.03,
    "chargetrap": 0.025,
    "sky": 0.03,
    "noise": 0.05,
}

MINIMUM_SN = 5.0  # expected signal-to-noise of the weakest drawn line
WAVE_RANGE = (3540.0, 5480.0)  # Å; where detected lines may lie
_WAVE_CELL, _FLUX_CELL = 10.0, 0.05  # Å and ln flux: steps of the table from which lines are drawn
_MINIMUM_EW = {"LAE": 3.0, "OII": 1.0}  # Å, rest frame: weaker lines drown in their own continuum

# Relative to [O II]: Leung et al. 2017, ApJ 843, 130; [O III] 5007/4959 is set by atomic physics (Storey &
# Zeippen 2000, MNRAS 312, 813).
_NEIII, _HB, _OIII5007, _OIII_RATIO = 0.2323, 0.5583, 2.6533, 2.98
_HG_HB = 0.468  # case B, Osterbrock & Ferland 2006, table 4.4

# Lines of active nuclei: equivalent width in Å, rest frame (Vanden Berk et al. 2001, AJ 122, 549, table 2).
_AGN_LINES = {"Lya": 75.0, "NV": 8.0, "SiIV": 8.0, "CIV": 24.0, "HeII": 3.0, "CIII": 21.0, "MgII": 32.0}


def line_flux_error(wave: np.ndarray | float, sigma: np.ndarray | float = 2.9) -> np.ndarray:
    """Error (1e-17 erg/s/cm²) of the flux of a Gaussian line of observed σ (Å) in a detection's spectrum."""
    # Matched filter on 2 Å samples: σ_F = σ sqrt(s sqrt(π)) for an error σ per 2 Å sample.
    return detection_noise(np.asarray(wave, float)) * np.sqrt(np.asarray(sigma) * np.sqrt(np.pi))


@lru_cache(maxsize=2)
def _density(kind: universe.Kind) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wavelengths (Å), ln fluxes (1e-17), and emitters per steradian in each cell above the limit."""
    wave = np.arange(WAVE_RANGE[0], WAVE_RANGE[1], _WAVE_CELL) + 0.5 * _WAVE_CELL
    log_flux = np.arange(np.log(2.0), np.log(300.0), _FLUX_CELL) + 0.5 * _FLUX_CELL
    flux = np.exp(log_flux)
    density = universe.number_density(kind, wave[:, None], flux[None, :] * 1e-17)
    density = np.where(flux[None, :] > MINIMUM_SN * line_flux_error(wave)[:, None], density, 0.0)
    return wave, log_flux, density * _WAVE_CELL * _FLUX_CELL


def natural_ratio() -> float:
    """Lyα emitters for one [O II] galaxy above the flux limit of the simulated survey."""
    return float(_density("LAE")[2].sum() / _density("OII")[2].sum())


def mixture(n: int) -> dict[str, int]:
    """How many of `n` detections are of each kind.

    About a third are nuclei, dwarfs, stars, artifacts and noise (`_SHARE`), at least one of each from n = 24 on; the
    rest are Lyα emitters and [O II] galaxies in their natural proportion, at least one of each from n = 2 on.
    """
    counts = dict.fromkeys(IDENTITY, 0)
    if n >= 24:
        counts.update({kind: max(1, round(share * n)) for kind, share in _SHARE.items()})
    else:
        rest = round(0.35 * n)
        order = ("OIII", "AGN_CIV", "noise", "star", "AGN_Lya", "cosmic", "AGN_MgII", "sky")
        counts.update(dict.fromkeys(order[:rest], 1))
    left = n - sum(counts.values())
    ratio = natural_ratio()
    counts["OII"] = min(max(round(left / (1.0 + ratio)), 1 if left > 1 else 0), left)
    counts["LAE"] = left - counts["OII"]
    return counts


def draw(kind: str, count: int, rng: np.random.Generator) -> list[Source]:
    """`count` objects of a kind, not yet placed on the sky."""
    if kind in ("LAE", "OII"):
        wave, log_flux, density = _density(kind)
        cell = rng.choice(density.size, size=count, p=(density / density.sum()).ravel())
        i, j = np.unravel_index(cell, density.shape)
        waves = wave[i] + rng.uniform(-0.5, 0.5, count) * _WAVE_CELL
        fluxes = np.exp(log_flux[j] + rng.uniform(-0.5, 0.5, count) * _FLUX_CELL)
        make = _lae if kind == "LAE" else _oii
        made = [make(float(w), float(f), rng) for w, f in zip(waves, fluxes, strict=True)]
    elif kind == "OIII":
        made = [_oiii_dwarf(rng) for _ in range(count)]
    elif kind.startswith("AGN_"):
        made = [_nucleus(kind[4:], rng) for _ in range(count)]
    elif kind in ("star", "whitedwarf"):
        made = [_star(kind, rng) for _ in range(count)]
    else:
        made = [Source(kind, IDENTITY[kind], np.nan) for _ in range(count)]
    for source in made:
        source.angle = float(rng.uniform(0.0, 180.0))
        if kind not in INSTRUMENTAL:
            source.measure_magnitudes()
    return made


def _equivalent_width(kind: str, z: float, rng: np.random.Generator) -> float:
    scale = float(universe.equivalent_width_scale(kind, z))
    return _MINIMUM_EW[kind] + float(rng.exponential(scale))


def _lae(wave: float, flux: float, rng: np.random.Generator) -> Source:
    z = wave / REST["Lya"] - 1.0
    width = _equivalent_width("LAE", z, rng)
    main = lya_profile(z, flux, float(rng.lognormal(np.log(130.0), 0.3)), float(rng.uniform(0.2, 0.45)))
    centre = moments(main)[0]
    level = flux / (width * (1.0 + z))
    continuum = power_law(level, centre, float(rng.normal(-1.8, 0.4))) * intergalactic(z)
    size = float(rng.lognormal(np.log(0.12), 0.3))
    return Source("LAE", "Lya", z, main, (), continuum, size, float(rng.uniform(0.5, 1.0)), ew_rest=width)


def _oii(wave: float, flux: float, rng: np.random.Generator) -> Source:
    z = wave / universe.REST_WAVELENGTH["OII"] - 1.0
    width = _equivalent_width("OII", z, rng)
    sigma_v = float(rng.lognormal(np.log(60.0), 0.3))
    main = oii_doublet(z, flux, sigma_v, float(np.clip(rng.normal(1.35, 0.12), 0.8, 1.5)))
    centre = moments(main)[0]
    oiii = flux * _OIII5007 * 10 ** rng.normal(0.0, 0.25)
    hb = flux * _HB * 10 ** rng.normal(0.0, 0.15)
    lines = (
        emission("NeIII", z, flux * _NEIII * 10 ** rng.normal(0.0, 0.2), sigma_v),
        emission("Hg", z, hb * _HG_HB, sigma_v),
        emission("Hb", z, hb, sigma_v),
        emission("OIII4959", z, oiii / _OIII_RATIO, sigma_v),
        emission("OIII5007", z, oiii, sigma_v),
    )
    level = flux / (width * (1.0 + z))
    # The break at 4000 Å is weak in galaxies with strong lines.
    break_strength = 1.0 + 0.45 * np.exp(-width / 15.0)
    step = 1.0 + (break_strength - 1.0) / (1.0 + np.exp(-(CONTINUUM_GRID / (1.0 + z) - 4000.0) / 60.0))
    calcium = [
        (3934.8 * (1 + z), 6.0, 0.25 * (break_strength - 1.0)),
        (3969.6 * (1 + z), 6.0, 0.2 * (break_strength - 1.0)),
    ]
    continuum = power_law(level, centre, float(rng.normal(-0.9, 0.5))) * step * absorption(calcium)
    size = float(np.clip(rng.lognormal(np.log(0.55), 0.3), 0.2, 1.2))
    source = Source("OII", "OII", z, main, lines, continuum, size, float(rng.uniform(0.35, 1.0)))
    source.ew_rest = flux / (source.continuum_at(centre) * (1.0 + z))
    return source


def _oiii_dwarf(rng: np.random.Generator) -> Source:
    z = float(rng.uniform(0.004, 0.09))
    sigma_v = 40.0
    wave = REST["OIII5007"] * (1.0 + z)
    flux = float(line_flux_error(wave)) * float(rng.lognormal(np.log(14.0), 0.5))
    width = float(rng.lognormal(np.log(150.0), 0.6))
    hb = flux / float(rng.lognormal(np.log(5.0), 0.2))
    oii = flux / float(rng.lognormal(np.log(5.0), 0.4))
    lines = (
        *oii_doublet(z, oii, sigma_v, 1.35),
        emission("NeIII", z, flux * 0.08, sigma_v),
        emission("Hg", z, hb * _HG_HB, sigma_v),
        emission("Hb", z, hb, sigma_v),
        emission("OIII4959", z, flux / _OIII_RATIO, sigma_v),
    )
    main = (emission("OIII5007", z, flux, sigma_v),)
    continuum = power_law(flux / (width * (1.0 + z)), main[0].wave, float(rng.normal(-1.6, 0.3)))
    size = float(rng.lognormal(np.log(0.4), 0.3))
    return Source("OIII", "OIII", z, main, lines, continuum, size, float(rng.uniform(0.5, 1.0)), ew_rest=width)


# Redshifts at which each line of a nucleus is the one that is detected.
_AGN_Z = {"Lya": (2.0, 3.3), "CIV": (1.35, 2.4), "CIII": (0.92, 1.75), "MgII": (0.32, 0.92)}


def _nucleus(name: str, rng: np.random.Generator) -> Source:
    z = float(rng.uniform(*_AGN_Z[name]))
    level_g = flux_density(float(rng.uniform(20.5, 23.0)), 4700.0)
    continuum = power_law(level_g, 4700.0, float(rng.normal(-1.5, 0.3)))
    width_v = float(rng.lognormal(np.log(3500.0), 0.3)) / 2.3548
    parts: dict[str, Emission] = {}
    for line, typical in _AGN_LINES.items():
        wave = REST[line] * (1.0 + z)
        level = float(np.interp(wave, CONTINUUM_GRID, continuum))
        if CONTINUUM_GRID[0] < wave < CONTINUUM_GRID[-1]:
            width = typical * float(rng.lognormal(0.0, 0.25))
            parts[line] = emission(line, z, width * (1.0 + z) * level, width_v * float(rng.uniform(0.9, 1.1)))
    main = parts.pop(name)
    rest_width = main.flux / (float(np.interp(main.wave, CONTINUUM_GRID, continuum)) * (1.0 + z))
    kind = f"AGN_{name}"
    return Source(
        kind, IDENTITY[kind], z, (main,), tuple(parts.values()), continuum * intergalactic(z), ew_rest=rest_width
    )


_BALMER = (6562.8, 4861.3, 4340.5, 4101.7, 3970.1, 3889.1, 3835.4)  # Å, air


def _star(kind: str, rng: np.random.Generator) -> Source:
    if kind == "whitedwarf":
        temperature = float(rng.uniform(9000.0, 18000.0))
        features = [(wave, 28.0 - 3.5 * i, 0.55 - 0.05 * i) for i, wave in enumerate(_BALMER)]
        magnitude = float(rng.uniform(18.5, 20.5))
    else:
        temperature = float(rng.uniform(4200.0, 6800.0))
        cool = np.clip((6800.0 - temperature) / 2600.0, 0.1, 1.0)
        features = [(wave, 5.0, 0.45 * (1.0 - 0.8 * cool)) for wave in _BALMER]
        features += [(3933.7, 9.0, 0.7), (3968.5, 9.0, 0.6), (4226.7, 4.0, 0.6 * cool), (4304.0, 14.0, 0.4 * cool)]
        features += [(5175.0, 16.0, 0.4 * cool), (4383.0, 5.0, 0.35 * cool), (5270.0, 5.0, 0.3 * cool)]
        features += [(3820.0, 25.0, 0.4 * cool), (3735.0, 25.0, 0.4 * cool), (3580.0, 30.0, 0.4 * cool)]
        magnitude = float(rng.uniform(17.0, 20.0))
    continuum = flux_density(magnitude, 4700.0) * blackbody(temperature) * absorption(features)
    source = Source(kind, "star", 0.0, continuum=continuum)
    # A pipeline takes a peak between absorption lines for an emission line.
    source.main = (Emission(_bump(continuum, rng), LSF_SIGMA, 0.0),)
    return source


def _bump(continuum: np.ndarray, rng: np.random.Generator) -> float:
    """Wavelength (Å) of one of the three highest peaks of a continuum above its own running mean."""
    step = float(CONTINUUM_GRID[1] - CONTINUUM_GRID[0])
    mean = uniform_filter1d(continuum, round(100.0 / step))
    excess = gaussian_filter1d(continuum, LSF_SIGMA / step) / mean
    peak = (excess > np.roll(excess, 1)) & (excess > np.roll(excess, -1))
    peak &= (CONTINUUM_GRID > 3620.0) & (WAVE_RANGE[1] > CONTINUUM_GRID)
    places = np.flatnonzero(peak)
    best = places[np.argsort(-excess[places])[:3]]
    return float(CONTINUUM_GRID[rng.choice(best)])


# ------------------------------------------------------------------------------------ what else is in the images


def field_galaxies(area: float, rng: np.random.Generator, faintest: float = 26.5) -> list[Source]:
    """Galaxies that fill `area` (arcsec²), down to `faintest` in r.

    Counts dN/dm = 10^(0.36 (r - 24) + 4.55) per magnitude and square degree, which is 1e5 per square degree to r = 25
    (compare Metcalfe et al. 2001, MNRAS 323, 795); sizes shrink with magnitude; median redshifts grow.
    """
    slope, norm = 0.36, 10**4.55 / (3600.0**2)
    expected = area * norm * 10 ** (slope * (faintest - 24.0)) / (slope * np.log(10.0))
    count = int(rng.poisson(expected))
    brightest = 18.0
    spread = 10 ** (slope * (np.array([brightest, faintest]) - 24.0))
    r_magnitudes = 24.0 + np.log10(rng.uniform(spread[0], spread[1], count)) / slope
    found = []
    for r in r_magnitudes:
        centre = float(np.clip(0.13 * r - 2.35, 0.12, 1.2))
        z = float(np.clip(rng.gamma(3.0, centre / 2.7), 0.02, 5.0))
        slope_l = float(rng.normal(-0.6, 0.8))
        continuum = power_law(flux_density(float(r), 6200.0), 6200.0, slope_l) * intergalactic(z)
        size = float(np.clip(rng.lognormal(np.log(0.45) - 0.18 * (r - 23.0), 0.3), 0.08, 2.0))
        source = Source(
            "field", "", z, (), (), continuum, size, float(rng.uniform(0.3, 1.0)), float(rng.uniform(0, 180))
        )
        source.measure_magnitudes()
        found.append(source)
    return found
