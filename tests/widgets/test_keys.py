"""The one table of keys: the page, its help and the documentation all come from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from elixer_widgets.widgets import help, keys
from tests.widgets import actions

DOCUMENT = Path(__file__).parents[2] / "docs" / "keys.md"


def press(explorer, key):
    """What the browser does with a key that Python answers."""
    explorer._key(explorer.frame, {"pressed": explorer.frame.shortcuts[key]}, None)


@pytest.mark.parametrize(
    ("key", "text"),
    [("n", "n"), ("N", "Shift+N"), ("ArrowRight", "→"), ("Ctrl+z", "Ctrl+Z"), ("Ctrl+Z", "Ctrl+Shift+Z"), ("+", "+"),
     ("Ctrl++", "Ctrl++"), ("?", "?"), ("Escape", "Esc")],
)  # fmt: skip
def test_keys_are_written_as_people_say_them(key, text):
    assert keys.shown(key) == text


def test_the_page_takes_its_shortcuts_from_the_table(explorer):
    actions = explorer.state.actions
    assert explorer.frame.shortcuts == {key: action.name for action in actions.values() for key in action.keys}
    assert len(actions) > 15


def test_every_action_says_what_it_does_and_where_it_belongs(explorer):
    for action in explorer.state.actions.values():
        assert re.fullmatch(r"[A-Z].{8,90}\.", action.help), action
        assert action.group, action


def test_the_help_on_the_page_lists_every_key(explorer):
    listed = explorer.help.list.markup
    for action in explorer.state.actions.values():
        assert keys.escape(action.help) in listed
        assert all(f"<kbd>{keys.escape(keys.shown(key))}</kbd>" in listed for key in action.keys)


def test_the_document_is_what_the_table_says(explorer):
    again = "run `python tools/key_table.py > docs/keys.md`"
    assert DOCUMENT.read_text(encoding="utf-8") == keys.markdown(explorer.state.actions), again


def test_markdown_tables_hold_every_key():
    actions = keys.Actions()
    actions.add(keys.Action("bar", ("|",), "Draw a bar.", lambda: None))
    assert "| `\\|` | Draw a bar. |" in keys.markdown(actions)


def test_keys_turn_reassign_and_take_back(explorer):
    state = explorer.state
    press(explorer, "n")
    assert state.position == 1
    press(explorer, "ArrowLeft")
    assert state.position == 0
    press(explorer, "o")
    assert state.interpretation.identity == "OII"
    press(explorer, "z")
    assert state.interpretation.chosen_by == "automatic" and state.can_redo
    press(explorer, "Z")
    assert state.interpretation.identity == "OII"
    press(explorer, "a")
    assert state.interpretation.chosen_by == "automatic"
    press(explorer, "l")
    press(explorer, "r")
    assert state.choices == type(state.choices)()


@pytest.mark.parametrize("content", [None, {}, {"pressed": "nothing known"}, {"pressed": ["next"]}, "next"])
def test_messages_that_mean_nothing_do_nothing(explorer, content):
    explorer._key(explorer.frame, content, None)
    assert explorer.state.position == 0 and explorer.state.message == ""


def test_the_buttons_do_what_the_keys_do(explorer):
    explorer.state.choose(identity="OII")
    assert "disabled" not in re.search(r"<button[^>]*data-key=\"undo\"[^>]*>", explorer.tools.buttons.markup)[0]
    assert "disabled" in re.search(r"<button[^>]*data-key=\"redo\"[^>]*>", explorer.tools.buttons.markup)[0]
    explorer.tools._picked("undo")
    assert explorer.state.interpretation.chosen_by == "automatic"
    assert "disabled" in re.search(r"<button[^>]*data-key=\"undo\"[^>]*>", explorer.tools.buttons.markup)[0]
    for name in help.IN_BROWSER:  # these the browser does
        explorer.tools._picked(name)
    assert explorer.state.message == ""


def test_every_action_is_tried_in_a_browser_by_its_key(explorer):
    assert {row.name: row.key in explorer.state.actions[row.name].keys for row in actions.TABLE} == dict.fromkeys(
        explorer.state.actions, True
    )
