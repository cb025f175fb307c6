"""The command lines of the ELiXer user guide, given to a shell as they are printed, and the options one by one."""

# ruff: noqa: F811 - pytest hands fixtures over by the names under which they are imported

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets import cli, cli_options, cli_run, cli_values, releases
from elixer_widgets.analysis import Interpretation
from elixer_widgets.cli_guide import _guide_parser
from elixer_widgets.releases.pytables import remove_index
from tests.bulk.test_local import FakeRelease, fake  # noqa: F401 - a fixture
from tests.test_cli import opened  # noqa: F401 - a fixture

PRINTED = (2000000318, 2000000330, 2000150414)
"""The detections that the guide's examples name."""


@dataclass(frozen=True)
class Printed:
    """A command as printed, the files that must be there afterwards, and what it must say."""

    line: str
    files: tuple[str, ...] = ()
    said: str = ""
    code: int = 0
    detections: int = field(default=-1)
    """Rows of the first catalogue among the files."""


GUIDE = (
    Printed("elixer --help", said="--neighborhood ARCSEC"),
    Printed("selixer --help", said="--email ADDRESS"),
    Printed(
        "selixer --recover --ra 150.025406 --dec 2.087600 --error 3.0 --name  example1 --tasks 0 --email "
        "yourname@utexas.edu",
        ("example1/example1_cat.h5", "example1/2000000318.pdf"), "1 done, 0 skipped", detections=1,
    ),
    Printed(
        "selixer --recover --ra 10h00m6.10s --dec 2d05m15.36s --error 3.0 --name  example1 --tasks 0 --email "
        "yourname@utexas.edu",
        ("example1/example1_cat.h5",), "0 done, 1 skipped", detections=1,
    ),
    Printed(
        "selixer --recover --tasks 0 --email yourname@utexas.edu --dets  detlist --error 2.5 --name example2",
        ("example2/example2_cat.h5", "example2/2000000330.pdf"), "2 done", detections=2,
    ),
    Printed(
        "elixer --dets 2000000318,2000000330,2000150414 --name example3 --jpeg --png --mini --neighborhood 10 "
        "--time 01:00:00 --queue normal",
        (
            "example3/example3_cat.h5", "example3/2000150414.pdf", "example3/2000150414.jpg",
            "example3/2000150414.png", "example3/2000150414_mini.png", "example3/2000150414_nei.png",
        ),
        "3 done", detections=3,
    ),
    Printed("elixer --prep_recover --dets detlist --name example1", ("example1/elixer_recovery_list.dets",), "1 of 2"),
    Printed("cd merging && selixer --merge", ("merging/elixer_merged_cat.h5",), "2 catalogues merged", detections=3),
    Printed("cd merging && elixer --merge", said="exists already", code=2),
    Printed(
        "cd merging && elixer --merge_unique new.h5,one_cat.h5,one_cat.h5", ("merging/new.h5",), detections=1,
    ),
    Printed("cd merging && elixer --upgrade_hdf5 one_cat.h5,up.h5", ("merging/up.h5",), detections=1),
)  # fmt: skip


def _renumbered(simulated: Path, folder: Path) -> Path:
    """The simulated release with the guide's three numbers, and the guide's position for the first of them."""
    tree = folder / "hdr"
    shutil.copytree(simulated, tree, copy_function=os.link)
    for path in [*tree.rglob("detect_*.h5"), *tree.rglob("detect_index_*.h5")]:
        copy = path.with_suffix(".copy")
        shutil.copy(path, copy)  # a link shares its bytes with the release it was made from
        copy.replace(path)
        with h5py.File(path, "r+") as file:
            tables: list[h5py.Dataset] = []
            file.visititems(lambda _, each, into=tables: into.append(each) if isinstance(each, h5py.Dataset) else None)
            for table in tables:
                if "detectid" not in (table.dtype.names or ()):
                    continue
                remove_index(file, table.name)
                rows = table[:]
                old = np.unique(rows["detectid"])[:3]
                for before, after in zip(old, PRINTED, strict=True):
                    here = rows["detectid"] == before
                    rows["detectid"][here] = after
                    if after == PRINTED[0] and table.name in ("/Detections", "/DetectIndex"):
                        rows["ra"][here], rows["dec"][here] = 150.025406, 2.0876
                table[:] = rows
    return tree


@pytest.mark.slow
def test_the_printed_commands_in_a_shell(simulated: Path, tmp_path: Path) -> None:
    """On a simulated release that holds the guide's own numbers and position; without SLURM on the computer."""
    release = _renumbered(simulated, tmp_path)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("elixer", "selixer"):
        script = commands / name
        body = f"import sys\nfrom elixer_widgets.cli import {name}\nsys.exit({name}())\n"
        script.write_text(f"#!{sys.executable}\n{body}")
        script.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    (work / "detlist").write_text("2000000318\n2000000330\n")
    environment = {**os.environ, "PATH": str(commands), cli_values.RELEASE_VARIABLE: str(release)}
    environment["PYTHONPATH"] = str(Path(cli.__file__).parents[1])
    for each in GUIDE:
        if each.line.startswith("cd merging") and not (work / "merging").exists():
            (work / "merging" / "dispatch_0000" / "example2").mkdir(parents=True)
            shutil.copy(work / "example1" / "example1_cat.h5", work / "merging" / "one_cat.h5")
            shutil.copy(work / "example2" / "example2_cat.h5", work / "merging" / "dispatch_0000" / "example2")
        ended = subprocess.run(["/bin/sh", "-c", each.line], cwd=work, env=environment, capture_output=True, text=True)
        told = ended.stdout + ended.stderr
        assert ended.returncode == each.code, f"{each.line}\n{told}"
        assert each.said in told, f"{each.line}\n{told}"
        for name in each.files:
            assert (work / name).is_file(), f"{each.line}: no {name}\n{told}"
        if each.detections >= 0:
            with h5py.File(work / each.files[0]) as file:
                assert len(file["Detections"]) == each.detections, each.line


# ------------------------------------------------------------------------------------------------ one by one


def _run(opened: FakeRelease, tmp_path: Path, *more: str, dets: str = "") -> int:
    arguments = ["--dets", dets or str(opened.ids[0]), "--name", str(tmp_path / "o"), "--hdr", "x", *more]
    return cli.elixer(arguments)


def test_options_without_effect_say_so(opened: FakeRelease, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    all_of_them = [f"--{name}=1" for name in cli_options.WITHOUT_EFFECT]
    assert _run(opened, tmp_path, "--prep_recover", *all_of_them) == 0
    told = capsys.readouterr().err
    for name, reason in cli_options.WITHOUT_EFFECT.items():
        assert f"--{name} has no effect: {reason}" in told


def test_refused_options_give_the_reason(
    opened: FakeRelease, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a value and without, alone and together."""
    for name, reason in cli_options.REFUSED.items():
        assert _run(opened, tmp_path, f"--{name}") == 2
        assert _run(opened, tmp_path, f"--{name}", "3.5") == 2
        assert capsys.readouterr().err.count(f"--{name}: {reason}") == 2
    assert _run(opened, tmp_path, *(f"--{name}" for name in cli_options.REFUSED)) == 2
    assert not (tmp_path / "o").exists()


# The list of options of ELiXer 1.22.5, from its documentation.
ELIXER = [
    "dets",
    "ra",
    "dec",
    "error",
    "search",
    "coords",
    "shotid",
    "id",
    "hdf5",
    "hdr",
    "continuum",
    "broadline",
    "not_blind",
    "blind",
    "require_hetdex",
    "include_all_amps",
    "delta_wave",
    "aperture",
    "wavelength",
    "annulus",
    "ffsky",
    "ffsky_rescor",
    "gridsearch",
    "zeropoint",
    "zeroflat",
    "skyres",
    "deblend",
    "lyc",
    "fit_sigma",
    "fit_delta_wave",
    "mcmc",
    "known_z",
    "plya_thresh",
    "voters",
    "check_z",
    "prefer_g",
    "cluster",
    "sdss",
    "panstarrs",
    "decals",
    "nophoto",
    "allow_empty_image",
    "allcat",
    "catcheck",
    "fz",
    "name",
    "png",
    "jpg",
    "jpeg",
    "mini",
    "neighborhood",
    "neighborhood_only",
    "zoo",
    "zoox",
    "gaussplots",
    "fitspec",
    "ylim",
    "fibers",
    "sn",
    "score",
    "viewer",
    "log",
    "version",
    "help",
    "force",
    "recover",
    "no_recover",
    "prep_recover",
    "missing",
    "dispatch",
    "dispatch_base",
    "special",
    "tmp",
    "tasks",
    "time",
    "timex",
    "queue",
    "email",
    "nodes",
    "ntasks_per_node",
    "fill_tasks",
    "slurm",
    "alloc",
    "dependency",
    "ooops",
    "merge",
    "merge_local",
    "merge_unique",
    "merge_unique_limited",
    "merge_cluster",
    "remove_duplicates",
    "remove_dets",
    "upgrade_hdf5",
    "cure",
    "sigma",
    "chi2",
    "par",
    "rot",
    "ast",
    "obsdate",
    "obsid",
    "specid",
    "ifuid",
    "ifuslot",
    "dither",
    "path",
    "line",
    "fcsdir",
    "ifu",
    "dist",
    "panacea_red",
    "multi",
]


@pytest.mark.parametrize("name", ["elixer", "selixer"])
def test_every_option_of_elixer_is_known_and_documented(name: str) -> None:
    known = {text for action in _guide_parser(name)._actions for text in action.option_strings}
    assert {f"--{each}" for each in ELIXER} <= known
    assert {"-e", "-n", "-f"} <= known
    page = (Path(__file__).parents[1] / "docs" / "differences.md").read_text(encoding="utf-8")
    missing = [each for each in (*cli_options.WITHOUT_EFFECT, *cli_options.REFUSED) if f"`--{each}`" not in page]
    assert not missing, f"docs/differences.md does not name {missing}"


def test_extra_files_and_their_names(
    opened: FakeRelease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from elixer_widgets.reports import mini, neighborhood

    radii: list[float] = []

    def write_neighborhood(release: object, view: Interpretation, path: Path, radius: float) -> Path:
        radii.append(radius)
        path.write_text("a map")
        return path

    monkeypatch.setattr(mini, "write_mini", lambda view, path: path.write_text("small"))
    monkeypatch.setattr(neighborhood, "write_neighborhood", write_neighborhood)
    first = opened.ids[0]
    assert _run(opened, tmp_path, "--mini", "--neighborhood", "12.5", "--jpg") == 0
    names = {path.name for path in (tmp_path / "o").iterdir()}
    expected = {f"{first}.pdf", f"{first}.jpg", f"{first}_mini.png", f"{first}_nei.png", "o_cat.h5", "elixer.log"}
    assert names == expected and radii == [12.5]
    (tmp_path / "o" / f"{first}_mini.png").unlink()  # what is missing of the files asked for is made again
    assert _run(opened, tmp_path, "--mini", "--neighborhood", "12.5", "--jpg", "--recover") == 0
    assert (tmp_path / "o" / f"{first}_mini.png").is_file()
    assert _run(opened, tmp_path / "only", "--neighborhood_only", "8") == 0
    assert {path.suffix for path in (tmp_path / "only" / "o").iterdir()} == {".png", ".h5", ".log"}
    assert _run(opened, tmp_path / "off", "--neighborhood", "-1") == 0
    assert not list((tmp_path / "off" / "o").glob("*_nei.png"))


def test_a_known_redshift_and_no_photometry(
    opened: FakeRelease,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from elixer_widgets import analysis

    known: list[float | None] = []
    interpreted = analysis.interpret
    monkeypatch.setattr(
        analysis,
        "interpret",
        lambda m, redshift=None: (known.append(redshift), interpreted(m))[1],  # type: ignore
    )
    assert _run(opened, tmp_path, "--known_z", "0.2071") == 0
    assert known == [0.2071]


def test_without_photometry_there_are_no_images(simulated: Path) -> None:
    release = releases.open_release(simulated)
    detectid = int(release.detectids()[0])
    assert release.detection(detectid).imaging.cutouts
    view = cli_run.measured_as_asked(release, detectid, None, photometry=False)
    assert not view.measurements.cutouts and not view.measurements.matches
    assert any("--nophoto" in note for note in view.measurements.notes)
    assert view.measurements.fiber_fluxes  # the spectra of the fibers are still read


def test_a_list_of_positions(
    opened: FakeRelease,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = tmp_path / "places"
    places.write_text("# mine\n150.02 -2.0876\n10.0 20.0\n10h00m06s -2d05m15s 4500.0\n")
    arguments = ["--name", str(tmp_path / "o"), "--hdr", "x", "--coords", str(places)]
    assert cli.elixer(arguments) == 0
    assert (tmp_path / "o" / f"{opened.ids[1]}.pdf").is_file()
    assert "no detection at 10.000000, 20.000000" in capsys.readouterr().err
    places.write_text("150.02 -2.0876 5000.0\n")
    assert cli.elixer([*arguments, "--delta_wave", "5"]) == 2  # the line lies at 4500 Å
    places.write_text("150.02\n")
    assert cli.elixer(arguments) == 2
    assert "line 1: '150.02' is no position" in capsys.readouterr().err
    assert cli.elixer([*arguments, "--ra", "10", "--dec", "10"]) == 2


@pytest.mark.parametrize(("arguments", "said"), [
    (["--continuum"], "were found by a line"),
    (["--shotid", "20230115007"], "none of the detections asked for belongs to this shot"),
    (["--plya_thresh", "0.6,0.5,0.4"], "stand for 0.5,0.4,0.3"),
    (["--surveys", "gone.toml"], "there is no such file"),
    (["--merge", "--merge_unique"], "exclude one another"),
    (["--upgrade_hdf5", "a,b,c"], "takes two file names"),
])  # fmt: skip
def test_what_cannot_be_done_ends_with_two(
    opened: FakeRelease,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    assert _run(opened, tmp_path, *arguments) == 2
    assert said in capsys.readouterr().err


def test_options_for_slurm_say_that_elixer_does_not_submit(
    opened: FakeRelease,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(opened, tmp_path, "--email", "a@b.c", "--queue", "normal", "--plya_thresh", "0.5,0.4,0.3") == 0
    assert "--queue, --email: without effect here" in capsys.readouterr().err


def test_images_from_the_web_and_own_surveys_reach_the_workers(
    opened: FakeRelease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the environment, which every worker inherits."""
    own = tmp_path / "own.toml"
    own.write_text("")
    for name in ("ELIXER_WIDGETS_WEB", "ELIXER_WIDGETS_SURVEYS"):
        monkeypatch.setenv(name, "")
    for given, expected in (("--web", "1"), ("--no-web", "0"), ("--decals=2", "1"), ("--sdss=0", "0")):
        assert _run(opened, tmp_path / given.strip("-"), given, "--surveys", str(own)) == 0
        assert os.environ["ELIXER_WIDGETS_WEB"] == expected
    assert os.environ["ELIXER_WIDGETS_SURVEYS"] == str(own)


def test_an_interrupted_run_says_so_and_goes_on(
    opened: FakeRelease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from elixer_widgets import reports

    written: list[Path] = []
    write = reports.write_report

    def interrupted(view: Interpretation, path: Path) -> None:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(path)
        write(view, path)

    dets = ",".join(map(str, opened.ids[:3]))
    monkeypatch.setattr(reports, "write_report", interrupted)
    assert _run(opened, tmp_path, dets=dets) == 130
    assert "ended by the user: 1 done" in capsys.readouterr().out
    monkeypatch.setattr(reports, "write_report", write)
    assert _run(opened, tmp_path, "--recover", dets=dets) == 0
    assert "2 done, 1 skipped" in capsys.readouterr().out


def test_pictures_go_into_the_image_database(
    opened: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from elixer_widgets import reports
    from elixer_widgets.reports.database import read_report

    def write(view: Interpretation, path: Path) -> None:
        if path.suffix == ".png":
            Image.new("RGB", (3, 2), "red").save(path)
        else:
            path.write_text("a report")

    monkeypatch.setattr(reports, "write_report", write)
    first = opened.ids[0]
    assert _run(opened, tmp_path, "--database") == 0
    assert "1 stored, 0 there already" in capsys.readouterr().out
    assert read_report(tmp_path / "o" / "image_db", first) == (tmp_path / "o" / f"{first}.png").read_bytes()
    assert cli.main(["database", str(tmp_path / "o"), "--into", str(tmp_path / "all")]) == 0
    assert read_report(tmp_path / "all", first) == (tmp_path / "o" / f"{first}.png").read_bytes()
    assert cli.main(["database", str(tmp_path / "gone")]) == 2
