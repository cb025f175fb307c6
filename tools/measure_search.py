"""How good the blind search for lines is: writes docs/line_search.md.

Simulated lines and noise; with `--reference` also the synthetic spectra with truth on which ELiXer was run, and real
VIRUS fibers. Every number in the page comes from one run of this file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from measuring import GRID, Original, arguments, line_shape, milliseconds, original, write_page

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines


def completeness(n: int) -> list[str]:
    """How many narrow lines (σ 2.4 to 4 Å) the blind search finds, and how many it invents in noise."""
    rng = np.random.default_rng(5)
    lines = ["| true S/N | found in emission % | found in absorption % |", "|---|---|---|"]
    for low, high in ((3, 4), (4, 4.75), (4.75, 5.5), (5.5, 6.5), (6.5, 8), (8, 12)):
        shares = []
        for sign in (1.0, -1.0):
            found = 0
            for _ in range(n):
                center, sigma = rng.uniform(3600.0, 5400.0), rng.uniform(2.4, 4.0)
                flux = sign * rng.uniform(low, high) * 0.3 * np.sqrt(4.0 * sigma * np.sqrt(np.pi))
                data = flux * line_shape(center, sigma) + rng.normal(0.0, 0.3, GRID.size)
                fitted = find_lines(Spectrum(GRID, data, np.full(GRID.size, 0.3), 2.336))
                found += any(abs(each.center - center) < 6.0 and (each.flux > 0) == (sign > 0) for each in fitted)
            shares.append(100.0 * found / n)
        lines.append(f"| {low} to {high} | {shares[0]:.0f} | {shares[1]:.0f} |")
    false = [
        find_lines(Spectrum(GRID, rng.normal(0.0, 0.3, GRID.size), np.full(GRID.size, 0.3), 2.336))
        for _ in range(10 * n)
    ]
    rate = np.mean([len(each) for each in false])
    lines += ["", f"False lines in {10 * n:,} spectra of pure noise: {rate:.4f} a spectrum, both signs together."]
    return lines


def against_original(known: Original) -> list[str]:
    """Completeness, and false lines, on the original's synthetic spectra."""
    matched, invented = [], 0
    for _, row in known.summary.iterrows():
        lines = find_lines(known.spectra[row.obj])
        if row.cls == "Noise":
            invented += len(lines)
        matched += [
            (each["snr"], any(abs(fit.center - each["wave"]) < 6.0 for fit in lines))
            for each in known.truth[row.obj]
            if each["sigma"] < 6.0
        ]
    array = np.array(matched, float)
    cells = []
    for low, high in ((4, 5.5), (5.5, 8), (8, 1e9)):
        chosen = (array[:, 0] >= low) & (array[:, 0] < high)
        cells.append(f"S/N {low} to {high:g}: {100 * array[chosen, 1].mean():.0f} % of {chosen.sum()}")
    return [
        "Narrow lines of these spectra found by the blind search: "
        + "; ".join(cells).replace(" to 1e+09", " up")
        + ".",
        f"False lines in its {int((known.summary.cls == 'Noise').sum())} spectra of noise: {invented}.",
    ]


def virus_fibers(path: Path) -> list[str]:
    """Lines 'found' in real sky-subtracted fibers, most of them empty: residuals, cosmic rays, and real sources."""
    data = fits.getdata(path).astype(float)
    wavelength = 3500.0 + 1.9 * np.arange(data.shape[1])
    keep = (wavelength > 3520.0) & (wavelength < 5480.0)
    # the error of a sample: scatter over the fibers, after each fiber's own level is taken off
    level = np.nanmedian(data[:, keep], axis=1, keepdims=True)
    centered = data[:, keep] - level
    scatter = 1.4826 * np.nanmedian(np.abs(centered - np.nanmedian(centered, axis=0)), axis=0)
    quiet = np.abs(level[:, 0] - np.median(level)) < 3.0 * 1.4826 * np.median(np.abs(level - np.median(level)))
    counts = {"emission": 0, "absorption": 0, "width at the instrument limit": 0}
    misfit = []
    for row in data[quiet][:, keep]:
        lines = find_lines(Spectrum(wavelength[keep], row, np.maximum(scatter, 1e-6), 2.336))
        counts["emission"] += sum(not each.is_absorption for each in lines)
        counts["absorption"] += sum(each.is_absorption for each in lines)
        counts["width at the instrument limit"] += sum("width at the instrument limit" in each.flags for each in lines)
        difference = np.diff(row) / np.sqrt(2.0) / scatter[:-1]
        misfit.append(np.corrcoef(difference[:-2], difference[2:])[0, 1])
    n = int(quiet.sum())
    return [
        f"{n} fibers without continuum of one real exposure, errors from the scatter between fibers: "
        + ", ".join(f"{name} {count / n:.2f} a fiber" for name, count in counts.items())
        + ". These are not all false: cosmic rays and sources are among them; absorption shows what residuals make."
    ]


def speed() -> list[str]:
    """Processor time of a search on one core."""
    rng = np.random.default_rng(9)
    data = 0.1 + 25.0 * line_shape(4500.0, 2.6) + rng.normal(0.0, 0.3, GRID.size)
    one = Spectrum(GRID, data, np.full(GRID.size, 0.3), 2.336)
    return [
        f"Blind search of a spectrum with one line: {milliseconds(lambda: find_lines(one), 20):.1f} ms of processor",
        "time (least of several runs on one core).",
    ]


def main() -> None:
    """Write the page."""
    given = arguments(__doc__, "line_search.md", 200)
    page = [
        "# Line search: measured",
        "",
        "Made by `tools/measure_search.py`. Truth is known in all sections but that on real fibers.",
        "",
        "## Simulated lines and noise",
        "",
        *completeness(given.number),
    ]
    if given.reference is not None:
        page += ["", "## On the spectra made for ELiXer 1.22.5", "", *against_original(original(given.reference))]
        fibers = sorted((given.reference / "real" / "virus_fibers").glob("Fe*.fits.gz"))
        page += ["", "## Real VIRUS fibers", "", *virus_fibers(fibers[0])]
    write_page(given.output, [*page, "", "## Speed", "", *speed()])


if __name__ == "__main__":
    main()
