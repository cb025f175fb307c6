"""The ELiXer catalogue 0.8.1 as an HDF5 file that PyTables opens, queries and indexes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from os import PathLike
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets._arguments import instance
from elixer_widgets._arguments import path as given
from elixer_widgets._files import disk_fault, named_path, replacing
from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import TableLayout, catalog_layout
from elixer_widgets.releases.pytables import INDEX_SLICE, create_table, prepare_file, require_group, write_index
from elixer_widgets.reports import catalog_rows as rows
from elixer_widgets.reports.state import state
from elixer_widgets.reports.versions import CATALOG_VERSION
from elixer_widgets.reports.wording import choices

TITLE = "ELiXer Detection Catalog"
IN_MEMORY = 200_000_000  # bytes of tables that are made in memory before they are written
SHORT_SLICE = 16384  # keys in a slice of the index of a short table

TABLES: dict[str, tuple[str, int]] = {
    "Version": ("ELiXer Detection Version Table", 2048),
    "Detections": ("ELiXer Detection Summary Table", 121),
    "CalibratedSpectra": ("HETDEX Flux Calibrated, PSF Weighted Summed Spectra Table", 21),
    "SpectraLines": ("ELiXer Identified SpectraLines Table", 1149),
    "Aperture": ("ELiXer Aperture Photometry Table", 606),
    "ElixerApertures": ("ELiXer Image Circular Apertures Table", 675),
    "ExtractedObjects": ("ELiXer Image Extracted Objects Table", 956),
    "CatalogMatch": ("ELiXer Catalog Matched Objected Table", 624),
}
"""Title and rows a chunk of each table that is written. The optional tables (NeighborSpectra, DeblendedSpectra,
ClassificationExtraFeatures) are written by `merge_catalogs` only, where an input has them."""

OWN_GROUP = "ElixerWidgets"
"""What the published tables have no column for: probabilities of all identities, evidence, human choices."""

IDENTITY = TableLayout(
    "Identity",
    np.dtype(
        [
            ("detectid", "<i8"), ("label", "S40"), ("release", "S64"), ("ra", "<f8"), ("dec", "<f8"),
            ("identity", "S8"), ("line_label", "S24"), ("chosen_by", "S12"), ("redshift", "<f8"),
            ("redshift_err", "<f8"), ("p_lya", "<f8"), ("calibrated", "u1"), ("quality", "<f8"),
            ("equivalent_width", "<f8"), ("equivalent_width_err", "<f8"), ("continuum_is_limit", "u1"),
            ("luminosity", "<f8"), ("plae_poii", "<f8"), ("plae_poii_low", "<f8"), ("plae_poii_high", "<f8"),
            *((f"p_{name}", "<f8") for name in IDENTITIES),
        ]
    ),
    booleans=frozenset({"calibrated", "continuum_is_limit"}),
)  # fmt: skip
EVIDENCE = TableLayout(
    "Evidence", np.dtype([("detectid", "<i8"), ("name", "S48"), ("log_odds", "<f8"), ("words", "S240")])
)
STATE_BYTES = 4096
CHOICES = TableLayout("Choices", np.dtype([("detectid", "<i8"), ("words", "S160"), ("state", f"S{STATE_BYTES}")]))
OWN_TABLES = {
    "Identity": (IDENTITY, "Probability of every identity"),
    "Evidence": (EVIDENCE, "Natural log odds for Lya against all else, piece by piece"),
    "Choices": (CHOICES, "What a person decided"),
}


def _text(value: str, size: int) -> bytes:
    """UTF-8, cut at a whole character so that it fits `size` bytes."""
    return value.encode()[:size].decode("utf-8", "ignore").encode()


def identity_rows(interpretation: Interpretation) -> np.ndarray:
    """One row of the own table `Identity`; NaN where a number is missing."""
    measurements = interpretation.measurements
    detection = measurements.detection
    row = np.zeros(1, IDENTITY.dtype)
    values: dict[str, object] = {
        "detectid": detection.detectid, "label": _text(detection.label, 40), "release": _text(detection.release, 64),
        "ra": detection.ra, "dec": detection.dec, "identity": interpretation.identity.encode(),
        "line_label": _text(interpretation.line_label, 24), "chosen_by": interpretation.chosen_by.encode(),
        "redshift": interpretation.redshift, "redshift_err": interpretation.redshift_err,
        "p_lya": interpretation.p_lya, "calibrated": int(interpretation.calibrated),
        "quality": interpretation.quality, "equivalent_width": interpretation.equivalent_width,
        "equivalent_width_err": interpretation.equivalent_width_err,
        "continuum_is_limit": int(interpretation.continuum.is_limit), "luminosity": interpretation.luminosity,
        "plae_poii": interpretation.plae_poii.value, "plae_poii_low": interpretation.plae_poii.low,
        "plae_poii_high": interpretation.plae_poii.high,
    }  # fmt: skip
    values |= {f"p_{name}": interpretation.posterior.get(name, math.nan) for name in IDENTITIES}
    for name, value in values.items():
        row[name] = value
    return row


def evidence_rows(interpretation: Interpretation) -> np.ndarray:
    """The rows of the own table `Evidence`."""
    array = np.zeros(len(interpretation.evidence), EVIDENCE.dtype)
    for row, each in zip(array, interpretation.evidence, strict=True):
        row["detectid"] = interpretation.measurements.detection.detectid
        row["name"], row["log_odds"], row["words"] = _text(each.name, 48), each.log_odds, _text(each.words, 240)
    return array


def choice_rows(interpretation: Interpretation) -> np.ndarray:
    """The rows of the own table `Choices`: one a human decision, with the state that reopens the view."""
    said = choices(interpretation)
    array = np.zeros(len(said), CHOICES.dtype)
    kept = json.dumps(state(interpretation), ensure_ascii=False)
    if len(kept.encode()) > STATE_BYTES:  # cut in the middle it would be of no use
        kept = "{}"
    for row, words in zip(array, said, strict=True):
        row["detectid"] = interpretation.measurements.detection.detectid
        row["words"], row["state"] = _text(words, 160), kept.encode()
    return array


_DETAIL: dict[str, Callable[[Interpretation], list[rows.Row]]] = {
    "SpectraLines": rows.line_rows,
    "Aperture": rows.aperture_rows,
    "ElixerApertures": rows.step_rows,
    "ExtractedObjects": rows.object_rows,
    "CatalogMatch": rows.match_rows,
}
_OWN: dict[str, Callable[[Interpretation], np.ndarray]] = {
    "Identity": identity_rows,
    "Evidence": evidence_rows,
    "Choices": choice_rows,
}


def version_rows() -> np.ndarray:
    """The single row of `Version`."""
    return rows.filled("Version", [{"version": CATALOG_VERSION, "version_pytables": f"h5py {h5py.__version__}"[:16]}])


def index_table(file: h5py.File, table: str, keys: Mapping[str, np.ndarray]) -> None:
    """Completely sorted indexes of a table's columns, given their values.

    The last slice of an index is stored at its full length: short tables get short slices.
    """
    for column, values in keys.items():
        slice_size = SHORT_SLICE if values.size < SHORT_SLICE else INDEX_SLICE
        write_index(file, f"/{table}", column, slice_size, values)


def indexed_columns(table: str) -> tuple[str, ...]:
    """detectid everywhere, ra and dec on Detections too; none of `Version`."""
    if table == "Version":
        return ()
    return ("detectid", "ra", "dec") if table == "Detections" else ("detectid",)


def is_catalog(path: Path) -> bool:
    """Whether a file is an ELiXer catalogue, ours or another's."""
    try:
        with h5py.File(path, "r") as file:
            return "Detections" in file and "Version" in file and "detectid" in (file["Detections"].dtype.names or ())
    except (OSError, KeyError, AttributeError):
        return False


@contextmanager
def new_file(target: Path, within: Path | None = None, in_memory: bool = False) -> Iterator[h5py.File]:
    """An HDF5 file to write to that takes the place of `target`, whole, when the block ends well.

    Parameters
    ----------
    target : Path
    within : Path, optional
        The folder of the temporary file, on the same disk.
    in_memory : bool
        Make it there first: HDF5 never lets go of a file, and of its room, that a full disk did not let it finish.

    Raises
    ------
    DataError
        If a file of another kind has that name, or it cannot be written, for want of space for example; what was at
        `target` is unchanged.
    """
    if target.is_file() and target.stat().st_size and not is_catalog(target):
        raise DataError(
            f"{target}: is there already and is not an ELiXer catalogue; move it away or choose another name"
        )
    try:
        # Rows go to the file as they come: a cache of chunks would only copy them once more.
        with replacing(target, within) as temporary:
            if in_memory:
                with h5py.File(temporary, "w", driver="core", backing_store=False) as file:
                    yield file
                    file.flush()
                    image = file.id.get_file_image()
                temporary.write_bytes(image)
            else:
                with h5py.File(temporary, "w", rdcc_nbytes=0) as file:
                    yield file
    except (OSError, RuntimeError) as error:
        # closing a file that could not be written is a fault of its own for h5py, which hides the first
        cause = disk_fault(error) or error
        if not isinstance(cause, OSError):
            raise
        reason = os.strerror(cause.errno) if cause.errno else str(cause)
        raise DataError(f"{target}: cannot be written ({reason}); what was there before is unchanged") from error


def catalog_tables(interpretations: Iterable[Interpretation], name: str = "a catalogue") -> dict[str, np.ndarray]:
    """The rows of the ELiXer catalogue of some detections, table by table; those of our own group as `<group>/<table>`.

    Raises
    ------
    DataError
        If two detections share a detectid; the message begins with `name`.
    """
    if not isinstance(interpretations, Iterable):
        raise DataError(f"write_catalog: {interpretations!r:.60} is not a list; give a list of Interpretation")
    made = datetime.now()
    summary: list[rows.Row] = []
    spectra: list[np.ndarray] = []
    detail: dict[str, list[rows.Row]] = {name: [] for name in _DETAIL}
    own: dict[str, list[np.ndarray]] = {name: [] for name in _OWN}
    seen: set[int] = set()
    for each in interpretations:
        instance(each, Interpretation, "write_catalog: interpretations")
        detectid = int(each.measurements.detection.detectid)
        if detectid in seen:
            raise DataError(f"{name}: detectid {detectid} occurs twice; give each detection once")
        seen.add(detectid)
        summary.append(rows.detection_row(each, made))
        spectra.append(rows.filled("CalibratedSpectra", [rows.spectrum_row(each)]))
        for table, make in _DETAIL.items():
            detail[table] += make(each)
        for table, make_own in _OWN.items():
            own[table].append(make_own(each))
    return {
        "Version": version_rows(),
        "Detections": rows.filled("Detections", summary),
        "CalibratedSpectra": np.concatenate([rows.filled("CalibratedSpectra", []), *spectra]),
        **{table: rows.filled(table, found) for table, found in detail.items()},
        **{
            f"{OWN_GROUP}/{table}": np.concatenate([np.zeros(0, layout.dtype), *own[table]])
            for table, (layout, _) in OWN_TABLES.items()
        },
    }


def write_tables(tables: Mapping[str, np.ndarray], path: Path, within: Path | None = None) -> Path:
    """Write what `catalog_tables` made; the file appears complete or not at all (`within`: as in `new_file`)."""
    with new_file(path, within, sum(each.nbytes for each in tables.values()) < IN_MEMORY) as file:
        prepare_file(file, TITLE)
        for name, (title, chunk) in TABLES.items():
            layout = catalog_layout(name)
            create_table(file, name, layout.dtype, tables[name], title, layout.fills, chunk, booleans=layout.booleans)
            index_table(file, name, {column: tables[name][column] for column in indexed_columns(name)})
        group = require_group(file, OWN_GROUP, "Identities, evidence and human choices (ELiXer Widgets)")
        for name, (layout, title) in OWN_TABLES.items():
            data = tables[f"{OWN_GROUP}/{name}"]
            create_table(group, name, layout.dtype, data, title, booleans=layout.booleans)
    return path


def write_catalog(interpretations: Iterable[Interpretation], path: str | PathLike[str]) -> Path:
    """Write the ELiXer catalogue of some detections.

    Parameters
    ----------
    interpretations : iterable of Interpretation
        In the order in which the rows shall stand; none gives a catalogue with empty tables.
    path : str or path
        A catalogue of that name is replaced. The new one appears complete or not at all.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    DataError
        If the folder does not exist, a file of another kind has that name, or two detections share a detectid.

    Notes
    -----
    Tables, columns, units and fills are those of the ELiXer catalogue 0.8.1 (fluxes in erg/s/cm² and erg/s/cm²/Å,
    `CalibratedSpectra` in 1e-17 erg/s/cm² per 2 Å sample). Columns that nothing here measures keep their fill. The
    group `ElixerWidgets` holds what that format has no place for.
    """
    target = named_path(given(path, "write_catalog: path"))
    return write_tables(catalog_tables(interpretations, str(target)), target)
