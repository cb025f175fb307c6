"""The order of the work: detections of one shot and amplifier together, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from elixer_widgets.releases import HdrRelease, Release

CHUNK = 12
"""Detections a piece, at most: some ten seconds of work, so that little is done again when a worker dies."""

FEW = 200
"""Up to so many detections are grouped by their numbers: a release numbers them shot by shot, and reading the table of
all its detections would take longer than is won."""


def places(release: Release, detectids: Sequence[int]) -> dict[int, tuple[int, bytes]]:
    """The shot and the amplifier (multiframe) of detections, as far as the release tells.

    Parameters
    ----------
    release : Release
    detectids : sequence of int

    Returns
    -------
    dict
        detectid -> (shotid, multiframe)
    """
    found: dict[int, tuple[int, bytes]] = {}
    if not isinstance(release, HdrRelease) or len(detectids) <= FEW:
        return found
    wanted = set(detectids)
    for file in release.files:
        columns = file.columns(("detectid", "shotid", "multiframe"))
        ids, shots = columns["detectid"].tolist(), columns["shotid"].tolist()
        frames = columns["multiframe"].tolist() if "multiframe" in columns else [b""] * len(ids)
        found |= {each: (shot, frame) for each, shot, frame in zip(ids, shots, frames, strict=True) if each in wanted}
    return found


def chunks(release: Release, detectids: Sequence[int], size: int = CHUNK) -> list[list[int]]:
    """Split detections into pieces, each of one shot, neighbours on the same amplifier.

    A worker that goes through a piece opens one shot file and finds its images in memory after the first look. Small
    shots share a piece, so that there are not many more pieces than needed.

    Parameters
    ----------
    release : Release
    detectids : sequence of int
        Each once.
    size : int
        Detections a piece, at most.

    Returns
    -------
    list of list of int
        Together `detectids`, each once.
    """
    known = places(release, detectids)
    ordered = sorted(detectids, key=lambda each: known.get(each, (0, b""))) if known else list(detectids)
    pieces: list[list[int]] = []
    for _, group in groupby(ordered, key=lambda each: known.get(each, (0, b""))[0]):
        shot = list(group)
        if pieces and len(pieces[-1]) + len(shot) <= size // 2:
            pieces[-1] += shot
            continue
        count = -(-len(shot) // size)
        pieces += [shot[len(shot) * part // count : len(shot) * (part + 1) // count] for part in range(count)]
    return pieces
