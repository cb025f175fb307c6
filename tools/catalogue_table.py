"""Write the tables of docs/catalogue.md anew from the code: `python tools/catalogue_table.py`."""

from __future__ import annotations

from pathlib import Path

from elixer_widgets.reports.catalog_columns import markdown

PAGE = Path(__file__).resolve().parents[1] / "docs" / "catalogue.md"
BEGIN, END = "<!-- columns: tools/catalogue_table.py -->\n", "<!-- end of columns -->\n"


def with_tables(text: str) -> str:
    """The page with the tables of today."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{markdown()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
