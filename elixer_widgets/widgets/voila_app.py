"""The server of the published page: Voila with every door closed that strangers need not pass.

Run by `serving.publishing` as a program of its own. What differs from Voila:

* only the page itself, with the parts of an address that it understands; no choice of template, no files;
* who may come in: names of the page, the token, the proxy's secret (`visitors.Door`);
* what a browser may send (`frames`), and what the kernel may answer;
* a limit of pages open at once, taken before anything is waited for, and a place that tells how many there are;
* a closed page ends its kernel: its own number, which nobody else knows, is proof enough; and so does one that stays
  without connection;
* headers that keep the page from loading anything from elsewhere and from being framed by others.
"""

from __future__ import annotations

import os
import resource
import secrets
import sys
import time
from collections import OrderedDict
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.netutil import bind_sockets, bind_unix_socket
from traitlets import Float, Int, List, Unicode
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from elixer_widgets.widgets.frames import LARGEST, Bucket
from elixer_widgets.widgets.guarded import REQUESTS, REQUESTS_AT_ONCE, Channel, Guarded, Nothing, Waiting, guarded
from elixer_widgets.widgets.serving import USER
from elixer_widgets.widgets.starting import REINSTALL
from elixer_widgets.widgets.visitor import SECRET_VARIABLE as WAITING_VARIABLE
from elixer_widgets.widgets.visitor import SERVER_VARIABLE
from elixer_widgets.widgets.visitors import SECRET_VARIABLE, TOKEN_VARIABLE, Door, NoPlace, Place, Visitors

PARTS = frozenset(
    {
        *("detectid", "z", "identity", "aperture", "off", "counterpart", "without"),
        *("zoom", "smooth", "stretch", "field", "band", "blink"),
        *("q", "class", "p_from", "p_to", "sn_from", "wave_from", "wave_to", "order"),
    }
)
"""Names that may stand in the address."""

MOST, LONGEST = 40, 200
"""Parts of an address, and characters of one."""


POLICY = "; ".join(
    (
        "default-src 'self'",
        # widgets' own modules are loaded from memory, and Voila's start is written into the page
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def refusal(query: str) -> str:
    """Why an address is not followed; empty if it is. The sentence repeats nothing that was in the address."""
    if len(query) > MOST * LONGEST:
        return "This address is too long."
    try:
        parts = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=MOST)
    except ValueError:
        return "This address cannot be read."
    for name, value in parts:
        if name not in PARTS:
            return "This address holds something that this page does not know."
        if len(value) > LONGEST or not value.isprintable():
            return f"What this address says of {name} cannot be meant."
    return ""


_PLACE: ContextVar[Place | None] = ContextVar("place", default=None)
"""The place of the request that is being handled; each request has its own context."""

MEMORY = 1.0
"""GB that the server itself may take. It hands on messages, and holds little."""

ADDRESSES = 10_000
"""Addresses whose requests are counted."""


class Kernels(AsyncMappingKernelManager):
    """Kernels that know whose page they serve."""

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]
        """As of all kernels; one that was not started ahead belongs to the request that asked for it."""
        kernel: str = await super().start_kernel(**kwargs)
        place = _PLACE.get()
        ahead = kwargs.get("env", {}).get("VOILA_PREHEAT") == "True"
        if place is not None and not ahead:
            place.kernel = kernel
        return kernel


class Page(Guarded, TornadoVoilaHandler):
    """The one page."""

    def check(self) -> None:
        """As everywhere; but who brings the token in the address gets it as a cookie."""
        door = self.app.door
        if door.token and door.admits_host(self.request.headers.get("Host")):
            brought = self.get_query_arguments("token")
            if len(brought) == 1 and door.knows(brought[0]):
                self._brought = True
                return
        super().check()

    async def get(self, path: str | None = None) -> None:
        app = self.app
        # Voila's own way to another file, and to another template or theme, is not ours
        if path:
            return self.say(404, "There is nothing at this address.")
        if getattr(self, "_brought", False):
            return self._welcome()
        why = refusal(self.request.query)
        if why:
            return self.say(400, why)
        if app.user_header and not self._known(app.user_header):
            return self.say(403, "The server in front of this page did not name you; ask who runs it.")
        try:
            place, ended = app.visitors.reserve(self.address(), time.monotonic())
        except NoPlace as full:
            return self.say(
                503,
                "As many people as this page can serve are using it. A place may be free in "
                f"{full.seconds} seconds; this page asks again by itself.",
                again=full.seconds,
            )
        if ended:
            await app.end_kernel(ended)
        token = _PLACE.set(place)
        try:
            await TornadoVoilaHandler.get(self, None)
        except BaseException:
            await self._leave(place)
            raise
        finally:
            _PLACE.reset(token)
        if self._gone or not place.kernel:
            await self._leave(place)
        else:
            app.visitors.sent(place, time.monotonic())
        return None

    _gone = False

    def on_connection_close(self) -> None:
        """The browser did not wait for the page: its kernel is nobody's."""
        self._gone = True
        super().on_connection_close()

    async def _leave(self, place: Place) -> None:
        self.app.visitors.drop(place)
        if place.kernel:
            await self.app.end_kernel(place.kernel)

    def _welcome(self) -> None:
        """From now on the cookie speaks, and the address can be shown to others."""
        door = self.app.door
        self.set_cookie(door.cookie, door.token, httponly=True, samesite="Lax", path=self.app.base_url)
        rest = [(name, value) for name, value in parse_qsl(self.request.query) if name != "token"]
        self.redirect(self.app.base_url + (f"?{urlencode(rest)}" if rest else ""))

    def _known(self, header: str) -> bool:
        named = self.request.headers.get_list(header)
        return len(named) == 1 and USER.fullmatch(named[0]) is not None


class Closing(Guarded, VoilaShutdownKernelHandler):
    """The browser says that a page was closed."""

    def check_xsrf_cookie(self) -> None:
        """A page on its way out cannot send the token that is asked for elsewhere; the kernel's number is a secret."""

    async def post(self, kernel_id: str) -> None:
        place = self.app.visitors.of(kernel_id)
        if place is None:
            self.say(404, "There is nothing at this address.")
            return
        self.app.visitors.drop(place)
        await VoilaShutdownKernelHandler.post(self, kernel_id)


class Templates(Guarded, TemplateStaticFileHandler):
    """The parts of Voila's own page; a path that leads anywhere else leads nowhere."""

    async def get(self, path: str, include_body: bool = True) -> None:
        parts = path.split("/")
        if ".." in parts or len(parts) < 3 or parts[1] != "static":
            self.send_error(404)
            return
        await TemplateStaticFileHandler.get(self, path, include_body)


class Health(Guarded):
    """Whether the server answers and how full it is. It tells nothing else, and asks for no token."""

    def check(self) -> None:
        """Anybody may ask."""

    def get(self) -> None:
        app = self.app
        self.set_header("Cache-Control", "no-store")
        self.write({"status": "ok", "sessions": len(app.visitors), "limit": app.most_sessions, "warm": app.waiting()})


class Server(HTTPServer):
    """Refuses connections beyond a number, so that files and memory are left for those that are there."""

    most = 1_000

    def handle_stream(self, stream: Any, address: Any) -> None:
        """As of all servers."""
        if len(getattr(self, "_connections", ())) >= self.most:
            stream.close()
            return
        super().handle_stream(stream, address)


class Published(Voila):
    """Voila, closed to all but one page."""

    name = "voila"
    most_sessions = Int(20, help="pages open at once").tag(config=True)
    each_sessions = Int(0, help="pages open at once of one address; 0 for no limit").tag(config=True)
    user_header = Unicode("", help="header in which the server in front names the user").tag(config=True)
    grace = Int(30, help="seconds that a page may be without connection before it counts as closed").tag(config=True)
    hosts = List(Unicode(), help="names under which the page is served").tag(config=True)
    socket = Unicode("", help="Unix socket to listen at, instead of a port").tag(config=True)
    socket_mode = Unicode("600", help="permissions of the Unix socket, octal").tag(config=True)
    memory = Float(MEMORY, help="GB that the server itself may take").tag(config=True)

    def waiting(self) -> int:
        """Pages prepared ahead of their visitors."""
        pools: dict[str, list] = getattr(self.kernel_manager, "_pools", {})
        return sum(len(pool) for pool in pools.values())

    def requests_of(self, address: str) -> Bucket:
        """What is left of the requests of an address; those that asked the longest ago are forgotten."""
        bucket = self._requests.pop(address, None) or Bucket(REQUESTS, REQUESTS_AT_ONCE)
        self._requests[address] = bucket
        while len(self._requests) > ADDRESSES:
            self._requests.popitem(last=False)
        return bucket

    async def end_kernel(self, kernel: str) -> None:
        """End a kernel, if it still runs."""
        RequestInfoSocketHandler._cache.pop(kernel, None)
        if kernel in self.kernel_manager:
            await ensure_async(self.kernel_manager.shutdown_kernel(kernel, now=True))

    def setup_template_dirs(self) -> None:
        """Find the templates; without Voila's own no page can be made, and the server does not start."""
        try:
            super().setup_template_dirs()
        except ValueError as error:
            sys.stderr.write(f"a template of the page is missing ({error}); {REINSTALL}\n")
            self.exit(2)

    def init_settings(self) -> dict[str, Any]:
        self.voila_configuration.multi_kernel_manager_class = Kernels
        # of these no kernel needs to know, and neither does another user who lists processes
        secret, token = os.environ.pop(SECRET_VARIABLE, ""), os.environ.pop(TOKEN_VARIABLE, "")
        self.door = Door(frozenset(host.lower() for host in self.hosts), token, secret, self.user_header)
        self.visitors = Visitors(self.most_sessions, self.each_sessions, self.grace)
        self.waiting_secret = secrets.token_urlsafe(24)
        self._requests: OrderedDict[str, Bucket] = OrderedDict()
        where = f"unix:{self.socket}|" if self.socket else f"http://{self._reached_at()}:{self.port}"
        os.environ[WAITING_VARIABLE] = self.waiting_secret
        os.environ[SERVER_VARIABLE] = where + (self.server_url or self.base_url)
        settings: dict[str, Any] = super().init_settings()
        settings |= {
            "published": self,
            "headers": HEADERS,
            "default_handler_class": Nothing,
            "websocket_max_message_size": LARGEST,
        }
        self._hand_out()
        return settings

    def _reached_at(self) -> str:
        host = "127.0.0.1" if self.ip in ("", "0.0.0.0", "::") else self.ip
        return f"[{host}]" if ":" in host else host

    def _hand_out(self) -> None:
        """A page that was prepared ahead belongs to the request that got it."""
        original = getattr(self.kernel_manager, "get_rendered_notebook", None)
        if original is None:
            return

        async def handed_out(*args: Any, **kwargs: Any) -> Any:
            found = await original(*args, **kwargs)
            place = _PLACE.get()
            if place is not None:
                place.kernel = found[2]
            return found

        self.kernel_manager.get_rendered_notebook = handed_out

    async def sweep(self) -> None:
        """End the kernels of pages that nobody looks at any more: a browser that was killed says no goodbye."""
        for kernel in self.visitors.sweep(self.kernel_manager.list_kernel_ids(), time.monotonic()):
            await self.end_kernel(kernel)

    def init_handlers(self) -> list:
        # a page that connects anew within the grace, after a break of the network, keeps its kernel
        PeriodicCallback(self.sweep, 1000 * min(5.0, max(self.grace / 2, 0.5))).start()
        replaced = {
            TornadoVoilaHandler: Page,
            VoilaShutdownKernelHandler: Closing,
            TemplateStaticFileHandler: Templates,
            VoilaKernelWebsocketHandler: Channel,
            RequestInfoSocketHandler: Waiting,
            AllowListFileHandler: Nothing,
        }
        handlers: list[tuple] = [(f"{self.server_url.rstrip('/')}/healthz", Health)]
        for path, handler, *rest in super().init_handlers():
            ours = replaced.get(handler)
            if ours is Nothing:
                handlers.append((path, Nothing))
            else:
                handlers.append((path, ours or guarded(handler), *rest))
        return handlers

    def listen(self) -> None:
        """At the port or the socket that was asked for, and at no other."""
        server = Server(
            self.app,
            max_body_size=LARGEST,
            max_header_size=32_768,
            max_buffer_size=4 * LARGEST,
            body_timeout=30,
            idle_connection_timeout=120,
        )
        try:
            if self.socket:
                before = os.umask(0o177)
                try:
                    server.add_socket(bind_unix_socket(self.socket, mode=int(self.socket_mode, 8)))
                finally:
                    os.umask(before)
            else:
                server.add_sockets(bind_sockets(self.port, self.ip))
        except (OSError, ValueError) as error:
            sys.stderr.write(f"the server cannot listen at {self.socket or f'port {self.port}'}: {error}\n")
            self.exit(1)
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            self.log.info("ended")
        finally:
            self.stop()

    def start(self) -> None:
        """Serve until interrupted."""
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        size = int(self.memory * 1e9)
        # only the soft limit: a kernel sets one of its own
        resource.setrlimit(resource.RLIMIT_DATA, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
        super().start()


def main() -> None:
    """Run the server with Voila's own options."""
    Published.launch_instance()


if __name__ == "__main__":
    main()
