"""What browsers send to a page's kernel over its websocket, looked at before anything else reads it.

A message of the protocol `v1.kernel.websocket.jupyter.org` is a count, that many offsets (both 64-bit, little-endian),
the channel's name and the message's parts: header, parent header, metadata, content, buffers. See "Kernel websocket
protocols" in the documentation of Jupyter Server. Nothing in such a frame can be believed before it was checked.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

PROTOCOL = "v1.kernel.websocket.jupyter.org"
"""The only protocol that is spoken. In the older one each message would have to be parsed to be checked."""

LARGEST = 1_000_000
"""Bytes of a frame from a browser: widgets send numbers, names and comments."""

BUFFERS = 16
"""Binary parts of a message from a browser."""

NESTED = 40
"""Levels of brackets within brackets in a part of a message."""

CHANNELS = frozenset({"shell", "control"})

TAKEN = frozenset({"comm_open", "comm_msg", "comm_close", "comm_info_request", "kernel_info_request"})
"""Kinds of messages that a page needs to send."""

GIVEN = frozenset({"comm_open", "comm_msg", "comm_close", "comm_info_reply", "kernel_info_reply", "status"})
"""Kinds of messages that a page needs to get. What a kernel prints, and its tracebacks, belong in the server's log."""

TARGETS = frozenset({"jupyter.widget.control"})
"""What a browser may open: the page's widgets are all made by the kernel."""

_VERSION = re.compile(r"5\.\d{1,3}", re.ASCII)

_PARTS = ("header", "parent header", "metadata", "content")


class FrameError(ValueError):
    """A frame that is not taken; the message says why in a few words, and repeats nothing of it."""


@dataclass(frozen=True)
class Message:
    """A message from a browser that has the form it must have.

    Attributes
    ----------
    channel : str
    kind : str
        The message type, one of `TAKEN`.
    size : int
        Bytes of the frame.
    """

    channel: str
    kind: str
    size: int


def split(frame: bytes, most: int = len(_PARTS) + BUFFERS) -> tuple[str, list[memoryview]]:
    """The channel and the parts of a frame; no part is copied, and no count is believed.

    Parameters
    ----------
    frame : bytes
    most : int
        Parts that a message may have.

    Raises
    ------
    FrameError
    """
    size = len(frame)
    if size < 8:
        raise FrameError("shorter than its own count")
    (count,) = struct.unpack_from("<Q", frame)
    # an offset where the channel begins, one where each part does, and one where the last ends
    if not len(_PARTS) + 2 <= count <= most + 2:
        raise FrameError("a count of offsets that no message has")
    if 8 * (count + 1) > size:
        raise FrameError("shorter than its offsets")
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    if offsets[0] != 8 * (count + 1) or offsets[-1] != size or any(b < a for a, b in pairwise(offsets)):
        raise FrameError("offsets that do not follow each other")
    view = memoryview(frame)
    try:
        channel = bytes(view[offsets[0] : offsets[1]]).decode("ascii")
    except UnicodeDecodeError:
        raise FrameError("a channel without a name") from None
    return channel, [view[start:stop] for start, stop in pairwise(offsets[1:])]


def _levels(text: str) -> int:
    """How deep brackets stand within brackets, those within strings counted too."""
    deepest = depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _object(part: memoryview, name: str) -> dict[str, Any]:
    try:
        text = bytes(part).decode("utf-8")
        if _levels(text) > NESTED:
            raise FrameError(f"a {name} nested too deep")
        value = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise FrameError(f"a {name} that is not JSON") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise error if isinstance(error, FrameError) else FrameError(f"a number too long in the {name}") from None
    if not isinstance(value, dict):
        raise FrameError(f"a {name} that is not an object")
    return value


def _name(value: Any, most: int = 128) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most and value.isprintable()


def _one_of(value: Any, names: frozenset[str]) -> bool:
    # a list or an object cannot be looked up
    return isinstance(value, str) and value in names


def _check_header(header: dict[str, Any]) -> None:
    """See that the kernel can read it: it looks at more fields than a page needs."""
    if not _one_of(header.get("msg_type"), TAKEN):
        raise FrameError("a kind of message that is not taken")
    if not _name(header.get("msg_id")) or not _name(header.get("session")):
        raise FrameError("a header without number or session")
    for field in ("username", "date"):
        value = header.get(field, "")
        if value != "" and not _name(value):
            raise FrameError("a header whose fields are not names")
    version = header.get("version", "5.3")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise FrameError("a version that no message has")
    if header.get("subshell_id") is not None:
        raise FrameError("a part of the kernel that is not open")


def read(frame: bytes | str) -> Message:
    """A frame from a browser, checked in each field that somebody behind will look at.

    Raises
    ------
    FrameError
    """
    if not isinstance(frame, bytes):
        raise FrameError("text where bytes are due")
    if len(frame) > LARGEST:
        raise FrameError("too large")
    channel, parts = split(frame)
    if channel not in CHANNELS:
        raise FrameError("a channel that is not open")
    header, _parent, _metadata, content = (_object(part, name) for part, name in zip(parts, _PARTS, strict=False))
    _check_header(header)
    kind = header["msg_type"]
    if kind.startswith("comm_") and kind != "comm_info_request":
        if not _name(content.get("comm_id")) or not isinstance(content.get("data", {}), dict):
            raise FrameError("a message to no widget")
        if kind == "comm_open" and not _one_of(content.get("target_name"), TARGETS):
            raise FrameError("a widget that the kernel did not make")
    return Message(channel, kind, len(frame))


def kind_of(frame: bytes) -> str:
    """The kind of a message on its way to a browser; "" if that cannot be told.

    The kernel made it, so its numbers may be large, but they are checked all the same.
    """
    try:
        _channel, parts = split(frame, most=1_000_000)
        kind = _object(parts[0], "header").get("msg_type")
    except FrameError:
        return ""
    return kind if isinstance(kind, str) else ""


class Bucket:
    """So much at once, and so much a second.

    Parameters
    ----------
    rate : float
        What flows in, a second.
    holds : float
        What it holds at most, and at first.
    """

    def __init__(self, rate: float, holds: float) -> None:
        self._rate, self._holds = rate, holds
        self._left, self._since = holds, 0.0

    def take(self, amount: float, now: float) -> bool:
        """Whether there is so much; then it is gone.

        Parameters
        ----------
        amount : float
        now : float
            Seconds of a clock that only goes forward.
        """
        if self._since:
            self._left = min(self._holds, self._left + self._rate * max(now - self._since, 0.0))
        self._since = now
        if amount > self._left:
            return False
        self._left -= amount
        return True
