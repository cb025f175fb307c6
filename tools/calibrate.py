"""How far the probabilities can be trusted: judged on simulated surveys with known truth.

    python tools/calibrate.py make --seed 2 --n 10000 --out /tmp/calib/judge
    python tools/calibrate.py judge /tmp/calib/judge

`make` can be stopped and run again, and split with `--part 0/2` and `--part 1/2`. `judge` writes docs/calibration.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import calibration_sets

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _part(text: str) -> tuple[int, int]:
    first, _, total = text.partition("/")
    part, parts = int(first), int(total)
    if not 0 <= part < parts:
        raise argparse.ArgumentTypeError(f"{text} is not a part; give 0/2 or 1/2")
    return part, parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="simulate and measure")
    make.add_argument("--seed", type=int, required=True)
    make.add_argument("--n", type=int, required=True)
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--part", type=_part, default=(0, 1))
    make.add_argument("--budget", type=float, default=480.0, help="seconds after which no new chunk is begun")
    judge = commands.add_parser("judge", help="interpret and write the page")
    judge.add_argument("sets", type=Path, nargs="+")
    judge.add_argument("--part", type=_part, help="only interpret these chunks, write nothing")
    judge.add_argument("--docs", type=Path, default=DOCS)
    judge.add_argument("--commit", default="not recorded", help="of the code that measured, for the page")
    options = parser.parse_args()
    if options.command == "make":
        calibration_sets.make(options.out, options.seed, options.n, options.part, options.budget)
        return
    # Loaded here because simulating and measuring need no matplotlib
    import calibration_answers
    import calibration_report

    chunks = calibration_sets.chunks(options.sets)
    if options.part is not None:
        for chunk in chunks[options.part[0] :: options.part[1]]:
            calibration_answers.answer(chunk)
        return
    seeds = sorted({chunk.name.split("_")[0].removeprefix("seed") for chunk in chunks})
    calibration_report.write(calibration_answers.gather(chunks), options.docs, " and ".join(seeds), options.commit)


if __name__ == "__main__":
    main()
