"""The end of a run in shares: one catalogue, and what is done, failed or missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from elixer_widgets._files import Busy
from elixer_widgets.bulk.output import FAILURES, Output, Summary, finish_catalog, only_run, stored, write_failures
from elixer_widgets.bulk.slurm import Dispatch, dispatches
from elixer_widgets.detection import DataError

MERGED = "elixer_merged_cat.h5"
MISSING = "not processed: its job was cancelled or ended; run the same command again"


def take_over(folder: Path, name: str) -> list[Path]:
    """Bring the catalogue of every share up to date, also where its job was killed.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    name : str
        Its name, which is that of the folder in each share.

    Returns
    -------
    list of Path
        The catalogues there are.
    """
    found: list[Path] = []
    for each in dispatches(folder):
        output = each.output(Output(folder.parent / name))
        if not output.folder.is_dir():
            continue
        if output.parts.is_dir():
            try:
                with only_run(output) as held:
                    finish_catalog(output, held)
            except Busy:  # it still runs: its rows so far are taken another time
                pass
        if output.catalog.is_file():
            found.append(output.catalog)
    return found


def collect(folder: Path) -> Summary:
    """Merge the catalogues of a run's shares into `elixer_merged_cat.h5` and tell what is done.

    Parameters
    ----------
    folder : Path
        The folder of the run, with `dispatch_XXXX` below it.

    Returns
    -------
    Summary
        `failed` with the reasons that the shares have noted, and what no share has processed.

    Raises
    ------
    DataError
        If there are no shares, or somebody else brings them together.
    """
    from elixer_widgets.reports import merge_catalogs

    shares = dispatches(folder)
    if not shares:
        raise DataError(f"{folder}: has no dispatch_XXXX folder, so there is nothing to bring together")
    whole = Output(folder)
    with only_run(whole) as held:
        paths = take_over(folder, folder.name)
        if paths:
            merge_catalogs(paths, folder / MERGED, unique=True)
        summary = _summed(whole, shares)
        write_failures(whole, summary.failed, held)
    return summary


def _summed(whole: Output, shares: Iterable[Dispatch]) -> Summary:
    """What the shares have done, and for the rest what they have noted."""
    summary = Summary()
    for each in shares:
        output = each.output(whole)
        have = stored(output) if output.folder.is_dir() else set()
        reasons = _reasons(output.folder / FAILURES)
        for detectid in each.detectids:
            if detectid in have:
                summary.done.append(detectid)
            else:
                summary.failed[detectid] = reasons.get(detectid, MISSING)
    return summary


def _reasons(path: Path) -> dict[int, str]:
    """What a share has noted about the detections that failed."""
    if not path.is_file():
        return {}
    lines = (line.partition("#") for line in path.read_text(encoding="utf-8").splitlines())
    return {int(number): reason.strip() for number, _, reason in lines if number.strip().isdigit()}
