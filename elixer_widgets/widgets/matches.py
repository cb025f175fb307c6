"""Catalogue objects that may be the source, best first, and which of them a person takes for it."""

from __future__ import annotations

from math import isfinite

from elixer_widgets._asserted import NO_COUNTERPART
from elixer_widgets.analysis import Interpretation, Measurements, match_id
from elixer_widgets.detection import CatalogObject
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.reports.derived import from_match, redshift_as
from elixer_widgets.reports.wording import is_magnitude
from elixer_widgets.spectra.continuum import rest_width
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.photoz import photo_z_plot
from elixer_widgets.widgets.state import ExplorerState

SHOWN = 5
"""Rows; the rest are counted."""

TAKE = "take:"
AUTOMATIC = "automatic"
"""What a click asks for, before the key of a match or alone."""

HEAD = (
    ("", "which object is taken for the source"),
    ("", "rank"),
    ("sep.", "true angle between detection and object"),
    ("chance", "probability that an unrelated object this bright lies this near"),
    ("score", "the match score that ELiXer publishes; no probability"),
    ("AB mag", ""),
    ("spec-z", ""),
    ("photo-z", ""),
    ("EW<br>Lyα", "rest-frame equivalent width in Å were the line Lyα of this object"),
    ("EW<br>[O II]", "rest-frame equivalent width in Å were the line [O II] of this object"),
    ("P(LAE)/<br>P(OII)", "from this object's magnitude as the continuum"),
)


def _photo_z(found: CatalogObject) -> str:
    if not isfinite(found.photo_z):
        return words.DASH
    if isfinite(found.photo_z_low) and isfinite(found.photo_z_high):
        title = f"{found.photo_z_low:.2f} to {found.photo_z_high:.2f}"
        return f'<span title="{title}">{found.photo_z:.2f}</span>'
    return f"{found.photo_z:.2f}"


def _spec_z(redshift: float) -> str:
    """A redshift, struck out with the reason where no object can have it."""
    problem = words.redshift_problem(redshift)
    shown = words.number(redshift, 4)
    return f'<s class="ew-impossible" title="{escape(problem)}">{shown}</s>' if problem else shown


def _magnitude(match: Match) -> tuple[str, str]:
    """The magnitude in short, and all of them for who asks."""
    found = match.object
    magnitude = found.magnitude(match.band) if match.band else None
    if magnitude is None and found.magnitudes:
        magnitude = found.magnitudes[0]
    if magnitude is None or not is_magnitude(magnitude.value):
        return words.DASH, ""
    short = f"{magnitude.band} {'> ' if magnitude.is_limit else ''}{words.number(magnitude.value)}"
    return short, ", ".join(str(each) for each in found.magnitudes)


def _widths(match: Match, interpretation: Interpretation | None) -> tuple[str, str, str]:
    """Rest widths as Lyα and as [O II], and P(LAE)/P(OII), all on this object's continuum."""
    if interpretation is None:
        return words.DASH, words.DASH, words.DASH
    estimate, ratio = from_match(interpretation, match)
    line = interpretation.measurements.line
    said = []
    for identity in ("Lya", "OII"):
        z = redshift_as(identity, line.center)
        text = words.DASH
        if estimate is not None and z >= 0:
            width, _, is_limit = rest_width(line.flux, line.flux_err, estimate, z)
            if isfinite(width):
                kind = "abs. " if width < 0 else ""
                text = f"{'> ' if is_limit else ''}{kind}{abs(width):.{0 if abs(width) >= 10 else 1}f}"
        said.append(text)
    return said[0], said[1], words.DASH if ratio is None else words.ratio(ratio, interval=False)


def row(match: Match, key: str, rank: int, interpretation: Interpretation | None, selected: bool) -> str:
    """One object as a row of the table; `key` is its name among what was measured."""
    name = f"{match.object.catalog} {match.object.identifier}".strip()
    magnitude, magnitudes = _magnitude(match)
    lya, oii, ratio = _widths(match, interpretation)
    kind = " ".join(each for each, so in (("ew-taken", match.selected), ("ew-picked", selected)) if so)
    take = (
        f'<button class="ew-take" data-key="{TAKE}{escape(key)}" aria-pressed="{str(match.selected).lower()}" '
        f'title="take {escape(name)} for the source">{"◉" if match.selected else "○"}</button>'
    )
    cells = (
        f'<button class="ew-rank" data-key="{escape(key)}" title="{escape(name)}">{rank}</button>',
        f"{words.number(match.separation)}″",
        words.percent(match.chance),
        words.number(match.match_score),
        f'<span title="{escape(magnitudes)}">{escape(magnitude)}</span>',
        _spec_z(match.object.spec_z),
        _photo_z(match.object),
        escape(lya),
        escape(oii),
        escape(ratio),
    )
    return (
        f'<tr class="{kind}" data-key="{escape(key)}" title="{escape(name)}"><td>{take}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def draw(
    measurements: Measurements, interpretation: Interpretation | None, selected: str = "", chosen: str | None = None
) -> str:
    """The table as HTML; a sentence where there is nothing to list.

    Parameters
    ----------
    measurements : Measurements
        As measured; its order and keys are kept whichever object a person takes.
    interpretation : Interpretation or None
        Which object is taken, and what its continuum means.
    selected : str
        The key of the object that is pointed out.
    chosen : str, optional
        What a person chose: a key, or "none".
    """
    if not measurements.matches:
        if not measurements.detection.imaging.objects:
            return '<div class="ew-none">no catalogue objects here</div>'
        return '<div class="ew-none">no catalogue object within 3″</div>'
    shown = measurements if interpretation is None else interpretation.measurements
    # after a choice the ranks and the selection are those of the interpretation; the objects are the same
    now = {id(each.object): each for each in shown.matches}
    rows = []
    for match in measurements.matches[:SHOWN]:
        key = match_id(match)
        rows.append(row(now.get(id(match.object), match), key, match.rank, interpretation, key == selected))
    rest = len(measurements.matches) - SHOWN
    more = f"<span>and {rest} more</span>" if rest > 0 else ""
    head = "".join(f'<th title="{escape(tip)}">{text}</th>' for text, tip in HEAD)
    none, automatic = chosen == NO_COUNTERPART, chosen is None
    foot = (
        f'<div class="ew-match-foot"><button class="ew-take" data-key="{TAKE}{NO_COUNTERPART}" '
        f'aria-pressed="{str(none).lower()}">{"◉" if none else "○"} none of them</button>'
        f'<button class="ew-take" data-key="{AUTOMATIC}" aria-pressed="{str(automatic).lower()}">'
        f"{'◉' if automatic else '○'} automatic</button>{more}</div>"
    )
    return (
        f'<table class="ew-table ew-match-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{foot}"
    )


class Matches(Panel):
    """The match table, with the redshifts of the objects below it."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Catalogue matches <small>within 3″, best first · ◉ the source</small></h3>")
        self.table = Markup().add_class("ew-fill").add_class("ew-scroll")
        self.table.on_pick(self._picked)
        super().__init__(state, "matches", (title, self.table))
        self.watch(self._draw, "measurements", "interpretation", "selected_match", clear=self._clear)
        state.register(
            "next match", key="j", help="Point out the next catalogue match.", do=self._next, group="Matches"
        )
        state.register(
            "take match", key="J", help="Take the match that is pointed out for the source.", do=self._take,
            group="Matches",
        )  # fmt: skip
        state.register(
            "no match", key="K", help="Say that no catalogue object is the source.", group="Matches",
            do=lambda: state.choose(counterpart=NO_COUNTERPART),
        )  # fmt: skip

    def _picked(self, key: str) -> None:
        state = self.state
        if key == AUTOMATIC:
            state.choose(counterpart=None)
        elif key.startswith(TAKE):
            state.choose(counterpart=key.removeprefix(TAKE))
        else:
            state.selected_match = "" if state.selected_match == key else key

    def _keys(self) -> list[str]:
        measured = self.state.measurements
        return [] if measured is None else [match_id(match) for match in measured.matches[:SHOWN]]

    def _next(self) -> None:
        keys, now = self._keys(), self.state.selected_match
        if keys:
            self.state.selected_match = keys[(keys.index(now) + 1) % len(keys)] if now in keys else keys[0]

    def _take(self) -> None:
        key = self.state.selected_match
        if key in self._keys():
            self.state.choose(counterpart=key)
        else:
            self.state.message = "no catalogue match is pointed out; press j first, or click a row of the table"

    def _draw(self) -> None:
        state = self.state
        measured, found = state.measurements, state.interpretation
        if found is not None and (measured is None or found.measurements.detection is not measured.detection):
            found = None
        if measured is None:
            markup = '<div class="ew-none">not measured</div>'
        else:
            table = draw(measured, found, state.selected_match, state.choices.counterpart)
            markup = f"<div>{table}{photo_z_plot(measured, found, SHOWN, state.selected_match)}</div>"
        if self.table.markup != markup:
            self.table.markup = markup

    def _clear(self) -> None:
        self.table.markup = ""
