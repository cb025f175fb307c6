"""What the page shows and what a person chose: the one thing that every panel observes."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from traitlets import Bool, HasTraits, Instance, Int, TraitError, Tuple, Unicode, observe, validate

from elixer_widgets.analysis import Aperture, Interpretation, Measurements, interpret, measure
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases.base import Release

log = logging.getLogger(__name__)

REMEMBERED = 12
"""Detections whose automatic measurements are kept, so that going back shows them at once."""


@dataclass(frozen=True)
class Choices:
    """What a person decided about the detection on the page; every page starts with none of them.

    `identity` is one of `classification.posterior.IDENTITIES`, `redshift` a number, None what is automatic;
    `aperture` a circle to measure instead of the automatic one; `excluded_fibers` the fiber_ids switched off.
    """

    identity: str | None = None
    redshift: float | None = None
    aperture: Aperture | None = None
    excluded_fibers: tuple[str, ...] = ()

    @property
    def automatic_line(self) -> bool:
        """Whether the identity of the line is left to the analysis."""
        return self.identity is None and self.redshift is None

    def same_measurement(self, other: Choices) -> bool:
        """Whether both ask for the same measurement, so that only the interpretation can differ."""
        return self.aperture == other.aperture and self.excluded_fibers == other.excluded_fibers


class ExplorerState(HasTraits):
    """The state of one page.

    Parameters
    ----------
    release : Release
    detectids : iterable of int, optional
        The detections to page through, in this order; all of the release if None.

    Attributes
    ----------
    detectids : tuple of int
    position : int
        Place of the shown detection in `detectids`, from 0.
    choices : Choices
        What the person decided. Set it with `choose` and `reset`.
    detection, measurements, interpretation
        What is shown; None where something failed, and then `message` says what.
    band : str
        The band whose aperture is written out; empty for the first.
    message : str
        One sentence for the person, empty when all is well.
    busy : bool
        Whether `detection` is being measured, so that all else shown is still that of another.
    width : int
        Of the page as the browser shows it, in its pixels: how many letters find room depends on it.

    drawing : callable
        Gives a context in which panels may gather what they send to the browser, so that it draws once.

    Notes
    -----
    A page turn runs `measure` once. A change of identity or redshift runs only `interpret`. `detection` changes
    before `measurements`, and that before `interpretation`, so a panel need only observe the last one it draws.
    """

    release: Any = Instance("elixer_widgets.releases.base.Release")
    detectids: Any = Tuple()
    position = Int(-1)
    choices = Instance(Choices, args=())
    detection = Instance(Detection, allow_none=True)
    measurements = Instance(Measurements, allow_none=True)
    interpretation = Instance(Interpretation, allow_none=True)
    band = Unicode("")
    message = Unicode("")
    busy = Bool(False)
    width = Int(1440)

    def __init__(self, release: Release, detectids: Iterable[int] | None = None) -> None:
        chosen = release.detectids() if detectids is None else detectids
        ids = tuple(int(each) for each in chosen)
        if not ids:
            raise DataError(f"{release.name}: there are no detections to show; give at least one detectid")
        self._measured: OrderedDict[int, Measurements] = OrderedDict()
        self._turning = False
        self.drawing: Callable[[], AbstractContextManager[object]] = nullcontext
        super().__init__(release=release, detectids=ids)

    # ------------------------------------------------------------------------------------ what a person does

    def start(self) -> None:
        """Show the first detection, unless one is shown already; what `message` said before stays."""
        if self.position < 0:
            said = self.message
            self.position = 0
            self.message = self.message or said

    def next(self) -> None:
        """Turn to the next detection; the last one stays."""
        self.position = min(self.position + 1, len(self.detectids) - 1)

    def previous(self) -> None:
        """Turn to the previous detection; the first one stays."""
        self.position = max(self.position - 1, 0)

    def jump(self, detectid: int | str) -> None:
        """Turn to the detection with this number, or say in `message` that it is not in the list."""
        text = str(detectid).strip()
        try:
            self.position = self.detectids.index(int(text))
            self.message = "" if self.detection is not None else self.message
        except ValueError:
            self.message = (
                f"{text or 'nothing'} is not in this list of {len(self.detectids)}; "
                f"give a detection number such as {self.detectids[0]}"
            )

    def choose(self, **changes: Any) -> None:
        """Change some of the choices, for example `choose(identity="OII")` or `choose(redshift=0.417)`.

        A given identity drops a redshift set before, and a given redshift an identity, unless both are given.
        """
        if "identity" in changes and "redshift" not in changes:
            changes["redshift"] = None
        elif "redshift" in changes and "identity" not in changes:
            changes["identity"] = None
        try:
            self.choices = replace(self.choices, **changes)
        except TraitError as error:
            self.message = str(error)

    def reset(self) -> None:
        """Drop all choices: everything automatic again."""
        self.choices = Choices()

    # ------------------------------------------------------------------------------------- what follows from it

    @validate("position")
    def _within_list(self, proposal: Any) -> int:
        if not 0 <= proposal.value < len(self.detectids):
            raise TraitError(f"position {proposal.value} is not within 0 to {len(self.detectids) - 1}")
        return int(proposal.value)

    @validate("choices")
    def _sensible(self, proposal: Any) -> Choices:
        choices: Choices = proposal.value
        if choices.identity is not None and choices.identity not in IDENTITIES:
            raise TraitError(f"{choices.identity!r} is not an identity; give one of {', '.join(IDENTITIES)}")
        if choices.redshift is not None and not np.isfinite(choices.redshift):
            raise TraitError(f"redshift {choices.redshift} is not a number; give one such as 2.7")
        return choices

    @observe("position")
    def _turn(self, _change: Any) -> None:
        self._turning = True
        try:
            self.choices = Choices()
        finally:
            self._turning = False
        detectid = self.detectids[self.position]
        # what is known already appears at once; what is not, piece by piece
        with self.drawing() if detectid in self._measured else nullcontext():
            self.message = ""
            self.detection = self._attempt("Reading", detectid, lambda: self._read(detectid))
            self._measure()

    @observe("choices")
    def _decide(self, change: Any) -> None:
        if self._turning or self.detection is None:
            return
        self.message = ""
        if self.measurements is None or not change.new.same_measurement(change.old):
            self._measure()
        else:
            with self.drawing():
                self._interpret()

    def _read(self, detectid: int) -> Detection:
        """The detection; one measured before comes with what was read for it then."""
        known = self._measured.get(detectid)
        return self.release.detection(detectid) if known is None else known.detection

    def _measure(self) -> None:
        detection, choices = self.detection, self.choices
        try:
            found = None if detection is None else self._measured_as(detection, choices)
            with self.drawing():
                self.measurements = found
                self._interpret()
        finally:
            self.busy = False

    def _measured_as(self, detection: Detection, choices: Choices) -> Measurements | None:
        automatic = choices.same_measurement(Choices())
        if automatic and detection.detectid in self._measured:
            self._measured.move_to_end(detection.detectid)
            return self._measured[detection.detectid]
        self.busy = self.measurements is None or self.measurements.detection is not detection
        found: Measurements | None = self._attempt(
            "Measuring",
            detection.detectid,
            lambda: measure(detection, aperture=choices.aperture, excluded_fibers=choices.excluded_fibers),
        )
        if automatic and found is not None:
            self._measured[detection.detectid] = found
            while len(self._measured) > REMEMBERED:
                self._measured.popitem(last=False)
        return found

    def _interpret(self) -> None:
        measurements, choices = self.measurements, self.choices
        if measurements is None:
            self.interpretation = None
            return
        self.interpretation = self._attempt(
            "Interpreting",
            measurements.detection.detectid,
            lambda: interpret(measurements, identity=choices.identity, redshift=choices.redshift),
        )

    def _attempt(self, what: str, detectid: int, action: Any) -> Any:
        """The result of `action`, or None with the reason in `message`: one bad detection must not end a night."""
        try:
            return action()
        except DataError as error:
            self.message = f"{what} {detectid}: {error}"
        except Exception as error:
            log.exception("%s detection %s failed", what, detectid)
            self.message = (
                f"{what} {detectid} failed ({type(error).__name__}: {error}). The other detections are not "
                "affected; turn the page, and please report this number."
            )
        return None
