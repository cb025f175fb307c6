"""The program that damages files notices each kind of fault, and finds none in a few cases of the cheap readers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elixer_widgets import DataError

TOOLS = str(Path(__file__).parents[1] / "tools")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and watches of Linux")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module("fuzzing.harness")


def _busy(path: Path) -> None:
    while True:
        pass


def _large(path: Path) -> None:
    bytearray(b"x") * 400_000_000


def _outside(path: Path) -> None:
    (path.parent.with_name(path.parent.name + " outside") / path.name).read_text()


def _broken(path: Path) -> None:
    raise KeyError("x")


def _refused(path: Path) -> None:
    raise DataError(f"{path}: no")


def _unnamed(path: Path) -> None:
    raise DataError("no")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(_busy, "slow"), (_large, "memory"), (_outside, "outside"), (_broken, "traceback"), (_refused, "refused"),
     (_unnamed, "unnamed"), (None, "silent")],
)  # fmt: skip
def test_each_kind_of_fault_is_noticed(
    harness: Any, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Path], None] | None, kind: str
) -> None:
    monkeypatch.setattr(harness, "SECONDS", 0.5)
    # what the program itself takes counts too, but not all that was tested before
    monkeypatch.setattr(harness, "MEMORY", min(harness._resident(), harness.PROGRAM) + 2**20 * 250)

    def write(folder: Path) -> Path:
        (folder / "a.txt").write_text("good")
        return folder / "a.txt"

    def read(path: Path) -> Any:
        content = path.read_text()
        if content == "bad" and fault is not None:
            fault(path)
        return harness.Reading({"content": content})

    def damage(case: Any, chance: Any) -> str:
        case.path.unlink()
        case.path.write_text("bad")
        return "changed"

    monkeypatch.setitem(harness.READERS, "one", harness.Reader("one", write, read, (harness.Change("c", damage),)))
    (outcome,) = harness.run(("one",), 1)
    assert outcome.kind == kind, outcome


@pytest.mark.parametrize(
    "reader", ["image, plain", "image, gzip", "image, GZIP_1", "catalogue, FITS", "catalogue, Tractor",
               "redshifts, CSV", "definitions of surveys"],
)  # fmt: skip
def test_damaged_files_are_refused_in_words_or_read_as_they_were(harness: Any, reader: str) -> None:
    importlib.import_module("fuzzing.image_readers")
    bad = [each for each in harness.run((reader,), 10) if each.kind in harness.FAULTS]
    assert not bad, bad
