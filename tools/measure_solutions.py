"""How often the identity of a line is right: writes docs/line_solutions.md.

Needs `--reference`: the synthetic spectra with truth on which ELiXer was run, real spectra of known redshift, and real
line ratios of nearby galaxies. Every number in the page comes from one run of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measuring import GRID, Original, arguments, line_shape, milliseconds, original, write_page

import elixer_widgets as ew
from elixer_widgets.classification.solutions import Solution, most_likely, solve
from elixer_widgets.detection import Detection, Shot, Spectrum
from elixer_widgets.spectra import LINES, find_lines, fit_line, line, main_line, observed_air, vacuum_to_air
from elixer_widgets.spectra.fitting import LineFit

TOLERANCE = 0.005
"""Largest |Δz| / (1 + z) of a redshift that counts as right."""

DEPTH = 24.8
"""g limit that the original assumed on its synthetic spectra."""

SNR_BINS = ((0.0, 8.0), (8.0, 20.0), (20.0, 1e9))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|"] + [f"| {' | '.join(map(str, r))} |" for r in rows]


def _is_right(z: float, truth: float) -> bool:
    return bool(np.isfinite(z) and abs(z - truth) < TOLERANCE * (1.0 + truth))


def _z(solution: Solution | None) -> float:
    return float("nan") if solution is None else solution.redshift


# ------------------------------------------------------------------------------ against the original, synthetic spectra


def identification(known: Original) -> list[str]:
    """How often the redshift is right, by class, on the original's synthetic spectra."""
    counts: dict[str, list[tuple[bool, ...]]] = {}
    for _, row in known.summary.iterrows():
        if row.cls in ("Noise", "Star") or not known.truth[row.obj]:
            continue
        spectrum = known.spectra[row.obj]
        lines = find_lines(spectrum)
        solutions = solve(spectrum, main_line(spectrum, row.w0, lines), lines)
        accepted = next((each for each in solutions if each.accepted), None)
        detection = replace(Detection.from_spectrum(spectrum, row.w0), shot=Shot(shotid=0, depth_g=DEPTH))
        said = ew.interpret(ew.measure(detection)).redshift
        theirs = row.sol1_z if row.multiline_good == 1 else float("nan")
        z = row.z_true
        counts.setdefault(row.cls, []).append(
            (
                _is_right(row.best_z, z),
                _is_right(_z(most_likely(solutions)), z),
                _is_right(said, z),
                _is_right(theirs, z),
                _is_right(_z(accepted), z),
                accepted is not None and not _is_right(accepted.redshift, z),
            )
        )
    both = [each for name in ("LAE", "OII") for each in counts.get(name, [])]
    counts["all"] = [each for rows in counts.values() for each in rows]
    if both:
        counts["LAE and OII"] = both
    head = (
        "class", "n", "original: best_z", "`solve`: most likely", "`interpret`", "original: accepted, right",
        "ours: accepted, right", "ours: accepted, wrong",
    )  # fmt: skip
    return _table(
        head, [(k, len(v), *(f"{100 * share:.0f} %" for share in np.mean(v, axis=0))) for k, v in counts.items()]
    )


def scores_against_original(known: Original) -> list[str]:
    """Our published score over the original's for the same redshift."""
    ratios: dict[str, list[float]] = {}
    for _, row in known.summary.iterrows():
        if row.cls in ("Noise", "Star") or not row.sol1_score > 0:
            continue
        spectrum = known.spectra[row.obj]
        lines = find_lines(spectrum)
        ours = solve(spectrum, main_line(spectrum, row.w0, lines), lines)
        same = next((each for each in ours if _is_right(each.redshift, row.sol1_z)), None)
        ratios.setdefault(row.cls, []).append(same.score / row.sol1_score if same is not None else 0.0)
    rows = []
    for name, values in ratios.items():
        array = np.array(values)
        low, middle, high = np.quantile(array, (0.16, 0.5, 0.84))
        rows.append((name, array.size, int((array == 0).sum()), f"{middle:.2f}", f"{low:.2f} to {high:.2f}"))
    return _table(("class", "solutions of the original", "no score of ours", "ratio: median", "16 to 84 %"), rows)


# ----------------------------------------------------------------------------------------- is the likelihood honest?

RESOLVE = {
    "OII": ("Flux_OII_3726", "Flux_OII_3728"), "NeIII": ("neiii_3869_flux",), "Hd": ("h_delta_flux",),
    "Hg": ("h_gamma_flux",), "Hb": ("h_beta_flux",), "OIII4959": ("oiii_4959_flux",), "OIII": ("oiii_5007_flux",),
}  # fmt: skip


def real_ratios(path: Path) -> pd.DataFrame:
    """Line fluxes of nearby galaxies of the RESOLVE survey, Hβ and [O II] measured to better than 10 %.

    [O II] lies at the edge of its spectra; where it exceeds six times Hβ, which hardly a galaxy does (Kewley et al.
    2004, AJ 127, 2002), it was not measured well.
    """
    table = pd.read_csv(path)
    sure = table.h_beta_flux > 10.0 * table.h_beta_flux_err
    oii_err = np.hypot(table.Flux_OII_3726_Err, table.Flux_OII_3728_Err)
    oii = table.Flux_OII_3726 + table.Flux_OII_3728
    sure &= (oii > 10.0 * oii_err) & (oii < 6.0 * table.h_beta_flux)
    return pd.DataFrame({k: table[list(v)].sum(axis=1) for k, v in RESOLVE.items()})[sure].clip(lower=0.0)


def calibration(galaxies: pd.DataFrame, number: int, seed: int = 31) -> list[str]:
    """Share of true identities among those that the likelihoods alone give a probability in a bin.

    At every wavelength all of Lyα, [O II], [O III] and Hβ that are possible there are equally frequent. Galaxies have
    the lines of a real nearby galaxy, drawn at random; a Lyα emitter has nothing else.
    """
    rng = np.random.default_rng(seed)
    error = np.full(GRID.size, 0.2)
    chances, truths = [], []
    for _ in range(number):
        place = rng.uniform(3800.0, 5450.0)
        names = [n for n in ("Lya", "OII", "OIII", "Hb") if place > LINES[n].air + 5.0]
        name = str(rng.choice(names))
        snr = np.exp(rng.uniform(np.log(5.0), np.log(40.0)))
        sigma = rng.uniform(2.4, 3.2)
        main = snr * 0.2 * np.sqrt(4.0 * sigma * np.sqrt(np.pi))
        fluxes = {"Lya": 1.0} if name == "Lya" else dict(galaxies.iloc[rng.integers(len(galaxies))])
        z = place / float(observed_air(line(name), 0.0)) - 1.0
        data = rng.normal(0.0, 0.2, GRID.size)
        for other, flux in fluxes.items():
            center = place if other == name else float(observed_air(line(other), z))
            data += main * flux / fluxes[name] * line_shape(center, sigma)
        spectrum = Spectrum(GRID, data, error, 2.336)
        by_line = {each.line: each.log_likelihood for each in solve(spectrum, fit_line(spectrum, place))}
        values = np.array([by_line.get(n, -50.0) for n in names])
        chance = np.exp(values - values.max())
        chances += list(chance / chance.sum())
        truths += [n == name for n in names]
    p, right = np.array(chances), np.array(truths)
    rows = []
    for low, high in (
        (0, 0.02),
        (0.02, 0.1),
        (0.1, 0.3),
        (0.3, 0.5),
        (0.5, 0.7),
        (0.7, 0.9),
        (0.9, 0.98),
        (0.98, 1.01),
    ):
        chosen = (p >= low) & (p < high)
        if chosen.sum() >= 10:
            share = right[chosen].mean()
            spread = np.sqrt(max(share * (1 - share), 1 / chosen.sum()) / chosen.sum())
            rows.append(
                (f"{low} to {min(high, 1)}", chosen.sum(), f"{p[chosen].mean():.3f}", f"{share:.3f} ± {spread:.3f}")
            )
    log_score = -np.mean(np.log(np.clip(p[right], 1e-12, 1.0)))
    return [
        *_table(("probability given", "cases", "its mean", "share true"), rows),
        "",
        f"Mean -ln of the probability given to the truth: {log_score:.3f} (without any evidence "
        f"{np.log(len(p) / right.sum()):.2f} or so) in {right.sum()} spectra.",
    ]


# ------------------------------------------------------------------------------------------------------ real spectra


@dataclass(frozen=True)
class RealCase:
    """One real spectrum with its truth, and what was made of it."""

    name: str
    kind: str
    half: int
    truth: float
    expected: tuple[tuple[str, float], ...]
    spectrum: Spectrum
    lines: tuple[LineFit, ...]
    main: LineFit
    solutions: tuple[Solution, ...]
    identity: str
    redshift: float

    @property
    def best(self) -> Solution | None:
        """What `solve` alone says."""
        return most_likely(self.solutions)

    @property
    def snr(self) -> float:
        """Of the main line; 0 if none was found."""
        return self.main.snr if np.isfinite(self.main.snr) else 0.0


def _expected(text: str) -> tuple[tuple[str, float], ...]:
    pairs = (each.split("@") for each in text.split(";"))
    return tuple((name, float(place)) for name, place in pairs)


def real_cases(folder: Path) -> list[RealCase]:
    """Every real spectrum with a line between 3470 and 5540 Å, interpreted with the magnitudes that its file has."""
    index = pd.read_csv(folder / "spectra_index_dev.csv")
    release = ew.open_release(folder / "spectra_dev.h5")
    facts = {row["name"]: (i, row) for i, row in index.iterrows()}
    out = []
    for detectid in release.detectids():
        detection = release.detection(int(detectid))
        i, row = facts[detection.label]
        if not isinstance(row.lines_in_3470_5540, str):
            continue
        m = ew.measure(detection)
        said = ew.interpret(m)
        out.append(
            RealCase(
                detection.label, row.truth_class, i % 2, float(row.truth_z), _expected(row.lines_in_3470_5540),
                detection.spectrum, m.lines, m.line, m.solutions, said.identity, said.redshift,
            )
        )  # fmt: skip
    return out


def redshifts_table(cases: Sequence[RealCase]) -> list[str]:
    """Recovered redshifts by class, half of the set, and S/N of the main line."""
    groups: list[tuple[str, list[RealCase]]] = []
    for kind in sorted({each.kind for each in cases}):
        own = [each for each in cases if each.kind == kind]
        groups += [(f"{kind}, {label}", [c for c in own if c.half == h]) for h, label in ((0, "even"), (1, "odd"))]
        for low, high in SNR_BINS:
            label = f"S/N {low:.0f} up" if high > 1e6 else f"S/N {low:.0f} to {high:.0f}"
            groups.append((f"{kind}, {label}", [c for c in own if low <= c.snr < high]))
    for half, label in ((0, "even"), (1, "odd")):
        groups.append((f"all, {label}", [c for c in cases if c.half == half]))
    rows = [
        (
            label,
            len(own),
            sum(np.isfinite(c.main.flux) for c in own),
            sum(_is_right(_z(c.best), c.truth) for c in own),
            sum(_is_right(c.redshift, c.truth) for c in own),
        )
        for label, own in groups
        if own
    ]
    return _table(("spectra", "n", "a line found", "z right: `solve`", "z right: `interpret`"), rows)


def cause(case: RealCase) -> str:
    """Why `solve` alone is wrong, in words."""
    name, place = min(case.expected, key=lambda each: abs(each[1] - case.main.center), default=("", np.nan))
    expected = ", ".join(f"{n} {x:.0f}" for n, x in case.expected)
    if not np.isfinite(case.main.flux):
        return f"no line is found above the noise (there should be {expected})"
    off = case.main.center - place
    right = [each for each in case.solutions if _is_right(each.redshift, case.truth)]
    if case.main.is_absorption:
        return f"no emission line is found; the strongest line is in absorption, {off:+.0f} Å from {name}"
    if not right and abs(off) > max(15.0, 1.5 * case.main.sigma):
        broad = "a bump of the continuum" if case.main.sigma > 20 else "another feature"
        return f"{broad} at {case.main.center:.0f} Å is taken for the main line (there should be {expected})"
    if not right:
        return f"the centre is {off:+.0f} Å off {name}: part of the line is absorbed or blended"
    best = case.best
    assert best is not None
    mine = max(right, key=lambda each: each.log_likelihood + each.log_share)
    lost = best.log_likelihood + best.log_share - mine.log_likelihood - mine.log_share
    false = [c.label for c in best.companions if c.status == "found" and not LINES[c.line].absorption]
    missing = [c.label for c in mine.companions if c.status == "missing"]
    words = [f"{LINES[best.line].label} is preferred by {lost:.1f} to {LINES[mine.line].label}"]
    if false:
        words.append(f"features are taken for its {', '.join(false)}")
    if missing:
        words.append(f"{', '.join(missing)} not seen as the true identity has it")
    if not false and not missing:
        words.append("no companion in range decides: a lone line, told by the prior only")
    return "; ".join(words)


def failures(cases: Sequence[RealCase]) -> list[str]:
    """Every wrong redshift with its reason."""
    rows = []
    for each in cases:
        solved, said = _is_right(_z(each.best), each.truth), _is_right(each.redshift, each.truth)
        if solved and said:
            continue
        whole = f"{each.identity} z {each.redshift:.3f}" if np.isfinite(each.redshift) else each.identity
        rows.append(
            (
                each.name, each.kind, f"{each.truth:.4f}", f"{each.snr:.0f}",
                "right" if solved else cause(each), "right" if said else whole,
            )
        )  # fmt: skip
    return _table(("spectrum", "class", "true z", "S/N", "`solve` alone: why it fails", "`interpret`"), rows)


def line_fluxes(cases: Sequence[RealCase], folder: Path) -> list[str]:
    """Fluxes and centres over those of the SDSS pipeline, by line and its S/N."""
    measured = pd.read_csv(folder / "sdss_measured_lines_dev.csv")
    by_name = {each.name: each for each in cases}
    found: list[dict[str, Any]] = []
    for _, row in measured.iterrows():
        case = by_name.get(row["name"])
        if case is None or not row.area_err > 0:
            continue
        spectrum, place = case.spectrum, float(vacuum_to_air(row.obs_wave_vac))
        snr = row["area_1e-17cgs"] / row.area_err
        if not spectrum.wavelength[0] + 15 < place < spectrum.wavelength[-1] - 15 or snr < 5.0:
            continue
        fit = main_line(spectrum, place, case.lines)
        sigma = row.sigma_kms / 299792.458 * place
        ratio = fit.flux * 1e17 / row["area_1e-17cgs"]
        found.append({"line": row.linename, "snr": snr, "ratio": ratio, "shift": (fit.center - place) / sigma})
    table = pd.DataFrame(found)
    rows = []
    for name, own in table.groupby("line"):
        for low, high in ((5.0, 10.0), (10.0, 30.0), (30.0, 1e9)):
            part = own[(own.snr >= low) & (own.snr < high)]
            if len(part) >= 4:
                q = np.nanquantile(part.ratio, [0.16, 0.5, 0.84])
                label = f"{low:.0f} up" if high > 1e6 else f"{low:.0f} to {high:.0f}"
                rows.append(
                    (name, label, len(part), f"{q[1]:.2f}, {q[0]:.2f} to {q[2]:.2f}", f"{part['shift'].median():+.2f}")
                )
    return _table(("line", "S/N of SDSS", "n", "flux ratio: median, 16 to 84 %", "centre, in its σ"), rows)


# ------------------------------------------------------------------------------------------------------------- speed


def speed(cases: Sequence[RealCase]) -> list[str]:
    """Processor time of each step on one core."""
    rng = np.random.default_rng(9)
    data = 0.1 + 25.0 * line_shape(4500.0, 2.6) + rng.normal(0.0, 0.3, GRID.size)
    one = Spectrum(GRID, data, np.full(GRID.size, 0.3), 2.336)
    lines, main = find_lines(one), fit_line(one, 4500.0)
    single = milliseconds(lambda: fit_line(one, 4501.0), 100)
    search = milliseconds(lambda: find_lines(one), 20)
    scored = milliseconds(lambda: solve(one, main, lines), 20)
    rows = [
        ("all identities scored, one line", f"{scored:.1f}", ""),
        ("search, fit and scores together", f"{single + search + scored:.1f}", "4.1"),
    ]
    if cases:
        most = max(cases, key=lambda each: len(each.lines))
        crowded = milliseconds(lambda: solve(most.spectrum, most.main, most.lines), 10)
        samples = most.spectrum.wavelength.size
        rows.insert(
            1, (f"all identities scored, {len(most.lines)} lines in {samples} samples (real)", f"{crowded:.1f}", "")
        )
    return [
        *_table(("step", "processor ms", "original, s"), rows),
        "",
        "Least of several runs on one core; original: median seconds on one core of a similar machine.",
    ]


NOTES = """
`solve` alone is the spectrum's lines only: companions, absorption lines, Lyα forest, and for a lone line how often such
a line is the main one. `interpret` adds line width, equivalent width and numbers of galaxies; here it has what the
original had, a continuum from the spectrum with a g limit of 24.8. Where [O II] is below the original: with the
spectrum alone a lone narrow line is told Lyα or [O II] by its equivalent width, and what one class gains the other
loses; for both together see the row "LAE and OII". An accepted solution is the published rule; a lone line has none,
whatever it is. C IV is accepted less often than by the original because companions near its limit score less here.
""".strip().split("\n")

DEPARTURES = """
The published score is rebuilt from the facts known of ELiXer's, not from its code. Like it, it takes lines of the blind
search within 8 Å of a place as they were fitted, counts N V a quarter, accepts the mate of an [O III] line at a ratio
of 3 within the error, lifts [O III] 5007 with such a mate to 25, adds 3 for each companion on a peak, drops companions
of unlike offsets, and tries every emission line as the main one. Signal to noise is 0.897 of ours, which is what
summing with equal weights within 2σ gives. The height over the noise of companions is taken twice as large as that of
the main line: the factor was found by comparing with the scores of this table, which therefore do not test it.

It departs where the original's rule needs what is not known here (scatter over the fibers of an amplifier), where the
rule cannot work as written (the range test of 5007/4959, the veto by width, tentative lines counted more than once),
and in that absorption lines do not add to the score of an emission line's identity. Forced fluxes stand in for its own
fits where the blind search finds nothing: near S/N 3 these have no gain from noise peaks, and the score is lower.
""".strip().split("\n")

CALIBRATION = """
Spectra of one object each, S/N of the main line 5 to 40. Lyα emitters have no other line; galaxies have the lines of a
real galaxy of the RESOLVE survey, drawn with replacement from the 58 with [O II] and Hβ measured to 10 % and [O II]
below six times Hβ (its [O II] lies at the edge of its spectra and is at times corrupt). All identities possible at a
wavelength are equally frequent,
so that the likelihoods alone should give the right shares. The galaxies have no part in the samples of ratios behind
the likelihood; but a first comparison showed it too sure that a lone [O II] is none, and metal-rich and red galaxies
were then added to the samples from published work: the table is a check, no blind test.
""".strip().split("\n")


def main() -> None:
    """Write the page."""
    given = arguments(__doc__, "line_solutions.md", 3000)
    made = "Made by `tools/measure_solutions.py`. Truth is known in all sections."
    page = ["# Line solutions: measured", "", made]
    cases: list[RealCase] = []
    if given.reference is not None:
        known, real = original(given.reference), given.reference / "real"
        cases = real_cases(real)
        page += ["", "## Against ELiXer 1.22.5 on the same spectra", "", *identification(known), "", *NOTES]
        page += ["", "## The published score", "", *scores_against_original(known), "", *DEPARTURES]
        page += [
            "",
            "## Is the likelihood honest?",
            "",
            *CALIBRATION,
            "",
            *calibration(real_ratios(real / "catalogs" / "resolve_lowz_line_fluxes.csv.gz"), given.number),
            "",
            "## Real spectra with known redshift",
            "",
            f"Right: |Δz| < {TOLERANCE} (1 + z). The main line is the strongest found. `solve` sees the spectrum only,",
            "`interpret` also the magnitudes that came with it. Spectra of other instruments, cut to 3470 to 5540 Å,",
            "not smoothed. All of them were looked at while the likelihood was built: read the shares as optimistic.",
            "",
            *redshifts_table(cases),
            "",
            "### Fluxes",
            "",
            "Over those of the SDSS pipeline, whose widths are in km/s at one redshift:",
            "",
            *line_fluxes(cases, real),
            "",
            "### Failures, one by one",
            "",
            "The label of desi-39089837499744649 is doubtful: at its redshift [O III] 4959 would have S/N 12 and",
            "is not there, which Lyα explains.",
            "",
            *failures(cases),
        ]
    write_page(given.output, [*page, "", "## Speed", "", *speed(cases)])


if __name__ == "__main__":
    main()
