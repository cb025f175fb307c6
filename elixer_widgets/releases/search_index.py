"""One line a detection of a whole survey, laid out so that a million of them are searched while a person waits.

The index is a folder of plain arrays that are mapped into memory: every page of a dashboard reads the same copy.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from astropy.coordinates import Angle

from elixer_widgets._arguments import path as given_path
from elixer_widgets._files import made_folder
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.base import Release
from elixer_widgets.releases.positions import within
from elixer_widgets.releases.reading import Table, open_h5
from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of

COLUMNS = {"detectid": "<i8", "ra": "<f8", "dec": "<f8", "wavelength": "<f4", "sn": "<f4", "redshift": "<f4"}
COLUMNS |= {"p_lya": "<f4", "identity": "<u1"}
UNKNOWN = 0
"""Code of a detection that no catalogue has classified."""

NAMES = "identities.json"
RADIUS = 10.0
"""Arcsec searched about a position given without a radius."""

Z_TOLERANCE = 0.01
"""A published redshift within this of that of an identity's line is that identity's."""


@dataclass(frozen=True)
class Query:
    """What a person looks for; every part that is given must hold.

    Attributes
    ----------
    detectid : int, optional
    position : (ra, dec) in degrees, optional
    radius : float
        arcsec about the position.
    identity : str, optional
        Name of an identity, as `Interpretation.identity`.
    p_lya, sn, wavelength, redshift : (low, high)
        Both included; infinite for no bound.
    """

    detectid: int | None = None
    position: tuple[float, float] | None = None
    radius: float = RADIUS
    identity: str | None = None
    p_lya: tuple[float, float] = (-math.inf, math.inf)
    sn: tuple[float, float] = (-math.inf, math.inf)
    wavelength: tuple[float, float] = (-math.inf, math.inf)
    redshift: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class SearchIndex:
    """The columns, all of one length, in the release's order; `identities[code]` names a class.

    `detectid` int64; `ra`, `dec` degrees; `wavelength` Å in air; `sn`; `redshift` and `p_lya`, NaN where no catalogue
    says; `identity` uint8 codes.
    """

    detectid: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    wavelength: np.ndarray
    sn: np.ndarray
    redshift: np.ndarray
    p_lya: np.ndarray
    identity: np.ndarray
    identities: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.detectid.size)

    @property
    def classified(self) -> bool:
        """Whether any detection has an identity."""
        return len(self.identities) > 1

    def find(self, query: Query) -> np.ndarray:
        """Rows that a query asks for: nearest first about a position, else in the order of the release.

        Raises
        ------
        DataError
            If the query cannot be meant: a position off the sky, an identity that the index does not have.
        """
        if query.detectid is not None:
            rows = np.flatnonzero(self.detectid == query.detectid)
        elif query.position is not None:
            rows = within(*query.position, query.radius, self.ra, self.dec)
        else:
            rows = np.empty(0, np.intp)
        narrowed = query.detectid is not None or query.position is not None
        keep = np.ones(rows.size if narrowed else len(self), bool)
        if query.identity is not None:
            if query.identity not in self.identities:
                known = ", ".join(self.identities[1:]) or "none: no catalogue was given"
                raise DataError(f"{query.identity!r} is no class of this index; there are {known}")
            codes = self.identity[rows] if narrowed else self.identity
            keep &= codes == self.identities.index(query.identity)
        for name in ("p_lya", "sn", "wavelength", "redshift"):
            low, high = getattr(query, name)
            if low == -math.inf and high == math.inf:
                continue
            values = getattr(self, name)[rows] if narrowed else getattr(self, name)
            keep &= (values >= low) & (values <= high)
        return rows[keep] if narrowed else np.flatnonzero(keep)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the arrays into `folder`, which is made; an index that is there is replaced.

        Raises
        ------
        DataError
            If the folder holds something else, or cannot be written.
        """
        path = given_path(folder, "SearchIndex: folder")
        made_folder(path)
        if any(path.iterdir()) and not (path / NAMES).is_file():
            raise DataError(f"{path}: holds something that is no search index; give an empty or a new folder")
        for name, kind in COLUMNS.items():
            np.save(path / f"{name}.npy", np.ascontiguousarray(getattr(self, name), dtype=kind))
        (path / NAMES).write_text(json.dumps(self.identities))


def load_index(folder: str | PathLike[str]) -> SearchIndex:
    """The index that `save` wrote, mapped, not read.

    Raises
    ------
    DataError
        If there is none, or it is damaged.
    """
    path = given_path(folder, "SearchIndex: folder")
    try:
        columns = {name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in COLUMNS}
        identities = tuple(json.loads((path / NAMES).read_text()))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: holds no search index ({error}); make it anew") from error
    if len({each.size for each in columns.values()}) != 1:
        raise DataError(f"{path}: the columns of this search index differ in length; make it anew")
    return SearchIndex(**columns, identities=identities)


def build_index(release: Release, catalog: str | PathLike[str] | None = None) -> SearchIndex:
    """The index of a release, with identities, redshifts and probabilities from a catalogue.

    Parameters
    ----------
    release : Release
    catalog : path, optional
        An ELiXer catalogue. One of this package says the identity; of a published one it is taken from `z_best`, P(Lyα)
        from `plya_classification`.

    Raises
    ------
    DataError
        If the catalogue cannot be read.
    """
    index = release.index()
    n = index.detectid.size
    redshift, p_lya = np.full(n, NAN), np.full(n, NAN)
    codes = np.zeros(n, np.uint8)
    identities: tuple[str, ...] = ("",)
    if catalog is not None:
        found = _classes(given_path(catalog, "build_index: catalog"))
        identities = ("", *sorted({str(each) for each in found["identity"]} - {""}))
        order = np.argsort(found["detectid"], kind="stable")
        # of several rows of one detection the last counts, as in merged catalogues
        place = np.searchsorted(found["detectid"], index.detectid, side="right", sorter=order) - 1
        place = np.clip(place, 0, None)
        if order.size:
            row = order[place]
            there = found["detectid"][row] == index.detectid
            redshift[there], p_lya[there] = found["redshift"][row[there]], found["p_lya"][row[there]]
            code = {name: number for number, name in enumerate(identities)}
            numbers = np.array([code[str(each)] for each in found["identity"]], np.uint8)
            codes[there] = numbers[row[there]]
    return SearchIndex(
        index.detectid, index.ra, index.dec, index.wavelength, index.sn, redshift, p_lya, codes, identities
    )


def _classes(catalog: Path) -> dict[str, np.ndarray]:
    """Columns detectid, identity, redshift, p_lya of an ELiXer catalogue."""
    try:
        with open_h5(catalog) as file:
            if "ElixerWidgets/Identity" in file:
                own = Table.of(file, catalog, "ElixerWidgets/Identity", ("detectid", "identity", "redshift", "p_lya"))
                own = own.data[:]
                names = np.array([each.decode() for each in own["identity"]], dtype="U12")
                z = np.where(np.isfinite(own["redshift"]), own["redshift"], NAN)
                return {"detectid": own["detectid"], "identity": names, "redshift": z, "p_lya": own["p_lya"]}
            if "Detections" in file:
                rows = Table.of(file, catalog, "Detections", ("detectid",)).data
                detectid, wave, z, p = (
                    rows[name] for name in ("detectid", "wavelength_obs", "z_best", "plya_classification")
                )
                return {
                    "detectid": detectid,
                    "identity": _identities(wave, z),
                    "redshift": _known(z),
                    "p_lya": _known(p),
                }
    except DataError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{catalog}: cannot be read as a catalogue ({error}); give an ELiXer catalogue") from error
    raise DataError(f"{catalog}: has no table of detections; give an ELiXer catalogue (*_cat.h5)")


def _known(values: np.ndarray) -> np.ndarray:
    """Fills of the published catalogue (-999.999, -1) as NaN."""
    known = np.asarray(values, float)
    return np.where(known < -0.5, NAN, known)


def _identities(wavelength: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """The identity whose line at `wavelength` (Å in air) has the published redshift; "" where none has."""
    z = _known(redshift)
    names = np.zeros(z.size, dtype="U12")
    off = np.full(z.size, Z_TOLERANCE)
    for name, line in IDENTITY_LINES.items():
        miss = np.abs(redshift_of(np.asarray(wavelength, float), line) - z)
        better = miss < off
        names[better], off[better] = name, miss[better]
    return names


# ------------------------------------------------------------------------------------------------ what people type


def understood(text: str) -> Query:
    """What a person typed into the search field: a detection number, or a position with or without a radius.

    `2100000123`; `150.1 2.2`; `150.1, 2.2, 30`; `10h00m24.0s +2d12m00s`; `10:00:24.0 +02:12:00 15`.

    Raises
    ------
    DataError
        If it is neither.
    """
    given = text.strip()
    if re.fullmatch(r"\d{1,19}", given) and int(given) < 2**63:
        return Query(detectid=int(given))
    words = [each for each in re.split(r"[\s,;]+", given) if each][:4]
    example = "a detection number, or a position such as 150.1 2.2 or 10h00m24s +2d12m00s, with a radius in arcsec"
    if len(words) not in (2, 3) or len(given) > 80:
        raise DataError(f"{given[:60]!r} is not understood; give {example}")
    try:
        ra, dec = _degrees(words[0], "hourangle"), _degrees(words[1], "deg")
        radius = float(words[2].rstrip('"')) if len(words) == 3 else RADIUS
    except ValueError as error:
        raise DataError(f"{given[:60]!r} is not understood; give {example}") from error
    if not (0 <= ra < 360 and -90 <= dec <= 90 and 0 < radius <= 3600):
        raise DataError(f"{given[:60]!r} is not on the sky, or its radius not within 3600 arcsec; give {example}")
    return Query(position=(ra, dec), radius=radius)


def _degrees(word: str, sexagesimal: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float((Angle(word, unit=sexagesimal) if ":" in word else Angle(word)).deg)
