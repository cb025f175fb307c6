"""Why: each piece of evidence for or against Lyα as a signed bar, with its reason in words."""

from __future__ import annotations

from math import ceil, isfinite

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.evidence import FULL_BAR, direction
from elixer_widgets.classification.posterior import Evidence
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

SILENT = 0.15
"""Log odds below which a piece of evidence is only named."""

WEAK = 0.5
"""Log odds below which it is only named where there is no room for all."""

ROOM, LINE = 15, 62
"""Lines above the foot in a window of 900 pixels, and characters in one of them."""


_CUT = f"the bar is cut at {FULL_BAR:g}; the number is whole"


def _amount(piece: Evidence) -> float:
    return piece.log_odds if isfinite(piece.log_odds) else 0.0


def _row(piece: Evidence) -> str:
    amount = _amount(piece)
    share = 50.0 * min(abs(amount) / FULL_BAR, 1.0)
    left = 50.0 if amount >= 0 else 50.0 - share
    side = "ew-for" if amount >= 0 else "ew-against"
    sign = "+" if amount > 0 else ""
    cut = ""
    if abs(amount) > FULL_BAR:
        end, mark = ("right", "▸") if amount > 0 else ("left", "◂")
        cut = f'<b class="ew-bar-cut" style="{end}:-3px" title="{_CUT}">{mark}</b>'
    return (
        f'<div class="ew-bar-row" title="{escape(piece.words)}"><span class="ew-bar-name">{escape(piece.name)}</span>'
        f'<span class="ew-bar"><i class="{side}" style="left:{left:.1f}%;width:{max(share, 0.6):.1f}%"></i>{cut}</span>'
        f'<span class="ew-bar-number">{sign}{words.number(amount, 1)}</span>'
        f'<span class="ew-bar-words">{escape(piece.words)}</span></div>'
    )


def _lines(piece: Evidence) -> int:
    """How many lines a piece takes: its name and bar, and its words."""
    return 1 + ceil(len(piece.words) / LINE)


def draw(interpretation: Interpretation) -> str:
    """The bars as HTML, the strongest evidence first."""
    if not interpretation.evidence:
        return '<div class="ew-none">no evidence was weighed</div>'
    ordered = sorted(interpretation.evidence, key=lambda piece: -abs(_amount(piece)))
    telling = [piece for piece in ordered if abs(_amount(piece)) >= SILENT]
    while sum(map(_lines, telling)) > ROOM and abs(_amount(telling[-1])) < WEAK:
        telling.pop()
    silent = ordered[len(telling) :]
    foot = [f"Together P(Lyα) = {words.percent(interpretation.p_lya)}"]
    foot[0] += (
        f", calibrated {interpretation.provenance.split(':')[0]}."
        if interpretation.calibrated
        else "; * provisional, not calibrated."
    )
    if silent:
        tip = "; ".join(f"{piece.name}: {piece.words}" for piece in silent)
        names = ", ".join(piece.name for piece in silent)
        shown = any(direction(_amount(piece)) != direction(0.0) for piece in silent)
        foot.append(
            f'<span title="{escape(tip)}">{"Little" if shown else "Nothing"} is said by: {escape(names)}.</span>'
        )
    rows = "".join(_row(piece) for piece in telling)
    cut = any(abs(_amount(piece)) > FULL_BAR for piece in telling)
    middle = f'<span title="{_CUT}">◂▸ cut at ±{FULL_BAR:g}</span>' if cut else ""
    return (
        f'<div class="ew-bar-scale"><span>against</span>{middle}<span>for Lyα</span></div>'
        f'{rows}<div class="ew-bar-foot">{" ".join(foot)}</div>'
    )


class EvidencePanel(Panel):
    """What the probability of Lyα rests on."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Why <small>what each piece adds to the log odds of Lyα</small></h3>")
        self.bars = Markup().add_class("ew-fill").add_class("ew-scroll")
        super().__init__(state, "evidence", (title, self.bars))
        self.watch(self._draw, "interpretation", clear=self._clear)

    def _draw(self) -> None:
        interpretation = self.state.interpretation
        self.bars.markup = (
            '<div class="ew-none">not interpreted</div>' if interpretation is None else draw(interpretation)
        )

    def _clear(self) -> None:
        self.bars.markup = ""
