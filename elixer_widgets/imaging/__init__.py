"""Cutouts, growing apertures, source ellipses, counterparts."""

from elixer_widgets.imaging.apertures import ApertureStep, Growth, grow_aperture, measure_aperture
from elixer_widgets.imaging.counterparts import Match, find_matches
from elixer_widgets.imaging.sources import SourceEllipse, find_sources

__all__ = [
    "ApertureStep",
    "Growth",
    "Match",
    "SourceEllipse",
    "find_matches",
    "find_sources",
    "grow_aperture",
    "measure_aperture",
]
