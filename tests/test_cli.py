"""The command line: options as the user guide prints them, clear errors, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from elixer_widgets import cli, cli_run, cli_values, releases, simulation
from elixer_widgets._version import __version__
from elixer_widgets.detection import DataError
from elixer_widgets.reports import write_catalog
from tests.bulk.test_local import FakeRelease, fake  # noqa: F401 - a fixture
from tests.factories import make_detection, make_interpretation


@pytest.fixture
def opened(fake: FakeRelease, monkeypatch: pytest.MonkeyPatch) -> FakeRelease:  # noqa: F811
    """Every path opens the fake release; no SLURM is there."""
    monkeypatch.setattr("elixer_widgets.bulk.slurm.has_slurm", lambda: False)
    monkeypatch.setattr(releases, "open_release", lambda path, **stated: fake)
    return fake


# ------------------------------------------------------------------------------------------------- positions


@pytest.mark.parametrize("text", ["150.025406", "10h00m6.09744s", "10:00:06.09744", "150.025406d", "150:01:31.4616d"])
def test_right_ascension_forms(text: str) -> None:
    assert cli_values.right_ascension(text) == pytest.approx(150.025406, abs=1e-6)


@pytest.mark.parametrize(("text", "degrees"), [
    ("2.087600", 2.0876), ("2d05m15.36s", 2.0876), ("2:05:15.36", 2.0876), ("-0.306097", -0.306097),
    ("-0d18m21.9492s", -0.306097), ("-0:18:21.9492", -0.306097), ("+2d05m15.36s", 2.0876),
])  # fmt: skip
def test_declination_forms(text: str, degrees: float) -> None:
    """-0d18m is the form in which a sign is easily lost."""
    assert cli_values.declination(text) == pytest.approx(degrees, abs=1e-6)


@pytest.mark.parametrize(
    "option", [["--ra", "400"], ["--ra", "ten"], ["--dec", "-91"], ["--error", "-1"], ["--error", "x"]]
)
def test_impossible_positions(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *option])
    assert ended.value.code == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "dec", [["--dec", "-2d05m15.36s"], ["--dec=-2.0876"], ["--dec", "-2.0876"], ["--dec", "-2:05:15.36"]]
)
def test_negative_declinations_reach_the_search(opened: FakeRelease, tmp_path: Path, dec: list[str]) -> None:
    arguments = ["run", "--ra", "10h00m06.10s", *dec, "--error", "3.0", "--name", str(tmp_path / "o"), "--release", "x"]
    assert cli.main(arguments) == 0
    assert (tmp_path / "o" / f"{opened.ids[1]}.pdf").is_file()


# ------------------------------------------------------------------------------------------------------ lists


def test_lists_of_detections(tmp_path: Path) -> None:
    path = tmp_path / "detlist"
    path.write_text("# mine\n2000000318\n2000000330  # bright\n\n2000000318\n2000150414 4.5\n")
    assert cli_values.read_detections(str(path)) == [2000000318, 2000000330, 2000150414]
    assert cli_values.read_detections("2000000318,2000000330,2000150414") == [2000000318, 2000000330, 2000150414]
    path.write_text("1,2\n3\n")
    assert cli_values.read_detections(str(path)) == [1, 2, 3]


def test_bad_lists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no file and no list"):
        cli_values.read_detections(str(tmp_path / "gone"))
    path = tmp_path / "bad"
    path.write_text("2000000318\nabc\n")
    with pytest.raises(DataError, match=r"bad: 'abc' is not a detection number"):
        cli_values.read_detections(str(path))


# -------------------------------------------------------------------------------------------------------- run


@pytest.mark.parametrize(("arguments", "said"), [
    (["--name", "o"], "nothing was selected"),
    (["--name", "o", "--ra", "150"], "given together"),
    (["--name", "o", "--ra", "150", "--dec", "-2", "--dets", "1"], "give either a list or a position"),
    (["--name", "o", "--ra", "10", "--dec", "-2"], 'no detection lies within 3" of 10.000000, -2.000000'),
    (["--dets", "1"], "--name"),
    (["--name", "o", "--dets", "empty"], "holds no detection number"),
])  # fmt: skip
def test_empty_selections_are_errors(
    opened: FakeRelease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("# nothing\n")
    assert cli.main(["run", "--release", "x", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_summary_and_exit_code(opened: FakeRelease, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dets = ",".join(map(str, opened.ids[2:]))
    assert cli.main(["run", "--dets", dets, "--name", str(tmp_path / "o"), "--release", "x", "--png", "--jpeg"]) == 1
    told = capsys.readouterr()
    assert "1 done, 0 skipped (there already), 2 failed" in told.out
    assert "fake.h5: is cut short" in told.out
    assert f"{opened.ids[2]}  Lyα 1216 z 2.7027" in told.err
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert {f"{opened.ids[2]}.{kind}" for kind in ("pdf", "png", "jpg")} | {"o_cat.h5"} <= names


def test_no_release_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(cli_values.RELEASE_VARIABLE, raising=False)
    assert cli.main(["run", "--dets", "1", "--name", str(tmp_path / "o")]) == 2
    assert "--release PATH" in capsys.readouterr().err
    assert cli.main(["run", "--dets", "1", "--name", str(tmp_path / "o"), "--hdr", "5"]) == 2
    assert "give the path of that release" in capsys.readouterr().err
    assert cli.main(["run", "--dets", "1", "--name", str(tmp_path / "o"), "--release", str(tmp_path / "gone")]) == 2
    assert "gone" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["run", "--nonsense"], ["fly"], [], ["run", "--det", "1"]])
def test_unknown_options_and_commands(command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(command)
    assert ended.value.code == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    for command, name in ((cli.main, "elixer-widgets"), (cli.elixer, "elixer"), (cli.selixer, "selixer")):
        with pytest.raises(SystemExit) as ended:
            command(["--version"])
        assert ended.value.code == 0
        out = capsys.readouterr().out
        assert out.startswith(name) and __version__ in out


# ------------------------------------------------------------------------------------------------------ merge


def _catalog(path: Path, ids: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_catalog([make_interpretation(make_detection(each)) for each in ids], path)


def _ids(path: Path) -> list[int]:
    with h5py.File(path) as file:
        return [int(each) for each in file["Detections"]["detectid"]]


def test_merge_of_dispatched_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _catalog(tmp_path / "dispatch_0000" / "example2" / "example2_cat.h5", [1, 2])
    _catalog(tmp_path / "dispatch_0001" / "example2" / "example2_cat.h5", [2, 3])
    monkeypatch.chdir(tmp_path)
    assert cli.elixer(["--merge"]) == 0
    assert _ids(tmp_path / "elixer_merged_cat.h5") == [1, 2, 2, 3]
    assert cli.selixer(["--merge"]) == 2  # the result is not overwritten


def test_merge_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = _catalog(tmp_path / "a.h5", [1, 2]), _catalog(tmp_path / "b.h5", [2, 3])
    out = tmp_path / "m.h5"
    assert cli.main(["merge", str(one), str(two), "-o", str(out), "--unique"]) == 0
    assert sorted(_ids(out)) == [1, 2, 3]
    assert cli.main(["merge", str(one), "-o", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert cli.main(["merge", str(one), "-o", str(out), "--force"]) == 0
    assert _ids(out) == [1, 2]


def test_merge_unique_and_upgrade_of_the_guide(tmp_path: Path) -> None:
    one, two = _catalog(tmp_path / "a.h5", [1, 2]), _catalog(tmp_path / "b.h5", [2, 3])
    assert cli.elixer(["--merge_unique", f"{tmp_path / 'new.h5'},{one},{two}"]) == 0
    assert sorted(_ids(tmp_path / "new.h5")) == [1, 2, 3]
    assert cli.elixer(["--upgrade_hdf5", f"{one},{tmp_path / 'up.h5'}"]) == 0
    assert _ids(tmp_path / "up.h5") == [1, 2]
    assert cli.elixer(["--merge_unique", "only.h5"]) == 2
    assert cli.elixer(["--merge", "--merge_unique", "a,b"]) == 2


def test_nothing_to_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["merge"]) == 2
    assert "holds no catalogue" in capsys.readouterr().err


# ------------------------------------------------------------------------------- the user guide's command lines


def test_examples_of_the_user_guide(
    opened: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its two examples, but for the position and the numbers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cli_values.RELEASE_VARIABLE, "x")
    first = (
        "--recover --ra 150.025406 --dec -2.087600 --error 3.0 --name example1 --tasks 0 --email yourname@utexas.edu"
    )
    assert cli.selixer(first.split()) == 0
    assert "there is no SLURM on this computer" in capsys.readouterr().err
    assert len(_ids(tmp_path / "example1" / "example1_cat.h5")) == 2
    (tmp_path / "detlist").write_text("\n".join(map(str, opened.ids[:3])))
    second = "--recover --tasks 0 --email yourname@utexas.edu --dets detlist --error 2.5 --name example2"
    assert cli.elixer([*second.split(), "--time", "01:00:00", "--queue", "normal"]) == 0
    assert "no job" not in capsys.readouterr().err
    assert len(_ids(tmp_path / "example2" / "example2_cat.h5")) == 3
    assert cli.elixer(second.split()) == 0
    assert "0 done, 3 skipped" in capsys.readouterr().out


def test_prep_recover_lists_what_is_missing(opened: FakeRelease, tmp_path: Path) -> None:
    common = ["--name", str(tmp_path / "o"), "--release", "x"]
    assert cli.elixer(["--dets", str(opened.ids[0]), *common]) == 0
    assert cli.elixer(["--dets", ",".join(map(str, opened.ids[:3])), "--prep_recover", *common]) == 0
    listed = (tmp_path / "o" / cli_run.RECOVERY_LIST).read_text().split()
    assert listed == [str(each) for each in opened.ids[1:3]]


# ------------------------------------------------------------------------------------------ explore, simulate


def test_explore_serves_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from elixer_widgets.widgets import dashboard

    calls: list[tuple] = []
    monkeypatch.setattr(dashboard, "serve", lambda *a, **k: calls.append((a, k)))
    assert cli.main(["explore", str(tmp_path), "--port", "0", "--no-browser"]) == 0
    assert calls == [((tmp_path,), {"port": 0, "open_browser": False, "detectid": None, "at": ""})]


def test_explore_opens_a_campaign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    from elixer_widgets.campaigns import Campaign
    from elixer_widgets.widgets import dashboard

    named: list[tuple] = []
    monkeypatch.setattr(dashboard, "serve", lambda *_, **__: named.append(dashboard.campaign_of("hdr5")))
    # restored afterwards, whatever the command sets
    for name in (dashboard.CAMPAIGN_VARIABLE, dashboard.INSPECTOR_VARIABLE):
        monkeypatch.setenv(name, "")
    folder = tmp_path / "first"
    command = ["explore", str(tmp_path), "--campaign", str(folder), "--inspector", "karl"]
    assert cli.main([*command, "--dets", "7,8,7"]) == 0
    assert cli.main(command) == 0
    assert [each.inspector for each in named] == ["karl", "karl"]
    assert all(each.definition.detectids == (7, 8) for each in named)
    assert Campaign(folder).answers() == []
    assert cli.main(["explore", "--inspector", "karl"]) == 2
    assert "add --campaign FOLDER" in capsys.readouterr().err
    assert cli.main(["explore", "--campaign", str(tmp_path / "none")]) == 2


def test_explore_makes_a_simulated_release_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from elixer_widgets.simulation import kept
    from elixer_widgets.widgets import dashboard

    made: list[Path] = []

    def simulate(path: Path) -> None:
        made.append(path)
        path.mkdir()

    served: list[Path] = []
    monkeypatch.setattr("elixer_widgets.simulation.release.simulate_release", simulate)
    monkeypatch.setattr(dashboard, "serve", lambda path, **_: served.append(path))
    monkeypatch.setenv(kept.CACHE_VARIABLE, str(tmp_path / "cache"))
    for _ in range(2):
        assert cli.main(["explore"]) == 0
    assert len(made) == 1
    assert served == [tmp_path / "cache" / "simulated_release"] * 2


def test_simulate_passes_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple] = []
    monkeypatch.setattr(simulation, "simulate_release", lambda path, n, seed: calls.append((path, n, seed)))
    assert cli.main(["simulate", str(tmp_path / "s"), "--n", "8", "--seed", "5"]) == 0
    assert calls == [(tmp_path / "s", 8, 5)]
    with pytest.raises(SystemExit):
        cli.main(["simulate", str(tmp_path / "s"), "--n", "0"])


def test_the_installed_module_runs() -> None:
    ended = subprocess.run([sys.executable, "-m", "elixer_widgets.cli", "--help"], capture_output=True, text=True)
    assert ended.returncode == 0
    for command in ("explore", "run", "merge", "database", "serve", "simulate"):
        assert command in ended.stdout
