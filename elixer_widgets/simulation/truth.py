"""The truth table that stands beside the release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from elixer_widgets.simulation import optics, sky
from elixer_widgets.simulation.detections import Extraction
from elixer_widgets.simulation.placement import Candidate
from elixer_widgets.simulation.shots import GRID, Observation, ShotPlan, source_fwhm
from elixer_widgets.simulation.spectra import Source, moments

NAME = "truth.ecsv"
MARK = "simulated release"  # in the table's metadata: a directory that holds it may be replaced

COLUMNS = {
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
    "others": (
        "",
        "other lines of the object in the spectrum: name:wavelength in air:flux in 1e-17 erg/s/cm2, or none",
    ),
}


def row(plan: ShotPlan, candidate: Candidate, detectid: int) -> dict[str, object]:
    """One row of the table; the keys are those of `COLUMNS`."""
    source = candidate.source
    strong = [part for part in source.main if part.flux > 0]
    wave, sigma, flux = moments(strong) if strong else (candidate.wave, float("nan"), 0.0)
    return {
        "detectid": detectid,
        "shotid": plan.shotid,
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
        "sn": candidate.sn,
        "captured": candidate.captured,
        "half_light": source.half_light,
        "survey": plan.survey,
        "others": _others(source),
    }


def _others(source: Source) -> str:
    """The lines besides the detected one that lie in the spectrum, blends of one doublet as one."""
    found = []
    doublet = [part for part in source.lines if part.name.startswith("OII3")]
    for name, parts in [("OII", doublet), *((part.name, [part]) for part in source.lines if part not in doublet)]:
        if parts:
            wave, _, flux = moments(parts)
            if GRID[0] <= wave <= GRID[-1]:
                found.append(f"{name}:{wave:.2f}:{flux:.3f}")
    return " ".join(found) or "none"


def write(root: Path, rows: Sequence[dict[str, object]], seed: int) -> None:
    """Write the table (ECSV) into `root`."""
    table = Table(rows=list(rows))
    for name, (unit, text) in COLUMNS.items():
        table[name].description = text
        if unit:
            table[name].unit = unit
    table.meta = {
        "content": f"{MARK}: the truth behind each detection",
        "seed": seed,
        "lae_per_oii_on_the_sky": round(sky.natural_ratio(), 4),
        "note": "LAE and OII are drawn in their natural proportion above the flux limit; other kinds by hand",
    }
    table.write(root / NAME, format="ascii.ecsv", overwrite=True)


def captured(observation: Observation, candidate: Candidate, found: Extraction) -> float:
    """The share of a source's light that its extraction recovers, noise apart; NaN for what is no object."""
    if candidate.source.kind in sky.INSTRUMENTAL:
        return float("nan")
    fibers = observation.fibers
    distance = np.hypot(fibers.x[found.members] - candidate.x, fibers.y[found.members] - candidate.y)
    share = optics.fiber_fraction(distance, source_fwhm(candidate.source, observation.plan.fwhm))
    sample = int(np.argmin(np.abs(GRID - candidate.wave)))
    error = fibers.error[found.members, sample]
    # A bright line adds photon noise to its best fibers, which then count for less.
    inverse = np.where(error > 0, 1.0 / np.where(error > 0, error, 1.0) ** 2, 0.0)
    weight = found.weights * inverse
    total = float((weight * found.weights).sum())
    return float((weight * share).sum()) / total if total > 0 else float("nan")
