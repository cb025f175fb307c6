"""The published page as strangers meet it: what is refused, and that nothing lies behind it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1

from elixer_widgets.detection import DataError
from elixer_widgets.widgets import dashboard
from elixer_widgets.widgets.frames import PROTOCOL, kind_of
from elixer_widgets.widgets.serving import Publication, command, publishing, secret_of
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
        ({"cpu": 5}, "at least 60 s"),
        ({"base_url": "elixer"}, "begin and end it with a slash"),
        ({"base_url": "/../"}, None),
        ({"campaign": "first"}, "answers are never anonymous"),
        ({"user_header": "X Forwarded"}, "is no name of a header"),
        ({"user_header": "X-User"}, "any user of this computer could send it"),
        ({"socket_mode": "rw"}, "three octal digits"),
        (
            {"user_header": "X-User", "secret_file": "s", "address": "0.0.0.0"},
            "only believed from a server on this computer",
        ),
        (
            {"campaign": "first", "user_header": "X-User", "secret_file": "s", "address": "0.0.0.0"},
            "only believed from a server on this",
        ),
    ],
)
def test_what_cannot_be_published_is_told(given: dict[str, Any], words: str | None) -> None:
    if words is None:
        assert Publication(**given).base_url == "/../"
        return
    with pytest.raises(DataError, match=words):
        Publication(**given)


def test_the_command_shows_no_traceback_and_no_files(tmp_path: Path) -> None:
    made = command(tmp_path / "x.ipynb", 1234, Publication(user_header="X-User", secret_file="s"))
    assert "--VoilaConfiguration.show_tracebacks=False" in made
    assert "--VoilaConfiguration.http_header_envs=X-User" in made
    assert "--Voila.ip=127.0.0.1" in made


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("0123456789abcdef", 0o644, "others can read"),
        ("short", 0o600, "16 to 200"),
        ("two words of secret", 0o600, "16 to"),
    ],
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, text: str, mode: int, words: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(DataError, match=words) as error:
        secret_of(str(file))
    assert text not in str(error.value)
    with pytest.raises(DataError, match="cannot be read"):
        secret_of(str(tmp_path / "nothing"))


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
            said = dict(headers or []).get("Host", "")
            connection.putrequest(method, path, skip_host=bool(said))
            if said:
                connection.putheader("Host", said)
            for name, value in headers or []:
                if name != "Host":
                    connection.putheader(name, value)
            if method == "POST":
                connection.putheader("Origin", self.url.rstrip("/"))
            if method == "POST":
                connection.putheader("Content-Length", "0")
            connection.endheaders()
            response: HTTPResponse = connection.getresponse()
            return response, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def page(self) -> tuple[str, str]:
        """A page and the number of its kernel; a full server is asked again when it says, as the page there does."""
        response, text = self.ask("/")
        if response.status == 503:
            time.sleep(float(response.getheader("Retry-After")))
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
        "/voila/templates/elixer/static/%00", "/voila/static/etc/passwd%00", "/voila/static/" + "x" * 300,
        "/voila/files/" + "a/" * 600, "/%0d%0aX-Set:%20yes",
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
    # nobody ever connected to the first: it gives way to a visitor, but there are never more than two
    stranger.page()
    assert stranger.health()["sessions"] == 2
    # a closed page makes room
    _, kernel = stranger.page()
    assert stranger.close(kernel) == 204
    assert stranger.health()["sessions"] == 1
    assert stranger.close(kernel) == 404 and stranger.close(str(uuid.uuid4())) == 404
    response, text = stranger.ask("/")
    assert response.status == 200


async def _connect(url: str, origin: str | None, *, protocol: str = PROTOCOL, **headers: str) -> Any:
    """A websocket, or what was said instead."""
    from tornado.httpclient import HTTPClientError, HTTPRequest
    from tornado.websocket import websocket_connect

    known = {name.replace("_", "-"): value for name, value in headers.items()} | ({"Origin": origin} if origin else {})
    try:
        return await websocket_connect(HTTPRequest(url, headers=known), subprotocols=[protocol] if protocol else None)
    except HTTPClientError as error:
        return str(error)


def _frame(channel: str, kind: str, content: dict) -> bytes:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "s",
        "username": "",
        "version": "5.3",
        "date": "",
    }
    made: bytes = serialize_msg_to_ws_v1([json.dumps(part).encode() for part in (header, {}, {}, content)], channel)
    return made


async def _kinds(socket: Any, until: str, seconds: float = 15.0) -> tuple[set[str], bool]:
    """Kinds of messages that come up to the one waited for, and whether the line was closed before."""
    kinds: set[str] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end and until not in kinds:
        try:
            answer = await asyncio.wait_for(socket.read_message(), 2)
        except TimeoutError:
            continue
        if answer is None:
            return kinds, True
        kinds.add(kind_of(answer))
    return kinds, False


async def _run_code(url: str, origin: str, marker: Path) -> set[str]:
    """Ask a kernel to run code by every channel; each time the line is closed. Then what an honest page gets."""
    code = f"open({str(marker)!r}, 'w').write('run')"
    execute = {"code": code, "silent": False, "store_history": False, "user_expressions": {"x": code}}
    seen: set[str] = set()
    for channel, kind, content in [
        *((channel, "execute_request", execute) for channel in ("shell", "control", "stdin")),
        ("shell", "inspect_request", {"code": code, "cursor_pos": 3, "detail_level": 1}),
        ("control", "debug_request", {"type": "request", "command": "evaluate", "seq": 1}),
        ("control", "shutdown_request", {"restart": True}),
    ]:
        socket = await _connect(url, origin)
        await socket.write_message(_frame(channel, kind, content), binary=True)
        kinds, closed = await _kinds(socket, "never")
        assert closed, kind
        seen |= kinds
    socket = await _connect(url, origin)
    await socket.write_message(_frame("shell", "kernel_info_request", {}), binary=True)
    kinds, _ = await _kinds(socket, "kernel_info_reply")
    # what was refused gets its time to happen after all
    await asyncio.sleep(1)
    socket.close()
    return seen | kinds


@pytest.mark.slow
def test_no_code_can_be_run(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    with publishing(simulated, None, Publication(port=0, warm=0, grace=3), log=tmp_path / "log") as (url, _process):
        stranger = Stranger(url)
        _, kernel = stranger.page()
        channels = f"ws://{stranger.host}:{stranger.port}/api/kernels/{kernel}/channels"
        marker = tmp_path / "was run"
        kinds = asyncio.run(_run_code(channels, url.rstrip("/"), marker))
        # the channel itself is open: a page could not live without it
        assert "kernel_info_reply" in kinds
        assert not kinds & {"execute_reply", "execute_result", "inspect_reply", "debug_reply", "error", "stream"}
        assert not marker.exists()
        # another site's page cannot use a visitor's, nor one without a name, nor under a name that leads here
        for origin, headers in (
            ("http://elsewhere.example", {}),
            (None, {}),
            ("http://rebound.example", {"Host": "rebound.example"}),
        ):
            said = asyncio.run(_connect(channels, origin, **headers))
            assert "403" in str(said), origin
        # nor is the older protocol spoken, whose frames would have to be parsed to be looked at
        assert "400" in asyncio.run(_connect(channels, url.rstrip("/"), protocol=""))
        # the page has no connection any more: its browser is gone, and so is its kernel soon
        end = time.monotonic() + 60
        while stranger.health()["sessions"] and time.monotonic() < end:
            time.sleep(0.5)
        assert stranger.health()["sessions"] == 0


@pytest.mark.slow
def test_frames_that_lie_stop_nobody(server: tuple[Stranger, Path]) -> None:
    stranger, _ = server
    _, kernel = stranger.page()
    channels = f"ws://{stranger.host}:{stranger.port}/api/kernels/{kernel}/channels"
    whole = _frame("shell", "kernel_info_request", {})
    lies = [struct.pack("<Q", 2**60), struct.pack("<Q", 300_000_000), struct.pack("<Q", 2**64 - 1) + whole[8:]]
    lies += [whole[:-1], b"", whole[:8] + b"\xff" * 48 + whole[56:], b"x" * 2_000_000, "text"]

    async def lie() -> list[float]:
        waited = []
        for data in lies:
            socket = await _connect(channels, stranger.url.rstrip("/"))
            await socket.write_message(data, binary=isinstance(data, bytes))
            begun = time.monotonic()
            _, closed = await _kinds(socket, "never", 20.0)
            assert closed
            waited.append(time.monotonic() - begun)
        return waited

    asyncio.run(lie())
    assert stranger.health()["status"] == "ok"
    assert stranger.close(kernel) == 204


@pytest.mark.slow
def test_twelve_at_once_for_two_places(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    with (
        publishing(simulated, None, Publication(port=0, warm=1, sessions=2, grace=2), log=tmp_path / "log") as (url, _),
        ThreadPoolExecutor(12) as together,
    ):
        stranger = Stranger(url)
        answers = list(together.map(lambda _i: stranger.ask("/"), range(12)))
        codes = sorted(response.status for response, _text in answers)
        assert codes == [200] * 2 + [503] * 10
        full = next(text for response, text in answers if response.status == 503)
        assert re.search(r"free in \d+ seconds", full) and 'http-equiv="refresh"' in full
        # nobody connects to the two: they make room
        end = time.monotonic() + 60
        while stranger.health()["sessions"] and time.monotonic() < end:
            time.sleep(0.5)
        assert stranger.health()["sessions"] == 0 and stranger.page()


@pytest.mark.slow
def test_a_page_prepared_ahead_cannot_be_stolen(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    with publishing(simulated, None, Publication(port=0, warm=1, sessions=3), log=tmp_path / "log") as (url, _process):
        stranger = Stranger(url)
        _, kernel = stranger.page()
        for asked in (kernel, str(uuid.uuid4())):
            for secret in ("", "guessed"):
                address = f"ws://{stranger.host}:{stranger.port}/voila/query/{asked}"
                said = asyncio.run(_connect(address, url.rstrip("/"), protocol="", X_Elixer_Waiting=secret))
                assert "404" in said
        # the next visitors get their pages, whole
        for _ in range(2):
            text, _kernel = stranger.page()
            assert "application/vnd.jupyter.widget-view+json" in text


@pytest.mark.slow
def test_only_whom_the_proxy_names(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123\n")
    secret.chmod(0o600)
    how = Publication(port=0, warm=0, user_header="X-Forwarded-User", base_url="/elixer/", secret_file=str(secret))
    with publishing(simulated, None, how, log=tmp_path / "log") as (url, process):
        stranger = Stranger(url)
        name, proof = "X-Forwarded-User", ("X-Elixer-Secret", "0123456789abcdef0123")
        # a user of this computer says what the proxy says
        assert stranger.ask("/elixer/", headers=[(name, "karl")])[0].status == 403
        assert stranger.ask("/elixer/", headers=[(name, "karl"), (proof[0], "guessed")])[0].status == 403
        assert stranger.ask("/elixer/", headers=[proof])[0].status == 403
        assert stranger.ask("/elixer/", headers=[proof, (name, "karl"), (name, "gebhardt")])[0].status == 403
        assert stranger.ask("/elixer/", headers=[proof, (name, "../karl")])[0].status == 403
        response, text = stranger.ask("/elixer/", headers=[proof, (name, "karl")])
        assert response.status == 200 and "kernelId" in text
        assert json.loads(stranger.ask("/elixer/healthz")[1])["sessions"] == 1
        # neither the server's command line nor its kernel's environment tells the secret
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                ours = (
                    "voila_app\0" in (folder / "cmdline").read_text() or "ipykernel" in (folder / "cmdline").read_text()
                )
                known = (folder / "cmdline").read_text() + (
                    (folder / "environ").read_text() if int(folder.name) != process.pid else ""
                )
            except (OSError, UnicodeDecodeError):
                continue
            assert not ours or proof[1] not in known


@pytest.mark.slow
def test_the_page_of_one_person(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    with dashboard.running(simulated, environment=private, log=tmp_path / "log", token="a-token-of-one") as url:
        stranger = Stranger(url)
        assert stranger.health()["limit"] == dashboard.TABS
        for path in (
            "/",
            "/?token=guessed",
            "/?token=a-token-of-one&token=x",
            "/voila/static/voila.js",
            "/?detectid=1",
        ):
            response, text = stranger.ask(path)
            assert response.status == 401 and "started it" in text and "kernelId" not in text
        assert stranger.ask("/?token=a-token-of-one", headers=[("Host", "rebound.example")])[0].status == 403
        response, _ = stranger.ask("/?detectid=5000000001&token=a-token-of-one")
        assert response.status == 302 and response.getheader("Location") == "/?detectid=5000000001"
        cookie = response.getheader("Set-Cookie")
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
        kept = re.search(r"elixer-widgets-[0-9a-f]+=[^;]+", cookie)
        assert kept is not None
        brought = [("Cookie", kept[0])]
        response, text = stranger.ask("/", headers=brought)
        kernel = re.search(r'"kernelId": "([0-9a-f-]{36})"', text)
        assert response.status == 200 and kernel is not None
        channels = f"ws://{stranger.host}:{stranger.port}/api/kernels/{kernel[1]}/channels"
        assert "401" in asyncio.run(_connect(channels, url))
        assert not isinstance(asyncio.run(_connect(channels, url, Cookie=brought[0][1])), str)


@pytest.mark.slow
def test_the_page_at_a_socket(simulated: Path, private: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "page.sock"
    with publishing(simulated, None, Publication(warm=1, socket=str(place)), log=tmp_path / "log"):
        assert place.stat().st_mode & 0o777 == 0o600
        assert dashboard.answers(f"unix:{place}|/")
        connection = HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(place))
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200 and b"kernelId" in response.read()
        connection.close()
