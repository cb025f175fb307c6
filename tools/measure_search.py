"""How good the blind search for lines is: writes docs/line_search.md and its figures.

Simulated lines and noise; with `--reference` also the synthetic spectra with truth on which ELiXer was run, real VIRUS
fibers, as they are and with lines put in, and the time that real spectra take. Every number comes from one run of this.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.io import fits
from measuring import GRID, Original, arguments, line_shape, milliseconds, original, write_page
from scipy import stats
from search_figures import draw_completeness, draw_false_lines

from elixer_widgets.detection import Spectrum
from elixer_widgets.releases.spectra_files import SpectraRelease
from elixer_widgets.spectra import find_lines
from elixer_widgets.spectra.finding import MIN_SNR
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.wavelengths import sky_mask

LSF = 2.336
NOISE = 0.3
SNR_EDGES = (3.0, 4.0, 4.75, 5.5, 6.5, 8.0, 12.0)
WIDTHS = {"σ 2.4 to 4 Å": (2.4, 4.0), "σ 8 Å": (8.0, 8.0), "σ 20 Å": (20.0, 20.0)}
THRESHOLDS = (4.3, MIN_SNR, 5.0, 5.5)
ORIGINAL_POINTS = ((4.0, 5.5, 22.0), (5.5, 8.0, 75.0), (8.0, 12.0, 100.0))
"""S/N from, to and per cent found by ELiXer 1.22.5, narrow lines in emission (reference/original/README.md)."""

ORIGINAL_SECONDS = 4.1
"""Of ELiXer 1.22.5 for the whole spectral classification of a detection, median."""


@dataclass(frozen=True)
class Background:
    """Spectra without lines into which lines are put: `flux` (s, n) and `error` (n,) on `wavelength` (n,)."""

    wavelength: np.ndarray
    flux: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Completeness:
    """Lines put in and found, by S/N: both (bins,)."""

    label: str
    put: np.ndarray
    found: np.ndarray

    @property
    def interval(self) -> np.ndarray:
        """68 % binomial interval of the share found (Wilson 1927), in per cent: (bins, 2)."""
        each = [stats.binomtest(int(k), int(n)) for k, n in zip(self.found, self.put, strict=True)]
        return 100.0 * np.array([tuple(one.proportion_ci(0.683, method="wilson")) for one in each])

    @property
    def share(self) -> np.ndarray:
        """Per cent."""
        return 100.0 * self.found / self.put


def white_noise(n: int, seed: int) -> Background:
    """n spectra of independent Gaussian noise on the HETDEX grid."""
    rng = np.random.default_rng(seed)
    return Background(GRID, rng.normal(0.0, NOISE, (n, GRID.size)), np.full(GRID.size, NOISE))


def quiet_fibers(path: Path) -> Background:
    """The fibers without continuum of one real exposure; errors from the scatter between fibers at each wavelength."""
    data = fits.getdata(path).astype(float)
    wavelength = 3500.0 + 1.9 * np.arange(data.shape[1])
    keep = (wavelength > 3520.0) & (wavelength < 5480.0)
    level = np.nanmedian(data[:, keep], axis=1, keepdims=True)
    centered = data[:, keep] - level
    scatter = 1.4826 * np.nanmedian(np.abs(centered - np.nanmedian(centered, axis=0)), axis=0)
    quiet = np.abs(level[:, 0] - np.median(level)) < 3.0 * 1.4826 * np.median(np.abs(level - np.median(level)))
    return Background(wavelength[keep], data[quiet][:, keep], np.maximum(scatter, 1e-6))


def completeness(background: Background, label: str, widths: tuple[float, float], sign: int, n: int) -> Completeness:
    """Put n lines into the background, one a spectrum, S/N uniform in each bin, and look for them.

    S/N is that of the matched filter by the stated errors. A line counts as found within 6 Å, or σ if that is more.
    """
    rng = np.random.default_rng([int(10 * widths[0]), sign + 1, len(background.flux)])
    wavelength, error = background.wavelength, background.error
    bins = len(SNR_EDGES) - 1
    put, found = np.zeros(bins, int), np.zeros(bins, int)
    for i in range(n):
        k = i % bins
        sigma = rng.uniform(*widths)
        margin = 60.0 + 2.0 * sigma
        center = rng.uniform(wavelength[0] + margin, wavelength[-1] - margin)
        while sky_mask(center):
            center = rng.uniform(wavelength[0] + margin, wavelength[-1] - margin)
        shape = np.exp(-0.5 * ((wavelength - center) / sigma) ** 2)
        height = rng.uniform(SNR_EDGES[k], SNR_EDGES[k + 1]) / np.sqrt(np.sum((shape / error) ** 2))
        row = background.flux[rng.integers(len(background.flux))]
        lines = find_lines(Spectrum(wavelength, row + sign * height * shape, error, LSF))
        put[k] += 1
        found[k] += any(abs(each.center - center) < max(6.0, sigma) and each.flux * sign > 0 for each in lines)
    return Completeness(label, put, found)


def all_widths(background: Background, n: int) -> list[Completeness]:
    """Completeness for every width, in emission and absorption."""
    return [
        completeness(background, f"{label}, {name}", widths, sign, n)
        for label, widths in WIDTHS.items()
        for sign, name in ((1, "emission"), (-1, "absorption"))
    ]


def completeness_table(curves: list[Completeness]) -> list[str]:
    """Per cent found with the 68 % interval."""
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(SNR_EDGES)]
    out = ["| lines | " + " | ".join(bins) + " |", "|---" * (len(bins) + 1) + "|"]
    for each in curves:
        cells = [
            f"{share:.0f} ({low:.0f} to {high:.0f})"
            for share, (low, high) in zip(each.share, each.interval, strict=True)
        ]
        out.append(f"| {each.label} | " + " | ".join(cells) + " |")
    return out


def false_lines(background: Background, *, absorption_only: bool = False) -> np.ndarray:
    """How many lines are found in spectra without any, in all together, for every one of `THRESHOLDS`."""
    return np.array(
        [
            sum(
                line.is_absorption or not absorption_only
                for row in background.flux
                for line in find_lines(Spectrum(background.wavelength, row, background.error, LSF), min_snr=threshold)
            )
            for threshold in THRESHOLDS
        ]
    )


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
    out = ["| S/N | lines | found | original, on all its spectra |", "|---|---|---|---|"]
    for (low, high, theirs), top in zip(ORIGINAL_POINTS, (5.5, 8.0, np.inf), strict=True):
        chosen = (array[:, 0] >= low) & (array[:, 0] < top)
        name = f"{low:g} to {high:g}" if np.isfinite(top) else f"{low:g} up"
        out.append(f"| {name} | {chosen.sum()} | {100 * array[chosen, 1].mean():.0f} % | {theirs:.0f} % |")
    return [*out, "", f"False lines in its {int((known.summary.cls == 'Noise').sum())} spectra of noise: {invented}."]


def virus_fibers(background: Background) -> list[str]:
    """Lines 'found' in real sky-subtracted fibers by what they look like."""
    names = ("as narrow as the instrument or narrower", "in a strong sky line", "others")
    counts = {name: [0, 0] for name in names}
    noisy = 0
    for row in background.flux:
        for each in find_lines(Spectrum(background.wavelength, row, background.error, LSF)):
            narrow = each.sigma < 0.85 * LSF
            kind = names[0] if narrow else names[1] if sky_mask(each.center) else names[2]
            counts[kind][int(each.is_absorption)] += 1
            noisy += any("times the errors" in flag for flag in each.flags)
    n = len(background.flux)
    out = ["| lines in a fiber | emission | absorption |", "|---|---|---|"]
    out += [f"| {name} | {em / n:.3f} | {absorbed / n:.3f} |" for name, (em, absorbed) in counts.items()]
    total = np.sum(list(counts.values()), axis=0) / n
    out.append(f"| all | {total[0]:.3f} | {total[1]:.3f} |")
    return [*out, "", f"{n} fibers. {noisy} of the lines carry the flag that noise exceeds the errors by 1.3 or more."]


BLENDS = (
    ("two narrow lines 2.5 σ apart", (0.0, 2.6, 1.0), (6.5, 2.6, 1.0)),
    ("two narrow lines 3.5 σ apart", (0.0, 2.6, 1.0), (9.1, 2.6, 1.0)),
    ("two narrow lines 5 σ apart, 3:1", (0.0, 2.6, 1.0), (13.0, 2.6, 0.33)),
    ("[O III] 4959, 5007 at z = 0.05", (0.0, 2.6, 0.34), (50.4, 2.6, 1.0)),
    ("Lyα and N V of a quasar, σ 15 and 18 Å", (0.0, 15.0, 1.0), (82.0, 18.0, 0.4)),
    ("C IV and He II of a quasar, σ 20 Å", (0.0, 20.0, 1.0), (288.0, 20.0, 0.15)),
    ("C III] and Si III], σ 5 Å", (0.0, 5.0, 0.35), (35.0, 5.0, 1.0)),
)
"""What, then offset (Å), σ (Å) and relative flux of each of the two lines."""


def _nearest(lines: list[LineFit], place: float, within: float) -> LineFit | None:
    close = [line for line in lines if abs(line.center - place) < within]
    return min(close, key=lambda line: abs(line.center - place)) if close else None


def blends(n: int) -> list[str]:
    """Two lines of known place and flux: how often they are found as two, and their fluxes then."""
    rng = np.random.default_rng(47)
    out = [
        "| blend | S/N of the stronger | found as two | flux / truth - 1: first | second | more than two found |",
        "|---|---|---|---|---|---|",
    ]
    for name, *parts in BLENDS:
        for snr in (10.0, 30.0):
            _, sigma, share = max(parts, key=lambda part: part[2])
            unit = snr * NOISE * np.sqrt(4.0 * sigma * np.sqrt(np.pi)) / share
            both, more, ratios = 0, 0, []
            for _ in range(n):
                center = rng.uniform(3800.0, 5000.0)
                data = 0.2 + rng.normal(0.0, NOISE, GRID.size)
                for offset, width, each in parts:
                    data = data + unit * each * line_shape(center + offset, width)
                lines = find_lines(Spectrum(GRID, data, np.full(GRID.size, NOISE), LSF))
                near = [_nearest(lines, center + offset, max(4.0, 0.7 * width)) for offset, width, _ in parts]
                more += len(lines) > 2
                first, second = near
                if first is not None and second is not None and first is not second:
                    both += 1
                    truth = [unit * part[2] for part in parts]
                    ratios.append([first.flux * 1e17 / truth[0] - 1, second.flux * 1e17 / truth[1] - 1])
            cells = ["", ""]
            if len(ratios) >= 5:
                array = np.array(ratios)
                cells = [
                    f"{np.median(x):+.3f} ± {1.25 * 1.4826 * stats.median_abs_deviation(x) / np.sqrt(len(x)):.3f}"
                    for x in array.T
                ]
            out.append(
                f"| {name} | {snr:g} | {100 * both / n:.0f} % | {cells[0]} | {cells[1]} | {100 * more / n:.0f} % |"
            )
    return out


def speed(reference: Path | None) -> list[str]:
    """Processor time of a search on one core."""
    rng = np.random.default_rng(9)
    data = 0.1 + 25.0 * line_shape(4500.0, 2.6) + rng.normal(0.0, NOISE, GRID.size)
    one = Spectrum(GRID, data, np.full(GRID.size, NOISE), LSF)

    def row(name: str, spent: float) -> str:
        return f"| {name} | {spent:.1f} | {ORIGINAL_SECONDS * 1e3 / spent:.0f} |"

    out = [
        "| search of | ms | times faster than the original's whole classification (4.1 s) |",
        "|---|---|---|",
        row("a simulated spectrum with one line", milliseconds(lambda: find_lines(one), 20)),
    ]
    if reference is not None:
        release = SpectraRelease(reference / "real" / "spectra_dev.h5")
        spent = []
        for number in release.index().detectid:
            spectrum = release.detection(int(number)).spectrum
            spent.append(milliseconds(partial(find_lines, spectrum), 2))
        array = np.array(spent)
        out.append(row(f"{array.size} real spectra of other instruments: median", float(np.median(array))))
        out.append(row("the slowest tenth of them: from", float(np.quantile(array, 0.9))))
        out.append(row("the slowest of them", float(array.max())))
    return out


def main() -> None:
    """Write the page and the figures."""
    given = arguments(__doc__, "line_search.md", 600)
    started = time.time()
    n = given.number
    figures = given.output.parent / "figures"
    figures.mkdir(exist_ok=True)
    n_noise = 3 * n
    in_noise = false_lines(white_noise(n_noise, 11))
    simulated = all_widths(white_noise(n, 12), n)
    count = int(in_noise[THRESHOLDS.index(MIN_SNR)])
    low, high = stats.chi2.ppf([0.16, 0.84], [2 * count, 2 * count + 2]) / 2.0 / n_noise
    page = [
        "# Line search: measured",
        "",
        "Made by `tools/measure_search.py`. `find_lines` looks for lines of every width in emission and",
        f"absorption; S/N is that of the matched filter. A line is kept from S/N {MIN_SNR}, and 2σ after",
        "correction for the number of places and widths tried; where noise exceeds the errors, both are of the",
        "noise.",
        "",
        "## Lines in pure noise",
        "",
        f"{count / n_noise:.4f} ({low:.4f} to {high:.4f}, 68 %) a spectrum of white noise, both signs together,",
        f"from {n_noise:,} spectra; the original: 0.017.",
        "",
        "![False lines against threshold](figures/line_search_false.png)",
        "",
        "## Lines put into white noise: per cent found, by true S/N",
        "",
        *completeness_table(simulated),
        "",
        "In brackets the 68 % binomial interval.",
        "",
        "![Completeness in white noise](figures/line_search_simulated.png)",
    ]
    counted = [("white noise", in_noise, n_noise)]
    if given.reference is not None:
        fibers = quiet_fibers(sorted((given.reference / "real" / "virus_fibers").glob("Fe*.fits.gz"))[0])
        injected = all_widths(fibers, n // 2)
        absorbed = false_lines(fibers, absorption_only=True)
        counted.append(("real fibers, absorption only", absorbed, len(fibers.flux)))
        page += ["", "## On the spectra made for ELiXer 1.22.5", "", *against_original(original(given.reference))]
        page += [
            "",
            "## Real VIRUS fibers as they are",
            "",
            "Fibers without continuum of one sky-subtracted exposure; the error of a sample is the scatter between the",
            "fibers. Not all lines are false: cosmic rays (one exposure, nothing rejects them) and sources are among",
            "those in emission. Nothing in the sky absorbs, so that absorption shows what residuals make. The noise of",
            "neighbouring samples is correlated (0.30 for the next, 0.03 to 50 samples away), of which the errors know",
            "nothing. In no strong sky line is the scatter more than 1.3 times that beside it, about what its photons",
            "explain, so that no wavelengths are masked beyond 3545 ± 10 and 5462 ± 5 Å.",
            "",
            *virus_fibers(fibers),
            "",
            "## Lines put into the real fibers: per cent found, by S/N according to the errors",
            "",
            *completeness_table(injected),
            "",
            "![Completeness in real fibers](figures/line_search_fibers.png)",
        ]
        draw_completeness(figures / "line_search_fibers.png", SNR_EDGES, injected, ORIGINAL_POINTS)
    draw_completeness(figures / "line_search_simulated.png", SNR_EDGES, simulated, ORIGINAL_POINTS)
    draw_false_lines(figures / "line_search_false.png", THRESHOLDS, counted, MIN_SNR)
    page += ["", "## Two lines beside or under one another", "", *blends(max(30, n // 10))]
    page += ["", "## Speed", "", "Processor time on one core, least of several runs.", "", *speed(given.reference)]
    write_page(given.output, page)
    print(f"{time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
