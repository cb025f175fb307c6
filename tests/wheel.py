"""The wheel, and environments that hold nothing else: what a person has who installs the package by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0
"""Seconds for one command, on a computer that does other things as well."""


def installed() -> dict[str, str]:
    """The Pythons that the package takes and this computer has: `3.11` to the path of its program."""
    here = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for minor in range(11, 20):
        name = f"3.{minor}"
        versions = sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python{name}"))
        found = str(versions[-1]) if versions else shutil.which(f"python{name}", path="/usr/local/bin:/usr/bin:/bin")
        if found and name not in here:
            here[name] = found
    return here


def pythons() -> list[str]:
    """The oldest of them and the newest."""
    here = installed()
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


def build(folder: Path) -> Path:
    """Put the wheel and the archive of the sources, built of what git knows, into a folder."""
    call(uv(), "build", "--quiet", "--sdist", "--wheel", "--out-dir", folder, ROOT)
    return folder


@dataclass(frozen=True)
class Empty:
    """An environment with the wheel and what it asks for, and a person who has nothing yet but a simulated `sky`."""

    bin: Path
    cwd: Path
    variables: dict[str, str]

    def run(self, name: str, *arguments: str | Path) -> str:
        return call(self.bin / name, *arguments, cwd=self.cwd, env=self.variables)


def environment(python: str, built: Path, folder: Path) -> Empty:
    """The wheel of the folder `built` in an environment of this Python."""
    call(uv(), "venv", "--quiet", "--python", python, folder / "venv")
    (wheel,) = built.glob("*.whl")
    call(uv(), "pip", "install", "--quiet", "--python", folder / "venv" / "bin" / "python", wheel)
    for name in ("home", "cwd"):
        (folder / name).mkdir()
    variables = {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    made = Empty(folder / "venv" / "bin", folder / "cwd", variables)
    made.run("elixer-widgets", "simulate", "sky", "-n", "3")
    return made
