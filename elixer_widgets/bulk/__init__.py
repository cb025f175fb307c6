"""Many detections."""

from __future__ import annotations

from elixer_widgets.bulk.local import Output, Summary, finished, run

__all__ = ["Output", "Summary", "finished", "run"]
