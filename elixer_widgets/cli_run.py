"""What the commands do with a selection: run it, list what is unfinished, merge catalogues."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets._errors import DataError
from elixer_widgets.cli_values import (
    RELEASE_VARIABLE,
    declination,
    radius,
    read_detections,
    release_path,
    right_ascension,
    say,
    warn,
)

if TYPE_CHECKING:
    from elixer_widgets.bulk.local import Output, Summary
    from elixer_widgets.releases import Release

DONE, USAGE = 0, 2
"""Exit codes: all well; the command cannot be carried out. `bulk.local` has those of a run."""

MERGED_NAME = "elixer_merged_cat.h5"
RECOVERY_LIST = "elixer_recovery_list.dets"
IMAGES = ("png", "jpg")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The options that say what is reported and where it goes."""
    parser.add_argument("--dets", metavar="FILE|LIST", help="a file with one detection number a line, or n,n,n")
    parser.add_argument("--ra", type=right_ascension, help="right ascension: degrees, 10h00m06.10s or 10:00:06.10")
    parser.add_argument("--dec", type=declination, help="declination: degrees, 2d05m15.36s or -2:05:15.36")
    parser.add_argument(
        "-e", "--error", type=radius, default=3.0, metavar="ARCSEC", help="search radius about --ra --dec (3.0)"
    )
    parser.add_argument("-n", "--name", metavar="DIR", help="output folder; its name also names the catalogue")
    parser.add_argument(
        "--release", "--hdr", metavar="PATH", help=f"the release: a folder or file (default ${RELEASE_VARIABLE})"
    )
    parser.add_argument("--png", action="store_true", help="write each report as a PNG too")
    parser.add_argument("--jpg", "--jpeg", action="store_true", help="write each report as a JPEG too")
    parser.add_argument("--recover", action="store_true", help="go on with an interrupted run: skip what is finished")


def _selected(options: argparse.Namespace, release: Release) -> list[int]:
    """The detections that the options ask for.

    Raises
    ------
    DataError
        If the options contradict one another or select nothing.
    """
    cone = options.ra is not None or options.dec is not None
    if options.dets is not None and cone:
        raise DataError("--dets and --ra/--dec were both given: give either a list or a position")
    if options.dets is not None:
        found = read_detections(options.dets)
        if not found:
            raise DataError(f"--dets {options.dets}: holds no detection number; write one number a line")
        return found
    if options.ra is None or options.dec is None:
        what = (
            "--ra and --dec must be given together" if cone else "nothing was selected: give --dets, or --ra and --dec"
        )
        raise DataError(what)
    found = [int(each) for each in release.search(options.ra, options.dec, options.error)]
    if not found:
        raise DataError(
            f'no detection lies within {options.error:g}" of {options.ra:.6f}, {options.dec:.6f}; take a larger --error'
        )
    return found


def _tell(summary: Summary, output: Output) -> None:
    """The summary, for people."""
    ended = "ended by the user: " if summary.interrupted else ""
    say(
        f"{ended}{len(summary.done)} done, {len(summary.skipped)} skipped (there already), "
        f"{len(summary.failed)} failed; results in {output.folder}"
    )
    for detectid, reason in list(summary.failed.items())[:20]:
        say(f"  {detectid}: {reason}")
    if len(summary.failed) > 20:
        say(f"  and {len(summary.failed) - 20} more, in {output.folder / 'elixer.log'}")


def run_command(options: argparse.Namespace) -> int:
    from elixer_widgets.bulk.local import Output, run
    from elixer_widgets.releases import open_release

    if not options.name:
        raise DataError("no output folder was given: add --name DIR")
    images = tuple(kind for kind in IMAGES if getattr(options, kind))
    output = Output(Path(options.name).expanduser().absolute(), images)
    if output.folder.exists() and not output.folder.is_dir():
        raise DataError(f"--name {options.name}: is a file; give a folder")
    release = open_release(release_path(options.release))
    detectids = _selected(options, release)
    if getattr(options, "prep_recover", False):
        return _prepare_recovery(output, detectids)
    summary = run(release, detectids, output, recover=options.recover, tell=warn)
    _tell(summary, output)
    return summary.code


def _prepare_recovery(output: Output, detectids: list[int]) -> int:
    """List the detections that a run has not finished."""
    from elixer_widgets.bulk.local import finished

    have = set(finished(output, detectids)) if output.folder.is_dir() else set()
    missing = [each for each in detectids if each not in have]
    output.folder.mkdir(parents=True, exist_ok=True)
    path = output.folder / RECOVERY_LIST
    path.write_text("".join(f"{each}\n" for each in missing))
    say(f"{len(missing)} of {len(detectids)} detections are not finished; their numbers are in {path}")
    return DONE


def catalogs_below(folder: Path) -> list[Path]:
    """The catalogues that a run or a cluster job left in `folder`, in order of their names."""
    patterns = ("*_cat.h5", "*_cat_*.h5", "dispatch_*/*/*_cat.h5")
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return [path for path in found if path.name != MERGED_NAME]


def merge_command(options: argparse.Namespace) -> int:
    from elixer_widgets.reports import merge_catalogs

    inputs = [Path(each).expanduser() for each in options.inputs] or catalogs_below(Path.cwd())
    if not inputs:
        raise DataError(f"{Path.cwd()}: holds no catalogue (*_cat.h5, dispatch_*/*/*_cat.h5); name the files")
    target = Path(options.output).expanduser()
    if target.exists() and not options.force:
        raise DataError(f"{target}: exists already; give another --output, or --force to replace it")
    merge_catalogs(inputs, target, unique=options.unique)
    say(f"{len(inputs)} catalogues merged into {target}")
    return DONE


def carry_out(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Do what was asked; what cannot be done is one sentence and exit code 2."""
    try:
        return int(options.act(options))
    except DataError as error:
        warn(f"{parser.prog}: {error}")
        return USAGE
