"""A server to attack, and what is watched meanwhile: whether it answers, what it takes, what it says."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

LIBRARY = re.compile(
    r"Traceback|tornado|site-packages|voila\.|jupyter_server|\.py\b|line \d+, in|root:|/home/|/tmp/|/usr/lib", re.I
)
"""What no error's answer may hold. The page itself names Voila's own scripts, and is looked at for paths alone."""

PAGE = re.compile(r"Traceback|site-packages|line \d+, in|root:x:|/home/|/tmp/|/usr/lib")


@dataclass
class Count:
    """What was tried, what became of it, and what was wrong."""

    outcomes: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many."""
        return sum(self.outcomes.values())

    def check(self, true: object, what: str) -> None:
        """Note what is not as it should be."""
        if not true:
            self.wrong.append(what)
            if len(self.wrong) <= 20:
                print(f"  WRONG: {what}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Target:
    """A server that runs.

    Attributes
    ----------
    url : str
        With a slash at the end.
    process : int
    cookie : str
        What its owner's browser sends; "" for a public page.
    """

    url: str
    process: int
    cookie: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    @property
    def headers(self) -> dict[str, str]:
        """What its owner's browser sends along."""
        return {"Cookie": self.cookie} if self.cookie else {}

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of an answer; the path is sent as it is."""
        connection = http.client.HTTPConnection(*self.place, timeout=180)
        try:
            connection._validate_path = lambda _path: None  # type: ignore[attr-defined]
            connection.request(method, path, body=body, headers={**self.headers, **(headers or {})})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def health(self) -> dict[str, int]:
        """What it says of itself."""
        known: dict[str, int] = json.loads(self.ask("/healthz")[2])
        return known

    def page(self, query: str = "") -> str:
        """Open a page as a browser does; the number of its kernel."""
        while True:
            status, headers, text = self.ask("/" + query)
            if status != 503:
                break
            time.sleep(min(float(headers.get("Retry-After", 1)), 5.0))
        known = re.search(r'"kernelId": "([0-9a-f-]{36})"', text)
        if status != 200 or known is None:
            raise RuntimeError(f"no page: {status} {text[:300]}")
        return known[1]

    def close(self, kernel: str) -> int:
        """Say that a page was closed; the status of the answer, 204 if it was."""
        headers = {"Origin": self.url.rstrip("/"), "Content-Length": "0"}
        return self.ask(f"/voila/api/shutdown/{kernel}", "POST", headers)[0]


def pss(process: int) -> float:
    """MB that a process adds to what is in use, shared pages counted once."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))) / 1024


def children(process: int) -> list[int]:
    """Processes that a process started and that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
        except (OSError, IndexError, ValueError):
            continue
        if int(parent) == process and state != "Z":
            found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool], patience: float) -> bool:
    """Wait for something; whether it came."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


class Watch:
    """Asks the server ten times a second whether it is well, and takes the longest answer and the most memory."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.asked, self.slowest, self.failed = 0, 0.0, 0
        self.slow: list[float] = []
        self.before = self.most = pss(target.process)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._end.wait(0.1):
            begun = time.monotonic()
            try:
                connection = http.client.HTTPConnection(*self.target.place, timeout=30)
                connection.request("GET", "/healthz")
                well = connection.getresponse().status == 200
                connection.close()
            except (OSError, http.client.HTTPException):
                well = False
            self.asked += 1
            self.failed += not well
            waited = time.monotonic() - begun
            self.slowest = max(self.slowest, waited)
            if waited > 1.0:
                self.slow.append(waited)
            if self.asked % 10 == 0:
                self.most = max(self.most, pss(self.target.process))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join(60)
        self.most = max(self.most, pss(self.target.process))

    def judge(self, count: Count, seconds: float = 1.0, megabytes: float = 50.0) -> str:
        """What was seen, in words; what is too much is noted."""
        grown = self.most - self.before
        count.check(self.asked and not self.failed, f"/healthz failed {self.failed} of {self.asked} times")
        count.check(self.slowest <= seconds, f"/healthz took {self.slowest:.2f} s")
        count.check(grown < megabytes, f"the server grew by {grown:.0f} MB")
        return (
            f"/healthz asked {self.asked} times, at most {1000 * self.slowest:.0f} ms "
            f"({len(self.slow)} over 1 s), load {os.getloadavg()[0]:.1f}; server grew by {grown:.1f} MB"
        )


@contextmanager
def _command(arguments: list[str], said: re.Pattern[str], log: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """A command of ours until it has told its address; the address and the process."""
    start = [sys.executable, "-c", "import sys; from elixer_widgets.cli import main; sys.exit(main())"]
    with log.open("wb") as output, subprocess.Popen([*start, *arguments], stderr=output, stdout=output) as process:
        try:
            if not until(lambda: bool(said.search(log.read_text())) or process.poll() is not None, 300.0):
                raise RuntimeError("the server did not start")
            told = said.search(log.read_text())
            if told is None:
                raise RuntimeError(log.read_text()[-2000:])
            yield told[1], process
        finally:
            process.terminate()
            process.wait(60)


def server_below(process: int) -> int:
    """The server that a command of ours started."""
    for child in children(process):
        if b"voila_app" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise RuntimeError("no server")


@contextmanager
def served(release: Path, log: Path, *options: str) -> Iterator[Target]:
    """`elixer-widgets serve`, until the end of the block."""
    arguments = ["serve", str(release), "--port", "0", *options]
    with _command(arguments, re.compile(r"published at (http\S+)"), log) as (url, process):
        yield Target(url, server_below(process.pid))


@contextmanager
def explored(release: Path, log: Path, *options: str) -> Iterator[tuple[Target, str]]:
    """`elixer-widgets explore`, until the end of the block; and the address with its token."""
    arguments = ["explore", str(release), "--port", "0", "--no-browser", *options]
    with _command(arguments, re.compile(r"ELiXer Widgets: (http\S+)"), log) as (address, process):
        url = address.partition("?")[0]
        bare = Target(url, server_below(process.pid))
        _status, headers, _text = bare.ask(address.removeprefix(url.rstrip("/")))
        yield Target(url, bare.process, headers["Set-Cookie"].partition(";")[0]), address


@contextmanager
def socketed(release: Path, log: Path, place: Path) -> Iterator[int]:
    """`elixer-widgets serve` at a Unix socket, until the end of the block; its process."""
    arguments = ["serve", str(release), "--socket", str(place), "--warm", "0"]
    with _command(arguments, re.compile(r"published at the (socket)"), log) as (_word, process):
        yield server_below(process.pid)
