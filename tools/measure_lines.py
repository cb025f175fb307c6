"""How good the line fits, the search and the solutions are: writes docs/line_fits.md.

Simulated lines for coverage and completeness; with `--reference` also synthetic spectra with truth on which ELiXer was
run, and real VIRUS fibers. Every number in the page comes from one run of this file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from astropy.io import fits

from elixer_widgets.classification.solutions import solve
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines, fit_line, main_line, strongest_line, vacuum_to_air
from elixer_widgets.spectra.fitting import LineFit, fit_many
from elixer_widgets.spectra.wavelengths import hetdex_grid

GRID = hetdex_grid()
LSF = 2.0
KINDS = ("clean", "near an edge", "beside masked samples", "beside 3x noise")


def _line(center: float, sigma: float) -> np.ndarray:
    return np.exp(-0.5 * ((GRID - center) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))


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
            shape = _line(center, sigma)
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
                data = flux * _line(center, sigma) + rng.normal(0.0, 0.3, GRID.size)
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


def _middle(values: pd.Series) -> str:
    array = values.to_numpy(float)
    array = array[np.isfinite(array)]
    center = np.median(array)
    return f"{center:+.3f} ± {1.4826 * np.median(np.abs(array - center)):.3f}"


def against_original(folder: Path) -> list[str]:
    """Ours against ELiXer 1.22.5 on the same synthetic spectra."""
    stored = np.load(folder / "lines_spectra_public.npz")
    table = pd.read_csv(folder / "lines_fits_public.csv")
    spectra = {
        int(key): Spectrum(stored["wave"], flux / 2.0, stored["err"] / 2.0, 2.336)
        for key, flux in zip(stored["obj"], stored["flux"], strict=True)
    }
    table = table[table.name != "empty"].copy()
    ours: dict[int, LineFit] = {}
    for key, group in table.groupby("obj"):
        spectrum = spectra[int(key)]
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
    return [*out, "", *_identification(folder, spectra)]


def _identification(folder: Path, spectra: dict[int, Spectrum]) -> list[str]:
    summary = pd.read_csv(folder / "lines_summary_public.csv")
    truth = {each["obj"]: each for each in json.loads((folder / "lines_truth_public.json").read_text())}
    counts: dict[str, list[tuple[bool, bool, bool, bool]]] = {}
    matched, invented = [], 0
    for _, row in summary.iterrows():
        spectrum = spectra[row.obj]
        lines = find_lines(spectrum)
        real = [each["wave"] for each in truth[row.obj]["lines"]]
        if row.cls == "Noise":
            invented += len(lines)
        matched += [
            (each["snr"], any(abs(fit.center - each["wave"]) < 6.0 for fit in lines))
            for each in truth[row.obj]["lines"]
            if each["sigma"] < 6.0
        ]
        if row.cls in ("Noise", "Star") or not real:
            continue
        solutions = solve(spectrum, main_line(spectrum, row.w0, lines), lines)
        best = max(solutions, key=lambda each: each.log_likelihood)
        limit = 0.005 * (1.0 + row.z_true)
        accepted = [each for each in solutions if each.accepted]
        counts.setdefault(row.cls, []).append(
            (
                abs(best.redshift - row.z_true) < limit,
                bool(accepted) and abs(accepted[0].redshift - row.z_true) < limit,
                bool(accepted) and abs(accepted[0].redshift - row.z_true) >= limit,
                abs(row.sol1_z - row.z_true) < limit and row.multiline_good == 1,
            )
        )
    out = [
        "| class | n | largest likelihood right | accepted, right | accepted, wrong | original: accepted, right |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in counts.items():
        shares = 100 * np.mean(np.array(rows, float), axis=0)
        out.append(f"| {name} | {len(rows)} | " + " | ".join(f"{share:.0f} %" for share in shares) + " |")
    array = np.array(matched, float)
    cells = []
    for low, high in ((4, 5.5), (5.5, 8), (8, 1e9)):
        chosen = (array[:, 0] >= low) & (array[:, 0] < high)
        cells.append(f"S/N {low} to {high:g}: {100 * array[chosen, 1].mean():.0f} % of {chosen.sum()}")
    out += [
        "",
        "Narrow lines of these spectra found by the blind search: "
        + "; ".join(cells).replace(" to 1e+09", " up")
        + ".",
    ]
    noise = int((summary.cls == "Noise").sum())
    return [*out, f"False lines in its {noise} spectra of noise: {invented}."]


def real_spectra(folder: Path) -> list[str]:
    """Redshifts of real spectra from `solve` alone, and line fluxes against the SDSS pipeline."""
    measured = pd.read_csv(folder / "sdss_measured_lines_dev.csv")
    counts: dict[str, list[tuple[bool, bool]]] = {}
    failures, ratios = [], []
    with h5py.File(folder / "spectra_dev.h5") as store:
        for name in store:
            group = store[name]
            facts = dict(group.attrs)
            wave, flux, error = (group[key][:] for key in ("wave", "flux", "err"))
            wave = vacuum_to_air(wave) if facts["wave_medium"] == "vacuum" else wave
            keep = (wave > 3470.0) & (wave < 5540.0)
            if keep.sum() < 50 or not facts["lines_in_3470_5540"]:
                continue
            spectrum = Spectrum(wave[keep], flux[keep], error[keep] if np.any(error > 0) else None)
            truth = float(facts["truth_z"])
            lines = find_lines(spectrum)
            main = strongest_line(spectrum)
            reason, right = "no line found", False
            if main is not None:
                main = main_line(spectrum, main.center, lines)
                solutions = solve(spectrum, main, lines)
                close = [each for each in solutions if abs(each.redshift - truth) < 0.005 * (1.0 + truth)]
                best = max(solutions, key=lambda each: each.log_likelihood, default=None)
                right = best is not None and best in close
                said = f"{best.identity} z {best.redshift:.3f}" if best is not None else "nothing"
                reason = f"{said} for the line at {main.center:.0f} Å; " + (
                    f"{close[0].identity} {best.log_likelihood - close[0].log_likelihood:.1f} less likely"
                    if close and best is not None
                    else "no identity of this line gives the true z"
                )
            counts.setdefault(facts["truth_class"], []).append((main is not None, right))
            if not right:
                failures.append(f"| {name} | {facts['truth_class']} | {truth:.4f} | {reason} |")
            for _, row in measured[measured.name == name].iterrows():
                place = float(vacuum_to_air(row.obs_wave_vac))
                sigma = row.sigma_kms / 299792.458 * place
                if (
                    spectrum.wavelength[0] + 15 < place < spectrum.wavelength[-1] - 15
                    and row["area_1e-17cgs"] > 10 * row.area_err
                ):
                    fit = main_line(spectrum, place, lines)
                    ratios.append((row.linename, fit.flux * 1e17 / row["area_1e-17cgs"], (fit.center - place) / sigma))
    out = ["| class | n | a line found | z right by largest likelihood |", "|---|---|---|---|"]
    for name, rows in counts.items():
        found, right_ones = np.sum(np.array(rows), axis=0)
        out.append(f"| {name} | {len(rows)} | {found} | {right_ones} |")
    out += [
        "",
        "Fluxes and centres over those of the SDSS pipeline (its S/N > 10; its widths are in km/s at one redshift):",
        "",
    ]
    out += ["| line | n | flux ratio: median, 16 to 84 % | centre, in its σ |", "|---|---|---|---|"]
    table = pd.DataFrame(ratios, columns=["line", "ratio", "shift"])
    for name, rows in table.groupby("line"):
        if len(rows) >= 5:
            low, middle, high = np.nanquantile(rows.ratio, [0.16, 0.5, 0.84])
            out.append(
                f"| {name} | {len(rows)} | {middle:.2f}, {low:.2f} to {high:.2f} | {np.nanmedian(rows['shift']):+.2f} |"
            )
    out += ["", "Where the largest likelihood of `solve` alone, without any prior, is wrong:", ""]
    return [*out, "| spectrum | class | true z | what was said |", "|---|---|---|---|", *failures]


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


def _milliseconds(call: Callable[[], object], repeats: int) -> float:
    # the least of several: what else the computer does only adds
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def speed() -> list[str]:
    """Processor time of each step on one core."""
    rng = np.random.default_rng(9)
    error = np.full(GRID.size, 0.3)
    spectra = [
        Spectrum(GRID, 0.1 + 25.0 * _line(4500.0, 2.6) + rng.normal(0.0, 0.3, GRID.size), error, 2.336)
        for _ in range(1000)
    ]
    one = spectra[0]
    lines = find_lines(one)
    main = fit_line(one, 4500.0)
    single = _milliseconds(lambda: fit_line(one, 4501.0), 100)
    batch = _milliseconds(lambda: fit_many(spectra, np.full(1000, 4501.0), np.arange(1000)), 3) / 1000.0
    search = _milliseconds(lambda: find_lines(one), 20)
    scored = _milliseconds(lambda: solve(one, main, lines), 20)
    return [
        "| step | processor ms | original, s |",
        "|---|---|---|",
        f"| one line fit | {single:.2f} | 0.0115 |",
        f"| one of 1,000 fits in a batch | {batch:.3f} ({single / batch:.0f} times faster than a loop) | |",
        f"| blind search of a spectrum | {search:.1f} | |",
        f"| all identities scored | {scored:.1f} | |",
        f"| search, fit and scores together | {single + search + scored:.1f} | 4.1 |",
    ]


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, help="folder with original/ and real/")
    parser.add_argument("--number", type=int, default=5000, help="simulated lines of each kind")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "line_fits.md")
    arguments = parser.parse_args()
    page = [
        "# Line fits, line search and solutions: measured",
        "",
        "Made by `tools/measure_lines.py`. Truth is known in all sections but that on real fibers.",
        "",
        "## Fits: bias and coverage",
        "",
        "Lines of S/N 4 to 50 and σ 2 to 30 Å (uniform in the logarithm) on the HETDEX grid. Median and mean are of",
        "(fitted - true) / error; a perfect fit has 0, 0 and 68.3 %. Means are drawn down by a few fits at S/N below 6",
        "that ended on a peak of noise inside a broad line, where the error is small too.",
        "",
        *coverage(arguments.number),
        "",
        "## Blind search",
        "",
        *completeness(max(100, arguments.number // 25)),
    ]
    if arguments.reference is not None:
        page += ["", "## Against ELiXer 1.22.5 on the same spectra", ""]
        page += against_original(arguments.reference / "original")
        page += [
            "",
            "An accepted solution is the published rule. A lone line has none, whatever it is: that is what the",
            "posterior is for; the likelihood alone cannot tell Lyα from a lone [O II]. The published score here",
            "leaves out ELiXer's lift of [O III] pairs to 25.",
            "",
            "## Real spectra with known redshift",
            "",
            "The main line is the strongest found; no prior, magnitude or image is used. Spectra of other instruments,",
            "cut to 3470 to 5540 Å, not smoothed.",
            "",
        ]
        page += real_spectra(arguments.reference / "real")
        page += ["", "## Real VIRUS fibers", ""]
        fibers = sorted((arguments.reference / "real" / "virus_fibers").glob("Fe*.fits.gz"))
        page += virus_fibers(fibers[0])
    page += [
        "",
        "## Speed",
        "",
        *speed(),
        "",
        "Least of several runs on one core; original: median seconds on one core of a similar machine.",
        "",
    ]
    arguments.output.write_text("\n".join(page), encoding="utf-8")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
