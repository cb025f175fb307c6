"""The simulated release that is made once a computer and kept, for whoever has no data of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from elixer_widgets._cache import CACHE_VARIABLE, cache_folder
from elixer_widgets._files import Busy, made_folder

__all__ = ["CACHE_VARIABLE", "SIMULATED", "kept_release"]

SIMULATED = "simulated_release"
"""The folder's name."""


def kept_release(announce: Callable[[str], object] | None = None) -> Path:
    """The kept simulated release, made at the first call.

    Parameters
    ----------
    announce : callable, optional
        Called with a sentence before the release is made, which takes up to a minute.

    Returns
    -------
    Path
        Of a release of 64 detections.
    """
    kept = cache_folder() / SIMULATED
    if not kept.is_dir():
        from elixer_widgets.simulation.release import simulate_release  # slow to import, and only needed once

        if announce is not None:
            announce(f"making a simulated release in {kept} (once, under a minute)")
        made_folder(kept.parent)
        while not kept.is_dir():
            try:
                simulate_release(kept)
            except Busy:  # somebody else makes it at this moment
                time.sleep(1.0)
    return kept
