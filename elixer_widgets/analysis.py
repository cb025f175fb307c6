"""measure() and interpret(): the only module that knows the whole pipeline.

`measure` is slow (it reads files and fits) and true whatever the line is; `interpret` is pure, takes
milliseconds, and is all that runs when a person reassigns the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from elixer_widgets._arguments import instance, instances, number
from elixer_widgets._asserted import (
    NO_COUNTERPART,
    all_sources,
    around,
    believed,
    depth_of,
    line_place,
    match_id,
    with_counterpart,
)
from elixer_widgets._results import Aperture, Interpretation, Measurements, Rival
from elixer_widgets.classification.choice import best_redshifts, choose
from elixer_widgets.classification.conditions import raise_flags
from elixer_widgets.classification.continuum import combine
from elixer_widgets.classification.plae import PlaeRatio, plae_poii_many
from elixer_widgets.classification.posterior import LABELS, NEIGHBOUR_RADIUS, Clues, posterior, redshifts, with_person
from elixer_widgets.classification.sizes import extents
from elixer_widgets.classification.solutions import (
    BROAD_FWHM,
    MIN_REDSHIFT,
    Companion,
    Solution,
    companions,
    solve,
    velocity_width,
)
from elixer_widgets.classification.superposition import CERTAIN, find_place, position_error
from elixer_widgets.classification.universe import luminosity
from elixer_widgets.detection import NAN, Cutout, DataError, Detection, Imaging, Spectrum
from elixer_widgets.imaging.apertures import Growth, grow_aperture, measure_aperture
from elixer_widgets.imaging.counterparts import Match, find_matches
from elixer_widgets.imaging.sources import SourceEllipse, find_sources
from elixer_widgets.spectra.continuum import (
    CGS,
    ContinuumEstimate,
    g_magnitude,
    narrow_continuum,
    rest_width,
    wide_continuum,
)
from elixer_widgets.spectra.correlation import noise_correlation, with_correlated_noise
from elixer_widgets.spectra.extraction import FiberFlux, fiber_fluxes, without_fibers
from elixer_widgets.spectra.finding import main_line, search_lines, strongest_line
from elixer_widgets.spectra.fitting import LineFit, without_low_flux
from elixer_widgets.spectra.lines import IDENTITY_LINES
from elixer_widgets.spectra.slope import spectral_slope
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA

__all__ = ["Aperture", "Interpretation", "Measurements", "Rival", "interpret", "match_id", "measure"]

MATCH_RADIUS = 3.0
"""arcsec; ELiXer's search radius for catalogue counterparts."""

MAX_APERTURE = 3600.0
"""arcsec; a wider aperture is a mistake."""

SAME_LINE = 8.0
"""Å within which the line that the survey lists is the line in question."""

_AGN_LINES = ("Lya", "CIV", "CIII", "HeII", "MgII")

PLAE_DRAWS = 400
"""Monte Carlo draws a ratio; its 68 % limits are then good to a few per cent of their distance."""


# ------------------------------------------------------------------------------------------------- measuring


def _no_line(wavelength: float, why: str) -> LineFit:
    """A fit that says that there is none."""
    return LineFit(wavelength, NAN, NAN, NAN, NAN, NAN, flags=(why,))


def _spectrum_of(detection: Detection, excluded: tuple[str, ...]) -> tuple[Spectrum, str]:
    """The spectrum to measure, and what to say about it."""
    if not excluded:
        return detection.spectrum, ""
    known = [fiber.fiber_id for fiber in detection.fibers]
    for fiber_id in excluded:
        if fiber_id not in known:
            raise DataError(
                f"detection {detection.detectid} has no fiber {fiber_id!r}; "
                f"give ids out of {', '.join(known) or 'none: it came without fibers'}"
            )
    try:
        spectra = detection.fiber_spectra
    except DataError as error:
        return detection.spectrum, f"fibers were not switched off: {error}"
    spectrum = without_fibers(detection.spectrum, detection.fibers, spectra, excluded)
    if spectrum is None:
        return detection.spectrum, "fibers were not switched off: without them there is no fiber spectrum left"
    count = f"{len(excluded)} of {len(known)} fibers"
    return spectrum, f"{count} switched off: the spectrum is an approximate sum of the others"


def _main_line(spectrum: Spectrum, detection: Detection, lines: Sequence[LineFit]) -> tuple[LineFit, str]:
    """The line of the detection, in emission where the survey lists it so, else the strongest that was found."""
    wavelength, listed = detection.wavelength, detection.pipeline
    if np.isfinite(wavelength):
        try:
            emission = listed is not None and listed.flux > 0 and abs(listed.wavelength - wavelength) < SAME_LINE
            return main_line(spectrum, wavelength, lines, emission=emission), ""
        except DataError as error:
            return _no_line(wavelength, "could not be fitted"), str(error)
    found = strongest_line(spectrum, lines)
    if found is None:
        return _no_line(NAN, "no line was found"), "no line was found in the spectrum"
    return without_low_flux(found), ""


def _listed_sn(detection: Detection, line: LineFit) -> float:
    """The S/N under which the survey lists the line; NaN if it lists none here."""
    listed = detection.pipeline
    same = listed is not None and listed.flux > 0 and abs(listed.wavelength - line.center) < SAME_LINE
    return listed.sn if listed is not None and same else NAN


def _in_fibers(detection: Detection, line: LineFit, excluded: tuple[str, ...]) -> tuple[tuple[FiberFlux, ...], str]:
    """The main line in each fiber in use, and what to say if that cannot be measured."""
    if not detection.fibers:
        return (), ""
    try:
        spectra = detection.fiber_spectra
    except DataError as error:
        return (), f"fiber spectra: {error}"
    used = [pair for pair in zip(detection.fibers, spectra, strict=True) if pair[0].fiber_id not in excluded]
    return fiber_fluxes([fiber for fiber, _ in used], [spectrum for _, spectrum in used], line), ""


def _photometry(
    detection: Detection, imaging: Imaging, aperture: Aperture | None
) -> tuple[list[Cutout], list[Growth], list[SourceEllipse], list[str]]:
    """Aperture and sources on every usable cutout."""
    cutouts: list[Cutout] = []
    growths: list[Growth] = []
    sources: list[SourceEllipse] = []
    notes: list[str] = []
    for cutout in imaging.cutouts:
        ra, dec = (detection.ra, detection.dec) if np.isfinite(detection.ra) else cutout.position
        try:
            if aperture is None:
                growth = grow_aperture(cutout, ra, dec)
            else:
                moved = np.isfinite(aperture.ra) and np.isfinite(aperture.dec)
                center = (aperture.ra, aperture.dec) if moved else (ra, dec)
                growth = measure_aperture(cutout, *center, aperture.radius)
            found = find_sources(cutout)
        except DataError as error:
            notes.append(f"{cutout.survey} {cutout.band}: {error}".strip())
            continue
        cutouts.append(cutout)
        growths.append(growth)
        sources.extend(found)
    return cutouts, growths, sources, notes


def _known_around(imaging: Imaging, detection: Detection) -> tuple[Match, ...]:
    """Objects with a spectroscopic redshift around the detection, nearest first, none of them selected."""
    known = replace(imaging, objects=tuple(each for each in imaging.objects if np.isfinite(each.spec_z)))
    around = find_matches(known, detection.ra, detection.dec, radius=NEIGHBOUR_RADIUS)
    return tuple(replace(each, selected=False) for each in sorted(around, key=lambda match: match.separation))


def measure(
    detection: Detection,
    *,
    aperture: Aperture | float | None = None,
    excluded_fibers: Iterable[str] = (),
) -> Measurements:
    """Measure everything about a detection that does not depend on what the line is.

    Parameters
    ----------
    detection : Detection
    aperture : Aperture or float, optional
        A circular aperture (a number: its radius in arcsec) measured on every image instead of the growing
        one.
    excluded_fibers : iterable of str
        fiber_ids to leave out. The spectrum is then an approximate sum of the others'; see `without_fibers`.

    Returns
    -------
    Measurements
        `notes` says what could not be measured: an image or catalogue that fails does not stop the rest.

    Raises
    ------
    DataError
        If the aperture's radius is not positive or a fiber is not one of the detection's.
    """
    instance(detection, Detection, "measure: detection")
    if aperture is not None and not isinstance(aperture, Aperture):
        aperture = Aperture(number(aperture, "aperture", "a positive radius in arcsec", above=0.0, most=MAX_APERTURE))
    if aperture is not None and not (np.isfinite(aperture.radius) and aperture.radius > 0):
        raise DataError(f"aperture: a radius of {aperture.radius} cannot be measured; give a positive one in arcsec")
    excluded = instances(excluded_fibers, str, "measure: excluded_fibers")
    spectrum, note = _spectrum_of(detection, excluded)
    notes = [note] if note else []
    lines = tuple(search_lines(spectrum))
    line, note = _main_line(spectrum, detection, lines)
    # Samples of a resampled spectrum share their noise: the errors of the line must know
    line = with_correlated_noise(line, spectrum, noise_correlation(spectrum, lines))
    fibers, fiber_note = _in_fibers(detection, line, excluded)
    notes += [each for each in (note, fiber_note) if each]
    try:
        imaging = detection.imaging
    except DataError as error:
        imaging = Imaging(notes=(f"imaging: {error}",))
    cutouts, growths, sources, failed = _photometry(detection, imaging, aperture)
    notes += [*imaging.notes, *failed]
    matches: tuple[Match, ...] = ()
    neighbours: tuple[Match, ...] = ()
    if np.isfinite(detection.ra) and np.isfinite(detection.dec) and imaging.objects:
        matches = find_matches(imaging, detection.ra, detection.dec, radius=MATCH_RADIUS)
        neighbours = _known_around(imaging, detection)
    depth = depth_of(detection)
    slope, slope_err = spectral_slope(spectrum, lines)
    wide = wide_continuum(spectrum, line.center, lines, depth)
    return Measurements(
        detection=detection,
        line=line,
        lines=lines,
        continuum_narrow=narrow_continuum(spectrum, line, correlated=True),
        continuum_wide=wide,
        g_magnitude=g_magnitude(spectrum, depth),
        cutouts=tuple(cutouts),
        growths=tuple(growths),
        sources=tuple(sources),
        matches=matches,
        neighbours=neighbours,
        aperture=aperture,
        excluded_fibers=excluded,
        notes=tuple(notes),
        solutions=solve(spectrum, line, lines, wide=wide) if np.isfinite(line.flux) else (),
        spectrum=spectrum if excluded else None,
        fiber_fluxes=fibers,
        spectral_slope=slope,
        spectral_slope_err=slope_err,
    )


# ---------------------------------------------------------------------------------------------- interpreting


def _rest_width(line: LineFit, continuum: ContinuumEstimate, redshift: float) -> tuple[float, float]:
    """Rest-frame equivalent width and error in Å; a lower limit, without error, if the continuum is a
    limit."""
    width, error, is_limit = rest_width(line.flux, line.flux_err, continuum, redshift)
    return width, NAN if is_limit else error


def _ratios(line: LineFit, continua: Sequence[ContinuumEstimate]) -> tuple[PlaeRatio, ...]:
    """P(LAE)/P(OII) on each continuum; a limit is taken at its value, within a fifth, as published."""
    known = [each.value > 0 for each in continua]
    return plae_poii_many(
        line.center,
        line.flux,
        line.flux_err,
        [each.value * CGS if good else NAN for each, good in zip(continua, known, strict=True)],
        [(0.2 * each.value if each.is_limit else each.error) * CGS for each in continua],
        sources=[each.name for each in continua],
        draws=PLAE_DRAWS,
    )


def _rivals(
    line: LineFit,
    continuum: ContinuumEstimate,
    shifts: Mapping[str, float],
    probabilities: Mapping[str, float],
    solutions: Sequence[Solution],
) -> tuple[Rival, ...]:
    """Every emission-line identity that is possible at this wavelength, most probable first."""
    shown = {each.identity: each.companions for each in solutions if each.identity in IDENTITY_LINES}
    rivals = []
    for name, z in shifts.items():
        if not z > MIN_REDSHIFT:
            continue
        z = max(z, 0.0)
        rivals.append(Rival(name, z, probabilities[name], _rest_width(line, continuum, z)[0], shown.get(name, ())))
    return tuple(sorted(rivals, key=lambda each: -each.probability))


def _asserted(
    m: Measurements, identity: str | None, redshift: float | None, counterpart: str | None, without: Sequence[str]
) -> tuple[str, ...]:
    """What a person set, in words."""
    set_by_person = {
        "identity": identity is not None,
        "redshift": redshift is not None,
        "counterpart": counterpart is not None,
        "aperture": m.aperture is not None,
        "fibers": bool(m.excluded_fibers),
    }
    return (
        *(name for name, is_set in set_by_person.items() if is_set),
        *(f"without {name} continuum" for name in without),
    )


def interpret(
    measurements: Measurements,
    identity: str | None = None,
    redshift: float | None = None,
    *,
    counterpart: str | None = None,
    without: Iterable[str] = (),
) -> Interpretation:
    """Say what the measurements mean: for the best identity, a given one, or a given redshift.

    Parameters
    ----------
    measurements : Measurements
    identity : str, optional
        One of `IDENTITIES`: what a person says the line is.
    redshift : float, optional
        What a person says the redshift is. The identity is then the one whose line falls there, within
        0.005 in Δz/(1+z), else "other".
    counterpart : str, optional
        Which catalogue object a person takes for the source, as `match_id` names it; "none" if none of them is.
    without : iterable of str
        Names of continuum estimates (as in `Interpretation.continuum_sources`) that a person leaves out.

    Returns
    -------
    Interpretation
        Counterpart and continuum are evidence: the probabilities follow from them. Identity and redshift are
        answers: the probabilities stay those of the data, and all that depends on what the line is follows.
        `asserted` lists what a person set. `measurements` are those given, with the counterpart as chosen.

    Raises
    ------
    DataError
        If the identity, counterpart or estimate is not known, the redshift is impossible, or identity and redshift
        do not belong together.

    Notes
    -----
    Redshifts are reckoned in vacuum. Luminosities follow Planck 2018 (Planck Collaboration VI, 2020, A&A
    641, A6).
    """
    instance(measurements, Measurements, "interpret: measurements")
    left_out = tuple(dict.fromkeys(instances(without, str, "interpret: without")))
    if counterpart is not None:
        instance(counterpart, str, "interpret: counterpart")
    m = measurements if counterpart is None else with_counterpart(measurements, counterpart)
    matches = m.matches if counterpart is None else believed(m.matches)
    detection, line = m.detection, m.line
    spectrum = detection.spectrum if m.spectrum is None else m.spectrum
    combined = combine(all_sources(m, matches, left_out), line_place(m))
    listed_sn = _listed_sn(detection, line)
    place = CERTAIN
    if counterpart in (None, NO_COUNTERPART):
        seeing = detection.shot.fwhm if detection.shot is not None else NAN
        error = position_error(listed_sn if np.isfinite(listed_sn) else line.snr, seeing)
        place = find_place(m.sources, m.cutouts, matches, error)
    found = posterior(
        Clues(
            line,
            combined,
            m.solutions,
            matches,
            spectrum.lsf_sigma,
            m.lines,
            m.fiber_fluxes,
            extents(m.sources, m.cutouts),
            around(measurements, m),
            listed_sn,
            place,
        )
    )
    data = probabilities = found.probabilities
    shifts = redshifts(line.center)
    choice = choose(line, shifts, probabilities, m.solutions, identity, redshift)
    if choice.by == "person":
        found = with_person(found, choice.identity)
        probabilities = found.probabilities

    # A probability rests on fluxes; one from fluxes in an unknown unit was never held against truth.
    uncalibrated = detection.spectrum.uncalibrated or detection.not_available.get("flux_calibration", "")
    shown: tuple[Companion, ...] = ()
    if choice.line is not None and np.isfinite(line.flux):
        known = next((each for each in m.solutions if each.line == choice.line.name), None)
        if redshift is None and known is not None:
            shown = known.companions
        else:
            shown = companions(spectrum, line, choice.line.name, choice.redshift)
    width, width_err = _rest_width(line, combined.estimate, choice.redshift)
    lya, lya_err = _rest_width(line, combined.estimate, shifts["Lya"])
    oii, oii_err = _rest_width(line, combined.estimate, shifts["OII"] if shifts["OII"] > 0 else NAN)
    ratios = _ratios(line, [combined.estimate, *(each for each in combined.sources if each.value > 0)])
    lsf_sigma = spectrum.lsf_sigma if np.isfinite(spectrum.lsf_sigma) else HETDEX_LSF_SIGMA
    broad = np.isfinite(line.sigma) and velocity_width(line, lsf_sigma) > BROAD_FWHM
    return Interpretation(
        measurements=m,
        identity=choice.identity,
        redshift=choice.redshift,
        redshift_err=line.center_err / choice.line.vacuum if choice.line is not None else NAN,
        chosen_by=choice.by,
        line_label=choice.line.label if choice.line is not None else LABELS[choice.identity],
        p_lya=probabilities["Lya"],
        posterior=probabilities,
        evidence=found.evidence,
        calibrated=found.calibrated and not uncalibrated,
        provenance=f"not calibrated: {uncalibrated}" if uncalibrated else found.provenance,
        data_posterior=data,
        best=best_redshifts(probabilities, shifts, m.solutions, choice),
        plae_poii=ratios[0],
        plae_sources=ratios[1:],
        continuum=combined.estimate,
        continuum_sources=combined.sources,
        equivalent_width=width,
        equivalent_width_err=width_err,
        ew_lya=lya,
        ew_lya_err=lya_err,
        ew_oii=oii,
        ew_oii_err=oii_err,
        luminosity=float(luminosity(line.flux, choice.redshift)) if choice.line is not None else NAN,
        companions=shown,
        solutions=m.solutions,
        rivals=_rivals(line, combined.estimate, shifts, data, m.solutions),
        quality=probabilities[choice.identity] if choice.line is not None else NAN,
        flags=raise_flags(
            detection,
            line,
            m.continuum_narrow,
            m.g_magnitude,
            m.growths,
            m.sources,
            m.matches,
            probabilities,
            spectrum=spectrum,
            wide=m.continuum_wide,
            fibers=m.fiber_fluxes,
            notes=m.notes,
            identity=choice.identity,
            redshift=choice.redshift,
            by_person=choice.by == "person",
        ),
        labels=("agn",) if broad and choice.identity in _AGN_LINES else (),
        asserted=_asserted(m, identity, redshift, counterpart, left_out),
    )
