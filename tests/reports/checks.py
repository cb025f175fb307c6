"""What every drawn page must keep to, looked up on the drawing itself and in the file."""

from __future__ import annotations

import itertools
import re
import zlib

from matplotlib.backends.backend_agg import FigureCanvasAgg

from elixer_widgets.reports.canvas import SMALLEST_TYPE, Canvas

_TEXT_SIZE = re.compile(rb"/(\S+) ([\d.]+) Tf")
_MATRIX = re.compile(rb"([-\d.e]+) ([-\d.e]+) ([-\d.e]+) ([-\d.e]+) ([-\d.e]+) ([-\d.e]+) cm\s+(?:/(\S+) Do)?")


def check_texts(page: Canvas, least: int) -> None:
    """At least `least` texts; none too small, none over another, none past the edge."""
    agg = FigureCanvasAgg(page.figure)
    agg.draw()
    renderer = agg.get_renderer()
    texts = [text for text in page.axes.texts if text.get_text().strip()]
    assert len(texts) > least
    boxes = {id(text): text.get_window_extent(renderer) for text in texts}
    width, height = page.figure.canvas.get_width_height()
    for text in texts:
        box = boxes[id(text)]
        assert text.get_fontsize() >= SMALLEST_TYPE, text.get_text()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, f"clipped: {text.get_text()!r}"
    spare = page.dpi / 150
    for one, two in itertools.combinations(texts, 2):
        a, b = boxes[id(one)], boxes[id(two)]
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        # the boxes have room for accents and descenders: a few pixels are no touching letters
        assert wide <= 2 * spare or high <= 6 * spare, f"{one.get_text()!r} and {two.get_text()!r} overlap"


def streams(data: bytes) -> list[bytes]:
    """The decompressed streams of a PDF, whatever they hold."""
    found = []
    for part in data.split(b"stream\n")[1:]:
        try:
            found.append(zlib.decompress(part.split(b"endstream")[0]))
        except zlib.error:
            continue
    return found


def type_sizes(data: bytes) -> list[float]:
    """Every size in points at which a PDF sets type: of its fonts, and of letters drawn one by one.

    Letters that a font's encoding does not hold are drawn as forms (in units of 1/1000 of the size) under a matrix of
    their own.
    """
    sizes = []
    for stream in streams(data):
        if b" Tf" not in stream and b" Do" not in stream:
            continue
        sizes += [float(size) for _, size in _TEXT_SIZE.findall(stream)]
        for a, b, *_, name in _MATRIX.findall(stream):
            scale = (float(a) ** 2 + float(b) ** 2) ** 0.5
            if name and scale < 0.1:  # a picture's matrix is its size in points
                sizes.append(1000.0 * scale)
    return sizes
