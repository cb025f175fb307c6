"""What the kernel of a page does for its server: wait for its visitor, and take no more than its share."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor

from elixer_widgets._errors import DataError

SECRET_VARIABLE = "ELIXER_WIDGETS_WAITING"
"""What the kernel shows to the server that started it."""

SERVER_VARIABLE = "ELIXER_WIDGETS_SERVER"
"""Where that server listens: `http://127.0.0.1:8866/`, or `unix:` and the path of a socket and the part after it."""

_HEADER = "X-Elixer-Waiting"
_GONE = "the server ended before this page was asked for; load the page again"


def limit_memory(gigabytes: float) -> None:
    """Let this process take no more than so much memory: one page must not stop the others.

    Parameters
    ----------
    gigabytes : float
        Infinity for no limit but the computer's, where the server's own limit was inherited.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    size = hard if gigabytes == float("inf") else int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def limit_time(seconds: int) -> None:
    """Let this process take no more than so much time of a processor, all that it took until now included.

    Then the system ends it: a page that computes without end, whatever made it do so, does not do it for ever.

    Parameters
    ----------
    seconds : int
        Of one core, 1 or more.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = seconds if hard == resource.RLIM_INFINITY else min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


async def _asked(server: str, kernel: str, secret: str) -> str | bytes | None:
    # a kernel has tornado in memory; the server's own helper for this would bring the whole server along
    from tornado.httpclient import HTTPRequest
    from tornado.netutil import Resolver
    from tornado.websocket import websocket_connect

    class AtSocket(Resolver):
        """Leads to a Unix socket, whatever the name."""

        def initialize(self, path: str) -> None:
            self._path = path

        async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> list:
            return [(socket.AF_UNIX, self._path)]

    path, resolver = server, None
    if server.startswith("unix:"):
        place, _, rest = server.removeprefix("unix:").partition("|")
        path, resolver = f"http://localhost/{rest.lstrip('/')}", AtSocket(path=place)
    address = f"{path.replace('http', 'ws', 1).rstrip('/')}/voila/query/{kernel}"
    connection = await websocket_connect(HTTPRequest(address, headers={_HEADER: secret}), resolver=resolver)
    try:
        return await connection.read_message()
    finally:
        connection.close()


def await_visitor(environment: MutableMapping[str, str] | None = None) -> None:
    """Wait until somebody opens this kernel's page; what was asked for is then in the environment.

    Raises
    ------
    DataError
        If the server ends before anybody comes.
    """
    from tornado.httpclient import HTTPError

    known = os.environ if environment is None else environment
    server, kernel = known.get(SERVER_VARIABLE, ""), known.get("VOILA_KERNEL_ID", "")
    # the kernel's own loop runs in this thread
    with ThreadPoolExecutor(1, "elixer-visitor") as aside:
        asking = aside.submit(asyncio.run, _asked(server, kernel, known.get(SECRET_VARIABLE, "")))
        try:
            answer = asking.result()
        except (OSError, HTTPError) as error:
            raise DataError(f"{_GONE} ({error})") from error
    if answer is None:
        raise DataError(_GONE)
    for name, value in json.loads(answer).items():
        known[str(name)] = str(value)
