"""What a hand does over a plot of the spectrum, and with the redshift's slider."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import bqplot as bq
from traitlets import Bool, Float, Int, List, Unicode

from elixer_widgets.widgets.hearing import Hearing, hearing_script


def _number(value: Any) -> float | None:
    """`value` if it is a finite number: what comes from a browser is only data."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if good else None


class Pointer(Hearing):
    """Watches the pointer over the bqplot figure that stands in the same box of class `ew-plot-box`.

    Parameters
    ----------
    x : bqplot.Scale
        The figure's wavelengths.
    left, right : int
        The figure's margins, px.
    moved : callable
        Gets the wavelength (Å) under the pointer, NaN when it leaves.
    clicked : callable
        Gets the wavelength of a click.
    dragged : callable
        Gets two wavelengths while a label is dragged from the first to the second; None, None if it is let be.
    dropped : callable
        Gets both when the label is let go.
    reset : callable
        Called on a double click.
    """

    _esm = hearing_script("spectrum.js")
    scale = Unicode("", help="model id of the figure's wavelength scale").tag(sync=True)
    margins = List([0, 0], help="px left and right of the plot").tag(sync=True)
    cursor = Float(None, allow_none=True, help="Å to mark; null for none").tag(sync=True)
    drawn = Int(0, help="counts the steps of a drag that were drawn").tag(sync=True)

    def __init__(
        self,
        x: bq.Scale,
        left: int,
        right: int,
        *,
        moved: Callable[[float], None],
        clicked: Callable[[float], None],
        dragged: Callable[[float | None, float | None], None],
        dropped: Callable[[float, float], None],
        reset: Callable[[], None],
    ) -> None:
        super().__init__(scale=x.model_id, margins=[left, right])

        def receive(_widget: Any, content: Any, _buffers: Any) -> None:
            if not isinstance(content, dict):
                return
            if "cursor" in content:
                value = _number(content["cursor"])
                moved(float("nan") if value is None else value)
            elif "clicked" in content and (value := _number(content["clicked"])) is not None:
                clicked(value)
            elif "reset" in content:
                reset()
            elif "dragged" in content or "dropped" in content:
                pair = content.get("dragged", content.get("dropped"))
                ends = [_number(each) for each in pair] if isinstance(pair, list) and len(pair) == 2 else [None, None]
                if "dragged" in content:
                    try:
                        dragged(ends[0], ends[1])
                    finally:  # the next step may come, whatever became of this one
                        self.drawn += 1
                elif ends[0] is not None and ends[1] is not None:
                    dropped(ends[0], ends[1])

        self.on_msg(receive)

    def mark(self, wavelength: float) -> None:
        """Show the cursor at a wavelength (Å), or none for NaN."""
        self.cursor = wavelength if isfinite(wavelength) else None


class RedshiftSlider(Hearing):
    """A slider whose steps are tried (`trial`, a redshift each) and whose end is an answer (`chosen`)."""

    _esm = hearing_script("spectrum_z.js")
    value = Float(None, allow_none=True).tag(sync=True)
    low = Float(0.0).tag(sync=True)
    high = Float(3.6).tag(sync=True)
    step = Float(0.0005).tag(sync=True)
    disabled = Bool(False).tag(sync=True)
    drawn = Int(0, help="counts the trials that were drawn").tag(sync=True)

    def __init__(self, trial: Callable[[float], None], chosen: Callable[[float], None]) -> None:
        super().__init__()

        def receive(_widget: Any, content: Any, _buffers: Any) -> None:
            if not isinstance(content, dict):
                return
            if (z := _number(content.get("trial"))) is not None:
                try:
                    trial(z)
                finally:
                    self.drawn += 1
            elif (z := _number(content.get("set"))) is not None:
                chosen(z)

        self.on_msg(receive)
