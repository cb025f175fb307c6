"""Many detections."""

from __future__ import annotations

from elixer_widgets.bulk.local import Extra, Output, Summary, finished, run

__all__ = ["Extra", "Output", "Summary", "finished", "run"]
