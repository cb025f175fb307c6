"""Ways in for another user of the same computer. Run as a program it is that user, and needs no package of ours.

python tools/attacking/neighbour.py '{"page": [port, server], "named": [port, server], "socket": "...", ...}'
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import struct
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

WAYS: dict[str, Callable[[dict[str, Any]], str]] = {}
"""Each gives what it got, "" for nothing."""


def way(name: str) -> Callable[[Callable[[dict[str, Any]], str]], Callable[[dict[str, Any]], str]]:
    """Enter a way into the list."""

    def enter(function: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
        WAYS[name] = function
        return function

    return enter


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    return answer.status, text + str(answer.getheaders())


def came_in(answer: tuple[int, str]) -> str:
    """What an answer gives away."""
    status, text = answer
    return f"{status}" if status in (101, 204, 302) or "kernelId" in text or "Set-Cookie" in text else ""


def upgrade(**more: str) -> dict[str, str]:
    """Headers of a websocket."""
    known = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
    known |= {"Sec_WebSocket_Key": "A" * 22 + "==", "Sec_WebSocket_Protocol": "v1.kernel.websocket.jupyter.org"}
    return known | more


def readable(paths: Any) -> str:
    """The first file that can be read."""
    for path in paths:
        with suppress(OSError):
            if path.is_file() and path.read_bytes()[:1]:
                return str(path)
    return ""


def processes(known: dict[str, Any]) -> list[int]:
    """The servers and their kernels."""
    found = [known["page"][1], known["named"][1]]
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) in found[:2]:
                found.append(int(entry.name))
    return found


@way("the page without its token")
def _bare(known: dict[str, Any]) -> str:
    return came_in(ask(known["page"][0], "/")) or came_in(ask(known["page"][0], "/voila/static/voila.js"))


@way("guessed tokens")
def _guessed(known: dict[str, Any]) -> str:
    tries = ("", "x", "token", "0" * 32, "%00", "*", "a" * 500)
    return "".join(came_in(ask(known["page"][0], f"/?token={each}")) for each in tries)


@way("a guessed cookie")
def _cookie(known: dict[str, Any]) -> str:
    return came_in(ask(known["page"][0], "/", Cookie="elixer-widgets-000000000000=x; token=x"))


@way("a websocket without the token")
def _line(known: dict[str, Any]) -> str:
    path, origin = f"/api/kernels/{uuid.uuid4()}/channels", f"http://127.0.0.1:{known['page'][0]}"
    return came_in(ask(known["page"][0], path, **upgrade(Origin=origin)))


@way("the server's environment")
def _environment(known: dict[str, Any]) -> str:
    return readable(Path(f"/proc/{number}/environ") for number in known_servers(known))


def known_servers(known: dict[str, Any]) -> list[int]:
    """The two servers."""
    return [known["page"][1], known["named"][1]]


@way("the kernels' environments")
def _kernels(known: dict[str, Any]) -> str:
    return readable(Path(f"/proc/{number}/environ") for number in processes(known)[2:])


@way("a token or secret in a command line")
def _lines(known: dict[str, Any]) -> str:
    for number in processes(known):
        line = Path(f"/proc/{number}/cmdline").read_text()
        if re.search(r"token|secret[^-]|[A-Za-z0-9_-]{32}(?![A-Za-z0-9_-]*\.json)", line.replace("\0", " "), re.I):
            hits = re.findall(r"(?:token|secret)=\S+", line)
            if hits:
                return hits[0]
    return ""


@way("memory and open files of the processes")
def _memory(known: dict[str, Any]) -> str:
    for number in processes(known):
        with suppress(OSError):
            os.listdir(f"/proc/{number}/fd")
            return f"fd of {number}"
        with suppress(OSError), open(f"/proc/{number}/mem", "rb"):
            return f"mem of {number}"
    return ""


@way("working folders through /proc")
def _folders(known: dict[str, Any]) -> str:
    for number in processes(known):
        with suppress(OSError):
            return str(os.listdir(f"/proc/{number}/cwd"))
    return ""


@way("files in the folder for temporary files")
def _temporary(known: dict[str, Any]) -> str:
    folders = [path for path in Path(known["temporary"]).iterdir() if path.name.startswith(("elixer-", "jupyter"))]
    for folder in folders:
        with suppress(OSError):
            return str(os.listdir(folder)) if folder.is_dir() else ""
    return ""


@way("connection files of kernels")
def _connections(known: dict[str, Any]) -> str:
    named = []
    for number in processes(known):
        named += re.findall(r"/[^\0]+\.json", Path(f"/proc/{number}/cmdline").read_text())
    return readable(Path(each) for each in named)


def _kind(port: int) -> str:
    """What kind of socket of ZMQ listens at a port; a PULL only takes, and ipykernel's looks for a number in it."""
    ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB\x08Identity\x00\x00\x00\x00"
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + bytes(32)
    said = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as line:
        line.settimeout(2)
        line.sendall(greeting + bytes([4, len(ready)]) + ready)
        while more := line.recv(1000):
            said += more
    known = re.search(rb"Socket-Type\x00\x00\x00.([A-Z]+)", said)
    return known[1].decode() if known else ""


@way("the kernels' own ports: what they tell")
def _ports(known: dict[str, Any]) -> str:
    owner, heard = known["owner"], []
    ours = {known["page"][0], known["named"][0]}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        place, state, uid, inode = (line.split()[n] for n in (1, 3, 7, 9))
        port = int(place.split(":")[1], 16)
        if state != "0A" or int(uid) != owner or port in ours or inode not in known["inodes"]:
            continue
        kind = _kind(port)
        if kind in ("PUB", "XPUB", "ROUTER", "REP", "DEALER"):
            heard.append(f"{kind} at {port}")
    return ", ".join(heard)


@way("the kernels' own sockets")
def _ipc(known: dict[str, Any]) -> str:
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        path = line.split()[-1]
        if "-ipc-" in path and "elixer-" in path:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as line_:
                line_.connect(path)
                return path
    return ""


@way("a page prepared ahead")
def _prepared(known: dict[str, Any]) -> str:
    got = ""
    for port in (known["page"][0], known["named"][0]):
        for secret in ("", "guessed"):
            headers = upgrade(Origin=f"http://127.0.0.1:{port}", X_Elixer_Waiting=secret)
            got += came_in(ask(port, f"/voila/query/{uuid.uuid4()}", **headers))
    return got


@way("a foreign origin")
def _origin(known: dict[str, Any]) -> str:
    path = f"/voila/api/shutdown/{uuid.uuid4()}"
    return came_in(ask(known["page"][0], path, "POST", Origin="http://elsewhere.example", Content_Length="0"))


@way("a name that leads here")
def _rebound(known: dict[str, Any]) -> str:
    got = ""
    for host in ("rebound.example", "127.0.0.1.nip.io", "localhost.rebound.example", "rebound.example:80", "0x7f.1"):
        got += came_in(ask(known["page"][0], "/", Host=host)) + came_in(ask(known["named"][0], "/", Host=host))
    return got


@way("a forged name of a user")
def _forged(known: dict[str, Any]) -> str:
    return came_in(ask(known["named"][0], "/", X_Forwarded_User="karl"))


@way("a forged name with a guessed secret")
def _secret(known: dict[str, Any]) -> str:
    got = ""
    for secret in ("", "secret", "0" * 48, "%"):
        got += came_in(
            ask(known["named"][0], "/", X_Forwarded_User="karl", X_Elixer_Secret=secret, X_Real_IP="1.2.3.4")
        )
    return got


@way("the file of the proxy's secret")
def _file(known: dict[str, Any]) -> str:
    return readable([Path(known["secret"])])


@way("the Unix socket")
def _socket(known: dict[str, Any]) -> str:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.connect(known["socket"])
        return "connected"
    return ""


@way("a socket put in the place of theirs")
def _replaced(known: dict[str, Any]) -> str:
    with suppress(OSError):
        os.rename(known["socket"], known["socket"] + ".old")
        return "moved"
    return ""


@way("their processes ended")
def _ended(known: dict[str, Any]) -> str:
    for number in processes(known):
        with suppress(OSError):
            os.kill(number, 0)
            return str(number)
    return ""


@way("a frame without a place, and a request cut in half")
def _raw(known: dict[str, Any]) -> str:
    with socket.create_connection(("127.0.0.1", known["page"][0]), 20) as line:
        line.sendall(struct.pack("<Q", 2**60) + b"\r\n\r\n")
        line.settimeout(20)
        said = line.recv(1000)
    return "" if b"kernelId" not in said and b" 200 " not in said else said.decode("latin-1")


def main() -> None:
    """All ways, one after the other; their names and what they got, as JSON."""
    known = json.loads(sys.argv[1])
    got = {}
    for name, function in WAYS.items():
        try:
            got[name] = function(known)
        except OSError as error:
            got[name] = "" if isinstance(error, PermissionError | ConnectionError) else f"failed: {error}"
    sys.stdout.write(json.dumps({"user": os.getuid(), "ways": got}))


if __name__ == "__main__":
    main()
