"""Computing centres: which one this is, and how much to ask of it."""

from __future__ import annotations

import itertools
import os
import socket
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from elixer_widgets._files import named_path
from elixer_widgets.detection import DataError

SITES_VARIABLE = "ELIXER_WIDGETS_SITES"
GENERIC = "generic"
MARGIN = 2.0
"""The time asked for, as a multiple of the time expected: a job that ends early costs nothing, one cut short does."""

LEAST_MINUTES = 10
MOST_DISPATCHES = 10_000  # their numbers have four digits


@dataclass(frozen=True)
class Queue:
    """What a queue gives: nodes a job, workers a node, hours a job, jobs of one user at a time."""

    name: str = ""
    nodes: int = 32
    workers: int = 1
    hours: float = 24.0
    jobs: int = 500


@dataclass(frozen=True)
class Site:
    """A computing centre; `sites.toml` says what each value means."""

    name: str
    queue: str = ""
    hosts: tuple[str, ...] = ()
    whole_nodes: bool = False
    account: str = ""
    seconds: float = 3.0
    overhead: float = 3.0
    prologue: tuple[str, ...] = ()
    resident: dict[str, Any] = field(default_factory=dict)
    queues: tuple[Queue, ...] = ()

    def chosen(self, name: str | None) -> Queue:
        """The queue of this name, else the usual one; a queue not in the table has the limits of the usual one."""
        usual = next((each for each in self.queues if each.name == self.queue), Queue(self.queue))
        if not name:
            return usual
        return next((each for each in self.queues if each.name == name), replace(usual, name=name))


@dataclass(frozen=True)
class Plan:
    """How a list is shared out: `dispatches` folders with `workers` processes each, `lines` of them a job, `jobs` jobs.

    `minutes` is the time to ask for; `cut` says that the queue does not give as much as is expected to be needed.
    """

    dispatches: int
    workers: int
    lines: int
    jobs: int
    minutes: int
    cut: bool = False


def own_files() -> list[Path]:
    """The user's own tables, the last one wins."""
    places = [Path(os.path.expanduser("~/.config/elixer-widgets/sites.toml"))]
    named = os.environ.get(SITES_VARIABLE, "").strip()
    return [each for each in places if each.is_file()] + ([named_path(named, SITES_VARIABLE)] if named else [])


def read_sites(own: Sequence[Path] = ()) -> dict[str, Site]:
    """The table of centres, with what the user's own files add or change.

    Raises
    ------
    DataError
        If a file cannot be read or has a value that is not known.
    """
    tables: dict[str, dict[str, Any]] = {}
    for path in (Path(__file__).with_name("sites.toml"), *own):
        try:
            with path.open("rb") as file:
                given = tomllib.load(file)
        except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"{path}: the table of computing centres cannot be read: {error}") from error
        for name, values in given.items():
            if not isinstance(values, dict):
                raise DataError(f"{path}: {name} is no centre; write its values below [centre]")
            site = tables.setdefault(name, {"queues": {}})
            for queue, limits in values.pop("queues", {}).items():
                site["queues"].setdefault(queue, {}).update(limits)
            site.update(values)
    try:
        return {name: _site(name, values) for name, values in tables.items()}
    except TypeError as error:
        known = ", ".join(sorted({each.name for each in (*fields(Site), *fields(Queue))}))
        raise DataError(f"{', '.join(map(str, own))}: {error}; the values known are {known}") from error


def _site(name: str, values: dict[str, Any]) -> Site:
    queues = tuple(Queue(queue, **limits) for queue, limits in values["queues"].items())
    lists: dict[str, Any] = {key: tuple(values[key]) for key in ("hosts", "prologue") if key in values}
    given: dict[str, Any] = values | lists | {"queues": queues}
    return Site(name, **given)


def this_site(sites: dict[str, Site], host: str | None = None) -> Site:
    """The centre that this computer belongs to, else `generic`."""
    names = {host} if host else {socket.getfqdn(), socket.gethostname(), os.environ.get("TACC_SYSTEM", "")}
    for site in sites.values():
        if any(name == end or name.endswith(f".{end}") for name in names for end in site.hosts):
            return site
    return sites[GENERIC]


def plan(
    site: Site, queue: Queue, count: int, tasks: int = 0, fill: int = 10, nodes: int = 0, factor: float = 1.0
) -> Plan:
    """Share out a list of `count` detections.

    Parameters
    ----------
    site : Site
    queue : Queue
    count : int
        Detections, at least one.
    tasks : int
        Workers in all, at most; 0: one for `fill` detections, as far as the queue has room.
    fill : int
        Detections a worker at least, if `tasks` is 0.
    nodes : int
        Nodes at most, 0: as many as the queue gives.
    factor : float
        The time asked for is multiplied by this.

    Returns
    -------
    Plan
    """
    most = min(nodes, queue.nodes) if nodes else queue.nodes
    room = most * queue.workers
    wanted = max(1, min(count, room, tasks if tasks > 0 else -(-count // max(1, fill))))
    if site.whole_nodes:
        dispatches = min(-(-wanted // queue.workers), MOST_DISPATCHES)
        workers = -(-wanted // dispatches)
    else:
        dispatches, workers = min(wanted, MOST_DISPATCHES), 1
    lines = -(-dispatches // queue.jobs)
    expected = site.overhead + site.seconds / 60 * count / (dispatches * workers)
    minutes = max(LEAST_MINUTES, round(expected * MARGIN * factor))
    longest = int(queue.hours * 60)
    return Plan(dispatches, workers, lines, -(-dispatches // lines), min(minutes, longest), minutes > longest)


def split(detectids: Sequence[int], parts: int) -> list[list[int]]:
    """Parts of nearly equal size, the first ones larger by one, as ELiXer makes them."""
    size, more = divmod(len(detectids), parts)
    ends = [size * number + min(number, more) for number in range(parts + 1)]
    return [list(detectids[begin:end]) for begin, end in itertools.pairwise(ends)]
