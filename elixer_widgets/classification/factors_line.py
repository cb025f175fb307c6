"""What the line itself says: its signal to noise, its width, the lines beside it, its spread over the fibers.

Every function returns ln likelihoods in the order of `KINDS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elixer_widgets.classification.calibration import Calibration
from elixer_widgets.classification.companions import BROAD_FWHM
from elixer_widgets.classification.evidence import log_sum
from elixer_widgets.classification.identities import LIGHT_SPEED, Shifts
from elixer_widgets.classification.priors import KINDS
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.detection import NAN
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, observed_air
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA

ACCEPTED_CASE = 5.0
"""ln of the likelihood that an accepted multi-line solution has at least; our estimate."""
CROWDED = 3
SPOILT_CASE = 3.0
"""From this many absorption lines of a star on, emission between them is none, and companions say at most
this, in ln."""

ABSORPTION_SNR = 6.0
"""Absorption lines from this S/N are looked at."""
ABSORPTION_CHANCE = 0.1
"""Chance that an absorption line lies by accident where a star has one: eight places, each some 12 to 20 Å wide."""
BARE_STAR = 4.0
"""ln of what it costs a star to show none of these lines where they would be seen; our estimate."""
_STELLAR_LINES = ("Heta", "Hzeta", "CaK", "CaH", "Hepsilon", "Hd", "Hg", "Hb")

NOISE_NORMALISED = 5.0
"""S/N at which the share of noise is given."""

PROFILE_ERROR = 0.2
"""Relative error of the fibers' weights as the image of a source; our estimate."""
PROFILE_LIMIT = 6.5
"""What the spread over the fibers can say at most, in ln: a blend or a neighbour spoils it now and then."""
STRUCK = 0.25
"""Chance that a fiber that a fault may reach has it; our estimate."""

NO_OBJECT = 1e-4
"""Share of what is no object that is broader than galaxies make lines, beside the shares that the kinds give; our
estimate: such a fault lies in many fibers, in every exposure, and follows the light of a source."""

_ARTIFACT = np.array([kind.identity == "artifact" for kind in KINDS])
_NOISE = np.array([kind.identity == "noise" for kind in KINDS])
_STAR = np.array([kind.identity == "star" for kind in KINDS])
_ABSORBING = np.array([kind.identity in ("star", "other", "artifact", "noise") for kind in KINDS])


def _thinning(snr: float, start: float, width: float, floor: float) -> float:
    """ln of how a share changes with S/N: even up to `start`, then falling as a Gaussian, to `floor` at last."""
    beyond = max(snr - start, 0.0) / width
    return float(np.log(np.exp(-0.5 * beyond**2) + floor))


def _noise_peaks(sn: float, errors: float) -> float:
    """ln of the peaks of noise for one true line, over those at S/N 5.

    Peaks of a Gaussian field in four dimensions (position, wavelength, width) go as s³ exp(-s²/2) with the true noise
    (Adler 1981; Bardeen et al. 1986, ApJ 304, 15, for the form), lines about as s⁻² per unit of S/N.
    """
    true, start = max(sn, 4.0) * errors, NOISE_NORMALISED * errors
    return float(5.0 * np.log(true / start) - 0.5 * (true**2 - start**2))


def quality(line: LineFit, calibration: Calibration, listed_sn: float = NAN) -> np.ndarray:
    """Signal to noise against false lines, fit quality against artifacts, and the sign of the line.

    Noise is in the list because its S/N there was above the limit: where that S/N is known, it is what tells.
    """
    snr = line.snr if np.isfinite(line.snr) else 0.0
    misfit = 0.0
    if np.isfinite(line.chi2):
        # At high S/N no line is a Gaussian to within its errors
        misfit = -calibration.misfit * min(max(line.chi2 - 1.5 - 0.03 * snr, 0.0) ** 2, 4.0)
    out = np.where(_ARTIFACT | _NOISE | _STAR, 0.0, misfit)
    c = calibration
    if np.isfinite(listed_sn):
        # The prior has the share that goes with the S/N measured here
        peaks = np.exp(_noise_peaks(listed_sn, c.noise_errors)) * c.noise_listed / c.noise
        out[_NOISE] = np.log(peaks + c.noise_floor)
        snr = listed_sn
    else:
        out[_NOISE] = _thinning(snr, c.noise_from, c.noise_width, c.noise_floor)
    out[_ARTIFACT] = _thinning(snr, c.artifact_from, c.artifact_width, c.artifact_floor)
    if line.is_absorption:
        out[~_ABSORBING] = -12.0
    return out


def companions(solutions: Sequence[Solution], stellar: int) -> np.ndarray:
    """ln of the likelihood of what the spectrum shows at the companions' places, `stellar` absorption lines of a star
    among it."""
    known = {s.identity: _case(s) for s in solutions if s.identity != "other"}
    others = [_case(s) for s in solutions if s.identity == "other"]
    # A line that is none of the listed identities is, one time in ten, the weaker of a pair in the list
    known["other"] = float(log_sum(np.array([np.log(0.9)] + [np.log(0.1 / len(others)) + x for x in others])))
    out = np.array([known.get(kind.identity, 0.0) for kind in KINDS])
    return np.minimum(out, SPOILT_CASE) if stellar >= CROWDED else out


def _case(solution: Solution) -> float:
    """ln of a solution's likelihood; one that the published rule accepts is not argued away by a blended
    companion."""
    found = [each for each in solution.companions if each.status == "found"]
    missing = sum(each.status == "missing" for each in solution.companions)
    case = solution.log_likelihood
    if not np.isfinite(case):
        case = sum(min(each.snr, 6.0) for each in found) - 2.0 * missing
    return float(max(case, ACCEPTED_CASE) if solution.accepted and found else case)


def absorption(line: LineFit, lines: Sequence[LineFit], shifts: Shifts) -> tuple[np.ndarray, int]:
    """ln of the likelihood of the absorption lines for each kind, and how many are where a star has them."""
    seen = [each for each in lines if each.is_absorption and each.snr > ABSORPTION_SNR]
    centers = np.array([each.center for each in seen])
    reach = np.array([max(6.0, 0.3 * each.sigma) for each in seen])

    def matched(z: float) -> int:
        if not seen:
            return 0
        places = np.array([float(observed_air(LINES[name], z)) for name in _STELLAR_LINES])
        return int(np.any(np.abs(centers[:, None] - places) < reach[:, None], axis=1).sum())

    def gain(count: int) -> float:
        """ln of the Poisson likelihoods of so many matches, expected over by chance (the Lyα forest has many)."""
        chance = max(ABSORPTION_CHANCE * len(seen), 0.3)
        return float(count * np.log(count / chance) - (count - chance)) if count >= 2 and count > chance else 0.0

    out = np.zeros(len(KINDS))
    stellar = matched(0.0)
    # A star's lines are a few Å wide; where such a line would stand out and there is none, it is no star
    depth = 3.0 * line.continuum * 1e-17 / line.flux_err if line.flux_err > 0 else 0.0
    bare = stellar == 0 and not line.is_absorption and depth > 2.0 * ABSORPTION_SNR
    out[_STAR] = -BARE_STAR if bare else min(1.5 * gain(stellar), 20.0)
    for i, kind in enumerate(KINDS):
        if seen and kind.identity in ("OII", "OIII", "Hb", "Hg") and shifts[kind.identity] > 0:
            # Galaxies show these less often than stars do
            out[i] = min(0.5 * gain(matched(shifts[kind.identity])), 6.0)
    return out, stellar


def fibers(found: Sequence[FiberFlux], is_absorption: bool) -> tuple[np.ndarray, str]:
    """ln of the likelihood of the line's spread over fibers and exposures: as the image of a source, or as a fault
    makes it, and what a fault would look like.

    A source's flux goes with the fibers' weights, for an extended one less steeply, in every exposure. A fault is in
    some fibers and not in others, whatever their weights (a charge trap), in one exposure only (a cosmic ray), or in
    all alike (a residual of the sky). Noise that was picked out because it looks like a source looks like one.
    """
    out = np.zeros(len(KINDS))
    if len(found) < 3:
        return out, ""
    flux, error, weight = (
        np.array([getattr(each, name) for each in found], float) for name in ("flux", "flux_err", "weight")
    )
    exposure = np.array([each.exposure for each in found])
    usable = np.isfinite(flux) & np.isfinite(error) & (error > 0) & np.isfinite(weight) & (weight >= 0)
    if is_absorption:
        flux = -flux
    flux, error, weight, exposure = flux[usable], error[usable], weight[usable], exposure[usable]
    peak = float(np.max(flux, initial=0.0))
    if flux.size < 3 or not (peak > 0 and weight.max() > 0):
        return out, ""
    powers = np.array([[0.5], [0.7], [0.85], [1.0]])
    source = float(np.max(_as_shape(flux, error, weight**powers)))
    nothing = np.exp(-0.5 * (flux / error) ** 2) / error
    anything = np.where((flux > -3 * error) & (flux < 1.5 * peak), np.sqrt(2 * np.pi) / (1.5 * peak), 0.0)
    trap = float(np.sum(np.log((1.0 - STRUCK) * nothing + STRUCK * anything + 1e-300)))
    faults = {"in some fibers and not in others": trap}
    taken = np.unique(exposure)
    if taken.size > 1:
        # In the exposure that was hit, half of the fibers may have it
        hit = np.log(0.5 * nothing + 0.5 * anything + 1e-300)
        clean = np.log(nothing + 1e-300)
        each = np.array([np.sum(np.where(exposure == one, hit, clean)) for one in taken])
        faults["in one exposure only"] = float(log_sum(each) - np.log(taken.size))
    faults["in all fibers alike"] = float(_as_shape(flux, error, np.ones((1, flux.size)))[0])
    values = np.array(list(faults.values()))
    artifact = float(log_sum(values) - np.log(values.size))
    gain = float(np.clip(artifact - source, -PROFILE_LIMIT, PROFILE_LIMIT))
    out[_ARTIFACT] = gain
    return out, list(faults)[int(np.argmax(values))]


def _as_shape(flux: np.ndarray, error: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """ln of the likelihood (up to a constant) of the fluxes as a multiple of each of the shapes, at its best scale."""
    weight = shapes / error**2
    scale = np.maximum((weight @ flux) / np.sum(weight * shapes, axis=1), 0.0)[:, None]
    sigma = np.hypot(error, PROFILE_ERROR * scale * shapes)
    return np.sum(-0.5 * ((flux - scale * shapes) / sigma) ** 2 - np.log(sigma), axis=1)


def lsf(lsf_sigma: float) -> float:
    """The instrument's σ in Å, HETDEX's where it is not known."""
    return lsf_sigma if np.isfinite(lsf_sigma) and lsf_sigma > 0 else HETDEX_LSF_SIGMA


_MEDIAN = np.array([kind.width[0] for kind in KINDS])
_SPREAD = np.array([kind.width[1] for kind in KINDS])


def _noise_width(sigma: float, instrument: float, error: float) -> float:
    """Density of ln σ for peaks of noise: as 1/σ, for so go the independent trials, over the widths of the search."""
    low, high = 0.75 * instrument, 2.8 * instrument
    nodes = np.geomspace(low, high, 24)
    weight = 1.0 / nodes
    scatter = float(np.hypot(0.06, min(max(error, 0.0), 1.0)))
    near = np.exp(-0.5 * (np.log(sigma / nodes) / scatter) ** 2) / (scatter * np.sqrt(2.0 * np.pi))
    return float(np.sum(weight * near) / weight.sum())


def width(
    line: LineFit, lsf_sigma: float, shifts: Shifts, calibration: Calibration, in_fibers: bool = True
) -> np.ndarray:
    """ln of the density of ln σ as observed, for each kind; a doublet's separation is part of its width.

    A fault is narrow (a cosmic ray, a charge trap, a residual of a sky line), or it is broad in the few fibers of one
    amplifier. Where the fibers are not known (`in_fibers` False) there is nothing to show the latter.
    """
    if not (np.isfinite(line.sigma) and line.sigma > 0):
        return np.zeros(len(KINDS))
    error = line.sigma_err / line.sigma if np.isfinite(line.sigma_err) else 0.15
    doublet = np.array(
        [
            IDENTITY_LINES[kind.identity].spread * (1.0 + max(shifts[kind.identity], 0.0))
            if kind.identity in IDENTITY_LINES
            else 0.0
            for kind in KINDS
        ]
    )
    intrinsic = line.center * _MEDIAN / LIGHT_SPEED
    total = np.sqrt(lsf(lsf_sigma) ** 2 + doublet**2 + intrinsic**2)
    scatter = np.hypot(np.hypot(_SPREAD * (intrinsic / total) ** 2, 0.06), min(max(error, 0.0), 1.0))
    x = np.log(line.sigma / total) / scatter
    normal = np.exp(-0.5 * x**2) / (scatter * np.sqrt(2.0 * np.pi))
    normal[_NOISE] = _noise_width(line.sigma, lsf(lsf_sigma), error)
    # Objects may have any width; what is no object is as wide as the instrument and the search make it
    outliers = np.full(len(KINDS), calibration.velocity_outliers)
    if resolved_fwhm(line, lsf_sigma) > BROAD_FWHM:
        outliers[_NOISE] *= NO_OBJECT
        if not in_fibers:
            normal[_ARTIFACT] *= NO_OBJECT
            outliers[_ARTIFACT] *= NO_OBJECT
    return np.log((1.0 - outliers) * normal + outliers / np.log(60.0))


def resolved_fwhm(line: LineFit, lsf_sigma: float) -> float:
    """FWHM in km/s with the instrument's width taken off; 0 if the line is not resolved, NaN if it was not measured."""
    if not np.isfinite(line.sigma):
        return NAN
    return float(np.sqrt(max(line.sigma**2 - lsf(lsf_sigma) ** 2, 0.0)) * 2.3548 / line.center * LIGHT_SPEED)
