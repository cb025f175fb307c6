"""Probabilities of real spectra against trusted classes: `python tools/judge_real.py [REFERENCE]`.

REFERENCE is the folder `reference/real` of the reference data. Every spectrum of `spectra_dev.h5` is measured at its
strongest line; right is an identity whose redshift agrees with the trusted one (a star: the identity "star").
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

import elixer_widgets as ew
from elixer_widgets.classification.posterior import redshifts

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "reference" / "real"
WORST = 12


def probability_of_truth(interpretation: ew.Interpretation, z: float, star: bool) -> tuple[float, str]:
    """What the posterior gives to the identity that the trusted redshift names, and that identity."""
    if star:
        return interpretation.posterior["star"], "star"
    shifts = redshifts(interpretation.measurements.line.center)
    near = [name for name, each in shifts.items() if abs(each - z) < 0.005 * (1.0 + z)]
    if not near:
        return interpretation.posterior["other"], "other"
    name = min(near, key=lambda each: abs(shifts[each] - z))
    return interpretation.posterior[name], name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", nargs="?", type=Path, default=DEFAULT)
    reference = parser.parse_args().reference
    if not (reference / "spectra_dev.h5").is_file():
        parser.error(f"{reference} holds no spectra_dev.h5; give the folder reference/real of the reference data")
    release = ew.open_release(reference / "spectra_dev.h5")
    rows: list[tuple[float, str, str, ew.Interpretation]] = []
    by_source: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for detectid in release.detectids():
        detection = release.detection(int(detectid))
        found = ew.interpret(ew.measure(detection))
        if not np.isfinite(found.measurements.line.center) or not np.isfinite(detection.source_z):
            continue
        p, name = probability_of_truth(found, detection.source_z, abs(detection.source_z) < 0.002)
        rows.append((p, name, detection.label, found))
        by_source[detection.label.split("-")[0]].append((p, found.identity == name))
    print("| source | spectra | most probable is right | mean -ln P(truth) |\n|---|---|---|---|")
    for source, each in by_source.items():
        right = np.mean([hit for _, hit in each])
        print(f"| {source} | {len(each)} | {right:.0%} | {-np.mean(np.log([p for p, _ in each])):.2f} |")
    print("\n| worst | truth | P(truth) | taken for | P | what said so |\n|---|---|---|---|---|---|")
    for p, name, label, found in sorted(rows, key=lambda row: row[0])[:WORST]:
        taken = found.posterior[found.identity]
        words = "; ".join(
            f"{piece.name} ({piece.log_odds:+.1f})" for piece in found.evidence if abs(piece.log_odds) > 1.5
        )
        print(f"| {label} | {name} | {p:.3f} | {found.identity} | {taken:.2f} | {words} |")


if __name__ == "__main__":
    main()
