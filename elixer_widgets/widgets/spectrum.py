"""The whole spectrum with the lines of one hypothesis, and the tools that try another."""

from __future__ import annotations

from math import isfinite
from typing import Any

import bqplot as bq
import ipywidgets as W
import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.solutions import Companion
from elixer_widgets.detection import Spectrum
from elixer_widgets.widgets import quickfit, words
from elixer_widgets.widgets.gestures import spectrum_pointer
from elixer_widgets.widgets.line_fit import LineFitPanel
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.palette import FAINT, INK, MEASURED
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.pointer import RedshiftSlider
from elixer_widgets.widgets.rivals import companion_tip
from elixer_widgets.widgets.spectrum_data import (
    FULL_RANGE,
    HEADROOM,
    LABEL_ROWS,
    PLOT_SHARE,
    bars,
    expected_lines,
    fit_window,
    flux_range,
    letter_width,
    line_labels,
    place_labels,
    smoothed,
    steps,
    ticks,
)
from elixer_widgets.widgets.spectrum_plots import (
    NOTHING,
    LineMarks,
    axes,
    band,
    box,
    curve,
    figure,
    put,
    sky_bands,
)
from elixer_widgets.widgets.state import ExplorerState

__all__ = [
    "LABEL_ROWS",
    "LineFitPanel",
    "SpectrumPanel",
    "bars",
    "fit_window",
    "flux_range",
    "letter_width",
    "line_labels",
    "steps",
    "ticks",
]

FOUND_MARK = (HEADROOM - 0.05, HEADROOM)
"""Where the marks of found lines stand, as shares of the plot's height."""


def smoothing_text(sigma: float) -> str:
    """A smoothing in words."""
    return f"σ {sigma:g} Å" if sigma > 0 else "none"


def _amount(companion: Companion) -> str:
    """A companion's flux, or its 3σ limit, in 1e-17 erg/s/cm²."""
    if companion.status == "found":
        return words.with_error(1e17 * companion.flux, 1e17 * companion.flux_err, 1)
    return f"&lt; {words.number(1e17 * companion.limit, 1)}" if isfinite(companion.limit) else "not measured"


def expected_markup(interpretation: Interpretation | None, shown: tuple[float, float]) -> str:
    """The lines that the adopted hypothesis expects, each a button that zooms on it, with flux or 3σ limit.

    Parameters
    ----------
    interpretation : Interpretation or None
    shown : (float, float)
        The zoomed wavelengths (Å).
    """
    if interpretation is None:
        return ""
    main = interpretation.measurements.line
    known = {companion.line: companion for companion in interpretation.companions}
    spectrum = interpretation.measurements.spectrum or interpretation.measurements.detection.spectrum
    low, high = float(spectrum.wavelength[0]), float(spectrum.wavelength[-1])
    chips, outside = [], []
    # those that decide first: there may be more than there is room for
    for line in sorted(expected_lines(interpretation), key=lambda each: each.rank):
        companion = known.get(line.name)
        if not low <= line.wavelength <= high:
            outside.append(f"{line.label} {line.wavelength:.0f} Å")
            continue
        if line.rank == 0 and companion is None:
            amount, tip = words.with_error(1e17 * main.flux, 1e17 * main.flux_err, 1), "the detected line"
        elif companion is None:
            amount, tip = "", f"{line.label}: expected at {line.wavelength:.1f} Å"
        else:
            amount, tip = _amount(companion), companion_tip(companion)
        on = shown[0] <= line.wavelength <= shown[1]
        status = "main" if line.rank == 0 else (companion.status.replace(" ", "-") if companion else "")
        chips.append(
            f'<button class="ew-chip" data-key="{line.wavelength:.3f}" data-status="{status}" '
            f'aria-pressed="{str(on).lower()}" title="{escape(tip)}">{escape(line.label)} <b>{amount}</b></button>'
        )
    limits = "limits 3σ" if any("&lt;" in chip for chip in chips) else ""
    rest = (f"{len(outside)} outside" if chips else "all outside the spectrum") if outside else ""
    said = " · ".join(each for each in (limits, rest) if each)
    tail = f'<span class="ew-chip-out" title="{escape(chr(10).join(outside))}">{said}</span>' if said else ""
    return f'<div class="ew-chips">{"".join(chips)}{tail}</div>'


class SpectrumPanel(Panel):
    """The full spectrum, its errors, the sky's own lines, and the labels of the adopted hypothesis."""

    def __init__(self, state: ExplorerState) -> None:
        self._shown: tuple[Spectrum | None, float] | None = None
        self._figure_parts()
        self.pointer = spectrum_pointer(state, self.x, self._whole)
        plot = W.Box([self.figure, self.pointer]).add_class("ew-plot-box")
        self.title = Markup()
        self.smoothing = W.Dropdown(
            description="smooth", options=[(smoothing_text(each), each) for each in quickfit.SMOOTHINGS],
            tooltip="σ of the Gaussian that the spectrum is smoothed with for the eye; fits use it as it is",
        ).add_class("ew-smoothing")  # fmt: skip
        self.slider = RedshiftSlider(
            lambda z: state.choose(redshift=z, passing=True), lambda z: state.choose(redshift=z)
        )
        self.back = W.Button(description="‹", tooltip="Zoom on the previous expected line").add_class("ew-small")
        self.forth = W.Button(description="›", tooltip="Zoom on the next expected line").add_class("ew-small")
        self.unzoom = W.Button(description="whole range", tooltip="Undo the zoom").add_class("ew-small")
        self.expected = Markup().add_class("ew-expected")
        self._listen(state)
        head = W.HBox([self.title, self.smoothing, self.slider, self.unzoom]).add_class("ew-head")
        line = W.HBox([self.back, self.forth, self.expected]).add_class("ew-head").add_class("ew-expected-row")
        super().__init__(state, "spectrum", (head, line, plot))
        self.watch(self._turn, "detection")
        self.watch(self._draw_spectrum, "detection", "measurements", "smoothing", clear=self._clear)
        self.watch(self._draw_window, "measurements", "zoom")
        self.watch(self._draw_labels, "interpretation", "width")
        self.watch(self._draw_expected, "interpretation", "zoom")
        self.watch(self._draw_tools, "interpretation", "smoothing")
        self.watch(lambda: self.pointer.mark(state.cursor), "cursor")
        self.x.observe(self._relabel, ["min", "max"])
        self._register(state)

    def _figure_parts(self) -> None:
        self.x, self.y = bq.LinearScale(min=FULL_RANGE[0], max=FULL_RANGE[1]), bq.LinearScale(min=-1.0, max=1.0)
        unit = bq.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self.sky = sky_bands(self.x, unit)
        self.window = band(self.x, unit, MEASURED, 0.15)
        self.error = band(self.x, self.y, FAINT, 0.65)
        self.flux = curve(self.x, self.y, INK)
        self.found = curve(self.x, unit, MEASURED, 2.0)
        self.names = LineMarks(self.x, unit)
        self.places, self.texts = self.names.places, self.names.texts
        self.axes = axes(self.x, self.y)
        self.figure = figure(
            [*self.sky, self.window, self.error, self.flux, self.found, self.places, self.texts],
            self.axes,
            20,
            bq.PanZoom(scales={"x": [self.x]}),
        ).add_class("ew-plot")

    def _listen(self, state: ExplorerState) -> None:
        self.smoothing.observe(lambda change: state.set_trait("smoothing", float(change["new"])), "value")
        self.unzoom.on_click(lambda _button: self._whole())
        self.back.on_click(lambda _button: quickfit.step_line(state, False))
        self.forth.on_click(lambda _button: quickfit.step_line(state, True))
        self.expected.on_pick(lambda key: quickfit.go_to(state, float(key)))

    def _register(self, state: ExplorerState) -> None:
        group = "Spectrum"

        def offer(name: str, key: str, help_: str, do: Any) -> None:
            state.register(name, key=key, help=help_, do=do, group=group, anytime=name != "fit")

        offer(
            "zoom in",
            "+ =",
            "Zoom into the spectrum, at the pointer",
            lambda: quickfit.zoom_by(state, 1 / quickfit.ZOOM_STEP),
        )
        offer("zoom out", "-", "Zoom out of the spectrum", lambda: quickfit.zoom_by(state, quickfit.ZOOM_STEP))
        offer("whole spectrum", "0", "Undo all zoom of the spectrum", self._whole)
        offer(
            "next line", "]", "Zoom on the next line that the identity expects", lambda: quickfit.step_line(state, True)
        )
        offer("previous line", "[", "Zoom on the previous expected line", lambda: quickfit.step_line(state, False))
        offer("fit", "f", "Fit a Gaussian where the pointer is", lambda: quickfit.fit_at(state, state.cursor))
        offer("smooth more", "s", "Smooth the spectrum more", lambda: quickfit.step_smoothing(state, True))
        offer("smooth less", "S", "Smooth the spectrum less", lambda: quickfit.step_smoothing(state, False))

    def _turn(self) -> None:
        self.state.feature = None
        self._whole()

    def _whole(self) -> None:
        low, high = quickfit.full_range(self.state)
        with self.x.hold_sync():
            self.x.min, self.x.max = low, high
        self.state.zoom = ()

    # -------------------------------------------------------------------------------------------------- drawing

    def _clear(self) -> None:
        self._shown = None
        for mark in (self.flux, self.error, self.found):
            put(mark, NOTHING, NOTHING)

    def _draw_spectrum(self) -> None:
        state = self.state
        spectrum = quickfit.shown_spectrum(state)
        if spectrum is None or state.detection is None:
            self._clear()
            return
        if self._shown is not None and self._shown[0] is spectrum and self._shown[1] == state.smoothing:
            return
        bottom, top = flux_range(spectrum, state.detection.wavelength)
        with self.y.hold_sync():
            self.y.min, self.y.max = bottom, bottom + (top - bottom) / HEADROOM
        self.axes[1].tick_values = ticks(bottom, top, 4)
        put(self.flux, np.asarray(spectrum.wavelength), smoothed(spectrum, state.smoothing))
        error = np.where(spectrum.good, np.asarray(spectrum.error), 0.0)
        if spectrum.has_error:  # about zero: what noise alone would do
            put(
                self.error,
                np.concatenate([spectrum.wavelength, spectrum.wavelength[::-1]]),
                np.concatenate([error, -error[::-1]]),
            )
        else:
            put(self.error, NOTHING, NOTHING)
        self._shown = (spectrum, state.smoothing)

    def _draw_window(self) -> None:
        measurements = self.state.measurements
        if measurements is None or not (isfinite(measurements.line.center) or self.state.zoom):
            put(self.window, NOTHING, NOTHING)
        else:
            put(self.window, *box(*quickfit.zoomed(self.state)))
        centers = [] if measurements is None else [line.center for line in measurements.lines]
        if centers:
            x = np.ravel([(center, center, np.nan) for center in centers])
            put(self.found, x, np.tile([*FOUND_MARK, np.nan], len(centers)))
        else:
            put(self.found, NOTHING, NOTHING)

    def _relabel(self, _change: Any = None) -> None:
        self._draw_labels()

    def _draw_labels(self) -> None:
        interpretation = self.state.interpretation
        low, high = float(self.x.min), float(self.x.max)
        lines = () if interpretation is None else expected_lines(interpretation)
        self.names.draw(place_labels(lines, low, high, self.state.width, PLOT_SHARE), low)
        spectrum = quickfit.shown_spectrum(self.state)
        has_error = spectrum is None or spectrum.has_error
        shown = "no hypothesis" if interpretation is None else f"labels: {interpretation.line_label}"
        tip = (
            "wheel zooms, drag moves, double click shows all; click a feature to fit it; "
            "drag a label (or anything with Shift) to move all lines and the redshift"
        )
        title = (
            f'<h3 title="{tip}">Spectrum <small>10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹ over Å in air · {escape(shown)} · grey: '
            f"{'±1σ and sky lines' if has_error else 'sky lines (no errors given)'}</small></h3>"
        )
        if title != self.title.markup:
            self.title.markup = title

    def _draw_expected(self) -> None:
        self.expected.markup = expected_markup(self.state.interpretation, quickfit.zoomed(self.state))

    def _draw_tools(self) -> None:
        state = self.state
        options = tuple((smoothing_text(each), each) for each in sorted({*quickfit.SMOOTHINGS, state.smoothing}))
        if tuple(self.smoothing.options) != options:
            self.smoothing.options = options
        self.smoothing.value = state.smoothing
        z = float("nan") if state.interpretation is None else state.interpretation.redshift
        with self.slider.hold_sync():
            self.slider.value = z if isfinite(z) else None
            self.slider.disabled = state.interpretation is None
