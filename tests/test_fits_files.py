"""Headers that promise what cannot be: refused at once, whatever the FITS library would make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from elixer_widgets._fits_files import open_fits_file


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("extension", [False, True])
@pytest.mark.parametrize("word", ["NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS"])
def test_a_negative_length_is_refused(tmp_path: Path, word: str, extension: bool, packed: bool) -> None:
    """With NAXIS1 = -1 the FITS library reads one header again and again."""
    image = fits.ImageHDU(np.ones((12, 12), np.float32))
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.ones(5))])
    first = fits.PrimaryHDU() if extension else fits.PrimaryHDU(np.ones((12, 12), np.float32))
    hdus = [first, table if word in ("PCOUNT", "GCOUNT", "TFIELDS") else image] if extension else [first]
    path = tmp_path / "image.fits"
    fits.HDUList(hdus).writeto(path)
    content = bytearray(path.read_bytes())
    begin = content.index(b"XTENSION") if extension else 0
    at = content.find(f"{word:<8}= ".encode(), begin)
    if at < 0:
        at = content.index(b"END".ljust(80), begin)
        content[at + 80 : at + 160] = b"END".ljust(80)
    content[at : at + 80] = f"{word:<8}= {-1:>20}".encode().ljust(80)
    path.write_bytes(content)
    if packed:
        import gzip

        path = tmp_path / "image.fits.gz"
        path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(OSError, match=f"{word} = -1 in a header is impossible"), open_fits_file(path) as found:
        assert len(found) < 0, "it was opened"
