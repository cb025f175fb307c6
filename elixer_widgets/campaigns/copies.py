"""Answers that a journal held and does not hold any more: told, and put back from the copies of the lines.

Every session writes its lines twice: into its journal, and into `copies/` beside it. A journal that was emptied, cut or
removed is shorter than its copy.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from elixer_widgets._arguments import path as given_path
from elixer_widgets.campaigns.journal import COPIES, SUFFIX, Reader, entries, files, sync_folder
from elixer_widgets.detection import DataError


@dataclass(frozen=True)
class Loss:
    """A journal that is shorter than its copy; `held` and `left` are in bytes."""

    path: Path
    copy: Path
    held: int
    left: int

    def __str__(self) -> str:
        state = f"holds {self.left} of {self.held} bytes" if self.path.exists() else "is gone"
        folder = self.path.parent.parent.parent
        return (
            f"{self.path} {state}: answers were taken out of it. They are in {self.copy}; "
            f"elixer_widgets.campaigns.restore({str(folder)!r}) puts them back, into a new file"
        )


def losses(journals: Path) -> Iterator[Loss]:
    """Journals that lack what their copies hold, and no file with the restored lines has.

    Parameters
    ----------
    journals : Path
        The folder of the journals, such as `campaign/answers`.
    """
    for copy in files(journals.parent / COPIES):
        path = journals / copy.parent.name / copy.name
        try:
            held = copy.stat().st_size
            left = path.stat().st_size if path.is_file() else 0
            restored = any(path.parent.glob(f"{path.stem}-restored*{SUFFIX}"))
        except OSError:
            continue
        if left < held and not restored:
            yield Loss(path, copy, held, left)


def restore(campaign: str | PathLike[str]) -> tuple[Path, ...]:
    """Put back what was taken out of journals, each into a new file; no file is changed.

    Parameters
    ----------
    campaign : path
        The campaign's folder.

    Returns
    -------
    tuple of Path
        The new files.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    from elixer_widgets.campaigns.campaign import JOURNALS

    journals = given_path(campaign, "restore: campaign") / JOURNALS
    made = []
    for loss in list(losses(journals)):
        kept = {line.raw for line in Reader(loss.path).more([])} if loss.path.is_file() else set()
        lines = [line.raw for line in Reader(loss.copy).more([]) if line.raw not in kept]
        if lines:
            made.append(_written(b"".join(line + b"\n" for line in lines), loss.path))
    return tuple(made)


def _written(content: bytes, lost: Path) -> Path:
    target = lost.with_name(f"{lost.stem}-restored{SUFFIX}")
    part = lost.with_name(f".part-{secrets.token_hex(4)}")
    try:
        lost.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, target)
        sync_folder(lost.parent)
    except OSError as error:
        raise DataError(f"{target}: not written: {error.strerror}; make room or give the right to write") from error
    finally:
        part.unlink(missing_ok=True)
    return target


__all__ = ["Loss", "entries", "losses", "restore"]
