"""Photometric redshifts of the catalogue matches on one axis with the redshifts that the line would mean."""

from __future__ import annotations

from math import isfinite

import numpy as np

from elixer_widgets.analysis import Interpretation, Measurements, match_id
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.reports.derived import redshift_as
from elixer_widgets.widgets.markup import escape

LEFT, RIGHT, TOP, BOTTOM = 8.0, 332.0, 14.0, 72.0
LAST = 4.0
"""The highest redshift shown; HETDEX sees Lyα to 3.5."""


def place(z: float) -> float:
    """Where a redshift lies on the axis."""
    return LEFT + (RIGHT - LEFT) * min(max(z, 0.0), LAST) / LAST


def _curve(match: Match) -> str:
    """The points of a density scaled to its peak; empty where there is none."""
    if match.object.photo_z_pdf is None:
        return ""
    grid, density = (np.asarray(each, float) for each in match.object.photo_z_pdf)
    shown = np.isfinite(density) & (grid >= 0) & (grid <= LAST)
    peak = float(np.max(density[shown])) if shown.any() else 0.0
    if peak <= 0:
        return ""
    heights = BOTTOM - (BOTTOM - TOP - 4) * density[shown] / peak
    return " ".join(f"{place(float(z)):.1f},{y:.1f}" for z, y in zip(grid[shown], heights, strict=True))


def _drawn(match: Match, key: str, selected: bool) -> str:
    """One match: its density, or a bar where only a photo-z is known, and a diamond at its spec-z."""
    found = match.object
    kind = "ew-pdf" + (" ew-picked" if selected else "") + (" ew-best" if match.rank == 1 else "")
    tip = f"<title>{match.rank}: {escape(f'{found.catalog} {found.identifier}'.strip())}</title>"
    parts = []
    points = _curve(match)
    if points:
        parts.append(f'<polyline points="{points}">{tip}</polyline>')
    elif isfinite(found.photo_z):
        low = found.photo_z_low if isfinite(found.photo_z_low) else found.photo_z
        high = found.photo_z_high if isfinite(found.photo_z_high) else found.photo_z
        y = BOTTOM - 4.0 - 5.0 * match.rank
        parts.append(f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="{y}" y2="{y}">{tip}</line>')
        parts.append(f'<circle cx="{place(found.photo_z):.1f}" cy="{y}" r="2">{tip}</circle>')
    if isfinite(found.spec_z):
        x, y = place(found.spec_z), BOTTOM - 5.0
        parts.append(
            f'<path class="ew-spec" d="M{x:.1f} {y - 5} l4 5 l-4 5 l-4 -5 z">'
            f"<title>{match.rank}: spec-z {found.spec_z:.4f}</title></path>"
        )
    return f'<g class="{kind}" data-key="{escape(key)}">{"".join(parts)}</g>' if parts else ""


def photo_z_plot(
    measurements: Measurements, interpretation: Interpretation | None, shown: int, selected: str = ""
) -> str:
    """The redshifts of the first matches as SVG, with those were the line Lyα or [O II]; empty without any.

    Parameters
    ----------
    measurements : Measurements
        As measured: its matches give the keys.
    interpretation : Interpretation or None
        Tells which identity is adopted.
    shown : int
        How many matches.
    selected : str
        The key of the match that is pointed out.
    """
    matches = measurements.matches[:shown]
    # the one pointed out last, so that it lies on top
    ordered = sorted(matches, key=lambda match: match_id(match) == selected)
    drawn = "".join(_drawn(match, match_id(match), match_id(match) == selected) for match in ordered)
    if not drawn:
        return ""
    parts = [drawn]
    for identity, kind in (("Lya", "ew-as-lya"), ("OII", "ew-as-oii")):
        z = redshift_as(identity, measurements.line.center)
        if isfinite(z) and z >= 0:
            adopted = interpretation is not None and interpretation.identity == identity
            x = place(z)
            parts.append(
                f'<line class="{kind}{" ew-now" if adopted else ""}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
                f'y2="{BOTTOM}"/><text class="{kind}" x="{min(max(x, 24.0), RIGHT - 20):.1f}" y="10" '
                f'text-anchor="middle">{LABELS[identity]} {z:.2f}</text>'
            )
    ticks = "".join(
        f'<text x="{place(z):.1f}" y="{BOTTOM + 12}" text-anchor="middle">{z}</text>' for z in range(int(LAST) + 1)
    )
    return (
        f'<div class="ew-photo-z"><svg viewBox="0 0 340 {BOTTOM + 16}">'
        f'<path class="ew-axis" d="M{LEFT} {BOTTOM} H{RIGHT}"/>{"".join(parts)}{ticks}</svg></div>'
    )
