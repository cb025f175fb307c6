"""The neighbourhood map: a detection and those around it, a row each with its place on the sky and its spectrum."""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from pathlib import Path

import numpy as np

from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import Cutout, Detection, Spectrum
from elixer_widgets.releases import Release
from elixer_widgets.reports.canvas import Canvas, Panel, nice_ticks, wrap
from elixer_widgets.reports.colors import BLACK, BLUE, GOLD, GREY, VERMILLION, WARNING
from elixer_widgets.reports.derived import measured_spectrum
from elixer_widgets.reports.imaging import draw_map_on_sky, map_caption
from elixer_widgets.reports.layout import Box
from elixer_widgets.reports.line_fit import FLUX_UNIT, HALF_WINDOW, line_center
from elixer_widgets.reports.mini import WIDE, widest
from elixer_widgets.reports.neighbors import Neighborhood, find_neighbors
from elixer_widgets.reports.sky import View, cropped, native_view, picture, plain_view
from elixer_widgets.reports.state import known_format, metadata, taking_the_place_of
from elixer_widgets.reports.wording import finite, redshift, shorten

WIDTH, ROW, HEADER, DPI = 2700, 450, 110, 100
"""Page pixels (1/150 inch): 18 inches wide, 3 a row as ELiXer's, and a heading; picture pixels an inch."""

IMAGE = Box(150, 30, 540, 420)
SPECTRUM = Box(760, 70, 2620, 380)
X_LIMITS = (3470.0, 5540.0)
RANGE_BINS = slice(40, 990)  # what sets the height: without the noisy ends
FIELD_RADII, LEAST_RADII = 3.0, 2.4  # the image is so many radii wide; at least, where the images at hand end before
MARK = 1.5  # arcsec, half side of the box around a detection
DEFAULT_RADIUS = 10.0


def flux_limits(spectrum: Spectrum) -> tuple[float, float]:
    """y limits of a row: all of the flux but the ends, 0 inside, 10 % to spare."""
    flux = np.where(spectrum.good, spectrum.flux, np.nan)[RANGE_BINS]
    flux = flux[np.isfinite(flux)]
    if not flux.size:
        return -1.0, 1.0
    low, high = min(float(flux.min()), 0.0), max(float(flux.max()), 0.0)
    spare = 0.1 * (high - low or 1.0)
    return low - spare, high + spare


def sky_width(radius: float, at_hand: float = WIDE) -> float:
    """arcsec, of the square of sky shown: three radii, or less where images of `at_hand` arcsec cannot fill it."""
    return min(FIELD_RADII * radius, max(at_hand, LEAST_RADII * radius))


def row_title(detection: Detection, distance: float) -> str:
    """Over a spectrum: how far, where, which line, which detection, which observation."""
    wave = f"λ {detection.wavelength:.2f} Å" if np.isfinite(detection.wavelength) else "continuum"
    shot = detection.shot.name if detection.shot is not None else "no observation record"
    return f'{distance:.1f}"   ({detection.ra:.6f}, {detection.dec:.6f})   {wave}   {detection.label}   {shot}'


def draw_neighborhood(interpretation: Interpretation, around: Neighborhood) -> Canvas:
    """The detection's row, its line-flux map, and a row a neighbour."""
    measurements = interpretation.measurements
    rows = 2 + max(len(around.neighbors), 1)
    canvas = Canvas(WIDTH, HEADER + rows * ROW, dpi=DPI)
    _draw_heading(canvas, interpretation, around)
    center = line_center(measurements)
    target = measurements.detection
    cutout = widest(measurements.cutouts)
    spectrum = measured_spectrum(measurements)

    view = _draw_image(canvas, _placed(IMAGE, 0), interpretation, cutout, around.radius)
    if view is not None:
        for each in around.neighbors:
            if each.has_line:
                _mark(canvas, view, each.detection, "white")
    _draw_spectrum(canvas, _placed(SPECTRUM, 0), spectrum, row_title(target, 0.0), center, np.nan)

    box = _placed(IMAGE, 1)
    if not (np.isfinite(target.ra) and np.isfinite(target.dec)):
        canvas.not_available(box, "Line-flux map", "no position came with this spectrum")
    elif draw_map_on_sky(canvas, interpretation, box):
        caption = f"line flux: {map_caption(measurements.line_map)}"
        canvas.text(box.center[0], box.bottom + 14, caption, 9.5, align="center")
    panel = _draw_spectrum(canvas, _placed(SPECTRUM, 1), spectrum, "the line in its spectrum", center, np.nan, True)
    canvas.text(panel.box.left, panel.box.bottom + 50, f"flux density in {FLUX_UNIT}", 9.5, color=GREY)

    for number, each in enumerate(around.neighbors, start=2):
        view = _draw_image(canvas, _placed(IMAGE, number), interpretation, cutout, around.radius)
        if view is not None:
            _mark(canvas, view, each.detection, VERMILLION)
        title = row_title(each.detection, each.distance)
        own = each.detection.wavelength
        _draw_spectrum(canvas, _placed(SPECTRUM, number), each.detection.spectrum, title, center, own)
    if not around.neighbors:
        words = "; ".join(around.notes) or f'no other detection lies within {around.radius:g}"'
        canvas.text(WIDTH / 2, HEADER + 2.5 * ROW, "\n".join(wrap(words, 120)), 14, align="center", color=GREY)
    return canvas


def _placed(box: Box, row: int) -> Box:
    down = HEADER + row * ROW
    return Box(box.left, box.top + down, box.right, box.bottom + down)


def _draw_heading(canvas: Canvas, interpretation: Interpretation, around: Neighborhood) -> None:
    """What it is, and what the colours mean."""
    detection = interpretation.measurements.detection
    lines = sum(each.has_line for each in around.neighbors)
    counted = f"{lines} with a line, {len(around.neighbors) - lines} by continuum"
    more = f", {around.left_out} more not shown" if around.left_out else ""
    canvas.text(150, 34, f"{detection.label}   z {redshift(interpretation)}", 14, bold=True)
    stamp = f"{datetime.now():%Y-%m-%d %H:%M:%S}  Version {__version__}"
    canvas.text(WIDTH - 80, 34, stamp, 11, align="right", family="mono")
    said = f'neighbours within {around.radius:g}": {counted}{more}'
    if around.notes and around.neighbors:
        said += f"; not read: {'; '.join(around.notes)}"
    canvas.text(150, 76, shorten(said, 130), 11)
    canvas.text(
        WIDTH - 80, 76, "black dashes: this line, red dashes: the neighbour's own", 10.5, align="right", color=GREY
    )


def _draw_image(
    canvas: Canvas, box: Box, interpretation: Interpretation, cutout: Cutout | None, radius: float
) -> View | None:
    """The surroundings with the radius marked; without an image the sky is grey. None without a position."""
    detection = interpretation.measurements.detection
    if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
        canvas.not_available(box, "Image", "no position came with this spectrum")
        return None
    field = sky_width(radius)
    if cutout is None:
        view = plain_view(box, detection.ra, detection.dec, field)
        canvas.rectangle(box, face="#ececec")
        name = "no image covers this position"
    else:
        view = native_view(box, cutout, detection.ra, detection.dec, field)
        canvas.image(picture(cropped(cutout, detection.ra, detection.dec, field)), box)
        name = f"{cutout.survey} {cutout.band}".strip()
        size = min(cutout.data.shape) * cutout.pixel_scale
        if size < field - 1.0:
            name += f' (image {size:.0f}")'
    canvas.rectangle(box, edge=BLACK, width=0.9)
    square = [view.place(e, n) for e, n in ((-radius, -radius), (radius, -radius), (radius, radius), (-radius, radius))]
    canvas.polygon(square, edge=WARNING, width=0.9, clip=box)
    for letter, at in (("N", view.place(0, 1.25 * radius)), ("E", view.place(1.25 * radius, 0))):
        canvas.text(*at, letter, 10, color=WARNING, align="center", bold=True, halo=True)
    x, y = view.place(0, 0)
    canvas.lines([[(x - 9, y), (x + 9, y)], [(x, y - 9), (x, y + 9)]], WARNING, 1.4)
    canvas.text(box.center[0], box.bottom + 14, f'{shorten(name, 34)}, {field:g}" wide', 9.5, align="center")
    return view


def _mark(canvas: Canvas, view: View, detection: Detection, color: str) -> None:
    """A box of 3 arcsec, dark-edged so that it is seen on light and dark."""
    if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
        return
    x, y = view.sky(detection.ra, detection.dec)
    half = MARK * view.step
    box = Box(x - half, y - half, x + half, y + half)
    canvas.rectangle(box, edge=BLACK, width=2.8, alpha=0.7, clip=view.box)
    canvas.rectangle(box, edge=color, width=1.6, clip=view.box)


def _draw_spectrum(
    canvas: Canvas, box: Box, spectrum: Spectrum, title: str, center: float, own: float, band: bool = False
) -> Panel:
    """One spectrum with the two wavelengths."""
    panel = Panel(canvas, box, X_LIMITS, flux_limits(spectrum))
    if band and finite(center):
        panel.span(center - HALF_WINDOW, center + HALF_WINDOW, face=GOLD)
    panel.curve(np.array(X_LIMITS), np.zeros(2), GREY, 0.7)
    panel.curve(np.asarray(spectrum.wavelength), np.where(spectrum.good, spectrum.flux, np.nan), BLUE, 0.9)
    if finite(center):
        panel.verticals([center], BLACK, 1.2, dashes=(0, (5, 3)))
    if finite(own):
        panel.verticals([own], VERMILLION, 1.4, dashes=(0, (2, 2)))
    panel.frame(nice_ticks(*X_LIMITS, 20), nice_ticks(*panel.ylim, 4), size=9.5)
    canvas.text(box.left, box.top - 22, title, 11.5, family="mono")
    return panel


def write_neighborhood(
    release: Release,
    interpretation: Interpretation,
    path: str | PathLike[str],
    radius: float = DEFAULT_RADIUS,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the neighbourhood map.

    Parameters
    ----------
    release : Release
        Where the neighbours are looked up.
    interpretation : Interpretation
    path : str or path
        Ends in .png, .jpg or .pdf; ELiXer calls it `<detectid>_nei.png`. A PNG's property `Neighbors` lists the
        detections shown. The file appears complete or not at all.
    radius : float
        arcsec.
    overwrite : bool
        Replace a file of that name also if this package did not write it.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    DataError
        If the radius is not positive, the suffix names no format known here, the folder does not exist, or a
        file of that name is no report.
    """
    target = known_format(path, "neighbourhood map")
    around = find_neighbors(release, interpretation.measurements.detection, radius)
    canvas = draw_neighborhood(interpretation, around)
    properties = metadata(interpretation)
    if target.suffix.lower() != ".pdf":  # the properties of a PDF have fixed names
        properties["Neighbors"] = ",".join(str(each.detection.detectid) for each in around.neighbors)
    with taking_the_place_of(target, overwrite) as temporary:
        canvas.save(temporary, properties, datetime.now())
    return target
