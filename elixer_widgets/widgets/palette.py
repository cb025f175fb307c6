"""The colours of the page, each with one meaning.

The hues are those of Okabe & Ito (2008, "Color Universal Design"), which people with any common kind of colour
blindness can tell apart.
"""

from __future__ import annotations

INK = "#1f2933"
"""Text and the observed spectrum."""

MUTED = "#5d6b7a"
"""Secondary text."""

FAINT = "#c9d1d9"
"""Error bands, sky bands and rules."""

HYPOTHESIS = "#0072b2"
"""Everything that follows from the adopted identity: its name, its line labels, its card."""

MEASURED = "#d55e00"
"""What was fitted or measured by us: the line fit, the apertures."""

CATALOG = "#7b3294"
"""Objects of a catalogue."""

FIBERS = ("#009e73", "#e69f00", "#cc79a7", "#56b4e9")
"""The four fibers of highest weight, in that order, in the strip and on the sky."""

MASKED = "#f0e442"
"""Masked pixels: cosmic rays."""

OTHER_FIBERS = "#9aa5b1"
"""All other fibers."""


def fiber_color(rank: int) -> str:
    """The colour of the fiber with this rank by weight, counted from 0."""
    return FIBERS[rank] if 0 <= rank < len(FIBERS) else OTHER_FIBERS
