"""The line enlarged: points with errors and the fitted Gaussian."""

from __future__ import annotations

import numpy as np

from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.detection import Spectrum
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas, Panel, nice_ticks, wrap
from elixer_widgets.reports.colors import BLACK, BLUE, GREY, WARNING, identity_color
from elixer_widgets.reports.derived import measured_spectrum
from elixer_widgets.reports.layout import Box
from elixer_widgets.spectra.doublets import DoubletFit
from elixer_widgets.spectra.fitting import LineFit, blended_model
from elixer_widgets.spectra.models import identity_curve

HALF_WINDOW = 45.6
"""Å; 24 CCD pixels of 1.9 Å, the width of the fiber cutouts."""

FLUX_UNIT = "10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹"


def flux_limits(spectrum: Spectrum, line: LineFit, center: float) -> tuple[float, float]:
    """y limits of the line panel: flux ± error of the central half, the fitted curve and 0 inside, 8 % to spare."""
    distance = np.abs(spectrum.wavelength - center)
    near = spectrum.good & (distance <= HALF_WINDOW / 2)
    if not near.any():
        near = spectrum.good
    if not near.any():
        return -1.0, 1.0
    flux = np.asarray(spectrum.flux)[near]
    error = np.nan_to_num(np.asarray(spectrum.error)[near]) if spectrum.has_error else np.zeros(flux.shape)
    inside = [0.0, float((flux - error).min()), float((flux + error).max())]
    shown = np.asarray(spectrum.flux)[spectrum.good & (distance <= HALF_WINDOW)]
    if shown.size:
        inside += np.percentile(shown, (5, 95)).tolist()
    if is_drawable(line):
        curve = line.model(center + np.linspace(-HALF_WINDOW, HALF_WINDOW, 92))
        inside += [float(curve.min()), float(curve.max())]
    low, high = min(inside), max(inside)
    spare = 0.08 * (high - low or 1.0)
    return low - spare, high + spare


def is_drawable(line: LineFit) -> bool:
    """Whether the fit gives a curve."""
    return bool(np.isfinite([line.center, line.sigma, line.flux, line.continuum]).all() and line.sigma > 0)


def line_center(measurements: Measurements) -> float:
    """Å of the middle of the line panel: the line's, else the detection's; NaN without either."""
    center = measurements.line.center
    return center if np.isfinite(center) else measurements.detection.wavelength


def draw_line(canvas: Canvas, box: Box, spectrum: Spectrum, interpretation: Interpretation, center: float) -> Panel:
    """Draw samples with their errors and the fitted curves about `center` (Å) into `box`, without a frame.

    The Gaussian is black; dashed lies what the identity asks for instead, a doublet or a narrow line on a broad one.
    """
    measurements = interpretation.measurements
    line = measurements.line
    xlim = (center - HALF_WINDOW, center + HALF_WINDOW)
    panel = Panel(canvas, box, xlim, flux_limits(spectrum, line, center))
    panel.curve(np.array(xlim), np.zeros(2), GREY, 0.7)
    shown = (spectrum.wavelength >= xlim[0]) & (spectrum.wavelength <= xlim[1]) & spectrum.good
    wave, flux = np.asarray(spectrum.wavelength)[shown], np.asarray(spectrum.flux)[shown]
    if spectrum.has_error:
        error = np.asarray(spectrum.error)[shown]
        bars = np.stack(
            [
                np.column_stack([panel.x(wave), panel.y(flux - error)]),
                np.column_stack([panel.x(wave), panel.y(flux + error)]),
            ],
            axis=1,
        )
        canvas.lines(list(bars), BLUE, 1.0, clip=panel.box)
    canvas.dots(panel.x(wave), panel.y(flux), BLUE, 20, clip=panel.box)
    if is_drawable(line):
        fine = np.arange(xlim[0], xlim[1], 0.2)
        panel.curve(fine, blended_model(line, measurements.lines, fine), BLACK, 1.8, alpha=0.75)
        model = interpretation.model
        if model is not None and np.isfinite(model.flux):
            other = identity_curve(model, line, measurements.lines, fine)
            panel.curve(fine, other, identity_color(interpretation.identity), 1.5, dashes=(0, (4, 2)))
    return panel


def model_note(interpretation: Interpretation) -> str:
    """What the dashed curve is, and its χ² less that of the single Gaussian; "" without one."""
    model = interpretation.model
    if model is None or not np.isfinite(model.flux):
        return ""
    name = f"{LABELS[interpretation.identity]} doublet" if isinstance(model, DoubletFit) else "narrow + broad"
    return f"dashed: {name}" + (f", χ² {-model.gain:+.1f}".replace("-", "−") if np.isfinite(model.gain) else "")


def draw_line_fit(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the line panel."""
    measurements = interpretation.measurements
    spectrum, line = measured_spectrum(measurements), measurements.line
    center = line_center(measurements)
    if not np.isfinite(center):
        canvas.not_available(layout.LINE_FIT, "Line fit", "no line was found or given")
        return
    panel = draw_line(canvas, layout.LINE_FIT, spectrum, interpretation, center)
    panel.frame(nice_ticks(*panel.xlim, 5), nice_ticks(*panel.ylim, 5))
    canvas.text(panel.box.left, panel.box.top - 14, FLUX_UNIT, 8)
    told = model_note(interpretation)
    if told:
        canvas.text(
            panel.box.right, panel.box.top - 14, told, 7, color=identity_color(interpretation.identity), align="right"
        )
    note = "" if spectrum.has_error else "no errors came with this spectrum"
    said = list(dict.fromkeys([*line.flags, *([note] if note else [])]))
    if said:
        canvas.text(
            panel.box.left, panel.box.bottom + 44, "\n".join(wrap("Fit: " + "; ".join(said), 54)[:2]), 8,
            color=WARNING, vertical="top",
        )  # fmt: skip
