"""What Binder builds from: it reads only the folder binder/, and nobody sees its mistakes before a visitor does."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()

OF_BINDER = ("notebook==7.4.7", "jupyterlab==4.4.9")
"""What Binder's own environment for Python 3.11 brings (repo2docker 2026.4.0)."""


def pins(text: str) -> dict[str, str]:
    """Package to version, of the lines `name==version`."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, flags=re.M))


def test_python_is_one_that_the_package_runs_on():
    named = re.fullmatch(r"python-3\.(\d+)\s*", (BINDER / "runtime.txt").read_text())
    least = re.fullmatch(r">=3\.(\d+)", PROJECT["project"]["requires-python"])
    assert named is not None and least is not None
    assert int(named[1]) >= int(least[1])


def test_the_lock_that_is_asked_for_is_there_and_whole():
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    (included,) = (line.split()[1] for line in lines if line.startswith("-r "))
    assert (BINDER / included).resolve() == ROOT / "requirements.lock"
    locked = {name.lower().replace("_", "-") for name in pins(LOCK)}
    wanted = {re.split(r"[<>=\[]", each)[0].lower() for each in PROJECT["project"]["dependencies"]}
    assert wanted <= locked
    # nothing that lies on one computer only
    assert not re.search(r"^(-e|--editable|file:|\.|/)|@ file:", LOCK, flags=re.M)


def test_notebook_goes_with_the_jupyterlab_of_the_lock():
    """Versions 7.n of notebook are made for 4.n of JupyterLab; Binder's own are older than the lock's."""
    ours, lab = pins((BINDER / "requirements.txt").read_text())["notebook"], pins(LOCK)["jupyterlab"]
    assert ours.split(".")[1] == lab.split(".")[1]
    brought = pins("\n".join(OF_BINDER))
    assert brought["notebook"].split(".")[1] == brought["jupyterlab"].split(".")[1]  # the rule itself


def test_nothing_beside_the_folder_is_counted_on():
    # with a folder binder/ these are not read; with an environment.yml requirements.txt would not be
    names = {path.name for path in BINDER.iterdir()}
    assert names == {"runtime.txt", "requirements.txt", "postBuild"}
    for name in ("environment.yml", "apt.txt", "postBuild", "runtime.txt", "Dockerfile", "start"):
        assert not (ROOT / name).exists(), name


def test_post_build_can_be_run_and_installs_the_package():
    script = BINDER / "postBuild"
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/bin/bash\n") and "\r" not in text and "set -euo pipefail" in text
    assert re.search(r"^pip install .*--no-deps \.$", text, flags=re.M)
    # without the sky view all else works: its absence must not end the build
    assert re.search(r"^python tools/fetch_aladin\.py \|\|", text, flags=re.M)
    assert (ROOT / "tools" / "fetch_aladin.py").is_file()


def test_the_release_that_post_build_makes_is_the_one_that_the_page_opens(monkeypatch: pytest.MonkeyPatch, tmp_path):
    from elixer_widgets.widgets import dashboard

    made = re.search(r"simulate_release\('([^']+)'", (BINDER / "postBuild").read_text())
    assert made is not None
    (tmp_path / made[1]).mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.delenv(dashboard.RELEASE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert dashboard.release_path() == tmp_path / made[1]


def test_the_link_leads_to_a_notebook_that_asks_for_the_page_without_code():
    (link,) = re.findall(r"\((https://mybinder\.org/v2/[^)]+)\)", (ROOT / "README.md").read_text())
    path = unquote(parse_qs(urlsplit(link).query)["urlpath"][0])
    assert path.startswith("voila/render/notebooks/")
    notebook = json.loads((ROOT / path.removeprefix("voila/render/")).read_text())
    template = notebook["metadata"]["voila"]["template"]
    shared = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert f"share/jupyter/voila/templates/{template}" in shared.values()
