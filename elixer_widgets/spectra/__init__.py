"""Line list, Gaussian fits, line finding, continuum estimates."""

from elixer_widgets.spectra.fitting import LineFit, fit_line

__all__ = ["LineFit", "fit_line"]
