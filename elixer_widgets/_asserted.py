"""What a person says of the counterpart and of the continuum, put into the measurements before they are interpreted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from elixer_widgets._results import Measurements
from elixer_widgets.classification.continuum import HETDEX_DEPTH, continuum_sources
from elixer_widgets.detection import NAN, DataError, Detection
from elixer_widgets.imaging.counterparts import Match, separation
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate

NO_COUNTERPART = "none"
"""What a person says where no catalogue object is the source."""

SAME_SOURCE = 1.0
"""arcsec; a source on an image is the catalogue object if its centre lies this near, or within its major axis."""

LEFT_OUT = "left out by a person"

_NOTHING = ContinuumEstimate("", NAN)


def depth_of(detection: Detection) -> float:
    """AB depth of the spectrum's continuum; NaN for spectra that are not from HETDEX."""
    if detection.shot is None:
        return NAN
    return detection.shot.depth_g if np.isfinite(detection.shot.depth_g) else HETDEX_DEPTH


# ------------------------------------------------------------------------------------------- the counterpart


def match_id(match: Match) -> str:
    """What a person calls a catalogue object: its catalogue and identifier, or its rank where it has none."""
    return f"{match.object.catalog} {match.object.identifier or f'#{match.rank}'}".strip()


def with_counterpart(m: Measurements, counterpart: str) -> Measurements:
    """The measurements with the counterpart that a person chose.

    Parameters
    ----------
    m : Measurements
    counterpart : str
        A `match_id`, or "none" where no catalogue object is the source.

    Returns
    -------
    Measurements
        The chosen match stands first and is selected; of the sources on each image, the one at its place is. With
        "none" nothing is selected, and circular apertures stand for the images.

    Raises
    ------
    DataError
        If there is no such match.
    """
    if counterpart == NO_COUNTERPART:
        return replace(
            m,
            matches=tuple(replace(each, selected=False) for each in m.matches),
            sources=tuple(replace(each, selected=False) for each in m.sources),
        )
    chosen = next((each for each in m.matches if match_id(each) == counterpart), None)
    if chosen is None:
        names = ", ".join(repr(match_id(each)) for each in m.matches)
        raise DataError(
            f"detection {m.detection.detectid} has no counterpart {counterpart!r}; "
            f"give {names + ' or ' if names else ''}{NO_COUNTERPART!r}"
        )
    ordered = (chosen, *(each for each in m.matches if each is not chosen))
    matches = tuple(replace(each, rank=rank, selected=rank == 1) for rank, each in enumerate(ordered, start=1))
    return replace(m, matches=matches, sources=_sources_at(m.sources, chosen.object.ra, chosen.object.dec))


def _sources_at(sources: tuple[SourceEllipse, ...], ra: float, dec: float) -> tuple[SourceEllipse, ...]:
    """The sources with the one at a place selected, on each image on which there is one."""
    nearest: dict[tuple[str, str], tuple[float, int]] = {}
    for number, each in enumerate(sources):
        away = separation(each.ra, each.dec, ra, dec)
        image = each.survey, each.band
        if away <= max(SAME_SOURCE, each.major) and away < nearest.get(image, (np.inf, -1))[0]:
            nearest[image] = away, number
    chosen = {number for _, number in nearest.values()}
    return tuple(replace(each, selected=number in chosen) for number, each in enumerate(sources))


def believed(matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """Matches of which the selected one is the source for certain, as a person said."""
    return tuple(replace(each, chance=0.0, separation=0.0) if each.selected else each for each in matches)


def around(automatic: Measurements, m: Measurements) -> tuple[Match, ...]:
    """The galaxies of known redshift around, less those that a person says are not the source.

    An object that was taken for the source automatically, and is not by the person, must not come back as its
    neighbour.
    """
    kept = next((each.object for each in m.matches if each.selected), None)
    dropped = [each.object for each in automatic.matches if each.selected and each.object is not kept]
    return tuple(
        each for each in m.neighbours if all((each.object.ra, each.object.dec) != (one.ra, one.dec) for one in dropped)
    )


# -------------------------------------------------------------------------------------------- the continuum


def line_place(m: Measurements) -> float:
    """Å of the line; the middle of the spectrum where there is none."""
    if np.isfinite(m.line.center):
        return m.line.center
    return float(np.median((m.detection.spectrum if m.spectrum is None else m.spectrum).wavelength))


def all_sources(
    m: Measurements, matches: tuple[Match, ...], without: Iterable[str] = ()
) -> tuple[ContinuumEstimate, ...]:
    """Every estimate of the continuum under the line; those that a person left out do not count.

    Parameters
    ----------
    m : Measurements
    matches : tuple of Match
        As they are believed.
    without : iterable of str
        Names of estimates to leave out. What stood back behind them (the narrow continuum behind the wide one, the
        circle behind the ellipse) then counts.

    Returns
    -------
    tuple of ContinuumEstimate
        Those left out stand last, with weight 0 and a note.

    Raises
    ------
    DataError
        If an estimate is not one of them.
    """
    place, dropped = line_place(m), set(without)

    def name_of(**one: Any) -> str:
        """What the estimate from one growth, source, match or magnitude is called; empty if it gives none."""
        listed = continuum_sources(place, _NOTHING, _NOTHING, **one)
        return listed[0].name if listed else ""

    def listed(dropped: set[str]) -> tuple[ContinuumEstimate, ...]:
        def kept(what: str, every: Iterable[Any]) -> list[Any]:
            return [each for each in every if not (dropped and name_of(**{what: (each,)}) in dropped)]

        return continuum_sources(
            place,
            _NOTHING if m.continuum_narrow.name in dropped else m.continuum_narrow,
            _NOTHING if m.continuum_wide.name in dropped else m.continuum_wide,
            kept("growths", m.growths),
            kept("sources", m.sources),
            kept("matches", matches),
            kept("given", m.detection.magnitudes),
            depth_of(m.detection),
            m.line.flux if np.isfinite(m.line.flux) else 0.0,
        )

    every = listed(set())
    if not dropped:
        return every
    names = list(dict.fromkeys(each.name for each in every))
    for name in dropped:
        if name not in names:
            raise DataError(
                f"detection {m.detection.detectid} has no continuum {name!r}; "
                f"give names out of {', '.join(map(repr, names)) or 'none: nothing shows a continuum'}"
            )
    left_out = (replace(each, weight=0.0, note=LEFT_OUT) for each in every if each.name in dropped)
    return (*listed(dropped), *left_out)
