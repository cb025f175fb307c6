"""What the package imports or starts is what it asks for: no more is in an environment that holds nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import lru_cache
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "elixer_widgets"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

LATE = {"dask": "cluster", "distributed": "cluster", "dask_jobqueue": "cluster"}
"""Modules that come with an extra: imported only when they are asked for, or from `bulk/pool.py`, which is."""


def plain(name: str) -> str:
    """A distribution's name as all spellings of it compare."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", name)[0]).lower()


def declared(requirements: list[str]) -> set[str]:
    return {plain(each) for each in requirements}


def used(text: str) -> set[str]:
    """Top-level modules that a file imports, anywhere in it, or starts with `python -m`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
        elif isinstance(node, ast.List | ast.Tuple):
            values = [item.value if isinstance(item, ast.Constant) else None for item in node.elts]
            names |= {str(after) for flag, after in pairwise(values) if flag == "-m" and after}
    return {name.split(".")[0] for name in names}


def at_import(text: str) -> set[str]:
    """Top-level modules that are loaded with the file itself."""
    names: set[str] = set()
    for node in ast.parse(text).body:
        names |= used(ast.unparse(node)) if isinstance(node, ast.Import | ast.ImportFrom) else set()
    return names


def foreign(names: set[str]) -> set[str]:
    return {name for name in names if name not in sys.stdlib_module_names and name != "elixer_widgets"}


@lru_cache
def brought() -> dict[str, set[str]]:
    """Modules here, and the distributions that bring them."""
    return {module: {plain(each) for each in names} for module, names in packages_distributions().items()}


def missing(text: str, asked: set[str]) -> set[str]:
    """Modules of a file that none of the distributions asked for brings."""
    return {name for name in foreign(used(text)) if not brought().get(name, set()) & asked}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_is_a_declared_dependency(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    asked = declared(PROJECT["dependencies"])
    lacking = missing(text, asked)
    for name in sorted(lacking):
        assert name in LATE, f"{name} is in no dependency of pyproject.toml"
        assert not missing(f"import {name}", declared(PROJECT["optional-dependencies"][LATE[name]]))
    if path.name != "pool.py":
        assert not lacking & at_import(text), "what comes with an extra must not be needed to import this"


def test_nothing_that_is_asked_for_is_unused() -> None:
    imported: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        imported |= used(path.read_text(encoding="utf-8"))
    assert declared(PROJECT["dependencies"]) <= set().union(*(brought().get(name, set()) for name in imported))


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("import numpy\ndef later():\n    import emcee", {"emcee"}),
        ("from tables import open_file", {"tables"}),
        ("start([executable, '-m', 'pytest', 'x'])", {"pytest"}),
        ("from . import sibling\nimport json, scipy.stats", set()),
    ],
)
def test_an_import_that_nothing_declares_is_seen(text: str, lacking: set[str]) -> None:
    assert missing(text, declared(PROJECT["dependencies"])) == lacking


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-floor.lock"])
def test_the_locks_hold_every_dependency(lock: str) -> None:
    pinned = {plain(line) for line in (ROOT / lock).read_text().splitlines() if "==" in line}
    assert declared(PROJECT["dependencies"]) <= pinned
