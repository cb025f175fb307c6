"""Spectra as columns of numbers: what is which, in which unit, in which medium; and plain text and ECSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from elixer_widgets._units import FLUX_UNIT, GRID_BIN, FluxScale, flux_scale, grid_bin, parse_unit, unit_of, wavelengths
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.reading import damage_said
from elixer_widgets.releases.spectrum import FoundSpectrum, found_spectrum
from elixer_widgets.releases.spectrum_columns import Columns, choose, is_list_of_objects, is_logarithm

MOST_SAMPLES = 300_000  # of one spectrum; échelle spectra have half of that
MOST_TEXT = 2**26  # bytes of a text file


@dataclass(frozen=True)
class How:
    """What a person says about files that do not say it themselves; see `open_release`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    medium: str = ""

    def __post_init__(self) -> None:
        if self.medium not in ("", "air", "vacuum"):
            raise DataError(f"medium={self.medium!r} is not known; give 'air' or 'vacuum'")


@dataclass(frozen=True, eq=False)
class Raw:
    """One column as the file has it, with its unit."""

    values: np.ndarray
    unit: Any = None


@dataclass(frozen=True)
class About:
    """What a file says of the whole spectrum beside its columns; anything may be missing.

    `unit` is that of the flux where the column states none; `medium` "air" or "vacuum"; `bin_width` Å.
    """

    unit: Any = None
    medium: str = ""
    bin_width: float = NAN
    ra: float = NAN
    dec: float = NAN
    instruments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def brief(error: BaseException) -> str:
    """The first line of an error, or its name."""
    lines = str(error).strip().splitlines()
    return lines[0][:80] if lines else type(error).__name__


def spectrum_of(where: str, label: str, table: Mapping[str, Raw], how: How, about: About) -> FoundSpectrum:
    """The spectrum in some columns of equal length, in the units of this package, with notes of what was taken.

    Raises
    ------
    DataError
        If the columns are not those of a spectrum, or a unit cannot be converted.
    """
    columns = choose(where, list(table), how.columns)
    notes = [*about.notes, columns.words]
    raw = numbers(where, columns.wave, table[columns.wave].values)
    flux = numbers(where, columns.flux, table[columns.flux].values)
    if raw.ndim != 1 or flux.shape != raw.shape:
        raise DataError(
            f"{where}: wavelength {columns.wave!r} has shape {raw.shape} and flux {columns.flux!r} {flux.shape}; "
            "they differ in length, give arrays of one length"
        )
    if raw.size > MOST_SAMPLES:
        raise DataError(f"{where}: holds {raw.size} samples; a spectrum has at most {MOST_SAMPLES}, give one spectrum")
    log = is_logarithm(columns.wave)
    with np.errstate(all="ignore"):
        wave = 10.0**raw if log else wavelengths(where, raw, table[columns.wave].unit)
    _is_an_axis(where, wave)
    scale = _scale(where, columns, table, how, about, wave)
    notes.append(scale.words)
    error = _error(where, columns, table, scale, about, wave, notes)
    if columns.mask:
        flux = _masked(flux, table[columns.mask].values, columns.mask, notes)
    return found_spectrum(
        where,
        label,
        wave,
        flux * scale.factor,
        error,
        _medium(columns, how, about, notes),
        notes,
        ra=about.ra,
        dec=about.dec,
        uncalibrated=scale.uncalibrated,
        instruments=about.instruments,
        **about.more,
    )


def numbers(where: str, name: str, values: Any) -> np.ndarray:
    """A column as float64, masked values as NaN.

    Raises
    ------
    DataError
        If it does not hold real numbers.
    """
    data = np.ma.getdata(values)
    if np.asarray(data).dtype.kind not in "fiu" or np.asarray(data).dtype.names:
        raise DataError(f"{where}: {name!r} holds no numbers; name the columns of numbers (columns=...)")
    made = np.array(data, dtype=float)
    mask = np.ma.getmaskarray(values)
    made[mask] = np.nan
    return made


def _is_an_axis(where: str, wave: np.ndarray) -> None:
    """Refuse wavelengths that go up and down: a list of lines, one a row."""
    steps = np.diff(wave[np.isfinite(wave)])
    steps = steps[steps != 0]
    turns = np.count_nonzero(np.diff(np.sign(steps)) != 0)
    if steps.size > 4 and turns > 0.2 * steps.size:
        raise DataError(
            f"{where}: its wavelengths go up and down, so this is a catalogue of lines and not a spectrum; "
            "give a spectrum, or the release that the lines are in"
        )


def refuse_lists(where: str, names: Sequence[str], rows: int) -> None:
    """Refuse a table with a position or an id in every row.

    Raises
    ------
    DataError
        Naming it a catalogue of lines.
    """
    if rows > 1 and is_list_of_objects(names):
        raise DataError(
            f"{where}: is a catalogue of lines ({rows} rows, with {', '.join(names)[:60]}) and not a spectrum; "
            "give a spectrum, or the release that the lines are in"
        )


def _scale(
    where: str, columns: Columns, table: Mapping[str, Raw], how: How, about: About, wave: np.ndarray
) -> FluxScale:
    stated = next((unit for unit in (how.unit, table[columns.flux].unit, about.unit) if _said(unit)), None)
    if not columns.per_bin or stated is not None:
        return flux_scale(where, stated if stated is not None or not columns.e17 else FLUX_UNIT, wave, about.bin_width)
    scale = flux_scale(where, FLUX_UNIT if columns.e17 else None, wave)
    named = GRID_BIN if "2a" in columns.flux.lower() else grid_bin(wave)
    width = about.bin_width if np.isfinite(about.bin_width) else named
    if not width > 0:
        raise DataError(
            f"{where}: {columns.flux!r} is a flux per sample, and the width of a sample is not said; divide by it"
        )
    words = f"fluxes were per {width:g} Å sample, as their column is named: divided by it"
    return FluxScale(scale.factor / width, f"{scale.words}; {words}", scale.uncalibrated)


def _said(unit: Any) -> bool:
    return unit is not None and bool(str(unit).strip())


def _error(
    where: str,
    columns: Columns,
    table: Mapping[str, Raw],
    scale: FluxScale,
    about: About,
    wave: np.ndarray,
    notes: list[str],
) -> np.ndarray | None:
    """The standard deviation in the unit of the flux; None if there is none."""
    if not columns.error:
        return None
    values = numbers(where, columns.error, table[columns.error].values)
    if values.shape != wave.shape:
        raise DataError(
            f"{where}: error {columns.error!r} has shape {values.shape} and wavelength {wave.shape}; "
            "they differ in length, give arrays of one length"
        )
    with np.errstate(all="ignore"):
        if columns.spread == "ivar":
            values = 1.0 / np.sqrt(values)
        elif columns.spread == "var":
            values = np.sqrt(values)
    own = table[columns.error].unit
    if not _said(own):
        notes.append("the error states no unit: taken in that of the flux")
        return values * scale.factor
    power = {"error": 1.0, "var": 0.5, "ivar": -0.5}[columns.spread]
    try:
        unit = unit_of(own)
        rooted = None if unit is None else unit**power
    except (ValueError, TypeError, OverflowError) as fault:
        raise DataError(
            f"{where}: the unit of {columns.error!r}, {str(own)[:40]!r}, is not understood; "
            "write it like that of the flux"
        ) from fault
    made = flux_scale(f"{where}: {columns.error!r}", rooted, wave, about.bin_width)
    if bool(made.uncalibrated) != bool(scale.uncalibrated):
        if scale.uncalibrated and "no flux unit" in scale.uncalibrated:
            raise DataError(
                f"{where}: {columns.error!r} states the unit {own} and {columns.flux!r} none; give it (unit=...)"
            )
        raise DataError(
            f"{where}: {columns.error!r} is in {own}, which is not a unit of {columns.flux!r}; "
            "name another error column"
        )
    if not np.array_equal(np.broadcast_to(made.factor, wave.shape), np.broadcast_to(scale.factor, wave.shape)):
        notes.append(f"the error in a unit of its own: {made.words}")
    return values * made.factor


def _masked(flux: np.ndarray, mask: np.ndarray, name: str, notes: list[str]) -> np.ndarray:
    """The flux without its masked samples, if the mask can be one: 0 or False is good."""
    bad = np.asarray(np.ma.filled(mask, 1))
    if bad.dtype.kind not in "biu" or bad.shape != flux.shape or np.mean(bad != 0) > 0.5:
        notes.append(f"mask {name!r} is not 0 for good samples: not applied")
        return flux
    notes.append(f"{np.count_nonzero(bad)} samples left out by the mask {name!r}")
    return np.where(bad != 0, np.nan, flux)


def _medium(columns: Columns, how: How, about: About, notes: list[str]) -> str:
    if how.medium:
        notes.append(f"wavelengths in {how.medium}, as asked for")
        return how.medium
    stated = columns.medium or about.medium
    if stated:
        by = f"the column {columns.wave!r} says" if columns.medium else "the file says"
        notes.append(f"wavelengths in {stated}, as {by}")
        return stated
    notes.append("the file does not say whether wavelengths are in air: taken as air")
    return "air"


# ------------------------------------------------------------------------------------------------------- text

_COMMENTS = ("#", "%", "!", ";")
_UNIT_BEGINS = re.compile(
    r"(?:(?:\d+(?:\.\d*)?\s*[x×*]?\s*)?10\s*(?:\*\*|\^)\s*[({]?-\d+[)}]?|1(?:\.0*)?[eE]-\d+)?[\s*]*"
    r"\b(?:ergs?|W|[mMuµn]?Jy|nanomagg\w+|nmgy|photons?)\b",
)


def text_lines(path: Path) -> list[str]:
    """The lines of a text file.

    Raises
    ------
    DataError
        If it is not text, or too long for a spectrum.
    """
    try:
        if path.stat().st_size > MOST_TEXT:
            raise DataError(f"{path}: is a text of more than {MOST_TEXT >> 20} MB; give one spectrum a file")
        return path.read_text(encoding="utf-8-sig").splitlines()
    except DataError:
        raise
    except (OSError, UnicodeError) as fault:
        raise DataError(
            f"{path}: not a text file ({brief(fault)}); give columns of wavelength, flux and error"
        ) from fault


def from_text(path: Path, how: How) -> FoundSpectrum:
    """Two or three columns of numbers, or named ones, split by commas or blanks.

    Names stand in the first line that is not a remark, or in the last remark before the numbers.

    Raises
    ------
    DataError
        If the file is not that.
    """
    names, units, rows, remarks = _parsed(path)
    if not rows or len({len(row) for row in rows}) != 1:
        raise DataError(f"{path}: no table of numbers with equal lines; give wavelength, flux and error")
    columns = np.array(rows).T
    notes: list[str] = []
    if not names:
        names = _named_by_remark(path, remarks, len(columns), how)
    if not names and 2 <= len(columns) <= 3:
        names = ["wavelength", "flux", "error"][: len(columns)]
        notes.append("the columns have no names: taken as wavelength, flux" + (", error" if len(columns) == 3 else ""))
    if len(columns) < 2 or not names or len(names) != len(columns) or len(set(names)) != len(names):
        raise DataError(
            f"{path}: has {len(columns)} columns; give wavelength (Å), flux and error, or name each in the first line"
        )
    refuse_lists(str(path), names, len(rows))
    units = units or [_bracketed(name) for name in names]
    table = {name: Raw(values, unit) for name, values, unit in zip(names, columns, units, strict=True)}
    about = About(_unit_in(remarks), _medium_in(remarks), instruments=(path.stem,), notes=tuple(notes))
    return spectrum_of(str(path), path.stem, table, how, about)


def _parsed(path: Path) -> tuple[list[str], list[str], list[list[float]], list[str]]:
    """Names, units, rows and remarks."""
    names: list[str] = []
    units: list[str] = []
    rows: list[list[float]] = []
    remarks: list[str] = []
    for number, line in enumerate(text_lines(path), 1):
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith(_COMMENTS):
            if not rows:
                remarks.append(bare.lstrip("".join(_COMMENTS)).strip())
            continue
        parts = [part.strip() for part in (bare.split(",") if "," in bare else bare.split())]
        values = [_value(part) for part in parts]
        if None in values:
            if not rows and not names:
                names = parts
                continue
            if not rows and not units and len(parts) == len(names) and all(map(_is_unit, parts)):
                units = [part if part not in ("-", "--") else "" for part in parts]
                continue
            raise DataError(f"{path}: line {number} is not numbers ({bare[:40]!r}); give two or three columns")
        if len(rows) >= MOST_SAMPLES:
            raise DataError(f"{path}: has more than {MOST_SAMPLES} lines; give one spectrum a file")
        rows.append([value for value in values if value is not None])
    return names, units, rows, remarks


def _value(part: str) -> float | None:
    """The number written, NaN where a missing one is meant, None where it is no number."""
    if part.lower() in ("", "nan", "na", "n/a", "null", "--", "none"):
        return NAN
    if "_" in part:  # Python reads 1_000 as a number
        return None
    try:
        return float(part)
    except ValueError:
        return None


def _is_unit(part: str) -> bool:
    if part in ("", "-", "--"):
        return True
    try:
        parse_unit(part)
    except (ValueError, TypeError):
        return False
    return True


def _named_by_remark(path: Path, remarks: list[str], count: int, how: How) -> list[str]:
    """The names that a remark gives to the columns: as many words, wavelength and flux among them."""
    for remark in reversed(remarks):
        words = [word.strip() for word in (remark.split(",") if "," in remark else remark.split())]
        if len(words) != count or len(set(words)) != count:
            continue
        try:
            choose(str(path), words, how.columns)
        except DataError as error:
            if "may be any of" in str(error):
                raise
            continue
        return words
    return []


def _bracketed(name: str) -> str:
    """The unit in the brackets of a column's name: `flux[1e-17 erg/s/cm2/A]`."""
    inside = re.search(r"[\[(](.*)[\])]", name)
    return inside[1] if inside and _is_unit(inside[1]) else ""


def _unit_in(remarks: list[str]) -> str:
    """The first unit of flux that the remarks write out."""
    for remark in remarks:
        begin = _UNIT_BEGINS.search(remark)
        if begin is None:
            continue
        words = re.split(r"(?=[\s,;])", remark[begin.start() :].strip())
        for count in range(len(words), 0, -1):
            written = "".join(words[:count]).strip(" ,;.:)")
            written += ")" * (written.count("(") - written.count(")"))
            if _is_unit(written):
                return written
    return ""


def _medium_in(remarks: list[str]) -> str:
    said = " ".join(remarks).lower()
    vacuum, air = bool(re.search(r"\bvac(?:uum)?\b", said)), bool(re.search(r"\bair\b", said))
    return "" if vacuum == air else "vacuum" if vacuum else "air"


def from_ecsv(path: Path, how: How) -> FoundSpectrum:
    """An ECSV table with columns of wavelength, flux and error, their units converted.

    Raises
    ------
    DataError
        If the file is not that.
    """
    text_lines(path)  # refuses what is not text
    try:
        with damage_said(path, "ECSV"):
            table = Table.read(path, format="ascii.ecsv")
    except DataError as fault:
        raise DataError(
            f"{path}: not an ECSV table ({brief(fault.__cause__ or fault)}); write it with astropy"
        ) from fault
    refuse_lists(str(path), table.colnames, len(table))
    said = [str(value) for value in [*table.meta.values(), *table.meta.get("comments", [])] if isinstance(value, str)]
    raws = columns_in(table)
    return spectrum_of(
        str(path), path.stem, raws, how, About(_unit_in(said), _medium_in(said), instruments=(path.stem,))
    )


def columns_in(table: Table) -> dict[str, Raw]:
    """The columns of numbers (and of truth values, which may be masks) of an astropy table."""
    return {
        name: Raw(np.ma.MaskedArray(np.ma.getdata(table[name]), np.ma.getmaskarray(np.ma.asarray(table[name]))),
                  getattr(table[name], "unit", None))
        for name in table.colnames
        if getattr(table[name], "dtype", np.dtype(object)).kind in "fiub" and not table[name].dtype.names
    }  # fmt: skip
