"""The detection flags: one registry from which words, tables and decoders are made.

Bits and meanings are those of the ELiXer catalogue 0.8.1, so that the column keeps its meaning. The conditions are
programmed in `classification.conditions`; here they stand in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NOT_RAISED = "not raised: "
"""How the condition of a flag begins that this package never sets."""


@dataclass(frozen=True)
class Flag:
    """One bit of the detection flags: its value, short name, meaning in words, and when it is raised."""

    bit: int
    name: str
    meaning: str
    condition: str = ""

    @property
    def is_raised(self) -> bool:
        """Whether this package ever sets it."""
        return not self.condition.startswith(NOT_RAISED)


_TABLE: tuple[tuple[int, str, str, str], ...] = (
    (0x1, "follow up", "someone should look at this one",
     "line quality below 0.6: S/N below 4, or χ² above 4.2 at S/N up to 8"),
    (0x2, "imaging magnitudes disagree", "magnitudes from different images do not agree",
     "two images of one band differ by more than 0.8 mag and 2σ"),
    (0x4, "g disagrees with imaging", "the spectrum's g magnitude and the imaging do not agree",
     "by more than 0.8 mag with a g image, 1.5 with an r image, and 2σ"),
    (0x8, "uncertain class", "no identity stands out",
     "the most probable identity has less than one half, and no person has said what it is"),
    (0x10, "blended", "more than one source within 1.5 arcsec",
     "two catalogue objects, or two sources of one image, have their centres there"),
    (0x20, "counterpart absent", "bright enough to be seen in the imaging, but nothing is there",
     "the spectrum's g is 1 mag brighter than the deepest image reaches, and neither source, catalogue object nor "
     "aperture within 1.5 mag of it shows anything"),
    (0x40, "counterpart distant", "the nearest source's edge is more than 0.5 arcsec away",
     "of the sources on the images and the catalogue objects"),
    (0x80, "counterpart magnitude mismatch", "catalogue and aperture magnitudes do not agree",
     "the selected object's magnitude is off the aperture's in the same band by more than 0.8 mag and 2σ"),
    (0x100, "no imaging", "no image covers this position", "no aperture could be measured"),
    (0x200, "shallow imaging", "no image is deep enough to help", "the deepest image reaches less than 24.5 mag"),
    (0x400, "large sky subtraction", "reserved", NOT_RAISED + "the original never sets it either"),
    (0x800, "external redshift doubtful", "a redshift from elsewhere is questionable",
     "the selected object's spectroscopic redshift is off the adopted one by more than 0.05"),
    (0x1000, "redshift from neighbour", "the redshift was taken from a neighbouring detection",
     NOT_RAISED + "no redshift is taken over from a neighbour"),
    (0x2000, "spectral g values disagree", "two ways to get g from the spectrum do not agree",
     "the magnitude through the band and that of the continuum between the lines differ by more than 1 mag and 2σ"),
    (0x4000, "large neighbour", "a large bright source lies near",
     "a source that is not the selected one, with a semi-axis above 2.5 arcsec, 1 mag brighter than the spectrum's g "
     "and with its edge within 3 arcsec"),
    (0x8000, "transient", "possibly a local transient", NOT_RAISED + "needs the epochs of images and spectrum"),
    (0x10000, "bad pixel flat", "the pixel flat is bad at the line", NOT_RAISED + "measuring reads no CCD picture"),
    (0x20000, "duplicate fibers", "two fibers carry the same data", "the line's flux and error are equal in two"),
    (0x40000, "negative spectrum", "the spectrum lies below zero",
     "its mean is below zero by more than 3σ and by more than the flux of a source of magnitude 24.8"),
    (0x80000, "poor throughput", "the shot's throughput is low", "below 0.05"),
    (0x100000, "bad dither normalisation", "the exposures' relative fluxes differ by more than 3", "as it says"),
    (0x200000, "poor shot", "the shot fails two or more quality cuts",
     "of throughput below 0.08, seeing above 3 arcsec, exposures differing by more than 3"),
    (0x400000, "questionable detection", "the detection itself may not be real",
     "line quality below 1 (S/N up to 4, or χ² above 2.5 at S/N up to 8), no line at all, or noise and artifact more "
     "probable together than one half"),
    (0x800000, "many zero pixels", "many pixels around the line are zero",
     "more than a fifth of those within 25 Å are zero or masked"),
    (0x1000000, "planetary nebula?", "possibly a planetary nebula",
     "the line is [O III] 5007 within 600 km/s of rest"),
    (0x2000000, "no dust correction", "the dust correction failed",
     NOT_RAISED + "spectra are taken as the release corrected them"),
    (0x4000000, "bad pixels", "bad pixels at the line", "a masked one within 2σ of the line's centre"),
    (0x8000000, "doubtful line", "the line fit is poor", "χ² above 3 + S/N / 10, or no fit"),
    (0x10000000, "no zero point", "an image has no zero point", "and is left out"),
    (0x20000000, "bad fiber trace", "the fiber trace is bad", NOT_RAISED + "measuring reads no trace"),
    (0x80000000, "corrupt data", "the data are corrupt", "fewer than a tenth of the spectrum's pixels can be used"),
)  # fmt: skip

FLAGS: tuple[Flag, ...] = tuple(Flag(*row) for row in _TABLE)
_BY_NAME = {flag.name: flag for flag in FLAGS}


def flag(name: str) -> Flag:
    """The flag called `name`; KeyError if there is none."""
    return _BY_NAME[name]


def decode(bits: int) -> tuple[Flag, ...]:
    """The flags set in `bits`; negative values (a signed 32-bit column) are read as unsigned."""
    unsigned = int(bits) & 0xFFFFFFFF
    return tuple(flag for flag in FLAGS if unsigned & flag.bit)


def encode(flags: Iterable[Flag]) -> int:
    """The bits of `flags` as one unsigned integer."""
    bits = 0
    for each in flags:
        bits |= each.bit
    return bits


def markdown_table() -> str:
    """All flags as the table of docs/flags.md."""
    rows = [f"| `{each.bit:#x}` | {each.name} | {each.meaning} | {each.condition} |" for each in FLAGS]
    return "\n".join(["| bit | name | meaning | raised when |", "|---|---|---|---|", *rows])
