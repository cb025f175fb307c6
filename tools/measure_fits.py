"""How good the line fits are: writes docs/line_fits.md.

Simulated lines for bias and coverage; with `--reference` also the synthetic spectra with truth on which ELiXer was run.
Every number in the page comes from one run of this file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from measuring import GRID, Original, arguments, line_shape, milliseconds, original, write_page

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines, fit_line, main_line
from elixer_widgets.spectra.fitting import LineFit, fit_many

LSF = 2.0
KINDS = ("clean", "near an edge", "beside masked samples", "beside 3x noise")


def simulated_fits(n: int, kind: str, seed: int) -> np.ndarray:
    """n lines of S/N 4 to 50 and σ 2 to 30 Å, both uniform in the logarithm.

    Returns shape (n, 10): true centre, σ, flux, S/N; then flux, error, centre, error, σ, error as fitted.
    """
    rng = np.random.default_rng(seed)
    out = []
    for first in range(0, n, 500):
        spectra, truth = [], []
        for _ in range(min(500, n - first)):
            sigma = np.exp(rng.uniform(np.log(2.0), np.log(30.0)))
            snr = np.exp(rng.uniform(np.log(4.0), np.log(50.0)))
            margin = 6.0 * sigma + 30.0
            center = rng.uniform(GRID[0] + margin, GRID[-1] - margin)
            if kind == "near an edge":
                inside = rng.uniform(2.0 * sigma, 6.0 * sigma)
                center = GRID[0] + inside if rng.random() < 0.5 else GRID[-1] - inside
            error = np.full(GRID.size, rng.uniform(0.15, 0.6))
            side = rng.choice([-1.0, 1.0])
            if kind == "beside 3x noise":
                error[np.abs(GRID - center - side * rng.uniform(6.0, 24.0)) <= 5.0] *= 3.0
            if kind == "beside masked samples":
                error[np.abs(GRID - center - side * sigma * rng.uniform(0.5, 3.0)) <= rng.uniform(1.1, 4.0)] = 0.0
            shape = line_shape(center, sigma)
            flux = snr / np.sqrt(np.sum(np.divide(shape, error, where=error > 0, out=np.zeros(GRID.size)) ** 2))
            data = flux * shape + rng.normal(0.0, 0.3) + rng.normal(0.0, 1.0, GRID.size) * error
            spectra.append(Spectrum(GRID, data, error, LSF))
            truth.append((center, sigma, flux, snr))
        array = np.array(truth)
        start = np.clip(array[:, 0] + rng.normal(0.0, 1.0, len(array)), GRID[0], GRID[-1])
        for row, fit in zip(array, fit_many(spectra, start, np.arange(len(array))), strict=True):
            out.append(
                [*row, fit.flux * 1e17, fit.flux_err * 1e17, fit.center, fit.center_err, fit.sigma, fit.sigma_err]
            )
    return np.array(out)


def _coverage_row(label: str, rows: np.ndarray) -> str:
    cells = [label, f"{len(rows):,}"]
    for value, truth in ((4, 2), (6, 0), (8, 1)):
        pull = (rows[:, value] - rows[:, truth]) / rows[:, value + 1]
        cells += [f"{np.median(pull):+.2f}", f"{np.mean(pull):+.2f}", f"{100 * np.mean(np.abs(pull) < 1):.1f}"]
    return "| " + " | ".join(cells) + " |"


def coverage(n: int) -> list[str]:
    """The table of pulls: median and mean in σ, and how many lie within 1σ."""
    sets = {kind: simulated_fits(n, kind, 101 + i) for i, kind in enumerate(KINDS)}
    everything = np.concatenate(list(sets.values()))
    lines = [
        "| lines | n | flux: median | mean | in 1σ % | centre: median | mean | in 1σ % | σ: median | mean | in 1σ % |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        _coverage_row("all", everything),
    ]
    lines += [_coverage_row(kind, rows) for kind, rows in sets.items()]
    for low, high in ((4, 5.5), (5.5, 8), (8, 15), (15, 50)):
        lines.append(
            _coverage_row(f"S/N {low} to {high}", everything[(everything[:, 3] >= low) & (everything[:, 3] < high)])
        )
    for low, high in ((2, 3), (3, 8), (8, 30)):
        chosen = everything[(everything[:, 1] >= low) & (everything[:, 1] < high)]
        lines.append(_coverage_row(f"σ {low} to {high} Å", chosen))
    return lines


def _middle(values: pd.Series) -> str:
    array = values.to_numpy(float)
    array = array[np.isfinite(array)]
    center = np.median(array)
    return f"{center:+.3f} ± {1.4826 * np.median(np.abs(array - center)):.3f}"


def against_original(known: Original) -> list[str]:
    """Ours against ELiXer 1.22.5 on the same synthetic spectra."""
    table = known.fits[known.fits.name != "empty"].copy()
    ours: dict[int, LineFit] = {}
    for key, group in table.groupby("obj"):
        spectrum = known.spectra[int(key)]
        found = find_lines(spectrum)
        ours |= {index: main_line(spectrum, place, found) for index, place in group.central.items()}
    for name in ("center", "center_err", "sigma", "sigma_err", "flux", "flux_err", "snr"):
        table[f"our_{name}"] = [getattr(ours[index], name) for index in table.index]
    out = ["| lines | quantity | original | this package |", "|---|---|---|---|"]
    good = table.fit_ok.astype(bool) & (table.true_snr > 4)
    for label, chosen in (
        ("S/N > 4, fitted by both", good),
        ("of these σ > 8 Å, S/N > 8", good & (table.true_sigma > 8) & (table.true_snr > 8)),
    ):
        rows = table[chosen]
        pairs = (
            ("centre - truth, Å", rows.fit_x0 - rows.true_wave, rows.our_center - rows.true_wave),
            ("σ / truth - 1", rows.fit_sigma / rows.true_sigma - 1, rows.our_sigma / rows.true_sigma - 1),
            ("flux / truth - 1", rows.line_flux / rows.true_flux - 1, rows.our_flux / rows.true_flux - 1),
            ("S/N / truth - 1", rows.snr / rows.true_snr - 1, rows.our_snr / rows.true_snr - 1),
        )
        for name, theirs, mine in pairs:
            out.append(f"| {label} ({len(rows)}) | {name} | {_middle(theirs)} | {_middle(mine)} |")
        shares = (
            ("centre in 1σ", rows.fit_x0, rows.fit_x0_err, rows.our_center, rows.our_center_err, rows.true_wave),
            ("σ in 1σ", rows.fit_sigma, rows.fit_sigma_err, rows.our_sigma, rows.our_sigma_err, rows.true_sigma),
            ("flux in 1σ", rows.line_flux, rows.line_flux_err, rows.our_flux, rows.our_flux_err, rows.true_flux),
        )
        for name, a, a_err, b, b_err, truth in shares:
            theirs, mine = (100 * np.mean(np.abs(x - truth) < e) for x, e in ((a, a_err), (b, b_err)))
            out.append(f"| {label} ({len(rows)}) | {name} | {theirs:.0f} % | {mine:.0f} % |")
    out.append(f"| S/N > 4 | not fitted | {int(((table.true_snr > 4) & ~table.fit_ok.astype(bool)).sum())} | 0 |")
    return out


def speed() -> list[str]:
    """Processor time of fits on one core."""
    rng = np.random.default_rng(9)
    error = np.full(GRID.size, 0.3)
    spectra = [
        Spectrum(GRID, 0.1 + 25.0 * line_shape(4500.0, 2.6) + rng.normal(0.0, 0.3, GRID.size), error, 2.336)
        for _ in range(1000)
    ]
    single = milliseconds(lambda: fit_line(spectra[0], 4501.0), 100)
    batch = milliseconds(lambda: fit_many(spectra, np.full(1000, 4501.0), np.arange(1000)), 3) / 1000.0
    return [
        "| step | processor ms | original, s |",
        "|---|---|---|",
        f"| one line fit | {single:.2f} | 0.0115 |",
        f"| one of 1,000 fits in a batch | {batch:.3f} ({single / batch:.0f} times faster than a loop) | |",
        "",
        "Least of several runs on one core; original: median seconds on one core of a similar machine.",
    ]


def main() -> None:
    """Write the page."""
    given = arguments(__doc__, "line_fits.md", 5000)
    page = [
        "# Line fits: measured",
        "",
        "Made by `tools/measure_fits.py`; truth is known in all sections.",
        "",
        "## Bias and coverage",
        "",
        "Lines of S/N 4 to 50 and σ 2 to 30 Å (uniform in the logarithm) on the HETDEX grid. Median and mean are of",
        "(fitted - true) / error; a perfect fit has 0, 0 and 68.3 %. Means are drawn down by a few fits at S/N below 6",
        "that ended on a peak of noise inside a broad line, where the error is small too.",
        "",
        *coverage(given.number),
    ]
    if given.reference is not None:
        page += ["", "## Against ELiXer 1.22.5 on the same spectra", "", *against_original(original(given.reference))]
    write_page(given.output, [*page, "", "## Speed", "", *speed()])


if __name__ == "__main__":
    main()
