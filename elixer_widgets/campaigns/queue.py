"""In which order detections are shown: the owner's list, filtered and sorted, with known objects and blind repeats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from elixer_widgets.campaigns.definition import Definition
from elixer_widgets.detection import DataError

GAP, SPREAD = 20, 80
"""A repeat comes so many detections after its first showing at the least, and so many more at the most: far enough to
have forgotten it, near enough to be met the same night."""


class Task(NamedTuple):
    """One entry of a queue: a detection, and whether it is shown for the first time (0) or again (1)."""

    detectid: int
    occasion: int = 0


def draw(*words: object) -> int:
    """A number out of 2^64 that depends on nothing but these words."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, words)).encode()).digest()[:8], "big")


def repeated(definition: Definition, inspector: str) -> frozenset[int]:
    """The detections that an inspector meets twice: one drawn from each run of 1/share of the owner's list."""
    if definition.repeats <= 0.0:
        return frozenset()
    run = max(round(1.0 / definition.repeats), 2)
    ids = definition.detectids
    drawn = set()
    for start in range(0, len(ids), run):
        chosen = start + draw("repeat", definition.seed, inspector, start) % run
        if chosen < len(ids):
            drawn.add(ids[chosen])
    return frozenset(drawn)


def tasks(definition: Definition, inspector: str, order: Sequence[int] | None = None) -> tuple[Task, ...]:
    """An inspector's queue.

    Parameters
    ----------
    definition : Definition
    inspector : str
        Repeats are drawn for each; known objects lie at the same places for all.
    order : sequence of int, optional
        Some or all of the list in another order; the owner's order by default.

    Returns
    -------
    tuple of Task
        Known objects that are not in the list stand among the others. A repeat for which there is no place
        `GAP` detections later is left out.
    """
    ids = list(definition.detectids if order is None else order)
    listed = set(ids)
    for each in definition.known:
        if each not in listed and (order is None or each not in definition.detectids):
            ids.insert(draw("known", definition.seed, each) % (len(ids) + 1), each)
    twice = repeated(definition, inspector)
    due: dict[int, list[int]] = {}
    for place, each in enumerate(ids):
        if each in twice and place + GAP < len(ids):
            later = place + GAP + draw("place", definition.seed, inspector, each) % SPREAD
            due.setdefault(min(later, len(ids) - 1), []).append(each)
    made = []
    for place, each in enumerate(ids):
        made.append(Task(each))
        made += [Task(again, 1) for again in due.get(place, ())]
    return tuple(made)


# -------------------------------------------------------------------------------------------- sorting, filtering


@dataclass(frozen=True)
class Facts:
    """What is known of detections before anybody looks, for sorting and filtering.

    Attributes
    ----------
    detectid : array of int, shape (n,)
    columns : mapping of str to array, shape (n,)
        For example "sn", "doubt", "p_lya", "flags"; NaN for none.
    """

    detectid: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def of(self, name: str, detectids: Iterable[int]) -> np.ndarray:
        """A column for these detections, NaN where nothing is known.

        Raises
        ------
        DataError
            If there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"there is no column {name!r} to sort or filter by; there are {', '.join(self.columns)}")
        order = np.argsort(self.detectid, kind="stable")
        # longer numbers than 64 bits hold stand in no table
        wanted = np.fromiter((each if each < 2**63 else -1 for each in detectids), np.int64)
        values = np.asarray(self.columns[name], float)
        if not self.detectid.size:
            return np.full(wanted.size, np.nan)
        place = np.minimum(np.searchsorted(self.detectid, wanted, sorter=order), self.detectid.size - 1)
        rows = order[place]
        return np.where(self.detectid[rows] == wanted, values[rows], np.nan)

    def joined(self, other: Facts) -> Facts:
        """These facts and the columns of another table, for the detections of this one."""
        more = {name: other.of(name, self.detectid) for name in other.columns if name not in self.columns}
        return Facts(self.detectid, {**self.columns, **more})


def doubt(probabilities: np.ndarray) -> np.ndarray:
    """How unsure a posterior is: its entropy over that of complete ignorance, 0 to 1.

    Parameters
    ----------
    probabilities : array, shape (n, k)
        Each row sums to 1; NaN where unknown.
    """
    p = np.asarray(probabilities, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0.0, -p * np.log(p), np.where(np.isnan(p), np.nan, 0.0))
    return terms.sum(axis=1) / np.log(p.shape[1])


def ordered(
    detectids: Sequence[int], facts: Facts, by: str, *, descending: bool = True, unknown_last: bool = True
) -> list[int]:
    """A list sorted by a column; what is equal keeps the list's own order.

    Parameters
    ----------
    by : str
        A column of `facts`.
    unknown_last : bool
        Where detections stand of which the column says nothing.
    """
    values = facts.of(by, detectids)
    unknown = np.isnan(values)
    keys = np.where(unknown, 0.0, -values if descending else values)
    order = np.lexsort((keys, unknown if unknown_last else ~unknown))
    return [detectids[place] for place in order]


def filtered(
    detectids: Sequence[int], facts: Facts, by: str, *, low: float = -np.inf, high: float = np.inf, flag: int = 0
) -> list[int]:
    """Those of a list whose column lies within bounds, or has one of the bits of `flag` set; not the unknown ones."""
    values = facts.of(by, detectids)
    if flag:
        bits = np.where(np.isnan(values), 0, values).astype(np.int64)
        keep = (bits & flag) != 0
    else:
        keep = (values >= low) & (values <= high)
    return [each for each, kept in zip(detectids, keep, strict=True) if kept]
