"""The fibers on the detector: their weighted sum, the four of highest weight, and the CCD around the first."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from elixer_widgets.detection import CcdRegion, Detection, Fiber, FiberCutout, FiberImages
from elixer_widgets.widgets import pictures
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.palette import INK, fiber_color
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState
from elixer_widgets.widgets.words import number

ROWS = 4
"""Fibers shown one by one."""

SMOOTHING = 1.5
"""Pixels; the σ of the Gaussian that makes the smoothed pictures."""


def weighted_sum(cutouts: tuple[FiberCutout, ...]) -> np.ndarray:
    """The fibers' windows added by weight, masked pixels left out; NaN where every fiber is masked.

    Returns
    -------
    array, shape (21, 49)
        Counts, as of one fiber of full weight.
    """
    weights = np.array([cutout.fiber.weight for cutout in cutouts])
    weights = np.where(np.isfinite(weights) & (weights > 0), weights, 0.0)
    if not weights.any():
        weights = np.ones(len(cutouts))
    images = np.stack([np.where(cutout.cosmic, 0.0, cutout.image) for cutout in cutouts])
    used = np.stack([~cutout.cosmic for cutout in cutouts]) * weights[:, None, None]
    total = used.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (images * used).sum(axis=0) / total, np.nan)


def smooth(image: np.ndarray) -> np.ndarray:
    """`image` smoothed with a Gaussian of `SMOOTHING` pixels; missing pixels count as no light."""
    return gaussian_filter(np.nan_to_num(np.asarray(image, float)), SMOOTHING)


def _picture(data: np.ndarray, limits: tuple[float, float], what: str, marked: np.ndarray | None = None) -> str:
    return f'<img alt="{escape(what)}" src="{pictures.data_uri(pictures.gray(data, limits, marked))}">'


def _describe(fiber: Fiber) -> str:
    """Where the light fell, in two short lines."""
    first = f"<b>{number(fiber.weight)}</b> · {number(fiber.distance, 1)}″ · χ² {number(fiber.chi2, 1)}"
    exposure = f"{fiber.date}v{fiber.obsid:03d} exp {fiber.expnum}" if fiber.date else ""
    place = " ".join(part for part in (fiber.specid, fiber.amp, str(fiber.fibnum) if fiber.fibnum else "") if part)
    edge = " · IFU edge" if fiber.on_ifu_edge else ""
    return f"<div>{first}</div><div>{escape(exposure)}</div><div>{escape(place)}{edge}</div>"


def _row(color: str, pictures_: tuple[str, str, str], text: str, tip: str = "") -> str:
    cells = "".join(f"<div>{picture}</div>" for picture in pictures_)
    return (
        f'<div class="ew-strip-row" style="--fiber:{color}" title="{escape(tip)}">{cells}'
        f'<div class="ew-strip-text">{text}</div></div>'
    )


def _ccd(region: CcdRegion) -> str:
    with_sky = _picture(region.with_sky, pictures.robust_range(region.with_sky), "CCD with sky")
    clean = _picture(region.clean, pictures.robust_range(region.clean), "CCD less sky")
    return (
        f'<div class="ew-strip-ccd" style="--fiber:{fiber_color(0)}" title="CCD about x {region.x}, y {region.y}">'
        f"<figure>{with_sky}<figcaption>with sky</figcaption></figure>"
        f"<figure>{clean}<figcaption>less sky</figcaption></figure></div>"
    )


def draw(images: FiberImages) -> str:
    """The strip as HTML; a sentence where there are no fibers."""
    if not images.cutouts:
        return f'<div class="ew-none">{escape(images.reason or "no fiber data")}</div>'
    shown = images.cutouts[:ROWS]
    total = weighted_sum(images.cutouts)
    pooled = np.concatenate([cutout.image[~cutout.cosmic] for cutout in shown])
    limits = pictures.robust_range(pooled)
    smoothed = [smooth(np.where(cutout.cosmic, 0.0, cutout.image)) for cutout in shown]
    smooth_limits = pictures.robust_range(np.stack(smoothed))
    summed = smooth(total)
    rows = [
        _row(
            INK,
            (
                _picture(total, pictures.robust_range(total), "weighted sum"),
                "",
                _picture(summed, pictures.robust_range(summed), "weighted sum, smoothed"),
            ),
            f"<div><b>weighted sum</b></div><div>{len(images.cutouts)} fibers</div>",
        )
    ]
    for rank, (cutout, soft) in enumerate(zip(shown, smoothed, strict=True)):
        flat = cutout.pixel_flat
        rows.append(
            _row(
                fiber_color(rank),
                (
                    _picture(cutout.image, limits, "counts", cutout.cosmic),
                    "" if flat is None else _picture(flat, (0.9, 1.1), "pixel flat"),
                    _picture(soft, smooth_limits, "smoothed"),
                ),
                _describe(cutout.fiber),
                f"{cutout.fiber.fiber_id}: pixel {cutout.x}, {cutout.y}; masked pixels in yellow",
            )
        )
    ccd = "" if images.ccd is None else _ccd(images.ccd)
    return f'<div class="ew-strip"><div class="ew-strip-rows">{"".join(rows)}</div>{ccd}</div>'


class FiberStrip(Panel):
    """Where on the detector the line fell, fiber by fiber."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(markup="<h3>Fibers <small>counts | pixel flat | smoothed · weight · distance · χ²</small></h3>")
        self.strip = Markup().add_class("ew-fill")
        super().__init__(state, "fibers", (title, self.strip))
        self.watch(self._draw, "detection", clear=self._clear)

    def _draw(self) -> None:
        detection: Detection | None = self.state.detection
        self.strip.markup = "" if detection is None else draw(detection.fiber_images)

    def _clear(self) -> None:
        self.strip.markup = ""
