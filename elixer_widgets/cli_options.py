"""The options of ELiXer that do nothing here, each with the reason: said aloud where accepted, an error where refused.

An option that would change the numbers must not be passed over in silence, so it is refused; one that only tunes the
work or asks for a side product is accepted and named.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

_LOOKED_UP = "every number is looked up in the release anyway"
_WHOLE = "nothing is left out here"
_VOTES = "one calibrated probability takes the place of votes (docs/posterior.md)"
_SIDE = "this side product is not made; the catalogue holds its numbers"
_OLD = "belongs to reductions before 2018 (Cure, Panacea) that are not read here"
_SPECTRUM = "spectra are taken as the release has them; they are not extracted anew"
_FIT = "the line is fitted in one documented way (docs/line_fits.md)"

WITHOUT_EFFECT: dict[str, str] = {
    "not_blind": _LOOKED_UP,
    "blind": _LOOKED_UP,
    "require_hetdex": "every detection of a release is HETDEX's",
    "include_all_amps": _WHOLE,
    "voters": _VOTES,
    "check_z": "all redshifts in the catalogues beside the images are used",
    "prefer_g": "g is preferred already",
    "mcmc": "errors come from the fit; `measurements.sampled` draws from the posterior in Python",
    "allow_empty_image": "an empty image gives way to the next, and a note says so",
    "allcat": "all catalogues are searched already",
    "fz": "compressed images are read as they are",
    "gaussplots": _SIDE,
    "fitspec": _SIDE,
    "fibers": _SIDE,
    "score": _SIDE,
    "ylim": "the flux axis is set by the spectrum",
    "viewer": "open the files with a viewer of your own",
    "special": "the work is shared out automatically",
    "tmp": "ELiXer ignores it too",
    "ooops": "jobs are submitted once",
}
"""Accepted, and said to have no effect."""

REFUSED: dict[str, str] = {
    "id": "reports are chosen by detection numbers: --dets",
    "broadline": "the release keeps no list of broad lines; name the detections with --dets",
    "aperture": _SPECTRUM,
    "wavelength": _SPECTRUM,
    "annulus": _SPECTRUM,
    "ffsky": _SPECTRUM,
    "ffsky_rescor": _SPECTRUM,
    "gridsearch": _SPECTRUM,
    "zeropoint": _SPECTRUM,
    "zeroflat": _SPECTRUM,
    "skyres": _SPECTRUM,
    "deblend": _SPECTRUM,
    "lyc": _SPECTRUM,
    "fit_sigma": _FIT,
    "fit_delta_wave": _FIT,
    "sn": "detections are taken as they are listed; choose them with --dets",
    "cluster": "redshifts are not taken over from neighbouring detections; the evidence has known galaxies around",
    "catcheck": "use elixer_widgets.catalogs.CatalogLibrary().find_catalogs((ra, dec)) in Python",
    "zoo": "make the pictures with --png and --mini",
    "zoox": "make the pictures with --png and --mini",
    "merge_unique_limited": "merging takes bounded memory always: use --merge_unique",
    "merge_cluster": "clusters of detections are not made here",
    "remove_dets": "read the catalogue with elixer_widgets.read_catalog and write what is kept",
    **dict.fromkeys(
        (
            "cure", "sigma", "chi2", "par", "rot", "ast", "obsdate", "obsid", "specid", "ifuid", "ifuslot", "dither",
            "path", "line", "fcsdir", "ifu", "dist", "panacea_red", "multi",
        ),
        _OLD,
    ),
}  # fmt: skip
"""An error, with exit code 2: these would change what is reported."""


def add_known_options(parser: argparse.ArgumentParser) -> None:
    """Let a parser know the options of both tables, with or without a value, kept out of its help."""
    for name in (*WITHOUT_EFFECT, *REFUSED):
        parser.add_argument(f"--{name}", nargs="?", const=True, default=None, help=argparse.SUPPRESS)
    parser.epilog = (
        "Also accepted, without effect: "
        + ", ".join(f"--{name}" for name in WITHOUT_EFFECT)
        + ". Refused, with the reason: "
        + ", ".join(f"--{name}" for name in REFUSED)
        + "."
    )


def without_effect(options: argparse.Namespace) -> Iterator[str]:
    """A sentence for each option given that has no effect."""
    for name, reason in WITHOUT_EFFECT.items():
        if getattr(options, name, None) is not None:
            yield f"--{name} has no effect: {reason}"


def refused(options: argparse.Namespace) -> list[str]:
    """A sentence for each option given that is refused."""
    return [f"--{name}: {reason}" for name, reason in REFUSED.items() if getattr(options, name, None) is not None]
