"""The user guide's `classify` API: P(LAE)/P(OII) of a line, and the multi-line solutions of a spectrum.

Calls written for ELiXer work unchanged: names, order and defaults of the arguments, and the shapes of what
is returned, are those of its `classify` module. Differences in the numbers are listed in docs/differences.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elixer_widgets._arguments import number
from elixer_widgets.analysis import interpret, measure
from elixer_widgets.classification.plae import (
    PUBLISHED_RANGE,
    ExtraLine,
    draw_log_ratio,
)
from elixer_widgets.classification.plae import plae_poii as _ratio
from elixer_widgets.classification.published import SNR_SHARE
from elixer_widgets.classification.scores import line_score
from elixer_widgets.classification.solutions import Companion, Solution
from elixer_widgets.detection import DataError, Detection, Spectrum
from elixer_widgets.spectra.fitting import LineFit, without_low_flux
from elixer_widgets.spectra.lines import LINES
from elixer_widgets.spectra.wavelengths import GRID_STEP

__all__ = ["plae_poii", "solution_finder"]

DRAWS = 1000

MOST = 1e8
"""Å, and erg/s/cm²: beyond lies no line."""


def plae_poii(
    line_wave: float,
    line_flux: float,
    line_flux_err: float,
    eqw_obs: float,
    eqw_obs_err: float,
    addl_wave: Sequence[float] = (),
    addl_flux: Sequence[float] = (),
    addl_flux_err: Sequence[float] = (),
    estimate_error: bool = False,
) -> tuple[float, float, float] | tuple[float, float, float, dict[str, list[float]]]:
    """P(LAE)/P(OII) of an emission line.

    Parameters
    ----------
    line_wave : float
        Å observed.
    line_flux, line_flux_err : float
        erg/s/cm².
    eqw_obs, eqw_obs_err : float
        Equivalent width in the observed frame, Å; its sign is ignored.
    addl_wave, addl_flux, addl_flux_err : sequence of float
        Further lines of the same object: Å observed, erg/s/cm². Those within 2 Å of a companion of [O II]
        count.
    estimate_error : bool
        Whether to draw flux and equivalent width within their errors.

    Returns
    -------
    ratio : float
        P(LAE)/P(OII), clipped to 0.001 to 1000.
    p_lae, p_oii : float
        Probabilities of the two, adding up to 1, at the values given. All three are 0 if nothing can be
        computed.
    draws : dict
        With `estimate_error` only. "ratio": [centre, low, high, half the 68 % range], the centre being the
        median and the limits enclosing 68 % of the draws; "plgd", "pogd": the probabilities of every draw.

    Raises
    ------
    DataError
        If the three lists of further lines differ in length.
    """
    for name, value in (
        ("line_wave", line_wave), ("line_flux", line_flux), ("line_flux_err", line_flux_err), ("eqw_obs", eqw_obs),
        ("eqw_obs_err", eqw_obs_err),
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, float | int | np.number):
            raise DataError(f"plae_poii: {name} {value!r:.60} is not a number; give one, NaN where it is not known")
    for name, values in (("addl_wave", addl_wave), ("addl_flux", addl_flux), ("addl_flux_err", addl_flux_err)):
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
            raise DataError(f"plae_poii: {name} {values!r:.60} is not a list of numbers; give one, empty for none")
        for value in values:
            number(value, f"plae_poii: {name}", "numbers")
    if not len(addl_wave) == len(addl_flux) == len(addl_flux_err):
        raise DataError(
            f"plae_poii: addl_wave, addl_flux and addl_flux_err have {len(addl_wave)}, {len(addl_flux)} and "
            f"{len(addl_flux_err)} values; give the same number of each"
        )
    if abs(line_wave) > MOST or abs(line_flux) > MOST:
        raise DataError(f"plae_poii: {line_wave:g} Å and {line_flux:g} erg/s/cm² are no line; give those of one")
    lines = [ExtraLine(*map(float, each)) for each in zip(addl_wave, addl_flux, addl_flux_err, strict=True)]
    width = abs(float(eqw_obs))
    possible = bool(np.isfinite([line_wave, line_flux, width]).all()) and line_flux > 0 and width > 0
    empty: dict[str, list[float]] = {"ratio": [0.0, 0.0, 0.0, 0.0], "plgd": [], "pogd": []}
    if not possible:
        return (0.0, 0.0, 0.0, empty) if estimate_error else (0.0, 0.0, 0.0)
    flux_err = float(line_flux_err) if np.isfinite(line_flux_err) else 0.0
    continuum = line_flux / width
    central = _ratio(line_wave, line_flux, flux_err, continuum, lines=lines, draws=0).value
    p_lae = 1.0 if np.isinf(central) else central / (1.0 + central)
    p_oii = 0.0 if np.isinf(central) else 1.0 / (1.0 + central)
    clipped = float(np.clip(central, *PUBLISHED_RANGE))
    if not estimate_error:
        return clipped, p_lae, p_oii
    # What of the equivalent width's error is not the line's own belongs to the continuum
    relative = (eqw_obs_err / width) ** 2 - (flux_err / line_flux) ** 2 if np.isfinite(eqw_obs_err) else 0.0
    continuum_err = continuum * float(np.sqrt(max(relative, 0.0)))
    logarithms = draw_log_ratio(line_wave, line_flux, flux_err, continuum, continuum_err, lines=lines, draws=DRAWS)
    ratios = np.exp(np.clip(logarithms, *np.log(PUBLISHED_RANGE)))
    low, middle, high = np.sort(ratios)[[int(q * DRAWS) for q in (0.16, 0.5, 0.84)]]
    share = 1.0 / (1.0 + np.exp(-np.clip(logarithms, -700.0, 700.0)))
    draws = {
        "ratio": [float(middle), float(low), float(high), float(high - low) / 2.0],
        "plgd": share.tolist(),
        "pogd": (1.0 - share).tolist(),
    }
    return clipped, p_lae, p_oii, draws


def solution_finder(
    waves: ArrayLike, flux: ArrayLike, flux_err: ArrayLike | None, line_wave: float | None = None
) -> dict[str, Any]:
    """Find the lines of a spectrum and the redshifts that explain them.

    Parameters
    ----------
    waves : array-like, shape (n,)
        Å in air.
    flux, flux_err : array-like, shape (n,)
        1e-17 erg/s/cm² per 2 Å sample, as in ELiXer's interface and in the detection files.
    line_wave : float, optional
        Å in air of the main line; the strongest one found by default.

    Returns
    -------
    dict
        "primary_wave"; "eqw_obs" (value, error) in Å, observed frame; "plae_poii" (value, (low, high));
        "emission_lines", a list of dict with wave, continuum, fwhm, int_flux, snr, line_score, aborption;
        "solutions", a list of dict with wave_rest, name, z, score, frac_score, lines, rejected_lines, best
        first. Lines of a solution have wave_obs, wave_rest, name, z, line_score, snr, int_flux, fwhm,
        aborption; "lines" are those found, "rejected_lines" those that should be there and are not, or whose
        flux does not go with the main line's. A line_score is NaN where a line is too weak for one.
        "aborption" is spelt as in ELiXer. Fluxes are in erg/s/cm², continua in 1e-17 erg/s/cm²/Å. Unknown
        values are NaN.
    """
    error = None if flux_err is None else _samples(flux_err, "flux_err") / GRID_STEP
    spectrum = Spectrum(_samples(waves, "waves"), _samples(flux, "flux") / GRID_STEP, error)
    place = float("nan") if line_wave is None else number(line_wave, "solution_finder: line_wave", "Å in air")
    measurements = measure(Detection.from_spectrum(spectrum, place))
    meaning = interpret(measurements)
    line = measurements.line
    continuum = meaning.continuum
    width, width_err = float("nan"), float("nan")
    if continuum.value > 0:
        width = line.flux * 1e17 / continuum.value
        width_err = abs(width) * float(np.hypot(line.flux_err / line.flux, continuum.error / continuum.value))
    value, low, high = meaning.plae_poii.clipped
    return {
        "primary_wave": line.center,
        "eqw_obs": (width, width_err),
        "plae_poii": (value, (low, high)),
        "emission_lines": [_line(each, spectrum) for each in measurements.lines],
        "solutions": [_solution(each) for each in measurements.solutions if each.score > 0],
    }


def _samples(values: ArrayLike, name: str) -> np.ndarray:
    """An array of numbers, one a sample."""
    try:
        samples = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"solution_finder: {name} {values!r:.60} is not an array of numbers; give numbers") from error
    if samples.ndim != 1 or samples.size < 2:
        raise DataError(f"solution_finder: {name} of shape {samples.shape} is not a spectrum; give one number a sample")
    return samples


def _line(measured: LineFit, spectrum: Spectrum) -> dict[str, Any]:
    fit = without_low_flux(measured)
    return {
        "wave": fit.center,
        "continuum": fit.continuum,
        "fwhm": fit.fwhm,
        "int_flux": fit.flux,
        "snr": fit.snr,
        "line_score": published_score(fit, spectrum),
        "aborption": measured.is_absorption,
    }


def published_score(fit: LineFit, spectrum: Spectrum) -> float:
    """The published score of a line, with the spectrum's error beside it; NaN where the line is too weak for one."""
    noise = float(np.interp(fit.center, spectrum.wavelength, np.nan_to_num(np.asarray(spectrum.error))))
    # without errors the published factor for the height over the noise is 1
    height = abs(fit.amplitude) / noise if noise > 0 else 5.0
    return float(line_score(SNR_SHARE * fit.snr, fit.sigma, fit.flux, height))


def _solution(solution: Solution) -> dict[str, Any]:
    found = [each for each in solution.companions if each.status == "found" and each.consistent is not False]
    rejected = [
        each
        for each in solution.companions
        if each not in found and (each.status == "missing" or each.consistent is False)
    ]
    return {
        "wave_rest": solution.rest_wavelength,
        "name": LINES[solution.line].label,
        "z": solution.redshift,
        "score": solution.score,
        "frac_score": solution.fraction,
        "lines": [_companion(each, solution) for each in found],
        "rejected_lines": [_companion(each, solution) for each in rejected],
    }


def _companion(companion: Companion, solution: Solution) -> dict[str, Any]:
    return {
        "wave_obs": companion.wavelength,
        "wave_rest": LINES[companion.line].vacuum,
        "name": companion.label,
        "z": solution.redshift,
        "line_score": companion.score,
        "snr": companion.snr,
        "int_flux": companion.flux,
        "fwhm": 2.355 * companion.sigma,
        "aborption": LINES[companion.line].absorption,
    }
