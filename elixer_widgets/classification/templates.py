"""Kinds of objects as samples of emission-line ratios, to weigh what is seen at the places of companions.

Each kind is a few hundred draws of line fluxes from a simple model, so that lines which go together in nature (4959 and
5007, the Balmer lines) go together here. The draws come from a fixed seed: the same input gives the same likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from elixer_widgets.spectra.lines import IDENTITY_LINES

DRAWS = 300
_SEED = 20170713

# Case B at 1e4 K relative to Hβ (Osterbrock & Ferland 2006, table 4.4)
_BALMER = {"Hg": 0.468, "Hd": 0.259, "Hepsilon": 0.159, "Hzeta": 0.105, "Heta": 0.0731}
# k(λ) - k(Hβ) in magnitudes per unit of E(B-V), Calzetti et al. (2000, ApJ 533, 682)
_REDDENING = {"Hg": 0.53, "Hd": 0.78, "Hepsilon": 0.90, "Hzeta": 0.98, "Heta": 1.03, "OII": 1.22, "NeIII": 1.0}
# [O III] 5007/4959 (Storey & Zeippen 2000, MNRAS 312, 813) and [Ne III] 3869/3967 (NIST transition probabilities)
_OIII_RATIO, _NEIII_RATIO = 2.98, 3.3


OUTSIDER_SHARE = 0.1
"""What is left of the share of lines that are no identity's anchor: their objects mostly show an anchor too."""

_BROAD_KIND = "broad-line AGN"

VERY_BROAD_SHARE = 0.1
"""What is left, among very broad lines, of the kinds that do not make such lines: blends and misfits; our estimate."""


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    `fluxes` maps the name of a line to its flux in every draw, in units common to all lines of a draw; a line that is
    not in it is not known. `broad` and `narrow` are the relative frequencies of this kind among detections whose main
    line is broad or narrow.
    """

    name: str
    fluxes: Mapping[str, np.ndarray]
    broad: float
    narrow: float

    def weight(self, width: int) -> float:
        """Relative frequency among lines that are narrow (0), broad (1) or very broad (2)."""
        if width == 0:
            return self.narrow
        return self.broad * (1.0 if width == 1 or self.name == _BROAD_KIND else VERY_BROAD_SHARE)


def _lognormal(rng: np.random.Generator, median: float, dex: float) -> np.ndarray:
    return median * 10.0 ** (dex * rng.standard_normal(DRAWS))


def _galaxy(rng: np.random.Generator, excitation: float, spread: float) -> dict[str, np.ndarray]:
    """Star-forming galaxies: one sequence from [O II]-bright to [O III]-bright, with dust and stellar absorption.

    `excitation` is the median of log [O III] 5007/[O II] before dust. [Ne III] follows [O III]; Hβ/[O II] rises with
    excitation (Kewley et al. 2004, AJ 127, 2002; Nagao et al. 2006, A&A 459, 85). The sequence reaches down to the
    metal-rich spirals, whose 5007 is a tenth of [O II] (Jansen et al. 2000, ApJS 126, 331, from memory).
    """
    o32 = excitation + spread * rng.standard_normal(DRAWS)
    dust = rng.gamma(1.6, 0.1, DRAWS)  # E(B-V), mean 0.16
    hb = 10.0 ** (-0.42 + 0.35 * np.clip(o32, -0.8, 1.2) + 0.12 * rng.standard_normal(DRAWS))  # over [O II]
    oiii = 10.0**o32
    neiii = oiii * _lognormal(rng, 0.085, 0.12)
    # absorption below the Balmer lines takes about the same equivalent width from each, so the weak ones lose most
    absorbed = np.minimum(rng.gamma(1.5, 0.025, DRAWS), 0.15) * hb
    out = {"OII": np.ones(DRAWS), "Hb": np.maximum(hb - absorbed, 0.1 * hb)}
    for name, ratio in _BALMER.items():
        out[name] = np.maximum(ratio * hb - absorbed, 0.0)
    out["NeIII"] = neiii
    for name, extra in _REDDENING.items():
        if name in out:
            out[name] = out[name] * 10.0 ** (-0.4 * extra * dust)
    out["NeIII3967"] = out["NeIII"] / _NEIII_RATIO
    out["OIII"] = oiii
    out["OIII4959"] = oiii / _OIII_RATIO
    out["NeV"] = np.zeros(DRAWS)
    return out


def _red_galaxy(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Galaxies with [O II] and hardly any Hβ, old or weakly active: Yan et al. (2006, ApJ 648, 281), from memory."""
    zero = np.zeros(DRAWS)
    hb = np.maximum(_lognormal(rng, 0.12, 0.2) - rng.gamma(1.5, 0.04, DRAWS), 0.0)
    oiii = _lognormal(rng, 0.2, 0.3)
    return {
        "OII": np.ones(DRAWS), "Hb": hb, "OIII": oiii, "OIII4959": oiii / _OIII_RATIO,
        "NeIII": _lognormal(rng, 0.025, 0.3), "NeIII3967": zero, "Hg": 0.2 * hb,
        "Hd": zero, "Hepsilon": zero, "Hzeta": zero, "Heta": zero, "NeV": zero,
    }  # fmt: skip


def _broad_agn(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Broad-line quasars: Vanden Berk et al. (2001, AJ 122, 549, table 2) with scatter between objects.

    N V and He II there are what decomposition left of them; larger medians are used, as in single-object fits. Lyα
    scatters most, being eaten by the forest and by associated absorption.
    """
    common = _lognormal(rng, 1.0, 0.1)
    medians = {
        "OVI": (0.10, 0.25), "Lya": (0.9, 0.2), "NV": (0.16, 0.22), "SiII": (0.01, 0.3), "SiIV": (0.085, 0.2),
        "CIV": (0.25, 0.2), "HeII": (0.03, 0.35), "CIII": (0.15, 0.2), "CII": (0.015, 0.35), "MgII": (0.15, 0.2),
        "NeV": (0.006, 0.35), "OII": (0.008, 0.45), "NeIII": (0.008, 0.4), "Hb": (0.09, 0.25), "Hg": (0.03, 0.3),
        "Hd": (0.015, 0.35),
    }  # fmt: skip
    out = {name: _lognormal(rng, median, dex) for name, (median, dex) in medians.items()}
    for name in ("CIV", "CIII", "MgII", "SiIV"):
        out[name] = out[name] * common
    return out


def _narrow_agn(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Type-2 nuclei: high-redshift radio galaxies of De Breuck et al. (2000, A&A 362, 519) and local Seyfert 2."""
    civ = np.ones(DRAWS)
    return {
        "OVI": _lognormal(rng, 0.5, 0.3), "Lya": _lognormal(rng, 4.0, 0.3), "NV": _lognormal(rng, 0.3, 0.3),
        "SiIV": _lognormal(rng, 0.15, 0.3), "CIV": civ, "HeII": _lognormal(rng, 0.7, 0.2),
        "CIII": _lognormal(rng, 0.45, 0.2), "CII": _lognormal(rng, 0.2, 0.3), "MgII": _lognormal(rng, 0.4, 0.3),
        "NeV": _lognormal(rng, 0.35, 0.3), "OII": _lognormal(rng, 1.2, 0.35), "NeIII": _lognormal(rng, 0.4, 0.3),
    }  # fmt: skip


def _lae(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Lyα emitters: nothing else but, in a few, weak C IV, He II and C III] (Feltre et al. 2020, A&A 641, A118)."""
    medians = {"NV": 0.005, "SiIV": 0.004, "CIV": 0.012, "HeII": 0.01, "CIII": 0.02, "OVI": 0.003}
    faint = {name: _lognormal(rng, median, 0.4) for name, median in medians.items()}
    return {"Lya": np.ones(DRAWS), "SiII": np.zeros(DRAWS), **faint}


def _uv_galaxy(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Galaxies whose C III] or Mg II is seen at z 0.3 to 2: narrow, with [O II] several times Mg II."""
    mgii = np.ones(DRAWS)
    return {
        "MgII": mgii, "OII": _lognormal(rng, 3.5, 0.25), "CIII": _lognormal(rng, 1.0, 0.35),
        "CIV": _lognormal(rng, 0.3, 0.4), "HeII": _lognormal(rng, 0.25, 0.35), "CII": _lognormal(rng, 0.15, 0.3),
        "NeIII": _lognormal(rng, 0.4, 0.3), "NeV": np.zeros(DRAWS), "Lya": _lognormal(rng, 5.0, 0.4),
    }  # fmt: skip


_MODELS: tuple[tuple[str, Callable[[np.random.Generator], dict[str, np.ndarray]], float, float], ...] = (
    # name, model, weight with a broad and with a narrow main line
    ("galaxy", lambda rng: _galaxy(rng, -0.3, 0.45), 0.1, 1.0),
    ("high-excitation galaxy", lambda rng: _galaxy(rng, 0.7, 0.3), 0.02, 0.15),
    (_BROAD_KIND, _broad_agn, 1.0, 0.03),
    ("narrow-line AGN", _narrow_agn, 0.1, 0.1),
    ("LAE", _lae, 0.1, 1.0),
    ("ultraviolet galaxy", _uv_galaxy, 0.02, 0.1),
    ("red galaxy", _red_galaxy, 0.02, 0.15),
)


@lru_cache(maxsize=1)
def kinds() -> tuple[Kind, ...]:
    """All kinds, drawn once."""
    out = []
    for i, (name, model, broad, narrow) in enumerate(_MODELS):
        fluxes = model(np.random.default_rng([_SEED, i]))
        for array in fluxes.values():
            array.setflags(write=False)
        out.append(Kind(name, fluxes, broad, narrow))
    return tuple(out)


@lru_cache(maxsize=256)
def ratios(anchor: str, lines: tuple[str, ...], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of `lines` to `anchor` for all draws of the kinds that have the anchor.

    `width` says of the main line: 0 narrow, 1 broad, 2 very broad.

    Returns
    -------
    ratio : array, shape (draws, lines)
        NaN where a kind says nothing of a line.
    log_weight : array, shape (draws,)
        ln of the weight of each draw; the weights sum to 1. Both are empty if no kind has the anchor.
    """
    parts, weights = [], []
    for kind in kinds():
        if anchor not in kind.fluxes:
            continue
        reference = kind.fluxes[anchor]
        usable = reference > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = [
                kind.fluxes[name] / reference if name in kind.fluxes else np.full(DRAWS, np.nan) for name in lines
            ]
        block = np.array(columns, dtype=float).reshape(len(lines), DRAWS).T[usable]
        parts.append(block)
        weights.append(np.full(block.shape[0], kind.weight(width) / max(block.shape[0], 1)))
    if not parts:
        return np.zeros((0, len(lines))), np.zeros(0)
    weight = np.concatenate(weights)
    return np.concatenate(parts), np.log(weight / weight.sum())


@lru_cache(maxsize=64)
def log_share(anchor: str, width: int) -> float:
    """ln of how often a line called `anchor`, of a width as in `ratios`, is the main one of a detection.

    A line that has a share r of the flux of its object's strongest line needs an object 1/r times as bright; of those
    there are r times as many (cumulative counts falling as the inverse of flux; our estimate). Volumes and
    equivalent widths are not part of it: that is what the posterior is for. A line that no kind has gets the share of a
    line a hundred times weaker than the strongest of one kind in ten.
    """
    total = 0.0
    for kind in kinds():
        if anchor in kind.fluxes:
            strongest = np.max(list(kind.fluxes.values()), axis=0)
            share = float(np.mean(kind.fluxes[anchor] / strongest))
            total += share * kind.weight(width)
    outsider = 1.0 if anchor in IDENTITY_LINES else OUTSIDER_SHARE
    return float(np.log(max(total, 1e-3) * outsider))
