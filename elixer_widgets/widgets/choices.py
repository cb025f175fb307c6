"""What a person decided about a detection."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.analysis import Aperture


@dataclass(frozen=True)
class Choices:
    """What a person decided about the detection on the page; every page starts with none of them.

    `identity` is one of `classification.posterior.IDENTITIES`, `redshift` a number, None what is automatic;
    `aperture` a circle to measure instead of the automatic one; `excluded_fibers` the fiber_ids switched off;
    `counterpart` the catalogue object taken for the source, as `analysis.match_id` names it, or "none";
    `without` the names of continuum estimates left out.
    """

    identity: str | None = None
    redshift: float | None = None
    aperture: Aperture | None = None
    excluded_fibers: tuple[str, ...] = ()
    counterpart: str | None = None
    without: tuple[str, ...] = ()

    @property
    def automatic_line(self) -> bool:
        """Whether the identity of the line is left to the analysis."""
        return self.identity is None and self.redshift is None

    def same_measurement(self, other: Choices) -> bool:
        """Whether both ask for the same measurement, so that only the interpretation can differ."""
        return self.aperture == other.aperture and self.excluded_fibers == other.excluded_fibers
