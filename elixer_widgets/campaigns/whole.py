"""Tables that appear complete or not at all, one writer a folder, and nothing left behind by one that was killed."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elixer_widgets.detection import DataError

PREFIX = ".elixer-export-"
"""What the temporary file of an export begins with; the rest follows from the name that the file will have, so that the
next export of it takes the place of what a killed one left."""


def temporary_of(target: Path) -> Path:
    """Where a file is written before it gets its name."""
    return target.with_name(f"{PREFIX}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]}{target.suffix}")


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A temporary file that takes the place of `target` when the block ends well.

    Raises
    ------
    DataError
        If the folder does not exist or cannot be written, the disk is full, or another program exports there.
    """
    if not target.parent.is_dir():
        raise DataError(f"{target}: the folder {target.parent} does not exist; make it first")
    if target.is_dir():
        raise DataError(f"{target}: is a folder; give another name")
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        _alone(folder, target)
        temporary = temporary_of(target)
        try:
            temporary.unlink(missing_ok=True)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
            os.fsync(folder)
        except OSError as error:
            why = error.strerror or str(error)
            raise DataError(f"{target}: not written: {why}; make room, or choose another folder") from error
        finally:
            _drop(temporary)
    finally:
        os.close(folder)


def _alone(folder: int, target: Path) -> None:
    """Keep others from exporting into a folder at the same time; the lock ends with the program, however it ends."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            raise DataError(f"{target}: another program exports into this folder; wait until it has ended") from error
        # some network file systems know no locks; the name is still given in one step


def _drop(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        # on a disk that became read-only it stays; the next export of this file replaces it
        return
