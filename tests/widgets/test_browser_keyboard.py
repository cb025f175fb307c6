"""Keys of keyboards from everywhere, as browsers report them, and what the page makes of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elixer_widgets.widgets import explorer as explorer_module
from elixer_widgets.widgets.explorer import Explorer

pytestmark = pytest.mark.browser

KEYBOARD = Path(explorer_module.__file__).parent / "static" / "keyboard.js"
SHIFT, CAPS, ALTGR, ALT, CTRL = "shiftKey", "modifierCapsLock", "modifierAltGraph", "altKey", "ctrlKey"

# what is struck, as (key, code, what is held): what it means
ONE = {
    "American": [("n", "KeyN", (), "n"), ("N", "KeyN", (SHIFT,), "N"), ("?", "Slash", (SHIFT,), "?")],
    "Caps Lock": [
        ("N", "KeyN", (CAPS,), "n"), ("n", "KeyN", (CAPS, SHIFT), "N"), ("N", "KeyN", (CAPS, SHIFT), "N"),
        ("Z", "KeyZ", (CAPS, CTRL), "z"), ("3", "Digit3", (CAPS,), "3"),
        ("ArrowRight", "ArrowRight", (CAPS,), "ArrowRight"),
    ],
    "Russian": [
        ("т", "KeyN", (), "n"), ("Т", "KeyN", (SHIFT,), "N"), ("Т", "KeyN", (CAPS,), "n"),
        ("т", "KeyN", (CAPS, SHIFT), "N"), ("х", "BracketLeft", (), "["), ("ъ", "BracketRight", (), "]"),
        ("ю", "Period", (), "."),
        ("б", "Comma", (), ","), ("я", "KeyZ", (CTRL,), "z"), ("3", "Digit3", (), "3"), ("Й", "KeyQ", (SHIFT,), "Q"),
    ],
    "Greek": [("ν", "KeyN", (), "n"), ("Ν", "KeyN", (SHIFT,), "N"), ("π", "KeyP", (), "p")],
    "Hebrew": [("מ", "KeyN", (), "n"), ("ם", "KeyO", (), "o")],
    "Arabic": [("ى", "KeyN", (), "n"), ("لا", "KeyB", (), "b"), ("٣", "Digit3", (), "3"), ("۳", "Numpad3", (), "3")],
    "Hindi": [("ल", "KeyN", (), "n"), ("ि", "KeyF", (), "f")],
    "Thai": [("ื", "KeyN", (), "n"), ("-", "Digit3", (), "-"), ("ภ", "Digit4", (), "4")],
    "Korean and Japanese, not composing": [("ㅜ", "KeyN", (), "n"), ("み", "KeyN", (), "n"), ("ｎ", "KeyN", (), "n")],
    "French": [
        ("n", "KeyN", (), "n"), ("a", "KeyQ", (), "a"), ("q", "KeyA", (), "q"), ("z", "KeyW", (), "z"),
        (",", "KeyM", (), ","), ("m", "Semicolon", (), "m"), ("&", "Digit1", (), "1"), ("é", "Digit2", (), "2"),
        ('"', "Digit3", (), "3"), ("3", "Digit3", (SHIFT,), "3"), ("à", "Digit0", (), "0"), ("-", "Digit6", (), "-"),
    ],
    "Czech": [("š", "Digit3", (), "3"), ("3", "Digit3", (SHIFT,), "3"), ("ů", "Semicolon", (), "ů")],
    "German": [
        ("z", "KeyY", (), "z"), ("y", "KeyZ", (), "y"), ("ü", "BracketLeft", (), "ü"), ("[", "Digit8", (ALTGR,), "["),
        ("[", "Digit8", (ALTGR, CTRL, ALT), "["), ("@", "KeyQ", (ALTGR,), None), ("€", "KeyE", (ALTGR,), None),
    ],
    "Polish": [("ń", "KeyN", (ALTGR,), None), ("n", "KeyN", (), "n")],
    "Dvorak": [("n", "KeyL", (), "n"), ("b", "KeyN", (), "b"), (",", "KeyW", (), ","), (";", "KeyZ", (), ";")],
    "signs above digits are no digits": [("!", "Digit1", (SHIFT,), "!"), ("#", "Digit3", (SHIFT,), "#")],
    "keypad": [("3", "Numpad3", (), "3"), ("+", "NumpadAdd", (), "+"), ("ArrowRight", "Numpad6", (), "ArrowRight")],
    "not meant for the page": [
        ("Dead", "KeyN", (), None), ("n", "KeyN", (ALT,), None), ("Process", "KeyN", (), None),
        ("n", "KeyN", ("isComposing",), None), ("Unidentified", "", (), None), ("т", "", (), None),
    ],
    "keys with a name": [("Enter", "Enter", (), "Enter"), ("F5", "F5", (), "F5"), (" ", "Space", (), " ")],
}  # fmt: skip

# a sign on a letter key stands for the letter only where the letters before were of another script
SEQUENCES = {
    "Greek Q has a colon": ([("ν", "KeyN", ()), (":", "KeyQ", (SHIFT,))], ["n", "Q"]),
    "Hebrew w has an apostrophe": ([("מ", "KeyN", ()), ("'", "KeyW", ())], ["n", "w"]),
    "back on Dvorak": ([("ν", "KeyN", ()), ("n", "KeyL", ()), ("'", "KeyQ", ())], ["n", "n", "'"]),
}


@pytest.fixture(scope="module")
def reader(browser: Any) -> Iterator[Any]:
    """A page that holds nothing but what reads keys."""
    context = browser.new_context()
    page = context.new_page()
    page.add_script_tag(content=KEYBOARD.read_text(encoding="utf-8"))
    yield page
    context.close()


def meant(reader: Any, struck: list, bound: list[str]) -> list[str | None]:
    """What a keyboard's keys mean, struck one after the other, to a page that has these keys."""
    events = [{"key": key, "code": code, **dict.fromkeys(held, True)} for key, code, held in struck]
    return reader.evaluate(
        """([events, bound]) => {
          const read = keyboard();
          return events.map((each) => read(new KeyboardEvent("keydown", each), (key) => bound.includes(key)));
        }""",
        [events, bound],
    )


@pytest.mark.parametrize("layout", ONE)
def test_a_key_means_its_latin_letter_or_else_its_place(reader, faked, layout):
    from tests.widgets import fakes

    bound = list(Explorer(fakes.FakeRelease()).frame.shortcuts)
    for key, code, held, wanted in ONE[layout]:
        assert meant(reader, [(key, code, held)], bound) == [wanted], (key, code, held)


@pytest.mark.parametrize("name", SEQUENCES)
def test_signs_on_letter_keys(reader, name):
    struck, wanted = SEQUENCES[name]
    assert meant(reader, struck, ["n", "q", "Q", "w"]) == wanted


def test_every_key_of_the_table_is_reached_on_a_keyboard_without_latin_letters(reader, faked):
    """A Russian keyboard: letters by place, digits as they are, signs typed as they are."""
    from tests.widgets import fakes

    shortcuts = Explorer(fakes.FakeRelease()).frame.shortcuts
    letters = dict(zip("qwertyuiopasdfghjklzxcvbnm", "йцукенгшщзфывапролдячсмить", strict=True))
    single = [key for key in shortcuts if len(key) == 1 and key.isalpha()]
    struck = [
        (letters[k] if k.islower() else letters[k.lower()].upper(), f"Key{k.upper()}", () if k.islower() else (SHIFT,))
        for k in single
    ]
    assert len(single) > 20
    assert meant(reader, struck, list(shortcuts)) == single
