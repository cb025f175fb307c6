"""ELiXer Widgets: an interactive explorer for HETDEX emission-line detections.

The public names, loaded at their first use so that a script which only fits lines never imports a widget.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from elixer_widgets._version import __version__

if TYPE_CHECKING:
    from elixer_widgets import catalogs, classify, imaging, spectra
    from elixer_widgets.analysis import Aperture, Interpretation, Measurements, interpret, measure
    from elixer_widgets.detection import CatalogObject, Cutout, DataError, Detection, Fiber, Spectrum
    from elixer_widgets.releases import open_release
    from elixer_widgets.reports import merge_catalogs, read_catalog, write_catalog, write_report
    from elixer_widgets.simulation import simulate_release
    from elixer_widgets.widgets import Explorer

_HOME = {
    "Aperture": "analysis",
    "CatalogObject": "detection",
    "Cutout": "detection",
    "DataError": "detection",
    "Detection": "detection",
    "Explorer": "widgets",
    "Fiber": "detection",
    "Interpretation": "analysis",
    "Measurements": "analysis",
    "Spectrum": "detection",
    "interpret": "analysis",
    "measure": "analysis",
    "merge_catalogs": "reports",
    "open_release": "releases",
    "read_catalog": "reports",
    "simulate_release": "simulation",
    "write_catalog": "reports",
    "write_report": "reports",
}
_ROOMS = ("catalogs", "classify", "imaging", "spectra")

__all__ = [
    "Aperture",
    "CatalogObject",
    "Cutout",
    "DataError",
    "Detection",
    "Explorer",
    "Fiber",
    "Interpretation",
    "Measurements",
    "Spectrum",
    "__version__",
    "catalogs",
    "classify",
    "imaging",
    "interpret",
    "measure",
    "merge_catalogs",
    "open_release",
    "read_catalog",
    "simulate_release",
    "spectra",
    "write_catalog",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"elixer_widgets.{_HOME[name]}"), name)
    if name in _ROOMS:
        return import_module(f"elixer_widgets.{name}")
    raise AttributeError(f"module 'elixer_widgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
