"""Arrays as pictures: grey scales, cosmic rays marked, packed into PNG text for the page."""

from __future__ import annotations

import io
from base64 import b64encode

import numpy as np
from PIL import Image

from elixer_widgets.widgets import palette

EMPTY = 245
"""Grey level of pixels without data: nearly the paper's."""


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def robust_range(data: np.ndarray, low: float = -2.0, high: float = 5.0) -> tuple[float, float]:
    """Values at `low` and `high` robust standard deviations about the median of `data`.

    The deviation is that of the pixels below the median, so that a bright source does not stretch it.
    """
    finite = np.asarray(data)[np.isfinite(data)]
    if finite.size == 0:
        return 0.0, 1.0
    middle = float(np.median(finite))
    below = finite[finite <= middle]
    sigma = 1.4826 * float(np.median(middle - below)) if below.size else 0.0
    sigma = sigma or float(np.std(finite)) or 1.0
    return middle + low * sigma, middle + high * sigma


def levels(data: np.ndarray, limits: tuple[float, float], asinh: bool = False) -> np.ndarray:
    """Grey levels, dark for much light; `EMPTY` where there is no data.

    Parameters
    ----------
    data : array, shape (ny, nx)
    limits : tuple of float
        The values that become white and black.
    asinh : bool
        Compress the bright end (Lupton et al. 2004, PASP 116, 133).

    Returns
    -------
    array of uint8, shape (ny, nx)
    """
    low, high = limits
    scaled = np.clip((np.nan_to_num(data, nan=low) - low) / max(high - low, 1e-30), 0.0, 1.0)
    if asinh:
        scaled = np.arcsinh(8.0 * scaled) / np.arcsinh(8.0)
    level = (255.0 * (1.0 - scaled)).astype(np.uint8)
    level[~np.isfinite(data)] = EMPTY
    return level


def gray(
    data: np.ndarray, limits: tuple[float, float], marked: np.ndarray | None = None, asinh: bool = False
) -> np.ndarray:
    """Dark for much light, on white paper.

    Parameters
    ----------
    data : array, shape (ny, nx)
    limits : tuple of float
        The values that become white and black.
    marked : boolean array, same shape, optional
        Pixels to paint in the colour of masked pixels.
    asinh : bool
        Compress the bright end (Lupton et al. 2004, PASP 116, 133).

    Returns
    -------
    array of uint8, shape (ny, nx, 3)
    """
    picture = np.repeat(levels(data, limits, asinh)[..., None], 3, axis=2)
    if marked is not None:
        picture[marked] = _rgb(palette.MASKED)
    return picture


def png(picture: np.ndarray) -> bytes:
    """A uint8 picture, first row at the bottom as astronomers count, as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[::-1])).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def data_uri(picture: np.ndarray) -> str:
    """The same as text that an `img` or an SVG `image` takes."""
    return "data:image/png;base64," + b64encode(png(picture)).decode("ascii")
