"""Reading catalogues to be merged: ten thousand small ones as fast as two large ones.

A small catalogue costs what opening it costs. So HDF5 is asked for nothing but the rows: no attributes, no caches (each
chunk is read once), and the columns of a table are compared with today's once for every *kind* of file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import TableLayout, catalog_layout
from elixer_widgets.releases.reading import damage_said, refuse_links_outside, sound
from elixer_widgets.reports.catalog import OWN_GROUP
from elixer_widgets.reports.versions import check_version, converted, same_columns


def _lean_access() -> h5py.h5p.PropFAID:
    """Open a file without chunk caches and without locks: it is read once, from front to back."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_cache(0, 0, 0, 0.0)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_file_locking(False, True)
    return access


@dataclass
class Reader:
    """Opens catalogues one after the other and remembers the kinds of tables it has met.

    `kinds` holds for each table and each HDF5 type met (as HDF5 encodes it) its numpy type, and whether its bytes are
    today's.
    """

    access: h5py.h5p.PropFAID = field(default_factory=_lean_access)
    kinds: dict[tuple[str, bytes], tuple[np.dtype, bool]] = field(default_factory=dict)

    @contextmanager
    def open(self, path: Path, checked: bool = False) -> Iterator[Catalog]:
        """A catalogue of a known version; `checked` if it is known to be one.

        Raises
        ------
        DataError
            If it cannot be read, is no catalogue, or has an unknown version; the message names the file.
        """
        try:
            file = h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, self.access)
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(f"{path}: cannot be read as HDF5 ({error}); leave it out or write it anew") from error
        try:
            with damage_said(path, "HDF5"):
                refuse_links_outside(file, path)
                catalog = Catalog(path, file, self, names_in(file))
            if not checked:
                catalog.check()
            yield catalog
        finally:
            file.close()

    def kind(self, name: str, stored: h5py.h5t.TypeID, layout: TableLayout) -> tuple[np.dtype, bool]:
        """The numpy type of rows stored as `stored`, and whether they are today's bit for bit."""
        key = (name, stored.encode())
        if key not in self.kinds:
            dtype = stored.dtype
            self.kinds[key] = (dtype, same_columns(dtype, layout.dtype))
        return self.kinds[key]


def names_in(file: h5py.h5f.FileID) -> frozenset[str]:
    """What lies at the root, and in our own group there ("ElixerWidgets/Identity"); indexes left out."""
    root = h5py.h5g.open(file, b"/")
    names = [each for each in root if not each.startswith(b"_i_")]
    if OWN_GROUP.encode() in names:
        own = h5py.h5g.open(file, OWN_GROUP.encode())
        names += [OWN_GROUP.encode() + b"/" + each for each in own]
    return frozenset(each.decode("utf-8", "replace") for each in names)


@dataclass(frozen=True)
class Catalog:
    """One open catalogue; `names` are those of the tables and groups that it may have."""

    path: Path
    file: h5py.h5f.FileID
    reader: Reader
    names: frozenset[str]

    def check(self) -> None:
        """Refuse what is no catalogue of a known version."""
        if "Detections" not in self.names:
            raise DataError(f"{self.path}: no table Detections, so this is not an ELiXer catalogue; leave it out")
        version = self.table("Version", catalog_layout("Version"))
        if version is None or not version.count:
            raise DataError(
                f"{self.path}: no Version row, so its columns cannot be trusted; leave it out or write it anew"
            )
        for row in version.read(0, version.count):
            check_version(self.path, row["version"])

    def table(self, name: str, layout: TableLayout) -> Table | None:
        """A table by its path, or None if the catalogue has none of that name."""
        if name not in self.names:
            return None
        try:
            if self.file.links.get_info(name.encode()).type == h5py.h5l.TYPE_SOFT:
                raise ValueError("it is a link to something else")
            source = h5py.h5d.open(self.file, name.encode())
            stored = source.get_type()
            dtype, same = self.reader.kind(name, stored, layout)
        except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"{self.path}: table {name} cannot be read ({error}); leave it out") from error
        if dtype.hasobject or dtype.names is None:
            raise DataError(f"{self.path}: {name} is no table of plain columns; leave it out or write it anew")
        count = source.get_space().get_simple_extent_npoints()
        with damage_said(self.path, "HDF5"):
            sound(h5py.Dataset(source), self.path)
        return Table(self.path, source, stored, layout, dtype, same, count)


@dataclass(frozen=True)
class Table:
    """One table of an open catalogue: `count` rows of `dtype`, which are today's bit for bit if `same`."""

    path: Path
    source: h5py.h5d.DatasetID
    stored: h5py.h5t.TypeID
    layout: TableLayout
    dtype: np.dtype
    same: bool
    count: int

    def read(self, start: int, count: int, into: np.ndarray | None = None) -> np.ndarray:
        """Rows `start` to `start + count` in the layout of today.

        Parameters
        ----------
        start, count : int
        into : structured array, shape (count,), optional
            Where they go.

        Raises
        ------
        DataError
            If the bytes are not there: the file is cut short or damaged.
        """
        rows = (
            into if into is not None and self.same else np.empty(count, self.layout.dtype if self.same else self.dtype)
        )
        if self.count == count:
            memory = space = h5py.h5s.ALL
        else:
            memory, space = h5py.h5s.create_simple((count,)), self.source.get_space()
            space.select_hyperslab((start,), (count,))
        try:
            # The stored type serves as memory type too: HDF5 converts nothing, neither texts nor truth values.
            self.source.read(memory, space, rows, mtype=self.stored)
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(f"{self.path}: not a whole HDF5 file ({error}); leave it out or write it anew") from error
        if self.same:
            return rows
        try:
            today = converted(rows, self.layout)
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self.path}: a column has another type ({error}); leave it out or write it anew"
            ) from error
        if into is None:
            return today
        into[:] = today
        return into

    def pieces(self, step: int) -> Iterator[np.ndarray]:
        """All rows, `step` at a time."""
        for start in range(0, self.count, step):
            yield self.read(start, min(step, self.count - start))

    def column(self, name: str, step: int) -> np.ndarray:
        """One column whole, reading `step` rows at a time."""
        pieces = [rows[name].copy() for rows in self.pieces(step)]
        return np.concatenate([np.zeros(0, self.layout.dtype[name]), *pieces])
