"""Which column of a table is the wavelength, the flux and its error: told by names, never by place.

Every name gets a role and a score from a table of words. Where two columns have an equal claim the file is refused, and
the reader says how to choose: `columns={"flux": "..."}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elixer_widgets.detection import DataError

_WAVE = {"wavelength": 3, "wavelengths": 3, "wave": 3, "waves": 3, "lambda": 3, "lam": 3, "wl": 3, "wav": 3, "awav": 3,
         "wvl": 3, "wlen": 3, "angstrom": 2, "angstroms": 2, "loglam": 3, "logwave": 3, "loglambda": 3, "logwl": 3,
         "spectralaxis": 3, "frequency": 1, "freq": 1}  # fmt: skip
LOGARITHMS = ("loglam", "logwave", "loglambda", "logwl", "loglamda")
_FLUX = {"flux": 10, "fluxes": 10, "fluxdensity": 10, "flam": 10, "flambda": 10, "fnu": 9, "spectrum": 8, "spec": 8,
         "intensity": 5, "data": 4, "counts": 3}  # fmt: skip
_SPREAD = {"error": "error", "errors": "error", "err": "error", "errs": "error", "sigma": "error", "std": "error",
           "stddev": "error", "stdev": "error", "uncertainty": "error", "unc": "error", "uncert": "error",
           "noise": "error", "rms": "error", "sig": "error", "var": "var", "variance": "var", "stat": "var",
           "ivar": "ivar", "invvar": "ivar", "inversevariance": "ivar"}  # fmt: skip
_NEITHER = frozenset(
    {
        *("sky", "model", "models", "continuum", "cont", "contin", "mask", "andmask", "ormask", "wdisp", "disp"),
        *("dispersion", "telluric", "flat", "template", "fit", "bestfit", "background", "bkg", "bg", "bgd", "quality"),
        *("qual", "flag", "flags", "dq", "resolution", "res", "resid", "residual", "residuals", "chi", "chisq"),
        *("apcor", "aperture", "pixel", "pix", "index", "number", "z", "redshift", "mag", "ew", "fwhm", "snr", "sn"),
        *("lsf", "exptime", "rest", "restframe", "norm", "normalized", "normalised", "smooth", "smoothed", "sens"),
        *("response", "raw", "dlambda", "dlam", "dwave", "delta", "step", "width", "linewidth", "scatter", "poly"),
        *("corr", "throughput"),
    }
)
_MASK = frozenset({"mask", "badpix", "bad"})
_VACUUM = frozenset({"vac", "vacuum"})
# Columns that a list of objects has and a spectrum has not.
_OBJECTS = ({"ra", "dec"}, {"detectid"}, {"sourceid"}, {"objid"}, {"shotid"})

HOW = 'say which, for example columns={"wavelength": "...", "flux": "...", "error": "..."}'


@dataclass(frozen=True)
class Columns:
    """The columns chosen; `spread` says what `error` holds ("error", "var", "ivar"), `medium` what the name says."""

    wave: str
    flux: str
    error: str = ""
    spread: str = "error"
    medium: str = ""
    per_bin: bool = False
    e17: bool = False
    mask: str = ""

    @property
    def words(self) -> str:
        """What was taken, for a note."""
        kinds = {"error": "error", "var": "variance", "ivar": "inverse variance"}
        error = f"{kinds[self.spread]} {self.error!r}" if self.error else "no error"
        mask = f", mask {self.mask!r}" if self.mask else ""
        return f"columns taken: wavelength {self.wave!r}, flux {self.flux!r}, {error}{mask}"


@dataclass(frozen=True)
class _Name:
    """One column name, taken apart."""

    name: str
    words: tuple[str, ...]
    role: str  # "wave", "flux", "error", "mask" or ""
    score: int = 0
    spread: str = ""
    of: tuple[str, ...] = ()  # for an error: the words that say of what


def _words(name: str) -> tuple[str, ...]:
    """The words of a name: parts between marks and capitals, numbers at their ends left out, two joined where known."""
    bare = re.sub(r"[(\[{].*?[)\]}]", " ", name)
    bare = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", bare).lower()
    parts = [part.rstrip("0123456789") or part for part in re.sub(r"1d\b|1d(?=_)", "", bare).split()]
    parts = [word for part in parts for word in re.split(r"[^a-z0-9]+", part) if word]
    parts = [word for part in parts if (word := part if part in ("2a",) else part.rstrip("0123456789") or part)]
    joined: list[str] = []
    for word in parts:
        pair = joined[-1] + word if joined else ""
        if pair in ("flambda", "fluxdensity", "fnu", "flam", "spectralaxis", "inversevariance", "invvar", *LOGARITHMS,
                    "andmask", "ormask", "stddev", "sourceid", "objid", "shotid", "detectid"):  # fmt: skip
            joined[-1] = pair
        else:
            joined += _split(word)
    return tuple(joined)


def _split(word: str) -> list[str]:
    """`fluxerr` is `flux err`, `eflux` is `err flux`, `waveair` is `wave air`."""
    if word in _WAVE or word in _FLUX or word in _SPREAD or word in _NEITHER:
        return [word]
    for end in (*_SPREAD, "air", "vac", "vacuum", "model", "sky", "e"):
        start = word.removesuffix(end)
        if start != word and (start in _FLUX or start in _WAVE):
            return [start, "err" if end == "e" else end]
    for begin in ("e", "d", "err", "sig", "sigma", "error", "sky", "model", "ivar", "var"):
        rest = word.removeprefix(begin)
        if rest != word and (rest in _FLUX or rest in _WAVE):
            return ["err" if begin in ("e", "d") else begin, rest]
    return [word]


def _taken_apart(name: str) -> _Name:
    words = _words(name)
    said = set(words)
    if not words:
        return _Name(name, words, "")
    if words[0] in ("e", "d") and said & (_FLUX.keys() | _WAVE.keys()):
        words, said = ("err", *words[1:]), (said - {words[0]}) | {"err"}
    spreads = [word for word in words if word in _SPREAD]
    if spreads:
        kind = next((word for word in spreads if _SPREAD[word] != "error"), spreads[0])
        of = tuple(word for word in words if word not in _SPREAD)
        if said & (_NEITHER | _WAVE.keys()):
            return _Name(name, words, "")
        return _Name(name, words, "error", 8, _SPREAD[kind], of)
    if len(words) == 1 and said & _MASK:
        return _Name(name, words, "mask", 1)
    if said & _NEITHER:
        return _Name(name, words, "")
    if any(word in _FLUX for word in words[:2]):
        word = next(word for word in words if word in _FLUX)
        return _Name(name, words, "flux", _FLUX[word] - (len(words) - 1))
    wave = next((word for word in words[:2] if word in _WAVE), None)
    if wave is not None:
        known = bool(said & (_VACUUM | {"air"})) or wave in LOGARITHMS
        # A column that says its medium is better than one that does not.
        other = len(said - _VACUUM - {"air", wave, "a", "aa", "ang", "angstrom", "obs", "observed"})
        return _Name(name, words, "wave", 10 * _WAVE[wave] + 5 * known + ("air" in said) - 2 * other)
    return _Name(name, words, "")


def choose(where: str, names: Sequence[str], asked: Mapping[str, str] | None = None) -> Columns:
    """The columns of a spectrum among `names`.

    Parameters
    ----------
    where : str
        The file, for messages.
    names : sequence of str
        Of columns of numbers.
    asked : mapping, optional
        "wavelength", "flux", "error" to the column that a person named; "error" may be "" for none.

    Raises
    ------
    DataError
        If wavelength or flux is not among them, or two columns have an equal claim.
    """
    given = dict(asked or {})
    for role, name in given.items():
        if role not in ("wavelength", "flux", "error") or (name and name not in names):
            raise DataError(f"{where}: columns: {role}={name!r} is not among {', '.join(names)[:120]}; {HOW}")
    parts = [_taken_apart(name) for name in names]
    wave = given.get("wavelength") or _best(where, "wavelength", [part for part in parts if part.role == "wave"])
    flux = given.get("flux") or _best(where, "flux", [part for part in parts if part.role == "flux"])
    if not wave or not flux:
        raise DataError(
            f"{where}: no columns of wavelength and flux among {', '.join(names)[:120] or 'none'}; "
            f"name them so, or {HOW}"
        )
    of_wave, of_flux = _taken_apart(wave), _taken_apart(flux)
    if "error" in given:
        error = _taken_apart(given["error"])
    else:
        error = _error_of(where, of_flux, [part for part in parts if part.role == "error" and part.name != flux])
    masks = [part.name for part in parts if part.role == "mask"]
    log = any(word in LOGARITHMS for word in of_wave.words)
    vacuum = bool(set(of_wave.words) & _VACUUM) or log
    return Columns(
        wave,
        flux,
        error.name,
        error.spread or "error",
        "vacuum" if vacuum else "air" if "air" in of_wave.words else "",
        bool(re.search(r"per_?(2_?a|bin|pix|sample)", flux.lower())),
        bool(re.search(r"(?:^|[_ ])1?e-?17(?:[_ ]|$)", flux.lower())),
        masks[0] if len(masks) == 1 else "",
    )


def is_logarithm(name: str) -> bool:
    """Whether a wavelength column of this name holds decimal logarithms of Å."""
    return any(word in LOGARITHMS for word in _taken_apart(name).words)


def _best(where: str, what: str, parts: list[_Name]) -> str:
    if not parts:
        return ""
    top = max(part.score for part in parts)
    first = [part.name for part in parts if part.score == top]
    if len(first) > 1:
        raise DataError(f"{where}: the {what} may be any of {', '.join(first)[:120]}; {HOW}")
    return first[0]


def _error_of(where: str, flux: _Name, parts: list[_Name]) -> _Name:
    """The error that belongs to a flux: `flux_err` before `err`; a standard deviation before a variance."""
    scored = []
    for part in parts:
        other = set(part.of) - set(flux.words)
        lost = set(flux.words) - set(part.of) if part.of else set()
        if other & (_FLUX.keys() - set(flux.words)) or other:
            continue  # of something else
        score = 10 * (2 if part.of and not lost else 1 if not part.of else 0)
        scored.append((score + {"error": 2, "ivar": 1, "var": 0}[part.spread], part))
    if not scored:
        return _Name("", (), "")
    top = max(score for score, _ in scored)
    first = [part for score, part in scored if score == top]
    if len(first) > 1:
        raise DataError(f"{where}: the error may be any of {', '.join(part.name for part in first)[:120]}; {HOW}")
    return first[0]


def is_list_of_objects(names: Sequence[str]) -> bool:
    """Whether these are the columns of a catalogue (a position or an id a row), not of a spectrum."""
    said = {"".join(_words(name)) for name in names} | {re.sub("[^a-z0-9]", "", name.lower()) for name in names}
    return any(marks <= said for marks in _OBJECTS)
