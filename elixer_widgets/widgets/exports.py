"""The report and the catalogue of the shown detection, handed to the browser as files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as W
from traitlets import Bool, Unicode

from elixer_widgets._cache import working_folder
from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import DataError
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

log = logging.getLogger(__name__)


class Download(Hearing):
    """A button whose file is made in Python when it is clicked, and saved by the browser.

    Works wherever widgets do, since the bytes travel as a message and no server has to offer the file.
    """

    _esm = hearing_script("download.js")
    label = Unicode("").tag(sync=True)
    hint = Unicode("").tag(sync=True)
    busy = Bool(False, help="the file is being made").tag(sync=True)
    disabled = Bool(False).tag(sync=True)

    def __init__(self, make: Callable[[], tuple[str, str, bytes] | None], **traits: Any) -> None:
        """`make` returns (file name, media type, bytes), or None where it told the person why not."""
        super().__init__(**traits)
        self._make = make
        self.on_msg(self._asked)

    def _asked(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not (isinstance(content, dict) and content.get("wanted")) or self.busy or self.disabled:
            return
        self.busy = True
        try:
            made = self._make()
            if made is not None:
                name, media_type, data = made
                self.send({"kind": "file", "name": name, "type": media_type}, buffers=[data])
        finally:
            self.busy = False


def _written(write: Callable[[Path], object], suffix: str) -> bytes:
    """The bytes of the file that `write(path)` makes."""
    with working_folder("elixer-") as folder:
        path = folder / f"export{suffix}"
        write(path)
        return path.read_bytes()


def report_bytes(interpretation: Interpretation) -> bytes:
    """The one-page PDF."""
    # imported here: the drawing library takes a second to load, and most page turns end without a report
    from elixer_widgets.reports import write_report

    return _written(lambda path: write_report(interpretation, path), ".pdf")


def catalog_bytes(interpretation: Interpretation) -> bytes:
    """The HDF5 catalogue of this one detection."""
    from elixer_widgets.reports import write_catalog

    return _written(lambda path: write_catalog([interpretation], path), ".h5")


class Exports(Panel):
    """Buttons for the PDF report and the HDF5 catalogue, exactly as the page shows the detection."""

    def __init__(self, state: ExplorerState) -> None:
        self.pdf = Download(
            lambda: self._file("report", ".pdf", "application/pdf", report_bytes),
            label="PDF",
            hint="One-page report of what is shown",
        )
        self.hdf5 = Download(
            lambda: self._file("catalogue", ".h5", "application/x-hdf5", catalog_bytes),
            label="HDF5",
            hint="Catalogue file of what is shown",
        )
        row = W.HBox([self.pdf, self.hdf5]).add_class("ew-row")
        super().__init__(state, "exports", (row,))
        self.watch(self._draw, "interpretation")

    def _draw(self) -> None:
        nothing = self.state.interpretation is None
        self.pdf.disabled = self.hdf5.disabled = nothing

    def _file(
        self, what: str, suffix: str, media_type: str, make: Callable[[Interpretation], bytes]
    ) -> tuple[str, str, bytes] | None:
        interpretation = self.state.interpretation
        if interpretation is None:
            return None
        detectid = interpretation.measurements.detection.detectid
        try:
            data = make(interpretation)
        except DataError as error:
            self.state.message = f"The {what} of {detectid} was not written: {error}"
        except Exception as error:
            log.exception("%s of detection %s failed", what, detectid)
            self.state.message = (
                f"The {what} of {detectid} was not written ({type(error).__name__}: {error}); "
                "please report this number."
            )
        else:
            self.state.message = ""
            return f"{detectid}{suffix}", media_type, data
        return None
