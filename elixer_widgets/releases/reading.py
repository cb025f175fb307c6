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

from elixer_widgets.detection import DataError
from elixer_widgets.releases import pytables
from elixer_widgets.releases.layout import text

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
WIDE_ROW = 2**13  # bytes; from here on a row is read column by column
WHOLE_TABLE = 2**28  # bytes; a table below this may be read whole to get at one column


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
    try:
        # A lock on a shared, read-only disk fails or keeps others out; a reader needs none.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        # h5py raises any of these on damaged files; what our own code raises passes as it is.
        if isinstance(error, DataError) or not (isinstance(error, OSError) or _raised_in_h5py(error)):
            raise
        reason = str(error).split("(")[-1].rstrip(")'\"") or type(error).__name__
        raise DataError(f"{path}: not a whole HDF5 file ({reason}); copy it again") from error


def _raised_in_h5py(error: BaseException) -> bool:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and "h5py" in Path(place.tb_frame.f_code.co_filename).parts


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
        item = file.get(name)
        if not isinstance(item, h5py.Dataset) or item.dtype.names is None or item.ndim != 1:
            held = ", ".join(sorted(key for key in map(text, file) if not key.startswith("_i_"))[:8]) or "nothing"
            raise DataError(
                f"{path}: has no table {name} (it holds {held}); give a file with the layout of a HETDEX release"
            )
        table = cls(item, path, name)
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
        """Whether the table has this column."""
        return column in (self.dtype.names or ())

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
        return np.flatnonzero(self.column(column) == key) if found is None else found


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
