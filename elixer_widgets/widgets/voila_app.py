"""The server of the published page: Voila with every door closed that strangers need not pass.

Run by `serving.publishing` as a program of its own. What differs from Voila:

* only the page itself, with the parts of an address that it understands; no choice of template, no files;
* a limit of pages open at once, and a place that tells how many there are;
* a closed page ends its kernel: its own number, which nobody else knows, is proof enough; and so does one that stays
  without connection;
* headers that keep the page from loading anything from elsewhere and from being framed by others.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qsl

from jupyter_core.utils import ensure_async
from tornado.ioloop import PeriodicCallback
from tornado.web import RequestHandler
from traitlets import Int, Unicode
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from elixer_widgets.widgets.serving import USER

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

_SENTENCE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>ELiXer Widgets</title>
<body style="font:16px system-ui,sans-serif;margin:4em auto;max-width:40em"><p role="alert">{}</p>
<p><a href="{}">To the search page</a></p></body></html>"""


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


class Page(TornadoVoilaHandler):
    """The one page."""

    async def get(self, path: str | None = None) -> None:
        app: Published = self.settings["published"]
        # Voila's own way to another file, and to another template or theme, is not ours
        if path:
            return self._say(404, "There is nothing at this address.")
        why = refusal(self.request.query)
        if why:
            return self._say(400, why)
        if app.user_header and not self._known(app.user_header):
            return self._say(403, "The server in front of this page did not name you; ask who runs it.")
        if app.sessions() >= app.most_sessions:
            self.set_header("Retry-After", "60")
            return self._say(503, "As many people as this page can serve are using it; please come back in a minute.")
        await super().get(None)
        return None

    def _known(self, header: str) -> bool:
        named = self.request.headers.get_list(header)
        return len(named) == 1 and USER.fullmatch(named[0]) is not None

    def _say(self, code: int, sentence: str) -> None:
        self.set_status(code)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(_SENTENCE.format(sentence, self.base_url))


class Closing(VoilaShutdownKernelHandler):
    """The browser says that a page was closed."""

    def check_xsrf_cookie(self) -> None:
        """A page on its way out cannot send the token that is asked for elsewhere; the kernel's number is a secret."""

    async def post(self, kernel_id: str) -> None:
        if kernel_id not in self.kernel_manager:
            self.set_status(404)
            self.finish()
            return
        await super().post(kernel_id)


class Templates(TemplateStaticFileHandler):
    """The parts of Voila's own page; a path that leads anywhere else leads nowhere."""

    async def get(self, path: str, include_body: bool = True) -> None:
        parts = path.split("/")
        if ".." in parts or len(parts) < 3 or parts[1] != "static":
            self.send_error(404)
            return
        await super().get(path, include_body)


class Health(RequestHandler):
    """Whether the server answers and how full it is."""

    def initialize(self, app: Published) -> None:
        self.app = app

    def get(self) -> None:
        app = self.app
        self.set_header("Cache-Control", "no-store")
        self.write({"status": "ok", "sessions": app.sessions(), "limit": app.most_sessions, "warm": app.waiting()})


class Nothing(RequestHandler):
    """No files are served."""

    def prepare(self) -> None:
        self.send_error(404)


class Published(Voila):
    """Voila, closed to all but one page."""

    name = "voila"
    most_sessions = Int(20, help="pages open at once").tag(config=True)
    user_header = Unicode("", help="header in which the server in front names the user").tag(config=True)
    grace = Int(30, help="seconds that a page may be without connection before it counts as closed").tag(config=True)

    def waiting(self) -> int:
        """Pages prepared ahead of their visitors."""
        pools: dict[str, list] = getattr(self.kernel_manager, "_pools", {})
        return sum(len(pool) for pool in pools.values())

    def sessions(self) -> int:
        """Pages that visitors have open."""
        return max(len(self.kernel_manager.list_kernel_ids()) - self.waiting(), 0)

    def init_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = super().init_settings()
        settings["published"] = self
        settings["headers"] = HEADERS
        return settings

    async def end_left_pages(self) -> None:
        """End the kernels of pages that were connected and are no more: a browser that was killed says no goodbye."""
        manager, now = self.kernel_manager, time.monotonic()
        connected: dict[str, int] = getattr(manager, "_kernel_connections", {})
        there = set(manager.list_kernel_ids())
        for kernel in there:
            if connected.get(kernel, 0) > 0:
                self._last_seen[kernel] = now
        for kernel, seen in list(self._last_seen.items()):
            if kernel not in there:
                del self._last_seen[kernel]
            elif now - seen > self.grace:
                del self._last_seen[kernel]
                await ensure_async(manager.shutdown_kernel(kernel))

    def init_handlers(self) -> list:
        self._last_seen: dict[str, float] = {}
        # a page that connects anew within the grace, after a break of the network, keeps its kernel
        PeriodicCallback(self.end_left_pages, 1000 * min(5.0, max(self.grace / 2, 0.5))).start()
        replaced = {
            TornadoVoilaHandler: Page,
            VoilaShutdownKernelHandler: Closing,
            TemplateStaticFileHandler: Templates,
        }
        handlers: list[tuple] = [(f"{self.server_url.rstrip('/')}/healthz", Health, {"app": self})]
        for path, handler, *rest in super().init_handlers():
            if issubclass(handler, AllowListFileHandler):
                handlers.append((path, Nothing))
            else:
                handlers.append((path, replaced.get(handler, handler), *rest))
        return handlers


def main() -> None:
    """Run the server with Voila's own options."""
    Published.launch_instance()


if __name__ == "__main__":
    main()
