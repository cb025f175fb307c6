"""Frames and messages that are not what they say: each field, each length, both directions."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1

from attacking.bench import LIBRARY, Count, Target, Watch
from attacking.session import Other, frame
from attacking.wire import Wire
from elixer_widgets.widgets.frames import PROTOCOL

NUMBERS = (
    0,
    1,
    2,
    5,
    7,
    8,
    9,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32,
    3 * 10**8,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, 1e308, "", "x", "x" * 5000, "\x00", "../../etc/passwd", "<script>alert(1)</script>",
    "ü" * 200, [], {}, [[]], {"a": {"b": {}}}, ["x"] * 1000,
)  # fmt: skip
KINDS = (
    "comm_msg", "comm_open", "comm_close", "comm_info_request", "kernel_info_request", "execute_request", "input_reply",
    "shutdown_request", "interrupt_request", "debug_request", "inspect_request", "complete_request", "history_request",
    "is_complete_request", "create_subshell_request", "delete_subshell_request", "list_subshell_request", "status",
    "stream", "error", "", "Comm_Msg", "comm_msg ",
)  # fmt: skip
RAW = (
    b"", b"{", b"[" * 30_000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b"\xff\xfe", b"\x80", b"1" * 9000, b"NaN", b"null",
    b'"text"', b"[]", b"{}" * 10, b'{"a":1,"a":2', b"\x00", b'{"msg_type":"comm_msg"}', b"-", b"1e999999", b'"\\ud800"',
)  # fmt: skip

Lie = Callable[[random.Random], bytes]


def _whole(chance: random.Random) -> bytes:
    content = {"comm_id": "c" * 32, "data": {"method": "update", "state": {"value": 3}}}
    return frame("comm_msg", content, buffers=tuple(bytes(chance.randrange(20)) for _ in range(chance.randrange(4))))


def _count(chance: random.Random) -> bytes:
    rest = chance.choice((b"", _whole(chance)[8:], bytes(chance.randrange(200))))
    return struct.pack("<Q", chance.choice((*NUMBERS, chance.getrandbits(64), chance.randrange(50)))) + rest


def _offset(chance: random.Random) -> bytes:
    made = bytearray(_whole(chance))
    (count,) = struct.unpack_from("<Q", made)
    for _ in range(chance.randint(1, 3)):
        at = 8 * (1 + chance.randrange(count))
        struct.pack_into("<Q", made, at, chance.choice((*NUMBERS, chance.getrandbits(64), chance.randrange(len(made)))))
    return bytes(made)


def _length(chance: random.Random) -> bytes:
    made = _whole(chance)
    return made[: chance.randrange(len(made))] if chance.random() < 0.7 else made + bytes(chance.randint(1, 5000))


def _bytes_changed(chance: random.Random) -> bytes:
    made = bytearray(_whole(chance))
    for _ in range(chance.randint(1, 8)):
        made[chance.randrange(len(made))] = chance.randrange(256)
    return bytes(made)


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 7, 8, 9, 40, 400, 4000, 40_000)))


def _part(chance: random.Random) -> bytes:
    header = {"msg_id": "1", "msg_type": chance.choice(KINDS[:5]), "session": "s"}
    parts = [json.dumps(header).encode(), b"{}", b"{}", b'{"comm_id": "c"}']
    parts[chance.randrange(4)] = chance.choice(RAW)
    made: bytes = serialize_msg_to_ws_v1(parts[: chance.choice((1, 2, 3, 4, 4, 4, 4))], "shell")
    return made


def _header(chance: random.Random) -> bytes:
    field = chance.choice(("msg_id", "msg_type", "session", "username", "version", "date", "extra"))
    return frame("comm_msg", {"comm_id": "c" * 32, "data": {}}, **{field: chance.choice(VALUES)})


def _channel(chance: random.Random) -> bytes:
    name = chance.choice(("iopub", "stdin", "", "shell ", "SHELL", "heartbeat", "control\x00", "x" * 3000, "../shell"))
    return frame(chance.choice(KINDS), {"comm_id": "c" * 32}, name)


def _kind(chance: random.Random) -> bytes:
    content = {"code": "open('/tmp/elixer-was-run','w')", "silent": False, "value": "x", "restart": True}
    return frame(chance.choice(KINDS[5:]), content, chance.choice(("shell", "control")))


def _content(chance: random.Random) -> bytes:
    content = {"comm_id": "c" * 32, "target_name": "jupyter.widget.control", "data": {"method": "update", "state": {}}}
    content[chance.choice(list(content))] = chance.choice(VALUES)
    return frame(chance.choice(("comm_msg", "comm_open", "comm_close")), content)


def _large(chance: random.Random) -> bytes:
    if chance.random() < 0.02:
        return bytes(chance.choice((999_999, 1_000_001, 1_500_000)))
    return frame("comm_msg", {"comm_id": "c", "data": {}}, buffers=(b"",) * chance.choice((16, 17, 50, 1000)))


LIES: dict[str, Lie] = {
    "count of offsets": _count, "offsets": _offset, "length": _length, "bytes changed": _bytes_changed,
    "noise": _noise, "a part": _part, "a field of the header": _header, "channel": _channel,
    "kind of message": _kind, "a field of the content": _content, "large, many buffers": _large,
}  # fmt: skip


def _handshake(chance: random.Random) -> dict[str, str | None]:
    """A client that does not speak the one protocol, or that says something else that is not so."""
    protocols = (None, "", "v2", "v1", "v1.kernel.websocket.jupyter.org2", "x" * 3000, "jupyter", f"\t{PROTOCOL[:-1]}")
    changes: tuple[dict[str, str | None], ...] = (
        *({"Sec-WebSocket-Protocol": protocol} for protocol in protocols),
        {"Origin": None}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Version": "7"}, {"Upgrade": "h2c"}, {"Connection": "close"}, {"Host": "rebound.example"},
    )  # fmt: skip
    return chance.choice(changes)


def _below(wire: Wire, chance: random.Random) -> None:
    """A frame that breaks the websocket's own rules."""
    data = _whole(chance)
    chance.choice(
        (
            lambda: wire.send(data, reserved=chance.randint(1, 7)),
            lambda: wire.send(data, chance.choice((3, 4, 5, 6, 7, 11, 12, 15))),
            lambda: wire.send(data, masked=False),
            lambda: wire.send(data[:20], length=2**62),
            lambda: wire.send(b"x" * 200, 9),
            lambda: wire.send(b"\x00", 8),
            lambda: wire.send(data, 0),
            lambda: (wire.send(data[:9], final=False), wire.send(data)),
            lambda: wire.send(chance.choice(("text", "{}", "\ud7ff", "[" * 5000)).encode(), 1),
            lambda: wire.send(b"\xff\xfe", 1),
            lambda: wire.send(b"", 9, final=False),
        )
    )()


class Liar:
    """One that sends lies, over one line as long as it lives."""

    def __init__(self, target: Target, kernels: list[str], count: Count, seed: int) -> None:
        self.target, self.kernels, self.count = target, kernels, count
        self.chance = random.Random(seed)
        # a server of strangers counts requests by address
        self.source = f"127.0.{seed % 200 + 1}.{seed // 200 % 200 + 1}"
        self.wire: Wire | None = None

    def _line(self) -> Wire:
        end = time.monotonic() + 120
        while self.wire is None:
            wire = Wire(self.target, self.chance.choice(self.kernels), source=self.source)
            if wire.open:
                self.wire = wire
            elif wire.status == 429 and time.monotonic() < end:
                # so fast lies are not heard
                wire.close()
                time.sleep(0.1)
            else:
                raise ConnectionError(f"no line: {wire.said[:200]!r}")
        return self.wire

    def _judge(self, name: str, wire: Wire) -> None:
        what = wire.outcome()
        self.count.outcomes[what] += 1
        self.count.check(what != "silent", f"{name}: neither taken nor refused within 20 s")
        if what != "taken":
            self.count.check(not LIBRARY.search(wire.said.decode("utf-8", "replace")), f"{name}: said {wire.said!r}")
            wire.close()
            self.wire = None

    def lie(self, number: int) -> None:
        """One lie; every seventh is below the messages, and every seventh in the handshake."""
        if number % 7 == 0:
            change = _handshake(self.chance)
            wire = Wire(self.target, self.kernels[0], change, self.source)
            self.count.outcomes["handshake refused" if not wire.open else "taken"] += 1
            self.count.check(not wire.open, f"handshake with {change} was taken")
            self.count.check(not LIBRARY.search(wire.said.decode("utf-8", "replace")), f"{change}: said {wire.said!r}")
            wire.close()
            return
        wire = self._line()
        if number % 7 == 1:
            name = "below"
            self._send(lambda: _below(wire, self.chance))
        else:
            name = list(LIES)[number % len(LIES)]
            self._send(lambda: wire.send(LIES[name](self.chance)))
        self._judge(name, wire)

    def _send(self, send: Callable[[], object]) -> None:
        with suppress(OSError):  # closed while it was sent: the outcome tells
            send()


def lies(target: Target, number: int, seed: int = 1, at_once: int = 3, pages: int = 6) -> tuple[Count, str]:
    """So many lies while another visitor turns pages; what was seen, in words."""
    count = Count()
    with Other(target) as other:
        before = len(other.turns)
        kernels, keepers = [], []
        for _ in range(pages):
            kernels.append(target.page())
            keepers.append(Wire(target, kernels[-1]))  # a page stays as long as one line to it is open
        with Watch(target) as watch, ThreadPoolExecutor(at_once) as together:
            liars = [Liar(target, kernels, count, seed + n) for n in range(at_once)]

            def run(liar: Liar, first: int) -> None:
                for place in range(first, number, at_once):
                    if place // at_once % 100 == 99:
                        liar.source = f"127.{liar.chance.randint(1, 200)}.{liar.chance.randint(1, 200)}.1"
                        if liar.wire:
                            liar.wire.close()
                            liar.wire = None
                    liar.lie(place)

            for done in [together.submit(run, liar, first) for first, liar in enumerate(liars)]:
                done.result()
        words = watch.judge(count)
        for keeper, kernel in zip(keepers, kernels, strict=True):
            keeper.close()
            target.close(kernel)
        during = len(other.turns) - before
    count.check(not other.wrong, f"the other visitor: {other.wrong}")
    count.check(during > 0, "the other visitor turned no page")
    return count, f"{words}; the other visitor turned {during} pages"
