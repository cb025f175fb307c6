"""Which shots are taken, what lies in each, and where.

Objects and faults go to free places of the amplifiers, in turn; each becomes a candidate that is detected afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases import layout
from elixer_widgets.simulation import imaging, optics, sky
from elixer_widgets.simulation.shots import Artifact, ShotPlan
from elixer_widgets.simulation.spectra import Emission, Source, moments

PER_AMPLIFIER = 13  # detections on one amplifier before another one is observed
SEPARATION = 4.6  # arcsec between objects

# Survey, field name, centre (degrees), amplifiers, seeing: a deep one, five bands, a shallow one, one without images.
FIELDS = (
    ("hsc", "dex-spring", 187.41, 52.10, ("LL", "LU"), 1.62),
    ("cfhtls", "dex-spring", 212.87, 53.62, ("RL", "LL"), 1.78),
    ("decals", "dex-fall", 21.35, 0.42, ("RU",), 1.70),
    ("none", "nep", 269.30, 66.25, ("LU",), 1.96),
)


@dataclass(eq=False)
class Candidate:
    """Something to be detected: its IFU position (arcsec), and wavelength and width (Å) to start from.

    After the detection: `sn`, the share of its light that was `captured`, and its `rows` of the tables Detections,
    Fibers and Spectra.
    """

    source: Source
    x: float
    y: float
    wave: float
    sigma: float
    sn: float = 0.0
    captured: float = float("nan")
    rows: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


@dataclass(eq=False)
class Field:
    """One shot with all that lies in it; `background` holds (source, x, y) of galaxies that are not detected."""

    plan: ShotPlan
    candidates: list[Candidate] = field(default_factory=list)
    faults: list[Artifact] = field(default_factory=list)
    background: list[tuple[Source, float, float]] = field(default_factory=list)

    def taken(self) -> np.ndarray:
        """IFU positions (n, 2) of everything that was put here on purpose."""
        return np.array([(each.x, each.y) for each in self.candidates]).reshape(-1, 2)

    def objects(self) -> list[tuple[Source, float, float]]:
        """The candidates that send out light, with their IFU positions."""
        return [(each.source, each.x, each.y) for each in self.candidates if each.source.kind not in sky.INSTRUMENTAL]

    def place(self, source: Source, x: float, y: float) -> None:
        """Give a source the sky position of an IFU position."""
        ra, dec = optics.to_sky(x, y, self.plan.ra, self.plan.dec, self.plan.pa)
        source.ra, source.dec = float(ra), float(dec)


def _wanted(n: int) -> list[tuple[int, int]]:
    """Which fields (index into `FIELDS`) are observed, and with how many amplifiers."""
    if n <= 8:
        wanted = [(1, 1), (3, 1)]
    elif n < 48:
        wanted = [(0, 1), (1, 1), (2, 1), (3, 1)]
    else:
        wanted = [(0, 2), (1, 2), (2, 1), (3, 1)]
    number = 0
    while sum(amps for _, amps in wanted) * PER_AMPLIFIER < n:
        wanted.append((number % 3, 2))
        number += 1
    return wanted


def disk_space(n: int) -> float:
    """Bytes that a release of `n` detections takes, about: amplifiers with exposures and flat, fields with images."""
    wanted = _wanted(n)
    return 62.3e6 * sum(amps for _, amps in wanted) + 6e6 * len(wanted)


def plans_for(n: int, rng: np.random.Generator) -> list[ShotPlan]:
    """The shots: at least two, one of them with imaging, with room for `n` detections."""
    made = []
    for i, (kind, amps) in enumerate(_wanted(n)):
        survey, name, ra, dec, names, fwhm = FIELDS[kind]
        # Further fields of one survey lie beside its first, on a grid that keeps their names apart.
        ra = float(ra + rng.uniform(-0.02, 0.02) + 0.3 * (i % 20))
        dec = float(dec + rng.uniform(-0.02, 0.02) + 0.2 * (i // 20))
        tag = {
            "hsc": f"{16000 + i}-4_5",
            "cfhtls": f"W3-{i + 1}",
            "decals": f"{round(ra * 10):04d}p{round(dec * 10):03d}",
        }
        made.append(
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
    return made


def populate(fields: list[Field], counts: dict[str, int], rng: np.random.Generator) -> None:
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


def _place_object(where: Field, amp: str, source: Source, rng: np.random.Generator) -> None:
    x, y = _free_spot(where, amp, rng)[1:3]
    where.place(source, x, y)
    strong = [part for part in source.main if part.flux > 0]
    wave, sigma, _ = moments(strong) if strong else (source.main[0].wave, source.main[0].sigma, 0.0)
    where.candidates.append(Candidate(source, x, y, wave, sigma))


def _place_fault(where: Field, amp: str, source: Source, rng: np.random.Generator) -> None:
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
    where.place(source, x, y)
    where.candidates.append(Candidate(source, x, y, wave, sigma))


def _free_spot(
    where: Field, amp: str, rng: np.random.Generator, on_fiber: bool = False
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
        if gap > SEPARATION or (attempt > 150 and gap > 3.5):
            return fiber, x, y, expnum
    if best is None:
        raise DataError(f"simulate_release: no room on amplifier {amp}; give a smaller n")
    return best[1]


def add_background(each: Field, rng: np.random.Generator) -> None:
    """Galaxies that have nothing to do with the detections, faint ones anywhere, bright ones apart from them."""
    taken = each.taken()
    half = imaging.FIELD_SIZE / 2.0
    for source in sky.field_galaxies(imaging.FIELD_SIZE**2, rng):
        for _ in range(20):
            x, y = (float(value) for value in rng.uniform(-half, half, 2))
            gap = np.hypot(*(taken - (x, y)).T).min() if taken.size else 99.0
            if source.magnitudes["r"] > 24.5 or gap > 4.0:
                break
        each.place(source, x, y)
        each.background.append((source, x, y))
