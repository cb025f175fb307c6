"""Catalogue objects that may be the source, best first."""

from __future__ import annotations

from math import isfinite

from elixer_widgets.analysis import Measurements
from elixer_widgets.detection import CatalogObject
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

SHOWN = 7
"""Rows; the rest are counted."""


def _photo_z(found: CatalogObject) -> str:
    if not isfinite(found.photo_z):
        return words.DASH
    if isfinite(found.photo_z_low) and isfinite(found.photo_z_high):
        return f"{found.photo_z:.2f} <small>{found.photo_z_low:.2f} to {found.photo_z_high:.2f}</small>"
    return f"{found.photo_z:.2f}"


def _row(match: Match) -> str:
    found = match.object
    magnitude = found.magnitude(match.band) if match.band else None
    if magnitude is None and found.magnitudes:
        magnitude = found.magnitudes[0]
    shown, full = words.DASH, ""
    if magnitude is not None:
        full = str(magnitude)
        shown = f"{magnitude.band} {'> ' if magnitude.is_limit else ''}{words.number(magnitude.value)}"
    chance = words.percent(match.chance)
    name = f"{found.catalog} {found.identifier}".strip()
    return (
        f'<tr class="{"ew-best" if match.rank == 1 else ""}" title="{escape(name)}"><td>{match.rank}</td>'
        f"<td>{words.number(match.separation)}″</td><td>{chance}</td>"
        f'<td title="{escape(full)}">{escape(shown)}</td>'
        f"<td>{words.number(found.spec_z, 4)}</td><td>{_photo_z(found)}</td></tr>"
    )


def draw(measurements: Measurements) -> str:
    """The table as HTML; a sentence where there is nothing to list."""
    if not measurements.matches:
        if not measurements.detection.imaging.objects:
            return '<div class="ew-none">no catalogue objects here</div>'
        return '<div class="ew-none">no catalogue object within 3″</div>'
    rows = "".join(_row(match) for match in measurements.matches[:SHOWN])
    rest = len(measurements.matches) - SHOWN
    more = f'<div class="ew-bar-foot">and {rest} more</div>' if rest > 0 else ""
    return (
        '<table class="ew-table"><thead><tr><th></th><th>dist.</th>'
        '<th title="probability that an unrelated object this bright lies this near">chance</th>'
        f"<th>AB mag</th><th>spec-z</th><th>photo-z</th></tr></thead><tbody>{rows}</tbody></table>{more}"
    )


class Matches(Panel):
    """The match table."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Catalogue matches <small>within 3″, best first</small></h3>")
        self.table = Markup().add_class("ew-fill").add_class("ew-scroll")
        super().__init__(state, "matches", (title, self.table))
        self.watch(self._draw, "measurements", clear=self._clear)

    def _draw(self) -> None:
        measurements = self.state.measurements
        self.table.markup = '<div class="ew-none">not measured</div>' if measurements is None else draw(measurements)

    def _clear(self) -> None:
        self.table.markup = ""
