"""What the page shows and what a person chose: the one thing that every panel observes."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from traitlets import Bool, Float, Instance, Int, TraitError, Tuple, Unicode, observe, validate

from elixer_widgets._remeasured import with_aperture
from elixer_widgets.analysis import Interpretation, Measurements, interpret, measure
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases.base import Release
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.widgets.acting import Acting
from elixer_widgets.widgets.ahead import Ahead, Look
from elixer_widgets.widgets.choices import Choices
from elixer_widgets.widgets.prefetch import Memory, Prefetch

log = logging.getLogger(__name__)

REMEMBERED = 12
"""Detections whose automatic measurements are kept, so that going back shows them at once."""

NEIGHBOURS = (1, -1, 2)
"""What is measured in the background, counted from the shown detection, the most likely first."""

FIELDS = (9.0, 60.0)
"""arcsec; the smallest and the largest side of the images that may be asked for."""


class _Kept:
    """What is known of the detections looked at or prepared last: all of it follows from them alone."""

    def __init__(self) -> None:
        self.measured: Memory[Measurements] = Memory(REMEMBERED)
        self.meant: Memory[Interpretation] = Memory(REMEMBERED)
        self.ahead = Ahead(REMEMBERED)

    def prepare(self, detectid: int, measurements: Measurements) -> None:
        """Keep the measurements, then what a page shows of them, so that turning to it has only to send it."""
        self.measured.keep(detectid, measurements)
        self.meant.keep(detectid, interpret(measurements))
        self.ahead.draw(measurements)


def _prefetch(release: Release, kept: _Kept) -> Prefetch:
    """What prepares detections of a release; it knows no state, which may end before it.

    The release is the page's own: readers hold no file open, and reading all places of images twice takes long.
    """
    return Prefetch(release.detection, lambda detection: measure(detection), kept.prepare)


class ExplorerState(Acting):
    """The state of one page.

    Parameters
    ----------
    release : Release
    detectids : iterable of int, optional
        The detections to page through, in this order; all of the release if None.
    prepares : bool
        Whether neighbours are prepared from the first page on; else once `prepare` is called, as it is when all
        panels are there that draw ahead.

    Attributes
    ----------
    detectids : tuple of int
    position : int
        Place of the shown detection in `detectids`, from 0.
    choices : Choices
        What the person decided. Set it with `choose`, `reset`, `undo` and `redo`.
    decided : int
        Counts what the person decided; what was refused and steps on the way do not count.
    can_undo, can_redo : bool
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
    cursor : float
        Å under the pointer; NaN if it is on no spectrum.
    hover_fiber, selected_match : str
        fiber_id under the pointer; `analysis.match_id` of the catalogue object pointed out. Empty for none.
    zoom : tuple of float
        The wavelengths (low, high) of the zoomed spectrum; empty for the whole.
    feature : LineFit or None
        What was fitted at the place that a person pointed at.
    smoothing : float
        Å; the σ of the Gaussian the spectrum is shown with; 0 for none.
    stretch : str
        How images are scaled to grey levels; empty for the usual way.
    field : float
        arcsec; the side of the images shown.
    blink : bool
        Whether bands are shown one after the other in one place.
    ahead : Ahead
        What panels draw of a detection before its page is turned to; they add theirs with `ahead.offer`.
    actions : Actions
        What can be done with a key, by name; panels add theirs with `register`; see `Acting`.
    drawing, reveal, lock, page, not_taken
        See `Together`.

    Notes
    -----
    A page turn runs `measure` once. A change of identity or redshift runs only `interpret`. `detection` changes
    before `measurements`, and that before `interpretation`, so a panel need only observe the last one it draws.
    What is under the pointer, selected or zoomed belongs to one detection and ends with it; smoothing, stretch,
    field, band and blinking are ways of looking and stay.
    """

    release: Any = Instance("elixer_widgets.releases.base.Release")
    detectids: Any = Tuple()
    position = Int(-1)
    choices = Instance(Choices, args=())
    decided = Int(0)
    detection = Instance(Detection, allow_none=True)
    measurements = Instance(Measurements, allow_none=True)
    interpretation = Instance(Interpretation, allow_none=True)
    AT_ONCE = frozenset(("band", "width", "smoothing", "stretch", "field", "blink", "zoom", "selected_match"))

    band = Unicode("")
    busy = Bool(False)
    width = Int(1440)
    can_undo = Bool(False)
    can_redo = Bool(False)
    cursor = Float(float("nan"))
    hover_fiber = Unicode("")
    selected_match = Unicode("")
    zoom: Any = Tuple()
    feature = Instance(LineFit, allow_none=True)
    smoothing = Float(0.0)
    stretch = Unicode("")
    field = Float(FIELDS[0])
    blink = Bool(False)

    def __init__(self, release: Release, detectids: Iterable[int] | None = None, *, prepares: bool = True) -> None:
        chosen = release.detectids() if detectids is None else detectids
        ids = tuple(int(each) for each in chosen)
        if not ids:
            raise DataError(f"{release.name}: there are no detections to show; give at least one detectid")
        self._kept = _Kept()
        self._measured = self._kept.measured
        self._prefetch = _prefetch(release, self._kept)
        # before the interpreter ends: a thread within the HDF5 library would keep it from ending
        weakref.finalize(self, self._prefetch.end)
        self._prepares = prepares
        self._turning = False
        self._due = False
        self._listing = False
        self._past: list[Choices] = []
        self._future: list[Choices] = []
        self._passing = False
        self._refused = False
        self.ahead = self._kept.ahead
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

    def show(self, detectids: Iterable[int], detectid: int) -> None:
        """Take another list of detections, and show one of it.

        Raises
        ------
        DataError
            If that one is not in the list.
        """
        ids = tuple(int(each) for each in detectids)
        if int(detectid) not in ids:
            raise DataError(f"{detectid} is not in this list of {len(ids)} detections")
        place, before = ids.index(int(detectid)), self.position
        with self.lock:
            self._listing = True
            try:
                with self.together():
                    with self.hold_trait_notifications():
                        self.detectids = ids
                        self.position = place
                    if place == before:
                        self._turn(None)
            finally:
                self._listing = False
            self._follow()

    def choose(self, *, passing: bool = False, **changes: Any) -> None:
        """Change some of the choices, for example `choose(identity="OII")` or `choose(redshift=0.417)`.

        Parameters
        ----------
        passing : bool
            A step on the way, as while something is dragged. All steps up to the first choice that is not passing
            are one for `undo`.
        **changes
            Fields of `Choices`. A given identity drops a redshift set before, and a given redshift an identity,
            unless both are given.
        """
        if "identity" in changes and "redshift" not in changes:
            changes["redshift"] = None
        elif "redshift" in changes and "identity" not in changes:
            changes["identity"] = None
        self._set_choices(replace(self.choices, **changes), passing)

    def reset(self) -> None:
        """Drop all choices: everything automatic again."""
        self._set_choices(Choices(), False)

    def undo(self) -> None:
        """Take back the last choice about the shown detection."""
        if self._past and not self.refuses():
            self._future.append(self.choices)
            self._step(self._past.pop())

    def redo(self) -> None:
        """Choose again what `undo` took back."""
        if self._future and not self.refuses():
            self._past.append(self.choices)
            self._step(self._future.pop())

    def _set_choices(self, wanted: Choices, passing: bool) -> None:
        if self.refuses():
            return
        before, self._refused = self.choices, False
        with self.together():  # the browser sees a choice with all that follows from it
            try:
                self.choices = wanted
            except TraitError as error:
                self.message = str(error)
                return
            if self._refused:  # what cannot be must not leave the page without a verdict
                why = self.message
                self.choices = before
                self.message = why
                return
        if self.choices != before:
            if not self._passing:
                self._past.append(before)
            self._future.clear()
            self._passing = passing
        self._passing = self._passing and passing
        self._tell_history()
        self.decided += not passing

    def _step(self, choices: Choices) -> None:
        self._passing = False
        with self.together():
            self.choices = choices
        self._tell_history()
        self.decided += 1

    def _tell_history(self) -> None:
        self.can_undo, self.can_redo = bool(self._past), bool(self._future)

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

    @validate("field")
    def _within_fields(self, proposal: Any) -> float:
        return float(np.clip(proposal.value, *FIELDS))

    @validate("smoothing")
    def _not_negative(self, proposal: Any) -> float:
        return max(float(proposal.value), 0.0)

    @observe("stretch", "field")
    def _look(self, _change: Any) -> None:
        self.ahead.look = Look(self.stretch, self.field)

    def _begin_anew(self) -> None:
        """Drop what belonged to the detection shown so far."""
        self._turning = True
        try:
            self.choices = Choices()
        finally:
            self._turning = False
        self._past.clear()
        self._future.clear()
        self._passing = False
        self._tell_history()
        self.hover_fiber = self.selected_match = ""
        self.zoom = ()
        self.feature = None
        if np.isfinite(self.cursor):
            self.cursor = float("nan")

    def notify_change(self, change: Any) -> None:
        """As of all traits; what is known of a page that is turned to appears at once, what is not in two steps."""
        if change["name"] != "position":
            super().notify_change(change)
            return
        with self.together() if self.detectids[self.position] in self._measured else nullcontext():
            with self.together():  # all that says which detection it is
                super().notify_change(change)
            if not self._listing:
                self._follow()

    @observe("position")
    def _turn(self, _change: Any) -> None:
        detectid = self.detectids[self.position]
        self.page += 1
        self._prefetch.await_one(detectid)
        with self.together():
            self._begin_anew()
            self.message = ""
            self.detection = self._attempt("Reading", detectid, lambda: self._read(detectid))
        self._due = True

    def _follow(self) -> None:
        """Measure the detection that was turned to."""
        if not self._due:
            return
        self._due = False
        self._measure()
        if self._prepares:
            self.prepare()

    @observe("choices")
    def _decide(self, change: Any) -> None:
        if self._turning or self.detection is None:
            return
        self.message = ""
        if self.measurements is None or not change.new.same_measurement(change.old):
            self._measure()
        else:
            with self.together():
                self._interpret()

    def prepare(self) -> None:
        """Have the neighbours prepared that are not yet, now and with every page."""
        self._prepares = True
        places = [self.position + step for step in NEIGHBOURS]
        ids = [self.detectids[place] for place in places if 0 <= place < len(self.detectids)]
        self._prefetch.ask(each for each in ids if each not in self._measured)

    @property
    def whole(self) -> bool:
        """Whether all that is shown is of `detection`: not while it is being measured."""
        measured = self.measurements
        return self.position >= 0 and (measured is None or measured.detection is self.detection)

    @property
    def preparing(self) -> bool:
        """Whether neighbours are being prepared."""
        return not self._prefetch.wait(0.0)

    def known(self, place: int) -> Interpretation | None:
        """What a turn to this place of the list would show, if that is known."""
        detectid = self.detectids[place] if 0 <= place < len(self.detectids) else -1
        meant = self._kept.meant.get(detectid)
        return meant if meant is not None and meant.measurements is self._measured.get(detectid) else None

    def _read(self, detectid: int) -> Detection:
        """The detection; one measured before comes with what was read for it then."""
        known = self._measured.get(detectid)
        return self.release.detection(detectid) if known is None else known.detection

    def _measure(self) -> None:
        detection, choices = self.detection, self.choices
        try:
            found = None if detection is None else self._measured_as(detection, choices)
            with self.together():
                self.measurements = found
                self._interpret()
        finally:
            self.busy = False

    def _measured_as(self, detection: Detection, choices: Choices) -> Measurements | None:
        automatic = choices.same_measurement(Choices())
        known = self._measured.get(detection.detectid) if automatic else None
        if known is not None:
            return known
        self.busy = self.measurements is None or self.measurements.detection is not detection
        found = self._attempt("Measuring", detection.detectid, lambda: self._measure_anew(detection, choices))
        if automatic and found is not None:
            self._measured.keep(detection.detectid, found)
        return found

    def _measure_anew(self, detection: Detection, choices: Choices) -> Measurements:
        """Only the images where nothing but the aperture changed; everything otherwise."""
        known = self.measurements
        if (
            choices.aperture is not None
            and known is not None
            and known.detection is detection
            and known.excluded_fibers == choices.excluded_fibers
        ):
            return with_aperture(known, choices.aperture)
        return measure(detection, aperture=choices.aperture, excluded_fibers=choices.excluded_fibers)

    def _interpret(self) -> None:
        measurements, choices = self.measurements, self.choices
        if measurements is None:
            self.interpretation = None
            return
        automatic = choices == Choices()
        detectid = measurements.detection.detectid
        known = self._kept.meant.get(detectid) if automatic else None
        if known is not None and known.measurements is measurements:
            self.interpretation = known
            return
        found = self._attempt(
            "Interpreting",
            detectid,
            lambda: interpret(
                measurements, identity=choices.identity, redshift=choices.redshift,
                counterpart=choices.counterpart, without=choices.without,
            ),
        )  # fmt: skip
        if automatic and found is not None:
            self._kept.meant.keep(detectid, found)
        self.interpretation = found

    def _attempt(self, what: str, detectid: int, action: Any) -> Any:
        """The result of `action`, or None and why in `message`: one bad detection must not end a night."""
        try:
            return action()
        except DataError as error:
            self._refused = True
            self.message = f"{what} {detectid}: {error}"
        except OSError as error:
            log.exception("%s detection %s: a file is gone", what, detectid)
            file = f"{error.filename}: " if error.filename else ""
            self.message = (
                f"{what} {detectid}: {file}{error.strerror or error}. The release may have been moved, deleted or "
                f"unmounted: see that {getattr(self.release, 'path', 'it')} is there, then turn to this page again. "
                "Nothing that was saved is lost."
            )
        except Exception as error:
            log.exception("%s detection %s failed", what, detectid)
            self.message = (
                f"{what} {detectid} failed ({type(error).__name__}: {error}). The other detections are not "
                "affected; turn the page, and please report this number."
            )
        return None
