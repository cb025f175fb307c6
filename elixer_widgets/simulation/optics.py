"""The telescope and its spectrograph: fibers on the sky, the image of a star, the detector, the night sky.

Positions inside one IFU are in arcsec, x and y along the IFU's own axes; turned by the position angle and projected
they become right ascension and declination. Fluxes are 1e-17 erg/s/cm² per 2 Å sample, as in HETDEX files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

FIBER_RADIUS = 0.75  # arcsec; Hill et al. 2021, AJ 162, 298
FIBER_PITCH = 2.54  # arcsec between neighbours: a third of the area is covered in one exposure
DITHERS = ((0.0, 0.0), (1.27, -0.733), (1.27, 0.733))  # arcsec; three exposures fill the hexagonal pattern
MOFFAT_BETA = 3.0  # of the HETDEX point-spread function; Gebhardt et al. 2021, ApJ 923, 217

CCD = 1032
FIBERS = 112
HALF_WINDOW = 5  # rows either side of the trace over which a fiber is summed
PROFILE_SIGMA = 1.95  # pixels; fiber image across the trace
READ_NOISE = 3.0  # electrons a pixel; the gain is 1

LSF_SIGMA = 5.6 / 2.3548  # Å; R about 800 at 4500 Å
MEAN_CAPTURE = 0.347  # root of the summed squares of a point source's fiber fractions, at a seeing of 1.75 arcsec

# Centre (Å, air), brightness (1e-17 erg/s/cm² per 2 Å in a fiber) and width (Å): mercury lamps, N I, and the
# feature at 3545 Å that spoils HETDEX spectra.
SKY_LINES = (
    (3545.0, 3.0, 4.0),
    (4046.6, 3.0, LSF_SIGMA),
    (4358.3, 8.0, LSF_SIGMA),
    (5198.9, 3.5, LSF_SIGMA),
    (5460.7, 16.0, LSF_SIGMA),
)

AMPLIFIER_BASE = {"LU": 1, "LL": 113, "RL": 225, "RU": 337}


# ------------------------------------------------------------------------------------------------------ the sky


def to_sky(
    x: np.ndarray | float, y: np.ndarray | float, ra: float, dec: float, pa: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination (degrees) of IFU offsets.

    Parameters
    ----------
    x, y : array or float
        arcsec along the axes of the IFU; with `pa` = 0, x points west and y north.
    ra, dec : float
        Degrees, of the IFU's centre.
    pa : float
        Degrees east of north of the y axis.

    Notes
    -----
    Gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3).
    """
    angle = np.radians(pa)
    x, y = np.asarray(x, float), np.asarray(y, float)
    east = np.radians((-x * np.cos(angle) + y * np.sin(angle)) / 3600.0)
    north = np.radians((x * np.sin(angle) + y * np.cos(angle)) / 3600.0)
    ra0, dec0 = np.radians(ra), np.radians(dec)
    down = np.cos(dec0) - north * np.sin(dec0)
    new_ra = ra0 + np.arctan2(east, down)
    new_dec = np.arctan2(np.sin(dec0) + north * np.cos(dec0), np.hypot(east, down))
    return np.degrees(new_ra) % 360.0, np.degrees(new_dec)


def fiber_pattern() -> tuple[np.ndarray, np.ndarray]:
    """IFU positions x, y (arcsec, shape (448,)) by CCD-wide fiber number: 23 rows of 20 and 19 in turn."""
    step = FIBER_PITCH * np.sqrt(3.0) / 2.0
    x, y = [], []
    for row in range(23):
        count = 20 if row % 2 == 0 else 19
        x.append((np.arange(count) - (count - 1) / 2.0) * FIBER_PITCH)
        y.append(np.full(count, (11 - row) * step))
    return np.concatenate(x)[:448], np.concatenate(y)[:448]


def amplifier_fibers(amp: str) -> tuple[np.ndarray, np.ndarray]:
    """IFU positions x, y (arcsec, shape (112,)) of the fibers of one amplifier, by `fibidx` 0 to 111.

    The CCD-wide number runs against `fibnum`: number = 112 - fibnum + base.
    """
    x, y = fiber_pattern()
    number = 111 - np.arange(FIBERS) + AMPLIFIER_BASE[amp] - 1
    return x[number], y[number]


def _disc() -> tuple[np.ndarray, np.ndarray]:
    """Points (arcsec) that sample a fiber's face evenly: 6 rings of equal area, 16 points each."""
    radius = FIBER_RADIUS * np.sqrt((np.arange(6) + 0.5) / 6.0)
    angle = 2.0 * np.pi * (np.arange(16)[None, :] + 0.5 * (np.arange(6) % 2)[:, None]) / 16.0
    return (radius[:, None] * np.cos(angle)).ravel(), (radius[:, None] * np.sin(angle)).ravel()


@lru_cache(maxsize=512)
def _fraction_table(fwhm: float) -> tuple[np.ndarray, np.ndarray]:
    distance = np.linspace(0.0, 12.0, 241)
    px, py = _disc()
    core = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))
    r2 = (distance[:, None] - px) ** 2 + py**2
    peak = (MOFFAT_BETA - 1.0) / (np.pi * core**2)
    mean = (peak * (1.0 + r2 / core**2) ** -MOFFAT_BETA).mean(axis=1)
    return distance, mean * np.pi * FIBER_RADIUS**2


def fiber_fraction(distance: np.ndarray, fwhm: float) -> np.ndarray:
    """Share of a point source's light that enters a fiber.

    Parameters
    ----------
    distance : array
        arcsec between source and fiber centre.
    fwhm : float
        arcsec, of a Moffat profile with β = 3.

    Returns
    -------
    array, shape of `distance`
        0 beyond 12 arcsec.
    """
    table = _fraction_table(round(float(fwhm), 2))
    return np.interp(distance, *table, right=0.0)


# ------------------------------------------------------------------------------------------------- the detector


@dataclass(frozen=True, eq=False)
class Detector:
    """Where the fibers of one amplifier lie on its CCD.

    `trace` (112, 1032) is the row of each fiber at each column, `wavelength` (112, 1032) Å in air, `rows`
    (11, 112, 1032) the rows of a fiber's window and `profile` the share of its light there (it sums to 1),
    `fiber_to_fiber` (112, 1032) the relative throughput.
    """

    trace: np.ndarray
    wavelength: np.ndarray
    rows: np.ndarray
    profile: np.ndarray
    fiber_to_fiber: np.ndarray

    def spread(self, counts: np.ndarray) -> np.ndarray:
        """The image (1032, 1032) of fibers that each give `counts` (112, 1032) electrons a column."""
        image = np.zeros((CCD, CCD), np.float32)
        columns = np.broadcast_to(np.arange(CCD), counts.shape)
        counts = counts.astype(np.float32)
        for rows, profile in zip(self.rows, self.profile, strict=True):
            # No two fibers share a row at one offset from their traces, so plain indexing adds correctly.
            image[rows, columns] += profile * counts
        return image

    def gather(self, image: np.ndarray) -> np.ndarray:
        """The windows (11, 112, 1032) of all fibers in an image (1032, 1032)."""
        return image.ravel().take(self.pixels)

    @cached_property
    def pixels(self) -> np.ndarray:
        """Flat indices (11, 112, 1032) of the windows' pixels."""
        return self.rows * CCD + np.arange(CCD)


def detector(rng: np.random.Generator) -> Detector:
    """A detector with curved traces, a slightly different wavelength scale in each fiber, and throughputs."""
    fiber = np.arange(FIBERS)[:, None]
    column = np.arange(CCD)[None, :]
    u = (column - 516.0) / 516.0
    bow = 3.0 * (1.0 - fiber / 55.5)
    trace = 8.0 + rng.uniform(-0.5, 0.5) + 9.15 * fiber + bow * (u + 0.1) ** 2 * rng.uniform(0.8, 1.1)
    smile = 2.0 * ((fiber - 55.5) / 55.5) ** 2 + rng.normal(0.0, 0.15, (FIBERS, 1))
    wavelength = 3464.2 + smile + 2.0215 * column + rng.uniform(0.5, 1.2) * (1.0 - u**2)

    base = np.rint(trace).astype(np.int32)
    offset = np.arange(-HALF_WINDOW, HALF_WINDOW + 1, dtype=np.int32)
    rows = np.clip(base[None] + offset[:, None, None], 0, CCD - 1).astype(np.intp)
    from_trace = (base[None] + offset[:, None, None] - trace[None]).astype(np.float32)
    profile = np.exp(-0.5 * (from_trace / PROFILE_SIGMA) ** 2)
    profile /= profile.sum(axis=0)
    throughput = rng.normal(1.0, 0.04, (FIBERS, 1)) * (1.0 + rng.normal(0.0, 0.01, (FIBERS, 1)) * u)
    return Detector(trace, wavelength, rows, profile, throughput)


def pixel_flat(rng: np.random.Generator) -> np.ndarray:
    """Relative response of every pixel (1032, 1032), float32: 0.8 % scatter and a few dead spots."""
    flat = 1.0 + 0.008 * rng.standard_normal((CCD, CCD), dtype=np.float32)
    for y, x in rng.integers(4, CCD - 4, (25, 2)):
        flat[y - 1 : y + 2, x - 1 : x + 2] *= rng.uniform(0.3, 0.8)
    return flat.astype(np.float32)


# --------------------------------------------------------------------------------------- night sky, calibration


def detection_noise(wavelength: np.ndarray) -> np.ndarray:
    """Usual error of a detection's spectrum away from sky lines, 1e-17 erg/s/cm² per 2 Å sample."""
    return 0.35 + 0.45 * np.exp(-(wavelength - 3470.0) / 350.0) + 0.06 * np.exp((wavelength - 5540.0) / 120.0)


def sky_continuum(wavelength: np.ndarray) -> np.ndarray:
    """Dark sky in one fiber without lines, 1e-17 erg/s/cm² per 2 Å: about 21.8 mag/arcsec² in g."""
    return 3.2 * (1.0 + 0.25 * (wavelength - 4500.0) / 1000.0)


def sky_brightness(wavelength: np.ndarray) -> np.ndarray:
    """Dark sky in one fiber with its emission lines, 1e-17 erg/s/cm² per 2 Å."""
    sky = sky_continuum(wavelength)
    for centre, peak, sigma in SKY_LINES:
        sky = sky + peak * np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2)
    return sky


def sensitivity(wavelength: np.ndarray) -> np.ndarray:
    """Electrons a column for 1e-17 erg/s/cm² per 2 Å.

    Chosen such that photon noise of the dark sky and read noise give a fiber the error that leads to `detection_noise`
    for a point source: σ² S² = sky S + R², solved for S.
    """
    sigma = detection_noise(wavelength) * MEAN_CAPTURE
    sky = sky_continuum(wavelength)
    read = 2.0 * np.sqrt(np.pi) * PROFILE_SIGMA * READ_NOISE**2
    return (sky + np.sqrt(sky**2 + 4.0 * sigma**2 * read)) / (2.0 * sigma**2)
