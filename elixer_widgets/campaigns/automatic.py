"""What the analysis says of a detection, as a campaign keeps it beside each answer."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.campaigns import queue


def automatic_answer(interpretation: Interpretation) -> dict[str, Any]:
    """What the analysis says, as it is kept beside an answer: the data's verdict, whatever a person asserted."""
    posterior = interpretation.data_posterior or interpretation.posterior
    best = max(posterior, key=lambda name: posterior[name]) if posterior else interpretation.identity
    asserted = bool(interpretation.asserted)
    if not asserted:
        redshift = interpretation.redshift
    else:
        redshift = next((rival.redshift for rival in interpretation.rivals if rival.identity == best), float("nan"))
    found: dict[str, Any] = {
        "identity": best if asserted else interpretation.identity,
        "p_lya": round(float(posterior.get("Lya", interpretation.p_lya)), 6),
        "flags": sum({flag.bit for flag in interpretation.flags}),
    }
    if isfinite(redshift):
        found["redshift"] = round(float(redshift), 6)
    if not asserted and isfinite(interpretation.quality):
        found["quality"] = round(float(interpretation.quality), 4)
    if posterior:
        found["doubt"] = round(float(queue.doubt(np.array([list(posterior.values())]))[0]), 4)
    return found
