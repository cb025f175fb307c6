"""The fiber strip as HTML: pictures, texts, exposures. No widgets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import isfinite

import numpy as np
from scipy.ndimage import gaussian_filter

from elixer_widgets.detection import CcdRegion, Fiber, FiberCutout, FiberImages
from elixer_widgets.reports.stretch import CUTOUT_CONTRAST, zscale
from elixer_widgets.spectra.exposures import ExposureSignal
from elixer_widgets.widgets import pictures
from elixer_widgets.widgets.markup import escape
from elixer_widgets.widgets.palette import INK, fiber_color
from elixer_widgets.widgets.words import number

ROWS = 4
"""Fibers shown one by one."""

SMOOTHING = 1.5
"""Pixels; the σ of the Gaussian that makes the smoothed pictures."""

FIBER_ROWS = 4.0
"""Pixels; half of the light of a fiber on the detector, for its mark on the CCD (fibers lie some 8 pixels apart)."""

FAINT_LINE = 1.0
"""σ below what the other exposures let expect from which an exposure is called weak, when it is also below 2σ."""


def weighted_sum(cutouts: Sequence[FiberCutout], excluded: Collection[str] = ()) -> np.ndarray:
    """The windows of the fibers in use added by weight, masked pixels left out; NaN where every fiber is masked.

    Returns
    -------
    array, shape (21, 49)
        Counts, as of one fiber of full weight.
    """
    used = [cutout for cutout in cutouts if cutout.fiber.fiber_id not in excluded] or list(cutouts)
    weights = np.array([cutout.fiber.weight for cutout in used])
    weights = np.where(np.isfinite(weights) & (weights > 0), weights, 0.0)
    if not weights.any():
        weights = np.ones(len(used))
    images = np.stack([np.where(cutout.cosmic, 0.0, cutout.image) for cutout in used])
    shares = np.stack([~cutout.cosmic for cutout in used]) * weights[:, None, None]
    total = shares.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (images * shares).sum(axis=0) / total, np.nan)


def smooth(image: np.ndarray) -> np.ndarray:
    """`image` smoothed with a Gaussian of `SMOOTHING` pixels; missing pixels count as no light."""
    return gaussian_filter(np.nan_to_num(np.asarray(image, float)), SMOOTHING)


def limits_of(data: np.ndarray, stretch: str) -> tuple[float, float]:
    """The values that become white and black: zscale of IRAF where asked for, else some σ about the median."""
    return zscale(data, CUTOUT_CONTRAST) if stretch == "zscale" else pictures.robust_range(data)


def span_of(cutout: FiberCutout) -> tuple[float, float]:
    """Wavelengths (Å) at the left and right edge of a fiber's picture."""
    first, last = float(cutout.wavelength[0]), float(cutout.wavelength[-1])
    half = (last - first) / (2 * (cutout.wavelength.size - 1))
    return first - half, last + half


def describe(fiber: Fiber, in_use: bool = True) -> str:
    """Where the light fell, in three short lines, the first of which says so where it is not used."""
    first = f"<b>{number(fiber.weight)}</b> · {number(fiber.distance, 1)}″ · χ² {number(fiber.chi2, 1)}"
    if not in_use:
        first = f"<b>switched off</b> · {number(fiber.weight)}"
    exposure = f"{fiber.date}v{fiber.obsid:03d} exp {fiber.expnum}" if fiber.date else ""
    place = " ".join(part for part in (fiber.specid, fiber.amp, str(fiber.fibnum) if fiber.fibnum else "") if part)
    edge = " · IFU edge" if fiber.on_ifu_edge else ""
    return f"<div>{first}</div><div>{escape(exposure)}</div><div>{escape(place)}{edge}</div>"


def in_words(fiber: Fiber) -> str:
    """All that is known of a fiber, for a tooltip."""
    edge = "on the edge of its IFU" if fiber.on_ifu_edge else "inside its IFU"
    known = [
        fiber.fiber_id,
        f"weight {number(fiber.weight, 3)}, {number(fiber.distance, 2)}″ from the detection, "
        f"fiber-profile χ² {number(fiber.chi2, 2)}",
        f"exposure {fiber.expnum} of {fiber.date}v{fiber.obsid:03d}, spectrograph {fiber.specid}, "
        f"IFU {fiber.ifuslot}, amplifier {fiber.amp}, fiber {fiber.fibnum}",
        f"CCD pixel {fiber.x_raw}, {fiber.y_raw}; {edge}",
    ]
    return "\n".join(known)


def _picture(data: np.ndarray, limits: tuple[float, float], what: str, stretch: str, marked: object = None) -> str:
    masked = marked if isinstance(marked, np.ndarray) else None
    shown = pictures.gray(data, limits, masked, asinh=stretch == "asinh")
    return f'<img alt="{escape(what)}" draggable="false" src="{pictures.data_uri(shown)}">'


def _cells(pictures_: Sequence[str], span: tuple[float, float]) -> str:
    edges = f'data-low="{span[0]:.2f}" data-high="{span[1]:.2f}"'
    return "".join(f"<div {edges}>{each}</div>" if each else "<div></div>" for each in pictures_)


def _sum_row(images: FiberImages, excluded: Collection[str], stretch: str) -> str:
    total = weighted_sum(images.cutouts, excluded)
    soft = smooth(total)
    cells = (
        _picture(total, limits_of(total, stretch), "weighted sum", stretch),
        "",
        _picture(soft, limits_of(soft, stretch), "weighted sum, smoothed", stretch),
    )
    used = sum(cutout.fiber.fiber_id not in excluded for cutout in images.cutouts)
    count = f"{used} fibers" if used == len(images.cutouts) else f"{used} of {len(images.cutouts)} fibers"
    return (
        f'<div class="ew-strip-row" style="--fiber:{INK}">{_cells(cells, span_of(images.cutouts[0]))}'
        f'<div class="ew-strip-text"><div><b>weighted sum</b></div><div>{count}</div></div></div>'
    )


def _fiber_rows(shown: Sequence[FiberCutout], excluded: Collection[str], stretch: str) -> str:
    limits = limits_of(np.concatenate([cutout.image[~cutout.cosmic] for cutout in shown]), stretch)
    smoothed = [smooth(np.where(cutout.cosmic, 0.0, cutout.image)) for cutout in shown]
    soft_limits = limits_of(np.stack(smoothed), stretch)
    rows = []
    for rank, (cutout, soft) in enumerate(zip(shown, smoothed, strict=True)):
        fiber, flat = cutout.fiber, cutout.pixel_flat
        on = fiber.fiber_id not in excluded
        cells = (
            _picture(cutout.image, limits, "counts", stretch, cutout.cosmic),
            "" if flat is None else _picture(flat, (0.9, 1.1), "pixel flat", "σ"),
            _picture(soft, soft_limits, "smoothed", stretch),
        )
        tip = f"{in_words(fiber)}\nmasked pixels in yellow; click to switch it {'off' if on else 'on'}"
        text = describe(fiber, on)
        rows.append(
            f'<div class="ew-strip-row" role="button" tabindex="0" aria-pressed="{str(on).lower()}" '
            f'aria-label="fiber {rank + 1}, {"in use" if on else "switched off"}" '
            f'data-key="fiber:{escape(fiber.fiber_id)}" data-fiber="{escape(fiber.fiber_id)}" '
            f'style="--fiber:{fiber_color(rank)}" title="{escape(tip)}">{_cells(cells, span_of(cutout))}'
            f'<div class="ew-strip-text">{text}</div></div>'
        )
    return "".join(rows)


def _marks(images: FiberImages, region: CcdRegion) -> str:
    """The fibers of the same exposure and amplifier where they lie on the CCD picture."""
    height = region.clean.shape[0]
    found = []
    for rank, cutout in enumerate(images.cutouts):
        fiber = cutout.fiber
        row = cutout.y - region.y + height // 2
        same = (fiber.multiframe, fiber.expnum) == (region.fiber.multiframe, region.fiber.expnum)
        if same and 0 <= row < height:
            top = 100.0 * (1.0 - (row + 0.5 + FIBER_ROWS) / height)
            found.append(
                f'<span class="ew-ccd-mark" data-fiber="{escape(fiber.fiber_id)}" title="{escape(in_words(fiber))}" '
                f'style="--fiber:{fiber_color(rank)};top:{top:.2f}%;height:{200.0 * FIBER_ROWS / height:.2f}%"></span>'
            )
    return "".join(found)


def _ccd(images: FiberImages, stretch: str) -> str:
    region = images.ccd
    if region is None:
        return ""
    span = span_of(images.cutouts[0])
    edges = f'data-low="{span[0]:.2f}" data-high="{span[1]:.2f}"'
    marks = _marks(images, region)
    figures = "".join(
        f"<figure><div {edges}>{_picture(data, limits_of(data, stretch), what, stretch)}{marks}</div>"
        f"<figcaption>{caption}</figcaption></figure>"
        for data, what, caption in (
            (region.with_sky, "CCD with sky", "with sky"),
            (region.clean, "CCD less sky", "less sky"),
        )
    )
    return (
        f'<div class="ew-strip-ccd" style="--fiber:{fiber_color(0)}" title="CCD about x {region.x}, y {region.y}">'
        f"{figures}</div>"
    )


def exposures(fibers: Sequence[Fiber], signals: Sequence[ExposureSignal], excluded: Collection[str]) -> str:
    """A button an exposure: whether the line is in it, and whether it is in use."""
    known = {signal.exposure: signal for signal in signals}
    buttons = []
    for number_ in sorted({fiber.expnum for fiber in fibers if fiber.expnum}):
        own = [fiber.fiber_id for fiber in fibers if fiber.expnum == number_]
        on = any(each not in excluded for each in own)
        signal = known.get(number_)
        if not on:
            text, tip = "off", f"{len(own)} fibers; click to use them"
        elif signal is None or not isfinite(signal.snr):
            text, tip = "not measured", f"{len(own)} fibers; click to switch them off"
        else:
            # a line in absorption is as much there as one in emission
            snr, expected = (-signal.snr, -signal.expected) if signal.expected < 0 else (signal.snr, signal.expected)
            weak = snr < 2.0 and snr < expected - FAINT_LINE
            text = f"S/N <b>{number(snr, 1)}</b>{' weak' if weak else ''}"
            tip = (
                f"the line has S/N {number(snr, 1)} in the {signal.fibers} fibers of this exposure; "
                f"{number(expected, 1)} were it as bright as in all together; click to switch them off"
            )
        buttons.append(
            f'<button class="ew-exposure" data-key="exposure:{number_}" aria-pressed="{str(on).lower()}" '
            f'title="{escape(tip)}">exp {number_} {text}</button>'
        )
    return "".join(buttons)


def others(fibers: Sequence[Fiber], excluded: Collection[str]) -> str:
    """A small square for every fiber without pictures of its own, the heavier the darker."""
    heaviest = max((fiber.weight for fiber in fibers if isfinite(fiber.weight)), default=1.0) or 1.0
    squares = []
    for fiber in fibers[ROWS:]:
        on = fiber.fiber_id not in excluded
        share = fiber.weight / heaviest if isfinite(fiber.weight) else 0.0
        tip = f"{in_words(fiber)}\nclick to switch it {'off' if on else 'on'}"
        squares.append(
            f'<button class="ew-fiber-dot" data-key="fiber:{escape(fiber.fiber_id)}" '
            f'data-fiber="{escape(fiber.fiber_id)}" aria-pressed="{str(on).lower()}" title="{escape(tip)}" '
            f'aria-label="fiber of weight {number(fiber.weight, 3)}" '
            f'style="--weight:{max(0.15, min(share, 1.0)):.2f}"></button>'
        )
    return f'<span class="ew-fiber-dots">{"".join(squares)}</span>' if squares else ""


def draw(
    images: FiberImages,
    fibers: Sequence[Fiber] = (),
    signals: Sequence[ExposureSignal] = (),
    excluded: Collection[str] = (),
    stretch: str = "",
) -> str:
    """The strip as HTML; a sentence where there are no fibers.

    Parameters
    ----------
    images : FiberImages
    fibers : sequence of Fiber
        All of the detection, by descending weight.
    signals : sequence of ExposureSignal
        What each exposure says of the line.
    excluded : collection of str
        fiber_ids switched off.
    stretch : str
        "zscale", "asinh", else linear between -2 and 5σ; one for all fibers.
    """
    foot = f'<div class="ew-strip-foot">{exposures(fibers, signals, excluded)}{others(fibers, excluded)}</div>'
    if not images.cutouts:
        none = f'<div class="ew-none">{escape(images.reason or "no fiber data")}</div>'
        return none if not fibers else f'<div class="ew-strip-all">{none}{foot}</div>'
    rows = _sum_row(images, excluded, stretch) + _fiber_rows(images.cutouts[:ROWS], excluded, stretch)
    return (
        f'<div class="ew-strip-all"><div class="ew-strip"><div class="ew-strip-rows">{rows}</div>'
        f"{_ccd(images, stretch)}</div>{foot if fibers else ''}</div>"
    )
