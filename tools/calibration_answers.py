"""What the package, and simpler rules, answer for every detection of a kept set."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import calibration_sets
import numpy as np

from elixer_widgets.analysis import Interpretation, Measurements, interpret
from elixer_widgets.classification import votes
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import Imaging
from elixer_widgets.simulation.survey import InMemory, Truth

EQUIVALENT_WIDTH_CUT = 20.0  # Å, rest frame

_PICTURED = ("cutouts", "growths", "sources", "matches", "neighbours")
"""Fields of Measurements that come from images and catalogues."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Arrays, one row a detection.

    `truth` and `kind` as in Truth, `line` its line, `sn` of the selection, `snr` measured, `wave` and `wave_true` (Å),
    `flux_true` (erg/s/cm²) and `ew_true` (Å, rest) of the line, `survey` the imaging; `probabilities` and `unpictured`
    (rows by IDENTITIES) with and without imaging; `votes` the P(Lyα) of the voting rules, `ratio` P(LAE)/P(OII),
    `width` the measured rest equivalent width (Å) if Lyα.
    """

    truth: np.ndarray
    kind: np.ndarray
    line: np.ndarray
    z: np.ndarray
    sn: np.ndarray
    snr: np.ndarray
    wave: np.ndarray
    wave_true: np.ndarray
    flux_true: np.ndarray
    ew_true: np.ndarray
    survey: np.ndarray
    probabilities: np.ndarray
    unpictured: np.ndarray
    votes: np.ndarray
    ratio: np.ndarray
    width: np.ndarray

    def __len__(self) -> int:
        return int(self.truth.size)

    def p(self, identity: str) -> np.ndarray:
        """Probability of an identity, shape (n,)."""
        return self.probabilities[:, IDENTITIES.index(identity)]

    def take(self, rows: np.ndarray) -> Answers:
        """Some rows."""
        return Answers(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def without_imaging(measurements: Measurements) -> Measurements:
    """The measurements as they would be without any image or catalogue."""
    known = {each.name for each in fields(measurements)}
    detection = measurements.detection
    bare = InMemory(Imaging(notes=("no imaging",)), (None,) * len(detection.fibers))
    gone = {name: () for name in _PICTURED if name in known}
    return replace(measurements, detection=replace(detection, source=bare), **gone)


def _voted(interpretation: Interpretation) -> float:
    """P(Lyα) of the voting rules; 0.5 where there is no line to vote on."""
    flux = interpretation.measurements.line.flux
    if not np.isfinite(flux) or flux == 0.0:
        return 0.5
    return votes.vote(votes.inputs_of(interpretation)).p_lya


def _row(measurements: Measurements, truth: Truth) -> Mapping[str, object]:
    found = interpret(measurements)
    bare = interpret(without_imaging(measurements)) if measurements.cutouts else found
    return {
        "truth": truth.identity,
        "kind": truth.kind,
        "line": truth.line,
        "z": truth.z,
        "sn": truth.sn,
        "snr": measurements.line.snr,
        "wave": measurements.line.center,
        "wave_true": truth.wave,
        "flux_true": truth.flux,
        "ew_true": truth.ew_rest,
        "survey": truth.survey,
        "probabilities": [found.posterior[name] for name in IDENTITIES],
        "unpictured": [bare.posterior[name] for name in IDENTITIES],
        "votes": _voted(found),
        "ratio": found.plae_poii.value,
        "width": found.ew_lya,
    }


def answer(path: Path) -> Path:
    """Interpret one chunk and keep the answers beside it; returns their path."""
    target = path.parent / "answers" / f"{path.name.split('.')[0]}.npz"
    if target.exists():
        return target
    start = time.monotonic()
    rows = [_row(measurements, truth) for measurements, truth in calibration_sets.read([path])]
    target.parent.mkdir(exist_ok=True)
    partial = target.with_suffix(".part.npz")
    np.savez_compressed(partial, **{name: np.array([row[name] for row in rows]) for name in rows[0]})
    partial.rename(target)
    print(f"{target.name}: {len(rows)} interpreted, {time.monotonic() - start:.0f} s", flush=True)
    return target


def gather(paths: Sequence[Path]) -> Answers:
    """The answers of all chunks, interpreting those that were not."""
    parts = [np.load(answer(path)) for path in paths]
    return Answers(**{each.name: np.concatenate([part[each.name] for part in parts]) for each in fields(Answers)})
