"""The line list: one registry of every line that ELiXer looks for.

The lines are those of the ELiXer user guide (Table 1) and of ELiXer's own list, under their true identifications: what
the guide calls "SIII 1260" is Si II, and "NeVI 3427" is [Ne V]. Each line names the source of its wavelengths, which
are in vacuum; doublets are kept as doublets. All shifts are reckoned in vacuum. The wavelengths were entered from
memory of these sources and are tested against the published list, the Rydberg formula and the SDSS list of lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike

from elixer_widgets.detection import NAN
from elixer_widgets.spectra.wavelengths import air_to_vacuum, vacuum_to_air

SPEED_OF_LIGHT = 299792.458
"""km/s."""


@dataclass(frozen=True)
class Line:
    """One line, or one doublet that HETDEX does not resolve.

    Attributes
    ----------
    name : str
        Unique in the registry. The anchors carry the names of the identities ("Lya", "OII", "OIII", ...).
    label : str
        For people, with the brackets of forbidden lines and the wavelength as spectroscopists quote it.
    components : tuple of (float, float)
        Vacuum wavelength (Å) and relative strength of each component.
    family : str
        "hydrogen", "oxygen", "carbon", ...: lines of one ion or element.
    rank : int
        1 (strongest and most frequent) to 5, as in ELiXer's list.
    anchor : bool
        Whether it may be the only line of a solution.
    broad : bool
        Whether it may be broad (emitted near an active nucleus).
    absorption : bool
        Whether it is looked for in absorption.
    published : float
        The rest wavelength (Å; vacuum below 2000 Å, air above) under which ELiXer's catalogue lists it.
    source : str
        Where the wavelengths of the components come from.
    """

    name: str
    label: str
    components: tuple[tuple[float, float], ...]
    family: str
    rank: int
    anchor: bool = False
    broad: bool = False
    absorption: bool = False
    published: float = NAN
    source: str = "NIST Atomic Spectra Database, version 5"

    @cached_property
    def vacuum(self) -> float:
        """Rest wavelength in vacuum (Å), the strength-weighted mean of the components."""
        waves, strengths = np.array(self.components).T
        return float(np.sum(waves * strengths) / np.sum(strengths))

    @cached_property
    def air(self) -> float:
        """Rest wavelength in air (Å); below 2000 Å, where air is not used, in vacuum."""
        return float(vacuum_to_air(self.vacuum))

    @property
    def is_doublet(self) -> bool:
        """Whether it has more than one component."""
        return len(self.components) > 1

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the components about their mean, Å in the rest frame; 0 for a single line."""
        waves, strengths = np.array(self.components).T
        return float(np.sqrt(np.sum(strengths * (waves - self.vacuum) ** 2) / np.sum(strengths)))


def _single(vacuum: float) -> tuple[tuple[float, float], ...]:
    return ((vacuum, 1.0),)


_MORTON = "Morton 2003, ApJS 149, 205"

# Strengths of the doublets: resonance lines of Li-like and Na-like ions 2:1 (optically thin), taken as 1.5:1 between
# thin and thick; [O II] 3729/3726 = 1.35, near the low-density limit of star-forming galaxies (Osterbrock & Ferland
# 2006, fig. 5.8); C III] 1907/1909 = 1, between that limit (1.5) and the broad-line region, where 1907 is quenched.
_TABLE: tuple[Line, ...] = (
    Line("OVI", "O VI 1035", ((1031.926, 1.5), (1037.617, 1.0)), "oxygen", 3, broad=True,
         published=1034.7625, source=_MORTON),
    Line("Lya", "Lyα 1216", _single(1215.670), "hydrogen", 1, anchor=True, broad=True,
         published=1215.67, source=_MORTON),
    Line("NV", "N V 1240", ((1238.821, 1.5), (1242.804, 1.0)), "nitrogen", 3, broad=True,
         published=1240.7077, source=_MORTON),
    Line("SiII", "Si II 1263", ((1260.422, 1.0), (1264.738, 1.8)), "silicon", 4,
         published=1263.40075, source=_MORTON),
    Line("SiIV", "Si IV 1397", ((1393.755, 1.5), (1402.770, 1.0)), "silicon", 5, broad=True,
         published=1397.7617, source=_MORTON),
    Line("CIV", "C IV 1549", ((1548.204, 1.5), (1550.781, 1.0)), "carbon", 3, anchor=True, broad=True,
         published=1549.4115, source=_MORTON),
    Line("HeII", "He II 1640", _single(1640.420), "helium", 3, anchor=True, broad=True, published=1640.420),
    Line("CIII", "C III] 1909", ((1906.683, 1.0), (1908.734, 1.0)), "carbon", 3, anchor=True, broad=True,
         published=1908.734),
    Line("CII", "C II] 2326", ((2324.214, 0.3), (2325.403, 1.0), (2326.113, 1.7), (2327.645, 0.8),
         (2328.838, 0.7)), "carbon", 4, broad=True, published=2324.095),
    Line("MgII", "Mg II 2799", ((2796.354, 1.5), (2803.531, 1.0)), "magnesium", 2, anchor=True, broad=True,
         published=2798.6944, source=_MORTON),
    Line("NeV3346", "[Ne V] 3346", _single(3346.783), "neon", 5, published=3345.821),
    Line("NeV", "[Ne V] 3426", _single(3426.863), "neon", 5, published=3425.881),
    Line("OII", "[O II] 3727", ((3727.092, 1.0), (3729.875, 1.35)), "oxygen", 1, anchor=True, broad=True,
         published=3727.8),
    Line("Heta", "Hη 3835", _single(3836.479), "hydrogen", 5, published=3835.391),
    Line("NeIII", "[Ne III] 3869", _single(3869.857), "neon", 4, published=3868.760),
    Line("Hzeta", "Hζ 3889", _single(3890.166), "hydrogen", 5, published=3889.064),
    Line("CaK", "Ca II K 3934", _single(3934.777), "calcium", 1, anchor=True, absorption=True,
         published=3933.6614, source=_MORTON),
    Line("NeIII3967", "[Ne III] 3967", _single(3968.593), "neon", 4, published=3967.470),
    Line("CaH", "Ca II H 3968", _single(3969.591), "calcium", 1, anchor=True, absorption=True,
         published=3968.4673, source=_MORTON),
    Line("Hepsilon", "Hε 3970", _single(3971.202), "hydrogen", 5, published=3970.079),
    Line("Hd", "Hδ 4102", _single(4102.900), "hydrogen", 4, published=4101.742),
    Line("Hg", "Hγ 4340", _single(4341.691), "hydrogen", 4, anchor=True, published=4340.471),
    Line("Hb", "Hβ 4861", _single(4862.691), "hydrogen", 3, anchor=True, published=4861.333),
    Line("OIII4959", "[O III] 4959", _single(4960.295), "oxygen", 3, anchor=True, published=4958.911),
    Line("NaI4981", "Na I 4981", ((4979.930, 1.0), (4984.200, 2.0)), "sodium", 4, published=4981.3894),
    Line("OIII", "[O III] 5007", _single(5008.240), "oxygen", 1, anchor=True, published=5006.843),
    Line("NaI5153", "Na I 5153", _single(5154.838), "sodium", 4, published=5153.4024),
)  # fmt: skip

LINES: dict[str, Line] = {line.name: line for line in _TABLE}
"""Every line by name, in the order of wavelength."""

IDENTITY_LINES: dict[str, Line] = {
    name: LINES[name] for name in ("Lya", "OII", "OIII", "Hb", "Hg", "CIV", "CIII", "HeII", "MgII")
}
"""The anchor line of each identity that the main line may have."""


def line(name: str) -> Line:
    """The line called `name`; KeyError, which lists the names, if there is none."""
    try:
        return LINES[name]
    except KeyError:
        raise KeyError(f"no line is called {name!r}; the list has {', '.join(LINES)}") from None


def redshift_of(observed_air: ArrayLike, line: Line) -> np.ndarray:
    """Redshift at which `line` is seen at `observed_air`.

    Parameters
    ----------
    observed_air : array_like
        Å in air, any shape.
    line : Line

    Returns
    -------
    array, same shape
        λ_observed / λ_rest - 1, both in vacuum.
    """
    return air_to_vacuum(observed_air) / line.vacuum - 1.0


def observed_air(line: Line, redshift: ArrayLike) -> np.ndarray:
    """Where `line` is seen (Å in air) at `redshift`, any shape."""
    return vacuum_to_air(line.vacuum * (1.0 + np.asarray(redshift, dtype=float)))


def lines_in_range(redshift: float, low: float, high: float, *, include_absorption: bool = True) -> tuple[Line, ...]:
    """The lines seen between `low` and `high` (Å, air) at `redshift`, by wavelength."""
    return tuple(
        each
        for each in _TABLE
        if low <= float(observed_air(each, redshift)) <= high and (include_absorption or not each.absorption)
    )


@dataclass(frozen=True)
class Ratio:
    """Flux of a line over that of a reference line: the usual range and the middle of the distribution."""

    low: float
    typical: float
    high: float


# Ranges: those that ELiXer allows, extended where published samples go beyond. Typical values: between the mean ratios
# of Leung et al. (2017, ApJ 843, 130) and those of brighter local galaxies, with case B Balmer decrements
# (Osterbrock & Ferland 2006, table 4.4, 1e4 K), which also set the high ends, Hβ's being 3.3; for active nuclei the
# composite quasar of Vanden Berk et al. (2001, AJ 122, 549, table 2).
GALAXY_RATIOS: dict[str, Ratio] = {
    "NeV": Ratio(0.0, 0.005, 0.1),
    "OII": Ratio(1.0, 1.0, 1.0),
    "Heta": Ratio(0.01, 0.025, 0.24),
    "NeIII": Ratio(0.03, 0.15, 0.8),
    "Hzeta": Ratio(0.02, 0.04, 0.35),
    "NeIII3967": Ratio(0.01, 0.05, 0.25),
    "Hepsilon": Ratio(0.02, 0.06, 1.2),
    "Hd": Ratio(0.03, 0.1, 0.85),
    "Hg": Ratio(0.05, 0.18, 1.5),
    "Hb": Ratio(0.1, 0.4, 3.3),
    "OIII4959": Ratio(0.03, 0.3, 6.5),
    "OIII": Ratio(0.1, 0.9, 20.0),
}
"""Line fluxes of star-forming galaxies relative to [O II]."""

AGN_RATIOS: dict[str, Ratio] = {
    "OVI": Ratio(0.03, 0.1, 0.4),
    "Lya": Ratio(1.0, 1.0, 1.0),
    "NV": Ratio(0.05, 0.15, 0.4),
    "SiII": Ratio(0.005, 0.01, 0.05),
    "SiIV": Ratio(0.03, 0.08, 0.2),
    "CIV": Ratio(0.07, 0.25, 0.7),
    "HeII": Ratio(0.01, 0.04, 0.2),
    "CIII": Ratio(0.02, 0.15, 0.3),
    "CII": Ratio(0.005, 0.02, 0.1),
    "MgII": Ratio(0.05, 0.18, 0.4),
    "NeV": Ratio(0.001, 0.005, 0.03),
    "OII": Ratio(0.002, 0.01, 0.15),
    "NeIII": Ratio(0.001, 0.005, 0.03),
}
"""Line fluxes of active nuclei relative to Lyα."""


@lru_cache(maxsize=1024)
def expected_ratio(line: str, anchor: str) -> Ratio | None:
    """Flux of `line` relative to `anchor` (names) where both arise, or None if they are not known to go together.

    For two lines that are both listed relative to a third, the typical values are divided, and the ranges as for
    independent scatter would be too wide: the low and high ends are divided likewise (low by low, high by high).
    """
    for ratios in (GALAXY_RATIOS, AGN_RATIOS):
        if line in ratios and anchor in ratios:
            a, b = ratios[line], ratios[anchor]
            if b.low <= 0 or b.typical <= 0:
                return None
            quotients = sorted((a.low / b.low, a.high / b.high))
            typical = a.typical / b.typical
            return Ratio(min(quotients[0], typical), typical, max(quotients[1], typical))
    return None
