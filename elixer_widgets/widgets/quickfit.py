"""Point at a feature: fit it, name it, and step through the lines that an answer expects."""

from __future__ import annotations

from math import isfinite

import numpy as np

from elixer_widgets.detection import DataError, Spectrum
from elixer_widgets.spectra.fitting import LineFit, fit_line
from elixer_widgets.spectra.lines import LINES, redshift_of
from elixer_widgets.widgets import words
from elixer_widgets.widgets.spectrum_data import (
    FULL_RANGE,
    around,
    expected_lines,
    fit_window,
    redshift_choices,
    scaled,
)
from elixer_widgets.widgets.state import ExplorerState

ZOOM_STEP = 1.5
"""How much wider or narrower a step of zoom makes the plot."""

SMOOTHINGS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Å; the σ offered to smooth the spectrum with."""


def shown_spectrum(state: ExplorerState) -> Spectrum | None:
    """The spectrum in use: without the fibers that are switched off, where any are."""
    detection, measured = state.detection, state.measurements
    if detection is None:
        return None
    if measured is not None and measured.detection is detection and measured.spectrum is not None:
        return measured.spectrum
    return detection.spectrum


def full_range(state: ExplorerState) -> tuple[float, float]:
    """The first and last wavelength of the shown spectrum, Å."""
    spectrum = shown_spectrum(state)
    return FULL_RANGE if spectrum is None else (float(spectrum.wavelength[0]), float(spectrum.wavelength[-1]))


def usual_zoom(state: ExplorerState) -> tuple[float, float]:
    """What the zoomed plot shows unless asked otherwise: the detected line."""
    detection, measured = state.detection, state.measurements
    if measured is not None and measured.detection is detection and isfinite(measured.line.center):
        return fit_window(measured.line)
    center = detection.wavelength if detection is not None else float("nan")
    return (center - 40.0, center + 40.0) if isfinite(center) else full_range(state)


def zoomed(state: ExplorerState) -> tuple[float, float]:
    """What the zoomed plot shows, Å."""
    return (float(state.zoom[0]), float(state.zoom[1])) if len(state.zoom) == 2 else usual_zoom(state)


# ------------------------------------------------------------------------------------------ what a person does


def zoom_by(state: ExplorerState, factor: float) -> None:
    """Make the zoomed range `factor` times as wide, about the cursor if that is inside, else about its middle."""
    state.zoom = scaled(zoomed(state), factor, state.cursor, full_range(state))


def go_to(state: ExplorerState, wavelength: float) -> None:
    """Zoom on a wavelength (Å)."""
    state.zoom = around(wavelength, usual_zoom(state))


def step_line(state: ExplorerState, forward: bool) -> None:
    """Zoom on the next line that the adopted hypothesis expects within the spectrum, from the last to the first."""
    interpretation = state.interpretation
    low, high = full_range(state)
    lines = () if interpretation is None else expected_lines(interpretation)
    places = np.array([each.wavelength for each in lines if low <= each.wavelength <= high])
    if not places.size:
        state.message = "No line is expected within the spectrum; choose another identity or redshift."
        return
    here = sum(zoomed(state)) / 2
    beyond = places[places > here + 0.5] if forward else places[places < here - 0.5]
    if forward:
        go_to(state, float(beyond.min() if beyond.size else places.min()))
    else:
        go_to(state, float(beyond.max() if beyond.size else places.max()))


def step_smoothing(state: ExplorerState, more: bool) -> None:
    """The next larger, or smaller, smoothing that is offered."""
    now = state.smoothing
    if more:
        state.smoothing = min((each for each in SMOOTHINGS if each > now), default=SMOOTHINGS[-1])
    else:
        state.smoothing = max((each for each in SMOOTHINGS if each < now), default=0.0)


def fit_at(state: ExplorerState, wavelength: float) -> None:
    """Fit the feature at a wavelength (Å) with a Gaussian; the result is `state.feature`."""
    spectrum = shown_spectrum(state)
    if spectrum is None or not isfinite(wavelength):
        state.message = "Point at a feature of the spectrum first; then this key fits it."
        return
    try:
        fitted = fit_line(spectrum, wavelength)
    except DataError as error:
        state.message = str(error)
        return
    low, high = zoomed(state)
    if not low <= fitted.center <= high:
        go_to(state, fitted.center)
    state.feature = fitted


def name_feature(state: ExplorerState, name: str) -> None:
    """Say which line of the list the chosen feature is; the redshift follows."""
    if state.feature is not None and name in LINES:
        state.choose(redshift=float(redshift_of(state.feature.center, LINES[name])))


def step_rival(state: ExplorerState, forward: bool) -> None:
    """Adopt the next identity in the order of their probabilities."""
    interpretation = state.interpretation
    if interpretation is None or not interpretation.rivals:
        return
    names = [rival.identity for rival in interpretation.rivals]
    here = names.index(interpretation.identity) if interpretation.identity in names else -1
    state.choose(identity=names[(here + (1 if forward else -1)) % len(names)] if here >= 0 else names[0])


# -------------------------------------------------------------------------------------------------------- words


def name_options(feature: LineFit | None) -> list[tuple[str, str]]:
    """What to choose from to name a feature: text and name in the line list; first what asks for it."""
    if feature is None or not isfinite(feature.center):
        return [("name the line", "")]
    found = [(f"{LINES[name].label} → z {z:.4f}", name) for name, z in redshift_choices(feature.center)]
    return [(f"{feature.center:.1f} Å is …", ""), *found]


def in_words(feature: LineFit | None) -> list[tuple[str, str]]:
    """A quick fit as names and values for the page."""
    if feature is None:
        return []
    if not isfinite(feature.flux):
        # the flags say why at length, and have no room here
        return [("λ", f"{feature.center:.1f} Å"), ("", "no line to measure")]
    pairs = [
        ("λ", f"{words.with_error(feature.center, feature.center_err, 1)} Å"),
        ("σ", f"{words.with_error(feature.sigma, feature.sigma_err, 1)} Å"),
        ("S/N", words.number(feature.snr, 1)),
        ("F", words.flux(feature.flux, feature.flux_err)),
    ]
    return [(name, text.replace(" ± ", "±").replace(" × ", "×")) for name, text in pairs]
