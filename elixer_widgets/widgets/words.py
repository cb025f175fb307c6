"""How numbers are written for people: errors, limits, and a word where there is no number."""

from __future__ import annotations

from math import floor, isfinite, isnan, log10

from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.solutions import MAX_REDSHIFT, MIN_REDSHIFT
from elixer_widgets.detection import magnitude_decimals
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.spectra.continuum import ContinuumEstimate

DASH = "–"
RATIO_RANGE = (0.001, 1000.0)
"""P(LAE)/P(OII) is shown clipped to this range, as the catalogue clips it."""


def number(value: float, digits: int = 2, missing: str = DASH) -> str:
    """`value` with so many decimals, a true minus sign, or `missing` for NaN."""
    return f"{value:.{digits}f}".replace("-", "−") if isfinite(value) else missing


def with_error(value: float, error: float, digits: int = 2) -> str:
    """`value ± error`, the error left out where there is none."""
    if not isfinite(value):
        return DASH
    text = number(value, digits)
    return f"{text} ± {number(error, digits)}" if isfinite(error) else text


def percent(probability: float) -> str:
    """A probability as a percentage; `< 1 %` rather than a zero that is none."""
    if not isfinite(probability):
        return DASH
    if not 0 <= probability <= 1:
        return "impossible"
    if 0 < probability < 0.005:
        return "<1 %"
    if 0.995 < probability < 1:
        return ">99 %"
    return f"{100 * probability:.0f} %"


def flux(value: float, error: float = float("nan")) -> str:
    """A line flux (erg/s/cm²) with its power of ten: `1.50 ± 0.12 × 10⁻¹⁶`."""
    if not isfinite(value) or value == 0:
        return DASH
    power = floor(log10(abs(value)))
    scale = 10.0**power
    text = number(value / scale)
    if isfinite(error):
        text += f" ± {number(error / scale)}"
    superscript = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{text} × 10{superscript}"


def ratio(plae: PlaeRatio, interval: bool = True) -> str:
    """P(LAE)/P(OII), with its 68 % interval if asked for, clipped as published; an infinite one is one beyond it."""
    if isnan(plae.value):
        return DASH
    low, high = RATIO_RANGE

    def one(value: float) -> str:
        clipped = min(max(value, low), high)
        if clipped == high:
            return "≥ 1000" if value > high else "1000"
        if clipped == low:
            return "≤ 0.001" if value < low else "0.001"
        return f"{clipped:.3g}"

    text = one(plae.value)
    known = not (isnan(plae.low) or isnan(plae.high))
    if interval and known and one(plae.low) != one(plae.high):
        text += f" ({one(plae.low).lstrip('≤≥ ')} to {one(plae.high).lstrip('≤≥ ')})"
    return text


def redshift_problem(redshift: float) -> str:
    """Why an object cannot have a redshift; empty if it can."""
    if not isfinite(redshift) or MIN_REDSHIFT < redshift <= MAX_REDSHIFT:
        return ""
    side = "bluer than at rest" if redshift <= MIN_REDSHIFT else "beyond any known galaxy"
    return f"not possible: z = {number(redshift, 3)} is {side}"


def aperture_magnitude(growth: Growth) -> str:
    """The aperture's magnitude, or its limit written as one."""
    if growth.is_limit or not isfinite(growth.mag):
        return f"> {growth.limit:.2f} (2σ)" if isfinite(growth.limit) else "not measured"
    return with_error(growth.mag, growth.mag_err, magnitude_decimals(growth.mag_err))


def continuum(estimate: ContinuumEstimate) -> str:
    """The continuum in 1e-17 erg/s/cm²/Å, or its limit written as one."""
    if not isfinite(estimate.value):
        return DASH
    if estimate.is_limit:
        sigma = f" ({estimate.limit_sigma:g}σ)" if isfinite(estimate.limit_sigma) else ""
        return f"< {estimate.value:.3g}{sigma}"
    error = f" ± {estimate.error:.2g}" if isfinite(estimate.error) else ""
    return f"{estimate.value:.3g}{error}"


def equivalent_width(value: float, error: float, is_limit: bool) -> str:
    """A rest-frame equivalent width in Å; a lower limit where the continuum is an upper one."""
    if not isfinite(value):
        return DASH
    kind = " in absorption" if value < 0 else ""
    if is_limit:
        return f"> {abs(value):.0f} Å{kind}"
    return f"{with_error(abs(value), error, 0 if abs(value) >= 10 else 1)} Å{kind}"
