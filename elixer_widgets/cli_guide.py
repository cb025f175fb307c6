"""`elixer` and `selixer`: the command lines of the ELiXer user guide."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from elixer_widgets._errors import DataError
from elixer_widgets._version import __version__
from elixer_widgets.cli_cluster import add_cluster_options
from elixer_widgets.cli_options import add_known_options, refused, without_effect
from elixer_widgets.cli_run import MERGED_NAME, RECOVERY_LIST, add_run_options, carry_out, merge_command, run_command
from elixer_widgets.cli_streams import speaking
from elixer_widgets.cli_values import warn, with_signs

THRESHOLDS = "0.5,0.4,0.3"  # on P(Lyα), of the catalogue's three redshifts; fixed, as is their meaning for its readers
WEB_SURVEYS = ("sdss", "panstarrs", "decals")
FOR_SLURM = ("time", "queue", "email", "nodes", "ntasks_per_node", "alloc", "dependency")
MERGING = ("merge", "merge_local", "merge_unique", "upgrade_hdf5", "remove_duplicates")


def _guide_parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        name,
        usage=f"{name} [options]   ({name} --help lists them)",  # the full list would bury an error
        description="ELiXer reports, with the options of the ELiXer user guide.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{name} (elixer-widgets {__version__})")
    add_run_options(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace a merged catalogue that exists")
    parser.add_argument(
        "--prep_recover", "--missing", action="store_true", help=f"only list what is not finished ({RECOVERY_LIST})"
    )
    parser.add_argument(
        "--plya_thresh", metavar="P,P,P", help=f"thresholds on P(Lyα) of the three redshifts; only {THRESHOLDS}"
    )
    for survey in WEB_SURVEYS:
        parser.add_argument(
            f"--{survey}", type=int, choices=(0, 1, 2), metavar="0|1|2", help="as --web (1, 2) or --no-web (0)"
        )
    catalogs = parser.add_argument_group("catalogues")
    catalogs.add_argument("--merge", action="store_true", help=f"merge the catalogues below this folder: {MERGED_NAME}")
    catalogs.add_argument("--merge_local", action="store_true", help="the same, without those of dispatch folders")
    catalogs.add_argument(
        "--merge_unique", nargs="?", const="", metavar="NEW,F1,F2",
        help="merge F1, F2, ... into NEW, newest rows only; without names as --merge",
    )  # fmt: skip
    catalogs.add_argument("--remove_duplicates", metavar="OLD,NEW", help="write OLD as NEW, newest rows only")
    catalogs.add_argument("--upgrade_hdf5", metavar="OLD,NEW", help="write the catalogue OLD as NEW in today's format")
    add_cluster_options(parser, submit=name == "selixer")
    add_known_options(parser)
    return parser


def _file_list(text: str, option: str, least: int) -> list[str]:
    files = [each.strip() for each in text.split(",") if each.strip()]
    if len(files) < least:
        raise DataError(f"{option} {text}: needs at least {least} file names with commas and no spaces")
    return files


def _merging(options: argparse.Namespace) -> argparse.Namespace | None:
    """What to merge, in the words of `merge_command`; None if nothing.

    Raises
    ------
    DataError
        If several ways to merge are asked for, or files are missing.
    """
    given = [name for name in MERGING if getattr(options, name) not in (None, False)]
    if len(given) > 1:
        raise DataError(f"--{' and --'.join(given)} exclude one another; give one")
    merge = argparse.Namespace(inputs=[], output=MERGED_NAME, unique=False, force=options.force, dispatched=True)
    if not given:
        return None
    if options.merge_local:
        merge.dispatched = False
    elif options.merge_unique is not None:
        merge.unique = True
        if options.merge_unique:
            merge.output, *merge.inputs = _file_list(options.merge_unique, "--merge_unique", 2)
    elif options.remove_duplicates:
        *merge.inputs, merge.output = _file_list(options.remove_duplicates, "--remove_duplicates", 2)
        merge.unique = True
    elif options.upgrade_hdf5:
        *merge.inputs, merge.output = _file_list(options.upgrade_hdf5, "--upgrade_hdf5", 2)
    if len(merge.inputs) > 1 and options.merge_unique is None:
        raise DataError(f"--{given[0]}: takes two file names, the old and the new")
    return merge


def _use_web_options(options: argparse.Namespace) -> None:
    """ELiXer's three options for images from the web, as the one of this package."""
    given = [value for value in (getattr(options, name) for name in WEB_SURVEYS) if value is not None]
    if given and options.web is None:
        options.web = max(given) > 0


def _guide_command(options: argparse.Namespace) -> int:
    """What `elixer` and `selixer` do, by option."""
    wrong = refused(options)
    if options.plya_thresh is not None and options.plya_thresh.replace(" ", "") != THRESHOLDS:
        wrong.append(f"--plya_thresh: the three redshifts of the catalogue stand for {THRESHOLDS}")
    if wrong:
        raise DataError("; ".join(wrong))
    merge = _merging(options)
    if merge is not None:
        return merge_command(merge)
    return run_command(options)


def _remarks(options: argparse.Namespace) -> Iterator[str]:
    """What is accepted without effect, said before the run."""
    yield from without_effect(options)
    if not options.submit and not options.dispatch:
        given = [f"--{name}" for name in FOR_SLURM if getattr(options, name)]
        if given:
            yield f"{', '.join(given)}: without effect here; selixer submits to SLURM"
    values = {getattr(options, name) for name in WEB_SURVEYS} - {None}
    if 0 in values and len(values) > 1:
        yield f"--{', --'.join(WEB_SURVEYS)}: the web is asked as a whole, 0 for one of them has no effect"


def _guide(name: str, arguments: Sequence[str] | None) -> int:
    with speaking():
        parser = _guide_parser(name)
        given = list(sys.argv[1:] if arguments is None else arguments)
        options = parser.parse_args(with_signs(given))
        options.arguments = given  # as they were typed: the jobs of a cluster repeat them
        for remark in _remarks(options):
            warn(f"{name}: {remark}")
        _use_web_options(options)
        options.act = _guide_command
        return carry_out(parser, options)


def elixer(arguments: Sequence[str] | None = None) -> int:
    """The command `elixer`; returns the exit code."""
    return _guide("elixer", arguments)


def selixer(arguments: Sequence[str] | None = None) -> int:
    """The command `selixer`; returns the exit code."""
    return _guide("selixer", arguments)
