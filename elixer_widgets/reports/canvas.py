"""The page to draw on: the only module that knows matplotlib.

One set of axes covers the page and counts in page pixels (see `layout`), origin at the upper left. Axes with ticks cost
most of the time of a page of many small panels, so a panel here is only a box and two scales, and its ticks are lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from elixer_widgets.reports.layout import DPI, HEIGHT, WIDTH, Box

SMALLEST_TYPE = 7.0  # points; smaller letters cannot be read in print
FONTS = {"sans": "DejaVu Sans", "mono": "DejaVu Sans Mono"}  # both come with matplotlib
HALF_HEIGHT = 0.36  # half the height of a capital letter in units of the type's size
MONO_ADVANCE = 0.602  # width of one character of DejaVu Sans Mono in units of its size
PIXELS_PER_POINT = DPI / 72.0
FORMATS = {".pdf": "pdf", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def mono_width(text: str, size: float) -> float:
    """Width in page pixels of one line of monospaced text of `size` points."""
    return len(text) * MONO_ADVANCE * size * PIXELS_PER_POINT


class Canvas:
    """A blank page, counted in pixels of 1/150 inch; by default the report's, 18 x 12.25 inches.

    Parameters
    ----------
    width, height : float
        Page pixels.
    paper : str
        Its colour.
    dpi : int
        Picture pixels per inch, where it is written as a picture.
    """

    def __init__(self, width: float = WIDTH, height: float = HEIGHT, paper: str = "white", dpi: int = DPI) -> None:
        from matplotlib.figure import Figure

        self.dpi = dpi
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=dpi, facecolor=paper)
        self.figure.suppressComposite = True  # type: ignore[assignment]  # else every picture becomes page-sized
        self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        self.axes.set_autoscale_on(False)
        self._order = 0
        self._clips: dict[Box, Any] = {}

    def _add(self, artist: Any, clip: Box | None) -> None:
        """Put an artist above all that is there, seen only inside `clip`."""
        from matplotlib.path import Path as Shape
        from matplotlib.transforms import Bbox, IdentityTransform, TransformedBbox, TransformedPath

        self._order += 1
        artist.set_zorder(self._order)
        # an artist that comes with a clip path is spared one that is made for it and dropped: a twentieth of a page
        artist.set_clip_path(TransformedPath(Shape.unit_rectangle(), IdentityTransform()))
        self.axes.add_artist(artist)
        artist.set_clip_path(None)
        if clip is None:
            artist.set_clip_on(False)
            return
        if clip not in self._clips:
            box = Bbox.from_extents(clip.left, clip.bottom, clip.right, clip.top)
            self._clips[clip] = TransformedBbox(box, self.axes.transData)
        artist.set_clip_box(self._clips[clip])

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 9.0,
        *,
        color: str = "black",
        align: str = "left",
        vertical: str = "center",
        rotation: float = 0.0,
        bold: bool = False,
        family: str = "sans",
        halo: bool = False,
        spacing: float = 1.15,
    ) -> None:
        """Write `text` at page pixel (x, y)."""
        from matplotlib.text import Text

        if vertical == "center" and not rotation and "\n" not in text:
            # centred by its own extent, each word would sit at another height than its neighbours
            y, vertical = y + HALF_HEIGHT * max(size, SMALLEST_TYPE) * PIXELS_PER_POINT, "baseline"
        artist = Text(
            x,
            y,
            text,
            fontsize=max(size, SMALLEST_TYPE),
            color=color,
            ha=align,
            va=vertical,
            rotation=rotation,
            rotation_mode="anchor",
            fontweight="bold" if bold else "normal",
            fontfamily=FONTS[family],
            linespacing=spacing,
            parse_math=False,
        )
        if halo:
            artist.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6})
        artist.set_transform(self.axes.transData)
        self._add(artist, None)

    def image(self, pixels: np.ndarray, box: Box) -> None:
        """Show 8-bit RGB `pixels`, shape (ny, nx, 3), row 0 at the bottom, stretched to `box`."""
        from matplotlib.image import AxesImage

        # viewers blur pictures that they must enlarge: hand them large pixels
        factor = int(max(1, min(8, round(box.width / max(pixels.shape[1], 1)))))
        large = np.repeat(np.repeat(pixels[::-1], factor, axis=0), factor, axis=1)
        extent = (box.left, box.right, box.bottom, box.top)
        artist = AxesImage(self.axes, interpolation="none", origin="upper", extent=extent)
        artist.set_data(large)
        self._add(artist, None)
        artist.set_clip_path(self.axes.patch)

    def lines(
        self,
        segments: Sequence[Sequence[tuple[float, float]]] | Sequence[np.ndarray],
        color: str = "black",
        width: float = 0.8,
        *,
        alpha: float = 1.0,
        dashes: str | tuple = "-",
        clip: Box | None = None,
    ) -> None:
        """Draw polylines, each a sequence of (x, y) in page pixels; `width` in points."""
        from matplotlib.collections import LineCollection

        if len(segments):
            self._add(
                LineCollection(list(segments), colors=color, linewidths=width, alpha=alpha, linestyles=dashes),
                clip,
            )

    def polygon(
        self,
        points: Sequence[tuple[float, float]] | np.ndarray,
        *,
        edge: str = "none",
        face: str = "none",
        width: float = 1.0,
        alpha: float = 1.0,
        dashes: str | tuple = "-",
        hatch: str | None = None,
        clip: Box | None = None,
    ) -> None:
        """Draw a closed shape through `points` in page pixels."""
        from matplotlib.patches import Polygon

        patch = Polygon(
            np.asarray(points, float), closed=True, edgecolor=edge, facecolor=face, linewidth=width, alpha=alpha,
            linestyle=dashes, hatch=hatch,
        )  # fmt: skip
        self._add(patch, clip)

    def rectangle(self, box: Box, **style: Any) -> None:
        """Draw a box; `style` as in `polygon`."""
        self.polygon(
            [
                (box.left, box.top),
                (box.right, box.top),
                (box.right, box.bottom),
                (box.left, box.bottom),
            ],
            **style,
        )

    def dots(self, x: np.ndarray, y: np.ndarray, color: str, size: float = 9.0, clip: Box | None = None) -> None:
        """Filled circles of `size` square points."""
        from matplotlib.collections import PathCollection
        from matplotlib.path import Path as Shape
        from matplotlib.transforms import IdentityTransform

        artist = PathCollection(
            [Shape.unit_circle()], sizes=[size / 4.0], facecolors=color, edgecolors="none",
            offsets=np.column_stack([x, y]), offset_transform=self.axes.transData,
        )  # fmt: skip
        artist.set_transform(IdentityTransform())
        self._add(artist, clip)

    def not_available(self, box: Box, what: str, reason: str, size: float = 9.0) -> None:
        """A pale box that says what is missing and why."""
        self.rectangle(box, edge="#bdbdbd", face="#f4f4f4", width=0.8)
        room = int((box.width - 16) / (0.58 * size * PIXELS_PER_POINT))
        lines = [*wrap(what, room), "not available:", *wrap(reason or "no reason was given", room)]
        most = max(3, int(box.height / (1.35 * size * PIXELS_PER_POINT)))
        if len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1][: max(room - 2, 1)] + " …"]
        self.text(*box.center, "\n".join(lines), size, color="#444444", align="center")

    def save(self, path: str | PathLike[str], metadata: dict[str, str], made: datetime) -> None:
        """Write the page to `path`; the suffix (one of `FORMATS`) tells the format.

        It is made in memory first, so that nothing stays open where the disk is full.
        """
        target, page = Path(path), BytesIO()
        kind = FORMATS[target.suffix.lower()]
        if kind == "pdf":
            self.figure.savefig(page, format="pdf", dpi=self.dpi, metadata={**metadata, "CreationDate": made})
        elif kind == "png":
            self.figure.savefig(page, format="png", dpi=self.dpi, metadata=metadata)
        else:
            self._save_jpeg(page, metadata)
        target.write_bytes(page.getvalue())

    def _save_jpeg(self, target: BytesIO, metadata: dict[str, str]) -> None:
        """A JPEG with the metadata as its comment."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        agg = FigureCanvasAgg(self.figure)
        agg.draw()
        picture = Image.fromarray(np.asarray(agg.buffer_rgba())[..., :3].copy())
        comment = "\n".join(f"{key}: {value}" for key, value in metadata.items())
        picture.save(target, format="JPEG", quality=92, dpi=(self.dpi, self.dpi), comment=comment.encode())


def wrap(text: str, room: int) -> list[str]:
    """`text` broken at spaces into lines of at most `room` characters (longer words are broken too)."""
    from textwrap import wrap as break_lines

    return break_lines(text, max(room, 8)) or [""]


def nice_ticks(low: float, high: float, about: int = 6) -> np.ndarray:
    """Round numbers between `low` and `high`, roughly `about` of them, 1, 2, 2.5 or 5 times a power of ten apart."""
    span = high - low
    if not np.isfinite(span) or span <= 0:
        return np.array([])
    raw = span / max(about, 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = min((1.0, 2.0, 2.5, 5.0, 10.0), key=lambda m: abs(np.log(m * power / raw))) * power
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


@dataclass(frozen=True)
class Panel:
    """A box of the page with a scale along each side."""

    canvas: Canvas
    box: Box
    xlim: tuple[float, float]
    ylim: tuple[float, float]

    def x(self, values: Any) -> Any:
        """Page pixels of data x."""
        low, high = self.xlim
        return self.box.left + (np.asarray(values, float) - low) / (high - low) * self.box.width

    def y(self, values: Any) -> Any:
        """Page pixels of data y (data upwards, the page downwards)."""
        low, high = self.ylim
        return self.box.bottom - (np.asarray(values, float) - low) / (high - low) * self.box.height

    def curve(self, x: np.ndarray, y: np.ndarray, color: str, width: float = 1.0, **style: Any) -> None:
        """A polyline that stops at NaN and is cut at the frame."""
        inside = np.clip(np.asarray(y, float), self.ylim[0] - 1e3, self.ylim[1] + 1e3)
        points = np.column_stack([self.x(x), self.y(inside)])
        good = np.isfinite(points).all(axis=1)
        pieces = np.split(points, np.flatnonzero(np.diff(good.astype(int))) + 1)
        firsts = np.concatenate([[0], np.flatnonzero(np.diff(good.astype(int))) + 1])
        kept = [piece for piece, first in zip(pieces, firsts, strict=True) if good[first] and len(piece) > 1]
        self.canvas.lines(kept, color, width, clip=self.box, **style)

    def band(self, x: np.ndarray, low: np.ndarray, high: np.ndarray, **style: Any) -> None:
        """A filled band between two curves; where either is NaN it has no width."""
        good = np.isfinite(low) & np.isfinite(high)
        bottom, top = np.where(good, low, 0.0), np.where(good, high, 0.0)
        points = np.concatenate(
            [
                np.column_stack([self.x(x), self.y(top)]),
                np.column_stack([self.x(x), self.y(bottom)])[::-1],
            ]
        )
        self.canvas.polygon(points, clip=self.box, **style)

    def span(self, low: float, high: float, **style: Any) -> None:
        """A vertical band over the whole height."""
        left, right = np.clip([low, high], *self.xlim)
        if right > left:
            self.canvas.rectangle(
                Box(float(self.x(left)), self.box.top, float(self.x(right)), self.box.bottom), **style
            )

    def verticals(self, values: Sequence[float] | np.ndarray, color: str, width: float, **style: Any) -> None:
        """Vertical lines over the whole height."""
        inside = [v for v in values if self.xlim[0] <= v <= self.xlim[1]]
        self.canvas.lines(
            [[(float(self.x(v)), self.box.top), (float(self.x(v)), self.box.bottom)] for v in inside],
            color, width, clip=self.box, **style,
        )  # fmt: skip

    def frame(self, x_ticks: np.ndarray | None = None, y_ticks: np.ndarray | None = None, size: float = 8.5) -> None:
        """The frame, with ticks outside and their numbers."""
        box, canvas = self.box, self.canvas
        canvas.rectangle(box, edge="black", width=0.9)
        marks = []
        for value in np.array([]) if x_ticks is None else x_ticks:
            at = float(self.x(value))
            marks.append([(at, box.bottom), (at, box.bottom + 6)])
            canvas.text(at, box.bottom + 9, number(value), size, align="center", vertical="top")
        for value in np.array([]) if y_ticks is None else y_ticks:
            at = float(self.y(value))
            marks.append([(box.left - 6, at), (box.left, at)])
            canvas.text(box.left - 10, at, number(value), size, align="right")
        canvas.lines(marks, "black", 0.8)


def number(value: float) -> str:
    """A tick's number, without trailing zeros or a negative zero."""
    text = f"{value:.6g}"
    return "0" if text == "-0" else text.replace("-", "−")
