"""`elixer_cls.dat`: the file of the HETDEX classification widget, written and read.

One line a detection, six columns with spaces between: detectid, vis_class, flag (1 for reviewed), z, counterpart and
comments; unset 0, 0, -1.0, -1 and `?`. A comment of several words is quoted, as tables in ASCII have it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from os import PathLike
from pathlib import Path
from typing import Any

from elixer_widgets._arguments import path as given_path
from elixer_widgets._files import require_ours
from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.campaign import Campaign
from elixer_widgets.campaigns.choices import CANNOT_TELL, COUNTERPARTS, VIS_CLASSES, from_vis_class
from elixer_widgets.campaigns.consistency import contradiction, counterpart_code, exported, was_imported
from elixer_widgets.campaigns.exports import exporting
from elixer_widgets.detection import NAN, DataError

COLUMNS = ("detectid", "vis_class", "flag", "z", "counterpart", "comments")

WIDTH = 80
"""Letters of a comment that the widget keeps."""

WORDS = {
    "oii": 11, "lae": 5, "star": 12, "nearby galaxy": 11, "other line": 3, "artifact": -1, "noise": 1, "unknown": 0,
}  # fmt: skip
"""Classes as words, which earlier widgets stored."""

_OLD_NAMES = {
    "detectid": ("detectid", "detect_id", "id"),
    "vis_class": ("vis_class", "vis_type", "type", "class"),
    "flag": ("flag", "reviewed"),
    "z": ("z", "vis_z", "redshift"),
    "counterpart": ("counterpart",),
    "comments": ("comments", "comment"),
}

_FIELD = re.compile(r'"((?:[^"]|"")*)"(?=\s|$)|(\S+)')


@dataclass(frozen=True)
class Row:
    """A line of the file; NaN, None and "" are unset."""

    detectid: int
    vis_class: int = 0
    flag: int = 0
    z: float = NAN
    counterpart: int | None = None
    comment: str = ""

    @property
    def says_something(self) -> bool:
        """Whether anything is set."""
        return bool(self.vis_class or self.flag or isfinite(self.z) or self.counterpart is not None or self.comment)


@dataclass(frozen=True)
class Written:
    """What `write` did: the file, the detections whose comments the format could not hold as they are, and those whose
    answers contradict themselves, of which only what is safe was written."""

    path: Path
    altered: tuple[int, ...]
    contradicting: tuple[int, ...] = ()


@dataclass(frozen=True)
class Read:
    """What `read` found: one row a detection, in the order of the file, and what was strange about it, in words."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What `import_answers` did: how many answers were written, how many were there already, and what was strange."""

    written: int
    known: int
    notes: tuple[str, ...] = field(default=())


# ------------------------------------------------------------------------------------------------------- writing


def plain(comment: str) -> str:
    """A comment as the format can hold it: ASCII on one line, at most `WIDTH` letters."""
    one_line = " ".join(comment.encode("ascii", "replace").decode().split())
    return "".join(each if each.isprintable() else "?" for each in one_line)[:WIDTH].rstrip()


def write(
    detectids: Sequence[int], answers: Sequence[Answer], path: str | PathLike[str], *, overwrite: bool = False
) -> Written:
    """Write the file of the HETDEX widget.

    Parameters
    ----------
    detectids : sequence of int
        One line each, in this order; unanswered ones with the unset values.
    answers : sequence of Answer
        One a detection at the most: those of one inspector, or `exports.consensus_answers`.
    path : path
        A file that says nothing but what is written is replaced, whole or not at all.
    overwrite : bool
        Replace a file of that name whatever it is.

    Returns
    -------
    Written
        The file holds comments of one line of 80 ASCII letters; `altered` names those that are longer or other. The
        other tables hold every comment in full.

    Raises
    ------
    DataError
        If a detection occurs twice in the list or among the answers, or a file of that name holds something else.
    """
    said: dict[int, Answer] = {}
    for each in answers:
        if each.detectid in said:
            raise DataError(f"{each.detectid} has two answers; give those of one inspector, or the consensus")
        said[each.detectid] = each
    if len(set(detectids)) < len(detectids):
        raise DataError("the list holds a detection twice; give each once")
    target, altered, odd = given_path(path, "elixer_cls.write: path"), [], []
    text = [" ".join(COLUMNS)]
    for detectid in detectids:
        answer = said.get(detectid, Answer(detectid))
        code, flag, z = _said(answer)
        comment = plain(answer.comment)
        if comment != answer.comment:
            altered.append(detectid)
        if contradiction(answer):
            odd.append(detectid)
        # a person's "?" must not read as unset
        quoted = _quoted(comment) if comment else "?"
        text.append(f"{detectid} {code} {flag} {z!r} {counterpart_code(answer)} {quoted}")
    require_ours(target, lambda there: _keeps(there, text), "contained in what would be written", overwrite)
    with exporting(target) as temporary:
        temporary.write_text("\n".join(text) + "\n", encoding="ascii", newline="\n")
    return Written(target, tuple(altered), tuple(odd))


def _keeps(there: Path, text: Sequence[str]) -> bool:
    """Whether everything that a file of this format says stands in new lines too: its format is that of the HETDEX
    widget, whose files hold a person's work."""
    try:
        old = {row for row in read(there).rows if row.says_something}
    except DataError:
        return False
    return old <= {_row(line, COLUMNS, "") for line in text[1:]}


def _said(answer: Answer) -> tuple[int, int, float]:
    """Class, flag and z: as they were read from such a file, or what is safe to say."""
    safe = exported(answer)
    if was_imported(answer) and answer.imported_class is not None:
        code, flag, z = answer.imported_class, int(answer.is_answered), answer.redshift
    else:
        code, flag, z = safe.vis_class, safe.flag, safe.redshift
    return code, flag, float(z) if isfinite(z) else -1.0


def _quoted(text: str) -> str:
    plain_word = re.fullmatch(r'[^\s"#?][^\s"]*', text)
    return text if plain_word else '"' + text.replace('"', '""') + '"'


# ------------------------------------------------------------------------------------------------------- reading


def read(path: str | PathLike[str]) -> Read:
    """Read a file of the HETDEX widget, of now or of earlier, with its known faults.

    Columns are found by their names where there is a header, else by their order; older files have fewer. Comments may
    be quoted or not, hold commas, quotation marks and spaces, or be written as Python bytes (`b'...'`). What one
    detection's lines say twice is taken once; where they differ, the last reviewed one holds, and a note says so.

    Raises
    ------
    DataError
        If a line has no number of a detection or a value that cannot be, with the line's number.
    """
    source = given_path(path, "elixer_cls.read: path")
    if not source.is_file():
        raise DataError(f"{source}: there is no file")
    notes: list[str] = []
    text = _decoded(source, notes)
    names: Sequence[str] = COLUMNS
    found: dict[int, Row] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        stripped = line.strip()
        header = _header(stripped)
        if header is not None:
            names = header
        elif stripped and not stripped.startswith("#"):
            row = _row(stripped, names, f"{source}, line {number}")
            _take(found, row, notes, number)
    cut = [row.detectid for row in found.values() if len(row.comment) == WIDTH]
    if cut:
        notes.append(f"comments of exactly {WIDTH} letters, which the widget may have cut: {_listed(cut)}")
    return Read(tuple(found.values()), tuple(notes))


def _decoded(source: Path, notes: list[str]) -> str:
    """The text of a file in UTF-8, UTF-16 with its mark, or Latin-1, which is said."""
    try:
        content = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        notes.append("not UTF-8, read as Latin-1: letters with accents may be others")
        return content.decode("latin-1")


def _take(found: dict[int, Row], row: Row, notes: list[str], number: int) -> None:
    before = found.get(row.detectid)
    if before is None:
        found[row.detectid] = row
        return
    same = repr(before) == repr(row)  # NaN equals NaN in writing
    if not same and (row.flag or row.vis_class or not (before.flag or before.vis_class)) and row.says_something:
        found[row.detectid] = row
        notes.append(f"line {number}: {row.detectid} occurs again and says something else; the later line holds")
    else:
        notes.append(f"line {number}: {row.detectid} occurs again" + ("" if same else " and says less") + "; left out")


def _header(line: str) -> list[str] | None:
    """The names of the columns, if this is a line of names."""
    words = re.split(r"[\s,]+", line.lstrip("#").strip().lower())
    if words[0] not in _OLD_NAMES["detectid"]:
        return None
    known = {old: name for name, olds in _OLD_NAMES.items() for old in olds}
    return [known.get(word, word) for word in words]


def _row(line: str, names: Sequence[str], where: str) -> Row:
    if "," in line.split('"')[0].split()[0]:
        # a file that was saved with commas between
        line = " ".join(f'"{part}"' if " " in part and '"' not in part else part for part in line.split(","))
    values = _split(line, names)
    detectid = _integer(values.get("detectid", ""), where)
    comment = values.get("comments", "?")
    if re.fullmatch(r"""b(['"]).*\1""", comment):
        comment = comment[2:-1]
    quoted = comment.startswith("\0")
    comment = comment.lstrip("\0").strip()
    z = _number(values.get("z", "-1.0"), where)
    counterpart = _integer(values.get("counterpart", "-1"), where)
    if counterpart not in COUNTERPARTS and counterpart != -1:
        raise DataError(f"{where}: counterpart {counterpart} is none of {', '.join(map(str, COUNTERPARTS))}")
    return Row(
        detectid,
        _class(values.get("vis_class", "0"), where),
        _integer(values.get("flag", "0"), where),
        NAN if z == -1.0 else z,
        None if counterpart == -1 else counterpart,
        "" if comment == "?" and not quoted else comment,
    )


def _split(line: str, names: Sequence[str]) -> dict[str, str]:
    """The values by column. A comment in the last column may hold spaces without quotation marks; a quoted one gets a
    NUL before it, which tells a quoted question mark from an unset comment."""
    values: dict[str, str] = {}
    at = 0
    for place, name in enumerate(names):
        match = _FIELD.match(line, at)
        if match is None:
            break
        rest = line[at:].strip()
        if name == "comments" and place == len(names) - 1 and match.end() < len(line):
            values[name] = rest
            break
        values[name] = match[2] if match[1] is None else "\0" * (name == "comments") + match[1].replace('""', '"')
        at = match.end()
        at += len(line[at:]) - len(line[at:].lstrip())
    return values


def _integer(text: str, where: str) -> int:
    value = text.strip()
    if re.fullmatch(r"[+-]?[0-9]{1,20}(\.0*)?", value):
        # never by way of a float, which loses the last digits of long numbers
        return int(value.split(".")[0])
    raise DataError(f"{where}: {text[:40]!r} is no whole number of at most 20 digits")


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = inf
    if abs(value) == inf:
        raise DataError(f"{where}: {text[:40]!r} is no number")
    return value


def _class(text: str, where: str) -> int:
    if text.strip("\0").lower() in WORDS:
        return WORDS[text.strip("\0").lower()]
    code = _integer(text, where)
    if code and code not in VIS_CLASSES:
        raise DataError(f"{where}: vis_class {code} is none of {', '.join(map(str, VIS_CLASSES))}")
    return code


# ----------------------------------------------------------------------------------------------------- importing


def import_answers(campaign: Campaign, path: str | PathLike[str]) -> Imported:
    """Take the answers of a file of the HETDEX widget into a campaign, as answers of its inspector.

    Rows are matched by number, never by place. Rows that say nothing write nothing, so that what is unset there stays
    unanswered here. An answer that this inspector gave here already stays; a note names it. Importing a file twice
    changes nothing.

    Raises
    ------
    DataError
        As `read`, before anything is written.
    """
    found = read(path)
    name = given_path(path, "import_answers: path").name
    notes = list(found.notes)
    listed = set(campaign.definition.detectids)
    strangers = [row.detectid for row in found.rows if row.detectid not in listed]
    if strangers:
        notes.append(f"not of this campaign, left out: {_listed(strangers)}")
    written = known = 0
    kept: list[int] = []
    odd: list[str] = []
    for row in found.rows:
        if row.detectid not in listed or not row.says_something:
            continue
        fields = _content(row)
        before = campaign.current(row.detectid)
        if before is not None:
            known += 1
            if not Answer(row.detectid, **fields).same_content(before):
                kept.append(row.detectid)
            continue
        said = campaign.answer(row.detectid, source=name, as_read=True, **fields)
        why = contradiction(said)
        if why:
            odd.append(f"{row.detectid} ({why})")
        written += 1
    unclassed = [row.detectid for row in found.rows if row.flag and not row.vis_class]
    if unclassed:
        notes.append(f'reviewed but without a class, taken as "cannot tell": {_listed(unclassed)}')
    unflagged = [row.detectid for row in found.rows if row.vis_class and not row.flag]
    if unflagged:
        notes.append(f"with a class but not marked as reviewed, taken as answered: {_listed(unflagged)}")
    if odd:
        notes.append(f"contradicting themselves, kept as they were said and marked: {_listed(odd)}")
    if kept:
        notes.append(f"answered otherwise here, kept: {_listed(kept)}")
    return Imported(written, known, tuple(notes))


def _content(row: Row) -> dict[str, Any]:
    verdict, quality, label = from_vis_class(row.vis_class)
    if row.flag and not row.vis_class:
        verdict = CANNOT_TELL
    return {
        "verdict": verdict, "quality": quality, "label": label, "redshift": row.z,
        "counterpart_code": row.counterpart, "comment": row.comment,
        "imported_class": row.vis_class or None,
    }  # fmt: skip


def _listed(detectids: Sequence[object], most: int = 5) -> str:
    more = f" and {len(detectids) - most} more" if len(detectids) > most else ""
    return ", ".join(map(str, detectids[:most])) + more
