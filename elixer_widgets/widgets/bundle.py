"""What many widgets change together, sent to the browser in one message: it draws one page and not its pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as W

Send = Callable[[dict[str, Any], list[Any]], object]
"""Takes a message and its binary buffers."""

ORDER = ("Slider", "bqscales", "bqplot")
"""Views of these models, known by a part of their names, ask the browser how large they are, for which it must lay out
all that changed before; so they come first, in this order. The scales of plots come before the curves: static/page.js
spares a curve that gets new points being drawn for the new scale with its old ones."""


def _rank(widget: W.Widget) -> int:
    names = f"{getattr(widget, '_model_module', '')} {getattr(widget, '_model_name', '')}"
    return next((rank for rank, part in enumerate(ORDER) if part in names), len(ORDER))


class _Gate:
    """The comm of one widget. While the bundle is open, its changes go there; all else goes to the browser."""

    def __init__(self, comm: Any, bundle: Bundle, rank: int) -> None:
        self._comm, self._bundle, self._rank = comm, bundle, rank

    def __getattr__(self, name: str) -> Any:
        return getattr(self._comm, name)

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        """As the comm's own."""
        if self._bundle.open and isinstance(data, dict) and data.get("method") == "update":
            self._bundle.add(self._comm.comm_id, self._rank, data, buffers or [])
        else:
            self._comm.send(data=data, metadata=metadata, buffers=buffers)


class Bundle:
    """Gathers what widgets send while it is open.

    Parameters
    ----------
    parts : iterable of Widget
        Those whose messages are gathered; each keeps its comm, behind a gate.
    send : callable
        Takes `{"states": [[model id, state, paths of buffers], ...]}` and the buffers, in the order of their paths;
        static/page.js hands them to the models in the browser.
    """

    def __init__(self, parts: Iterable[W.Widget], send: Send) -> None:
        self._send = send
        self._states: dict[tuple[int, str], dict[str, tuple[Any, list[tuple[list[Any], Any]]]]] = {}
        self.open = False
        for part in parts:
            part.comm = _Gate(part.comm, self, _rank(part))

    @contextmanager
    def together(self) -> Iterator[None]:
        """What changes within is sent at its end."""
        if self.open:
            yield
            return
        self.open = True
        try:
            yield
        finally:
            self.open = False
            self._flush()

    def add(self, model: str, rank: int, data: dict[str, Any], buffers: list[Any]) -> None:
        """Keep an update message; of two values of one trait the later."""
        known = self._states.setdefault((rank, model), {})
        for name, value in data["state"].items():
            known[name] = (value, [])
        for path, buffer in zip(data.get("buffer_paths", ()), buffers, strict=True):
            known[path[0]][1].append((list(path), buffer))

    def _flush(self) -> None:
        gathered, self._states = self._states, {}
        states, buffers = [], []
        for (_rank, model), traits in sorted(gathered.items(), key=lambda item: item[0][0]):
            binary = [each for _value, found in traits.values() for each in found]
            states.append([model, {name: value for name, (value, _) in traits.items()}, [path for path, _ in binary]])
            buffers += [buffer for _, buffer in binary]
        if states:
            self._send({"states": states}, buffers)
