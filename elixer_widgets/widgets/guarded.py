"""The handlers of the page's server behind its door: each request is looked at before anything else handles it."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Awaitable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from elixer_widgets.widgets import frames
from elixer_widgets.widgets.visitors import SECRET_HEADER, Refusal, visitor_address

if TYPE_CHECKING:
    from elixer_widgets.widgets.voila_app import Published

log = logging.getLogger(__name__)

WAITING_HEADER = "X-Elixer-Waiting"
"""Header in which a kernel that waits for its visitor shows that it is one of this server's."""

TABS = 8
"""Connections to one kernel."""

BEHIND = 64_000_000
"""Bytes that a browser may be behind with reading before its connection is closed."""

MESSAGES, MESSAGES_AT_ONCE = 200.0, 1_000.0
BYTES, BYTES_AT_ONCE = 2e6, 2e7
"""What one browser may send: a second, and at once. Dragging sends about 60 small messages a second."""

REQUESTS, REQUESTS_AT_ONCE = 50.0, 1_000.0
"""Requests of one address: a second, and at once. A page takes about 60."""

LONGEST_PATH = 1_000
"""Characters of a path."""

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ELiXer Widgets</title>{head}</head>
<body style="font:16px system-ui,sans-serif;margin:4em auto;max-width:40em;padding:0 1em"><p role="alert">{sentence}</p>
{more}</body></html>"""

SENTENCES = {
    400: "This address or request cannot be read.",
    401: "This page belongs to the person who started it.",
    403: "This is not open to you.",
    404: "There is nothing at this address.",
    405: "This cannot be done here.",
    413: "This request is too large.",
    429: "Too many requests came from your address; please wait a moment.",
}
_FAILED = "Something went wrong here. Nothing of yours was lost; please load the page again. Reference {}."


def new_reference() -> str:
    """A number under which an error stands in the server's log."""
    return secrets.token_hex(4)


class Guarded(RequestHandler):
    """What each handler of the server does first, and how it says no. To be mixed in before the handler's own class."""

    @property
    def app(self) -> Published:
        """The server."""
        app: Published = self.settings["published"]
        return app

    def set_default_headers(self) -> None:
        """The page's policy goes with every answer."""
        super().set_default_headers()
        for name, value in self.settings.get("headers", {}).items():
            self.set_header(name, value)
        self.clear_header("Server")

    def address(self) -> str:
        """Where the request comes from."""
        door = self.app.door
        return visitor_address(self.request.remote_ip, self.request.headers, bool(door.secret))

    def check(self) -> None:
        """Raise `Refusal` if the request may not come in."""
        door, request = self.app.door, self.request
        if not readable(request.path):
            raise Refusal(400, SENTENCES[400])
        if not door.admits_host(request.headers.get("Host")):
            raise Refusal(403, "This page is not served under this name. Whoever runs it can add the name with --host.")
        door.check_proxy(request.headers.get_list(SECRET_HEADER))
        acts = isinstance(self, WebSocketHandler) or request.method not in ("GET", "HEAD")
        if acts and not door.admits_origin(request.headers.get("Origin"), request.headers.get("Host")):
            raise Refusal(403, "This was asked for by another page.")
        if not door.knows(self.get_cookie(door.cookie)):
            raise Refusal(
                401,
                "This page belongs to the person who started it: open the whole address that the terminal shows, with "
                "what follows the question mark.",
            )
        if not self.app.requests_of(self.address()).take(1, time.monotonic()):
            raise Refusal(429, SENTENCES[429])

    def prepare(self) -> Awaitable[None] | None:
        """As of every handler."""
        try:
            self.check()
        except Refusal as refusal:
            self.say(refusal.code, str(refusal))
            return None
        return super().prepare()

    def say(self, code: int, sentence: str, *, again: int = 0) -> None:
        """End with a sentence.

        Parameters
        ----------
        code : int
        sentence : str
        again : int
            Seconds after which the browser is to ask once more; 0 for never.
        """
        self.set_status(code)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        head = more = ""
        if again:
            self.set_header("Retry-After", str(again))
            head = f'<meta http-equiv="refresh" content="{again}">'
        if code not in (401, 403) and self.app.base_url:
            more = f'<p><a href="{self.app.base_url}">To the first page</a></p>'
        self.finish(_PAGE.format(head=head, sentence=sentence, more=more))

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """No traceback, no path, no word of a library; what happened stands in the log under the reference."""
        if status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.say(status_code, SENTENCES.get(status_code, SENTENCES[400]))
            return
        reference = new_reference()
        log.error("reference %s: %s %s ended with %s", reference, self.request.method, self.request.path, status_code)
        self.say(status_code, _FAILED.format(reference))


def readable(path: str) -> bool:
    """Whether a path may be looked for: no file and no page has a longer name, or one with what cannot be printed."""
    plain = unquote(path, errors="replace")
    return len(path) <= LONGEST_PATH and plain.isprintable() and all(len(part) <= 255 for part in plain.split("/"))


def guarded(handler: type[RequestHandler]) -> type[RequestHandler]:
    """The handler behind the door."""
    if issubclass(handler, Guarded):
        return handler
    return type(handler.__name__, (Guarded, handler), {})


class Nothing(Guarded):
    """There is nothing here."""

    def prepare(self) -> None:
        super().prepare()
        if not self._finished:
            self.say(404, SENTENCES[404])


class Channel(Guarded, VoilaKernelWebsocketHandler):
    """The line between a browser and its kernel. What comes is checked before it is parsed, and only the messages of
    widgets pass, in both directions."""

    _counted = False

    def get_compression_options(self) -> None:
        """None: a compressed frame may be larger than what it says."""

    async def get(self, kernel_id: str) -> None:  # type: ignore[override]
        offered = [part.strip() for part in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        place = self.app.visitors.of(kernel_id)
        if place is None:
            return self.say(404, SENTENCES[404])
        if frames.PROTOCOL not in offered:
            return self.say(400, f"Only the protocol {frames.PROTOCOL} is spoken here.")
        if place.connections >= TABS:
            return self.say(429, "This page is open too often.")
        if not place.openings.take(1, time.monotonic()):
            return self.say(429, "This page was opened too often in a short time.")
        self._messages = frames.Bucket(MESSAGES, MESSAGES_AT_ONCE)
        self._bytes = frames.Bucket(BYTES, BYTES_AT_ONCE)
        self._behind = 0
        await VoilaKernelWebsocketHandler.get(self, kernel_id=kernel_id)
        return None

    async def open(self, kernel_id: str) -> None:
        self._counted = True
        self.app.visitors.connected(kernel_id)
        await super().open(kernel_id)

    def on_close(self) -> None:
        if self._counted:
            self.app.visitors.disconnected(self.kernel_id, time.monotonic())
        if getattr(self, "connection", None) is not None:
            super().on_close()

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return frames.PROTOCOL if frames.PROTOCOL in subprotocols else None

    def on_message(self, message: str | bytes) -> None:
        now = time.monotonic()
        try:
            if not self._messages.take(1, now) or not self._bytes.take(len(message), now):
                raise frames.FrameError("too much at once")
            frames.read(message)
        except frames.FrameError as error:
            log.warning("a message to %s was not taken: %s", self.kernel_id[:8], error)
            self.close(1008, str(error))
            return
        if self.connection is not None:
            super().on_message(message)

    def write_message(self, message: bytes | str | dict[str, Any], binary: bool = False) -> Any:
        kind = frames.kind_of(message) if isinstance(message, bytes) else ""
        if kind not in frames.GIVEN:
            self._keep_back(kind, message)
            return None
        size = len(message)
        if self._behind + size > BEHIND:
            log.warning("%s does not read what it is sent: closed", self.kernel_id[:8])
            self.close(1008, "too far behind")
            return None
        self._behind += size
        try:
            # past Voila's own parser, which believes what a frame says of its length
            written = WebSocketHandler.write_message(self, message, binary)
        except WebSocketClosedError:
            return None
        written.add_done_callback(lambda done: self._wrote(size, done))
        return written

    def _wrote(self, size: int, done: Any) -> None:
        self._behind -= size
        if not done.cancelled():
            done.exception()  # a line that broke is told by its end

    def _keep_back(self, kind: str, message: Any) -> None:
        """What a kernel prints or fails with is for who runs the server."""
        if kind not in ("stream", "error") or not isinstance(message, bytes):
            return
        try:
            content = json.loads(bytes(frames.split(message)[1][3]))
        except (frames.FrameError, ValueError):
            return
        text = content.get("text") or "\n".join(map(str, content.get("traceback", ())))
        log.warning("kernel %s: %s", self.kernel_id[:8], str(text)[:10_000])


class Waiting(Guarded, RequestInfoSocketHandler):
    """Where a kernel that was started ahead waits for its visitor's address."""

    def check(self) -> None:
        """It is a kernel of this server's, and of nobody yet; nobody else gets the address of a visitor."""
        if self.request.headers.get_list(WAITING_HEADER) != [self.app.waiting_secret]:
            raise Refusal(404, SENTENCES[404])

    def open(self, kernel_id: str) -> None:
        if kernel_id not in self.app.kernel_manager or kernel_id in RequestInfoSocketHandler._waiters:
            self.close(1008, "not waited for")
            return
        self._kernel = kernel_id
        super().open(kernel_id)
        RequestInfoSocketHandler._cache.pop(kernel_id, None)

    def on_close(self) -> None:
        kernel = getattr(self, "_kernel", "")
        if RequestInfoSocketHandler._waiters.get(kernel) is self:
            del RequestInfoSocketHandler._waiters[kernel]
