"""Why: what each piece of evidence adds, drawn where the page has room."""

from __future__ import annotations

from collections.abc import Sequence

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.evidence import FULL_BAR, said
from elixer_widgets.classification.posterior import LABELS, Evidence
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import PIXELS_PER_POINT, Canvas, wrap
from elixer_widgets.reports.colors import GREY, ORANGE, SKY
from elixer_widgets.reports.layout import Box, cutout_box
from elixer_widgets.reports.wording import calibration_words, signed

NAMES_WIDTH, BAR_WIDTH, NUMBER_WIDTH = 215.0, 200.0, 75.0
SLOTS = len(layout.CUTOUT_LEFTS)


def posterior_words(interpretation: Interpretation, room: int = 60) -> str:
    """The identities by probability, `Lyα 88.0 %,  [O II] 9.0 %`, as many as fit into `room` characters."""
    line = ""
    for name, value in sorted(interpretation.posterior.items(), key=lambda item: -item[1]):
        more = f"{line},  " if line else ""
        more += f"{LABELS.get(name, name)} {100 * value:.1f} %"
        if value < 5e-4 or len(more) > room:
            break
        line = more
    return line


def strongest(evidence: Sequence[Evidence], most: int) -> list[Evidence]:
    """At most `most` pieces in their order; what does not fit is one piece with the sum, so that all still add up."""
    if len(evidence) <= most:
        return list(evidence)
    ranked = sorted(evidence, key=lambda each: -abs(each.log_odds))
    kept, rest = ranked[: max(most - 1, 0)], ranked[max(most - 1, 0) :]
    amount = sum(each.log_odds for each in rest)
    together = Evidence("all else", amount, said(amount, f"{len(rest)} smaller pieces together"))
    return [each for each in evidence if each in kept] + [together]


def evidence_box(free_slot: int, columns: int) -> Box | None:
    """Where there is room: the end of the imaging row, else unused columns of counterparts; None if neither.

    `free_slot` is the first free place of the imaging row, `columns` the number of counterparts shown.
    """
    if SLOTS - free_slot >= 2:
        first, last = cutout_box(free_slot), cutout_box(SLOTS - 1)
        return Box(first.left, first.top - 30, last.right, first.bottom + 90)
    lefts = layout.COUNTERPART_COLUMNS
    if columns < len(lefts) - 1:
        left = max(lefts[columns], lefts[1]) if columns else lefts[1]
        return Box(left, layout.COUNTERPARTS.top - 60, layout.PHOTO_Z.left - 60, layout.COUNTERPARTS.bottom + 20)
    return None


def draw_evidence(canvas: Canvas, interpretation: Interpretation, box: Box) -> None:
    """Draw the evidence into `box`."""
    title = f"Why: log odds for Lyα (probabilities {calibration_words(interpretation)})"
    if any(abs(each.log_odds) > FULL_BAR for each in interpretation.evidence):
        title += f"; » bars cut at ±{FULL_BAR:g}"
    canvas.text(box.left, box.top + 12, title, 10)
    y = box.top + 42
    room = int(box.width / (9.0 * PIXELS_PER_POINT * 0.68))
    canvas.text(box.left, y, posterior_words(interpretation, room), 9, bold=True)
    y += 28
    if not interpretation.evidence:
        canvas.text(box.left, y, "no evidence was recorded", 9, color=GREY)
        return
    bar = Box(box.left + NAMES_WIDTH, y - 12, box.left + NAMES_WIDTH + BAR_WIDTH, box.bottom)
    words_left = bar.right + NUMBER_WIDTH + 14
    room = int((box.right - words_left) / (8.0 * PIXELS_PER_POINT * 0.56))
    below = room < 40  # a narrow box has the words under the name
    if below:
        words_left = box.left + 14
        room = int((box.right - words_left) / (7.5 * PIXELS_PER_POINT * 0.56))
    one = 17.0
    shown = strongest(interpretation.evidence, 1 + int((box.bottom - y) / (one * (1 + int(below)) + 12.0)))
    step = (box.bottom - y) / len(shown)
    zero: list[list[tuple[float, float]]] = []
    middle = bar.center[0]
    for number, each in enumerate(shown):
        lines = wrap(each.words, room)
        fits = max(1, int(min(step, 62.0) / one) - int(below))
        if len(lines) > fits:
            lines = [*lines[: fits - 1], lines[fits - 1].rstrip(",;") + " …"]
        canvas.text(box.left, y, each.name, 8.5)
        length = max(-1.0, min(1.0, each.log_odds / FULL_BAR)) * bar.width / 2
        left, right = sorted((middle, middle + length))
        zero.append([(middle, y - 9), (middle, y + 9)])
        canvas.rectangle(Box(left, y - 6, right, y + 6), face=ORANGE if length > 0 else SKY)
        if abs(each.log_odds) > FULL_BAR:
            canvas.text(right if length > 0 else left, y, "»" if length > 0 else "«", 8, align="center", bold=True)
        canvas.text(bar.right + NUMBER_WIDTH, y, signed(each.log_odds), 8.5, align="right")
        for row, line in enumerate(lines):
            at = y + one * (row + 1 if below else row)
            canvas.text(words_left, at, line, 7.5 if below else 8, color="#333333")
        last = number == len(shown) - 1
        y += 0.0 if last else min(step, 14 + one * (len(lines) + int(below)))
    canvas.lines(zero, GREY, 0.7)
