"""What a message recommends is there: commands, options, pages of the documentation, names in Python."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

import elixer_widgets
from elixer_widgets import cli, cli_guide

PACKAGE = Path(elixer_widgets.__file__).parent
ROOT = PACKAGE.parent
OTHERS = {"--force-reinstall"}
"""Options of other programs that messages name."""

DOCS = re.compile(r"\bdocs/[\w/]+\.md")
COMMAND = re.compile(r"\b(?<![.\-/'\[])elixer-widgets ([a-z]+)\b(?! (?:is|was|has))")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*[a-z0-9]")
DOTTED = re.compile(r"\belixer_widgets(?:\.\w+)+(?:\(\)\.\w+)?")
CALLED = re.compile(r"(?<![\w.`'\"(])([A-Za-z]+(?:_[a-z]+)+|[A-Z][a-z]+[A-Z]\w+)\((?=[^)]*[)=])")
QUOTED = re.compile(r"`([A-Za-z_]+(?:\.[a-z_]+)+)(?:\([^`]*\))?`|`([a-z]+(?:_[a-z]+)+)(?:\([^`]*\))?`")
ELSEWHERE = re.compile(r'SBATCH|^srun | style="')
"""In scripts for SLURM and in markup, two dashes mean something else."""


def _texts(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Line, text and whether it is said (not a docstring), of every literal; `{}` for what is put in."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    within: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            within |= {id(part) for part in node.values}
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(parts), True
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
            yield node.lineno, node.value, id(node) not in silent


@lru_cache
def trees() -> dict[Path, ast.Module]:
    """Every file of the package, parsed."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@lru_cache
def messages() -> list[tuple[str, str]]:
    """Place and text of every sentence that the package may say."""
    found = []
    for path, tree in trees().items():
        for line, text, is_said in _texts(tree):
            if is_said and " " in text.strip():
                found.append((f"{path.relative_to(ROOT)}:{line}", text))
    return found


@lru_cache
def parsers() -> list[argparse.ArgumentParser]:
    """Every command line of the package, those of its subcommands too."""
    found = [cli._parser(), cli_guide._guide_parser("elixer"), cli_guide._guide_parser("selixer")]
    for each in found:
        for action in each._actions:
            if isinstance(action, argparse._SubParsersAction):
                found.extend(action.choices.values())
    return found


@lru_cache
def options() -> set[str]:
    return {name for each in parsers() for action in each._actions for name in action.option_strings} | OTHERS


@lru_cache
def commands() -> set[str]:
    return {
        name
        for each in parsers()
        for action in each._actions
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    }


@lru_cache
def python_names() -> set[str]:
    """Every name that the package defines, whole and as `Class.method`."""
    found: set[str] = set()
    for path, tree in trees().items():
        found.add(path.stem)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Name | ast.Attribute):
                found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


def _resolves(dotted: str) -> bool:
    """Whether a name such as `elixer_widgets.catalogs.CatalogLibrary().find_catalogs` leads to something."""
    value: object = elixer_widgets
    at = "elixer_widgets"
    for name in dotted.replace("()", "").split(".")[1:]:
        at = f"{at}.{name}"
        if not hasattr(value, name):
            try:
                value = importlib.import_module(at)
            except ImportError:
                return False
        else:
            value = getattr(value, name)
    return True


def wrong(text: str) -> list[str]:
    """What a text recommends that is not there."""
    found = [each for each in DOCS.findall(text) if not (ROOT / each).is_file()]
    found += [f"elixer-widgets {each}" for each in COMMAND.findall(text) if each not in commands()]
    if not ELSEWHERE.search(text):
        found += [each for each in OPTION.findall(text) if each not in options()]
    found += [each for each in DOTTED.findall(text) if not _resolves(each)]
    found += [each for each in CALLED.findall(text) if each not in python_names()]
    for dotted, bare in QUOTED.findall(text):
        names = (dotted or bare).split(".")
        if names[0] in ("python", "numpy", "np", "astropy"):
            continue
        found += [dotted or bare] if any(name not in python_names() for name in names) else []
    return found


def test_what_messages_recommend_is_there() -> None:
    assert [f"{place}: {each}" for place, text in messages() for each in wrong(text)] == []


def test_there_are_recommendations_of_every_kind() -> None:
    said = " ".join(text for _, text in messages())
    for kind in (DOCS, COMMAND, OPTION, DOTTED, CALLED, QUOTED):
        assert kind.findall(said), kind.pattern


@pytest.mark.parametrize(
    "text",
    [
        "read docs/no_such_page.md first",
        "give elixer-widgets undo instead",
        "use --no-such-option to replace it",
        "use elixer_widgets.catalogs.CatalogLibrary().find_overlapping_catalogs((ra, dec))",
        "use find_overlapping_catalogs(ra=1.0)",
        "call `no_such_function` first",
        "call `Campaign.no_such_method()` first",
    ],
)
def test_what_is_not_there_is_seen(text: str) -> None:
    assert len(wrong(text)) == 1
