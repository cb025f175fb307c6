"""What a person states about files of spectra on the command line, kept in the environment for pages and workers."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from os import PathLike

from elixer_widgets import releases
from elixer_widgets._errors import DataError
from elixer_widgets.releases.base import Release
from elixer_widgets.releases.spectrum_tables import How

COLUMNS_VARIABLE = "ELIXER_WIDGETS_COLUMNS"
UNIT_VARIABLE = "ELIXER_WIDGETS_UNIT"
MEDIUM_VARIABLE = "ELIXER_WIDGETS_MEDIUM"
COLUMNS = ("wavelength", "flux", "error")


def columns_of(text: str) -> dict[str, str]:
    """`wavelength=WAVE,flux=F,error=E` as a mapping; a column's name may hold anything but a comma.

    Raises
    ------
    DataError
        If it reads otherwise.
    """
    columns: dict[str, str] = {}
    for part in text.split(","):
        role, equals, name = (word.strip() for word in part.partition("="))
        if role not in COLUMNS or not equals or not name or role in columns:
            raise DataError(
                f"columns {text!r}: {part.strip()!r} does not name a column; "
                "give wavelength=NAME,flux=NAME,error=NAME, or some of the three"
            )
        columns[role] = name
    return columns


def state(
    columns: str = "", unit: str = "", medium: str = "", environment: MutableMapping[str, str] = os.environ
) -> None:
    """Keep what is stated for `open_stated`, in this process and those it starts.

    Raises
    ------
    DataError
        If the columns or the medium cannot be what they say.
    """
    How(columns_of(columns) if columns else {}, unit, medium)  # refuses what cannot be
    stated = {COLUMNS_VARIABLE: columns, UNIT_VARIABLE: unit, MEDIUM_VARIABLE: medium}
    environment.update({name: value for name, value in stated.items() if value})


def open_stated(path: str | PathLike[str], environment: Mapping[str, str] = os.environ) -> Release:
    """`open_release` with the columns, the unit and the medium that were stated.

    Raises
    ------
    DataError
        As `open_release`, and if what was stated cannot be.
    """
    columns = environment.get(COLUMNS_VARIABLE, "").strip()
    return releases.open_release(
        path,
        columns=columns_of(columns) if columns else None,
        unit=environment.get(UNIT_VARIABLE, "").strip(),
        medium=environment.get(MEDIUM_VARIABLE, "").strip(),
    )
