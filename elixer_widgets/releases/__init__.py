"""Readers: one a product. `open_release` picks by what lies on disk."""

from __future__ import annotations

from os import PathLike

from elixer_widgets.releases.base import Release, ReleaseIndex

__all__ = ["Release", "ReleaseIndex", "open_release"]


def open_release(path: str | PathLike[str]) -> Release:
    """Open what lies at `path`: an HDR tree, a simulated release, or a file or folder of spectra."""
    raise NotImplementedError
