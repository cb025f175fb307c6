"""P(LAE)/P(OII)."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.detection import NAN


@dataclass(frozen=True)
class PlaeRatio:
    """P(LAE)/P(OII) with its 68 % interval; unclipped (the display and the catalogue clip to 0.001 to 1000).

    `source` names the continuum it rests on.
    """

    value: float
    low: float = NAN
    high: float = NAN
    source: str = ""
