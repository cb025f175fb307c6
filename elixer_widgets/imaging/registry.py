"""What is known of each imaging survey: one entry a survey, in the order of ELiXer's own table.

To add one, write one more entry, or a few lines of TOML (`imaging/custom.py`, docs/surveys.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from elixer_widgets.imaging.catalog_formats import CatalogFormat, Column, TractorFormat
from elixer_widgets.imaging.redshift_formats import ObjectPdfs, PdfTables, RedshiftFormat
from elixer_widgets.imaging.web import LegacyService, PanStarrsService, SdssService, WebService
from elixer_widgets.imaging.zero_points import FixedZeroPoint, HeaderZeroPoint, fluxmag0, unit_of_header

# Bands in order of wavelength: the order in which cutouts are given. Bands of a user's own come last.
WAVELENGTH_ORDER = (
    *("u", "F435W", "g", "V", "F606W", "r", "R", "i", "F775W", "F814W", "z", "F090W", "y", "F105W", "F115W", "F125W"),
    *("F140W", "F150W", "F160W", "F182M", "F200W", "F210M", "F277W", "F335M", "F356W", "F410M", "F430M", "F444W"),
    *("F460M", "F470N", "F480M"),
)


class ZeroPointRule(Protocol):
    """From an image's keywords and band to the AB magnitude of one count; NaN where the header does not tell."""

    def __call__(self, keywords: Mapping[str, float | str], band: str) -> float: ...


@dataclass(frozen=True)
class Survey:
    """What is known of one survey.

    Attributes
    ----------
    name : str
    bands : tuple of str
    scale : float
        arcsec per pixel, for information: measurements take it from the WCS. NaN where it varies.
    depth : mapping
        Band to the limiting magnitude that ELiXer adopts, AB: about 5σ of a point source. 30.0 of the space surveys
        stands beyond any real depth there, and so it does here.
    psf_fwhm : float
        Typical seeing, arcsec.
    start_radius : float
        First radius of the growing aperture, arcsec.
    images : tuple of str
        Patterns of the image files: of the path under the imaging folder where there is a "/" in it (a `*` matches any
        number of folders), else of the file's name, wherever it lies.
    name_pattern : str
        Regular expression that a file's name must match whole; its groups become `Tile.key`, `band` among them unless
        the survey has one band only.
    zero_point : callable
        From an image's keywords and band to the AB magnitude of one count.
    band_names : mapping
        Band as in file names to band, where they differ.
    hdu : int or str, optional
        HDU of the image; the first two-dimensional one with a celestial WCS if not given.
    catalogs : tuple
        Formats of the catalogues that belong to a tile; several are merged.
    photo_z : tuple
        Redshift tables, found by position.
    pdfs : ObjectPdfs or PdfTables, optional
        Probability densities of photometric redshifts, found by the catalogue's identifier.
    web : WebService, optional
        Where images come from that are not on disk.
    folder : str
        Folder of the images; the imaging folder of the release if empty.
    """

    name: str
    bands: tuple[str, ...]
    scale: float
    depth: Mapping[str, float] = field(hash=False)
    psf_fwhm: float
    start_radius: float
    images: tuple[str, ...]
    name_pattern: str
    zero_point: ZeroPointRule
    band_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    hdu: int | str | None = None
    catalogs: tuple[CatalogFormat | TractorFormat, ...] = ()
    photo_z: tuple[RedshiftFormat, ...] = ()
    pdfs: ObjectPdfs | PdfTables | None = None
    web: WebService | None = None
    folder: str = ""


ENDING = r"\.fits?(\.fz|\.gz|\.bz2)?"

_HSC_BANDS = {"G": "g", "R": "r", "I": "i", "Z": "z", "Y": "y"}
_HSC_COUNT = 27.0  # AB magnitude of one count, 57.544 nJy, of the HSC pipeline's coadds
_MICROJANSKY = 23.9

# Instrument fluxes of the HSC pipeline, by its older and newer column names (from memory of its public releases).
_HSC_FLUX = (
    *("flux_kron", "ext_photometrykron_kronflux_instflux", "ext_photometrykron_kronflux_flux"),
    *("cmodel_flux", "modelfit_cmodel_instflux", "modelfit_cmodel_flux", "flux_psf", "base_psfflux_instflux"),
)
_HSC_FLUX_ERROR = (
    *("flux_kron_err", "ext_photometrykron_kronflux_instfluxerr", "ext_photometrykron_kronflux_fluxsigma"),
    *("cmodel_flux_err", "modelfit_cmodel_instfluxerr", "modelfit_cmodel_fluxsigma", "flux_psf_err"),
    "base_psfflux_instfluxerr",
)


def _sextractor(band: str, *magnitudes: str) -> dict[str, Column]:
    """SExtractor's magnitudes in order of preference, each with its error."""
    names = (*magnitudes, "mag")
    return {band: Column(names, tuple(f"{n.replace('mag', 'magerr', 1)}" for n in names))}


def _space(name: str, prefix: str, bands: tuple[str, ...], middle: str, ending: str) -> dict[str, object]:
    """What surveys from space share. `middle` and `ending` are regular expressions around the band."""
    return {
        "name": name,
        "bands": bands,
        "depth": dict.fromkeys(bands, 30.0),
        "psf_fwhm": 0.15,
        "start_radius": 0.575,
        "name_pattern": rf"(?i:{prefix}){middle}(?P<band>[fF]\d{{3}}[wmnWMN]){ending}" + ENDING,
        "zero_point": unit_of_header,
        "band_names": {band.lower(): band for band in bands},
    }


def _candels(name: str, prefix: str, bands: tuple[str, ...], fluxes: Mapping[str, Column], catalog: str) -> Survey:
    """A CANDELS field: mosaics of 60 mas, a catalogue in µJy, the collaboration's photometric redshifts."""
    return Survey(
        scale=0.06,
        images=(f"*{prefix}_all_*_060mas_*_drz.fits*",),
        catalogs=(CatalogFormat((catalog, f"../{catalog}", f"../*/{catalog}"), fluxes),),
        photo_z=(RedshiftFormat((f"*{prefix}*z_best*", f"*{prefix.upper()}*z_best*"), spec_type=("z_best_type", "s")),),
        pdfs=ObjectPdfs(f"*{prefix}*ID{{number:05d}}*.pz*", "mfda4"),
        **_space(name, prefix, bands, r"_all_(?P<instrument>acs|wfc3)_", r"_060mas_(?P<version>.+)_drz"),  # type: ignore[arg-type]
    )


def _ujy(*columns: str) -> Column:
    return Column(columns, tuple(f"{name}err" for name in columns), _MICROJANSKY)


_ACS = ("F435W", "F606W", "F775W", "F814W")
_WFC3 = ("F105W", "F125W", "F140W", "F160W")
_NIRCAM = (
    *("F090W", "F115W", "F150W", "F182M", "F200W", "F210M", "F277W", "F335M", "F356W", "F410M", "F430M", "F444W"),
    *("F460M", "F470N", "F480M"),
)


def _composite(name: str, prefix: str) -> Survey:
    """A field of HST and JWST together. Its images are restricted at the observatory."""
    return Survey(
        scale=float("nan"),
        images=("*_sci.fits*",),
        **_space(name, prefix, (*_ACS, *_WFC3, *_NIRCAM), r".*?_(?P<instrument>acs|wfc3|nircam)_", "_sci"),  # type: ignore[arg-type]
    )


def _cfhtls(name: str, depth: Mapping[str, float], images: str, name_pattern: str, stem: str, mag: str) -> Survey:
    return Survey(
        name=name,
        bands=("u", "g", "r", "i", "z"),
        scale=0.186,
        depth=depth,
        psf_fwhm=0.6,
        start_radius=0.8,
        images=(images,),
        name_pattern=name_pattern + ENDING,
        zero_point=HeaderZeroPoint(("MZP_AB", "PHOTZP"), 30.0),
        # r first: positions and shapes come from the first band that has the object.
        catalogs=tuple(
            CatalogFormat((stem.format(band=b) + ".cat",), _sextractor(b, mag, "mag_auto")) for b in "rgiuz"
        ),
        photo_z=(RedshiftFormat(("photozCFHTLS-*.out",)),),
    )


# Scales, limits, seeing and first radii are those that ELiXer adopts; r and z of DECaLS: Dey et al. 2019, AJ 157, 168.
SURVEYS: tuple[Survey, ...] = (
    _candels(
        "CANDELS-EGS",
        "egs",
        ("F606W", "F814W", *_WFC3),
        {
            "F606W": _ujy("acs_f606w_flux"),
            "g": _ujy("cfht_g_flux", "cfhtls_g_flux"),
            "F814W": _ujy("acs_f814w_flux"),
            "F160W": _ujy("wfc3_f160w_flux"),
        },
        "CANDELS.EGS*.cat",
    ),
    _candels(
        "GOODS-N",
        "goodsn",
        ("F435W", "F606W", "F775W", "F814W", "F105W", "F125W", "F160W"),
        {
            "F435W": _ujy("acs_f435w_flux"),
            "F606W": _ujy("acs_f606w_flux"),
            "F160W": _ujy("wfc3_f160w_flux"),
        },
        "CANDELS.GOODSN*.cat",
    ),
    _composite("CEERS", "ceers"),
    _composite("PRIMER-COSMOS", "primer[-_]cosmos"),
    _composite("PRIMER-UDS", "primer[-_]uds"),
    _composite("GOODSN-JWST", "(goodsn|gdn|goodsn[-_]jwst)"),
    Survey(
        name="HSC-DEX",
        bands=("r",),
        scale=0.168,
        depth={"r": 26.2},
        psf_fwhm=1.0,
        start_radius=1.0,
        images=("hsc/*calexp-HSC-*.fits*",),
        name_pattern=r"calexp-HSC-(?P<band>[R])-(?P<tract>[^-]+)-(?P<patch>(?P<x>\d)[,_]?(?P<y>\d))" + ENDING,
        zero_point=fluxmag0,
        band_names=_HSC_BANDS,
        catalogs=(
            CatalogFormat(
                tuple(
                    "../../cat_tract_patch/{tract}/R_P" + patch + ".cat" for patch in ("{patch}", "{x}_{y}", "{x},{y}")
                ),
                {"r": Column(("mag", "mag_auto"), ("magerr", "magerr_auto"))},
            ),
        ),
    ),
    Survey(
        name="HSC-SSP",
        bands=("g", "r", "i", "z", "y"),
        scale=0.168,
        depth={"g": 26.6, "r": 26.2, "i": 26.2, "z": 25.3, "y": 24.5},
        psf_fwhm=0.75,
        start_radius=0.875,
        images=("hsc_ssp/*calexp-*.fits*",),
        name_pattern=r"calexp-(HSC-)?(?P<band>[GRIZY])-(?P<rest>.+?)" + ENDING,
        zero_point=fluxmag0,
        band_names=_HSC_BANDS,
        # The catalogue of each band lies in the band's own folder beside its images.
        catalogs=tuple(
            CatalogFormat(
                tuple(
                    f"../{folder}/srcMatchFull-{hsc}{band}-{{rest}}.fits*"
                    for folder in (band, band.lower(), f"HSC-{band}")
                    for hsc in ("HSC-", "")
                ),
                {_HSC_BANDS[band]: Column(_HSC_FLUX, _HSC_FLUX_ERROR, _HSC_COUNT)},
                ra=("coord_ra", "ra"),
                dec=("coord_dec", "dec"),
                angle_unit="rad",
            )
            for band in "GRIZY"
        ),
        pdfs=PdfTables(("hsc_ssp/*photz/*demp*.fits*", "hsc_ssp/*photz/*dnnz*.fits*", "hsc_ssp/*photz/*mizuki*.fits*")),
    ),
    Survey(
        name="HSC-NEP",
        bands=("g", "r", "i", "z"),
        scale=0.168,
        depth={"g": 27.2, "r": 26.7, "i": 26.4, "z": 26.0},
        psf_fwhm=1.0,
        start_radius=1.0,
        images=("H20_EDFN_*_HSC-*.fits*",),
        name_pattern=r"H20_EDFN_v[\d.]+_HSC-(?P<band>[GRIZgriz])" + ENDING,
        zero_point=fluxmag0,
        band_names=_HSC_BANDS,
        catalogs=(
            CatalogFormat(
                ("*H20*cat*.fits*", "*EDFN*cat*.fits*", "../*/*EDFN*cat*.fits*"),
                {b: Column((f"hsc_{b}_mag",), (f"hsc_{b}_magerr", f"hsc_{b}_mag_err")) for b in "griz"},
                photo_z=("lp_zbest", "lp_zpdf", "z_best"),
                photo_z_low=("lp_zpdf_l68", "lp_zbest68_low"),
                photo_z_high=("lp_zpdf_u68", "lp_zpdf_h68", "lp_zbest68_high"),
            ),
        ),
    ),
    _cfhtls(
        "CFHTLS-D3",
        {"u": 26.3, "g": 26.0, "r": 25.6, "i": 25.4, "z": 25.0},
        "D3.*.fits*",
        r"(?P<field>D3)\.(?P<band>[ugriz])",
        "D3.{band}",
        "mag_best",
    ),
    _cfhtls(
        "CFHTLS",
        {"u": 25.2, "g": 25.5, "r": 25.0, "i": 24.8, "z": 23.9},
        "CFHTLS_W_*_MEDIAN.fits*",
        r"CFHTLS_W_(?P<band>[ugriz])_(?P<field>.+)_MEDIAN",
        "CFHTLS_W_{band}_{{field}}_MEDIAN",
        "mag_iso",
    ),
    Survey(
        name="KPNO",
        bands=("g",),
        scale=float("nan"),
        depth={"g": 24.7},
        psf_fwhm=1.0,
        start_radius=1.0,
        images=("km[0-9]*_[0-9]*.fits*",),
        name_pattern=r"km(?P<field>\d{4}_[+-]?\d{4})" + ENDING,
        zero_point=HeaderZeroPoint(("MAGZERO",)),
    ),
    Survey(
        name="SHELA",
        bands=("u", "g", "r", "i", "z"),
        scale=0.27,
        depth={"u": 25.7, "g": 24.7, "r": 24.7, "i": 24.0, "z": 23.9},
        psf_fwhm=1.0,
        start_radius=1.0,
        images=("[ABC][0-9]*_sci.fits*",),
        name_pattern=r"(?P<tile>[ABC]\d{1,2})_(?P<band>[ugriz])_sci" + ENDING,
        zero_point=HeaderZeroPoint(("MAGZERO",), 31.4),  # nJy
        catalogs=tuple(CatalogFormat((f"{{tile}}_{b}_dualcat.fits*",), _sextractor(b, "mag_auto")) for b in "rgiuz"),
    ),
    Survey(
        name="COSMOS",
        bands=("u", "g", "r", "i", "z"),
        scale=0.27,
        depth=dict.fromkeys(("u", "g", "r", "i", "z"), 25.7),
        psf_fwhm=1.0,
        start_radius=1.0,
        images=("COSMOS_*_sci.fits*",),
        name_pattern=r"COSMOS_(?P<band>[ugriz])_sci" + ENDING,
        zero_point=HeaderZeroPoint(("MAGZERO",), 31.4),
        catalogs=tuple(
            CatalogFormat((f"cat_{b}.fits*",), {b: Column(("flux_auto",), ("fluxerr_auto",), 31.4)}) for b in "rgiuz"
        ),
        # Laigle et al. 2016, ApJS 224, 24: probability densities from 0 to 4 in steps of 0.01.
        photo_z=(RedshiftFormat(("*Laigle*.fits*", "*COSMOS2015*.fits*"), pdf="pdz", grid=(0.0, 4.0, 0.01)),),
    ),
    Survey(
        name="DECaLS",
        bands=("g", "r", "i", "z"),
        scale=0.262,
        depth={"g": 24.0, "r": 23.4, "z": 22.5},
        psf_fwhm=1.67,
        start_radius=1.335,
        images=("legacysurvey-*-image-*.fits*",),
        name_pattern=r"legacysurvey-(?P<brick>[^-]+)-image-(?P<band>[griz])" + ENDING,
        zero_point=FixedZeroPoint(22.5),  # nanomaggies
        catalogs=(TractorFormat(("tractor-{brick}.fits*",)),),
        web=LegacyService(),
    ),
    Survey(
        name="Pan-STARRS",
        bands=("g", "r", "i", "z", "y"),
        scale=0.25,
        depth=dict.fromkeys(("g", "r", "i", "z", "y"), 23.5),
        psf_fwhm=1.4,
        start_radius=1.2,
        images=("rings.v3.skycell.*.stk.*.unconv.fits*",),
        name_pattern=r"rings\.v3\.skycell\.(?P<cell>\d+\.\d+)\.stk\.(?P<band>[grizy])\.unconv" + ENDING,
        zero_point=FixedZeroPoint(25.0, whole_exposure=True),
        web=PanStarrsService(),
    ),
    Survey(
        name="SDSS",
        bands=("u", "g", "r", "i", "z"),
        scale=0.396,
        depth=dict.fromkeys(("u", "g", "r", "i", "z"), 22.5),
        psf_fwhm=1.67,
        start_radius=1.335,
        images=("frame-*.fits*",),
        name_pattern=r"frame-(?P<band>[ugriz])-(?P<run>\d{6})-(?P<camcol>\d)-(?P<field>\d{4})" + ENDING,
        # Nanomaggies; u and z of SDSS are not quite AB: u_AB = u - 0.04, z_AB = z + 0.02 (SDSS, "Measures of flux").
        zero_point=FixedZeroPoint(22.5, {"u": 22.46, "z": 22.52}),
        web=SdssService(),
    ),
)
