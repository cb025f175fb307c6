"""Which detections a command line asks for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from elixer_widgets._errors import DataError
from elixer_widgets._files import shown
from elixer_widgets.cli_lists import read_detections
from elixer_widgets.cli_positions import Place, declination, read_places, right_ascension
from elixer_widgets.cli_values import count, positive, radius, warn

if TYPE_CHECKING:
    from elixer_widgets.detection import Detection
    from elixer_widgets.releases import Release

DELTA_WAVE = 10.0  # Å


def add_selection_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which detections."""
    group = parser.add_argument_group("detections")
    group.add_argument("--dets", metavar="FILE|LIST", help="a file with one detection number a line, or n,n,n")
    group.add_argument(
        "--ra", type=right_ascension, help="right ascension: degrees, 10h00m06.10s, 10:00:06.10 or '10 00 06.10'"
    )
    group.add_argument("--dec", type=declination, help="declination: degrees, 2d05m15.36s or -2:05:15.36")
    group.add_argument(
        "-e", "--error", type=radius, default=3.0, metavar="ARCSEC", help="search radius about --ra --dec (3.0)"
    )
    group.add_argument("--search", type=radius, metavar="ARCSEC", help="search radius, in place of --error")
    group.add_argument(
        "--coords", metavar="FILE", help="positions: ra dec [shotid] [wavelength], one a line, in any of these forms"
    )
    group.add_argument("--shotid", type=count, metavar="N", help="only detections of this shot, 20230115007")
    group.add_argument("--continuum", action="store_true", help="only detections by their continuum, without a line")
    group.add_argument(
        "--delta_wave", type=positive, default=DELTA_WAVE, metavar="Å",
        help=f"how far a line may be from the wavelength in --coords ({DELTA_WAVE:g})",
    )  # fmt: skip


def _asked(options: argparse.Namespace, release: Release) -> list[int]:
    """The detections of the list, of the position, or of the list of positions."""
    cone = options.ra is not None or options.dec is not None
    ways = [name for name, given in (("--dets", options.dets), ("--coords", options.coords)) if given is not None]
    if cone:
        ways.append("--ra/--dec")
    if len(ways) > 1:
        raise DataError(f"{' and '.join(ways)} were all given: give either a list or a position")
    if options.dets is not None:
        found = read_detections(options.dets)
        if not found:
            raise DataError(f"--dets {shown(options.dets)}: holds no detection number; write one number a line")
        return found
    within = options.search or options.error
    if options.coords is not None:
        return _at_places(options, release, within)
    if options.ra is None or options.dec is None:
        what = (
            "--ra and --dec must be given together" if cone else "nothing was selected: give --dets, or --ra and --dec"
        )
        raise DataError(what)
    found = [int(each) for each in release.search(options.ra, options.dec, within)]
    if not found:
        raise DataError(
            f'no detection lies within {within:g}" of {options.ra:.6f}, {options.dec:.6f}; take a larger --error'
        )
    return found


def _at_places(options: argparse.Namespace, release: Release, within: float) -> list[int]:
    found: list[int] = []
    for place in read_places(options.coords):

        def wanted(each: Detection, place: Place = place) -> bool:
            here = not place.shotid or (each.shot is not None and each.shot.shotid == place.shotid)
            return here and not abs(each.wavelength - place.wavelength) > options.delta_wave

        near = [int(each) for each in release.search(place.ra, place.dec, within)]
        if place.shotid or np.isfinite(place.wavelength):
            near = _kept(release, near, wanted)
        if not near:
            warn(f'no detection at {place.ra:.6f}, {place.dec:.6f} within {within:g}" (none is made from a position)')
        found += near
    if not found:
        raise DataError(f"--coords {shown(options.coords)}: there is no detection at any of its positions")
    return list(dict.fromkeys(found))


def _kept(release: Release, detectids: Iterable[int], wanted: Callable[[Detection], bool]) -> list[int]:
    """Those that are wanted; one that cannot be read stays, so that the run tells why."""
    kept = []
    for each in detectids:
        try:
            keep = wanted(release.detection(each))
        except DataError:
            keep = True
        if keep:
            kept.append(each)
    return kept


def selected(options: argparse.Namespace, release: Release) -> list[int]:
    """The detections that the options ask for.

    Raises
    ------
    DataError
        If the options contradict one another or select nothing.
    """
    if getattr(options, "dispatch", None):
        return read_detections(options.dispatch)
    found = _asked(options, release)
    if options.shotid is not None:
        found = _kept(release, found, lambda each: each.shot is not None and each.shot.shotid == options.shotid)
        if not found:
            raise DataError(f"--shotid {options.shotid}: none of the detections asked for belongs to this shot")
    if options.continuum:
        found = _kept(release, found, lambda each: not np.isfinite(each.wavelength))
        if not found:
            raise DataError("--continuum: all detections asked for were found by a line")
    return found
