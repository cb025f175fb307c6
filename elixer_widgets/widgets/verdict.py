"""One line that says what the detection is taken to be, and how sure that is."""

from __future__ import annotations

from math import isfinite

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.detection import Detection
from elixer_widgets.widgets import words
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState


def _figure(name: str, value: str, tip: str = "", css: str = "") -> str:
    return f'<span class="ew-figure {css}" title="{escape(tip)}"><small>{name}</small><b>{escape(value)}</b></span>'


def _flags(interpretation: Interpretation) -> str:
    if not interpretation.flags:
        return '<span class="ew-flags"><small>flags</small><em>none</em></span>'
    names = "".join(
        f'<em class="ew-flag" title="{escape(flag.meaning)}">{escape(flag.name)}</em>' for flag in interpretation.flags
    )
    listed = escape("\n".join(f"{flag.name}: {flag.meaning}" for flag in interpretation.flags))
    return f'<span class="ew-flags" title="{listed}"><small>flags</small><span>{names}</span></span>'


def _asserted(interpretation: Interpretation) -> str:
    """What a person set, so that nobody takes it for the data's; nothing where all is automatic."""
    if not interpretation.asserted:
        return ""
    listed = ", ".join(interpretation.asserted)
    tip = f"set by a person: {listed}; all else follows from the data"
    return f'<span class="ew-asserted" title="{escape(tip)}"><small>you set</small><em>{escape(listed)}</em></span>'


def where(detection: Detection) -> str:
    """The detection's name, number, place and observation, in short lines."""
    name = escape(detection.label)
    number = f" · {detection.detectid}" if detection.name and detection.name != str(detection.detectid) else ""
    place = (
        f"{detection.ra:.5f} {detection.dec:+.5f}".replace("-", "−")
        if isfinite(detection.ra) and isfinite(detection.dec)
        else "no position"
    )
    shot = f" · {detection.shot.name}" if detection.shot is not None else ""
    return f'<span class="ew-who"><b>{name}</b><small>{escape(place)}{escape(shot)}{escape(number)}</small></span>'


def draw(interpretation: Interpretation) -> str:
    """The verdict as HTML."""
    chosen = "set by you" if interpretation.chosen_by == "person" else "automatic"
    label = interpretation.line_label or LABELS.get(interpretation.identity, interpretation.identity)
    calibrated = (
        f"calibrated {interpretation.provenance}" if interpretation.calibrated else "provisional, not calibrated"
    )
    mark = "" if interpretation.calibrated else "*"
    limit = interpretation.continuum.is_limit
    ew = words.equivalent_width(interpretation.equivalent_width, interpretation.equivalent_width_err, limit)
    lya = words.equivalent_width(interpretation.ew_lya, interpretation.ew_lya_err, limit)
    oii = words.equivalent_width(interpretation.ew_oii, interpretation.ew_oii_err, limit)
    z = words.number(interpretation.redshift, 4)
    error = interpretation.redshift_err
    return (
        where(interpretation.measurements.detection)
        + f'<span class="ew-line"><b>{escape(label)}</b><small>{chosen}</small></span>'
        + _figure("redshift", z, f"± {error:.4f}" if isfinite(error) else "", "ew-z")
        + _figure(f"P(Lyα){mark}", words.percent(interpretation.p_lya), calibrated, "ew-plya")
        + _figure("quality", words.number(interpretation.quality), "0 to 1, of the redshift")
        + _figure("P(LAE)/P(OII)", words.ratio(interpretation.plae_poii), "from the combined continuum, 68 % interval")
        + _figure("rest EW", ew, f"were it Lyα {lya}; were it [O II] {oii}", "ew-ew")
        + _figure(
            "continuum",
            words.continuum(interpretation.continuum),
            "combined, 10⁻¹⁷ erg/s/cm²/Å at the line",
            "ew-more",
        )
        + _asserted(interpretation)
        + _flags(interpretation)
    )


class Verdict(Panel):
    """Identity, redshift, probability, quality, ratio, width and flags in one line."""

    def __init__(self, state: ExplorerState) -> None:
        self.line = Markup()
        super().__init__(state, "verdict", (self.line,))
        self.watch(self._draw, "detection", "interpretation", "busy", clear=self._clear)

    def _draw(self) -> None:
        interpretation, detection = self.state.interpretation, self.state.detection
        if interpretation is not None and interpretation.measurements.detection is detection:
            self.line.markup = f'<div class="ew-verdict-line">{draw(interpretation)}</div>'
        else:
            wait = (
                f'<em class="ew-wait">{"measuring …" if self.state.busy or not self.state.whole else "no verdict"}</em>'
            )
            who = where(detection) if detection is not None else '<span class="ew-who"><b>nothing shown</b></span>'
            self.line.markup = f'<div class="ew-verdict-line">{who}{wait}</div>'

    def _clear(self) -> None:
        self.line.markup = ""
