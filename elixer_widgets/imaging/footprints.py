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

FORMAT = 1  # of the kept files; raise it when their content changes

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
    ra, dec = plane.wcs.pixel_to_world_values(edge[:, 0], edge[:, 1])
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
        self.broken: list[str] = []
        self.tiles: list[Tile] = []
        pattern = re.compile(survey.name_pattern)
        own: dict[str, tuple[str, dict[str, str]]] = {}
        for name in names:
            named = pattern.fullmatch(name.rsplit("/", 1)[-1])
            if named is not None and matches(name, survey.images):
                key = {part: value for part, value in named.groupdict().items() if value is not None}
                band = key.get("band", survey.bands[0])
                own[name] = (survey.band_names.get(band, band), key)
        for name, edge in self._edges(own).items():
            if isinstance(edge, str):
                self.broken.append(edge)
                continue
            band, key = own[name]
            vectors = unit_vectors(*np.reshape(edge, (-1, 2)).T) if edge else np.zeros((0, 3))
            self.tiles.append(Tile(os.path.join(root, name), band, key, survey.hdu, vectors))
        self._centers = np.array([tile.center for tile in self.tiles]).reshape(-1, 3)
        self._chords = 2.0 * np.sin(np.array([tile.reach for tile in self.tiles]) / 2.0) + 1e-9

    def covering(self, ra: float, dec: float) -> list[tuple[float, Tile]]:
        """(distance to the nearest edge in arcsec, tile) of the images that cover a position in degrees."""
        if not self.tiles:
            return []
        point = unit_vectors(ra, dec)
        near = np.flatnonzero(np.linalg.norm(self._centers - point, axis=1) <= self._chords)
        found = []
        for tile in (self.tiles[i] for i in near):
            if not inside(tile.outline, tile.center, point):
                continue
            try:
                margin = tile.plane.margin(ra, dec)
            except DataError as error:  # the file went away or changed since it was looked at
                if str(error) not in self.broken:
                    self.broken.append(str(error))
                continue
            if margin >= 0:
                found.append((margin, tile))
        return found

    def _edges(self, names: Iterable[str]) -> dict[str, list[float] | str]:
        """File to its outline, or to a sentence if it cannot be read; from the kept index where that is still true."""
        kept = self._kept()
        found: dict[str, list[float] | str] = {}
        stamps: dict[str, tuple[int, int]] = {}
        new: list[str] = []
        for name in names:
            try:
                status = os.stat(os.path.join(self.root, name))
            except OSError as error:
                found[name] = f"{self.root / name}: {error.strerror}; check the link or the rights"
                continue
            stamps[name] = (status.st_mtime_ns, status.st_size)
            record = kept.get(name)
            if isinstance(record, list) and len(record) == 3 and tuple(record[:2]) == stamps[name]:
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
        try:
            plane = find_plane(self.root / name, self.survey.hdu)
        except DataError as error:
            return str(error)
        return [round(float(value), 9) for value in outline(plane).ravel()]

    @property
    def _file(self) -> Path:
        what = json.dumps([FORMAT, str(self.root.resolve()), self.survey.name, self.survey.hdu])
        return cache_folder() / "footprints" / f"{hashlib.sha1(what.encode()).hexdigest()}.json"

    def _kept(self) -> dict[str, list]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            os.utime(self._file)
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _keep(self, records: Mapping[str, list]) -> None:
        try:
            write_whole(self._file, json.dumps(records).encode())
            kept = sorted(self._file.parent.glob("*.json"), key=os.path.getmtime)
            for path in kept[:-INDICES]:
                path.unlink(missing_ok=True)
        except OSError:
            return  # without a place to keep it, the index is made anew next time
