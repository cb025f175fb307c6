"""The files under a folder, listed once, and how a survey says which of them are its own."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

# Imaging trees are a few folders deep; a folder given by mistake may be the root of a whole disk.
DEEPEST = 6


def walk(root: Path) -> tuple[str, ...]:
    """All files under a folder as paths relative to it with "/", sorted; links are followed, but no folder twice."""
    found: list[str] = []
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        relative = Path(folder).relative_to(root)
        if real in seen or len(relative.parts) >= DEEPEST:
            folders.clear()
        if real in seen:
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = "" if relative == Path(".") else relative.as_posix() + "/"
        found.extend(prefix + name for name in files if not name.startswith("."))
        # A folder where an image should be is listed as well, so that whoever opens it can say so.
        found.extend(prefix + name for name in folders if name.endswith((".fits", ".fits.gz", ".fits.fz")))
    return tuple(sorted(found))


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a relative path is meant by one of some patterns.

    A pattern with a "/" is of the whole path, and its `*` stands for any number of folders; one without is of the
    file's name, wherever it lies.
    """
    last = name.rsplit("/", 1)[-1]
    return any(fnmatch.fnmatchcase(name if "/" in pattern else last, pattern) for pattern in patterns)


def first_existing(folder: Path, patterns: Iterable[str], key: Mapping[str, str]) -> Path | None:
    """The first file that exists by one of some patterns relative to a folder, `{parts}` filled in from `key`."""
    for pattern in patterns:
        try:
            name = pattern.format(**key)
        except (KeyError, IndexError, ValueError, AttributeError):
            continue  # the image's name has no such part
        here = folder
        while name.startswith("../"):
            here, name = here.parent, name[3:]
        if any(sign in name for sign in "*?["):
            found = next((path for path in sorted(here.glob(name.lstrip("/"))) if path.is_file()), None)
            if found is not None:
                return found
        elif (here / name).is_file():
            return here / name
    return None
