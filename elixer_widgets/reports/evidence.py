"""Why: what each piece of evidence adds, drawn where the imaging row has room."""

from __future__ import annotations

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import PIXELS_PER_POINT, Canvas, wrap
from elixer_widgets.reports.colors import GREY, ORANGE, SKY
from elixer_widgets.reports.layout import Box, cutout_box

LEAST_SLOTS = 2
FULL_BAR = 5.0  # natural log odds that fill half of the bar's room


def posterior_words(interpretation: Interpretation, most: int = 5) -> str:
    """The identities by probability, `Lyα 88 %, [O II] 9 %, ...`."""
    ranked = sorted(interpretation.posterior.items(), key=lambda item: -item[1])[:most]
    return ",  ".join(f"{LABELS.get(name, name)} {100 * value:.1f} %" for name, value in ranked if value >= 5e-4)


def draw_evidence(canvas: Canvas, interpretation: Interpretation, slot: int) -> None:
    """Draw the evidence over the free slots from `slot` on; nothing if fewer than two are free."""
    if len(layout.CUTOUT_LEFTS) - slot < LEAST_SLOTS:
        return
    first, last = cutout_box(slot), cutout_box(len(layout.CUTOUT_LEFTS) - 1)
    box = Box(first.left, first.top, last.right, first.bottom + 80)
    title = "Why: log odds for Lyα"
    if not interpretation.calibrated:
        title += " (probabilities not calibrated)"
    canvas.text(box.left, box.top - 18, title, 10)
    y = box.top + 14
    canvas.text(box.left, y, posterior_words(interpretation), 9, bold=True)
    if not interpretation.evidence:
        canvas.text(box.left, y + 34, "no evidence was recorded", 9, color=GREY)
        return
    names = 210.0
    bar = Box(box.left + names, y + 24, box.left + names + 170, box.bottom)
    middle = bar.center[0]
    room = int((box.right - bar.right - 80) / (8.0 * PIXELS_PER_POINT * 0.56))
    y += 42
    for each in interpretation.evidence:
        lines = wrap(each.words, room)[:2]
        height = 15 + 17 * len(lines)
        if y + height > box.bottom:
            canvas.text(box.left, y, "and more, in the catalogue file", 8, color=GREY)
            break
        canvas.text(box.left, y, each.name, 8.5)
        length = max(-1.0, min(1.0, each.log_odds / FULL_BAR)) * bar.width / 2
        left, right = sorted((middle, middle + length))
        canvas.rectangle(Box(left, y - 7, right, y + 7), face=ORANGE if length > 0 else SKY)
        canvas.text(bar.right + 64, y, f"{each.log_odds:+.1f}".replace("-", "−"), 8.5, align="right")
        canvas.text(bar.right + 78, y + 8.5 * (len(lines) - 1), "\n".join(lines), 8, color="#333333")
        y += height
    canvas.lines([[(middle, bar.top), (middle, min(y - 14, box.bottom))]], GREY, 0.7)
