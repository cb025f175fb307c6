"""Changes that any file can suffer, and those of text."""

from __future__ import annotations

import random

from fuzzing.harness import Case, Change, NotApplicable


def _flip(case: Case, rng: random.Random) -> str:
    content = bytearray(case.path.read_bytes())
    count = rng.choice((1, 1, 4, 32, 256))
    # Most of a file is numbers; half of the cases look for what describes them.
    reach = len(content) if rng.random() < 0.5 else min(len(content), 8192)
    for _ in range(count):
        content[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    case.path.write_bytes(content)
    return f"{count} bits within {reach} bytes"


def _cut(case: Case, rng: random.Random) -> str:
    size = case.path.stat().st_size
    kept = rng.choice((0, 1, rng.randrange(size), size - 1, size // 2, rng.randrange(min(size, 4096))))
    content = case.path.read_bytes()[:kept]
    case.path.write_bytes(content)
    return f"{kept} of {size} bytes kept"


def _overwrite(case: Case, rng: random.Random) -> str:
    content = bytearray(case.path.read_bytes())
    length = min(len(content), rng.choice((8, 512, 4096)))
    start = rng.randrange(len(content) - length + 1)
    fill = rng.choice((b"\0", b"\xff", b"A", b""))
    content[start : start + length] = fill * length if fill else rng.randbytes(length)
    case.path.write_bytes(content)
    return f"{length} bytes from {start} with {fill!r}"


def _other_kind(case: Case, rng: random.Random) -> str:
    content = rng.choice((b"", b"\0" * 5000, b"<html>503</html>\n", b"PK\3\4" + bytes(100), b"\x89HDF\r\n\x1a\n",
                          b"SIMPLE  =                    T", b"\x1f\x8b\x08", rng.randbytes(3000)))  # fmt: skip
    case.path.write_bytes(content)
    return f"another file of {len(content)} bytes"


def _append(case: Case, rng: random.Random) -> str:
    content = rng.randbytes(rng.choice((1, 100, 2880, 10_000)))
    with case.path.open("ab") as file:
        file.write(content)
    return f"{len(content)} random bytes at the end"


def _folder(case: Case, rng: random.Random) -> str:
    case.path.unlink()
    case.path.mkdir()
    return "a folder of this name"


def _dangling(case: Case, rng: random.Random) -> str:
    case.path.unlink()
    case.path.symlink_to(case.path.name if rng.random() < 0.5 else "nowhere")
    return "a symbolic link to itself or to nothing"


FLIP = Change("bits flipped", _flip, of_data=True)
CUT = Change("cut short", _cut)
OVERWRITE = Change("overwritten", _overwrite, of_data=True)
OTHER_KIND = Change("another kind", _other_kind)
APPEND = Change("garbage at the end", _append, of_data=True)
FOLDER = Change("a folder", _folder)
DANGLING = Change("a link", _dangling)

ANY_FILE = (FLIP, FLIP, CUT, CUT, OVERWRITE, OTHER_KIND, APPEND, FOLDER, DANGLING)

# ------------------------------------------------------------------------------------------------------- text

HUGE = ("nan", "inf", "-inf", "1e300", "-1e300", "1e-300", "1e999", "99999999999999999999", "-999", "")


def _lines(case: Case) -> list[str]:
    return case.path.read_text(encoding="utf-8").splitlines()


def _put(case: Case, lines: list[str]) -> None:
    case.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _value(case: Case, rng: random.Random) -> str:
    lines = _lines(case)
    number = rng.randrange(len(lines))
    comma = "," in lines[number]
    words = lines[number].split(",") if comma else lines[number].split()
    if not words:
        raise NotApplicable
    word = rng.choice((*HUGE, "abc", "1,5", "½", "1e", "0x10", "'1'", "1_000", "\x00", "\N{SUPERSCRIPT ONE}"))
    words[rng.randrange(len(words))] = word
    lines[number] = ("," if comma else " ").join(words)
    _put(case, lines)
    return f"line {number + 1}: {word!r}"


def _line(case: Case, rng: random.Random) -> str:
    lines = _lines(case)
    number = rng.randrange(len(lines))
    odd = rng.choice(("", "# remark", "END", "1", "1 2 3 4 5 6 7 8 9", "\t", "x" * 100_000, "=" * 20, "\ufeff", "--"))
    lines.insert(number, odd)
    _put(case, lines)
    return f"line {number + 1} put in: {odd[:20]!r}"


def _encoding(case: Case, rng: random.Random) -> str:
    content = case.path.read_text(encoding="utf-8")
    name = rng.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1"))
    case.path.write_bytes(content.encode(name, "replace"))
    return name


def _line_ends(case: Case, rng: random.Random) -> str:
    ends = rng.choice(("\r\n", "\r", "\n\n", " \n", "\n\x0c"))
    case.path.write_bytes(ends.join(_lines(case)).encode())
    return repr(ends)


def _odd_bytes(case: Case, rng: random.Random) -> str:
    content = bytearray(case.path.read_bytes())
    for _ in range(rng.choice((1, 5))):
        content.insert(rng.randrange(len(content)), rng.choice((0, 0x80, 0xFF, 0xE9, 0x1B)))
    case.path.write_bytes(content)
    return "bytes that are no text"


def _long(case: Case, rng: random.Random) -> str:
    lines = _lines(case)
    many = 1_000_000
    if rng.random() < 0.7:
        block = lines[len(lines) // 2 :]
        with case.path.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            piece = "\n".join(block) + "\n"
            for _ in range(many // max(1, len(block))):
                file.write(piece)
        return f"{many} lines"
    case.path.write_text("\n".join(lines) + "\n" + "1 " * 5_000_000, encoding="utf-8")
    return "one line of 10 MB"


# What a text says is only what stands there: a number changed or a line lost is what the file says.
ANY_TEXT = (
    Change("a value", _value, of_data=True),
    Change("a value", _value, of_data=True),
    Change("a line", _line, of_data=True),
    Change("encoding", _encoding, of_data=True),
    Change("line ends", _line_ends),
    Change("odd bytes", _odd_bytes, of_data=True),
    Change("very long", _long, of_data=True),
    FLIP,
    Change("cut short", _cut, of_data=True),
    OVERWRITE,
    OTHER_KIND,
    FOLDER,
    DANGLING,
)


def _table_columns(case: Case) -> tuple[list[str], list[list[str]], str]:
    lines = _lines(case)
    start = next((n for n, line in enumerate(lines) if line and not line.startswith("#")), 0)
    mark = "," if "," in lines[start] else None
    return lines[:start], [line.split(mark) for line in lines[start:]], mark or " "


def _shuffle(case: Case, rng: random.Random) -> str:
    head, rows, mark = _table_columns(case)
    order = list(range(len(rows[0])))
    rng.shuffle(order)
    _put(case, head + [mark.join(row[place] for place in order) for row in rows])
    return f"columns in the order {order}"


def _drop(case: Case, rng: random.Random) -> str:
    head, rows, mark = _table_columns(case)
    place = rng.randrange(len(rows[0]))
    name = rows[0].pop(place)
    for row in rows[1:]:
        row.pop(place)
    _put(case, head + [mark.join(row) for row in rows])
    return f"column {name} left out"


def _rename(case: Case, rng: random.Random) -> str:
    head, rows, mark = _table_columns(case)
    place = rng.randrange(len(rows[0]))
    name = rng.choice(("x", "flux", "sky", "model", "col1", "", rows[0][0]))
    was, rows[0][place] = rows[0][place], name
    _put(case, head + [mark.join(row) for row in rows])
    return f"column {was} called {name!r}"


NAMED_COLUMNS = (
    Change("columns in another order", _shuffle),
    Change("a column missing", _drop),
    Change("a column renamed", _rename),
)
