"""What the line is taken to be: by the data, or by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.classification.identities import IDENTITIES
from elixer_widgets.classification.solutions import MAX_REDSHIFT, MIN_REDSHIFT, Solution
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, Line, redshift_of

REDSHIFT_TOLERANCE = 0.005
"""Largest |Δz|/(1+z) between a given redshift and that of an identity for the line to be taken as that
identity."""


@dataclass(frozen=True)
class Choice:
    """What the line is taken to be."""

    identity: str
    line: Line | None
    redshift: float
    by: str


THRESHOLDS = (0.5, 0.4, 0.3)
"""P(Lyα) from which the catalogue's three redshifts take the line for Lyα."""


@dataclass(frozen=True)
class BestRedshift:
    """What is adopted at one threshold on P(Lyα): `redshift` NaN and `quality` 0 where it is no line of a galaxy."""

    threshold: float
    identity: str
    redshift: float
    quality: float


def best_redshifts(
    probabilities: Mapping[str, float],
    shifts: Mapping[str, float],
    solutions: Sequence[Solution] = (),
    choice: Choice | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[BestRedshift, ...]:
    """The redshift and its quality for each threshold on P(Lyα).

    Parameters
    ----------
    probabilities : mapping
        Identity to probability.
    shifts : mapping
        Redshift of the line for every emission-line identity.
    solutions : sequence of Solution
        For the redshift of a line that is none of the identities.
    choice : Choice, optional
        A person's: it is then the answer at every threshold.
    thresholds : sequence of float

    Returns
    -------
    tuple of BestRedshift
        Lyα from its threshold on, else the most probable of the others. The quality Q(z) is the probability of the
        identity that the redshift rests on, so that of many redshifts with Q = 0.8 eight in ten are right as far as
        the probabilities are calibrated; the published Q is a rule of thumb on the same scale.
    """
    out = []
    for threshold in thresholds:
        if choice is not None and choice.by == "person":
            taken = choice
        else:
            lya = probabilities["Lya"] >= threshold and shifts["Lya"] > 0
            others = {name: value for name, value in probabilities.items() if name != "Lya"}
            taken = _taken("Lya" if lya else max(others, key=lambda name: others[name]), shifts, solutions, "automatic")
        known = bool(np.isfinite(taken.redshift))
        quality = float(probabilities[taken.identity]) if known else 0.0
        out.append(BestRedshift(threshold, taken.identity, taken.redshift, quality))
    return tuple(out)


def choose(
    line: LineFit,
    shifts: Mapping[str, float],
    probabilities: Mapping[str, float],
    solutions: Sequence[Solution],
    identity: str | None,
    redshift: float | None,
) -> Choice:
    """What the line is taken to be: a person's answer if there is one, else the most probable identity.

    Parameters
    ----------
    line : LineFit
    shifts : mapping
        Redshift of the line for every emission-line identity.
    probabilities : mapping
        Identity to probability.
    solutions : sequence of Solution
    identity, redshift : optional
        What a person says.

    Raises
    ------
    DataError
        If the identity is not known, the redshift is impossible, or the two do not belong together.
    """
    if identity is not None and not (isinstance(identity, str) and identity in IDENTITIES):
        raise DataError(f"identity {identity!r:.60} is not known; give one of {', '.join(IDENTITIES)}")
    if redshift is not None:
        return _at_redshift(line, shifts, identity, _possible(redshift))
    if identity in IDENTITY_LINES and shifts[identity] <= MIN_REDSHIFT:
        raise DataError(
            f"the line at {line.center:.1f} Å cannot be {identity}: that would be z = {shifts[identity]:.3f}, "
            "bluer than at rest; give another identity"
        )
    by = "automatic" if identity is None else "person"
    chosen = max(probabilities, key=lambda name: probabilities[name]) if identity is None else identity
    return _taken(chosen, shifts, solutions, by)


def _possible(redshift: object) -> float:
    """A redshift as a number, if an object can have it."""
    try:
        z = float(redshift)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise DataError(f"redshift {redshift!r:.60} is not a number; give z, for example 2.7") from error
    if isinstance(redshift, bool) or not MIN_REDSHIFT <= z <= MAX_REDSHIFT:
        raise DataError(
            f"redshift {redshift!r:.60} is not possible; give a number from {MIN_REDSHIFT:g} to {MAX_REDSHIFT:g}"
        )
    return z


def _taken(chosen: str, shifts: Mapping[str, float], solutions: Sequence[Solution], by: str) -> Choice:
    """An identity with its line and redshift."""
    if chosen in IDENTITY_LINES:
        z = shifts[chosen]
        return Choice(chosen, IDENTITY_LINES[chosen], max(z, 0.0) if z > MIN_REDSHIFT else z, by)
    if chosen == "other":
        # The list has a few more lines that may be the main one; one of them must speak for itself
        known = [each for each in solutions if each.identity == "other" and each.log_likelihood > 2.0]
        if known:
            best = max(known, key=lambda each: each.log_likelihood)
            return Choice(chosen, LINES[best.line], best.redshift, by)
    return Choice(chosen, None, NAN, by)


def _at_redshift(line: LineFit, shifts: Mapping[str, float], identity: str | None, redshift: float) -> Choice:
    """The identity whose line falls where the main line is at a given redshift."""

    def off(z: float) -> float:
        return abs(z - redshift) / (1.0 + redshift)

    if identity is None:
        near = [name for name in IDENTITY_LINES if off(shifts[name]) < REDSHIFT_TOLERANCE]
        identity = min(near, key=lambda name: off(shifts[name])) if near else "other"
    elif identity in IDENTITY_LINES and off(shifts[identity]) >= REDSHIFT_TOLERANCE:
        raise DataError(
            f"{identity} at {line.center:.1f} Å is z = {shifts[identity]:.4f}, not {redshift:.4f}; "
            "give the identity or the redshift alone"
        )
    if identity in IDENTITY_LINES:
        return Choice(identity, IDENTITY_LINES[identity], redshift, "person")
    if identity != "other":
        return Choice(identity, None, NAN, "person")
    emission = [each for each in LINES.values() if not each.absorption]
    nearest = min(emission, key=lambda each: off(float(redshift_of(line.center, each)))) if emission else None
    if nearest is not None and not off(float(redshift_of(line.center, nearest))) < REDSHIFT_TOLERANCE:
        nearest = None
    return Choice("other", nearest, redshift, "person")
