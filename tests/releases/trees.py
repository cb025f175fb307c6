"""A small release written by hand for the tests: every number in it is known, and none comes from the simulation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from elixer_widgets.releases import layout, pytables

GRID = 3470.0 + 2.0 * np.arange(1036)
SHOTID = 20190105012
MULTIFRAME = "multi_038_047_061_LU"
SPECID, AMP = "038", "LU"
IDS = (5000000007, 5000000003, 5000000012, 2**40 + 5)
LINE = 4500.0  # Å, of the first detection
POSITIONS = ((150.0, 2.0), (0.0001, -0.00005), (359.9999, 0.00005), (210.0, 89.9995))
FIBERS_OF_FIRST = ((1, 30, 3.0), (2, 31, 6.0), (1, 1, 1.0))  # exposure, fibnum, weight as stored
APCOR = 0.8
CHI2_PEAK = 7.5
COSMIC_PIXEL = (6, -9)  # (dx, dy) from the centre of the first detection's second fiber


@dataclass
class Tree:
    """Paths and truth of the small release."""

    root: Path
    name: str
    flux: np.ndarray = field(default_factory=lambda: np.zeros(0))  # per 2 Å, shape (4, 1036)
    error: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def tree(self) -> layout.ReleaseTree:
        return layout.ReleaseTree(self.root / self.name, self.name)


def trace(fibnum: int) -> np.ndarray:
    """CCD line of a fiber in every column: a tilted, curved track."""
    x = np.arange(1032.0)
    return 9.0 * fibnum + 4.0 + 0.002 * x + 2e-6 * (x - 516) ** 2


def solution(fibnum: int) -> np.ndarray:
    """Wavelength of every column, Å."""
    return 3465.0 + 2.015 * np.arange(1032.0) + 0.1 * fibnum


@cache
def image(exposure: int, kind: int) -> np.ndarray:
    """A picture in which each pixel says where it is and which picture it belongs to."""
    y, x = np.mgrid[:1032, :1032]
    return (y * 2000.0 + x + 0.25 * kind + 0.0625 * exposure).astype(np.float32)


def write_tree(root: Path, name: str = "hdr5", shots: bool = True, index: bool = True) -> Tree:
    """Write the release below `root`; `shots` with the shot file and flats, `index` with the sorted indexes."""
    made = Tree(root, name)
    tree = made.tree
    random = np.random.default_rng(11)
    made.flux = random.normal(0.5, 0.2, (4, 1036)).astype(np.float32)
    made.error = random.uniform(0.1, 0.3, (4, 1036)).astype(np.float32)
    made.error[0, 100] = 0.0
    tree.detect_file.parent.mkdir(parents=True)
    tree.survey_file.parent.mkdir(parents=True)
    with h5py.File(tree.detect_file, "w") as file:
        _detections(file, made)
        if index:
            for table in ("Detections", "Fibers", "Spectra"):
                pytables.write_index(file, f"/{table}", "detectid")
    with h5py.File(tree.survey_file, "w") as file:
        pytables.write_layout(file, "/Survey", layout.SURVEY, shot_rows())
    if shots:
        write_shot(tree.shot_file(SHOTID), index)
        tree.flats.mkdir(parents=True)
        fits.writeto(tree.flat_file(SPECID, AMP), image(0, 0) / 2.1e6)
    return made


def shot_rows() -> np.ndarray:
    rows = layout.SHOT.rows(1)
    rows["shotid"], rows["date"], rows["obsid"] = SHOTID, 20190105, 12
    rows["field"], rows["ra"], rows["dec"] = b"cosmos", 150.1, 2.1
    rows["fwhm_virus"], rows["response_4540"] = 1.75, 0.15
    rows["relflux_virus"], rows["exptime"] = [1.0, 0.8, 1.2], [360.0, 361.0, 362.0]
    return rows


def _detections(file: h5py.File, made: Tree) -> None:
    rows = layout.DETECTIONS.rows(4)
    rows["detectid"], rows["shotid"], rows["date"], rows["obsid"] = IDS, SHOTID, 20190105, 12
    rows["ra"], rows["dec"] = np.transpose(POSITIONS)
    rows["wave"], rows["linewidth"], rows["sn"] = [LINE, 3700.0, 5000.0, 0.0], 2.5, [6.0, 7.0, 8.0, 0.0]
    rows["flux"], rows["flux_err"], rows["continuum"], rows["continuum_err"] = 20.0, 2.0, 0.5, 0.1
    rows["amp"], rows["fibnum"], rows["chi2fib"] = AMP.encode(), 31, 1.25
    rows["fiber_id"] = fiber_id(2, 31).encode()
    pytables.write_layout(file, "/Detections", layout.DETECTIONS, rows)

    spectra = layout.DETECTION_SPECTRA.rows(4)
    spectra["detectid"], spectra["wave1d"], spectra["apcor"] = IDS, GRID, APCOR
    spectra["spec1d"], spectra["spec1d_err"] = made.flux, made.error
    pytables.write_layout(file, "/Spectra", layout.DETECTION_SPECTRA, spectra, chunk_rows=21)

    fibers = layout.DETECTION_FIBERS.rows(4)
    fibers["detectid"] = [IDS[0]] * 3 + [IDS[1]]
    fibers["ra"], fibers["dec"] = POSITIONS[0]
    fibers["multiframe"], fibers["amp"] = MULTIFRAME.encode(), AMP.encode()
    fibers["specid"], fibers["ifuslot"], fibers["ifuid"] = b"038", b"047", b"061"
    for number, (exposure, fibnum, weight) in enumerate((*FIBERS_OF_FIRST, (1, 30, 1.0))):
        fibers["expnum"][number], fibers["fibnum"][number], fibers["weight"][number] = exposure, fibnum, weight
        fibers["fiber_id"][number] = fiber_id(exposure, fibnum).encode()
    fibers["date"], fibers["timestamp"], fibers["x_ifu"], fibers["y_ifu"] = 20190105, b"20190105T010203.4", 23.0, 1.0
    pytables.write_layout(file, "/Fibers", layout.DETECTION_FIBERS, fibers)


def fiber_id(exposure: int, fibnum: int) -> str:
    return f"{SHOTID}_{exposure}_{MULTIFRAME}_{fibnum:03d}"


def write_shot(path: Path, index: bool = True) -> None:
    """Two exposures of one amplifier, and one image of an amplifier that nothing asks for."""
    path.parent.mkdir(parents=True)
    fibers = layout.SHOT_FIBERS.rows(224)
    fibers["multiframe"] = MULTIFRAME.encode()
    fibers["expnum"] = np.repeat([1, 2], 112)
    fibers["fibnum"] = np.tile(np.arange(1, 113), 2)
    fibers["fibidx"] = fibers["fibnum"] - 1
    fibers["chi2"] = 1.0
    for row in fibers:
        row["trace"], row["wavelength"] = trace(row["fibnum"]), solution(row["fibnum"])
        row["calfib"], row["calfibe"] = 2.0 * row["fibnum"], 0.5 * row["expnum"]
        row["fiber_id"] = fiber_id(row["expnum"], row["fibnum"]).encode()
    near = int(np.argmin(np.abs(solution(31) - LINE)))
    fibers["chi2"][fibers["fibnum"] == 31, near + 2] = CHI2_PEAK
    fibers["chi2"][fibers["fibnum"] == 31, near + 3] = 99.0
    fibers["calfibe"][0:112, 5] = 0.0
    small = layout.SHOT_FIBER_INDEX.rows(224)
    for column in layout.SHOT_FIBER_INDEX.dtype.names:
        small[column] = fibers[column]
    with h5py.File(path, "w") as file:
        pytables.write_layout(file, "/Data/Fibers", layout.SHOT_FIBERS, fibers, chunk_rows=4)
        pytables.write_layout(file, "/Data/FiberIndex", layout.SHOT_FIBER_INDEX, small)
        pytables.write_layout(file, "/Shot", layout.SHOT, shot_rows())
        images = layout.SHOT_IMAGES.rows(3)
        images["multiframe"] = [b"multi_038_047_061_RL", MULTIFRAME.encode(), MULTIFRAME.encode()]
        images["expnum"] = [1, 1, 2]
        for row in images:
            row["image"], row["clean_image"] = image(row["expnum"], 1), image(row["expnum"], 2)
            row["error"] = image(row["expnum"], 3)
        x, y = center(31)
        images["error"][2, y + COSMIC_PIXEL[1], x + COSMIC_PIXEL[0]] = -1.0
        images["clean_image"][2, y, x + 3] = np.nan
        pytables.write_layout(file, "/Data/Images", layout.SHOT_IMAGES, images, chunk_rows=1)
        if index:
            pytables.write_index(file, "/Data/FiberIndex", "multiframe")
            pytables.write_index(file, "/Data/Images", "multiframe", values=images["multiframe"])


def center(fibnum: int) -> tuple[int, int]:
    """The pixel where the line of the first detection falls on a fiber, by the tree's own formulas."""
    x = (LINE - 3465.0 - 0.1 * fibnum) / 2.015
    y = np.interp(x, np.arange(1032.0), trace(fibnum))
    return round(x), round(float(y))
