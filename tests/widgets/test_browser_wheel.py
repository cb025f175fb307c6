"""The pages of the installed wheel, in a browser; and what Binder builds, step by step."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.wheel import PATIENCE, ROOT, Empty, build, call, environment, installed, pythons, uv
from tests.widgets.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", params=pythons(), ids=lambda path: Path(path).name)
def empty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Empty:
    return environment(request.param, build(tmp_path_factory.mktemp("built")), tmp_path_factory.mktemp("empty"))


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
