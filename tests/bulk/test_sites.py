"""Centres, shares and scripts: what is asked of SLURM."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets import cli
from elixer_widgets._files import Busy
from elixer_widgets.bulk import Output
from elixer_widgets.bulk.collect import MISSING, collect
from elixer_widgets.bulk.output import FAILURES, only_run
from elixer_widgets.bulk.sites import Queue, plan, read_sites, split, this_site
from elixer_widgets.bulk.slurm import Wishes, add_dispatches, dispatches, script, to_do
from elixer_widgets.detection import DataError
from elixer_widgets.releases import open_release


def test_centres_are_recognised_by_their_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TACC_SYSTEM", raising=False)
    sites = read_sites()
    assert this_site(sites, "login2.ls6.tacc.utexas.edu").name == "lonestar6"
    assert this_site(sites, "c455-001.stampede3.tacc.utexas.edu").name == "stampede3"
    assert this_site(sites, "laptop.example.org").name == "generic"
    assert this_site(sites, "notls6.tacc.utexas.edu.example.org").name == "generic"
    monkeypatch.setenv("TACC_SYSTEM", "stampede3")
    assert this_site(sites).name == "stampede3"


def test_a_table_of_ones_own_changes_single_values(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[lonestar6]\naccount = "AST1"\n[lonestar6.queues.normal]\njobs = 3\n[home]\nhosts = ["home.example.org"]\n'
    )
    sites = read_sites([own])
    assert sites["lonestar6"].account == "AST1"
    assert sites["lonestar6"].chosen(None) == Queue("normal", nodes=64, workers=64, hours=48, jobs=3)
    assert sites["lonestar6"].chosen("large") == Queue("large", nodes=64, workers=64, hours=48, jobs=3)
    assert this_site(sites, "node1.home.example.org").name == "home"
    own.write_text("[lonestar6]\nacount = 1\n")
    with pytest.raises(DataError, match=r"own\.toml.*acount.*the values known are account"):
        read_sites([own])
    own.write_text("[lonestar6")
    with pytest.raises(DataError, match="cannot be read"):
        read_sites([own])


@given(count=st.integers(1, 3000), parts=st.integers(1, 200))
def test_shares_are_of_nearly_equal_size(count: int, parts: int) -> None:
    shares = split(range(count), parts)
    assert [each for share in shares for each in share] == list(range(count))
    assert len(shares) == parts and max(map(len, shares)) - min(map(len, shares)) <= 1


def test_whole_nodes_get_a_folder_each_and_shared_ones_a_core() -> None:
    sites = read_sites()
    tacc, generic = sites["lonestar6"], sites["generic"]
    found = plan(tacc, tacc.chosen(None), 1_000_000)
    assert (found.dispatches, found.workers, found.lines, found.jobs) == (64, 64, 4, 16)
    # 1e6 / 4096 detections of 3 s each, and the start, doubled
    assert found.minutes == round(2 * (4 + 3.0 / 60 * 1e6 / 4096)) and not found.cut
    small = plan(tacc, tacc.chosen("development"), 100)
    assert (small.dispatches, small.workers, small.minutes) == (1, 10, 10)
    assert plan(tacc, tacc.chosen(None), 500, tasks=70).dispatches == 2
    found = plan(generic, generic.chosen(None), 100, tasks=4)
    assert (found.dispatches, found.workers, found.jobs) == (4, 1, 4)
    assert plan(generic, generic.chosen(None), 3, tasks=10).dispatches == 3
    late = plan(generic, generic.chosen(None), 100_000, tasks=1)
    assert late.cut and late.minutes == 24 * 60


def test_the_script_says_what_was_asked(tmp_path: Path) -> None:
    """And bash finds no fault in it."""
    site = replace(read_sites()["lonestar6"], prologue=("module load python3",))
    queue = site.chosen(None)
    shared = plan(site, queue, 1_000_000)
    wishes = Wishes(time="02:30:00", email="someone@example.org", account="AST1", dependency="afterok:7")
    text = script(Output(tmp_path / "a run"), site, queue, shared, wishes)
    for line in (
        "--array=0-15", "--nodes=4", "--ntasks-per-node=1", "--partition=normal", "--time=02:30:00", "--account=AST1",
        "--mail-user=someone@example.org", "--dependency=afterok:7",
    ):  # fmt: skip
        assert f"#SBATCH {line}\n" in text
    assert "export OMP_NUM_THREADS=1" in text and "module load python3" in text
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


@pytest.mark.parametrize("lines", [1, 2])
def test_each_element_of_the_array_does_its_own_lines(tmp_path: Path, lines: int) -> None:
    """The script run as SLURM would run it, with the commands replaced; `srun` too."""
    output = Output(tmp_path / "a run")
    output.folder.mkdir()
    (output.folder / "elixer.run").write_text("".join(f"echo 'share {number}'\n" for number in range(4)))
    site = read_sites()["generic"]
    shared = replace(plan(site, site.chosen(None), 40, tasks=4), lines=lines, jobs=4 // lines)
    path = tmp_path / "job"
    path.write_text(script(output, site, site.chosen(None), shared, Wishes()))
    (tmp_path / "srun").write_text('#!/bin/bash\nfor p in 0 1; do SLURM_PROCID=$p "${@:3}"; done\n')
    (tmp_path / "srun").chmod(0o755)
    told = ""
    for element in range(4 // lines):
        environment = {"SLURM_ARRAY_TASK_ID": str(element), "PATH": f"{tmp_path}:/usr/bin:/bin"}
        told += subprocess.run(["bash", path], env=environment, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [f"share {number}" for number in range(4)]


def test_a_longer_list_adds_shares(tmp_path: Path) -> None:
    output = Output(tmp_path / "run")
    output.folder.mkdir()
    add_dispatches(output.folder, [1, 2, 3], 2)
    unfinished, fresh = to_do(output, dispatches(output.folder), [1, 2, 3, 4])
    assert [each.detectids for each in unfinished] == [(1, 2), (3,)] and fresh == [4]
    add_dispatches(output.folder, fresh, 1)
    assert [each.folder.name for each in dispatches(output.folder)] == [f"dispatch_{number:04d}" for number in range(3)]
    assert (output.folder / "dispatch_0002" / "dispatch_0002").read_text() == "4\n"
    with pytest.raises(DataError, match="nothing to bring together"):
        collect(tmp_path)


def test_shares_that_were_never_processed_are_listed(tmp_path: Path) -> None:
    """Every job was cancelled before it began: all of the list is still to do, and one at a time tells so."""
    output = Output(tmp_path / "run")
    output.folder.mkdir()
    add_dispatches(output.folder, [1, 2, 3], 2)
    summary = collect(output.folder)
    assert summary.done == [] and summary.failed == dict.fromkeys([1, 2, 3], MISSING)
    listed = (output.folder / FAILURES).read_text()
    assert listed == "".join(f"{each}  # {MISSING}\n" for each in [1, 2, 3])
    assert sorted(path.name for path in output.folder.iterdir()) == ["dispatch_0000", "dispatch_0001", FAILURES]
    with only_run(output), pytest.raises(Busy, match="another run is writing here"):
        collect(output.folder)
    assert (output.folder / FAILURES).read_text() == listed


def test_scripts_without_submission(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--slurm 0` writes the layout of the user guide and submits nothing."""
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    chosen = [str(each) for each in open_release(simulated).detectids()[:5]]
    words = ["--dets", ",".join(chosen), "--name", "run", "--hdr", str(simulated), "--tasks", "3"]
    assert cli.selixer([*words, "--slurm", "0", "--time", "01:00:00", "--email", "a@example.org"]) == 0
    lists = [path.read_text().split() for path in sorted((tmp_path / "run").glob("dispatch_*/dispatch_*"))]
    assert lists == [chosen[:2], chosen[2:4], chosen[4:]]
    commands = (tmp_path / "run" / "elixer.run").read_text().splitlines()
    assert len(commands) == 3
    assert f"--name {tmp_path}/run/dispatch_0001/run" in commands[1] and "--recover" in commands[1]
    assert "--time=01:00:00" in (tmp_path / "run" / "elixer.slurm").read_text()
    assert "nothing was submitted" in capsys.readouterr().out
    # SLURM that refuses is told with its reason, and what was written stays
    assert cli.selixer(words) == 2
    assert "SLURM did not take the job" in capsys.readouterr().err
    # a second time gives the same shares
    assert cli.selixer([*words, "--slurm", "0"]) == 0
    assert len(list((tmp_path / "run").glob("dispatch_*"))) == 3
