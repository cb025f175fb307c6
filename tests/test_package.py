"""What a newcomer is promised about the package as a whole."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import elixer_widgets as ew

PACKAGE = Path(ew.__file__).parent

# Rooms that see data only as arrays: they open no file.
BLIND = ("spectra", "classification", "imaging/apertures.py")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in memory after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_public_name_is_there():
    for name in ew.__all__:
        assert getattr(ew, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        ew.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import elixer_widgets", {"numpy", "astropy", "ipywidgets", "matplotlib"}),
        (
            "import elixer_widgets as ew; ew.measure, ew.interpret, ew.open_release",
            {"ipywidgets", "bqplot"},
        ),
        ("import elixer_widgets as ew; ew.write_report, ew.write_catalog", {"ipywidgets", "bqplot"}),
        ("import elixer_widgets as ew; ew.simulate_release", {"ipywidgets", "bqplot"}),
    ],
)
def test_nothing_is_loaded_before_it_is_needed(statement, unwanted):
    # (that only reports import matplotlib is an import rule; old versions of photutils load it themselves)
    assert not loaded_by(statement) & unwanted


def blind_files() -> list[Path]:
    files: list[Path] = []
    for room in BLIND:
        path = PACKAGE / room
        files += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return files


@pytest.mark.parametrize("path", blind_files(), ids=lambda p: p.name)
def test_measuring_rooms_open_no_file(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            pytest.fail(f"{path.name}:{node.lineno} opens a file")
        for name in names:
            assert not name.startswith(("astropy.io", "h5py", "PIL")), f"{path.name}:{node.lineno} imports {name}"


def test_no_file_is_much_over_500_lines():
    long = {
        str(path.relative_to(PACKAGE)): length
        for path in PACKAGE.rglob("*.py")
        if (length := len(path.read_text().splitlines())) > 510
    }
    assert not long
