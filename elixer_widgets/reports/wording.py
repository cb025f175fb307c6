"""What the page says: numbers, limits and flags put into words. Pure strings, no drawing."""

from __future__ import annotations

import math

from elixer_widgets._asserted import NO_COUNTERPART
from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.detection import Detection, Magnitude
from elixer_widgets.reports.choices import chosen
from elixer_widgets.reports.derived import (
    PLAE_RANGE,
    aperture_correction,
    best_solution,
    clipped_plae,
    redshift_as,
    sourced,
)
from elixer_widgets.spectra.continuum import CGS, ContinuumEstimate, rest_width

NOT_MEASURED = "not measured"
WORST_SEEING = 3.0  # arcsec, above it the report marks the value
WORST_THROUGHPUT = 0.08
WORST_DITHER_NORM = 3.0


def finite(value: float) -> bool:
    """Whether there is a number."""
    return value is not None and math.isfinite(value)


def is_magnitude(value: float) -> bool:
    """Whether a number can be a magnitude: 99 and -99 are how catalogues write that there is none."""
    return finite(value) and -30.0 < value < 40.0


def symmetric(value: float, error: float = math.nan, digits: int = 2) -> str:
    """`value(±error)` with the error's scale put to the value's: 1.90(±0.17)e-16."""
    if not finite(value):
        return NOT_MEASURED
    exponent = 0
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        exponent = math.floor(math.log10(abs(value)))
        # 9.999 is written 10.00 with two decimals: take the next power then
        if round(abs(value) / 10.0**exponent, digits) >= 10:
            exponent += 1
    scale = 10.0**exponent
    text = f"{value / scale:.{digits}f}"
    if finite(error):
        text += f"(±{error / scale:.{digits}f})"
    return text + (f"e{exponent:d}" if exponent else "")


def upper_limit(value: float, sigma: float = math.nan) -> str:
    """`< 9.0e-19 (2σ)`."""
    if not finite(value):
        return NOT_MEASURED
    return f"< {symmetric(value)}" + (f" ({sigma:g}σ)" if finite(sigma) else "")


def continuum(estimate: ContinuumEstimate) -> str:
    """A continuum in erg/s/cm²/Å, or its upper limit."""
    if estimate.is_limit:
        return upper_limit(estimate.value * CGS, estimate.limit_sigma)
    return symmetric(estimate.value * CGS, estimate.error * CGS)


def magnitude(value: Magnitude) -> str:
    """`r 24.41 ± 0.10` or `r > 26.1 (2σ)`."""
    if not is_magnitude(value.value):
        return f"{value.band} {NOT_MEASURED}"
    if value.is_limit and finite(value.value):
        sigma = f" ({value.limit_sigma:g}σ)" if finite(value.limit_sigma) else ""
        return f"{value.band} > {value.value:.1f}{sigma}"
    return str(value)


def ratio(value: float) -> str:
    """A probability ratio inside `PLAE_RANGE`, three significant digits; at the range's ends marked as a limit."""
    low, high = PLAE_RANGE
    if value >= high:
        return f">{high:.0f}"
    if value <= low:
        return f"<{low:g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def plae(value: PlaeRatio | None) -> str:
    """P(LAE)/P(OII) with its 68 % interval: `42 (12 to 120)`."""
    best, low, high = clipped_plae(value)
    if math.isnan(best):
        return "N/A"
    text = ratio(best)
    if not (math.isnan(low) or math.isnan(high)) and ratio(low) != ratio(high):
        text += f" ({ratio(low)} to {ratio(high)})"
    return text


def width(value: float, error: float, is_limit: bool = False) -> str:
    """An equivalent width in Å; a lower limit where the continuum is an upper limit."""
    if not finite(value):
        return NOT_MEASURED
    digits = 1 if abs(value) >= 10 else 2
    kind = " (absorption)" if value < 0 else ""
    if is_limit:
        return f"> {abs(value):.{digits}f} Å{kind}"
    return f"{abs(value):.{digits}f}" + (f"±{error:.{digits}f}" if finite(error) else "") + f" Å{kind}"


def chance(value: float) -> str:
    """A small probability: three decimals, or `< 0.001`."""
    if not finite(value):
        return "N/A"
    if not 0 <= value <= 1:
        return "impossible"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float) -> str:
    """One decimal with its sign, as typeset; zero has none."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def redshift(interpretation: Interpretation) -> str:
    """`2.7027±0.0003  Lyα 1216`, or what the object is if no redshift follows."""
    if not finite(interpretation.redshift):
        return f"none ({LABELS.get(interpretation.identity, interpretation.identity)})"
    error = f"±{interpretation.redshift_err:.4f}" if interpretation.redshift_err >= 5e-5 else ""
    name = interpretation.line_label or LABELS.get(interpretation.identity, interpretation.identity)
    return f"{interpretation.redshift:.4f}{error} {name}"


def calibration_words(interpretation: Interpretation) -> str:
    """What the probabilities were calibrated on, in a few words: the first part of the provenance."""
    if not interpretation.calibrated:
        return "not calibrated"
    return f"calibrated {interpretation.provenance.split(':')[0] or 'against truth'}"


def header(interpretation: Interpretation) -> str:
    """The verdict in one line."""
    limit = interpretation.continuum.is_limit
    calibrated = "" if interpretation.calibrated else " (not calibrated)"
    quality = f"{interpretation.quality:.2f}" if finite(interpretation.quality) else "N/A"
    p_lya = f"{interpretation.p_lya:.3f}" if finite(interpretation.p_lya) else "N/A"
    widths = f"EW(Lyα): {width(interpretation.ew_lya, interpretation.ew_lya_err, limit)}"
    if interpretation.identity != "Lya" and finite(interpretation.redshift) and finite(interpretation.equivalent_width):
        name = LABELS.get(interpretation.identity, interpretation.identity)
        widths += f", {name}: {width(interpretation.equivalent_width, interpretation.equivalent_width_err, limit)}"
    return "  ".join(
        (
            widths,
            f"P(LAE)/P(OII): {plae(interpretation.plae_poii)}",
            f"P(Lyα): {p_lya}{calibrated}",
            f"Q(z): {quality}",
            f"z: {redshift(interpretation)}",
            *(each.upper() for each in interpretation.labels),
        )
    )


def choices(interpretation: Interpretation) -> list[str]:
    """What a person decided, a phrase each; empty if all is automatic."""
    measurements, set_by_person = interpretation.measurements, chosen(interpretation)
    said = []
    name = LABELS.get(interpretation.identity, interpretation.identity)
    if "redshift" in set_by_person:
        said.append(f"z = {interpretation.redshift:.4f} ({name})")
    elif "identity" in set_by_person:
        at = f" at z = {interpretation.redshift:.4f}" if finite(interpretation.redshift) else ""
        said.append(f"identity {name}{at}")
    if measurements.aperture is not None:
        moved = " moved" if len(set_by_person["aperture"]) > 1 else ""
        said.append(f'aperture radius {measurements.aperture.radius:.2f}"{moved}')
    if measurements.excluded_fibers:
        count = len(measurements.excluded_fibers)
        said.append(f"{count} fiber{'s' if count > 1 else ''} switched off")
    if "counterpart" in set_by_person:
        which = set_by_person["counterpart"]
        said.append("no catalogue object is the source" if which == NO_COUNTERPART else f"counterpart {which}")
    if "without" in set_by_person:
        said.append(f"without continuum {', '.join(set_by_person['without'])}")
    return said


def flags(interpretation: Interpretation) -> str:
    """The flags in words, after their number, or that there are none."""
    if not interpretation.flags:
        return "Flags: none"
    bits = 0
    for each in interpretation.flags:
        bits |= each.bit
    return f"Flags 0x{bits:08x}: {'; '.join(each.name for each in interpretation.flags)}"


def shorten(text: str, room: int) -> str:
    """`text` cut at `room` characters with an ellipsis."""
    return text if len(text) <= room else text[: max(room - 1, 0)].rstrip(" ;,") + "…"


def _observation(detection: Detection) -> list[str]:
    """The lines about where and how it was observed."""
    named = detection.label != str(detection.detectid)
    lines = [f"ID: {detection.label}" + ("" if named else f" ({detection.detectid}.pdf)")]
    shot = detection.shot
    if shot is None:
        lines.append("Obs: not available")
    else:
        lines.append(f"Obs: {shot.name}_{detection.detectid}")
    if detection.fibers:
        best = detection.fibers[0]
        lines.append(f"Primary Spec_Slot_IFU_AMP: {best.specid}_{best.ifuslot}_{best.ifuid}_{best.amp}")
    else:
        lines.append("Primary Spec_Slot_IFU_AMP: not available")
    if shot is not None:
        lines.append(_conditions(detection))
    if finite(detection.ra) and finite(detection.dec):
        lines.append(f"RA,Dec ({detection.ra:.6f},{detection.dec:.6f})")
    else:
        lines.append("RA,Dec: no position came with it")
    return lines


def _conditions(detection: Detection) -> str:
    """Seeing, throughput, dither norm, aperture correction, depth; a `!` marks what fails a cut."""
    shot = detection.shot
    assert shot is not None
    parts = []
    if finite(shot.fwhm):
        parts.append(f'F={shot.fwhm:.1f}"' + ("!" if shot.fwhm > WORST_SEEING else ""))
    if finite(shot.response_4540):
        parts.append(f"T={shot.response_4540:.3f}" + ("!" if shot.response_4540 < WORST_THROUGHPUT else ""))
    if finite(shot.dither_norm):
        parts.append(f"N={shot.dither_norm:.2f}" + ("!" if shot.dither_norm > WORST_DITHER_NORM else ""))
    correction = aperture_correction(detection)
    if finite(correction):
        parts.append(f"A={correction:.2f}")
    if finite(shot.depth_g):
        parts.append(f"g={shot.depth_g:.1f}")
    return "  ".join(parts) or "F T N A g: not available"


def _redshift_or_not(z: float) -> str:
    return f"{z:.4f}" if finite(z) and z >= 0 else "N/A"


def text_block(interpretation: Interpretation) -> list[str]:
    """The lines of the text block, in the order of the ELiXer report."""
    measurements = interpretation.measurements
    line = measurements.line
    narrow, wide = measurements.continuum_narrow, measurements.continuum_wide
    lya, oii = redshift_as("Lya", line.center), redshift_as("OII", line.center)
    narrow_ew = rest_width(line.flux, line.flux_err, narrow, lya)
    wide_ew = rest_width(line.flux, line.flux_err, wide, lya)
    flagged = "" if not line.flags else " *"
    lines = _observation(measurements.detection)
    if finite(line.center):
        lines.append(f"λ = {line.center:.2f} Å  σ = {symmetric(line.sigma, line.sigma_err)} Å{flagged}")
    else:
        lines.append("λ: no line was found")
    lines += [
        f"LineFlux = {symmetric(line.flux, line.flux_err)}",
        f"Cont(n) = {continuum(narrow)}",
        f"Cont(w) = {continuum(wide)}",
        f"gmag(w): {magnitude(measurements.g_magnitude)}",
        f"EWr(Lyα) = {width(*narrow_ew)} (w: {width(*wide_ew)})",
        f"S/N = {symmetric(line.snr, digits=1)}  χ² = {symmetric(line.chi2, digits=1)}",
        f"P(LAE)/P(OII): {plae(sourced(interpretation, 'narrow')[1])}",
        f"           (w: {plae(sourced(interpretation, 'wide')[1])})",
        f"LyA z = {_redshift_or_not(lya)}  OII z = {_redshift_or_not(oii)}",
    ]
    best = best_solution(interpretation)
    if best is not None:
        star = "*" if best.accepted else ""
        name = LABELS.get(best.identity, best.identity)
        solved, _, is_limit = rest_width(line.flux, line.flux_err, interpretation.continuum, best.redshift)
        widths = f"  EWr = {width(solved, math.nan, is_limit)}" if finite(solved) else ""
        lines.append(f"{star}Q({best.fraction:.2f}) {name}({best.rest_wavelength:.0f}) z = {best.redshift:.4f}{widths}")
    other = next((each for each in interpretation.best if each.identity != interpretation.identity), None)
    if other is not None and interpretation.chosen_by != "person":
        name = LABELS.get(other.identity, other.identity)
        lines.append(f"if P(Lyα) ≥ {other.threshold:g} decides: {name} z = {_redshift_or_not(other.redshift)}")
    return lines
