"""The continuum under the line, from each source, and what each would make of P(LAE)/P(OII)."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite

from elixer_widgets.analysis import Interpretation
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

SHOWN = 5
"""Rows; the heaviest sources. The combined one comes last and always."""


def _row(estimate: ContinuumEstimate, ratio: str, share: str, css: str = "", used: bool | None = None) -> str:
    """One estimate; `used` says whether a person lets it count, None where that is no question."""
    tip = estimate.note or (
        f"{estimate.band} magnitude {estimate.magnitude:.2f}" if isfinite(estimate.magnitude) else ""
    )
    name = escape(estimate.name)
    if used is not None:
        does = "leave it out" if used else "let it count again"
        tip = f"{tip}; click to {does}".removeprefix("; ")
        name = f'<button class="ew-continuum-name" data-key="{name}" aria-pressed="{str(used).lower()}">{name}</button>'
    return (
        f'<tr class="{css}" title="{escape(tip)}"><td>{name}</td>'
        f"<td>{escape(words.continuum(estimate))}</td><td>{share}</td><td>{escape(ratio)}</td></tr>"
    )


def draw(interpretation: Interpretation, without: Collection[str] = ()) -> str:
    """The table as HTML; those in `without` a person left out."""
    ratios = {each.source: words.ratio(each, interval=False) for each in interpretation.plae_sources}
    sources = interpretation.continuum_sources
    total = sum(each.weight for each in sources if isfinite(each.weight))

    def weight(each: ContinuumEstimate) -> float:
        return each.weight / total if isfinite(each.weight) and total > 0 else 0.0

    # what was left out stays in sight, so that it can come back
    shown = sorted(sources, key=lambda each: (each.name not in without, -weight(each)))[:SHOWN]
    shown.sort(key=lambda each: (each.name in without, -weight(each)))
    rows = "".join(
        _row(
            each,
            ratios.get(each.name, words.DASH),
            words.percent(weight(each)) if weight(each) else words.DASH,
            "" if weight(each) else "ew-unused",
            each.name not in without,
        )
        for each in shown
    )
    combined = _row(interpretation.continuum, words.ratio(interpretation.plae_poii, interval=False), "", "ew-best")
    return (
        '<table class="ew-table ew-names"><thead><tr><th>source</th><th>10⁻¹⁷ cgs/Å</th><th>weight</th>'
        f"<th>P(LAE)/ P(OII)</th></tr></thead><tbody>{rows}{combined}</tbody></table>"
    )


class Continua(Panel):
    """Where the continuum under the line comes from."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Continuum <small>each source and its weight; click leaves one out</small></h3>")
        self.table = Markup()
        self.table.on_pick(self._switch)
        super().__init__(state, "continua", (title, self.table))
        self.watch(self._draw, "interpretation", clear=self._clear)

    def _draw(self) -> None:
        interpretation = self.state.interpretation
        self.table.markup = (
            '<div class="ew-none">not interpreted</div>'
            if interpretation is None
            else draw(interpretation, self.state.choices.without)
        )

    def _switch(self, name: str) -> None:
        interpretation, without = self.state.interpretation, self.state.choices.without
        if name in without:
            self.state.choose(without=tuple(each for each in without if each != name))
        elif interpretation is not None and any(each.name == name for each in interpretation.continuum_sources):
            self.state.choose(without=(*without, name))

    def _clear(self) -> None:
        self.table.markup = ""
