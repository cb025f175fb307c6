"""The shot files of a release: CCD images and spectra of single fibers, and the record of the observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets.detection import (
    NAN,
    CcdRegion,
    DataError,
    Fiber,
    FiberCutout,
    FiberImages,
    Shot,
    Spectrum,
)
from elixer_widgets.releases.corrections import WavelengthCorrection, edge_noise
from elixer_widgets.releases.layout import (
    CCD_SIZE,
    FLIPPED_FLATS,
    WAVELENGTH_COUNT,
    WAVELENGTH_STEP,
    text,
    wavelength_grid,
)
from elixer_widgets.releases.reading import Table, open_fits, open_h5
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA

HALF_WIDTH = 24  # columns on either side of the line in a cutout
HALF_HEIGHT = 10  # lines on either side of the fiber in a cutout
REGION_HALF_HEIGHT = 60  # and in the taller region
CHI2_HALF_WIDTH = 2  # pixels on either side of the line within which the worst χ² counts
COSMIC = -1.0  # in `error`: a masked cosmic ray


def read_shot(entry: np.void) -> Shot:
    """The record of one observation, from a row of /Shot or of /Survey."""
    names = entry.dtype.names or ()

    def number(name: str, lowest: float = -np.inf) -> float:
        value = float(entry[name]) if name in names and np.ndim(entry[name]) == 0 else NAN
        return value if np.isfinite(value) and value > lowest else NAN

    def whole(name: str, otherwise: int) -> int:
        value = number(name)
        return int(value) if np.isfinite(value) else otherwise

    def positive(name: str) -> tuple[float, ...]:
        values = np.atleast_1d(entry[name]) if name in names else np.zeros(0)
        return tuple(float(value) for value in values if np.isfinite(value) and value > 0)

    relative = positive("relflux_virus")
    return Shot(
        shotid=int(entry["shotid"]),
        field=(text(entry["field"]) if "field" in names else "") or (text(entry["objid"]) if "objid" in names else ""),
        date=whole("date", int(entry["shotid"]) // 1000),
        obsid=whole("obsid", int(entry["shotid"]) % 1000),
        ra=number("ra"),
        dec=number("dec"),
        pa=number("pa"),
        fwhm=number("fwhm_virus", 0.0),
        response_4540=number("response_4540", 0.0),
        dither_norm=max(relative) / min(relative) if relative else NAN,
        exposure_times=positive("exptime"),
    )


@dataclass(frozen=True)
class ShotFile:
    """One shot file, and the directory of the pixel flats."""

    path: Path
    flats: Path

    def shot(self) -> Shot | None:
        """The observation as the shot file records it; None if it does not."""
        with open_h5(self.path) as file:
            if "Shot" not in file:
                return None
            table = Table.of(file, self.path, "/Shot", ("shotid",))
            return read_shot(table.data[0]) if len(table) else None

    # ------------------------------------------------------------------------------------ CCD images

    def images(self, fibers: Sequence[Fiber], wavelength: float) -> FiberImages:
        """The CCD cutouts of some fibers around a wavelength (Å, air), in the order given.

        What is missing is said in `reason`; only a damaged file is an error.
        """
        with open_h5(self.path) as file:
            missing = _absent(
                file,
                self.path,
                {
                    "/Data/Fibers": ("wavelength", "trace"),
                    "/Data/Images": ("multiframe", "expnum", "clean_image", "error"),
                },
            )
            if missing:
                return FiberImages(reason=missing)
            fiber_table = Table(file["/Data/Fibers"], self.path, "/Data/Fibers")
            image_table = Table(file["/Data/Images"], self.path, "/Data/Images")
            finder = _FiberFinder(file, self.path)
            if finder.reason:
                return FiberImages(reason=finder.reason)
            flats = _Flats(self.flats)
            cutouts: list[FiberCutout] = []
            reasons: list[str] = []
            region: CcdRegion | None = None
            images = _rows_by_multiframe(image_table, {fiber.multiframe for fiber in fibers})
            for fiber in fibers:
                row = finder.row(fiber)
                image_row = images.get((fiber.multiframe, fiber.expnum))
                if row is None or image_row is None:
                    what = "fiber" if row is None else "CCD image"
                    reasons.append(
                        f"{self.path.name} has no {what} {fiber.multiframe}, exposure {fiber.expnum}, "
                        f"fiber {fiber.fibnum}"
                    )
                    continue
                place = _place(fiber_table.values(row, ("wavelength", "trace", "chi2")), wavelength)
                if place is None:
                    reasons.append(f"the fiber {fiber.fiber_id} has no wavelength solution or trace")
                    continue
                fiber = replace(fiber, chi2=place.chi2) if np.isfinite(place.chi2) else fiber
                cutouts.append(_cutout(image_table, image_row, fiber, place, flats))
                if region is None:  # of the fiber with the highest weight that has an image
                    region = _region(image_table, image_row, fiber, place)
            reasons += flats.reasons
        return FiberImages(tuple(cutouts), region, "; ".join(dict.fromkeys(reasons)))

    # --------------------------------------------------------------------------------- fiber spectra

    def spectra(
        self, fibers: Sequence[Fiber], release: str = "", correction: WavelengthCorrection | None = None
    ) -> tuple[Spectrum | None, ...]:
        """The calibrated spectrum of each fiber, or None; 1e-17 erg/s/cm²/Å, error 0 where masked.

        The noise of fibers at the edge of an amplifier is raised for `release` HDR3. For later releases it would be
        for some shots, by a list that is not part of a release: there it stays as stored.
        """
        with open_h5(self.path) as file:
            if _absent(file, self.path, {"/Data/Fibers": ("calfib", "calfibe")}):
                return tuple(None for _ in fibers)
            table = Table(file["/Data/Fibers"], self.path, "/Data/Fibers")
            finder = _FiberFinder(file, self.path)
            found: list[Spectrum | None] = []
            for fiber in fibers:
                row = finder.row(fiber)
                noise = edge_noise(release, fiber.amp, fiber.fibnum)
                found.append(None if row is None else _spectrum(table, row, noise, correction))
        return tuple(found)


def _absent(file: h5py.File, path: Path, needed: dict[str, tuple[str, ...]]) -> str:
    """What of the tables and columns needed the file has not, in words; empty if it has all."""
    for name, columns in needed.items():
        try:
            Table.of(file, path, name, columns)
        except DataError as error:
            return str(error)
    return ""


def _spectrum(table: Table, row: int, noise: float, correction: WavelengthCorrection | None) -> Spectrum | None:
    values = table.values(row, ("calfib", "calfibe"))
    if values["calfib"].shape != (WAVELENGTH_COUNT,):
        return None
    grid = wavelength_grid()
    scale = WAVELENGTH_STEP * (1.0 if correction is None else correction.at(grid))
    return Spectrum(
        grid,
        np.asarray(values["calfib"], float) / scale,
        np.asarray(values["calfibe"], float) / scale * noise,
        HETDEX_LSF_SIGMA,
    )


def _rows_by_multiframe(table: Table, multiframes: set[str]) -> dict[tuple[str, int], int]:
    """(multiframe, exposure) to row, for some amplifiers."""
    found: dict[tuple[str, int], int] = {}
    for multiframe in multiframes:
        for row in table.find("multiframe", multiframe.encode()):
            found[multiframe, int(table.values(int(row), ("expnum",))["expnum"])] = int(row)
    return found


class _FiberFinder:
    """Finds the row of a fiber in /Data/Fibers without reading that table through.

    /Data/FiberIndex has the same rows in the same order and is six hundred times smaller.
    """

    KEYS = ("multiframe", "expnum", "fibnum")

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._fibers = Table.of(file, path, "/Data/Fibers")
        self._known: dict[str, dict[tuple[int, int], int]] = {}
        lacks = [name for name in self.KEYS if not self._fibers.has(name)]
        self.reason = f"{path}: table /Data/Fibers lacks the column {lacks[0]}" if lacks else ""
        self._table = self._fibers
        if not _absent(file, path, {"/Data/FiberIndex": self.KEYS}):
            index = Table.of(file, path, "/Data/FiberIndex")
            if len(index) == len(self._fibers):
                self._table = index

    def row(self, fiber: Fiber) -> int | None:
        """The row of a fiber; None if the shot does not have it."""
        if self.reason:
            return None
        if fiber.multiframe not in self._known:
            self._known[fiber.multiframe] = self._rows(fiber.multiframe)
        row = self._known[fiber.multiframe].get((fiber.expnum, fiber.fibnum))
        if self._table is not self._fibers and not (row is not None and self._is(row, fiber)):
            # The index does not list the fiber or does not run beside the table: ask the table.
            self._table = self._fibers
            self._known.clear()
            return self.row(fiber)
        return row

    def _is(self, row: int, fiber: Fiber) -> bool:
        found = self._fibers.values(row, self.KEYS)
        return (text(bytes(found["multiframe"])), int(found["expnum"]), int(found["fibnum"])) == (
            fiber.multiframe,
            fiber.expnum,
            fiber.fibnum,
        )

    def _rows(self, multiframe: str) -> dict[tuple[int, int], int]:
        numbers = self._table.find("multiframe", multiframe.encode())
        if self._table is self._fibers:  # wide rows, of which only the keys are wanted
            values = [self._table.values(int(number), self.KEYS) for number in numbers]
            keys = [(int(value["expnum"]), int(value["fibnum"])) for value in values]
        else:
            rows = self._table.rows(numbers)
            keys = [(int(row["expnum"]), int(row["fibnum"])) for row in rows]
        return {key: int(number) for key, number in zip(keys, numbers, strict=True)}


# ----------------------------------------------------------------------------------------------- windows


@dataclass(frozen=True, eq=False)
class _PlaceOnCcd:
    x: int
    y: int
    wavelength: np.ndarray
    chi2: float


def _place(values: dict[str, np.ndarray], wavelength: float) -> _PlaceOnCcd | None:
    """Where a wavelength falls on the CCD along a fiber's own trace, and the worst χ² near it."""
    solution = np.asarray(values["wavelength"], float)
    trace = np.asarray(values["trace"], float)
    pixels = np.arange(solution.size, dtype=float)
    traced = np.isfinite(trace) & (np.abs(trace) <= 2 * CCD_SIZE)
    rising = solution.size > 1 and np.all(np.isfinite(solution)) and np.all(np.diff(solution) > 0)
    if not rising or solution.shape != trace.shape or not np.any(traced):
        return None
    column = float(np.interp(wavelength, solution, pixels))
    line = float(np.interp(column, pixels[traced], trace[traced]))
    x, y = round(column), round(line)
    chi2 = NAN
    if "chi2" in values:
        near = np.asarray(values["chi2"], float)[max(0, x - CHI2_HALF_WIDTH) : x + CHI2_HALF_WIDTH + 1]
        near = near[np.isfinite(near)]
        chi2 = float(near.max()) if near.size else NAN
    columns = np.arange(x - HALF_WIDTH, x + HALF_WIDTH + 1, dtype=float)
    along = np.interp(columns, pixels, solution)
    # Beyond the detector the solution goes on with its last step, so that the axis stays an axis.
    below, above = columns < 0, columns > pixels[-1]
    along[below] = solution[0] + columns[below] * (solution[1] - solution[0])
    along[above] = solution[-1] + (columns[above] - pixels[-1]) * (solution[-1] - solution[-2])
    return _PlaceOnCcd(x, y, along, chi2)


def _around(image: np.ndarray, x: int, y: int, half_height: int, first: int = 0, height: int = -1) -> np.ndarray:
    """The pixels around (x, y), 49 columns wide; zero off the detector and where not finite.

    `image` may be some lines only of a picture of `height` lines, `first` being the number of its first.
    """
    height = image.shape[0] if height < 0 else height
    low, high = max(0, y - half_height), min(height, y + half_height + 1)
    left, right = max(0, x - HALF_WIDTH), min(image.shape[1], x + HALF_WIDTH + 1)
    window = np.zeros((2 * half_height + 1, 2 * HALF_WIDTH + 1), np.float32)
    if low < high and left < right:
        part = image[low - first : high - first, left:right]
        top, side = low - (y - half_height), left - (x - HALF_WIDTH)
        inside = window[top : top + part.shape[0], side : side + part.shape[1]]
        np.copyto(inside, part, where=np.isfinite(part))
    return window


def _window(table: Table, row: int, name: str, x: int, y: int, half_height: int) -> np.ndarray:
    """The pixels around (x, y) of one image of the table, of which only the lines needed are read."""
    height = table.dtype[name].shape[0]
    low, high = max(0, y - half_height), min(height, y + half_height + 1)
    if low >= high:
        return np.zeros((2 * half_height + 1, 2 * HALF_WIDTH + 1), np.float32)
    return _around(table.lines(row, name, low, high), x, y, half_height, first=low, height=height)


def _cutout(table: Table, row: int, fiber: Fiber, place: _PlaceOnCcd, flats: _Flats) -> FiberCutout:
    error = _window(table, row, "error", place.x, place.y, HALF_HEIGHT)
    return FiberCutout(
        fiber=fiber,
        image=_window(table, row, "clean_image", place.x, place.y, HALF_HEIGHT),
        error=error,
        cosmic=error == COSMIC,
        pixel_flat=flats.window(fiber, place.x, place.y),
        wavelength=place.wavelength,
        x=place.x,
        y=place.y,
    )


def _region(table: Table, row: int, fiber: Fiber, place: _PlaceOnCcd) -> CcdRegion | None:
    if not table.has("image"):
        return None
    return CcdRegion(
        fiber=fiber,
        with_sky=_window(table, row, "image", place.x, place.y, REGION_HALF_HEIGHT),
        clean=_window(table, row, "clean_image", place.x, place.y, REGION_HALF_HEIGHT),
        x=place.x,
        y=place.y,
    )


class _Flats:
    """The pixel flats of a release; remembers what it did not find."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reasons: list[str] = []
        self._paths: dict[tuple[str, str, int], Path | None] = {}
        self._images: dict[Path, np.ndarray | None] = {}

    def window(self, fiber: Fiber, x: int, y: int) -> np.ndarray | None:
        """The flat's pixels around (x, y), shape (21, 49), 0 off the detector; None if there is no flat."""
        path = self._path(fiber.specid, fiber.amp, fiber.date)
        if path is None:
            return None
        if path not in self._images:
            self._images[path] = self._open(path)
        image = self._images[path]
        if image is None:
            return None
        if fiber.amp in FLIPPED_FLATS:
            image = image[::-1, ::-1]
        return _around(image, x, y, HALF_HEIGHT)

    def _open(self, path: Path) -> np.ndarray | None:
        """The flat, mapped into memory: only what is looked at is read."""
        with open_fits(path) as hdus:
            for hdu in hdus:
                if getattr(hdu, "shape", ()) == (CCD_SIZE, CCD_SIZE):
                    return np.asarray(hdu.data, np.float32)
        self.reasons.append(f"{path} holds no image of {CCD_SIZE} x {CCD_SIZE} pixels")
        return None

    def _path(self, specid: str, amp: str, date: int) -> Path | None:
        """The flat of a camera and amplifier; of dated ones the last not later than the observation."""
        key = (specid, amp, date)
        if key not in self._paths:
            dated: list[tuple[int, Path]] = []
            for path in sorted(self.directory.glob(f"pixelflat_cam{specid}_*{amp}*.fits")):
                digits = "".join(
                    character for character in path.stem.split(f"cam{specid}", 1)[1] if character.isdigit()
                )
                dated.append((int(digits) if len(digits) == 8 else 0, path))
            usable = [item for item in dated if item[0] <= (date or 99_999_999)] or dated
            self._paths[key] = max(usable)[1] if usable else None
            if not usable:
                self.reasons.append(f"no pixel flat of camera {specid}, amplifier {amp} in {self.directory}")
        return self._paths[key]
