"""The readers of spectra, releases, lists and catalogues, and a valid file for each."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table

from elixer_widgets import open_release, simulation
from elixer_widgets.detection import DataError, Detection, Spectrum
from elixer_widgets.releases.base import Release
from fuzzing.changes import ANY_TEXT, NAMED_COLUMNS
from fuzzing.changes_fits import FITS_TABLE
from fuzzing.changes_hdf5 import ANY_HDF5
from fuzzing.harness import Reader, Reading, register

WAVE = np.arange(3700.0, 5300.0, 2.0)


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """Where the simulated release lies; removed when the program ends."""
    return tempfile.TemporaryDirectory(prefix="fuzz-release-")


@cache
def _release() -> Path:
    """A small simulated release, made once."""
    return Path(simulation.simulate_release(Path(_place().name) / "made", n=4, seed=3))


def _true_spectrum() -> Spectrum:
    from elixer_widgets.releases import open_release as opened

    release = opened(_release())
    found = release.detection(int(release.detectids()[0])).spectrum
    keep = (found.wavelength >= WAVE[0]) & (found.wavelength <= WAVE[-1])
    return Spectrum(found.wavelength[keep], found.flux[keep], found.error[keep])


# ------------------------------------------------------------------------------- everything a page would show


def told(value: Any, name: str, into: dict[str, Any]) -> None:
    """The numbers, texts and arrays of nested dataclasses and tuples, by dotted names."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            if one.name not in ("notes", "not_available", "source", "reason", "wcs", "given_cutouts"):
                told(getattr(value, one.name), f"{name}.{one.name}", into)
    elif isinstance(value, tuple | list):
        into[f"{name}.length"] = len(value)
        for number, part in enumerate(value):
            told(part, f"{name}[{number}]", into)
    elif isinstance(value, np.ndarray | float | int | str) or value is None:
        into[name] = value


def of_detection(detection: Detection, name: str, values: dict[str, Any], said: list[str], images: bool = True) -> None:
    """What a page shows of one detection, images read as well."""
    told(detection, name, values)
    said += [*detection.notes, *detection.not_available.values()]
    parts = ("fiber_images", "fiber_spectra", "fiber_field") if images else ()
    for part in parts:
        shown = getattr(detection, part)
        told(shown, f"{name}.{part}", values)
        said.append(getattr(shown, "reason", ""))


def of_release(release: Release, most: int = 3, images: bool = True) -> Reading:
    """The list of a release and the first few of its detections."""
    values: dict[str, Any] = {}
    index = release.index()
    told(index, "index", values)
    said = list(getattr(release, "problems", ())) + list(getattr(release, "notes", ()))
    for number in index.detectid[:most]:
        of_detection(release.detection(int(number)), f"d{int(number)}", values, said, images)
    release.search(150.0, 2.0, 10.0)
    return Reading(values, tuple(filter(None, said)))


def _opened(path: Path) -> Reading:
    return of_release(open_release(path))


# ---------------------------------------------------------------------------------------------------- spectra


def _write_fits(folder: Path) -> Path:
    one = _true_spectrum()
    table = Table(
        {"wavelength": one.wavelength, "sky": np.full(one.flux.size, 7.0), "flux": one.flux, "flux_err": one.error}
    )
    table["wavelength"].unit = "Angstrom"
    table["flux"].unit = table["flux_err"].unit = "1e-17 erg / (s cm2 Angstrom)"
    table.write(folder / "spectrum.fits")
    return folder / "spectrum.fits"


def _write_image_spectrum(folder: Path) -> Path:
    one = _true_spectrum()
    words = {"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRVAL1": one.wavelength[0], "CRPIX1": 1.0, "CDELT1": 2.0}
    header = fits.Header({**words, "BUNIT": "1e-17 erg / (s cm2 Angstrom)"})
    fits.PrimaryHDU(one.flux.astype(np.float32), header).writeto(folder / "line.fits")
    return folder / "line.fits"


def _write_hdf5(folder: Path) -> Path:
    one = _true_spectrum()
    with h5py.File(folder / "spectra.h5", "w") as file:
        for number in range(3):
            group = file.create_group(f"source-{number}")
            group["wave"], group["flux"], group["err"] = one.wavelength, one.flux * (1 + number), one.error
            group.attrs.update({"calib": "1e-17 erg/s/cm2/A", "wave_medium": "air", "ra": 150.0, "dec": 2.0})
    return folder / "spectra.h5"


def _text(folder: Path, name: str, mark: str) -> Path:
    one = _true_spectrum()
    rows = [mark.join(("wavelength", "wavelength_err", "flux", "flux_err"))]
    columns = (one.wavelength, np.full(one.flux.size, 0.01), one.flux, one.error)
    rows += [mark.join(f"{value:.6g}" for value in row) for row in zip(*columns, strict=True)]
    (folder / name).write_text("# flux in 1e-17 erg/s/cm2/A, wavelength in A (air)\n" + "\n".join(rows) + "\n")
    return folder / name


def _write_text(folder: Path) -> Path:
    return _text(folder, "spectrum.txt", " ")


def _write_csv(folder: Path) -> Path:
    return _text(folder, "spectrum.csv", ",")


def _write_ecsv(folder: Path) -> Path:
    one = _true_spectrum()
    table = Table({"wave": one.wavelength, "flux": one.flux, "error": one.error})
    table["wave"].unit, table["flux"].unit = "Angstrom", "1e-17 erg / (s cm2 Angstrom)"
    table["error"].unit = table["flux"].unit
    table.write(folder / "spectrum.ecsv", format="ascii.ecsv")
    return folder / "spectrum.ecsv"


# --------------------------------------------------------------------------------------------- a whole release


def _tree(folder: Path, pattern: str) -> Path:
    """The simulated release in `folder`, without its images; the first file that fits `pattern`."""
    made = _release()
    shutil.copytree(made, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("imaging", "*.txt"))
    return next(iter(sorted(folder.rglob(pattern))))


def _read_tree(path: Path) -> Reading:
    home = next(parent for parent in path.parents if (parent / "detect").is_dir())
    return of_release(open_release(home), most=1)


def _read_lists(path: Path) -> Reading:
    home = next(parent for parent in path.parents if (parent / "detect").is_dir())
    return of_release(open_release(home), most=1, images=False)


def _write_detect(folder: Path) -> Path:
    return _tree(folder, "detect/detect_hdr*.h5")


def _write_detect_index(folder: Path) -> Path:
    return _tree(folder, "detect_index_*.h5")


def _write_survey(folder: Path) -> Path:
    return _tree(folder, "survey_*.h5")


def _shot_folder(folder: Path) -> Path:
    """The release with the shot of its first detection only."""
    _tree(folder, "detect/detect_hdr*.h5")
    home = next(folder.rglob("detect")).parent
    release = open_release(home)
    shot = release.detection(int(release.detectids()[0])).shot
    assert shot is not None
    for path in sorted((home / "reduction" / "data").glob("*.h5")):
        if path.stem != shot.name:
            path.unlink()
    return home / "reduction" / "data" / f"{shot.name}.h5"


def _read_shot(path: Path) -> Reading:
    home = path.parents[2]
    return of_release(open_release(home), most=1)


def _write_flat(folder: Path) -> Path:
    _shot_folder(folder)
    return next(iter(sorted(folder.rglob("pixelflat*.fits"))))


def _read_flat(path: Path) -> Reading:
    root = next(parent for parent in path.parents if any(parent.glob("*/detect")))
    return of_release(open_release(next(root.glob("*/detect")).parent), most=1)


# ---------------------------------------------------------------------------------------- catalogues and lists


@cache
def _catalog() -> Path:
    from elixer_widgets import interpret, measure
    from elixer_widgets.reports import write_catalog

    release = open_release(_release())
    found = [interpret(measure(release.detection(int(number)))) for number in release.detectids()[:2]]
    return Path(write_catalog(found, Path(_place().name) / "elixer_cat.h5"))


def _write_catalog(folder: Path) -> Path:
    return Path(shutil.copy(_catalog(), folder / "elixer_cat.h5"))


def _tables(path: Path) -> Reading:
    from elixer_widgets.reports.catalog_reading import read_catalog

    found = read_catalog(path)
    values = {"detectids": found.detectids}
    for name, rows in found.tables.items():
        for column in rows.dtype.names or ():
            values[f"{name}.{column}"] = rows[column]
    return Reading(values, found.notes)


def _read_catalog(path: Path) -> Reading:
    return _tables(path)


def _write_merge(folder: Path) -> Path:
    shutil.copy(_catalog(), folder / "b_cat.h5")
    with h5py.File(folder / "b_cat.h5", "r+") as file:
        for name in _keyed(file):
            rows = file[name][...]
            rows["detectid"] += 1000
            file[name][...] = rows
    return Path(shutil.copy(_catalog(), folder / "a_cat.h5"))


def _keyed(file: h5py.File) -> Iterator[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) and "_i_" not in name
                    and "detectid" in (item.dtype.names or ()) else None)  # fmt: skip
    yield from found


def _read_merge(path: Path) -> Reading:
    from elixer_widgets.reports import merge_catalogs

    target = path.parent / "merged.h5"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # on one core it starts no helpers
    merge_catalogs([path, path.parent / "b_cat.h5"], target)
    # What an input lacks is filled, as `merge_catalogs` says; the input itself tells what that is.
    lacking = _tables(path).said
    return Reading(_tables(target).values, lacking)


def _read_search_index(path: Path) -> Reading:
    from elixer_widgets.releases.search_index import build_index

    values: dict[str, Any] = {}
    told(build_index(open_release(_release()), path), "index", values)
    return Reading(values)


def _write_ids(folder: Path) -> Path:
    (folder / "ids.txt").write_text("# detections\n" + "\n".join(str(3000000000 + n) for n in range(50)) + "\n")
    return folder / "ids.txt"


def _read_ids(path: Path) -> Reading:
    from elixer_widgets.cli_values import read_detections

    found = read_detections(str(path))
    if not found:  # as the command line has it
        raise DataError(f"{path}: holds no detection number")
    return Reading({"ids": np.array(found, dtype=object).astype(str)})


def _write_places(folder: Path) -> Path:
    rows = [f"{150 + 0.01 * n:.4f} {2 + 0.001 * n:.4f} 20190105012 {4000 + n}.5" for n in range(50)]
    (folder / "places.txt").write_text("# ra dec shot wavelength\n" + "\n".join(rows) + "\n")
    return folder / "places.txt"


def _read_places(path: Path) -> Reading:
    from elixer_widgets.cli_selection import read_places

    return Reading({"places": np.array([[p.ra, p.dec, p.shotid, p.wavelength] for p in read_places(str(path))])})


def _write_surveys(folder: Path) -> Path:
    root = Path(__file__).resolve().parents[2]
    words = (root / "docs" / "surveys.md").read_text(encoding="utf-8")
    block = "\n".join(line.strip() for line in words.splitlines() if line.startswith("    "))
    block = block[block.index('[[survey]]\nname = "DEEP"') :].replace("/data/deep", "deep")
    (folder / "surveys.toml").write_text(block, encoding="utf-8")
    return folder / "surveys.toml"


def _read_surveys(path: Path) -> Reading:
    from elixer_widgets.imaging.custom import read_surveys

    found = read_surveys(path)
    return Reading({"surveys": repr(found).replace(str(path.parent), "")})


def _write_sites(folder: Path) -> Path:
    root = Path(__file__).resolve().parents[2]
    return Path(shutil.copy(root / "elixer_widgets" / "bulk" / "sites.toml", folder / "sites.toml"))


def _read_sites(path: Path) -> Reading:
    from elixer_widgets.bulk.sites import read_sites

    return Reading({"sites": repr(read_sites([path]))})


def _write_wdcor(folder: Path) -> Path:
    rows = [f"{3470 + 2 * n} {1 + 0.1 * np.exp(-n / 20):.5f}" for n in range(1036)]
    (folder / "wdcor.txt").write_text("\n".join(rows) + "\n")
    return folder / "wdcor.txt"


def _read_wdcor(path: Path) -> Reading:
    from elixer_widgets.releases.corrections import WavelengthCorrection

    found = WavelengthCorrection.read(path)
    return Reading({"wavelength": found.wavelength, "factor": found.factor})


for reader in (
    Reader("FITS table spectrum", _write_fits, _opened, FITS_TABLE),
    Reader("FITS image spectrum", _write_image_spectrum, _opened, FITS_TABLE),
    Reader("HDF5 spectra", _write_hdf5, _opened, ANY_HDF5),
    Reader("text spectrum", _write_text, _opened, (*ANY_TEXT, *NAMED_COLUMNS)),
    Reader("CSV spectrum", _write_csv, _opened, (*ANY_TEXT, *NAMED_COLUMNS)),
    Reader("ECSV spectrum", _write_ecsv, _opened, ANY_TEXT),
    Reader("detection file", _write_detect, _read_tree, ANY_HDF5),
    Reader("detection index", _write_detect_index, _read_lists, ANY_HDF5),
    Reader("survey file", _write_survey, _read_lists, ANY_HDF5),
    Reader("shot file", _shot_folder, _read_shot, ANY_HDF5),
    Reader("pixel flat", _write_flat, _read_flat, FITS_TABLE),
    Reader("wavelength correction", _write_wdcor, _read_wdcor, ANY_TEXT),
    Reader("catalogue", _write_catalog, _read_catalog, ANY_HDF5),
    Reader("catalogue to merge", _write_merge, _read_merge, ANY_HDF5),
    Reader("catalogue for the search", _write_catalog, _read_search_index, ANY_HDF5),
    Reader("list of detections", _write_ids, _read_ids, ANY_TEXT),
    Reader("list of positions", _write_places, _read_places, ANY_TEXT),
    Reader("surveys.toml", _write_surveys, _read_surveys, ANY_TEXT),
    Reader("sites.toml", _write_sites, _read_sites, ANY_TEXT),
):
    register(reader)
