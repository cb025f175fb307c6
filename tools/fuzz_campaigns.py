"""Damage every kind of file of a campaign, and count what its readers make of it.

    python tools/fuzz_campaigns.py                # 500 of each kind
    python tools/fuzz_campaigns.py --count 20

A case is bad if it ends in a traceback (anything but a DataError), takes over 30 s of the processor or 1 GB, or gives
other values than the undamaged file without a word where only the form of the file was changed. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elixer_widgets.campaigns import Campaign, Definition
from elixer_widgets.campaigns.answers import Answer, to_record
from elixer_widgets.campaigns.definition import load
from elixer_widgets.campaigns.elixer_cls import import_answers, write
from elixer_widgets.campaigns.exports import read_answers, write_answers
from elixer_widgets.campaigns.facts import facts_of_answers
from elixer_widgets.campaigns.journal import encode
from elixer_widgets.campaigns.together import consensus, disagreements, report
from elixer_widgets.cli_values import read_detections
from elixer_widgets.detection import DataError

IDS = tuple(range(2101630949, 2101630949 + 30))
SECONDS, BYTES = 30.0, 1_000_000_000

# ------------------------------------------------------------------------------------------------------ valid files


def answers() -> list[Answer]:
    """One of every sort."""
    said = []
    for place, detectid in enumerate(IDS):
        fields: dict[str, Any] = (
            {"verdict": 1, "quality": 1 + place % 4, "identity": "Lya", "redshift": 2.0 + place / 64},
            {"verdict": 10, "quality": 0}, {"verdict": 15, "comment": 'sharp, "odd" é'}, {"comment": "two\nlines"},
        )[place % 4]  # fmt: skip
        said.append(
            Answer(
                detectid,
                inspector="eve",
                session="s",
                number=place + 1,
                seconds=1.5,
                extra={"size": 2.5},
                time=f"2026-11-23T00:00:{place:02d}.000000+00:00",
                automatic={"p_lya": 0.5, "identity": "Lya"},
                **fields,
            )
        )
    return said


def records(content: bytes) -> list[dict[str, Any]]:
    """The records of a journal, for changes that keep its checksums right."""
    return [json.loads(line) for line in content.splitlines()]


def sealed(listed: list[Any]) -> bytes:
    """Records as a journal has them, whatever they hold."""
    made = b""
    for record in listed:
        text = json.dumps({key: value for key, value in record.items() if key != "crc"}, separators=(",", ":"))
        body = text.encode("utf-8", "surrogatepass")
        made += b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body[:-1]))
    return made


# --------------------------------------------------------------------------------------------------------- changes

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1.5, 1e308, float("nan"), float("inf"), "", "x", "\u202e", "\0", "7", [], [1], {},
    {"a": {}}, "x" * 100_000, "../..", -0.0, "1e999", "NaN",
)  # fmt: skip


def flip(content: bytes, chance: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(chance.randint(1, 20)):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def joined(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))] + content[chance.randrange(len(content)) :]


def doubled(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(chance.choice(lines) for _ in range(len(lines) + 3))


def bytes_put_in(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    odd = chance.choice(
        (b"\0" * 50, b"\xff\xfe", b"\r", b"\n\n", b'"', b"[" * 30_000, b"9" * 5000, b",,,,", b"\xe9", b"NaN")
    )
    return content[:place] + odd + content[place:]


def other_encoding(content: bytes, chance: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16", "utf-16-be", "latin-1", "utf-32")), "replace")


def million(content: bytes, _chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    body = b"".join(lines[1:]) or content
    return content + body * (1_000_000 // max(body.count(b"\n"), 1))


def column_changed(content: bytes, chance: random.Random) -> bytes:
    """A column of a table of text missing, swapped with another, or with odd values."""
    between = b"," if b"," in content.split(b"\n")[0] else b" "
    rows = [line.split(between) for line in content.split(b"\n")]
    one, other, what = chance.randrange(6), chance.randrange(6), chance.randrange(3)
    for row in rows:
        if len(row) <= max(one, other):
            continue
        if what == 0:
            del row[one]
        elif what == 1:
            row[one], row[other] = row[other], row[one]
        elif row is not rows[0]:
            row[one] = str(chance.choice(ODD)).encode("utf-8", "replace")
    return b"\n".join(between.join(row) for row in rows)


def field_changed(content: bytes, chance: random.Random) -> bytes:
    """Fields of lines of a journal of other types, with right checksums."""
    listed = records(content)
    for record in chance.sample(listed, 5):
        record[chance.choice([*record, "undoes", "regarding", "aperture", "imported_class"])] = chance.choice(ODD)
    return sealed(listed)


def definition_changed(content: bytes, chance: random.Random) -> bytes:
    """A field of a definition of another type, with a right checksum."""
    inner = json.loads(content)["definition"]
    inner[chance.choice(list(inner))] = chance.choice(ODD)
    text = json.dumps(inner, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({"definition": inner, "crc": zlib.crc32(text)}).encode()


def hdf5_changed(content: bytes, chance: random.Random) -> bytes:
    """A column missing, of another type, or with odd values."""
    import io

    import h5py
    import numpy as np

    with h5py.File(io.BytesIO(content)) as file:
        data = file["Answers"][:]
    names = list(data.dtype.names)
    name = chance.choice(names)
    types = [(each, data.dtype[each]) for each in names]
    if chance.random() < 0.4:
        types = [(each, kind) for each, kind in types if each != name]
    else:
        types = [
            (each, chance.choice(("f8", "i8", "S3", "u1", "f4")) if each == name else kind) for each, kind in types
        ]
    made = np.zeros(len(data), types)
    for each, _ in types:
        if each != name:
            made[each] = data[each]
        elif made[each].dtype.kind == "f":
            made[each] = chance.choice((np.nan, np.inf, 1e300, -1.0))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        if chance.random() < 0.1:
            file["Answers"] = h5py.SoftLink("/Answers")
        elif chance.random() < 0.1:
            file.create_group("Answers")
        else:
            file.create_dataset("Answers", data=made, compression="gzip")
    return buffer.getvalue()


BYTES_CHANGED = (flip, cut, joined, doubled, bytes_put_in, other_encoding)

# --------------------------------------------------------------------------------------------------------- readers


def read_journal(path: Path) -> list[str]:
    """All that a page, a report and an export do with a journal."""
    folder = path.parent.parent.parent
    campaign = Campaign(folder, None, "ann")
    report(campaign)
    disagreements(campaign)
    consensus(campaign)
    facts_of_answers(campaign)
    _ = campaign.problems
    write_answers(campaign.answers(), folder / "out.csv")
    return [repr(each) for each in campaign.answers() if each.inspector == "eve"]


def read_cls(path: Path) -> list[str]:
    campaign = Campaign(path.parent / f"c{time.monotonic_ns()}", IDS, "ann")
    import_answers(campaign, path)
    return [repr((each.detectid, each.verdict, each.quality, each.redshift)) for each in campaign.answers()]


def read_table(path: Path) -> list[str]:
    return [repr(each) for each in read_answers(path)]


def read_definition(path: Path) -> list[str]:
    found = load(path)
    Campaign(path.parent, None, "ann").progress()
    return [repr(found.detectids)]


def read_list(path: Path) -> list[str]:
    return [str(each) for each in read_detections(str(path))]


Change = Callable[[bytes, random.Random], bytes]
KINDS: dict[str, tuple[str, Callable[[Path], list[str]], tuple[Change, ...]]] = {
    "journal": (
        "c/answers/eve/s-01.jsonl",
        read_journal,
        (*BYTES_CHANGED, field_changed, field_changed, field_changed),
    ),
    "definition": ("c/definition-0001.json", read_definition, (*BYTES_CHANGED, definition_changed, definition_changed)),
    "elixer_cls.dat": ("elixer_cls.dat", read_cls, (*BYTES_CHANGED, column_changed, column_changed)),
    "answers as CSV": ("answers.csv", read_table, (*BYTES_CHANGED, column_changed, column_changed)),
    "answers as ECSV": ("answers.ecsv", read_table, (*BYTES_CHANGED, column_changed)),
    "answers as HDF5": ("answers.h5", read_table, (flip, cut, joined, hdf5_changed, hdf5_changed)),
    "list of detections": ("list.txt", read_list, (*BYTES_CHANGED, column_changed)),
}
HUGE = ("journal", "elixer_cls.dat", "answers as CSV", "list of detections")
"""Kinds that are tried once with a million lines."""


def valid(folder: Path) -> None:
    """Every kind of file, undamaged, in a folder."""
    campaign = Campaign(folder / "c", None, "ann", definition=Definition(IDS, repeats=0.1, adjudicators=("ann",)))
    for each in IDS[:5]:
        campaign.answer(each, verdict=10)
    campaign.close()
    journal = folder / KINDS["journal"][0]
    journal.parent.mkdir()
    journal.write_bytes(b"".join(encode(to_record(each)) for each in answers()))
    write(IDS, answers(), folder / "elixer_cls.dat")
    for ending in ("csv", "ecsv", "h5"):
        write_answers(answers(), folder / f"answers.{ending}")
    (folder / "list.txt").write_text("".join(f"{each}\n" for each in IDS))


def harmless(kind: str, content: bytes) -> list[bytes]:
    """The same values in another form, which must be read as the same, or refused."""
    if kind in ("definition", "answers as HDF5", "answers as ECSV"):
        return []
    return [b"\xef\xbb\xbf" + content] + ([] if kind == "answers as CSV" else [content.replace(b"\n", b"\r\n")])


def tried(kind: str, content: bytes, pristine: Path, wanted: list[str] | None = None) -> tuple[str, str]:
    """What came of reading a damaged file, in a child with limits: (outcome, words)."""
    name, read, _ = KINDS[kind]
    mine, theirs = os.pipe()
    start = _processor()
    child = os.fork()
    if child == 0:
        os.close(mine)
        with tempfile.TemporaryDirectory(prefix="elixer-fuzz-") as work:
            folder = Path(work) / "w"
            shutil.copytree(pristine, folder)
            (folder / name).write_bytes(content)
            os.write(theirs, _outcome(read, folder / name, wanted).encode()[:60_000])
        os._exit(0)
    os.close(theirs)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    # the clock runs faster than the processor on a busy computer
    signal.alarm(int(SECONDS) * 10)
    with os.fdopen(mine, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    signal.alarm(0)
    if _processor() - start > SECONDS:
        return "slow", said
    outcome, _, words = said.partition("\n")
    return outcome or "died", words


def _processor() -> float:
    """Seconds of processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _outcome(read: Callable[[Path], list[str]], path: Path, wanted: list[str] | None) -> str:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_AS, (4 * BYTES, 4 * BYTES))
    # what the parent holds already is no merit or fault of the reader
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    try:
        found = read(path)
        outcome = "read" if wanted is None or found == wanted else "changed in silence\nother values"
    except DataError as error:
        outcome = "refused\n" + str(error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        outcome = f"traceback\n{type(error).__name__}: {error}"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return f"memory\n{used}" if used > BYTES else outcome


BAD = ("traceback", "slow", "memory", "died", "changed in silence")


def fuzz(count: int, seed: int, pristine: Path) -> int:
    """Try all kinds; the number of bad cases."""
    total = 0
    print("| file | cases | read | refused in words | tracebacks | over 30 s | over 1 GB | changed in silence |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for kind, (name, read, changes) in KINDS.items():
        content = (pristine / name).read_bytes()
        whole = read(pristine / name) if kind != "elixer_cls.dat" else None
        cases = [(each, whole) for each in harmless(kind, content)]
        cases += [(million(content, random.Random(0)), None)] if kind in HUGE else []
        chance = random.Random(f"{seed} {kind}")
        cases += [(chance.choice(changes)(content, chance), None) for _ in range(count - len(cases))]
        found: Counter[str] = Counter()
        for place, (damaged, wanted) in enumerate(cases):
            outcome, words = tried(kind, damaged, pristine, wanted)
            found[outcome] += 1
            if outcome in BAD:
                print(f"{kind}, case {place}: {outcome}: {words[:300]}", file=sys.stderr, flush=True)
        total += sum(found[each] for each in BAD)
        print(
            f"| {kind} | {len(cases)} | {found['read']} | {found['refused']} | {found['traceback'] + found['died']} "
            f"| {found['slow']} | {found['memory']} | {found['changed in silence']} |",
            flush=True,
        )
    return total


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="cases of each kind of file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="elixer-fuzz-") as work:
        pristine = Path(work) / "valid"
        pristine.mkdir()
        valid(pristine)
        bad = fuzz(options.count, options.seed, pristine) if options.count else 0
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
