"""Where a HETDEX release keeps its files, how its tables are laid out, and how its names are built.

The tree, relative to a release directory `<R>` (for example `.../hdr5`); `<s>` is its name:

    <R>/survey/survey_<s>.h5, fiber_index_<s>.h5, detect_index_<s>.h5
    <R>/detect/detect_<s>.h5
    <R>/reduction/data/YYYYMMDDvNNN.h5
    <R>/../lib_calib/lib_pflat/pixelflat_cam<specid>_<amp>.fits
    <R>/../imaging/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases.columns import COLUMNS, FILLS
from elixer_widgets.spectra.wavelengths import GRID_SIZE, GRID_STEP, hetdex_grid

WAVELENGTH_STEP = GRID_STEP  # Å; fluxes in HETDEX files are per sample of this width
WAVELENGTH_COUNT = GRID_SIZE
CCD_SIZE = 1032  # pixels of one amplifier along either axis
FIBERS_PER_AMP = 112
AMPLIFIERS = ("LL", "LU", "RL", "RU")
FLIPPED_FLATS = ("LU", "RL")  # amplifiers whose pixel flats are stored turned by 180 degrees

_ITEM = re.compile(r"(?P<type>bool|[a-zS]\d*)(?:\[(?P<shape>[\d,]+)\])?")


def wavelength_grid() -> np.ndarray:
    """Wavelengths of the calibrated spectra, Å in air, shape (1036,): 3470 to 5540 in steps of 2."""
    return hetdex_grid()


# ---------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True)
class TableLayout:
    """One table: its columns in order, what fills a column that is not given, and which columns are booleans."""

    name: str
    dtype: np.dtype
    fills: Mapping[str, float] = field(default_factory=dict)
    booleans: frozenset[str] = frozenset()

    def rows(self, count: int) -> np.ndarray:
        """`count` rows, shape (count,), every column at its fill value."""
        rows = np.zeros(count, dtype=self.dtype)
        for column, value in self.fills.items():
            rows[column] = value
        return rows


def _layout(key: str) -> TableLayout:
    columns: list[tuple] = []
    booleans: list[str] = []
    for group in COLUMNS[key].split(";"):
        kind, *names = group.split()
        match = _ITEM.fullmatch(kind)
        if match is None:
            raise ValueError(f"column table {key}: {kind!r} is not a type")
        is_bool = match["type"] == "bool"
        base = "u1" if is_bool else match["type"] if match["type"].startswith("S") else "<" + match["type"]
        shape = tuple(int(size) for size in match["shape"].split(",")) if match["shape"] else ()
        columns += [(name, base, shape) if shape else (name, base) for name in names]
        booleans += names if is_bool else []
    dtype = np.dtype(columns)
    fills: dict[str, float] = {}
    if key.startswith("catalog/"):
        # The ELiXer catalogue marks a missing float or 32-bit integer; keys, flags and spectra stay at zero.
        marks = {"f4": -999.999, "i4": -99999}
        for name in dtype.names or ():
            mark = marks.get(dtype[name].base.str[1:])
            if mark is not None:
                fills[name] = mark
    fills.update(FILLS.get(key, {}))
    fills = {name: fills[name] for name in dtype.names or () if fills.get(name, 0) != 0}
    return TableLayout(key.rsplit("/", 1)[1], dtype, fills, frozenset(booleans))


LAYOUTS: Mapping[str, TableLayout] = {key: _layout(key) for key in COLUMNS}

DETECTIONS = LAYOUTS["detect/Detections"]
DETECTION_FIBERS = LAYOUTS["detect/Fibers"]
DETECTION_SPECTRA = LAYOUTS["detect/Spectra"]
SHOT = LAYOUTS["shot/Shot"]
SHOT_FIBERS = LAYOUTS["shot/Data/Fibers"]
SHOT_IMAGES = LAYOUTS["shot/Data/Images"]
SHOT_FIBER_INDEX = LAYOUTS["shot/Data/FiberIndex"]
ASTROMETRY_QA = LAYOUTS["shot/Astrometry/QA"]
ASTROMETRY_NOMINAL = LAYOUTS["shot/Astrometry/NominalVals"]
ASTROMETRY_DITHALL = LAYOUTS["shot/Astrometry/Dithall"]
ASTROMETRY_STARS = LAYOUTS["shot/Astrometry/StarCatalog"]
SURVEY = TableLayout("Survey", SHOT.dtype, SHOT.fills)
FIBER_INDEX = LAYOUTS["fiber_index/FiberIndex"]
DETECT_INDEX = LAYOUTS["detect_index/DetectIndex"]

# Rows a chunk where the format fixes it: one CCD image is a chunk of its own, so that one can be read alone.
CHUNK_ROWS: Mapping[str, int] = {
    "detect/Detections": 932,
    "detect/Fibers": 3084,
    "detect/Spectra": 21,
    "shot/Data/Fibers": 4,
    "shot/Data/Images": 1,
}


def catalog_layout(table: str) -> TableLayout:
    """The layout of one table of an ELiXer catalogue, for example "Detections" or "SpectraLines"."""
    return LAYOUTS[f"catalog/{table}"]


# ----------------------------------------------------------------------------------------------------- paths


@dataclass(frozen=True)
class ReleaseTree:
    """The paths of one release directory; `name` is the release's name, for example "hdr5"."""

    path: Path
    name: str

    @property
    def survey_file(self) -> Path:
        """Table `/Survey`, one row a shot."""
        return self.path / "survey" / f"survey_{self.name}.h5"

    @property
    def fiber_index_file(self) -> Path:
        """Table `/FiberIndex`, one row a fiber and exposure."""
        return self.path / "survey" / f"fiber_index_{self.name}.h5"

    @property
    def detect_index_file(self) -> Path:
        """Table `/DetectIndex`, one row a detection."""
        return self.path / "survey" / f"detect_index_{self.name}.h5"

    @property
    def detect_file(self) -> Path:
        """Tables `/Detections`, `/Fibers`, `/Spectra`."""
        return self.path / "detect" / f"detect_{self.name}.h5"

    def shot_file(self, shotid: int) -> Path:
        """Fibers and CCD images of one shot."""
        return self.path / "reduction" / "data" / f"{datevobs(shotid)}.h5"

    @property
    def flats(self) -> Path:
        """The directory of pixel flats, shared by releases and lying beside them."""
        return self.path.parent / "lib_calib" / "lib_pflat"

    def flat_file(self, specid: str, amp: str) -> Path:
        """The pixel flat of one camera and amplifier."""
        return self.flats / f"pixelflat_cam{specid}_{amp}.fits"

    @property
    def imaging(self) -> Path:
        """The imaging directory, shared by releases and lying beside them."""
        return self.path.parent / "imaging"


# ----------------------------------------------------------------------------------------------------- names


class Multiframe(NamedTuple):
    """One amplifier of one IFU, `multi_<specid>_<ifuslot>_<ifuid>_<amp>`."""

    specid: str
    ifuslot: str
    ifuid: str
    amp: str

    def __str__(self) -> str:
        return f"multi_{self.specid}_{self.ifuslot}_{self.ifuid}_{self.amp}"


class FiberName(NamedTuple):
    """One fiber of one exposure, `<shotid>_<exposure>_<multiframe>_<fibnum>`."""

    shotid: int
    expnum: int
    multiframe: Multiframe
    fibnum: int

    def __str__(self) -> str:
        return f"{self.shotid:011d}_{self.expnum}_{self.multiframe}_{self.fibnum:03d}"


_MULTIFRAME = re.compile(r"multi_([0-9A-Za-z]{3})_([0-9A-Za-z]{3})_([0-9A-Za-z]{3})_(LL|LU|RL|RU)")
_FIBER_ID = re.compile(r"([0-9]{11})_([0-9])_(multi_[0-9A-Za-z_]{14})_([0-9]{3})")
_DATEVOBS = re.compile(r"([0-9]{8})v([0-9]{3})")


def text(value: object) -> str:
    """A plain str of what HDF5 gives: null-padded bytes or a text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\x00 ")
    return str(value)


def parse_multiframe(name: str | bytes) -> Multiframe:
    """Take a multiframe name apart.

    Raises
    ------
    DataError
        If it is not of the form `multi_SSS_LLL_III_AA`.
    """
    match = _MULTIFRAME.fullmatch(text(name))
    if match is None:
        raise DataError(f"multiframe {text(name)!r} is not of the form multi_SSS_LLL_III_AA; check the fiber")
    return Multiframe(*match.groups())


def parse_fiber_id(name: str | bytes) -> FiberName:
    """Take a fiber_id apart.

    Raises
    ------
    DataError
        If it is not of the form `YYYYMMDDNNN_E_multi_SSS_LLL_III_AA_FFF`.
    """
    match = _FIBER_ID.fullmatch(text(name))
    if match is None:
        raise DataError(
            f"fiber_id {text(name)!r} is not of the form YYYYMMDDNNN_E_multi_SSS_LLL_III_AA_FFF; check the fiber"
        )
    return FiberName(int(match[1]), int(match[2]), parse_multiframe(match[3]), int(match[4]))


def shotid_of(date: int, obsid: int) -> int:
    """The integer YYYYMMDDNNN of a date and an observation number.

    Raises
    ------
    DataError
        If the date has not eight digits or the observation number not one to three.
    """
    if not 10_000_101 <= date <= 99_991_231 or not 0 <= obsid <= 999:
        raise DataError(f"date {date} and observation {obsid} make no shotid; give YYYYMMDD and a number up to 999")
    return date * 1000 + obsid


def datevobs(shotid: int) -> str:
    """The text form `YYYYMMDDvNNN` of a shotid.

    Raises
    ------
    DataError
        If the shotid has not eleven digits.
    """
    if not 10_000_000_000 <= int(shotid) <= 99_999_999_999:
        raise DataError(f"shotid {shotid} is not an eleven-digit number YYYYMMDDNNN; check the detection")
    digits = str(int(shotid))
    return f"{digits[:8]}v{digits[8:]}"


def parse_shotid(name: str | bytes | int) -> int:
    """The integer shotid of `YYYYMMDDvNNN` or of eleven digits.

    Raises
    ------
    DataError
        If it is neither.
    """
    given = text(name)
    match = _DATEVOBS.fullmatch(given)
    digits = "".join(match.groups()) if match else given
    if re.fullmatch(r"[1-9][0-9]{10}", digits) is None:
        raise DataError(f"shot {given!r} is neither YYYYMMDDvNNN nor an eleven-digit number; check the name")
    return int(digits)
