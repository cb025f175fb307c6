"""Whether the kernel that a page lives in still answers; the page says what to do if it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from traitlets import Unicode

from elixer_widgets.widgets.hearing import Hearing, hearing_script

_STATIC = Path(__file__).parent / "static"


class Connection(Hearing):
    """Answers the page's question whether its kernel is there; see static/connection.js for what follows if not.

    Parameters
    ----------
    asked : callable, optional
        Called with every question, every few seconds, after it was answered.

    Attributes
    ----------
    kept : str
        What of a campaign is on disk, in words; empty where no answers are collected.
    """

    _esm = hearing_script("connection.js")
    _css = _STATIC / "connection.css"
    kept = Unicode("").tag(sync=True)

    def __init__(self, asked: Callable[[], object] | None = None) -> None:
        super().__init__()

        def receive(_widget: Any, content: Any, _buffers: Any) -> None:
            number = content.get("beat") if isinstance(content, dict) else None
            if not isinstance(number, int) or isinstance(number, bool):
                return
            self.send({"beat": number})
            if asked is not None:
                asked()

        self.on_msg(receive)


def kept_words(done: int, total: int, last: int | None) -> str:
    """How far a campaign is on disk: "26 of 50 answered, the last about 2100000026"."""
    return f"{done} of {total} answered" + ("" if last is None else f", the last about {last}")
