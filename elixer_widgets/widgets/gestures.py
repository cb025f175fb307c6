"""What the gestures over either plot of the spectrum do to the state."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import bqplot as bq

from elixer_widgets.spectra.wavelengths import air_to_vacuum
from elixer_widgets.widgets import quickfit
from elixer_widgets.widgets.pointer import Pointer
from elixer_widgets.widgets.spectrum_plots import LEFT, RIGHT
from elixer_widgets.widgets.state import ExplorerState


def moved_redshift(redshift: float, start: float, end: float) -> float:
    """The redshift at which a line that `redshift` puts to `start` (Å, air) lies at `end` (Å, air)."""
    return (1.0 + redshift) * float(air_to_vacuum(end)) / float(air_to_vacuum(start)) - 1.0


class LineDrag:
    """All lines moved by hand: every step is a passing choice of the redshift, the whole one step of `undo`."""

    def __init__(self, state: ExplorerState) -> None:
        self._state = state
        self._held = float("nan")
        self._moved = False

    def move(self, start: float | None, end: float | None) -> None:
        """A label that lay at `start` (Å) is held at `end`; None, None: the hand changed its mind."""
        if start is None or end is None:
            if self._moved:
                self._state.undo()
            self._end()
            return
        self._choose(start, end, passing=True)

    def drop(self, start: float, end: float) -> None:
        """The label is let go."""
        self._choose(start, end, passing=False)
        self._end()

    def _choose(self, start: float, end: float, passing: bool) -> None:
        interpretation = self._state.interpretation
        if not self._moved:
            self._held = float("nan") if interpretation is None else interpretation.redshift
        z = moved_redshift(self._held, start, end)
        if isfinite(z):
            self._moved = True
            self._state.choose(redshift=z, passing=passing)

    def _end(self) -> None:
        self._held, self._moved = float("nan"), False


def spectrum_pointer(state: ExplorerState, x: bq.Scale, reset: Callable[[], None]) -> Pointer:
    """A pointer for a plot over wavelength: cursor, click to fit, drag a label, double click to `reset`."""
    drag = LineDrag(state)

    def moved(wavelength: float) -> None:
        state.cursor = wavelength

    return Pointer(
        x,
        LEFT,
        RIGHT,
        moved=moved,
        clicked=lambda wavelength: quickfit.fit_at(state, wavelength),
        dragged=drag.move,
        dropped=drag.drop,
        reset=reset,
    )
