"""The page: one observable state, one module a panel. Panels read the state and never each other."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elixer_widgets.widgets.dashboard import serve
    from elixer_widgets.widgets.explorer import Explorer
    from elixer_widgets.widgets.state import Choices, ExplorerState

_HOME = {"Choices": "state", "Explorer": "explorer", "ExplorerState": "state", "serve": "dashboard"}

__all__ = ["Choices", "Explorer", "ExplorerState", "serve"]


def __getattr__(name: str) -> Any:
    # loaded at first use: starting the server needs no widget, and a test of the state needs no plot
    if name in _HOME:
        return getattr(import_module(f"elixer_widgets.widgets.{_HOME[name]}"), name)
    raise AttributeError(f"module 'elixer_widgets.widgets' has no attribute {name!r}")
