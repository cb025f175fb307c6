"""How long campaigns take: 25,000 detections, 5 inspectors, every one with all answers given.

    python tools/bench_campaign.py [--detections 25000] [--inspectors 5] [--keep FOLDER]

Processor time beside the clock's, which depends on what else the computer does.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from elixer_widgets.campaigns import Answer, Campaign, Definition
from elixer_widgets.campaigns.answers import to_record
from elixer_widgets.campaigns.campaign import JOURNALS
from elixer_widgets.campaigns.journal import encode, session_name
from elixer_widgets.campaigns.queue import Facts, ordered
from elixer_widgets.campaigns.replay import Replay
from elixer_widgets.campaigns.together import agreement, consensus, disagreements

FIRST = 2101630949


def simulate(path: Path, ids: tuple[int, ...], inspectors: int) -> None:
    """Journals as the inspectors would have written them, in nights of 500, without waiting for the disk."""
    generator = np.random.default_rng(1)
    names = [f"inspector {i + 1}" for i in range(inspectors)]
    campaign = Campaign(path, None, names[0], definition=Definition(ids, repeats=0.02))
    truth = dict(zip(ids, generator.random(len(ids)) < 0.4, strict=True))
    verdicts = np.array([10, 15, 14, 3])
    for name in names:
        here = Campaign(path, None, name)
        folder = path / JOURNALS / name.replace(" ", "%20")
        folder.mkdir(parents=True)
        for start in range(0, len(here.tasks), 500):
            night = []
            session = session_name()
            for number, task in enumerate(here.tasks[start : start + 500], 1):
                real = truth[task.detectid] ^ (generator.random() < 0.1)
                said = Answer(
                    task.detectid, occasion=task.occasion, verdict=1 if real else int(generator.choice(verdicts)),
                    quality=int(generator.integers(0, 4)), identity="OII" if real else "",
                    redshift=round(float(generator.random()), 4) if real else float("nan"),
                    comment="a remark that somebody made" if generator.random() < 0.2 else "",
                    seconds=round(float(generator.lognormal(1.6, 0.8)), 3), inspector=name, session=session,
                    number=number, definition=1, package="0.1.0", data="HDR5.0.1", automatic={
                        "identity": "OII", "redshift": 0.2345, "p_lya": 0.0312, "quality": 0.93, "flags": 64,
                        "doubt": round(float(generator.random()), 4),
                    },
                )  # fmt: skip
                day = f"2026-{1 + start // 2500 % 12:02d}-{1 + start // 500 % 28:02d}"
                stamp = f"{day}T{number // 60:02d}:{number % 60:02d}:00.000000+00:00"
                night.append(encode(to_record(replace(said, time=stamp))))
            (folder / f"{session}-01.jsonl").write_bytes(b"".join(night))
    campaign.close()


def timed(action: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Median processor and clock milliseconds."""
    spent = []
    for _ in range(repeat):
        start = time.process_time(), time.perf_counter()
        kept = action()  # till after the clock is read: to throw it away is no part of it
        spent.append((time.process_time() - start[0], time.perf_counter() - start[1]))
        del kept
    return tuple(np.median(np.array(spent), axis=0) * 1000.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detections", type=int, default=25_000)
    parser.add_argument("--inspectors", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the campaign here and leave it")
    arguments = parser.parse_args()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores{load}")
    work = arguments.keep or Path(tempfile.mkdtemp(prefix="elixer-campaign-"))
    try:
        if not (work / JOURNALS).exists():
            simulate(work, tuple(range(FIRST, FIRST + arguments.detections)), arguments.inspectors)
        files = list((work / JOURNALS).rglob("*.jsonl"))
        size = sum(each.stat().st_size for each in files) / 1e6
        print(
            f"{arguments.detections} detections, {arguments.inspectors} inspectors: {len(files)} files, {size:.0f} MB\n"
        )
        print("| step | processor, ms | clock, ms |\n| --- | --- | --- |")

        def row(name: str, action: Callable[[], object], repeat: int = 5) -> None:
            processor, clock = timed(action, repeat)
            print(f"| {name} | {processor:.1f} | {clock:.1f} |", flush=True)

        name = "inspector 1"
        row("replay of everybody's journals", lambda: Replay(work / JOURNALS), 5)
        row("open: definition, queue and replay of everybody's journals", lambda: Campaign(work, None, name), 5)
        campaign = Campaign(work, None, name)
        ids = iter(campaign.definition.detectids)
        row("one more answer, on disk", lambda: campaign.answer(next(ids), verdict=12, comment=f"{time.time()}"), 200)
        row(
            "take it back, on disk",
            lambda: (campaign.undo(), campaign.answer(next(ids), verdict=13, comment=f"{time.time()}")),
            100,
        )
        row("what came since (nothing)", campaign.replay.refresh, 50)
        row("the last ten answers", campaign.recent, 50)
        row("progress and pace", campaign.progress, 20)
        row("first unanswered", campaign.first_unanswered, 20)
        row("what the others said, first sight", lambda: campaign.others(next(ids)), 50)
        facts = Facts(
            np.array(campaign.definition.detectids), {"sn": np.random.default_rng(0).random(arguments.detections)}
        )
        row("queue sorted by a column", lambda: ordered(campaign.definition.detectids, facts, "sn"), 5)
        row("all answers decoded", campaign.answers, 1)
        answers = campaign.answers(blind=True)
        row("Fleiss' and every Cohen's kappa", lambda: agreement(answers), 1)
        row("disagreements", lambda: disagreements(campaign), 1)
        row("consensus", lambda: consensus(campaign), 1)
    finally:
        if arguments.keep is None:
            shutil.rmtree(work)


if __name__ == "__main__":
    main()
