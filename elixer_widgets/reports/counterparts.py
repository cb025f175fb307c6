"""Catalogue counterparts in columns, and their photometric redshifts."""

from __future__ import annotations

import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import PIXELS_PER_POINT, Canvas, Panel, wrap
from elixer_widgets.reports.colors import GREEN, GREY, TARGET_COLORS, VERMILLION, identity_color
from elixer_widgets.reports.derived import from_match, redshift_as
from elixer_widgets.reports.wording import chance, finite, magnitude, plae, shorten, width
from elixer_widgets.spectra.continuum import rest_width

ROWS = (
    "Catalogue",
    "Separation",
    "P(chance)",
    "RA, Dec",
    "Spec z",
    "Photo z",
    "Est LyA rest-EW",
    "Est OII rest-EW",
    "mag",
    "P(LAE)/P(OII)",
)
SHOWN = len(layout.COUNTERPART_COLUMNS)
HIGHEST_Z = 3.6
COLUMN_CHARACTERS = 29


def column(match: Match, interpretation: Interpretation) -> list[str]:
    """The entries of one counterpart, in the order of `ROWS`."""
    thing = match.object
    name = f"{thing.catalog} {thing.identifier}".strip() + (" (adopted)" if match.selected else "")
    photo = "N/A"
    if finite(thing.photo_z):
        photo = f"{thing.photo_z:.4g}"
        if finite(thing.photo_z_low) and finite(thing.photo_z_high):
            photo += f" ({thing.photo_z_low:.3g} to {thing.photo_z_high:.3g})"
    mag = thing.magnitude(*(band for band in (match.band, "g", "r") if band))
    if mag is None and thing.magnitudes:
        mag = thing.magnitudes[0]
    estimate, ratio = from_match(interpretation, match)
    line = interpretation.measurements.line
    widths = ["N/A", "N/A"]
    if estimate is not None:
        for number, identity in enumerate(("Lya", "OII")):
            z = redshift_as(identity, line.center)
            if finite(z) and z > 0:
                widths[number] = width(*rest_width(line.flux, line.flux_err, estimate, z))
    return [
        name,
        f'{match.separation:.2f}"' if finite(match.separation) else "N/A",
        chance(match.chance),
        f"{thing.ra:.6f}, {thing.dec:.6f}",
        f"{thing.spec_z:.4f} (circle)" if finite(thing.spec_z) else "N/A",
        photo,
        *widths,
        "N/A" if mag is None else magnitude(mag),
        plae(ratio),
    ]


def nothing_found(interpretation: Interpretation) -> str:
    """Why there are no columns."""
    said = dict.fromkeys(interpretation.measurements.notes)
    notes = [each for each in said if "imag" in each.lower() or "catalog" in each.lower()]
    if not interpretation.measurements.cutouts:
        why = "; ".join(notes) or "no imaging and no catalogue covers this position"
        return f"Catalogue counterparts not available: {why}."
    return 'No catalogue object lies within 3" of the position.'


def draw_counterparts(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the columns."""
    box = layout.COUNTERPARTS
    matches = sorted(interpretation.measurements.matches, key=lambda match: match.rank)[:SHOWN]
    if not matches:
        canvas.text(
            box.left,
            box.top + 20,
            "\n".join(wrap(nothing_found(interpretation), 52)),
            11,
            family="mono",
            vertical="top",
        )
        return
    step = box.height / len(ROWS)
    for row, title in enumerate(ROWS):
        canvas.text(box.left, box.top + (row + 0.5) * step, title, 11, family="mono")
    for match, left, color in zip(matches, layout.COUNTERPART_COLUMNS, TARGET_COLORS, strict=False):
        for row, text in enumerate(column(match, interpretation)):
            canvas.text(
                left, box.top + (row + 0.5) * step, shorten(text, COLUMN_CHARACTERS), 10.5, family="mono", color=color
            )
    more = len(interpretation.measurements.matches) - len(matches)
    if more > 0:
        canvas.text(box.left, box.bottom + 12, f"and {more} more, farther away or fainter", 8.5, color=GREY)


def draw_photo_z(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the photo-z densities with the redshifts as Lyα and as [O II]."""
    box = layout.PHOTO_Z
    canvas.text(box.center[0], box.top - 18, "Phot z PDF", 10, align="center")
    measurements = interpretation.measurements
    matches = sorted(measurements.matches, key=lambda match: match.rank)[:SHOWN]
    curves = [(m, m.object.photo_z_pdf) for m in matches if m.object.photo_z_pdf is not None]
    specs = [m for m in matches if finite(m.object.spec_z)]
    lya, oii = redshift_as("Lya", measurements.line.center), redshift_as("OII", measurements.line.center)
    if not curves and not specs:
        reason = "no counterpart has a photo-z" if matches else "no catalogue counterpart"
        canvas.not_available(box, "Photometric redshifts", reason)
        return
    most = max(
        [lya, interpretation.redshift if finite(interpretation.redshift) else 0.0, *(m.object.spec_z for m in specs)]
    )
    panel = Panel(canvas, box, (0.0, max(HIGHEST_Z, 1.05 * most)), (0.0, 1.1))
    for match, pdf in curves:
        assert pdf is not None
        z, density = np.asarray(pdf[0], float), np.asarray(pdf[1], float)
        peak = np.nanmax(density)
        if peak > 0:
            panel.curve(z, density / peak, TARGET_COLORS[match.rank - 1], 1.4)
    panel.verticals([oii] if oii >= 0 else [], GREEN, 1.6, dashes=(0, (5, 3)))
    panel.verticals([lya], VERMILLION, 1.6, dashes=(0, (5, 3)))
    for match in specs:
        x, y = float(panel.x(match.object.spec_z)), float(panel.y(0.9))
        phase = np.linspace(0, 2 * np.pi, 37)
        ring = np.column_stack([x + 9 * np.cos(phase), y + 9 * np.sin(phase)])
        canvas.polygon(ring, edge=TARGET_COLORS[match.rank - 1], width=1.6, clip=box)
    panel.frame(np.arange(0, panel.xlim[1] + 1e-9, 0.5))
    y = box.bottom + 52
    left = box.left + 20
    if oii >= 0:
        canvas.lines([[(left, y), (left + 46, y)]], GREEN, 1.6, dashes=(0, (5, 3)))
        canvas.text(left + 54, y, f"[O II] z {oii:.4f}", 8.5)
    middle = left + 54 + 16 * 8.5 * PIXELS_PER_POINT * 0.62
    canvas.lines([[(middle, y), (middle + 46, y)]], VERMILLION, 1.6, dashes=(0, (5, 3)))
    canvas.text(middle + 54, y, f"Lyα z {lya:.4f}", 8.5)
    adopted = interpretation.identity
    if finite(interpretation.redshift) and adopted not in ("Lya", "OII"):
        right = middle + 54 + 16 * 8.5 * PIXELS_PER_POINT * 0.62
        panel.verticals([interpretation.redshift], identity_color(adopted), 1.6, dashes=(0, (1, 2)))
        canvas.lines([[(right, y), (right + 46, y)]], identity_color(adopted), 1.6, dashes=(0, (1, 2)))
        canvas.text(right + 54, y, f"{LABELS.get(adopted, adopted)} z {interpretation.redshift:.4f}", 8.5)
    said = (["curves scaled to 1"] if curves else []) + (["circle: spec z"] if specs else [])
    canvas.text(box.right, box.bottom + 78, ", ".join(said), 7.5, align="right", color=GREY)
