"""The published score of one solution: the sum of its lines' scores, with bonus, penalty and consistency factors.

It keeps the meaning of the catalogue's `multiline_*` columns; `likelihood` is what we reason with. Where this departs
from ELiXer is listed in docs/line_solutions.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.classification import consistency, scores
from elixer_widgets.classification.companions import MIN_SEPARATION, Places
from elixer_widgets.classification.consistency import Member
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import LINES, Line
from elixer_widgets.spectra.wavelengths import vacuum_to_air

SNR_SHARE = 0.897
"""ELiXer's signal to noise over that of the best weights, for a Gaussian: it sums what lies within 2σ with equal
weights, erf(√2) / √4 against 1 / √(2 √π). Its signal to noise on synthetic lines is 0.90 of the true one."""

SNAP = 8.0
"""Å; a line of the blind search so near to a companion's place is that companion (ELiXer's freedom of the centre)."""

PEAK = 2.0
"""Å; so near to a line of the blind search a companion earns `PEAK_BONUS`."""
PEAK_BONUS = 3.0

HEIGHT_FACTOR = 2.0
"""ELiXer's scores of companions are met (within 20 % in the median on its synthetic spectra) if their height per 2 Å
sample is set against the error per Å; that of the main line is set against the error in the same unit."""

WIDE_SIGMA = 6.0
NARROWEST = 1.35
"""Å; σ from which a companion must be stronger, and the least that counts."""

SAME_LINE = 10.0
"""Å; of two companions closer than this the one of higher score stays."""

OFFSET_RANGE = 6.0
"""Å; the offsets of companions from their places may not differ by more."""

DOUBLET_RATIO = 3.0
OIII_LIFT = 25.0
"""Least score of an [O III] 5007 solution whose 4959 has a third of its flux."""

CIII_WIDEST = 40.0
"""Å, rest frame; a larger equivalent width halves the score of C III]."""

FAINT_LIMIT = 23.7
"""AB magnitude; a narrow Lyα of small equivalent width on a brighter continuum counts against."""

_NEVER_BROAD = ("HeII", "OVI")
"""Broad in quasars, but not in ELiXer's list."""

_ALL = tuple(LINES.values())
_INDEX = {name: i for i, name in enumerate(LINES)}
_MATES = {"OIII": _INDEX["OIII4959"], "OIII4959": _INDEX["OIII"]}
_CONFIRMING = tuple(_INDEX[name] for name in ("OIII4959", "Hb", "OII"))
_MAY_BE_BROAD = np.array([each.broad and each.name not in _NEVER_BROAD for each in _ALL])
_SCORED = np.array([not each.absorption for each in _ALL])
_WEIGHT = np.array([0.25 if each.name == "NV" else 1.0 for each in _ALL])
"""N V counts a quarter."""


@dataclass(frozen=True)
class Published:
    """Score of a solution, and the scores of its companions by name."""

    score: float
    parts: Mapping[str, float]

    @property
    def values(self) -> np.ndarray:
        """The companions' scores."""
        return np.array(list(self.parts.values()))


NOTHING = Published(0.0, {})


@dataclass(frozen=True)
class _Found:
    """A companion as the published score sees it: flux and error in erg/s/cm², σ and offset from its place in Å."""

    line: Line
    center: float
    flux: float
    error: float
    sigma: float
    sigma_err: float
    offset: float
    on_peak: bool
    score: float

    @property
    def snr(self) -> float:
        return SNR_SHARE * self.flux / self.error


@dataclass(frozen=True, eq=False)
class Background:
    """What is the same for all identities of a main line.

    Attributes
    ----------
    spectrum : Spectrum
    fit : LineFit
        The main line.
    emission : tuple of LineFit
        The emission lines of the blind search without the main line.
    scores : array, shape (emission,)
        Their published scores, as they count against a solution that does not explain them.
    noise : array, shape (n,)
        Error of every sample, 1e-17 erg/s/cm²/Å; 0 where unknown.
    wide : ContinuumEstimate
    main : Member
        The main line as the consistency factors see it.
    """

    spectrum: Spectrum
    fit: LineFit
    emission: tuple[LineFit, ...]
    scores: np.ndarray
    noise: np.ndarray
    wide: ContinuumEstimate
    main: Member

    @classmethod
    def of(cls, spectrum: Spectrum, fit: LineFit, lines: Sequence[LineFit], wide: ContinuumEstimate) -> Background:
        """Score the lines of the blind search once."""
        emission = tuple(
            each for each in lines if not each.is_absorption and abs(each.center - fit.center) >= MIN_SEPARATION
        )
        center, sigma, flux, snr = (
            np.array([getattr(each, name) for each in emission]) for name in ("center", "sigma", "flux", "snr")
        )
        values = scores.line_score(SNR_SHARE * snr, sigma, flux, SNR_SHARE * snr)
        values = values * np.clip(1.0 - 0.5 * (3700.0 - center) / 150.0, 0.5, 1.0)
        values = values * np.minimum(10.0 / np.maximum(sigma, 1e-3), 1.0)
        values = np.where((center >= 3550.0) & (center <= 5500.0) & (values > scores.MIN_SCORE), values, 0.0)
        noise = np.nan_to_num(np.asarray(spectrum.error, dtype=float))
        beside = float(np.interp(fit.center, spectrum.wavelength, noise))
        height = fit.amplitude / beside if beside > 0 else 5.0
        snr_main = SNR_SHARE * fit.snr
        main = Member(
            fit.flux, fit.flux_err, fit.fwhm, _finite(2.355 * fit.sigma_err), snr_main,
            float(scores.line_score(snr_main, fit.sigma, fit.flux, height)),
        )  # fmt: skip
        return cls(spectrum, fit, emission, values, noise, wide, main)


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


@dataclass(frozen=True, eq=False)
class Measured:
    """Every place as the published score measures it; all arrays have shape (hypotheses, lines).

    A line of the blind search within `SNAP` of a place is taken as it was fitted there; else the forced flux is.
    """

    center: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    sigma: np.ndarray
    sigma_err: np.ndarray
    offset: np.ndarray
    score: np.ndarray

    @classmethod
    def of(cls, back: Background, places: Places) -> Measured:
        """Measure and score all places at once."""
        offset, sigma_err = np.zeros(places.wavelength.shape), np.zeros(places.wavelength.shape)
        columns = [places.flux, places.formal_err, places.sigma, sigma_err]
        if back.emission:
            names = ("center", "flux", "flux_err", "sigma", "sigma_err")
            table = {name: np.array([getattr(each, name) for each in back.emission]) for name in names}
            distance = table["center"] - places.wavelength[..., None]
            near = np.argmin(np.abs(distance), axis=-1)
            nearest = np.take_along_axis(distance, near[..., None], axis=-1)[..., 0]
            snapped = np.abs(nearest) <= SNAP
            offset = np.where(snapped, nearest, 0.0)
            columns = [
                np.where(snapped, table[name][near], forced) for name, forced in zip(names[1:], columns, strict=True)
            ]
        flux, error, sigma, width_err = columns
        with np.errstate(invalid="ignore", divide="ignore"):
            snr = np.where(error > 0, SNR_SHARE * flux / error, 0.0)
            noise = np.interp(places.wavelength + offset, back.spectrum.wavelength, back.noise)
            height = HEIGHT_FACTOR * flux * 1e17 / (sigma * np.sqrt(2.0 * np.pi) * noise)
            value = scores.line_score(snr, sigma, flux, np.nan_to_num(height, nan=5.0, posinf=15.0))
            good = _is_good(value, snr, sigma)
        value = np.where(_SCORED & places.covered & (flux > 0) & good, value, 0.0) * _WEIGHT
        return cls(places.wavelength + offset, flux, error, sigma, np.nan_to_num(width_err), offset, value)

    def found(self, row: int, i: int) -> _Found:
        """One place as a companion."""
        offset = float(self.offset[row, i])
        return _Found(
            _ALL[i],
            float(self.center[row, i]),
            float(self.flux[row, i]),
            float(self.error[row, i]),
            float(self.sigma[row, i]),
            float(self.sigma_err[row, i]),
            offset,
            offset != 0.0 and abs(offset) <= PEAK,
            float(self.score[row, i]),
        )


def _is_good(value: np.ndarray, snr: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Whether the width of a companion is believed.

    The wider it is, the higher its score must be, and of lines that are never broad only strong ones may be wide.
    """
    wide = sigma > WIDE_SIGMA
    scored = value >= 1.5 * scores.MIN_COMPANION_SCORE * sigma / WIDE_SIGMA
    allowed = _MAY_BE_BROAD | ((2.355 * sigma < 40.0) & (snr > 19.0))
    return (sigma >= NARROWEST) & (~wide | scored) & ((sigma < consistency.WIDEST / 2.355) | allowed)


def rate(back: Background, places: Places, hypotheses: Sequence[tuple[Line, float]]) -> list[Published]:
    """The published score of every hypothesis."""
    measured = Measured.of(back, places)
    return [_rate(back, measured, row, anchor, z) for row, (anchor, z) in enumerate(hypotheses)]


def _rate(back: Background, measured: Measured, row: int, anchor: Line, redshift: float) -> Published:
    fit = back.fit
    broad_anchor = anchor.broad and anchor.name not in _NEVER_BROAD
    if fit.sigma - _finite(fit.sigma_err) > consistency.WIDEST / 2.355 and not broad_anchor:
        return NOTHING
    found = _companions(back, measured, row, anchor)
    if not found or not (anchor.anchor or len(found) >= 2):
        return NOTHING
    if anchor.rank > 3 and all(each.line.rank > 3 for each in found):
        return NOTHING
    if anchor.name != "Lya":
        found = _same_offset(found, fit.sigma if fit.fwhm > 15.0 else OFFSET_RANGE)
    total = sum(each.score for each in found)
    total -= _unmatched_penalty(back, found, total)
    if total <= 0:
        return NOTHING
    total += scores.bonus(len(found)) + PEAK_BONUS * sum(each.on_peak for each in found)
    total *= _consistency(back, found, anchor, redshift)
    if anchor.name == "OIII" and _is_oiii(back, measured, row):
        total = max(total, OIII_LIFT)
    if anchor.name == "CIII" and _rest_width(back, redshift)[0] > CIII_WIDEST:
        total *= 0.5
    return Published(float(total), {each.line.name: each.score for each in found})


def _companions(back: Background, measured: Measured, row: int, anchor: Line) -> list[_Found]:
    """The companions that pass."""
    out = [measured.found(row, int(i)) for i in np.flatnonzero(measured.score[row] >= scores.MIN_COMPANION_SCORE)]
    strong = _flux_of(out, anchor, back.fit)
    if strong is not None:
        mate = _MATES[strong[0]]
        known = measured.flux[row, mate] > 0 and measured.error[row, mate] > 0
        if known and all(each.line is not _ALL[mate] for each in out) and _ALL[mate] is not anchor:
            partner = measured.found(row, mate)
            if _is_triple(partner, strong):
                out.append(partner)
    kept: list[_Found] = []
    for each in sorted(out, key=lambda entry: -entry.score):
        if all(abs(each.center - other.center) > SAME_LINE for other in kept):
            kept.append(each)
    return kept


def _flux_of(found: Sequence[_Found], anchor: Line, fit: LineFit) -> tuple[str, float, float] | None:
    """Name, flux and error of whichever line of the [O III] doublet is there, the anchor counting."""
    if anchor.name in _MATES:
        return anchor.name, fit.flux, fit.flux_err
    each = next((entry for entry in found if entry.line.name in _MATES), None)
    return None if each is None else (each.line.name, each.flux, each.error)


def _is_triple(partner: _Found, other: tuple[str, float, float]) -> bool:
    """Whether 5007 over 4959 is 3 within the error."""
    name, flux, error = other
    if name == partner.line.name or flux == 0.0:
        return False
    ratio = flux / partner.flux if name == "OIII" else partner.flux / flux
    relative = float(np.hypot(error / flux, partner.error / partner.flux))
    return abs(ratio - DOUBLET_RATIO) <= ratio * relative


def _same_offset(found: list[_Found], allowed: float) -> list[_Found]:
    """Without the companions farthest from the common offset, until the offsets agree."""
    kept = list(found)
    while len(kept) > 1 and np.ptp([each.offset for each in kept]) > allowed:
        middle = float(np.median([each.offset for each in kept]))
        kept.remove(max(kept, key=lambda each: abs(each.offset - middle)))
    return kept


def _unmatched_penalty(back: Background, found: Sequence[_Found], total: float) -> float:
    """What lines that the solution leaves unexplained take off."""
    values = back.scores
    if not np.any(values > 0):
        return 0.0
    places = [(back.fit.center, back.fit.sigma)] + [(each.center, each.sigma) for each in found]
    unmatched = np.array(
        [
            value
            for each, value in zip(back.emission, values, strict=True)
            if value > 0 and all(abs(each.center - x) > max(4.0, 3.0 * sigma) for x, sigma in places)
        ]
    )
    penalty = float(np.sort(unmatched)[-5:].sum())
    forgiven = len(found) >= 2 and len(found) + 1 > unmatched.size and total > penalty
    return penalty if penalty > 25.0 and not forgiven else 0.0


def _rest_width(back: Background, redshift: float) -> tuple[float, float]:
    """Rest equivalent width of the main line in the wide continuum, and its error (0 on a limit), Å."""
    fit, wide = back.fit, back.wide
    if not (wide.value > 0 and fit.flux > 0):
        return 0.0, 0.0
    width = fit.flux * 1e17 / wide.value / (1.0 + redshift)
    if wide.is_limit:
        return float(width), 0.0
    return float(width), float(width * np.hypot(fit.flux_err / fit.flux, wide.error / wide.value))


def _consistency(back: Background, found: Sequence[_Found], anchor: Line, redshift: float) -> float:
    """The product of the factors for galaxies, Lyα emitters and active nuclei."""
    members = {
        each.line.name: Member(
            each.flux, each.error, 2.355 * each.sigma, 2.355 * each.sigma_err, each.snr, each.score, each.line.rank
        )
        for each in found
    }
    main = back.main
    members[anchor.name] = Member(
        main.flux, main.error, main.fwhm, main.fwhm_err, main.snr, main.score, anchor.rank
    )  # fmt: skip

    def expected_at(name: str) -> float:
        return float(vacuum_to_air(LINES[name].vacuum * (1.0 + redshift)))

    result = consistency.galaxy(members, expected_at)
    emitter = 1.0
    is_lae = consistency.LAE_REDSHIFTS[0] < redshift < consistency.LAE_REDSHIFTS[1]
    if is_lae:
        wide = back.wide
        bright = not wide.is_limit and wide.magnitude < FAINT_LIMIT
        emitter = consistency.lae(
            members, anchor.name, *_rest_width(back, redshift), expected_at=expected_at, bright=bright
        )
        result *= emitter
    if not is_lae or emitter > 1.0:
        result *= consistency.agn(members, expected_at)
    return result


def _is_oiii(back: Background, measured: Measured, row: int) -> bool:
    """Whether [O III] 5007 has its mate at a third of the flux, and a line of the blind search confirms the place."""
    mate = measured.found(row, _MATES["OIII"])
    if not mate.flux > 2.0 * mate.error:
        return False
    confirmed = any(measured.found(row, i).on_peak for i in _CONFIRMING)
    return confirmed and _is_triple(mate, ("OIII", back.fit.flux, back.fit.flux_err))
