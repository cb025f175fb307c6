"""What is shown, as the part of an address after its "?": a link, or a reload, opens the same view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from elixer_widgets.analysis import Aperture
from elixer_widgets.reports.stretch import CHOICES
from elixer_widgets.widgets.state import ExplorerState


def detectid_of(query: str) -> str | None:
    """The detection number that a query asks for."""
    return _asked(query).get("detectid", [None])[-1]


def query_of(state: ExplorerState) -> str:
    """The query that leads to what `state` shows; empty if that is nothing.

    Only what a person set is in it: `?detectid=2100000001&z=0.417`.
    """
    detection, choices = state.detection, state.choices
    if detection is None:
        return ""
    # text, because a browser keeps only 15 digits of a number
    parts: list[tuple[str, str]] = [("detectid", str(detection.detectid))]
    if choices.redshift is not None:
        parts.append(("z", _exact(choices.redshift)))
    if choices.identity is not None:
        parts.append(("identity", choices.identity))
    if choices.aperture is not None:
        parts.append(("aperture", _aperture_text(choices.aperture)))
    parts += [("off", fiber) for fiber in choices.excluded_fibers]
    if choices.counterpart is not None:
        parts.append(("counterpart", choices.counterpart))
    parts += [("without", name) for name in choices.without]
    if state.zoom:
        parts.append(("zoom", ",".join(f"{edge:.2f}" for edge in state.zoom)))
    default = type(state).class_traits()
    for name, trait in (("smooth", "smoothing"), ("stretch", "stretch"), ("field", "field"), ("band", "band")):
        value = getattr(state, trait)
        if value != default[trait].default_value:
            parts.append((name, value if isinstance(value, str) else f"{value:.10g}"))
    if state.blink:
        parts.append(("blink", "1"))
    return "?" + urlencode(parts)


def follow(state: ExplorerState, query: str) -> None:
    """Show what an address asks for: `detectid`, then what a person chose, as `query_of` writes it.

    What cannot be followed is said in `state.message`; the page opens all the same.
    """
    asked = _asked(query)
    if "detectid" in asked:
        state.jump(asked["detectid"][-1])
    state.start()
    if state.message:
        return
    changes: dict[str, Any] = {}
    for name, (trait, convert) in _CHOICES.items():
        if name in asked:
            try:
                changes[trait] = convert(asked[name])
            except ValueError as error:
                state.message = f"{name}={asked[name][-1]} in the address is not {error}"
                return
    if changes:
        state.choose(**changes)
    said = state.message
    _look(state, asked)
    state.message = said or state.message


def _asked(query: str) -> dict[str, list[str]]:
    return parse_qs(query.lstrip("?"))


def _number(text: str, example: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"a number; give one such as {example}") from error


def _exact(number: float) -> str:
    """The shortest text from which the same number is read, so that a link opens the same results to the last digit."""
    return repr(float(number))


def _aperture_text(aperture: Aperture) -> str:
    parts = [_exact(aperture.radius)]
    if aperture.ra == aperture.ra and aperture.dec == aperture.dec:
        parts += [_exact(aperture.ra), _exact(aperture.dec)]
    return ",".join(parts)


def _aperture(values: list[str]) -> Aperture:
    parts = [_number(each, "aperture=1.5") for each in values[-1].split(",")]
    if len(parts) not in (1, 3):
        raise ValueError("a radius, or a radius and a position; give such as aperture=1.5 or aperture=1.5,214.8,52.8")
    return Aperture(*parts)


_CHOICES: dict[str, tuple[str, Callable[[list[str]], Any]]] = {
    "z": ("redshift", lambda values: _number(values[-1], "z=0.417")),
    "identity": ("identity", lambda values: values[-1]),
    "aperture": ("aperture", _aperture),
    "off": ("excluded_fibers", tuple),
    "counterpart": ("counterpart", lambda values: values[-1]),
    "without": ("without", tuple),
}


def _look(state: ExplorerState, asked: dict[str, list[str]]) -> None:
    """The ways of looking; a wrong one is left out and told."""
    if "band" in asked:
        state.band = asked["band"][-1]
    try:
        if "stretch" in asked:
            name = asked["stretch"][-1]
            if name not in CHOICES:
                raise ValueError(f"a stretch; give one of {', '.join(filter(None, CHOICES))}")
            state.stretch = name
        if "smooth" in asked:
            state.smoothing = _number(asked["smooth"][-1], "smooth=2")
        if "field" in asked:
            state.field = _number(asked["field"][-1], "field=20")
        if "zoom" in asked:
            low, *high = (_number(each, "zoom=4400,4600") for each in asked["zoom"][-1].split(","))
            if len(high) != 1 or not low < high[0]:
                raise ValueError("two wavelengths; give such as zoom=4400,4600")
            state.zoom = (low, high[0])
    except ValueError as error:
        state.message = f"something in the address is not {error}"
    state.blink = asked.get("blink", [""])[-1] == "1"
