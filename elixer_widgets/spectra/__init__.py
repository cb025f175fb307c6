"""Line list, Gaussian fits, line finding, continuum estimates."""

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.continuum import ContinuumEstimate, g_magnitude, narrow_continuum, wide_continuum
from elixer_widgets.spectra.correlation import noise_correlation, with_correlated_noise
from elixer_widgets.spectra.doublets import DoubletFit, fit_doublet
from elixer_widgets.spectra.finding import find_lines, main_line, strongest_line
from elixer_widgets.spectra.fitting import LineFit, fit_line, fit_lines, forced_flux
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, Line, line, observed_air, redshift_of
from elixer_widgets.spectra.profiles import BroadNarrowFit, fit_broad_narrow, line_asymmetry
from elixer_widgets.spectra.sampling import SampledLine, sample_line
from elixer_widgets.spectra.wavelengths import air_to_vacuum, vacuum_to_air

__all__ = [
    "IDENTITY_LINES",
    "LINES",
    "BroadNarrowFit",
    "ContinuumEstimate",
    "DoubletFit",
    "Line",
    "LineFit",
    "SampledLine",
    "Spectrum",
    "air_to_vacuum",
    "find_lines",
    "fit_broad_narrow",
    "fit_doublet",
    "fit_line",
    "fit_lines",
    "forced_flux",
    "g_magnitude",
    "line",
    "line_asymmetry",
    "main_line",
    "narrow_continuum",
    "noise_correlation",
    "observed_air",
    "redshift_of",
    "sample_line",
    "strongest_line",
    "vacuum_to_air",
    "wide_continuum",
    "with_correlated_noise",
]
