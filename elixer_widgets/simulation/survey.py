"""A survey of single detections in memory, with known truth: for calibrating probabilities, thousands at a time.

Where `simulate_release` makes a few fields as files, from photons on, this makes detections one by one: a line above
the survey's limit, its object, its fibers and spectrum, images of its surroundings. The population is described in
`survey_population`, which says of every number where it comes from; the instrument in `survey_fibers`; images and
catalogues in `survey_images`.

What is not simulated: noise that is not Gaussian or correlated between samples, CCD pictures, several detections of one
object, galaxies without emission lines that are taken for line emitters, blends of two emitters, Galactic dust.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from elixer_widgets.detection import (
    NAN,
    Detection,
    FiberField,
    FiberImages,
    Imaging,
    PipelineLine,
    Shot,
    Spectrum,
)
from elixer_widgets.simulation import sky, survey_population
from elixer_widgets.simulation.shots import GRID, source_fwhm
from elixer_widgets.simulation.spectra import (
    CONTINUUM_GRID,
    FINE_GRID,
    Emission,
    Source,
    flux_density,
    intergalactic,
    lya_profile,
    oii_doublet,
    power_law,
)
from elixer_widgets.simulation.survey_fibers import Layout, draw_fault, fiber_rows, lay_out, light, observe
from elixer_widgets.simulation.survey_images import SHARE, picture
from elixer_widgets.simulation.survey_population import IDENTITY_OF_LINE, MINIMUM_SN, Lines
from elixer_widgets.spectra.lines import LINES, observed_air

FALSE_SHARE = {"star": 0.025, "artifact": 0.04, "noise": 0.15}
"""Share of what is no emission line of a galaxy in all detections above S/N 4.8; assumed, for no survey knows its own.
Noise peaks crowd at the limit: above S/N 5.5 hardly any are left."""

_NEIGHBOUR_LIMIT = 24.5  # r; fainter ones add nothing to a spectrum
_SPECTRUM_REACH = 5.0  # arcsec


@dataclass(frozen=True)
class Truth:
    """What a simulated detection really is.

    Attributes
    ----------
    kind : str
        "LAE", "galaxy", "AGN", "star", "whitedwarf", "artifact" or "noise".
    identity : str
        Of the detected line: one of the identities of the posterior.
    line : str
        Its name in `spectra.lines.LINES`; for an artifact the sort of fault; else empty.
    z : float
        NaN for what is no object.
    wave : float
        Å in air.
    flux : float
        True line flux, erg/s/cm²; 0 for what is no line.
    sigma : float
        Å as observed.
    sn : float
        Signal-to-noise under which it was selected.
    ew_rest : float
        Rest equivalent width of the detected line, Å.
    continuum : float
        Flux density of its object's continuum at the line, 1e-17 erg/s/cm²/Å; 0 without an object.
    mag_g, mag_r : float
        AB, of the object with its lines.
    half_light : float
        arcsec.
    survey : str
        Imaging of the field.
    """

    kind: str
    identity: str
    line: str = ""
    z: float = NAN
    wave: float = NAN
    flux: float = 0.0
    sigma: float = NAN
    sn: float = NAN
    ew_rest: float = NAN
    continuum: float = 0.0
    mag_g: float = NAN
    mag_r: float = NAN
    half_light: float = NAN
    survey: str = "none"


@dataclass(frozen=True, eq=False)
class InMemory:
    """The large data of one detection, as a `DetectionSource`."""

    surroundings: Imaging
    spectra: tuple[Spectrum | None, ...]

    def fiber_images(self, detection: Detection) -> FiberImages:
        """There are no CCD pictures."""
        return FiberImages(reason="no CCD pictures are simulated for this survey")

    def fiber_spectra(self, detection: Detection) -> tuple[Spectrum | None, ...]:
        """One spectrum a fiber."""
        return self.spectra

    def fiber_field(self, detection: Detection) -> FiberField:
        """Only the detection's own fibers are simulated."""
        return FiberField(reason="no fibers but the detection's own are simulated for this survey")

    def imaging(self, detection: Detection) -> Imaging:
        """Cutouts of 9 arcsec, and catalogue objects."""
        return self.surroundings


# --------------------------------------------------------------------------------------------------- the class mix


def mixture() -> dict[str, float]:
    """Share of each kind in the survey: lines by their surface densities, what is none by `FALSE_SHARE`."""
    density = survey_population.surface_density()
    total = sum(density.values())
    real = 1.0 - sum(FALSE_SHARE.values())
    return {**{kind: real * value / total for kind, value in density.items()}, **FALSE_SHARE}


# ------------------------------------------------------------------------------------------------------ the objects


def _parts(name: str, z: float, flux: float, velocity: float) -> tuple[Emission, ...]:
    """A line of the registry with its components."""
    line = LINES[name]
    strength = sum(part for _, part in line.components)
    made = []
    for vacuum, part in line.components:
        wave = float(observed_air(line, z)) * vacuum / line.vacuum
        made.append(Emission(wave, wave * velocity / 299792.458, flux * part / strength, name))
    return tuple(made)


def _emitter(lines: Lines, rng: np.random.Generator) -> Source:
    z, flux, width = float(lines.z[0]), float(lines.flux[0]), float(lines.width[0])
    main = lya_profile(z, flux, float(lines.velocity[0]), float(rng.uniform(0.15, 0.45)))
    level = flux / (width * (1.0 + z))
    # Continua of Lyα emitters are blue: β = -1.9 ± 0.5 (assumed)
    continuum = power_law(level, float(lines.wave[0]), float(rng.normal(-1.9, 0.5)))
    # The forest takes its share bluewards of Lyα only
    continuum = continuum * np.where(lines.wave[0] > CONTINUUM_GRID, intergalactic(z), 1.0)
    size, axis_ratio = float(lines.half_light[0]), float(rng.uniform(0.5, 1.0))
    return Source("LAE", "Lya", z, main, (), continuum, size, axis_ratio, ew_rest=width)


def _galaxy(lines: Lines, rng: np.random.Generator) -> Source:
    z, width, velocity = float(lines.z[0]), float(lines.width[0]), float(lines.velocity[0])
    name = str(lines.name[0])
    flux = dict(zip(lines.members, lines.fluxes[0], strict=True))
    ratio = float(np.clip(rng.normal(1.3, 0.12), 0.8, 1.5))
    groups: dict[str, tuple[Emission, ...]] = {"OII": oii_doublet(z, float(flux["OII"]), velocity, ratio)}
    for each in lines.members:
        if each != "OII":
            groups[each] = _parts(each, z, float(flux[each]), velocity)
    main = groups.pop(name)
    level = float(flux["OII"]) / (width * (1.0 + z))
    # Redder and with a stronger break at 4000 Å where the lines are weak
    step = 1.0 + 0.5 * np.exp(-width / 15.0) / (1.0 + np.exp(-(CONTINUUM_GRID / (1.0 + z) - 4000.0) / 60.0))
    continuum = power_law(level, 3728.0 * (1.0 + z), float(rng.normal(-1.0, 0.6))) * step
    rest = tuple(part for group in groups.values() for part in group)
    return Source("galaxy", "", z, main, rest, continuum, float(lines.half_light[0]), float(rng.uniform(0.3, 1.0)))


def _nucleus(lines: Lines, rng: np.random.Generator) -> Source:
    z, velocity, name = float(lines.z[0]), float(lines.velocity[0]), str(lines.name[0])
    groups: dict[str, tuple[Emission, ...]] = {}
    for each, flux in zip(lines.members, lines.fluxes[0], strict=True):
        wave = float(observed_air(LINES[each], z))
        if FINE_GRID[0] < wave < FINE_GRID[-1]:
            shift = 1.0 + float(rng.normal(0.0, 300.0)) / 299792.458 if each != name else 1.0
            own = velocity * float(rng.uniform(0.85, 1.15)) if each != name else velocity
            groups[each] = tuple(replace(part, wave=part.wave * shift) for part in _parts(each, z, float(flux), own))
    main = groups.pop(name)
    level = flux_density(float(lines.magnitude[0]), 4700.0)
    continuum = power_law(level, 4700.0, float(rng.normal(-1.5, 0.3))) * intergalactic(z)
    rest = tuple(part for group in groups.values() for part in group)
    return Source("AGN", "", z, main, rest, continuum)


_MAKERS = {"LAE": _emitter, "galaxy": _galaxy, "AGN": _nucleus}


@dataclass(frozen=True, eq=False)
class _Line:
    """The line that was selected: centre and σ (Å), S/N, seeing, noise, error factor, and the noise's part in S/N."""

    wave: float
    sigma: float
    sn: float
    fwhm: float
    depth: float
    error_factor: float
    deviate: float | None


def _false_line(kind: str, source: Source | None, rng: np.random.Generator) -> _Line:
    """What was selected where there is no line."""
    fwhm, depth, factor = (float(value[0]) for value in survey_population.observing_conditions(1, rng))
    if source is not None:
        # A peak between a star's absorption lines, helped by noise
        wave, sigma = source.main[0].wave, 3.0
        deviate = abs(float(rng.standard_normal()))
        return _Line(wave, sigma, max(5.0 + 3.0 * deviate, MINIMUM_SN), fwhm, depth, factor, deviate)
    if kind == "artifact":
        sn = MINIMUM_SN + float(rng.exponential(2.0))
        return _Line(NAN, NAN, sn, fwhm, depth, factor, None)
    # Where errors are underestimated there are more peaks; independent trials go as 1/σ per unit ln σ
    factor = float(np.exp(0.05 * rng.standard_normal() - 0.07))
    sn = float(survey_population.noise_peak_sn(1, rng, factor)[0])
    share = rng.uniform()
    sigma = 1.0 / (1.0 / 1.8 - share * (1.0 / 1.8 - 1.0 / 6.5))
    return _Line(float(rng.uniform(3510.0, 5490.0)), sigma, sn, fwhm, depth, factor, sn * factor)


# ----------------------------------------------------------------------------------------------------- one detection


def _density(source: Source) -> np.ndarray:
    return np.interp(GRID, FINE_GRID, source.spectrum())


def _place(source: Source, x: float, y: float, ra: float, dec: float) -> None:
    source.ra = ra - x / 3600.0 / np.cos(np.radians(dec))
    source.dec = dec + y / 3600.0


def _neighbours(ra: float, dec: float, rng: np.random.Generator) -> list[tuple[Source, float, float]]:
    """Unrelated galaxies within 14 arcsec squared, with their offsets in arcsec."""
    side = 14.0
    found = []
    for each in sky.field_galaxies(side**2, rng):
        x, y = rng.uniform(-0.5 * side, 0.5 * side, 2)
        _place(each, float(x), float(y), ra, dec)
        found.append((each, float(x), float(y)))
    return found


def _sky_light(layout: Layout, members: Sequence[tuple[Source, float, float]], seeing: float) -> np.ndarray:
    """Light of all objects in each fiber, shape (fibers, wavelengths)."""
    total = np.zeros((layout.weights.size, GRID.size))
    for source, x, y in members:
        if np.hypot(x, y) < _SPECTRUM_REACH:
            total += light(layout, x, y, source_fwhm(source, seeing))[:, None] * _density(source)
    return total


def _make(
    number: int, kind: str, lines: Lines | None, survey_name: str, rng: np.random.Generator
) -> tuple[Detection, Truth]:
    """One detection of a kind, with its truth."""
    source: Source | None = None
    if lines is not None:
        source = _MAKERS[kind](lines, rng)
        values = (lines.wave, lines.sigma, lines.sn, lines.fwhm, lines.depth, lines.error_factor, lines.deviate)
        line = _Line(*(float(value[0]) for value in values))
        source.measure_magnitudes()
        source.angle = float(rng.uniform(0.0, 180.0))
    else:
        if kind == "star":
            source = sky.draw("star" if rng.uniform() < 0.8 else "whitedwarf", 1, rng)[0]
        line = _false_line(kind, source, rng)

    ra, dec = float(rng.uniform(150.0, 240.0)), float(rng.uniform(45.0, 55.0))
    layout = lay_out(line.fwhm, rng)
    fault = draw_fault(layout, rng) if kind == "artifact" else None
    if fault is not None:
        line = replace(line, wave=fault.wave, sigma=fault.sigma)
    members = _neighbours(ra, dec, rng)
    if source is not None:
        # The position is as uncertain as a centroid in the seeing, at most half an arcsec for the faintest
        error = 0.6 * line.fwhm / max(line.sn, MINIMUM_SN)
        x, y = (float(value) for value in rng.normal(0.0, error, 2))
        _place(source, x + float(rng.normal(0.0, 0.15)), y + float(rng.normal(0.0, 0.15)), ra, dec)
        members.insert(0, (source, x, y))
    near = [each for each in members if each[0] is source or each[0].magnitudes["r"] < _NEIGHBOUR_LIMIT]
    observed = observe(
        layout,
        _sky_light(layout, near, line.fwhm),
        (line.wave, line.sigma),
        line.deviate,
        line.depth,
        line.error_factor,
        rng,
        (fault, line.sn) if fault is not None else None,
    )
    surroundings = picture(survey_name, [each for each, _, _ in members], ra, dec, rng)
    shotid = 20_200_101_000 + number % 1000
    found = line.wave + float(rng.normal(0.0, line.sigma / max(line.sn, MINIMUM_SN)))
    noise = float(np.interp(line.wave, GRID, observed.error)) * 2.0 * np.sqrt(line.sigma * np.sqrt(np.pi) / 2.0)
    detection = Detection(
        detectid=9_000_000_000 + number,
        spectrum=observed.spectrum(),
        wavelength=float(np.clip(found, GRID[4], GRID[-5])),
        ra=ra,
        dec=dec,
        release="simulated survey",
        pipeline=PipelineLine(found, sigma=line.sigma, flux=line.sn * noise * 1e-17, sn=line.sn, chi2=1.0),
        shot=Shot(shotid, fwhm=line.fwhm, response_4540=0.14),
        fibers=fiber_rows(layout, ra, dec, shotid),
        source=InMemory(surroundings, observed.fibers()),
        not_available={} if surroundings.cutouts else {"imaging": "no imaging of this field"},
    )
    return detection, _truth(kind, lines, line, source, fault.kind if fault else "", survey_name)


def _truth(kind: str, lines: Lines | None, line: _Line, source: Source | None, fault: str, survey_name: str) -> Truth:
    known = Truth(kind, kind, fault, wave=line.wave, sigma=line.sigma, sn=line.sn, survey=survey_name)
    if source is None:
        return known
    level = source.continuum_at(line.wave)
    known = replace(
        known,
        kind=source.kind,
        identity="star",
        z=source.z,
        continuum=level,
        mag_g=source.magnitudes["g"],
        mag_r=source.magnitudes["r"],
        half_light=source.half_light,
    )
    if lines is None:
        return known
    name, flux = str(lines.name[0]), float(lines.flux[0])
    width = source.ew_rest if np.isfinite(source.ew_rest) else flux / level / (1.0 + source.z)
    return replace(known, identity=IDENTITY_OF_LINE.get(name, "other"), line=name, flux=flux * 1e-17, ew_rest=width)


def simulate_survey(
    n: int, seed: int | Sequence[int], *, shares: Mapping[str, float] | None = None, imaging: bool = True
) -> Iterator[tuple[Detection, Truth]]:
    """Detections of a survey with HETDEX's flux limit and class mix, with the truth of each.

    Parameters
    ----------
    n : int
        How many.
    seed : int or sequence of int
        The same seed and n give the same survey.
    shares : mapping, optional
        Share of each kind, other than those of `mixture`; they need not add up to 1.
    imaging : bool
        Without, no detection has images or catalogue objects.

    Yields
    ------
    Detection, Truth
        In random order of kinds. Every detection can be given to `measure` and pickled.

    Raises
    ------
    ValueError
        If `n` is negative or a kind of `shares` is not known.
    """
    if n < 0:
        raise ValueError(f"n: {n} detections cannot be made; give a number from 0 on")
    share = dict(mixture() if shares is None else shares)
    unknown = set(share) - {*survey_population.KINDS, *FALSE_SHARE}
    if unknown:
        raise ValueError(f"shares: no kind is called {', '.join(sorted(unknown))}")
    rng = np.random.default_rng(seed)
    names = np.array(list(share))
    weight = np.array([share[name] for name in names], float)
    kinds = rng.choice(names, size=n, p=weight / weight.sum())
    surveys = rng.choice(np.array(list(SHARE)), size=n, p=list(SHARE.values()))
    drawn = {
        kind: survey_population.draw(kind, int(np.sum(kinds == kind)), rng)
        for kind in survey_population.KINDS
        if np.any(kinds == kind)
    }
    taken = dict.fromkeys(drawn, 0)
    for number in range(n):
        kind = str(kinds[number])
        lines = None
        if kind in drawn:
            lines = drawn[kind].take(np.array([taken[kind]]))
            taken[kind] += 1
        yield _make(number, kind, lines, str(surveys[number]) if imaging else "none", rng)
