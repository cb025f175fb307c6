"""The command line: `elixer-widgets`, and `elixer` and `selixer` with the options of the ELiXer user guide."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets._errors import DataError
from elixer_widgets._version import __version__

if TYPE_CHECKING:
    from elixer_widgets.bulk.local import Output, Summary
    from elixer_widgets.releases import Release

DONE, USAGE = 0, 2
"""Exit codes: all well; the command cannot be carried out. `bulk.local` has those of a run."""

RELEASE_VARIABLE = "ELIXER_WIDGETS_RELEASE"
MERGED_NAME = "elixer_merged_cat.h5"
RECOVERY_LIST = "elixer_recovery_list.dets"
IMAGES = ("png", "jpg")


# ------------------------------------------------------------------------------------------- reading arguments


def _position(text: str, *, is_ra: bool) -> float:
    """Degrees of a right ascension or declination in decimal degrees, `10h00m06.10s`, `2d05m15.36s` or with colons.

    With colons and no unit, right ascension is in hours and declination in degrees.
    """
    from astropy.coordinates import Angle

    name = "--ra" if is_ra else "--dec"
    given = text.strip()
    try:
        value = float(given)
    except ValueError:
        unit = "hourangle" if is_ra else "deg"
        if ":" in given and given[-1:] in "hd":
            given, unit = given[:-1], "hourangle" if given[-1] == "h" else "deg"
        try:
            value = float((Angle(given, unit=unit) if ":" in given else Angle(given)).deg)
        except (ValueError, TypeError) as error:
            form = "150.0254, 10h00m06.10s or 10:00:06.10" if is_ra else "2.0876, 2d05m15.36s or -2:05:15.36"
            raise argparse.ArgumentTypeError(f"{name} {text!r} is no angle; write it as {form}") from error
    low, high = (0.0, 360.0) if is_ra else (-90.0, 90.0)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{name} {text!r} is {value:g} degrees, outside {low:g} to {high:g}")
    return value


def _ra(text: str) -> float:
    return _position(text, is_ra=True)


def _dec(text: str) -> float:
    return _position(text, is_ra=False)


def _radius(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of arcseconds") from error
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f'{text}" is not between 0 and 3600 arcseconds')
    return value


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _with_signs(arguments: Sequence[str]) -> list[str]:
    """Join `--dec -2d05m` to `--dec=-2d05m`: argparse would take the value for an option."""
    joined: list[str] = []
    for each in arguments:
        if joined and joined[-1] in ("--dec", "--ra") and re.match(r"-[\d.]", each):
            joined[-1] += f"={each}"
        else:
            joined.append(each)
    return joined


def read_detections(given: str) -> list[int]:
    """Detection numbers of a file (one a line, `#` begins a comment) or of a list with commas, each once.

    Raises
    ------
    DataError
        If it is neither, or holds something that is no number.
    """
    path = Path(given).expanduser()
    if path.is_file():
        where = f"{path}"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        words = [word for line in lines for word in line.split("#")[0].replace(",", " ").split()[:1]]
        if any("," in line.split("#")[0] for line in lines):
            words = [word for line in lines for word in line.split("#")[0].replace(",", " ").split()]
    elif re.fullmatch(r"[\d\s,]+", given):
        where, words = "--dets", given.replace(",", " ").split()
    else:
        raise DataError(f"--dets {given}: is no file and no list of numbers with commas; check the name")
    try:
        numbers = [int(word) for word in words]
    except ValueError as error:
        bad = next(word for word in words if not word.isdigit())
        raise DataError(f"{where}: {bad!r} is not a detection number; write one number a line") from error
    return list(dict.fromkeys(numbers))


def _release_path(given: str | None) -> Path:
    """The release named by `--release` or `--hdr`, else by the environment."""
    named = given or os.environ.get(RELEASE_VARIABLE, "").strip()
    if not named:
        raise DataError(f"no release was given: add --release PATH, or set {RELEASE_VARIABLE} to its path")
    path = Path(named).expanduser()
    if re.fullmatch(r"\d+(\.\d+)?", named) and not path.exists():
        raise DataError(f"--hdr {named}: give the path of that release on this computer, for example --hdr /data/hdr5")
    return path


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def _tell(summary: Summary, output: Output) -> None:
    """The summary, for people."""
    ended = "ended by the user: " if summary.interrupted else ""
    print(
        f"{ended}{len(summary.done)} done, {len(summary.skipped)} skipped (there already), "
        f"{len(summary.failed)} failed; results in {output.folder}"
    )
    for detectid, reason in list(summary.failed.items())[:20]:
        print(f"  {detectid}: {reason}")
    if len(summary.failed) > 20:
        print(f"  and {len(summary.failed) - 20} more, in {output.folder / 'elixer.log'}")


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


def _run_command(options: argparse.Namespace) -> int:
    from elixer_widgets.bulk.local import Output, run
    from elixer_widgets.releases import open_release

    if not options.name:
        raise DataError("no output folder was given: add --name DIR")
    images = tuple(kind for kind in IMAGES if getattr(options, kind))
    output = Output(Path(options.name).expanduser().absolute(), images)
    if output.folder.exists() and not output.folder.is_dir():
        raise DataError(f"--name {options.name}: is a file; give a folder")
    release = open_release(_release_path(options.release))
    detectids = _selected(options, release)
    if getattr(options, "prep_recover", False):
        return _prepare_recovery(output, detectids)
    summary = run(release, detectids, output, recover=options.recover, tell=_to_stderr)
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
    print(f"{len(missing)} of {len(detectids)} detections are not finished; their numbers are in {path}")
    return DONE


# ------------------------------------------------------------------------------------------------ other commands


def catalogs_below(folder: Path) -> list[Path]:
    """The catalogues that a run or a cluster job left in `folder`, in order of their names."""
    patterns = ("*_cat.h5", "*_cat_*.h5", "dispatch_*/*/*_cat.h5")
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return [path for path in found if path.name != MERGED_NAME]


def _merge_command(options: argparse.Namespace) -> int:
    from elixer_widgets.reports import merge_catalogs

    inputs = [Path(each).expanduser() for each in options.inputs] or catalogs_below(Path.cwd())
    if not inputs:
        raise DataError(f"{Path.cwd()}: holds no catalogue (*_cat.h5, dispatch_*/*/*_cat.h5); name the files")
    target = Path(options.output).expanduser()
    if target.exists() and not options.force:
        raise DataError(f"{target}: exists already; give another --output, or --force to replace it")
    merge_catalogs(inputs, target, unique=options.unique)
    print(f"{len(inputs)} catalogues merged into {target}")
    return DONE


def _explore_command(options: argparse.Namespace) -> int:
    from elixer_widgets.simulation.kept import kept_release
    from elixer_widgets.widgets.dashboard import serve

    if options.path:
        path = Path(options.path).expanduser()
    else:
        path = kept_release(announce=lambda words: print(words, file=sys.stderr))
    serve(path, port=options.port, open_browser=not options.no_browser, detectid=options.detectid)
    return DONE


def _simulate_command(options: argparse.Namespace) -> int:
    from elixer_widgets.simulation import simulate_release

    path = Path(options.path).expanduser()
    simulate_release(path, n=options.n, seed=options.seed)
    print(f"simulated release of {options.n} detections in {path}")
    return DONE


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """The options that say what is reported and where it goes."""
    parser.add_argument("--dets", metavar="FILE|LIST", help="a file with one detection number a line, or n,n,n")
    parser.add_argument("--ra", type=_ra, help="right ascension: degrees, 10h00m06.10s or 10:00:06.10")
    parser.add_argument("--dec", type=_dec, help="declination: degrees, 2d05m15.36s or -2:05:15.36")
    parser.add_argument(
        "-e", "--error", type=_radius, default=3.0, metavar="ARCSEC", help="search radius about --ra --dec (3.0)"
    )
    parser.add_argument("-n", "--name", metavar="DIR", help="output folder; its name also names the catalogue")
    parser.add_argument(
        "--release", "--hdr", metavar="PATH", help=f"the release: a folder or file (default ${RELEASE_VARIABLE})"
    )
    parser.add_argument("--png", action="store_true", help="write each report as a PNG too")
    parser.add_argument("--jpg", "--jpeg", action="store_true", help="write each report as a JPEG too")
    parser.add_argument("--recover", action="store_true", help="go on with an interrupted run: skip what is finished")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "elixer-widgets", description="Explore HETDEX emission-line detections.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"elixer-widgets {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    explore = commands.add_parser("explore", help="open the page in the browser", allow_abbrev=False)
    explore.add_argument("path", nargs="?", metavar="PATH", help="a release (default: a simulated one)")
    explore.add_argument("--port", type=int, default=8866, help="port on this computer, 0 for any (8866)")
    explore.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    explore.add_argument("--detectid", type=int, help="the detection to show first")
    explore.set_defaults(act=_explore_command)

    runs = commands.add_parser("run", help="reports and a catalogue for a list or a position", allow_abbrev=False)
    _add_selection(runs)
    runs.set_defaults(act=_run_command)

    merge = commands.add_parser("merge", help="merge catalogues into one", allow_abbrev=False)
    merge.add_argument("inputs", nargs="*", metavar="FILE", help="catalogues (default: those in and below this folder)")
    merge.add_argument("-o", "--output", default=MERGED_NAME, metavar="FILE", help=f"the result ({MERGED_NAME})")
    merge.add_argument("--unique", action="store_true", help="keep the newest row of each detection")
    merge.add_argument("-f", "--force", action="store_true", help="replace a result that exists")
    merge.set_defaults(act=_merge_command)

    simulate = commands.add_parser("simulate", help="make a release with known truth", allow_abbrev=False)
    simulate.add_argument("path", metavar="PATH", help="a folder that does not exist yet")
    simulate.add_argument("-n", "--n", type=_count, default=64, help="number of detections (64)")
    simulate.add_argument("--seed", type=int, default=1, help="another seed is another sky (1)")
    simulate.set_defaults(act=_simulate_command)
    return parser


def _carry_out(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Do what was asked; what cannot be done is one sentence and exit code 2."""
    try:
        return int(options.act(options))
    except DataError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return USAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `elixer-widgets`; returns the exit code."""
    parser = _parser()
    return _carry_out(parser, parser.parse_args(_with_signs(sys.argv[1:] if arguments is None else arguments)))


# --------------------------------------------------------------------------------- the user guide's command lines


def _guide_parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        name, description="ELiXer reports, with the options of the ELiXer user guide.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{name} (elixer-widgets {__version__})")
    _add_selection(parser)
    parser.add_argument("-f", "--force", action="store_true", help="accepted; nothing is asked before writing")
    parser.add_argument("--prep_recover", action="store_true", help=f"only list what is not finished ({RECOVERY_LIST})")
    parser.add_argument("--mini", action="store_true", help="small report for a telephone (not made yet)")
    parser.add_argument(
        "--neighborhood", type=float, metavar="ARCSEC", help="neighbouring detections on one page (not made yet)"
    )
    parser.add_argument("--merge", action="store_true", help=f"merge the catalogues below this folder: {MERGED_NAME}")
    parser.add_argument("--merge_unique", metavar="NEW,F1,F2", help="merge F1, F2, ... into NEW, newest rows only")
    parser.add_argument("--upgrade_hdf5", metavar="OLD,NEW", help="write the catalogue OLD as NEW in today's format")
    cluster = parser.add_argument_group("cluster", "read, but without effect until runs go to SLURM")
    cluster.add_argument("--tasks", type=int, default=0, metavar="N", help="number of workers, 0 for automatic")
    cluster.add_argument("--time", metavar="HH:MM:SS", help="longest run time")
    cluster.add_argument("--queue", metavar="NAME", help="queue")
    cluster.add_argument("--email", metavar="ADDRESS", help="told at start and end")
    return parser


def _file_list(text: str, option: str, least: int) -> list[str]:
    files = [each.strip() for each in text.split(",") if each.strip()]
    if len(files) < least:
        raise DataError(f"{option} {text}: needs at least {least} file names with commas and no spaces")
    return files


def _guide_command(options: argparse.Namespace) -> int:
    """What `elixer` and `selixer` do, by option."""
    chosen = [name for name in ("merge", "merge_unique", "upgrade_hdf5") if getattr(options, name)]
    if len(chosen) > 1:
        raise DataError(f"--{' and --'.join(chosen)} exclude one another; give one")
    if options.merge:
        return _merge_command(argparse.Namespace(inputs=[], output=MERGED_NAME, unique=False, force=False))
    if options.merge_unique:
        new, *inputs = _file_list(options.merge_unique, "--merge_unique", 2)
        return _merge_command(argparse.Namespace(inputs=inputs, output=new, unique=True, force=options.force))
    if options.upgrade_hdf5:
        old, new = _file_list(options.upgrade_hdf5, "--upgrade_hdf5", 2)[:2]
        return _merge_command(argparse.Namespace(inputs=[old], output=new, unique=False, force=options.force))
    return _run_command(options)


def _remarks(options: argparse.Namespace, name: str) -> Iterator[str]:
    """What is accepted without effect, said before the run."""
    if name == "selixer" and not (options.merge or options.merge_unique or options.upgrade_hdf5):
        yield "no job is submitted to SLURM yet: the detections are processed here, one after another"
    for option in ("mini", "neighborhood"):
        if getattr(options, option):
            yield f"--{option} is not made yet; the report and the catalogue are"


def _guide(name: str, arguments: Sequence[str] | None) -> int:
    parser = _guide_parser(name)
    options = parser.parse_args(_with_signs(sys.argv[1:] if arguments is None else arguments))
    for remark in _remarks(options, name):
        print(f"{name}: {remark}", file=sys.stderr)
    options.act = _guide_command
    return _carry_out(parser, options)


def elixer(arguments: Sequence[str] | None = None) -> int:
    """The command `elixer`; returns the exit code."""
    return _guide("elixer", arguments)


def selixer(arguments: Sequence[str] | None = None) -> int:
    """The command `selixer`; returns the exit code."""
    return _guide("selixer", arguments)


if __name__ == "__main__":
    sys.exit(main())
