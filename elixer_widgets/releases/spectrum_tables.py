"""Spectra as columns of numbers: plain text, CSV and ECSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io.registry import IORegistryError
from astropy.table import Table

from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.spectrum import FoundSpectrum, found_spectrum

FLUX_UNIT = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
SAMPLE = 2.0  # Å; the width for which HETDEX tables give fluxes "per 2 Å"

_WAVELENGTH = {"wavelength", "wave", "lambda", "lam", "wl", "angstrom", "wavelengths"}
_LOGARITHM = {"loglam", "logwave", "loglambda"}  # decimal, of Å; SDSS
_FLUX = {"flux", "flam", "fluxdensity", "fluxes", "spec", "spectrum", "intensity", "counts"}
_ERROR = {"error", "err", "errors", "sigma", "std", "stddev", "uncertainty", "unc", "noise", "rms"}
_VARIANCE = {"var", "variance"}
_INVERSE_VARIANCE = {"ivar", "invvar"}

# What readers of foreign files may raise on a file that is not what it seems.
READ_FAULTS = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    UnicodeError,
    NotImplementedError,
    IORegistryError,
)


def brief(error: BaseException) -> str:
    """The first line of an error, or its name."""
    lines = str(error).strip().splitlines()
    return lines[0][:80] if lines else type(error).__name__


def flux_factor(unit: u.UnitBase | None, wave: np.ndarray) -> np.ndarray | None:
    """What a flux in `unit` is multiplied by to be in 1e-17 erg/s/cm²/Å; None if it is no flux density.

    `wave` in Å: a flux per frequency depends on it.
    """
    unit = known_unit(unit)
    if unit is None:
        return None
    try:
        return u.Quantity(np.ones(wave.shape), unit).to_value(FLUX_UNIT, u.spectral_density(wave * u.AA))
    except u.UnitConversionError:
        return None


def known_unit(unit: u.UnitBase | None) -> u.UnitBase | None:
    """The unit, "Ang" being read as Å; None where astropy makes nothing of it."""
    if not isinstance(unit, u.UnrecognizedUnit):
        return unit
    written = re.sub(r"\bAng\b", "Angstrom", str(unit)).replace("1E-", "1e-")
    above, *below = written.split("/")
    try:
        return u.Unit(f"{above} / ({' '.join(below)})" if below else above)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Roles:
    """Which columns are what; `spread` says what the error column holds: "error", "var" or "ivar"."""

    wave: str
    flux: str
    error: str = ""
    spread: str = "error"


def _roles(path: Path, names: Sequence[str]) -> _Roles:
    """Tell columns by their names; two or three columns of other names are taken in their order.

    Raises
    ------
    DataError
        If wavelength or flux is not among them.
    """
    parts = {name: [part for part in re.split(r"[^a-z]+", name.lower()) if part] for name in names}
    spreads: list[tuple[str, str]] = []
    for known, spread in ((_INVERSE_VARIANCE, "ivar"), (_VARIANCE, "var"), (_ERROR, "error")):
        spreads += [(name, spread) for name in names if known & set(parts[name])]
    errors = {name for name, _ in spreads}
    waves = [name for name in names if set(parts[name][:1]) & (_WAVELENGTH | _LOGARITHM) and name not in errors]
    fluxes = [name for name in names if set(parts[name][:2]) & _FLUX and name not in errors]
    fluxes += [name for name in names if parts[name][:2] == ["f", "lambda"] and name not in errors]
    if waves and fluxes:
        error, spread = spreads[0] if spreads else ("", "error")
        return _Roles(waves[0], fluxes[0], error, spread)
    if 2 <= len(names) <= 3 and not (spreads and spreads[0][0] != names[-1]):
        spread = spreads[0][1] if spreads else "error"
        return _Roles(names[0], names[1], names[2] if len(names) == 3 else "", spread)
    raise DataError(f"{path}: no columns of wavelength and flux among {', '.join(names)[:80] or 'none'}; name them so")


def _linear(name: str, wave: np.ndarray) -> np.ndarray:
    return 10.0**wave if name.lower() in _LOGARITHM else wave


def _standard_deviation(values: np.ndarray, spread: str) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        if spread == "ivar":
            return 1.0 / np.sqrt(values)
        return np.sqrt(values) if spread == "var" else values


def from_text(path: Path) -> FoundSpectrum:
    """Two or three columns of numbers, or named ones, split by commas or blanks.

    Raises
    ------
    DataError
        If the file is not that.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as fault:
        raise DataError(
            f"{path}: not a text file ({brief(fault)}); give columns of wavelength, flux and error"
        ) from fault
    names: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if not bare or bare.startswith(("#", "%", "!", ";")):
            continue
        parts = [part.strip() for part in (bare.split(",") if "," in bare else bare.split())]
        values = [_value(part) for part in parts]
        if None in values:
            if not rows and not names:
                names = parts
                continue
            raise DataError(f"{path}: line {number} is not numbers ({bare[:40]!r}); give two or three columns")
        rows.append([value for value in values if value is not None])
    if not rows or len({len(row) for row in rows}) != 1:
        raise DataError(f"{path}: no table of numbers with equal lines; give wavelength, flux and error")
    columns = np.array(rows).T
    if len(columns) < 2 or (len(columns) > 3 and not names) or (names and len(names) != len(columns)):
        raise DataError(
            f"{path}: has {len(columns)} columns; give wavelength (Å), flux and error, or name them in the first line"
        )
    table: Mapping[str, np.ndarray] = dict(zip(names or ("wavelength", "flux", "error"), columns, strict=False))
    roles = _roles(path, list(table))
    flux, note = table[roles.flux], "the file gives no units: taken as Å and 1e-17 erg/s/cm²/Å"
    error = _standard_deviation(table[roles.error], roles.spread) if roles.error else None
    if "per_2a" in roles.flux.lower():
        flux, note = flux / SAMPLE, "fluxes were per 2 Å sample, as their column is named: halved"
        error = None if error is None else error / SAMPLE
    return _spectrum(path, _linear(roles.wave, table[roles.wave]), flux, error, [note])


def _value(part: str) -> float | None:
    """The number written, NaN where a missing one is meant, None where it is no number."""
    if part.lower() in ("", "nan", "na", "n/a", "null", "--", "none"):
        return NAN
    try:
        return float(part)
    except ValueError:
        return None


def from_ecsv(path: Path) -> FoundSpectrum:
    """An ECSV table with columns of wavelength, flux and error, their units converted.

    Raises
    ------
    DataError
        If the file is not that.
    """
    try:
        table = Table.read(path, format="ascii.ecsv")
    except READ_FAULTS as fault:
        raise DataError(f"{path}: not an ECSV table ({brief(fault)}); write it with astropy") from fault
    return _spectrum(path, *columns_of(path, table))


def columns_of(path: Path, table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, list[str], str]:
    """Wavelength (Å), flux and error (1e-17 erg/s/cm²/Å), notes, and why the flux is not calibrated.

    Raises
    ------
    DataError
        If the table has no columns of wavelength and flux.
    """
    names = [name for name in table.colnames if table[name].dtype.kind in "fiu" and table[name].ndim == 1]
    roles = _roles(path, names)

    def values(name: str) -> np.ndarray:
        return np.ma.filled(np.ma.asarray(table[name].data, float), np.nan)

    unit = known_unit(table[roles.wave].unit)
    try:
        wave = _linear(roles.wave, values(roles.wave))
        wave = (
            wave
            if unit is None or roles.wave.lower() in _LOGARITHM
            else u.Quantity(wave, unit).to_value(u.AA, u.spectral())
        )
    except u.UnitConversionError as fault:
        raise DataError(f"{path}: the wavelengths are in {unit}; give them in Å") from fault
    flux_unit = table[roles.flux].unit
    flux, factor = values(roles.flux), flux_factor(flux_unit, wave)
    notes: list[str] = []
    uncalibrated = ""
    if factor is not None:
        flux = flux * factor
    elif flux_unit is None:
        notes.append("the file gives no flux unit: taken as 1e-17 erg/s/cm²/Å")
    else:
        uncalibrated = f"the flux unit {flux_unit} is not a flux density"
        notes.append(f"fluxes kept as they are: {uncalibrated}")
    error: np.ndarray | None = None
    if roles.error:
        error = _standard_deviation(values(roles.error), roles.spread)
        own = known_unit(table[roles.error].unit)
        if own is not None:
            own = {"error": own, "var": own**0.5, "ivar": own**-0.5}[roles.spread]
        own_factor = flux_factor(own, wave)
        scale = factor if own is None else own_factor
        error = error if scale is None else error * scale
    return wave, flux, error, notes, uncalibrated


def _spectrum(
    path: Path,
    wave: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray | None,
    notes: list[str],
    uncalibrated: str = "",
) -> FoundSpectrum:
    notes = [*notes, "the file does not say whether wavelengths are in air: taken as air"]
    return found_spectrum(
        str(path), path.stem, wave, flux, error, "air", notes, uncalibrated=uncalibrated, instruments=(path.stem,)
    )
