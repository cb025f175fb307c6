"""What a person has who installs the package by itself: the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0
"""Seconds for one command, on a computer that does other things as well."""

pytestmark = pytest.mark.slow


def pythons() -> list[str]:
    """The oldest Python that the package takes, and the newest one here."""
    here = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for minor in range(11, 20):
        name = f"3.{minor}"
        versions = sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python{name}"))
        found = str(versions[-1]) if versions else shutil.which(f"python{name}", path="/usr/local/bin:/usr/bin:/bin")
        if found and name not in here:
            here[name] = found
    order = sorted(here, key=lambda name: int(name.split(".")[1]))
    return [here[name] for name in dict.fromkeys((order[0], order[-1]))]


def uv() -> str:
    found = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if found is None:
        pytest.skip("uv is not installed: without it an empty environment takes minutes; `make env` brings it")
    return found


def call(*command: str | Path, **options: object) -> str:
    """What a command says; it must succeed."""
    done = subprocess.run(
        [str(each) for each in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        **options,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the archive of the sources, built of what git knows."""
    folder = tmp_path_factory.mktemp("built")
    call(uv(), "build", "--quiet", "--sdist", "--wheel", "--out-dir", folder, ROOT)
    return folder


@dataclass(frozen=True)
class Empty:
    """An environment with the wheel and what it asks for, and a person who has nothing yet."""

    bin: Path
    cwd: Path
    variables: dict[str, str]

    def run(self, name: str, *arguments: str | Path) -> str:
        return call(self.bin / name, *arguments, cwd=self.cwd, env=self.variables)


@pytest.fixture(scope="module", params=pythons(), ids=lambda path: Path(path).name)
def empty(request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Empty:
    folder = tmp_path_factory.mktemp("empty")
    call(uv(), "venv", "--quiet", "--python", request.param, folder / "venv")
    (wheel,) = built.glob("*.whl")
    call(uv(), "pip", "install", "--quiet", "--python", folder / "venv" / "bin" / "python", wheel)
    for name in ("home", "cwd"):
        (folder / name).mkdir()
    variables = {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    made = Empty(folder / "venv" / "bin", folder / "cwd", variables)
    made.run("elixer-widgets", "simulate", "sky", "-n", "3")
    return made


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
