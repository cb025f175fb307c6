"""The fibers of one simulated detection, its spectrum, and the faults that look like lines.

Fiber spectra come first; the spectrum is extracted from them with the weights of a point source, as in a real survey,
so whatever is in one fiber only is in both. Inside, flux densities are 1e-17 erg/s/cm²/Å.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import Fiber, Spectrum
from elixer_widgets.simulation import optics
from elixer_widgets.simulation.shots import GRID

APERTURE = 3.5  # arcsec; fibers within this radius are summed
MOST_FIBERS = 15
DEPTH_RESIDUAL = 0.03  # 1e-17 erg/s/cm²/Å; scatter of what sky subtraction leaves, assumed: half the limit of 24.8 mag

FAULTS = ("cosmic", "trap", "sky", "ripple")
_FAULT_SHARE = (0.4, 0.25, 0.25, 0.1)  # assumed
_SKY_WAVES = (3545.0, 4046.6, 4358.3, 5198.9, 5460.7)  # Å; where residuals of sky lines and lamps gather


@dataclass(frozen=True, eq=False)
class Layout:
    """Fibers around a detection: offsets x, y in arcsec from it, exposure (1 to 3), fiber number, and `weights`, the
    share of a point source's light at the detection's position, by descending weight."""

    x: np.ndarray
    y: np.ndarray
    exposure: np.ndarray
    number: np.ndarray
    weights: np.ndarray

    @property
    def norm(self) -> float:
        """Σ w²."""
        return float((self.weights**2).sum())


def lay_out(fwhm: float, rng: np.random.Generator) -> Layout:
    """Three dithers of an IFU around a random place of its inner part."""
    px, py = optics.fiber_pattern()
    place = rng.uniform(-15.0, 15.0, 2)
    parts = [(px + dx - place[0], py + dy - place[1]) for dx, dy in optics.DITHERS]
    x, y = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
    distance = np.hypot(x, y)
    near = np.flatnonzero(distance < APERTURE)
    weights = optics.fiber_fraction(distance[near], round(fwhm, 1))
    order = np.argsort(-weights)[:MOST_FIBERS]
    near, weights = near[order], weights[order]
    return Layout(x[near], y[near], 1 + near // px.size, 1 + near % px.size, weights)


def light(layout: Layout, x: float, y: float, fwhm: float) -> np.ndarray:
    """Share of the light of a source at the offset (x, y) that each fiber takes, shape of `layout.weights`."""
    return optics.fiber_fraction(np.hypot(layout.x - x, layout.y - y), round(fwhm, 1))


@dataclass(frozen=True, eq=False)
class Fault:
    """What is no light from the sky: flux in each fiber (relative), and the line's centre and σ in Å."""

    kind: str
    pattern: np.ndarray
    wave: float
    sigma: float


def draw_fault(layout: Layout, rng: np.random.Generator) -> Fault:
    """A cosmic ray in one fiber, a charge trap that follows one fiber through the dithers, a residual of the sky in all
    fibers alike, or a broad ripple of an amplifier in some."""
    kind = str(rng.choice(FAULTS, p=_FAULT_SHARE))
    count = layout.weights.size
    pattern = np.zeros(count)
    wave = float(rng.uniform(3510.0, 5490.0))
    # A search centres on what is bright: one of the best fibers has it
    best = int(min(rng.geometric(0.6) - 1, count - 1))
    if kind == "cosmic":
        pattern[best] = 1.0
        # A cosmic ray may cross two neighbours; its width has nothing to do with the spectrograph's
        if rng.uniform() < 0.3:
            same = np.flatnonzero(layout.exposure == layout.exposure[best])
            pattern[same[int(rng.integers(same.size))]] += rng.uniform(0.2, 0.8)
        sigma = float(np.clip(2.2 * np.exp(0.35 * rng.standard_normal()), 1.2, 6.0))
    elif kind == "trap":
        pattern[layout.number == layout.number[best]] = 1.0
        sigma = float(np.clip(2.6 * np.exp(0.25 * rng.standard_normal()), 1.5, 6.0))
    elif kind == "sky":
        pattern[:] = np.clip(1.0 + 0.3 * rng.standard_normal(count), 0.0, None)
        wave = float(rng.choice(_SKY_WAVES) + rng.normal(0.0, 5.0))
        sigma = float(np.clip(2.6 * np.exp(0.3 * rng.standard_normal()), 1.5, 8.0))
    else:
        pattern[:] = np.where(rng.uniform(size=count) < 0.5, rng.uniform(0.3, 1.0, count), 0.0)
        pattern[best] = 1.0
        sigma = float(rng.uniform(4.0, 9.0))
    return Fault(kind, pattern, min(max(wave, 3510.0), 5490.0), sigma)


@dataclass(frozen=True, eq=False)
class Observed:
    """Extracted spectrum and the fiber spectra (fiber by wavelength), with the errors that the survey reports."""

    flux: np.ndarray
    error: np.ndarray
    fiber_flux: np.ndarray
    fiber_error: np.ndarray

    def spectrum(self) -> Spectrum:
        """The detection's spectrum."""
        return Spectrum(GRID, self.flux, self.error)

    def fibers(self) -> tuple[Spectrum | None, ...]:
        """One spectrum a fiber."""
        return tuple(Spectrum(GRID, each.astype(float), self.fiber_error) for each in self.fiber_flux)


def template(wave: float, sigma: float) -> np.ndarray:
    """Gaussian line of unit flux on the survey's wavelengths, 1/Å."""
    x = (GRID - wave) / sigma
    return np.exp(-0.5 * x**2) / (sigma * np.sqrt(2.0 * np.pi))


def observe(
    layout: Layout,
    sky: np.ndarray,
    line: tuple[float, float],
    deviate: float | None,
    depth: float,
    error_factor: float,
    rng: np.random.Generator,
    fault: tuple[Fault, float] | None = None,
) -> Observed:
    """Noisy fibers and the spectrum extracted from them.

    Parameters
    ----------
    layout : Layout
    sky : array, shape (fibers, wavelengths)
        Light of everything in each fiber.
    line : tuple of float
        Centre and σ in Å of the line that was detected.
    deviate : float, optional
        What noise adds to the line's S/N. The noise is drawn such that its projection on the line, as a point source
        would make it, is this: a sample from the noise of a survey given that the line was selected.
    depth : float
        Noise relative to `optics.detection_noise`.
    error_factor : float
        Reported over true error.
    rng : numpy.random.Generator
    fault : tuple of Fault and float, optional
        A fault, and the S/N that it adds to the line.
    """
    root = np.sqrt(layout.norm)
    # The line counts against the sky's noise; what is bright adds 1 % of itself (flat field, calibration)
    extracted = layout.weights @ sky / layout.norm
    sigma = np.hypot(0.5 * depth * optics.detection_noise(GRID), 0.01 * np.abs(extracted))
    profile = template(*line) / sigma
    size = float(np.sqrt((profile**2).sum()))
    profile = profile / size
    direction = layout.weights / root
    noise = rng.standard_normal((layout.weights.size, GRID.size))
    if deviate is not None:
        noise += (deviate - float(direction @ noise @ profile)) * direction[:, None] * profile
    if fault is not None:
        kind, strength = fault
        pattern = kind.pattern / (layout.weights @ kind.pattern) * root
        own = template(kind.wave, kind.sigma) / sigma
        noise += strength * pattern[:, None] * own / float(profile @ own)
    fiber_sigma = sigma * root
    # Sky subtraction leaves a little, alike in all fibers
    x = (GRID - 4500.0) / 1000.0
    left = rng.normal(0.0, DEPTH_RESIDUAL) + rng.normal(0.0, 0.5 * DEPTH_RESIDUAL) * x
    calibration = 1.0 + rng.normal(0.0, 0.04) + rng.normal(0.0, 0.03) * x
    fibers = calibration * sky + fiber_sigma * noise + left * layout.norm / layout.weights.sum()
    return Observed(
        layout.weights @ fibers / layout.norm,
        sigma * error_factor,
        fibers.astype(np.float32),
        fiber_sigma * error_factor,
    )


def fiber_rows(layout: Layout, ra: float, dec: float, shotid: int) -> tuple[Fiber, ...]:
    """The fibers as a release lists them, weights adding up to 1."""
    total = float(layout.weights.sum())
    ras, decs = optics.to_sky(layout.x, layout.y, ra, dec)
    rows = []
    for i in range(layout.weights.size):
        exposure, number = int(layout.exposure[i]), int(layout.number[i])
        rows.append(
            Fiber(
                f"{shotid}_{exposure}_multi_301_054_054_LU_{number:03d}",
                float(ras[i]),
                float(decs[i]),
                weight=float(layout.weights[i]) / total,
                distance=float(np.hypot(layout.x[i], layout.y[i])),
                multiframe="multi_301_054_054_LU",
                specid="301",
                ifuslot="054",
                ifuid="054",
                expnum=exposure,
                x_ifu=float(layout.x[i]),
                y_ifu=float(layout.y[i]),
            )
        )
    return tuple(rows)
