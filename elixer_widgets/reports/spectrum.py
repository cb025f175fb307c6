"""The full spectrum with the lines that each hypothesis predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.classification.solutions import Companion
from elixer_widgets.detection import Spectrum
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import PIXELS_PER_POINT, Canvas, Panel, nice_ticks
from elixer_widgets.reports.colors import BLACK, BLUE, GOLD, GREY, LIGHT, identity_color
from elixer_widgets.reports.derived import measured_spectrum
from elixer_widgets.reports.layout import Box
from elixer_widgets.reports.line_fit import FLUX_UNIT, HALF_WINDOW
from elixer_widgets.spectra.wavelengths import SKY_LINES

LEAST_PROBABILITY = 0.005
MOST_HYPOTHESES = 6
ALWAYS = ("Lya", "OII")
BAND_SIGMA = 3.0
BAND_GREY = "#b5b5b5"
LABEL_SIZE = 8.0
LABEL_GAP = LABEL_SIZE * PIXELS_PER_POINT * 1.12  # pixels between neighbouring upright labels
OWN_LINE = 5.0  # Å; a companion nearer than this to the main line is not labelled
UNKNOWN_HALF_WIDTH = 6.0  # Å, of the mark on a companion whose width is not known


@dataclass(frozen=True)
class Hypothesis:
    """One identity with the companions to be labelled; `chosen` marks the adopted one."""

    identity: str
    redshift: float
    probability: float
    companions: tuple[Companion, ...]
    chosen: bool


def hypotheses(interpretation: Interpretation) -> list[Hypothesis]:
    """Which identities are labelled: the adopted one first, then the probable, always Lyα and [O II] where possible."""
    chosen = interpretation.identity
    found = []
    if np.isfinite(interpretation.redshift):
        probability = float(interpretation.posterior.get(chosen, np.nan))
        found.append(Hypothesis(chosen, interpretation.redshift, probability, interpretation.companions, True))
    for rival in interpretation.rivals:
        if rival.identity == chosen or not rival.redshift > -0.001:
            continue
        if rival.probability >= LEAST_PROBABILITY or rival.identity in ALWAYS:
            # not the rival's own number, which is the data's where a person chose: all of a legend are of one kind
            now = float(interpretation.posterior.get(rival.identity, rival.probability))
            found.append(Hypothesis(rival.identity, rival.redshift, now, rival.companions, False))
    must = [h for h in found if h.chosen or h.identity in ALWAYS]
    rest = [h for h in found if h not in must][: max(0, MOST_HYPOTHESES - len(must))]
    return [h for h in found if h in must or h in rest]


def flux_range(spectrum: Spectrum, center: float) -> tuple[float, float]:
    """y limits of the spectrum: from -0.2 to twice the line's peak at most; all of it without an emission line."""
    flux = np.asarray(spectrum.flux)[spectrum.good]
    if flux.size == 0:
        return -1.0, 1.0
    low, high = float(flux.min()), float(flux.max())
    near = spectrum.good & (np.abs(spectrum.wavelength - center) <= 2 * spectrum.step + 1e-6)
    if near.any():
        peak = float(np.asarray(spectrum.flux)[near].max())
        if peak > np.median(flux) and peak > 0:
            low, high = max(low, -0.2 * peak), min(high, 2.0 * peak)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    spare = 0.05 * (high - low)
    return low - spare, high + spare


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Places near `wanted` that are at least `gap` apart and inside [low, high].

    Least squares under the order of `wanted` (isotonic regression by pooling neighbours). If they cannot all fit, the
    gap shrinks evenly.
    """
    values = np.asarray(wanted, float)
    if values.size == 0:
        return values
    order = np.argsort(values, kind="stable")
    gap = min(gap, (high - low) / max(values.size - 1, 1))
    shifted = values[order] - gap * np.arange(values.size)
    blocks: list[list[float]] = []  # [mean, count]
    for value in shifted:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + mean * count) / (blocks[-1][1] + count),
                blocks[-1][1] + count,
            ]
    flat = np.concatenate([np.full(int(count), mean) for mean, count in blocks])
    flat = np.clip(flat, low, high - gap * (values.size - 1))
    places = np.empty(values.size)
    places[order] = flat + gap * np.arange(values.size)
    return places


def shown_labels(found: list[Hypothesis], spectrum: Spectrum, center: float) -> list[tuple[float, str, Hypothesis]]:
    """(wavelength, text, hypothesis) of each companion inside the spectrum and away from the main line."""
    low, high = spectrum.wavelength[0], spectrum.wavelength[-1]
    return [
        (companion.wavelength, companion.label, hypothesis)
        for hypothesis in found
        for companion in hypothesis.companions
        if low <= companion.wavelength <= high and not abs(companion.wavelength - center) < OWN_LINE
    ]


def draw_spectrum(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the spectrum, its labels and its legend."""
    measurements = interpretation.measurements
    spectrum, line = measured_spectrum(measurements), measurements.line
    center = line.center if np.isfinite(line.center) else measurements.detection.wavelength
    wave = np.asarray(spectrum.wavelength)
    panel = Panel(canvas, layout.SPECTRUM, (float(wave[0]), float(wave[-1])), flux_range(spectrum, center))
    found = hypotheses(interpretation)

    panel.span(center - HALF_WINDOW, center + HALF_WINDOW, face=GOLD)
    if spectrum.has_error:
        error = BAND_SIGMA * np.asarray(spectrum.error)
        error = np.where(spectrum.good, error, np.nan)
        panel.band(wave, -error, error, face=BAND_GREY, alpha=0.55)
    for sky, half in SKY_LINES:
        panel.span(sky - half, sky + half, face=LIGHT, edge=GREY, width=0.5, hatch="//")
    _mark_companions(panel, interpretation)
    panel.curve(np.array(panel.xlim), np.zeros(2), GREY, 0.6)
    panel.curve(wave, np.where(spectrum.good, spectrum.flux, np.nan), BLUE, 0.9)
    others = [each.center for each in measurements.lines if abs(each.center - center) > OWN_LINE]
    panel.verticals(others, BLACK, 0.8, alpha=0.5, dashes=(0, (4, 3)))
    panel.verticals([center], BLACK, 0.9, dashes=(0, (4, 2)))
    panel.frame(nice_ticks(*panel.xlim, 20), nice_ticks(*panel.ylim, 4))
    canvas.text(100, panel.box.center[1], FLUX_UNIT, 7.5, rotation=90, align="center", vertical="center")

    labels = shown_labels(found, spectrum, center)
    _draw_labels(panel, labels, center, interpretation)
    _draw_legend(canvas, found, spectrum.has_error, bool(others))


def _mark_companions(panel: Panel, interpretation: Interpretation) -> None:
    """A coloured band on every companion of the adopted identity that was found."""
    color = identity_color(interpretation.identity)
    for companion in interpretation.companions:
        if companion.status != "found":
            continue
        half = UNKNOWN_HALF_WIDTH
        for line in interpretation.measurements.lines:
            if abs(line.center - companion.wavelength) < 10.0 and np.isfinite(line.sigma):
                half = 3.0 * line.sigma
        panel.span(companion.wavelength - half, companion.wavelength + half, face=color, alpha=0.35)


def _draw_labels(
    panel: Panel,
    labels: list[tuple[float, str, Hypothesis]],
    center: float,
    interpretation: Interpretation,
) -> None:
    """Upright names over the frame, moved apart, each with a thin line down to its place."""
    canvas, box = panel.canvas, panel.box
    entries = [(wave, text, identity_color(h.identity), h.chosen, LABEL_SIZE) for wave, text, h in labels]
    if np.isfinite(center) and np.isfinite(interpretation.redshift):
        own = interpretation.line_label or LABELS.get(interpretation.identity, "")
        entries.append((center, own, identity_color(interpretation.identity), True, LABEL_SIZE + 2.0))
    if not entries:
        return
    wanted = [float(panel.x(entry[0])) for entry in entries]
    places = spread(wanted, LABEL_GAP, box.left, box.right)
    foot, head = box.top - 4, box.top - 24
    for (_, text, color, chosen, size), at, place in zip(entries, wanted, places, strict=True):
        canvas.lines([[(at, foot), (place, head)]], color, 1.1 if chosen else 0.6)
        canvas.text(place, head - 3, text, size, rotation=90, color=color, bold=chosen)


def _draw_legend(canvas: Canvas, found: list[Hypothesis], has_error: bool, others: bool) -> None:
    """Which colour is which hypothesis, and what the other marks mean."""
    y = layout.LEGEND_Y
    x = layout.SPECTRUM.left
    for each in found:
        percent = f", {100 * each.probability:.1f} %" if np.isfinite(each.probability) else ""
        text = f"{LABELS.get(each.identity, each.identity)} z {each.redshift:.4f}{percent}"
        canvas.rectangle(Box(x, y - 7, x + 28, y + 7), face=identity_color(each.identity))
        canvas.text(x + 36, y, text, 8.5, bold=each.chosen)
        x += 70 + len(text) * 8.5 * PIXELS_PER_POINT * (0.62 if each.chosen else 0.56)
    x = layout.SPECTRUM.right
    marks: list[tuple[str, dict[str, Any]]] = [
        ("panel above, right", {"face": GOLD}),
        ("sky line", {"face": LIGHT, "edge": GREY, "hatch": "///", "width": 0.5}),
    ]
    if has_error:
        marks.append((f"±{BAND_SIGMA:g}σ error", {"face": BAND_GREY, "alpha": 0.55}))
    if others:
        marks.append(("line found", {}))
    for text, style in marks:
        canvas.text(x, y, text, 8, align="right", color="#444444")
        x -= len(text) * 8 * PIXELS_PER_POINT * 0.56 + 8
        if style:
            canvas.rectangle(Box(x - 26, y - 7, x, y + 7), **style)
        else:
            canvas.lines([[(x - 13, y - 9), (x - 13, y + 9)]], BLACK, 0.9, dashes=(0, (3, 2)))
        x -= 44
