"""The sky in a square of the page: where a position lies, and the pixels shown there. Pure geometry and arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import Cutout
from elixer_widgets.reports.layout import Box
from elixer_widgets.reports.stretch import IMAGE_CONTRAST, grey, zscale

FIELD = 9.0  # arcsec, side of a panel of the page
STACK_SAMPLES = 90


@dataclass(frozen=True)
class View:
    """How the sky lies in a square panel: `step` is page pixels per arcsec; `east`, `north` are unit vectors (page)."""

    box: Box
    ra: float
    dec: float
    step: float
    east: tuple[float, float]
    north: tuple[float, float]

    def place(self, east: float, north: float) -> tuple[float, float]:
        """Page pixel of an offset in arcsec."""
        x, y = self.box.center
        return (
            x + self.step * (east * self.east[0] + north * self.north[0]),
            y + self.step * (east * self.east[1] + north * self.north[1]),
        )

    def sky(self, ra: float, dec: float) -> tuple[float, float]:
        """Page pixel of a position in degrees (plane approximation, good to 1e-4 arcsec over these fields)."""
        turn = (ra - self.ra + 180.0) % 360.0 - 180.0
        return self.place(turn * 3600.0 * math.cos(math.radians(self.dec)), (dec - self.dec) * 3600.0)

    def inside(self, point: tuple[float, float], margin: float = 0.0) -> bool:
        """Whether a page pixel lies in the panel."""
        box = self.box.inset(margin)
        return box.left <= point[0] <= box.right and box.top <= point[1] <= box.bottom

    def ellipse(self, ra: float, dec: float, major: float, minor: float, angle: float) -> np.ndarray:
        """Outline (page pixels) of an ellipse of semi-axes in arcsec, `angle` degrees east of north."""
        center = self.sky(ra, dec)
        turn = math.radians(angle)
        phase = np.linspace(0.0, 2.0 * np.pi, 73)
        along, across = major * np.cos(phase), minor * np.sin(phase)
        north = along * math.cos(turn) - across * math.sin(turn)
        east = along * math.sin(turn) + across * math.cos(turn)
        return np.column_stack(
            [
                center[0] + self.step * (east * self.east[0] + north * self.north[0]),
                center[1] + self.step * (east * self.east[1] + north * self.north[1]),
            ]
        )


def plain_view(box: Box, ra: float, dec: float, field: float = FIELD) -> View:
    """North up, east to the left; `field` arcsec wide."""
    return View(box, ra, dec, box.width / field, (-1.0, 0.0), (0.0, -1.0))


def native_view(box: Box, cutout: Cutout, ra: float, dec: float, field: float = FIELD) -> View:
    """The orientation of the image's own pixels; `field` arcsec wide."""
    x0, y0 = cutout.pixel(ra, dec)
    small = 1.0 / 3600.0
    xe, ye = cutout.pixel(ra + small / math.cos(math.radians(dec)), dec)
    xn, yn = cutout.pixel(ra, dec + small)

    def unit(dx: float, dy: float) -> tuple[float, float]:
        length = math.hypot(dx, dy) or 1.0
        return dx / length, -dy / length  # page y runs downwards

    return View(box, ra, dec, box.width / field, unit(xe - x0, ye - y0), unit(xn - x0, yn - y0))


def cropped(cutout: Cutout, ra: float, dec: float, side: float = FIELD) -> np.ndarray:
    """The square of `side` arcsec about a position in native pixels; NaN where the image has none.

    The square is as large as whole pixels allow and centred to within half a pixel.
    """
    count = max(2, round(side / cutout.pixel_scale))
    x, y = cutout.pixel(ra, dec)
    left, bottom = round(x - (count - 1) / 2), round(y - (count - 1) / 2)
    out = np.full((count, count), np.nan)
    ny, nx = cutout.data.shape
    x0, x1 = max(left, 0), min(left + count, nx)
    y0, y1 = max(bottom, 0), min(bottom + count, ny)
    if x1 > x0 and y1 > y0:
        out[y0 - bottom : y1 - bottom, x0 - left : x1 - left] = cutout.data[y0:y1, x0:x1]
    return out


def picture(data: np.ndarray) -> np.ndarray:
    """8-bit picture of a cutout: zscale of its inner two thirds, dark = bright."""
    ny, nx = data.shape
    inner = data[int(0.17 * ny) : max(int(0.83 * ny), 1), int(0.17 * nx) : max(int(0.83 * nx), 1)]
    use = inner if np.isfinite(inner).any() else data
    return grey(data, zscale(use, IMAGE_CONTRAST))


def stack(cutouts: tuple[Cutout, ...], ra: float, dec: float) -> np.ndarray | None:
    """All bands laid over one another on a grid with north up (nearest pixel), for the eye only.

    Each band is put on the scale of its own noise first. None without an image.
    """
    half = FIELD / 2 * (1 - 1 / STACK_SAMPLES)
    offsets = np.linspace(-half, half, STACK_SAMPLES)
    east, north = np.meshgrid(-offsets, offsets)
    sky_ra = ra + east / 3600.0 / math.cos(math.radians(dec))
    sky_dec = dec + north / 3600.0
    layers = []
    for cutout in cutouts:
        if not cutout.usable:
            continue
        x, y = cutout.wcs.celestial.world_to_pixel_values(sky_ra, sky_dec)
        column, row = np.rint(x), np.rint(y)
        ny, nx = cutout.data.shape
        inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        layer = np.full(east.shape, np.nan)
        layer[inside] = cutout.data[row[inside].astype(int), column[inside].astype(int)]
        finite = layer[np.isfinite(layer)]
        if finite.size:
            middle = np.median(finite)
            noise = 1.4826 * np.median(np.abs(finite - middle)) or 1.0
            layers.append((layer - middle) / noise)
    if not layers:
        return None
    cube = np.array(layers)
    count = np.isfinite(cube).sum(axis=0)
    return np.where(count > 0, np.nansum(cube, axis=0) / np.sqrt(np.maximum(count, 1)), np.nan)
