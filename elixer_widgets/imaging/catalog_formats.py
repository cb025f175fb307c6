"""Reading photometric catalogues, redshift tables and photo-z densities, each format described by its columns.

Column names are compared in lower case, with "." as "_" and without the prefixes that join programs put before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from astropy.io import fits

from elixer_widgets.detection import NAN, DataError
from elixer_widgets.imaging.files import first_existing, matches
from elixer_widgets.imaging.tables import (
    CatalogTable,
    RedshiftTable,
    densities,
    magnitudes_of_fluxes,
    plain_magnitudes,
    quantiles,
)

Columns = Mapping[str, np.ndarray]

IDENTIFIERS = ("id", "number", "objid", "object_id", "objectid")
RA = ("ra", "alpha_j2000", "x_world", "alphawin_j2000", "coord_ra", "raj2000", "plug_ra")
DEC = ("dec", "delta_j2000", "y_world", "deltawin_j2000", "coord_dec", "dej2000", "plug_dec")
MAJOR = ("major", "a", "a_world", "a_image")
MINOR = ("minor", "b", "b_world", "b_image")
ANGLE = ("theta", "pa", "theta_sky", "theta_j2000")

# SExtractor gives A_WORLD in degrees, and A_IMAGE in pixels, which no table tells the size of.
_AXIS_UNITS = {"a_world": 3600.0, "b_world": 3600.0, "a_image": NAN, "b_image": NAN}


@dataclass(frozen=True)
class Column:
    """Where a band's brightness stands: the first of `values` that the table has, its error among `errors`.

    Fluxes have a `zero_point`, the AB magnitude of 1; magnitudes have none (NaN).
    """

    values: tuple[str, ...]
    errors: tuple[str, ...] = ()
    zero_point: float = NAN


def read_ascii(path: Path) -> pd.DataFrame:
    """A table of white-space separated numbers whose `#` header names the columns; names in lower case.

    Either one header line with all names, or one line a column (`#  1 NUMBER  Running object number`).
    """
    header = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.lstrip().startswith("#"):
                    break
                header.append(line.strip().lstrip("#").strip())
        numbered = [match for match in (re.match(r"(\d+)\s+(\S+)", line) for line in header) if match]
        if len(numbered) > 1 or (numbered and len(header) == 1):
            names = [""] * max(int(match[1]) for match in numbered)
            for match in numbered:
                names[int(match[1]) - 1] = match[2]
            names = [name or f"column{i + 1}" for i, name in enumerate(names)]
        else:
            names = header[-1].replace(",", " ").split() if header else []
        if not names:
            raise DataError(f"{path}: no line beginning with # names the columns; add one")
        table = pd.read_csv(path, sep=r"\s+", comment="#", header=None, names=[n.lower() for n in names])
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    return table


def plain_name(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"^(src|ref)_(?=\w)", "", name.strip().lower().replace(".", "_"))


def read_columns(path: Path, wanted: Iterable[str], radians: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The columns of a table that have one of the wanted names; only these are read.

    Parameters
    ----------
    path : Path
        A FITS table (also compressed), CSV, or text with a `#` header.
    wanted : iterable of str
    radians : iterable of str
        Columns that hold radians where the table does not say what they hold.

    Returns
    -------
    dict
        Name, as it is compared, to the column's values; angles in degrees.

    Raises
    ------
    DataError
        If the file cannot be read as a table.
    """
    wanted, radians = set(wanted), set(radians)
    if re.search(r"\.fits?(\.fz|\.gz|\.bz2)?$", path.name.lower()):
        return _fits_columns(path, wanted, radians)
    if path.suffix.lower() == ".csv":
        try:
            table = pd.read_csv(path, comment="#")
        except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    else:
        table = read_ascii(path)
    found = {plain_name(str(c)): table[c].to_numpy() for c in table.columns if plain_name(str(c)) in wanted}
    return {name: np.degrees(values) if name in radians else values for name, values in found.items()}


def _fits_columns(path: Path, wanted: set[str], radians: set[str]) -> dict[str, np.ndarray]:
    try:
        # Mapped: a table may be larger than the memory, and a few of its columns are wanted.
        with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
            for hdu in hdus:
                if not isinstance(hdu, fits.BinTableHDU | fits.TableHDU) or isinstance(hdu, fits.CompImageHDU):
                    continue
                found: dict[str, np.ndarray] = {}
                for column in hdu.columns:
                    name = plain_name(column.name)
                    if name in wanted and name not in found:
                        unit = str(column.unit or "").strip().lower()
                        turn = unit in ("rad", "radian") or (not unit and name in radians)
                        found[name] = np.degrees(hdu.data[column.name]) if turn else np.array(hdu.data[column.name])
                if found:
                    return found
    except (OSError, IndexError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a FITS table ({error!s:.80}); fetch it again") from error
    raise DataError(f"{path}: no table in it has a column {', '.join(sorted(wanted - {''})[:6])} ...; fetch it again")


def _first(columns: Columns, names: Iterable[str]) -> str:
    """The first of these names among the columns, or ""."""
    return next((name for name in names if name in columns), "")


def _numbers(columns: Columns, names: Iterable[str], path: Path | None = None, size: int = 0) -> np.ndarray:
    """A column by the first of its names as float64, shape (n,); NaN if it is not there and no `path` demands it."""
    name = _first(columns, names)
    if name:
        values = columns[name]
        if values.dtype.kind in "OUS":
            return pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=float)
        return np.asarray(values, dtype=float)
    if path is not None:
        have = ", ".join(sorted(columns)[:12]) or "none of those wanted"
        raise DataError(f"{path}: no column {next(iter(names))!r} (there is: {have}); fetch it again")
    return np.full(size, np.nan)


def _text(columns: Columns, name: str) -> np.ndarray:
    """A column as text without blanks around it."""
    values = columns[name]
    return np.char.strip(values.astype(str) if values.dtype.kind != "S" else np.char.decode(values, "utf-8", "replace"))


def _identifiers(columns: Columns, names: Iterable[str], size: int) -> np.ndarray:
    name = _first(columns, names)
    return _text(columns, name) if name else np.arange(1, size + 1).astype(str)


@dataclass(frozen=True)
class CatalogFormat:
    """A photometric catalogue: where it lies beside an image, and what its columns are.

    Attributes
    ----------
    files : tuple of str
        Names relative to the image's folder; `{tract}` and the like stand for the parts of the image's name. The first
        that exists is read.
    bands : mapping
        Band to its `Column`.
    identifier, ra, dec, major, minor, angle : tuple of str
        Names of these columns, the first that the table has. Semi-axes in arcsec, the angle in degrees E of N.
    angle_unit : str
        "deg" or "rad", of `ra` and `dec` where the table does not say.
    keep : mapping
        Column to the value that a row must have to be taken (flags, "primary").
    spec_z, photo_z, photo_z_low, photo_z_high : tuple of str
        Names of redshift columns, if the catalogue has them.
    """

    files: tuple[str, ...]
    bands: Mapping[str, Column] = field(hash=False)
    identifier: tuple[str, ...] = IDENTIFIERS
    ra: tuple[str, ...] = RA
    dec: tuple[str, ...] = DEC
    major: tuple[str, ...] = MAJOR
    minor: tuple[str, ...] = MINOR
    angle: tuple[str, ...] = ANGLE
    angle_unit: str = "deg"
    keep: Mapping[str, float] = field(default_factory=dict, hash=False)
    spec_z: tuple[str, ...] = ("spec_z", "z_spec")
    photo_z: tuple[str, ...] = ()
    photo_z_low: tuple[str, ...] = ()
    photo_z_high: tuple[str, ...] = ()

    def find(self, folder: Path, key: Mapping[str, str]) -> Path | None:
        """The catalogue that belongs to an image, or None."""
        return first_existing(folder, self.files, key)

    def read(self, path: Path, name: str) -> CatalogTable:
        """The whole catalogue; rows without a position are left out.

        Raises
        ------
        DataError
            If the file cannot be read or lacks positions or every band.
        """
        groups = (self.identifier, self.ra, self.dec, self.major, self.minor, self.angle, tuple(self.keep))
        redshifts = (self.spec_z, self.photo_z, self.photo_z_low, self.photo_z_high)
        brightness = [group for column in self.bands.values() for group in (column.values, column.errors)]
        radians = (*self.ra, *self.dec) if self.angle_unit == "rad" else ()
        columns = read_columns(path, (n for group in (*groups, *redshifts, *brightness) for n in group), radians)
        ra, dec = _numbers(columns, self.ra, path), _numbers(columns, self.dec, path)
        good = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
        for flag, value in self.keep.items():
            good &= _numbers(columns, (flag,), path) == value
        mags = {}
        for band, column in self.bands.items():
            used = _first(columns, column.values)
            if not used:
                continue
            # The error that stands beside the value used; another one's error says nothing of it.
            position = column.values.index(used)
            paired = len(column.errors) == len(column.values)
            names = column.errors[position : position + 1] if paired else column.errors
            level, noise = _numbers(columns, (used,))[good], _numbers(columns, names, size=ra.size)[good]
            if np.isnan(column.zero_point):
                mags[band] = plain_magnitudes(level, noise)
            else:
                mags[band] = magnitudes_of_fluxes(level, noise, column.zero_point)
        if not mags:
            looked = ", ".join(column.values[0] for column in self.bands.values())
            raise DataError(
                f"{path}: no magnitude among its columns (looked for {looked}); name the column that has it"
            )
        shape = {}
        for what, axis in (("major", self.major), ("minor", self.minor), ("position_angle", self.angle)):
            scale = _AXIS_UNITS.get(_first(columns, axis), 1.0)
            shape[what] = _numbers(columns, axis, size=ra.size)[good] * scale
        z = [_numbers(columns, names, size=ra.size)[good] for names in redshifts]
        return CatalogTable(
            ra=ra[good],
            dec=dec[good],
            name=name,
            identifiers=_identifiers(columns, self.identifier, ra.size)[good],
            mags=mags,
            redshifts=np.where(np.stack(z, axis=-1) > 0, np.stack(z, axis=-1), np.nan),
            **shape,
        )


def tractor_shape(r: np.ndarray, e1: np.ndarray, e2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Semi-axes (arcsec) and position angle (degrees E of N) from a Tractor half-light radius and ellipticities.

    Legacy Surveys DR9 catalogue description: |e| = √(e1² + e2²), b/a = (1-|e|)/(1+|e|), φ = ½ arctan(e2/e1).
    """
    e = np.minimum(np.hypot(e1, e2), 0.999)
    point = ~(r > 0)
    ratio = (1.0 - e) / (1.0 + e)
    angle = np.degrees(0.5 * np.arctan2(e2, e1)) % 180.0
    return np.where(point, np.nan, r), np.where(point, np.nan, r * ratio), np.where(point, np.nan, angle)


@dataclass(frozen=True)
class TractorFormat:
    """A Tractor catalogue of the Legacy Surveys, old or new: nanomaggies; a flux below 2σ becomes a limit."""

    files: tuple[str, ...]

    def find(self, folder: Path, key: Mapping[str, str]) -> Path | None:
        """The catalogue that belongs to an image, or None."""
        return first_existing(folder, self.files, key)

    def read(self, path: Path, name: str) -> CatalogTable:
        """The whole catalogue.

        Raises
        ------
        DataError
            If the file cannot be read or is no Tractor catalogue.
        """
        bands = "ugrizy"
        shapes = [f"shape{kind}_{part}" for kind in ("", "exp", "dev") for part in ("r", "e1", "e2")]
        fluxes = [f"flux{kind}_{band}" for kind in ("", "_ivar") for band in bands]
        columns = read_columns(path, ("ra", "dec", "objid", "type", *shapes, *fluxes))
        ra, dec = _numbers(columns, ("ra",), path), _numbers(columns, ("dec",), path)
        mags = {}
        for band in bands:
            if f"flux_{band}" not in columns:
                continue
            # No inverse variance means that the band was not observed here, whatever the flux column says.
            variance = _numbers(columns, (f"flux_ivar_{band}",), size=ra.size)
            seen = variance > 0
            sigma = np.where(seen, 1.0 / np.sqrt(np.where(seen, variance, 1.0)), np.nan)
            flux = np.where(seen, _numbers(columns, (f"flux_{band}",)), np.nan)
            if f"flux_ivar_{band}" not in columns:
                flux = _numbers(columns, (f"flux_{band}",))
            mags[band] = magnitudes_of_fluxes(flux, sigma, 22.5)
        major, minor, angle = self._shapes(columns, ra.size)
        return CatalogTable(
            ra=ra,
            dec=dec,
            name=name,
            identifiers=_identifiers(columns, ("objid",), ra.size),
            mags=mags,
            major=major,
            minor=minor,
            position_angle=angle,
        )

    @staticmethod
    def _shapes(columns: Columns, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One shape a source; releases before DR9 have one for the disc and one for the bulge: the wider is taken."""
        if "shape_r" in columns:
            return tractor_shape(*(_numbers(columns, (f"shape_{part}",), size=size) for part in ("r", "e1", "e2")))
        disc, bulge = (
            tractor_shape(*(_numbers(columns, (f"shape{kind}_{part}",), size=size) for part in ("r", "e1", "e2")))
            for kind in ("exp", "dev")
        )
        wider = np.nan_to_num(bulge[0]) > np.nan_to_num(disc[0])
        first, second, third = (np.where(wider, b, d) for d, b in zip(disc, bulge, strict=True))
        return first, second, third


@dataclass(frozen=True)
class RedshiftFormat:
    """A table of photometric redshifts by position, one for a whole survey.

    `files` are patterns, as `Survey.images`. `pdf` names a column that holds an array of densities a row, over `grid`
    (first, last, step). `spec_type` is a column and the value with which the best redshift is a spectroscopic one.
    """

    files: tuple[str, ...]
    z: tuple[str, ...] = ("z_best", "photoz", "zphot", "zpdf", "mfda4_z_weight", "photo_z", "z")
    low: tuple[str, ...] = ("z_low", "zpdf_l68", "zphot_l68", "mfda4_z683_low", "photo_z_low")
    high: tuple[str, ...] = ("z_high", "zpdf_h68", "zpdf_u68", "zphot_h68", "mfda4_z683_high", "photo_z_high")
    pdf: str = ""
    grid: tuple[float, float, float] = (0.0, 4.0, 0.01)
    spec_type: tuple[str, str] = ("", "")

    def read(self, path: Path) -> RedshiftTable:
        """The whole table; rows without a position or redshift are left out.

        Raises
        ------
        DataError
            If the file cannot be read or lacks positions or redshifts.
        """
        wanted = (*RA, *DEC, *self.z, *self.low, *self.high, self.pdf, self.spec_type[0])
        columns = read_columns(path, wanted)
        ra, dec, z = (_numbers(columns, names, path) for names in (RA, DEC, self.z))
        low, high = (_numbers(columns, names, size=ra.size) for names in (self.low, self.high))
        good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(z) & (z >= 0)
        spec = np.zeros(ra.size, dtype=bool)
        if self.spec_type[0] in columns:
            spec = np.char.lower(_text(columns, self.spec_type[0])) == self.spec_type[1]
        grid = pdf = None
        if self.pdf and self.pdf in columns:
            first, last, step = self.grid
            grid = np.linspace(first, last, round((last - first) / step) + 1)
            pdf = np.asarray(columns[self.pdf], dtype=float)
            if pdf.shape != (ra.size, grid.size):
                raise DataError(
                    f"{path}: {self.pdf} has shape {pdf.shape}, not {ra.size} rows by {grid.size} redshifts"
                )
            pdf = densities(grid, pdf[good])
        return RedshiftTable(
            ra=ra[good], dec=dec[good], z=z[good], low=low[good], high=high[good], grid=grid, pdf=pdf, spec=spec[good]
        )


@dataclass(frozen=True)
class ObjectPdfs:
    """One text file an object with columns z and density; `{number:05d}` in `files` is the object's identifier."""

    files: str
    column: str

    def find(self, names: Iterable[str], identifier: str) -> list[str]:
        """Of the names of files, those that belong to an object."""
        digits = re.search(r"(\d+)$", identifier)
        if digits is None:
            return []
        pattern = self.files.format(number=int(digits[1]))
        return [name for name in names if matches(name, (pattern,))]

    def read(self, paths: Iterable[Path], identifier: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(z, density), both shape (m,), or None if no file has it."""
        for path in paths:
            columns = read_columns(path, ("z", self.column))
            z, p = _numbers(columns, ("z",), path), _numbers(columns, (self.column,), path)
            good = np.isfinite(z) & np.isfinite(p)
            if good.sum() > 1:
                return z[good], densities(z[good], p[good][None, :])[0]
        return None


@dataclass(frozen=True)
class PdfTables:
    """FITS tables of densities by identifier, each with its redshifts in an extension BINS; several are averaged.

    The mean is taken over 0 to 6 in steps of 0.01, as ELiXer does with the codes of HSC-SSP.
    """

    files: tuple[str, ...]

    def find(self, names: Iterable[str], identifier: str) -> list[str]:
        """Of the names of files, those of densities: one or more a code."""
        return [name for name in names if matches(name, self.files)]

    def read(self, paths: Iterable[Path], identifier: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(z, density), both shape (601,), or None if no table has the object."""
        grid = np.linspace(0.0, 6.0, 601)
        found = []
        for path in paths:
            one = _pdf_row(path, identifier)
            if one is not None:
                found.append(np.interp(grid, *one, left=0.0, right=0.0))
        return (grid, densities(grid, np.mean(found, axis=0)[None, :])[0]) if found else None


def _pdf_row(path: Path, identifier: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(z, density) of one object out of a table with a column of arrays."""
    try:
        with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            bins = next(hdu for hdu in tables if "bins" in hdu.name.lower() or _has(hdu, "bins"))
            data = next(hdu for hdu in tables if _has(hdu, "pdf") or _has(hdu, "p(z)"))
            names = {plain_name(name): name for name in data.columns.names}
            ids = np.asarray(data.data[names[_first(names, IDENTIFIERS)]]).astype(str)  # type: ignore[arg-type]
            rows = np.flatnonzero(np.char.strip(ids) == identifier)
            if rows.size == 0:
                return None
            z = np.ravel(np.asarray(bins.data[bins.columns.names[0]], dtype=float))
            p = np.ravel(np.asarray(data.data[names[_first(names, ("pdf", "p(z)"))]][rows[0]], dtype=float))  # type: ignore[arg-type]
    except (OSError, StopIteration, IndexError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as photo-z densities ({error!s:.80}); fetch it again") from error
    if z.size != p.size or z.size < 2:
        raise DataError(f"{path}: {p.size} densities for {z.size} redshifts; fetch it again")
    return z, p


def _has(hdu: fits.BinTableHDU, name: str) -> bool:
    return name in (plain_name(column) for column in hdu.columns.names)


def read_spec_z(path: Path) -> RedshiftTable:
    """Spectroscopic redshifts: a CSV or FITS table with ra, dec, z.

    Raises
    ------
    DataError
        If the file cannot be read or lacks one of these columns.
    """
    columns = read_columns(path, (*RA, *DEC, "z"))
    ra, dec, z = (_numbers(columns, names, path) for names in (RA, DEC, ("z",)))
    good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(z)
    nothing = np.full(int(good.sum()), np.nan)
    spec = np.ones(nothing.size, dtype=bool)
    return RedshiftTable(ra=ra[good], dec=dec[good], z=z[good], low=nothing, high=nothing, spec=spec)


def read_photo_z_pdf(path: Path) -> RedshiftTable:
    """Photo-z PDFs: HDF5 datasets ra, dec (n,), z (m,), pdf (n, m). The median and 68 % interval are reckoned here.

    Raises
    ------
    DataError
        If the file cannot be read or its parts do not fit.
    """
    try:
        with h5py.File(path, "r") as file:
            ra, dec, grid, pdf = (np.asarray(file[name], dtype=float) for name in ("ra", "dec", "z", "pdf"))
    except (OSError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as photo-z PDFs ({error!s:.80}); fetch it again") from error
    if pdf.shape != (ra.size, grid.size) or dec.shape != ra.shape or grid.size < 2:
        raise DataError(f"{path}: pdf has shape {pdf.shape} for {ra.size} objects and {grid.size} z; fetch it again")
    pdf = densities(grid, pdf)
    z, low, high = quantiles(grid, pdf)
    return RedshiftTable(ra=ra, dec=dec, z=z, low=low, high=high, grid=grid, pdf=pdf)
