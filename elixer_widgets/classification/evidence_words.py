"""What was seen, for each piece of evidence, in plain words.

Facts only: which way they pull follows from the number that the piece gets (`evidence.direction`), never from here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from elixer_widgets.classification.continuum import GRID, CombinedContinuum
from elixer_widgets.classification.factors_line import lsf, resolved_fwhm
from elixer_widgets.classification.identities import LABELS, Shifts
from elixer_widgets.classification.priors import KINDS
from elixer_widgets.classification.sizes import Extent, drawn_radius
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.classification.universe import equivalent_width_scale
from elixer_widgets.detection import NAN
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES

UNUSUAL = 1.5
"""σ from which an equivalent width is called unusual."""
TELLING = 0.5
"""ln of a likelihood from which companions that do not stand out one by one are told as a whole."""
BROAD = 1200.0
"""km/s, FWHM."""


def prior(line: LineFit, log_prior: np.ndarray) -> str:
    """How many of 100 lines like this are Lyα and [O II], all else counted."""
    lya, oii = (
        sum(float(np.exp(each)) for each, kind in zip(log_prior, KINDS, strict=True) if kind.identity == name)
        for name in ("Lya", "OII")
    )
    place = f"at {line.center:.0f} Å and {line.flux:.1e} erg/s/cm²" if np.isfinite(line.flux) else "here"
    others = "[O II] is impossible" if oii < 1e-6 else f"{_of_hundred(oii)} [O II]"
    return f"{place} of 100 lines {_of_hundred(lya)} are Lyα, {others}"


def _of_hundred(share: float) -> str:
    return f"{100 * share:.2g}" if share >= 1e-3 else "less than 0.1"


def _tail(line: LineFit, continuum: CombinedContinuum, kind: str, z: float) -> float:
    """Chance that an equivalent width of the published distribution is larger, averaged over what the continuum may
    be."""
    inside = continuum.log_likelihood > -15.0
    weight = np.exp(continuum.log_likelihood[inside])
    width = np.exp(np.log(abs(line.flux) * 1e17) - GRID[inside] - np.log1p(z))
    larger = np.exp(-np.minimum(width / float(equivalent_width_scale(kind, z)), 700.0))
    return float(np.sum(weight * larger) / np.sum(weight))


def _angstrom(width: float) -> str:
    """A width with two digits or more: one of 0.3 Å is not none."""
    return f"{width:.{0 if abs(width) >= 9.95 else 1}f} Å"


def equivalent_width(line: LineFit, continuum: CombinedContinuum, shifts: Shifts) -> str:
    """The rest equivalent widths, and where they are unusual."""
    estimate = continuum.estimate
    if not (np.isfinite(estimate.value) and estimate.value > 0 and line.flux != 0 and np.isfinite(line.flux)):
        return "no continuum estimate"
    width = abs(line.flux) * 1e17 / estimate.value
    sign = "> " if estimate.is_limit else ""
    what = "absorption of rest EW" if line.is_absorption else "rest EW"
    words = f"{what} {sign}{_angstrom(width / (1.0 + shifts['Lya']))} if Lyα" if shifts["Lya"] > 0 else ""
    if not words:
        return f"{what.replace('rest', 'observed')} {sign}{_angstrom(width)}"
    if shifts["OII"] > 0:
        words += f", {sign}{_angstrom(width / (1.0 + shifts['OII']))} if [O II]"
        above = float(-ndtri(max(_tail(line, continuum, "OII", shifts["OII"]), 1e-15)))
        if above > UNUSUAL:
            return f"{words} ({above:.0f}σ above what [O II] shows here)"
    below = float(-ndtri(max(1.0 - _tail(line, continuum, "LAE", shifts["Lya"]), 1e-15)))
    return f"{words} ({below:.0f}σ below what Lyα shows here)" if below > UNUSUAL else words


def stranger(distance: float, likelier: np.ndarray) -> str:
    """Of which of the two main identities the source seen is rather another object (`likelier`, by `KINDS`); empty if
    of neither, or if no image shows a source."""
    main = [name for name in ("Lya", "OII") if likelier[[kind.identity for kind in KINDS].index(name)]]
    if not main or not np.isfinite(distance):
        return ""
    whose = "" if len(main) == 2 else f" if the line is {LABELS[main[0]]}"
    return f'; the source {distance:.1f}" away is rather another object{whose}'


def companions(solutions: Sequence[Solution]) -> dict[str, str]:
    """What is seen, or not, at the places of the companions of every identity."""
    told = {each.identity: _of_solution(each) for each in solutions if each.identity in IDENTITY_LINES}
    others = [each for each in solutions if each.identity == "other"]
    if others:
        told["other"] = _of_solution(max(others, key=lambda each: each.log_likelihood))
    return told


def _of_solution(solution: Solution) -> str:
    """The companions found or missing of one solution; where there are none, whether all that was seen fits it."""
    name = LABELS[solution.identity] if solution.identity in IDENTITY_LINES else LINES[solution.line].label
    seen = [each.label for each in solution.companions if each.status == "found"]
    missing = [each.label for each in solution.companions if each.status == "missing"]
    pieces = [f"{', '.join(seen[:3])} where {name} has {'them' if len(seen) > 1 else 'it'}"] if seen else []
    pieces += [f"no {', no '.join(missing[:3])}, which {name} would show"] if missing else []
    if pieces:
        return "; ".join(pieces)
    if abs(solution.log_likelihood) > TELLING:
        fits = "fit" if solution.log_likelihood > 0 else "do not fit"
        return f"faint lines, absorption and the forest together {fits} {name}; none stands out"
    if not any(each.in_range for each in solution.companions):
        return f"no companion of {name} within the spectrum"
    return f"no companion of {name} stands out, and none has to"


def quality(line: LineFit, listed_sn: float) -> str:
    """Signal to noise, as the survey lists it and as measured, and the fit."""
    listed = f" (listed with {listed_sn:.1f})" if np.isfinite(listed_sn) else ""
    return f"S/N {line.snr:.1f}{listed}, χ² {line.chi2:.1f}"


def width(line: LineFit, lsf_sigma: float) -> str:
    """The line's width with the instrument's taken off."""
    if not np.isfinite(line.sigma):
        return "line width not measured"
    if line.sigma < 1.15 * lsf(lsf_sigma):
        return f"line not resolved (FWHM {line.fwhm:.1f} Å)"
    intrinsic = resolved_fwhm(line, lsf_sigma)
    return f"line width {intrinsic:.0f} km/s FWHM" + (": broad" if intrinsic > BROAD else "")


def absorption(count: int) -> str:
    """How many absorption lines of a star there are."""
    if count == 0:
        return "none of a star's absorption lines"
    return f"{count} absorption line{'s' if count > 1 else ''} where a star has {'them' if count > 1 else 'one'}"


def fibers(factor: np.ndarray, fault: str) -> str:
    """Whether the fibers look like a source or a fault."""
    if factor.max() > 1.0:
        return f"{fault}: unlike the image of a source"
    if factor.min() < -1.0:
        return "spread over the fibers like the image of a source"
    return "spread over the fibers much as a source or a fault would be"


def size(found: Sequence[Extent]) -> str:
    """The size beside that of a point."""
    extent = found[0]
    point = float(drawn_radius(np.zeros(1), extent.seeing)[0])
    sigma = np.log(extent.radius / point) / extent.log_err
    where = " ".join(each for each in (extent.survey, extent.band) if each)
    if sigma < 2.0:
        return f"the source is not resolved in {where or 'the image'}"
    return f"the source is {extent.radius / point:.1f} times as large as a point in {where or 'the image'}"


def counterpart(matches: Sequence[Match]) -> str:
    """The catalogue redshift; empty if there is none."""
    selected = next((each for each in matches if each.selected), None)
    if selected is None:
        return ""
    if np.isfinite(selected.object.spec_z):
        return f"counterpart has spectroscopic z {selected.object.spec_z:.3f}"
    if np.isfinite(selected.object.photo_z):
        return f"counterpart has photometric z {selected.object.photo_z:.2f}"
    return ""


def neighbours(identity: str, distance: float = NAN) -> str:
    """Which identity the galaxies around speak for."""
    if not identity:
        return "no galaxy around has a redshift that the line could have"
    return f'a galaxy {distance:.0f}" away has the redshift of {LABELS[identity]}'
