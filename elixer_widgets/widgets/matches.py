"""Catalogue objects that may be the source, best first."""

from __future__ import annotations

from math import isfinite

import numpy as np

from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.detection import CatalogObject
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.palette import CATALOG, HYPOTHESIS
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


def photo_z_plot(measurements: Measurements, interpretation: Interpretation | None) -> str:
    """The photometric redshift densities as SVG, with the redshifts were the line Lyα or [O II]; empty without any."""
    left, right, top, bottom, last = 8.0, 332.0, 14.0, 92.0, 4.0

    def x(z: float) -> float:
        return left + (right - left) * min(max(z, 0.0), last) / last

    parts = []
    for match in measurements.matches[:SHOWN]:
        if match.object.photo_z_pdf is None:
            continue
        grid, density = (np.asarray(each, float) for each in match.object.photo_z_pdf)
        shown = np.isfinite(density) & (grid >= 0) & (grid <= last)
        peak = float(np.max(density[shown])) if shown.any() else 0.0
        if peak <= 0:
            continue
        heights = bottom - (bottom - top - 4) * density[shown] / peak
        points = " ".join(f"{x(float(a)):.1f},{b:.1f}" for a, b in zip(grid[shown], heights, strict=True))
        width = 1.6 if match.rank == 1 else 0.8
        parts.append(f'<polyline points="{points}" fill="none" stroke="{CATALOG}" stroke-width="{width}"/>')
    if not parts:
        return ""
    redshifts = {} if interpretation is None else {rival.identity: rival.redshift for rival in interpretation.rivals}
    for identity in ("Lya", "OII"):
        z = redshifts.get(identity, float("nan"))
        if isfinite(z):
            adopted = interpretation is not None and interpretation.identity == identity
            color = HYPOTHESIS if adopted else "#8b97a3"
            parts.append(
                f'<line x1="{x(z):.1f}" x2="{x(z):.1f}" y1="{top}" y2="{bottom}" stroke="{color}" '
                f'stroke-dasharray="4 3"/><text x="{x(z):.1f}" y="10" text-anchor="middle">{LABELS[identity]}</text>'
            )
    ticks = "".join(f'<text x="{x(z):.1f}" y="{bottom + 12}" text-anchor="middle">{z}</text>' for z in range(5))
    return (
        f'<div class="ew-photo-z"><svg viewBox="0 0 340 108"><path d="M{left} {bottom} H{right}" stroke="#8b97a3"/>'
        f"{''.join(parts)}{ticks}</svg></div>"
    )


class Matches(Panel):
    """The match table."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Catalogue matches <small>within 3″, best first</small></h3>")
        self.table = Markup().add_class("ew-fill").add_class("ew-scroll")
        super().__init__(state, "matches", (title, self.table))
        self.watch(self._draw, "measurements", "interpretation", clear=self._clear)

    def _draw(self) -> None:
        measurements = self.state.measurements
        if measurements is None:
            self.table.markup = '<div class="ew-none">not measured</div>'
        else:
            self.table.markup = (
                f"<div>{draw(measurements)}{photo_z_plot(measurements, self.state.interpretation)}</div>"
            )

    def _clear(self) -> None:
        self.table.markup = ""
