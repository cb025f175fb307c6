"""Why: each piece of evidence for or against Lyα as a signed bar, with its reason in words."""

from __future__ import annotations

from math import isfinite

from elixer_widgets.analysis import Interpretation
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

FULL_BAR = 6.0
"""Natural log odds of a bar that fills its side (400 to 1); longer ones are cut, their number is not."""


def draw(interpretation: Interpretation) -> str:
    """The bars as HTML, the strongest evidence first."""
    if not interpretation.evidence:
        return '<div class="ew-none">no evidence was weighed</div>'
    rows = []
    for piece in sorted(interpretation.evidence, key=lambda e: -abs(e.log_odds) if isfinite(e.log_odds) else 0.0):
        amount = piece.log_odds if isfinite(piece.log_odds) else 0.0
        share = 50.0 * min(abs(amount) / FULL_BAR, 1.0)
        left = 50.0 if amount >= 0 else 50.0 - share
        side = "ew-for" if amount >= 0 else "ew-against"
        sign = "+" if amount > 0 else ""
        rows.append(
            f'<div class="ew-bar-row" title="{escape(piece.words)}">'
            f'<span class="ew-bar-name">{escape(piece.name)}</span>'
            f'<span class="ew-bar"><i class="{side}" style="left:{left:.1f}%;width:{max(share, 0.6):.1f}%"></i></span>'
            f'<span class="ew-bar-number">{sign}{words.number(piece.log_odds, 1)}</span>'
            f'<span class="ew-bar-words">{escape(piece.words)}</span></div>'
        )
    calibrated = (
        "Calibrated against truth." if interpretation.calibrated else "* Provisional: not calibrated against truth."
    )
    return (
        '<div class="ew-bar-scale"><span>against</span><span>for Lyα</span></div>'
        f'{"".join(rows)}<div class="ew-bar-foot">Together P(Lyα) = {words.percent(interpretation.p_lya)}. {calibrated}'
        "</div>"
    )


class EvidencePanel(Panel):
    """What the probability of Lyα rests on."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Why <small>what each piece adds to the log odds of Lyα</small></h3>")
        self.bars = Markup().add_class("ew-fill").add_class("ew-scroll")
        super().__init__(state, "evidence", (title, self.bars))
        self.watch(self._draw, "interpretation")

    def _draw(self) -> None:
        interpretation = self.state.interpretation
        self.bars.markup = (
            '<div class="ew-none">not interpreted</div>' if interpretation is None else draw(interpretation)
        )
