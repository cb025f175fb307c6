"""Lists that people give: read whatever program wrote them, or refused by the number of the line."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from elixer_widgets._errors import DataError
from elixer_widgets._files import in_words, named_file, shown

MOST = 2**63 - 1  # what a detection number may be in the files of the survey

_MARKS = (  # longer ones first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER = {
    b"PK\x03\x04": "a spreadsheet or archive; save it as text (CSV)",
    b"\xd0\xcf\x11\xe0": "a spreadsheet; save it as text (CSV)",
    b"\x89HDF": "an HDF5 file; write the list as text",
    b"SIMPLE  =": "a FITS file; write the list as text",
    b"\x1f\x8b": "compressed; unpack it",
    b"%PDF": "a PDF; write the list as text",
}
_HEADINGS = frozenset({"detectid", "detectids", "detect_id", "detect_ids", "det_id", "id", "ids", "dets", "detection"})
_WHOLE = re.compile(r"([0-9]{1,19})(?:\.0*)?")
_ROUNDED = re.compile(r"[0-9.]+[eE][+-]?[0-9]+")
_BLANK = " \t\v\f\xa0\u2007\u202f\u200b\ufeff"


def read_lines(path: Path, option: str) -> list[str]:
    """The lines of a text file, from UTF-8, UTF-16 or UTF-32, with or without a byte-order mark; else Latin-1.

    Raises
    ------
    DataError
        If it cannot be read or is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{option} {path}: cannot be read ({in_words(error)}); check the name") from error
    for start, kind in _OTHER.items():
        if content.startswith(start):
            raise DataError(f"{option} {path}: is {kind}")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        encoding = _wide(content)
        if not encoding:
            raise DataError(f"{option} {path}: is not a text file (it holds NUL bytes); write the list as text")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(f"{option} {path}: is damaged text ({error.reason}); write it again as UTF-8") from error
        text = content.decode("latin-1")  # a comment in an old encoding; numbers are the same in it
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _wide(content: bytes) -> str:
    """UTF-16 without a mark, told by where its NUL bytes are; empty if it is not that."""
    some = content[:400]
    low, high = some[0::2].count(0), some[1::2].count(0)
    if len(content) % 2 or min(low, high) > 0:
        return ""
    return "utf-16-le" if high > 0.5 * len(some) / 2 else "utf-16-be" if low > 0.5 * len(some) / 2 else ""


def without_comment(line: str) -> str:
    """A line up to `#`, without blanks at its ends, the invisible ones of spreadsheets included."""
    return line.partition("#")[0].strip(_BLANK)


def delimiter_of(line: str) -> str:
    """What separates the fields of a line: `;`, a tab, `|` or `,`; empty for blanks."""
    return next((mark for mark in ";\t|," if mark in line), "")


def fields_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line, without quotes and blanks around them."""
    if not delimiter:
        return [word.strip("\"'") for word in line.split()]
    row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return [field.strip(_BLANK).strip("'") for field in row]


def detection_number(text: str) -> int:
    """A detection number written out in ASCII digits.

    Raises
    ------
    ValueError
        If it is anything else; the reason, where there is one to tell, is in the error.
    """
    match = _WHOLE.fullmatch(text)
    if match is None:
        rounded = "a spreadsheet has rounded it: format the column as whole numbers" if _ROUNDED.fullmatch(text) else ""
        raise ValueError(rounded)
    number = int(match[1])
    if not 1 <= number <= MOST:
        raise ValueError(f"numbers go from 1 to {MOST}")
    return number


def read_detections(given: str) -> list[int]:
    """Detection numbers of a file (one a line, `#` begins a comment) or of a list with commas, each once.

    A file may have a heading with a column `detectid`, and be from a spreadsheet. Without a heading the first of
    several columns counts.

    Raises
    ------
    DataError
        If it is neither, or a line holds something that is no number.
    """
    path = named_file(given)
    if path is not None:
        return list(dict.fromkeys(_numbers(read_lines(path, "--dets"), path)))
    words = [word for word in re.split(r"[\s,;]+", given) if word]
    try:
        return list(dict.fromkeys(detection_number(word) for word in words))
    except ValueError as error:
        wrong = next(word for word in words if not _is_number(word))
        which = f" ({shown(wrong)!r} is not a detection number)" if len(words) > 1 else ""
        raise DataError(
            f"--dets {shown(given)}: is no file and no list of numbers with commas{which}; check the name"
        ) from error


def _is_number(word: str) -> bool:
    try:
        return detection_number(word) > 0
    except ValueError:
        return False


def _numbers(lines: Sequence[str], path: Path) -> list[int]:
    """The numbers of a file."""
    numbers: list[int] = []
    take: Callable[[str], list[str]] | None = None
    for place, line in enumerate(lines, start=1):
        if take is _all_words and len(line) < 19 and line.isascii() and line.isdigit() and (number := int(line)):
            numbers.append(number)  # as nearly all lines are, a million of them perhaps
            continue
        text = without_comment(line)
        if not text:
            continue
        if take is None:
            column = _column(text)
            take = _all_words if column is None else column
            if column is not None:
                continue
        for word in take(text):
            try:
                numbers.append(detection_number(word))
            except ValueError as error:
                why = f": {error}" if str(error) else "; write one number a line"
                raise DataError(f"{path}: {shown(word)!r} is not a detection number (line {place}){why}") from error
    return numbers


def _column(heading: str) -> Callable[[str], list[str]] | None:
    """How to find the numbers below a heading; None if this line is none."""
    delimiter = delimiter_of(heading)
    names = [field.lower() for field in fields_of(heading, delimiter)]
    at = next((place for place, name in enumerate(names) if name in _HEADINGS), None)
    if at is None:
        return None

    def take(line: str) -> list[str]:
        fields = fields_of(line, delimiter)
        return [fields[at] if at < len(fields) else ""]

    return take


def _all_words(line: str) -> list[str]:
    """The numbers of a line without a heading: all between commas, else the first column.

    Two numbers that both look like detections are all given back as one word, which is refused: one would be lost.
    """
    delimiter = delimiter_of(line)
    fields = fields_of(line, delimiter)
    if delimiter in (",", ";"):
        return [field for field in fields if field]
    return [line] if len(fields) > 1 and all(re.fullmatch(r"[0-9]{9,10}", field) for field in fields) else fields[:1]
