"""Photometric catalogues, each format described by its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from elixer_widgets.detection import NAN, DataError
from elixer_widgets.imaging.columns import (
    DEC,
    IDENTIFIERS,
    RA,
    Columns,
    Read,
    first,
    flux_zero_point,
    identifiers,
    numbers,
    positions,
    read_columns,
)
from elixer_widgets.imaging.files import first_existing
from elixer_widgets.imaging.tables import CatalogTable, magnitudes_of_fluxes, plain_magnitudes

MAJOR = ("major", "a", "a_world", "a_image")
MINOR = ("minor", "b", "b_world", "b_image")
SPEC_Z = ("spec_z", "z_spec")
ANGLE = ("theta", "pa", "theta_sky", "theta_j2000")

# SExtractor gives A_WORLD in degrees, and A_IMAGE in pixels, which no table tells the size of.
_AXIS_UNITS = {"a_world": 3600.0, "b_world": 3600.0, "a_image": NAN, "b_image": NAN}


_STATED_UNITS = {"deg": 3600.0, "degree": 3600.0, "degrees": 3600.0, "arcmin": 60.0, "arcsec": 1.0}
_STATED_UNITS |= {"pix": NAN, "pixel": NAN, "pixels": NAN}


@dataclass(frozen=True)
class Column:
    """Where a band's brightness stands: the first of `values` that the table has, its error among `errors`.

    Fluxes have a `zero_point`, the AB magnitude of 1; magnitudes have none (NaN).
    """

    values: tuple[str, ...]
    errors: tuple[str, ...] = ()
    zero_point: float = NAN


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
    spec_z: tuple[str, ...] = SPEC_Z
    photo_z: tuple[str, ...] = ()
    photo_z_low: tuple[str, ...] = ()
    photo_z_high: tuple[str, ...] = ()

    def find(self, folder: Path, key: Mapping[str, str]) -> Path | None:
        """The catalogue that belongs to an image, or None."""
        return first_existing(folder, self.files, key)

    def read(self, path: Path, name: str) -> CatalogTable:
        """The whole catalogue; rows without a position are left out, as `notes` says.

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
        ra, dec, good = positions(columns, self.ra, self.dec, path)
        for flag, value in self.keep.items():
            good &= numbers(columns, (flag,), path) == value
        mags = {}
        for band, column in self.bands.items():
            used = first(columns, column.values)
            if not used:
                columns.say(f"no {band} magnitude (no column {' or '.join(column.values[:3])})")
                continue
            # The error that stands beside the value used; another one's error says nothing of it.
            position = column.values.index(used)
            paired = len(column.errors) == len(column.values)
            names = column.errors[position : position + 1] if paired else column.errors
            if names and not first(columns, names):
                columns.say(f"no error of {used} (no column {' or '.join(names)}): its magnitudes have none")
            level, noise = numbers(columns, (used,))[good], numbers(columns, names, size=ra.size)[good]
            if np.isnan(column.zero_point):
                mags[band] = plain_magnitudes(level, noise)
            else:
                mags[band] = magnitudes_of_fluxes(level, noise, flux_zero_point(columns, used, column.zero_point))
        if not mags:
            looked = ", ".join(column.values[0] for column in self.bands.values())
            raise DataError(
                f"{path}: no magnitude among its columns (looked for {looked}); name the column that has it"
            )
        shape = {}
        for what, axis in (("major", self.major), ("minor", self.minor), ("position_angle", self.angle)):
            scale = _axis_unit(columns, first(columns, axis))
            shape[what] = numbers(columns, axis, size=ra.size)[good] * (1.0 if what == "position_angle" else scale)
        self._say_what_is_lacking(columns)
        z = [numbers(columns, names, size=ra.size)[good] for names in redshifts]
        return CatalogTable(
            ra=ra[good],
            dec=dec[good],
            name=name,
            identifiers=identifiers(columns, self.identifier, ra.size)[good],
            mags=mags,
            redshifts=np.where(np.stack(z, axis=-1) > 0, np.stack(z, axis=-1), np.nan),
            notes=tuple(columns.notes),
            **shape,
        )

    def _say_what_is_lacking(self, columns: Read) -> None:
        """Note the columns that this format names and the table has not; those of any name are not missed."""
        shapes = {"semi-major axis": self.major, "semi-minor axis": self.minor, "position angle": self.angle}
        redshifts = {"redshift": self.spec_z, "photometric redshift": self.photo_z}
        redshifts |= {"low end": self.photo_z_low, "high end": self.photo_z_high}
        usual = (MAJOR, MINOR, ANGLE, SPEC_Z)
        some = any(first(columns, names) for names in shapes.values())
        for what, names in {**shapes, **redshifts}.items():
            asked = names not in usual or (some and what in shapes)
            if names and asked and not first(columns, names):
                columns.say(f"no {what} (no column {' or '.join(names[:3])}): it is left empty")


def _axis_unit(columns: Read, name: str) -> float:
    """arcsec in the unit of a semi-axis: the one that the table states, else that of the column's name."""
    stated = columns.units.get(name, "").strip().lower()
    return _STATED_UNITS.get(stated, _AXIS_UNITS.get(name, 1.0))


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
            If the file cannot be read or is not a Tractor catalogue.
        """
        bands = "ugrizy"
        shapes = [f"shape{kind}_{part}" for kind in ("", "exp", "dev") for part in ("r", "e1", "e2")]
        fluxes = [f"flux{kind}_{band}" for kind in ("", "_ivar") for band in bands]
        columns = read_columns(path, ("ra", "dec", "objid", "type", *shapes, *fluxes))
        ra, dec, good = positions(columns, ("ra",), ("dec",), path)
        mags = {}
        for band in bands:
            if f"flux_{band}" not in columns:
                if f"flux_ivar_{band}" in columns:
                    columns.say(f"no {band} magnitude (no column flux_{band}, though it has an error)")
                continue
            # No inverse variance means that the band was not observed here, whatever the flux column says.
            variance = numbers(columns, (f"flux_ivar_{band}",), size=ra.size)
            seen = variance > 0
            sigma = np.where(seen, 1.0 / np.sqrt(np.where(seen, variance, 1.0)), np.nan)
            flux = np.where(seen, numbers(columns, (f"flux_{band}",)), np.nan)
            if f"flux_ivar_{band}" not in columns:
                columns.say(f"no error of flux_{band} (no column flux_ivar_{band}): its magnitudes have none")
                flux = numbers(columns, (f"flux_{band}",))
            mags[band] = magnitudes_of_fluxes(flux[good], sigma[good], 22.5)
        if not mags:
            raise DataError(f"{path}: no flux_g, flux_r ... among its columns; give a Tractor catalogue")
        major, minor, angle = (values[good] for values in self._shapes(columns, ra.size))
        return CatalogTable(
            ra=ra[good],
            dec=dec[good],
            name=name,
            identifiers=identifiers(columns, ("objid",), ra.size)[good],
            mags=mags,
            major=major,
            minor=minor,
            position_angle=angle,
            notes=tuple(columns.notes),
        )

    @staticmethod
    def _shapes(columns: Columns, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One shape a source; releases before DR9 have one for the disc and one for the bulge: the wider is taken."""
        names: tuple[str, ...] = ("shape_r", "shape_e1", "shape_e2")
        if "shape_r" not in columns:
            names = tuple(f"shape{kind}_{part}" for kind in ("exp", "dev") for part in ("r", "e1", "e2"))
        missing = [name for name in names if name not in columns]
        if missing and isinstance(columns, Read):
            columns.say(f"no column {', '.join(missing)}: shapes are not whole")
        if "shape_r" in columns:
            return tractor_shape(*(numbers(columns, (f"shape_{part}",), size=size) for part in ("r", "e1", "e2")))
        disc, bulge = (
            tractor_shape(*(numbers(columns, (f"shape{kind}_{part}",), size=size) for part in ("r", "e1", "e2")))
            for kind in ("exp", "dev")
        )
        wider = np.nan_to_num(bulge[0]) > np.nan_to_num(disc[0])
        first, second, third = (np.where(wider, b, d) for d, b in zip(disc, bulge, strict=True))
        return first, second, third
