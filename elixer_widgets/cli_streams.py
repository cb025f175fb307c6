"""What the commands say, on every terminal: one without our letters, one that is closed, a pipe that nobody reads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO, cast

from elixer_widgets._errors import DataError

_PLAIN = str.maketrans({
    "Å": "A", "α": "a", "β": "b", "γ": "g", "δ": "d", "λ": "lambda", "σ": "sigma", "µ": "u", "μ": "u", "χ": "chi",
    "²": "2", "³": "3", "°": " deg", "±": "+-", "×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "·": ".",
    "″": '"', "′": "'", "“": '"', "”": '"', "‘": "'", "’": "'", "→": "->", "≤": "<=", "≥": ">=", "≈": "~",
})  # fmt: skip


class Voice:
    """A stream that never ends a command: letters it does not have are spelled, and nothing is said to nobody."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As of the stream."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            spelled = text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
            with suppress(OSError, ValueError):
                self._stream.write(spelled)
        except (OSError, ValueError):  # nobody reads any more, the disk behind it is full, or it is closed
            pass
        return len(text)

    def flush(self) -> None:
        """As of the stream."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def _open_the_three() -> None:
    """Have something behind 0, 1 and 2: else the next file that is opened would get what is said to them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number, which is this one


@contextmanager
def speaking() -> Iterator[None]:
    """Let commands speak by `sys.stdout` and `sys.stderr`, whatever these are."""
    _open_the_three()
    with contextlib.ExitStack() as opened:
        streams = []
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name) or opened.enter_context(open(os.devnull, "w", encoding="utf-8"))
            streams.append(stream)
            redirect = contextlib.redirect_stdout if name == "stdout" else contextlib.redirect_stderr
            opened.enter_context(redirect(cast(TextIO, Voice(stream))))
        try:
            yield
        finally:
            for stream in streams:
                _empty(stream)


def _empty(stream: TextIO) -> None:
    """Send what is left on its way now: at the end of Python nobody would catch an error."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Ended(KeyboardInterrupt):
    """The system, or a person, asked the command to end."""


@contextmanager
def ending_tidily() -> Iterator[None]:
    """Have a request to end (SIGTERM, or a terminal that closes) do what Ctrl-C does: what is done is kept."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) == signal.SIG_DFL:  # nohup has it ignored, and that is what is wanted
            before[each] = signal.signal(each, end)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def fault_in_words(error: Exception) -> str:
    """An error of the system, or of a value, as a sentence."""
    if isinstance(error, OSError) and not isinstance(error, DataError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return f"{where}{os.strerror(error.errno) if error.errno else error}; check the disk and the name"
    return str(error)
