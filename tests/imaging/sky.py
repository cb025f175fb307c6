"""Small images and a small imaging folder with known truth, for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from elixer_widgets.detection import Cutout

RA, DEC = 214.5, 52.3


def wcs(ra: float, dec: float, shape: tuple[int, int], scale: float, turn: float = 0.0) -> WCS:
    """North-up tangent projection about (ra, dec) at the middle of the image, turned by `turn` degrees."""
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [ra, dec]
    made.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    c, s = np.cos(np.radians(turn)) * scale / 3600, np.sin(np.radians(turn)) * scale / 3600
    made.wcs.cd = [[-c, s], [s, c]]
    made.wcs.set()
    return made


def gaussian(
    shape: tuple[int, int], x: float, y: float, fwhm: float, counts: float, ratio: float = 1.0, theta: float = 0.0
) -> np.ndarray:
    """An elliptical Gaussian of `counts` in all; `fwhm` of its major axis in pixels, `theta` from the x axis."""
    sigma = fwhm / 2.3548
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    u = (xx - x) * np.cos(theta) + (yy - y) * np.sin(theta)
    v = -(xx - x) * np.sin(theta) + (yy - y) * np.cos(theta)
    return counts / (2 * np.pi * sigma**2 * ratio) * np.exp(-0.5 * (u**2 + (v / ratio) ** 2) / sigma**2)


def cutout(data: np.ndarray, scale: float = 0.2, zero_point: float = 27.0, turn: float = 0.0, **more: object) -> Cutout:
    """A cutout about (RA, DEC)."""
    return Cutout(
        data=np.asarray(data, dtype=np.float32),
        wcs=wcs(RA, DEC, data.shape, scale, turn),  # type: ignore[arg-type]
        band="r",
        zero_point=zero_point,
        survey="test",
        position=(RA, DEC),
        **more,  # type: ignore[arg-type]
    )


def write_image(
    path: Path, data: np.ndarray, scale: float, compressed: bool = False, extension: bool = False, **keywords: float
) -> Path:
    """A FITS image about (RA, DEC)."""
    header = wcs(RA, DEC, data.shape, scale).to_header()  # type: ignore[arg-type]
    header.update(keywords)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.asarray(data, dtype=np.float32)
    if compressed:
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, header, quantize_level=16)]
    elif extension:
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header)]
    else:
        hdus = [fits.PrimaryHDU(data, header)]
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


# What lies in the little imaging folder: (east, north) arcsec, magnitude in every band, redshift.
SOURCES = ((0.3, 0.2, 22.0, 0.40), (6.0, -3.0, 23.5, 1.10), (-20.0, 12.0, 21.0, 0.20))


def source_positions() -> list[tuple[float, float, float, float]]:
    """(ra, dec, magnitude, z) of `SOURCES`."""
    return [(RA + e / 3600 / np.cos(np.radians(DEC)), DEC + n / 3600, m, z) for e, n, m, z in SOURCES]


def _image(shape: int, scale: float, zero_point: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    size = (shape, shape)
    data = rng.normal(0.0, noise, size)
    projection = wcs(RA, DEC, size, scale)
    for ra, dec, mag, _ in source_positions():
        x, y = projection.world_to_pixel_values(ra, dec)
        data += gaussian(size, float(x), float(y), 0.9 / scale, 10 ** (0.4 * (zero_point - mag)))
    return data


def imaging_folder(root: Path) -> Path:
    """The layout of three surveys, redshifts and photo-z PDFs under `root`/imaging."""
    rng = np.random.default_rng(4)
    folder = root / "imaging"
    sources = source_positions()
    name = folder / "hsc" / "image_tract_patch" / "16000" / "calexp-HSC-R-16000-3,4.fits"
    write_image(
        name, _image(420, 0.168, 27.0, 0.02, rng), 0.168, extension=True, FLUXMAG0=10 ** (0.4 * 27.0), EXPTIME=600.0
    )
    catalog = folder / "hsc" / "cat_tract_patch" / "16000" / "R_P3,4.cat"
    catalog.parent.mkdir(parents=True)
    rows = [f"{i} {ra:.7f} {dec:.7f} {m:.3f} 0.02 0.6 0.3 30.0" for i, (ra, dec, m, _) in enumerate(sources)]
    catalog.write_text("# id ra dec mag magerr major minor theta\n" + "\n".join(rows) + "\n")
    for band in "ugriz":
        path = folder / "cfhtls" / f"CFHTLS_W_{band}_W3-1-2_MEDIAN.fits"
        write_image(path, _image(400, 0.186, 30.0, 1.0, rng), 0.186, MZP_AB=30.0)
        rows = [f"{i} {ra:.7f} {dec:.7f} {m:.3f} 0.05 0.6 0.3 30.0" for i, (ra, dec, m, _) in enumerate(sources)]
        path.with_suffix(".cat").write_text("# ID RA DEC MAG MAGERR A B THETA\n" + "\n".join(rows) + "\n")
    rows = [f"{ra:.7f} {dec:.7f} {z + 0.03:.3f} {z - 0.05:.3f} {z + 0.12:.3f}" for ra, dec, _, z in sources]
    (folder / "cfhtls" / "photozCFHTLS-W3.out").write_text("# RA DEC z_best z_low z_high\n" + "\n".join(rows) + "\n")
    for band in "grz":
        path = folder / "decals" / f"legacysurvey-2145p522-image-{band}.fits"
        write_image(path, _image(300, 0.262, 22.5, 0.02, rng), 0.262, compressed=True)
    flux = np.array([10 ** (0.4 * (22.5 - m)) for _, _, m, _ in sources])
    Table(
        {
            "objid": np.arange(len(sources)),
            "type": ["PSF", "EXP", "REX"],
            "ra": [s[0] for s in sources],
            "dec": [s[1] for s in sources],
            "flux_g": flux,
            "flux_r": flux * [1.0, 0.001, 1.0],
            "flux_z": flux,
            "flux_ivar_g": np.full(len(flux), 1600.0),
            "flux_ivar_r": np.full(len(flux), 1600.0),
            "flux_ivar_z": np.array([1600.0, 0.0, 1600.0]),
            "shape_r": np.array([0.0, 1.0, 0.7]),
            "shape_e1": np.array([0.0, -1 / 3, 0.0]),
            "shape_e2": np.array([0.0, 0.0, 0.0]),
        }
    ).write(folder / "decals" / "tractor-2145p522.fits")
    (folder / "specz").mkdir()
    ra, dec, _, z = sources[0]
    (folder / "specz" / "specz.csv").write_text(f"ra,dec,z,source\n{ra:.7f},{dec:.7f},{z},DESI\n")
    (folder / "photz").mkdir()
    grid = np.arange(0, 4, 0.01)
    pdf = np.exp(-0.5 * ((grid[None, :] - np.array([s[3] for s in sources])[:, None]) / 0.1) ** 2)
    with h5py.File(folder / "photz" / "pdf_cfhtls.h5", "w") as file:
        for key, value in (("ra", [s[0] for s in sources]), ("dec", [s[1] for s in sources]), ("z", grid)):
            file[key] = value
        file["pdf"] = pdf
    return root
