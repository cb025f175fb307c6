"""What the object behind the line says: how common its kind is, how bright and how large it is, what stands beside it.

Every function returns ln likelihoods in the order of `KINDS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elixer_widgets.classification.calibration import Calibration
from elixer_widgets.classification.continuum import GRID, CombinedContinuum
from elixer_widgets.classification.evidence import log_sum
from elixer_widgets.classification.identities import Shifts
from elixer_widgets.classification.priors import (
    KINDS,
    SIZES,
    galaxy_size,
    line_density,
    log_continuum_density,
    log_fainter,
    rate,
    share,
)
from elixer_widgets.classification.sizes import Extent, drawn_radius
from elixer_widgets.classification.superposition import (
    OFF_CENTRE,
    Place,
    log_own_place,
    own_density,
    strangers,
)
from elixer_widgets.classification.universe import luminosity_distance
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES

BLOCKED = -60.0
"""ln of what cannot be."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_GRID_POINTS = 120
_BLANK = np.array([kind.shape == "blank" for kind in KINDS])

UNRELATED_REDSHIFTS = 0.25
"""Density per unit redshift of any object on the sky."""
SPECTROSCOPIC, PHOTOMETRIC = 0.98, 0.85
"""Share of catalogue redshifts that are right within their errors; our estimate."""

SIZE_OUTLIERS = 0.05
"""Share of sources whose size is not that of their kind: another object, a bad image; our estimate."""

NEIGHBOUR_RADIUS = 30.0
"""arcsec."""
SAME_GALAXY = 3.0
"""arcsec over which a neighbour at the line's redshift is often the same galaxy or its companion."""
NEIGHBOUR_DISPERSION = 0.0012
"""Spread of Δz/(1+z) between neighbours that belong together, some 350 km/s."""


def true_fluxes(line: LineFit, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes (erg/s/cm²) that may be behind the measured one, and their weights in an integral over ln flux."""
    flux = abs(line.flux) if np.isfinite(line.flux) and line.flux != 0 else 1e-17
    formal = line.flux_err / flux if line.flux_err > 0 else 0.0
    relative = min(float(np.hypot(formal, calibration.flux_error)), 0.3)
    scale = 1.0 + relative * _NODES
    return flux * scale, _WEIGHTS / scale


def population(
    line: LineFit, continuum: CombinedContinuum, shifts: Shifts, calibration: Calibration, place: Place
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How common each kind is at this wavelength and flux, and the likelihoods of everything known of the continuum:
    as that of the line's object, and as that of an unrelated galaxy that outshines it.

    All share the true flux F, of which only a noisy measurement f exists: with n_k the lines of kind k per ln F,
    the prior is ∝ ∫ n_k(F) p(f|F) dlnF, and the continuum's likelihood
    ∫∫ n_k(F) p(f|F) p(ln C|F, k) L(C) dlnC dlnF over that. For a stranger, the galaxies per unit ln C in the area in
    which one would be taken for the source, times the chance that the object itself is fainter, stand for
    p(ln C|F, k). What the place of the source says enters the former, relative to the same area.
    """
    flux, weight = true_fluxes(line, calibration)
    density = np.zeros((len(KINDS), flux.size))
    fixed = np.zeros(len(KINDS))
    for i, kind in enumerate(KINDS):
        if kind.shape == "star" or kind.identity in shifts:
            anchor = IDENTITY_LINES.get(kind.identity)
            rest = anchor.vacuum if anchor is not None else 1.0
            z = shifts.get(kind.identity, 0.0)
            density[i] = rate(kind, calibration) * line_density(kind, line.center, z, rest, flux) * weight
        else:
            fixed[i] = share(kind, calibration)
    lines = np.array([kind.shape == "line" for kind in KINDS])
    everything = max(float(density[lines].sum()), 1e-30)
    # What is no line of its own is told as a share of those that are, at the flux measured
    density += fixed[:, None] * everything * weight / weight.sum()
    total = density.sum(axis=1)
    log_prior = np.log(np.maximum(total / total.sum(), np.exp(BLOCKED)))
    if not np.isfinite(continuum.estimate.value):
        return log_prior, np.zeros(len(KINDS)), np.full(len(KINDS), -np.inf)
    inside = np.flatnonzero(continuum.log_likelihood > -30.0)  # the rest adds nothing
    step = max(inside.size // _GRID_POINTS, 1)
    grid, likelihood = GRID[inside[::step]], continuum.log_likelihood[inside[::step]]
    possible = np.where(total > 0, total, 1.0)[:, None]
    share_of_flux = np.where(total[:, None] > 0, density / possible, 1.0 / flux.size)
    log_share = np.log(np.maximum(share_of_flux, 1e-300)) + np.log(step * (GRID[1] - GRID[0]))
    own = log_sum(log_sum(log_continuum_density(grid, flux, shifts, calibration) + likelihood) + log_share)
    own = np.where(_BLANK, own, own + log_own_place(place))
    if not place.area > 0:
        return log_prior, own, np.full(len(KINDS), -np.inf)
    seen = np.log(place.area * strangers(grid, line.center))
    stranger = log_sum(log_sum(log_fainter(grid, flux, shifts) + (likelihood + seen)) + log_share)
    # What is no object has no light of its own: whatever is there is a stranger, and is in its distribution
    return log_prior, own, np.where(_BLANK, -np.inf, stranger)


def size(
    found: Sequence[Extent], shifts: Shifts, wavelength: float = np.nan, continuum: float = np.nan
) -> tuple[np.ndarray, float]:
    """ln of the density of the logarithm of the source's drawn radius, for each kind and for any object on the sky; one
    image, the best, for all show one object.

    `wavelength` in Å and `continuum` there in 1e-17 erg/s/cm²/Å say how luminous a galaxy would be.
    """
    out = np.zeros(len(KINDS))
    if not found:
        return out, 0.0
    extent = found[0]
    log_radius = np.log(extent.radius)
    anything = float(_normal(log_radius, np.log(1.3 * drawn_radius(np.zeros(1), extent.seeing)[0]), 0.35))
    for i, kind in enumerate(KINDS):
        if kind.shape == "blank" or kind.identity == "other":
            out[i] = np.log(anything)
            continue
        radii = np.zeros(1)
        weights = np.ones(1)
        if kind.name != "AGN" and kind.identity in SIZES and shifts[kind.identity] > 0:
            z = max(shifts[kind.identity], 0.003)
            median, spread = galaxy_size(kind.identity, z, wavelength, continuum)
            radii, weights = median / _kpc_per_arcsec(z) * np.exp(spread * _NODES), _WEIGHTS
        expected = np.log(drawn_radius(radii, extent.seeing))
        # The distribution between the nodes is smooth
        error = float(np.hypot(extent.log_err, 0.05 if radii.size > 1 else 0.0))
        density = float(np.sum(weights * _normal(log_radius, expected, error)))
        out[i] = np.log((1.0 - SIZE_OUTLIERS) * density + SIZE_OUTLIERS * anything)
    return out, float(np.log(anything))


def _kpc_per_arcsec(z: float) -> float:
    return float(luminosity_distance(z, "Planck18")) / (1.0 + z) ** 2 * 1e3 * np.pi / 648000.0


def _normal(x: float, mean: float | np.ndarray, spread: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * np.sqrt(2.0 * np.pi))


def _redshift_of_kind(identity: str, shifts: Shifts) -> float:
    """Redshift of an object of this identity; that of stars is 0, NaN where there is none."""
    if identity == "star":
        return 0.0
    z = shifts.get(identity, np.nan)
    return max(z, 0.0) if z > -0.001 else np.nan


def counterpart(matches: Sequence[Match], shifts: Shifts, place: Place) -> tuple[np.ndarray, float]:
    """ln of the likelihood of the selected counterpart's catalogue redshift, for each kind and for an unrelated object.

    Whether the counterpart belongs to the line is not asked here if it is the source on the images or a person says so
    (`place`); of any other, its distance beside the galaxies there are tells.
    """
    stranger = float(np.log(UNRELATED_REDSHIFTS))
    selected = next((each for each in matches if each.selected), None)
    if selected is None:
        return np.zeros(len(KINDS)), 0.0
    target = selected.object
    spectroscopic = bool(np.isfinite(target.spec_z))
    redshift = target.spec_z if spectroscopic else target.photo_z
    if not np.isfinite(redshift):
        return np.zeros(len(KINDS)), 0.0
    right = (SPECTROSCOPIC if spectroscopic else PHOTOMETRIC) * _belongs(selected, place)
    out = np.full(len(KINDS), stranger)
    for i, kind in enumerate(KINDS):
        z = _redshift_of_kind(kind.identity, shifts)
        if not np.isfinite(z):
            continue
        width = 0.004 * (1.0 + z) if spectroscopic else 0.06 * (1.0 + z)
        if not spectroscopic and target.photo_z_pdf is not None:
            grid, density = (np.asarray(array, float) for array in target.photo_z_pdf)
            there = float(np.interp(z, grid, density, left=0.0, right=0.0))
        else:
            there = float(_normal(redshift, z, width))
        out[i] = np.log(right * there + (1.0 - right) * UNRELATED_REDSHIFTS)
    return out, stranger


def _belongs(match: Match, place: Place) -> float:
    """Probability that a catalogue object is the line's own, as far as the place of the source does not say it."""
    if place.is_counterpart:
        return 1.0
    if not (np.isfinite(match.chance) and np.isfinite(match.separation)):
        return 0.5
    # At the same distance there would be so many others as bright; it is no surer than the chance that is shown for it
    error = float(np.hypot(place.error, OFF_CENTRE * (match.object.major if match.object.major > 0 else 0.0)))
    density = -np.log1p(-min(match.chance, 0.999)) / (np.pi * max(match.separation, 0.5) ** 2)
    own = own_density(match.separation, error)
    return (1.0 - match.chance) * own / (own + density)


def neighbours(near: Sequence[Match], matches: Sequence[Match], shifts: Shifts) -> tuple[np.ndarray, str, float]:
    """ln of the likelihood of the redshifts of galaxies around, the identity they speak for most, and the distance
    (arcsec) of the nearest that does ("" and NaN if none does).

    A galaxy at d arcsec shares the redshift of the line with probability 0.5 exp(-d/3) + 0.04 exp(-d/20): it is the
    same galaxy's middle, a companion, or a member of its group; our estimate. The rest is unrelated.
    """
    out = np.zeros(len(KINDS))
    own = next((each.object for each in matches if each.selected), None)
    best, speaks, distance = 0.0, "", float("nan")
    for each in near:
        if not np.isfinite(each.object.spec_z) or each.separation > NEIGHBOUR_RADIUS:
            continue
        if own is not None and each.object.ra == own.ra and each.object.dec == own.dec:
            continue
        together = 0.5 * np.exp(-each.separation / SAME_GALAXY) + 0.04 * np.exp(-each.separation / 20.0)
        for i, kind in enumerate(KINDS):
            z = _redshift_of_kind(kind.identity, shifts)
            if kind.identity == "star" or not np.isfinite(z):
                continue
            there = float(_normal(each.object.spec_z, z, NEIGHBOUR_DISPERSION * (1.0 + z)))
            gain = float(np.log(together * there / UNRELATED_REDSHIFTS + 1.0 - together))
            out[i] += gain
            if gain > best:
                best, speaks, distance = gain, kind.identity, each.separation
    return np.clip(out, -6.0, 6.0), speaks, distance
