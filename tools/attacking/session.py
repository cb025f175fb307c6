"""A visitor without a browser: a page is opened, its widgets are read, its pages are turned."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from typing import Any

from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from attacking.bench import Target
from elixer_widgets.widgets import frames


def frame(kind: str, content: Any, channel: str = "shell", buffers: tuple[bytes, ...] = (), **header: Any) -> bytes:
    """A message as a browser sends it."""
    head = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "", "version": "5.3", "date": ""}
    parts = [json.dumps(part).encode() for part in (head | header, {}, {"version": "1.0.0"}, content)]
    made: bytes = serialize_msg_to_ws_v1([*parts, *buffers], channel)
    return made


class Session:
    """One visitor's line to a kernel."""

    def __init__(self, target: Target, kernel: str) -> None:
        self.target, self.kernel = target, kernel
        self.models: dict[str, dict[str, Any]] = {}
        self.closed = ""

    async def connect(self) -> Session:
        """Open the line and read all widgets."""
        host, port = self.target.place
        address = f"ws://{host}:{port}/api/kernels/{self.kernel}/channels"
        headers = {"Origin": self.target.url.rstrip("/"), **self.target.headers}
        self._line = await websocket_connect(
            HTTPRequest(address, headers=headers), subprotocols=[frames.PROTOCOL], max_message_size=200_000_000
        )
        self._control = uuid.uuid4().hex
        opening = {"comm_id": self._control, "target_name": "jupyter.widget.control", "data": {}}
        await self.send("comm_open", opening)
        await self.read()
        return self

    async def send(self, kind: str, content: Any, channel: str = "shell", buffers: tuple[bytes, ...] = ()) -> str:
        """Send a message; its number."""
        number = uuid.uuid4().hex
        await self._line.write_message(frame(kind, content, channel, buffers, msg_id=number), binary=True)
        return number

    async def next(self, seconds: float = 60.0) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        """Kind, parent and content of the next message; None if the line is closed."""
        data = await asyncio.wait_for(self._line.read_message(), seconds)
        if data is None:
            self.closed = f"{self._line.close_code} {self._line.close_reason}"
            return None
        _channel, parts = frames.split(data, most=1_000_000)
        header, parent, _metadata, content = (json.loads(bytes(part)) for part in parts[:4])
        return header["msg_type"], parent, content

    async def done(self, number: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """What comes until the kernel has done what was asked."""
        contents: list[dict[str, Any]] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = await self.next(seconds)
            if message is None:
                raise ConnectionError(self.closed)
            kind, parent, content = message
            contents.append(content)
            if kind == "status" and content.get("execution_state") == "idle" and parent.get("msg_id") == number:
                return contents
        raise TimeoutError

    async def read(self) -> None:
        """The state of every widget."""
        asked = {"comm_id": self._control, "data": {"method": "request_states"}}
        for content in await self.done(await self.send("comm_msg", asked), 120.0):
            data = content.get("data", {})
            if data.get("method") == "update_states":
                self.models = {key: each["state"] for key, each in data["states"].items()}

    def model(self, name: str) -> str:
        """The widget with a class of the page's style."""
        return next(key for key, state in self.models.items() if name in (state.get("_dom_classes") or ()))

    def custom(self, model: str, content: Any) -> dict[str, Any]:
        """What a widget of the browser says to its kernel."""
        return {"comm_id": model, "data": {"method": "custom", "content": content}}

    async def open_first(self) -> None:
        """On a published page: from the search to the first detection."""
        results = self.model("ew-landing-results")
        text = self.models[results]["markup"]
        key = text.split('data-key="', 1)[1].split('"', 1)[0]
        await self.done(await self.send("comm_msg", self.custom(results, {"picked": key})), 180.0)
        await self.read()
        self.showing = key

    async def turn(self, name: str = "ew-next") -> float:
        """Turn the page; seconds until the kernel has done it, and all of it was received.

        Raises
        ------
        RuntimeError
            If another page is not shown.
        """
        begun = time.monotonic()
        contents = await self.done(await self.send("comm_msg", self.custom(self.model(name), {"event": "click"})))
        taken = time.monotonic() - begun
        stamps = [
            c["data"]["content"].get("stamp") for c in contents if isinstance(c.get("data", {}).get("content"), dict)
        ]
        shown = [stamp["of"] for stamp in stamps if isinstance(stamp, dict)]
        if not shown or shown[-1] == getattr(self, "showing", None):
            raise RuntimeError(f"the page did not turn: {shown}")
        self.showing = shown[-1]
        return taken

    def close(self) -> None:
        """Hang up."""
        self._line.close()


class Other:
    """Somebody else who goes on turning pages, in a thread, while the server is attacked."""

    def __init__(self, target: Target, pause: float = 0.5) -> None:
        self.target, self.pause = target, pause
        self.turns: list[float] = []
        self.wrong = ""
        self.kernel = ""
        self._end, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self) -> None:
        try:
            self.kernel = self.target.page()
            session = await Session(self.target, self.kernel).connect()
            if not any("ew-next" in (state.get("_dom_classes") or ()) for state in session.models.values()) or any(
                "ew-landing-results" in (state.get("_dom_classes") or ()) for state in session.models.values()
            ):
                await session.open_first()
            self._ready.set()
            # forth and back in a list of twelve or more
            while not self._end.is_set():
                for name in ["ew-next"] * 10 + ["ew-prev"] * 10:
                    self.turns.append(await session.turn(name))
                    await asyncio.sleep(self.pause)
                    if self._end.is_set():
                        break
            session.close()
        except (
            RuntimeError,
            OSError,
            TimeoutError,
            StopIteration,
            KeyError,
        ) as error:  # told by `wrong`, in the thread that looks
            self.wrong = f"{type(error).__name__}: {error}"
        finally:
            self._ready.set()

    def __enter__(self) -> Other:
        self._thread.start()
        self._ready.wait(300)
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join(120)
        self.target.close(self.kernel)
