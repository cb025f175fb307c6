"""The imaging row: fibers on the sky, the line-flux map, and one cutout a band with its aperture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import Cutout, Fiber, magnitude_decimals
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.flux_maps import APERTURE, FluxMap
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas, wrap
from elixer_widgets.reports.colors import BLACK, FIBER_COLORS, GOLD, GREY, TARGET_COLORS, WARNING, fiber_color
from elixer_widgets.reports.derived import from_aperture, redshift_as
from elixer_widgets.reports.layout import Box, cutout_box
from elixer_widgets.reports.sky import View, cropped, native_view, picture, plain_view, stack
from elixer_widgets.reports.stretch import colored, map_limits
from elixer_widgets.reports.wording import plae, shorten, width
from elixer_widgets.spectra.continuum import rest_width

SEARCH = 3.0  # arcsec, half side of the search box
TARGET_HALF = 0.375  # arcsec, half side of a catalogue square
RIM_RADIUS = 0.85  # arcsec, dashed circle of a fiber on the rim of its IFU
SLOTS = len(layout.CUTOUT_LEFTS)
BAND_GROUPS = (
    ("u",), ("g", "v", "F435W"), ("r", "F606W"), ("i", "F775W", "F814W"), ("z", "F090W"), ("y", "F105W", "F115W"),
    ("J", "F125W"), ("F140W", "F150W"), ("H", "F160W"),
)  # fmt: skip
CAPTION_CHARACTERS, CAPTION_LINES = 40, 4


def band_order(band: str) -> int:
    """Where a band belongs in the row, blue first."""
    for number, group in enumerate(BAND_GROUPS):
        if band in group:
            return number
    return len(BAND_GROUPS)


def chosen_cutouts(cutouts: tuple[Cutout, ...], places: int) -> list[int]:
    """Indices of the cutouts shown: the deepest usable of each filter group, blue to red, at most `places`."""
    best: dict[object, int] = {}
    for index, cutout in enumerate(cutouts):
        if not cutout.usable:
            continue
        group = band_order(cutout.band)
        key: object = group if group < len(BAND_GROUPS) else cutout.band
        depth = cutout.depth if np.isfinite(cutout.depth) else -np.inf
        old = best.get(key)
        old_depth = -np.inf if old is None or not np.isfinite(cutouts[old].depth) else cutouts[old].depth
        if old is None or depth > old_depth:
            best[key] = index
    return sorted(best.values(), key=lambda i: band_order(cutouts[i].band))[:places]


def caption(growth: Growth, interpretation: Interpretation) -> list[str]:
    """Under a cutout: magnitude or limit, aperture radius, and the Lyα rest width and P(LAE)/P(OII) from it."""
    if growth.is_limit and np.isfinite(growth.limit):
        first = f"> {growth.limit:.1f} (2σ)"
    elif np.isfinite(growth.mag):
        digits = magnitude_decimals(growth.mag_err)
        error = f"±{growth.mag_err:.{digits}f}" if np.isfinite(growth.mag_err) else ""
        first = f"m {growth.mag:.{digits}f}{error}"
    else:
        first = "not measured"
    if np.isfinite(growth.radius):
        first += f'  r {growth.radius:.1f}"' + (" (person)" if growth.by_person else "")
    lines = [first]
    estimate, ratio = from_aperture(interpretation, growth.survey, growth.band)
    line = interpretation.measurements.line
    if estimate is not None and estimate.value > 0:
        rest = rest_width(line.flux, line.flux_err, estimate, redshift_as("Lya", line.center))
        lines.append(f"EWr: {width(*rest)}")
    if ratio is not None:
        lines.append(f"PLAE: {plae(ratio)}")
    if growth.note:
        lines += wrap(growth.note, CAPTION_CHARACTERS)
    return lines


def row_title(interpretation: Interpretation) -> str:
    """Over the row: surveys, number of matches, ratios from the apertures."""
    measurements = interpretation.measurements
    surveys = list(dict.fromkeys(c.survey for c in measurements.cutouts if c.survey))
    text = "/".join(surveys) or ("Own images" if measurements.cutouts else "Imaging")
    text += f' : Possible Matches = {len(measurements.matches)} (within {SEARCH:g}")'
    for growth in measurements.growths:
        ratio = from_aperture(interpretation, growth.survey, growth.band)[1]
        if ratio is not None and growth.band in ("g", "r", "F606W"):
            text += f"  P(LAE)/P(OII): {plae(ratio)} ({growth.band})"
    return text


def draw_imaging(canvas: Canvas, interpretation: Interpretation) -> int:
    """Draw the row; returns the first free slot (7 if none)."""
    measurements = interpretation.measurements
    detection = measurements.detection
    canvas.text(layout.MARGIN_LEFT, layout.IMAGING_TITLE_Y, shorten(row_title(interpretation), 160), 11, family="mono")
    if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
        reason = "no position came with this spectrum"
        for slot, what in enumerate(("Fiber positions", "Line-flux map", "Images")):
            canvas.not_available(cutout_box(slot), what, reason)
        return 3
    shown = chosen_cutouts(measurements.cutouts, SLOTS - 2)
    _draw_fiber_positions(canvas, interpretation)
    _draw_line_map(canvas, interpretation)
    for slot, index in enumerate(shown, start=2):
        _draw_band(canvas, slot, index, interpretation)
    if shown:
        return 2 + len(shown)
    notes = [*measurements.notes, *detection.not_available.values()]
    about = list(dict.fromkeys(note for note in notes if "imag" in note.lower()))
    canvas.not_available(cutout_box(2), "Images", "; ".join(about) or "no image covers this position")
    return 3


def _title(canvas: Canvas, slot: int, text: str) -> None:
    box = cutout_box(slot)
    canvas.text(box.center[0], box.top - 18, shorten(text, 30), 10, align="center")


def _compass(canvas: Canvas, view: View) -> None:
    """Search box turned to north, letters N and E, centre, and a bar of two arcsec."""
    corners = [
        view.place(e, n) for e, n in ((-SEARCH, -SEARCH), (SEARCH, -SEARCH), (SEARCH, SEARCH), (-SEARCH, SEARCH))
    ]
    canvas.polygon(corners, edge=WARNING, width=0.9, clip=view.box)
    for letter, at in (("N", view.place(0, 1.28 * SEARCH)), ("E", view.place(1.28 * SEARCH, 0))):
        canvas.text(*at, letter, 9, color=WARNING, align="center", bold=True, halo=True)
    x, y = view.box.left + 10, view.box.bottom - 10
    canvas.lines([[(x, y), (x + 2 * view.step, y)]], BLACK, 2.0)
    canvas.text(x + view.step, y - 14, '2"', 7.5, align="center", halo=True)


def _reticle(canvas: Canvas, view: View) -> None:
    """Four arms around the position."""
    x, y = view.box.center
    near, far = 0.05 * view.box.width, 0.15 * view.box.width
    arms = [
        [(x + sx * near, y + sy * near), (x + sx * far, y + sy * far)] for sx, sy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    canvas.lines(arms, WARNING, 1.0)


def _axis(canvas: Canvas, view: View) -> None:
    """Ticks in arcsec from the position, positive towards north and east, for a view with north up."""
    box, marks = view.box, []
    for value in (-4, -2, 0, 2, 4):
        x, y = view.place(value, value)
        marks += [[(x, box.bottom), (x, box.bottom + 5)], [(box.left - 5, y), (box.left, y)]]
        text = str(value).replace("-", "−")
        canvas.text(x, box.bottom + 8, text, 7.5, align="center", vertical="top")
        canvas.text(box.left - 8, y, text, 7.5, align="right")
    canvas.lines(marks, BLACK, 0.8)


def _draw_fiber_positions(canvas: Canvas, interpretation: Interpretation) -> None:
    """The stacked image with the fibers, numbered by weight."""
    detection = interpretation.measurements.detection
    box = cutout_box(0)
    image = stack(interpretation.measurements.cutouts, detection.ra, detection.dec)
    _title(canvas, 0, "Fiber Positions" if image is not None else "Relative Fiber Positions")
    if image is None and not detection.fibers:
        canvas.not_available(box, "Fiber positions", detection.not_available.get("fibers", "no fiber data"))
        return
    view = draw_fibers_on_sky(canvas, interpretation, box, image)
    _axis(canvas, view)
    below = "arcsec (east left)" if detection.fibers else "no fiber data"
    canvas.text(box.center[0], box.bottom + 34, below, 8, align="center", vertical="top")


def draw_fibers_on_sky(
    canvas: Canvas, interpretation: Interpretation, box: Box, image: np.ndarray | None, frame: str = BLACK
) -> View:
    """The fibers on `image` (as `stack` makes it, or None) in a square with north up."""
    measurements = interpretation.measurements
    detection = measurements.detection
    view = plain_view(box, detection.ra, detection.dec)
    if image is None:
        canvas.rectangle(box, face="#ececec")
    else:
        canvas.image(picture(image), box)
    canvas.rectangle(box, edge=frame, width=0.9 if frame == BLACK else 1.8)
    _compass(canvas, view)
    x, y = box.center
    canvas.lines([[(x - 7, y), (x + 7, y)], [(x, y - 7), (x, y + 7)]], WARNING, 1.2)
    for rank in range(len(detection.fibers) - 1, -1, -1):
        _draw_fiber(canvas, view, detection.fibers[rank], rank, measurements.excluded_fibers)
    numbered = detection.fibers[: len(FIBER_COLORS)]
    places = number_places(view, [(fiber.ra, fiber.dec) for fiber in numbered])
    for rank, at in enumerate(places):
        if at is not None:
            canvas.text(*at, str(rank + 1), 7, color=fiber_color(rank), align="center", bold=True, halo=True)
    return view


def number_places(view: View, fibers: Sequence[tuple[float, float]]) -> list[tuple[float, float] | None]:
    """Where the number of each fiber goes, `fibers` being (ra, dec) in degrees: on the side away from the others.

    None for a fiber without a position, or whose number would fall outside the panel.
    """
    places = [view.sky(*each) if np.isfinite(each).all() else None for each in fibers]
    known = [each for each in places if each is not None]
    middle = np.mean(known, axis=0) if known else np.zeros(2)
    found: list[tuple[float, float] | None] = []
    for each in places:
        if each is None:
            found.append(None)
            continue
        out = np.asarray(each) - middle
        length = float(np.hypot(*out))
        unit = out / length if length > 1e-6 else np.array([-0.7, -0.7])
        x, y = np.asarray(each) + 0.62 * (Fiber.DIAMETER / 2) * view.step * unit
        found.append((float(x), float(y)) if view.inside((x, y), 8) else None)
    return found


def _draw_line_map(canvas: Canvas, interpretation: Interpretation) -> None:
    """Where the light of the line comes from, with the aperture in which its flux is summed."""
    made = interpretation.measurements.line_map
    box = cutout_box(1)
    _title(canvas, 1, "Line-flux map")
    if draw_map_on_sky(canvas, interpretation, box):
        canvas.text(box.center[0], box.bottom + 12, map_caption(made), 8, align="center", vertical="top")
        canvas.text(box.center[0], box.bottom + 34, f"{made.n_fibers} fibers", 8, align="center", vertical="top")


def map_caption(made: FluxMap) -> str:
    """Under a line-flux map: how sure the flux in its aperture is."""
    return f'S/N {made.snr:.1f} in {APERTURE:g}"' if np.isfinite(made.snr) else "flux not known"


def draw_map_on_sky(canvas: Canvas, interpretation: Interpretation, box: Box) -> bool:
    """The line-flux map in a square with north up, or a note why there is none; whether there is one."""
    detection, made = interpretation.measurements.detection, interpretation.measurements.line_map
    if made.reason:
        canvas.not_available(box, "Line-flux map", detection.not_available.get("fibers", made.reason))
        return False
    view = plain_view(box, detection.ra, detection.dec)
    canvas.image(colored(made.data, map_limits(made.data, made.background_err)), box)
    canvas.rectangle(box, edge=BLACK, width=0.9)
    ring = view.ellipse(detection.ra, detection.dec, APERTURE, APERTURE, 0)
    canvas.polygon(ring, edge="white", width=1.0, dashes=(0, (3, 2)), clip=view.box)
    _reticle(canvas, view)
    return True


def _draw_fiber(canvas: Canvas, view: View, fiber: Fiber, rank: int, excluded: tuple[str, ...]) -> None:
    """One fiber to scale; dashed ring on the rim of the IFU, dotted if switched off."""
    if not (np.isfinite(fiber.ra) and np.isfinite(fiber.dec)):
        return
    radius, top = Fiber.DIAMETER / 2, rank < 4
    off = fiber.fiber_id in excluded
    color = fiber_color(rank)
    canvas.polygon(
        view.ellipse(fiber.ra, fiber.dec, radius, radius, 0), edge=color, width=1.8 if top else 0.9,
        alpha=1.0 if top else 0.7, dashes=(0, (1, 1.5)) if off else "-", clip=view.box,
    )  # fmt: skip
    if fiber.on_ifu_edge:
        ring = view.ellipse(fiber.ra, fiber.dec, RIM_RADIUS, RIM_RADIUS, 0)
        canvas.polygon(ring, edge=color, width=0.8, dashes=(0, (3, 2)), clip=view.box)


def _draw_band(canvas: Canvas, slot: int, index: int, interpretation: Interpretation) -> None:
    """One image with its aperture, sources, catalogue squares, search box."""
    measurements = interpretation.measurements
    detection, cutout = measurements.detection, measurements.cutouts[index]
    box = cutout_box(slot)
    view = native_view(box, cutout, detection.ra, detection.dec)
    canvas.image(picture(cropped(cutout, detection.ra, detection.dec)), box)
    canvas.rectangle(box, edge=BLACK, width=0.9)
    depth = f"({cutout.depth:.1f})" if np.isfinite(cutout.depth) else ""
    _title(canvas, slot, f"{cutout.survey[:14]}{depth} {cutout.band}".strip())
    for source in measurements.sources:
        if source.band == cutout.band and source.survey == cutout.survey:
            _draw_source(canvas, view, source)
    growth = measurements.growths[index] if index < len(measurements.growths) else None
    if growth is not None and np.isfinite(growth.radius):
        ring = view.ellipse(growth.ra, growth.dec, growth.radius, growth.radius, 0)
        canvas.polygon(ring, edge=BLACK, width=2.6, alpha=0.6, clip=box)
        canvas.polygon(ring, edge=GOLD, width=1.6, clip=box)
    for match in measurements.matches:
        _draw_target(canvas, view, match.object.ra, match.object.dec, match.rank)
    _reticle(canvas, view)
    _compass(canvas, view)
    if np.isfinite(cutout.psf_fwhm) and 0.1 < cutout.psf_fwhm < 4.0:
        radius = 0.5 * cutout.psf_fwhm * view.step
        x, y = box.right - 12 - radius, box.bottom - 12 - radius
        phase = np.linspace(0, 2 * np.pi, 37)
        disc = np.column_stack([x + radius * np.cos(phase), y + radius * np.sin(phase)])
        canvas.polygon(disc, edge=BLACK, face="white", width=0.8, alpha=0.8)
    lines = ["no aperture was measured"] if growth is None else caption(growth, interpretation)
    if cutout.note:
        lines += wrap(cutout.note, CAPTION_CHARACTERS)
    if len(lines) > CAPTION_LINES:
        lines = [*lines[: CAPTION_LINES - 1], lines[CAPTION_LINES - 1].rstrip(" ,;") + " …"]
    canvas.text(box.center[0], box.bottom + 12, "\n".join(lines), 8, align="center", vertical="top")


def _draw_source(canvas: Canvas, view: View, source: SourceEllipse) -> None:
    """A source's Kron ellipse: gold if it is the one chosen, else dashed white on grey."""
    if not (np.isfinite(source.major) and np.isfinite(source.minor)):
        return
    angle = source.position_angle if np.isfinite(source.position_angle) else 0.0
    outline = view.ellipse(source.ra, source.dec, source.major, source.minor, angle)
    if source.selected:
        canvas.polygon(outline, edge=GOLD, width=1.2, dashes=(0, (4, 2)), clip=view.box)
    else:
        canvas.polygon(outline, edge=GREY, width=1.6, alpha=0.7, clip=view.box)
        canvas.polygon(outline, edge="white", width=1.0, dashes=(0, (3, 2)), clip=view.box)


def _draw_target(canvas: Canvas, view: View, ra: float, dec: float, rank: int) -> None:
    """A catalogue object's square in its colour; white beyond the third."""
    x, y = view.sky(ra, dec)
    half = TARGET_HALF * view.step
    known = 1 <= rank <= len(TARGET_COLORS)
    canvas.rectangle(
        Box(x - half, y - half, x + half, y + half), edge=TARGET_COLORS[rank - 1] if known else "white",
        width=1.6 if known else 0.9, alpha=1.0 if known else 0.7, clip=view.box,
    )  # fmt: skip
