"""Whether an acknowledged answer can be lost: processes killed, disks full, read-only, two at once.

An answer counts as acknowledged when `Campaign.answer` returned; the process then says so to its parent through a pipe,
which outlives it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from elixer_widgets.campaigns import Campaign, NotSaved
from killing.harness import small_disk

IDS = tuple(range(2101630949, 2101630949 + 5000))
Acknowledged = set[tuple[str, int]]
"""The id of a line and the detection that it is about."""


def answering(path: Path, inspector: str, acknowledge: int, seed: int) -> None:
    """Answer without end, comments of 0 to 8 kB, corrections and undos; tell the parent of each once it is saved."""
    chance = random.Random(seed)
    campaign = Campaign(path, None, inspector)
    for _ in range(100_000):
        detectid = chance.choice(IDS)
        if chance.random() < 0.1 and campaign.recent(1):
            campaign.undo()
            continue
        comment = "c" * chance.choice((0, 10, 500, 8000)) + str(chance.random())
        said = campaign.answer(detectid, verdict=chance.choice((1, 3, 10, 15)), quality=2, comment=comment)
        os.write(acknowledge, f"{said.id} {detectid}\n".encode())


def forked(action: Callable[[int], None]) -> tuple[int, int]:
    """Run an action in a child; its process number and the end of the pipe to which it writes."""
    mine, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(mine)
        try:
            action(theirs)
        finally:
            os._exit(0)
    os.close(theirs)
    return child, mine


def heard(pipe: int) -> Acknowledged:
    """Everything that a child said, once it has ended."""
    with os.fdopen(pipe, "rb") as file:
        text = file.read().decode()
    whole = text[: text.rfind("\n") + 1].splitlines()
    return {(line.rsplit(" ", 1)[0], int(line.rsplit(" ", 1)[1])) for line in whole}


def lost(path: Path, acknowledged: Acknowledged) -> tuple[int, int, int]:
    """How many acknowledged answers a replay does not find, how many lines it finds, how many torn last lines."""
    replay = Campaign(path).replay
    found = {
        (f"{record['session']}:{record['number']}", line.detectid)
        for book in replay.books.values()
        for said in book.lines.values()
        for line in said
        for record in (line.record,)
    }
    assert not replay.damages, replay.damages
    return len(acknowledged - found), len(found), len(replay.torn)


def killed(path: Path, kills: int, seed: int, at_once: int = 1) -> Acknowledged:
    """Kill processes of one inspector at random moments while they answer."""
    chance = random.Random(seed)
    acknowledged: Acknowledged = set()
    for life in range(0, kills, at_once):
        children = [
            forked(lambda pipe, each=each: answering(path, "ann", pipe, each))
            for each in range(seed * 100_000 + life, seed * 100_000 + life + at_once)
        ]
        for child, pipe in children:
            # not before it has begun: the first words of a child say that its campaign is open
            first = os.read(pipe, 1)
            time.sleep(chance.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            with os.fdopen(os.dup(pipe), "rb") as rest:
                text = (first + rest.read()).decode()
            os.close(pipe)
            for line in text[: text.rfind("\n") + 1].splitlines():
                acknowledged.add((line.rsplit(" ", 1)[0], int(line.rsplit(" ", 1)[1])))
        if life and life % 100 == 0:
            print(f"  {life} kills, {len(acknowledged)} answers", file=sys.stderr, flush=True)
    return acknowledged


def until_refused(campaign: Campaign, count: int, comment: str) -> tuple[Acknowledged, int]:
    """Answer `count` detections; what was acknowledged, and how often it was said that nothing is saved."""
    acknowledged: Acknowledged = set()
    refused = 0
    for detectid in IDS[:count]:
        try:
            said = campaign.answer(detectid, verdict=1, comment=comment)
            acknowledged.add((said.id, detectid))
        except NotSaved:
            refused += 1
    return acknowledged, refused


def full_disk() -> tuple[str, Acknowledged, tuple[int, int, int]] | None:
    """Fill a disk, go on while it is full, make room, go on."""
    with small_disk("256k") as disk:
        if disk is None:
            return None
        Campaign(disk / "c", IDS, "ann").close()
        campaign = Campaign(disk / "c", None, "ann")
        acknowledged, refused = until_refused(campaign, 400, "f" * 1500)
        subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
        more, refused_then = until_refused(campaign, 300, "g")
        acknowledged |= more
        assert refused and not refused_then
        campaign.close()
        return f"{refused} refused while full, 0 after", acknowledged, lost(disk / "c", acknowledged)


def read_only_disk() -> tuple[str, Acknowledged, tuple[int, int, int]] | None:
    """Answer, make the disk read-only, try to answer, make it writable, answer."""
    with small_disk("4m") as disk:
        if disk is None:
            return None
        campaign = Campaign(disk / "c", IDS, "ann")
        acknowledged, refused = until_refused(campaign, 100, "before")
        campaign.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        none, refused = until_refused(Campaign(disk / "c", None, "ann"), 50, "while")
        assert not none
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        more, refused_then = until_refused(campaign, 100, "after")
        acknowledged |= more
        campaign.close()
        assert refused == 50 and not refused_then
        return f"{refused} refused while read-only, 0 after", acknowledged, lost(disk / "c", acknowledged)


def two_at_once(path: Path) -> Acknowledged:
    """Two processes of one inspector answer the same detections for five seconds, then end by a kill."""
    Campaign(path, IDS, "ann").close()
    children = [forked(lambda pipe, i=i: answering(path, "ann", pipe, 77 + i)) for i in range(2)]
    time.sleep(5.0)
    for child, _ in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return heard(children[0][1]) | heard(children[1][1])


def tried(work: Path, kills: int, seed: int) -> int:
    """All of it, as a table; how many acknowledged answers were lost."""
    work.mkdir(parents=True)
    lost_answers = 0

    def tell(what: str, acknowledged: Acknowledged, found: tuple[int, int, int], note: str = "") -> None:
        nonlocal lost_answers
        lost_answers += found[0]
        print(f"| {what} | {len(acknowledged)} | {found[0]} | {found[1]} | {found[2]} | {note} |", flush=True)

    print("| fault | acknowledged | of these lost | lines found | torn, kept aside | |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    alone = kills * 4 // 5
    Campaign(work / "kill", IDS, "ann").close()
    found = killed(work / "kill", alone, seed)
    tell(f"{alone} times kill -9", found, lost(work / "kill", found))
    Campaign(work / "two", IDS, "ann").close()
    found = killed(work / "two", kills - alone, seed + 1, at_once=2)
    tell(f"{kills - alone} times kill -9, two processes of one inspector", found, lost(work / "two", found))
    found = two_at_once(work / "both")
    tell("two processes of one inspector for 5 s", found, lost(work / "both", found))
    for name, fault in (("disk full (tmpfs of 256 kB)", full_disk), ("disk read-only (tmpfs)", read_only_disk)):
        told = fault()
        if told is None:
            print(f"| {name} | not tried: this needs the right to mount | | | | |")
        else:
            tell(name, told[1], told[2], told[0])
    return lost_answers
