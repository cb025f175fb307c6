"""What the commands do with a selection: run it, list what is unfinished, merge catalogues."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets._errors import DataError
from elixer_widgets._files import check_writable, made_folder, named_file, named_path, shown, write_text
from elixer_widgets.cli_selection import add_selection_options, selected
from elixer_widgets.cli_streams import ending_tidily, fault_in_words
from elixer_widgets.cli_values import RELEASE_VARIABLE, a_redshift, radius_or_off, release_path, say, warn

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.bulk import Output
    from elixer_widgets.detection import Detection, DetectionSource, FiberField, FiberImages, Imaging, Spectrum
    from elixer_widgets.releases import Release

DONE, USAGE, INTERRUPTED = 0, 2, 130
"""Exit codes: all well; the command cannot be carried out; ended by the user. `bulk.output` has those of a run."""

SHOWN = 20  # remarks on the screen

MERGED_NAME = "elixer_merged_cat.h5"
RECOVERY_LIST = "elixer_recovery_list.dets"
IMAGES = ("png", "jpg")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


def add_imaging_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where images come from."""
    group = parser.add_argument_group("imaging")
    group.add_argument("--surveys", metavar="FILE", help="a TOML file of your own surveys (docs/surveys.md)")
    group.add_argument(
        "--web", action=argparse.BooleanOptionalAction, help="ask the web for bands that no image on disk covers (no)"
    )


def _use_imaging_options(options: argparse.Namespace) -> None:
    """Hand the imaging options on to this process and its workers, by the environment."""
    from elixer_widgets.imaging.custom import FILE_VARIABLE
    from elixer_widgets.imaging.web import WEB_VARIABLE

    if options.surveys:
        path = named_file(options.surveys)
        if path is None:
            raise DataError(f"--surveys {shown(options.surveys)}: there is no such file")
        os.environ[FILE_VARIABLE] = str(path.absolute())
    if options.web is not None:
        os.environ[WEB_VARIABLE] = "1" if options.web else "0"


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how files of spectra are read where the files do not."""
    group = parser.add_argument_group("files of spectra")
    group.add_argument(
        "--columns", default="", metavar="ROLE=NAME,...", help="columns: wavelength=NAME,flux=NAME,error=NAME"
    )
    group.add_argument("--unit", default="", metavar="UNIT", help="the unit of the flux, '1e-17 erg/s/cm2/A'")
    group.add_argument("--medium", default="", metavar="air|vacuum", help="the medium of the wavelengths")


def _hand_on(options: argparse.Namespace) -> None:
    """Hand on to workers and pages, by the environment, where images come from and how spectra are read."""
    from elixer_widgets.releases.stated import state

    if hasattr(options, "surveys"):
        _use_imaging_options(options)
    if hasattr(options, "medium"):
        state(options.columns, options.unit, options.medium)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what is reported and where it goes."""
    add_selection_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument("-n", "--name", metavar="DIR", help="output folder; its name also names the catalogue")
    output.add_argument(
        "--release",
        "--hdr",
        "--hdf5",
        metavar="PATH",
        help=f"the release: a folder or file (default ${RELEASE_VARIABLE})",
    )
    output.add_argument("--png", action="store_true", help="write each report as a PNG too")
    output.add_argument("--jpg", "--jpeg", action="store_true", help="write each report as a JPEG too")
    output.add_argument("--mini", action="store_true", help="write a small report for a telephone, <number>_mini.png")
    output.add_argument(
        "--neighborhood", type=radius_or_off, metavar="ARCSEC",
        help="map the detections within this radius, <number>_nei.png (off)",
    )  # fmt: skip
    output.add_argument(
        "--neighborhood_only", type=radius_or_off, metavar="ARCSEC", help="as --neighborhood, without the reports (off)"
    )
    output.add_argument(
        "--database", nargs="?", const="", metavar="DIR",
        help="put the PNG reports into the image database too (DIR, or image_db in the output folder)",
    )  # fmt: skip
    output.add_argument("--recover", action="store_true", help="go on with an interrupted run: skip what is finished")
    output.add_argument("--log", choices=LOG_LEVELS, type=str.lower, metavar="LEVEL", help="what goes into elixer.log")
    how = parser.add_argument_group("analysis")
    how.add_argument("--known_z", type=a_redshift, metavar="Z", help="take this redshift, as a person's answer")
    how.add_argument("--nophoto", action="store_true", help="leave images and catalogues of objects out")
    add_imaging_options(parser)
    add_reading_options(parser)


# --------------------------------------------------------------------------------------------- how it is measured


@dataclass(frozen=True)
class _WithoutImages:
    """What a detection reads from, less the images."""

    source: DetectionSource

    def fiber_images(self, detection: Detection) -> FiberImages:
        """As the source's."""
        return self.source.fiber_images(detection)

    def fiber_spectra(self, detection: Detection) -> tuple[Spectrum | None, ...]:
        """As the source's."""
        return self.source.fiber_spectra(detection)

    def fiber_field(self, detection: Detection) -> FiberField:
        """As the source's."""
        return self.source.fiber_field(detection)

    def imaging(self, detection: Detection) -> Imaging:
        """Nothing, and why."""
        from elixer_widgets.detection import Imaging

        return Imaging(notes=("imaging was left out (--nophoto)",))


def measured_as_asked(release: Release, detectid: int, known_z: float | None, photometry: bool) -> Interpretation:
    """Measure and interpret one detection with a redshift given, or without images."""
    from elixer_widgets.analysis import interpret, measure

    detection = release.detection(detectid)
    if not photometry and detection.source is not None:
        detection = replace(detection, source=_WithoutImages(detection.source))
    return interpret(measure(detection), redshift=known_z)


def _make(options: argparse.Namespace) -> Callable[[Release, int], Interpretation] | None:
    if options.known_z is None and not options.nophoto:
        return None
    return partial(measured_as_asked, known_z=options.known_z, photometry=not options.nophoto)


# ------------------------------------------------------------------------------------------------ what is written


def _mini(release: Release, interpretation: Interpretation, path: Path) -> Path:
    from elixer_widgets.reports.mini import write_mini

    return write_mini(interpretation, path)


def _neighborhood(release: Release, interpretation: Interpretation, path: Path, radius: float) -> Path:
    from elixer_widgets.reports.neighborhood import write_neighborhood

    return write_neighborhood(release, interpretation, path, radius)


def output_of(options: argparse.Namespace) -> Output:
    """The folder and the files that the options ask for.

    Raises
    ------
    DataError
        If no folder was named, or it is a file.
    """
    from elixer_widgets.bulk import Extra, Output

    if not options.name:
        raise DataError("no output folder was given: add --name DIR")
    only = options.neighborhood_only
    around = only or options.neighborhood
    extras: list[Extra] = []
    if around:
        extras.append(Extra("_nei.png", partial(_neighborhood, radius=around)))
    if options.mini and not only:
        extras.append(Extra("_mini.png", _mini))
    stored = options.database is not None  # the database holds PNG files
    images = () if only else tuple(kind for kind in IMAGES if getattr(options, kind) or (kind == "png" and stored))
    folder = Path(os.path.abspath(named_path(options.name, "--name")))  # also `.` and `..` then have a name
    if not folder.name:
        raise DataError(f"--name {options.name}: give a folder with a name of its own")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"--name {shown(options.name)}: is a file; give a folder")
    return Output(folder, images, tuple(extras), pdf=not only)


def run_command(options: argparse.Namespace) -> int:
    """Report what was selected; returns the exit code.

    Raises
    ------
    DataError
        If the options cannot be carried out.
    """
    from elixer_widgets.cli_cluster import finish_command, run_selected
    from elixer_widgets.releases.stated import open_stated

    if options.finish:
        return finish_command(options)
    output = output_of(options)
    if options.log:
        logging.getLogger("elixer_widgets").setLevel(options.log.upper())
    if not options.dispatch:
        check_writable(output.folder)
    release = open_stated(release_path(options.release))
    detectids = selected(options, release)
    if getattr(options, "prep_recover", False):
        return _prepare_recovery(output, detectids)
    code = run_selected(options, release, detectids, output, make=_make(options))
    if options.database is not None and not options.dispatch:
        if options.submit and not list(output.folder.glob("*.png")):
            say(f"when the jobs have ended, give: elixer-widgets database {output.folder}")
        elif code != INTERRUPTED:
            store_pictures(output.folder, options.database or None)
    return code


def store_pictures(folder: Path, into: str | None) -> int:
    """Put the PNG pictures of a run into the image database and tell how many; returns the exit code.

    Raises
    ------
    DataError
        If there is no such folder, or the database cannot be written.
    """
    from elixer_widgets.reports.database import FOLDER, store_reports

    target = named_path(into, "--into") if into else folder / FOLDER
    found = store_reports(folder, target)
    say(f"image database {target}: {found.stored} stored, {found.unchanged} there already")
    for path, reason in list(found.skipped.items())[:SHOWN]:
        warn(f"  left out: {path}: {reason}")
    if len(found.skipped) > SHOWN:
        warn(f"  and {len(found.skipped) - SHOWN} more left out")
    return DONE


def _prepare_recovery(output: Output, detectids: list[int]) -> int:
    """List the detections that a run, here or in dispatch folders, has not finished."""
    from elixer_widgets.bulk.output import unfinished
    from elixer_widgets.bulk.slurm import outputs

    missing = unfinished(outputs(output), detectids)
    path = made_folder(output.folder) / RECOVERY_LIST
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace").strip("0123456789\n"):
        raise DataError(f"{path}: is there already and was not written by --prep_recover; move it away")
    write_text(path, "".join(f"{each}\n" for each in missing))
    say(f"{len(missing)} of {len(detectids)} detections are not finished; their numbers are in {path}")
    return DONE


# ------------------------------------------------------------------------------------------------------ catalogues


def catalogs_below(folder: Path, dispatched: bool = True) -> list[Path]:
    """The catalogues that a run, and the jobs it was shared among, left in `folder`, in order of their names."""
    patterns = ("*_cat.h5", "*_cat_*.h5", *(("dispatch_*/*/*_cat.h5",) if dispatched else ()))
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return [path for path in found if path.name != MERGED_NAME]


def merge_command(options: argparse.Namespace) -> int:
    """Merge catalogues; returns the exit code.

    Raises
    ------
    DataError
        If there is nothing to merge, or the result exists and is not to be replaced.
    """
    from elixer_widgets.reports import merge_catalogs

    dispatched = getattr(options, "dispatched", True)
    if dispatched and not options.inputs:
        from elixer_widgets.bulk.collect import take_over

        take_over(Path.cwd(), Path.cwd().name)  # rows of shares whose job was killed
    inputs = [named_path(each) for each in options.inputs] or catalogs_below(Path.cwd(), dispatched)
    if not inputs:
        raise DataError(f"{Path.cwd()}: holds no catalogue (*_cat.h5, dispatch_*/*/*_cat.h5); name the files")
    target = named_path(options.output, "--output")
    if target.exists() and not options.force:
        raise DataError(f"{target}: exists already; give another --output, or --force to replace it")
    merge_catalogs(inputs, target, unique=options.unique)
    say(f"{len(inputs)} catalogue{'s' if len(inputs) > 1 else ''} merged into {target}")
    return DONE


def carry_out(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Do what was asked; what cannot be done is one sentence and exit code 2."""
    try:
        with ending_tidily():
            _hand_on(options)
            return int(options.act(options))
    except (DataError, OSError) as error:
        warn(f"{parser.prog}: {fault_in_words(error)}")
        return USAGE
    except KeyboardInterrupt:
        warn(f"{parser.prog}: ended by the user; what is done is kept, and the same command goes on")
        return INTERRUPTED
