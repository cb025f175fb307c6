"""Folders of the program: for what is made or fetched once and kept, and for what is needed for a while."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path

CACHE_VARIABLE = "ELIXER_WIDGETS_CACHE"
"""The environment variable that names another cache folder."""


def cache_folder() -> Path:
    """Where things made once are kept: `$ELIXER_WIDGETS_CACHE`, else the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return named_path(named, CACHE_VARIABLE)
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "elixer-widgets"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no reader ever meets half of it: many processes may share one cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def working_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder, for the time of a `with` block.

    Raises
    ------
    DataError
        If nothing can be written where temporary files go.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    except OSError as error:
        raise DataError(
            f"no temporary file can be written ({error.strerror or error}): {error.filename or tempfile.gettempdir()}; "
            "name a folder where it can: TMPDIR=/path/to/folder"
        ) from error
    with made as name:
        yield Path(name)
