"""The command line: `elixer-widgets`, and `elixer` and `selixer` with the options of the ELiXer user guide."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path
from elixer_widgets._login import login
from elixer_widgets._version import __version__
from elixer_widgets.cli_cluster import add_cluster_options
from elixer_widgets.cli_export import add_export
from elixer_widgets.cli_guide import elixer, selixer
from elixer_widgets.cli_run import (
    DONE,
    MERGED_NAME,
    add_imaging_options,
    add_reading_options,
    add_run_options,
    carry_out,
    merge_command,
    run_command,
    store_pictures,
)
from elixer_widgets.cli_streams import speaking
from elixer_widgets.cli_values import count, port, read_detections, say, warn, whole, with_signs

__all__ = ["elixer", "main", "selixer"]


def _explore_command(options: argparse.Namespace) -> int:
    from elixer_widgets.simulation.kept import kept_release
    from elixer_widgets.widgets.dashboard import serve

    _use_campaign(options)
    path = named_path(options.path, "PATH") if options.path else kept_release(announce=warn)
    at = str(named_path(options.socket, "--socket").absolute()) if options.socket else ""
    serve(path, port=options.port, open_browser=not options.no_browser, detectid=options.detectid, at=at)
    return DONE


def _use_campaign(options: argparse.Namespace) -> None:
    """Have the page show a campaign's queue; the campaign is made where a list is given and there is none yet."""
    from elixer_widgets.campaigns import Campaign
    from elixer_widgets.widgets.dashboard import CAMPAIGN_VARIABLE, INSPECTOR_VARIABLE

    if not options.campaign:
        if options.dets or options.inspector:
            raise DataError("--dets and --inspector belong to a campaign: add --campaign FOLDER")
        return
    folder = named_path(options.campaign, "--campaign").absolute()
    inspector = options.inspector or login()
    Campaign(folder, read_detections(options.dets) if options.dets else None, inspector).close()
    os.environ[CAMPAIGN_VARIABLE], os.environ[INSPECTOR_VARIABLE] = str(folder), inspector


def _simulate_command(options: argparse.Namespace) -> int:
    from elixer_widgets.simulation import simulate_release

    path = named_path(options.path, "PATH")
    simulate_release(path, n=options.n, seed=options.seed)
    say(f"simulated release of {options.n} detections in {path}")
    return DONE


def _database_command(options: argparse.Namespace) -> int:
    return store_pictures(named_path(options.folder, "DIR"), options.into)


def _parser() -> argparse.ArgumentParser:
    from elixer_widgets.widgets.serving import add_serve

    parser = argparse.ArgumentParser(
        "elixer-widgets", description="Explore HETDEX emission-line detections.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"elixer-widgets {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    explore = commands.add_parser("explore", help="open the page in the browser", allow_abbrev=False)
    explore.add_argument("path", nargs="?", metavar="PATH", help="a release (default: a simulated one)")
    explore.add_argument("--port", type=port, default=8866, help="port on this computer, 0 for any (8866)")
    explore.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    explore.add_argument("--socket", metavar="PATH", help="listen at a Unix socket that only you can reach")
    explore.add_argument("--detectid", type=count, help="the detection to show first")
    explore.add_argument("--campaign", metavar="FOLDER", help="vet a classification campaign: its queue is shown")
    explore.add_argument("--inspector", metavar="NAME", help="who answers it (default: who is logged in)")
    explore.add_argument("--dets", metavar="FILE|LIST", help="the detections of a new campaign")
    add_imaging_options(explore)
    add_reading_options(explore)
    explore.set_defaults(act=_explore_command)

    runs = commands.add_parser("run", help="reports and a catalogue for a list or a position", allow_abbrev=False)
    add_run_options(runs)
    add_cluster_options(runs)
    runs.set_defaults(act=run_command)

    merge = commands.add_parser("merge", help="merge catalogues into one", allow_abbrev=False)
    merge.add_argument("inputs", nargs="*", metavar="FILE", help="catalogues (default: those in and below this folder)")
    merge.add_argument("-o", "--output", default=MERGED_NAME, metavar="FILE", help=f"the result ({MERGED_NAME})")
    merge.add_argument("--unique", action="store_true", help="keep the newest row of each detection")
    merge.add_argument("-f", "--force", action="store_true", help="replace a result that exists")
    merge.set_defaults(act=merge_command)

    stored = commands.add_parser(
        "database", help="put the pictures of a run into the image database", allow_abbrev=False
    )
    stored.add_argument("folder", metavar="DIR", help="the folder of a run, with its PNG reports")
    stored.add_argument("--into", metavar="DIR", help="folder of the database (DIR/image_db)")
    stored.set_defaults(act=_database_command)

    add_export(commands)
    add_reading_options(add_serve(commands))

    simulate = commands.add_parser("simulate", help="make a release with known truth", allow_abbrev=False)
    simulate.add_argument("path", metavar="PATH", help="a folder that does not exist yet")
    simulate.add_argument("-n", "--n", type=count, default=64, help="number of detections (64)")
    simulate.add_argument("--seed", type=whole, default=1, help="another seed is another sky (1)")
    simulate.set_defaults(act=_simulate_command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `elixer-widgets`; returns the exit code."""
    with speaking():
        parser = _parser()
        return carry_out(parser, parser.parse_args(with_signs(sys.argv[1:] if arguments is None else arguments)))


if __name__ == "__main__":
    sys.exit(main())
