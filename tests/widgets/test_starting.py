"""A start that cannot work says so instead of an address, and what goes wrong later is told in words."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import tempfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from elixer_widgets import cli, releases
from elixer_widgets._cache import working_folder
from elixer_widgets.detection import DataError
from elixer_widgets.widgets import dashboard, starting
from tests.widgets.fakes import FakeRelease

# ------------------------------------------------------------------------------------------------ what is refused


def test_a_port_on_which_any_program_listens_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        with pytest.raises(DataError, match="is taken by another server"):
            starting.require_port("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "port", "words"),
    [
        ("127.0.0.1", 99999, "from 1 to 65535"),
        ("127.0.0.1", -1, "from 1 to 65535"),
        ("203.0.113.77", 8866, "nothing can listen there"),
        ("no.such.host.invalid", 8866, "give one of this computer's"),
    ],
)
def test_where_nobody_can_listen_is_told(address: str, port: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        starting.require_port(address, port)


def test_without_a_place_for_temporary_files_the_remedy_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DataError, match="TMPDIR="), working_folder("x-"):
        pass


def test_a_package_without_its_template_is_told(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(starting, "_TEMPLATE", tmp_path / "voila_template")
    with pytest.raises(DataError, match=r"template of the page is missing.*pip install"):
        starting.lay_out(tmp_path, "page()")


@pytest.mark.parametrize("kind", ["empty folder", "folder without data", "text", "nothing"])
def test_a_release_without_data_is_told_before_any_address(kind: str, tmp_path, capsys) -> None:
    path = tmp_path / "release"
    if kind == "text":
        path.write_text("This is no spectrum.\n")
    elif kind != "nothing":
        path.mkdir()
        if kind == "folder without data":
            (path / "notes.md").write_text("nothing here")
    assert cli.main(["explore", str(path), "--port", "0", "--no-browser"]) == 2
    assert cli.main(["serve", str(path), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "http://" not in said and said.count(str(path)) >= 2 and "Traceback" not in said


def test_a_release_of_no_detection_is_told(monkeypatch) -> None:
    empty = FakeRelease()
    monkeypatch.setattr(empty, "detectids", lambda: [])
    monkeypatch.setattr(releases, "open_release", lambda _path, **stated: empty)
    monkeypatch.setenv(dashboard.RELEASE_VARIABLE, "anything")
    with pytest.raises(DataError, match="holds no detections"):
        dashboard.check()


# ---------------------------------------------------------------------------------------------------- the kernel


def broken(folder: Path, start: list[str]) -> None:
    """Have the kernel of a folder start in another way."""
    path = folder / "jupyter" / "kernels" / starting.KERNEL / "kernel.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "argv": start}))


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (["/no/such/python", "-f", "{connection_file}"], "cannot be started"),
        ([sys.executable, "-c", "raise SystemExit('No module named ipykernel')"], "ended.*No module named ipykernel"),
        ([sys.executable, "-m", "no_such_kernel"], "ended.*no_such_kernel"),
    ],
)
def test_a_kernel_that_does_not_start_is_told(start: list[str], words: str, tmp_path) -> None:
    starting.lay_out(tmp_path, "page()")
    broken(tmp_path, start)
    with pytest.raises(DataError, match=words), starting.tried(tmp_path, "1", os.environ) as conclude:
        conclude()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from elixer_widgets import DataError; raise DataError('/x: holds nothing')", "^/x: holds nothing$"),
        ("import no_such_module", "no_such_module.*pip install"),
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os._exit(3)", "ended or never answered"),
        ("1", None),
    ],
)
def test_what_a_page_cannot_do_is_told(code: str, words: str | None, tmp_path) -> None:
    starting.lay_out(tmp_path, "page()")
    environment = {**os.environ, **starting.own_folders(tmp_path)}
    with starting.tried(tmp_path, code, environment) as conclude:
        if words is None:
            conclude()
            return
        with pytest.raises(DataError, match=words):
            conclude()


# ------------------------------------------------------------------------------------------------ pages of errors


def ask(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_pages_of_errors_are_words_and_load_nothing(simulated: Path, private: dict[str, str], tmp_path) -> None:
    log = tmp_path / "log"
    with dashboard.serving(simulated, environment=private, log=log) as (url, server):
        folder = Path(f"/proc/{server}/cwd").resolve()
        broken(folder, ["/no/such/python"])
        pages = {
            path: ask(url + path)
            for path in (
                "/", "/x", "/voila/files/x.txt", "/voila/static/no.js", "/voila/templates/elixer/static/no.js",
                "/voila/templates/x", "/voila/api/shutdown/x", "/api/kernels/x", "/voila/labextensions/x/y.js",
                "/voila/api/themes/x", f"/api/kernels/{'0' * 8}-0000-0000-0000-{'0' * 12}",
            )
        }  # fmt: skip
    assert pages["/"][0] == 500
    for path, (status, text) in pages.items():
        assert status >= 400, path
        for unwanted in ("http:", "https:", "Traceback", "src=", "stylesheet", "@import", str(folder), "/no/such"):
            assert unwanted not in text, (path, unwanted)
        assert 'role="alert"' in text or json.loads(text)["message"], path
    number = re.search(r"Reference ([0-9a-f]{8})", pages["/"][1])
    assert number is not None and f"reference {number[1]}: GET /" in log.read_text()


def test_kernels_listen_where_only_their_owner_comes(tmp_path: Path) -> None:
    assert starting.private_options(Path("/tmp/elixer-dashboard-abcdefgh")) == ["--KernelManager.transport=ipc"]
    # a Unix socket has no longer name; then it is a port, and a page all the same
    assert starting.private_options(Path("/tmp") / ("x" * 90)) == []
