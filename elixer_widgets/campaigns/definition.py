"""What a campaign asks: its list, options, guidelines, own columns, known objects and blind repeats.

A definition is a file that is never changed: another list or text is another version, and every answer names the
version that was in force.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from elixer_widgets.campaigns.answers import whole
from elixer_widgets.campaigns.journal import sync_folder
from elixer_widgets.detection import DataError

REPEATS = 0.02
"""Share of the detections that everybody meets twice without being told."""

_FILE = re.compile(r"definition-(\d{4})\.json")
COLUMN_KINDS = ("text", "number", "choice", "yes/no")


@dataclass(frozen=True)
class Column:
    """A column of the campaign's owner: `name`, `kind` (one of `COLUMN_KINDS`), the `options` of a choice, `help`."""

    name: str
    kind: str = "text"
    options: tuple[str, ...] = ()
    help: str = ""

    def checked(self, value: Any) -> Any:
        """The value as this column keeps it; None for none.

        Raises
        ------
        DataError
            If the column cannot hold it.
        """
        if value is None or value == "":
            return None
        if self.kind == "number":
            try:
                number = float(value)
            except (TypeError, ValueError, OverflowError):
                number = inf
            if not isfinite(number):
                raise DataError(f"column {self.name!r} holds numbers, not {str(value)[:40]!r}")
            return number
        if self.kind == "yes/no":
            return bool(value)
        if self.kind == "choice" and value not in self.options:
            raise DataError(f"column {self.name!r} holds one of {', '.join(self.options)}, not {value!r}")
        return str(value)


@dataclass(frozen=True)
class Guideline:
    """What the owner says about one choice, and detections that show it."""

    text: str = ""
    examples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Definition:
    """What a campaign asks.

    Attributes
    ----------
    detectids : tuple of int
        In the order in which they are shown; every one once.
    name : str
    columns : tuple of Column
    guidelines : mapping
        "verdict 10", "quality 2", "label AGN" to a `Guideline`, beside the texts of `choices`.
    known : mapping
        detectid to what is known of it ({"verdict": 1, "identity": "OII", "redshift": 0.2}): objects with a known
        answer that are strewn into everybody's queue.
    repeats : float
        Share of the detections shown twice, 0 to 0.5.
    seed : str
        From which repeats and known objects are drawn.
    adjudicators : tuple of str
        Who may settle disagreements; everybody if empty.
    note : str
        Why this version was made.
    version : int
    made_by, time : str
    """

    detectids: tuple[int, ...]
    name: str = ""
    columns: tuple[Column, ...] = ()
    guidelines: Mapping[str, Guideline] = field(default_factory=dict)
    known: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    repeats: float = REPEATS
    seed: str = "1"
    adjudicators: tuple[str, ...] = ()
    note: str = ""
    version: int = 0
    made_by: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        if not self.detectids:
            raise DataError("a campaign needs detections; give at least one detectid")
        for each in self.detectids:
            detectid_of(each)
        if isinstance(self.repeats, bool | str) or not 0.0 <= self.repeats <= 0.5:
            raise DataError(f"repeats {self.repeats} is not within 0 to 0.5")
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names) or not all(names):
            raise DataError(f"columns {names}: every column needs a name of its own")
        for column in self.columns:
            if column.kind not in COLUMN_KINDS:
                raise DataError(f"column {column.name!r}: {column.kind!r} is none of {', '.join(COLUMN_KINDS)}")


def detectid_of(value: Any) -> int:
    """A number of a detection, however it came.

    Raises
    ------
    DataError
        If it is not a whole number of at most 20 digits.
    """
    number = whole(value, "detectid")
    if not 0 <= number < 10**20:
        raise DataError(f"detectid {str(number)[:40]}: not the number of a detection")
    return number


def unique(detectids: Iterable[int]) -> tuple[tuple[int, ...], dict[int, int]]:
    """A list with every detection once, at its first place, and how often those occur that occur more than once."""
    counts = Counter(detectid_of(each) for each in detectids)
    return tuple(counts), {each: count for each, count in counts.items() if count > 1}


def versions(folder: Path) -> dict[int, Path]:
    """The definitions in a campaign's folder by version."""
    if not folder.is_dir():
        return {}
    found = ((_FILE.fullmatch(each.name), each) for each in sorted(folder.iterdir()))
    return {int(match[1]): each for match, each in found if match}


def load(path: Path) -> Definition:
    """A definition from its file.

    Raises
    ------
    DataError
        If it is no definition, or was changed by hand.
    """
    if not path.is_file():
        raise DataError(f"{path}: no definition of a campaign, since it is no file; restore it")
    try:
        wrapped = json.loads(path.read_bytes())
        content = wrapped["definition"]
        if zlib.crc32(_canonical(content)) != wrapped["crc"]:
            raise DataError("changed by hand, so that answers and questions may not belong together; restore it, and "
                            "make a new version with `define`")  # fmt: skip
        _check_types(content)
        content["detectids"] = tuple(content["detectids"])
        content["adjudicators"] = tuple(content["adjudicators"])
        content["columns"] = tuple(Column(**{**each, "options": tuple(each["options"])}) for each in content["columns"])
        content["guidelines"] = {
            key: Guideline(each["text"], tuple(each["examples"])) for key, each in content["guidelines"].items()
        }
        content["known"] = {int(key): each for key, each in content["known"].items()}
        return Definition(**content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: no definition of a campaign ({type(error).__name__}: {error})") from error


def _check_types(content: Mapping[str, Any]) -> None:
    """Refuse what JSON can hold and a definition cannot: text in place of a list, numbers in place of names."""
    if not isinstance(content["detectids"], list) or any(type(each) is not int for each in content["detectids"]):
        raise TypeError("detectids are not a list of whole numbers")
    if len(set(content["detectids"])) < len(content["detectids"]):
        raise TypeError("a detection occurs twice")
    for name in ("adjudicators", "columns"):
        if not isinstance(content[name], list):
            raise TypeError(f"{name} are not a list")
    if not all(isinstance(each, str) for each in content["adjudicators"]):
        raise TypeError("adjudicators are not names")
    for each in content["columns"]:
        if not (isinstance(each["name"], str) and isinstance(each["options"], list) and isinstance(each["help"], str)):
            raise TypeError(f"column {str(each)[:40]}")
    for name in ("name", "seed", "note", "made_by", "time"):
        if not isinstance(content[name], str):
            raise TypeError(f"{name} is not text")
    if type(content["version"]) is not int:
        raise TypeError("version is not a number")
    for mapping in (content["known"], content["guidelines"]):
        if not all(isinstance(each, dict) for each in mapping.values()):
            raise TypeError("known objects and guidelines are not mappings")


def define(folder: Path, definition: Definition, made_by: str) -> Definition:
    """Write a definition as the next version; no file is ever replaced.

    Returns
    -------
    Definition
        With its version, maker and time.

    Raises
    ------
    DataError
        If somebody else made that version at the same moment, or `made_by` is empty.
    """
    if not made_by.strip():
        raise DataError("say who makes this definition")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _define(folder, definition, made_by)
    except OSError as error:
        raise DataError(f"{folder}: no campaign can be made there: {error.strerror}; choose another folder") from error


def _define(folder: Path, definition: Definition, made_by: str) -> Definition:
    made = replace(
        definition,
        detectids=tuple(map(detectid_of, definition.detectids)),
        version=max(versions(folder), default=0) + 1,
        made_by=made_by,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        content = json.loads(json.dumps(asdict(made), default=_plain))
    except (TypeError, ValueError) as error:
        raise DataError(f"this definition cannot be kept as JSON: {error}") from error
    target = folder / f"definition-{made.version:04d}.json"
    part = folder / f".definition-{secrets.token_hex(4)}"
    try:
        with open(part, "xb") as file:
            file.write(json.dumps({"definition": content, "crc": zlib.crc32(_canonical(content))}).encode())
            file.flush()
            os.fsync(file.fileno())
        _name(part, target)
        sync_folder(folder)
    except FileExistsError as error:
        raise DataError(f"{target}: somebody made this version at the same moment; look at it and try again") from error
    finally:
        part.unlink(missing_ok=True)
    return made


def _plain(value: Any) -> Any:
    """A number of numpy as JSON has it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is neither text nor a number")


def _name(part: Path, target: Path) -> None:
    """Give a whole file its name, unless the name is taken."""
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # no hard links there: nearly as good, since a version is made once in weeks
        if target.exists():
            raise FileExistsError(target) from None
        os.rename(part, target)


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
