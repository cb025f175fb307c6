"""Source ellipses on a cutout. Opens no file."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.detection import NAN, Cutout


@dataclass(frozen=True)
class SourceEllipse:
    """A source found on one cutout.

    Attributes
    ----------
    ra, dec : float
        Barycentre, degrees.
    major, minor : float
        Semi-axes of the drawn (Kron) ellipse, arcsec.
    position_angle : float
        Degrees east of north.
    mag, mag_err : float
    separation : float
        Barycentre to the position, arcsec.
    edge_distance : float
        Nearest point of the ellipse to the position, arcsec; negative inside.
    selected : bool
        Whether this is the source that the detection is taken to belong to.
    """

    ra: float
    dec: float
    major: float
    minor: float
    position_angle: float
    mag: float
    mag_err: float
    band: str = ""
    survey: str = ""
    separation: float = NAN
    edge_distance: float = NAN
    counts: float = NAN
    counts_err: float = NAN
    flags: int = 0
    selected: bool = False


def find_sources(cutout: Cutout) -> list[SourceEllipse]:
    """All sources on the cutout, nearest to its position first."""
    raise NotImplementedError
