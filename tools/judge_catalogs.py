"""Probabilities and P(LAE)/P(OII) for rows of real HETDEX catalogues, where no spectrum is at hand.

`python tools/judge_catalogs.py [REFERENCE]`, REFERENCE being the folder `reference/real` of the reference data. A
row gives wavelength, flux, width and continuum of a line; companions, fibers and images are not known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits

from elixer_widgets.classification.continuum import combine
from elixer_widgets.classification.plae import plae_poii
from elixer_widgets.classification.posterior import Clues, posterior
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, observed_air
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "reference" / "real"
LIGHT_SPEED, FWHM = 299792.458, 2.3548
AGN_LINES = ("LyA", "CIV", "CIII", "MgII")


def clues(wave: float, sigma: float, flux: float, flux_err: float, continuum: float, error: float) -> Clues:
    """What a row of a catalogue says; fluxes in 1e-17, densities in 1e-17/Å; NaN continuum: not known."""
    line = LineFit(
        center=wave, sigma=sigma, flux=flux * 1e-17, flux_err=flux_err * 1e-17, continuum=continuum,
        snr=flux / flux_err, chi2=1.0, center_err=0.5, sigma_err=0.1 * sigma,
    )  # fmt: skip
    known = [ContinuumEstimate("catalogue", continuum, error, weight=1.0)] if np.isfinite(continuum) else []
    return Clues(line, combine(known, wave))


def agn(folder: Path) -> None:
    """Lines of catalogued active nuclei: how often the true identity is the most probable."""
    rows = pd.concat([pd.read_csv(folder / f"agn_{name}_rows.csv") for name in ("catalog1", "get_spectra")])
    rows = rows.drop_duplicates("agnid")
    print("| line | n | most probable is right | mean P(truth) |\n|---|---|---|---|")
    for name in AGN_LINES:
        identity = "Lya" if name == "LyA" else name
        right, given = [], []
        for row in rows[rows[f"flux_{name}"] > 0].itertuples():
            wave = float(observed_air(IDENTITY_LINES[identity], row.z))
            width = getattr(row, f"fwhm_{name}") / FWHM * wave / LIGHT_SPEED
            if not 3500 < wave < 5500 or not getattr(row, f"flux_{name}_er") > 0:
                continue
            values = [float(getattr(row, f"{part}_{name}{end}")) for part in ("flux", "cont") for end in ("", "_er")]
            found = posterior(clues(wave, float(np.hypot(width, HETDEX_LSF_SIGMA)), *values)).probabilities
            right.append(max(found, key=lambda key: found[key]) == identity)
            given.append(found[identity])
        if right:
            print(f"| {name} | {len(right)} | {100 * np.mean(right):.0f} % | {np.mean(given):.2f} |")


def emitters(path: Path) -> None:
    """Confirmed Lyα emitters of the pilot survey: flux and wavelength alone."""
    found = []
    for row in fits.getdata(path, 1):
        error = 0.5 * (float(row["FLUXE_L"]) + float(row["FLUXE_H"]))
        wave = float(observed_air(IDENTITY_LINES["Lya"], float(row["z"])))
        if 3500 < wave < 5500 and error > 0 and row["FLUX"] > 0:
            values = posterior(clues(wave, 2.8, float(row["FLUX"]), error, np.nan, np.nan)).probabilities
            found.append((values["Lya"], values["OII"]))
    lya, oii = np.array(found).T
    print(f"\n{len(found)} confirmed emitters, no continuum given: median P(Lyα) {np.median(lya):.2f}, "
          f"P(Lyα) above P([O II]) for {100 * np.mean(lya > oii):.0f} %")  # fmt: skip


def detections(path: Path) -> None:
    """P(LAE)/P(OII) on the published combined continuum, beside the published ratio."""
    print("\n| detectid | λ, Å | combined continuum | published | ours |\n|---|---|---|---|---|")
    for row in pd.read_csv(path).itertuples():
        ratio = plae_poii(
            row.wave, row.flux * 1e-17, row.flux_err * 1e-17, row.combined_continuum, row.combined_continuum_err
        )
        print(f"| {row.detectid} | {row.wave:.1f} | {row.combined_continuum:.2g} | {row.combined_plae:.3g} | "
              f"{np.clip(ratio.value, 1e-3, 1e3):.3g} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", nargs="?", type=Path, default=DEFAULT)
    folder = parser.parse_args().reference / "hetdex"
    agn(folder / "notebook_tables")
    emitters(folder / "highz-emitters.fits")
    detections(folder / "notebook_tables" / "detections_api_rows_dev.csv")


if __name__ == "__main__":
    main()
