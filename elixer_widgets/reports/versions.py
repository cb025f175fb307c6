"""Catalogue formats 0.1 to 0.8.1: which are known, and how their rows become rows of today's format. Opens no file."""

from __future__ import annotations

import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import TableLayout

CATALOG_VERSION = "0.8.1"
"""The format that is written."""

KNOWN_VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8")
"""Major and minor numbers of the formats whose columns can be mapped."""

OLD_NAMES: dict[str, tuple[str, ...]] = {
    "z_best": ("best_z",),
    "z_best_pz": ("best_pz",),
    "plya_classification": ("plae_classification",),
}
"""Names that a column had in earlier formats."""

_WIDE = {
    "continuum_wide": "continuum", "continuum_wide_err": "continuum", "plae_wide": "plae", "plae_wide_max": "plae",
    "plae_wide_min": "plae", "eqw_rest_lya_wide": "eqw_rest_lya", "eqw_rest_lya_wide_err": "eqw_rest_lya",
    "mag_g_wide": "mag", "mag_g_wide_err": "mag",
}  # fmt: skip
"""Columns of the wide continuum, and how their names began before format 0.6."""

WIDE_SOURCES = ("sdss_g", "full_spec")
"""Where the wide continuum came from before format 0.6, the preferred one first: through the g band, or a mean."""


def check_version(where: object, version: bytes) -> None:
    """Refuse a format whose columns are not known.

    Parameters
    ----------
    where : object
        What the message begins with: the file.
    version : bytes
        As it stands in the table `Version`.

    Raises
    ------
    DataError
        Naming the file and its version.
    """
    text = version.decode("ascii", "replace").rstrip("\0 ")
    if ".".join(text.split(".")[:2]) not in KNOWN_VERSIONS:
        raise DataError(f"{where}: catalogue version {text!r} is not known here (0.1 to 0.8.1 are); leave it out")


def _old_wide(name: str, source: str) -> str:
    """What a column of the wide continuum was called: "plae_wide_max" is "plae_sdss_g_max"."""
    start = _WIDE[name]
    ending = next((each for each in ("_err", "_max", "_min") if name.endswith(each)), "")
    return f"{start}_{source}{ending}"


def same_columns(one: np.dtype, other: np.dtype) -> bool:
    """Whether rows of both are the same bytes: columns by name, place, kind, size and shape."""
    if one.itemsize != other.itemsize or one.names != other.names or one.fields is None or other.fields is None:
        return False
    return all(
        one.fields[name][1] == other.fields[name][1]
        and one.fields[name][0].shape == other.fields[name][0].shape
        and one.fields[name][0].base.newbyteorder("<") == other.fields[name][0].base
        and (one.fields[name][0].base.byteorder != ">")
        for name in one.names or ()
    )


def converted(data: np.ndarray, layout: TableLayout) -> np.ndarray:
    """Rows in the layout of today: columns by name or by an earlier name, the rest at their fill.

    Parameters
    ----------
    data : structured array, shape (n,)
        Rows of any known format.
    layout : TableLayout
        Of the same table today.

    Returns
    -------
    structured array, shape (n,)
        `data` itself if nothing is to be done. The wide continuum of formats before 0.6 is, row by row, that of the g
        band if it was measured, else that of the whole spectrum.
    """
    if data.dtype == layout.dtype:
        return data
    out = layout.rows(data.size)
    have = data.dtype.names or ()
    for name in layout.dtype.names or ():
        source = next((each for each in (name, *OLD_NAMES.get(name, ())) if each in have), None)
        if source is not None and data.dtype[source].shape == layout.dtype[name].shape:
            out[name] = data[source]
    if "continuum_wide" in (layout.dtype.names or ()) and "continuum_wide" not in have:
        _fill_wide(out, data)
    return out


def _fill_wide(out: np.ndarray, data: np.ndarray) -> None:
    """Put the columns of the wide continuum in, all of a row from one source."""
    have = data.dtype.names or ()
    open_rows = np.ones(data.size, bool)
    for source in WIDE_SOURCES:
        found = [(name, _old_wide(name, source)) for name in _WIDE if _old_wide(name, source) in have]
        if not found:
            continue
        measured = np.zeros(data.size, bool)
        for _, old in found:
            measured |= np.isfinite(data[old]) & (data[old] > -999.0)
        for name, old in found:
            out[name] = np.where(open_rows & measured, data[old], out[name])
        open_rows &= ~measured
