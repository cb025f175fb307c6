"""How often the identity of a line is right: writes docs/line_solutions.md.

Needs `--reference`: the synthetic spectra with truth on which ELiXer was run, and real spectra of known redshift. Every
number in the page comes from one run of this file.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from measuring import GRID, Original, arguments, line_shape, milliseconds, original, write_page

from elixer_widgets.classification.solutions import solve
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines, fit_line, main_line, strongest_line, vacuum_to_air


def identification(known: Original) -> list[str]:
    """How often the redshift is right, by class, on the original's synthetic spectra."""
    counts: dict[str, list[tuple[bool, bool, bool, bool]]] = {}
    for _, row in known.summary.iterrows():
        if row.cls in ("Noise", "Star") or not known.truth[row.obj]:
            continue
        spectrum = known.spectra[row.obj]
        lines = find_lines(spectrum)
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
    return out


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


def speed() -> list[str]:
    """Processor time of each step on one core."""
    rng = np.random.default_rng(9)
    data = 0.1 + 25.0 * line_shape(4500.0, 2.6) + rng.normal(0.0, 0.3, GRID.size)
    one = Spectrum(GRID, data, np.full(GRID.size, 0.3), 2.336)
    lines, main = find_lines(one), fit_line(one, 4500.0)
    single = milliseconds(lambda: fit_line(one, 4501.0), 100)
    search = milliseconds(lambda: find_lines(one), 20)
    scored = milliseconds(lambda: solve(one, main, lines), 20)
    return [
        "| step | processor ms | original, s |",
        "|---|---|---|",
        f"| all identities scored | {scored:.1f} | |",
        f"| search, fit and scores together | {single + search + scored:.1f} | 4.1 |",
        "",
        "Least of several runs on one core; original: median seconds on one core of a similar machine.",
    ]


def main() -> None:
    """Write the page."""
    given = arguments(__doc__, "line_solutions.md", 0)
    page = ["# Line solutions: measured", "", "Made by `tools/measure_solutions.py`. Truth is known in all sections."]
    if given.reference is not None:
        page += [
            "",
            "## Against ELiXer 1.22.5 on the same spectra",
            "",
            *identification(original(given.reference)),
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
            *real_spectra(given.reference / "real"),
        ]
    write_page(given.output, [*page, "", "## Speed", "", *speed()])


if __name__ == "__main__":
    main()
