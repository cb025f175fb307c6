"""The readers of images, surveys, catalogues of objects and redshifts, and what is kept of them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from elixer_widgets.detection import Cutout, DataError, Imaging
from elixer_widgets.imaging.catalog_formats import CatalogFormat, Column, TractorFormat
from elixer_widgets.imaging.custom import read_surveys
from elixer_widgets.imaging.redshift_formats import (
    ObjectPdfs,
    PdfTables,
    RedshiftFormat,
    read_photo_z_pdf,
    read_spec_z,
)
from elixer_widgets.imaging.registry import SURVEYS
from elixer_widgets.imaging.surveys import Library
from elixer_widgets.imaging.tables import CatalogTable, RedshiftTable
from elixer_widgets.imaging.web import LegacyService, NotReachable, Patience, WebClient
from fuzzing.changes import ANY_FILE, ANY_TEXT
from fuzzing.changes_fits import ANY_FITS, COMPRESSED, FITS_TABLE
from fuzzing.changes_hdf5 import ANY_HDF5
from fuzzing.harness import Reader, Reading, register

RA, DEC = 150.0, 2.0
SURVEY = next(survey for survey in SURVEYS if survey.name == "DECaLS")
IMAGE = "legacysurvey-b-image-{}.fits"


def _header(sip: bool = False) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [RA, DEC], [40.5, 40.5]
    wcs.wcs.cd = np.array([[-1.0, 0.02], [0.02, 1.0]]) * 0.25 / 3600.0
    header = wcs.to_header()
    if sip:
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
        for key, value in {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-5, "B_0_2": 2e-5, "B_1_1": 1e-6}.items():
            header[key] = value
    return header


def _counts() -> np.ndarray:
    y, x = np.mgrid[:80, :80]
    noise = np.random.default_rng(5).normal(0.0, 1.0, (80, 80))
    return (500.0 * np.exp(-0.5 * ((x - 41) ** 2 + (y - 38) ** 2) / 4.0) + noise).astype(np.float32)


def _image(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "image.fits"
        header, data = _header("SIP" in kind), _counts()
        if kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"):
            if kind == "PLIO_1":
                data = np.clip(data, 0, None).astype(np.int16)
            hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, header, compression_type=kind, tile_shape=(16, 80))]
        elif kind == "scaled":
            hdu = fits.PrimaryHDU(data, header)
            hdu.scale("int16", bscale=0.05, bzero=100.0)
            hdus = [hdu]
        elif kind == "extension":
            hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header, name="SCI"), fits.ImageHDU(data, header, name="VAR")]
        else:
            hdus = [fits.PrimaryHDU(data, header)]
        fits.HDUList(hdus).writeto(path)
        packer = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}.get(kind)
        if packer:
            content = path.read_bytes()
            path.write_bytes(packer(content))
        return path

    return write


def _cutout(path: Path) -> Reading:
    cutout = Cutout.from_fits(path, "g", 22.5, (RA, DEC), 8.0)
    values = {"data": cutout.data, "x": cutout.pixel(RA, DEC), "scale": cutout.pixel_scale, "t": cutout.exposure_time}
    return Reading(values, (cutout.note,))


def _of_table(table: CatalogTable | RedshiftTable) -> Reading:
    values: dict[str, Any] = {}
    for one in fields(table):
        value = getattr(table, one.name)
        if one.name == "mags":
            for band, parts in value.items():
                for number, part in enumerate(parts):
                    values[f"{band}{number}"] = part
        elif isinstance(value, np.ndarray):
            values[one.name] = value
    if isinstance(table, RedshiftTable) and table.pdf is not None and len(table.z):
        values["first density"] = table.pdf[0]
    table.within(RA, DEC, 100.0)
    if isinstance(table, CatalogTable):
        for row in range(min(3, table.ra.size)):
            table.object(row)
        table.surface_density(("g", "r"))
    return Reading(values, table.notes)


N = 30
FORM = CatalogFormat(
    ("x",), {"g": Column(("mag_auto",), ("magerr_auto",)), "r": Column(("flux_r",), ("fluxerr_r",), 23.9)}
)


def _objects() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    return {
        "NUMBER": np.arange(1, N + 1),
        "ALPHA_J2000": np.round(RA + rng.uniform(-0.01, 0.01, N), 7),
        "DELTA_J2000": np.round(DEC + rng.uniform(-0.01, 0.01, N), 7),
        "MAG_AUTO": np.round(rng.uniform(20, 25, N), 3),
        "MAGERR_AUTO": np.round(rng.uniform(0.01, 0.2, N), 3),
        "FLUX_R": np.round(rng.uniform(1, 20, N), 3),
        "FLUXERR_R": np.round(rng.uniform(0.1, 1, N), 3),
    }


def _text_table(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        columns = _objects()
        mark = "," if kind == "csv" else " "
        rows = [mark.join(str(value) for value in row) for row in zip(*columns.values(), strict=True)]
        head = ["# " + " ".join(columns)]
        if kind == "csv":
            head = [",".join(columns)]
        if kind == "sextractor":
            head = [f"# {n:3d} {name}  words [unit]" for n, name in enumerate((*columns, "MAG_APER"), 1)]
            rows = [f"{row} 22.1 22.2 22.3" for row in rows]
        path = folder / ("table.csv" if kind == "csv" else "table.cat")
        path.write_text("\n".join([*head, *rows]) + "\n")
        return path

    return write


def _table(name: str, form: str, extra: dict[str, Any] | None = None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        Table({**_objects(), **(extra or {})}).write(path, format=form)
        return path

    return write


def _tractor(folder: Path) -> Path:
    rng, path = np.random.default_rng(7), folder / "tractor.fits"
    columns = {"objid": np.arange(N), "ra": RA + rng.uniform(-0.01, 0.01, N), "dec": DEC + rng.uniform(-0.01, 0.01, N)}
    for band in "gr":
        columns |= {f"flux_{band}": rng.uniform(1, 9, N), f"flux_ivar_{band}": rng.uniform(1, 9, N)}
    columns |= {"shape_r": rng.uniform(0, 2, N), "shape_e1": rng.uniform(0, 0.3, N), "shape_e2": rng.uniform(0, 0.3, N)}
    Table(columns).write(path)
    return path


GRID = np.linspace(0.0, 4.0, 401)
PDF = np.exp(-0.5 * ((GRID[None, :] - np.linspace(0.5, 3.0, N)[:, None]) / 0.1) ** 2)


def _pdf_table(folder: Path) -> Path:
    path, columns = folder / "z.fits", _objects()
    table = {"RA": columns["ALPHA_J2000"], "DEC": columns["DELTA_J2000"], "PHOTOZ": np.linspace(0.5, 3.0, N)}
    Table({**table, "PDZ": PDF}).write(path)
    return path


def _pdf_by_id(folder: Path) -> Path:
    path = folder / "demp.fits"
    ids, pdfs = fits.Column("ID", "K", array=np.arange(N)), fits.Column("PDF", "401E", array=PDF)
    bins = fits.BinTableHDU.from_columns([fits.Column("BINS", "E", array=GRID)], name="BINS")
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([ids, pdfs]), bins]).writeto(path)
    return path


def _pdf_hdf5(folder: Path) -> Path:
    path, columns = folder / "pdf_a.h5", _objects()
    with h5py.File(path, "w") as file:
        file["ra"], file["dec"] = columns["ALPHA_J2000"], columns["DELTA_J2000"]
        file["z"], file["pdf"] = GRID, PDF
    return path


def _pdf_text(folder: Path) -> Path:
    path = folder / "egs_ID00021.pzd"
    path.write_text("# z mFDa4\n" + "\n".join(f"{z:.2f} {p:.6g}" for z, p in zip(GRID, PDF[3], strict=True)) + "\n")
    return path


def _density(found: tuple[np.ndarray, np.ndarray] | None) -> Reading:
    if found is None:
        return Reading({}, ("no density of this object",))
    return Reading({"z": found[0], "p": found[1]})


def _z_csv(folder: Path) -> Path:
    path, columns = folder / "z.csv", _objects()
    rows = zip(columns["ALPHA_J2000"], columns["DELTA_J2000"], np.linspace(0.1, 3.0, N), strict=True)
    path.write_text("ra,dec,z\n" + "\n".join(f"{a},{d},{z:.4f}" for a, d, z in rows) + "\n")
    return path


TOML = """
[[survey]]
name = "MINE"
bands = ["g", "r"]
images = "mine/*_sci.fits"
name_pattern = "(?P<field>[^_]+)_(?P<band>[gr])_sci"
zero_point = { keyword = "MAGZERO", default = 25.0 }
depth = { g = 25.5, r = 25.0 }
psf_fwhm = 0.8
scale = 0.27
hdu = 1
[survey.catalog]
files = "{field}.cat"
magnitudes = { g = "MAG_G" }
errors = { g = "MAGERR_G" }
keep = { FLAGS = 0 }
[survey.photo_z]
files = ["photoz_*.cat"]
z = "Z_BEST"
"""


def _toml(folder: Path) -> Path:
    path = folder / "surveys.toml"
    path.write_text(TOML)
    return path


def _surveys(path: Path) -> Reading:
    values: dict[str, Any] = {}
    for number, survey in enumerate(read_surveys(path)):
        for one in fields(survey):
            values[f"{number}.{one.name}"] = repr(getattr(survey, one.name))
        Library(path.parent, (survey,)).imaging(RA, DEC, 8.0)
    return Reading(values)


def _of_imaging(imaging: Imaging) -> Reading:
    values = {f"{cutout.band} {cutout.survey}": cutout.data for cutout in imaging.cutouts}
    return Reading(values, imaging.notes)


def _tree(folder: Path) -> Path:
    for band in "gr":
        _image("plain")(folder).rename(folder / IMAGE.format(band))
    return folder / IMAGE.format("r")


def _library(path: Path) -> Reading:
    reading = _of_imaging(Library(path.parent, (SURVEY,)).imaging(RA, DEC, 8.0))
    if "g DECaLS" not in reading.values:
        raise AssertionError("the good image was lost with the bad one")
    return reading


def _index(folder: Path) -> Path:
    for number in range(20):
        _image("plain")(folder).rename(folder / f"legacysurvey-b{number}-image-g.fits")
    os.environ["ELIXER_WIDGETS_CACHE"] = str(folder / ".cache")
    Library(folder, (SURVEY,)).imaging(RA, DEC, 8.0)
    (path,) = (folder / ".cache" / "footprints").glob("*.json")
    return path


def _by_index(path: Path) -> Reading:
    """With a damaged index the images are looked at anew. Its name goes by the folder, so it is put in its place."""
    folder = path.parents[2]
    os.environ["ELIXER_WIDGETS_CACHE"] = str(path.parents[1])
    library = Library(folder, (SURVEY,))
    empty = type(library.footprints(SURVEY))(folder, SURVEY, ())
    if empty._file != path:
        if path.is_file() and not path.is_symlink():
            _restamped(path, folder, empty._file)
        library = Library(folder, (SURVEY,))
    return _of_imaging(library.imaging(RA, DEC, 8.0))


def _restamped(path: Path, folder: Path, target: Path) -> None:
    """The index under this folder's name, with the times of this folder's files where it still is one."""
    content = path.read_bytes()
    try:
        records = json.loads(content)
        for name, record in records.items():
            status = (folder / name).stat()
            record[:2] = [status.st_mtime_ns, status.st_size]
        content = json.dumps(records).encode()
    except (ValueError, AttributeError, TypeError, OSError, RecursionError):
        pass  # it is damaged, as it was meant to be
    target.write_bytes(content)


def _client(folder: Path) -> WebClient:
    return WebClient(folder, Patience(connect=0.2, tries=1, total=1.0))


def _web(folder: Path) -> Path:
    kept: list[Path] = []
    client = _client(folder)
    client._download = lambda url, deadline: _image("plain")(folder).read_bytes()  # type: ignore[method-assign]
    client._require_host = lambda url: None  # type: ignore[method-assign]
    kept.extend(LegacyService("http://127.0.0.1:9").fetch(client, "g", RA, DEC, 8.0))
    (folder / "image.fits").unlink()
    return kept[0]


def _from_web(path: Path) -> Reading:
    try:
        (got,) = LegacyService("http://127.0.0.1:9").fetch(_client(path.parent), "g", RA, DEC, 8.0)
    except NotReachable as error:  # the kept answer is of no use, and there is no network here
        raise DataError(f"{path}: {error}") from error
    return _cutout(got)


def _register() -> None:
    for kind in ("plain", "gzip", "bzip2", "xz", "RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "scaled"):
        register(Reader(f"image, {kind}", _image(kind), _cutout, COMPRESSED if kind[-2:] in ("_1", "_2") else ANY_FITS))
    for kind in ("extension", "SIP"):
        register(Reader(f"image, {kind}", _image(kind), _cutout, ANY_FITS))
    register(Reader("image of a survey", _tree, _library, ANY_FITS))

    def form(path: Path) -> Reading:
        return _of_table(FORM.read(path, "T"))

    def tractor(path: Path) -> Reading:
        return _of_table(TractorFormat(("x",)).read(path, "T"))

    for kind in ("header", "sextractor", "csv"):
        register(Reader(f"catalogue, {kind}", _text_table(kind), form, ANY_TEXT))
    register(Reader("catalogue, FITS", _table("t.fits", "fits"), form, FITS_TABLE))
    register(Reader("catalogue, FITS gzip", _table("t.fits.gz", "fits"), form, ANY_FITS))
    register(Reader("catalogue, VOTable", _table("t.vot", "votable"), form, ANY_TEXT))
    register(Reader("catalogue, ECSV", _table("t.ecsv", "ascii.ecsv"), form, ANY_TEXT))
    register(
        Reader("catalogue, Tractor", _tractor, lambda p: _of_table(TractorFormat(("x",)).read(p, "T")), FITS_TABLE)
    )
    photo_z = RedshiftFormat(("x",), pdf="pdz")
    register(Reader("redshifts, FITS with densities", _pdf_table, lambda p: _of_table(photo_z.read(p)), FITS_TABLE))
    register(Reader("redshifts, CSV", _z_csv, lambda p: _of_table(read_spec_z(p)), ANY_TEXT))
    register(Reader("densities, HDF5", _pdf_hdf5, lambda p: _of_table(read_photo_z_pdf(p)), ANY_HDF5))
    by_id, text = PdfTables(("*",)), ObjectPdfs("*ID{number:05d}.pz*", "mfda4")
    register(Reader("densities, FITS by identifier", _pdf_by_id, lambda p: _density(by_id.read([p], "7")), FITS_TABLE))
    register(Reader("densities, text", _pdf_text, lambda p: _density(text.read([p], "21")), ANY_TEXT))
    register(Reader("definitions of surveys", _toml, _surveys, ANY_TEXT))
    register(Reader("index of footprints", _index, _by_index, ANY_FILE))
    register(Reader("answers kept from the web", _web, _from_web, ANY_FITS))


_register()
