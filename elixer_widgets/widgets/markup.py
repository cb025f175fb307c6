"""A widget that shows HTML or SVG made in Python and reports which of its parts was clicked."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from traitlets import Unicode

from elixer_widgets.widgets.hearing import Hearing, hearing_script

WATCHED: dict[str, Any] = {"_dom_classes": ("ew-own",)}
"""Traits of widgets whose elements tell whether they show what their models hold (`ewDrawn`; see static/drawn.js)."""

__all__ = ["WATCHED", "Markup", "escape", "whole"]


def whole(text: str, digits: int = 18) -> int | None:
    """A whole number in what a browser sent; None if it is not one, or longer than numbers here are.

    `str.isdigit` alone takes "²", which is no number, and digits without end, which Python refuses to convert.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


class Markup(Hearing):
    """HTML or SVG text, redrawn whole whenever `markup` changes.

    An element with a `data-key` attribute is a thing to click: `on_pick` handlers get its key. What comes from a
    file must pass through `escape` on its way into `markup`.
    """

    _esm = hearing_script("markup.js")
    markup = Unicode("", help="HTML or SVG text").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**{**WATCHED, **traits})

    def on_pick(self, handler: Callable[[str], None]) -> None:
        """Call `handler(key)` when an element with that `data-key` is clicked or activated by keyboard."""

        def receive(_widget: Any, content: Any, _buffers: Any) -> None:
            if isinstance(content, dict) and isinstance(content.get("picked"), str):
                handler(content["picked"])

        self.on_msg(receive)
