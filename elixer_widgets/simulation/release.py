"""A whole simulated release: shots, fibers, images, detections, imaging, and the truth beside them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np

from elixer_widgets._arguments import path as given
from elixer_widgets._arguments import whole
from elixer_widgets._files import Held, holding, lock_beside
from elixer_widgets.detection import DataError
from elixer_widgets.releases import layout
from elixer_widgets.simulation import detections, files, imaging, optics, placement, sky, truth
from elixer_widgets.simulation.placement import Candidate, Field
from elixer_widgets.simulation.shots import Observation, observe
from elixer_widgets.simulation.spectra import Emission, Source

RELEASE = "hdr5"
FIRST_DETECTID = 5000000001
MOST = 5000  # detections
PIPELINE_CUT = 4.5  # signal-to-noise that a line needs to be kept, as in HDR5
FAINTEST_IN_FIBERS = 25.0  # g magnitude; fainter galaxies only appear in the images

_PARTS = frozenset({RELEASE, "lib_calib", "imaging", truth.NAME})

Progress = Callable[[float, str], None]


def simulate_release(path: str | PathLike[str], n: int = 64, seed: int = 1, progress: Progress | None = None) -> Path:
    """Write a small synthetic release with known truth, in the files and formats of a real one.

    Parameters
    ----------
    path : str or path-like
        Directory to make. A previous simulation there is replaced.
    n : int
        Number of detections, 1 to 5000. Below 24 not every kind of object occurs. Disk space: about 65 MB an
        amplifier, of which one serves about a dozen detections (390 MB for 64).
    seed : int
        Not negative; the same seed gives the same sky and the same noise.
    progress : callable, optional
        Called with the fraction done (0 to 1) and what is being done.

    Returns
    -------
    pathlib.Path
        `path`: holds `hdr5/`, `lib_calib/`, `imaging/`, and `truth.ecsv`, which no reader opens.

    Raises
    ------
    DataError
        If `path` exists and is not a previous simulation, cannot be written or has no room, or `n` or `seed` makes no
        sense.

    Notes
    -----
    Everything is written into a hidden directory beside `path`, which takes its name at the end: an interrupted run
    leaves `path` as it was.
    """
    target = given(path, "simulate_release: path")
    n = whole(n, "simulate_release: n", "a whole number of detections from 1 up", least=1)
    seed = whole(seed, "simulate_release: seed", "a whole number, not negative")
    if n > MOST:
        raise DataError(f"simulate_release: n = {n} would fill tens of gigabytes; give at most {MOST}")
    _check_target(target)
    say = progress or (lambda fraction, what: None)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror}); name another directory") from error
    with holding(lock_beside(target), target) as held:  # a simulation that was killed is swept away by the next one
        work = _workplace(target, int(n), held)
        _build(work, int(n), int(seed), say)
        _put_in_place(work, target, held)
    say(1.0, "done")
    return target


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DataError(f"{target}: is a file; name a directory that does not exist yet")
    if not any(target.iterdir()):
        return
    table = target / truth.NAME
    if not table.is_file() or truth.MARK not in table.read_text(encoding="utf-8")[:4000]:
        raise DataError(f"{target}: holds files that are no simulated release; name an empty or new directory")
    others = sorted(each.name for each in target.iterdir() if each.name not in _PARTS)
    if others:  # a person's own, a run's results perhaps: the old simulation would be deleted with them
        raise DataError(
            f"{target}: holds {others[0]} beside a simulated release; move it away or name another directory"
        )


def _workplace(target: Path, n: int, held: Held) -> Path:
    """A hidden directory beside the target, on a disk with room enough."""
    try:
        free = shutil.disk_usage(target.parent).free
        needed = placement.disk_space(n)
        if free < needed:
            raise DataError(
                f"{target}: {n} detections take {needed / 1e6:.0f} MB and the disk has {free / 1e6:.0f} MB left; "
                "give a smaller n or another disk"
            )
        work = held.workplace() / "new"
        work.mkdir()
        return work
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror}); name another directory") from error


def _put_in_place(work: Path, target: Path, held: Held) -> None:
    # Somebody else may have written there meanwhile.
    _check_target(target)
    if not target.exists():
        os.rename(work, target)
        return
    os.rename(target, held.workplace() / "old")
    os.rename(work, target)


def _build(root: Path, n: int, seed: int, say: Progress) -> None:
    """Everything, under `root`."""
    base = np.random.SeedSequence(seed)
    rng = np.random.default_rng(base.spawn(1)[0])
    counts = sky.mixture(n)
    fields = [Field(plan) for plan in placement.plans_for(n, rng)]
    placement.populate(fields, counts, rng)

    tree = layout.ReleaseTree(root / RELEASE, RELEASE)
    redshifts: list[str] = []
    index: list[np.ndarray] = []
    for i, each in enumerate(fields):
        say(0.05 + 0.85 * i / len(fields), f"observing {layout.datevobs(each.plan.shotid)}")
        local = np.random.default_rng(base.spawn(1)[0])
        placement.add_background(each, local)
        pictured = each.objects() + each.background
        bright = [item for item in each.background if item[0].magnitudes["g"] < FAINTEST_IN_FIBERS]
        observation = observe(each.plan, each.objects() + bright, each.faults, local)
        files.write_shot(tree, observation)
        for candidate in each.candidates:
            _detect(observation, candidate)
        each.candidates += _noise(each, observation, 8 + 2 * counts["noise"] // len(fields) if counts["noise"] else 0)
        index.append(files.fiber_index_rows(observation))
        sources = [source for source, _, _ in pictured]
        imaging.write_field(root / "imaging", each.plan, sources, local)
        redshifts += imaging.spec_z_rows(sources, local)

    say(0.92, "writing detections")
    imaging.write_spec_z(root / "imaging", redshifts)
    files.write_survey(tree, [each.plan for each in fields], np.concatenate(index))
    _write_detections(root, tree, _choose(fields, counts, rng), seed)


def _detect(observation: Observation, candidate: Candidate) -> None:
    """Let the pipeline find a candidate; its rows get their detectid when it is chosen."""
    found = detections.detect(observation, candidate.x, candidate.y, candidate.wave, candidate.sigma)
    candidate.sn = found.sn
    candidate.captured = truth.captured(observation, candidate, found)
    candidate.rows = detections.table_rows(observation, found, 0)


def _noise(each: Field, observation: Observation, count: int) -> list[Candidate]:
    """The highest peaks of pure noise in one shot."""
    found = []
    hot = [fault.wave for fault in each.faults if fault.kind == "chargetrap"]
    for x, y, wave in detections.noise_peaks(observation, count, each.taken(), hot):
        source = Source("noise", sky.IDENTITY["noise"], float("nan"), (Emission(wave, optics.LSF_SIGMA, 0.0),))
        each.place(source, x, y)
        candidate = Candidate(source, x, y, wave, optics.LSF_SIGMA)
        _detect(observation, candidate)
        found.append(candidate)
    return found


def _choose(fields: list[Field], counts: dict[str, int], rng: np.random.Generator) -> list[tuple[Field, Candidate]]:
    """The detections that a release keeps: the wanted number of each kind, by shot, in no order within a shot.

    Lines below the pipeline's cut are kept only where there are not enough others; of noise, the highest peaks.
    """
    chosen: list[tuple[int, float, Field, Candidate]] = []
    for kind, count in counts.items():
        of_kind = [
            (i, float(rng.uniform()), each, candidate)
            for i, each in enumerate(fields)
            for candidate in each.candidates
            if candidate.source.kind == kind
        ]
        by_significance = sorted(of_kind, key=lambda item: -item[3].sn)
        if kind == "noise":
            chosen += by_significance[:count]
            continue
        passed = sorted((item for item in of_kind if item[3].sn > PIPELINE_CUT), key=lambda item: item[1])
        failed = [item for item in by_significance if item[3].sn <= PIPELINE_CUT]
        chosen += (passed + failed)[:count]
    chosen.sort(key=lambda item: item[:2])
    return [(each, candidate) for _, _, each, candidate in chosen]


def _write_detections(root: Path, tree: layout.ReleaseTree, chosen: list[tuple[Field, Candidate]], seed: int) -> None:
    """The detection files and the truth table."""
    tables: tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]] = ([], [], [])
    rows = []
    for number, (each, candidate) in enumerate(chosen):
        detectid = FIRST_DETECTID + number
        for table, part in zip(tables, candidate.rows or (), strict=True):
            part["detectid"] = detectid
            table.append(part)
        tables[0][-1]["inputid"] = f"{tables[0][-1]['multiframe'][0].decode()}_{number + 1}"
        rows.append(truth.row(each.plan, candidate, detectid))
    files.write_detections(tree, *(np.concatenate(table) for table in tables))
    truth.write(root, rows, seed)
