"""FITS files, packed or not, opened so that no header in them costs more time or memory than its file is worth."""

from __future__ import annotations

import io
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from elixer_widgets._packed import FARTHEST, require_file, unpacked

_BLOCK = 2880  # FITS standard 4.0, section 3.1
_MOST_BLOCKS = 12_000  # some headers have ten thousand cards of 80 bytes; this is forty times more
_MOST_FIELDS = 999  # of a table, and axes of an image: FITS standard 4.0, tables 14 and 17

MOST_HDUS = 1000
"""What lies behind so many HDUs is not looked for: a few bytes each, there may be any number."""

LARGEST_HDU = 2**28
"""Bytes of an HDU that is read whole."""


@contextmanager
def open_fits_file(
    path: str | os.PathLike[str], largest: float = np.inf, memmap: bool = True
) -> Iterator[fits.HDUList]:
    """A FITS file, read-only, packed or not, its warnings silenced.

    Parameters
    ----------
    path : path
    largest : float
        Bytes that one HDU may hold.
    memmap : bool
        Whether a file that is not packed is mapped into memory.

    Raises
    ------
    DataError
        If there is no such file.
    OSError
        If its headers are none, or promise more than can be.
    """
    name = require_file(path)
    packed = unpacked(name)
    if packed is None:
        with open(name, "rb") as file:
            _walk(file, os.path.getsize(name), largest)
            with _silent(file, memmap) as hdus:
                yield hdus
    else:
        with packed, _silent(_Chain(packed, largest), memmap=False) as hdus:
            yield hdus


@contextmanager
def fits_of_bytes(content: bytes, largest: float = LARGEST_HDU) -> Iterator[fits.HDUList]:
    """As `open_fits_file`, of what is in memory already, and not packed.

    Raises
    ------
    OSError
        If its headers are none, or promise more than can be.
    """
    _walk(io.BytesIO(content), len(content), largest)
    with _silent(io.BytesIO(content), memmap=False) as hdus:
        yield hdus


@contextmanager
def _silent(source: Any, memmap: bool) -> Iterator[fits.HDUList]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(source, memmap=memmap, lazy_load_hdus=True) as hdus:
            yield hdus


def _walk(file: BinaryIO, size: int, largest: float) -> None:
    """Look at every header of a file that is not packed."""
    place = 0
    for _ in range(MOST_HDUS):
        file.seek(place)
        header = _header(lambda: file.read(_BLOCK), place == 0)
        if header is None:
            break
        place += len(header) + _data_size(header, largest)
        if place >= size:
            break
    else:
        return
    if size - place > _MOST_BLOCKS * _BLOCK:
        raise OSError(f"{size - place} bytes behind its last HDU are no FITS")
    file.seek(0)


def _header(read: Callable[[], bytes], first: bool) -> bytes | None:
    """The blocks of one header; None if what comes is no header.

    Raises
    ------
    OSError
        If there must be one and is none, or it does not end.
    """
    begins = b"SIMPLE" if first else b"XTENSION"
    blocks = [read()]
    if not blocks[0].startswith(begins):
        if first:
            raise OSError("it does not begin as a FITS file" if blocks[0] else "it is empty")
        return None
    while len(blocks) <= _MOST_BLOCKS:
        if len(blocks[-1]) < _BLOCK:
            if first:
                raise OSError("it ends within its header")
            return None
        if any(blocks[-1][at : at + 80].rstrip() == b"END" for at in range(0, _BLOCK, 80)):
            return b"".join(blocks)
        blocks.append(read())
    raise OSError(f"a header has no END within {_MOST_BLOCKS * _BLOCK / 1e6:.0f} MB")


_SIZES = (b"BITPIX", b"NAXIS", b"PCOUNT", b"GCOUNT", b"TFIELDS")


def _data_size(header: bytes, largest: float) -> int:
    """Bytes of the data behind a header, in whole blocks (FITS standard 4.0, sections 4.4.1 and 6).

    Raises
    ------
    OSError
        If it promises more than a file can hold, or more than `largest`.
    """
    words: dict[bytes, int] = {}
    groups = False
    for at in range(0, len(header), 80):
        card = header[at : at + 80]
        word = card[:8].rstrip()
        if word.startswith(_SIZES) and card[8:10] == b"= ":
            try:
                words.setdefault(word, int(card[10:].split(b"/")[0]))
            except ValueError:
                continue  # the FITS library says what is wrong with it
        groups |= word == b"GROUPS" and card[10:].split(b"/")[0].strip() == b"T"
    for word, value in words.items():  # with a negative length the FITS library reads the same header for ever
        if (value < 0 and word != b"BITPIX") or (word in (b"NAXIS", b"TFIELDS") and value > _MOST_FIELDS):
            raise OSError(f"{word.decode()} = {value} in a header is impossible")
    axes = [words.get(b"NAXIS%d" % number, 0) for number in range(1, words.get(b"NAXIS", 0) + 1)]
    if groups and axes and axes[0] == 0:
        axes = axes[1:]
    count = 1 if axes else 0
    for length in axes:
        count *= max(length, 0)
    count = max(words.get(b"GCOUNT", 1), 1) * (max(words.get(b"PCOUNT", 0), 0) + count)
    size = abs(words.get(b"BITPIX", 8)) // 8 * count
    if size > largest:
        raise OSError(f"one of its extensions holds {size / 1e6:.0f} MB; at most {largest / 1e6:.0f} MB are read")
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


class _Chain:
    """A packed file as the FITS library sees it: it ends where the last header that is one says that its data end.

    The headers are looked at when they are reached, so that no more is unpacked than the library asks for.
    """

    mode = "rb"

    def __init__(self, file: BinaryIO, largest: float) -> None:
        self._file, self._largest = file, largest
        self._place = self._next = 0
        self._end = FARTHEST
        self._held: tuple[int, bytes] = (0, b"")

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        if self._place == self._next:
            self._look()
        if self._place >= self._end:
            return b""
        begin, header = self._held
        if begin <= self._place < begin + len(header):
            rest = header[self._place - begin :]
            found = rest if size < 0 else rest[:size]
        else:
            self._file.seek(self._place)
            found = self._file.read(size)
        self._place += len(found)
        return found + self.read(size - len(found)) if found and 0 < len(found) < size else found

    def _look(self) -> None:
        """Read the header that begins here."""
        self._file.seek(self._place)
        header = _header(lambda: self._file.read(_BLOCK), self._place == 0)
        if header is None:
            self._end = self._place
            return
        self._held = self._place, header
        self._next = self._place + len(header) + _data_size(header, self._largest)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file; its end is not sought, for that would unpack all of it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._end}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """As of any file."""
        return self._place

    def close(self) -> None:
        """The file is closed by who opened it."""


def require_tiles(path: str, hdu: int, rows: slice, columns: slice) -> None:
    """Make sure that the tiles of a compressed image that hold a rectangle unpack to no more than their pixels.

    Only gzip can hold more; the other methods fill a tile and end.

    Raises
    ------
    OSError
        If one does.
    """
    with _as_tables(path) as hdus:
        table = hdus[hdu]
        header, names = table.header, table.columns.names
        packed = [name for name in ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA") if name in names]
        if not str(header.get("ZCMPTYPE", "")).startswith("GZIP"):
            packed = [name for name in packed if name.startswith("GZIP")]
        if not packed or header.get("ZNAXIS") != 2:
            return
        width, height = int(header.get("ZTILE1", header["ZNAXIS1"])), int(header.get("ZTILE2", 1))
        across = -(-int(header["ZNAXIS1"]) // width)
        most = 8 * width * height
        for y in range(rows.start // height, -(-rows.stop // height)):
            for x in range(columns.start // width, -(-columns.stop // width)):
                for name in packed:
                    _require_small(bytes(np.asarray(table.data[name][y * across + x], np.uint8)), most)


@contextmanager
def _as_tables(path: str) -> Iterator[fits.HDUList]:
    """A FITS file whose compressed images are shown as the tables that they are stored in."""
    packed = unpacked(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = _Chain(packed, np.inf) if packed is not None else path
        with fits.open(source, memmap=packed is None, disable_image_compression=True) as hdus:
            yield hdus


def _require_small(tile: bytes, most: int) -> None:
    if len(tile) * 1032 <= most:  # gzip packs no tighter
        return
    try:
        unpacker = zlib.decompressobj(wbits=47)
        unpacker.decompress(tile, most + 1)
    except zlib.error:
        return  # the FITS library says what is wrong with it
    if unpacker.unconsumed_tail:
        raise OSError(f"one of its tiles unpacks to over {most} bytes, more than its pixels take")
