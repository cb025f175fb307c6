"""The colours of the page, each with one meaning.

The hues are those of Okabe & Ito (2008, "Color Universal Design"), which people with any common kind of colour
blindness can tell apart. Each is a CSS variable that static/page.css sets, once for light and once for dark paper, so
that what was drawn follows the theme without being drawn again.
"""

from __future__ import annotations

INK = "var(--ew-ink)"
"""Text and the observed spectrum."""

MUTED = "var(--ew-muted)"
"""Secondary text."""

FAINT = "var(--ew-faint)"
"""Error bands, sky bands and rules."""

LINE = "var(--ew-line)"
"""Axes and frames."""

PAPER = "var(--ew-paper)"
"""What all is drawn on."""

WARNING = "var(--ew-warning)"
"""What a person should doubt."""

HYPOTHESIS = "var(--ew-hypothesis)"
"""Everything that follows from the adopted identity: its name, its line labels, its card."""

LYA = "var(--ew-lya)"
OII = "var(--ew-oii)"
"""What speaks of the one or the other identity where both are shown side by side."""

MEASURED = "var(--ew-measured)"
"""What was fitted or measured by us: the line fit, the apertures."""

CATALOG = "var(--ew-catalog)"
"""Objects of a catalogue."""

FIBERS = ("var(--ew-fiber-1)", "var(--ew-fiber-2)", "var(--ew-fiber-3)", "var(--ew-fiber-4)")
"""The four fibers of highest weight, in that order, in the strip and on the sky."""

MASKED = "#f0e442"
"""Masked pixels: cosmic rays. Painted into pictures, so no variable."""

OTHER_FIBERS = "var(--ew-fiber-rest)"
"""All other fibers."""


def fiber_color(rank: int) -> str:
    """The colour of the fiber with this rank by weight, counted from 0."""
    return FIBERS[rank] if 0 <= rank < len(FIBERS) else OTHER_FIBERS
