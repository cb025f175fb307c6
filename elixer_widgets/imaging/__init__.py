"""Cutouts, growing apertures, source ellipses, counterparts, and the surveys on disk."""

from elixer_widgets.imaging.apertures import ApertureStep, Growth, grow_aperture, measure_aperture
from elixer_widgets.imaging.counterparts import Match, find_matches
from elixer_widgets.imaging.custom import use_surveys
from elixer_widgets.imaging.sources import SourceEllipse, find_sources, select_source
from elixer_widgets.imaging.surveys import SURVEYS, Library, Survey, open_library
from elixer_widgets.imaging.web import use_web

__all__ = [
    "SURVEYS",
    "ApertureStep",
    "Growth",
    "Library",
    "Match",
    "SourceEllipse",
    "Survey",
    "find_matches",
    "find_sources",
    "grow_aperture",
    "measure_aperture",
    "open_library",
    "select_source",
    "use_surveys",
    "use_web",
]
