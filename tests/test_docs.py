"""The documentation says nothing that is not there: links, figures, commands, and the recipe for a survey."""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from elixer_widgets import cli, cli_guide

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMANDS = ("elixer-widgets", "elixer", "selixer")


@lru_cache
def prose(page: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"^(?: {4}|\t).*$", "", text, flags=re.M)


@lru_cache
def headings(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found = re.findall(r"^#+ +(.+?) *$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


def broken(page: Path, target: str) -> str:
    """Why a link leads nowhere; nothing for one that does, or that leads to another computer."""
    if re.match(r"[a-z]+:", target):
        return ""
    path, _, anchor = unquote(target).partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return f"{target}: there is no {file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}"
    if anchor and anchor not in headings(file):
        return f"{target}: {file.name} has no heading of that name"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_figures_lead_somewhere(page: Path) -> None:
    assert [why for target in LINK.findall(prose(page)) if (why := broken(page, target))] == []


def test_a_broken_link_is_seen() -> None:
    readme = PAGES[0]
    assert "no_such.md" in broken(readme, "docs/no_such.md")
    assert "no heading" in broken(readme, "docs/flags.md#no-such-thing")
    assert broken(readme, "docs/bulk.md#at-tacc") == "" == broken(readme, "https://hetdex.org")


def test_every_page_is_listed_in_the_readme_and_every_figure_is_shown() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme] == []
    notebooks = [each.name for each in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert [name for name in notebooks if f"(notebooks/{name})" not in readme] == []
    everything = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    figures = [each.name for each in sorted((ROOT / "docs" / "figures").iterdir())]
    assert [name for name in figures if f"figures/{name}" not in everything] == []


# ------------------------------------------------------------------------------------------------------ commands


def command_lines() -> list[str]:
    """The lines of README.md that begin with one of our commands."""
    found = re.findall(
        r"^    ((?:elixer-widgets|elixer|selixer) .+)$", PAGES[0].read_text(encoding="utf-8"), flags=re.M
    )
    return [line.strip() for line in found]


def parse(line: str) -> None:
    """Parse a command as typed; SystemExit if it cannot be."""
    name, *arguments = shlex.split(line, comments=True)
    parser = cli._parser() if name == "elixer-widgets" else cli_guide._guide_parser(name)
    parser.parse_args(arguments)


def test_there_are_commands_of_every_kind() -> None:
    lines = command_lines()
    assert {line.split()[0] for line in lines} == set(COMMANDS)
    ours = {line.split()[1] for line in lines if line.startswith("elixer-widgets ")}
    (commands,) = (each for each in cli._parser()._actions if isinstance(each, argparse._SubParsersAction))
    assert ours == set(commands.choices)


@pytest.mark.parametrize("line", command_lines())
def test_commands_of_the_readme_are_understood(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["elixer-widgets explode", "elixer-widgets run --nme x", "elixer --no_such_option"])
def test_a_wrong_command_is_not_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(line)
    assert capsys.readouterr().err


def test_the_readme_names_targets_that_make_knows() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, flags=re.M))
    assert {"explore", "test"} <= named <= known


def test_python_of_the_readme_uses_public_names() -> None:
    import ast

    import elixer_widgets as ew

    blocks = re.findall(r"^```python\n(.*?)^```", PAGES[0].read_text(encoding="utf-8"), flags=re.M | re.S)
    used = {
        node.attr
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ew"
    }
    assert {"open_release", "measure", "interpret"} <= used <= set(ew.__all__)


# ---------------------------------------------------------------------------------------------- a survey of one's own


def toml_of(page: Path) -> list[str]:
    """The indented blocks of a page that are tables of surveys."""
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", page.read_text(encoding="utf-8"), flags=re.M)
    return ["\n".join(line[4:] for line in each.splitlines()) for each in blocks if "[[survey]]" in each]


def test_the_shortest_survey_of_the_page_gives_images(tmp_path: Path) -> None:
    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS

    from elixer_widgets.imaging import open_library

    shortest, _full = toml_of(ROOT / "docs" / "surveys.md")
    asked = tomllib.loads(shortest)["survey"][0]
    folder = tmp_path / "imaging"
    (folder / asked["images"]).parent.mkdir(parents=True)
    (folder / "surveys.toml").write_text(shortest)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [60.5, 60.5]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    for band in asked["bands"]:
        name = asked["images"].rstrip("*").replace("*", f"field_{band}")
        image = np.random.default_rng(1).normal(size=(120, 120)).astype("float32")
        fits.PrimaryHDU(image, wcs.to_header()).writeto(folder / name)
    found = open_library(tmp_path).imaging(150.0, 2.0)
    assert {(each.survey, each.band) for each in found.cutouts} == {("MINE", band) for band in asked["bands"]}
    assert {each.zero_point for each in found.cutouts} == {asked["zero_point"]}


def test_the_longest_survey_of_the_page_is_understood(tmp_path: Path) -> None:
    from elixer_widgets.imaging.custom import read_surveys

    _shortest, full = toml_of(ROOT / "docs" / "surveys.md")
    path = tmp_path / "surveys.toml"
    path.write_text(full)
    (survey,) = read_surveys(path)
    assert survey.name == "DEEP" and survey.bands == ("g", "r")


# ----------------------------------------------------------------------------------------------------- what is public


def test_nothing_that_is_printed_is_left_to_be_filled_in() -> None:
    unfinished = {
        page.name: re.findall(r"@@\w+@@|\bTODO\b|\bFIXME\b|^BENCH$", page.read_text(), flags=re.M) for page in PAGES
    }
    assert {name: marks for name, marks in unfinished.items() if marks} == {}


def test_the_guide_names_no_key_that_is_not_there() -> None:
    """docs/keys.md is made from the page's own table."""
    listed = set(re.findall(r"`([^`]+)`", (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")))
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8").split("## Campaign")[0]
    used = {each for each in re.findall(r"`([^`\s]{1,12})`", guide) if re.fullmatch(r"\S|(?:Shift|Ctrl)\+\S", each)}
    assert len(used) > 20 and used <= listed
