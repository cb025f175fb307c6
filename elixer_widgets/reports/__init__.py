"""What leaves the page: the one-page report, the HDF5 catalogue, merging catalogues."""

from __future__ import annotations

from elixer_widgets.reports.page import write_report

__all__ = ["write_report"]
