"""The registry of flags against the published table, and against the page that lists it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from elixer_widgets.classification.flags import FLAGS, decode, encode, flag, markdown_table

PROJECT = Path(__file__).resolve().parents[2]
FILLING = {"disagrees", "doubtful", "local", "reserved", "from", "bad", "possible", "two"}


def words(text: str) -> set[str]:
    """The first four letters of the words that carry meaning."""
    plain = text.lower().replace("fibre", "fiber").replace("norm ", "normalisation ").replace(" z", " redshift")
    plain = re.sub(r"^z", "redshift", plain)
    return {each[:4] for each in re.findall(r"[a-z]+", plain) if each not in FILLING}


def published(shared: Path) -> dict[int, str]:
    """Bit to meaning, out of the fact sheet's table."""
    text = (shared / "spec" / "data_model.md").read_text()
    table = text[text.index("**flags**") : text.index("### 3.2")]
    found: dict[int, str] = {}
    for line in table.splitlines():
        cells = [each.strip() for each in line.strip().strip("|").split("|")]
        for bit, meaning in zip(cells[::2], cells[1::2], strict=False):
            if bit.startswith("0x"):
                found[int(bit, 16)] = meaning.split(":")[0]
    return found


def test_bits_and_meanings_are_the_published_ones(shared: Path) -> None:
    table = published(shared)
    assert len(table) == 31
    assert {each.bit for each in FLAGS} == set(table)
    for each in FLAGS:
        assert words(table[each.bit]) & words(f"{each.name} {each.meaning}"), (hex(each.bit), table[each.bit], each)


def test_registry() -> None:
    bits = [each.bit for each in FLAGS]
    assert bits == sorted(set(bits))
    assert all(bin(bit).count("1") == 1 for bit in bits)
    assert len({each.name for each in FLAGS}) == len(FLAGS)
    assert all(each.meaning and each.condition for each in FLAGS)
    with pytest.raises(KeyError):
        flag("nonsense")


def test_there_and_back() -> None:
    for each in FLAGS:
        assert decode(each.bit) == (each,)
    assert encode(FLAGS) == sum(each.bit for each in FLAGS)
    some = (flag("blended"), flag("corrupt data"))
    assert decode(encode(some) - 2**32) == some  # as a signed column has it


def test_the_page_lists_the_registry() -> None:
    """docs/flags.md holds the table that `markdown_table` makes; put its output there after a change."""
    assert markdown_table() in (PROJECT / "docs" / "flags.md").read_text()
