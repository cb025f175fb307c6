"""What `analysis` finds and hands on: frozen, and free of any judgement of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from elixer_widgets.classification.choice import BestRedshift
from elixer_widgets.classification.flags import Flag
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.posterior import Evidence
from elixer_widgets.classification.solutions import Companion, Solution
from elixer_widgets.detection import NAN, Cutout, DataError, Detection, FiberField, Magnitude, Spectrum
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.flux_maps import FluxMap, fiber_map
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.doublets import DoubletFit
from elixer_widgets.spectra.extraction import FiberFlux, continuum_in_field, line_in_field
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.models import alone, identity_model
from elixer_widgets.spectra.profiles import BroadNarrowFit, line_asymmetry
from elixer_widgets.spectra.sampling import SampledLine, sample_line


@dataclass(frozen=True)
class Aperture:
    """A circular aperture that a person asked for: `radius` in arcsec, centre in degrees (NaN: the
    detection's)."""

    radius: float
    ra: float = NAN
    dec: float = NAN


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured: true whatever the line is.

    Attributes
    ----------
    detection : Detection
    line : LineFit
        The main line.
    lines : tuple of LineFit
        Every line found in the whole spectrum, emission and absorption, by wavelength.
    continuum_narrow, continuum_wide : ContinuumEstimate
        Beside the line; from the whole spectrum through the g band.
    g_magnitude : Magnitude
        Synthetic g from the spectrum, or its limit.
    cutouts : tuple of Cutout
        The images measured, in the order of `growths`.
    growths : tuple of Growth
        One circular aperture a cutout.
    sources : tuple of SourceEllipse
    matches : tuple of Match
        Catalogue counterparts, best first.
    neighbours : tuple of Match
        Catalogue objects with a spectroscopic redshift farther around, nearest first.
    aperture : Aperture or None
        What a person asked for; None if automatic.
    excluded_fibers : tuple of str
        fiber_ids that a person switched off.
    notes : tuple of str
        What could not be measured, and why.
    solutions : tuple of Solution
        Every identity of the main line tried on the spectrum: what is measured at its companions' places.
    spectrum : Spectrum or None
        The spectrum measured, where that is not `detection.spectrum` (fibers switched off).
    fiber_fluxes : tuple of FiberFlux
        The main line in each fiber that is used.
    spectral_slope, spectral_slope_err : float
        Gradient of the continuum, 1e-17 erg/s/cm²/Å per Å.
    """

    detection: Detection
    line: LineFit
    lines: tuple[LineFit, ...]
    continuum_narrow: ContinuumEstimate
    continuum_wide: ContinuumEstimate
    g_magnitude: Magnitude
    cutouts: tuple[Cutout, ...] = ()
    growths: tuple[Growth, ...] = ()
    sources: tuple[SourceEllipse, ...] = ()
    matches: tuple[Match, ...] = ()
    neighbours: tuple[Match, ...] = ()
    aperture: Aperture | None = None
    excluded_fibers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    solutions: tuple[Solution, ...] = ()
    spectrum: Spectrum | None = None
    fiber_fluxes: tuple[FiberFlux, ...] = ()
    spectral_slope: float = NAN
    spectral_slope_err: float = NAN

    @cached_property
    def line_map(self) -> FluxMap:
        """Where the light of the main line comes from (erg/s/cm² per arcsec²), made at the first use from every fiber
        of the observation around the detection."""
        field, reason = self._field()
        if reason:
            return FluxMap(reason=reason)
        if not (np.isfinite(self.line.center) and np.isfinite(self.line.sigma)):
            return FluxMap(reason="no line was measured")
        flux, error = line_in_field(field, self.line)
        return fiber_map(field.ra, field.dec, flux, error, (self.detection.ra, self.detection.dec))

    @cached_property
    def white_map(self) -> FluxMap:
        """Where all light of the spectra comes from (1e-17 erg/s/cm²/Å per arcsec²), as `line_map`."""
        field, reason = self._field()
        if reason:
            return FluxMap(reason=reason)
        flux, error = continuum_in_field(field)
        return fiber_map(field.ra, field.dec, flux, error, (self.detection.ra, self.detection.dec))

    @property
    def used_spectrum(self) -> Spectrum:
        """The spectrum measured: the detection's, or that of the fibers left on."""
        return self.detection.spectrum if self.spectrum is None else self.spectrum

    @cached_property
    def sampled(self) -> SampledLine:
        """Draws from the posterior of the main line, made at the first use.

        Raises
        ------
        DataError
            If there is no line to sample.
        """
        return sample_line(alone(self.used_spectrum, self.line, self.lines), self.line)

    @cached_property
    def asymmetry(self) -> tuple[float, float]:
        """Skewness of the main line (Gauss-Hermite h₃) and its error, positive for a red wing; NaN without a line."""
        if not np.isfinite(self.line.flux):
            return NAN, NAN
        return line_asymmetry(alone(self.used_spectrum, self.line, self.lines), self.line)

    def _field(self) -> tuple[FiberField, str]:
        try:
            field = self.detection.fiber_field
        except DataError as error:
            return FiberField(), str(error)
        return field, field.reason


@dataclass(frozen=True)
class Rival:
    """One identity of the main line beside the others: what it means and what its companions show."""

    identity: str
    redshift: float
    probability: float
    rest_equivalent_width: float
    companions: tuple[Companion, ...] = ()


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What the measurements mean if the line is `identity`.

    Attributes
    ----------
    measurements : Measurements
    identity : str
        One of `classification.posterior.IDENTITIES`.
    redshift, redshift_err : float
        NaN for star, artifact and noise.
    chosen_by : str
        "automatic" or "person".
    line_label : str
        The line for people, "[O II] 3727".
    p_lya : float
        Probability of Lyα, 0 to 1.
    posterior : mapping
        Identity to probability, summing to 1; a person's identity or redshift is evidence in it.
    data_posterior : mapping
        The same of the data alone.
    evidence : tuple of Evidence
    calibrated : bool
        Whether the probabilities were calibrated against truth; `provenance` says against what.
    provenance : str
    best : tuple of BestRedshift
        The redshift adopted at each of the catalogue's thresholds on P(Lyα).
    plae_poii : PlaeRatio
        From the combined continuum.
    plae_sources : tuple of PlaeRatio
        One for each continuum source, `source` naming it.
    continuum : ContinuumEstimate
        The combined continuum under the line.
    continuum_sources : tuple of ContinuumEstimate
        Its inputs with their weights.
    equivalent_width, equivalent_width_err : float
        Rest frame, Å, for `identity`, from the combined continuum (a lower limit if the continuum is a
        limit).
    ew_lya, ew_lya_err, ew_oii, ew_oii_err : float
        The same were it Lyα, [O II] (NaN where [O II] is impossible).
    luminosity : float
        Line luminosity, erg/s.
    companions : tuple of Companion
        Of `identity` at `redshift`.
    solutions : tuple of Solution
        The published multi-line scores, best first.
    rivals : tuple of Rival
        Every emission-line identity, most probable first.
    quality : float
        0 to 1, of `redshift`.
    flags : tuple of Flag
    labels : tuple of str
        What kind of object it is: "agn".
    asserted : tuple of str
        What a person set, in words: "identity", "redshift", "counterpart", "aperture", "fibers",
        "without the wide continuum", ... Everything else is the data's.
    """

    measurements: Measurements
    identity: str
    redshift: float
    p_lya: float
    posterior: Mapping[str, float]
    plae_poii: PlaeRatio
    continuum: ContinuumEstimate
    redshift_err: float = NAN
    chosen_by: str = "automatic"
    line_label: str = ""
    evidence: tuple[Evidence, ...] = ()
    calibrated: bool = False
    provenance: str = ""
    data_posterior: Mapping[str, float] = field(default_factory=dict)
    best: tuple[BestRedshift, ...] = ()
    plae_sources: tuple[PlaeRatio, ...] = ()
    continuum_sources: tuple[ContinuumEstimate, ...] = ()
    equivalent_width: float = NAN
    equivalent_width_err: float = NAN
    ew_lya: float = NAN
    ew_lya_err: float = NAN
    ew_oii: float = NAN
    ew_oii_err: float = NAN
    luminosity: float = NAN
    companions: tuple[Companion, ...] = ()
    solutions: tuple[Solution, ...] = ()
    rivals: tuple[Rival, ...] = ()
    quality: float = NAN
    flags: tuple[Flag, ...] = ()
    labels: tuple[str, ...] = ()
    asserted: tuple[str, ...] = ()

    @cached_property
    def model(self) -> DoubletFit | BroadNarrowFit | None:
        """The main line fitted as its identity asks: as a doublet, or narrow on broad; None where one Gaussian serves.
        Made at the first use."""
        m = self.measurements
        return identity_model(m.used_spectrum, m.line, m.lines, self.identity)
