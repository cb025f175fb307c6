"""Run a notebook as a person does, in a kernel of its own, and look up what its cells put out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

PATIENCE = 300
"""Seconds that one cell may take on a busy computer."""


@dataclass
class Ran:
    """What a notebook put out, by the ids of its cells."""

    text: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, list[bytes]] = field(default_factory=dict)
    widgets: dict[str, int] = field(default_factory=dict)


def run(name: str, folder: Path) -> Ran:
    """Run `notebooks/<name>.ipynb` with `folder` as the working directory; a cell that fails raises."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3").execute(cwd=str(folder))
    ran = Ran()
    for cell in notebook.cells:
        ident = cell["id"]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if output["output_type"] == "stream":
                ran.text[ident] = ran.text.get(ident, "") + output["text"]
            elif "image/png" in data:
                ran.pictures.setdefault(ident, []).append(base64.b64decode(data["image/png"]))
            elif "application/vnd.jupyter.widget-view+json" in data:
                ran.widgets[ident] = ran.widgets.get(ident, 0) + 1
            else:
                ran.text[ident] = ran.text.get(ident, "") + str(data.get("text/plain", ""))
    return ran


def cells(name: str) -> list[dict]:
    """The cells as they lie in the file."""
    found: list[dict] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
    return found
