"""Mosaics of the simulated fields, and the photometric catalogues made from them.

Three surveys, each with the file names, zero points, keywords and catalogue format of the real one: a deep r image, a
turned mosaic in u g r i z with photometric redshifts, and a wide shallow one in g r z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.optimize import nnls

from elixer_widgets.simulation.shots import ShotPlan
from elixer_widgets.simulation.spectra import Source

FIELD_SIZE = 116.0  # arcsec: an IFU with a margin of half a minute all around
MOFFAT_BETA = 3.5  # of an image's point-spread function


@dataclass(frozen=True)
class Survey:
    """How deep and how sharp: `depth` 5σ in a 2" aperture (AB), `scale` arcsec/px, `seeing` FWHM in arcsec."""

    depth: Mapping[str, float]
    scale: float
    seeing: float
    zero_point: float
    exposure_time: float
    rotation: float = 0.0  # degrees, of the pixel axes against north


SURVEYS = {
    "hsc": Survey({"r": 26.2}, 0.168, 0.85, 27.0, 600.0),
    "cfhtls": Survey({"u": 25.2, "g": 25.5, "r": 25.0, "i": 24.8, "z": 23.9}, 0.186, 0.75, 30.0, 2500.0, 11.0),
    "decals": Survey({"g": 24.0, "r": 23.4, "z": 22.5}, 0.262, 1.4, 22.5, 166.0),
}


# ---------------------------------------------------------------------------------------------------- rendering


@lru_cache(maxsize=16)
def _moffat_mixture(fwhm: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and variances (arcsec²) of Gaussians that add up to a Moffat profile of unit flux."""
    core = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))

    def profile(r: np.ndarray) -> np.ndarray:
        return (MOFFAT_BETA - 1.0) / (np.pi * core**2) * (1.0 + (r / core) ** 2) ** -MOFFAT_BETA

    return _mixture(profile, fwhm / 2.0)


@lru_cache(maxsize=1)
def _disc_mixture() -> tuple[np.ndarray, np.ndarray]:
    """The same for an exponential disc whose half-light radius is 1."""
    length = 1.0 / 1.678  # half-light radius in scale lengths

    def profile(r: np.ndarray) -> np.ndarray:
        return np.exp(-r / length) / (2.0 * np.pi * length**2)

    return _mixture(profile, 1.0)


def _mixture(profile: Callable[[np.ndarray], np.ndarray], size: float) -> tuple[np.ndarray, np.ndarray]:
    radius = size * np.geomspace(0.02, 8.0, 200)
    variance = size**2 * np.geomspace(0.01, 20.0, 9)
    weigh = radius  # as light counts on the sky
    design = np.exp(-0.5 * radius[:, None] ** 2 / variance) / (2.0 * np.pi * variance)
    weight, _ = nnls(design * weigh[:, None], profile(radius) * weigh)
    keep = weight > 0.01 * weight.sum()
    return weight[keep] / weight[keep].sum(), variance[keep]


def _stamp(source: Source, survey: Survey, dx: float, dy: float, angle: float, half: int) -> np.ndarray:
    """Unit-flux image (2 half + 1 squared) of an object at the sub-pixel offset (dx, dy); `angle` of its major axis."""
    weight, variance = _moffat_mixture(survey.seeing)
    variance = variance / survey.scale**2 + 1.0 / 12.0  # pixels average over their own width
    if source.half_light > 0.02:
        disc_weight, disc_variance = _disc_mixture()
        major = disc_variance * (source.half_light / survey.scale) ** 2
        minor = major * source.axis_ratio**2
        weight = (weight[:, None] * disc_weight).ravel()
        along = (variance[:, None] + major).ravel()
        across = (variance[:, None] + minor).ravel()
    else:
        along = across = variance
    grid = np.arange(-half, half + 1, dtype=np.float32)
    x, y = (grid - dx)[None, :], (grid - dy)[:, None]
    u2 = (x * np.cos(angle) + y * np.sin(angle)) ** 2
    v2 = (-x * np.sin(angle) + y * np.cos(angle)) ** 2
    image = np.zeros(u2.shape)
    for each, a, b in zip(weight, along, across, strict=True):
        image += each / (2.0 * np.pi * np.sqrt(a * b)) * np.exp(-0.5 * (u2 / a + v2 / b))
    return image


def mosaic_wcs(plan: ShotPlan, survey: Survey) -> WCS:
    """A TAN projection around the IFU, turned by the survey's rotation, off-centre by a fraction of a pixel."""
    pixels = int(np.ceil(FIELD_SIZE / survey.scale))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [plan.ra, plan.dec]
    wcs.wcs.crpix = [pixels / 2.0 + 0.3, pixels / 2.0 - 0.2]
    angle = np.radians(survey.rotation)
    scale = survey.scale / 3600.0
    wcs.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.array_shape = (pixels, pixels)
    wcs.wcs.set()
    return wcs


def render(sources: Sequence[Source], survey: Survey, wcs: WCS, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Noisy images (float32, counts at the survey's zero point), one a band."""
    shape = wcs.array_shape
    bands = tuple(survey.depth)
    area = np.pi / survey.scale**2  # pixels in a circle of 1" radius
    sigma = {band: counts(survey.depth[band], survey) / 5.0 / np.sqrt(area) for band in bands}
    images = {band: np.zeros(shape, np.float32) for band in bands}
    x, y = wcs.world_to_pixel_values([s.ra for s in sources], [s.dec for s in sources])
    for source, sx, sy in zip(sources, np.atleast_1d(x), np.atleast_1d(y), strict=True):
        flux = {band: counts(source.magnitudes.get(band, np.nan), survey) for band in bands}
        brightest = max(np.nan_to_num(flux[band]) / sigma[band] for band in bands)
        if brightest <= 0 or not (-40 < sx < shape[1] + 40 and -40 < sy < shape[0] + 40):
            continue
        half = int(
            np.clip((2.0 + 0.8 * np.log10(1.0 + brightest)) * (survey.seeing + source.half_light) / survey.scale, 8, 70)
        )
        cx, cy = round(float(sx)), round(float(sy))
        stamp = _stamp(source, survey, float(sx) - cx, float(sy) - cy, _pixel_angle(source, wcs), half)
        x0, x1, y0, y1 = (
            max(cx - half, 0),
            min(cx + half + 1, shape[1]),
            max(cy - half, 0),
            min(cy + half + 1, shape[0]),
        )
        if x0 >= x1 or y0 >= y1:
            continue
        part = stamp[y0 - cy + half : y1 - cy + half, x0 - cx + half : x1 - cx + half]
        for band in bands:
            if np.isfinite(flux[band]):
                images[band][y0:y1, x0:x1] += (flux[band] * part).astype(np.float32)
    for band in bands:
        image = images[band]
        # Photon noise of objects is small beside that of the sky in a survey image, but not for the brightest.
        spread = np.sqrt(sigma[band] ** 2 + np.maximum(image, 0.0) * sigma[band] * 0.02)
        image += spread.astype(np.float32) * rng.standard_normal(image.shape, dtype=np.float32)
        image += np.float32(0.15 * sigma[band])
    return images


def counts(magnitude: float, survey: Survey) -> float:
    """Counts of an AB magnitude."""
    return float(10 ** (0.4 * (survey.zero_point - magnitude)))


def _pixel_angle(source: Source, wcs: WCS) -> float:
    """Direction (radians, from the x axis) of an object's major axis in pixels."""
    step = 1.0 / 3600.0
    angle = np.radians(source.angle)
    ra = source.ra + np.array([0.0, step * np.sin(angle) / np.cos(np.radians(source.dec))])
    dec = source.dec + np.array([0.0, step * np.cos(angle)])
    x, y = wcs.world_to_pixel_values(ra, dec)
    return float(np.arctan2(y[1] - y[0], x[1] - x[0]))


# --------------------------------------------------------------------------------------------------- catalogues


@dataclass(eq=False)
class Measured:
    """What a catalogue knows of one object: position (degrees), and flux and error in counts a band."""

    source: Source
    ra: float
    dec: float
    flux: dict[str, float]
    error: dict[str, float]

    def magnitude(self, band: str, survey: Survey) -> tuple[float, float]:
        """Magnitude and error; NaN if below 2σ."""
        flux, error = self.flux[band], self.error[band]
        if not flux > 2.0 * error:
            return float("nan"), float("nan")
        return survey.zero_point - 2.5 * float(np.log10(flux)), 1.0857 * error / flux


def measure(sources: Sequence[Source], survey: Survey, wcs: WCS, rng: np.random.Generator) -> list[Measured]:
    """Noisy catalogue of the objects that a survey sees at 5σ in some band."""
    found = []
    width = wcs.array_shape
    for source in sources:
        x, y = (float(value) for value in wcs.world_to_pixel_values(source.ra, source.dec))
        if not (2 < x < width[1] - 3 and 2 < y < width[0] - 3):
            continue
        blur = np.sqrt(1.0 + (source.half_light / 0.6) ** 2)  # larger objects need larger apertures
        flux, error = {}, {}
        for band, depth in survey.depth.items():
            true = np.nan_to_num(counts(source.magnitudes.get(band, np.nan), survey))
            error[band] = float(np.hypot(counts(depth, survey) / 5.0 * blur, 0.01 * true))
            flux[band] = float(true + error[band] * rng.standard_normal())
        best = max(flux[band] / error[band] for band in survey.depth)
        jitter = rng.normal(0.0, 0.04 + 0.5 * survey.seeing / max(best, 1.0), 2) / 3600.0
        if best > 5.0:
            ra = source.ra + float(jitter[0]) / np.cos(np.radians(source.dec))
            found.append(Measured(source, float(ra), source.dec + float(jitter[1]), flux, error))
    return found


def _shape(source: Source, survey: Survey) -> tuple[float, float, float]:
    """Semi-axes (arcsec) and position angle (degrees) as a catalogue has them, with the seeing in them."""
    own = survey.seeing / 2.3548
    major = float(np.hypot(source.half_light, own))
    return major, float(np.hypot(source.half_light * source.axis_ratio, own)), source.angle


def write_field(root: Path, plan: ShotPlan, sources: Sequence[Source], rng: np.random.Generator) -> list[Measured]:
    """Images and catalogue of one field under `root`; returns the catalogue (empty without imaging)."""
    if plan.survey not in SURVEYS:
        return []
    survey = SURVEYS[plan.survey]
    wcs = mosaic_wcs(plan, survey)
    images = render(sources, survey, wcs, rng)
    catalog = measure(sources, survey, wcs, rng)
    header = wcs.to_header()
    header["SEEING"] = (survey.seeing, "[arcsec] FWHM of a star")
    header["EXPTIME"] = (survey.exposure_time, "[s]")
    {"hsc": _write_hsc, "cfhtls": _write_cfhtls, "decals": _write_decals}[plan.survey](
        root, plan.tag, survey, images, header, catalog
    )
    if plan.survey == "cfhtls":
        _write_photo_z(root, plan.tag, catalog, survey, rng)
    return catalog


_Images = Mapping[str, np.ndarray]


def _write_hsc(
    root: Path, tag: str, survey: Survey, images: _Images, header: fits.Header, catalog: Sequence[Measured]
) -> None:
    tract, patch = tag.split("-")
    folder = root / "hsc" / "image_tract_patch" / tract
    folder.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    primary.header["FLUXMAG0"] = 10 ** (0.4 * survey.zero_point)
    header = header.copy()
    header["FLUXMAG0"] = 10 ** (0.4 * survey.zero_point)
    image = fits.ImageHDU(images["r"], header, name="IMAGE")
    fits.HDUList([primary, image]).writeto(folder / f"calexp-HSC-R-{tract}-{patch}.fits", overwrite=True)
    folder = root / "hsc" / "cat_tract_patch" / tract
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# id ra dec mag magerr major minor theta"]
    for number, row in enumerate(catalog, 1):
        mag, err = row.magnitude("r", survey)
        lines.append(_catalog_line(number, row, mag, err, survey))
    (folder / f"R_P{patch}.cat").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _catalog_line(number: int, row: Measured, mag: float, err: float, survey: Survey) -> str:
    major, minor, angle = _shape(row.source, survey)
    return f"{number:6d} {row.ra:.7f} {row.dec:.7f} {mag:.4f} {err:.4f} {major:.3f} {minor:.3f} {angle:.1f}"


def _write_cfhtls(
    root: Path, tag: str, survey: Survey, images: _Images, header: fits.Header, catalog: Sequence[Measured]
) -> None:
    folder = root / "cfhtls"
    folder.mkdir(parents=True, exist_ok=True)
    for band, image in images.items():
        header = header.copy()
        header["MZP_AB"] = (survey.zero_point, "AB magnitude of one count")
        header["FILTER"] = band
        name = f"CFHTLS_W_{band}_{tag}_MEDIAN"
        fits.PrimaryHDU(image, header).writeto(folder / f"{name}.fits", overwrite=True)
        lines = ["# ID RA DEC MAG MAGERR A B THETA"]
        for number, row in enumerate(catalog, 1):
            mag, err = row.magnitude(band, survey)
            if np.isfinite(mag):
                lines.append(_catalog_line(number, row, mag, err, survey))
        (folder / f"{name}.cat").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_decals(
    root: Path, tag: str, survey: Survey, images: _Images, header: fits.Header, catalog: Sequence[Measured]
) -> None:
    folder = root / "decals"
    folder.mkdir(parents=True, exist_ok=True)
    for band, image in images.items():
        header = header.copy()
        header["FILTER"] = band
        fits.PrimaryHDU(image, header).writeto(folder / f"legacysurvey-{tag}-image-{band}.fits", overwrite=True)
    table = Table()
    table["release"] = np.full(len(catalog), 10000, np.int16)
    table["brickname"] = np.full(len(catalog), tag, "U8")
    table["objid"] = np.arange(len(catalog), dtype=np.int32)
    point = np.array([row.source.half_light < 0.3 for row in catalog], bool)
    table["type"] = np.where(point, "PSF", "EXP").astype("U3")
    table["ra"] = np.array([row.ra for row in catalog], float)
    table["dec"] = np.array([row.dec for row in catalog], float)
    for band in survey.depth:
        table[f"flux_{band}"] = np.array([row.flux[band] for row in catalog], np.float32)
        table[f"flux_ivar_{band}"] = np.array([row.error[band] ** -2.0 for row in catalog], np.float32)
    ratio = np.array([row.source.axis_ratio for row in catalog], float)
    angle = np.radians([row.source.angle for row in catalog])
    ellipticity = np.where(point, 0.0, (1.0 - ratio) / (1.0 + ratio))
    table["shape_r"] = np.where(point, 0.0, [row.source.half_light for row in catalog]).astype(np.float32)
    table["shape_e1"] = (ellipticity * np.cos(2.0 * angle)).astype(np.float32)
    table["shape_e2"] = (ellipticity * np.sin(2.0 * angle)).astype(np.float32)
    table.write(folder / f"tractor-{tag}.fits", overwrite=True)


def _write_photo_z(root: Path, tag: str, catalog: Sequence[Measured], survey: Survey, rng: np.random.Generator) -> None:
    """Photometric redshifts with PDFs: 4 % scatter in 1 + z, 8 % of them altogether wrong."""
    grid = np.arange(0.0, 6.005, 0.02)
    rows, pdfs = [], []
    for item in catalog:
        magnitude, _ = item.magnitude("r", survey)
        if not magnitude < 25.0 or not item.source.z > 0:
            continue
        true = item.source.z
        width = 0.04 * (1.0 + true) * (1.0 + 0.5 * max(magnitude - 23.0, 0.0))
        wrong = rng.uniform() < 0.08
        peak = float(rng.uniform(0.05, 4.5)) if wrong else max(true + width * float(rng.standard_normal()), 0.02)
        pdf = np.exp(-0.5 * ((grid - peak) / width) ** 2) / width
        # The Lyman and 4000 Å breaks are confused: a second, smaller peak, which for a wrong one is the truth.
        second = true if wrong else float(rng.uniform(0.05, 4.0))
        share = float(rng.uniform(0.0, 0.3))
        pdf += share * np.exp(-0.5 * ((grid - second) / (1.5 * width)) ** 2) / (1.5 * width)
        pdf /= pdf.sum() * (grid[1] - grid[0])
        steps = np.cumsum(pdf) * (grid[1] - grid[0])
        low, high = np.interp((0.16, 0.84), steps, grid)
        rows.append((item.ra, item.dec, peak, low, high))
        pdfs.append(pdf)
    lines = ["# RA DEC z_best z_low z_high"]
    lines += [f"{ra:.7f} {dec:.7f} {best:.4f} {low:.4f} {high:.4f}" for ra, dec, best, low, high in rows]
    (root / "cfhtls" / f"photozCFHTLS-{tag}.out").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folder = root / "photz"
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"pdf_cfhtls_{tag}.h5", "w") as file:
        file["ra"] = np.array([row[0] for row in rows])
        file["dec"] = np.array([row[1] for row in rows])
        file["z"] = grid
        file["pdf"] = np.array(pdfs, np.float32).reshape(len(rows), grid.size)


def spec_z_rows(sources: Sequence[Source], rng: np.random.Generator) -> list[str]:
    """Lines (ra, dec, z, source) for a fifth to a quarter of the objects brighter than r = 25."""
    lines = []
    for source in sources:
        chosen = rng.uniform() < (0.25 if source.kind != "field" else 0.2)
        bright = source.magnitudes.get("r", 99.0) < 25.0
        if chosen and bright and source.z > 0:
            z = source.z + 0.0003 * float(rng.standard_normal())
            name = "SDSS" if source.magnitudes["r"] < 21.5 else "DEIMOS"
            lines.append(f"{source.ra:.6f},{source.dec:.6f},{z:.5f},{name}")
    return lines


def write_spec_z(root: Path, lines: Sequence[str]) -> None:
    """The table of spectroscopic redshifts of all fields."""
    folder = root / "specz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "specz.csv").write_text("\n".join(["ra,dec,z,source", *lines]) + "\n", encoding="utf-8")
