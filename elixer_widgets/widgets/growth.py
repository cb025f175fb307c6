"""The curve of growth: what magnitude an aperture of each radius gives."""

from __future__ import annotations

from math import isfinite

from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import escape

WORST_STEP = 0.75
"""mag; steps of a growth curve with a larger error are not drawn."""

LEFT, RIGHT, TOP, BOTTOM = 34.0, 172.0, 22.0, 128.0


def growth_curve(growth: Growth | None) -> str:
    """Magnitude over radius as SVG, the adopted radius marked; a sentence where there is no curve."""
    steps = [] if growth is None else [s for s in growth.steps if isfinite(s.mag) and isfinite(s.radius)]
    # where the light is lost in the sky the magnitude runs off, and would flatten all that was measured
    steps = [s for s in steps if not s.mag_err > WORST_STEP] or steps
    if growth is None or len(steps) < 2:
        return '<div class="ew-growth ew-none">no growth curve</div>'
    radii, mags = [s.radius for s in steps], [s.mag for s in steps]
    bright, faint = min(mags), max(mags)
    room = max(0.15 * (faint - bright), 0.1)
    bright, faint = bright - room, faint + room
    reach = max(max(radii), growth.radius if isfinite(growth.radius) else 0.0) * 1.05

    def x(radius: float) -> float:
        return LEFT + (RIGHT - LEFT) * radius / reach

    def y(mag: float) -> float:
        return TOP + (BOTTOM - TOP) * (min(max(mag, bright), faint) - bright) / (faint - bright)

    points = " ".join(f"{x(s.radius):.1f},{y(s.mag):.1f}" for s in steps)
    errors = "".join(
        f'<line class="ew-rule" x1="{x(s.radius):.1f}" x2="{x(s.radius):.1f}" y1="{y(s.mag - s.mag_err):.1f}" '
        f'y2="{y(s.mag + s.mag_err):.1f}"/>'
        for s in steps
        if isfinite(s.mag_err)
    )
    adopted = limit = means = ""
    if growth.is_limit:
        means = f'<text x="{LEFT}" y="148">not its own light: {escape(words.aperture_magnitude(growth))}</text>'
        if growth.counts < 2.0 * growth.counts_err:
            means = f'<text x="{LEFT}" y="148">below 2σ: {escape(words.aperture_magnitude(growth))}</text>'
    if isfinite(growth.radius):
        adopted = (
            f'<line class="ew-adopted" x1="{x(growth.radius):.1f}" x2="{x(growth.radius):.1f}" '
            f'y1="{TOP}" y2="{BOTTOM}"/>'
        )
    if bright < growth.limit < faint:
        limit = (
            f'<line class="ew-limit" x1="{LEFT}" x2="{RIGHT}" y1="{y(growth.limit):.1f}" y2="{y(growth.limit):.1f}"/>'
            f'<text x="{RIGHT}" y="{y(growth.limit) - 2:.1f}" text-anchor="end">2σ limit</text>'
        )
    texts = "".join(
        f'<text x="{LEFT - 4}" y="{y(mag) + 3.5:.1f}" text-anchor="end">{mag:.1f}</text>' for mag in (bright, faint)
    )
    return (
        f'<div class="ew-growth"><svg viewBox="0 0 180 152" preserveAspectRatio="xMidYMid meet">'
        f'<text x="{LEFT}" y="13">growth, {escape(growth.band)} mag</text>'
        f'<path class="ew-axis" d="M{LEFT} {TOP} V{BOTTOM} H{RIGHT}"/>{errors}{limit}{adopted}'
        f'<polyline class="ew-curve" points="{points}"/>{texts}'
        f'<text x="{LEFT}" y="{BOTTOM + 13}" text-anchor="middle">0</text>'
        f'<text x="{RIGHT}" y="{BOTTOM + 13}" text-anchor="end">{reach:.1f}″</text>{means}</svg></div>'
    )
