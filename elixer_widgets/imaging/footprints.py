"""Where on the sky each image lies: outlines from the images' own WCS, found once and kept on disk.

A position is tested against the outline as a polygon on the sphere, so there is neither a seam at RA 0 nor a pole nor a
forgotten cos δ; only images whose outline holds it are opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeGuard

import numpy as np

from elixer_widgets._cache import cache_folder, write_whole
from elixer_widgets._sections import ImagePlane, find_plane
from elixer_widgets.detection import DataError
from elixer_widgets.imaging.files import matches
from elixer_widgets.imaging.registry import Survey
from elixer_widgets.imaging.tables import unit_vectors

# A few files are read sooner than a cache is kept tidy.
KEPT_FROM = 20

INDICES = 100  # kept at most; those used longest ago go first

TOLD = 5  # images that cannot be read, whose reasons are told in full

FORMAT = 2  # of the kept files; raise it when their content changes

_POINTS = 8  # on each edge of an image: between them, edges are taken for great circles, which they are in a TAN image
_MARGIN = 1.0  # pixels by which an outline is wider than its image, for what is lost by that


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of one survey: its file, its band, and the parts of its file name (`key`).

    `outline` holds the corners of a polygon as unit vectors, shape (n, 3), and is empty if the image's edge cannot be
    put on the sky.
    """

    path: str
    band: str
    key: Mapping[str, str] = field(default_factory=dict)
    hdu: int | str | None = None
    outline: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    @cached_property
    def plane(self) -> ImagePlane:
        """The image, its header read at the first use.

        Raises
        ------
        DataError
            If the file is not there any more, or not what it was.
        """
        return find_plane(self.path, self.hdu)

    @cached_property
    def center(self) -> np.ndarray:
        """Middle of the outline, shape (3,)."""
        if len(self.outline) == 0:
            return np.array([0.0, 0.0, 1.0])
        middle = self.outline.mean(axis=0)
        return middle / np.linalg.norm(middle)

    @cached_property
    def reach(self) -> float:
        """Radius in radians of a circle around `center` that holds the image."""
        if len(self.outline) == 0:
            return float(np.pi)
        # From the chord: the arc cosine knows nothing of small angles.
        half = np.linalg.norm(self.outline - self.center, axis=1).max() / 2.0
        return float(2.0 * np.arcsin(min(half, 1.0)) * 1.001)


def outline(plane: ImagePlane) -> np.ndarray:
    """Points along an image's edge as (ra, dec) in degrees, shape (n, 2); empty where it has no place on the sky."""
    ny, nx = plane.shape
    low, right, top = -0.5 - _MARGIN, nx - 0.5 + _MARGIN, ny - 0.5 + _MARGIN
    along = np.linspace(0.0, 1.0, _POINTS, endpoint=False)
    corners = np.array([(low, low), (right, low), (right, top), (low, top)])
    edge = np.concatenate([a + along[:, None] * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)])
    try:
        ra, dec = plane.wcs.pixel_to_world_values(edge[:, 0], edge[:, 1])
    except Exception as error:  # whatever the WCS library makes of a header
        raise DataError(f"{plane.path}: its edge has no place on the sky ({error!s:.80}); check its WCS") from error
    points = np.stack([np.asarray(ra) % 360.0, dec], axis=-1)
    return points if np.isfinite(points).all() else np.zeros((0, 2))


def inside(polygon: np.ndarray, center: np.ndarray, point: np.ndarray) -> bool:
    """Whether a point of the sphere lies within a polygon of great circles, all unit vectors.

    Seen from the middle of the sphere (gnomonic projection about `center`) great circles are straight lines, so the
    plane's test by crossings holds. A polygon that reaches over a hemisphere, or none, holds every point.
    """
    axis = np.eye(3)[int(np.argmin(np.abs(center)))]
    east = np.cross(axis, center)
    east /= np.linalg.norm(east)
    frame = np.stack([east, np.cross(center, east), center], axis=-1)
    corners, target = polygon @ frame, point @ frame
    if len(corners) == 0 or corners[:, 2].min() <= 0.0:
        return True
    if target[2] <= 0.0:
        return False
    x, y = corners[:, 0] / corners[:, 2], corners[:, 1] / corners[:, 2]
    tx, ty = target[0] / target[2], target[1] / target[2]
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    crosses = (y > ty) != (y2 > ty)
    rise = np.where(crosses, y2 - y, 1.0)
    return bool(np.sum(crosses & (tx < x + (ty - y) / rise * (x2 - x))) % 2)


Stamp = tuple[int, int] | str
"""When a file was written (ns) and its length, or why that cannot be told."""


def _is_record(record: object) -> TypeGuard[list]:
    """Whether an entry of the kept index is one: a damaged file may hold anything."""
    if not (isinstance(record, list) and len(record) == 3):
        return False
    edge = record[2]
    if isinstance(edge, str):
        return True
    if not isinstance(edge, list) or len(edge) not in (0, 8 * _POINTS):
        return False
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in edge):
        return False
    return all(0 <= ra <= 360 and abs(dec) <= 90 for ra, dec in zip(edge[::2], edge[1::2], strict=True))


class Footprints:
    """The images of one survey under one folder, from their headers, which are read once and kept.

    Parameters
    ----------
    root : Path
    survey : Survey
    names : iterable of str
        All files under the folder (`files.walk`).
    """

    def __init__(self, root: Path, survey: Survey, names: Iterable[str]) -> None:
        self.root = root
        self.survey = survey
        pattern = re.compile(survey.name_pattern)
        self._own: dict[str, tuple[str, dict[str, str]]] = {}
        for name in names:
            named = pattern.fullmatch(name.rsplit("/", 1)[-1])
            if named is not None and matches(name, survey.images):
                key = {part: value for part, value in named.groupdict().items() if value is not None}
                band = key.get("band", survey.bands[0])
                self._own[name] = (survey.band_names.get(band, band), key)
        self._faults: dict[str, str] = {}
        self._stamps: dict[str, Stamp] = {}
        self._tiles: dict[str, Tile] = {}
        for name, edge in self._edges(self._own).items():
            self._put(name, edge)
        self._arrange()

    @property
    def tiles(self) -> list[Tile]:
        """The images that can be read."""
        return list(self._tiles.values())

    @property
    def broken(self) -> list[str]:
        """What is wrong with the others, the first few in full."""
        self._look_again(self._faults)
        told = list(self._faults.values())
        if len(told) <= TOLD:
            return told
        rest = [name.rsplit("/", 1)[-1] for name in list(self._faults)[TOLD:]]
        more = f", and {len(rest) - 20} more" if len(rest) > 20 else ""
        return [*told[:TOLD], f"{len(rest)} more images cannot be read: {', '.join(rest[:20])}{more}"]

    def _put(self, name: str, edge: list[float] | str) -> None:
        """Take in what was found of one image."""
        self._tiles.pop(name, None)
        self._faults.pop(name, None)
        if isinstance(edge, str):
            self._faults[name] = edge
            return
        band, key = self._own[name]
        vectors = unit_vectors(*np.reshape(edge, (-1, 2)).T) if edge else np.zeros((0, 3))
        self._tiles[name] = Tile(os.path.join(self.root, name), band, key, self.survey.hdu, vectors)

    def _arrange(self) -> None:
        tiles = self.tiles
        self._order = list(self._tiles)
        self._centers = np.array([tile.center for tile in tiles]).reshape(-1, 3)
        self._chords = 2.0 * np.sin(np.array([tile.reach for tile in tiles]) / 2.0) + 1e-9

    def _look_again(self, names: Iterable[str]) -> None:
        """Read the headers once more of those files that are not what they were, and of no others."""
        changed = [name for name in names if self._stamp(name) != self._stamps.get(name)]
        for name in changed:
            stamp = self._stamp(name)
            self._put(name, stamp if isinstance(stamp, str) else self._edge(name))
            self._stamps[name] = stamp
        if changed:
            self._arrange()

    def covering(self, ra: float, dec: float) -> list[tuple[float, Tile]]:
        """(distance to the nearest edge in arcsec, tile) of the images that cover a position in degrees."""
        point = unit_vectors(ra, dec)
        self._look_again([*self._faults, *self._near(point)])
        found = []
        for name in self._near(point):
            tile = self._tiles[name]
            if not inside(tile.outline, tile.center, point):
                continue
            try:
                margin = tile.plane.margin(ra, dec)
            except DataError as error:  # the file went away since it was looked at
                self._faults[name] = str(error)
                continue
            if margin >= 0:
                found.append((margin, tile))
        return found

    def _near(self, point: np.ndarray) -> list[str]:
        """The images whose surrounding circle holds a point."""
        if not self._order:
            return []
        near = np.flatnonzero(np.linalg.norm(self._centers - point, axis=1) <= self._chords)
        return [self._order[place] for place in near]

    def _stamp(self, name: str) -> Stamp:
        """When a file was written and how long it is, or why that cannot be told."""
        path = os.path.join(self.root, name)
        try:
            status = os.stat(path)
        except OSError as error:
            return f"{path}: {error.strerror}; check the link or the rights"
        return status.st_mtime_ns, status.st_size

    def _edges(self, names: Iterable[str]) -> dict[str, list[float] | str]:
        """File to its outline, or to a sentence if it cannot be read; from the kept index where that is still true."""
        kept = self._kept()
        found: dict[str, list[float] | str] = {}
        stamps: dict[str, tuple[int, int]] = {}
        new: list[str] = []
        for name in names:
            stamp = self._stamps[name] = self._stamp(name)
            if isinstance(stamp, str):
                found[name] = stamp
                continue
            stamps[name] = stamp
            record = kept.get(name)
            if _is_record(record) and tuple(record[:2]) == stamp:
                found[name] = record[2]
            else:
                new.append(name)
        if new:
            # Threads wait for the disk together: on a shared file system that is most of the time. Whoever silences
            # warnings in a thread may leave them silent, so they are restored here, after all threads.
            with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=8) as pool:
                found.update(zip(new, pool.map(self._edge, new), strict=True))
        if len(stamps) >= KEPT_FROM and (new or set(kept) != set(stamps)):
            self._keep({name: [*stamps[name], found[name]] for name in stamps})
        return {name: found[name] for name in names}

    def _edge(self, name: str) -> list[float] | str:
        path = self.root / name
        try:
            plane = find_plane(path, self.survey.hdu)
            return [round(float(value), 9) for value in outline(plane).ravel()]
        except DataError as error:
            return str(error)

    @property
    def _file(self) -> Path:
        what = json.dumps([FORMAT, str(self.root.resolve()), self.survey.name, self.survey.hdu])
        return cache_folder() / "footprints" / f"{hashlib.sha1(what.encode()).hexdigest()}.json"

    def _kept(self) -> dict[str, list]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            os.utime(self._file)
        except (OSError, ValueError, RecursionError):  # a damaged index is made anew
            return {}
        return content if isinstance(content, dict) else {}

    def _keep(self, records: Mapping[str, list]) -> None:
        try:
            write_whole(self._file, json.dumps(records).encode())
            ours = [path for path in self._file.parent.glob("*.json") if re.fullmatch("[0-9a-f]{40}", path.stem)]
            kept = sorted(ours, key=os.path.getmtime)
            for path in kept[:-INDICES]:
                path.unlink(missing_ok=True)
        except OSError:
            return  # without a place to keep it, the index is made anew next time
