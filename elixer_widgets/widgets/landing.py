"""The front page of a published release: search for detections, open one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

import ipywidgets as W
import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases.search_index import Query, SearchIndex, understood
from elixer_widgets.widgets import words
from elixer_widgets.widgets.connection import Connection
from elixer_widgets.widgets.markup import Markup, escape, whole

SHOWN = 200
"""Results on the page; the number of all is said."""

LABELS = {
    "Lya": "Lyα", "OII": "[O II]", "OIII": "[O III]", "Hb": "Hβ", "Hg": "Hγ", "CIV": "C IV", "CIII": "C III]",
    "HeII": "He II", "MgII": "Mg II",
}  # fmt: skip
ORDERS = {"release": "as in the release", "sn": "highest S/N first", "doubt": "most doubtful first"}

_RANGES = {"p_lya": ("p_from", "p_to"), "sn": ("sn_from", ""), "wavelength": ("wave_from", "wave_to")}


class Landing(W.VBox):
    """A form, and the detections that answer it.

    Parameters
    ----------
    index : SearchIndex
    name : str
        Of the release, for people.
    open_one : callable
        Called with the number that a person chose and all numbers found (int64), in their order.

    Attributes
    ----------
    found : ndarray of int64
        The detections that the form asks for.
    """

    def __init__(self, index: SearchIndex, name: str, open_one: Callable[[int, np.ndarray], object]) -> None:
        self.index = index
        self.found = index.detectid[:0]
        self._open = open_one
        self._filling = False
        self.text = W.Text(
            placeholder="detection number, or position: 150.1 2.2   10h00m24s +2d12m00s   150.1 2.2 30 (arcsec)",
            continuous_update=False,
        ).add_class("ew-landing-text")
        classes = [("any class", "")] + [(LABELS.get(each, each), each) for each in index.identities[1:]]
        self.identity = W.Dropdown(options=classes, description="class")
        self.p_from = self._bound("P(Lyα) from")
        self.p_to = self._bound("to")
        self.sn_from = self._bound("S/N from")
        self.wave_from = self._bound("wavelength from")
        self.wave_to = self._bound("to")
        self.order = W.Dropdown(options=[(words_, key) for key, words_ in ORDERS.items()], description="order")
        unclassified = not index.classified and not np.isfinite(index.p_lya[:1000]).any()
        for each in (self.identity, self.p_from, self.p_to):
            each.disabled = unclassified
        self.head = Markup(
            markup=f"<h1>ELiXer Widgets</h1><p>{escape(name)}: {len(index):,} detections of single emission lines"
            f"{'. No catalogue was given: classes and probabilities are unknown.' if unclassified else ''}</p>"
        )
        self.said = Markup().add_class("ew-landing-said")
        self.results = Markup().add_class("ew-landing-results")
        self.results.on_pick(self._picked)
        self._fields = {
            "q": self.text, "class": self.identity, "p_from": self.p_from, "p_to": self.p_to, "sn_from": self.sn_from,
            "wave_from": self.wave_from, "wave_to": self.wave_to, "order": self.order,
        }  # fmt: skip
        for field in self._fields.values():
            field.observe(self._changed, "value")
        first = W.HBox([self.text]).add_class("ew-landing-row")
        second = W.HBox(
            [self.identity, self.p_from, self.p_to, self.sn_from, self.wave_from, self.wave_to, self.order]
        ).add_class("ew-landing-row")
        super().__init__([self.head, first, second, self.said, self.results, Connection()])
        self.add_class("ew-landing")
        self.search()

    @staticmethod
    def _bound(description: str) -> W.Text:
        # empty is no bound, which a number field cannot say
        return W.Text(description=description, continuous_update=False).add_class("ew-landing-number")

    @property
    def fields(self) -> tuple[W.Widget, ...]:
        """What a person fills in."""
        return tuple(self._fields.values())

    # ------------------------------------------------------------------------------------------------ searching

    def query(self) -> Query:
        """What the form asks for.

        Raises
        ------
        DataError
            If a field cannot be meant, naming it.
        """
        given = understood(self.text.value) if self.text.value.strip() else Query()
        bounds = {}
        for name, (low, high) in _RANGES.items():
            bounds[name] = (self._number(low, -math.inf), self._number(high, math.inf) if high else math.inf)
        return Query(given.detectid, given.position, given.radius, self.identity.value or None, **bounds)

    def _number(self, name: str, otherwise: float) -> float:
        text = self._fields[name].value.strip()
        if not text:
            return otherwise
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"{text[:30]!r} is no number; leave the field empty for no bound")
        return value

    def search(self) -> None:
        """Find and show what the form asks for; what cannot be meant is said in its place."""
        begun = time.perf_counter()
        try:
            query = self.query()
            rows = self._ordered(self.index.find(query))
        except DataError as error:
            self.found = self.index.detectid[:0]
            self.said.markup = f'<p role="alert">{escape(str(error))}</p>'
            self.results.markup = ""
            return
        self.found = np.asarray(self.index.detectid[rows])
        took = time.perf_counter() - begun
        more = f", the first {SHOWN} shown" if rows.size > SHOWN else ""
        found = "1 detection" if rows.size == 1 else f"{rows.size:,} detections"
        hint = "" if rows.size else " Widen the search: a larger radius, another class, wider bounds."
        self.said.markup = f'<p role="status">{found}{more} <small>({1000 * took:.0f} ms)</small>{hint}</p>'
        self.results.markup = self._table(rows[:SHOWN]) if rows.size else ""

    def _ordered(self, rows: np.ndarray) -> np.ndarray:
        order = self.order.value
        if order == "release":
            return rows
        values = -self.index.sn[rows] if order == "sn" else np.abs(self.index.p_lya[rows] - 0.5)
        values = np.where(np.isfinite(values), values, np.inf)
        if rows.size > SHOWN:
            # only what is shown must be in order at once; the rest follows in the order of the release
            first = np.argpartition(values, SHOWN)[:SHOWN]
            first = first[np.argsort(values[first], kind="stable")]
            rest = np.ones(rows.size, bool)
            rest[first] = False
            return np.concatenate([rows[first], rows[rest]])
        return rows[np.argsort(values, kind="stable")]

    def _table(self, rows: np.ndarray) -> str:
        index = self.index
        heads = ("detection", "RA", "Dec", "wavelength, Å", "S/N", "class", "z", "P(Lyα)")
        lines = []
        for row in rows:
            detectid = int(index.detectid[row])
            name = index.identities[index.identity[row]]
            cells = (
                f'<a href="?detectid={detectid}" data-key="{detectid}">{detectid}</a>',
                f"{index.ra[row]:.5f}",
                words.number(float(index.dec[row]), 5),
                words.number(float(index.wavelength[row]), 1),
                words.number(float(index.sn[row]), 1),
                escape(LABELS.get(name, name)) or words.DASH,
                words.number(float(index.redshift[row]), 4),
                words.number(float(index.p_lya[row]), 2),
            )
            lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "".join(f"<th scope='col'>{each}</th>" for each in heads)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    def _changed(self, _change: Any) -> None:
        if not self._filling:
            self.search()

    def _picked(self, key: str) -> None:
        # the number travels as text, and comes back from a browser that may send anything
        detectid = whole(key, 19)
        if detectid is not None and (self.found == detectid).any():
            self._open(detectid, self.found)

    # ------------------------------------------------------------------------------------------------ its address

    def address(self) -> str:
        """The part of an address after `?` that fills the form as it is."""
        default = {"order": "release"}
        parts = [
            (name, str(field.value)) for name, field in self._fields.items() if field.value != default.get(name, "")
        ]
        return "?" + urlencode(parts)

    def follow(self, query: str) -> None:
        """Fill the form as an address says; what it does not offer is left as it is."""
        asked = parse_qs(query.lstrip("?"))
        self._filling = True
        try:
            for name, field in self._fields.items():
                if name not in asked or field.disabled:
                    continue
                value = asked[name][-1]
                if not isinstance(field, W.Dropdown) or value in [key for _, key in field.options]:
                    field.value = value
        finally:
            self._filling = False
        self.search()
