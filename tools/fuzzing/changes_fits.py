"""Changes of FITS files: headers, columns, types, packing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from astropy.io import fits

from fuzzing.changes import ANY_FILE
from fuzzing.harness import Case, Change, NotApplicable

BLOCK = 2880


def _cards(content: bytes) -> list[int]:
    """Where the cards of the headers begin that look like `KEYWORD = value`."""
    return [place for place in range(0, min(len(content), 200 * BLOCK), 80) if content[place + 8 : place + 10] == b"= "]


def _card(case: Case, rng: random.Random) -> str:
    """The value of one header card changed, whatever it is."""
    content = bytearray(case.path.read_bytes())
    places = _cards(content)
    if not places:
        raise NotApplicable
    place = rng.choice(places)
    word = bytes(content[place : place + 8]).decode("ascii", "replace").strip()
    value = rng.choice(
        ("-1", "0", "2", "7", "1E400", "NaN", "T", "'text'", "99999999999999", "''", "(1,2)", "'unclosed")
    )
    content[place + 10 : place + 80] = f"{value:>20}".encode().ljust(70)
    case.path.write_bytes(content)
    return f"{word} = {value}"


def _no_card(case: Case, rng: random.Random) -> str:
    content = bytearray(case.path.read_bytes())
    places = _cards(content)
    if not places:
        raise NotApplicable
    place = rng.choice(places)
    word = bytes(content[place : place + 8]).decode("ascii", "replace").strip()
    content[place : place + 80] = b"COMMENT".ljust(80)
    case.path.write_bytes(content)
    return f"{word} removed"


def _with_tables(case: Case) -> fits.HDUList:
    hdus = fits.open(case.path, memmap=False)
    if not any(isinstance(hdu, fits.BinTableHDU) and not isinstance(hdu, fits.CompImageHDU) for hdu in hdus):
        raise NotApplicable
    return hdus


NAMES = ("x", "sky", "model", "flux_model", "col1")
"""What a column is called instead."""


def _rewritten(case: Case, rng: random.Random, what: str) -> str:
    with _with_tables(case) as hdus:
        number = rng.choice(
            [i for i, h in enumerate(hdus) if isinstance(h, fits.BinTableHDU) and not isinstance(h, fits.CompImageHDU)]
        )
        table = hdus[number]
        columns = list(table.columns)
        one = rng.choice(columns)
        data = table.data
        made = []
        if what == "order":
            columns = rng.sample(columns, len(columns))
        for column in columns:
            values, form, unit, name = np.array(data[column.name]), column.format, column.unit, column.name
            if column is one:
                if what == "missing":
                    continue
                if what == "renamed":
                    taken = {each.name.lower() for each in columns}
                    name = rng.choice([word for word in NAMES if word not in taken])
                if what == "unit":
                    unit = rng.choice(("Jy", "adu", "furlong", "erg/s/cm2/A", "", "ph/s", "W/m2/um", "!!"))
                if what == "type":
                    form = rng.choice(("J", "D", "E", "10A", "L", "2E", "PD()"))
                    try:
                        if form == "10A":
                            values = values.astype("S10")
                        elif form == "L":
                            values = values.astype(bool)
                        elif form == "2E":
                            values = np.stack((values, values), 1)
                        elif form == "J":
                            values = np.nan_to_num(values).astype(np.int32)
                        elif form == "PD()":
                            values = np.array([np.atleast_1d(value) for value in values], dtype=object)
                        else:
                            values = values.astype(float)
                    except (ValueError, TypeError) as error:
                        raise NotApplicable from error
                if what == "numbers":
                    if values.dtype.kind != "f":
                        raise NotApplicable
                    values = values.copy()
                    values[: max(1, len(values) // rng.choice((1, 2, 50)))] = rng.choice(
                        (np.nan, np.inf, 1e30, -1e30, 0)
                    )
            try:
                made.append(fits.Column(name, form, unit=unit, array=values))
            except (ValueError, TypeError, fits.VerifyError) as error:
                raise NotApplicable from error
        new = fits.BinTableHDU.from_columns(made, header=fits.Header(), name=table.name)
        others = [hdu.copy() for hdu in hdus]
        others[number] = new
        fits.HDUList(others).writeto(case.path, overwrite=True)
    return f"{one.name} {what}"


def _missing(case: Case, rng: random.Random) -> str:
    return _rewritten(case, rng, "missing")


def _order(case: Case, rng: random.Random) -> str:
    return _rewritten(case, rng, "order")


def _renamed(case: Case, rng: random.Random) -> str:
    return _rewritten(case, rng, "renamed")


def _unit(case: Case, rng: random.Random) -> str:
    return _rewritten(case, rng, "unit")


def _type(case: Case, rng: random.Random) -> str:
    return _rewritten(case, rng, "type")


def _numbers(case: Case, rng: random.Random) -> str:
    return _rewritten(case, rng, "numbers")


def _hdus(case: Case, rng: random.Random) -> str:
    content = case.path.read_bytes()
    if not content.startswith(b"SIMPLE"):  # packed as a whole
        raise NotApplicable
    with fits.open(io.BytesIO(content), memmap=False) as hdus:
        places = [hdu.fileinfo() for hdu in hdus]
    # As they lie there: packed anew, the pixels of compressed images would be rounded once more.
    first, *rest = (content[place["hdrLoc"] : place["datLoc"] + place["datSpan"]] for place in places)
    what = rng.choice(("one gone", "order", "one more"))
    if len(rest) < {"one gone": 1, "order": 2, "one more": 0}[what]:
        raise NotApplicable
    if what == "one gone":
        rest.pop(rng.randrange(len(rest)))
    elif what == "order":
        rng.shuffle(rest)
    else:
        thumb = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((3, 3)), name="THUMB")]).writeto(thumb)
        rest.insert(0, thumb.getvalue()[BLOCK:])
    case.path.write_bytes(first + b"".join(rest))
    return what


def _tile_bomb(case: Case, rng: random.Random) -> str:
    """One tile of a compressed image that unpacks to 2 GB."""
    with fits.open(case.path, memmap=False, disable_image_compression=True) as hdus:
        hdu = next((one for one in hdus if one.header.get("ZIMAGE")), None)
        if hdu is None:
            raise NotApplicable
        rows = [bytes(np.asarray(row).tobytes()) for row in hdu.data["COMPRESSED_DATA"]]
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        piece = packer.compress(bytes(_PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
        number = rng.randrange(len(rows))
        rows[number] = gzip.compress(b"")[:10] + piece * (2**31 // _PIECE) + packer.flush()
        column = fits.Column("COMPRESSED_DATA", "QB()", array=np.array([np.frombuffer(r, "u1") for r in rows], object))
        others = [
            fits.Column(one.name, one.format, array=np.array(hdu.data[one.name]))
            for one in hdu.columns
            if not one.format.startswith(("P", "Q", "1P", "1Q"))
        ]
        header = fits.Header([card for card in hdu.header.cards if card.keyword.startswith(("Z", "C", "P", "R", "L"))])
        header.strip()
        made = fits.BinTableHDU.from_columns([column, *others], header=header, name=hdu.name)
        fits.HDUList([fits.PrimaryHDU(), made]).writeto(case.path, overwrite=True, output_verify="silentfix")
    return f"tile {number}"


_PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}
_PIECE = 2**22


@cache
def _zeros(packer: str) -> bytes:
    """4 MB of zeros, packed; once, for it takes a second."""
    return _PACKERS[packer](bytes(_PIECE))


def _packed(case: Case, rng: random.Random) -> str:
    """Packed whole, under the old name: the content is what counts."""
    content = case.path.read_bytes()
    name, packer = rng.choice(tuple(_PACKERS.items()))
    case.path.write_bytes(packer(content))
    return name


def _bomb(case: Case, rng: random.Random) -> str:
    """A file of a few MB that unpacks to many GB, by a header that promises them or by what is packed."""
    content = bytearray(case.path.read_bytes())
    if rng.random() < 0.5:
        name, packer = rng.choice(tuple(_PACKERS.items()))
        # These packers go on with the next piece where one ends: 3 GB behind the data.
        case.path.write_bytes(packer(bytes(content)) + _zeros(name) * (3 * 2**30 // _PIECE))
        return f"{name} with 3 GB of zeros behind"
    places = [p for p in _cards(content) if content[p : p + 8].strip() in (b"NAXIS1", b"NAXIS2", b"PCOUNT", b"TFIELDS")]
    if not places:
        raise NotApplicable
    place = rng.choice(places)
    word = bytes(content[place : place + 8]).decode().strip()
    value = rng.choice(("2000000000", "9000000000000"))
    content[place + 10 : place + 80] = f"{value:>20}".encode().ljust(70)
    case.path.write_bytes(content)
    return f"{word} = {value}"


ANY_FITS = (
    *ANY_FILE,
    # A header says what its numbers are: another value there is other data.
    Change("a header card", _card, of_data=True),
    Change("a header card", _card, of_data=True),
    Change("a header card missing", _no_card, of_data=True),
    Change("extensions", _hdus),
    Change("packed", _packed),
    Change("bomb", _bomb, of_data=True),
)
COMPRESSED = (*ANY_FITS, Change("tile bomb", _tile_bomb, of_data=True))
FITS_TABLE = (
    *ANY_FITS,
    Change("a column missing", _missing),
    Change("columns in another order", _order),
    Change("a column renamed", _renamed),
    Change("another unit", _unit),
    Change("another type", _type, of_data=True),
    Change("odd numbers", _numbers, of_data=True),
)
