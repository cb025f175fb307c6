"""The other lines that an identity of the main line puts into the spectrum, measured at their places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from elixer_widgets.detection import NAN, Spectrum
from elixer_widgets.spectra.fitting import LineFit, forced_flux, without_lines
from elixer_widgets.spectra.lines import (
    GALAXY_RATIOS,
    LINES,
    SPEED_OF_LIGHT,
    Line,
    Ratio,
    expected_ratio,
    redshift_of,
)
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA, vacuum_to_air

BROAD_FWHM = 1200.0
"""km/s; ELiXer's lower limit of a broad line."""

VERY_BROAD_FWHM = 2500.0
"""km/s; beyond, even winds and mergers of galaxies and blends of their lines are left behind."""

FOUND_SNR = 3.5
"""Forced signal to noise from which a companion counts as found."""

LIMIT_SIGMA = 3.0
"""σ added to a flux for its upper limit."""

MIN_SEPARATION = 5.0
"""Å; a companion closer to the main line cannot be told from it."""

CONSISTENT_SIGMA = 2.0
"""A flux within so many σ of the range of its ratio is consistent with the identity."""

RATIO_ERROR = 0.15
"""Relative error of a forced flux against that of the main line, from width, offset and calibration."""

_ALL: tuple[Line, ...] = tuple(LINES.values())
_INDEX = {each.name: i for i, each in enumerate(_ALL)}
_VACUUM = np.array([each.vacuum for each in _ALL])
_BROAD = np.array([each.broad for each in _ALL])
_ABSORPTION = np.array([each.absorption for each in _ALL])


@dataclass(frozen=True)
class Companion:
    """Another line that an identity puts into the spectrum, measured at its place.

    Attributes
    ----------
    line : str
        Name in the line list, for example "OIII".
    label : str
        For people, for example "[O III] 5007".
    wavelength : float
        Where it is expected, Å observed in air.
    in_range : bool
        Whether the spectrum covers it.
    flux, flux_err : float
        Forced measurement, erg/s/cm²; negative in absorption.
    limit : float
        3σ upper limit, erg/s/cm²; of the depth for a line looked for in absorption.
    snr : float
    status : str
        "found", "missing" (expected strongly enough to have been seen), "not seen" (says nothing), "out of range".
    sigma : float
        Width with which it was measured, Gaussian σ in Å.
    expected : (float, float)
        Range of the flux by the usual ratios to the main line, erg/s/cm²; NaN where there is no rule.
    consistent : bool or None
        Whether the flux lies within 2σ of `expected` (a line in absorption: is not in emission by more than that).
        None where it is not measured or there is no rule.
    score : float
        Its published line score; NaN where none was given.
    """

    line: str
    label: str
    wavelength: float
    in_range: bool
    flux: float = NAN
    flux_err: float = NAN
    limit: float = NAN
    snr: float = NAN
    status: str = "out of range"
    sigma: float = NAN
    expected: tuple[float, float] = (NAN, NAN)
    consistent: bool | None = None
    score: float = NAN


def velocity_width(fit: LineFit, lsf_sigma: float) -> float:
    """FWHM in km/s of a line, the line spread function taken off; 0 if it is not resolved."""
    variance = fit.sigma**2 - lsf_sigma**2
    return float(2.3548 * np.sqrt(max(variance, 0.0)) / fit.center * SPEED_OF_LIGHT)


def width_class(fit: LineFit, lsf_sigma: float) -> int:
    """0 for a narrow line, 1 for one that is broad by more than its error, 2 for one of a width only quasars have."""
    if not np.isfinite(fit.sigma):
        return 0
    error = fit.sigma_err if np.isfinite(fit.sigma_err) else 0.0
    width = velocity_width(replace(fit, sigma=max(fit.sigma - error, 0.0)), lsf_sigma)
    return int(width > BROAD_FWHM) + int(width > VERY_BROAD_FWHM)


def is_broad(fit: LineFit, lsf_sigma: float) -> bool:
    """Whether the line is broader than galaxies make lines, by more than its error."""
    return width_class(fit, lsf_sigma) > 0


def lsf(spectrum: Spectrum) -> float:
    """σ of the line spread function in Å; that of HETDEX if the spectrum does not say."""
    return spectrum.lsf_sigma if np.isfinite(spectrum.lsf_sigma) else HETDEX_LSF_SIGMA


@dataclass(frozen=True, eq=False)
class Places:
    """Where the lines of the list are expected for several hypotheses; every array has shape (hypotheses, lines).

    Attributes
    ----------
    wavelength : array
        Å in air.
    sigma : array
        Expected Gaussian σ, Å.
    covered : array of bool
        Whether the spectrum covers the place, and it is not the main line's own.
    flux, err, formal_err : array
        erg/s/cm², NaN where not measured. `err` is enlarged where the data are no single line on a flat continuum;
        `formal_err` is not.
    """

    wavelength: np.ndarray
    sigma: np.ndarray
    covered: np.ndarray
    flux: np.ndarray
    err: np.ndarray
    formal_err: np.ndarray


def measure_places(
    spectrum: Spectrum, fit: LineFit, hypotheses: Sequence[tuple[Line, float]], *, formal: bool = False
) -> Places:
    """Forced fluxes of all lines of the list for all hypotheses, from one vectorised fit.

    Parameters
    ----------
    spectrum : Spectrum
    fit : LineFit
        The main line, which is taken off first; its width sets those of the others.
    hypotheses : sequence of (Line, float)
        What the main line may be, with its redshift.
    formal : bool
        Whether the formal errors are wanted too.
    """
    own_lsf = lsf(spectrum)
    intrinsic = np.sqrt(max(fit.sigma**2 - own_lsf**2, 0.0)) / fit.center if np.isfinite(fit.sigma) else 0.0
    narrow = min(intrinsic, BROAD_FWHM / 2.3548 / SPEED_OF_LIGHT)
    redshifts = np.array([z for _, z in hypotheses])
    place = vacuum_to_air(_VACUUM[None, :] * (1.0 + redshifts[:, None]))
    anchor_broad = np.array([anchor.broad for anchor, _ in hypotheses])
    width = np.where(anchor_broad[:, None] & _BROAD[None, :], intrinsic, narrow)
    sigma = np.hypot(own_lsf, width * place)
    covered = (place >= spectrum.wavelength[0]) & (place <= spectrum.wavelength[-1])
    covered &= np.abs(place - fit.center) >= MIN_SEPARATION
    for row, (anchor, _) in zip(covered, hypotheses, strict=True):
        row[_INDEX[anchor.name]] = False
    flux, err, formal_err = (np.full(place.shape, np.nan) for _ in range(3))
    if covered.any():
        rest = without_lines(spectrum, (fit,))
        where = place[covered], sigma[covered]
        flux[covered], err[covered] = forced_flux(rest, *where, inflate=True)
        if formal:
            formal_err[covered] = forced_flux(rest, *where)[1]
    return Places(place, sigma, covered, flux, err, formal_err)


def _required(ratio: Ratio | None, anchor: Line, line: Line, broad: bool) -> float:
    """Smallest flux ratio that `line` should have; 0 if it may be absent."""
    if ratio is None or line.absorption:
        return 0.0
    if anchor.name in GALAXY_RATIOS and line.name in GALAXY_RATIOS:
        return math.sqrt(ratio.low * ratio.typical) if line.rank <= 3 else 0.0
    # a narrow Lyα stands alone; every other line of an active nucleus comes with Lyα, and broad ones with the rest
    if line.name == "Lya" or (broad and line.rank <= 3):
        return math.sqrt(ratio.low * ratio.typical)
    return 0.0


def describe(places: Places, row: int, fit: LineFit, anchor: Line, broad: bool) -> tuple[Companion, ...]:
    """The companions of one hypothesis (`row` of `places`), by wavelength.

    All lines that the spectrum covers, and those beyond it that are known to go with the anchor.
    """
    main = abs(fit.flux)
    out = []
    for i in np.argsort(places.wavelength[row]):
        line, covered = _ALL[i], bool(places.covered[row, i])
        ratio = expected_ratio(line.name, anchor.name)
        if line is anchor or not (covered or ratio is not None):
            continue
        wavelength = float(places.wavelength[row, i])
        if not covered:
            if abs(wavelength - fit.center) >= MIN_SEPARATION:
                out.append(Companion(line.name, line.label, wavelength, False))
            continue
        out.append(
            _companion(
                line,
                wavelength,
                float(places.sigma[row, i]),
                float(places.flux[row, i]),
                float(places.err[row, i]),
                ratio,
                _required(ratio, anchor, line, broad) * main,
                main,
            )
        )
    return tuple(out)


def _companion(
    line: Line,
    wavelength: float,
    sigma: float,
    flux: float,
    err: float,
    ratio: Ratio | None,
    required: float,
    main: float,
) -> Companion:
    """Put a forced flux into words."""
    # what may be absent has no lower limit: a narrow Lyα comes without the lines of an active nucleus
    expected = (NAN, NAN) if ratio is None else (ratio.low * main if required > 0 else 0.0, ratio.high * main)
    if not math.isfinite(flux):
        return Companion(line.name, line.label, wavelength, True, status="not seen", sigma=sigma, expected=expected)
    snr = flux / err if err > 0 else NAN
    sign = -1.0 if line.absorption else 1.0
    if sign * snr >= FOUND_SNR:
        status = "found"
    elif required > LIMIT_SIGMA * err and flux < required - 2.0 * err:
        status = "missing"
    else:
        status = "not seen"
    consistent: bool | None = None
    if line.absorption:
        consistent = flux <= CONSISTENT_SIGMA * err
    elif ratio is not None:
        low, high = (CONSISTENT_SIGMA * math.hypot(err, RATIO_ERROR * bound) for bound in expected)
        consistent = expected[0] - low <= flux <= expected[1] + high
    limit = max(sign * flux, 0.0) + LIMIT_SIGMA * err
    return Companion(
        line.name, line.label, wavelength, True, flux, err, limit, snr, status, sigma, expected, consistent
    )  # fmt: skip


def companions(
    spectrum: Spectrum, line_fit: LineFit, identity: str, redshift: float | None = None
) -> tuple[Companion, ...]:
    """Measure the lines that `identity` puts into the spectrum.

    Parameters
    ----------
    spectrum : Spectrum
    line_fit : LineFit
        The main line; its width sets those of the companions.
    identity : str
        Name of an identity or of a line in the list. One without companions ("star", "noise", ...) gives none.
    redshift : float, optional
        By default that of the main line if it is `identity`.

    Returns
    -------
    tuple of Companion
        By wavelength; forced fluxes with errors, or 3σ limits, also in absorption (Ca II H and K).
    """
    anchor = LINES.get(identity)
    if anchor is None or not np.isfinite(line_fit.center):
        return ()
    z = float(redshift_of(line_fit.center, anchor)) if redshift is None else redshift
    places = measure_places(spectrum, line_fit, [(anchor, z)])
    return describe(places, 0, line_fit, anchor, is_broad(line_fit, lsf(spectrum)))
