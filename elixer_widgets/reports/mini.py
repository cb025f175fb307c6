"""The small report: one picture for the screen of a telephone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path

import numpy as np

from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import Cutout
from elixer_widgets.reports.canvas import Canvas, nice_ticks, wrap
from elixer_widgets.reports.colors import BLACK, BLUE, fiber_color
from elixer_widgets.reports.derived import fiber_images, measured_spectrum
from elixer_widgets.reports.fibers import ROWS_SHOWN, SHAPE, weighted_sum
from elixer_widgets.reports.header import fitting_size
from elixer_widgets.reports.imaging import draw_fibers_on_sky, draw_map_on_sky, map_caption
from elixer_widgets.reports.layout import Box
from elixer_widgets.reports.line_fit import draw_line, line_center
from elixer_widgets.reports.sky import FIELD, cropped, native_view, picture, stack
from elixer_widgets.reports.state import known_format, metadata, taking_the_place_of
from elixer_widgets.reports.stretch import cutout_limits, cutout_picture
from elixer_widgets.reports.wording import choices, finite, redshift, shorten

WIDTH, HEIGHT, DPI = 540, 960, 300
"""Page pixels (1/150 inch) of a telephone held upright, 1080 x 1920 picture pixels; ELiXer's resolution."""

PAPER, INK, FAINT, ACCENT = "#1c1c1e", "#f2f2f2", "#b8b8b8", "#FF8A5B"
LEFT, RIGHT = 14.0, 526.0
PANEL = 244.0
CELL = PANEL * SHAPE[0] / SHAPE[1]
ROWS_TOP = 136.0
WIDE = 30.0
"""arcsec; side of the wide image: three times ELiXer's default distance to neighbours."""

SMALL = 62  # characters in a line of small type
NO_FLAGS, AUTOMATIC = "no flags", "all choices automatic"
ROW_NAMES = ("sum", "1", "2", "3", "4")


def widest(cutouts: Sequence[Cutout]) -> Cutout | None:
    """The image with most pixels that show something, of equals the deepest; None without any."""
    usable = [each for each in cutouts if each.usable]

    def worth(cutout: Cutout) -> tuple[int, float]:
        return int(np.isfinite(cutout.data).sum()), cutout.depth if np.isfinite(cutout.depth) else 0.0

    return max(usable, key=worth, default=None)


def headline(interpretation: Interpretation) -> list[str]:
    """What it is, in lines for a small screen."""
    line, detection = interpretation.measurements.line, interpretation.measurements.detection
    p_lya = f"{interpretation.p_lya:.2f}" if finite(interpretation.p_lya) else "N/A"
    snr = f"{line.snr:.1f}" if finite(line.snr) else "N/A"
    wave = f"{line.center:.1f} Å" if finite(line.center) else "no line"
    flags = [each.name for each in interpretation.flags]
    said = choices(interpretation)
    return [
        f"{detection.label}   z {redshift(interpretation)}",
        f"P(Lyα) {p_lya}   {wave}   S/N {snr}",
        f"{len(flags)} flag{'s' if len(flags) != 1 else ''}: {', '.join(flags)}" if flags else NO_FLAGS,
        f"set by a person: {'; '.join(said)}" if said else AUTOMATIC,
    ]


def draw_mini(interpretation: Interpretation) -> Canvas:
    """All of it on one upright picture."""
    canvas = Canvas(WIDTH, HEIGHT, PAPER, DPI)
    first, second, flags, said = headline(interpretation)
    canvas.text(LEFT, 24, first, fitting_size(first, RIGHT - LEFT, 12, 8), color=INK, bold=True)
    canvas.text(LEFT, 50, second, 10, color=INK)
    small = [(shorten(flags, SMALL), FAINT if flags == NO_FLAGS else ACCENT)]
    small += [(line, FAINT if said == AUTOMATIC else ACCENT) for line in wrap(shorten(said, 2 * SMALL - 10), SMALL)[:2]]
    for row, (text, color) in enumerate(small):
        canvas.text(LEFT, 70 + 18 * row, text, 7.5, color=color)
    _draw_rows(canvas, interpretation)
    _draw_line(canvas, interpretation)
    _draw_sky(canvas, interpretation)
    canvas.text(RIGHT, HEIGHT - 12, f"ELiXer Widgets {__version__}", 7, color=FAINT, align="right")
    return canvas


def _row_box(row: int) -> Box:
    top = ROWS_TOP + row * (CELL + 3) + (4 if row else 0)
    return Box(LEFT, top, LEFT + PANEL, top + CELL)


def _draw_rows(canvas: Canvas, interpretation: Interpretation) -> None:
    """The weighted sum and the four best fibers."""
    images = fiber_images(interpretation.measurements.detection)
    cutouts = images.cutouts[:ROWS_SHOWN]
    if not cutouts:
        box = Box(LEFT, ROWS_TOP, LEFT + PANEL, _row_box(ROWS_SHOWN).bottom)
        canvas.not_available(box, "Fiber cutouts", images.reason)
        return
    excluded = interpretation.measurements.excluded_fibers
    total = weighted_sum(images.cutouts, excluded)
    rows = [(total, None), *((each.image, each.cosmic) for each in cutouts)]
    for row, (image, cosmic) in enumerate(rows):
        box = _row_box(row)
        canvas.image(cutout_picture(image, cosmic, cutout_limits(image)), box)
        canvas.rectangle(box.inset(1.0), edge=INK if row == 0 else fiber_color(row - 1), width=1.6)
        name = ROW_NAMES[row]
        if row and cutouts[row - 1].fiber.fiber_id in excluded:
            name += " switched off"
        color = BLACK if row == 0 else fiber_color(row - 1)
        canvas.text(box.left + 8, box.top + 14, name, 8, color=color, bold=True, halo=True)


def _draw_line(canvas: Canvas, interpretation: Interpretation) -> None:
    """The line enlarged, on white paper."""
    top = _row_box(ROWS_SHOWN).bottom + 12
    paper = Box(LEFT, top, LEFT + PANEL, HEIGHT - 26)
    measurements = interpretation.measurements
    center = line_center(measurements)
    if not np.isfinite(center):
        canvas.not_available(paper, "Line fit", "no line was found or given")
        return
    canvas.rectangle(paper, face="white")
    box = Box(paper.left + 26, paper.top + 10, paper.right - 26, paper.bottom - 32)
    panel = draw_line(canvas, box, measured_spectrum(measurements), interpretation, center)
    panel.frame(nice_ticks(*panel.xlim, 4), size=8)


def _square(number: int) -> Box:
    """One of the three squares at the right, under its title."""
    top = ROWS_TOP + 2 + number * (PANEL + 28)
    return Box(RIGHT - PANEL, top, RIGHT, top + PANEL)


def _title(canvas: Canvas, box: Box, text: str) -> None:
    canvas.text(box.center[0], box.top - 13, shorten(text, 30), 8, color=INK, align="center")


def _draw_sky(canvas: Canvas, interpretation: Interpretation) -> None:
    """Fibers on the sky, the wider surroundings, and where the line's light comes from."""
    measurements = interpretation.measurements
    detection = measurements.detection
    near, wide, lines = (_square(number) for number in range(3))
    if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
        for box, what in ((near, "Fiber positions"), (wide, "Image"), (lines, "Line-flux map")):
            canvas.not_available(box, what, "no position came with this spectrum")
        return
    image = stack(measurements.cutouts, detection.ra, detection.dec)
    _title(canvas, near, "Fiber positions")
    if image is None and not detection.fibers:
        canvas.not_available(near, "Fiber positions", detection.not_available.get("fibers", "no fiber data"))
    else:
        draw_fibers_on_sky(canvas, interpretation, near, image, frame=ACCENT)
    _draw_wide(canvas, interpretation, near, wide)
    _title(canvas, lines, f"Line flux: {map_caption(measurements.line_map)}")
    draw_map_on_sky(canvas, interpretation, lines)


def _draw_wide(canvas: Canvas, interpretation: Interpretation, near: Box, box: Box) -> None:
    """The surroundings, with the field of the square above marked in it."""
    measurements = interpretation.measurements
    detection, cutout = measurements.detection, widest(measurements.cutouts)
    if cutout is None:
        _title(canvas, box, "Image")
        about = [note for note in measurements.notes if "imag" in note.lower()]
        canvas.not_available(box, "Image", "; ".join(about) or "no image covers this position")
        return
    _title(canvas, box, shorten(f'{cutout.band}, {WIDE:g}": {cutout.survey}', 20))  # the dashed lines run beside it
    view = native_view(box, cutout, detection.ra, detection.dec, WIDE)
    canvas.image(picture(cropped(cutout, detection.ra, detection.dec, WIDE)), box)
    half = FIELD / 2
    marked = [view.place(e, n) for e, n in ((half, half), (-half, half), (-half, -half), (half, -half))]
    canvas.polygon(marked, edge=ACCENT, width=1.6, clip=box)
    upper = sorted(marked, key=lambda point: point[1])[:2]
    ends = [(near.left, near.bottom), (near.right, near.bottom)]
    lines = list(zip(sorted(upper), ends, strict=True))
    canvas.lines(lines, ACCENT, 1.0, dashes=(0, (4, 3)))
    y = box.bottom - 10
    canvas.lines([[(box.left + 10, y), (box.left + 10 + 5 * view.step, y)]], BLUE, 2.4)
    canvas.text(box.left + 10 + 2.5 * view.step, y - 18, '5"', 8, align="center", halo=True)


def write_mini(interpretation: Interpretation, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the small report, 1080 x 1920 pixels.

    Parameters
    ----------
    interpretation : Interpretation
    path : str or path
        Ends in .png, .jpg or .pdf; ELiXer calls it `<detectid>_mini.png`. The file appears complete or not at all.
    overwrite : bool
        Replace a file of that name also if this package did not write it.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    DataError
        If the suffix names no format known here, or the folder does not exist, or a file of that name is no report.
    """
    target = known_format(path, "small report")
    canvas = draw_mini(interpretation)
    with taking_the_place_of(target, overwrite) as temporary:
        canvas.save(temporary, metadata(interpretation), datetime.now())
    return target
