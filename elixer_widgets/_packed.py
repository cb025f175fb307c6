"""Files as they lie on disk: regular ones only, and packed ones unpacked no further than is reasonable."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
from typing import BinaryIO

from elixer_widgets._errors import DataError

# A packed file may hold a thousand times its own size and more; so much of it is unpacked to reach an image, which
# takes some ten seconds. Mosaics of more lie on disk unpacked, for their pixels cannot be reached otherwise.
_FARTHEST = {"gzip": 1_500_000_000, "bzip2": 250_000_000, "xz": 600_000_000}

FARTHEST = max(_FARTHEST.values())
"""Bytes that are unpacked to reach a place in a packed file, at most."""

LARGEST_READ = 2**28
"""Bytes read from a packed file at once, at most."""


def require_file(path: str | os.PathLike[str]) -> str:
    """The path as text, if a regular file is there: a pipe or a device would be waited for, or never end.

    Raises
    ------
    DataError
        If there is none.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError as error:
        raise DataError(f"{name}: there is no such file; check the path") from error
    except (OSError, ValueError) as error:  # a name with a zero byte in it is a ValueError
        what = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{name!r:.200}: cannot be opened ({what}); check the path and the rights") from error
    if not stat.S_ISREG(mode):
        raise DataError(f"{name}: is not a regular file but a folder, a pipe or a device; give a file")
    return name


class _Bounded:
    """Mixed into a reader of packed files: refuses to go on for ever."""

    farthest: int

    def read(self, size: int | None = -1) -> bytes:
        """As the reader's own, up to `LARGEST_READ` at once."""
        if size is None or size < 0 or size > LARGEST_READ:
            content: bytes = super().read(LARGEST_READ + 1)  # type: ignore[misc]
            if len(content) > LARGEST_READ:
                raise OSError(f"over {LARGEST_READ / 1e6:g} MB at once from a packed file; unpack it first")
            return content
        place = self.tell()  # type: ignore[attr-defined]
        found: bytes = super().read(min(size, self.farthest + 1 - place))  # type: ignore[misc]
        self._check(place + len(found))
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As the reader's own, up to `farthest`."""
        if whence == io.SEEK_END:
            raise OSError("the end of a packed file is not sought")
        if whence == io.SEEK_CUR:
            offset += super().seek(0, io.SEEK_CUR)  # type: ignore[misc]
        self._check(offset)
        place: int = super().seek(offset)  # type: ignore[misc]
        return place

    def _check(self, place: int) -> None:
        if place > self.farthest:
            raise OSError(f"it unpacks to over {self.farthest / 1e9:g} GB; unpack it first")


class _Gzip(_Bounded, gzip.GzipFile):
    farthest = _FARTHEST["gzip"]


class _Bzip2(_Bounded, bz2.BZ2File):
    farthest = _FARTHEST["bzip2"]


class _Xz(_Bounded, lzma.LZMAFile):
    farthest = _FARTHEST["xz"]


# How files that are compressed as a whole begin.
_PACKERS: tuple[tuple[bytes, type], ...] = ((b"\x1f\x8b", _Gzip), (b"BZh", _Bzip2), (b"\xfd7zXZ", _Xz))


def unpacked(path: str) -> BinaryIO | None:
    """A file that is compressed as a whole (gzip, bzip2, xz), opened for reading what is in it, else None."""
    with open(path, "rb") as file:
        start = file.read(6)
    kind = next((kind for mark, kind in _PACKERS if start.startswith(mark)), None)
    return kind(path, "rb") if kind is not None else None


def is_packed(path: str) -> bool:
    """Whether a file is compressed as a whole."""
    with open(path, "rb") as file:
        return file.read(6).startswith(tuple(mark for mark, _ in _PACKERS))


def unpack(content: bytes, largest: int) -> bytes:
    """What bytes that may be packed hold, up to `largest` bytes.

    Raises
    ------
    OSError, EOFError, zlib.error, lzma.LZMAError
        If they are broken, or hold more.
    """
    kind = next((kind for mark, kind in _PACKERS if content.startswith(mark)), None)
    if kind is None:
        return content
    # gzip alone takes a first argument for a name, whatever it is.
    file = _Gzip(fileobj=io.BytesIO(content)) if kind is _Gzip else kind(io.BytesIO(content))
    with file:
        held: bytes = file.read(largest + 1)
        if len(held) > largest:
            raise OSError(f"it unpacks to over {largest / 1e6:g} MB")
        return held
