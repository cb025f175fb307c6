"""Reading HDF5 tables: read-only, by column name, and no more bytes than are needed.

A row of an image table is 12.8 MB and one of a spectra table 50 kB. HDF5 reads whole rows even for one column. Where a
dataset is stored as plain unfiltered chunks in a local file, the bytes wanted are read from the file directly.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from elixer_widgets._fits_files import LARGEST_HDU, open_fits_file
from elixer_widgets.detection import DataError
from elixer_widgets.releases import pytables
from elixer_widgets.releases.layout import text

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
WIDE_ROW = 2**13  # bytes; from here on a row is read column by column
WHOLE_TABLE = pytables.WHOLE_TABLE


def is_hdf5(path: Path) -> bool:
    """Whether the file begins as HDF5 files do, even if it is cut short."""
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


@contextmanager
def open_h5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, read-only and without locks, closed at the end.

    Raises
    ------
    DataError
        If there is no such file, or it is not HDF5, truncated or damaged.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; check the path of the release")
    with damage_said(path, "HDF5"), h5py.File(path, "r", locking=False) as file:
        # A lock on a shared, read-only disk fails or keeps others out; a reader needs none.
        refuse_links_outside(file, path)
        yield file


@contextmanager
def damage_said(path: Path, kind: str) -> Iterator[None]:
    """What a library raises on a damaged file of this kind ("HDF5", "FITS") becomes a DataError that names the file.

    A library may raise anything there; what our own code raises passes as it is.
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        if not isinstance(error, OSError | MemoryError | OverflowError) and _raised_here(error):
            raise
        lines = str(error).split("(")[-1].rstrip(")'\"").splitlines()
        reason = lines[0][:120] if lines else type(error).__name__
        raise DataError(f"{path}: not a whole {kind} file ({reason}); copy it again") from error


def _raised_here(error: BaseException) -> bool:
    """Whether the last line of Python that ran was ours."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and "elixer_widgets" in Path(place.tb_frame.f_code.co_filename).parts


def refuse_links_outside(file: h5py.File | h5py.h5f.FileID, path: Path) -> None:
    """Refuse a file with links into other files: what is read must be the file that was named.

    Raises
    ------
    DataError
        If there is one.
    """
    outside: list[str] = []

    def look(name: bytes, info: h5py.h5l.LinkInfo) -> None:
        if info.type not in (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT):
            outside.append(text(name))

    # HDF5 walks each group once and follows no link, so circles do no harm.
    (file.id if isinstance(file, h5py.File) else file).links.visit(look, info=True)
    if outside:
        raise DataError(f"{path}: {outside[0]} is a link to another file; copy the data into this file")


def sound(data: h5py.Dataset, path: Path) -> h5py.Dataset:
    """The dataset, if its numbers lie in this file and do not fill the memory out of a few bytes.

    Raises
    ------
    DataError
        If not.
    """
    plan = data.id.get_create_plist()
    if data.is_virtual or plan.get_external_count():
        raise DataError(f"{path}: {data.name} lies in another file; copy the data into this file")
    if pytables.fills_memory(data):
        raise DataError(
            f"{path}: {data.name} takes {data.id.get_storage_size()} bytes here and "
            f"{pytables.unpacked_size(data) / 2**30:.1f} GB when read; write it anew"
        )
    return data


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """A FITS file of a spectrum, read-only, packed or not, its warnings silenced.

    Raises
    ------
    DataError
        If it is damaged, or one of its extensions is larger than any of a spectrum.
    """
    with damage_said(path, "FITS"), open_fits_file(path, LARGEST_HDU) as hdus:
        yield hdus


@dataclass(frozen=True)
class Table:
    """One table of an open file, its columns by name."""

    data: h5py.Dataset
    path: Path
    name: str

    @classmethod
    def of(cls, file: h5py.File, path: Path, name: str, columns: Sequence[str] = ()) -> Table:
        """The table `name` ("/Data/Fibers") of an open file, which must have `columns`.

        Raises
        ------
        DataError
            If the file has no such table or the table no such column.
        """
        item = None if isinstance(file.get(name, getlink=True), h5py.SoftLink) else file.get(name)
        if not isinstance(item, h5py.Dataset) or item.dtype.names is None or item.ndim != 1:
            held = ", ".join(sorted(key for key in map(text, file) if not key.startswith("_i_"))[:8]) or "nothing"
            raise DataError(
                f"{path}: has no table {name} (it holds {held}); give a file with the layout of a HETDEX release"
            )
        table = cls(sound(item, path), path, name)
        missing = [column for column in columns if not table.has(column)]
        if missing:
            raise DataError(
                f"{path}: table {name} lacks the column {missing[0]}; give a file with the layout of a HETDEX release"
            )
        return table

    # h5py builds these anew at each asking, which takes longer than reading a row.
    @cached_property
    def dtype(self) -> np.dtype:
        """The compound type of a row."""
        return self.data.dtype

    @cached_property
    def _place(self) -> _Place | None:
        return _direct(self.data, self.dtype)

    def has(self, column: str) -> bool:
        """Whether the table has this column, of a type that a release can have: no column of it is complex."""
        return column in (self.dtype.names or ()) and self.dtype[column].base.kind != "c"

    def __len__(self) -> int:
        return int(self.data.shape[0])

    def column(self, name: str) -> np.ndarray:
        """One whole column, shape (rows, ...)."""
        wide = len(self) * self.dtype.itemsize > WHOLE_TABLE or self.dtype.itemsize > WIDE_ROW
        if wide and self._place is not None:
            return self._place.column(name)
        return self.data.fields(name)[:] if len(self) else np.zeros(0, self.dtype[name])

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Several whole columns, read in one pass; names that the table lacks are left out."""
        known = [name for name in names if self.has(name)]
        if self.dtype.itemsize > WIDE_ROW:
            return {name: self.column(name) for name in known}
        rows = self.data.fields(known)[:] if len(self) else np.zeros(0, self.dtype)
        return {name: rows[name] for name in known}

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Whole rows, in the order of `numbers` (int64)."""
        if numbers.size == 0:
            return np.zeros(0, self.dtype)
        low, high = int(numbers.min()), int(numbers.max()) + 1
        if high - low <= 4 * numbers.size:  # neighbours: one read of the stretch that holds them
            return self.data[low:high][numbers - low]
        return np.concatenate([self.data[number : number + 1] for number in numbers])

    def values(self, row: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Some columns of one row; names that the table lacks are left out."""
        known = [name for name in names if self.has(name)]
        if self.dtype.itemsize > WIDE_ROW and self._place is not None:
            return {name: self._place.member(row, name) for name in known}
        record = self.data[row]
        return {name: record[name] for name in known}

    def lines(self, row: int, name: str, low: int, high: int) -> np.ndarray:
        """Lines `low` to `high` of the image in column `name` of one row, shape (high - low, width)."""
        if self._place is not None:
            return self._place.lines(row, name, low, high)
        return self.data.fields(name)[row : row + 1][0][low:high]

    def find(self, column: str, key: object) -> np.ndarray:
        """Rows where `column` equals `key`, by its index if that can be trusted, else by a scan of the column."""
        found = pytables.find_rows(self.data.file, self.name, column, key)
        if found is not None and found.size and not self._holds(found, column, key):
            found = None  # an index of another table
        return np.flatnonzero(self.column(column) == key) if found is None else found

    def _holds(self, numbers: np.ndarray, column: str, key: object) -> bool:
        """Whether all of these rows have this key."""
        if numbers.min() < 0 or numbers.max() >= len(self):
            return False
        if self.dtype.itemsize > WIDE_ROW:
            return all(self.values(int(number), (column,))[column] == key for number in numbers)
        return bool(np.all(self.rows(numbers)[column] == key))


@dataclass(frozen=True)
class _Place:
    """A dataset whose chunks lie unfiltered in a local file."""

    data: h5py.Dataset
    dtype: np.dtype
    path: str
    chunk: int

    def _offset(self, row: int) -> int:
        info = self.data.id.get_chunk_info_by_coord((row - row % self.chunk,))
        if info.byte_offset is None or info.size == 0 or info.filter_mask:
            raise DataError(f"{self.path}: row {row} of {self.data.name} was never written; copy the file again")
        return int(info.byte_offset) + (row % self.chunk) * self.dtype.itemsize

    @contextmanager
    def _open(self) -> Iterator[int]:
        handle = os.open(self.path, os.O_RDONLY)
        try:
            yield handle
        finally:
            os.close(handle)

    def _read(self, handle: int, count: int, offset: int) -> bytes:
        found = os.pread(handle, count, offset)
        if len(found) != count:
            raise DataError(f"{self.path}: ends before its data do; copy it again")
        return found

    def _field(self, name: str) -> tuple[np.dtype, int]:
        fields: Mapping[str, tuple] = self.dtype.fields or {}
        return fields[name][0], int(fields[name][1])

    def member(self, row: int, name: str) -> np.ndarray:
        kind, offset = self._field(name)
        with self._open() as handle:
            found = np.frombuffer(self._read(handle, kind.itemsize, self._offset(row) + offset), kind.base)
        return found.reshape(kind.shape) if kind.shape else found[0]

    def lines(self, row: int, name: str, low: int, high: int) -> np.ndarray:
        kind, offset = self._field(name)
        width = kind.shape[1]
        step = width * kind.base.itemsize
        with self._open() as handle:
            found = self._read(handle, (high - low) * step, self._offset(row) + offset + low * step)
        return np.frombuffer(found, kind.base).reshape(high - low, width)

    def column(self, name: str) -> np.ndarray:
        kind, offset = self._field(name)
        with self._open() as handle:
            rows = range(self.data.shape[0])
            parts = [self._read(handle, kind.itemsize, self._offset(row) + offset) for row in rows]
        return np.frombuffer(b"".join(parts), kind.base).reshape((-1, *kind.shape))


def _direct(data: h5py.Dataset, dtype: np.dtype) -> _Place | None:
    """The way to read this dataset's bytes directly, or None if HDF5 must do it."""
    if data.chunks is None or data.id.get_create_plist().get_nfilters() or not hasattr(os, "pread"):
        return None
    file = data.file
    if file.driver != "sec2" or file.userblock_size or file.mode != "r":
        return None
    stored = data.id.get_type()
    if stored.get_size() != dtype.itemsize or stored.get_nmembers() != len(dtype.names or ()):
        return None
    return _Place(data, dtype, file.filename, int(data.chunks[0]))
