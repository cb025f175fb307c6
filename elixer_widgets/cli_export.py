"""`elixer-widgets export`: the answers of a campaign as a table, or as the file of the HETDEX widget."""

from __future__ import annotations

import argparse

from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path
from elixer_widgets.cli_values import say, warn

DONE = 0


def add_export(commands: argparse._SubParsersAction) -> None:
    """Offer the command."""
    export = commands.add_parser("export", help="write the answers of a campaign to a file", allow_abbrev=False)
    export.add_argument("campaign", metavar="FOLDER", help="the campaign's folder")
    export.add_argument(
        "output", metavar="FILE", help=".csv, .ecsv or .h5: a table; .dat: the file of the HETDEX widget"
    )
    export.add_argument("--inspector", metavar="NAME", help="only the answers of this person")
    export.add_argument("--consensus", action="store_true", help="one answer a detection: what the group says")
    export.add_argument("-f", "--force", action="store_true", help="replace a file that is no earlier export")
    export.set_defaults(act=export_command)


def export_command(options: argparse.Namespace) -> int:
    """Write the file; what contradicts itself and what is wrong in the journals is told."""
    from elixer_widgets.campaigns import Campaign, elixer_cls, exports
    from elixer_widgets.campaigns.consistency import contradiction
    from elixer_widgets.campaigns.definition import versions
    from elixer_widgets.campaigns.together import consensus

    folder, target = named_path(options.campaign, "FOLDER"), named_path(options.output, "FILE")
    if not versions(folder):
        raise DataError(f"{folder}: there is no campaign; give the folder of one")
    campaign = Campaign(folder)
    said = exports.consensus_answers(consensus(campaign)) if options.consensus else campaign.answers()
    if options.inspector:
        names = sorted(campaign.replay.books)
        if options.inspector not in names:
            raise DataError(f"{options.inspector} answered nothing in {folder}; there are {', '.join(names) or 'none'}")
        said = [each for each in said if each.inspector == options.inspector]
    for problem in campaign.problems:
        warn(problem)
    odd = [each for each in said if contradiction(each)]
    for each in odd:
        why = contradiction(each)
        warn(f"{each.detectid}, {each.inspector}: contradicts itself ({why}); only what is safe is written")
    if target.suffix.lower() == ".dat":
        first = [each for each in said if each.occasion == 0]
        if len({each.detectid for each in first}) < len(first):
            raise DataError(f"{target}: several inspectors answered; add --consensus or --inspector NAME")
        listed = dict.fromkeys([*campaign.definition.detectids, *(each.detectid for each in first)])
        written = elixer_cls.write(tuple(listed), first, target, overwrite=options.force)
        if written.altered:
            warn(f"{len(written.altered)} comments do not fit into {target}; .csv holds them in full")
    else:
        exports.write_answers(said, target, overwrite=options.force)
    say(f"{len(said)} answers in {target}")
    return DONE
