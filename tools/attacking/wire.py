"""A websocket by hand: what a browser's own would never send goes through here as well."""

from __future__ import annotations

import base64
import os
import socket
import struct
from collections.abc import Mapping

from attacking.bench import Target
from elixer_widgets.widgets.frames import PROTOCOL


class Wire:
    """A connection to a kernel's channel, or `status` of what was said instead.

    Parameters
    ----------
    target : Target
    kernel : str
    changed : mapping
        Headers of the handshake that are to be others; None leaves one out.
    source : str
        Where it comes from: a computer has 16 million addresses of its own.
    """

    def __init__(
        self, target: Target, kernel: str, changed: Mapping[str, str | None] | None = None, source: str = "127.0.0.1"
    ) -> None:
        host, port = target.place
        self.line = socket.create_connection((host, port), 20, source_address=(source, 0))
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers: dict[str, str | None] = {
            "Host": f"{host}:{port}", "Origin": target.url.rstrip("/"), "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": PROTOCOL, **target.headers, **(changed or {}),
        }  # fmt: skip
        lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
        self.line.sendall(f"GET /api/kernels/{kernel}/channels HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"))
        self._rest = b""
        while b"\r\n\r\n" not in self._rest:
            more = self.line.recv(65536)
            if not more:
                break
            self._rest += more
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        self.status = int(head.split()[1]) if len(head.split()) > 1 else 0
        self.said = head + b"\r\n\r\n" + self._rest

    @property
    def open(self) -> bool:
        """Whether it is a websocket."""
        return self.status == 101

    def send(self, data: bytes, opcode: int = 2, *, final: bool = True, reserved: int = 0, masked: bool = True,
             length: int | None = None) -> None:  # fmt: skip
        """A frame of the websocket; `length` is what it says of its own."""
        size = len(data) if length is None else length
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        bit = 0x80 if masked else 0
        if size < 126:
            head += bytes([bit | size])
        elif size < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", size)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", size)
        # a mask of zeros leaves all as it is
        self.line.sendall(head + (bytes(4) if masked else b"") + data)

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            more = self.line.recv(1 << 20)
            if not more:
                raise ConnectionError
            self._rest += more
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def receive(self) -> tuple[int, bytes]:
        """Kind and content of a frame from the server."""
        first, second = self._take(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack(">H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._take(8))
        return first & 15, self._take(size)

    def outcome(self, seconds: float = 20.0) -> str:
        """What became of what was sent: "taken" if the line lives on, else "closed"; "silent" is wrong."""
        self.line.settimeout(seconds)
        try:
            self.send(b"there?", 9)
            while True:
                kind, content = self.receive()
                if kind == 10 and content == b"there?":
                    return "taken"
                if kind == 8:
                    self.said = content
                    return "closed"
        except TimeoutError:
            return "silent"
        except OSError:
            return "closed"

    def close(self) -> None:
        """Hang up."""
        self.line.close()
