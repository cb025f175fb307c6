"""One observation: three dithered exposures of a few amplifiers, from photons to calibrated fiber spectra.

Every amplifier and exposure is an image of 1032 x 1032 pixels with photon and read noise. Fibers are extracted from
that same noise, so what a 2-D cutout shows, a fiber spectrum has too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from elixer_widgets.releases import layout
from elixer_widgets.simulation import optics
from elixer_widgets.simulation.spectra import FINE_GRID, Source

GRID = layout.wavelength_grid()


@dataclass(frozen=True)
class ShotPlan:
    """What is observed: a field of a given imaging survey ("hsc", "cfhtls", "decals" or "none") and its amplifiers.

    `ra`, `dec` degrees of the IFU's centre, `pa` its position angle in degrees, `fwhm` the seeing in arcsec.
    """

    shotid: int
    survey: str
    tag: str
    field: str
    ra: float
    dec: float
    pa: float
    fwhm: float
    amps: tuple[str, ...]
    specid: str
    ifuslot: str
    ifuid: str
    exposure_times: tuple[float, float, float] = (366.0, 367.0, 365.0)
    relative_flux: tuple[float, float, float] = (1.0, 0.96, 1.04)
    response: float = 0.16

    @property
    def date(self) -> int:
        """YYYYMMDD."""
        return self.shotid // 1000

    @property
    def obsid(self) -> int:
        """Number of the observation in its night."""
        return self.shotid % 1000

    def multiframe(self, amp: str) -> str:
        """The name of one amplifier."""
        return str(layout.Multiframe(self.specid, self.ifuslot, self.ifuid, amp))

    def timestamp(self, expnum: int) -> str:
        """Start of an exposure, `YYYYMMDDThhmmss.s`."""
        seconds = 6 * 3600 + self.obsid * 1300 + (expnum - 1) * 420
        return f"{self.date}T{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.0"


@dataclass(frozen=True)
class Artifact:
    """A fault of the instrument at a fiber and wavelength.

    `kind` is "cosmic", "chargetrap" or "sky"; `strength` the flux (1e-17 erg/s/cm²) that it adds to the fiber.
    """

    kind: str
    amp: str
    fibidx: int
    expnum: int
    wave: float
    strength: float


@dataclass(eq=False)
class Fibers:
    """All fibers of a shot, ordered by amplifier, exposure and `fibidx`; arrays of one length.

    `x`, `y` are IFU positions with the dither (arcsec); `ra`, `dec` what the files record (degrees), with the error of
    the astrometry; `flux`, `error` (n, 1036) per 2 Å sample, error 0 where masked.
    """

    amp: np.ndarray
    expnum: np.ndarray
    fibidx: np.ndarray
    x: np.ndarray
    y: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    counts: np.ndarray
    sky_offset: np.ndarray
    chi2: np.ndarray
    model: np.ndarray


@dataclass(eq=False)
class Observation:
    """A finished shot: its plan, its fibers, the rows of its tables, the detectors and the pixel flats."""

    plan: ShotPlan
    fibers: Fibers
    fiber_rows: np.ndarray
    image_rows: np.ndarray
    detectors: dict[str, optics.Detector]
    flats: dict[str, np.ndarray] = field(default_factory=dict)
    astrometry: tuple[float, float] = (0.0, 0.0)

    def recorded(self, x: float, y: float) -> tuple[float, float]:
        """The (ra, dec) that the files give for an IFU position, with the error of the astrometry."""
        ra, dec = optics.to_sky(
            x + self.astrometry[0], y + self.astrometry[1], self.plan.ra, self.plan.dec, self.plan.pa
        )
        return float(ra), float(dec)


def source_fwhm(source: Source, seeing: float) -> float:
    """FWHM in arcsec of a source as seen through the atmosphere (its half-light diameter is its own FWHM)."""
    return float(np.hypot(seeing, 2.0 * source.half_light))


def observe(
    plan: ShotPlan,
    sources: list[tuple[Source, float, float]],
    artifacts: list[Artifact],
    rng: np.random.Generator,
) -> Observation:
    """Observe `sources`, each with its IFU position x, y (arcsec), with the given faults."""
    count = len(plan.amps) * 3 * optics.FIBERS
    rows = layout.SHOT_FIBERS.rows(count)
    images = layout.SHOT_IMAGES.rows(len(plan.amps) * 3)
    observation = Observation(plan, _empty_fibers(count), rows, images, {}, {})
    observation.astrometry = (float(rng.normal(0.0, 0.12)), float(rng.normal(0.0, 0.12)))
    spectra = [source.spectrum() for source, _, _ in sources]
    number = 0
    for amp in plan.amps:
        device = optics.detector(rng)
        observation.detectors[amp] = device
        flat = optics.pixel_flat(rng)
        traps = [fault for fault in artifacts if fault.kind == "chargetrap" and fault.amp == amp]
        observation.flats[amp] = flat
        for expnum in (1, 2, 3):
            here = [
                fault
                for fault in artifacts
                if fault.amp == amp and (fault.expnum == expnum or fault.kind == "chargetrap")
            ]
            start = number * optics.FIBERS
            part = slice(start, start + optics.FIBERS)
            _expose(observation, amp, expnum, part, images[number], sources, spectra, here, rng)
            number += 1
        for fault in traps:
            column, low, high = _trap_place(device, fault)
            flat[low:high, column] *= 0.6
    return observation


def _empty_fibers(count: int) -> Fibers:
    samples = layout.WAVELENGTH_COUNT
    return Fibers(
        amp=np.zeros(count, "U2"),
        expnum=np.zeros(count, int),
        fibidx=np.zeros(count, int),
        x=np.zeros(count),
        y=np.zeros(count),
        ra=np.zeros(count),
        dec=np.zeros(count),
        flux=np.zeros((count, samples)),
        error=np.zeros((count, samples)),
        counts=np.zeros((count, samples)),
        sky_offset=np.zeros((count, samples)),
        chi2=np.zeros((count, optics.CCD), np.float32),
        model=np.zeros((count, samples)),
    )


def _expose(
    observation: Observation,
    amp: str,
    expnum: int,
    part: slice,
    image_row: np.ndarray,
    sources: list[tuple[Source, float, float]],
    spectra: list[np.ndarray],
    artifacts: list[Artifact],
    rng: np.random.Generator,
) -> None:
    """One amplifier in one exposure: fill its image row and the fibers `part`."""
    plan, device = observation.plan, observation.detectors[amp]
    fibers = observation.fibers
    dither = optics.DITHERS[expnum - 1]
    x, y = optics.amplifier_fibers(amp)
    x, y = x + dither[0], y + dither[1]
    wavelength = device.wavelength
    scale = optics.sensitivity(wavelength) * device.fiber_to_fiber * plan.relative_flux[expnum - 1]

    # The objects, on the detector's own wavelengths and on the calibrated grid.
    signal = np.zeros(wavelength.shape)
    model = np.zeros((optics.FIBERS, GRID.size))
    for (source, sx, sy), flux in zip(sources, spectra, strict=True):
        share = optics.fiber_fraction(np.hypot(x - sx, y - sy), source_fwhm(source, plan.fwhm))
        lit = np.flatnonzero(share > 1e-4)
        if not lit.size:
            continue
        model[lit] += share[lit, None] * 2.0 * np.interp(GRID, FINE_GRID, flux)
        for each in lit:
            signal[each] += share[each] * 2.0 * np.interp(wavelength[each], FINE_GRID, flux)
    sky = optics.sky_brightness(wavelength)
    object_image = device.spread(signal * scale)
    sky_image = device.spread(sky * scale)

    variance = object_image + sky_image
    variance += np.float32(optics.READ_NOISE**2)
    sigma = np.sqrt(variance)
    noise = rng.standard_normal((optics.CCD, optics.CCD), dtype=np.float32)
    noise *= sigma
    good = np.ones((optics.CCD, optics.CCD), bool)
    cosmic = _cosmic_rays(good, rng)
    for fault in artifacts:
        _spoil(noise, good, cosmic, device, fault, scale, x, y)

    clean = object_image + noise
    image_row["image"] = clean + sky_image + cosmic
    image_row["clean_image"] = clean
    image_row["error"] = np.where(good, sigma, np.float32(-1.0))

    residual, error, chi2 = _extract(device, noise, variance, good)
    _record_fibers(observation, amp, expnum, part, x, y, signal * scale, sky * scale, residual, error, chi2)

    # Residuals are carried to the calibrated grid by the nearest column: samples stay independent, errors exact.
    nearest = np.rint(_invert(wavelength, GRID)).astype(int).clip(0, optics.CCD - 1)
    fiber = np.arange(optics.FIBERS)[:, None]
    factor = scale[fiber, nearest]
    fibers.error[part] = error[fiber, nearest] / factor
    fibers.model[part] = model
    fibers.flux[part] = np.where(fibers.error[part] > 0, model + residual[fiber, nearest] / factor, 0.0)
    fibers.counts[part] = factor
    fibers.sky_offset[part] = 0.02 * rng.standard_normal() * np.sin((GRID - 3470.0) / 400.0 + rng.uniform(0, 6.28))
    fibers.chi2[part] = chi2
    _record_calibrated(observation, part)
    image_row["expnum"], image_row["amp"] = expnum, amp
    _identify(image_row, plan, amp)


def _extract(
    device: optics.Detector, noise: np.ndarray, variance: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Optimal extraction (Horne 1986, PASP 98, 609) of what is not the modelled signal.

    Returns the residual counts, their error (0 where over half of the information is masked) and the reduced χ² of the
    fiber profile, each (112, 1032).
    """
    weight = good / variance
    windows = device.gather(weight)
    weighted = device.gather(noise * weight)
    norm = (device.profile**2 * windows).sum(axis=0)
    residual = (device.profile * weighted).sum(axis=0)
    seen = windows > 0
    squared = device.profile**2
    usable = (squared * seen).sum(axis=0) > 0.5 * squared.sum(axis=0)
    safe = np.where(usable, norm, 1.0)
    residual = np.where(usable, residual / safe, 0.0)
    error = np.where(usable, 1.0 / np.sqrt(safe), 0.0)
    chi2 = device.gather(noise**2 * weight).sum(axis=0) - residual**2 * norm
    freedom = np.maximum(seen.sum(axis=0) - 1, 1)
    return residual.astype(float), error.astype(float), (chi2 / freedom).astype(np.float32)


def _invert(wavelength: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Fractional column (112, n) at which each fiber has the wanted wavelengths."""
    columns = np.arange(wavelength.shape[1])
    return np.array([np.interp(wanted, row, columns) for row in wavelength])


# ------------------------------------------------------------------------------------------------------- faults


def _cosmic_rays(good: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts of cosmic-ray tracks; marks their pixels in `good`, as the reduction does."""
    counts = np.zeros((optics.CCD, optics.CCD), np.float32)
    for _ in range(int(rng.poisson(70))):
        length = int(rng.integers(2, 14))
        angle = rng.uniform(0.0, np.pi)
        x0, y0 = rng.uniform(5, optics.CCD - 20, 2)
        steps = np.arange(length)
        xs = np.clip(np.rint(x0 + steps * np.cos(angle)), 0, optics.CCD - 1).astype(int)
        ys = np.clip(np.rint(y0 + steps * np.sin(angle)), 0, optics.CCD - 1).astype(int)
        counts[ys, xs] += rng.lognormal(6.0, 0.7)
        good[ys, xs] = False
    return counts


def _trap_place(device: optics.Detector, fault: Artifact) -> tuple[int, int, int]:
    """Column and rows (low, high) of a charge trap."""
    column = int(np.rint(np.interp(fault.wave, device.wavelength[fault.fibidx], np.arange(optics.CCD))))
    row = int(np.rint(device.trace[fault.fibidx, column]))
    return column, max(row - 18, 0), min(row + 24, optics.CCD)


def _spoil(
    noise: np.ndarray,
    good: np.ndarray,
    cosmic: np.ndarray,
    device: optics.Detector,
    fault: Artifact,
    scale: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> None:
    """Add a fault to the sky-subtracted image."""
    fiber = fault.fibidx
    column, low, high = _trap_place(device, fault)
    row = int(np.rint(device.trace[fiber, column]))
    counts = fault.strength * float(scale[fiber, column])
    if fault.kind == "chargetrap":
        # A column that holds back charge: bright over many fibers, one and a half pixels wide.
        per_row = counts / (np.sqrt(2.0 * np.pi) * optics.PROFILE_SIGMA)
        noise[low:high, column] += np.float32(0.75 * per_row)
        noise[low:high, column + 1] += np.float32(0.25 * per_row)
    elif fault.kind == "cosmic":
        # The brightest pixels were found and masked, the rim of the track was not.
        for step, share in ((-2, 0.2), (-1, 0.3), (0, 0.3), (1, 0.2)):
            for width in (0, 1):
                noise[row + step, column + step + width] += np.float32(0.5 * share * counts)
        for step in (-1, 0, 1):
            good[row + step + 1, column + step - 1] = False
            cosmic[row + step + 1, column + step - 1] += np.float32(4.0 * counts)
    elif fault.kind == "sky":
        # The sky was scaled wrongly for some neighbouring fibers: a share of the sky line is left over.
        near = np.flatnonzero(np.hypot(x - x[fiber], y - y[fiber]) < 2.7)
        lines = np.zeros(device.wavelength.shape)
        wave = device.wavelength[near]
        profile = np.exp(-0.5 * ((wave - fault.wave) / optics.LSF_SIGMA) ** 2)
        peak = fault.strength * 2.0 / (optics.LSF_SIGMA * np.sqrt(2.0 * np.pi))
        fall = np.exp(-0.5 * (np.hypot(x[near] - x[fiber], y[near] - y[fiber]) / 2.5) ** 2)
        lines[near] = peak * fall[:, None] * profile * scale[near]
        noise += device.spread(lines)


# --------------------------------------------------------------------------------------------------- table rows


def _identify(rows: np.ndarray, plan: ShotPlan, amp: str) -> None:
    """The columns that say which amplifier this is."""
    rows["multiframe"] = plan.multiframe(amp)
    rows["specid"], rows["ifuslot"], rows["ifuid"] = plan.specid, plan.ifuslot, plan.ifuid
    rows["contid"] = f"{plan.specid}{amp}"
    rows["obsind"] = 1


def _record_fibers(
    observation: Observation,
    amp: str,
    expnum: int,
    part: slice,
    x: np.ndarray,
    y: np.ndarray,
    signal: np.ndarray,
    sky: np.ndarray,
    residual: np.ndarray,
    error: np.ndarray,
    chi2: np.ndarray,
) -> None:
    plan, device, fibers = observation.plan, observation.detectors[amp], observation.fibers
    rows = observation.fiber_rows[part]
    index = np.arange(optics.FIBERS)
    dx, dy = observation.astrometry
    ra, dec = optics.to_sky(x + dx, y + dy, plan.ra, plan.dec, plan.pa)
    fibers.amp[part], fibers.expnum[part], fibers.fibidx[part] = amp, expnum, index
    fibers.x[part], fibers.y[part], fibers.ra[part], fibers.dec[part] = x, y, ra, dec
    _identify(rows, plan, amp)
    name = layout.Multiframe(plan.specid, plan.ifuslot, plan.ifuid, amp)
    rows["fiber_id"] = [str(layout.FiberName(plan.shotid, expnum, name, int(i) + 1)) for i in index]
    rows["amp"], rows["expnum"], rows["fibidx"], rows["fibnum"] = amp, expnum, index, index + 1
    rows["ra"], rows["dec"] = ra, dec
    base_x, base_y = optics.amplifier_fibers(amp)
    rows["ifux"], rows["ifuy"] = base_x, base_y
    rows["fpx"], rows["fpy"] = base_x + 150.0, base_y - 100.0  # this IFU's place in the focal plane, arcsec
    rows["sky_subtracted"] = signal + residual
    rows["sky_spectrum"] = sky
    rows["spectrum"] = signal + residual + sky
    rows["error1D"] = error
    rows["wavelength"], rows["trace"] = device.wavelength, device.trace
    rows["fiber_to_fiber"], rows["chi2"] = device.fiber_to_fiber, chi2
    rows["rms"] = np.sqrt(np.maximum(chi2, 0.0)) * error


def _record_calibrated(observation: Observation, part: slice) -> None:
    fibers, rows = observation.fibers, observation.fiber_rows[part]
    rows["calfib"], rows["calfibe"] = fibers.flux[part], fibers.error[part]
    rows["calfib_ffsky"] = np.where(fibers.error[part] > 0, fibers.flux[part] + fibers.sky_offset[part], 0.0)
    rows["calfib_counts"] = fibers.flux[part] * fibers.counts[part]
    rows["calfibe_counts"] = fibers.error[part] * fibers.counts[part]
