"""Catalogue objects that may be the detection's source."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.detection import NAN, CatalogObject, Imaging


@dataclass(frozen=True, eq=False)
class Match:
    """A catalogue object near the detection.

    Attributes
    ----------
    object : CatalogObject
    rank : int
        1 for the best; the first three are highlighted.
    separation : float
        True angular distance, arcsec.
    chance : float
        Probability that an unrelated object this bright lies this near, 1 - exp(-π d² n(<m)).
    band : str
        Filter of the magnitude used for the continuum (g before r).
    selected : bool
    """

    object: CatalogObject
    rank: int
    separation: float
    chance: float = NAN
    band: str = ""
    selected: bool = False


def find_matches(imaging: Imaging, ra: float, dec: float, radius: float = 3.0) -> tuple[Match, ...]:
    """Catalogue objects within `radius` arcsec, best first."""
    raise NotImplementedError
