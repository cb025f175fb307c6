"""One detection file of a HETDEX release: tables Detections, Fibers and Spectra."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets.detection import NAN, DataError, Fiber, PipelineLine, Spectrum
from elixer_widgets.releases import pytables
from elixer_widgets.releases.corrections import WavelengthCorrection, edge_noise
from elixer_widgets.releases.layout import WAVELENGTH_STEP, text
from elixer_widgets.releases.reading import Table, open_h5
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA

FLUX_UNIT = 1e-17  # erg/s/cm²; of line fluxes in HETDEX files

# What a detection cannot do without; HDR1 to HDR5 have these under these names.
DETECTION_COLUMNS = ("detectid", "ra", "dec", "wave", "flux", "flux_err", "sn", "shotid")
SPECTRUM_COLUMNS = ("detectid", "wave1d", "spec1d", "spec1d_err")
FIBER_COLUMNS = ("detectid", "ra", "dec", "multiframe", "fibnum", "expnum", "weight")


@dataclass(frozen=True, eq=False)
class DetectionRecord:
    """What one detection file says about one detection, in the units of this package.

    `no_fibers` is why there are no fibers; `notes` name the corrections that were applied.
    """

    line: PipelineLine
    spectrum: Spectrum
    fibers: tuple[Fiber, ...]
    ra: float
    dec: float
    shotid: int
    date: int
    obsid: int
    no_fibers: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DetectionFile:
    """A detection file; `name` is the release whose detections it holds ("hdr3"), which decides the corrections."""

    path: Path
    name: str
    correction: WavelengthCorrection | None = None

    def check(self) -> tuple[int, bool]:
        """The number of detections, and whether they are indexed; the tables and columns were looked for.

        Raises
        ------
        DataError
            If a table or column is missing or the file is damaged.
        """
        with open_h5(self.path) as file:
            rows = len(Table.of(file, self.path, "/Detections", DETECTION_COLUMNS))
            Table.of(file, self.path, "/Spectra", SPECTRUM_COLUMNS)
            return rows, pytables.find_rows(file, "/Detections", "detectid", 0) is not None

    def columns(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Whole columns of Detections; reads the table once through."""
        with open_h5(self.path) as file:
            return Table.of(file, self.path, "/Detections", DETECTION_COLUMNS).columns(names)

    def sorted_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """All detectids in ascending order, and the row of each: from the index, else by a pass through the table."""
        with open_h5(self.path) as file:
            found = pytables.read_index(file, "/Detections", "detectid")
            if found is not None:
                return found
            ids = Table.of(file, self.path, "/Detections", ("detectid",)).column("detectid")
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def record(self, detectid: int, row: int | None = None) -> DetectionRecord | None:
        """Everything about one detection; None if it is not in this file.

        Parameters
        ----------
        detectid : int
        row : int, optional
            Where it is in Detections. Without it the index is asked, a few chunks of which are read.

        Raises
        ------
        DataError
            If the file has no spectrum for it, lacks a column, or is damaged.
        """
        with open_h5(self.path) as file:
            table = Table.of(file, self.path, "/Detections", DETECTION_COLUMNS)
            if row is None:
                found = table.find("detectid", detectid)
                if found.size == 0:
                    return None
                row = int(found[0])
            entry = table.rows(np.array([row]))[0]
            if int(entry["detectid"]) != detectid:  # an index that misleads: look through the column
                found = np.flatnonzero(table.column("detectid") == detectid)
                if found.size == 0:
                    return None
                row = int(found[0])
                entry = table.rows(found[:1])[0]
            return self._record(file, row, entry)

    def _record(self, file: h5py.File, row: int, entry: np.void) -> DetectionRecord:
        detectid = int(entry["detectid"])
        notes: list[str] = []
        names = entry.dtype.names or ()
        amp = text(entry["amp"]) if "amp" in names else ""
        noise = edge_noise(self.name, amp, int(entry["fibnum"]) if "fibnum" in names else 0)
        if noise != 1:
            notes.append(f"errors raised by {noise - 1:.0%}: the brightest fiber lies at the edge of its amplifier")
        if self.correction is not None:
            notes.append(f"fluxes divided by the wavelength correction {self.correction.path.name}")
        elif self.name.startswith("hdr2.1"):
            notes.append("as released: the small dust screen assumed in the HDR2.1 calibration is not undone")
        elif self.name.startswith(("hdr3", "hdr4", "hdr5")):
            notes.append("as stored: this release carries no wavelength correction (wdcor.txt)")
        fibers, reason = self._fibers(file, detectid, entry)
        return DetectionRecord(
            line=self._line(entry, noise),
            spectrum=self._spectrum(file, row, detectid, noise),
            fibers=fibers,
            ra=_number(entry, "ra"),
            dec=_number(entry, "dec"),
            shotid=int(entry["shotid"]),
            date=int(entry["date"]) if "date" in names else int(entry["shotid"]) // 1000,
            obsid=int(entry["obsid"]) if "obsid" in names else int(entry["shotid"]) % 1000,
            no_fibers=reason,
            notes=tuple(notes),
        )

    def _line(self, entry: np.void, noise: float) -> PipelineLine:
        wavelength = _number(entry, "wave")
        if not wavelength > 0:  # continuum sources carry zeros in their line columns
            return PipelineLine(NAN)
        factor = 1.0 if self.correction is None else float(self.correction.at(wavelength))
        per_angstrom = 1.0 / WAVELENGTH_STEP / factor
        flux = FLUX_UNIT / factor
        return PipelineLine(
            wavelength=wavelength,
            wavelength_err=_number(entry, "wave_err"),
            sigma=_number(entry, "linewidth"),
            sigma_err=_number(entry, "linewidth_err"),
            flux=_number(entry, "flux") * flux,
            flux_err=_number(entry, "flux_err") * flux * noise,
            continuum=_number(entry, "continuum") * per_angstrom,
            continuum_err=_number(entry, "continuum_err") * per_angstrom * noise,
            sn=_number(entry, "sn") / noise,
            sn_err=_number(entry, "sn_err") / noise,
            chi2=_number(entry, "chi2"),
            chi2_err=_number(entry, "chi2_err"),
        )

    def _spectrum(self, file: h5py.File, row: int, detectid: int, noise: float) -> Spectrum:
        table = Table.of(file, self.path, "/Spectra", SPECTRUM_COLUMNS)
        if row >= len(table) or int(table.values(row, ("detectid",))["detectid"]) != detectid:
            # Written side by side, the tables agree row for row; a merged or cut file may not.
            found = table.find("detectid", detectid)
            if found.size == 0:
                raise DataError(
                    f"{self.path}: detection {detectid} has no row in Spectra; the file is incomplete, copy it again"
                )
            row = int(found[0])
        values = table.values(row, (*SPECTRUM_COLUMNS, "apcor"))
        wavelength = np.asarray(values["wave1d"], float)
        scale = np.full(wavelength.shape, WAVELENGTH_STEP)
        if self.correction is not None:
            scale = scale * self.correction.at(wavelength)
        correction = values.get("apcor")
        if correction is not None and not np.any(correction > 0):
            correction = None  # a column that was never filled
        flux = np.asarray(values["spec1d"], float) / scale
        error = np.asarray(values["spec1d_err"], float) / scale * noise
        try:
            return Spectrum(wavelength, flux, error, HETDEX_LSF_SIGMA, correction)
        except DataError as fault:
            raise DataError(f"{self.path}: detection {detectid} is damaged: {fault}") from fault

    def _fibers(self, file: h5py.File, detectid: int, entry: np.void) -> tuple[tuple[Fiber, ...], str]:
        """The fibers of a detection by descending weight, or why there are none."""
        if "Fibers" not in file:
            return (), f"{self.path.name} has no table Fibers"
        try:
            table = Table.of(file, self.path, "/Fibers", FIBER_COLUMNS)
        except DataError as error:
            return (), str(error)
        rows = table.rows(table.find("detectid", detectid))
        if rows.size == 0:
            return (), f"the table Fibers of {self.path.name} has no fiber of this detection"
        weights = np.asarray(rows["weight"], float)
        total = np.nansum(weights[weights > 0])
        weights = weights / total if total > 0 else np.full(weights.shape, NAN)
        # The pipeline records the fiber-profile χ² of the brightest fiber only.
        brightest = text(entry["fiber_id"]) if "fiber_id" in (entry.dtype.names or ()) else ""
        order = np.argsort(-np.nan_to_num(weights, nan=-np.inf), kind="stable")
        return tuple(_fiber(rows[number], float(weights[number]), entry, brightest) for number in order), ""


def _fiber(row: np.void, weight: float, entry: np.void, brightest: str) -> Fiber:
    names = row.dtype.names or ()

    def word(name: str) -> str:
        return text(row[name]) if name in names else ""

    def whole(name: str, missing: int = 0) -> int:
        return int(row[name]) if name in names else missing

    fiber_id = word("fiber_id")
    return Fiber(
        fiber_id=fiber_id,
        ra=_number(row, "ra"),
        dec=_number(row, "dec"),
        weight=weight,
        distance=_number(row, "distance"),
        multiframe=word("multiframe"),
        specid=word("specid") or word("multiframe")[6:9],
        ifuslot=word("ifuslot") or word("multiframe")[10:13],
        ifuid=word("ifuid") or word("multiframe")[14:17],
        amp=word("amp") or word("multiframe")[18:20],
        expnum=whole("expnum"),
        fibnum=whole("fibnum"),
        date=whole("date"),
        obsid=whole("obsid"),
        timestamp=word("timestamp"),
        x_ifu=_number(row, "x_ifu"),
        y_ifu=_number(row, "y_ifu"),
        x_raw=whole("x_raw", -1),
        y_raw=whole("y_raw", -1),
        flag=whole("flag"),
        chi2=_number(entry, "chi2fib") if fiber_id and fiber_id == brightest else NAN,
    )


def _number(row: np.void, name: str) -> float:
    """A float of a row; NaN where the column is missing or holds one of the marks for a missing number."""
    if name not in (row.dtype.names or ()):
        return NAN
    value = float(row[name])
    return NAN if not np.isfinite(value) or abs(value + 999.0) < 1.0 else value
