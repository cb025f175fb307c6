"""The steps that ELiXer 1.22.5 was timed on, as ratios to its figures: `python tools/bench_original.py`.

Processor time on one core, the least of several runs (what else a computer does only adds). The original's seconds are
medians on one idle core of another, similar computer, so that ratios are good to a factor of about two.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

import elixer_widgets as ew
from elixer_widgets.classification.plae import plae_poii, plae_poii_many
from elixer_widgets.classification.solutions import solve
from elixer_widgets.imaging import find_sources, grow_aperture
from elixer_widgets.spectra import find_lines, fit_line, sample_line
from elixer_widgets.spectra.fitting import fit_many

GRID = np.arange(3470.0, 5541.0, 2.0)
RA, DEC = 150.0, 2.2
ORIGINAL = {
    "line fit": 0.0115,
    "line fit, sampled": 2.3,
    "search, fit and all identities": 4.1,
    "P(LAE)/P(OII)": 0.0041,
    "P(LAE)/P(OII) with errors": 0.184,
    "cutout, aperture and sources, one band": 0.105,
}


def least(action: Callable[[], object], repeats: int = 15) -> float:
    """Processor seconds of the quickest of several calls."""
    action()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        seconds.append(time.process_time() - start)
    return min(seconds)


def row(name: str, seconds: float, key: str = "") -> None:
    """One line of the table."""
    ratio = f"{ORIGINAL[key] / seconds:,.0f} times" if key else ""
    theirs = f"{1e3 * ORIGINAL[key]:,.1f}" if key else ""
    print(f"| {name:46s} | {1e3 * seconds:9.2f} | {theirs:>9s} | {ratio:>12s} |", flush=True)


def spectrum(seed: int, sigma: float = 3.0) -> ew.Spectrum:
    """A line of S/N near 15 at 4500 Å."""
    error = 0.18 + 0.22 * np.exp(-(GRID - 3470.0) / 350.0)
    height = 15.0 / (sigma * np.sqrt(2 * np.pi))
    flux = height * np.exp(-0.5 * ((GRID - 4500.0) / sigma) ** 2)
    return ew.Spectrum(GRID, flux + np.random.default_rng(seed).normal(0, error), error, lsf_sigma=2.3)


def image(path: Path) -> Path:
    """4000 x 4000 pixels of 0.2 arcsec with a source in the middle."""
    n = 4000
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [RA, DEC]
    made.wcs.crpix = [(n + 1) / 2] * 2
    made.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    data = np.random.default_rng(1).normal(0, 0.036, (n, n)).astype(np.float32)
    y, x = np.mgrid[-30:31, -30:31]
    data[1970:2031, 1970:2031] += 3.0 * (1 + (x**2 + y**2) / 9.0) ** -3.5
    fits.PrimaryHDU(data, made.to_header()).writeto(path)
    return path


def spectra() -> None:
    narrow, broad = spectrum(1), spectrum(2, 15.0)
    row("line fit, narrow", least(lambda: fit_line(narrow, 4500.0), 60), "line fit")
    row("line fit, σ 15 Å", least(lambda: fit_line(broad, 4500.0), 60), "line fit")
    many = [spectrum(seed) for seed in range(1000)]
    places, which = np.full(1000, 4500.0), np.arange(1000)
    row("line fit, one of 1,000 spectra in a batch", least(lambda: fit_many(many, places, which), 3) / 1000, "line fit")
    row("line fit, sampled", least(lambda: sample_line(narrow, 4500.0), 10), "line fit, sampled")
    lines = find_lines(narrow)
    fit = fit_line(narrow, 4500.0)
    row("search for all lines", least(lambda: find_lines(narrow)))
    row("all identities scored", least(lambda: solve(narrow, fit, lines)))

    def whole() -> None:
        found = find_lines(narrow)
        solve(narrow, fit_line(narrow, 4500.0), found)

    row("search, fit and all identities", least(whole), "search, fit and all identities")


def ratios() -> None:
    waves = iter(np.linspace(4000.0, 5300.0, 5000))
    row(
        "P(LAE)/P(OII), new wavelength",
        least(lambda: plae_poii(next(waves), 1e-16, 1e-17, 5e-19, 1e-19, draws=0), 200),
        "P(LAE)/P(OII)",
    )
    row(
        "P(LAE)/P(OII), wavelength seen before",
        least(lambda: plae_poii(4500.0, 1e-16, 1e-17, 5e-19, 1e-19, draws=0), 200),
        "P(LAE)/P(OII)",
    )
    row(
        "P(LAE)/P(OII) with 1,000 draws",
        least(lambda: plae_poii(4500.0, 1e-16, 1e-17, 5e-19, 1e-19, draws=1000), 60),
        "P(LAE)/P(OII) with errors",
    )
    continua = np.geomspace(1e-20, 1e-17, 100_000)
    row(
        "100,000 ratios in one call",
        least(lambda: plae_poii_many(4500.0, 1e-16, 1e-17, continua, 0.1 * continua, draws=0), 3),
    )


def imaging(folder: Path) -> None:
    path = image(folder / "image.fits")

    def band(name: str) -> None:
        cutout = ew.Cutout.from_fits(path, name, 27.0, (RA, DEC), 9.0, psf_fwhm=0.8)
        grow_aperture(cutout, RA, DEC)
        find_sources(cutout)

    row("cutout, aperture and sources, one band", least(lambda: band("r")), "cutout, aperture and sources, one band")
    row("the same in seven bands", least(lambda: [band(each) for each in "ugrizyJ"], 5))


def main() -> None:
    """Print the table."""
    print(f"| {'step':46s} | {'ms':>9s} | {'theirs':>9s} | {'faster':>12s} |")
    print(f"|{'-' * 48}|{'-' * 11}|{'-' * 11}|{'-' * 14}|")
    spectra()
    ratios()
    with tempfile.TemporaryDirectory(prefix="elixer-bench-") as folder:
        imaging(Path(folder))


if __name__ == "__main__":
    main()
