"""The images: north up, east left, with the fibers, the aperture that was measured, and the catalogue's objects."""

from __future__ import annotations

from math import cos, isfinite, radians

import ipywidgets as W
import numpy as np
from scipy.ndimage import map_coordinates

from elixer_widgets.analysis import Aperture, Measurements
from elixer_widgets.detection import Cutout, Detection, Fiber
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.widgets import pictures, words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.palette import CATALOG, FAINT, INK, MEASURED, fiber_color
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

FIELD = 9.0
"""arcsec; the side of the square shown."""

TILES = 5
"""Images shown side by side."""

BAND_ORDER = "ugrizyjhk"
RADII = (0.4, 5.0)
"""arcsec; the radii a person may set."""

NEAREST_FIBERS = 20

WORST_STEP = 0.75
"""mag; steps of a growth curve with a larger error are not drawn."""


def choose_cutouts(cutouts: tuple[Cutout, ...]) -> list[int]:
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

    return sorted((first + rest)[:TILES], key=color)


def favourite(cutouts: tuple[Cutout, ...], shown: list[int]) -> int:
    """The image to look at first: g, which holds the line, else r, else what there is."""
    for band in ("g", "r"):
        for number in shown:
            if cutouts[number].band.lower().startswith(band):
                return number
    return shown[0]


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
    n = int(np.clip(round(field / max(cutout.pixel_scale, 1e-3)), 15, 180))
    offsets = ((np.arange(n) + 0.5) / n - 0.5) * field / 3600.0
    east, north = np.meshgrid(-offsets, offsets)
    x, y = cutout.wcs.celestial.world_to_pixel_values(ra + east / cos(radians(dec)), dec + north)
    return map_coordinates(cutout.data, [y, x], order=0, mode="constant", cval=np.nan)


class Sky:
    """Positions on the sky in the picture's own units: arcsec right and down of its centre."""

    def __init__(self, ra: float, dec: float) -> None:
        self.ra, self.dec, self.shrink = ra, dec, cos(radians(dec))

    def __call__(self, ra: float, dec: float) -> tuple[float, float]:
        east = ((ra - self.ra + 180.0) % 360.0 - 180.0) * self.shrink * 3600.0
        return -east, -(dec - self.dec) * 3600.0


def _circle(x: float, y: float, radius: float, color: str, width: float, more: str = "", tip: str = "") -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    return (
        f'<circle cx="{x:.3f}" cy="{y:.3f}" r="{radius:.3f}" fill="none" stroke="{color}" '
        f'stroke-width="{width}" vector-effect="non-scaling-stroke" {more}>{title}</circle>'
    )


def _fibers(fibers: tuple[Fiber, ...], sky: Sky) -> str:
    ranked = list(enumerate(fibers[:NEAREST_FIBERS]))[::-1]  # the heaviest drawn last, on top
    return "".join(
        _circle(
            *sky(fiber.ra, fiber.dec),
            Fiber.DIAMETER / 2,
            fiber_color(rank),
            1.6 if rank < 4 else 0.7,
            tip=f"fiber {rank + 1}, weight {words.number(fiber.weight)}, exposure {fiber.expnum}",
        )
        for rank, fiber in ranked
    )


def _frame(half: float) -> str:
    """Compass and a scale bar of 2 arcsec."""
    bar = half - 0.35
    return (
        f'<g stroke="{INK}" stroke-width="1.2" vector-effect="non-scaling-stroke">'
        f'<line x1="{-bar}" y1="{bar}" x2="{-bar + 2}" y2="{bar}" vector-effect="non-scaling-stroke"/></g>'
        f'<text class="ew-svg-text" x="{-bar}" y="{bar - 0.2}">2″</text>'
        f'<text class="ew-svg-text" x="0" y="{-half + 0.72}" text-anchor="middle">N</text>'
        f'<text class="ew-svg-text" x="{-half + 0.12}" y="0.25">E</text>'
    )


def _shapes(measurements: Measurements, growth: Growth | None, sky: Sky, half: float) -> str:
    """The aperture with its sky annulus, catalogue objects, and the point spread function."""
    parts = [_fibers(measurements.detection.fibers, sky)]
    for match in measurements.matches:
        x, y = sky(match.object.ra, match.object.dec)
        tip = f"{match.object.catalog} {match.object.identifier}, {match.separation:.2f}″ away"
        parts.append(
            f'<rect x="{x - 0.28:.3f}" y="{y - 0.28:.3f}" width="0.56" height="0.56" fill="none" '
            f'stroke="{CATALOG}" stroke-width="{1.8 if match.rank == 1 else 1}" '
            f'vector-effect="non-scaling-stroke"><title>{escape(tip)}</title></rect>'
        )
    if growth is not None and isfinite(growth.radius):
        x, y = sky(growth.ra, growth.dec)
        parts.append(_circle(x, y, growth.radius, MEASURED, 2.2, tip=f"aperture, radius {growth.radius:.2f}″"))
        parts += [
            _circle(x, y, edge, MEASURED, 0.8, 'stroke-dasharray="3 3"', "edge of the sky annulus")
            for edge in growth.annulus
            if isfinite(edge)
        ]
    return "".join(parts) + _frame(half)


def _caption(cutout: Cutout, growth: Growth | None) -> str:
    first = f"<b>{escape(cutout.band)}</b> {escape(cutout.survey)}"
    if not cutout.usable:
        return f"{first}<br>no data here"
    if growth is None:
        return f"{first}<br>not measured"
    radius = f" in {growth.radius:.1f}″" if isfinite(growth.radius) else ""
    return f"{first}<br>{escape(words.aperture_magnitude(growth))}{radius}"


def tile(picture: str, cutout: Cutout, growth: Growth | None, shapes: str, key: str, selected: bool) -> str:
    """One image with what is drawn over it, as HTML."""
    half = FIELD / 2
    psf = ""
    if isfinite(cutout.psf_fwhm):
        place = half - 0.3 - cutout.psf_fwhm / 2
        psf = _circle(place, place, cutout.psf_fwhm / 2, INK, 1.0, tip=f"PSF, FWHM {cutout.psf_fwhm:.2f}″")
    note = cutout.note or (growth.note if growth is not None else "")
    return (
        f'<button class="ew-tile" data-key="{escape(key)}" aria-pressed="{str(selected).lower()}" '
        f'title="{escape(note or "select this image")}">'
        f'<svg viewBox="{-half} {-half} {FIELD} {FIELD}" preserveAspectRatio="xMidYMid meet">'
        f'<image href="{picture}" x="{-half}" y="{-half}" width="{FIELD}" height="{FIELD}"/>{shapes}{psf}</svg>'
        f'<span class="ew-tile-text">{_caption(cutout, growth)}</span></button>'
    )


def growth_curve(growth: Growth | None) -> str:
    """Magnitude over radius as SVG, the adopted radius marked and the limit drawn as a line."""
    steps = [] if growth is None else [s for s in growth.steps if isfinite(s.mag) and isfinite(s.radius)]
    # where the light is lost in the sky the magnitude runs off, and would flatten all that was measured
    steps = [s for s in steps if not s.mag_err > WORST_STEP] or steps
    if growth is None or len(steps) < 2:
        return '<div class="ew-growth ew-none">no growth curve</div>'
    left, right, top, bottom = 34.0, 172.0, 22.0, 128.0
    radii, mags = [s.radius for s in steps], [s.mag for s in steps]
    bright, faint = min(mags), max(mags)
    room = max(0.15 * (faint - bright), 0.1)
    bright, faint = bright - room, faint + room
    reach = max(max(radii), growth.radius if isfinite(growth.radius) else 0.0) * 1.05

    def x(radius: float) -> float:
        return left + (right - left) * radius / reach

    def y(mag: float) -> float:
        return top + (bottom - top) * (min(max(mag, bright), faint) - bright) / (faint - bright)

    points = " ".join(f"{x(s.radius):.1f},{y(s.mag):.1f}" for s in steps)
    errors = "".join(
        f'<line x1="{x(s.radius):.1f}" x2="{x(s.radius):.1f}" y1="{y(s.mag - s.mag_err):.1f}" '
        f'y2="{y(s.mag + s.mag_err):.1f}" stroke="{FAINT}"/>'
        for s in steps
        if isfinite(s.mag_err)
    )
    adopted = (
        f'<line x1="{x(growth.radius):.1f}" x2="{x(growth.radius):.1f}" y1="{top}" y2="{bottom}" '
        f'stroke="{MEASURED}" stroke-dasharray="3 2"/>'
        if isfinite(growth.radius)
        else ""
    )
    texts = "".join(
        f'<text x="{left - 4}" y="{y(mag) + 3.5:.1f}" text-anchor="end">{mag:.1f}</text>' for mag in (bright, faint)
    )
    return (
        f'<div class="ew-growth"><svg viewBox="0 0 180 152" preserveAspectRatio="xMidYMid meet">'
        f'<text x="{left}" y="13">growth, {escape(growth.band)} mag</text>'
        f'<path d="M{left} {top} V{bottom} H{right}" fill="none" stroke="#8b97a3"/>{errors}{adopted}'
        f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-width="1.3"/>{texts}'
        f'<text x="{left}" y="{bottom + 13}" text-anchor="middle">0</text>'
        f'<text x="{right}" y="{bottom + 13}" text-anchor="end">{reach:.1f}″</text></svg></div>'
    )


class ImagingPanel(Panel):
    """Images about the detection, and the aperture a person may change."""

    def __init__(self, state: ExplorerState) -> None:
        self._pictures: tuple[Detection | None, dict[int, str]] = (None, {})
        self._writing = False
        self.title = Markup()
        self.tiles = Markup().add_class("ew-fill")
        self.tiles.on_pick(self._select)
        self.radius = W.FloatSlider(
            description="aperture ″", min=RADII[0], max=RADII[1], step=0.1, value=1.0, readout_format=".1f",
            continuous_update=False,
        ).add_class("ew-slider")  # fmt: skip
        self.radius.observe(self._set_radius, "value")
        self.automatic = W.Button(description="automatic", tooltip="Back to the automatic aperture")
        self.automatic.add_class("ew-small")
        self.automatic.on_click(lambda _button: state.choose(aperture=None))
        head = W.HBox([self.title, self.radius, self.automatic]).add_class("ew-head")
        super().__init__(state, "imaging", (head, self.tiles))
        self.watch(self._draw, "measurements", "band", clear=self._clear)

    def _select(self, key: str) -> None:
        self.state.band = key

    def _set_radius(self, change: dict) -> None:
        if not self._writing:
            self.state.choose(aperture=Aperture(round(float(change["new"]), 2)))

    def _picture(self, detection: Detection, cutouts: tuple[Cutout, ...], number: int) -> str:
        """The resampled picture; a new aperture does not change it, so it is made once a detection."""
        if self._pictures[0] is not detection:
            self._pictures = (detection, {})
        known = self._pictures[1]
        if number not in known:
            data = north_up(cutouts[number], detection.ra, detection.dec)
            limits = pictures.robust_range(data, -1.5, 12.0)
            known[number] = pictures.data_uri(pictures.gray(data, limits, asinh=True))
        return known[number]

    def _clear(self) -> None:
        self.tiles.markup = ""

    def _draw(self) -> None:
        measurements = self.state.measurements
        if measurements is None or not measurements.cutouts:
            self._empty(measurements)
            return
        detection, cutouts, growths = measurements.detection, measurements.cutouts, measurements.growths
        shown = choose_cutouts(cutouts)
        keys = {number: f"{cutouts[number].band} {cutouts[number].survey}".strip() for number in shown}
        selected = next((n for n in shown if keys[n] == self.state.band), favourite(cutouts, shown))
        sky = Sky(detection.ra, detection.dec)
        parts = []
        for number in shown:
            growth = growths[number] if number < len(growths) else None
            shapes = _shapes(measurements, growth, sky, FIELD / 2)
            parts.append(
                tile(
                    self._picture(detection, cutouts, number), cutouts[number], growth, shapes, keys[number],
                    number == selected,
                )
            )  # fmt: skip
        chosen = growths[selected] if selected < len(growths) else None
        self.tiles.markup = (
            f'<div class="ew-tiles" style="--tiles:{len(parts)}">{"".join(parts)}{growth_curve(chosen)}</div>'
        )
        more = f" · {len(cutouts) - len(shown)} more not shown" if len(cutouts) > len(shown) else ""
        self.title.markup = (
            f"<h3>Imaging <small>{FIELD:.0f}″, N up, E left · circles fibers, "
            f'<i style="color:{MEASURED}">aperture</i>, '
            f'<i style="color:{CATALOG}">catalogue</i>{more}</small></h3>'
        )
        self._show_radius(chosen, measurements)

    def _show_radius(self, growth: Growth | None, measurements: Measurements) -> None:
        self.radius.disabled = growth is None
        self.automatic.disabled = measurements.aperture is None
        if growth is not None and isfinite(growth.radius):
            self._writing = True
            try:
                self.radius.value = float(np.clip(round(growth.radius, 2), *RADII))
            finally:
                self._writing = False

    def _empty(self, measurements: Measurements | None) -> None:
        notes: tuple[str, ...] = ()
        if measurements is not None:
            notes = measurements.detection.imaging.notes or ("no image covers this position",)
        text = "; ".join(notes) or "not measured"
        self.title.markup = "<h3>Imaging</h3>"
        self.tiles.markup = f'<div class="ew-none">{escape(text)}</div>'
        self.radius.disabled = self.automatic.disabled = True
