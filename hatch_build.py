"""Brings Aladin Lite into the built package, so that who installs it has the sky view without a step of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AladinHook(BuildHookInterface):
    """Runs tools/fetch_aladin.py; a build without npm or network succeeds and lacks the sky view only."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built; an installation for development fetches through the Makefile."""
        script = Path(self.root) / "tools" / "fetch_aladin.py"
        if version == "editable" or not script.is_file():
            return
        spec = importlib.util.spec_from_file_location("fetch_aladin", script)
        if spec is None or spec.loader is None:
            return
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main()
