"""The published page as strangers meet it: what is refused, and that nothing lies behind it."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from elixer_widgets.detection import DataError
from elixer_widgets.widgets.serving import Publication, command, publishing
from elixer_widgets.widgets.voila_app import refusal

SECRET = "not for the eyes of strangers"


# ------------------------------------------------------------------------------------------------ without a server


@pytest.mark.parametrize(
    "query", ["", "detectid=2100000001&z=0.417", "q=150.1+2.2&class=Lya&p_from=0.5", "off=a&off=b", "identity=OII"]
)
def test_addresses_of_the_page_are_followed(query: str) -> None:
    assert refusal(query) == ""


@pytest.mark.parametrize(
    "query",
    [
        "template=../../etc", "theme=dark", "voila=1", "detectid=" + "9" * 300, "detectid=1%00", "q=a%0ab",
        "&".join(f"off={i}" for i in range(50)), "x", "q=" + "a" * 9000,
    ],
)  # fmt: skip
def test_other_addresses_are_refused_and_not_repeated(query: str) -> None:
    said = refusal(query)
    assert said and query not in said and "<" not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sessions": 0}, "at least 1 session"),
        ({"memory": 0.1}, "0.5 to 1024 GB"),
        ({"base_url": "elixer"}, "begin and end it with a slash"),
        ({"base_url": "/../"}, None),
        ({"campaign": "first"}, "answers are never anonymous"),
        ({"user_header": "X Forwarded"}, "is no name of a header"),
        ({"user_header": "X-User", "address": "0.0.0.0"}, "only believed from a server on this computer"),
        ({"campaign": "first", "user_header": "X-User", "address": "0.0.0.0"}, "only believed from a server on this"),
    ],
)
def test_what_cannot_be_published_is_told(given: dict[str, Any], words: str | None) -> None:
    if words is None:
        assert Publication(**given).base_url == "/../"
        return
    with pytest.raises(DataError, match=words):
        Publication(**given)


def test_the_command_shows_no_traceback_and_no_files(tmp_path: Path) -> None:
    made = command(tmp_path / "x.ipynb", 1234, Publication(user_header="X-User"))
    assert "--VoilaConfiguration.show_tracebacks=False" in made
    assert "--VoilaConfiguration.http_header_envs=X-User" in made
    assert "--Voila.ip=127.0.0.1" in made


# --------------------------------------------------------------------------------------------------- with a server


class Stranger:
    """Sends what a browser would not."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0

    def ask(self, path: str, method: str = "GET", headers: list[tuple[str, str]] | None = None) -> tuple[Any, str]:
        """The answer and its text; `path` is sent as it is."""
        connection = HTTPConnection(self.host, self.port, timeout=120)
        try:
            connection.putrequest(method, path)
            for name, value in headers or []:
                connection.putheader(name, value)
            if method == "POST":
                connection.putheader("Content-Length", "0")
            connection.endheaders()
            response: HTTPResponse = connection.getresponse()
            return response, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def page(self) -> tuple[str, str]:
        """A page and the number of its kernel."""
        response, text = self.ask("/")
        assert response.status == 200
        found = re.search(r'"kernelId": "([0-9a-f-]{36})"', text)
        assert found is not None
        return text, found[1]

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("/healthz")[1])
        return found

    def close(self, kernel: str) -> int:
        status: int = self.ask(f"/voila/api/shutdown/{kernel}", "POST")[0].status
        return status


@pytest.fixture(scope="module")
def server(simulated: Path, private: dict[str, str], tmp_path_factory) -> Iterator[tuple[Stranger, Path]]:
    """A server without warm pages that admits two visitors, and its working folder."""
    log = tmp_path_factory.mktemp("published") / "server.log"
    with publishing(simulated, None, Publication(port=0, warm=0, sessions=2), log=log) as (url, process):
        yield Stranger(url), Path(f"/proc/{process.pid}/cwd").resolve()


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/../../../../../../../etc/passwd", "/voila/files/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/voila/files/..%2f..%2f..%2f..%2fetc%2fpasswd", "/voila/files//etc/passwd",
        "/voila/files/ELiXer%20Widgets.ipynb",
        "/voila/files/secret.png", "/voila/files/door/secret.txt", "/voila/static/../../../../../../etc/passwd",
        "/voila/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "/voila/static//etc/passwd",
        "/voila/templates/elixer/static/../../../../../../../../etc/passwd",
        "/voila/templates/elixer/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/voila/templates/..%2f..%2fpage/static/secret.png", "/voila/labextensions/../../../../../../etc/passwd",
        "/voila/labextensions/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/voila/api/themes/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/etc/passwd", "/../index/detectid.npy", "/ELiXer%20Widgets.ipynb", "/secret.png", "/truth.ecsv",
        "/api/contents", "/api/contents/secret.png", "/api/kernels", "/api/sessions", "/api/terminals", "/tree", "/lab",
        "/voila/tree", "/voila/render/ELiXer%20Widgets.ipynb", "/voila/api/contents/",
        "/nbconvert/html/x", "/edit/secret.png",
        "/?template=../../../etc", "/?theme=../../etc", "/?template=lab",
    ],
)  # fmt: skip
def test_no_file_can_be_read(server: tuple[Stranger, Path], tmp_path: Path, path: str) -> None:
    stranger, folder = server
    (tmp_path / "secret.txt").write_text(SECRET)
    for name, target in (("secret.png", tmp_path / "secret.txt"), ("door", tmp_path)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    response, text = stranger.ask(path)
    assert response.status in (302, 400, 403, 404, 405), text[:200]
    for forbidden in (SECRET, "root:", "import page", "Traceback", str(folder)):
        assert forbidden not in text
    if response.status == 302:
        # the path of a file leads to the place where files would be, and none are
        assert stranger.ask(response.getheader("Location"))[0].status == 404


@pytest.mark.slow
def test_health_headers_and_the_limit(server: tuple[Stranger, Path]) -> None:
    stranger, _ = server
    response, text = stranger.ask("/healthz")
    assert response.status == 200 and json.loads(text) == {"status": "ok", "sessions": 0, "limit": 2, "warm": 0}
    first, kernel = stranger.page()
    assert "import page" not in first and "from elixer_widgets" not in first
    response, _ = stranger.ask("/?detectid=1")
    policy = response.getheader("Content-Security-Policy")
    assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy and "http" not in policy
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert stranger.health()["sessions"] == 2
    response, text = stranger.ask("/")
    assert response.status == 503 and int(response.getheader("Retry-After")) > 0 and "come back" in text
    # a closed page makes room
    assert stranger.close(kernel) == 204
    assert stranger.health()["sessions"] == 1
    assert stranger.close(kernel) == 404 and stranger.close(str(uuid.uuid4())) == 404
    response, text = stranger.ask("/")
    assert response.status == 200


async def _converse(url: str, origin: str, marker: Path) -> tuple[str, set[str]]:
    """Ask a kernel to run code by every channel, then who it is; what was answered."""
    from tornado.httpclient import HTTPClientError, HTTPRequest
    from tornado.websocket import websocket_connect

    request = HTTPRequest(url, headers={"Origin": origin})
    try:
        socket = await websocket_connect(request)
    except HTTPClientError as error:
        return str(error), set()
    code = f"open({str(marker)!r}, 'w').write('run')"

    def message(channel: str, kind: str, content: dict) -> str:
        header = {
            "msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "stranger", "username": "", "version": "5.3",
            "date": "",
        }  # fmt: skip
        whole = {"channel": channel, "header": header, "parent_header": {}, "metadata": {}, "content": content}
        return json.dumps({**whole, "buffers": []})

    execute = {"code": code, "silent": False, "store_history": False, "user_expressions": {"x": code}}
    for channel in ("shell", "control", "stdin"):
        await socket.write_message(message(channel, "execute_request", execute))
        await socket.write_message(
            message(channel, "inspect_request", {"code": code, "cursor_pos": 3, "detail_level": 1})
        )
    await socket.write_message(
        message("control", "debug_request", {"type": "request", "command": "evaluate", "seq": 1})
    )
    await socket.write_message(message("shell", "kernel_info_request", {}))
    kinds: set[str] = set()
    end = time.monotonic() + 15
    while time.monotonic() < end and "kernel_info_reply" not in kinds:
        try:
            answer = await asyncio.wait_for(socket.read_message(), 2)
        except TimeoutError:
            continue
        if answer is None:
            break
        kinds.add(json.loads(answer)["header"]["msg_type"])
    # what was refused gets its time to happen after all
    await asyncio.sleep(1)
    socket.close()
    return "", kinds


@pytest.mark.slow
def test_no_code_can_be_run(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    with publishing(simulated, None, Publication(port=0, warm=0, grace=1), log=tmp_path / "log") as (url, _process):
        stranger = Stranger(url)
        _, kernel = stranger.page()
        channels = f"ws://{stranger.host}:{stranger.port}/api/kernels/{kernel}/channels"
        marker = tmp_path / "was run"
        error, kinds = asyncio.run(_converse(channels, url.rstrip("/"), marker))
        assert error == ""
        # the channel itself is open: a page could not live without it
        assert "kernel_info_reply" in kinds
        assert not kinds & {"execute_reply", "execute_result", "inspect_reply", "debug_reply", "error"}
        assert not marker.exists()
        # another site's page cannot use a visitor's
        error, _ = asyncio.run(_converse(channels, "http://elsewhere.example", marker))
        assert "403" in error and not marker.exists()
        # the page has no connection any more: its browser is gone, and so is its kernel soon
        end = time.monotonic() + 60
        while stranger.health()["sessions"] and time.monotonic() < end:
            time.sleep(0.5)
        assert stranger.health()["sessions"] == 0


@pytest.mark.slow
def test_only_whom_the_proxy_names(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    how = Publication(port=0, warm=0, user_header="X-Forwarded-User", base_url="/elixer/")
    with publishing(simulated, None, how, log=tmp_path / "log") as (url, _process):
        stranger = Stranger(url)
        name = "X-Forwarded-User"
        assert stranger.ask("/elixer/")[0].status == 403
        assert stranger.ask("/elixer/", headers=[(name, "karl"), (name, "gebhardt")])[0].status == 403
        assert stranger.ask("/elixer/", headers=[(name, "../karl")])[0].status == 403
        response, text = stranger.ask("/elixer/", headers=[(name, "karl")])
        assert response.status == 200 and "kernelId" in text
        assert json.loads(stranger.ask("/elixer/healthz")[1])["sessions"] == 1
