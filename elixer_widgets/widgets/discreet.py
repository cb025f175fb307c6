"""What a published page says to strangers: files by their names, and no folder of the computer it runs on."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LIBRARIES = frozenset({"_esm", "_css"})
"""Traits that hold the page's own programs and styles: large, and the same for everybody."""

_COMMON = "home Users root work scratch data data1 corral tmp var usr opt etc mnt media srv nfs proc lib site-packages"
"""Where computers keep what is theirs."""


def own_folders() -> tuple[str, ...]:
    """The folders that this process knows of: its Python, its home, where it runs, and those its variables name."""
    known = {sys.prefix, sys.base_prefix, os.getcwd(), tempfile.gettempdir(), str(Path(__file__).parents[2])}
    known |= {value for name, value in os.environ.items() if name == "HOME" or name.startswith("ELIXER_WIDGETS_")}
    parts = {part for value in known for part in value.split(os.pathsep)}
    return tuple(part.rstrip("/") for part in parts if part.startswith("/") and len(part) > 2)


def discretion(folders: Iterable[str]) -> Callable[[str], str]:
    """A function that leaves of each path in a text only the name of the file.

    Parameters
    ----------
    folders : iterable of str
        Absolute paths that are to be recognised, besides those that lie where computers keep files.
    """
    known = sorted({re.escape(folder) for folder in folders}, key=len, reverse=True)
    first = "|".join([*known, *(f"/{name}" for name in _COMMON.split())])
    # not within an address of a page or a tag; a path ends where a sentence or a tag goes on
    path = re.compile(rf"(?<![\w/.<&:-])(?:{first})(?:/[^\s\"'<>:;,()|]*)*(?![\w-])")

    def name_only(match: re.Match[str]) -> str:
        trail = "." if match[0].endswith(".") else ""
        return (os.path.basename(match[0].rstrip("/.")) or "this computer") + trail

    return lambda text: path.sub(name_only, text) if "/" in text else text


def cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """The value with every text in it cleaned, however deep it lies; what holds no text is given as it is."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: inner if key in LIBRARIES else cleaned(inner, clean) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(cleaned(inner, clean) for inner in value) if not hasattr(value, "_fields") else value
    return value


def be_discreet(folders: Iterable[str] | None = None) -> None:
    """From now on all that widgets of this process tell a browser goes through `discretion`."""
    import comm

    clean = discretion(own_folders() if folders is None else folders)
    create = comm.create_comm

    def discreet(*args: Any, data: Any = None, **rest: Any) -> Any:
        made = create(*args, data=cleaned(data, clean), **rest)
        send = made.send

        def said(data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
            send(data=cleaned(data, clean), metadata=metadata, buffers=buffers)

        made.send = said  # type: ignore[method-assign]
        return made

    comm.create_comm = discreet
