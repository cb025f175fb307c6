"""Readers: one a product. `open_release` picks by what lies on disk."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from elixer_widgets._arguments import path as given
from elixer_widgets._files import named_path
from elixer_widgets.detection import DataError
from elixer_widgets.releases.base import Release, ReleaseIndex
from elixer_widgets.releases.hdr import HdrRelease, find_tree
from elixer_widgets.releases.layout import text
from elixer_widgets.releases.reading import is_hdf5, open_h5
from elixer_widgets.releases.spectra_files import SpectraRelease
from elixer_widgets.releases.spectrum_formats import HDF5_SUFFIXES

__all__ = ["HdrRelease", "Release", "ReleaseIndex", "SpectraRelease", "open_release"]

# Files of a HETDEX release, or made from one, that are no detection file: what they hold, and what they are.
_OTHER_KINDS = (
    ({"CalibratedSpectra"}, "an ELiXer catalogue"),
    ({"DetectIndex"}, "a list of detections without their spectra"),
    ({"FiberIndex"}, "a list of fibers"),
    ({"Survey"}, "a list of observations"),
    ({"Data", "Shot"}, "the file of one shot"),
    ({"SourceCatalog"}, "a source catalogue"),
    ({"Classifications"}, "an ELiXer classification table"),
)


def open_release(
    path: str | PathLike[str], *, columns: Mapping[str, str] | None = None, unit: str = "", medium: str = ""
) -> Release:
    """Open what lies at `path`: an HDR tree, a simulated release, or a file or folder of spectra.

    Parameters
    ----------
    path : path
        The directory of a release (`.../hdr5`), the directory that holds releases (the newest is taken), a detection
        file, a file of spectra (FITS, HDF5, ECSV, CSV, text), or a folder of those.
    columns : mapping, optional
        For spectra whose columns cannot be told by their names: "wavelength", "flux", "error" to a name.
    unit : str, optional
        For spectra: the unit of the flux, `1e-17 erg/s/cm2/A`, instead of what the files say or do not say.
    medium : str, optional
        For spectra: "air" or "vacuum", of the wavelengths.

    Returns
    -------
    Release

    Raises
    ------
    DataError
        If there is nothing at `path`, it is empty, damaged, or of another kind.
    """
    place = named_path(given(path, "open_release: path"))
    how = (columns, unit, medium)
    if not place.exists():
        known = next((parent for parent in place.parents if parent.exists()), Path())
        raise DataError(f"{place}: there is no such file or directory (only {known} exists); check the path")
    stated = ", ".join(name for name, value in zip(("columns", "unit", "medium"), how, strict=True) if value)
    if place.is_dir():
        if not any(place.iterdir()):
            raise DataError(f"{place}: the directory is empty; give the directory of a release or of spectra")
        if find_tree(place) is not None:
            return _hdr(place, stated)
        if not any(item.is_file() for item in place.iterdir()):
            raise DataError(
                f"{place}: neither a release (no detect/detect_<release>.h5) nor files of spectra; "
                "give the directory of a release or of spectra"
            )
        return SpectraRelease(place, *how)
    if is_hdf5(place):
        return _hdr(place, stated) if _kind_of(place) is HdrRelease else SpectraRelease(place, *how)
    if place.suffix.lower() in HDF5_SUFFIXES:
        raise DataError(f"{place}: does not begin like an HDF5 file; copy it again")
    return SpectraRelease(place, *how)


def _hdr(place: Path, stated: str) -> HdrRelease:
    """A release of HETDEX, of which nothing need be stated."""
    if stated:
        raise DataError(f"{place}: is a release, which says itself how it is read; leave {stated} out")
    return HdrRelease(place)


def _kind_of(path: Path) -> type[Release]:
    """Whether an HDF5 file is one of a release or one of spectra."""
    with open_h5(path) as file:
        keys = set(map(text, file))  # names that are no UTF-8 come as bytes
        cube = any(name.startswith("virus_") for name in keys)
    for held, kind in _OTHER_KINDS:
        if held <= keys:
            raise DataError(f"{path}: is {kind} and no detection file; give the directory of a release")
    if cube:
        raise DataError(f"{path}: is a cube of flux limits and no detection file; give the directory of a release")
    return HdrRelease if "Detections" in keys or "Spectra" in keys else SpectraRelease
