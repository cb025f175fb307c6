"""What the spectrum panels draw, as arrays and labels: no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import LINES, observed_air, redshift_of

LETTER = 7.2
"""px; width of a letter of a line label."""

PLOT_SHARE, FIT_SHARE, PLOT_MARGIN = 0.738, 0.34, 80
"""The plot of all and that of the line are these shares of the page's width (see static/page.css), less so many px."""

LABEL_ROWS = (0.985, 0.875)
"""Heights of the two rows of line labels, as shares of the plot; the spectrum stays below `HEADROOM`."""

HEADROOM = 0.78

MOST_LABELS = 32
DECIDING = ("found", "missing")

LINE_REACH = 8.0
"""Å; half of what counts as the detected line when the flux axis is chosen."""

FULL_RANGE = (3470.0, 5540.0)
"""Å, air; what is shown where there is no spectrum."""

NARROWEST_ZOOM = 12.0
"""Å; a plot of less shows nothing but the samples' own width."""


@dataclass(frozen=True)
class Label:
    """A line label: its text, where the line is and where the text's middle stands (both Å), and its row."""

    text: str
    wavelength: float
    place: float
    row: int


@dataclass(frozen=True)
class Expected:
    """A line where a redshift puts it: name and label as in the line list, `wavelength` in Å in air, its rank among
    the labels (0 the main line, 1 one that decides, 2 one that says nothing)."""

    name: str
    label: str
    wavelength: float
    rank: int = 2


def letter_width(low: float, high: float, page: int, share: float = PLOT_SHARE) -> float:
    """Å that a letter of a label takes in a plot from `low` to `high` (Å) with its share of a page of so many px."""
    return LETTER * (high - low) / max(share * page - PLOT_MARGIN, 200.0)


def lines_at(redshift: float) -> tuple[Expected, ...]:
    """Every line of the list where `redshift` puts it; the strong ones first in rank."""
    return tuple(
        Expected(line.name, line.label, float(observed_air(line, redshift)), 1 if line.rank <= 3 else 2)
        for line in LINES.values()
    )


def expected_lines(interpretation: Interpretation) -> tuple[Expected, ...]:
    """The detected line and the companions of the adopted hypothesis, by wavelength.

    A redshift that a person gave for which the detected line is none of the list's shows the whole list at it.
    """
    main = interpretation.measurements.line
    if not interpretation.companions and interpretation.identity == "other" and np.isfinite(interpretation.redshift):
        return tuple(sorted(lines_at(interpretation.redshift), key=lambda each: each.wavelength))
    lines = [Expected("", interpretation.line_label, float(main.center), 0)]
    lines += [
        Expected(each.line, each.label, float(each.wavelength), 1 if each.status in DECIDING else 2)
        for each in interpretation.companions
    ]
    return tuple(sorted((each for each in lines if np.isfinite(each.wavelength)), key=lambda each: each.wavelength))


def place_labels(
    lines: Sequence[Expected], low: float, high: float, page: int = 1440, share: float = PLOT_SHARE
) -> list[Label]:
    """The lines between `low` and `high` (Å), their texts kept from touching.

    The detected line and those that decide (found, or missing though expected) get their names first and may move
    aside for each other; a line that says nothing keeps its mark but loses its name where there is no room.
    """
    inside = [each for each in lines if each.label and low <= each.wavelength <= high]
    inside.sort(key=lambda each: (each.rank, each.wavelength, each.label))
    letter = letter_width(low, high, page, share)
    taken: list[list[tuple[float, float]]] = [[] for _ in LABEL_ROWS]
    labels = []
    for each in inside[:MOST_LABELS]:
        half = letter * (len(each.label) + 1) / 2
        shifts = (0.0,) if each.rank == 2 else (0.0, half, -half, 2 * half, -2 * half)
        found = None
        for shift, row in ((s, r) for s in shifts for r in range(len(LABEL_ROWS))):
            place = float(np.clip(each.wavelength + shift, low + half, max(high - half, low + half)))
            if all(place + half <= begin or place - half >= end for begin, end in taken[row]):
                found = Label(each.label, each.wavelength, place, row)
                taken[row].append((place - half, place + half))
                break
        labels.append(found or Label("", each.wavelength, each.wavelength, len(LABEL_ROWS) - 1))
    return labels


def line_labels(interpretation: Interpretation, low: float, high: float, page: int = 1440) -> list[Label]:
    """The labels of the adopted hypothesis between `low` and `high` (Å) in the plot of the whole spectrum."""
    return place_labels(expected_lines(interpretation), low, high, page)


def redshift_choices(wavelength: float) -> tuple[tuple[str, float], ...]:
    """What a feature at `wavelength` (Å, air) might be: name in the line list and redshift, for z above -0.001."""
    return tuple(
        (line.name, max(z, 0.0))
        for line in LINES.values()
        if np.isfinite(wavelength) and (z := float(redshift_of(wavelength, line))) > -1e-3
    )


def ticks(low: float, high: float, count: int) -> np.ndarray:
    """About `count` round numbers between `low` and `high`."""
    if not high > low:
        return np.array([low])
    rough = (high - low) / max(count, 1)
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(m for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.99)
    return np.round(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, 12)


def flux_range(spectrum: Spectrum, wavelength: float = float("nan")) -> tuple[float, float]:
    """Limits of the flux axis that show the line at `wavelength` (Å), and that no bad pixel elsewhere decides."""
    good = spectrum.flux[spectrum.good]
    if good.size == 0:
        return -1.0, 1.0
    low, high = np.percentile(good, [1.0, 99.0])
    error = np.asarray(spectrum.error)[spectrum.good]
    noise = float(np.nanmedian(error)) if spectrum.has_error else (high - low) / 4
    # a peak counts when two neighbouring samples share it, as a line's do and a bad pixel's do not
    paired = np.minimum(good[1:], good[:-1])
    peak = float(np.percentile(paired, 99.9)) if paired.size else float(high)
    beside = spectrum.good & (np.abs(spectrum.wavelength - wavelength) <= LINE_REACH)
    if np.any(beside):
        peak = max(peak, float(np.max(spectrum.flux[beside])))
    bottom, top = min(low, 0.0) - noise, max(high, peak, noise) + noise
    return float(bottom), float(top)


def smoothed(spectrum: Spectrum, sigma: float) -> np.ndarray:
    """The flux, shape (n,), for the eye: smoothed with a Gaussian of `sigma` (Å; 0 as it is), NaN where masked.

    Masked samples lend their weight to their neighbours instead of pulling them to zero.
    """
    flux = np.where(spectrum.good, spectrum.flux, np.nan)
    if not sigma > 0 or not spectrum.good.any():
        return flux
    width = sigma / spectrum.step
    light = gaussian_filter1d(np.where(spectrum.good, spectrum.flux, 0.0), width, mode="constant")
    weight = gaussian_filter1d(spectrum.good.astype(float), width, mode="constant")
    return np.where(spectrum.good, light / np.where(weight > 0, weight, np.nan), np.nan)


def steps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outline of a histogram whose samples lie at `x`: arrays of twice the length."""
    edges = np.concatenate([[1.5 * x[0] - 0.5 * x[1]], (x[1:] + x[:-1]) / 2, [1.5 * x[-1] - 0.5 * x[-2]]])
    return np.repeat(edges, 2)[1:-1], np.repeat(y, 2)


def bars(x: np.ndarray, y: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Error bars as one broken line."""
    gap = np.full_like(x, np.nan)
    return np.column_stack([x, x, gap]).ravel(), np.column_stack([y - error, y + error, gap]).ravel()


def fit_window(line: LineFit) -> tuple[float, float]:
    """The wavelengths (Å) worth seeing about a fitted line."""
    half = float(np.clip(10 * line.sigma, 40.0, 150.0)) if np.isfinite(line.sigma) else 40.0
    return line.center - half, line.center + half


def around(wavelength: float, like: tuple[float, float]) -> tuple[float, float]:
    """A range as wide as `like` (Å) with `wavelength` in its middle."""
    half = (like[1] - like[0]) / 2
    return wavelength - half, wavelength + half


def scaled(shown: tuple[float, float], factor: float, about: float, limits: tuple[float, float]) -> tuple[float, float]:
    """The range `shown` (Å) made `factor` times as wide about a wavelength that keeps its place, within `limits`."""
    low, high = shown
    if not low <= about <= high:
        about = (low + high) / 2
    factor = max(factor, NARROWEST_ZOOM / (high - low))
    low, high = about - factor * (about - low), about + factor * (high - about)
    low, high = max(low, limits[0]), min(high, limits[1])
    return (low, high) if high - low >= NARROWEST_ZOOM / 2 else shown
