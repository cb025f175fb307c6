"""A small synthetic release with known truth, in the real file formats.

What is simulated
-----------------
* Sky: Lyα emitters and [O II] galaxies from the published luminosity functions and equivalent-width distributions above
  the flux limit, in their natural proportion; by hand, [O III] dwarfs, broad-line nuclei (Lyα, C IV, C III], Mg II),
  stars, white dwarfs; field galaxies from number counts. Continua follow from equivalent widths, magnitudes from
  spectra. (`sky`, `spectra`, `placement`)
* Telescope: three dithers of 1.5" fibers, a Moffat point-spread function, curved traces, a wavelength scale that
  differs from fiber to fiber, sky lines, a line spread of 5.6 Å, photon and read noise, cosmic rays. (`optics`,
  `shots`)
* Faults that were detected as lines: a cosmic ray in one exposure, a charge trap, a sky residual, and the highest
  peaks of pure noise. (`shots`, `detections`)
* Pipeline: position, PSF-weighted extraction and line fit, each from the noisy fibers. (`detections`)
* Imaging: three surveys and a field with none; catalogues with noise, limits, spectroscopic and photometric redshifts.
  (`imaging`)

What is not
-----------
Wavelength-dependent seeing and atmospheric refraction, scattered light, errors of flux calibration and sky subtraction
other than the faults, Galactic dust, blends of two detections, detections of one object in two shots. Error arrays are
exact, which those of the real survey are not.

Fluxes carry the selection of a real search: positions are where light and noise together are brightest, and lines below
the pipeline's cut are left out, so faint fluxes are a little too high on average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elixer_widgets.simulation.release import simulate_release

__all__ = ["simulate_release"]


def __getattr__(name: str) -> Any:
    # loaded at first use: to know where the kept release lies needs nothing of what makes one
    if name == "simulate_release":
        from elixer_widgets.simulation.release import simulate_release

        return simulate_release
    raise AttributeError(f"module 'elixer_widgets.simulation' has no attribute {name!r}")
