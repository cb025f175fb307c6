"""Journals from several places in one folder: files are copied, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from elixer_widgets._arguments import path as given_path
from elixer_widgets._files import made_folder, replacing
from elixer_widgets.campaigns.campaign import JOURNALS
from elixer_widgets.campaigns.copies import losses
from elixer_widgets.campaigns.definition import Definition, load, versions
from elixer_widgets.campaigns.journal import files
from elixer_widgets.detection import DataError


@dataclass(frozen=True)
class Merged:
    """What `merge_journals` did: files brought, grown, found there already, and what could not be brought and why."""

    new: tuple[str, ...]
    grown: tuple[str, ...]
    known: tuple[str, ...]
    refused: tuple[str, ...]


def merge_journals(sources: Iterable[str | PathLike[str]], target: str | PathLike[str]) -> Merged:
    """Bring the journals of other copies of a campaign into one.

    Parameters
    ----------
    sources : iterable of path
        Campaigns' folders, of other computers or inspectors.
    target : path
        The folder to bring them to; made from the first source's definitions if there is none.

    Returns
    -------
    Merged

    Raises
    ------
    DataError
        If a source is no campaign, or one with another definition of the same version.

    Notes
    -----
    Every session writes a file of a name of its own, so that nothing can meet. A file that is there already is replaced
    only by one that begins with all of it. Merging twice changes nothing.
    """
    folder = given_path(target, "merge_journals: target")
    new: list[str] = []
    grown: list[str] = []
    known: list[str] = []
    refused: list[str] = []
    for source in [given_path(each, "merge_journals: sources") for each in sources]:
        _definitions(source, folder)
        refused += [str(each) for each in losses(source / JOURNALS)]
        for path in files(source / JOURNALS):
            place = folder / JOURNALS / path.parent.name / path.name
            name = f"{path.parent.name}/{path.name}"
            content = path.read_bytes()
            before = place.read_bytes() if place.exists() else None
            if before is not None and before.startswith(content):
                known.append(name)
            elif before is not None and not content.startswith(before):
                refused.append(f"{name}: {path} and {place} differ; look at both")
            else:
                _copy(content, place)
                (new if before is None else grown).append(name)
    return Merged(tuple(new), tuple(grown), tuple(known), tuple(refused))


def _definitions(source: Path, folder: Path) -> None:
    theirs = versions(source)
    if not theirs:
        raise DataError(f"{source}: there is no campaign")
    ours = versions(folder)
    for version, path in theirs.items():
        if version not in ours:
            load(path)
            _copy(path.read_bytes(), folder / path.name)
        elif _asked(ours[version]) != _asked(path):
            raise DataError(
                f"{path} and {ours[version]} are different definitions of one version; their answers are to different "
                "questions"
            )


def _asked(path: Path) -> Definition:
    """What a definition asks, whoever wrote it down and when."""
    return replace(load(path), made_by="", time="", note="")


def _copy(content: bytes, place: Path) -> None:
    made_folder(place.parent)
    with replacing(place) as part:
        part.write_bytes(content)
