"""The simulated release that is made once a computer and kept, for whoever has no data of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from elixer_widgets._cache import CACHE_VARIABLE, cache_folder

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

        kept.parent.mkdir(parents=True, exist_ok=True)
        if announce is not None:
            announce(f"making a simulated release in {kept} (once, under a minute)")
        # moved into place when it is whole, so that an interrupted start leaves no half a release
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            simulate_release(Path(folder) / SIMULATED)
            (Path(folder) / SIMULATED).rename(kept)
    return kept
