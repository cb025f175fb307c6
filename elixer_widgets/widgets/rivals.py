"""The identities the line might have, side by side; a click adopts one."""

from __future__ import annotations

from functools import partial
from math import isfinite

from elixer_widgets.analysis import Interpretation, Rival
from elixer_widgets.classification.posterior import LABELS, redshifts
from elixer_widgets.classification.solutions import Companion
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.quickfit import step_rival
from elixer_widgets.widgets.state import ExplorerState

NOT_LINES = ("star", "artifact", "noise")

SIGNS = {"found": "●", "missing": "○", "not seen": "·", "out of range": "–"}
"""A sign a status, so that no colour is needed to read it."""


ALONE = "the probability above takes what you set for true with great weight; this one is that of the data alone"


def companion_tip(companion: Companion) -> str:
    """One companion in words: its flux, or its limit written as one."""
    if companion.status == "out of range" or not companion.in_range:
        return f"{companion.label}: at {companion.wavelength:.0f} Å, outside the spectrum"
    if companion.status == "found":
        return f"{companion.label}: found, {words.flux(companion.flux, companion.flux_err)}"
    limit = f", < {words.flux(companion.limit)} (3σ)" if isfinite(companion.limit) else ""
    says = "missing though it should be seen" if companion.status == "missing" else "not seen, as may be"
    return f"{companion.label}: {says}{limit}"


def _short(companion: Companion) -> str:
    """One companion that decides, as short as may be: its ion with flux or 3σ limit in 1e-17 erg/s/cm²."""
    ion = companion.label.rsplit(" ", 1)[0]
    if companion.status == "found":
        return f"{SIGNS['found']} {ion} {words.with_error(1e17 * companion.flux, 1e17 * companion.flux_err, 1)}"
    limit = f" < {words.number(1e17 * companion.limit, 1)}" if isfinite(companion.limit) else ""
    return f"{SIGNS['missing']} no {ion}{limit}"


def _companions(companions: tuple[Companion, ...]) -> str:
    """Up to three short lines: what decides with its numbers, found lines first; the rest by count."""
    if not companions:
        return "<span>no companion lines</span>"
    decide = [each for status in ("found", "missing") for each in companions if each.status == status]
    counts = [f"+{len(decide) - 2}"] if len(decide) > 2 else []
    for status, word in (("not seen", "unseen"), ("out of range", "outside")):
        count = sum(each.status == status for each in companions)
        if count:
            counts.append(f"{SIGNS[status]} {count} {word}")
    # a card has room for two counts; what lies outside the spectrum says least, and the tip has it
    lines = [*(_short(each) for each in decide[:2]), " ".join(counts[:2])]
    return "".join(f"<span>{escape(line)}</span>" for line in lines if line)


def _alone(interpretation: Interpretation, identity: str) -> str:
    """What the data alone give an identity, where a person's answer is part of what is shown; else nothing."""
    if interpretation.chosen_by != "person":
        return ""
    return f"data {words.percent(interpretation.data_posterior.get(identity, float('nan')))}"


def card(rival: Rival, adopted: bool, alone: str = "") -> str:
    """One identity as a button; `alone` says what the data alone give it."""
    label = LABELS.get(rival.identity, rival.identity)
    width = words.number(rival.rest_equivalent_width, 0 if abs(rival.rest_equivalent_width) >= 9.95 else 1)
    tip = "\n".join(companion_tip(companion) for companion in rival.companions) or "no companion lines in its list"
    problem = words.redshift_problem(rival.redshift)
    kind = 'class="ew-card ew-impossible" disabled aria-disabled="true"' if problem else 'class="ew-card"'
    tip = problem or tip
    share = 100.0 * rival.probability if isfinite(rival.probability) else 0.0
    more = f'<b title="{ALONE}">{alone}</b>' if alone else f'<span class="ew-more">EW {width} Å</span>'
    return (
        f'<button {kind} data-key="{escape(rival.identity)}" aria-pressed="{str(adopted).lower()}" '
        f'title="{escape(tip)}"><span class="ew-card-top"><b>{escape(label)}</b>'
        f"<b>{words.percent(rival.probability)}</b></span>"
        f'<span class="ew-card-share"><i style="width:{share:.1f}%"></i></span>'
        f'<span class="ew-card-z">z {words.number(rival.redshift, 4)} · {more}</span>'
        f'<span class="ew-card-lines">{escape(problem) or _companions(rival.companions)}</span></button>'
    )


def draw(interpretation: Interpretation) -> str:
    """All identities as HTML: emission lines by probability, then what is no line at all."""
    cards = "".join(
        card(rival, rival.identity == interpretation.identity, _alone(interpretation, rival.identity))
        for rival in interpretation.rivals
    )
    if not cards:
        cards = '<div class="ew-none ew-card">no line, so no identities to compare</div>'
    none = "".join(
        f'<button class="ew-nocard" data-key="{name}" aria-pressed="{str(name == interpretation.identity).lower()}" '
        f'title="{escape(_alone(interpretation, name))}">'
        f"<span>{LABELS[name]}</span><b>{words.percent(interpretation.posterior.get(name, float('nan')))}</b></button>"
        for name in NOT_LINES
    )
    return f'<div class="ew-cards">{cards}<div class="ew-nocards">{none}{_impossible(interpretation)}</div></div>'


def _impossible(interpretation: Interpretation) -> str:
    """The identities that the line cannot have, greyed, with the reason; nothing where all are possible."""
    listed = {rival.identity for rival in interpretation.rivals}
    shifts = redshifts(interpretation.measurements.line.center)
    reasons = {name: words.redshift_problem(z) for name, z in shifts.items() if name not in listed}
    tip = "\n".join(f"{LABELS[name]} {reason}" for name, reason in reasons.items() if reason)
    if not tip:
        return ""
    count = tip.count("\n") + 1
    names = ", ".join(LABELS[name] for name, reason in reasons.items() if reason)
    return (
        f'<button class="ew-nocard ew-impossible" disabled aria-disabled="true" title="{escape(tip)}">'
        f"<span>not {escape(names) if count == 1 else f'{count} lines'}</span><b>z &lt; 0</b></button>"
    )


class Rivals(Panel):
    """Every identity with its redshift, probability and companions."""

    def __init__(self, state: ExplorerState) -> None:
        self.cards = Markup().add_class("ew-fill")
        self.cards.on_pick(lambda identity: state.choose(identity=identity))
        super().__init__(state, "rivals", (self.cards,))
        for name, key, forward in (("next rival", ".", True), ("previous rival", ",", False)):
            state.register(
                name, key=key, help=f"Adopt the {name.split()[0]} identity in the order of their probabilities",
                do=partial(step_rival, state, forward), group="Identity",
            )  # fmt: skip
        self.watch(self._draw, "interpretation", clear=self._clear)

    def _draw(self) -> None:
        interpretation = self.state.interpretation
        self.cards.markup = (
            '<div class="ew-none">not interpreted</div>' if interpretation is None else draw(interpretation)
        )

    def _clear(self) -> None:
        self.cards.markup = ""
