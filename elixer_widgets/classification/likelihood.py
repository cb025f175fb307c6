"""How well an identity explains the spectrum beyond the main line, in natural logarithm.

Three things are weighed: the emission lines it predicts, the stellar or interstellar absorption lines, and what the
intergalactic hydrogen leaves of the continuum shortward of Lyα. Each is a ratio of likelihoods: as predicted, over
nothing being there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from elixer_widgets.classification import templates
from elixer_widgets.classification.companions import RATIO_ERROR, Places, lsf
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.fitting import LineFit, forced_flux
from elixer_widgets.spectra.lines import GALAXY_RATIOS, IDENTITY_LINES, LINES, Line
from elixer_widgets.spectra.wavelengths import sky_mask, vacuum_to_air

SURPRISE = 3e-3
"""Chance that something unrelated (a blend, a residual of the sky) makes or hides a line at a given place: it bounds
what one companion can say for or against an identity to about 6 in natural logarithm."""

BROAD_RATIO_ERROR = 0.3
"""Relative error of a forced flux against that of the main line for broad lines, whose widths and shifts differ from
line to line (C IV is blue of the others by up to some 1000 km/s: Richards et al. 2002, AJ 124, 1)."""

CONTINUUM_RIPPLE = 0.04
"""Relative height of bumps in a continuum (iron emission, starlight, flux calibration) that look like lines; our
estimate. It adds to the error of every forced flux and matters for bright continua only."""

_NAMES = tuple(LINES)
_EMISSION = np.array([not each.absorption for each in LINES.values()])
_VACUUM = np.array([each.vacuum for each in LINES.values()])
_HEPSILON, _NEIII = _NAMES.index("Hepsilon"), _NAMES.index("NeIII3967")
_BLOCKS = 12
_THINNING = 4


def continuum_level(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (Å) and medians of the flux (1e-17 erg/s/cm²/Å) in blocks across the spectrum, to interpolate in."""
    good = spectrum.good
    wave, flux = np.asarray(spectrum.wavelength)[good], np.asarray(spectrum.flux)[good]
    size = wave.size // _BLOCKS
    if size == 0:
        return np.array([float(spectrum.wavelength[0])]), np.array([np.median(flux) if flux.size else 0.0])
    blocks = (_BLOCKS, size)
    return wave[: size * _BLOCKS].reshape(blocks).mean(axis=1), np.median(
        flux[: size * _BLOCKS].reshape(blocks), axis=1
    )


def ripple(places: Places, level: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Flux (erg/s/cm²) of a bump of the continuum at every place, shape as the places."""
    continuum = np.abs(np.interp(places.wavelength, *level))
    return CONTINUUM_RIPPLE * continuum * places.sigma * np.sqrt(2.0 * np.pi) * 1e-17


# ------------------------------------------------------------------------------------------------ emission lines


def companion_gain(
    fit: LineFit,
    anchor: Line,
    wavelength: np.ndarray,
    flux: np.ndarray,
    err: np.ndarray,
    ripple: np.ndarray,
    width: int,
) -> float:
    """ln P(companions | identity, width) - ln P(companions | nothing there), averaged over what the object may be.

    For a draw that predicts the flux m, a measured flux f ± e has the density
    (1 - 2 ε) N(f; m, e² + (δm)²) + ε N(f; 0, e²) + ε U(f): as predicted, hidden, or the work of something unrelated.
    Without a prediction it is (1 - ε) N(f; 0, e²) + ε U(f). U is a broad density with the scale of the main line.

    Parameters
    ----------
    fit : LineFit
        The main line.
    anchor : Line
        What it is taken to be.
    wavelength, flux, err, ripple : array, shape (lines of the list,)
        Places in Å, forced fluxes and errors in erg/s/cm² (NaN where not measured), and what bumps of the continuum
        add to the errors.
    width : int
        Of the main line: 0 narrow, 1 broad, 2 very broad.
    """
    main = abs(fit.flux)
    if not main > 0:
        return 0.0
    usable = _EMISSION & np.isfinite(flux) & (err > 0) & ~sky_mask(wavelength)
    # Hε and [Ne III] 3967 are one line at this resolution: predicted together, measured once
    joined = bool(usable[_HEPSILON] and usable[_NEIII])
    chosen = np.flatnonzero(usable)
    if not chosen.size:
        return 0.0
    names = tuple(_NAMES[i] for i in chosen)
    ratio, log_weight = templates.ratios(anchor.name, names, width)
    if not log_weight.size:
        return 0.0
    if anchor.name not in IDENTITY_LINES:
        # rarely the main line: fewer draws do
        ratio, log_weight = ratio[::_THINNING], log_weight[::_THINNING] + np.log(_THINNING)
    if joined:
        first, second = names.index("Hepsilon"), names.index("NeIII3967")
        ratio = ratio.copy()
        ratio[:, first] += ratio[:, second]
        ratio[:, second] = np.nan
    told = np.isfinite(ratio).any(axis=0)  # the rest of the lines change nothing
    ratio, chosen = ratio[:, told], chosen[told]
    f, e = flux[chosen] / main, np.hypot(err[chosen], ripple[chosen]) / main
    main_err = min(fit.flux_err / main, 1.0) if np.isfinite(fit.flux_err) else 0.0
    known = np.isfinite(ratio)
    expected = np.where(known, ratio, 0.0)
    relative = (BROAD_RATIO_ERROR if width else RATIO_ERROR) ** 2 + main_err**2
    variance = e**2 + expected**2 * relative
    as_predicted = np.exp(-0.5 * (f - expected) ** 2 / variance) / np.sqrt(2.0 * np.pi * variance)
    nothing = np.exp(-0.5 * (f / e) ** 2) / (np.sqrt(2.0 * np.pi) * e)
    scale = np.maximum(1.0, 3.0 * e)
    unrelated = 0.5 / (scale * (1.0 + np.abs(f) / scale) ** 2)
    without = (1.0 - SURPRISE) * nothing + SURPRISE * unrelated
    density = (1.0 - 2.0 * SURPRISE) * as_predicted + SURPRISE * (nothing + unrelated)
    gain = np.log(np.prod(np.where(known, density / without, 1.0), axis=1)) + log_weight
    largest = gain.max()
    return float(largest + np.log(np.sum(np.exp(gain - largest))))


# ---------------------------------------------------------------------------------------------- absorption lines

ABSORPTION_LIMIT = 4.0
"""What absorption lines can say at most."""

# Rest equivalent widths (Å) in absorption. Ultraviolet: the composite of Lyman-break galaxies of Shapley et al. (2003,
# ApJ 588, 65, table 3), from memory to a tenth. Optical: usual values of galaxies with an old or mixed population.
_INTERSTELLAR: tuple[tuple[float, float], ...] = (
    (1260.42, 1.6), (1303.3, 2.2), (1334.53, 1.7), (1393.76, 1.8), (1402.77, 0.8), (1526.71, 1.7), (1549.5, 2.5),
)  # fmt: skip
_STELLAR: tuple[tuple[float, float], ...] = (
    (3836.5, 3.0), (3934.777, 5.0), (3969.591, 5.0), (4102.9, 2.5), (4305.6, 4.0),
)  # fmt: skip
_STRENGTHS = np.linspace(0.1, 2.0, 20)


def absorption_gain(
    spectrum: Spectrum, anchors: Sequence[Line], redshifts: np.ndarray, level: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """ln of how much likelier absorption lines of galaxies make the spectrum, shape (hypotheses,).

    Interstellar lines are looked for where the anchor is an ultraviolet line, stellar ones where it is a nebular one.
    As a whole they have one free strength; half of all galaxies are taken to show none. With too faint a continuum
    the gain is 0; it is between -ln 2 and `ABSORPTION_LIMIT`.
    """
    out = np.zeros(len(anchors))
    rows: list[int] = []
    centers: list[float] = []
    depths: list[float] = []
    for i, (anchor, z) in enumerate(zip(anchors, redshifts, strict=True)):
        if anchor.absorption:
            continue
        for rest, width in _STELLAR if anchor.name in GALAXY_RATIOS else _INTERSTELLAR:
            rows.append(i)
            centers.append(float(rest * (1.0 + z)))
            depths.append(float(width * (1.0 + z)))
    if not rows:
        return out
    row, place = np.array(rows), np.asarray(vacuum_to_air(np.array(centers)))
    inside = (place > spectrum.wavelength[0]) & (place < spectrum.wavelength[-1]) & ~sky_mask(place)
    row, place, depth = row[inside], place[inside], np.array(depths)[inside]
    continuum = np.interp(place, *level)
    bright = continuum > 0
    row, place, depth, continuum = row[bright], place[bright], depth[bright], continuum[bright]
    if not row.size:
        return out
    sigma = np.hypot(lsf(spectrum), 250.0 / 299792.458 * place)
    flux, err = forced_flux(spectrum, place, sigma, inflate=True)
    flux, err = flux * 1e17, np.hypot(err * 1e17, CONTINUUM_RIPPLE * continuum * sigma * np.sqrt(2.0 * np.pi))
    expected = -depth * continuum
    # emission at the place (P Cygni, a blend with a nebular line) says nothing
    usable = np.isfinite(flux) & (flux < 2.0 * err)
    row, flux, err, expected = row[usable], flux[usable], err[usable], expected[usable]
    linear = np.bincount(row, flux * expected / err**2, minlength=out.size)
    square = np.bincount(row, (expected / err) ** 2, minlength=out.size)
    there = np.exp(np.clip(_STRENGTHS[:, None] * linear - 0.5 * _STRENGTHS[:, None] ** 2 * square, -50.0, 50.0))
    return np.minimum(np.log(0.5 + 0.5 * there.mean(axis=0)), ABSORPTION_LIMIT)


# ------------------------------------------------------------------------------------------ intergalactic hydrogen

FOREST_LIMIT = 5.0
"""What each of the two signs of the Lyα forest, its mean and its roughness, can say at most."""

FOREST_FROM = 1.7
"""Redshift from which the forest is looked for: below, it is too thin."""

_BLUE = (0.90, 0.975)
"""The forest between Lyβ with O VI and the wing of Lyα, in units of the wavelength of Lyα."""
_RED = (1.045, 1.12)
"""The continuum from beyond N V to before Si IV."""
_COLOUR, _COLOUR_SCATTER = 1.1, 0.3
"""Ratio of the continuum in the two windows without the forest, and its relative scatter: 1.2 for quasars
(f_λ as λ^-1.5: Vanden Berk et al. 2001, AJ 122, 549), 1 and less for galaxies; our estimate."""
_ROUGHNESS_SCATTER = 0.8
"""Spread of the logarithm of the forest's variance from sightline to sightline and with resolution; our estimate."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """Running sums over the good samples, to average within any window at once."""

    wavelength: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, wavelength: np.ndarray, columns: Sequence[np.ndarray]) -> _Sums:
        stacked = np.vstack([np.ones(wavelength.size), *columns])
        return cls(wavelength, np.hstack([np.zeros((stacked.shape[0], 1)), np.cumsum(stacked, axis=1)]))

    def within(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Sums (first row: the count) between `low` and `high`, shape (columns + 1, windows)."""
        first, last = np.searchsorted(self.wavelength, low), np.searchsorted(self.wavelength, high)
        return self.sums[:, last] - self.sums[:, first]


def forest_gain(spectrum: Spectrum, lines: Sequence[LineFit], redshifts: np.ndarray) -> np.ndarray:
    """ln of how much likelier the Lyα forest makes the spectrum, for each redshift, shape as `redshifts`.

    Shortward of Lyα intergalactic hydrogen lowers the mean flux and makes it rough. Both are compared with the same
    just longward of Lyα, so that neither the continuum nor the scale of the errors matters. Without a detected
    continuum, or where the spectrum does not cover both windows, the gain is 0.

    Notes
    -----
    Mean transmission exp(-0.0018 (1 + z)^3.92): Faucher-Giguère et al. (2008, ApJ 681, 831). Variance of the
    transmission at a resolution of some 2000: 0.05 at z = 2.5, rising as (1 + z)^2; our estimate.
    """
    out = np.zeros(len(redshifts))
    place = vacuum_to_air(LINES["Lya"].vacuum * (1.0 + redshifts))
    wave = np.asarray(spectrum.wavelength)
    possible = (redshifts > FOREST_FROM) & (place * _BLUE[1] > wave[0] + 60.0) & (place * _RED[0] < wave[-1] - 60.0)
    if not possible.any() or not spectrum.has_error:
        return out
    good = spectrum.good & ~sky_mask(wave)
    for each in lines:
        if not each.is_absorption and each.sigma < 15.0:
            good &= np.abs(wave - each.center) > 2.5 * each.sigma
    wave, flux, variance = wave[good], np.asarray(spectrum.flux)[good], np.asarray(spectrum.error)[good] ** 2
    if wave.size < 100:
        return out
    smooth = median_filter(flux, 41, mode="nearest")
    sums = _Sums.of(wave, [flux, variance, (flux - smooth) ** 2 - variance, smooth**2, variance**2])
    z, center = redshifts[possible], place[possible]
    blue = sums.within(center * _BLUE[0], center * _BLUE[1])
    red = sums.within(center * _RED[0], center * _RED[1])
    enough = (blue[0] >= 25) & (red[0] >= 25)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _mean_gain(z, blue, red)
        rough = _roughness_gain(z, blue, red)
    detected = red[1] > 3.0 * np.sqrt(red[2])
    out[possible] = np.where(enough & detected, np.nan_to_num(mean) + np.nan_to_num(rough), 0.0)
    return out


def _transmission(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.0018 * (1.0 + z) ** 3.92)


def _mean_gain(z: np.ndarray, blue: np.ndarray, red: np.ndarray) -> np.ndarray:
    """Lower flux shortward of Lyα."""
    b, r = blue[1] / blue[0], red[1] / red[0]
    b_var, r_var = blue[2] / blue[0] ** 2, red[2] / red[0] ** 2

    def density(ratio: np.ndarray) -> np.ndarray:
        spread = b_var + ratio**2 * r_var + (_COLOUR_SCATTER * np.maximum(r, 0.0) * ratio) ** 2
        x = (b - ratio * r) ** 2 / spread
        return np.exp(-0.5 * np.minimum(x, 200.0)) / np.sqrt(spread)

    floor = np.exp(-FOREST_LIMIT) / np.sqrt(b_var + _COLOUR**2 * (r_var + (_COLOUR_SCATTER * np.maximum(r, 0.0)) ** 2))
    return np.log((density(_COLOUR * _transmission(z)) + floor) / (density(np.full(z.shape, _COLOUR)) + floor))


def _roughness_gain(z: np.ndarray, blue: np.ndarray, red: np.ndarray) -> np.ndarray:
    """Rougher flux shortward of Lyα."""
    b, r = blue[3] / blue[4], red[3] / red[4]
    noise = np.sqrt(2.0 * blue[5]) / blue[4] + 0.1 * blue[2] / blue[4]
    noise = np.hypot(noise, np.sqrt(2.0 * red[5]) / red[4])
    excess = b - r
    typical = 0.05 * ((1.0 + z) / 3.5) ** 2
    steps = np.linspace(-2.5, 2.5, 21)
    weight = np.exp(-0.5 * steps**2)
    levels = typical[None, :] * np.exp(_ROUGHNESS_SCATTER * steps[:, None])
    # each level stands for its surroundings
    widths = np.hypot(noise[None, :], levels * _ROUGHNESS_SCATTER * (steps[1] - steps[0]))

    def density(level: np.ndarray, spread: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * np.minimum(((excess - level) / spread) ** 2, 400.0)) / spread

    forest = np.sum(weight[:, None] * density(levels, widths), axis=0) / weight.sum()
    own = np.hypot(noise, 0.005 + 0.5 * np.maximum(r, 0.0))
    plain = density(np.zeros_like(excess), own)
    floor = np.exp(-FOREST_LIMIT) / own
    return np.log((forest + floor) / (plain + floor))
