"""A probability for every identity, and the evidence it rests on.

One model of what may be behind a line, evaluated once: how common each kind is at this wavelength and
flux, how bright its continuum, which companions it has, how wide its line, what noise does. Each
observation enters one factor only. The densities of the rarer kinds are plain estimates and nothing was
tuned on truth: the result is provisional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.classification.continuum import GRID, CombinedContinuum
from elixer_widgets.classification.priors import KINDS, line_density, log_continuum_density, share
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.detection import NAN
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, observed_air, redshift_of

IDENTITIES: tuple[str, ...] = (
    "Lya", "OII", "OIII", "Hb", "Hg", "CIV", "CIII", "HeII", "MgII", "other", "star", "artifact", "noise",
)  # fmt: skip

LABELS: dict[str, str] = {
    "Lya": "Lyα", "OII": "[O II]", "OIII": "[O III]", "Hb": "Hβ", "Hg": "Hγ", "CIV": "C IV", "CIII": "C III]",
    "HeII": "He II", "MgII": "Mg II", "other": "other line", "star": "star",
    "artifact": "artifact", "noise": "noise",
}  # fmt: skip

LIGHT_SPEED = 299792.458
"""km/s."""

MODEL_DOUBT = 1e-4
"""Probability that none of this model holds; it is spread evenly over the identities and bounds every
answer."""

WIDTH_OUTLIERS = 0.005
"""Share of lines whose width the kinds do not describe; our estimate."""

NOISE_FALL = 2.2
"""Per unit of S/N, how steeply false lines thin out in ln, from where they are a tenth of all, at S/N 5.7."""
NOISE_EVEN = 5.7

ACCEPTED_CASE = 5.0
"""ln of the likelihood that an accepted multi-line solution has at least; our estimate."""

ABSORPTION_SNR = 6.0
"""Absorption lines from this S/N are looked at."""
ABSORPTION_CHANCE = 0.1
"""Chance that an absorption line lies by accident where a star has one: eight places, each some 12 to 20 Å wide."""
BARE_STAR = 4.0
"""ln of what it costs a star to show none of these lines where they would be seen; our estimate."""
_STELLAR_LINES = ("Heta", "Hzeta", "CaK", "CaH", "Hepsilon", "Hd", "Hg", "Hb")

PROFILE_ERROR = 0.2
"""Relative error of the fibers' weights as the image of a source; our estimate."""

PROFILE_LIMIT = 6.5
"""What the spread over the fibers can say at most, in ln: a blend or a neighbour spoils it now and then."""

CROWDED = 3
SPOILT_CASE = 3.0
"""From this many absorption lines of a star on, emission between them is none, and companions say at most
this, in ln."""

_BLOCKED = -60.0
_IS_LYA = np.array([kind.identity == "Lya" for kind in KINDS])


@dataclass(frozen=True)
class Evidence:
    """What one piece of evidence adds to the log odds of Lyα against all else.

    `log_odds` is natural logarithm, positive for Lyα; the pieces add up to the log odds of `p_lya`.
    `words` says it for a person.
    """

    name: str
    log_odds: float
    words: str


@dataclass(frozen=True, eq=False)
class Clues:
    """What is known of a line, in the form that the model needs.

    `lsf_sigma` is in Å (NaN: that of HETDEX); `solutions` are those of `solve`, `lines` everything found
    in the spectrum, `fibers` the line in each fiber.
    """

    line: LineFit
    continuum: CombinedContinuum
    solutions: tuple[Solution, ...] = ()
    matches: tuple[Match, ...] = ()
    lsf_sigma: float = NAN
    lines: tuple[LineFit, ...] = ()
    fibers: tuple[FiberFlux, ...] = ()


@dataclass(frozen=True, eq=False)
class Posterior:
    """Probabilities (adding up to 1), the evidence in the order in which it was taken, and whether it is
    calibrated."""

    probabilities: Mapping[str, float]
    evidence: tuple[Evidence, ...]
    calibrated: bool = False


def _log_sum(values: np.ndarray) -> np.ndarray:
    """ln Σ exp over the last axis. scipy's own is exact in more cases and ten times slower on short
    arrays."""
    top = np.max(values, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(values - top), axis=-1)) + top[..., 0]


def redshifts(wavelength: float) -> dict[str, float]:
    """Redshift of a line at `wavelength` (Å, air) for every emission-line identity, negative ones
    included."""
    return {name: float(redshift_of(wavelength, line)) for name, line in IDENTITY_LINES.items()}


# ------------------------------------------------------------------------------------------------ the factors


def _log_prior(line: LineFit, shifts: Mapping[str, float]) -> np.ndarray:
    """How common each kind is at this wavelength and flux, ln of the share."""
    flux = abs(line.flux) if np.isfinite(line.flux) and line.flux != 0 else 1e-17
    density = np.array(
        [
            0.0
            if share(kind) or kind.identity not in shifts
            else line_density(kind, line.center, shifts[kind.identity], IDENTITY_LINES[kind.identity].vacuum, flux)
            for kind in KINDS
        ]
    )
    total = float(density.sum())
    fixed = np.array([share(kind) for kind in KINDS])
    if total > 0:
        density = density / total
    return np.log(np.maximum(density + fixed, 1e-30)) - np.log(density.sum() + fixed.sum())


def _log_line_quality(line: LineFit) -> np.ndarray:
    """Signal to noise against false lines, fit quality against artifacts, and the sign of the line."""
    out = np.zeros(len(KINDS))
    snr = line.snr if np.isfinite(line.snr) else 0.0
    misfit = 0.0
    if np.isfinite(line.chi2):
        # At high S/N no line is a Gaussian to within its errors
        misfit = -min(max(line.chi2 - 1.5 - 0.03 * snr, 0.0) ** 2, 4.0)
    for i, kind in enumerate(KINDS):
        if kind.identity == "noise":
            out[i] = min(-NOISE_FALL * (snr - NOISE_EVEN), 6.0)
        elif kind.identity != "artifact":
            out[i] = misfit
        if line.is_absorption and kind.identity not in ("star", "other", "artifact", "noise"):
            out[i] = -12.0
    return out


def _log_continuum(line: LineFit, continuum: CombinedContinuum, shifts: Mapping[str, float]) -> np.ndarray:
    """ln of the likelihood of everything known of the continuum, for each kind."""
    if not np.isfinite(continuum.estimate.value):
        return np.zeros(len(KINDS))
    flux = abs(line.flux) if np.isfinite(line.flux) and line.flux != 0 else 1e-17
    inside = continuum.log_likelihood > -30.0  # the rest adds nothing
    grid, likelihood = GRID[inside], continuum.log_likelihood[inside]
    terms = np.array(
        [log_continuum_density(kind, grid, flux, max(shifts.get(kind.identity, 0.0), 0.0)) for kind in KINDS]
    )
    return _log_sum(terms + likelihood) + np.log(GRID[1] - GRID[0])


def _log_companions(solutions: Sequence[Solution]) -> np.ndarray:
    """ln of the likelihood of what the spectrum shows at the companions' places, for each kind."""
    known = {s.identity: _case(s) for s in solutions if s.identity != "other"}
    others = [_case(s) for s in solutions if s.identity == "other"]
    # A line that is none of the listed identities is, one time in ten, the weaker of a pair in the list
    known["other"] = float(_log_sum(np.array([np.log(0.9)] + [np.log(0.1 / len(others)) + x for x in others])))
    return np.array([known.get(kind.identity, 0.0) for kind in KINDS])


def _case(solution: Solution) -> float:
    """ln of a solution's likelihood; one that the published rule accepts is not argued away by a blended
    companion."""
    found = [each for each in solution.companions if each.status == "found"]
    missing = sum(each.status == "missing" for each in solution.companions)
    case = solution.log_likelihood
    if not np.isfinite(case):
        case = sum(min(each.snr, 6.0) for each in found) - 2.0 * missing
    return float(max(case, ACCEPTED_CASE) if solution.accepted and found else case)


def _log_absorption(line: LineFit, lines: Sequence[LineFit], shifts: Mapping[str, float]) -> tuple[np.ndarray, int]:
    """ln of the likelihood of the absorption lines for each kind, and how many are where a star has them."""
    seen = [each for each in lines if each.is_absorption and each.snr > ABSORPTION_SNR]

    def matched(z: float) -> int:
        places = [float(observed_air(LINES[name], z)) for name in _STELLAR_LINES]
        return sum(any(abs(each.center - x) < max(6.0, 0.3 * each.sigma) for x in places) for each in seen)

    def gain(count: int) -> float:
        """ln of the Poisson likelihoods of so many matches, expected over by chance (the Lyα forest has many)."""
        chance = max(ABSORPTION_CHANCE * len(seen), 0.3)
        return count * np.log(count / chance) - (count - chance) if count >= 2 and count > chance else 0.0

    out = np.zeros(len(KINDS))
    stellar = matched(0.0)
    # A star's lines are a few Å wide; where such a line would stand out and there is none, it is no star
    depth = 3.0 * line.continuum * 1e-17 / line.flux_err if line.flux_err > 0 else 0.0
    bare = stellar == 0 and not line.is_absorption and depth > 2.0 * ABSORPTION_SNR
    for i, kind in enumerate(KINDS):
        if kind.identity == "star":
            out[i] = -BARE_STAR if bare else min(1.5 * gain(stellar), 20.0)
        elif kind.identity in ("OII", "OIII", "Hb", "Hg") and shifts[kind.identity] > 0:
            # Galaxies show these less often than stars do
            out[i] = min(0.5 * gain(matched(shifts[kind.identity])), 6.0)
    return out, stellar


def _log_fibers(fibers: Sequence[FiberFlux], absorption: bool) -> np.ndarray:
    """ln of the likelihood of the line's spread over the fibers: as the image of a source, or anyhow
    (artifact).

    A source's flux goes with the fibers' weights, for an extended one less steeply. An artifact (cosmic
    ray, charge trap, residual of the sky) is in some fibers and not in others, whatever their weights.
    Noise that was picked out because it looks like a source looks like one.
    """
    out = np.zeros(len(KINDS))
    if len(fibers) < 3:
        return out
    flux, error, weight = (
        np.array([getattr(each, name) for each in fibers]) for name in ("flux", "flux_err", "weight")
    )
    if absorption:
        flux = -flux
    peak = float(np.max(flux))
    if not peak > 0:
        return out
    best = -np.inf
    for power in (0.5, 0.7, 0.85, 1.0):
        shape = weight**power
        scale = max(float(np.sum(flux * shape / error**2) / np.sum((shape / error) ** 2)), 0.0)
        sigma = np.hypot(error, PROFILE_ERROR * scale * shape)
        best = max(best, float(np.sum(-0.5 * ((flux - scale * shape) / sigma) ** 2 - np.log(sigma))))
    nothing = np.exp(-0.5 * (flux / error) ** 2) / error
    anything = np.where((flux > -3 * error) & (flux < 1.5 * peak), np.sqrt(2 * np.pi) / (1.5 * peak), 0.0)
    artifact = float(np.sum(np.log(0.75 * nothing + 0.25 * anything + 1e-300)))
    gain = float(np.clip(artifact - best, -PROFILE_LIMIT, PROFILE_LIMIT))
    out[[i for i, kind in enumerate(KINDS) if kind.identity == "artifact"]] = gain
    return out


def _log_width(line: LineFit, lsf_sigma: float, shifts: Mapping[str, float]) -> np.ndarray:
    """ln of the density of ln σ as observed, for each kind."""
    if not (np.isfinite(line.sigma) and line.sigma > 0):
        return np.zeros(len(KINDS))
    lsf = lsf_sigma if np.isfinite(lsf_sigma) else 2.3
    error = line.sigma_err / line.sigma if np.isfinite(line.sigma_err) else 0.15
    out = np.zeros(len(KINDS))
    for i, kind in enumerate(KINDS):
        velocity, spread = kind.width
        intrinsic = line.center * velocity / LIGHT_SPEED
        fixed = lsf
        if kind.identity in IDENTITY_LINES:
            doublet = IDENTITY_LINES[kind.identity].spread * (1.0 + max(shifts[kind.identity], 0.0))
            fixed = float(np.hypot(lsf, doublet))
        total = float(np.hypot(fixed, intrinsic))
        scatter = float(np.hypot(np.hypot(spread * (intrinsic / total) ** 2, 0.06), min(error, 1.0)))
        x = np.log(line.sigma / total) / scatter
        normal = np.exp(-0.5 * x**2) / (scatter * np.sqrt(2.0 * np.pi))
        out[i] = np.log((1.0 - WIDTH_OUTLIERS) * normal + WIDTH_OUTLIERS / np.log(60.0))
    return out


def _log_counterpart(matches: Sequence[Match], shifts: Mapping[str, float]) -> np.ndarray:
    """ln of the likelihood of the selected counterpart's catalogue redshift, for each kind."""
    selected = next((each for each in matches if each.selected), None)
    if selected is None:
        return np.zeros(len(KINDS))
    target = selected.object
    spectroscopic = np.isfinite(target.spec_z)
    redshift = target.spec_z if spectroscopic else target.photo_z
    if not np.isfinite(redshift):
        return np.zeros(len(KINDS))
    chance = selected.chance if np.isfinite(selected.chance) else 0.5
    belongs = (0.98 if spectroscopic else 0.85) * (1.0 - chance)  # the rest: catastrophic redshifts and chance
    unrelated = 0.25  # per unit redshift, of any object on the sky
    out = np.full(len(KINDS), np.log(unrelated))
    for i, kind in enumerate(KINDS):
        if kind.identity in shifts and shifts[kind.identity] > -0.001:
            z = shifts[kind.identity]
            width = 0.004 * (1.0 + z) if spectroscopic else 0.06 * (1.0 + z)
            if not spectroscopic and target.photo_z_pdf is not None:
                grid, density = (np.asarray(array, float) for array in target.photo_z_pdf)
                there = float(np.interp(z, grid, density, left=0.0, right=0.0))
            else:
                there = float(np.exp(-0.5 * ((z - redshift) / width) ** 2) / (width * np.sqrt(2.0 * np.pi)))
            out[i] = np.log(belongs * there + (1.0 - belongs) * unrelated)
    return out


# -------------------------------------------------------------------------------------------------- in words


def _width_words(line: LineFit, lsf_sigma: float) -> str:
    if not np.isfinite(line.sigma):
        return "line width not measured"
    lsf = lsf_sigma if np.isfinite(lsf_sigma) else 2.3
    intrinsic = np.sqrt(max(line.sigma**2 - lsf**2, 0.0)) * 2.3548 / line.center * LIGHT_SPEED
    if line.sigma < 1.15 * lsf:
        return f"line not resolved (FWHM {line.fwhm:.1f} Å)"
    return f"line width {intrinsic:.0f} km/s FWHM" + (": broad" if intrinsic > 1200.0 else "")


def _continuum_words(line: LineFit, continuum: CombinedContinuum, shifts: Mapping[str, float]) -> str:
    estimate = continuum.estimate
    if not (np.isfinite(estimate.value) and estimate.value > 0):
        return "no continuum estimate"
    width = line.flux * 1e17 / estimate.value
    lya = width / (1.0 + shifts["Lya"]) if shifts["Lya"] > -1 else NAN
    sign = "> " if estimate.is_limit else ""
    words = f"rest EW {sign}{lya:.0f} Å if Lyα"
    if shifts["OII"] > 0:
        words += f", {sign}{width / (1.0 + shifts['OII']):.0f} Å if [O II]"
    return words


def _companion_words(solutions: Sequence[Solution]) -> str:
    """The strongest case made by companions, for or against."""
    listed = [each for each in solutions if each.identity in IDENTITY_LINES]
    if not listed:
        return "no companion lines to be expected in the spectrum"
    for solution in sorted(listed, key=lambda each: -each.log_likelihood):
        found = [each.label for each in solution.companions if each.status == "found"]
        if found and solution.log_likelihood > 0.0:
            return f"{', '.join(found[:3])} found where {LABELS[solution.identity]} has them"
    oii = next((each for each in listed if each.identity == "OII"), None)
    if oii is not None:
        missing = [each.label for each in oii.companions if each.status == "missing"]
        if missing:
            return f"{', '.join(missing[:3])} missing for [O II]"
        if not any(each.in_range for each in oii.companions):
            return "no companion of [O II] within the spectrum"
    return "companions tell nothing: too weak to be seen, or outside the spectrum"


def _absorption_words(count: int) -> str:
    if count == 0:
        return "none of a star's absorption lines"
    return f"{count} absorption line{'s' if count > 1 else ''} where a star has {'them' if count > 1 else 'one'}"


def _prior_words(line: LineFit, log_prior: np.ndarray) -> str:
    lya, oii = (
        sum(float(np.exp(each)) for each, kind in zip(log_prior, KINDS, strict=True) if kind.identity == name)
        for name in ("Lya", "OII")
    )
    place = f"at {line.center:.0f} Å and {line.flux:.1e} erg/s/cm²" if np.isfinite(line.flux) else "here"
    if oii < 1e-6:
        return f"{place} [O II] is impossible"
    ratio = lya / oii
    return f"{place} there {'are' if ratio >= 1 else 'is'} {ratio:.2g} Lyα to one [O II]"


def _counterpart_words(matches: Sequence[Match]) -> str:
    selected = next((each for each in matches if each.selected), None)
    if selected is None:
        return ""
    if np.isfinite(selected.object.spec_z):
        return f"counterpart has spectroscopic z {selected.object.spec_z:.3f}"
    if np.isfinite(selected.object.photo_z):
        return f"counterpart has photometric z {selected.object.photo_z:.2f}"
    return ""


# ---------------------------------------------------------------------------------------------- the posterior


def _log_odds(weights: np.ndarray) -> float:
    return float(_log_sum(weights[_IS_LYA]) - _log_sum(weights[~_IS_LYA]))


def _identity_probabilities(weights: np.ndarray) -> dict[str, float]:
    """Kinds added up to identities, with the doubt in the model spread over all."""
    norm = float(_log_sum(weights))
    probability = dict.fromkeys(IDENTITIES, 0.0)
    for kind, weight in zip(KINDS, weights, strict=True):
        probability[kind.identity] += float(np.exp(weight - norm))
    return {name: (1.0 - MODEL_DOUBT) * value + MODEL_DOUBT / len(IDENTITIES) for name, value in probability.items()}


def posterior(clues: Clues) -> Posterior:
    """Probability of every identity of a line.

    Parameters
    ----------
    clues : Clues

    Returns
    -------
    Posterior
        `evidence` lists the factors in the order taken; each one's `log_odds` is the change that it makes
        to the log odds of Lyα against all else, so that they add up to those of the result.
    """
    line = clues.line
    shifts = redshifts(line.center) if np.isfinite(line.center) else dict.fromkeys(IDENTITY_LINES, NAN)
    if not np.isfinite(line.center):
        # Nothing was found: it is noise, as far as anything can be said
        weights = np.array([0.0 if kind.identity == "noise" else -8.0 for kind in KINDS])
        steps = [("line quality", weights, "no line was found")]
    else:
        prior = _log_prior(line, shifts)
        absorption, count = _log_absorption(line, clues.lines, shifts)
        companions = _log_companions(clues.solutions)
        if count >= CROWDED:
            companions = np.minimum(companions, SPOILT_CASE)
        steps = [
            ("how common", prior, _prior_words(line, prior)),
            (
                "equivalent width",
                _log_continuum(line, clues.continuum, shifts),
                _continuum_words(line, clues.continuum, shifts),
            ),
            ("companion lines", companions, _companion_words(clues.solutions)),
            ("line width", _log_width(line, clues.lsf_sigma, shifts), _width_words(line, clues.lsf_sigma)),
            ("line quality", _log_line_quality(line), f"S/N {line.snr:.1f}, χ² {line.chi2:.1f}"),
        ]
        if np.any(absorption):
            steps.append(("absorption lines", absorption, _absorption_words(count)))
        if clues.fibers:
            fibers = _log_fibers(clues.fibers, line.is_absorption)
            words = "spread over the fibers " + ("unlike" if fibers.max() > 1.0 else "like") + " the image of a source"
            steps.append(("fibers", fibers, words))
        words = _counterpart_words(clues.matches)
        if words:
            steps.append(("catalogue redshift", _log_counterpart(clues.matches, shifts), words))
    total = np.zeros(len(KINDS))
    evidence = []
    before = 0.0
    for name, factor, words in steps:
        total = np.maximum(total + np.nan_to_num(factor, nan=0.0, neginf=_BLOCKED), -1e4)
        after = _log_odds(total)
        evidence.append(Evidence(name, after - before, words))
        before = after
    probabilities = _identity_probabilities(total)
    p = probabilities["Lya"]
    rest = sum(value for name, value in probabilities.items() if name != "Lya")
    held_back = float(np.log(p / rest)) - before
    words = "odds held back: the model itself may be wrong" if abs(held_back) >= 0.05 else "nothing held back"
    evidence.append(Evidence("doubt about the model", held_back, words))
    return Posterior(probabilities, tuple(evidence))
