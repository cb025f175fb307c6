"""Who may come in, and how many: the rules of the page's door, as functions of what a request says."""

from __future__ import annotations

import hmac
import ipaddress
import itertools
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from elixer_widgets.widgets.frames import Bucket

SECRET_HEADER = "X-Elixer-Secret"
"""Header in which a proxy shows that it is the one."""

SECRET_VARIABLE = "ELIXER_WIDGETS_PROXY_SECRET"
"""The environment variable that tells the server what the proxy must bring; kernels never see it."""

TOKEN_VARIABLE = "ELIXER_WIDGETS_TOKEN"
"""The environment variable that tells the server what a visitor must bring; kernels never see it."""

OPENINGS, OPENINGS_AT_ONCE = 4.0, 40.0
"""Connections to one page: a second, and at once. What Jupyter keeps of each (20 kB) it forgets after a minute."""

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Refusal(Exception):
    """Why somebody is not let in: `code` for programs, the message for people. It repeats nothing that was sent."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def host_of(header: str) -> str:
    """The name in a `Host` header, without port and brackets, in small letters; "" if it is not one."""
    try:
        return (urlsplit(f"//{header.strip()}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_number(host: str) -> bool:
    """Whether a host is an address in numbers, which nobody's name server can point elsewhere."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Door:
    """Who is let in.

    Attributes
    ----------
    hosts : frozenset of str
        Names under which the page is served, besides those of this computer and addresses in numbers. A page of
        somebody else whose name was made to point here brings its own name along.
    token : str
        What a visitor must bring, in the address at first and as a cookie then; "" lets in everybody.
    secret : str
        What a proxy must bring that names users; "" where a Unix socket keeps others away.
    user_header : str
        Header in which the proxy names the user.
    """

    hosts: frozenset[str] = frozenset()
    token: str = ""
    secret: str = ""
    user_header: str = ""

    @property
    def cookie(self) -> str:
        """Name of the token's cookie: all ports of a computer share their cookies, so each page needs its own."""
        return f"elixer-widgets-{hmac.new(self.token.encode(), b'name', 'sha256').hexdigest()[:12]}"

    def admits_host(self, header: str | None) -> bool:
        """Whether the page is served under this name."""
        host = host_of(header or "")
        return bool(host) and (host in LOCAL or host in self.hosts or is_number(host))

    def admits_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a request that does something comes from a page of this server."""
        try:
            return bool(origin) and urlsplit(str(origin)).netloc.lower() == (host or "").strip().lower() != ""
        except ValueError:
            return False

    def knows(self, token: str | None) -> bool:
        """Whether this is the token."""
        return not self.token or hmac.compare_digest((token or "").encode(), self.token.encode())

    def check_proxy(self, brought: Iterable[str]) -> None:
        """Raise `Refusal` unless the secret was brought once, and is right."""
        known = list(brought)
        if self.secret and not (len(known) == 1 and hmac.compare_digest(known[0].encode(), self.secret.encode())):
            raise Refusal(403, "This page is reached through the server in front of it; ask who runs it.")


@dataclass
class Place:
    """One visitor's page, from the moment it is asked for to the end of its kernel."""

    number: int
    address: str
    since: float
    kernel: str = ""
    sent: float = math.nan
    connections: int = 0
    openings: Bucket = field(default_factory=lambda: Bucket(OPENINGS, OPENINGS_AT_ONCE))
    left: float = math.nan


class NoPlace(Exception):
    """All places are taken; `seconds` until one may be free."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no place for {seconds:.0f} s")
        self.seconds = max(1, math.ceil(seconds))


class Visitors:
    """The places of a server: one is taken before anything is waited for, so that no two visitors get the last.

    Parameters
    ----------
    most : int
        Places.
    most_each : int
        Places of one address; 0 for no limit, as behind a proxy, where all come from one.
    grace : float
        Seconds that a page may stay without a connection.
    idle : float
        Seconds after which a page without a sign of life ends.
    """

    YIELDS = 5.0
    """Seconds after which a page that never connected gives way to a visitor who has none."""

    def __init__(self, most: int, most_each: int = 0, grace: float = 30.0, idle: float = 1800.0) -> None:
        self.most, self.most_each, self.grace, self.idle = most, most_each, grace, idle
        self._places: dict[int, Place] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._places)

    def reserve(self, address: str, now: float) -> tuple[Place, str]:
        """A place for a visitor, and the kernel that has to end for it, or "".

        Raises
        ------
        NoPlace
        """
        held = [place for place in self._places.values() if place.address == address]
        crowded = bool(self.most_each) and len(held) >= self.most_each
        ended = ""
        if crowded or len(self) >= self.most:
            gives_way = self._gives_way(held if crowded else self._places.values(), now)
            if gives_way is None:
                raise NoPlace(self._wait(held if crowded else self._places.values(), now))
            ended = gives_way.kernel
            self.drop(gives_way)
        place = Place(next(self._numbers), address, now)
        self._places[place.number] = place
        return place, ended

    def _gives_way(self, places: Iterable[Place], now: float) -> Place | None:
        """The page that has waited longest for a browser which asked for it and never came."""
        waiting = [place for place in places if not place.connections and now - place.sent >= self.YIELDS]
        return min(waiting, key=lambda place: place.sent, default=None)

    def _wait(self, places: Iterable[Place], now: float) -> float:
        """Seconds until a place may be free: pages without a browser give way or end, the others when they are left."""
        alone = [place for place in places if not place.connections and place.left <= now]
        ends = [self.grace - (now - place.left) for place in alone]
        ends += [self.YIELDS - (now - place.sent) for place in alone if place.sent <= now]
        return min([*ends, 60.0])

    def drop(self, place: Place) -> None:
        """The place is free again."""
        self._places.pop(place.number, None)

    def sent(self, place: Place, now: float) -> None:
        """The page is with its visitor, whose browser has to connect now."""
        place.sent = place.left = now

    def of(self, kernel: str) -> Place | None:
        """The place that this kernel serves."""
        return next((place for place in self._places.values() if kernel and place.kernel == kernel), None)

    def connected(self, kernel: str) -> None:
        """A browser is there."""
        place = self.of(kernel)
        if place is not None:
            place.connections += 1

    def disconnected(self, kernel: str, now: float) -> None:
        """A browser is gone."""
        place = self.of(kernel)
        if place is not None:
            place.connections = max(place.connections - 1, 0)
            place.left = now
            # whoever was here once may come back within the grace; only a page never looked at gives way
            place.sent = math.nan

    def sweep(self, running: Iterable[str], now: float) -> list[str]:
        """Free the places whose kernels ended; the kernels that are to end because nobody is there."""
        there = set(running)
        for place in list(self._places.values()):
            if place.kernel and place.kernel not in there:
                self.drop(place)
        gone = [p for p in self._places.values() if p.kernel and not p.connections and now - p.left > self.grace]
        for place in gone:
            self.drop(place)
        return [place.kernel for place in gone]

    def kernels(self) -> frozenset[str]:
        """Kernels that serve visitors."""
        return frozenset(place.kernel for place in self._places.values() if place.kernel)


def new_token() -> str:
    """A token that nobody guesses: 192 bits."""
    return secrets.token_urlsafe(24)


def visitor_address(remote: str | None, headers: Mapping[str, str], trusted: bool) -> str:
    """Where a visitor comes from: what a trusted proxy says, else the other end of the line."""
    return (headers.get("X-Real-IP", "") if trusted else "") or remote or ""
