"""What leaves the page: the one-page report, the small one and the map of the neighbours, the HDF5 catalogue, merging
and reading catalogues, and the database of report pictures."""

from __future__ import annotations

from elixer_widgets.reports.catalog import write_catalog
from elixer_widgets.reports.catalog_reading import StoredCatalog, StoredDetection, read_catalog
from elixer_widgets.reports.choices import read_state, reopen
from elixer_widgets.reports.database import read_report, store_report, store_reports
from elixer_widgets.reports.merge import merge_catalogs
from elixer_widgets.reports.mini import write_mini
from elixer_widgets.reports.neighborhood import write_neighborhood
from elixer_widgets.reports.page import write_report

__all__ = [
    "StoredCatalog",
    "StoredDetection",
    "merge_catalogs",
    "read_catalog",
    "read_report",
    "read_state",
    "reopen",
    "store_report",
    "store_reports",
    "write_catalog",
    "write_mini",
    "write_neighborhood",
    "write_report",
]
