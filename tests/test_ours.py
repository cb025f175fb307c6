"""Only files of ours are replaced or deleted, what a killed program left goes, and any value is tried as a path."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elixer_widgets import cli, open_release, simulate_release
from elixer_widgets.bulk import slurm
from elixer_widgets.campaigns import Campaign, elixer_cls
from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.copies import restore
from elixer_widgets.campaigns.exports import add_to_catalog, read_answers, write_answers
from elixer_widgets.campaigns.facts import facts_of_catalog
from elixer_widgets.campaigns.merging import merge_journals
from elixer_widgets.catalogs import CatalogLibrary
from elixer_widgets.detection import DataError
from elixer_widgets.imaging.custom import use_surveys
from elixer_widgets.imaging.surveys import open_library
from elixer_widgets.imaging.web import Patience, WebClient
from elixer_widgets.releases.search_index import load_index
from elixer_widgets.reports import merge_catalogs, read_catalog, write_catalog, write_report
from elixer_widgets.reports.choices import read_state
from elixer_widgets.reports.database import read_report, store_reports, stored_reports
from elixer_widgets.reports.mini import write_mini
from elixer_widgets.widgets.serving import secret_of
from tests.factories import make_interpretation

MINE = b"mine, of years\n"
ANSWERS = [Answer(7, verdict=1, comment="seen")]

WRITERS: dict[str, Callable[..., object]] = {
    "a.pdf": lambda path, **how: write_report(make_interpretation(), path, **how),
    "a.png": lambda path, **how: write_mini(make_interpretation(), path, **how),
    "a.csv": lambda path, **how: write_answers(ANSWERS, path, **how),
    "a.ecsv": lambda path, **how: write_answers(ANSWERS, path, **how),
    "a.h5": lambda path, **how: write_answers(ANSWERS, path, **how),
    "a.dat": lambda path, **how: elixer_cls.write((7,), ANSWERS, path, **how),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_a_person_stays_and_one_of_ours_is_replaced(name: str, tmp_path: Path) -> None:
    write, path = WRITERS[name], tmp_path / name
    path.write_bytes(MINE)
    with pytest.raises(DataError, match=rf"{name}: is there already .*move it away or choose another name"):
        write(path)
    assert path.read_bytes() == MINE
    write(path, overwrite=True)
    assert path.read_bytes() != MINE
    write(path)  # now it is ours
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_catalogue_is_not_taken_for_a_table_of_answers(tmp_path: Path) -> None:
    path = write_catalog([make_interpretation()], tmp_path / "a.h5")
    content = path.read_bytes()
    with pytest.raises(DataError, match="is not a table of answers"):
        write_answers(ANSWERS, path)
    assert path.read_bytes() == content


def test_a_file_of_the_widget_is_replaced_only_by_one_that_says_as_much(tmp_path: Path) -> None:
    path = tmp_path / "elixer_cls.dat"
    elixer_cls.write((7, 8), [*ANSWERS, Answer(8, verdict=15)], path)
    old = path.read_bytes()
    with pytest.raises(DataError, match="is not contained in what would be written"):
        elixer_cls.write((7, 8), ANSWERS, path)
    assert path.read_bytes() == old
    elixer_cls.write((7, 8, 9), [*ANSWERS, Answer(8, verdict=15), Answer(9, verdict=1)], path)
    assert len(elixer_cls.read(path).rows) == 3


def test_export_asks_for_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = Campaign(tmp_path / "c", [7], "ann")
    campaign.answer(7, verdict=1)
    path = tmp_path / "notes.csv"
    path.write_bytes(MINE)
    assert cli.main(["export", str(tmp_path / "c"), str(path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_bytes() == MINE
    assert cli.main(["export", str(tmp_path / "c"), str(path), "--force"]) == 0
    assert len(read_answers(path)) == 1


@pytest.mark.parametrize("name", [slurm.RUN_FILE, slurm.SCRIPT, slurm.MERGE_SCRIPT, slurm.JOBS_FILE])
def test_a_script_of_a_person_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(MINE)
    (tmp_path / f"{name}.new").write_bytes(MINE)
    with pytest.raises(DataError, match=rf"{name}: is there already"):
        slurm.write(tmp_path, name, "x\n")
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {MINE}


def test_scripts_of_ours_are_replaced(tmp_path: Path) -> None:
    for content in ("12\n", "12\n13\n"):
        slurm.write(tmp_path, slurm.JOBS_FILE, content)
    for _ in range(2):
        slurm.write(tmp_path, slurm.SCRIPT, "#!/bin/bash\n#SBATCH --job-name=ELiXer\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [slurm.JOBS_FILE, slurm.SCRIPT]


def test_shares_touch_no_file_of_a_person(tmp_path: Path) -> None:
    (tmp_path / "dispatch_0000").mkdir()
    mine = tmp_path / "dispatch_0000" / "dispatch_0000.new"
    mine.write_bytes(MINE)
    slurm.add_dispatches(tmp_path, [1, 2], 1)
    assert mine.read_bytes() == MINE
    assert [each.detectids for each in slurm.dispatches(tmp_path)] == [(1, 2)]
    (tmp_path / "dispatch_0001").mkdir()
    (tmp_path / "dispatch_0001" / "dispatch_0001").write_bytes(MINE)
    with pytest.raises(DataError, match="dispatch_0001: is not a list of detections"):
        slurm.dispatches(tmp_path)


def test_the_cache_of_images_deletes_only_what_it_fetched(tmp_path: Path) -> None:
    theirs = [tmp_path / name for name in ("thesis.tex", "a.fits", "0" * 39 + ".fits", ".hidden", "0" * 40 + ".A1")]
    ours = [tmp_path / f"{digit * 40}.fits" for digit in "abc"]
    for path in (*theirs, *ours):
        path.write_bytes(MINE)
    WebClient(tmp_path, Patience(cache=0))._prune()
    assert [path.exists() for path in theirs] == [True] * 5
    assert [path.exists() for path in ours] == [False] * 3


def test_an_index_is_not_put_among_other_files(simulated: Path, tmp_path: Path) -> None:
    from elixer_widgets.releases.search_index import build_index

    index = build_index(open_release(simulated))
    (tmp_path / "detectid.npy").write_bytes(MINE)
    with pytest.raises(DataError, match="holds something that is no search index"):
        index.save(tmp_path)
    assert (tmp_path / "detectid.npy").read_bytes() == MINE
    for _ in range(2):
        index.save(tmp_path / "index")
    assert len(load_index(tmp_path / "index")) == len(index)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_killed_simulation_left_goes_with_the_next(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        simulate_release(tmp_path / "r", n=1, progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] != []
    assert not (tmp_path / "r").exists()
    (tmp_path / ".r.notes").write_bytes(MINE)
    simulate_release(tmp_path / "r", n=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".r.notes", "r"]


# ------------------------------------------------------------------------------------- values tried as paths

ODD = {"too long": "1," * 3000, "a zero byte": "a\0b", "no such user": "~nobody_of_that_name/a"}

TAKERS: dict[str, Callable[[Any], object]] = {
    "open_release": open_release,
    "Campaign": lambda value: Campaign(value, [1], "ann"),
    "CatalogLibrary": lambda value: CatalogLibrary(path=value),
    "open_library": open_library,
    "surveys": lambda value: open_library(None, surveys=value),
    "use_surveys": use_surveys,
    "read_catalog": read_catalog,
    "write_catalog": lambda value: write_catalog([], value),
    "merge_catalogs": lambda value: merge_catalogs([value], "a.h5"),
    "read_state": read_state,
    "write_report": lambda value: write_report(make_interpretation(), f"{value}.pdf"),
    "write_mini": lambda value: write_mini(make_interpretation(), f"{value}.png"),
    "read_report": lambda value: read_report(value, 1),
    "stored_reports": stored_reports,
    "store_reports": store_reports,
    "write_answers": lambda value: write_answers(ANSWERS, f"{value}.csv"),
    "read_answers": lambda value: read_answers(f"{value}.csv"),
    "add_to_catalog": lambda value: add_to_catalog(ANSWERS, value),
    "elixer_cls.write": lambda value: elixer_cls.write((7,), ANSWERS, value),
    "elixer_cls.read": elixer_cls.read,
    "facts_of_catalog": facts_of_catalog,
    "merge_journals": lambda value: merge_journals([value], "c"),
    "restore": restore,
    "simulate_release": simulate_release,
    "load_index": load_index,
    "the proxy's secret": secret_of,
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", TAKERS)
def test_any_value_may_be_tried_as_a_path(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"path|cannot be looked at|no such user|check the name|cannot be opened"):
        TAKERS[name](ODD[kind])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["ELIXER_WIDGETS_CACHE", "ELIXER_WIDGETS_IMAGING", "ELIXER_WIDGETS_SURVEYS"])
def test_a_variable_that_names_no_path_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from elixer_widgets._cache import cache_folder

    monkeypatch.setenv(variable, "x" * 5000)
    take = {"C": cache_folder, "I": CatalogLibrary, "S": lambda: open_library(None)}[variable.split("_")[2][0]]
    with pytest.raises(DataError, match=f"{variable} x+.*cannot be looked at"):
        take()
