"""Small imaging trees, each with one source, in the layout of each survey: file names, keywords, catalogues.

Every number is set here from the definition of the AB system and the survey's own unit, not by the rules under test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from tests.imaging.sky import DEC, RA, gaussian, write_image

MAG = 22.0
JANSKY = 3631.0 * 10 ** (-0.4 * MAG)  # flux density of the source in Jy


@dataclass(frozen=True)
class Layout:
    """One survey's tree: image path to (band, counts of the source, keywords), and what writes the catalogues.

    `catalog` maps a band to the magnitude that the catalogue must give; `photo_z` and `spec_z` likewise.
    """

    images: dict[str, tuple[str, float, dict[str, float | str]]]
    scale: float
    extension: bool = False
    write: Callable[[Path], None] = lambda root: None
    catalog: dict[str, float] = field(default_factory=dict)
    photo_z: float = np.nan
    spec_z: float = np.nan
    pdf_peak: float = np.nan


def build(root: Path, layout: Layout) -> Path:
    """The tree under `root`/imaging."""
    folder = root / "imaging"
    rng = np.random.default_rng(3)
    for name, (_, counts, keywords) in layout.images.items():
        data = gaussian((120, 120), 59.5, 59.5, 5.0, counts) + rng.normal(0.0, counts * 1e-7, (120, 120))
        write_image(folder / name, data, layout.scale, extension=layout.extension, **keywords)
    layout.write(folder)
    return root


def counts(zero_point: float) -> float:
    """Counts of the source in an image of a zero point."""
    return float(10 ** (0.4 * (zero_point - MAG)))


def _text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _sextractor(path: Path, mag: str, value: float) -> None:
    names = ["NUMBER", "ALPHA_J2000", "DELTA_J2000", "MAG_AUTO", "MAGERR_AUTO"]
    values = ["1", f"{RA:.7f}", f"{DEC:.7f}", "22.30", "0.05"]
    if mag != "MAG_AUTO":
        names += [mag, mag.replace("MAG", "MAGERR")]
        values += [f"{value:.3f}", "0.04"]
    _text(path, *(f"# {i:3d} {name}  what it is" for i, name in enumerate(names, 1)), " ".join(values))


def _hsc_dex(folder: Path) -> None:
    _text(
        folder / "hsc/cat_tract_patch/16000/R_P3_4.cat", "# id ra dec mag magerr", f"7 {RA:.7f} {DEC:.7f} 22.100 0.02"
    )


def _hsc_ssp(folder: Path) -> None:
    count = 10 ** (0.4 * (27.0 - 22.1))
    for band in "GR":
        Table(
            {
                "id": np.array([4711]),
                "coord_ra": np.radians([RA]),
                "coord_dec": np.radians([DEC]),
                "flux.kron": [count],
                "flux.kron.err": [0.02 * count],
            }
        ).write(folder / f"hsc_ssp/w01/{band}/srcMatchFull-HSC-{band}-9813-4,5.fits", overwrite=True)
    grid = np.arange(0.0, 6.0, 0.02)
    for code, peak in (("demp", 0.9), ("mizuki", 1.1)):
        density = np.exp(-0.5 * ((grid - peak) / 0.05) ** 2)
        hdus = fits.HDUList([fits.PrimaryHDU()])
        ids = fits.Column("ID", "K", array=np.array([12, 4711]))
        pdfs = fits.Column("PDF", f"{grid.size}E", array=np.stack([density[::-1], density]))
        hdus.append(fits.BinTableHDU.from_columns([ids, pdfs]))
        hdus.append(fits.BinTableHDU.from_columns([fits.Column("BINS", "E", array=grid)], name="BINS"))
        path = folder / f"hsc_ssp/w01/photz/{code}_9813.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        hdus.writeto(path, overwrite=True)


def _nep(folder: Path) -> None:
    columns = {"ID": [3], "RA": [RA], "DEC": [DEC], "lp_zBEST": [0.81], "lp_zPDF_l68": [0.7], "lp_zPDF_u68": [0.9]}
    for band in "griz":
        columns |= {f"HSC_{band}_MAG": [22.1], f"HSC_{band}_MAGERR": [0.02]}
    Table(columns).write(folder / "nep/H20_EDFN_v2.3_cat.fits", overwrite=True)


def _cfhtls(stem: str, mag: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for band in "ugriz":
            _sextractor(folder / stem.format(band=band), mag, 22.1)
        lines = ("# id RA DEC z_best z_low z_high", f"1 {RA:.7f} {DEC:.7f} 0.61 0.55 0.70")
        _text(folder / "cfhtls/photozCFHTLS-W3_270912.out", *lines)

    return write


def _dualcat(folder: Path) -> None:
    for band in "gr":
        Table(
            {"NUMBER": [5], "ALPHA_J2000": [RA], "DELTA_J2000": [DEC], "MAG_AUTO": [22.1], "MAGERR_AUTO": [0.02]}
        ).write(folder / f"shela/A3_{band}_dualcat.fits", overwrite=True)


def _cosmos(folder: Path) -> None:
    flux = 10 ** (0.4 * (31.4 - 22.1))
    Table(
        {"NUMBER": [5], "ALPHA_J2000": [RA], "DELTA_J2000": [DEC], "FLUX_AUTO": [flux], "FLUXERR_AUTO": [0.02 * flux]}
    ).write(folder / "cosmos/cat_g.fits", overwrite=True)
    grid = np.linspace(0.0, 4.0, 401)
    pdz = np.exp(-0.5 * ((grid - 1.2) / 0.05) ** 2)[None, :]
    Table({"ALPHA_J2000": [RA], "DELTA_J2000": [DEC], "PHOTOZ": [1.2], "PDZ": pdz}).write(
        folder / "cosmos/COSMOS2015_Laigle_v1.1.fits", overwrite=True
    )


def _candels(prefix: str, catalog: str, band: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        microjansky = 3631e6 * 10 ** (-0.4 * 22.1)
        names = ["ID", "RA", "DEC", f"ACS_{band}_FLUX", f"ACS_{band}_FLUXERR"]
        row = f"21 {RA:.7f} {DEC:.7f} {microjansky:.6f} {0.02 * microjansky:.6f}"
        _text(folder / f"{prefix}/{catalog}", *(f"# {i} {name}" for i, name in enumerate(names, 1)), row)
        lines = ("ID,RA,DEC,z_best,z_best_type", f"21,{RA:.7f},{DEC:.7f},0.733,s")
        _text(folder / f"{prefix}/{prefix}_z_best.csv", *lines)
        grid = np.arange(0.0, 10.0, 0.01)
        density = np.exp(-0.5 * ((grid - 0.75) / 0.04) ** 2)
        lines = ("# z mFDa4", *(f"{z:.2f} {p:.6g}" for z, p in zip(grid, density, strict=True)))
        _text(folder / f"{prefix}/pdf/{prefix}_ID00021.pzd", *lines)

    return write


def _tractor(folder: Path) -> None:
    flux = 10 ** (0.4 * (22.5 - 22.1))
    columns = {"OBJID": [2], "TYPE": ["PSF"], "RA": [RA], "DEC": [DEC]}
    for band in "grz":
        columns |= {f"FLUX_{band.upper()}": [flux], f"FLUX_IVAR_{band.upper()}": [(0.02 * flux) ** -2]}
    Table(columns).write(folder / "decals/tractor-2145p522.fits", overwrite=True)


# ACS F606W: photflam in erg/cm²/Å/electron and pivot wavelength, from which AB follows by f_ν = f_λ λ²/c.
_PHOTFLAM, _PIVOT = 7.8e-20, 5921.1
_ELECTRONS = JANSKY * 1e-23 * 2.99792458e18 / _PIVOT**2 / _PHOTFLAM
_HST: dict[str, float | str] = {"PHOTFLAM": _PHOTFLAM, "PHOTPLAM": _PIVOT, "BUNIT": "ELECTRONS/S", "EXPTIME": 5000.0}
_PIXEL = (0.03 / 206264.80625) ** 2  # sr
_MJY = {"BUNIT": "MJy/sr", "PHOTMJSR": 2.1, "PIXAR_SR": _PIXEL}
_RATE = {"BUNIT": "DN/s", "PHOTMJSR": 2.1, "PIXAR_SR": _PIXEL}

LAYOUTS: dict[str, Layout] = {
    "HSC-DEX": Layout(
        {
            "hsc/image_tract_patch/16000/calexp-HSC-R-16000-34.fits": (
                "r",
                counts(27.0),
                {"FLUXMAG0": 10 ** (0.4 * 27.0)},
            )
        },
        0.168,
        extension=True,
        write=_hsc_dex,
        catalog={"r": 22.1},
    ),
    "HSC-SSP": Layout(
        {
            f"hsc_ssp/w01/{band.upper()}/calexp-HSC-{band.upper()}-9813-4,5.fits": (band, counts(27.0), {})
            for band in "gr"
        },
        0.168,
        extension=True,
        write=_hsc_ssp,
        catalog={"g": 22.1, "r": 22.1},
        photo_z=1.0,  # midway between the two codes, whose mean density it is the median of
    ),
    "HSC-NEP": Layout(
        {f"nep/H20_EDFN_v2.3_HSC-{band.upper()}.fits": (band, counts(27.0), {}) for band in "griz"},
        0.168,
        extension=True,
        write=_nep,
        catalog=dict.fromkeys("griz", 22.1),
        photo_z=0.81,
    ),
    "CFHTLS": Layout(
        {
            f"cfhtls/CFHTLS_W_{band}_141354+540000_T0007_MEDIAN.fits": (band, counts(30.0), {"MZP_AB": 30.0})
            for band in "ugriz"
        },
        0.186,
        write=_cfhtls("cfhtls/CFHTLS_W_{band}_141354+540000_T0007_MEDIAN.cat", "MAG_ISO"),
        catalog=dict.fromkeys("ugriz", 22.1),
        photo_z=0.61,
    ),
    "CFHTLS-D3": Layout(
        {f"cfhtls/D3.{band}.fits": (band, counts(30.0), {}) for band in "ugriz"},
        0.186,
        write=_cfhtls("cfhtls/D3.{band}.cat", "MAG_BEST"),
        catalog=dict.fromkeys("ugriz", 22.1),
        photo_z=0.61,
    ),
    "KPNO": Layout({"KMImaging/km1418_5218.fits": ("g", counts(31.2), {"MAGZERO": 31.2})}, 0.26),
    "SHELA": Layout(
        {f"shela/A3_{band}_sci.fits": (band, JANSKY * 1e9, {"MAGZERO": 31.4}) for band in "gr"},
        0.27,
        write=_dualcat,
        catalog={"g": 22.1, "r": 22.1},
    ),
    "COSMOS": Layout(
        {"cosmos/COSMOS_g_sci.fits": ("g", JANSKY * 1e9, {})},
        0.27,
        write=_cosmos,
        catalog={"g": 22.1},
        photo_z=1.2,
        pdf_peak=1.2,
    ),
    "CANDELS-EGS": Layout(
        {"candels/egs_all_acs_f606w_060mas_v1.1_drz.fits": ("F606W", _ELECTRONS, _HST)},
        0.06,
        write=_candels("egs", "../candels/CANDELS.EGS.F160W.v1_1.photom.cat", "F606W"),
        catalog={"F606W": 22.1},
        spec_z=0.733,
        photo_z=0.75,  # the median of the density
        pdf_peak=0.75,
    ),
    "GOODS-N": Layout(
        {"goodsn/goodsn_all_acs_f606w_060mas_v1.0_drz.fits": ("F606W", _ELECTRONS, _HST)},
        0.06,
        write=_candels("goodsn", "CANDELS.GOODSN.F160W.v1_1.cat", "F606W"),
        catalog={"F606W": 22.1},
        spec_z=0.733,
        photo_z=0.75,  # the median of the density
        pdf_peak=0.75,
    ),
    "CEERS": Layout(
        {
            "jwst/ceers_nircam_f115w_sci.fits": ("F115W", JANSKY / 1e6 / _PIXEL, _MJY),
            "jwst/ceers_nircam_f444w_sci.fits": ("F444W", JANSKY / 1e6 / _PIXEL / 2.1, _RATE),
            "jwst/ceers_acs_f606w_sci.fits": ("F606W", _ELECTRONS, _HST),
        },
        0.03,
    ),
    "PRIMER-COSMOS": Layout(
        {"primer-cosmos_nircam_f200w_sci.fits": ("F200W", JANSKY * 1e8, {"BUNIT": "10.0*nanoJansky"})}, 0.04
    ),
    "PRIMER-UDS": Layout({"primer-uds_wfc3_f160w_sci.fits": ("F160W", JANSKY * 1e9, {"BUNIT": "nJy"})}, 0.04),
    "GOODSN-JWST": Layout({"goodsn_nircam_f410m_sci.fits": ("F410M", JANSKY * 1e6, {"BUNIT": "uJy"})}, 0.04),
    "DECaLS": Layout(
        {f"decals/legacysurvey-2145p522-image-{band}.fits": (band, counts(22.5), {}) for band in "grz"},
        0.262,
        write=_tractor,
        catalog=dict.fromkeys("grz", 22.1),
    ),
    "Pan-STARRS": Layout(
        {"ps1/rings.v3.skycell.2294.047.stk.g.unconv.fits": ("g", counts(25.0) * 400.0, {"EXPTIME": 400.0})}, 0.25
    ),
    "SDSS": Layout({"sdss/frame-g-003704-3-0091.fits": ("g", counts(22.5), {})}, 0.396),
}
