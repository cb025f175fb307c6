"""Catalogue rows on their way to the catalogue: on disk detection by detection, then a piece of work in one file.

A catalogue file takes a quarter of a second and a megabyte however few rows it holds. So the rows of a single detection
go to a file of plain arrays (`row_<series>_<computer>_<process>_<time>.npz`), and those of a piece of work are gathered
in a catalogue (`part_....h5`).
"""

from __future__ import annotations

import os
import secrets
import socket
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from elixer_widgets._files import replacing

Tables = Mapping[str, np.ndarray]


def _name(kind: str, series: int, suffix: str) -> str:
    who = f"{socket.gethostname()}_{os.getpid()}"
    return f"{kind}_{series:020d}_{who}_{time.time_ns()}{secrets.token_hex(3)}{suffix}"


def write_row(parts: Path, series: int, tables: Tables, within: Path) -> Path:
    """Put the rows of one detection on disk; `within` is the folder of temporary files.

    When it returns, a cut in the power does not lose them.
    """
    path = parts / _name("row", series, ".npz")
    with replacing(path, within) as temporary, temporary.open("wb") as file:
        # numpy before 2 knows no `allow_pickle` here, and would keep it as one more table; reading refuses pickles
        np.savez(file, **tables)  # type: ignore[arg-type]
    return path


def read_row(path: Path) -> dict[str, np.ndarray] | None:
    """What `write_row` wrote; None if it is damaged or gone: the detection is then done again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            tables = {name: stored[name] for name in stored.files}
            return tables if "Detections" in tables else None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None


def gather(
    parts: Path, series: int, paths: Sequence[Path], within: Path, rows: Sequence[Tables] | None = None
) -> Path | None:
    """Bring the rows of several detections into one catalogue file, and delete the files of the single ones.

    Parameters
    ----------
    parts : Path
    series : int
    paths : sequence of Path
        From `write_row`.
    within : Path
        The folder of temporary files.
    rows : sequence of Tables, optional
        What is in them, if that is at hand.

    Returns
    -------
    Path or None
        The file; None if there is nothing to gather.

    Raises
    ------
    DataError
        If it cannot be written; the single files are kept.
    """
    from elixer_widgets.reports.catalog import write_tables

    held = list(rows) if rows is not None else [each for each in map(read_row, paths) if each is not None]
    made = None
    if held:
        latest = {int(each["Detections"]["detectid"][0]): each for each in held}  # one measured twice: the later rows
        tables = {
            name: held[-1][name] if name == "Version" else np.concatenate([each[name] for each in latest.values()])
            for name in held[-1]
        }
        made = write_tables(tables, parts / _name("part", series, ".h5"), within)
    for path in paths:
        with suppress(OSError):
            path.unlink()
    return made
