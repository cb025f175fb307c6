"""The spectrum zoomed: the detected line with its fit and what the fit leaves over, or any other place."""

from __future__ import annotations

from math import isfinite
from typing import Any

import bqplot as bq
import ipywidgets as W
import numpy as np

from elixer_widgets.analysis import Measurements
from elixer_widgets.detection import DataError, Spectrum
from elixer_widgets.spectra.fitting import blended_model
from elixer_widgets.widgets import quickfit, words
from elixer_widgets.widgets.gestures import spectrum_pointer
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.palette import FAINT, INK, MEASURED, MUTED, fiber_color
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.spectrum_data import (
    FIT_SHARE,
    HEADROOM,
    bars,
    expected_lines,
    fit_window,
    place_labels,
    smoothed,
    steps,
    ticks,
)
from elixer_widgets.widgets.spectrum_plots import NOTHING, LineMarks, axes, curve, figure, put, sky_bands
from elixer_widgets.widgets.state import ExplorerState

MOST_NAMES = 12
"""Lines named in the zoomed plot at once."""

ASK = "click a feature to fit and name it"


class LineFitPanel(Panel):
    """The detected line, its fit, and what the fit leaves over; or wherever the zoom is."""

    def __init__(self, state: ExplorerState) -> None:
        self._setting = False
        self._drawn = (0.0, 0.0)
        self._figures()
        self.title = Markup()
        self.numbers = Markup().add_class("ew-fit-numbers")
        self.quick = Markup().add_class("ew-quick")
        self.name = W.Dropdown(options=quickfit.name_options(None), disabled=True).add_class("ew-name-line")
        self.name.observe(self._named, "value")
        tools = W.HBox([self.quick, self.name]).add_class("ew-head")
        self.pointer = spectrum_pointer(state, self.x, self._usual)
        plot = W.Box([self.figure, self.pointer]).add_class("ew-plot-box")
        super().__init__(state, "fit", (self.title, self.numbers, tools, plot, self.residual))
        self.watch(self._draw, "measurements", "zoom", "smoothing", clear=self._clear)
        self.watch(self._draw_labels, "interpretation", "zoom", "width")
        self.watch(self._draw_fiber, "hover_fiber", "zoom", "measurements", clear=self._hide_fiber)
        self.watch(self._draw_feature, "feature")
        self.watch(lambda: self.pointer.mark(state.cursor), "cursor")
        self.x.observe(self._zoomed_by_hand, ["min", "max"])

    def _figures(self) -> None:
        self.x, self.y = bq.LinearScale(min=4460.0, max=4540.0), bq.LinearScale(min=-1.0, max=1.0)
        unit = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self.left = bq.LinearScale(min=-4.5, max=4.5)
        self.errors = curve(self.x, self.y, MUTED)
        self.flux = curve(self.x, self.y, INK, 1.3)
        self.model = curve(self.x, self.y, MEASURED, 2.2)
        self.quick_model = curve(self.x, self.y, MEASURED, 1.6, line_style="dashed")
        self.fiber = curve(self.x, self.y, fiber_color(0), 1.1, opacities=[0.7])
        self.zero = curve(self.x, self.y, FAINT)
        self.rest = curve(self.x, self.left, INK, 1.2)
        self.rest_zero = curve(self.x, self.left, MEASURED, 1.2)
        self.names = LineMarks(self.x, unit, MOST_NAMES)
        self.axes = axes(self.x, self.y)
        self.axes[0].visible = False
        self.figure = figure(
            [*sky_bands(self.x, unit), self.zero, self.errors, self.fiber, self.flux, self.model, self.quick_model,
             self.names.places, self.names.texts],
            self.axes, 6, bq.PanZoom(scales={"x": [self.x]}),
        ).add_class("ew-plot")  # fmt: skip
        self.rest_axes = axes(self.x, self.left)
        self.rest_axes[1].tick_values = np.array([-3.0, 0.0, 3.0])
        self.residual = figure([self.rest_zero, self.rest], self.rest_axes, 20).add_class("ew-plot-low")

    # ----------------------------------------------------------------------------------------- what a hand does

    def _usual(self) -> None:
        self.state.zoom = ()

    def _zoomed_by_hand(self, _change: Any) -> None:
        if not self._setting and self.x.min < self.x.max:
            self.state.zoom = (float(self.x.min), float(self.x.max))

    def _named(self, change: Any) -> None:
        if change["new"]:
            quickfit.name_feature(self.state, change["new"])

    # -------------------------------------------------------------------------------------------------- drawing

    def _draw(self) -> None:
        measurements = self.state.measurements
        if measurements is None:
            self._clear()
        elif not (isfinite(measurements.line.center) or self.state.zoom):
            self._clear("no line was found in this spectrum")
        else:
            self._draw_curves(measurements)
            self._write(measurements)

    def _clear(self, reason: str = "not measured") -> None:
        curves = (self.errors, self.flux, self.model, self.quick_model, self.zero, self.rest, self.rest_zero)
        for mark in curves:
            put(mark, NOTHING, NOTHING)
        self.title.markup = "<h3>Line fit</h3>"
        self.numbers.markup = f'<div class="ew-none">{reason}</div>'

    def _hide_fiber(self) -> None:
        put(self.fiber, NOTHING, NOTHING)

    def _part(self, spectrum: Spectrum, low: float, high: float) -> Spectrum:
        """What to draw: one screen more on either side, so that a drag finds something there."""
        reach = high - low
        part = spectrum.window(low - reach, high + reach) if _covers(spectrum, low, high) else spectrum
        return part

    def _draw_curves(self, measurements: Measurements) -> None:
        line, low, high = measurements.line, *quickfit.zoomed(self.state)
        spectrum = measurements.spectrum or measurements.detection.spectrum
        part = self._part(spectrum, low, high)
        x, flux = np.asarray(part.wavelength), np.where(part.good, part.flux, np.nan)
        error = np.where(part.good, np.asarray(part.error), np.nan)
        soft = smoothed(part, self.state.smoothing)
        fine, model, rest = NOTHING, NOTHING, np.full(x.shape, np.nan)
        if isfinite(line.center):
            begin, end = fit_window(line)
            fine = np.linspace(begin, end, 241)
            model = blended_model(line, measurements.lines, fine)
            near = (x >= begin) & (x <= end)
            rest = np.where(near, flux - blended_model(line, measurements.lines, x), np.nan)
        noise = error if part.has_error else np.full(x.shape, np.nanstd(rest) if np.isfinite(rest).any() else 1.0)
        self._set_axes(x, soft, noise, fine, model, (low, high))
        smooth = self.state.smoothing > 0
        put(self.errors, *(bars(x, flux, error) if part.has_error and not smooth else (NOTHING, NOTHING)))
        put(self.flux, *steps(x, soft))
        put(self.model, fine, model)
        put(self.zero, x[[0, -1]], np.zeros(2))
        put(self.rest, *steps(x, np.clip(rest / noise, -4.4, 4.4)))
        put(self.rest_zero, x[[0, -1]], np.zeros(2))

    def _set_axes(
        self,
        x: np.ndarray,
        flux: np.ndarray,
        noise: np.ndarray,
        fine: np.ndarray,
        model: np.ndarray,
        shown: tuple[float, float],
    ) -> None:
        low, high = shown
        seen, modelled = (x >= low) & (x <= high), (fine >= low) & (fine <= high)
        reach = np.nan_to_num(noise[seen], nan=0.0)
        everything = np.concatenate([flux[seen] - reach, flux[seen] + reach, model[modelled], [0.0]])
        bottom, top = float(np.nanmin(everything)), float(np.nanmax(everything))
        room = 0.05 * (top - bottom or 1.0)
        self._setting = True
        try:
            with self.x.hold_sync(), self.y.hold_sync():
                self.x.min, self.x.max = low, high
                self.y.min, self.y.max = bottom - room, bottom - room + (top - bottom + 2 * room) / HEADROOM
        finally:
            self._setting = False
        self.axes[1].tick_values = ticks(bottom, top, 5)
        self.rest_axes[0].tick_values = ticks(low, high, 7)

    def _draw_labels(self) -> None:
        interpretation = self.state.interpretation
        low, high = quickfit.zoomed(self.state)
        lines = () if interpretation is None else expected_lines(interpretation)
        self.names.draw(place_labels(lines, low, high, self.state.width, FIT_SHARE), low)

    def _draw_fiber(self) -> None:
        detection, fiber_id = self.state.detection, self.state.hover_fiber
        ids = [] if detection is None else [fiber.fiber_id for fiber in detection.fibers]
        if detection is None or fiber_id not in ids:
            self._hide_fiber()
            return
        rank = ids.index(fiber_id)
        try:
            spectrum = detection.fiber_spectra[rank]
        except DataError:
            spectrum = None
        if spectrum is None:
            self._hide_fiber()
            return
        part = self._part(spectrum, *quickfit.zoomed(self.state))
        with self.fiber.hold_sync():
            self.fiber.colors = [fiber_color(rank)]
            self.fiber.x, self.fiber.y = steps(part.wavelength, smoothed(part, self.state.smoothing))

    def _draw_feature(self) -> None:
        feature = self.state.feature
        told = quickfit.in_words(feature)
        pieces = "".join(f"<span>{name} <b>{escape(value)}</b></span>" for name, value in told)
        tip = " ".join(f"{name} {value}" for name, value in told) + " erg/s/cm²"
        self.quick.markup = f'<div title="quick fit: {escape(tip)}">{pieces}</div>' if told else f"<span>{ASK}</span>"
        self.name.disabled = feature is None
        self.name.options = quickfit.name_options(feature)
        if feature is not None and isfinite(feature.sigma):
            fine = np.linspace(feature.center - 5 * feature.sigma, feature.center + 5 * feature.sigma, 121)
            put(self.quick_model, fine, feature.model(fine))
        else:
            put(self.quick_model, NOTHING, NOTHING)

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


def _covers(spectrum: Spectrum, low: float, high: float) -> bool:
    """Whether at least two samples lie within a screen of `low` to `high` (Å)."""
    reach = high - low
    return int(np.sum((spectrum.wavelength >= low - reach) & (spectrum.wavelength <= high + reach))) >= 2
