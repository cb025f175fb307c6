"""Colours that people with any colour vision can tell apart.

Okabe & Ito (2008), "Color Universal Design"; fibers keep the order blue, green, orange, red of the user guide.
"""

from __future__ import annotations

BLACK = "#000000"
GREY = "#6e6e6e"
LIGHT = "#d9d9d9"
PALE = "#f4f4f4"
BLUE = "#0072B2"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
GOLD = "#FFD24A"
WARNING = "#B00020"

FIBER_COLORS = (BLUE, GREEN, ORANGE, VERMILLION)
TARGET_COLORS = (BLUE, VERMILLION, GREEN)

IDENTITY_COLORS = {
    "Lya": VERMILLION,
    "OII": GREEN,
    "OIII": "#1B6FA8",
    "Hb": "#332288",
    "Hg": "#6A5ACD",
    "CIV": "#A0307A",
    "CIII": "#882255",
    "HeII": "#B87400",
    "MgII": "#8C6D00",
}


def identity_color(identity: str) -> str:
    """The colour of an identity's labels; grey for one without."""
    return IDENTITY_COLORS.get(identity, GREY)


def fiber_color(rank: int) -> str:
    """The colour of the fiber of that rank (0 the best); grey beyond the fourth."""
    return FIBER_COLORS[rank] if rank < len(FIBER_COLORS) else GREY
