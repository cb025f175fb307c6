"""What all trials share: a small release, reports of it that nobody disturbed, pictures and answers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

import elixer_widgets.reports.mini  # what a command would load is loaded once, so that kills fall into its work
from elixer_widgets import analysis, cli_run, open_release, reports, simulate_release
from elixer_widgets.analysis import Interpretation
from elixer_widgets.bulk import Output
from elixer_widgets.bulk.work import measured
from elixer_widgets.campaigns import Campaign
from elixer_widgets.campaigns.elixer_cls import write
from elixer_widgets.campaigns.exports import write_answers
from elixer_widgets.releases import Release
from elixer_widgets.reports import page
from killing.harness import ended, names, started

LOADED = (analysis, reports, elixer_widgets.reports.mini, write, write_answers)
SLICES, PAUSE = 10, 0.02  # a drawing that is remembered is written in so many pieces, so many s apart


@dataclass(frozen=True)
class Bench:
    """The folder of all trials, a release, its detections, an undisturbed run of them and how long that took."""

    work: Path
    release: Path
    ids: list[int]
    calm: Output
    seconds: float = 0.0
    known: dict[int, Interpretation] = field(default_factory=dict)
    pictures: int = 150
    """How many the image database gets: copies of those that the run made."""
    answers: int = 2000

    def words(self, name: Path, *more: str) -> list[str]:
        """A command line of `run`."""
        dets = ",".join(map(str, self.ids))
        return ["run", "--release", str(self.release), "--dets", dets, "--name", str(name), "--png", *more]

    def drawings_remembered(self) -> None:
        """In a child that will be killed: take interpretations and drawings from the undisturbed run.

        They take nearly all the time of a run and touch no file, so that nearly all kills would hit them. With this,
        kills hit what writes: the same code, the same files of the same bytes.
        """

        def interpreted(_release: Release, detectid: int) -> Interpretation:
            return self.known[detectid]

        def drawn(interpretation: Interpretation, _made: datetime) -> Any:
            return _Drawn(self.calm, interpretation.measurements.detection.detectid)

        cli_run._make = lambda _options: interpreted
        page.draw_page = drawn


@dataclass(frozen=True)
class _Drawn:
    """A page that was drawn before."""

    calm: Output
    detectid: int

    def save(self, path: str | PathLike[str], *_: object) -> None:
        """Write it as slowly as a disk that is shared would."""
        target = Path(path)
        content = (self.calm.folder / f"{self.calm.stem(self.detectid)}{target.suffix}").read_bytes()
        size = -(-len(content) // SLICES)
        with target.open("wb", buffering=0) as file:
            for start in range(0, len(content), size):
                file.write(content[start : start + size])
                time.sleep(PAUSE)


def prepared(work: Path, n: int, release: Path | None = None, **sizes: int) -> Bench:
    """The bench in a folder: the first detections of a release, or of one that is made."""
    (work / "tmp").mkdir(parents=True)
    os.environ["TMPDIR"] = str(work / "tmp")
    release = release or simulate_release(work / "release", n=n, seed=3)
    ids = [int(each) for each in open_release(release).detectids()][:n]
    bench = Bench(work, release, ids, Output(work / "calm" / "o", ("png",)))
    code = ended(started(bench.words(bench.calm.folder, "--workers", "1"), work / "calm.log"), 3600.0)
    assert code == 0, (work / "calm.log").read_text()
    opened = open_release(release)
    bench.known.update({each: measured(opened, each) for each in ids})
    return Bench(work, release, ids, bench.calm, _seconds(bench), bench.known, **sizes)


def _seconds(bench: Bench) -> float:
    """How long a run takes whose drawings are remembered."""
    begun = time.monotonic()
    folder = bench.work / "warm" / "o"
    words = bench.words(folder, "--workers", "1")
    assert ended(started(words, bench.work / "warm.log", bench.drawings_remembered), 3600.0) == 0
    assert names(folder) == names(bench.calm.folder)
    return time.monotonic() - begun


def pictures(bench: Bench) -> Path:
    """A folder of many reports as pictures."""
    folder = bench.work / "pictures"
    if not folder.is_dir():
        folder.mkdir()
        for number in range(bench.pictures):
            os.link(bench.calm.folder / f"{bench.ids[number % len(bench.ids)]}.png",
                    folder / f"{bench.ids[0] + number}.png")  # fmt: skip
    return folder


def answered(bench: Bench) -> Path:
    """A campaign with many answers of one person."""
    folder = bench.work / "campaign"
    if not folder.is_dir():
        import elixer_widgets.campaigns.journal as journal

        synced, journal.os.fsync = journal.os.fsync, lambda handle: None  # two thousand of them take a minute
        try:
            campaign = Campaign(folder, range(1, bench.answers + 1), "ann")
            for detectid in range(1, bench.answers + 1):
                campaign.answer(detectid, verdict=1, quality=2, comment="c" * 60)
            campaign.close()
        finally:
            journal.os.fsync = synced
    return folder
