"""What a person has who installs the package by itself: the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.wheel import ROOT, Empty, build, environment, pythons

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the archive of the sources."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module", params=pythons(), ids=lambda path: Path(path).name)
def empty(request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Empty:
    return environment(request.param, built, tmp_path_factory.mktemp("empty"))


# ------------------------------------------------------------------------------------------------- what is in it


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0].split("-")[0] for name in names} == {"elixer_widgets"}
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "elixer_widgets").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "aladin" not in path.parts
    }
    assert source <= names
    data = [name for name in names if ".data/data/" in name]
    assert {name.split(".data/data/")[1] for name in data} == {
        f"share/jupyter/voila/templates/elixer/{path.name}"
        for path in (ROOT / "elixer_widgets" / "widgets" / "voila_template").iterdir()
    }
    assert all(name.startswith("elixer_widgets/") or name in data or ".dist-info/" in name for name in names)


def test_the_sources_hold_what_builds_and_tests_them(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
    for name in (
        "pyproject.toml",
        "hatch_build.py",
        "tools/fetch_aladin.py",
        "README.md",
        "LICENSE",
        "tests/conftest.py",
    ):
        assert name in names
    assert not [name for name in names if name.startswith((".venv", ".git/"))]


def test_without_npm_the_build_says_what_will_be_missing() -> None:
    code = "import fetch_aladin as f, pathlib; f.fetch(pathlib.Path('/nowhere'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "tools", env={"PATH": "/nowhere"}, capture_output=True, text=True
    )
    assert "npm is not installed; install Node.js" in done.stderr


# --------------------------------------------------------------------------------------------------- what it does


def test_nothing_but_the_wheel_is_there(empty: Empty) -> None:
    code = (
        "import elixer_widgets, importlib.util as u\n"
        "print(elixer_widgets.__file__, *map(u.find_spec, ['dask', 'jupyterlab', 'pytest', 'tables']))"
    )
    said = empty.run("python", "-c", code)
    assert "site-packages" in said and said.split()[1:] == ["None"] * 4


def test_every_module_can_be_imported_without_extras(empty: Empty) -> None:
    code = (
        "import pkgutil, importlib, elixer_widgets as e\n"
        "for each in pkgutil.walk_packages(e.__path__, 'elixer_widgets.'):\n"
        "    if each.name != 'elixer_widgets.bulk.pool': importlib.import_module(each.name)"
    )
    empty.run("python", "-W", "error::ImportWarning", "-c", code)


@pytest.mark.parametrize("name", ["elixer-widgets", "elixer", "selixer"])
def test_the_commands_are_there(empty: Empty, name: str) -> None:
    assert name in empty.run(name, "--help") and "0." in empty.run(name, "--version")


def test_reports_and_catalogues_are_written_and_merged(empty: Empty) -> None:
    said = empty.run(
        "elixer-widgets", "run", "--dets", "5000000001", "--name", "one", "--release", "sky", "--png", "--mini"
    )
    assert "1 done" in said
    assert (empty.cwd / "one" / "5000000001.pdf").read_bytes().startswith(b"%PDF")
    empty.run("elixer-widgets", "merge", "-o", "all.h5", "one/one_cat.h5")
    empty.run("elixer-widgets", "database", "one")
    count = "import h5py; print(h5py.File('all.h5')['Detections'].shape[0])"
    assert empty.run("python", "-c", count).strip() == "1"


def test_a_notebook_kernel_shows_the_page(empty: Empty) -> None:
    """As JupyterLab of another environment runs a kernel of this one; nbclient comes with voila."""
    code = (
        "import nbformat, nbclient\n"
        "cell = nbformat.v4.new_code_cell('from elixer_widgets import *; Explorer(open_release(\"sky\"))')\n"
        "done = nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[cell]), timeout=200).execute()\n"
        "print(*[kind for out in done.cells[0].outputs for kind in out.get('data', {})], done.cells[0].outputs)"
    )
    assert "application/vnd.jupyter.widget-view+json" in empty.run("python", "-c", code).split()
