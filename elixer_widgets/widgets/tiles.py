"""Images as the page shows them: which of them, turned north up and east left, and how bright."""

from __future__ import annotations

from dataclasses import replace
from math import atan2, ceil, cos, degrees, floor, hypot, isfinite, radians, sin

import numpy as np
from scipy.ndimage import map_coordinates

from elixer_widgets.detection import Cutout, DataError
from elixer_widgets.reports.stretch import IMAGE_CONTRAST, zscale
from elixer_widgets.widgets import pictures

FIELD = 9.0
"""arcsec; the side of the square shown at first."""

FIELDS = (9.0, 15.0, 30.0, 60.0)
"""arcsec; the sides that a person may choose."""

TILES = 5
"""Images shown side by side."""

BAND_ORDER = "ugrizyjhk"
SMALLEST, LARGEST = 15, 240
"""Pixels along the side of a picture: no more than the page has room for."""

SAME_PIXEL = 1e-3
"""How much a pixel read again may differ, of its value: another image of the same file differs by more."""


def choose_cutouts(cutouts: tuple[Cutout, ...], tiles: int = TILES) -> list[int]:
    """The numbers of the images to show: the deepest of each band first, then others, in order of wavelength."""

    def depth(number: int) -> float:
        value = cutouts[number].depth
        return value if isfinite(value) else -1.0

    best: dict[str, int] = {}
    for number in sorted(range(len(cutouts)), key=depth, reverse=True):
        best.setdefault(cutouts[number].band, number)
    first = list(best.values())
    rest = [number for number in range(len(cutouts)) if number not in first]

    def color(number: int) -> tuple[int, int]:
        place = BAND_ORDER.find(cutouts[number].band[:1].lower())
        return (place if place >= 0 else len(BAND_ORDER)), number

    return sorted((first + rest)[:tiles], key=color)


def favourite(cutouts: tuple[Cutout, ...], shown: list[int]) -> int:
    """The image to look at first: g, which holds the line, else r, else what there is."""
    for band in ("g", "r"):
        for number in shown:
            if cutouts[number].band.lower().startswith(band):
                return number
    return shown[0]


def image_key(cutout: Cutout) -> str:
    """What the state calls an image."""
    return f"{cutout.band} {cutout.survey}".strip()


class Sky:
    """A plane that touches the sky at a position: arcsec right (west) and down (south) of it, as a picture has them.

    The gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3).
    """

    def __init__(self, ra: float, dec: float) -> None:
        self.ra, self.dec = ra, dec

    def __call__(self, ra: float, dec: float) -> tuple[float, float]:
        """Where a position in degrees lies."""
        turn, up, here = radians((ra - self.ra + 180.0) % 360.0 - 180.0), radians(dec), radians(self.dec)
        depth = sin(up) * sin(here) + cos(up) * cos(here) * cos(turn)
        east = cos(up) * sin(turn) / depth
        north = (sin(up) * cos(here) - cos(up) * sin(here) * cos(turn)) / depth
        return -degrees(east) * 3600.0, -degrees(north) * 3600.0

    def position(self, x: float, y: float) -> tuple[float, float]:
        """(ra, dec) in degrees of a place."""
        east, north, here = radians(-x / 3600.0), radians(-y / 3600.0), radians(self.dec)
        across, along = cos(here) - north * sin(here), sin(here) + north * cos(here)
        return (self.ra + degrees(atan2(east, across))) % 360.0, degrees(atan2(along, hypot(east, across)))


def north_up(cutout: Cutout, ra: float, dec: float, field: float = FIELD) -> np.ndarray:
    """The image about a position, resampled so that north is up and east left.

    Parameters
    ----------
    cutout : Cutout
    ra, dec : float
        Degrees; the centre of the picture.
    field : float
        arcsec; the side of the square.

    Returns
    -------
    array, shape (n, n)
        Counts, first row south and first column east; NaN outside the image. Nearest pixels, none invented.
    """
    n = int(np.clip(round(field / max(cutout.pixel_scale, 1e-3)), SMALLEST, LARGEST))
    sky = Sky(ra, dec)
    # over an arcminute the projection of an image bends by far less than a pixel between these knots
    knots = np.linspace(-0.5, 0.5, 5) * field
    places = np.array([[sky.position(x, -north) for x in knots] for north in knots])
    wcs = cutout.wcs if cutout.wcs.naxis == 2 else cutout.wcs.celestial
    pixels = wcs.world_to_pixel_values(places[..., 0], places[..., 1])
    row, column = np.mgrid[:n, :n]
    at = [(row + 0.5) / n * (len(knots) - 1), (column + 0.5) / n * (len(knots) - 1)]
    x, y = (map_coordinates(np.asarray(each, float), at, order=1) for each in pixels)
    return map_coordinates(cutout.data, [y, x], order=0, mode="constant", cval=np.nan)


def painted(data: np.ndarray, cutout: Cutout, stretch: str) -> np.ndarray:
    """Counts as a picture, dark for much light.

    Parameters
    ----------
    data : array, shape (n, n)
    cutout : Cutout
        The image that `data` is from; its own sky sets the greys, so that they stay when the field is changed.
    stretch : str
        One of `stretch.STRETCHES`; asinh if it is none of them.

    Returns
    -------
    array of uint8, shape (n, n)
    """
    if stretch == "zscale":
        ny, nx = cutout.data.shape
        # the report's rule: of the inner two thirds
        inner = cutout.data[floor(0.17 * ny) : ceil(0.83 * ny), floor(0.17 * nx) : ceil(0.83 * nx)]
        return pictures.levels(data, zscale(inner if np.isfinite(inner).any() else cutout.data, IMAGE_CONTRAST))
    if stretch == "sigma":
        return pictures.levels(data, pictures.robust_range(cutout.data))
    return pictures.levels(data, pictures.robust_range(cutout.data, -1.5, 12.0), asinh=True)


def scale_bar(field: float) -> float:
    """Length of the scale bar, arcsec: a round number near a fifth of the field."""
    return max((each for each in (1.0, 2.0, 5.0, 10.0, 20.0) if each <= 0.24 * field), default=1.0)


def reaches(cutout: Cutout, field: float) -> bool:
    """Whether the image fills a field that is turned against it in any way."""
    return min(cutout.data.shape) * cutout.pixel_scale >= field * 2.0**0.5


def wider(cutout: Cutout, field: float) -> tuple[Cutout, str]:
    """The same image cut out farther around, read from its file.

    Parameters
    ----------
    cutout : Cutout
    field : float
        arcsec; the side of the square that is to be filled.

    Returns
    -------
    (Cutout, str)
        The image itself where its file gives no more, and then why.
    """
    if reaches(cutout, field):
        return cutout, ""
    if not cutout.path:
        return cutout, "this image came without its file: there is no more of it"
    try:
        found = Cutout.from_fits(
            cutout.path, cutout.band, cutout.zero_point, cutout.position, field * 2.0**0.5, survey=cutout.survey
        )
        x, y = cutout.pixel(*cutout.position)
        u, v = found.pixel(*cutout.position)
        old, new = cutout.data[round(y), round(x)], found.data[round(v), round(u)]
    except (DataError, IndexError, ValueError) as error:
        return cutout, f"the file could not be read farther around: {error}"
    # a file may hold several images, of which the first is not always the one that was measured
    if not abs(float(new) - float(old)) <= SAME_PIXEL * abs(float(old)):
        return cutout, "its file holds several images: no more than the cutout is shown"
    return replace(found, depth=cutout.depth, psf_fwhm=cutout.psf_fwhm), ""
