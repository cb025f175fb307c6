"""How long merging catalogues takes: many one-detection catalogues, and two large ones against a plain copy.

    python tools/bench_merge.py [--files 10000] [--gigabytes 1.0]

The small catalogues are copies of one that was written for a simulated detection, each with its own detectid. Blocks of
zeros are left out of the copies (sparse files), so that they fit on a laptop; their HDF5 structure is the written one.
Each merge runs in a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

import elixer_widgets as ew

FIRST = 5_000_000_001  # detectid of the first copy
BLOCK = 4096  # bytes; a block of zeros is not written

_CHILD = """
import resource, sys, time
from pathlib import Path
from elixer_widgets.reports import merge_catalogs
def peak():
    status = Path("/proc/self/status")  # what getrusage says of a child process can be its parent's
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
inputs = sorted(Path(sys.argv[1]).glob("*.h5"))
before = peak()
start, used = time.perf_counter(), time.process_time()
merge_catalogs(inputs, sys.argv[2], unique=sys.argv[3] == "unique")
helpers = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - start, time.process_time() - used + helpers.ru_utime + helpers.ru_stime, before, peak())
"""


def template(work: Path) -> Path:
    """The catalogue of one simulated detection."""
    release = work / "release"
    ew.simulate_release(release, n=1, seed=1)
    opened = ew.open_release(release)
    interpretation = ew.interpret(ew.measure(opened.detection(int(opened.detectids()[0]))))
    return ew.write_catalog([interpretation], work / "template.h5")


def places_of_ids(path: Path) -> list[int]:
    """Byte offsets of every detectid in the tables of a one-detection catalogue."""
    places: list[int] = []

    def visit(name: str, item: h5py.HLObject) -> None:
        if not isinstance(item, h5py.Dataset) or "_i_" in name or "detectid" not in (item.dtype.names or ()):
            return
        offset = item.dtype.fields["detectid"][1]
        for row in range(item.shape[0]):
            chunk = item.id.get_chunk_info_by_coord((row,))
            places.append(chunk.byte_offset + (row - chunk.chunk_offset[0]) * item.dtype.itemsize + offset)

    with h5py.File(path) as file:
        file.visititems(visit)
    return places


def many(source: Path, folder: Path, count: int) -> float:
    """Write `count` copies, each with a detectid of its own; returns the size of one, MB."""
    folder.mkdir()
    data = bytearray(source.read_bytes())
    places = places_of_ids(source)
    blocks = [start for start in range(0, len(data), BLOCK) if any(data[start : start + BLOCK])]
    for number in range(count):
        detectid = np.int64(FIRST + number).tobytes()
        for place in places:
            data[place : place + 8] = detectid
        with (folder / f"{number:06d}_cat.h5").open("wb") as file:
            file.truncate(len(data))
            for start in blocks:
                file.seek(start)
                file.write(data[start : start + BLOCK])
    return len(data) / 1e6


def large(source: Path, path: Path, gigabytes: float, first: int) -> float:
    """A catalogue of about that size: the rows of `source` over and over with new detectids; returns its GB."""
    shutil.copyfile(source, path)
    with h5py.File(path, "r+") as file:
        for name in [each for each in file if each.startswith("_i_")]:
            del file[name]
        names = [f"ElixerWidgets/{name}" for name in file["ElixerWidgets"]]
        names += [name for name in file if isinstance(file[name], h5py.Dataset) and name != "Version"]
        row_bytes = sum(file[name].shape[0] * file[name].dtype.itemsize for name in names)
        count = int(gigabytes * 1e9 / row_bytes)
        for name in names:
            table = file[name].id
            each = file[name].shape[0]
            if not each:
                continue
            kind = table.get_type()
            rows = np.empty(each, file[name].dtype)
            table.read(h5py.h5s.ALL, h5py.h5s.ALL, rows, mtype=kind)
            file[name].resize((each * count,))
            step = max(1, 2**25 // max(1, rows.nbytes))
            for start in range(0, count, step):
                piece = np.tile(rows, min(step, count - start))
                piece["detectid"] = np.repeat(first + start + np.arange(piece.size // each), each)
                space = table.get_space()
                space.select_hyperslab((start * each,), (piece.size,))
                table.write(h5py.h5s.create_simple(piece.shape), space, piece, mtype=kind)
            file[name].attrs["NROWS"] = np.int64(each * count)
    return path.stat().st_size / 1e9


def merge(folder: Path, target: Path, unique: bool) -> tuple[float, ...]:
    """Seconds, processor seconds and memory (MB: before, at most) of one merge of a folder."""
    command = [sys.executable, "-c", _CHILD, str(folder), str(target), "unique" if unique else "all"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return tuple(float(each) for each in done.stdout.split())


def copied(folder: Path, target: Path) -> float:
    """Seconds to copy all files of a folder one after the other into one, to the disk."""
    start = time.perf_counter()
    with target.open("wb") as out:
        for each in sorted(folder.glob("*.h5")):
            with each.open("rb") as file:
                shutil.copyfileobj(file, out, 2**24)
        out.flush()
        os.fsync(out.fileno())
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10000, help="one-detection catalogues to merge")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of each of the two large catalogues")
    parser.add_argument("--work", type=Path, help="where the files go for the time being")
    arguments = parser.parse_args()
    print(f"merging catalogues, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    header = ("what", "s", "processor s", "MB/s", "MB before", "peak MB")
    print("\n| {:50s} | {:>7s} | {:>11s} | {:>6s} | {:>9s} | {:>7s} |".format(*header))
    print(f"|{'-' * 52}|{'-' * 9}|{'-' * 13}|{'-' * 8}|{'-' * 11}|{'-' * 9}|")

    nan = float("nan")

    def row(name: str, seconds: float, used: float, rate: float, before: float, peak: float) -> None:
        print(f"| {name:50s} | {seconds:7.1f} | {used:11.1f} | {rate:6.0f} | {before:9.0f} | {peak:7.0f} |", flush=True)

    with tempfile.TemporaryDirectory(prefix="elixer-merge-", dir=arguments.work) as temporary:
        work = Path(temporary)
        source = template(work)
        if arguments.files:
            size = many(source, work / "many", arguments.files)
            for unique in (False, True):
                seconds, used, before, peak = merge(work / "many", work / "merged.h5", unique)
                name = f"{arguments.files} of one detection ({size:.1f} MB){', unique' if unique else ''}"
                row(name, seconds, used, (work / "merged.h5").stat().st_size / 1e6 / seconds, before, peak)
                check(work / "merged.h5", arguments.files)
            shutil.rmtree(work / "many")
            (work / "merged.h5").unlink()
        if arguments.gigabytes:
            (work / "large").mkdir()
            total = sum(
                large(source, work / "large" / f"{n}.h5", arguments.gigabytes, FIRST + n * 10**8) for n in (0, 1)
            )
            for _ in range(2):
                seconds = copied(work / "large", work / "copy.h5")
                row(f"plain copy of 2 files, {total:.1f} GB", seconds, nan, 1e3 * total / seconds, nan, nan)
                (work / "copy.h5").unlink()
                for unique in (False, True):
                    seconds, used, before, peak = merge(work / "large", work / "merged.h5", unique)
                    name = f"2 files, {total:.1f} GB{', unique' if unique else ''}"
                    row(name, seconds, used, 1e3 * total / seconds, before, peak)
                    (work / "merged.h5").unlink()
    return 0


def check(path: Path, count: int) -> None:
    """The merged catalogue holds every detection once."""
    with h5py.File(path) as file:
        ids = file["Detections"]["detectid"]
        if not np.array_equal(np.sort(ids), FIRST + np.arange(count)) or file["CalibratedSpectra"].shape != (count,):
            raise SystemExit(f"{path}: the merged catalogue does not hold each of {count} detections once")


if __name__ == "__main__":
    sys.exit(main())
