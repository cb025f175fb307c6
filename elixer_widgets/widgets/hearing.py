"""Widgets that Python speaks to, which a slow browser would otherwise never hear: see static/hearing.js."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import anywidget
from traitlets import Unicode

_STATIC = Path(__file__).parent / "static"


def hearing_script(*names: str) -> str:
    """A module of these files of static/, behind what they need to hear; it calls `hear` in its `initialize`."""
    texts = [(_STATIC / name).read_text(encoding="utf-8") for name in ("hearing.js", *names)]
    # every widget brings it along
    texts[0] = "\n".join(line for line in texts[0].splitlines() if not line.lstrip().startswith("//"))
    return "\n".join(texts)


class Hearing(anywidget.AnyWidget):
    """An anywidget that hears what Python tells it, however long its module took.

    Parameters
    ----------
    **traits
        As of every widget.
    """

    me = Unicode("", help="its own model id").tag(sync=True)

    def open(self) -> None:
        """As of all widgets; its number is chosen here, so that the browser has it from the beginning."""
        if self.comm is None:
            self.me = str(getattr(self, "_model_id", None) or uuid4().hex)
            self._model_id = self.me
        super().open()
