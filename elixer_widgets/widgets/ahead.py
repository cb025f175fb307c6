"""What panels can draw of a detection before its page is turned to: pictures and texts that follow from it alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from elixer_widgets.analysis import Measurements
from elixer_widgets.widgets.prefetch import Memory


@dataclass(frozen=True)
class Look:
    """The ways of looking that such drawings depend on; see `state.ExplorerState`."""

    stretch: str = ""
    field: float = 9.0


Draw = Callable[[Measurements, Look], Any]
"""A function of nothing but its arguments: it is called in another thread, and may outlive its panel."""


class Ahead:
    """Drawings of the detections that were looked at or prepared last, no more than `size` of each kind.

    Parameters
    ----------
    size : int

    Attributes
    ----------
    look : Look
        How the page looks at detections now; set by the state, read when drawing ahead.
    """

    def __init__(self, size: int) -> None:
        self.look = Look()
        self._size = size
        self._draws: dict[str, Draw] = {}
        self._drawn: dict[str, Memory] = {}

    def offer(self, name: str, draw: Draw) -> None:
        """Have `draw` called for detections that may be turned to."""
        self._drawn[name] = Memory(self._size)
        self._draws[name] = draw

    def get(self, name: str, measurements: Measurements) -> Any:
        """What this `draw` makes of the measurements: as kept if it was made of this detection and look, else now."""
        detection, look = measurements.detection, self.look
        kept = self._drawn[name].get(detection.detectid)
        if kept is None or kept[0] is not detection or kept[1] != look:
            kept = (detection, look, self._draws[name](measurements, look))
            self._drawn[name].keep(detection.detectid, kept)
        return kept[2]

    def draw(self, measurements: Measurements) -> None:
        """Draw all that is offered; what fails here fails again, and is told, when the page is turned to."""
        for name in tuple(self._draws):
            self.get(name, measurements)
