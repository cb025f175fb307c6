"""The best that anybody could do between Lyα and [O II] here: judged with what is known to no rule."""

from __future__ import annotations

import numpy as np
from calibration_answers import Answers

from elixer_widgets.classification.equivalent_widths import AB_ZERO_POINT, LIGHT_SPEED
from elixer_widgets.classification.sizes import FAINTEST, NOISE_SCATTER, SCATTER, drawn_radius
from elixer_widgets.simulation import survey_population as population
from elixer_widgets.simulation.optics import LSF_SIGMA
from elixer_widgets.simulation.sky import line_flux_error
from elixer_widgets.simulation.survey_images import CATASTROPHIC, SURVEYS
from elixer_widgets.spectra.lines import LINES, observed_air, redshift_of

_STEPS = np.linspace(-4.0, 4.0, 81)


def _density(kind: str, z: np.ndarray, log_flux: np.ndarray) -> np.ndarray:
    """Objects per Å of observed wavelength and unit ln flux, up to a factor common to both kinds."""
    z_grid, flux_grid, number, (dz, df) = population.cells(kind)
    i = np.clip(np.round((z - z_grid[0]) / dz).astype(int), 0, z_grid.size - 1)
    j = np.clip(np.round((log_flux - flux_grid[0]) / df).astype(int), 0, flux_grid.size - 1)
    rest = LINES["Lya" if kind == "LAE" else "OII"].vacuum
    inside = (z >= z_grid[0] - dz) & (z <= z_grid[-1] + dz)
    return np.where(inside, number[i, j] / (dz * df) / rest, 0.0)


def log_odds(answers: Answers) -> np.ndarray:
    """ln odds of Lyα against [O II] from the true wavelength, flux and continuum, with the true distributions.

    Companions, sizes, profiles and catalogues do not enter: it is what equivalent widths alone can tell, were they
    known without error.
    """
    flux = np.log(answers.flux_true * 1e17)
    z_lya, z_oii = (np.asarray(redshift_of(answers.wave_true, LINES[name])) for name in ("Lya", "OII"))
    observed = answers.ew_true * (1.0 + answers.z)
    # Lyα: exponential with log-normal scatter, integrated over the scatter
    scale = population.lya_width_scale(z_lya)[:, None] * 10 ** (population.LYA_WIDTH_SCATTER * _STEPS)[None, :]
    weight = np.exp(-0.5 * _STEPS**2)
    width = observed / (1.0 + z_lya)
    ratio = width[:, None] / scale
    lya = (ratio * np.exp(-np.minimum(ratio, 600.0)) * weight).sum(axis=1) / weight.sum()
    width = observed / (1.0 + np.maximum(z_oii, 0.0))
    median = population.oii_width_median(z_oii)
    spread = population.OII_WIDTH_SCATTER * np.log(10.0)
    oii = np.exp(-0.5 * (np.log(width / median) / spread) ** 2) / (spread * np.sqrt(2.0 * np.pi))
    top = _density("LAE", z_lya, flux) * lya
    bottom = _density("galaxy", z_oii, flux) * oii
    return np.log(np.maximum(top, 1e-300)) - np.log(np.maximum(bottom, 1e-300))


# What `survey_population` and `survey` draw: velocity dispersion (km/s), half-light radius (arcsec) with its limits,
# smallest axis ratio; each spread is 0.4 in ln
_VELOCITY = {"Lya": 110.0, "OII": 55.0}
_HALF_LIGHT = {"Lya": (0.14, 0.05, 0.4), "OII": (0.6, 0.2, 1.8)}
_AXIS_RATIO = {"Lya": 0.5, "OII": 0.3}
_DRAWS = 400


def _normal(x: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))


def _mean_density(x: float, drawn: np.ndarray, error: float) -> float:
    return float(np.mean(_normal(np.full(drawn.size, x), drawn, np.full(drawn.size, error)))) + 1e-12


def _radii(name: str, rng: np.random.Generator, count: int) -> np.ndarray:
    median, low, high = _HALF_LIGHT[name]
    size = np.clip(median * np.exp(0.4 * rng.standard_normal(count)), low, high)
    return size * np.sqrt(rng.uniform(_AXIS_RATIO[name], 1.0, count))


def _line_widths(name: str, wave: float, rng: np.random.Generator, count: int) -> np.ndarray:
    velocity = wave * _VELOCITY[name] * np.exp(0.4 * rng.standard_normal(count)) / 299792.458
    doublet = LINES[name].spread * wave / LINES[name].vacuum
    return np.sqrt(LSF_SIGMA**2 + velocity**2 + doublet**2)


def _companions(wave: float, flux: float, sn: float, width: float, true: bool, rng: np.random.Generator) -> float:
    """ln odds from new measurements of the other lines of an [O II] galaxy, which is there only if `true`."""
    z = float(redshift_of(wave, LINES["OII"]))
    names = population.GALAXY_LINES[1:]
    places = np.array([float(observed_air(LINES[name], z)) for name in names])
    inside = (places > population.WAVE_RANGE[0] - 30.0) & (places < population.WAVE_RANGE[1] + 40.0)
    if not inside.any():
        return 0.0
    error = flux / sn * line_flux_error(places[inside]) / line_flux_error(wave)
    expected = flux * population.galaxy_ratios(np.full(_DRAWS, width), rng)[:, 1:][:, inside]
    there = flux * population.galaxy_ratios(np.array([width]), rng)[0, 1:][inside] if true else np.zeros(error.size)
    measured = there + error * rng.standard_normal(error.size)
    gain = -0.5 * (((measured - expected) / error) ** 2 - (measured / error) ** 2).sum(axis=1)
    top = float(gain.max())
    return -(top + float(np.log(np.mean(np.exp(gain - top)))))


def _photometric(z_lya: float, z_oii: float, r: float, lya: bool, rng: np.random.Generator) -> float:
    """ln odds from a photometric redshift as `survey_images` draws them."""
    faint = 1.0 + 0.4 * max(r - 23.0, 0.0)
    spread = {True: 0.045 * (1.0 + z_lya) * faint, False: 0.045 * (1.0 + z_oii) * faint}
    peak = (z_lya if lya else z_oii) + spread[lya] * rng.standard_normal()
    if rng.uniform() < CATASTROPHIC:
        peak = rng.uniform(0.05, 4.5)
    wrong = CATASTROPHIC / 4.45
    odds = [
        (1.0 - CATASTROPHIC) * np.exp(-0.5 * ((peak - z) / spread[each]) ** 2) / (spread[each] * np.sqrt(2 * np.pi))
        + wrong
        for each, z in ((True, z_lya), (False, z_oii))
    ]
    return float(np.log(odds[0] / odds[1]))


def ideal_log_odds(answers: Answers, seed: int = 97) -> np.ndarray:
    """The same with every other piece of evidence, by somebody who knows all distributions that were drawn from.

    To the true wavelength, flux and continuum come new measurements of the line's width, the companions, the size on
    the images and the photometric redshift, simulated with the noise they have at best: no blends, no wrong
    counterparts, no bad fits, the errors known. Each is weighed with the distribution it came from.
    """
    rng = np.random.default_rng(seed)
    out = log_odds(answers)
    for i in range(len(answers)):
        wave, lya = float(answers.wave_true[i]), answers.truth[i] == "Lya"
        name = "Lya" if lya else "OII"
        z_lya, z_oii = (float(redshift_of(wave, LINES[each])) for each in ("Lya", "OII"))
        if z_oii <= 0:
            continue
        sn, flux = float(answers.sn[i]), float(answers.flux_true[i]) * 1e17
        observed = float(answers.ew_true[i]) * (1.0 + float(answers.z[i]))
        error = 0.7 / sn  # of the ln of a Gaussian's width
        width = float(np.log(_line_widths(name, wave, rng, 1)[0]) + error * rng.standard_normal())
        both = [_mean_density(width, np.log(_line_widths(each, wave, rng, _DRAWS)), error) for each in ("Lya", "OII")]
        out[i] += np.log(both[0] / both[1])
        out[i] += _companions(wave, flux, sn, observed / (1.0 + z_oii), not lya, rng)
        survey = SURVEYS.get(str(answers.survey[i]))
        if survey is None:
            continue
        # Continua are nearly flat in magnitudes between the line and r
        r = -2.5 * np.log10(flux / observed * 1e-17 * wave**2 / LIGHT_SPEED / AB_ZERO_POINT)
        mag_err = 1.0857 / 5.0 * 10.0 ** (0.4 * (r - survey.depth["r"]))
        if mag_err < FAINTEST:
            blur = float(np.hypot(SCATTER, NOISE_SCATTER * mag_err / 1.0857))
            seen = np.log(drawn_radius(_radii(name, rng, 1), survey.seeing))[0] + blur * rng.standard_normal()
            both = [
                _mean_density(seen, np.log(drawn_radius(_radii(each, rng, _DRAWS), survey.seeing)), blur)
                for each in ("Lya", "OII")
            ]
            out[i] += np.log(both[0] / both[1])
        if answers.survey[i] == "deep g r" and r < 25.0:
            out[i] += _photometric(z_lya, z_oii, r, lya, rng)
    return out
