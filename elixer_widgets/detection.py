"""The observed things: what a release says about one detection, before anybody has judged it.

Units, unless a name says otherwise: wavelengths in Å in air, flux densities in 1e-17 erg/s/cm²/Å, line fluxes
in erg/s/cm², positions in degrees (ICRS), distances on the sky in arcsec, magnitudes AB. A missing number is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from elixer_widgets._arguments import instance, number
from elixer_widgets._arrays import frozen, plain, unit_in
from elixer_widgets._errors import NAN, DataError
from elixer_widgets._images import CatalogObject, Cutout, Imaging, Magnitude, magnitude_decimals, parse_magnitude
from elixer_widgets._units import flux_scale, looks_cgs, wavelengths

__all__ = [
    "NAN",
    "CatalogObject",
    "CcdRegion",
    "Cutout",
    "DataError",
    "Detection",
    "DetectionSource",
    "Fiber",
    "FiberCutout",
    "FiberField",
    "FiberImages",
    "Imaging",
    "Magnitude",
    "PipelineLine",
    "Shot",
    "Spectrum",
    "magnitude_decimals",
]


LOOKS_CGS = (
    "these look like erg/s/cm²/Å: the median flux is below 1e-12 of the unit, 1e-17 erg/s/cm²/Å; "
    "state the unit, or multiply by 1e17"
)

# --------------------------------------------------------------------------------------------- the spectrum


def _degrees(value: object, name: str) -> float:
    """A coordinate in degrees; NaN is one that is not known."""
    unknown = isinstance(value, float | np.floating) and np.isnan(value)
    return NAN if unknown else number(value, f"Detection.from_spectrum: {name}", "degrees, or None if not known")


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A calibrated one-dimensional spectrum.

    Arrays may be masked (a masked sample becomes NaN) and may carry a unit (an astropy Quantity or Column), which is
    then converted; `notes` says what was done.

    Parameters
    ----------
    wavelength : array, shape (n,)
        Å, as observed in air, ascending; or a Quantity of wavelength, frequency or energy.
    flux : array, shape (n,)
        1e-17 erg/s/cm²/Å; or a Quantity of flux density.
    error : array, shape (n,), optional
        Standard deviation of `flux`, in its own unit if it has one, else in that of `flux`. NaN, zero or negative marks
        a masked sample. Without it, every error is NaN and `has_error` is False: fits then weigh all samples alike.
    lsf_sigma : float, optional
        Gaussian σ of the instrument's line spread function in Å; NaN if not known.
    aperture_correction : array, shape (n,), optional
        What the fluxes were divided by to make them total fluxes.
    notes : tuple of str
        What was taken from a file or converted, in words.
    uncalibrated : str
        Why the fluxes cannot be trusted as flux densities; empty if they can.

    Raises
    ------
    DataError
        If the arrays differ in length, are not one-dimensional, hold no numbers, or the wavelengths do not ascend; or
        if a unit cannot be converted.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    # A caller may leave it out; whoever reads a Spectrum always finds an array.
    error: np.ndarray | Any = None
    lsf_sigma: float = NAN
    aperture_correction: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    uncalibrated: str = ""

    def __post_init__(self) -> None:
        wavelength, flux, error = plain(self.wavelength, "wavelength"), plain(self.flux, "flux"), None
        if self.error is not None:
            error = plain(self.error, "error")
        if wavelength.ndim != 1 or flux.shape != wavelength.shape:
            raise DataError(
                f"Spectrum: wavelength has shape {wavelength.shape} and flux {flux.shape}; "
                "give two one-dimensional arrays of equal length"
            )
        if error is not None and error.shape != flux.shape:
            raise DataError(f"Spectrum: error has shape {error.shape}, flux {flux.shape}; give one error a sample")
        correction = self.aperture_correction
        if correction is not None:
            correction = plain(correction, "aperture_correction")
            if correction.shape != flux.shape:
                raise DataError(
                    f"Spectrum: aperture_correction has shape {correction.shape}, flux {flux.shape}; give one a sample"
                )
        if any(unit_in(values) is not None for values in (self.wavelength, self.flux, self.error)):
            wavelength, flux, error, correction = self._converted(wavelength, flux, error, correction)
        if wavelength.size < 2 or not np.all(np.isfinite(wavelength)) or np.any(np.diff(wavelength) <= 0):
            raise DataError(
                "Spectrum: wavelengths must be at least two finite, ascending numbers in Å; sort them first"
            )
        object.__setattr__(self, "wavelength", frozen(wavelength))
        object.__setattr__(self, "flux", frozen(flux))
        object.__setattr__(self, "error", frozen(np.full(flux.shape, np.nan) if error is None else error))
        object.__setattr__(self, "aperture_correction", None if correction is None else frozen(correction))
        if looks_cgs(flux) and self.uncalibrated != LOOKS_CGS:
            object.__setattr__(self, "uncalibrated", LOOKS_CGS)
            object.__setattr__(self, "notes", (*self.notes, LOOKS_CGS))

    def _converted(
        self, wavelength: np.ndarray, flux: np.ndarray, error: np.ndarray | None, correction: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """The arrays in Å and 1e-17 erg/s/cm²/Å, their units applied and noted."""
        notes = list(self.notes)
        stated, own = unit_in(self.flux), unit_in(self.error)
        spectral = unit_in(self.wavelength)
        wavelength = wavelengths("Spectrum", wavelength, spectral)
        if wavelength.size > 1 and bool(np.all(np.diff(wavelength) < 0)) and spectral is not None:
            # rising in frequency is falling in wavelength
            wavelength, flux = wavelength[::-1].copy(), flux[::-1].copy()
            error = None if error is None else error[::-1].copy()
            correction = None if correction is None else correction[::-1].copy()
        if stated is not None:
            scale = flux_scale("Spectrum", stated, wavelength)
            flux = flux * scale.factor
            notes.append(scale.words)
            object.__setattr__(self, "uncalibrated", self.uncalibrated or scale.uncalibrated)
            if error is not None and own is None:
                error = error * scale.factor
                notes.append("the error states no unit: taken in that of the flux")
        if error is not None and own is not None:
            error = error * flux_scale("Spectrum: error", own, wavelength).factor
        object.__setattr__(self, "notes", tuple(notes))
        return wavelength, flux, error, correction

    @cached_property
    def has_error(self) -> bool:
        """Whether any sample carries a usable error."""
        return bool(np.any(np.isfinite(self.error) & (self.error > 0)))

    @cached_property
    def good(self) -> np.ndarray:
        """Boolean, shape (n,): samples that may be used."""
        good = np.isfinite(self.flux)
        if self.has_error:
            good &= np.isfinite(self.error) & (self.error > 0)
        good.setflags(write=False)
        return good

    @cached_property
    def step(self) -> float:
        """Median sampling step in Å."""
        return float(np.median(np.diff(self.wavelength)))

    def window(self, low: float, high: float) -> Spectrum:
        """The part with `low` <= wavelength <= `high` (Å)."""
        keep = (self.wavelength >= low) & (self.wavelength <= high)
        correction = self.aperture_correction
        return Spectrum(
            self.wavelength[keep],
            self.flux[keep],
            self.error[keep],
            self.lsf_sigma,
            None if correction is None else correction[keep],
            self.notes,
            self.uncalibrated,
        )


@dataclass(frozen=True)
class PipelineLine:
    """The line as the detection pipeline recorded it (not measured here).

    `wavelength`, `sigma` in Å; `flux` in erg/s/cm²; `continuum` in 1e-17 erg/s/cm²/Å; `chi2` reduced.
    """

    wavelength: float
    wavelength_err: float = NAN
    sigma: float = NAN
    sigma_err: float = NAN
    flux: float = NAN
    flux_err: float = NAN
    continuum: float = NAN
    continuum_err: float = NAN
    sn: float = NAN
    sn_err: float = NAN
    chi2: float = NAN
    chi2_err: float = NAN


# ------------------------------------------------------------------------------------------------ the fibers


@dataclass(frozen=True)
class Shot:
    """One HETDEX observation of three dithered exposures.

    `fwhm` is the seeing in arcsec, `response_4540` the throughput scaled to 360 s, `dither_norm` the largest
    ratio between the relative fluxes of two exposures, `exposure_times` in s, `depth_g` the g magnitude limit.
    """

    shotid: int
    field: str = ""
    date: int = 0
    obsid: int = 0
    ra: float = NAN
    dec: float = NAN
    pa: float = NAN
    fwhm: float = NAN
    response_4540: float = NAN
    dither_norm: float = NAN
    exposure_times: tuple[float, ...] = ()
    depth_g: float = NAN

    @property
    def name(self) -> str:
        """The text form, `YYYYMMDDvNNN`."""
        text = str(self.shotid)
        return f"{text[:8]}v{text[8:]}"


@dataclass(frozen=True)
class Fiber:
    """One fiber of one exposure that contributes to a detection.

    `ra`, `dec` in degrees; `x_ifu`, `y_ifu` and `distance` (to the detection) in arcsec; `weight` normalised so
    that a detection's weights add to 1; `x_raw`, `y_raw` the CCD pixel of the line (wavelength axis, fiber axis),
    zero-based; `expnum` 1 to 3; `fibnum` 1 to 112 on its amplifier; `chi2` the worst fiber-profile χ² near the line.
    """

    fiber_id: str
    ra: float
    dec: float
    weight: float = NAN
    distance: float = NAN
    multiframe: str = ""
    specid: str = ""
    ifuslot: str = ""
    ifuid: str = ""
    amp: str = ""
    expnum: int = 0
    fibnum: int = 0
    date: int = 0
    obsid: int = 0
    timestamp: str = ""
    x_ifu: float = NAN
    y_ifu: float = NAN
    x_raw: int = -1
    y_raw: int = -1
    flag: int = 0
    chi2: float = NAN

    DIAMETER = 1.5  # arcsec; HETDEX instrument paper, Hill et al. 2021, AJ 162, 298

    @property
    def ccd_number(self) -> int:
        """Fiber number 1 to 448 over the four amplifiers of an IFU; 0 if the amplifier is not known."""
        base = {"LU": 1, "LL": 113, "RL": 225, "RU": 337}.get(self.amp)
        return 0 if base is None or not 1 <= self.fibnum <= 112 else 112 - self.fibnum + base

    @property
    def on_ifu_edge(self) -> bool:
        """Whether the fiber lies on the rim of its IFU."""
        return abs(self.x_ifu) >= 22.5 or abs(self.y_ifu) >= 24.0


@dataclass(frozen=True, eq=False)
class FiberCutout:
    """CCD window of one fiber around the line: axis 0 the fiber direction, axis 1 wavelength; 21 x 49 pixels.

    `image` is sky-subtracted counts, `cosmic` marks masked cosmic rays, `pixel_flat` is about 1 and None where there
    is no flat; `wavelength` gives Å for each column along the fiber's own trace; `x`, `y` is the zero-based CCD pixel
    of the window's centre. Pixels off the detector are 0.
    """

    fiber: Fiber
    image: np.ndarray
    error: np.ndarray
    cosmic: np.ndarray
    pixel_flat: np.ndarray | None
    wavelength: np.ndarray
    x: int
    y: int


@dataclass(frozen=True, eq=False)
class CcdRegion:
    """A taller window (121 x 49 pixels) around the highest-weight fiber, with and without sky."""

    fiber: Fiber
    with_sky: np.ndarray
    clean: np.ndarray
    x: int
    y: int


@dataclass(frozen=True, eq=False)
class FiberImages:
    """The CCD pictures of a detection, fibers by descending weight; `reason` says why there are none."""

    cutouts: tuple[FiberCutout, ...] = ()
    ccd: CcdRegion | None = None
    reason: str = ""


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class FiberField:
    """Every fiber of an observation around a position, of a detection or not.

    `ra`, `dec` (n,) in degrees; `exposure` (n,) 1 to 3; `wavelength` (m,) in Å, air; `flux`, `error` (n, m) as each
    fiber received it, 1e-17 erg/s/cm²/Å, error 0 where masked; `reason` says why there is none.
    """

    ra: np.ndarray = field(default_factory=_none)
    dec: np.ndarray = field(default_factory=_none)
    exposure: np.ndarray = field(default_factory=_none)
    wavelength: np.ndarray = field(default_factory=_none)
    flux: np.ndarray = field(default_factory=_none)
    error: np.ndarray = field(default_factory=_none)
    reason: str = ""

    def __len__(self) -> int:
        return int(self.ra.size)

    def spectrum(self, number: int) -> Spectrum:
        """The spectrum of one fiber."""
        return Spectrum(self.wavelength, self.flux[number], self.error[number])


# --------------------------------------------------------------------------------------------- the detection


@runtime_checkable
class DetectionSource(Protocol):
    """Where a detection reads what is large, and only when asked. Must survive pickling to a worker."""

    def fiber_images(self, detection: Detection) -> FiberImages:
        """The CCD cutouts of the detection's fibers."""
        ...

    def fiber_spectra(self, detection: Detection) -> tuple[Spectrum | None, ...]:
        """One spectrum a fiber of `detection.fibers`, in that order; None where there is none."""
        ...

    def imaging(self, detection: Detection) -> Imaging:
        """Image cutouts (30 arcsec wide) and catalogue objects around the detection."""
        ...

    def fiber_field(self, detection: Detection) -> FiberField:
        """Every fiber of the observation around the detection."""
        ...


@dataclass(frozen=True, eq=False)
class Detection:
    """One detection as the release has it.

    `wavelength` is that of the detected line (Å, air). `fibers` come by descending weight. `magnitudes` are what the
    caller knows of the object. `not_available` maps what is missing ("fibers", "imaging", "error", ...) to the reason.
    `source_z` is a redshift that came with the input, for display only; no measurement uses it.
    """

    detectid: int
    spectrum: Spectrum
    wavelength: float
    ra: float = NAN
    dec: float = NAN
    name: str = ""
    release: str = ""
    pipeline: PipelineLine | None = None
    shot: Shot | None = None
    fibers: tuple[Fiber, ...] = ()
    magnitudes: tuple[Magnitude, ...] = ()
    given_cutouts: tuple[Cutout, ...] = ()
    source: DetectionSource | None = None
    not_available: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source_z: float = NAN

    @classmethod
    def from_spectrum(
        cls,
        spectrum: Spectrum,
        wavelength: float = NAN,
        ra: float | None = None,
        dec: float | None = None,
        cutouts: Iterable[Cutout] = (),
        magnitudes: Mapping[str, float | tuple[float, float] | str] | None = None,
        *,
        detectid: int = 0,
        name: str = "",
    ) -> Detection:
        """A detection from one's own spectrum.

        Parameters
        ----------
        spectrum : Spectrum
        wavelength : float
            Å in air of the line in question. If NaN, `measure` takes the strongest line that it finds.
        ra, dec : float, optional
            Degrees.
        cutouts : iterable of Cutout
        magnitudes : mapping, optional
            Band to magnitude, (magnitude, error), or a limit written ">26.1".

        Raises
        ------
        DataError
            If the wavelength lies outside the spectrum or a magnitude cannot be read.
        """
        instance(spectrum, Spectrum, "Detection.from_spectrum: spectrum")
        if not (isinstance(wavelength, float) and np.isnan(wavelength)):
            wavelength = number(wavelength, "Detection.from_spectrum: wavelength", "Å in air, or NaN for the strongest")
        ra = None if ra is None else _degrees(ra, "ra")
        dec = None if dec is None else _degrees(dec, "dec")
        if magnitudes is not None and not isinstance(magnitudes, Mapping):
            raise DataError(f"magnitudes: {magnitudes!r:.60} is not a mapping; give for example {{'g': (24.5, 0.1)}}")
        if np.isfinite(wavelength) and not spectrum.wavelength[0] <= wavelength <= spectrum.wavelength[-1]:
            raise DataError(
                f"wavelength {wavelength:g} Å lies outside the spectrum "
                f"({spectrum.wavelength[0]:g} to {spectrum.wavelength[-1]:g} Å); give the line's wavelength in air"
            )
        missing = {
            "fibers": "no fiber data came with this spectrum",
            "shot": "no observation record came with this spectrum",
        }
        if not spectrum.has_error:
            missing["error"] = "no errors came with this spectrum: significances rest on its own scatter"
        if spectrum.uncalibrated:
            missing["flux_calibration"] = spectrum.uncalibrated
        given = tuple(cutouts)
        stated = [parse_magnitude(band, value) for band, value in (magnitudes or {}).items()]
        marks = tuple(
            f"magnitude {band} = {value} is a mark for a missing one: left out"
            for (band, value), magnitude in zip((magnitudes or {}).items(), stated, strict=True)
            if not np.isfinite(magnitude.value)
        )
        if not given:
            missing["imaging"] = "no imaging came with this spectrum"
        return cls(
            detectid=int(detectid),
            spectrum=spectrum,
            wavelength=float(wavelength),
            ra=NAN if ra is None else float(ra),
            dec=NAN if dec is None else float(dec),
            name=name,
            magnitudes=tuple(magnitude for magnitude in stated if np.isfinite(magnitude.value)),
            given_cutouts=given,
            not_available=missing,
            notes=(*spectrum.notes, *marks),
        )

    @property
    def label(self) -> str:
        """What a person calls it: its name, else its number."""
        return self.name or str(self.detectid)

    @cached_property
    def fiber_images(self) -> FiberImages:
        """The CCD cutouts, read at the first use."""
        if self.source is None:
            return FiberImages(reason=self.not_available.get("fibers", "no fiber data came with this spectrum"))
        return self.source.fiber_images(self)

    @cached_property
    def fiber_spectra(self) -> tuple[Spectrum | None, ...]:
        """One spectrum a fiber, read at the first use."""
        return tuple(None for _ in self.fibers) if self.source is None else self.source.fiber_spectra(self)

    @cached_property
    def fiber_field(self) -> FiberField:
        """Every fiber of the observation within some 9 arcsec, read at the first use."""
        if self.source is None:
            return FiberField(reason=self.not_available.get("fibers", "no fiber data came with this spectrum"))
        return self.source.fiber_field(self)

    @cached_property
    def imaging(self) -> Imaging:
        """Images and catalogue objects around the position, read at the first use."""
        found = Imaging() if self.source is None else self.source.imaging(self)
        cutouts = (*self.given_cutouts, *found.cutouts)
        notes = found.notes
        if not cutouts and not notes:
            notes = (self.not_available.get("imaging", "no imaging came with this spectrum"),)
        return Imaging(cutouts, found.objects, notes, found.surface_density)
