"""The fibers of a shot around a position, whether or not they belong to a detection."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elixer_widgets._sky import separation
from elixer_widgets.detection import DataError, FiberField
from elixer_widgets.releases.corrections import WavelengthCorrection
from elixer_widgets.releases.layout import WAVELENGTH_COUNT, WAVELENGTH_STEP, wavelength_grid
from elixer_widgets.releases.reading import Table, open_h5


def fibers_around(
    path: Path, ra: float, dec: float, radius: float, correction: WavelengthCorrection | None = None
) -> FiberField:
    """The calibrated spectra of every fiber of a shot within `radius` arcsec of a position in degrees.

    Parameters
    ----------
    path : Path
        The shot file.
    ra, dec : float
        Degrees.
    radius : float
        arcsec.
    correction : WavelengthCorrection, optional
        Factor by which fluxes are divided.

    Returns
    -------
    FiberField
        `reason` says why there is none.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    with open_h5(path) as file:
        try:
            fibers = Table.of(file, path, "/Data/Fibers", ("calfib", "calfibe"))
            index = Table.of(file, path, "/Data/FiberIndex", ("ra", "dec"))
        except DataError as error:
            return FiberField(reason=str(error))
        if len(index) != len(fibers):
            return FiberField(reason=f"{path}: /Data/FiberIndex does not run beside /Data/Fibers")
        places = index.columns(("ra", "dec", "expnum"))
        distance = separation(ra, dec, places["ra"], places["dec"])
        rows = np.flatnonzero(distance <= radius)
        if not rows.size:
            return FiberField(reason=f'{path.name} has no fiber within {radius:g}" of the position')
        values = [fibers.values(int(row), ("calfib", "calfibe")) for row in rows]
    if any(each["calfib"].shape != (WAVELENGTH_COUNT,) for each in values):
        return FiberField(reason=f"{path}: /Data/Fibers has spectra of another length than {WAVELENGTH_COUNT}")
    grid = wavelength_grid()
    scale = WAVELENGTH_STEP * (1.0 if correction is None else correction.at(grid))
    exposure = places.get("expnum", np.zeros(len(index), int))
    return FiberField(
        ra=np.asarray(places["ra"], float)[rows],
        dec=np.asarray(places["dec"], float)[rows],
        exposure=np.asarray(exposure, int)[rows],
        wavelength=grid,
        flux=np.array([each["calfib"] for each in values], float) / scale,
        error=np.array([each["calfibe"] for each in values], float) / scale,
    )
