"""Units as people write them, and fluxes brought to 1e-17 erg/s/cm²/Å: what spectra in memory and in files share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np

from elixer_widgets._errors import DataError

FLUX_UNIT = u.Unit(1e-17 * u.erg / u.s / u.cm**2 / u.AA)
PLAUSIBLE = 1e-12
"""Median flux, in 1e-17 erg/s/cm²/Å, below which the numbers must be erg/s/cm²/Å: no spectrograph is that deep."""

BRIGHT = 1e-8  # erg/s/cm²/Å; above the brightest star

GRID_BIN = 2.0  # Å; the bin of HETDEX spectra, whose fluxes are often given per bin

_FNU = u.erg / u.s / u.cm**2 / u.Hz
_NAMES: dict[str, u.UnitBase] = {
    **dict.fromkeys(("a", "aa", "å", "ang", "angs", "angstrom", "angstroms", "angstroem"), u.AA),
    **dict.fromkeys(("erg", "ergs"), u.erg),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), u.s),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"), u.um),
    **dict.fromkeys(("nm", "nanometer", "nanometers"), u.nm),
    **dict.fromkeys(("nmgy", "nanomaggy", "nanomaggies", "nanomaggie"), 1e-9 * u.AB),
    **dict.fromkeys(("mgy", "maggy", "maggies"), 1.0 * u.AB),
    **dict.fromkeys(("ujy", "µjy", "μjy", "microjy", "microjansky"), u.uJy),
    **dict.fromkeys(("jy", "jansky", "janskys"), u.Jy),
    **dict.fromkeys(("millijy", "millijansky"), u.mJy),
    **dict.fromkeys(("njy", "nanojy", "nanojansky"), u.nJy),
    **dict.fromkeys(("flam", "flambda"), u.erg / u.s / u.cm**2 / u.AA),
    "fnu": _FNU,
    **dict.fromkeys(("photon", "photons", "ph", "phot"), u.ph),
    **dict.fromkeys(("watt", "watts", "w"), u.W),
    **dict.fromkeys(("hz", "hertz"), u.Hz),
    **dict.fromkeys(("ghz",), u.GHz),
    **dict.fromkeys(("thz",), u.THz),
    **dict.fromkeys(("count", "counts", "cts", "ct", "adu", "adus", "dn", "electron", "electrons", "e"), u.ct),
}
# Where the case of the letter tells units apart.
_EXACT: dict[str, u.UnitBase] = {"mJy": u.mJy, "MJy": u.MJy, "m": u.m, "M": u.m, "cm": u.cm, "mm": u.mm, "km": u.km}
_EXACT |= {"CM": u.cm, "kW": u.kW, "mW": u.mW, "J": u.J, "eV": u.eV, "keV": u.keV, "nJy": u.nJy}

_UNSTATED = re.compile(r"\b(?:not stated|not known|unknown|unspecified|arbitrary|uncertain)\b", flags=re.IGNORECASE)
_COUNTS = {u.ct, u.adu, u.electron, u.DN}

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TEN = re.compile(r"\b10\s*(?:(?:\*\*|\^)\s*[({]\s*|(?:\*\*|\^)?\s*\(\s*|(?:\*\*|\^)\s*)([+-]?\d+)\s*[)}]?(?![\d.])")
_KCWI = re.compile(r"FLAM(\d\d)", flags=re.IGNORECASE)  # FLAM16 is 1e-16 erg/s/cm²/Å
_TOKEN = re.compile(
    r"\s*(?:(?P<slash>/|\bper\b)|(?P<open>\()|(?P<close>\))|(?P<number>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![A-Za-zÅµμ]))"
    r"|(?P<word>[A-Za-zÅåµμ]+)\.?|(?P<skip>[*·×.,]))"
)
_NUMBER = r"[+-]?\d+(?:/\d+|\.\d+)?"
_POWER = re.compile(
    rf"\s*(?:\*\*|\^)?\s*(?:[({{]\s*(?P<inside>{_NUMBER})\s*[)}}]|(?<!\s)(?P<bare>{_NUMBER})(?![\d.eE]))"
)


def parse_unit(written: str) -> u.UnitBase:
    """The unit of a text such as `erg/s/cm2/A`, `10^-17 ergs s^-1 cm^-2 Angstrom^-1` or `nanomaggies`.

    `A` is Å: nobody measures light in ampere.

    Raises
    ------
    ValueError
        If it is not a unit.
    """
    text = written.strip().strip("[]'\"").translate(_SUPERSCRIPTS).replace("Å", "Angstrom")
    if kcwi := _KCWI.fullmatch(text):
        text = f"1e-{kcwi[1]} flam"
    text = re.sub(r"(\d(?:\.\d*)?)\s*[x×*]\s*(?=10\s*(?:\*\*|\^))", r"\1 ", text)
    text = _TEN.sub(lambda match: f" 1e{match[1]} ", text)
    text = re.sub(r"\b10-(\d\d)\b", r"1e-\1", text)
    unit, rest = _product(text)
    if rest.strip() or not unit.scale > 0:
        raise ValueError(f"not a unit: {written!r}")
    return unit


def _product(text: str, depth: int = 0) -> tuple[u.UnitBase, str]:
    """The unit at the beginning of `text` up to a bracket that closes, and what is left."""
    if depth > 4 or len(text) > 200:
        raise ValueError("not a unit: too long")
    made: u.UnitBase = u.dimensionless_unscaled
    sign, read = 1, 0
    while text.strip():
        match = _TOKEN.match(text)
        if match is None:
            raise ValueError(f"not a unit: {text!r}")
        text = text[match.end() :]
        if match["slash"]:
            sign = -1
            continue
        if match["close"]:
            if not depth:
                raise ValueError("not a unit: a bracket too many")
            return made, text
        if match["skip"]:
            continue
        if match["open"]:
            part, text = _product(text, depth + 1)
        elif match["number"]:
            part = float(match["number"]) * u.dimensionless_unscaled
            part = u.Unit(part)
        else:
            part = _word(match["word"])
        power = None if match["number"] else _POWER.match(text)
        if power is not None and (match["open"] or match["word"]):
            above, _, below = (power["inside"] or power["bare"]).partition("/")
            part, text = part ** (float(above) / float(below or 1)), text[power.end() :]
        made = made * part if sign > 0 else made / part
        sign, read = 1, read + 1
    if depth or not read:
        raise ValueError("not a unit")
    return u.Unit(made), ""


def _word(word: str) -> u.UnitBase:
    known = _EXACT.get(word) or _NAMES.get(word.lower())
    return u.Unit(known) if known is not None else u.Unit(word)


def unit_of(stated: Any) -> u.UnitBase | None:
    """A unit from what astropy or a file says; None for nothing said.

    Raises
    ------
    ValueError
        If something is said that is not a unit.
    """
    if stated is None or (isinstance(stated, str) and not stated.strip()):
        return None
    if isinstance(stated, u.UnitBase) and not isinstance(stated, u.UnrecognizedUnit):
        # What a FITS header calls A was Å.
        return parse_unit(stated.to_string()) if u.A in stated.bases else stated
    if isinstance(stated, u.UnitBase | str):
        try:
            return parse_unit(str(stated))
        except ValueError:
            bare = re.sub(r"\s+\([^()]*\)\s*$", "", str(stated))  # a remark behind the unit
            if bare == str(stated):
                raise
            return parse_unit(bare)
    raise ValueError(f"not a unit: {stated!s:.40}")


@dataclass(frozen=True, eq=False)
class FluxScale:
    """What fluxes are multiplied by to be in 1e-17 erg/s/cm²/Å, in words as well.

    `uncalibrated` says why the result is not a calibrated flux density; empty if it is.
    """

    factor: np.ndarray
    words: str
    uncalibrated: str = ""


def flux_scale(where: str, stated: Any, wave: np.ndarray, bin_width: float = float("nan")) -> FluxScale:
    """How fluxes with the unit `stated` become 1e-17 erg/s/cm²/Å.

    Parameters
    ----------
    where : str
        The file, for messages.
    stated : unit, str or None
    wave : array, shape (n,)
        Å; a flux per frequency depends on it.
    bin_width : float
        Å; the width of a sample where it is said. Without it a uniform grid of 2 Å says it.

    Raises
    ------
    DataError
        If the unit is not understood, or not one of flux.
    """
    one = np.ones(wave.shape)
    if isinstance(stated, str) and _UNSTATED.search(stated):
        reason = f"the flux unit is given as {stated[:60]!r}: taken as 1e-17 erg/s/cm²/Å"
        return FluxScale(one, reason, reason)
    try:
        unit = unit_of(stated)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise DataError(
            f"{where}: the flux unit {str(stated)[:40]!r} is not understood; write it like 1e-17 erg/s/cm2/A"
        ) from error
    if unit is None:
        reason = "no flux unit is stated: taken as 1e-17 erg/s/cm²/Å"
        return FluxScale(one, reason, reason)
    if unit.physical_type == "dimensionless" and 1e-22 < unit.scale < 1e-12:
        return FluxScale(one * (unit.scale * 1e17), f"flux unit {str(stated)[:60]!r}: taken as so many erg/s/cm²/Å")
    if unit.physical_type == "dimensionless" or _COUNTS & set(unit.bases):
        reason = f"the flux unit {str(stated) or 'none'} is not a flux density"
        return FluxScale(one, f"fluxes kept as they are: {reason}", reason)
    if unit.is_equivalent(u.erg / u.s / u.cm**2):
        width = bin_width if np.isfinite(bin_width) else grid_bin(wave)
        if not width > 0:
            raise DataError(
                f"{where}: the flux unit {unit} is not per Å, and the width of a sample is not said; "
                "divide by it, or give the unit (unit=...)"
            )
        factor = unit.to(u.erg / u.s / u.cm**2) / width * 1e17
        return FluxScale(one * factor, f"flux unit {unit} per sample: divided by the {width:g} Å of a sample")
    try:
        factors = u.Quantity(one, unit).to_value(FLUX_UNIT, u.spectral_density(wave * u.AA))
    except (u.UnitConversionError, TypeError) as error:
        raise DataError(
            f"{where}: the flux unit {unit} cannot be converted to erg/s/cm²/Å; convert it, or give the unit (unit=...)"
        ) from error
    return FluxScale(np.asarray(factors, float), f"flux unit as stated: {unit}")


def grid_bin(wave: np.ndarray) -> float:
    """2 Å if all samples are that far apart, as on the HETDEX grid; else NaN."""
    steps = np.abs(np.diff(wave))
    return GRID_BIN if steps.size and bool(np.all(np.abs(steps - GRID_BIN) < 0.02)) else float("nan")


def wavelengths(where: str, values: np.ndarray, stated: Any) -> np.ndarray:
    """Wavelengths in Å from values in any spectral unit; as they are where none is stated.

    Raises
    ------
    DataError
        If the unit is not one of wavelength, frequency or energy.
    """
    try:
        unit = unit_of(stated)
        if unit is None:
            return values
        with np.errstate(all="ignore"):
            return np.asarray(u.Quantity(values, unit).to_value(u.AA, u.spectral()), float)
    except (u.UnitConversionError, ValueError, TypeError) as error:
        raise DataError(f"{where}: the wavelengths are in {str(stated)[:40]}; give them in Å") from error


def looks_cgs(flux: np.ndarray) -> bool:
    """Whether the median flux says that the numbers are erg/s/cm²/Å and not 1e-17 of that."""
    size = np.abs(flux[np.isfinite(flux) & (flux != 0)])
    # The brightest sample as well: a model without noise has wings as small as one likes.
    return bool(size.size) and float(np.median(size)) < PLAUSIBLE and float(size.max()) < BRIGHT
