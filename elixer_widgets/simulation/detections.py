"""From fibers to detections, as a pipeline would: find the position, weigh the fibers, fit the line.

Nothing here knows the truth but the place to start from; all numbers come from the noisy fiber spectra.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.optimize import curve_fit

from elixer_widgets.releases import layout
from elixer_widgets.simulation import optics
from elixer_widgets.simulation.shots import GRID, Fibers, Observation

APERTURE = 3.5  # arcsec; fibers within this radius are summed
_ROOT_2PI = float(np.sqrt(2.0 * np.pi))


@dataclass(eq=False)
class Extraction:
    """One extracted detection: position in the IFU (arcsec), its fibers, spectrum and line fit.

    `members` index the shot's fibers by descending weight, `weights` are their PSF fractions, `distance` in arcsec;
    `spectrum`, `error` per 2 Å sample with aperture correction; `correction` (1036,) the light that the fibers caught.
    The line is in Å and 1e-17 erg/s/cm²; `continuum` per 2 Å sample.
    """

    x: float
    y: float
    members: np.ndarray
    weights: np.ndarray
    distance: np.ndarray
    spectrum: np.ndarray
    error: np.ndarray
    correction: np.ndarray
    wave: float = np.nan
    wave_err: float = np.nan
    sigma: float = np.nan
    sigma_err: float = np.nan
    flux: float = np.nan
    flux_err: float = np.nan
    continuum: float = np.nan
    continuum_err: float = np.nan
    sn: float = 0.0
    chi2: float = np.nan


def find_position(
    fibers: Fibers, x: float, y: float, wave: float, sigma: float, fwhm: float, reach: float = 1.2
) -> tuple[float, float]:
    """The position within `reach` arcsec of (x, y) at which the light near `wave` has the highest signal-to-noise."""
    near = np.flatnonzero(np.hypot(fibers.x - x, fibers.y - y) < 5.0)
    window = np.abs(GRID - wave) < 3.0 * sigma
    shape = np.exp(-0.5 * ((GRID[window] - wave) / sigma) ** 2)
    flux, error = fibers.flux[np.ix_(near, window)], fibers.error[np.ix_(near, window)]
    weight = np.where(error > 0, 1.0 / np.where(error > 0, error, 1.0) ** 2, 0.0)
    information = (weight * shape**2).sum(axis=1)
    signal = (weight * shape * flux).sum(axis=1)
    steps = np.arange(-reach, reach + 0.05, 0.1)
    gx, gy = (grid.ravel() for grid in np.meshgrid(x + steps, y + steps))
    share = optics.fiber_fraction(
        np.hypot(fibers.x[near][None, :] - gx[:, None], fibers.y[near][None, :] - gy[:, None]), fwhm
    )
    merit = (share @ signal) / np.sqrt(share**2 @ information + 1e-30)
    merit[np.hypot(gx - x, gy - y) > reach] = -np.inf
    best = int(np.argmax(merit))
    return float(gx[best]), float(gy[best])


def extract(fibers: Fibers, x: float, y: float, fwhm: float) -> Extraction:
    """PSF-weighted sum of the fibers around (x, y).

    For PSF fractions w and fiber fluxes c with errors s, the flux is Σ w c/s² / Σ w²/s² (Horne 1986, PASP 98, 609);
    `correction` = Σ w over the unmasked fibers.
    """
    distance = np.hypot(fibers.x - x, fibers.y - y)
    members = np.flatnonzero(distance < APERTURE)
    weights = optics.fiber_fraction(distance[members], fwhm)
    order = np.argsort(-weights, kind="stable")
    members, weights = members[order], weights[order]
    flux, error = fibers.flux[members], fibers.error[members]
    good = error > 0
    inverse = np.where(good, 1.0 / np.where(good, error, 1.0) ** 2, 0.0)
    norm = (weights[:, None] ** 2 * inverse).sum(axis=0)
    safe = np.where(norm > 0, norm, 1.0)
    spectrum = np.where(norm > 0, (weights[:, None] * flux * inverse).sum(axis=0) / safe, 0.0)
    noise = np.where(norm > 0, 1.0 / np.sqrt(safe), 0.0)
    correction = (weights[:, None] * good).sum(axis=0)
    return Extraction(x, y, members, weights, distance[members], spectrum, noise, correction)


def _line(wave: np.ndarray, centre: float, sigma: float, flux: float, level: float) -> np.ndarray:
    return flux * 2.0 / (sigma * _ROOT_2PI) * np.exp(-0.5 * ((wave - centre) / sigma) ** 2) + level


def fit(found: Extraction, wave: float, sigma: float) -> Extraction:
    """Fit a Gaussian on a constant near `wave` and fill in the line of `found`."""
    half = max(40.0, 5.0 * sigma)
    window = (np.abs(GRID - wave) < half) & (found.error > 0)
    x, y, e = GRID[window], found.spectrum[window], found.error[window]
    widest = max(8.0, 2.0 * sigma)
    level = float(np.median(y))
    core = np.abs(x - wave) < 2.0 * sigma
    start = max(float((y[core] - level).sum()), 0.5)
    shift = 5.0 + 0.5 * sigma
    bounds = ([wave - shift, 1.6, -50.0 * start, -np.inf], [wave + shift, widest, 50.0 * start, np.inf])
    first = [wave, float(np.clip(sigma, 1.7, widest - 0.1)), start, level]
    best, covariance = curve_fit(_line, x, y, first, e, absolute_sigma=True, bounds=bounds, maxfev=4000)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    found.wave, found.sigma, found.flux, found.continuum = (float(value) for value in best)
    found.wave_err, found.sigma_err, found.flux_err, found.continuum_err = (float(value) for value in errors)
    inside = np.abs(x - found.wave) < 2.0 * found.sigma
    # Signal-to-noise as HETDEX has it: the line's summed flux within two σ over the summed noise there.
    summed = float((y[inside] - found.continuum).sum())
    found.sn = summed / float(np.sqrt((e[inside] ** 2).sum())) if inside.any() else 0.0
    residual = (y - _line(x, *best)) / e
    close = np.abs(x - found.wave) < max(20.0, 3.0 * found.sigma)
    found.chi2 = float((residual[close] ** 2).sum() / max(int(close.sum()) - 4, 1))
    return found


def detect(observation: Observation, x: float, y: float, wave: float, sigma: float) -> Extraction:
    """Position, spectrum and line of something near (x, y) in the IFU and `wave` Å."""
    seeing = observation.plan.fwhm
    px, py = find_position(observation.fibers, x, y, wave, min(sigma, 6.0), seeing)
    return fit(extract(observation.fibers, px, py, seeing), wave, sigma)


def noise_peaks(
    observation: Observation, count: int, avoid: np.ndarray, hot: Iterable[float] = ()
) -> list[tuple[float, float, float]]:
    """The highest peaks of pure noise, as (x, y, wavelength): a blind search of the places without any object.

    `avoid` (n, 2) holds IFU positions of all objects and faults, `hot` the wavelengths (Å) of bad detector columns.
    """
    fibers = observation.fibers
    if count == 0:
        return []
    step = 0.8
    px, py = (
        grid.ravel()
        for grid in np.meshgrid(
            np.arange(fibers.x.min() + 1.5, fibers.x.max() - 1.5, step),
            np.arange(fibers.y.min() + 1.5, fibers.y.max() - 1.5, step),
        )
    )
    if avoid.size:
        away = np.hypot(px[:, None] - avoid[:, 0], py[:, None] - avoid[:, 1]).min(axis=1) > 4.5
        px, py = px[away], py[away]
    if not px.size:
        return []
    share = optics.fiber_fraction(
        np.hypot(px[:, None] - fibers.x, py[:, None] - fibers.y), observation.plan.fwhm
    ).astype(np.float32)
    share[share < 0.01] = 0.0
    inverse = np.where(fibers.error > 0, 1.0 / np.where(fibers.error > 0, fibers.error, 1.0) ** 2, 0.0)
    offsets = np.arange(-4, 5) * 2.0
    kernel = np.exp(-0.5 * (offsets / optics.LSF_SIGMA) ** 2)
    signal = _smooth(share @ (fibers.flux * inverse).astype(np.float32), kernel)
    norm = _smooth((share**2) @ inverse.astype(np.float32), kernel**2)
    root = np.sqrt(norm + 1e-12)
    merit = signal / root
    # Where the wings of stars and galaxies reach, a peak would not be noise alone.
    lit = _smooth(share @ (np.abs(fibers.model) * inverse).astype(np.float32), kernel) / root
    merit[lit > 0.5] = -np.inf
    merit[share.sum(axis=1) < 0.75] = -np.inf
    merit[:, (GRID < 3560.0) | (GRID > 5440.0)] = -np.inf
    for centre, _, width in optics.SKY_LINES:
        merit[:, np.abs(GRID - centre) < 4.0 * width] = -np.inf
    for centre in hot:
        merit[:, np.abs(GRID - centre) < 20.0] = -np.inf
    found: list[tuple[float, float, float]] = []
    peak = maximum_filter(merit, size=(1, 15)) == merit
    order = np.argsort(-np.where(peak, merit, -np.inf), axis=None)
    for flat in order[:4000]:
        i, k = np.unravel_index(flat, merit.shape)
        place = (float(px[i]), float(py[i]), float(GRID[k]))
        if all(np.hypot(place[0] - old[0], place[1] - old[1]) > 4.0 for old in found):
            found.append(place)
        if len(found) == count:
            break
    return found


def _smooth(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve every row with a symmetric kernel."""
    half = kernel.size // 2
    padded = np.pad(rows, ((0, 0), (half, half)))
    width = rows.shape[1]
    return sum(value * padded[:, i : i + width] for i, value in enumerate(kernel))


# --------------------------------------------------------------------------------------------------- table rows


def table_rows(observation: Observation, found: Extraction, detectid: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of the tables Detections (1), Fibers (one a fiber) and Spectra (1) of one detection."""
    plan, fibers = observation.plan, observation.fibers
    ra, dec = observation.recorded(found.x, found.y)
    keep = found.weights > 0.003
    members, weights, distance = found.members[keep], found.weights[keep], found.distance[keep]
    columns, lines = _places(observation, members, found.wave)

    rows = layout.DETECTION_FIBERS.rows(members.size)
    stored = observation.fiber_rows[members]
    rows["detectid"], rows["date"], rows["obsid"] = detectid, plan.date, plan.obsid
    for name in ("multiframe", "fiber_id", "ra", "dec", "amp", "fibnum", "expnum", "ifuid", "ifuslot", "specid"):
        rows[name] = stored[name]
    rows["x_ifu"], rows["y_ifu"] = stored["ifux"], stored["ifuy"]
    rows["distance"], rows["weight"], rows["wavein"] = distance, weights / weights.sum(), found.wave
    rows["timestamp"] = [plan.timestamp(int(number)) for number in fibers.expnum[members]]
    rows["flag"] = 1
    rows["x_raw"], rows["y_raw"] = columns, lines

    spectrum = layout.DETECTION_SPECTRA.rows(1)
    _fill_spectrum(spectrum, observation, found)
    spectrum["detectid"] = detectid

    row = layout.DETECTIONS.rows(1)
    row["detectid"], row["shotid"], row["date"], row["obsid"] = detectid, plan.shotid, plan.date, plan.obsid
    row["ra"], row["dec"] = ra, dec
    row["wave"], row["wave_err"] = found.wave, found.wave_err
    row["flux"], row["flux_err"] = found.flux, found.flux_err
    row["linewidth"], row["linewidth_err"] = found.sigma, found.sigma_err
    row["continuum"], row["continuum_err"] = found.continuum, found.continuum_err
    row["sn"], row["sn_err"], row["chi2"], row["chi2_err"] = found.sn, 0.4, found.chi2, 0.1
    for name in (
        *("multiframe", "fibnum", "amp", "expnum", "fiber_id", "ifuid", "ifuslot", "specid"),
        *("x_raw", "y_raw", "x_ifu", "y_ifu", "weight"),
    ):
        row[name] = rows[name][0]
    at = int(np.clip(np.rint((found.wave - GRID[0]) / 2.0), 0, GRID.size - 1))
    row["apcor"] = found.correction[at]
    column = int(np.clip(columns[0], 2, optics.CCD - 3))
    row["chi2fib"] = fibers.chi2[members[0], column - 2 : column + 3].max()
    inside = np.abs(GRID - found.wave) < 2.0 * found.sigma
    row["flux_noise_1sigma"] = np.sqrt((found.error[inside] ** 2).sum())
    row["noise_ratio"] = 1.0
    row["sn_3fib"], row["sn_cen"] = found.sn * 0.95, found.sn
    row["sn_3fib_cen"] = found.sn * 0.95
    return row, rows, spectrum


def _fill_spectrum(row: np.ndarray, observation: Observation, found: Extraction) -> None:
    fibers = observation.fibers
    members = found.members
    good = found.error > 0
    factor = fibers.counts[members[0]]
    row["wave1d"], row["spec1d"], row["spec1d_err"] = GRID, found.spectrum, found.error
    row["apcor"], row["flag_pix"] = found.correction, np.where(good, 0.0, 1.0)
    row["spec1d_nc"] = found.spectrum * found.correction
    row["spec1d_nc_err"] = found.error * found.correction
    offset = (found.weights[:, None] * fibers.sky_offset[members]).sum(axis=0) / (found.weights**2).sum()
    row["spec1d_ffsky"] = np.where(good, found.spectrum + offset, 0.0)
    row["counts1d"] = row["spec1d_nc"] * factor
    row["counts1d_err"] = row["spec1d_nc_err"] * factor
    row["apsum_counts"] = (fibers.flux[members] * fibers.counts[members]).sum(axis=0)
    row["apsum_counts_err"] = np.sqrt(((fibers.error[members] * fibers.counts[members]) ** 2).sum(axis=0))


def _places(observation: Observation, members: np.ndarray, wave: float) -> tuple[np.ndarray, np.ndarray]:
    """Zero-based CCD column and row of `wave` on each fiber."""
    columns = np.zeros(members.size, int)
    lines = np.zeros(members.size, int)
    pixels = np.arange(optics.CCD)
    for i, member in enumerate(members):
        device = observation.detectors[str(observation.fibers.amp[member])]
        index = observation.fibers.fibidx[member]
        place = float(np.interp(wave, device.wavelength[index], pixels))
        columns[i] = round(place)
        lines[i] = round(float(np.interp(place, pixels, device.trace[index])))
    return columns, lines
