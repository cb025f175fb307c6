"""The one-page report."""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from pathlib import Path

from elixer_widgets._arguments import instance
from elixer_widgets._arguments import path as given
from elixer_widgets.analysis import Interpretation
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas, wrap
from elixer_widgets.reports.colors import GREY
from elixer_widgets.reports.counterparts import SHOWN, draw_counterparts, draw_photo_z
from elixer_widgets.reports.evidence import draw_evidence, evidence_box
from elixer_widgets.reports.fibers import draw_ccd, draw_fibers
from elixer_widgets.reports.header import draw_header, flags_are_cut
from elixer_widgets.reports.imaging import draw_imaging
from elixer_widgets.reports.line_fit import draw_line_fit
from elixer_widgets.reports.spectrum import draw_spectrum
from elixer_widgets.reports.state import known_format, metadata, taking_the_place_of
from elixer_widgets.reports.text_block import draw_text_block
from elixer_widgets.reports.wording import flags, shorten

NOTES_CHARACTERS, NOTES_LINES = 300, 3


def notes(interpretation: Interpretation) -> list[str]:
    """What is missing or was remarked, once each, in the order in which it came."""
    measurements = interpretation.measurements
    detection = measurements.detection
    said = [*detection.notes, *measurements.notes, *detection.not_available.values()]
    if flags_are_cut(interpretation):
        said.insert(0, f"all {flags(interpretation).lower()}")
    return list(dict.fromkeys(note for note in said if note))


def draw_page(interpretation: Interpretation, made: datetime) -> Canvas:
    """All panels on one page."""
    canvas = Canvas()
    draw_header(canvas, interpretation, made)
    draw_text_block(canvas, interpretation)
    draw_fibers(canvas, interpretation)
    draw_ccd(canvas, interpretation)
    draw_line_fit(canvas, interpretation)
    draw_spectrum(canvas, interpretation)
    free = draw_imaging(canvas, interpretation)
    draw_counterparts(canvas, interpretation)
    room = evidence_box(free, min(len(interpretation.measurements.matches), SHOWN))
    if room is not None:
        draw_evidence(canvas, interpretation, room)
    draw_photo_z(canvas, interpretation)
    remarks = notes(interpretation)
    if remarks:
        lines = wrap(shorten("Notes: " + "; ".join(remarks), NOTES_LINES * (NOTES_CHARACTERS - 10)), NOTES_CHARACTERS)
        canvas.text(layout.NOTES.left, layout.NOTES.center[1], "\n".join(lines[:NOTES_LINES]), 7.5, color=GREY)
    return canvas


def write_report(interpretation: Interpretation, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the one-page report.

    Parameters
    ----------
    interpretation : Interpretation
    path : str or path
        Ends in .pdf (a vector page of 18 x 12.25 inches), .png (2700 x 1838 pixels), .jpg or .jpeg. The file appears
        complete or not at all, and takes the place of an earlier report.
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
    instance(interpretation, Interpretation, "write_report: interpretation")
    target = known_format(given(path, "write_report: path"), "report")
    made = datetime.now()
    canvas = draw_page(interpretation, made)
    with taking_the_place_of(target, overwrite) as temporary:
        canvas.save(temporary, metadata(interpretation), made)
    return target
