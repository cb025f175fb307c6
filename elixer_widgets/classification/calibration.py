"""The free parameters of the model: shares, outliers and how far each piece of evidence is trusted.

`ASSUMED` are plain estimates. A fit on a simulated survey replaces some of them; `provenance` then says on what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Calibration:
    """Parameters of the posterior.

    Attributes
    ----------
    noise, noise_from, noise_width, noise_floor : float
        False lines for one true line up to the S/N `noise_from`; beyond, they thin out as a Gaussian of that width in
        S/N, down to that share of it.
    noise_listed, noise_errors : float
        The same where the S/N is known under which the survey lists the line: false lines for one true line at S/N 5,
        and the noise that a survey states over the noise that there is. Peaks of noise then thin out as theory has it.
    artifact, artifact_from, artifact_width, artifact_floor : float
        Artifacts for one true line, thinning out as noise does.
    artifact_bare : float
        The same where the fibers are not known. The fitted `artifact` makes up for what the fibers say too strongly
        against artifacts; without fibers it is the share among lines of the sample itself (87 of 1,383).
    star : float
        Factor on the rate of false lines in stars.
    other, other_broad : float
        Lines that are none of the listed ones for one that is, and the part of them that nuclei make.
    lae, oii, nebular, agn : float
        Factors on the number densities of Lyα emitters, [O II] galaxies, other lines of galaxies, active nuclei.
    misfit : float
        Factor on what a poor fit of the line costs, in ln.
    flux_error : float
        Relative error of the flux beyond its formal one (calibration, losses, the profile's shape).
    width_outliers, width_outliers_log_sigma : float
        Share of lines whose equivalent width is far off the exponential, and how far in ln.
    velocity_outliers : float
        Share of lines whose velocity width the kinds do not describe.
    exponents : mapping
        Name of a piece of evidence to the power that its likelihood is taken to; 1 where it is not named.
    doubt : float
        Probability that none of the model holds; it is spread evenly over the identities and bounds every answer.
    provenance : str
        What the parameters were fitted to; empty where they are estimates.
    """

    noise: float = 0.5
    noise_from: float = 5.2
    noise_width: float = 0.8
    noise_floor: float = 1e-3
    noise_listed: float = 0.5
    noise_errors: float = 0.95
    artifact: float = 0.03
    artifact_bare: float = 0.03
    artifact_from: float = 9.0
    artifact_width: float = 4.0
    artifact_floor: float = 2e-3
    star: float = 1.0
    other: float = 0.005
    other_broad: float = 0.2
    lae: float = 1.0
    oii: float = 1.0
    nebular: float = 1.0
    agn: float = 1.0
    misfit: float = 1.0
    flux_error: float = 0.1
    width_outliers: float = 0.01
    width_outliers_log_sigma: float = 2.0
    velocity_outliers: float = 0.002
    exponents: Mapping[str, float] = field(default_factory=dict)
    doubt: float = 1e-4
    provenance: str = ""


ASSUMED = Calibration()
"""Before any fit."""

FITTED = Calibration(
    noise=0.83,
    noise_from=5.10,
    noise_width=0.69,
    noise_floor=1e-5,
    noise_listed=1.41,
    noise_errors=0.942,
    artifact=0.28,
    artifact_bare=0.06,
    artifact_from=8.5,
    artifact_width=3.85,
    artifact_floor=5e-4,
    velocity_outliers=2e-4,
    star=1.07,
    other=0.0074,
    other_broad=0.30,
    nebular=4.5,
    agn=0.48,
    misfit=0.21,
    exponents={"companion lines": 0.73, "line width": 0.70, "fibers": 0.73, "size": 0.89},
    doubt=1e-3,
    provenance="on simulated surveys: fitted to 9,000 simulated detections, not to real ones",
)
"""In use. Fitted by log loss over all identities to 9,000 detections of simulated surveys
(`simulation.survey.simulate_survey`, 4,000 of seed 1 and 5,000 of seed 11), with weak normal priors around the
estimates above; `noise` with its three companions, `misfit` and `doubt` are of earlier fits to some of them. Powers
are not allowed beyond 1, and that of the line width not below 0.7: the sample held but a score of lines of active
nuclei other than Lyα; for the sake of real ones `other_broad` is nearer to the estimate than the fit's 0.46. The
shares of noise and artifacts and the rates of stars and nuclei are those of that simulation, which assumes them: a
survey with cleaner detections wants smaller ones: `dataclasses.replace(FITTED, noise_listed=...)`. `noise_listed`
and the powers were fitted once more to those of seed 11 when strangers came into the model. The same fit wants a
third more emitters beside [O II] galaxies than is published; the published numbers are kept, for the simulation has
its own. docs/calibration.md judges the fit on others."""
