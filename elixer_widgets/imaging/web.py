"""Images from survey services on the web: plain HTTP, with time-outs, retries and a cache on disk.

Nothing here is asked unless somebody wants it (`web=True`). Without a network every service is "not reachable" within
two seconds, and for some minutes nobody waits for it again.
"""

from __future__ import annotations

import csv
import hashlib
import lzma
import os
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Protocol

import numpy as np

from elixer_widgets._cache import CACHE_VARIABLE, cache_folder, write_whole
from elixer_widgets._fits_files import fits_of_bytes
from elixer_widgets._packed import unpack
from elixer_widgets._version import __version__
from elixer_widgets.detection import DataError

WEB_VARIABLE = "ELIXER_WIDGETS_WEB"
"""Set to 1, the environment variable allows images from the web where nobody says otherwise."""


_KEPT = re.compile(r"[0-9a-f]{40}(?:\.[a-z]+)?")
"""Names of the files in the cache."""


class NotReachable(DataError):
    """A service on the web does not answer; the message says which, and for how long it is left alone."""


class Passing(DataError):
    """A fault that may be gone at the next try."""


def web_allowed() -> bool:
    """Whether the environment allows images from the web."""
    return os.environ.get(WEB_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on")


def use_web(allowed: bool = True) -> None:
    """Allow images from the web, or not, in this process and all that it starts: for a command line."""
    os.environ[WEB_VARIABLE] = "1" if allowed else "0"


@dataclass(frozen=True)
class Patience:
    """How long the web is waited for.

    `connect`, `read` and `total` seconds: for a connection, for the next byte, and for one file with all its tries;
    `tries` in all, the first `pause` seconds apart and then twice as long each time; a service that could not be
    reached is left alone for `remember` seconds; answers of more than `largest` bytes are refused, and the cache is
    kept below `cache` bytes.
    """

    connect: float = 2.0
    read: float = 10.0
    total: float = 30.0
    tries: int = 3
    pause: float = 0.5
    remember: float = 300.0
    largest: int = 64_000_000
    cache: int = 1_000_000_000


class WebClient:
    """Fetches files and keeps them. One instance remembers which hosts could not be reached; threads may share it."""

    def __init__(self, folder: Path | None = None, patience: Patience | None = None) -> None:
        self.folder = folder or cache_folder() / "web"
        self.patience = patience or Patience()
        self._sound: set[Path] = set()  # looked at by this instance, so as not to unpack each of them every time
        self._hosts: dict[tuple[str, int], tuple[float, str]] = {}
        self._gates: dict[tuple[str, int], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, url: str, check: Callable[[bytes], None], suffix: str = "") -> Path:
        """The file at an address, from the cache if it was fetched before.

        Parameters
        ----------
        url : str
        check : callable
            Raises DataError if the answer is not what it must be: such answers are not kept.
        suffix : str
            Ending of the kept file's name.

        Raises
        ------
        NotReachable
            If there is no way to the host.
        DataError
            If the host has no such file, or its answer is of no use.
        """
        path = self.folder / (hashlib.sha1(url.encode()).hexdigest() + suffix)
        if self._kept(path, check):
            return path
        content = self._fetch(url, check)
        try:
            write_whole(path, content)
            self._prune()
        except OSError as error:
            raise DataError(
                f"{self.folder}: cannot be written ({error.strerror}); name another folder in {CACHE_VARIABLE}"
            ) from error
        return path

    def _kept(self, path: Path, check: Callable[[bytes], None]) -> bool:
        """Whether a whole answer is in the cache. One that was damaged there is fetched again."""
        try:
            if not path.is_file():
                return False
            if path not in self._sound:
                if path.stat().st_size > self.patience.largest:
                    return False
                check(path.read_bytes())
                self._sound.add(path)
            os.utime(path)  # the least used go first when the cache is full
        except (OSError, DataError):
            return False
        return True

    def _fetch(self, url: str, check: Callable[[bytes], None]) -> bytes:
        deadline = time.monotonic() + self.patience.total
        pause = self.patience.pause
        for attempt in range(1, self.patience.tries + 1):
            try:
                self._require_host(url)
                content = self._download(url, deadline)
                try:
                    check(content)
                except DataError as error:
                    raise type(error)(f"{_host(url)}: {error}") from error
                return content
            except Passing as error:
                if attempt == self.patience.tries or time.monotonic() + pause > deadline:
                    raise DataError(f"{error} ({attempt} tries); ask again later") from error
                time.sleep(pause)
                pause *= 2.0
        raise DataError(f"{_host(url)}: not asked; let Patience.tries be at least 1")

    def _download(self, url: str, deadline: float) -> bytes:
        """The answer's body, whole.

        Raises
        ------
        Passing, NotReachable, DataError
        """
        host = _host(url)
        request = urllib.request.Request(url, headers={"User-Agent": f"elixer-widgets/{__version__}"})
        try:
            with urllib.request.urlopen(request, timeout=self.patience.read) as answer:
                announced = answer.headers.get("Content-Length")
                parts, size = [], 0
                while part := answer.read1(1 << 16):
                    parts.append(part)
                    size += len(part)
                    if size > self.patience.largest:
                        raise DataError(f"{host}: its answer has over {self.patience.largest} bytes; ask for less")
                    if time.monotonic() > deadline:
                        raise Passing(f"{host}: too slow, {size} bytes in {self.patience.total:g} s")
                if announced is not None and announced.isdecimal() and size < int(announced):
                    raise Passing(f"{host}: its answer was cut short after {size} of {announced} bytes")
                return b"".join(parts)
        except urllib.error.HTTPError as error:
            if error.code in (408, 429) or error.code >= 500:
                raise Passing(f"{host}: answers {error.code} {error.reason}") from error
            raise DataError(f"{host}: answers {error.code} {error.reason} to {url}") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise DataError(f"{host}: its certificate is not accepted ({error.reason.verify_message})") from error
            raise Passing(f"{host}: {error.reason}") from error
        except (TimeoutError, ConnectionError, HTTPException, ssl.SSLError, OSError) as error:
            raise Passing(f"{host}: {str(error) or type(error).__name__}") from error

    def reachable(self, url: str) -> str:
        """Why there is no way to a host, or to the proxy before it; "" if there is one. What is found is remembered."""
        place = _place(url)
        with self._lock:
            gate = self._gates.setdefault(place, threading.Lock())
        with gate:  # whoever else asks for this host waits for the same answer
            when, fault = self._hosts.get(place, (-float("inf"), ""))
            if time.monotonic() - when > self.patience.remember:
                fault = _connect(place, self.patience.connect)
                self._hosts[place] = (time.monotonic(), fault)
        return fault

    def _require_host(self, url: str) -> None:
        fault = self.reachable(url)
        if fault:
            raise NotReachable(
                f"not reachable: {_host(url)} ({fault}); it is left alone for {self.patience.remember / 60:g} minutes"
            )

    def _prune(self) -> None:
        """Remove the files used longest ago until the cache is small enough; only what has a name that `get` gives."""
        kept = [path for path in self.folder.iterdir() if _KEPT.fullmatch(path.name) and path.is_file()]
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in kept)
        size = sum(entry[1] for entry in files)
        for _, length, path in files:
            if size <= self.patience.cache:
                return
            path.unlink(missing_ok=True)
            size -= length


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url


def _place(url: str) -> tuple[str, int]:
    """Host and port that a connection goes to: a proxy's where one is set."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _connect(place: tuple[str, int], seconds: float) -> str:
    """Try to connect; what went wrong, or "".

    In a thread of its own: looking up a name has no time-out, and without a network may take a minute.
    """
    outcome: list[str] = []

    def attempt() -> None:
        try:
            socket.create_connection(place, timeout=seconds).close()
            outcome.append("")
        except OSError as error:
            outcome.append(error.strerror or str(error) or type(error).__name__)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds + 0.1)
    return outcome[0] if outcome else f"no answer within {seconds:g} s"


LARGEST_UNPACKED = 256_000_000  # bytes of an answer after unpacking


def check_fits(content: bytes) -> None:
    """Raise if an answer is not a whole FITS image."""
    try:
        content = unpack(content, LARGEST_UNPACKED)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise Passing(f"its packed file is broken or cut short ({error!s:.60})") from error
    if not content.startswith(b"SIMPLE  ="):
        start = content[:60].decode("latin-1").strip()
        if start.startswith("<") or "html" in start.lower():
            raise Passing("it answers with a web page, not with an image")
        raise DataError(f"its answer is not a FITS image; it begins {start!r:.50}")
    try:
        with fits_of_bytes(content) as hdus:
            images = [hdu for hdu in hdus if hdu.is_image and hdu.shape]
            if not images:
                raise DataError("its answer holds no image")
            if float(np.prod(images[0].shape, dtype=float)) * 4 > LARGEST_UNPACKED:
                raise DataError(f"its image of {images[0].shape} pixels is too large; ask for less")
            _ = images[0].data.shape
    except DataError:
        raise
    except Exception as error:  # a damaged file makes the FITS library fail in any of its parts
        raise Passing(f"its FITS image is broken or cut short ({error!s:.60})") from error


class WebService(Protocol):
    """One survey's service: where a band's image around a position is to be had."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address on each host that is asked."""
        ...

    def fetch(self, client: WebClient, band: str, ra: float, dec: float, size: float) -> Iterator[Path]:
        """Files with the image, the likeliest first, each fetched when it is asked for. `size` in arcsec."""
        ...


def _pixels(size: float, scale: float, most: int) -> int:
    return max(16, min(int(size / scale) + 2, most))


@dataclass(frozen=True)
class LegacyService:
    """The cutout service of the DESI Legacy Imaging Surveys, DR10: nanomaggies, one band a request."""

    base: str = "https://www.legacysurvey.org"
    layer: str = "ls-dr10"
    scale: float = 0.262

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address on each host that is asked."""
        return (self.base,)

    def fetch(self, client: WebClient, band: str, ra: float, dec: float, size: float) -> Iterator[Path]:
        """One file; where the survey has no data, its image is blank."""
        query = urllib.parse.urlencode(
            {
                "ra": f"{ra:.7f}",
                "dec": f"{dec:.7f}",
                "layer": self.layer,
                "pixscale": f"{self.scale:g}",
                "bands": band,
                "size": _pixels(size, self.scale, 512),
            }
        )
        yield client.get(f"{self.base}/viewer/fits-cutout?{query}", check_fits, ".fits")


@dataclass(frozen=True)
class PanStarrsService:
    """Pan-STARRS1: a table of the stack images at a position, and cutouts out of them."""

    base: str = "https://ps1images.stsci.edu"
    scale: float = 0.25

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address on each host that is asked."""
        return (self.base,)

    def fetch(self, client: WebClient, band: str, ra: float, dec: float, size: float) -> Iterator[Path]:
        """A file for each stack image that the service names."""
        query = urllib.parse.urlencode({"ra": f"{ra:.7f}", "dec": f"{dec:.7f}", "filters": band, "type": "stack"})
        table = client.get(f"{self.base}/cgi-bin/ps1filenames.py?{query}", _check_names, ".txt")
        for name in _names(table.read_text(encoding="ascii"), band):
            query = urllib.parse.urlencode(
                {
                    "ra": f"{ra:.7f}",
                    "dec": f"{dec:.7f}",
                    "size": _pixels(size, self.scale, 1024),
                    "format": "fits",
                    "red": name,
                }
            )
            yield client.get(f"{self.base}/cgi-bin/fitscut.cgi?{query}", check_fits, ".fits")


def _check_names(content: bytes) -> None:
    """Raise if an answer is not a table of image files."""
    try:
        _names(content.decode("ascii"), "")
    except UnicodeDecodeError as error:
        raise DataError("its answer is not a table of files") from error


def _names(text: str, band: str) -> list[str]:
    """File names of a band in the table that `ps1filenames` answers with."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or not {"filename", "filter"} <= set(lines[0]):
        raise DataError(f"its answer is not a table of files; it begins {text[:40]!r}")
    names, filters = lines[0].index("filename"), lines[0].index("filter")
    rows = [line for line in lines[1:] if len(line) == len(lines[0])]
    if len(rows) != len(lines) - 1:
        raise Passing("its table of files is cut short")
    return [row[names] for row in rows if row[filters] == band and row[names].endswith(".fits")]


@dataclass(frozen=True)
class SdssService:
    """SDSS DR17: the fields that hold a position from SkyServer, and their frames from the archive (nanomaggies)."""

    server: str = "https://skyserver.sdss.org/dr17"
    archive: str = "https://dr17.sdss.org/sas/dr17/eboss/photoObj/frames/301"

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address on each host that is asked."""
        return (self.server, self.archive)

    def fetch(self, client: WebClient, band: str, ra: float, dec: float, size: float) -> Iterator[Path]:
        """Whole frames, of 3 MB each, the best field first."""
        query = (
            f"SELECT TOP 3 run, camcol, field FROM Field WHERE {ra:.7f} BETWEEN raMin AND raMax "
            f"AND {dec:.7f} BETWEEN decMin AND decMax ORDER BY score DESC"
        )
        address = urllib.parse.urlencode({"cmd": query, "format": "csv"})
        table = client.get(f"{self.server}/SkyServerWS/SearchTools/SqlSearch?{address}", _check_fields, ".csv")
        for run, camcol, number in _fields(table.read_text(encoding="ascii")):
            name = f"frame-{band}-{run:06d}-{camcol}-{number:04d}.fits.bz2"
            yield client.get(f"{self.archive}/{run}/{camcol}/{name}", check_fits, ".fits.bz2")


def _check_fields(content: bytes) -> None:
    """Raise if an answer is not a table of fields."""
    try:
        _fields(content.decode("ascii"))
    except UnicodeDecodeError as error:
        raise DataError("its answer is not a table of fields") from error


def _fields(text: str) -> list[tuple[int, int, int]]:
    """(run, camcol, field) of each row that SkyServer answers with."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    table = csv.DictReader(lines)
    try:
        names, rows = set(table.fieldnames or ()), list(table)
    except csv.Error as error:
        raise DataError(f"its answer is not a table of fields ({error})") from error
    if not {"run", "camcol", "field"} <= names:
        raise DataError(f"its answer is not a table of fields; it begins {text[:40]!r}")
    found = []
    for row in rows:
        try:
            run, camcol, number = (int(row[name]) for name in ("run", "camcol", "field"))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"its table of fields has a row {row!r:.60}") from error
        if not (0 < run < 1_000_000 and 1 <= camcol <= 6 and 0 < number < 10_000):
            raise DataError(f"its table of fields has a field {run}-{camcol}-{number}, which SDSS does not have")
        found.append((run, camcol, number))
    return found
