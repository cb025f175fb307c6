"""Every action of the page, by key and by mouse, and what of the page it must change: one table for all servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.table import Table

from elixer_widgets import measure, open_release
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.widgets.help import IDENTITY_KEYS

# what a person sees, as JavaScript that gives a value to compare
WHO = "document.querySelector('.ew-who b').textContent"
COUNT = "document.querySelector('.ew-count').textContent"
LINE = "document.querySelector('.ew-line b').textContent"
CHOSEN = "document.querySelector('.ew-line small').textContent"
HELP = "getComputedStyle(document.querySelector('.ew-help')).display"
SCREEN = "Boolean(document.fullscreenElement)"
DARK = "document.querySelector('.ew-page').classList.contains('ew-dark')"
FOCUS = "document.activeElement.closest('.ew-jump') !== null"
TICKS = "[...document.querySelectorAll('.ew-fit .ew-plot-low .axis text')].map(e => e.textContent).join()"
SIGNAL = "document.querySelector('.ew-fit-numbers').innerText"
FIBERS = "[...document.querySelectorAll('.ew-strip-row[data-fiber]')].map(e => e.ariaPressed).join()"
EXPOSURES = "[...document.querySelectorAll('.ew-exposure')].map(e => e.ariaPressed).join()"
CARDS = "document.querySelector('.ew-cards [aria-pressed=true]')?.dataset.key"
QUICK = "/S\\/N|no line to measure/.test(document.querySelector('.ew-quick').innerText)"
SMOOTH = "document.querySelector('.ew-smoothing select').value"
CURVE = "[...document.querySelectorAll('.ew-spectrum .bqplot path.line')].map(e => e.getAttribute('d')).join()"
FIELD = "document.querySelector('.ew-tile svg').getAttribute('viewBox')"
IMAGE = "document.querySelector('.ew-tile[aria-pressed=true]').dataset.key"
PICTURE = "document.querySelector('.ew-tile image').getAttribute('href')"
BLINK = "Boolean(document.querySelector('.ew-blinking'))"
TAB = "document.querySelector('.ew-tab[aria-selected=true]').dataset.key"
CENTER = "document.querySelector('.ew-tile .ew-aperture').getAttribute('cx')"
PICKED = "document.querySelector('.ew-match-table tr.ew-picked')?.dataset.key"
TAKEN = "document.querySelector('.ew-match-table tr.ew-taken')?.dataset.key"

RELEASED = "document.querySelector('.ew-reset').disabled"
SPECTRUM = ".ew-spectrum .ew-plot-box .bqplot"


class Hand:
    """A hand on the page of the explorer, wherever it is shown."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def until(self, expression: str, argument: Any = None) -> None:
        """Wait until a JavaScript expression holds."""
        self.page.wait_for_function(expression, arg=argument, timeout=20_000)

    def see(self, probe: str) -> Any:
        """What a probe gives now."""
        return self.page.evaluate(f"() => {probe}")

    def press(self, key: str) -> None:
        """A key of the page, as browsers name it."""
        self.page.evaluate("document.querySelector('.ew-page').focus({preventScroll: true})")
        self.page.keyboard.press(f"Shift+{key}" if len(key) == 1 and key.isupper() else key)

    def click(self, selector: str) -> None:
        self.page.click(selector)

    def choose(self, selector: str, label: str) -> None:
        self.page.select_option(selector, label=label)

    def point(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Move the pointer over an element, to shares of its width and height."""
        box = self.page.locator(selector).first.bounding_box()
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    def point_at_spectrum(self) -> None:
        """The pointer in the spectrum; the page knows of it."""
        self.point(SPECTRUM, 0.4, 0.6)
        self.until("() => getComputedStyle(document.querySelector('.ew-spectrum .ew-cursor')).display == 'block'")

    def point_at_fiber(self) -> None:
        """The pointer on the first fiber of the strip; it lights up."""
        self.point(".ew-strip-row[data-fiber] .ew-strip-text")
        self.until("() => document.querySelector('.ew-strip-row.ew-lit')")

    def turn_wheel(self, notches: int) -> None:
        """The wheel over the fit; a notch up (negative) shows less, larger."""
        self.point(".ew-fit .ew-plot-box .bqplot")
        self.page.mouse.wheel(0, 120 * notches)

    def changed(self, probe: str, do: Callable[[], object]) -> None:
        """Do something and wait until a probe gives something else."""
        before = self.see(probe)
        do()
        self.until(f"before => ({probe}) !== before", before)

    def start(self, detectid: str) -> None:
        """A detection, everything automatic, nothing over the page, the pointer at rest."""
        self.page.mouse.move(3, 3)
        if self.see(SCREEN):
            self.changed(SCREEN, lambda: self.page.evaluate("document.exitFullscreen()"))
        if self.see(HELP) != "none":
            self.press("Escape")
        if self.see(WHO) != detectid:
            self.page.fill(".ew-jump input", detectid)
            self.page.press(".ew-jump input", "Enter")
            self.until(f"id => {WHO} == id && document.querySelector('.ew-line')", detectid)
        if self.see(TAB) != "images":
            self.click(".ew-tab[data-key=images]")
            self.until(f"() => {TAB} == 'images'")
        if not self.see(RELEASED):
            self.click(".ew-reset")
            self.until(f"() => {RELEASED} && {CHOSEN} == 'automatic'")


@dataclass(frozen=True)
class Row:
    """One action: its key, the same by mouse, and the probe that must change.

    `ready` brings about what the action needs; `to` must hold in the end; `red` asks for a line that may be any
    identity.
    """

    name: str
    key: str
    probe: str
    mouse: Callable[[Hand], object] | None
    ready: Callable[[Hand], object] | None = None
    to: str = "true"
    red: bool = False

    def __str__(self) -> str:
        return self.name

    def by(self, hand: Hand, way: str, subjects: dict[bool, str]) -> None:
        """Do it by "key" or by "mouse", and see that the page follows."""
        hand.start(subjects[self.red])
        if self.ready is not None:
            self.ready(hand)
        act = (lambda: hand.press(self.key)) if way == "key" else (lambda: self.mouse(hand))
        hand.changed(self.probe, act)
        hand.until(f"() => {self.to}")


def _set(hand: Hand) -> None:
    other = "OII" if hand.see(CARDS) == "Lya" else "Lya"
    hand.changed(CARDS, lambda: hand.click(f".ew-card[data-key={other}]"))


def _unset(hand: Hand) -> None:
    _set(hand)
    hand.changed(CARDS, lambda: hand.click(".ew-tools [data-key=undo]"))
    hand.until("() => !document.querySelector('.ew-tools [data-key=redo]').disabled")


def _other(identity: str) -> Callable[[Hand], None]:
    """Something else than an identity is adopted."""

    def ready(hand: Hand) -> None:
        if hand.see(LINE).startswith(LABELS[identity]):
            _set(hand)

    return ready


def _zoomed(hand: Hand) -> None:
    hand.changed(TICKS, lambda: hand.press("+"))


def _whole(hand: Hand) -> None:
    hand.press("0")
    hand.until("() => document.querySelector('.ew-chip[data-status=main]').ariaPressed == 'true'")


def _lines(hand: Hand) -> None:
    """An identity that expects several lines."""
    hand.press("l")
    hand.until("() => document.querySelectorAll('.ew-chip').length > 2")
    _whole(hand)


def _smoothed(hand: Hand) -> None:
    hand.choose(".ew-smoothing select", "σ 2 Å")
    hand.until(f"() => {SMOOTH} == 'σ 2 Å'")


def _field(label: str) -> Callable[[Hand], None]:
    def set_field(hand: Hand) -> None:
        hand.choose(".ew-choice select >> nth=0", label)
        hand.until(f"() => {FIELD}.endsWith(' {label[:-1]}')")

    return set_field


def _shifted(hand: Hand) -> None:
    hand.page.fill(".ew-number input >> nth=0", "0.8")
    hand.changed(CENTER, lambda: hand.page.press(".ew-number input >> nth=0", "Enter"))
    hand.until(f"() => !{RELEASED}")


def _second_match(hand: Hand) -> None:
    if hand.see(PICKED) is None or hand.see(PICKED) == hand.see(TAKEN):
        hand.click(".ew-match-table tbody tr:nth-child(2) .ew-rank")
        hand.until(f"() => {PICKED} && {PICKED} != {TAKEN}")


def _stretched(hand: Hand) -> None:
    now = hand.see("document.querySelectorAll('.ew-choice select')[1].value")
    hand.choose(".ew-choice select >> nth=1", "zscale" if now != "zscale" else "−2σ to 5σ")


def _unpicked_match(hand: Hand) -> None:
    hand.click(".ew-match-table tr:not(.ew-picked) .ew-rank")


def _identities() -> Iterator[Row]:
    for key, identity in IDENTITY_KEYS.items():
        label = LABELS[identity]
        yield Row(
            identity, key, LINE, lambda hand, label=label: hand.choose(".ew-identity select", label),
            _other(identity), f"{LINE}.startsWith({label!r})", red=True,
        )  # fmt: skip


def _exposures() -> Iterator[Row]:
    for number in (1, 2, 3):
        yield Row(
            f"switch exposure {number}", str(number + 6), EXPOSURES,
            lambda hand, number=number: hand.click(f".ew-exposure[data-key='exposure:{number}']"),
        )  # fmt: skip


def _tool(name: str) -> Callable[[Hand], None]:
    return lambda hand: hand.click(f".ew-tools [data-key='{name}']")


def _button(selector: str) -> Callable[[Hand], None]:
    return lambda hand: hand.click(selector)


TABLE = (
    Row("next", "n", COUNT, _button(".ew-next"), to="document.querySelector('.ew-line')"),
    Row("previous", "p", COUNT, _button(".ew-prev"), to="document.querySelector('.ew-line')"),
    Row("jump to number", "g", FOCUS, _button(".ew-jump input"), lambda hand: hand.page.focus(".ew-page")),
    *_identities(),
    Row("automatic", "a", CHOSEN, lambda hand: hand.choose(".ew-identity select", "automatic"), _set),
    Row("undo", "z", CARDS, _tool("undo"), _set),
    Row("redo", "Z", CARDS, _tool("redo"), _unset),
    Row("reset", "r", CHOSEN, _button(".ew-reset"), _set, f"{CHOSEN} == 'automatic'"),
    Row("keys", "?", HELP, _tool("keys"), to=f"{HELP} == 'flex'"),
    Row("full screen", "F", SCREEN, _tool("full screen")),
    Row("theme", "T", DARK, _tool("theme")),
    # the numbers of the fit are of the fibers that remain
    Row("switch fiber", "x", FIBERS, lambda hand: hand.click(".ew-strip-row[data-fiber] .ew-strip-text"),
        Hand.point_at_fiber, "document.querySelector('.ew-asserted')?.textContent.includes('fibers')"),
    *_exposures(),
    Row("zoom in", "+", TICKS, lambda hand: hand.turn_wheel(-2), _whole),
    Row("zoom out", "-", TICKS, lambda hand: hand.turn_wheel(2), _whole),
    Row("whole spectrum", "0", TICKS, _button(".ew-spectrum button:text-is('whole range')"), _zoomed),
    Row("next line", "]", TICKS, _button(".ew-spectrum button:text-is('›')"), _lines),
    Row("previous line", "[", TICKS, _button(".ew-spectrum button:text-is('‹')"), _lines),
    Row("fit", "f", "document.querySelector('.ew-quick').innerText",
        lambda hand: (hand.page.mouse.down(), hand.page.mouse.up()), Hand.point_at_spectrum, QUICK),
    Row("smooth more", "s", CURVE, lambda hand: hand.choose(".ew-smoothing select", "σ 8 Å"), _smoothed),
    Row("smooth less", "S", CURVE, lambda hand: hand.choose(".ew-smoothing select", "none"), _smoothed),
    Row("next rival", ".", CARDS, _button(".ew-card[aria-pressed=false] >> nth=0"), to=f"{CHOSEN} == 'set by you'"),
    Row("previous rival", ",", CARDS, _button(".ew-card[aria-pressed=false] >> nth=1"), to=f"{CHOSEN} == 'set by you'"),
    Row("wider images", "w", FIELD, _field("15″"), _field("9″")),
    Row("closer images", "q", FIELD, _field("9″"), _field("15″")),
    Row("next image", "v", IMAGE, _button(".ew-tile[aria-pressed=false] >> nth=0")),
    Row("blink images", "k", BLINK, _button(".ew-image-tools button:text-is('blink')")),
    Row("next stretch", "t", PICTURE, _stretched),
    Row("images, line flux, sky", "y", TAB, _button(".ew-tab[data-key=flux]")),
    Row("automatic aperture", "u", CENTER, _button(".ew-image-tools button:text-is('automatic')"), _shifted, RELEASED),
    Row("next match", "j", PICKED, _unpicked_match),
    Row("take match", "J", TAKEN, _button(".ew-match-table tbody tr:nth-child(2) .ew-take"), _second_match),
    Row("no match", "K", TAKEN, _button(".ew-match-foot [data-key='take:none']"), to=f"{TAKEN} === undefined"),
)  # fmt: skip


def subjects(release: Path) -> dict[bool, str]:
    """Simulated detections on which the actions have something to do; True: whose line may be any identity.

    The other one has several images and two catalogue objects near by, and is neither the first nor the last.
    """
    opened = open_release(release)
    truth = Table.read(release / "truth.ecsv")[1:-1]
    imaged = [row for row in truth if row["survey"] not in ("hsc", "none") and row["flux"] > 0]
    for row in imaged:
        if len(measure(opened.detection(int(row["detectid"]))).matches) > 1:
            break
    else:
        raise AssertionError("no simulated detection has several images and two objects near by")
    red = next(each for each in truth if each["wave"] > 5020 and each["flux"] > 0)
    return {False: str(row["detectid"]), True: str(red["detectid"])}
