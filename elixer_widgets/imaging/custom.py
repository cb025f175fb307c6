"""A user's own surveys, from a few lines of TOML. docs/surveys.md shows how."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from elixer_widgets._arguments import path as given_path
from elixer_widgets._files import named_path
from elixer_widgets._packed import require_file
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.imaging.catalog_formats import CatalogFormat, Column, TractorFormat
from elixer_widgets.imaging.columns import plain_name
from elixer_widgets.imaging.redshift_formats import RedshiftFormat
from elixer_widgets.imaging.registry import ENDING, Survey, ZeroPointRule
from elixer_widgets.imaging.zero_points import FixedZeroPoint, HeaderZeroPoint, fluxmag0, unit_of_header

FILE_VARIABLE = "ELIXER_WIDGETS_SURVEYS"
"""The environment variable that names a file of surveys."""

FILE_NAME = "surveys.toml"
"""Read where it lies in the release or its imaging folder, if no other file is named."""

_RULES: Mapping[str, ZeroPointRule] = {
    "nanomaggy": FixedZeroPoint(22.5),
    "unit": unit_of_header,
    "hst": unit_of_header,
    "jwst": unit_of_header,
    "fluxmag0": fluxmag0,
}


def find_file(given: str | os.PathLike[str] | None, folders: tuple[Path, ...]) -> Path | None:
    """The file of surveys: the one given, the one in the environment, or `surveys.toml` in one of some folders."""
    if given is not None:
        return given_path(given, "the file of surveys")
    if named := os.environ.get(FILE_VARIABLE):
        return named_path(named, FILE_VARIABLE)
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def use_surveys(path: str | os.PathLike[str]) -> None:
    """Use a file of surveys in this process and all that it starts, as the environment variable does: for a command
    line. A library that is opened with a file of its own keeps to that.

    Raises
    ------
    DataError
        If the file cannot be read or says something that is not understood.
    """
    whole = given_path(path, "use_surveys: path").absolute()
    read_surveys(whole)  # a mistake is answered here, not in the middle of a run
    os.environ[FILE_VARIABLE] = os.fspath(whole)


def read_surveys(path: str | os.PathLike[str]) -> tuple[Survey, ...]:
    """The surveys of a TOML file, in its order.

    Raises
    ------
    DataError
        If the file cannot be read or says something that is not understood: it names file, survey, key and value, and
        what to write instead.
    """
    path = Path(require_file(path))
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file of surveys; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error!s:.80}); check the file") from error
    except RecursionError as error:
        raise DataError(f"{path}: is nested too deeply; compare it with docs/surveys.md") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: is not TOML ({error}); compare it with docs/surveys.md") from error
    wrong = sorted(set(content) - {"survey"})
    if wrong or not isinstance(content.get("survey"), list):
        what = f"{wrong[0]!r} is not known" if wrong else "there is no survey in it"
        raise DataError(f"{path}: {what}; begin each survey with a line [[survey]]")
    if "\0" in path.read_text(encoding="utf-8", errors="replace") or any("\0" in one for one in _texts(content)):
        raise DataError(f"{path}: there is a zero character in it; remove it")
    surveys = tuple(_Entry(path, i, entry).survey() for i, entry in enumerate(content["survey"], 1))
    names = [survey.name for survey in surveys]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise DataError(f"{path}: two surveys have the name {twice!r}; give each its own")
    return surveys


def _texts(value: object) -> Iterator[str]:
    """All texts in a nest of lists and tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _odd(value: object) -> bool:
    """Whether a number is none that can be reckoned with: TOML has inf, nan and integers of any length."""
    return isinstance(value, int | float) and not abs(value) < 1e300


def _below(value: object) -> bool:
    return isinstance(value, int) and value < 0


class _Entry:
    """One table of the file, read key by key."""

    def __init__(self, path: Path, position: int, values: object, inside: str = "") -> None:
        name = values.get("name") if isinstance(values, dict) else None
        self.path = path
        self.label = f"survey {position}" + (f" ({name})" if isinstance(name, str) else "")
        self.inside = inside
        if not isinstance(values, dict):
            raise DataError(f"{path}: {self.label}: {values!r:.40} is no table; write [[survey]] and keys below it")
        self.values: dict[str, Any] = values

    def fault(self, key: str, remedy: str) -> DataError:
        """The error for a key, naming file, survey, key and value."""
        value = f" = {self.values[key]!r:.60}" if key in self.values else " is missing"
        return DataError(f"{self.path}: {self.label}: {self.inside}{key}{value}; {remedy}")

    def known(self, *keys: str) -> None:
        for key in self.values:
            if key not in keys:
                raise self.fault(key, f"there is no such key; the keys are {', '.join(keys)}")

    def text(self, key: str, remedy: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.fault(key, remedy)
        return value

    def number(self, key: str, remedy: str, default: float = NAN, lowest: float = 0.0) -> float:
        value = self.values.get(key, default)
        given = key in self.values
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= lowest or (given and _odd(value)):
            raise self.fault(key, remedy)
        return float(value)

    def texts(self, key: str, remedy: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """One text or a list of them."""
        value = self.values.get(key, default)
        value = (value,) if isinstance(value, str) else value
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
            raise self.fault(key, remedy)
        if default is None and not value:
            raise self.fault(key, remedy)
        return tuple(value)

    def table(self, key: str, kind: type | tuple[type, ...], remedy: str) -> dict[str, Any]:
        """A table whose values are all of one kind."""
        value = self.values.get(key, {})
        good = isinstance(value, dict) and all(
            isinstance(v, kind) and not isinstance(v, bool) and not _odd(v) for v in value.values()
        )
        if not good:
            raise self.fault(key, remedy)
        return value

    def below(self, key: str) -> _Entry | None:
        """The table under a key, or None if there is none."""
        if key not in self.values:
            return None
        if not isinstance(self.values[key], dict):
            raise self.fault(key, f"write [survey.{key}] and its keys below")
        made = object.__new__(_Entry)
        made.path, made.label, made.inside, made.values = self.path, self.label, f"{key}.", self.values[key]
        return made

    def survey(self) -> Survey:
        """The whole entry."""
        self.known(
            *("name", "bands", "images", "name_pattern", "folder", "hdu", "zero_point", "band_names", "scale", "depth"),
            *("psf_fwhm", "start_radius", "catalog", "photo_z"),
        )
        bands = self.texts("bands", 'give a list of filters, as ["g", "r"]')
        psf = self.number("psf_fwhm", "give the seeing in arcsec, as 0.8", 1.0)
        hdu = self.values.get("hdu")
        if hdu is not None and (isinstance(hdu, bool) or not isinstance(hdu, int | str) or hdu in ("",) or _below(hdu)):
            raise self.fault("hdu", 'give the number or the name of the HDU, as 1 or "SCI"')
        depth = self.table("depth", (int, float), "give limiting magnitudes by band, as { g = 25.5, r = 25.0 }")
        for band in depth:
            if band not in bands:
                raise self.fault("depth", f"{band!r} is none of the bands {', '.join(bands)}; name one of these")
        folder = self.text("folder", "give the folder of the images", "")
        images = self.texts("images", 'give patterns of the image files, as "mine/*_sci.fits*"')
        return Survey(
            name=self.text("name", 'give the survey a name, as "MINE"'),
            bands=bands,
            scale=self.number("scale", "give arcsec per pixel, or leave it out: the WCS has it"),
            depth={band: float(value) for band, value in depth.items()},
            psf_fwhm=psf,
            # ELiXer begins with the radius of the seeing disc and half an arcsec.
            start_radius=self.number("start_radius", "give arcsec, as 0.9", 0.5 * psf + 0.5),
            images=images,
            name_pattern=self._name_pattern(bands),
            zero_point=self._zero_point(bands),
            band_names=self.table("band_names", str, 'give names in files to bands, as { HSC-G = "g" }'),
            hdu=hdu,
            catalogs=self._catalog(bands),
            photo_z=self._photo_z(),
            folder=str(self.path.resolve().parent / Path(folder).expanduser()) if folder else "",
        )

    def _name_pattern(self, bands: tuple[str, ...]) -> str:
        pattern = self.text("name_pattern", "give a regular expression", "")
        if not pattern:
            if len(bands) > 1:
                names = "|".join(re.escape(name) for name in (*self.values.get("band_names", {}), *bands))
                return rf"(?:.*[^a-zA-Z])?(?P<band>{names})(?:[^a-zA-Z].*)?" + ENDING
            return r".+" + ENDING
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise self.fault("name_pattern", f"this is not a regular expression ({error})") from error
        if "band" not in groups and len(bands) > 1:
            raise self.fault("name_pattern", f"mark the band in it, as (?P<band>{'|'.join(bands)})")
        return pattern if re.search(r"fits", pattern) else pattern + ENDING

    def _zero_point(self, bands: tuple[str, ...]) -> ZeroPointRule:
        remedy = (
            "give the AB magnitude of one count: a number, numbers by band { g = 25.1 }, a header keyword "
            f'{{ keyword = "MAGZERO", default = 25.0 }}, or one of {", ".join(_RULES)}'
        )
        value = self.values.get("zero_point")
        if isinstance(value, str) and value.lower() in _RULES:
            return _RULES[value.lower()]
        if isinstance(value, int | float) and not isinstance(value, bool) and not _odd(value):
            return FixedZeroPoint(float(value))
        if not isinstance(value, dict) or not value:
            raise self.fault("zero_point", remedy)
        whole = value.get("per_second", False)
        plain = {key: one for key, one in value.items() if key != "per_second"}
        numbers = all(
            isinstance(one, int | float) and not isinstance(one, bool) and not _odd(one) for one in plain.values()
        )
        if not isinstance(whole, bool):
            raise self.fault("zero_point", "per_second is true where the zero point is that of one count per second")
        if "keyword" in plain:
            default = plain.get("default", NAN)
            keyword = plain["keyword"]
            if (
                set(plain) - {"keyword", "default"}
                or not isinstance(keyword, str)
                or not isinstance(default, int | float)
                or isinstance(default, bool)
                or ("default" in plain and _odd(default))
            ):
                raise self.fault("zero_point", remedy)
            return HeaderZeroPoint((keyword.upper(),), float(default), whole)
        if not numbers or set(plain) - set(bands):
            raise self.fault("zero_point", remedy)
        return FixedZeroPoint(NAN, {band: float(one) for band, one in plain.items()}, whole)

    def _catalog(self, bands: tuple[str, ...]) -> tuple[CatalogFormat | TractorFormat, ...]:
        entry = self.below("catalog")
        if entry is None:
            return ()
        names = {"id": "identifier", "ra": "ra", "dec": "dec", "major": "major", "minor": "minor", "angle": "angle"}
        redshifts = ("spec_z", "photo_z", "photo_z_low", "photo_z_high")
        entry.known(
            "files", "format", "magnitudes", "errors", "fluxes", "flux_zero_point", "keep", "unit", *names, *redshifts
        )
        files = entry.texts("files", "give the catalogue's name relative to the image's folder, as \"{field}.cat\"")
        if entry.text("format", 'leave it out, or write "tractor"', "columns") == "tractor":
            return (TractorFormat(files),)
        if entry.values.get("format", "columns") != "columns":
            raise entry.fault("format", 'leave it out, or write "tractor"')
        columns: dict[str, Column] = {}
        errors = entry.table("errors", str, 'give columns by band, as { g = "MAGERR_G" }')
        for key in ("magnitudes", "fluxes"):
            for band, name in entry.table(key, str, 'give columns by band, as { g = "MAG_G" }').items():
                point = NAN
                if key == "fluxes":
                    point = entry.number("flux_zero_point", "give the AB magnitude of flux 1, as 23.9 for µJy")
                    if point != point:
                        raise entry.fault("flux_zero_point", "give the AB magnitude of flux 1, as 23.9 for µJy")
                error = (plain_name(errors[band]),) if band in errors else ()
                columns[band] = Column((plain_name(name),), error, point)
        if not columns:
            raise entry.fault("magnitudes", 'give columns by band, as { g = "MAG_G" }')
        unit = entry.text("unit", 'of RA and Dec: write "deg" or "rad"', "deg")
        if unit not in ("deg", "rad"):
            raise entry.fault("unit", 'of RA and Dec: write "deg" or "rad"')
        given: dict[str, Any] = {}
        for key, attribute in (*names.items(), *((z, z) for z in redshifts)):
            if key in entry.values:
                given[attribute] = (plain_name(entry.text(key, "give the name of a column")),)
        keep = entry.table("keep", (int, float), "give the values that good rows have, as { FLAGS = 0 }")
        given["keep"] = {plain_name(name): float(value) for name, value in keep.items()}
        return (CatalogFormat(files, columns, angle_unit=unit, **given),)

    def _photo_z(self) -> tuple[RedshiftFormat, ...]:
        entry = self.below("photo_z")
        if entry is None:
            return ()
        entry.known("files", "z", "low", "high")
        files = entry.texts("files", 'give patterns of the tables, as "photoz_*.cat"')
        given: dict[str, Any] = {
            key: (plain_name(entry.text(key, "give the name of a column")),)
            for key in ("z", "low", "high")
            if key in entry.values
        }
        return (RedshiftFormat(files, **given),)
