"""P(LAE)/P(OII) against the original's answers: writes docs/plae_poii.md and its figures.

The words are in measure_plae.md beside this file, the numbers come from here.

    python tools/measure_plae.py --reference /work/shared

`--reference` is the folder with `reference/original/` (what ELiXer 1.22.5 answers) and `spec/classification.md` (whose
appendix A holds ordinates of its equivalent-width tables).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from elixer_widgets.classification import plae, universe
from elixer_widgets.classification.continuum import combine
from elixer_widgets.classification.equivalent_widths import LOG_WIDTHS, log_density_row
from elixer_widgets.classification.plae import ExtraLine, log_ratio, plae_poii, plae_poii_many
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.continuum import ContinuumEstimate, g_magnitude
from elixer_widgets.spectra.wavelengths import hetdex_grid

matplotlib.use("Agg")
import matplotlib.pyplot as plt

GOOD = (3875.0, 5445.0)  # Å; outside, the original's [O II] table runs into rows of zeros
ORIGINAL_SINGLE, ORIGINAL_ERRORS = 4.1, 184.0  # ms, on one idle core
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "0.55"


def band_table() -> list[str]:
    """Bias of the spectrum's g magnitude for power laws, against speclite over the whole band."""
    from astropy import units
    from speclite.filters import load_filters

    grid, wide = hetdex_grid(), np.arange(3000.0, 6500.0, 1.0)
    masks = {"nothing masked": (0.0, 0.0), "3470 to 4000 Å": (3470.0, 4000.0), "4300 to 4700 Å": (4300.0, 4700.0),
             "5200 to 5540 Å": (5200.0, 5540.0)}  # fmt: skip
    lines = ["| f_λ ∝ λ^β, β | " + " | ".join(masks) + " |", "|---|" + "---|" * len(masks)]
    for slope in (-3, -2, -1, 0, 1, 2):
        flux = 1e-17 * (wide / 4700.0) ** slope * units.erg / (units.s * units.cm**2 * units.AA)
        truth = float(load_filters("sdss2010-g").get_ab_magnitudes(flux, wide * units.AA)["sdss2010-g"][0])
        cells = []
        for low, high in masks.values():
            error = np.where((grid > low) & (grid < high), 0.0, 0.001)
            cells.append(f"{g_magnitude(Spectrum(grid, (grid / 4700.0) ** slope, error)).value - truth:+.4f}")
        lines.append(f"| {slope} | " + " | ".join(cells) + " |")
    return lines


CASES = (  # name, σ of each input, weights, bands, range of the true continuum; 1e-17 erg/s/cm²/Å
    ("two equal", (0.01,) * 2, (1.0,) * 2, "gr", (0.1, 0.3)),
    ("five equal", (0.01,) * 5, (1.0,) * 5, "ggrrg", (0.1, 0.3)),
    ("five of unequal errors", (0.01, 0.02, 0.03, 0.01, 0.05), (1.0,) * 5, "ggrrg", (0.1, 0.3)),
    ("weights 4, 1, 0.8", (0.02, 0.01, 0.01), (4.0, 1.0, 0.8), "ggr", (0.1, 0.3)),
    ("faint, g and r", (0.015, 0.02), (1.0, 0.8), "gr", (0.0, 0.08)),
    ("faint, three g", (0.015, 0.02, 0.02), (1.0,) * 3, "ggg", (0.0, 0.08)),
    ("faint, two g and two r", (0.015, 0.02, 0.02, 0.03), (1.0, 0.8, 1.0, 0.8), "grgr", (0.0, 0.08)),
)


def combined_table(objects: int = 1500) -> list[str]:
    rng = np.random.default_rng(2024)
    lines = ["| inputs | measured | within 1σ | mean pull | its scatter | median bias | limits | that hold |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, sigmas, weights, bands, (low, high) in CASES:
        pulls, bias, held = [], [], []
        for truth in rng.uniform(low, high, objects):
            inputs = []
            for sigma, weight, band in zip(sigmas, weights, bands, strict=True):
                value = truth + sigma * rng.standard_normal()
                common = {"magnitude": 25.0, "magnitude_err": 0.1, "band": band, "weight": weight}
                if value < 2.0 * sigma:
                    inputs.append(ContinuumEstimate("image", 2.0 * sigma, sigma, True, 2.0, **common))
                else:
                    inputs.append(ContinuumEstimate("image", value, sigma, **common))
            result = combine(inputs, 4500.0).estimate
            if result.is_limit:
                held.append(truth < result.value)
            else:
                pulls.append((result.value - truth) / result.error)
                bias.append(result.value / truth - 1.0)
        inside = f"{100 * np.mean(np.abs(pulls) < 1):.0f} %"
        kept = f"{100 * np.mean(held):.0f} %" if held else ""
        lines.append(
            f"| {name} | {len(pulls)} | {inside} | {np.mean(pulls):+.2f} | {np.std(pulls):.2f} | "
            f"{100 * np.median(bias):+.1f} % | {len(held)} | {kept} |"
        )
    return lines


def ordinates(text: str) -> dict[str, tuple[np.ndarray, dict[float, np.ndarray]]]:
    """Appendix A of the fact sheet: widths (Å) and, by redshift, the density per Å."""
    widths = {
        "LAE": np.array([1, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500.0]),
        "OII": np.array([1, 2.5, 5, 7.5, 10, 15, 20, 30, 40, 60, 100, 200.0]),
    }
    rows: dict[str, dict[float, np.ndarray]] = {"LAE": {}, "OII": {}}
    kind = ""
    for line in text.split("## Appendix A")[1].splitlines():
        kind = line[:3] if line[:3] in rows else kind
        cells = [each.strip() for each in line.strip("| ").split("|")]
        if kind and len(cells) == 13 and cells[0][:1].isdigit() | cells[0].startswith("."):
            rows[kind][float(cells[0])] = np.array([float(each) for each in cells[1:]]) * 1e-3
    return {name: (widths[name], rows[name]) for name in rows}


def regenerated(kind: str, z: float, width: np.ndarray, corrected: bool = True) -> np.ndarray:
    """Our density per Å."""
    return np.exp(np.interp(np.log10(width), LOG_WIDTHS, log_density_row(kind, z, corrected=corrected)))


def distribution_table(check: dict[str, tuple[np.ndarray, dict[float, np.ndarray]]]) -> list[str]:
    lines = ["| class | z | where most are: fitted | published only | far tail: fitted | published only |"]
    lines.append("|---|---|---|---|---|---|")
    for kind, (width, rows) in check.items():
        for z, theirs in rows.items():
            bulk = width < 4.0 * float(universe.equivalent_width_scale(kind, z))
            tail = ~bulk & (theirs > 0)
            cells = []
            for part in (bulk, tail):
                for corrected in (True, False):
                    off = np.abs(np.log(regenerated(kind, z, width[part], corrected) / theirs[part]))
                    cells.append(f"{np.max(off):.3f}" if off.size else "")
            lines.append(f"| {'Lyα' if kind == 'LAE' else '[O II]'} | {z:g} | " + " | ".join(cells) + " |")
    return lines


def odds(probability: pd.Series) -> np.ndarray:
    return (probability / (1.0 - probability)).to_numpy()


def factor_table(table: pd.DataFrame, internals: pd.DataFrame) -> list[str]:
    """Largest relative difference of each factor that is not the equivalent width."""
    lines = ["| factor | compared on | largest relative difference |", "|---|---|---|"]
    for kind, name, rest in (("LAE", "lae", 1215.67), ("OII", "oii", 3727.8)):
        rows = internals[internals[f"z_{name}"] > 0]
        z = rows[f"z_{name}"].to_numpy()
        lf = universe.luminosity_function(kind, z)
        label = "Lyα" if kind == "LAE" else "[O II]"
        pairs: dict[str, tuple[np.ndarray, str]] = {
            "luminosity distance": (universe.luminosity_distance(z), f"lumdist_{name}_Mpc"),
            "volume with Jacobian": (universe.volume_element(z) * 1215.67 / rest, f"dvol_{name}"),
            "L*": (10.0**lf.log_l_star, f"Lstar_{name}"),
            "φ*": (lf.phi_star, f"phistar_{name}"),
        }
        for text in ("3e-17", "1e-16", "5e-16"):
            values = lf.density(universe.luminosity(float(text), z, "published"))
            pairs[f"luminosity function at {text}"] = (values, f"lf_n_{name}_{text}")
        for what, (ours, column) in pairs.items():
            worst = np.max(np.abs(ours / rows[column].to_numpy() - 1.0))
            lines.append(f"| {label}: {what} | {z.size} wavelengths | {worst:.1e} |")
    # A probability of nine digits gives the odds to 1e-4 only away from 0 and 1
    moderate = table.plgd_lum_only.between(1e-4, 1 - 1e-4) & (table.z_oii > 0)
    rows = table[moderate]
    wave, flux = rows.wave.to_numpy(), rows.flux.to_numpy()
    ours = universe.number_density("LAE", wave, flux) / universe.number_density("OII", wave, flux)
    worst = np.max(np.abs(ours / odds(rows.plgd_lum_only) - 1.0))
    lines.append(f"| odds without equivalent width and lines | {len(rows)} inputs | {worst:.1e} |")
    rows = table[moderate & (table.n_addl_matched > 0) & table.plgd_lum_lines.between(1e-4, 1 - 1e-4)]
    theirs = odds(rows.plgd_lum_lines) / odds(rows.plgd_lum_only)
    ours = np.array([factor_of_lines(row) for row in rows.itertuples()])
    worst = np.max(np.abs(ours / theirs - 1.0))
    lines.append(f"| factor of further lines | {len(rows)} inputs | {worst:.1e} |")
    return lines


def lines_of(row: object) -> list[ExtraLine]:
    numbers = range(1, int(row.n_addl) + 1)  # type: ignore[attr-defined]
    return [ExtraLine(*(getattr(row, f"addl{i}_{part}") for part in ("wave", "flux", "err"))) for i in numbers]


def factor_of_lines(row: object) -> float:
    arguments = (row.wave, row.flux, row.flux_err, row.flux / 50.0)  # type: ignore[attr-defined]
    return plae_poii(*arguments, lines=lines_of(row), draws=0).value / plae_poii(*arguments, draws=0).value


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """ln of our ratio over the original's, clipped as it is published, and of the unclipped ones."""
    values = [
        plae_poii(row.wave, row.flux, row.flux_err, row.flux / abs(row.ew_obs), lines=lines_of(row), draws=0).value
        for row in table.itertuples()
    ]
    ours = np.array(values, float)
    out = table[["wave", "flux", "ew_obs", "ratio", "z_oii", "kind"]].copy()
    out["ours"] = ours
    out["off"] = np.log(np.clip(ours, 1e-3, 1e3) / table.ratio.to_numpy())
    out["inside"] = table.ratio.between(1e-3, 1e3, inclusive="neither")
    out["good"] = table.wave.between(*GOOD, inclusive="neither")
    width = out.ew_obs.abs() / (1.0 + out.z_oii)
    scale = universe.equivalent_width_scale("OII", np.maximum(out.z_oii.to_numpy(), 0.0))
    out["scales"] = np.where(out.z_oii > 0, width / scale, 0.0)
    out["narrow"] = width < 0.52
    return out


def summary(name: str, off: pd.Series) -> str:
    off = off.abs().dropna()
    within = f"{100 * np.mean(off < 0.2):.1f} %"
    return f"| {name} | {len(off):,} | {off.median():.4f} | {off.quantile(0.95):.3f} | {within} |"


def causes(result: pd.DataFrame) -> list[str]:
    """Rows off by more than 0.2, by what makes them so."""
    far = result[result.off.abs() > 0.2]
    zero_rows = ~far.good
    tail = far.good & (far.scales > 10.0)
    narrow = far.good & ~tail & far.narrow
    rest = far.good & ~tail & ~narrow
    reasons = (
        ("rows of zeros at the ends of its [O II] table: λ > 5445 Å or λ < 3875 Å", zero_rows),
        ("far tail of [O II], beyond 10 scale lengths, where its table can hold few draws", tail),
        ("narrower than its table's lowest entry", narrow),
        ("none of these", rest),
    )
    lines = ["| cause | rows | median Δ ln R | largest |", "|---|---|---|---|"]
    for why, chosen in reasons:
        off = far.off[chosen]
        numbers = f"{off.median():+.2f} | {off.abs().max():.2f}" if len(off) else "|"
        lines.append(f"| {why} | {len(off)} | {numbers} |")
    return lines


EXAMPLES = (  # section 8 of the fact sheet: Å, Å observed, ratio; flux 1e-16
    (4500.0, 120.0, 470.94), (4500.0, 60.0, 7.636), (4500.0, 200.0, 11398.0), (4000.0, 40.0, 125.21),
    (5000.0, 100.0, 2.386), (5400.0, 80.0, 0.2124), (5450.0, 80.0, 0.1973), (5500.0, 80.0, 0.396),
    (5530.0, 80.0, 1.278),
)  # fmt: skip


def example_table() -> list[str]:
    lines = ["| λ, Å | observed width, Å | original | ours | Δ ln R |", "|---|---|---|---|---|"]
    for wave, width, theirs in EXAMPLES:
        ours = float(np.exp(log_ratio(wave, 1e-16, width)))
        note = " (zero rows)" if wave > GOOD[1] else ""
        lines.append(f"| {wave:.0f}{note} | {width:.0f} | {theirs:.4g} | {ours:.4g} | {np.log(ours / theirs):+.3f} |")
    hbeta = ExtraLine(4000.0 / 3727.8 * 4861.32, 5e-17, 1e-17)
    ours = plae_poii(4000.0, 1e-16, 0.0, 1e-16 / 40.0, lines=[hbeta], draws=0).value
    lines.append(f"| 4000, Hβ 5e-17 ± 1e-17 | 40 | 5.53e-04 | {ours:.3g} | {np.log(ours / 5.53e-4):+.3f} |")
    return lines


def interval_table(table: pd.DataFrame, scatter: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Our limits against the mean of the original's over twelve seeds."""
    rows = table.merge(scatter, on="row").query("n_addl == 0 and wave > @GOOD[0] and wave < @GOOD[1] and ew_obs > 0")
    rows = rows[rows.lo_mean.between(0.002, 500) & rows.hi_mean.between(0.002, 500)].copy()
    ours = [plae_poii(r.wave, r.flux, r.flux_err, r.cont, r.cont_err, draws=4000) for r in rows.itertuples()]
    rows["table_off"] = np.log([each.value for each in ours]) - np.log(rows.odds_raw)
    lines = [
        "| limit | rows | median Δ ln R | 95 % within | the same, widths' difference off | within 3 seed scatters |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for name, column in (("low", "lo"), ("high", "hi")):
        value = np.clip([getattr(each, name) for each in ours], 1e-3, 1e3)
        off = np.log(value / rows[f"{column}_mean"])
        rows[f"our_{column}"] = value
        net = off - rows.table_off
        near = net.abs() < 3.0 * rows[f"{column}_std"] / rows[f"{column}_mean"]
        lines.append(
            f"| {name} | {len(rows)} | {off.median():+.3f} | {off.abs().quantile(0.95):.2f} | "
            f"{net.median():+.3f}, {net.abs().quantile(0.95):.2f} | {100 * near.mean():.0f} % |"
        )
    return lines, rows


def draws_table(table: pd.DataFrame, stored: dict[str, np.ndarray]) -> list[str]:
    """Draw by draw: our ratio of each of the original's draws, and the quantiles these give."""
    offs, quantiles = [], []
    for row in table[table.row.astype(str).isin(stored) & (table.n_addl == 0)].itertuples():
        flux, width, raw, _ = stored[str(row.row)].T
        if not (GOOD[0] < row.wave < GOOD[1]):
            continue
        fine = (flux > 0) & (width > 0) & (raw > 1e-3) & (raw < 1e3)
        if fine.sum() < 200:
            continue
        ours = log_ratio(row.wave, flux[fine], width[fine])
        offs.append(np.median(np.abs(ours - np.log(raw[fine]))))
        alone = plae_poii(row.wave, row.flux, row.flux_err, row.cont, row.cont_err, draws=4000)
        low, high = np.log(np.quantile(raw, [0.16, 0.84]))
        quantiles.append((np.log(alone.low) - low, np.log(alone.high) - high, high - low))
    low_off, high_off, width = np.array(quantiles).T
    return [
        "| what | rows | median | 95 % below |",
        "|---|---|---|---|",
        f"| abs Δ ln R of single draws | {len(offs)} | {np.median(offs):.3f} | {np.quantile(offs, 0.95):.3f} |",
        *(
            f"| abs Δ of the {name} limit over the interval's length | {len(offs)} | "
            f"{np.median(np.abs(each) / width):.3f} | {np.quantile(np.abs(each) / width, 0.95):.3f} |"
            for name, each in (("low", low_off), ("high", high_off))
        ),
    ]


def milliseconds(action: Callable[[int], object], repeats: int = 200) -> float:
    action(-1)
    seconds = []
    for i in range(repeats):
        start = time.process_time()
        action(i)
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)) * 1e3


def speed_table() -> list[str]:
    rng = np.random.default_rng(7)
    wave, flux, width = (
        rng.uniform(3750, 5500, 100_000),
        10 ** rng.uniform(-17, -15.5, 100_000),
        rng.uniform(1, 300, 100_000),
    )
    continua = np.geomspace(2e-19, 5e-18, 8)
    # Every call at a wavelength of its own, so that nothing kept of an earlier one helps
    single = milliseconds(lambda i: plae_poii(4000.0 + 1.7 * i, 1e-16, 0.0, 1e-18, draws=0))
    again = milliseconds(lambda i: plae_poii(4000.0, 1e-16, 0.0, 1e-18 + 1e-21 * i, draws=0))
    errors = milliseconds(lambda i: plae_poii(4000.5 + 1.7 * i, 1e-16, 1e-17, 1e-18, 2e-19))
    many = milliseconds(lambda i: plae_poii_many(4001.0 + 1.7 * i, 1e-16, 1e-17, continua, 0.2 * continua, draws=400))
    bulk = milliseconds(lambda _: log_ratio(wave, flux, width), 7)
    rows = (
        ("one ratio, a new wavelength", single, ORIGINAL_SINGLE),
        ("one ratio, a wavelength seen before", again, ORIGINAL_SINGLE),
        ("one ratio with errors (1,000 draws; the original 250)", errors, ORIGINAL_ERRORS),
        ("one line on 8 continua with errors (400 draws each)", many, 8 * ORIGINAL_ERRORS),
        ("100,000 ratios in one call", bulk, 1e5 * ORIGINAL_SINGLE),
    )
    lines = ["| what | ms | times faster than the original |", "|---|---|---|"]
    return lines + [f"| {name} | {ours:.3g} | {theirs / ours:,.0f} |" for name, ours, theirs in rows]


def draw_distributions(check: dict[str, tuple[np.ndarray, dict[float, np.ndarray]]], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.8), constrained_layout=True)
    for axis, (kind, shown), title in zip(
        axes, (("LAE", (1.94, 2.5, 3.5)), ("OII", (0.0395, 0.2, 0.46))), ("Lyα", "[O II]"), strict=True
    ):
        width, rows = check[kind]
        fine = np.geomspace(0.6, width[-1], 200)
        for z, marker, color in zip(shown, "os^", (BLUE, ORANGE, "black"), strict=True):
            seen = rows[z] > 0
            axis.plot(width[seen], rows[z][seen], marker, color=color, ms=4, label=f"z = {z:g}, table in use")
            axis.plot(fine, regenerated(kind, z, fine), "-", color=color, lw=1, label="regenerated")
            axis.plot(fine, regenerated(kind, z, fine, False), ":", color=color, lw=1, label="published only")
        axis.set(xscale="log", yscale="log", xlabel="rest equivalent width, Å", ylabel="density per Å", title=title)
        axis.set_ylim(1e-6 if kind == "OII" else 1e-5, None)
        axis.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_ratios(result: pd.DataFrame, path: Path) -> None:
    figure, axis = plt.subplots(figsize=(9.0, 3.6), constrained_layout=True)
    rows = result[(result.z_oii > 0) & result.inside]
    far = rows.scales > 10.0
    for chosen, color, marker, label in (
        (~far, BLUE, "o", "within 10 scale lengths of [O II]"),
        (far, ORANGE, "^", "beyond"),
    ):
        axis.plot(rows.wave[chosen], rows.off[chosen], marker, color=color, ms=3, alpha=0.6, label=label)
    for low, high in ((3727.8, GOOD[0]), (GOOD[1], 5545.0)):
        axis.axvspan(low, high, color=GREY, alpha=0.3, lw=0)
    axis.axhspan(-0.2, 0.2, color=BLUE, alpha=0.1, lw=0)
    axis.set(
        xlabel="observed wavelength, Å (grey: the original's table ends in zeros)",
        ylabel="ln (ours / original)",
        ylim=(-2.2, 2.2),
    )
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_intervals(rows: pd.DataFrame, path: Path) -> None:
    figure, axis = plt.subplots(figsize=(4.6, 4.2), constrained_layout=True)
    axis.plot([1e-3, 1e3], [1e-3, 1e3], color=GREY, lw=1)
    for column, marker, color, label in (("lo", "v", BLUE, "lower limit"), ("hi", "^", ORANGE, "upper limit")):
        theirs = rows[f"{column}_mean"]
        axis.errorbar(
            theirs,
            rows[f"our_{column}"],
            xerr=rows[f"{column}_std"],
            fmt=marker,
            color=color,
            ms=4,
            lw=0.8,
            label=label,
        )
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="original, mean and scatter of 12 seeds",
        ylabel="this package",
        title="68 % limits of P(LAE)/P(OII)",
    )
    axis.legend(frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--docs", type=Path, default=Path(__file__).parents[1] / "docs")
    arguments = parser.parse_args()
    original = arguments.reference / "reference/original"
    table = pd.read_csv(original / "plae_poii_public.csv")
    table = table[(table.ew_obs != 0) & (table.flux > 0)]
    internals = pd.read_csv(original / "plae_poii_internals.csv")
    check = ordinates((arguments.reference / "spec/classification.md").read_text())
    with np.load(original / "plae_poii_mc_draws_public.npz") as archive:
        stored = {name: archive[name] for name in archive.files}
    scatter = pd.read_csv(original / "plae_poii_mc_seed_scatter_public.csv")

    speeds = speed_table()
    result = whole(table)
    good = result[result.good]
    plain = good[table.n_addl.loc[good.index] == 0]
    widths = [summary(name, good.off[chosen]) for name, chosen in (
        ("observed width up to 20 Å", good.ew_obs.abs() <= 20), ("20 to 60 Å", good.ew_obs.abs().between(20, 60)),
        ("60 to 150 Å", good.ew_obs.abs().between(60, 150)), ("above 150 Å", good.ew_obs.abs() > 150))]  # fmt: skip
    bare = published_only(plain)
    intervals, rows = interval_table(table, scatter)
    figures = arguments.docs / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    draw_distributions(check, figures / "plae_distributions.png")
    draw_ratios(result, figures / "plae_ratios.png")
    draw_intervals(rows, figures / "plae_intervals.png")
    text = Path(__file__).with_suffix(".md").read_text()
    parts = {
        "FACTORS": factor_table(table, internals),
        "WHOLE": [
            summary("λ 3875 to 5445 Å, clipped to 0.001 to 1000", good.off),
            summary("of these, the original not at the clip", good.off[good.inside]),
            *widths,
            summary("without further lines", plain.off),
            summary("the same, distributions from published parameters only", bare),
            summary("λ outside 3875 to 5445 Å", result.off[~result.good]),
        ],
        "CAUSES": causes(result),
        "DISTRIBUTIONS": distribution_table(check),
        "EXAMPLES": example_table(),
        "INTERVALS": intervals,
        "DRAWS": draws_table(table, stored),
        "SPEED": speeds,
        "BAND": band_table(),
        "COMBINED": combined_table(),
    }
    for name, lines in parts.items():
        text = text.replace(f"<<{name}>>", "\n".join(lines))
    (arguments.docs / "plae_poii.md").write_text(text)
    return 0


def published_only(rows: pd.DataFrame) -> pd.Series:
    """The differences if the equivalent-width distributions come from published parameters alone."""
    wave, flux, width = (rows[name].to_numpy() for name in ("wave", "flux", "ew_obs"))
    width = np.abs(width)
    ours = np.log(universe.number_density("LAE", wave, flux)) - np.log(universe.number_density("OII", wave, flux))
    for kind, sign in (("LAE", 1.0), ("OII", -1.0)):
        rest = width / (wave / universe.REST_WAVELENGTH[kind])
        z = wave / universe.REST_WAVELENGTH[kind] - 1.0
        density = np.array([np.log(regenerated(kind, *each, False)) for each in zip(z, rest, strict=True)])
        ours = ours + sign * (np.log(rest) + density)
    ours = np.where(width > plae.OII_WIDTH_LIMIT, np.inf, ours)
    return pd.Series(np.log(np.clip(np.exp(ours), 1e-3, 1e3) / rows.ratio.to_numpy()))


if __name__ == "__main__":
    raise SystemExit(main())
