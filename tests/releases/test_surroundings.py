"""The fibers around a position, on the hand-written release and on a simulated one."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets._sky import separation
from elixer_widgets.detection import DataError
from elixer_widgets.releases import open_release
from elixer_widgets.releases.surroundings import fibers_around


def _shot_file(root: Path) -> Path:
    return next(root.rglob("reduction/data/*v*.h5"))


def test_every_fiber_within_the_radius_and_no_other(simulated: Path) -> None:
    path = _shot_file(simulated)
    with h5py.File(path) as file:
        index = file["/Data/FiberIndex"][:]
        calfib = file["/Data/Fibers"].fields("calfib")
        ra, dec = float(index["ra"][200]), float(index["dec"][200])
        near = np.flatnonzero(separation(ra, dec, index["ra"], index["dec"]) <= 4.0)
        stored = np.array([calfib[int(row)] for row in near], float)
    found = fibers_around(path, ra, dec, 4.0)
    assert len(found) == near.size > 5
    assert found.flux == pytest.approx(stored / 2.0)  # stored per 2 Å
    assert set(found.exposure) <= {1, 2, 3}
    assert found.spectrum(0).wavelength.size == 1036


def test_nothing_there_is_said(simulated: Path) -> None:
    found = fibers_around(_shot_file(simulated), 10.0, -80.0, 9.0)
    assert len(found) == 0 and "no fiber within" in found.reason


def test_a_file_without_the_tables_is_said(tmp_path: Path) -> None:
    path = tmp_path / "20200101v001.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    assert "/Data/Fibers" in fibers_around(path, 1.0, 1.0, 9.0).reason
    path.write_bytes(b"no HDF5")
    with pytest.raises(DataError, match="copy it again"):
        fibers_around(path, 1.0, 1.0, 9.0)


def test_a_detection_has_the_fibers_around_it(simulated: Path) -> None:
    release = open_release(simulated)
    detection = release.detection(int(release.detectids()[0]))
    around = detection.fiber_field
    assert around.reason == ""
    own = [(each.ra, each.dec) for each in detection.fibers]
    for ra, dec in own[:5]:  # its own fibers are among them (positions of the two tables are 32-bit)
        assert separation(ra, dec, around.ra, around.dec).min() < 0.1
