"""What many widgets change together, sent to the browser in one message: it draws one page and not its pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import ipywidgets as W

Send = Callable[[dict[str, Any], list[Any]], object]
"""Takes a message and its binary buffers."""

Gathered = dict[tuple[int, str], dict[str, tuple[Any, list[tuple[list[Any], Any]]]]]
"""What models get: by rank and model id each trait's value, with the paths and contents of its binary parts."""

ORDER = ("Slider", "bqscales", "bqplot")
"""Views of these models, known by a part of their names, ask the browser how large they are, for which it must lay out
all that changed before; so they come first, in this order. The scales of plots come before the curves: static/page.js
spares a curve that gets new points being drawn for the new scale with its old ones."""


def _rank(widget: W.Widget) -> int:
    names = f"{getattr(widget, '_model_module', '')} {getattr(widget, '_model_name', '')}"
    return next((rank for rank, part in enumerate(ORDER) if part in names), len(ORDER))


def pack(gathered: Gathered) -> tuple[list[list[Any]], list[Any]]:
    """What models get as a message has it: `[[model id, state, paths of buffers], ...]`, and the buffers."""
    states, buffers = [], []
    for (_rank, model), traits in sorted(gathered.items(), key=lambda item: item[0][0]):
        binary = [each for _value, found in traits.values() for each in found]
        states.append([model, {name: value for name, (value, _) in traits.items()}, [path for path, _ in binary]])
        buffers += [buffer for _, buffer in binary]
    return states, buffers


def gather(into: Gathered, rank: int, model: str, data: dict[str, Any], buffers: Iterable[Any]) -> None:
    """Add what an update message says; of two values of one trait the later stays."""
    known = into.setdefault((rank, model), {})
    for name, value in data["state"].items():
        known[name] = (value, [])
    for path, buffer in zip(data.get("buffer_paths", ()), buffers, strict=True):
        known[path[0]][1].append((list(path), buffer))


def _same(one: tuple[Any, list], other: tuple[Any, list]) -> bool:
    """Whether two values of a trait are the same, NaN being the same as NaN."""
    binary = ([(path, bytes(buffer)) for path, buffer in each] for each in (one[1], other[1]))
    return (one[0] == other[0] or repr(one[0]) == repr(other[0])) and next(binary) == next(binary)


def without(gathered: Gathered, known: Gathered) -> Gathered:
    """Those of the traits that are not, with the same value, among what is known."""
    found: Gathered = {}
    for key, traits in gathered.items():
        there = known.get(key, {})
        left = {name: value for name, value in traits.items() if name not in there or not _same(value, there[name])}
        if left:
            found[key] = left
    return found


def session_of(message: Any) -> str | None:
    """Which browser sent a message; None if it does not say."""
    header = message.get("header") if isinstance(message, dict) else None
    session = header.get("session") if isinstance(header, dict) else None
    return session if isinstance(session, str) else None


class Ear:
    """The comm of one widget. What comes from the browser is handled in a context made for the browser that sent it.

    Parameters
    ----------
    comm : Comm
    heard : callable
        Gives the context; gets the session that sent the message, or None.

    Attributes
    ----------
    session : str or None
        Whose message is handled now.
    """

    def __init__(self, comm: Any, heard: Callable[[str | None], AbstractContextManager[object]]) -> None:
        self._comm, self._heard = comm, heard
        self.session: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._comm, name)

    def on_msg(self, callback: Callable[[Any], object]) -> None:
        """As the comm's own."""

        def alone(message: Any) -> None:
            session = session_of(message)
            with self._heard(session):
                self.session = session
                try:
                    callback(message)
                finally:
                    self.session = None

        self._comm.on_msg(alone)


class _Gate(Ear):
    """The comm of one widget of a bundle. Its changes go there, so that all of them reach the browser in one order; all
    else goes to the browser at once."""

    def __init__(self, comm: Any, bundle: Bundle, rank: int) -> None:
        super().__init__(comm, bundle.heard)
        self._bundle, self.rank = bundle, rank

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        """As the comm's own."""
        if isinstance(data, dict) and data.get("method") == "update":
            with self._bundle.together():
                self._bundle.add(self._comm.comm_id, self.rank, data, buffers or [])
        else:
            self._bundle.pass_by()
            self._comm.send(data=data, metadata=metadata, buffers=buffers)


class Bundle:
    """Gathers what widgets send while it is open.

    Parameters
    ----------
    parts : iterable of Widget
        Those whose messages are gathered; each keeps its comm, behind a gate.
    send : callable
        Takes `{"states": [[model id, state, paths of buffers], ...], "stamp": {...}}` and the buffers, in the order of
        their paths; static/page.js hands them to the models in the browser.
    heard : callable, optional
        Gives a context in which a message from the browser is handled; gets the session that sent it, or None.
    stamp : callable, optional
        Says what the messages are about: which page, and whatever else; a message goes out when that changed, even if
        no widget did.

    Attributes
    ----------
    parts : tuple of Widget
    open : bool
    revision : int
        Counts the messages; each carries its number in its stamp.
    changed : callable
        Called with everything that leaves for the browser.
    """

    def __init__(
        self,
        parts: Iterable[W.Widget],
        send: Send,
        heard: Callable[[str | None], AbstractContextManager[object]] = nullcontext,
        stamp: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._send = send
        self.heard = heard
        self._stamp = stamp
        self._stamped: dict[str, Any] = stamp()
        self.revision = 0
        self._gathered: Gathered = {}
        self._known: Gathered = {}
        self._caught = False
        self.open = False
        self.changed: Callable[[], object] = lambda: None
        self.parts = tuple(parts)
        for part in self.parts:
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
            self.flush()
            self._known = {}

    @contextmanager
    def caught(self) -> Iterator[Gathered]:
        """What changes within is not sent but given, whole at its end.

        Raises
        ------
        RuntimeError
            Within, by what would send the browser anything else than a changed trait.
        """
        if self.open:
            raise RuntimeError("a bundle is open already")
        self.open = self._caught = True
        caught: Gathered = {}
        try:
            yield caught
        finally:
            caught.update(self._gathered)
            self._gathered = {}
            self.open = self._caught = False

    def pass_by(self) -> None:
        """What a gate lets through says so."""
        if self._caught:
            raise RuntimeError("this cannot be caught: it is no change of a trait")
        self.changed()

    def add(self, model: str, rank: int, data: dict[str, Any], buffers: list[Any]) -> None:
        """Keep an update message."""
        gather(self._gathered, rank, model, data, buffers)

    def flush(self, known: Gathered | None = None, **more: Any) -> None:
        """Send what was gathered so far, with whatever else the message is to say.

        Parameters
        ----------
        known : Gathered, optional
            What the browser will have shown after this message: it is not sent again while the bundle stays open.
        **more
            Further parts of the message.
        """
        gathered, self._gathered = without(self._gathered, self._known), {}
        self._known = known or self._known
        states, buffers = pack(gathered)
        stamp = self._stamp()
        if states or more or stamp != self._stamped:
            self._stamped = stamp
            self.changed()
            self.post(states, buffers, **more)

    def post(self, states: list[list[Any]], buffers: list[Any], **more: Any) -> None:
        """Send a message of these states, stamped; see `pack`."""
        self.revision += 1
        self._send({"states": states, "stamp": {**self._stamp(), "revision": self.revision}, **more}, buffers)
