"""`elixer` and `selixer`: the command lines of the ELiXer user guide."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from elixer_widgets._errors import DataError
from elixer_widgets._version import __version__
from elixer_widgets.cli_run import MERGED_NAME, RECOVERY_LIST, add_selection, carry_out, merge_command, run_command
from elixer_widgets.cli_values import warn, with_signs


def _guide_parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        name, description="ELiXer reports, with the options of the ELiXer user guide.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{name} (elixer-widgets {__version__})")
    add_selection(parser)
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
        return merge_command(argparse.Namespace(inputs=[], output=MERGED_NAME, unique=False, force=False))
    if options.merge_unique:
        new, *inputs = _file_list(options.merge_unique, "--merge_unique", 2)
        return merge_command(argparse.Namespace(inputs=inputs, output=new, unique=True, force=options.force))
    if options.upgrade_hdf5:
        old, new = _file_list(options.upgrade_hdf5, "--upgrade_hdf5", 2)[:2]
        return merge_command(argparse.Namespace(inputs=[old], output=new, unique=False, force=options.force))
    return run_command(options)


def _remarks(options: argparse.Namespace, name: str) -> Iterator[str]:
    """What is accepted without effect, said before the run."""
    if name == "selixer" and not (options.merge or options.merge_unique or options.upgrade_hdf5):
        yield "no job is submitted to SLURM yet: the detections are processed here, one after another"
    for option in ("mini", "neighborhood"):
        if getattr(options, option):
            yield f"--{option} is not made yet; the report and the catalogue are"


def _guide(name: str, arguments: Sequence[str] | None) -> int:
    parser = _guide_parser(name)
    options = parser.parse_args(with_signs(sys.argv[1:] if arguments is None else arguments))
    for remark in _remarks(options, name):
        warn(f"{name}: {remark}")
    options.act = _guide_command
    return carry_out(parser, options)


def elixer(arguments: Sequence[str] | None = None) -> int:
    """The command `elixer`; returns the exit code."""
    return _guide("elixer", arguments)


def selixer(arguments: Sequence[str] | None = None) -> int:
    """The command `selixer`; returns the exit code."""
    return _guide("selixer", arguments)
