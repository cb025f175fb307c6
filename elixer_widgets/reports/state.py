"""What reopens a view, and files that appear complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.detection import DataError
from elixer_widgets.reports.wording import finite


def state(interpretation: Interpretation) -> dict[str, object]:
    """What is needed to reopen this view: the detection, the identity and whatever a person changed."""
    measurements = interpretation.measurements
    detection, aperture = measurements.detection, measurements.aperture
    return {
        "detectid": int(detection.detectid),
        "name": detection.label,
        "release": detection.release,
        "identity": interpretation.identity,
        "z": round(float(interpretation.redshift), 6) if finite(interpretation.redshift) else None,
        "chosen_by": interpretation.chosen_by,
        "aperture": aperture.radius if aperture is not None else None,
        "excluded_fibers": list(measurements.excluded_fibers),
        "version": __version__,
    }


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the folder of `path` that takes its place when the block ends well.

    After a crash at any moment `path` is the old file or the new one, whole.

    Raises
    ------
    DataError
        If the folder does not exist.
    """
    if not path.parent.is_dir():
        raise DataError(f"{path}: the folder {path.parent} does not exist; make it first")
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=f".{path.name}_", dir=path.parent)
    temporary = Path(name)
    try:
        os.close(handle)
        yield temporary
        mask = os.umask(0)  # the only way to read it
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)
