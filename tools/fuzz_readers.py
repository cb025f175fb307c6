"""Damage every kind of file that the program reads, and count what its readers make of it.

    python tools/fuzz_readers.py --count 500                      # every reader
    python tools/fuzz_readers.py --count 50 --reader "shot file"  # one
    python tools/fuzz_readers.py --reader "shot file" --first 17 --count 1 --show

Each case is a valid file, changed (bits flipped, cut short, other types, columns missing or in another order, NaN and
huge values, links outside and in circles, bombs, a million lines), and read in another process: 30 s of the
processor, 1 GB, no file outside the folder. A case is bad if it ends in a traceback, takes too long or too much, reads
another file, gives other numbers without a word (where the change did not touch the numbers themselves), or is refused
without the file's name.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path

MODULES = ("fuzzing.release_readers", "fuzzing.image_readers")
"""Where readers register themselves."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="cases a reader")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--reader", action="append", help="only this one; may be given again")
    parser.add_argument("--show", action="store_true", help="print every case, not only the bad ones")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    harness = importlib.import_module("fuzzing.harness")
    for module in MODULES:
        importlib.import_module(module)
    warnings.simplefilter("ignore")
    outcomes = []
    print(harness.HEAD, flush=True)
    for name in options.reader or list(harness.READERS):
        mine = []
        for outcome in harness.run((name,), options.count, options.first):
            mine.append(outcome)
            if options.show or outcome.kind in harness.FAULTS:
                case = f"{outcome.reader} {outcome.number}: {outcome.change}"
                print(f"{outcome.kind:9} {case} -> {outcome.words}", file=sys.stderr, flush=True)
        print(harness.row(name, mine), flush=True)
        outcomes += mine
    return int(any(outcome.kind in harness.FAULTS for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
