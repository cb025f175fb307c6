"""The image database of reports as the survey keeps it: one SQLite file for 100,000 detections and a kind of picture.

    elixer_reports_<detectid // 100000>.db          the reports
    elixer_reports_<detectid // 100000>_nei.db      the neighbourhoods
    elixer_reports_<detectid // 100000>_mini.db     the small reports

Each holds one table, `report(detectid BIGINT PRIMARY KEY, image BLOB NOT NULL)`; an image is a PNG file, byte by byte.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from urllib.parse import quote

import numpy as np

from elixer_widgets._files import made_folder, named_path
from elixer_widgets.detection import DataError

KINDS: Mapping[str, str] = {"report": "", "nei": "_nei", "mini": "_mini"}
"""Kind of picture -> what its files have at the end of their names."""

FOLDER = "image_db"
"""Where `store_reports` puts the databases of a run, and a release keeps its own (`<release>/detect/image_db`)."""

IDS_PER_FILE = 100_000
PATIENCE = 120.0  # seconds to wait for another process that writes to the same file
PICTURES_AT_ONCE = 64  # a transaction of these is some 40 MB

_CREATE = "CREATE TABLE IF NOT EXISTS report (detectid BIGINT PRIMARY KEY, image BLOB NOT NULL)"
_STORE = """
INSERT INTO report (detectid, image) VALUES (?, ?)
ON CONFLICT (detectid) DO UPDATE SET image = excluded.image WHERE image <> excluded.image
"""
_PICTURE = re.compile(r"(?:(?P<name>.+)_)?(?P<detectid>[1-9]\d{0,18})(?P<kind>_nei|_mini)?\.png")
_SIGNATURE, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class StoredReports:
    """What `store_reports` did: pictures new or changed, those that were there already, and files with why they were
    left out."""

    stored: int = 0
    unchanged: int = 0
    skipped: Mapping[Path, str] = field(default_factory=dict)


def database_file(folder: str | PathLike[str], detectid: int, kind: str = "report") -> Path:
    """The file of `folder` that holds, or would hold, a detection's picture.

    Raises
    ------
    DataError
        If there is no such kind, or the number is not positive.
    """
    if kind not in KINDS:
        raise DataError(f"{kind!r} is no kind of picture; there are {', '.join(KINDS)}")
    if detectid < 1:
        raise DataError(f"{detectid} is no detection number; give a positive one")
    return named_path(folder) / f"elixer_reports_{int(detectid) // IDS_PER_FILE}{KINDS[kind]}.db"


@contextmanager
def _opened(path: Path, write: bool = False) -> Iterator[sqlite3.Connection]:
    """A database, closed at the end; what SQLite says against it becomes a DataError.

    Rolled back, not forward (no WAL): that is what works on disks that several computers share.
    """
    try:
        mode = "rwc" if write else "ro"
        if not write and Path(f"{path}-journal").is_file() and os.access(path, os.W_OK):
            mode = "rw"  # a writer was killed, and SQLite must be let undo what it began
        where = f"file:{quote(str(path.absolute()))}?mode={mode}"
        with closing(sqlite3.connect(where, uri=True, timeout=PATIENCE, isolation_level=None)) as database:
            yield database
    except sqlite3.Error as error:
        advice = "try again later" if "locked" in str(error) else "check the file and the disk"
        raise DataError(f"{path}: the image database cannot be used ({error}); {advice}") from error


def _store(path: Path, pictures: list[tuple[int, bytes]]) -> int:
    """Put pictures into one file, all or none of them; how many were new or other than those there."""
    with _opened(path, write=True) as database:
        database.execute("BEGIN IMMEDIATE")  # waits here for another writer, not half-way
        try:
            kinds = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if kinds and "report" not in kinds:
                raise DataError(f"{path}: is a database of something else ({min(kinds)}); give another folder")
            database.execute(_CREATE)
            before = database.total_changes
            database.executemany(_STORE, pictures)
            changed = database.total_changes - before
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
    return changed


def store_report(folder: str | PathLike[str], detectid: int, image: bytes, kind: str = "report") -> Path:
    """Put one picture into the image database, in the place of one that may be there.

    Parameters
    ----------
    folder : str or path
        Of the database; it is made.
    detectid : int
    image : bytes
        A whole PNG file.
    kind : str
        "report", "nei" or "mini".

    Returns
    -------
    Path
        The file that holds it.

    Raises
    ------
    DataError
        If it is no whole PNG, or the file cannot be written.
    """
    path = database_file(folder, detectid, kind)
    reason = _fault(image)
    if reason:
        raise DataError(f"{path}: the picture of {detectid} {reason}; make it again")
    made_folder(path.parent)
    _store(path, [(int(detectid), image)])
    return path


def _fault(image: bytes) -> str:
    """What is wrong with the bytes of a PNG file; empty if nothing is."""
    if not image.startswith(_SIGNATURE):
        return "is not a PNG file"
    return "" if image.rstrip(b"\0").endswith(_END) else "is cut short"


def _pictures(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """(file, detectid, kind) of the pictures of a run, those of its `dispatch_XXXX` folders too."""
    places = [folder, *sorted(folder.glob("dispatch_*/*/")), *sorted(folder.glob("dispatch_*/"))]
    for place in places:
        for path in sorted(place.glob("*.png")):
            match = _PICTURE.fullmatch(path.name)
            # small numbers carry the name of the run: anything else with a number at the end is no report
            if match is None or (match["name"] is not None and match["name"] not in (place.name, folder.name)):
                continue
            kind = (match["kind"] or "").removeprefix("_") or "report"
            if int(match["detectid"]) < 2**63:
                yield path, int(match["detectid"]), kind


def store_reports(
    folder: str | PathLike[str], into: str | PathLike[str] | None = None, kinds: Iterable[str] = tuple(KINDS)
) -> StoredReports:
    """Put the pictures that a run has made into the image database.

    Parameters
    ----------
    folder : str or path
        Of the run: `<detectid>.png`, `<detectid>_nei.png`, `<detectid>_mini.png` are taken (with the run's name before
        numbers below 1e9), in it and in its `dispatch_XXXX` folders.
    into : str or path, optional
        Folder of the database; `<folder>/image_db` if not given.
    kinds : iterable of str
        Which of "report", "nei" and "mini".

    Returns
    -------
    StoredReports

    Raises
    ------
    DataError
        If there is no such folder, or a database cannot be written.

    Notes
    -----
    May be called again, and by several processes at a time: a picture that is there already is not written again, a
    newer one takes its place, and what is interrupted leaves whole pictures only. A report that is there as PDF or JPEG
    alone is listed as skipped: the database holds PNG files.
    """
    place = named_path(folder)
    if not place.is_dir():
        raise DataError(f"{place}: there is no such folder of reports; check the name")
    target = place / FOLDER if into is None else named_path(into)
    wanted = set(kinds)
    if wanted - set(KINDS):
        raise DataError(f"{min(wanted - set(KINDS))!r} is no kind of picture; there are {', '.join(KINDS)}")
    found: dict[Path, list[tuple[Path, int]]] = {}
    for path, detectid, kind in _pictures(place):
        if kind in wanted:
            found.setdefault(database_file(target, detectid, kind), []).append((path, detectid))
    stored = unchanged = 0
    skipped = _without_picture(place) if "report" in wanted else {}
    if found:
        made_folder(target)
    for database, files in found.items():
        for start in range(0, len(files), PICTURES_AT_ONCE):
            pictures = []
            for path, detectid in files[start : start + PICTURES_AT_ONCE]:
                try:
                    image = path.read_bytes()
                except OSError as error:
                    skipped[path] = f"cannot be read ({error.strerror})"
                    continue
                reason = _fault(image)
                if reason:
                    skipped[path] = reason
                else:
                    pictures.append((detectid, image))
            changed = _store(database, pictures) if pictures else 0
            stored += changed
            unchanged += len(pictures) - changed
    return StoredReports(stored, unchanged, skipped)


def _without_picture(folder: Path) -> dict[Path, str]:
    """Reports that are there in another form only."""
    found: dict[Path, str] = {}
    for suffix in ("pdf", "jpg"):
        for path in sorted((*folder.glob(f"*.{suffix}"), *folder.glob(f"dispatch_*/*/*.{suffix}"))):
            picture = path.with_suffix(".png")
            if _PICTURE.fullmatch(picture.name) and not picture.is_file():
                found[path] = "no PNG of it; make one with --png"
    return found


def _begun(database: sqlite3.Connection) -> bool:
    """Whether a database holds its table: a writer that was killed at once leaves an empty file."""
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'report'").fetchone())


def read_report(folder: str | PathLike[str], detectid: int, kind: str = "report") -> bytes:
    """A detection's picture out of the image database.

    Parameters
    ----------
    folder : str or path
        Of the database.
    detectid : int
    kind : str
        "report", "nei" or "mini".

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    DataError
        If there is none, saying which file was looked into.
    """
    path = database_file(folder, detectid, kind)
    if not path.is_file():
        raise DataError(f"{path}: there is no such image database; check the folder and the number {detectid}")
    with _opened(path) as database:
        asked = "SELECT image FROM report WHERE detectid = ?"
        row = database.execute(asked, (int(detectid),)).fetchone() if _begun(database) else None
    if row is None:
        raise DataError(f"{path}: holds no picture of {detectid}; it may not have been made")
    return bytes(row[0])


def stored_reports(folder: str | PathLike[str], kind: str = "report") -> np.ndarray:
    """The numbers of all detections that have a picture of one kind in the image database, int64, ascending."""
    database_file(folder, 1, kind)  # refuses an unknown kind
    name = re.compile(rf"elixer_reports_\d+{KINDS[kind]}\.db")
    found: list[int] = []
    for path in sorted(named_path(folder).glob("elixer_reports_*.db")):
        if name.fullmatch(path.name):
            with _opened(path) as database:
                if _begun(database):
                    found += [row[0] for row in database.execute("SELECT detectid FROM report")]
    return np.array(sorted(found), "i8")
