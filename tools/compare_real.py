"""What the package makes of real data: `python tools/compare_real.py [REFERENCE] [--pages FOLDER]`.

REFERENCE is the folder `reference/real` of the reference data. Fits the digitised line points of two printed reports
and sets the printed numbers beside them; then measures, interprets and prints a page for every spectrum of
`spectra_dev.h5`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import elixer_widgets as ew

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "reference" / "real"


def digitised(path: Path) -> ew.Spectrum:
    """The points of a printed line fit, per Å."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    wave, flux, error = (
        np.array([float(r[key]) for r in rows]) for key in ("wave_air_A", "flux_e17_per_2A", "err_e17_per_2A")
    )
    return ew.Spectrum(wave, flux / 2.0, error / 2.0, lsf_sigma=2.3)


def reports(folder: Path) -> None:
    """Printed numbers beside our fit of the same points."""
    with (folder / "reports_transcribed_dev.csv").open() as file:
        printed = list(csv.DictReader(file))
    print("| report | quantity | printed | our fit |\n|---|---|---|---|")
    for row in printed:
        points = folder / f"{row['detectid']}_linefit_points_digitised.csv"
        spectrum = digitised(points)
        fit = ew.spectra.fit_line(spectrum, float(row["wave"]))
        lines = [
            ("centre, Å", f"{float(row['wave']):.2f}", f"{fit.center:.2f} ± {fit.center_err:.2f}"),
            (
                "σ, Å",
                f"{float(row['sigma_A']):.2f} ± {float(row['sigma_err']):.2f}",
                f"{fit.sigma:.2f} ± {fit.sigma_err:.2f}",
            ),
            (
                "flux, 1e-17 erg/s/cm²",
                f"{float(row['lineflux_e17']):.1f} ± {float(row['lineflux_err']):.1f}",
                f"{fit.flux * 1e17:.1f} ± {fit.flux_err * 1e17:.1f}",
            ),
            (
                "continuum beside the line, 1e-17/Å",
                f"{float(row['cont_n_e17']):.3f} ± {float(row['cont_n_err']):.3f}",
                f"{fit.continuum:.3f} ± {fit.continuum_err:.3f}",
            ),
            ("S/N", f"{float(row['sn']):.1f} ± {float(row['sn_err']):.1f}", f"{fit.snr:.1f}"),
            ("reduced χ²", f"{float(row['chi2']):.1f} ± {float(row['chi2_err']):.1f}", f"{fit.chi2:.1f}"),
        ]
        for name, old, new in lines:
            print(f"| {row['detectid']} | {name} | {old} | {new} |")


def spectra(path: Path, pages: Path) -> int:
    """Measure, interpret and print every spectrum; the number of failures."""
    release = ew.open_release(path)
    failures: list[str] = []
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    start = time.perf_counter()
    for detectid in release.detectids():
        detection = release.detection(int(detectid))
        try:
            interpretation = ew.interpret(ew.measure(detection))
            ew.write_report(interpretation, pages / f"{detection.label}.pdf")
        except Exception as error:  # noqa: BLE001 (the point is to count them all, each by name)
            failures.append(f"{detection.label}: {type(error).__name__}: {error}")
            continue
        kind = detection.label.split("-")[0]
        total[kind] += 1
        z = detection.source_z
        right[kind] += bool(np.isfinite(z) and abs(interpretation.redshift - z) < 0.005 * (1.0 + z))
    seconds = time.perf_counter() - start
    print(f"\n{sum(total.values())} of {len(release)} measured, interpreted and printed in {seconds:.0f} s")
    print("\n| source | spectra | z within 0.005 (1+z) of the trusted one |\n|---|---|---|")
    for kind in total:
        print(f"| {kind} | {total[kind]} | {right[kind]} |")
    for failure in failures:
        print("FAILED", failure)
    return len(failures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--pages", type=Path, help="keep the pages in this folder")
    arguments = parser.parse_args()
    if not arguments.reference.is_dir():
        parser.error(f"{arguments.reference} is not there; give the folder reference/real of the reference data")
    reports(arguments.reference / "hetdex" / "elixer_reports")
    with tempfile.TemporaryDirectory() as temporary:
        pages = arguments.pages or Path(temporary)
        pages.mkdir(parents=True, exist_ok=True)
        return 1 if spectra(arguments.reference / "spectra_dev.h5", pages) else 0


if __name__ == "__main__":
    sys.exit(main())
