"""One spectrum of any file, brought into order: in air, ascending, within the HETDEX range, on its own grid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elixer_widgets._images import is_magnitude
from elixer_widgets.detection import NAN, DataError, Magnitude, Spectrum
from elixer_widgets.spectra.wavelengths import GRID_START, GRID_STOP, HETDEX_LSF_SIGMA, vacuum_to_air

MARGIN = 20.0  # Å kept on either side of the HETDEX range, for lines at its ends
FEWEST_SAMPLES = 10  # within the range; below this there is nothing to measure
FWHM_OF_SIGMA = 2.354820045

# Resolving power of spectrographs whose name a spectrum carries.
RESOLVING_POWER: Mapping[str, float] = {
    "boss": 2000.0,  # Smee et al. 2013, AJ 146, 32
    "sdss": 2000.0,  # Smee et al. 2013, AJ 146, 32
    "desi": 2000.0,  # blue arm; DESI Collaboration 2022, AJ 164, 207
    "vandels": 580.0,  # McLure et al. 2018, MNRAS 479, 25
    "muse": 1800.0,  # blue end; Bacon et al. 2010, SPIE 7735, 08
    "aaomega": 1300.0,  # low-resolution gratings; Sharp et al. 2006, SPIE 6269, 0G
}


@dataclass(frozen=True, eq=False)
class FoundSpectrum:
    """One spectrum of a file, ready to become a detection."""

    label: str
    spectrum: Spectrum
    wavelength: float = NAN
    ra: float = NAN
    dec: float = NAN
    magnitudes: tuple[Magnitude, ...] = ()
    source_z: float = NAN


def found_spectrum(
    where: str,
    label: str,
    wave: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray | None,
    medium: str,
    notes: list[str],
    *,
    wavelength: float = NAN,
    ra: float = NAN,
    dec: float = NAN,
    magnitudes: tuple[Magnitude, ...] = (),
    source_z: float = NAN,
    uncalibrated: str = "",
    lsf_sigma: float = NAN,
    resolution: float = NAN,
    instruments: tuple[str, ...] = (),
) -> FoundSpectrum:
    """Bring one spectrum into order: in air, ascending, in the HETDEX range, on its own grid."""
    if wave.ndim != 1 or flux.shape != wave.shape or (error is not None and error.shape != wave.shape):
        raise DataError(f"{where}: wavelength, flux and error differ in length; give arrays of one length")
    notes = list(notes)
    keep = np.isfinite(wave)
    order = np.flatnonzero(keep)[np.argsort(wave[keep], kind="stable")]
    wave, flux = wave[order], flux[order]
    error = None if error is None else error[order]
    if medium.startswith("vac"):
        wave = vacuum_to_air(wave)
        wavelength = float(vacuum_to_air(wavelength)) if np.isfinite(wavelength) else NAN
        notes.append("wavelengths converted from vacuum to air (Morton 2000, ApJS 130, 403)")
    distinct = np.concatenate(([True], np.diff(wave) > 0)) if wave.size else np.zeros(0, bool)
    if not np.all(distinct):
        notes.append(f"{np.count_nonzero(~distinct)} samples with a repeated wavelength left out")
    low, high = GRID_START - MARGIN, GRID_STOP + MARGIN
    within = distinct & (wave >= low) & (wave <= high)
    if np.count_nonzero(within) < FEWEST_SAMPLES:
        span = f"{wave[0]:g} to {wave[-1]:g}" if wave.size else "nothing"
        raise DataError(
            f"{where}: covers {span} and hardly any of {GRID_START:g} to {GRID_STOP:g} Å; give wavelengths in Å there"
        )
    if np.count_nonzero(within) < np.count_nonzero(distinct):
        first, last = wave[0], wave[-1]
        notes.append(
            f"{first:.0f} to {last:.0f} Å clipped to {max(first, low):.0f} to {min(last, high):.0f} Å, the HETDEX range"
        )
    wave, flux = wave[within], flux[within]
    if error is not None:
        error = np.where(np.isfinite(error[within]) & (error[within] > 0), error[within], 0.0)
        error = error if np.any(error > 0) else None
    if np.isfinite(wavelength) and not wave[0] <= wavelength <= wave[-1]:
        notes.append(f"the line at {wavelength:.1f} Å that the file names lies outside this range")
        wavelength = NAN
    if not np.isfinite(lsf_sigma):
        lsf_sigma = line_spread(instruments, resolution, float(np.median(wave)))
    if error is None:
        notes.append("no errors came with it")
    spectrum = Spectrum(wave, flux, error, lsf_sigma, notes=tuple(notes), uncalibrated=uncalibrated)
    return FoundSpectrum(label, spectrum, wavelength, ra, dec, magnitudes, source_z)


def line_spread(names: tuple[str, ...], resolution: float, wavelength: float) -> float:
    """Gaussian σ (Å) of the line spread function at a wavelength.

    From the resolving power if it is known, else from the first of `names` (of an instrument, a telescope, a file)
    that begins with one of the spectrographs in `RESOLVING_POWER`; NaN if there is none.
    """
    if np.isfinite(resolution) and resolution > 0:
        return wavelength / resolution / FWHM_OF_SIGMA
    for name in (name.lower() for name in names):
        if name.startswith(("virus", "hetdex")):
            return HETDEX_LSF_SIGMA
        for known, power in RESOLVING_POWER.items():
            if name.startswith(known):
                return wavelength / power / FWHM_OF_SIGMA
    return NAN


def parse_magnitudes(written: str) -> tuple[Magnitude, ...]:
    """Magnitudes out of `psfmag_ugriz=21.5,20.8,...` (one letter a value) or `flux_g=3.2nmgy`.

    The first entry for a band counts; what cannot be read is left out.
    """
    found: dict[str, Magnitude] = {}
    for kind, value in re.findall(r"(\w+)=(\S+)", written):
        name, _, bands = kind.rpartition("_")
        if value.endswith("nmgy"):
            flux = _number(value.removesuffix("nmgy"))
            if flux > 0:  # 22.5 is the AB magnitude of a nanomaggy
                found.setdefault(bands, Magnitude(bands, 22.5 - 2.5 * float(np.log10(flux)), source="given"))
            continue
        numbers = [_number(part) for part in value.split(",")]
        if name.endswith("mag") and len(bands) == len(numbers) and re.fullmatch("[ugrizyJHK]+", bands):
            for band, number in zip(bands, numbers, strict=True):
                if is_magnitude(number):
                    found.setdefault(band, Magnitude(band, number, source=f"given ({name})"))
    return tuple(found.values())


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return NAN
