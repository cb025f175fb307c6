"""How long cutouts take, and how much memory: `python tools/bench_imaging.py`.

Images are sparse files with noise where the cutouts are, so that their size costs no disk. Absolute times depend on the
computer and its load; compare rows of one run.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from elixer_widgets.detection import Cutout
from elixer_widgets.imaging import open_library

RA, DEC = 214.5, 52.3
BANDS = ("u", "g", "r", "i", "z")


def header(shape: tuple[int, int], scale: float, ra: float = RA, dec: float = DEC) -> fits.Header:
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [ra, dec]
    made.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    made.wcs.cdelt = [-scale / 3600, scale / 3600]
    return made.to_header()


def sparse_image(path: Path, n: int, scale: float = 0.186) -> Path:
    """An image of n by n pixels with noise in the middle 400 by 400, and nothing written elsewhere."""
    small = fits.PrimaryHDU(np.zeros((2, 2), np.float32), header((n, n), scale)).header
    small["NAXIS1"], small["NAXIS2"] = n, n
    noise = np.random.default_rng(1).normal(size=(400, 400)).astype(">f4")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(small.tostring().encode())
        start = file.tell()
        for row, line in enumerate(noise):
            file.seek(start + 4 * ((n // 2 - 200 + row) * n + n // 2 - 200))
            file.write(line.tobytes())
        file.truncate(start + (4 * n * n + 2879) // 2880 * 2880)
    return path


def row(name: str, action: Callable[[], object], repeat: int) -> None:
    """Median and 95th percentile of some calls, after one that does not count."""
    action()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    median, high = np.percentile(np.array(seconds) * 1000.0, [50, 95])
    print(f"| {name:58s} | {repeat:4d} | {median:10.2f} | {high:10.2f} |", flush=True)


def cutouts(folder: Path) -> None:
    """Reading alone: one band out of files of several sizes and kinds, then several bands through the library."""
    rng = np.random.default_rng(2)
    for gigabytes in (0.1, 1.0, 4.0):
        path = sparse_image(folder / f"{gigabytes}.fits", int(np.sqrt(gigabytes * 1e9 / 4)) // 2 * 2)
        for size in (9.0, 30.0):
            row(
                f'{size:g}" out of {gigabytes:g} GB, header and all',
                lambda p=path, s=size: Cutout.from_fits(p, "r", 27.0, (RA, DEC), s),  # type: ignore[misc]
                50,
            )
        path.unlink()
    tiled = folder / "tiled.fits.fz"
    data = rng.normal(size=(4000, 4000)).astype(np.float32)
    fits.HDUList(
        [fits.PrimaryHDU(), fits.CompImageHDU(data, header(data.shape, 0.186), compression_type="RICE_1")]
    ).writeto(tiled)
    row('9" out of 4000 x 4000, Rice tiles', lambda: Cutout.from_fits(tiled, "r", 27.0, (RA, DEC), 9.0), 50)
    tree = folder / "tree"
    for band in BANDS:
        sparse_image(tree / "cfhtls" / f"CFHTLS_W_{band}_141354+540000_T0007_MEDIAN.fits", 19_354)
    row("open a library and find five bands", lambda: open_library(tree).covering(RA, DEC), 10)
    library = open_library(tree)
    (survey,) = library.covering(RA, DEC)
    row('five bands of 9", one survey, files known', lambda: library.cutouts(survey, RA, DEC, 9.0, []), 50)
    row('five bands of 30", all surveys, files known', lambda: library.imaging(RA, DEC), 50)


def index(folder: Path, n: int) -> None:
    """Finding one of many images: first without the kept index, then with it."""
    os.environ["ELIXER_WIDGETS_CACHE"] = str(folder / "cache")
    tree = folder / "many" / "KMImaging"
    tree.mkdir(parents=True)
    for i in range(n):
        made = header((100, 100), 5.0, ra=(0.17 * i) % 360.0, dec=-60.0 + 0.013 * i)
        made["MAGZERO"] = 25.0
        fits.PrimaryHDU(np.zeros((100, 100), np.int16), made).writeto(tree / f"km{i // 10000:04d}_{i % 10000:04d}.fits")
    start = time.perf_counter()
    open_library(folder / "many").covering(RA, DEC)
    first = time.perf_counter() - start
    start = time.perf_counter()
    library = open_library(folder / "many")
    library.covering(RA, DEC)
    again = time.perf_counter() - start
    print(f"\nindex of {n} images: {first:.2f} s when made, {again:.2f} s when kept")
    row(f"position against {n} outlines", lambda: library.covering(RA, DEC), 50)


def memory(folder: Path) -> None:
    """Memory that one cutout out of 4 GB adds to a fresh process."""
    path = sparse_image(folder / "large.fits", 31_622)
    answer = subprocess.run(
        [sys.executable, __file__, "--one", str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    size, base, more = path.stat().st_size / 1e9, int(answer[0]) / 1024, int(answer[1]) / 1024
    print(f'\n30" out of {size:.1f} GB: {more:.1f} MB above {base:.0f} MB')


def one(path: str) -> int:
    """The child of `memory`: peak before and what the cutout adds, in kB."""
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Cutout.from_fits(path, "r", 27.0, (RA, DEC), 30.0)
    print(base, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000, help="images in the index")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        return one(arguments.one)
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, {platform.machine()}")
    if hasattr(os, "getloadavg"):
        print(f"load when started: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="elixer-bench-") as name:
        print(f"\n| {'step':58s} | runs | median, ms | 95 %, ms   |\n|{'-' * 60}|------|------------|------------|")
        cutouts(Path(name))
        index(Path(name), arguments.images)
        memory(Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
