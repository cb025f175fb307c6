"""The spectrum: all of it with the lines of one hypothesis, and the fitted line near by."""

from __future__ import annotations

from dataclasses import dataclass

import bqplot as bq
import ipywidgets as W
import numpy as np

from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.fitting import LineFit, blended_model
from elixer_widgets.spectra.wavelengths import SKY_LINES
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.palette import FAINT, HYPOTHESIS, INK, MEASURED, MUTED
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

LETTER = 7.2
"""px; width of a letter of a line label."""

PLOT_SHARE, PLOT_MARGIN = 0.738, 80
"""The plot is this share of the page's width (see static/page.css), less so many px."""

LABEL_ROWS = (0.985, 0.875)
"""Heights of the two rows of line labels, as shares of the plot; the spectrum stays below `HEADROOM`."""

HEADROOM = 0.78

MOST_LABELS = 32
DECIDING = ("found", "missing")

LINE_REACH = 8.0
"""Å; half of what counts as the detected line when the flux axis is chosen."""

NOTHING = np.array([np.nan, np.nan])


# -------------------------------------------------------------------------------------------- data, no widgets


@dataclass(frozen=True)
class Label:
    """A line label: its text, where the line is and where the text's middle stands (both Å), and its row."""

    text: str
    wavelength: float
    place: float
    row: int


def letter_width(low: float, high: float, page: int) -> float:
    """Å that a letter of a label takes in a plot from `low` to `high` (Å) on a page of so many px."""
    return LETTER * (high - low) / max(PLOT_SHARE * page - PLOT_MARGIN, 200.0)


def line_labels(interpretation: Interpretation, low: float, high: float, page: int = 1440) -> list[Label]:
    """The lines of the adopted hypothesis between `low` and `high` (Å), their texts kept from touching.

    The detected line and those that decide (found, or missing though expected) get their names first and may move
    aside for each other; a line that says nothing keeps its mark but loses its name where there is no room.
    """
    main = interpretation.measurements.line
    lines = [(0, main.center, interpretation.line_label)]
    lines += [(1 if c.status in DECIDING else 2, c.wavelength, c.label) for c in interpretation.companions]
    inside = sorted(line for line in lines if line[2] and np.isfinite(line[1]) and low <= line[1] <= high)
    letter = letter_width(low, high, page)
    taken: list[list[tuple[float, float]]] = [[] for _ in LABEL_ROWS]
    labels = []
    for rank, wavelength, text in inside[:MOST_LABELS]:
        half = letter * (len(text) + 1) / 2
        shifts = (0.0,) if rank == 2 else (0.0, half, -half, 2 * half, -2 * half)
        found = None
        for shift, row in ((s, r) for s in shifts for r in range(len(LABEL_ROWS))):
            place = float(np.clip(wavelength + shift, low + half, high - half))
            if all(place + half <= begin or place - half >= end for begin, end in taken[row]):
                found = Label(text, float(wavelength), place, row)
                taken[row].append((place - half, place + half))
                break
        labels.append(found or Label("", float(wavelength), float(wavelength), len(LABEL_ROWS) - 1))
    return labels


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


# -------------------------------------------------------------------------------------------------- the panels


def _axes(x: bq.Scale, y: bq.Scale) -> list[bq.Axis]:
    options = {"grid_lines": "none", "tick_style": {"font-size": "10px"}, "color": "#8b97a3"}
    return [bq.Axis(scale=x, **options), bq.Axis(scale=y, orientation="vertical", tick_format="~g", **options)]


def _curve(x: bq.Scale, y: bq.Scale, color: str, width: float = 1.0, **options: object) -> bq.Lines:
    return bq.Lines(x=NOTHING, y=NOTHING, scales={"x": x, "y": y}, colors=[color], stroke_width=width, **options)


def _band(x: bq.Scale, y: bq.Scale, color: str, opacity: float) -> bq.Lines:
    return bq.Lines(
        x=NOTHING, y=NOTHING, scales={"x": x, "y": y}, colors=[color], stroke_width=0, fill="inside",
        fill_colors=[color], fill_opacities=[opacity], close_path=True,
    )  # fmt: skip


def _box(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([low, low, high, high]), np.array([0.0, 1.0, 1.0, 0.0])


class SpectrumPanel(Panel):
    """The full spectrum, its errors, the sky's own lines, and the labels of the adopted hypothesis."""

    def __init__(self, state: ExplorerState) -> None:
        self.x, self.y = bq.LinearScale(min=3470.0, max=5540.0), bq.LinearScale(min=-1.0, max=1.0)
        unit = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self.sky = [_band(self.x, unit, FAINT, 0.55) for _ in SKY_LINES]
        for mark, (center, half) in zip(self.sky, SKY_LINES, strict=True):
            mark.x, mark.y = _box(center - half, center + half)
        self.window = _band(self.x, unit, MEASURED, 0.15)
        self.error = _band(self.x, self.y, FAINT, 0.65)
        self.flux = _curve(self.x, self.y, INK)
        self.places = _curve(self.x, unit, HYPOTHESIS, line_style="dashed", opacities=[0.75])
        # always the same number of them: the browser draws between two changes, and counts that differ confuse it
        self.texts = bq.Label(
            x=np.zeros(MOST_LABELS), y=np.zeros(MOST_LABELS), text=[""] * MOST_LABELS, align="middle",
            scales={"x": self.x, "y": unit}, colors=[HYPOTHESIS], default_size=11, font_weight="bold", y_offset=8,
        )  # fmt: skip
        self.axes = _axes(self.x, self.y)
        zoom = bq.PanZoom(scales={"x": [self.x]})
        self.figure = bq.Figure(
            marks=[*self.sky, self.window, self.error, self.flux, self.places, self.texts],
            axes=self.axes,
            interaction=zoom,
            fig_margin={"top": 4, "bottom": 20, "left": 42, "right": 16},
            animation_duration=0,
            background_style={"fill": "white"},
        ).add_class("ew-plot")
        self.title = Markup()
        self.unzoom = W.Button(description="whole range", tooltip="Undo the zoom").add_class("ew-small")
        self.unzoom.on_click(lambda _button: self._whole())
        head = W.HBox([self.title, self.unzoom]).add_class("ew-head")
        super().__init__(state, "spectrum", (head, self.figure))
        self.watch(self._draw_spectrum, "detection")
        self.watch(self._draw_window, "measurements")
        self.watch(self._draw_labels, "interpretation", "width")

    def _range(self) -> tuple[float, float]:
        detection = self.state.detection
        if detection is None:
            return 3470.0, 5540.0
        return float(detection.spectrum.wavelength[0]), float(detection.spectrum.wavelength[-1])

    def _whole(self) -> None:
        low, high = self._range()
        with self.x.hold_sync():
            self.x.min, self.x.max = low, high

    def _draw_spectrum(self) -> None:
        self._whole()
        detection = self.state.detection
        if detection is None:
            for mark in (self.flux, self.error):
                with mark.hold_sync():
                    mark.x = mark.y = NOTHING
            return
        spectrum = detection.spectrum
        bottom, top = flux_range(spectrum, detection.wavelength)
        with self.y.hold_sync():
            self.y.min, self.y.max = bottom, bottom + (top - bottom) / HEADROOM
        self.axes[1].tick_values = ticks(bottom, top, 4)
        flux = np.where(spectrum.good, spectrum.flux, np.nan)
        with self.flux.hold_sync():
            self.flux.x, self.flux.y = np.asarray(spectrum.wavelength), flux
        error = np.where(spectrum.good, np.asarray(spectrum.error), 0.0)
        with self.error.hold_sync():
            if spectrum.has_error:  # about zero: what noise alone would do
                self.error.x = np.concatenate([spectrum.wavelength, spectrum.wavelength[::-1]])
                self.error.y = np.concatenate([error, -error[::-1]])
            else:
                self.error.x = self.error.y = NOTHING

    def _draw_window(self) -> None:
        measurements = self.state.measurements
        with self.window.hold_sync():
            if measurements is None or not np.isfinite(measurements.line.center):
                self.window.x = self.window.y = NOTHING
            else:
                self.window.x, self.window.y = _box(*fit_window(measurements.line))

    def _draw_labels(self) -> None:
        interpretation = self.state.interpretation
        labels = [] if interpretation is None else line_labels(interpretation, *self._range(), self.state.width)
        with self.places.hold_sync():
            if labels:
                x = [(label.wavelength, label.wavelength, label.place, np.nan) for label in labels]
                y = [(0.0, HEADROOM, LABEL_ROWS[label.row] - 0.105, np.nan) for label in labels]
                self.places.x, self.places.y = np.ravel(x), np.ravel(y)
            else:
                self.places.x = self.places.y = NOTHING
        unused = MOST_LABELS - len(labels)
        low = self._range()[0]
        with self.texts.hold_sync():
            self.texts.x = np.array([label.place for label in labels] + [low] * unused)
            self.texts.y = np.array([LABEL_ROWS[label.row] for label in labels] + [0.0] * unused)
            self.texts.text = [label.text for label in labels] + [""] * unused
        has_error = self.state.detection is None or self.state.detection.spectrum.has_error
        shown = "no hypothesis" if interpretation is None else f"labels: {interpretation.line_label}"
        self.title.markup = (
            f"<h3>Spectrum <small>10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹ over Å in air · {escape(shown)} · grey: "
            f"{'±1σ and sky lines' if has_error else 'sky lines (no errors given)'} · wheel zooms, drag moves"
            "</small></h3>"
        )


class LineFitPanel(Panel):
    """The detected line, its fit, and what the fit leaves over."""

    def __init__(self, state: ExplorerState) -> None:
        self.x, self.y = bq.LinearScale(), bq.LinearScale()
        self.left = bq.LinearScale(min=-4.5, max=4.5)
        self.errors = _curve(self.x, self.y, MUTED)
        self.flux = _curve(self.x, self.y, INK, 1.3)
        self.model = _curve(self.x, self.y, MEASURED, 2.2)
        self.zero = _curve(self.x, self.y, FAINT)
        self.rest = _curve(self.x, self.left, INK, 1.2)
        self.rest_zero = _curve(self.x, self.left, MEASURED, 1.2)
        margin = {"top": 4, "bottom": 6, "left": 42, "right": 16}
        self.axes = _axes(self.x, self.y)
        self.axes[0].visible = False
        self.figure = bq.Figure(
            marks=[self.zero, self.errors, self.flux, self.model], axes=self.axes, fig_margin=margin,
            animation_duration=0, background_style={"fill": "white"},
        ).add_class("ew-plot")  # fmt: skip
        self.rest_axes = _axes(self.x, self.left)
        self.rest_axes[1].tick_values = np.array([-3.0, 0.0, 3.0])
        self.residual = bq.Figure(
            marks=[self.rest_zero, self.rest], axes=self.rest_axes,
            fig_margin={**margin, "bottom": 20}, animation_duration=0, background_style={"fill": "white"},
        ).add_class("ew-plot-low")  # fmt: skip
        self.title = Markup()
        self.numbers = Markup().add_class("ew-fit-numbers")
        super().__init__(state, "fit", (self.title, self.numbers, self.figure, self.residual))
        self.watch(self._draw, "measurements", clear=self._clear)

    def _draw(self) -> None:
        measurements = self.state.measurements
        if measurements is None:
            self._clear()
        elif not np.isfinite(measurements.line.center):
            self._clear("no line was found in this spectrum")
        else:
            self._draw_curves(measurements)
            self._write(measurements)

    def _clear(self, reason: str = "not measured") -> None:
        for mark in (self.errors, self.flux, self.model, self.zero, self.rest, self.rest_zero):
            with mark.hold_sync():
                mark.x = mark.y = NOTHING
        self.title.markup = "<h3>Line fit</h3>"
        self.numbers.markup = f'<div class="ew-none">{reason}</div>'

    def _draw_curves(self, measurements: Measurements) -> None:
        line = measurements.line
        low, high = fit_window(line)
        part = (measurements.spectrum or measurements.detection.spectrum).window(low, high)
        x, flux = np.asarray(part.wavelength), np.where(part.good, part.flux, np.nan)
        error = np.where(part.good, np.asarray(part.error), np.nan)
        fine = np.linspace(low, high, 241)
        model = blended_model(line, measurements.lines, fine)
        rest = flux - blended_model(line, measurements.lines, x)
        noise = error if part.has_error else np.full(x.shape, np.nanstd(rest))
        reach = np.nan_to_num(noise, nan=0.0)
        everything = np.concatenate([flux - reach, flux + reach, model, [0.0]])
        bottom, top = float(np.nanmin(everything)), float(np.nanmax(everything))
        room = 0.05 * (top - bottom or 1.0)
        with self.x.hold_sync(), self.y.hold_sync():
            self.x.min, self.x.max = low, high
            self.y.min, self.y.max = bottom - room, top + room
        self.axes[1].tick_values = ticks(bottom, top, 5)
        self.rest_axes[0].tick_values = ticks(low, high, 7)
        curves = (
            (self.errors, bars(x, flux, error) if part.has_error else (NOTHING, NOTHING)),
            (self.flux, steps(x, flux)),
            (self.model, (fine, model)),
            (self.zero, (np.array([low, high]), np.zeros(2))),
            (self.rest, steps(x, np.clip(rest / noise, -4.4, 4.4))),
            (self.rest_zero, (np.array([low, high]), np.zeros(2))),
        )
        for mark, (xs, ys) in curves:
            with mark.hold_sync():
                mark.x, mark.y = xs, ys

    def _write(self, measurements: Measurements) -> None:
        line = measurements.line
        kind = "absorption" if line.is_absorption else "emission"
        doubts = f' <span class="ew-doubt">{escape("; ".join(line.flags))}</span>' if line.flags else ""
        self.title.markup = f"<h3>Line fit <small>{kind}; below, the residual in σ</small>{doubts}</h3>"
        self.numbers.markup = (
            f"<span>λ <b>{words.with_error(line.center, line.center_err)}</b> Å</span>"
            f"<span>S/N <b>{words.number(line.snr, 1)}</b></span>"
            f"<span>χ² <b>{words.number(line.chi2)}</b></span>"
            f"<span>FWHM <b>{words.with_error(line.fwhm, 2.3548 * line.sigma_err, 1)}</b> Å</span>"
            f"<span>F <b>{words.flux(line.flux, line.flux_err)}</b> erg/s/cm²</span>"
        )
