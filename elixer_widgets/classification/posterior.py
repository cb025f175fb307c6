"""A probability for every identity, and the evidence it rests on.

One model of what may be behind a line, evaluated once: how common each kind is at this wavelength and
flux, how bright its continuum and how large it is, which companions it has, how wide its line, what noise
and faults do, what stands beside it. Each observation enters one factor only; docs/posterior.md has the
formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from elixer_widgets.classification import evidence_words, factors_line, factors_object
from elixer_widgets.classification.calibration import FITTED, Calibration
from elixer_widgets.classification.continuum import CombinedContinuum
from elixer_widgets.classification.evidence import Evidence, Factor, Odds, attribute, log_sum
from elixer_widgets.classification.factors_object import BLOCKED, NEIGHBOUR_RADIUS
from elixer_widgets.classification.identities import IDENTITIES, LABELS, LIGHT_SPEED, Shifts, redshifts
from elixer_widgets.classification.priors import KINDS
from elixer_widgets.classification.sizes import Extent
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.classification.superposition import CERTAIN, Place, mixed
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit

__all__ = [
    "IDENTITIES", "LABELS", "LIGHT_SPEED", "NEIGHBOUR_RADIUS", "Clues", "Evidence", "Posterior", "posterior",
    "redshifts", "with_person",
]  # fmt: skip

PERSON_RELIABILITY = 0.98
"""Chance that a person who names the identity is right; our assumption."""

_OF_KINDS = tuple(kind.identity for kind in KINDS)
_MEMBERS = {name: np.array([kind.identity == name for kind in KINDS]) for name in IDENTITIES}


@dataclass(frozen=True, eq=False)
class Clues:
    """What is known of a line, in the form that the model needs.

    `lsf_sigma` is in Å (NaN: that of HETDEX); `solutions` are those of `solve`, `lines` everything found
    in the spectrum, `fibers` the line in each fiber, `sizes` how large the source looks on the images,
    `neighbours` the catalogue objects around (within `NEIGHBOUR_RADIUS`), those with a spectroscopic redshift;
    `listed_sn` is the S/N under which a survey lists the line, NaN if none does; `place` says where the source of the
    continuum lies, by default that it is the line's own for certain.
    """

    line: LineFit
    continuum: CombinedContinuum
    solutions: tuple[Solution, ...] = ()
    matches: tuple[Match, ...] = ()
    lsf_sigma: float = NAN
    lines: tuple[LineFit, ...] = ()
    fibers: tuple[FiberFlux, ...] = ()
    sizes: tuple[Extent, ...] = ()
    neighbours: tuple[Match, ...] = ()
    listed_sn: float = NAN
    place: Place = CERTAIN


@dataclass(frozen=True, eq=False)
class Posterior:
    """Probabilities of all identities, and what they rest on.

    Attributes
    ----------
    probabilities : mapping
        Identity to probability, adding up to 1.
    evidence : tuple of Evidence
        What each piece adds to the log odds of Lyα against all else; they add up to those of `probabilities`.
    calibrated : bool
        Whether the model was calibrated; `provenance` says on what.
    factors : tuple of Factor
        The likelihoods of all kinds that everything follows from.
    data_probabilities : mapping
        Those of the data alone, where `probabilities` include what a person says.
    """

    probabilities: Mapping[str, float]
    evidence: tuple[Evidence, ...]
    calibrated: bool = False
    factors: tuple[Factor, ...] = ()
    data_probabilities: Mapping[str, float] | None = None
    provenance: str = ""

    def evidence_for(self, identity: str, against: str | None = None) -> tuple[Evidence, ...]:
        """What each piece adds to the log odds of one identity against another, or against all else.

        Raises
        ------
        DataError
            If an identity is not known or both are the same.
        """
        for name in (identity, against):
            if name is not None and name not in IDENTITIES:
                raise DataError(f"identity {name!r} is not known; give one of {', '.join(IDENTITIES)}")
        if identity == against:
            raise DataError(f"evidence for {identity} against itself is none; name two identities")
        chosen = _MEMBERS[identity]
        other = ~chosen if against is None else _MEMBERS[against]
        p = self.probabilities[identity]
        rest = sum(v for k, v in self.probabilities.items() if k != identity)
        if against is not None:
            rest = self.probabilities[against]
        odds = Odds(chosen, other, LABELS[identity], LABELS[against] if against else "", _OF_KINDS, LABELS)
        return attribute(self.factors, odds, float(np.log(p / rest)))


def _factors(clues: Clues, calibration: Calibration) -> list[Factor]:
    """The pieces of evidence, the prior first; those that nothing is known of are left out."""
    line = clues.line
    if not np.isfinite(line.center):
        # Nothing was found: it is noise, as far as anything can be said
        nothing = np.array([0.0 if kind.identity == "noise" else -8.0 for kind in KINDS])
        return [Factor("line quality", nothing, "no line was found")]
    if not clues.fibers:
        calibration = replace(calibration, artifact=calibration.artifact_bare)
    shifts = redshifts(line.center)
    prior, own, stranger = factors_object.population(line, clues.continuum, shifts, calibration, clues.place)
    absorption, count = factors_line.absorption(line, clues.lines, shifts)
    found = [
        Factor("how common", prior, evidence_words.prior(line, prior)),
        Factor(
            "companion lines",
            factors_line.companions(clues.solutions, count),
            "no companion lines are expected in the spectrum",
            evidence_words.companions(clues.solutions),
        ),
        Factor(
            "line width",
            factors_line.width(line, clues.lsf_sigma, shifts, calibration, bool(clues.fibers)),
            evidence_words.width(line, clues.lsf_sigma),
        ),
        Factor(
            "line quality",
            factors_line.quality(line, calibration, clues.listed_sn),
            evidence_words.quality(line, clues.listed_sn),
        ),
    ]
    if np.any(absorption):
        found.append(Factor("absorption lines", absorption, evidence_words.absorption(count)))
    if clues.fibers:
        spread, fault = factors_line.fibers(clues.fibers, line.is_absorption)
        found.append(Factor("fibers", spread, evidence_words.fibers(spread, fault)))
    if clues.neighbours:
        beside, identity, distance = factors_object.neighbours(clues.neighbours, clues.matches, shifts)
        found.append(Factor("neighbours", beside, evidence_words.neighbours(identity, distance)))
    found = [_trusted(each, calibration) for each in found]
    return [found[0], *_of_source(clues, shifts, own, stranger, calibration), *found[1:]]


def _of_source(
    clues: Clues, shifts: Shifts, own: np.ndarray, stranger: np.ndarray, calibration: Calibration
) -> list[Factor]:
    """The pieces that one unknown decides over, whether the source is the line's own object: continuum (and place),
    size and catalogue redshift, in this order. Each is what it adds to those before it, so that together they are the
    whole mixture."""
    words = evidence_words.equivalent_width(clues.line, clues.continuum, shifts)
    words += evidence_words.stranger(clues.place.separation, stranger > own)
    pieces = [("equivalent width", words, own, stranger)]
    if clues.sizes:
        size, anything = factors_object.size(clues.sizes, shifts, clues.line.center, clues.continuum.estimate.value)
        pieces.append(("size", evidence_words.size(clues.sizes), size, np.full(size.size, anything)))
    words = evidence_words.counterpart(clues.matches)
    if words:
        redshift, anything = factors_object.counterpart(clues.matches, shifts, clues.place)
        # That of an object which is not the source says the same of the line, whosever the source is
        other = np.full(redshift.size, anything) if clues.place.is_counterpart else redshift
        pieces.append(("catalogue redshift", words, redshift, other))
    out: list[Factor] = []
    before, as_own, as_stranger = np.zeros(own.size), np.zeros(own.size), np.zeros(own.size)
    for name, words, if_own, if_stranger in pieces:
        power = calibration.exponents.get(name, 1.0)
        as_own = as_own + power * _bounded(if_own)
        as_stranger = as_stranger + power * _bounded(if_stranger)
        together = mixed(as_own, as_stranger)
        out.append(Factor(name, together - before, words))
        before = together
    return out


def _bounded(log_likelihood: np.ndarray) -> np.ndarray:
    """Without what cannot be reckoned with."""
    return np.maximum(np.nan_to_num(log_likelihood, nan=0.0, neginf=4.0 * BLOCKED), 4.0 * BLOCKED)


def _trusted(factor: Factor, calibration: Calibration) -> Factor:
    """A factor to the power that it is trusted to."""
    power = calibration.exponents.get(factor.name, 1.0)
    return replace(factor, log_likelihood=power * _bounded(factor.log_likelihood))


def _probabilities(factors: tuple[Factor, ...], doubt: float) -> dict[str, float]:
    """Kinds added up to identities, with the doubt in the model spread over all."""
    weights = np.sum([each.log_likelihood for each in factors], axis=0)
    shares = np.exp(weights - log_sum(weights))
    return {
        name: (1.0 - doubt) * float(shares[members].sum()) + doubt / len(IDENTITIES)
        for name, members in _MEMBERS.items()
    }


def _result(
    factors: tuple[Factor, ...], calibration: Calibration, data: Mapping[str, float] | None = None
) -> Posterior:
    probabilities = _probabilities(factors, calibration.doubt)
    result = Posterior(
        probabilities,
        (),
        bool(calibration.provenance),
        factors,
        probabilities if data is None else data,
        calibration.provenance,
    )
    object.__setattr__(result, "evidence", result.evidence_for("Lya"))
    return result


def posterior(clues: Clues, calibration: Calibration = FITTED) -> Posterior:
    """Probability of every identity of a line.

    Parameters
    ----------
    clues : Clues
    calibration : Calibration
        The model's free parameters.

    Returns
    -------
    Posterior
        `evidence` lists the factors in the order taken; their `log_odds` add up to the log odds of Lyα against all
        else.
    """
    return _result(tuple(_factors(clues, calibration)), calibration)


def with_person(found: Posterior, identity: str, calibration: Calibration = FITTED) -> Posterior:
    """The same with what a person says as one more piece of evidence.

    Parameters
    ----------
    found : Posterior
        Of the data.
    identity : str
        What the person says; right with `PERSON_RELIABILITY`.
    calibration : Calibration
        That of `found`.

    Raises
    ------
    DataError
        If the identity is not known.
    """
    if identity not in IDENTITIES:
        raise DataError(f"identity {identity!r} is not known; give one of {', '.join(IDENTITIES)}")
    mistaken = np.log((1.0 - PERSON_RELIABILITY) / (len(IDENTITIES) - 1))
    said = np.full(len(KINDS), mistaken)
    said[_MEMBERS[identity]] = np.log(PERSON_RELIABILITY)
    factor = Factor("a person's answer", said, f"a person says {LABELS[identity]}")
    data = found.data_probabilities or found.probabilities
    return _result((*found.factors, factor), calibration, data)
