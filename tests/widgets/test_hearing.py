"""Every widget of ours that Python speaks to hears it, however long its module took."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import anywidget
import pytest

import elixer_widgets.widgets as widgets
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.markup import Markup


def ours() -> Iterator[type]:
    for each in pkgutil.iter_modules(widgets.__path__, "elixer_widgets.widgets."):
        importlib.import_module(each.name)
    waiting = [anywidget.AnyWidget]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if one.__module__.startswith("elixer_widgets.") and one is not Hearing:
            yield one


@pytest.mark.parametrize("kind", sorted(ours(), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_its_module_hears(kind: type) -> None:
    assert issubclass(kind, Hearing)
    script = str(kind._esm)
    assert "async function hear(" in script and script.count("hear(model)") + script.count("hear(context.model)") >= 1
    assert "initialize" in script


def test_its_number_is_there_from_the_beginning() -> None:
    one, other = Markup(), Markup()
    assert one.me == one.model_id != other.me == other.model_id
    assert one.get_state()["me"] == one.model_id


def test_the_script_brings_no_comments_of_its_own() -> None:
    script = hearing_script()
    assert "//" not in script and "async function hear(" in script
