"""A few kills of each command, as `tools/kill_runs.py` does hundreds."""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kills groups of processes and looks into /proc"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def kills() -> Any:
    """The module of the trials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module("killing.kills")


@pytest.fixture(scope="module")
def bench(kills: Any, simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One detection, reported once without any disturbance; a few pictures and answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", os.environ.get("TMPDIR", "/tmp"))  # put back at the end
        made = sys.modules["killing.bench"].prepared(
            tmp_path_factory.mktemp("kills") / "work", 1, simulated, pictures=60, answers=100
        )
        yield made


@pytest.mark.parametrize("name", ["run", "merge", "database", "export"])
def test_a_killed_command_loses_breaks_and_leaves_nothing(kills: Any, bench: Any, name: str) -> None:
    count = kills.KILLED[name](bench, 4, random.Random(5), time.monotonic() + 60)
    assert sum(count.kills.values()) >= 3
    assert count.ends >= 1
    assert count.wrong == []


def test_what_is_wrong_is_seen(kills: Any, bench: Any, tmp_path: Path) -> None:
    """A file that is cut, one that is left over and a table that differs are told."""
    output = kills.Output(tmp_path / "o", ("png",))
    output.folder.mkdir()
    for path in bench.calm.folder.iterdir():
        (output.folder / path.name).write_bytes(path.read_bytes())
    (output.folder / ".elixer-left").touch()
    cut = output.reports(bench.ids[0])[0]
    cut.write_bytes(cut.read_bytes()[:-500])
    count = sys.modules["killing.harness"].Count()
    kills.compare_run(bench, output, count)
    assert any("files differ" in each for each in count.wrong)
    assert any("not whole" in each for each in count.wrong)
