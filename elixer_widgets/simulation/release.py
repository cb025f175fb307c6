"""A whole simulated release: shots, fibers, images, detections, imaging, and the truth beside them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
from astropy.table import Table

from elixer_widgets.detection import DataError
from elixer_widgets.releases import layout
from elixer_widgets.simulation import detections, files, imaging, optics, sky
from elixer_widgets.simulation.shots import Artifact, Observation, ShotPlan, observe, source_fwhm
from elixer_widgets.simulation.spectra import Emission, Source, moments

RELEASE = "hdr5"
FIRST_DETECTID = 5000000001
TRUTH = "truth.ecsv"
MOST = 5000  # detections
MARK = "simulated release"  # in the truth table's metadata: this directory may be replaced

_PER_AMPLIFIER = 13  # detections on one amplifier before another one is observed
_PIPELINE_CUT = 4.5  # signal-to-noise that a line needs to be kept, as in HDR5
_SEPARATION = 4.6  # arcsec between objects

# Survey, field name, centre (degrees), amplifiers, seeing: a deep one, five bands, a shallow one, one without images.
_FIELDS = (
    ("hsc", "dex-spring", 187.41, 52.10, ("LL", "LU"), 1.62),
    ("cfhtls", "dex-spring", 212.87, 53.62, ("RL", "LL"), 1.78),
    ("decals", "dex-fall", 21.35, 0.42, ("RU",), 1.70),
    ("none", "nep", 269.30, 66.25, ("LU",), 1.96),
)

Progress = Callable[[float, str], None]


@dataclass(eq=False)
class _Candidate:
    """Something to be detected in one shot: IFU position, wavelength and width to start from; then what was found."""

    source: Source
    x: float
    y: float
    wave: float
    sigma: float
    found: detections.Extraction | None = None


@dataclass(eq=False)
class _Field:
    """One shot under way."""

    plan: ShotPlan
    candidates: list[_Candidate] = field(default_factory=list)
    faults: list[Artifact] = field(default_factory=list)
    background: list[tuple[Source, float, float]] = field(default_factory=list)
    noise: int = 0
    observation: Observation | None = None

    def taken(self) -> np.ndarray:
        """IFU positions (n, 2) of everything that was put here on purpose."""
        return np.array([(each.x, each.y) for each in self.candidates]).reshape(-1, 2)


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
        If `path` exists and is not a previous simulation, or `n` or `seed` makes no sense.

    Notes
    -----
    Everything is written into a hidden directory beside `path`, which takes its name at the end: an interrupted run
    leaves `path` as it was.
    """
    if int(n) != n or n < 1:
        raise DataError(f"simulate_release: n = {n} is no number of detections; give a whole number from 1 up")
    if n > MOST:
        raise DataError(f"simulate_release: n = {n} would fill tens of gigabytes; give at most {MOST}")
    if int(seed) != seed or seed < 0:
        raise DataError(f"simulate_release: seed = {seed} is not possible; give a whole number, not negative")
    target = Path(path)
    _check_target(target)
    say = progress or (lambda fraction, what: None)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        os.chmod(work, 0o755)
        _build(work, int(n), int(seed), say)
        _put_in_place(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    say(1.0, "done")
    return target


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DataError(f"{target}: is a file; name a directory that does not exist yet")
    if not any(target.iterdir()):
        return
    truth = target / TRUTH
    if not truth.is_file() or MARK not in truth.read_text(encoding="utf-8")[:4000]:
        raise DataError(f"{target}: holds files that are no simulated release; name an empty or new directory")


def _put_in_place(work: Path, target: Path) -> None:
    if not target.exists():
        os.rename(work, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    os.rename(target, old / target.name)
    os.rename(work, target)
    shutil.rmtree(old)


# ------------------------------------------------------------------------------------------------------ the plan


def _plans(n: int, rng: np.random.Generator) -> list[ShotPlan]:
    """The shots: at least two, one of them with imaging, with room for `n` detections."""
    if n <= 8:
        wanted = [(1, 1), (3, 1)]  # (kind of field, amplifiers)
    elif n < 48:
        wanted = [(0, 1), (1, 1), (2, 1), (3, 1)]
    else:
        wanted = [(0, 2), (1, 2), (2, 1), (3, 1)]
    number = 0
    while sum(amps for _, amps in wanted) * _PER_AMPLIFIER < n:
        wanted.append((number % 3, 2))
        number += 1
    plans = []
    for i, (kind, amps) in enumerate(wanted):
        survey, name, ra, dec, names, fwhm = _FIELDS[kind]
        # Further fields of one survey lie beside its first, on a grid that keeps their names apart.
        ra = float(ra + rng.uniform(-0.02, 0.02) + 0.3 * (i % 20))
        dec = float(dec + rng.uniform(-0.02, 0.02) + 0.2 * (i // 20))
        tag = {
            "hsc": f"{16000 + i}-4_5",
            "cfhtls": f"W3-{i + 1}",
            "decals": f"{round(ra * 10):04d}p{round(dec * 10):03d}",
        }
        plans.append(
            ShotPlan(
                shotid=layout.shotid_of(20230115 + i % 14, 7 + i),
                survey=survey,
                tag=tag.get(survey, ""),
                field=name,
                ra=ra,
                dec=dec,
                pa=float(rng.uniform(0.0, 360.0)),
                fwhm=float(round(fwhm + rng.uniform(-0.05, 0.05), 3)),
                amps=names[:amps] if len(names) >= amps else ("LL", "LU"),
                specid=f"{301 + i:03d}",
                ifuslot=f"{21 + i:03d}",
                ifuid=f"{61 + i:03d}",
            )
        )
    return plans


def _build(root: Path, n: int, seed: int, say: Progress) -> None:
    """Everything, under `root`."""
    streams = iter(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5000))
    rng = next(streams)
    counts = sky.mixture(n)
    fields = [_Field(plan) for plan in _plans(n, rng)]
    _populate(fields, counts, rng)

    tree = layout.ReleaseTree(root / RELEASE, RELEASE)
    everything: list[Source] = []
    for i, each in enumerate(fields):
        say(0.05 + 0.85 * i / len(fields), f"observing {layout.datevobs(each.plan.shotid)}")
        local = next(streams)
        _add_background(each, local)
        objects = [(c.source, c.x, c.y) for c in each.candidates if c.source.kind not in sky.INSTRUMENTAL]
        # Galaxies too faint for a fiber to notice are only in the images.
        bright = [item for item in each.background if item[0].magnitudes["g"] < 25.0]
        observation = observe(each.plan, objects + bright, each.faults, local)
        each.observation = observation
        files.write_shot(tree, observation)
        # The pictures are on disk; what follows needs only the fibers.
        observation.image_rows = observation.image_rows[:0]
        for candidate in each.candidates:
            candidate.found = detections.detect(observation, candidate.x, candidate.y, candidate.wave, candidate.sigma)
        pictured = [source for source, _, _ in objects + each.background]
        imaging.write_field(root / "imaging", each.plan, pictured, local)
        everything += pictured
    _add_noise(fields, counts["noise"])

    say(0.92, "writing detections")
    imaging.write_spec_z(root / "imaging", everything, next(streams))
    chosen = _choose(fields, counts, next(streams))
    files.write_survey(tree, [each.observation for each in fields if each.observation is not None])
    _write_detections(root, tree, chosen, seed)


# ------------------------------------------------------------------------------------------------ the population


def _populate(fields: list[_Field], counts: dict[str, int], rng: np.random.Generator) -> None:
    """Draw all objects and faults and place them, in turn over the amplifiers of all fields."""
    slots = [(each, amp) for each in fields for amp in each.plan.amps]
    kinds: list[str] = []
    for kind, count in counts.items():
        # Some drawn lines fall below the pipeline's cut through noise: a reserve replaces them.
        spare = 1 + count // 4 if kind in ("LAE", "OII") and count else 0
        if kind != "noise":
            kinds += [kind] * (count + spare)
    order = rng.permutation(len(kinds))
    for turn, index in enumerate(order):
        kind = kinds[index]
        where, amp = slots[turn % len(slots)]
        source = sky.draw(kind, 1, rng)[0]
        if kind in sky.INSTRUMENTAL:
            _place_fault(where, amp, source, rng)
        else:
            _place_object(where, amp, source, rng)


def _place_object(where: _Field, amp: str, source: Source, rng: np.random.Generator) -> None:
    x, y = _free_spot(where, amp, rng)[1:3]
    ra, dec = optics.to_sky(x, y, where.plan.ra, where.plan.dec, where.plan.pa)
    source.ra, source.dec = float(ra), float(dec)
    strong = [part for part in source.main if part.flux > 0]
    wave, sigma, _ = moments(strong) if strong else (source.main[0].wave, source.main[0].sigma, 0.0)
    where.candidates.append(_Candidate(source, x, y, wave, sigma))


def _place_fault(where: _Field, amp: str, source: Source, rng: np.random.Generator) -> None:
    fiber, x, y, expnum = _free_spot(where, amp, rng, on_fiber=True)
    if source.kind == "sky":
        wave = float(optics.SKY_LINES[int(rng.integers(1, len(optics.SKY_LINES)))][0])
    else:
        wave = float(rng.uniform(3700.0, 5150.0))
        while min(abs(wave - line[0]) for line in optics.SKY_LINES) < 25.0:
            wave = float(rng.uniform(3700.0, 5150.0))
    # In units of the fiber's own noise in a line, so that the fault passes for a line of usual significance.
    noise = float(optics.detection_noise(np.array(wave))) * optics.MEAN_CAPTURE * 2.1
    if source.kind == "sky":
        noise *= float(np.sqrt(optics.sky_brightness(np.array(wave)) / optics.sky_continuum(np.array(wave))))
    low, high = {"cosmic": (9.0, 14.0), "chargetrap": (1.3, 2.2), "sky": (5.0, 8.0)}[source.kind]
    where.faults.append(Artifact(source.kind, amp, fiber, expnum, wave, noise * float(rng.uniform(low, high))))
    sigma = {"cosmic": 1.9, "chargetrap": 2.0, "sky": optics.LSF_SIGMA}[source.kind]
    source.main = (Emission(wave, sigma, 0.0),)
    ra, dec = optics.to_sky(x, y, where.plan.ra, where.plan.dec, where.plan.pa)
    source.ra, source.dec = float(ra), float(dec)
    where.candidates.append(_Candidate(source, x, y, wave, sigma))


def _free_spot(
    where: _Field, amp: str, rng: np.random.Generator, on_fiber: bool = False
) -> tuple[int, float, float, int]:
    """A fiber, an IFU position on or near it, and its exposure: away from what is there, with fibers all around."""
    px, py = (np.concatenate(axis) for axis in zip(*(optics.amplifier_fibers(a) for a in where.plan.amps), strict=True))
    all_x = np.concatenate([px + dither[0] for dither in optics.DITHERS])
    all_y = np.concatenate([py + dither[1] for dither in optics.DITHERS])
    own_x, own_y = optics.amplifier_fibers(amp)
    taken = where.taken()
    best: tuple[float, tuple[int, float, float, int]] | None = None
    for attempt in range(400):
        fiber, expnum = int(rng.integers(3, optics.FIBERS - 3)), int(rng.integers(1, 4))
        x = float(own_x[fiber] + optics.DITHERS[expnum - 1][0])
        y = float(own_y[fiber] + optics.DITHERS[expnum - 1][1])
        if not on_fiber:
            x, y = x + float(rng.normal(0.0, 0.6)), y + float(rng.normal(0.0, 0.6))
        captured = optics.fiber_fraction(np.hypot(all_x - x, all_y - y), where.plan.fwhm)
        if captured.sum() < 0.85:
            continue
        gap = float(np.hypot(*(taken - (x, y)).T).min()) if taken.size else 99.0
        if best is None or gap > best[0]:
            best = (gap, (fiber, x, y, expnum))
        if gap > _SEPARATION or (attempt > 150 and gap > 3.5):
            return fiber, x, y, expnum
    if best is None:
        raise DataError(f"simulate_release: no room on amplifier {amp}; give a smaller n")
    return best[1]


def _add_background(each: _Field, rng: np.random.Generator) -> None:
    """Galaxies that have nothing to do with the detections, faint ones anywhere, bright ones apart from them."""
    taken = each.taken()
    half = imaging.FIELD_SIZE / 2.0
    for source in sky.field_galaxies(imaging.FIELD_SIZE**2, rng):
        for _ in range(20):
            x, y = (float(value) for value in rng.uniform(-half, half, 2))
            gap = np.hypot(*(taken - (x, y)).T).min() if taken.size else 99.0
            if source.magnitudes["r"] > 24.5 or gap > 4.0:
                break
        ra, dec = optics.to_sky(x, y, each.plan.ra, each.plan.dec, each.plan.pa)
        source.ra, source.dec = float(ra), float(dec)
        each.background.append((source, x, y))


def _add_noise(fields: list[_Field], count: int) -> None:
    """The strongest peaks of pure noise, of all fields together."""
    found: list[tuple[float, _Field, _Candidate]] = []
    for each in fields if count else ():
        if each.observation is None:
            continue
        hot = [fault.wave for fault in each.faults if fault.kind == "chargetrap"]
        for x, y, wave in detections.noise_peaks(each.observation, 8 + 2 * count // len(fields), each.taken(), hot):
            source = sky.draw("noise", 1, np.random.default_rng(0))[0]
            ra, dec = optics.to_sky(x, y, each.plan.ra, each.plan.dec, each.plan.pa)
            source.ra, source.dec = float(ra), float(dec)
            source.main = (Emission(wave, optics.LSF_SIGMA, 0.0),)
            candidate = _Candidate(source, x, y, wave, optics.LSF_SIGMA)
            candidate.found = detections.detect(each.observation, x, y, wave, optics.LSF_SIGMA)
            found.append((candidate.found.sn, each, candidate))
    found.sort(key=lambda item: -item[0])
    for _, each, candidate in found[:count]:
        each.candidates.append(candidate)


def _choose(fields: list[_Field], counts: dict[str, int], rng: np.random.Generator) -> list[tuple[_Field, _Candidate]]:
    """The detections that a release keeps, in the order of the shots: the wanted number of each kind."""
    chosen: list[tuple[int, int, _Field, _Candidate]] = []
    for kind, count in counts.items():
        of_kind = [
            (i, j, each, candidate)
            for i, each in enumerate(fields)
            for j, candidate in enumerate(each.candidates)
            if candidate.source.kind == kind
        ]
        rng.shuffle(of_kind)  # type: ignore[arg-type]
        passed = [item for item in of_kind if item[3].found is not None and item[3].found.sn > _PIPELINE_CUT]
        failed = sorted(
            (item for item in of_kind if item not in passed),
            key=lambda item: -(item[3].found.sn if item[3].found else 0),
        )
        chosen += (passed + failed)[:count]
    chosen.sort(key=lambda item: item[:2])
    return [(each, candidate) for _, _, each, candidate in chosen]


# ------------------------------------------------------------------------------------------------------- results


def _write_detections(root: Path, tree: layout.ReleaseTree, chosen: list[tuple[_Field, _Candidate]], seed: int) -> None:
    rows, fibers, spectra, truth = [], [], [], []
    for number, (each, candidate) in enumerate(chosen):
        if each.observation is None or candidate.found is None:
            continue
        detectid = FIRST_DETECTID + number
        row, fiber, spectrum = detections.table_rows(each.observation, candidate.found, detectid)
        rows.append(row)
        fibers.append(fiber)
        spectra.append(spectrum)
        truth.append(_truth(each, candidate, detectid))
    files.write_detections(tree, np.concatenate(rows), np.concatenate(fibers), np.concatenate(spectra))
    table = Table(rows=truth)
    for name, (unit, text) in _TRUTH_COLUMNS.items():
        table[name].description = text
        if unit:
            table[name].unit = unit
    table.meta = {
        "content": f"{MARK}: the truth behind each detection",
        "seed": seed,
        "lae_per_oii_on_the_sky": round(sky.natural_ratio(), 4),
        "note": "LAE and OII are drawn in their natural proportion above the flux limit; other kinds by hand",
    }
    table.write(root / TRUTH, format="ascii.ecsv", overwrite=True)


_TRUTH_COLUMNS = {
    "detectid": ("", "number of the detection"),
    "shotid": ("", "observation"),
    "kind": ("", "kind of object, fault or noise"),
    "identity": ("", "identity of the detected line"),
    "z": ("", "redshift; NaN for what is no object"),
    "ra": ("deg", "right ascension"),
    "dec": ("deg", "declination"),
    "wave": ("Angstrom", "flux-weighted centre of the line, in air"),
    "flux": ("erg / (s cm2)", "flux of the line; 0 for what is no line"),
    "sigma": ("Angstrom", "second moment of the observed line, instrument included"),
    "ew_rest": ("Angstrom", "rest-frame equivalent width"),
    "continuum": ("1e-17 erg / (s cm2 Angstrom)", "flux density of the continuum at the line"),
    "mag_g": ("mag", "AB magnitude in g, line included"),
    "mag_r": ("mag", "AB magnitude in r"),
    "sn": ("", "signal-to-noise that the simulated pipeline recorded"),
    "captured": ("", "share of the flux that extraction as a point source at the recorded position catches"),
    "half_light": ("arcsec", "half-light radius of the object"),
    "survey": ("", "imaging of the field"),
}


def _truth(each: _Field, candidate: _Candidate, detectid: int) -> dict[str, object]:
    source = candidate.source
    strong = [part for part in source.main if part.flux > 0]
    wave, sigma, flux = moments(strong) if strong else (candidate.wave, float("nan"), 0.0)
    found = candidate.found
    return {
        "detectid": detectid,
        "shotid": each.plan.shotid,
        "kind": source.kind,
        "identity": source.identity,
        "z": source.z,
        "ra": source.ra,
        "dec": source.dec,
        "wave": wave,
        "flux": flux * 1e-17,
        "sigma": sigma,
        "ew_rest": source.ew_rest,
        "continuum": source.continuum_at(wave),
        "mag_g": source.magnitudes.get("g", float("nan")),
        "mag_r": source.magnitudes.get("r", float("nan")),
        "sn": found.sn if found is not None else float("nan"),
        "captured": _captured(each, candidate),
        "half_light": source.half_light,
        "survey": each.plan.survey,
    }


def _captured(each: _Field, candidate: _Candidate) -> float:
    """The share of a source's light that its extraction recovers, noise apart; NaN for what is no object."""
    found, observation = candidate.found, each.observation
    if found is None or observation is None or candidate.source.kind in sky.INSTRUMENTAL:
        return float("nan")
    fibers = observation.fibers
    distance = np.hypot(fibers.x[found.members] - candidate.x, fibers.y[found.members] - candidate.y)
    share = optics.fiber_fraction(distance, source_fwhm(candidate.source, each.plan.fwhm))
    return float((share * found.weights).sum() / (found.weights**2).sum())
