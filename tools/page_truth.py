"""What the page should show, from a page of its own without a browser; what a browser shows, read from its elements.

`Truth` follows the address that a page stands for, and measures afresh; `wrong` says what visible on the page is not as
there. A panel that is covered is not visible. Both sides are the same program, so this finds what was drawn late, for
another detection, at another scale or not at all, not an error of a measurement: the spectrum alone is also held
against the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np

from elixer_widgets import measure, open_release
from elixer_widgets.widgets import address
from elixer_widgets.widgets.explorer import Explorer, parts_of
from elixer_widgets.widgets.fluxmap import flux_scene

NEAR = 1.2
"""px between a point that is drawn and its place on the drawn axes: axes are drawn between pixels."""

TEXTS = ("verdict", "evidence", "rivals", "matches", "fit", "spectrum")
"""Panels whose words are compared, by their class less "ew-" and by their name in `Explorer`, see `_PANELS`."""

_PANELS = {"fit": "line_fit"}

READ = r"""
(number) => {
  const root = document.querySelectorAll('.ew-page')[number], data = root.dataset;
  const seen = (panel) => {
    const found = root.querySelector(panel);
    return found && getComputedStyle(found, '::after').content === 'none' && found.checkVisibility() ? found : null;
  };
  const visible = (e) => e.checkVisibility({ checkVisibilityCSS: true });
  const text = (panel) =>
    [...(seen(panel)?.querySelectorAll('.ew-markup') ?? [])].filter(visible).map((e) => e.textContent).filter(Boolean);
  const place = (e) => (e.getAttribute('transform').match(/-?[\d.]+(e-?\d+)?/g) ?? []).map(Number);
  const plot = (panel, selector) => {
    const figure = seen(panel)?.querySelector(selector);
    if (!figure || !visible(figure)) return null;
    const axes = [...figure.querySelectorAll('.axis')].map((axis) =>
      [...axis.querySelectorAll('.tick')].map((e) => [Number(e.textContent.replace('−', '-')), ...place(e)]));
    const groups = [...figure.querySelectorAll('.object_grp')].filter((e) => e.textContent);
    const names = groups.map((e) => [e.textContent, ...place(e).slice(0, 2)]);
    const curves = [...figure.querySelectorAll('path.line')].map((e) => e.getAttribute('d') ?? '');
    return { axes, names, curves };
  };
  const sources = (panel, selector, name) =>
    [...(seen(panel)?.querySelectorAll(selector) ?? [])].filter(visible).map((e) => e.getAttribute(name));
  return {
    query: data.query ?? '', width: Number(data.width), whole: 'whole' in data, stamp: data.stamp, drawn: data.drawn,
    dropped: Number(data.dropped ?? 0), redrawn: Number(data.redrawn ?? 0),
    who: root.querySelector('.ew-who b')?.textContent ?? '', count: root.querySelector('.ew-count').textContent,
    smooth: root.querySelector('.ew-smoothing select').selectedOptions[0].textContent,
    texts: Object.fromEntries(TEXTS.map((each) => [each, text(`.ew-${each}`)])),
    fibers: sources('.ew-fibers', 'img', 'src'), tiles: sources('.ew-imaging', '.ew-tile image', 'href'),
    spectrum: plot('.ew-spectrum', '.bqplot'), fit: plot('.ew-fit', '.ew-plot'),
  };
}
""".replace("TEXTS", str(list(TEXTS)))
"""All that a person sees of page `number`, read in one task of the browser; of panels that are covered nothing."""


class _Words(HTMLParser):
    """The text of HTML, as browsers join it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def words_of(markup: str) -> str:
    """What `textContent` gives for this HTML."""
    parser = _Words()
    parser.feed(markup)
    parser.close()
    return "".join(parser.found)


class Truth:
    """A page of its own without a browser, on which the same is shown.

    Parameters
    ----------
    release : path
    detectids : list of int, optional
        What the other page shows, in its order; all of the release if None.
    """

    def __init__(self, release: Path | str, detectids: list[int] | None = None) -> None:
        opened = open_release(release)
        self.ids = [int(each) for each in opened.detectids()] if detectids is None else detectids
        self._explorer = Explorer(opened, self.ids)
        self._fresh: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._shown = ""

    def show(self, query: str, width: int) -> Explorer:
        """The page that this address opens, in a window of this width (px)."""
        explorer = self._explorer
        if query != self._shown:
            state = explorer.state
            state.reset()
            state.zoom, state.smoothing, state.stretch, state.band, state.blink = (), 0.0, "", "", False
            if "field" not in parse_qs(query.lstrip("?")):
                state.field = type(state).field.default_value
            address.follow(state, query)
            self._shown = query
        explorer.frame.width = width
        return explorer

    def flux(self, detectid: int) -> tuple[np.ndarray, np.ndarray]:
        """Wavelengths and fluxes of the unmasked samples of a fresh measurement."""
        if detectid not in self._fresh:
            measured = measure(open_release(self._explorer.state.release.path).detection(detectid))
            spectrum = measured.spectrum or measured.detection.spectrum
            self._fresh[detectid] = (np.asarray(spectrum.wavelength), np.where(spectrum.good, spectrum.flux, np.nan))
        wavelength, flux = self._fresh[detectid]
        return wavelength[np.isfinite(flux)], flux[np.isfinite(flux)]


# ------------------------------------------------------------------------------------------------------- the plots


def pixels(ticks: list[list[float]], column: int, values: np.ndarray) -> np.ndarray:
    """Where values lie by the ticks of a drawn axis; `column` 1 is across, 2 is down."""
    first, last = min(ticks, key=lambda each: each[0]), max(ticks, key=lambda each: each[0])
    slope = (last[column] - first[column]) / (last[0] - first[0])
    return np.asarray(first[column] + slope * (np.asarray(values, float) - first[0]))


def points(path: str) -> np.ndarray:
    """The points of a path, shape (n, 2), px."""
    return np.array([[float(x), float(y)] for x, y in re.findall(r"([-\d.e]+),([-\d.e]+)", path)]).reshape(-1, 2)


def _curves(figure: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """The curves of a plot in the order in which they are drawn, with their points, shape (n, 2)."""
    for mark in figure.marks:
        if mark.__class__.__name__ != "Lines":
            continue
        x, y = np.atleast_1d(np.asarray(mark.x, float)), np.atleast_2d(np.asarray(mark.y, float))
        for row in y:
            good = np.isfinite(x) & np.isfinite(row)
            yield mark, np.column_stack([x[good], row[good]])


def wrong_plot(seen: dict[str, Any], figure: Any, names: Any, pointed: Any = None) -> Iterator[str]:
    """What of a drawn plot is not as the figure has it, in words.

    Parameters
    ----------
    seen : dict
        Of `READ`: axes, names, curves.
    figure : bqplot.Figure
        The same plot without a browser.
    names : LineMarks
        Of that plot.
    pointed : bqplot.Lines, optional
        What shows that under the pointer, which is not in the address.
    """
    ticks: dict[bool, list[list[float]]] = {False: [], True: []}
    for drawn_ticks in seen["axes"]:
        upright = sum(abs(each[2]) for each in drawn_ticks) > sum(abs(each[1]) for each in drawn_ticks)
        ticks[upright] = drawn_ticks
    for axis in figure.axes:
        drawn = [each[0] for each in ticks[axis.orientation == "vertical"]]
        if axis.visible and len(set(drawn)) != len(drawn):
            yield "doubled ticks"
        if axis.visible and len(drawn) < 2:
            yield f"{len(drawn)} ticks"
            return
    wanted = list(_curves(figure))
    if len(wanted) != len(seen["curves"]):
        yield f"{len(seen['curves'])} curves drawn of {len(wanted)}"
        return
    scales = {axis.orientation == "vertical": axis.scale for axis in figure.axes}
    across = ticks[False]
    for number, ((mark, values), path) in enumerate(zip(wanted, seen["curves"], strict=True)):
        if mark.fill != "none" or mark is pointed or not len(values):
            continue
        drawn = points(path)
        if len(drawn) != len(values):
            yield f"{len(drawn)} points drawn of {len(values)} of curve {number}"
            continue
        if len(across) < 2:  # no axis is shown: the plot's own edges, in the longest curve, say what a pixel is
            slope, left = np.polyfit(values[:, 0], drawn[:, 0], 1) if np.ptp(values[:, 0]) > 0 else (np.nan, np.nan)
            if np.isfinite(slope) and abs(left + slope * scales[False].min) > NEAR:
                yield f"curve {number} begins {left + slope * scales[False].min:.1f} px from the plot's edge"
            across = [[float(v), left + slope * float(v), 0.0] for v in (scales[False].min, scales[False].max)]
        off = np.abs(drawn[:, 0] - pixels(across, 1, values[:, 0])).max()
        # a mark that stands by the plot's height has no axis
        if mark.scales["y"] is scales[True]:
            off = max(off, np.abs(drawn[:, 1] - pixels(ticks[True], 2, values[:, 1])).max())
        if off > NEAR:
            yield f"curve {number} off by {off:.1f} px"
    texts = sorted((t, float(x)) for t, x in zip(names.texts.text, names.texts.x, strict=True) if t)
    drawn_names = sorted((text, x) for text, x, _y in seen["names"])
    if [text for text, _ in texts] != [text for text, _ in drawn_names]:
        yield f"names {[text for text, _ in drawn_names]} for {[text for text, _ in texts]}"
    elif texts:
        off = np.abs(pixels(across, 1, np.array([x for _, x in texts])) - [x for _, x in drawn_names]).max()
        if off > NEAR:
            yield f"a name off by {off:.1f} px"


def wrong_spectrum(seen: dict[str, Any], truth: Truth, detectid: int) -> Iterator[str]:
    """What of the plot of all the spectrum is not the spectrum in the file, in words."""
    across, up = sorted(seen["axes"], key=lambda ticks: -max((abs(each[1]) for each in ticks), default=0.0))
    if len(across) < 2 or len(up) < 2:
        return  # said by `wrong_plot`
    wavelength, flux = truth.flux(detectid)
    drawn = points(max((d for d in seen["curves"] if not d.endswith("Z")), key=len, default=""))
    drawn = drawn[: len(flux)]  # behind it may stand one that adds nothing
    if len(drawn) != len(flux):
        yield f"{len(drawn)} points drawn of {len(flux)} of the file"
        return
    off = np.abs(drawn - np.column_stack([pixels(across, 1, wavelength), pixels(up, 2, flux)])).max(axis=0)
    if off.max() > NEAR:
        peak = float(wavelength[np.argmin(drawn[:, 1])])
        yield f"not the file's: off by {off[0]:.1f}, {off[1]:.1f} px, drawn peak at {peak:.0f} Å"


# --------------------------------------------------------------------------------------------------------- the page


def wrong(seen: dict[str, Any], truth: Truth) -> list[str]:
    """All that is visible and does not belong to the header."""
    who = re.search(r"\d+", seen["who"])
    if who is None:
        return ["no detection in the header"]
    asked = parse_qs(seen["query"].lstrip("?")).get("detectid", [""])[-1]
    found: list[str] = []
    if asked != who[0]:
        found.append(f"the address is that of {asked or 'nothing'}")
    if seen["count"] != f"{truth.ids.index(int(who[0])) + 1} of {len(truth.ids)}":
        found.append(f"count {seen['count']}")
    explorer = truth.show(seen["query"], seen["width"])
    found += [*_wrong_texts(seen, explorer), *_wrong_pictures(seen, explorer)]
    if seen["spectrum"] is not None:
        panel = explorer.spectrum
        found += [f"spectrum: {each}" for each in wrong_plot(seen["spectrum"], panel.figure, panel.names)]
        if seen["smooth"] == "none" and "off=" not in seen["query"]:
            found += [f"spectrum: {each}" for each in wrong_spectrum(seen["spectrum"], truth, int(who[0]))]
    if seen["fit"] is not None:
        panel = explorer.line_fit
        found += [f"fit: {each}" for each in wrong_plot(seen["fit"], panel.figure, panel.names, panel.fiber)]
    return [f"{who[0]}: {each}" for each in found]


def _wrong_texts(seen: dict[str, Any], explorer: Explorer) -> Iterator[str]:
    for name in TEXTS:
        panel = getattr(explorer, _PANELS.get(name, name))
        wanted = [words_of(part.markup) for part in parts_of(panel) if hasattr(part, "markup")]
        for text in seen["texts"][name]:
            if text not in wanted and (seen["whole"] or "measuring" not in text):
                yield f"{name}: {text[:160]!r} is none of {[each[:160] for each in wanted if each]}"


def _wrong_pictures(seen: dict[str, Any], explorer: Explorer) -> Iterator[str]:
    strip = set(re.findall(r'src="([^"]*)', explorer.fibers.strip.markup))
    if not set(seen["fibers"]) <= strip:
        yield f"{len(set(seen['fibers']) - strip)} pictures of fibers"
    known = set(explorer.images.tiles.pictures.values())
    # the maps are a tab, and that is not in the address
    found = explorer.state.interpretation
    if not set(seen["tiles"]) <= known and found is not None:
        known |= set(flux_scene(found.measurements)[0].values())
    if not set(seen["tiles"]) <= known:
        yield f"{len(set(seen['tiles']) - known)} images"
