"""Positions that people give, on the command line and in lists."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from elixer_widgets._errors import NAN, DataError
from elixer_widgets._files import named_file, shown
from elixer_widgets.cli_lists import delimiter_of, fields_of, read_lines, without_comment

WAVELENGTHS = (3400.0, 5700.0)  # Å; a number of a list of positions in this range is a wavelength, as in ELiXer

_NUMBER = r"\d+\.?\d*|\.\d+"
_DECIMAL = re.compile(rf"[+-]?(?:{_NUMBER})(?:[eE][+-]?\d+)?", re.ASCII)
_UNITS = re.compile(
    rf"([+-]?) ?({_NUMBER}) ?([hd])(?:eg)? ?(?:({_NUMBER}) ?m ?(?:({_NUMBER}) ?s?)?)?", re.ASCII | re.IGNORECASE
)
_PARTS = re.compile(
    rf"([+-]?) ?(\d{{1,3}})( ?: ?| )(?:({_NUMBER})\3)?({_NUMBER}) ?([hd]?)", re.ASCII | re.IGNORECASE
)  # hours or degrees, [minutes], the last part
_PLAIN = re.compile(r"([+-]?\d+\.\d*)[ \t,;]+([+-]?\d+\.\d*)(?:[ \t]+(\d{11}))?(?:[ \t]+(\d{4}(?:\.\d*)?))?", re.ASCII)
_SHOT = re.compile(r"\d{11}", re.ASCII)
_SIGNS = str.maketrans({
    "−": "-", "–": "-", "°": "d", "º": "d", "′": "m", "’": "m", "'": "m", "″": "s", "”": "s", '"': "s",
    "ʰ": "h", "ᵐ": "m", "ˢ": "s", "\t": " ",
    "\xa0": " ", "\u2007": " ", "\u202f": " ",
})  # fmt: skip
_RA = frozenset({"ra", "ra_deg", "radeg", "raj2000", "alpha_j2000", "right_ascension"})
_DEC = frozenset({"dec", "dec_deg", "decdeg", "de", "dej2000", "decj2000", "delta_j2000", "declination"})
_SHOTS, _WAVES = frozenset({"shotid", "shot"}), frozenset({"wave", "wavelength", "lambda"})


def _position(text: str, *, is_ra: bool) -> float:
    """Degrees of a right ascension or declination in decimal degrees, `10h00m06.10s`, `2d05m15.36s`, or in three parts.

    In parts (`10:00:06.10`, `10 00 06.10`) without a unit, right ascension is in hours and declination in degrees.
    """
    name = "--ra" if is_ra else "--dec"
    given = text if _DECIMAL.fullmatch(text) else re.sub(r" +", " ", text.strip().translate(_SIGNS)).strip()
    try:
        value = float(given) if _DECIMAL.fullmatch(given) else _sexagesimal(given, is_ra)
    except ValueError as error:
        form = "150.0254, 10h00m06.10s or 10:00:06.10" if is_ra else "2.0876, 2d05m15.36s or -2:05:15.36"
        why = f" ({error})" if str(error) else ""
        raise argparse.ArgumentTypeError(f"{name} {shown(text)!r} is not an angle{why}; write it as {form}") from error
    low, high = (0.0, 360.0) if is_ra else (-90.0, 90.0)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{name} {shown(text)!r} is {value:g} degrees, outside {low:g} to {high:g}")
    return value


def _sexagesimal(given: str, is_ra: bool) -> float:
    """Degrees of an angle in parts; ValueError with the reason, if there is one to tell."""
    units, parts = _UNITS.fullmatch(given), _PARTS.fullmatch(given)
    if units is not None:
        sign, whole, unit, minutes, seconds = units.groups()
    elif parts is not None:
        sign, whole, between, minutes, seconds, unit = parts.groups()
        if minutes is None:  # two parts
            if ":" not in between:
                raise ValueError("two numbers")
            minutes, seconds = seconds, None
        unit = unit or ("h" if is_ra else "d")
    else:
        raise ValueError
    if unit.lower() == "h" and not is_ra:
        raise ValueError("a declination is not in hours")
    if ("." in whole and minutes) or ("." in (minutes or "") and seconds):
        raise ValueError("only its last part may have a fraction")
    if float(minutes or 0) >= 60 or float(seconds or 0) >= 60:
        raise ValueError("minutes and seconds go up to 60")
    value = float(whole) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
    return (-value if sign == "-" else value) * (15.0 if unit.lower() == "h" else 1.0)


def right_ascension(text: str) -> float:
    """Degrees, for the command line."""
    return _position(text, is_ra=True)


def declination(text: str) -> float:
    """Degrees, for the command line."""
    return _position(text, is_ra=False)


@dataclass(frozen=True)
class Place:
    """A line of a list of positions; `shotid` 0 and `wavelength` NaN where it has none."""

    ra: float
    dec: float
    shotid: int = 0
    wavelength: float = NAN


def read_places(given: str) -> list[Place]:
    """Positions of a file, one a line: ra, dec, then a shot and a wavelength in Å in either order, `#` for comments.

    A file may have a heading that names the columns, and be from a spreadsheet.

    Raises
    ------
    DataError
        If there is no such file, or a line is no position.
    """
    path = named_file(given)
    if path is None:
        raise DataError(f"--coords {shown(given)}: there is no such file")
    places: list[Place] = []
    heading: _Heading | None = None
    for number, line in enumerate(read_lines(path, "--coords"), start=1):
        plain = _PLAIN.fullmatch(line) if heading is None else None
        if plain is not None and 0 <= (ra := float(plain[1])) <= 360 and -90 <= (dec := float(plain[2])) <= 90:
            wavelength = float(plain[4] or NAN)
            if plain[4] is None or _is_wavelength(wavelength):
                # as nearly all lines are, a million of them perhaps
                places.append(Place(ra, dec, int(plain[3] or 0), wavelength))
                continue
        text = without_comment(line)
        if not text:
            continue
        try:
            if heading is not None:
                places.append(heading.place(text))
            elif not places and (heading := _Heading.of(text)) is not None:
                continue
            else:
                places.append(_place(text))
        except (ValueError, argparse.ArgumentTypeError) as error:
            why = f" ({error})" if str(error) else ""
            raise DataError(
                f"{path}, line {number}: {shown(line.strip())!r} is no position{why}; write ra dec"
            ) from error
    if not places:
        raise DataError(f"--coords {shown(given)}: holds no position; write ra dec, one a line")
    return places


def _place(line: str) -> Place:
    """A line without a heading: in fields, or in words of which a position takes two or six."""
    delimiter = delimiter_of(line)
    if delimiter:
        fields = [field for field in fields_of(line, delimiter) if field]
        if delimiter != ",":  # decimal commas, as some spreadsheets write them, are nothing else there
            fields = [field.replace(",", ".") if field.count(",") == 1 else field for field in fields]
        try:
            return _of_words(fields)
        except (ValueError, argparse.ArgumentTypeError):
            if delimiter != ",":
                raise
    if re.fullmatch(r"([\"'])[^\"']*\1(?:\s+\1[^\"']*\1)+", line):  # each in quotes
        return _of_words([field for field in re.split(r"[\"']\s*", line) if field])
    words = line.translate(_SIGNS).replace(",", " ").split()
    if any(word[-1:] in "hdm" and word[:1] not in "+-" for word in words[1:3]) or words[0][-1:] in "hd":
        return _of_units(words)
    if len(words) >= 6:  # 10 00 06.1 +02 05 15
        return _of_words([" ".join(words[:3]), " ".join(words[3:6]), *words[6:]])
    return _of_words(words)


def _of_units(words: list[str]) -> Place:
    """Words of which a position may take several: 10h 00m 06.1s +2d 05m 15s."""
    joined: list[str] = []
    for word in words:
        if joined and re.search(r"[hdm]$", joined[-1], re.IGNORECASE) and re.search(r"[ms]$", word, re.IGNORECASE):
            joined[-1] += word
        else:
            joined.append(word)
    return _of_words(joined)


def _of_words(words: list[str]) -> Place:
    """ra, dec, and a shot and a wavelength in either order."""
    if not 2 <= len(words) <= 4:
        raise ValueError("needs two to four columns")
    ra, dec = right_ascension(words[0]), declination(words[1])
    shotid, wavelength = 0, NAN
    for word in words[2:]:
        if _SHOT.fullmatch(word) and not shotid:
            shotid = int(word)
        elif _DECIMAL.fullmatch(word) and _is_wavelength(float(word)) and wavelength != wavelength:
            wavelength = float(word)
        else:
            raise ValueError(f"{word!r} is neither a shot nor a wavelength")
    return Place(ra, dec, shotid, wavelength)


def _is_wavelength(value: float) -> bool:
    return WAVELENGTHS[0] <= value <= WAVELENGTHS[1]


@dataclass(frozen=True)
class _Heading:
    """A first line that names the columns; the numbers of those that count, -1 for one that is not there."""

    delimiter: str
    columns: tuple[int, int, int, int]

    @classmethod
    def of(cls, line: str) -> _Heading | None:
        """The heading, if a line is one; ValueError if it names no position."""
        if re.search(r"(?<![A-Za-z0-9_])[\d.+-]", line) or not re.match(r"[\"']?[A-Za-z]", line):
            return None
        delimiter = delimiter_of(line)
        names = [field.lower() for field in fields_of(line, delimiter)]
        columns = [
            next((place for place, name in enumerate(names) if name in wanted), -1)
            for wanted in (_RA, _DEC, _SHOTS, _WAVES)
        ]
        if columns[0] < 0 or columns[1] < 0:
            raise ValueError("a heading without ra and dec")
        return cls(delimiter, (columns[0], columns[1], columns[2], columns[3]))

    def place(self, line: str) -> Place:
        """The position of a line below the heading."""
        fields = fields_of(line, self.delimiter)
        if self.delimiter not in (",", ""):
            fields = [field.replace(",", ".") if field.count(",") == 1 else field for field in fields]
        ra, dec, shot, wave = self.columns
        if max(ra, dec) >= len(fields):
            raise ValueError("a column is missing")
        rest = [fields[at] for at in (shot, wave) if 0 <= at < len(fields) and fields[at]]
        return _of_words([fields[ra], fields[dec], *rest])
