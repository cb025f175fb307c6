"""What a person has who installs the package by itself: the wheel, in an environment that holds nothing else.

Its pages are opened in a browser; what Binder builds is built, step by step.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.wheel import PATIENCE, ROOT, Empty, build, call, environment, installed, pythons, uv
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.wheel, pytest.mark.slow]


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


@contextmanager
def started(empty: Empty, *words: str) -> Iterator[str]:
    """The address that a command tells in the terminal once its page can be opened; ended as by Ctrl-C."""
    log = empty.cwd / "terminal.txt"
    with log.open("w") as terminal:
        process = subprocess.Popen(
            [empty.bin / "elixer-widgets", *words],
            cwd=empty.cwd, env=empty.variables, stdout=terminal, stderr=terminal,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while not (address := re.search(r"http://\S+", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address[0].rstrip(";")
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("command", [("explore", "sky", "--no-browser"), ("serve", "sky")], ids=lambda words: words[0])
def test_a_page_of_the_wheel_is_drawn_and_turns(command: tuple[str, ...], empty: Empty, browser: Any) -> None:
    with started(empty, *command, "--port", "0") as address:
        page = browser.new_page()
        visit = Visit(page)
        separator = "&" if "?" in address else "?"
        page.goto(f"{address}{separator}detectid=5000000001", timeout=120_000)
        visit.wait()
        assert "5000000001" in page.title()
        page.keyboard.press("n")
        page.wait_for_function("document.title.includes('5000000002')", timeout=60_000)
        visit.drawn()
        assert visit.errors == [] and visit.elsewhere == []
        page.close()


def test_binder_builds_and_its_notebook_runs(tmp_path: Path) -> None:
    """repo2docker's steps: Python of runtime.txt, the requirements with their hashes, postBuild in the repository."""
    named = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    python = installed().get(named)
    if python is None:
        pytest.skip(f"Python {named} of binder/runtime.txt is not installed")
    repository = tmp_path / "repository"
    repository.mkdir()
    listed = call("git", "-C", ROOT, "ls-files", "-z").split("\0")
    for name in filter(None, listed):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, repository / name)
    binaries = tmp_path / "venv" / "bin"
    call(uv(), "venv", "--quiet", "--seed", "--python", python, tmp_path / "venv")
    call(
        uv(), "pip", "install", "--quiet", "--python", binaries / "python", "-r", repository / "binder/requirements.txt"
    )
    variables = {"PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    call(repository / "binder" / "postBuild", cwd=repository, env=variables)
    ran = tmp_path / "ran.ipynb"
    call(
        binaries / "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", ran, "explorer.ipynb",
        cwd=repository / "notebooks", env=variables,
    )  # fmt: skip
    assert "application/vnd.jupyter.widget-view+json" in ran.read_text()
    assert (repository / "simulated_release").is_dir()
