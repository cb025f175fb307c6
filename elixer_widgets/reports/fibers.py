"""Fiber cutouts (weighted sum and the four best fibers) and the CCD around the best fiber."""

from __future__ import annotations

import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import CcdRegion, FiberCutout
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas
from elixer_widgets.reports.colors import BLACK, FIBER_COLORS, GREY, WARNING, fiber_color
from elixer_widgets.reports.derived import fiber_images
from elixer_widgets.reports.layout import Box
from elixer_widgets.reports.stretch import (
    cutout_limits,
    cutout_picture,
    flat_picture,
    grey,
    smooth,
    widened,
)

ROWS_SHOWN = 4
GAP_X, GAP_Y = 3, 4  # cutout pixels between columns, and below the sum
SHAPE = (21, 49)
POOR_PROFILE = 4.0  # fiber-profile χ² above which the text turns red
WITH_SKY_FACTOR = 0.8  # With-Sky limits are the zscale limits divided by this


def weighted_sum(cutouts: tuple[FiberCutout, ...], excluded: tuple[str, ...] = ()) -> np.ndarray:
    """Σ weight × cutout over the fibers in use, cosmic rays set to 0. Shape of one cutout, counts."""
    total = np.zeros(cutouts[0].image.shape)
    for cutout in cutouts:
        weight = cutout.fiber.weight
        if cutout.fiber.fiber_id in excluded or not np.isfinite(weight):
            continue
        total += weight * np.where(cutout.cosmic, 0.0, np.nan_to_num(cutout.image))
    return total


def tiled(cutouts: tuple[FiberCutout, ...], excluded: tuple[str, ...] = ()) -> np.ndarray:
    """All cutouts as one picture: rows sum and four fibers, columns 2-D, flat, smoothed; RGB, row 0 at the bottom."""
    ny, nx = cutouts[0].image.shape
    rows = ROWS_SHOWN + 1
    picture = np.full((rows * ny + GAP_Y, 3 * nx + 2 * GAP_X, 3), 255, np.uint8)
    total = weighted_sum(cutouts, excluded)
    limits = cutout_limits(total)
    blank = np.full((ny, nx, 3), 244, np.uint8)
    table = [(cutout_picture(total, None, limits), blank, grey(smooth(total), limits))]
    for cutout in cutouts[:ROWS_SHOWN]:
        limits = cutout_limits(cutout.image)
        flat = blank if cutout.pixel_flat is None else flat_picture(cutout.pixel_flat)
        table.append(
            (
                cutout_picture(cutout.image, cutout.cosmic, limits),
                flat,
                grey(smooth(cutout.image, cutout.cosmic), limits),
            )
        )
    table += [(blank, blank, blank)] * (rows - len(table))
    for row, cells in enumerate(table):
        top = picture.shape[0] - row * ny - (GAP_Y if row else 0)
        for column, cell in enumerate(cells):
            left = column * (nx + GAP_X)
            picture[top - ny : top, left : left + nx] = cell
    return picture


def row_box(row: int) -> Box:
    """Where a row lies: 0 the sum, 1 to 4 the fibers."""
    box = layout.FIBERS
    pixel = box.height / ((ROWS_SHOWN + 1) * SHAPE[0] + GAP_Y)
    top = box.top + pixel * (row * SHAPE[0] + (GAP_Y if row else 0))
    return Box(box.left, top, box.right, top + pixel * SHAPE[0])


def column_box(row: int, column: int) -> Box:
    """Where one cell lies."""
    box = row_box(row)
    pixel = box.width / (3 * SHAPE[1] + 2 * GAP_X)
    left = box.left + pixel * column * (SHAPE[1] + GAP_X)
    return Box(left, box.top, left + pixel * SHAPE[1], box.bottom)


def left_text(cutout: FiberCutout) -> list[str]:
    """Weight, worst fiber-profile χ², fiber number on the CCD."""
    fiber = cutout.fiber
    weight = f"{fiber.weight:.2f}" if np.isfinite(fiber.weight) else "–"
    chi2 = "–" if not np.isfinite(fiber.chi2) else f"{fiber.chi2:.1f}" if fiber.chi2 > 10 else f"{fiber.chi2:.2f}"
    return [weight, chi2, f"{fiber.ccd_number:03d}" if fiber.ccd_number else "–"]


def right_text(cutout: FiberCutout) -> list[str]:
    """Distance, CCD position as DS9 counts it, observation and exposure, spectrograph, amplifier and fiber."""
    fiber = cutout.fiber
    distance = f'{fiber.distance:.2f}"' if np.isfinite(fiber.distance) else "–"
    observed = f"{fiber.date}v{fiber.obsid:03d}_{fiber.expnum:d}" if fiber.date else f"exp {fiber.expnum:d}"
    return [
        distance,
        f"({cutout.x + 1}, {cutout.y + 1})",
        observed,
        f"{fiber.specid}_{fiber.amp}_{fiber.fibnum:03d}",
    ]


def draw_fibers(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the block of fiber cutouts with its texts."""
    images = fiber_images(interpretation.measurements.detection)
    if not images.cutouts:
        box = layout.FIBERS
        canvas.not_available(Box(box.left - 30, box.top, box.right + 120, box.bottom), "Fiber cutouts", images.reason)
        return
    excluded = interpretation.measurements.excluded_fibers
    canvas.image(tiled(images.cutouts, excluded), layout.FIBERS)
    for column, title in enumerate(("2D Spec", "Pixel Flat", "Smoothed")):
        box = column_box(0, column)
        canvas.text(box.center[0], box.top - 12, title, 8, align="center")
    used = sum(1 for cutout in images.cutouts if cutout.fiber.fiber_id not in excluded)
    canvas.text(
        *column_box(0, 1).center, f"sum of {used} fiber{'s' if used != 1 else ''}", 7.5, align="center", color=GREY
    )
    canvas.text(layout.FIBER_RIGHT_X, row_box(0).center[1], "Weighted\nSum", 8)
    for row in range(ROWS_SHOWN, 0, -1):
        if row <= len(images.cutouts):
            _draw_row(canvas, row, images.cutouts[row - 1], excluded)
        else:
            canvas.text(*row_box(row).center, "no further fiber", 7.5, align="center", color=GREY)
    canvas.rectangle(row_box(0), edge=BLACK, width=2.0)


def _draw_row(canvas: Canvas, row: int, cutout: FiberCutout, excluded: tuple[str, ...]) -> None:
    """Frame and texts of one fiber."""
    box = row_box(row)
    off = cutout.fiber.fiber_id in excluded
    canvas.rectangle(box.inset(1.5), edge=fiber_color(row - 1), width=2.0)
    poor = np.isfinite(cutout.fiber.chi2) and cutout.fiber.chi2 > POOR_PROFILE
    canvas.text(
        layout.FIBER_LEFT_X, box.center[1], "\n".join(left_text(cutout)), 7.5, align="right",
        color=WARNING if poor else BLACK, spacing=1.05,
    )  # fmt: skip
    lines = right_text(cutout)
    if off:
        lines = ["SWITCHED OFF", *lines[1:]]
    canvas.text(layout.FIBER_RIGHT_X, box.center[1], "\n".join(lines), 7, color=WARNING if off else BLACK, spacing=1.0)
    if cutout.pixel_flat is None:
        canvas.text(*column_box(row, 1).center, "no pixel flat", 7.5, align="center", color=GREY)


def _draw_region(canvas: Canvas, box: Box, title: str, image: np.ndarray, region: CcdRegion, factor: float) -> None:
    """One tall CCD window in the best fiber's colour."""
    limits = widened(cutout_limits(image), factor)
    canvas.image(grey(image, limits), box)
    canvas.rectangle(box.inset(1.5), edge=FIBER_COLORS[0], width=2.0)
    canvas.text(box.center[0], box.top - 42, title, 10, align="center")
    canvas.text(box.center[0], box.top - 16, f"x, y: {region.x + 1}, {region.y + 1}", 9, align="center")


def draw_ccd(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the CCD region with and without sky."""
    images = fiber_images(interpretation.measurements.detection)
    region = images.ccd
    if region is None:
        both = Box(layout.WITH_SKY.left, layout.WITH_SKY.top, layout.CLEAN.right, layout.CLEAN.bottom)
        canvas.not_available(both, "CCD region", images.reason or "the CCD image could not be read")
        return
    _draw_region(canvas, layout.WITH_SKY, "With Sky", region.with_sky, region, WITH_SKY_FACTOR)
    _draw_region(canvas, layout.CLEAN, "Clean Image", region.clean, region, 0.5)
