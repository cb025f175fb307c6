"""The detection flags: one registry from which words, tables and decoders are made.

Bits and meanings are those of the ELiXer catalogue 0.8.1, so that the column keeps its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """One bit of the detection flags: its value, short name, and meaning in words."""

    bit: int
    name: str
    meaning: str


_TABLE: tuple[tuple[int, str, str], ...] = (
    (0x1, "follow up", "someone should look at this one"),
    (0x2, "imaging magnitudes disagree", "magnitudes from different images do not agree"),
    (0x4, "g disagrees with imaging", "the spectrum's g magnitude and the imaging do not agree"),
    (0x8, "uncertain class", "no identity stands out"),
    (0x10, "blended", "more than one source within 1.5 arcsec"),
    (0x20, "counterpart absent", "bright enough to be seen in the imaging, but nothing is there"),
    (0x40, "counterpart distant", "the nearest source's edge is more than 0.5 arcsec away"),
    (0x80, "counterpart magnitude mismatch", "catalogue and aperture magnitudes do not agree"),
    (0x100, "no imaging", "no image covers this position"),
    (0x200, "shallow imaging", "no image is deep enough to help"),
    (0x400, "large sky subtraction", "reserved"),
    (0x800, "external redshift doubtful", "a redshift from elsewhere is questionable"),
    (0x1000, "redshift from neighbour", "the redshift was taken from a neighbouring detection"),
    (0x2000, "spectral g values disagree", "two ways to get g from the spectrum do not agree"),
    (0x4000, "large neighbour", "a large bright source lies near"),
    (0x8000, "transient", "possibly a local transient"),
    (0x10000, "bad pixel flat", "the pixel flat is bad at the line"),
    (0x20000, "duplicate fibers", "two fibers carry the same data"),
    (0x40000, "negative spectrum", "the spectrum lies below zero"),
    (0x80000, "poor throughput", "the shot's throughput is low"),
    (0x100000, "bad dither normalisation", "the exposures' relative fluxes differ by more than 3"),
    (0x200000, "poor shot", "the shot fails two or more quality cuts"),
    (0x400000, "questionable detection", "the detection itself may not be real"),
    (0x800000, "many zero pixels", "many pixels around the line are zero"),
    (0x1000000, "planetary nebula?", "possibly a planetary nebula"),
    (0x2000000, "no dust correction", "the dust correction failed"),
    (0x4000000, "bad pixels", "bad pixels at the line"),
    (0x8000000, "doubtful line", "the line fit is poor"),
    (0x10000000, "no zero point", "an image has no zero point"),
    (0x20000000, "bad fiber trace", "the fiber trace is bad"),
    (0x80000000, "corrupt data", "the data are corrupt"),
)

FLAGS: tuple[Flag, ...] = tuple(Flag(*row) for row in _TABLE)
_BY_NAME = {flag.name: flag for flag in FLAGS}


def flag(name: str) -> Flag:
    """The flag called `name`; KeyError if there is none."""
    return _BY_NAME[name]


def decode(bits: int) -> tuple[Flag, ...]:
    """The flags set in `bits`; negative values (a signed 32-bit column) are read as unsigned."""
    unsigned = int(bits) & 0xFFFFFFFF
    return tuple(flag for flag in FLAGS if unsigned & flag.bit)


def encode(flags: tuple[Flag, ...]) -> int:
    """The bits of `flags` as one unsigned integer."""
    bits = 0
    for each in flags:
        bits |= each.bit
    return bits
