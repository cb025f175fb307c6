"""The observed things: what they refuse, and what they say of themselves."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets.detection import DataError, Detection, Fiber, Magnitude, Shot, Spectrum
from tests.factories import make_bare_detection, make_cutout, make_detection

GRID = np.arange(4000.0, 4100.0, 2.0)


class TestSpectrum:
    def test_arrays_are_copies_that_cannot_be_written(self):
        flux = np.ones(GRID.size)
        spectrum = Spectrum(GRID, flux, flux)
        flux[:] = 5.0
        assert np.all(spectrum.flux == 1.0)
        with pytest.raises(ValueError, match="read-only"):
            spectrum.flux[0] = 2.0

    @pytest.mark.parametrize(
        ("wavelength", "flux", "error", "said"),
        [
            ([1.0, 2.0], [1.0, 2.0, 3.0], None, "equal length"),
            ([2.0, 1.0], [1.0, 2.0], None, "ascending"),
            ([1.0, math.nan], [1.0, 2.0], None, "finite"),
            ([1.0, 2.0], [1.0, 2.0], [1.0], "one error a sample"),
            (["a", "b"], [1.0, 2.0], None, "numbers"),
        ],
    )
    def test_bad_arrays_are_named(self, wavelength, flux, error, said):
        with pytest.raises(DataError, match=said):
            Spectrum(wavelength, flux, error)

    def test_zero_negative_and_missing_errors_mask(self):
        error = np.ones(GRID.size)
        error[:3] = 0.0, -1.0, math.nan
        flux = np.ones(GRID.size)
        flux[3] = math.nan
        good = Spectrum(GRID, flux, error).good
        assert not good[:4].any() and good[4:].all()

    def test_without_errors_every_finite_sample_counts(self):
        spectrum = Spectrum(GRID, np.ones(GRID.size))
        assert not spectrum.has_error and spectrum.good.all() and np.isnan(spectrum.error).all()

    def test_window(self):
        part = Spectrum(GRID, GRID, np.ones(GRID.size), 2.3).window(4010.0, 4020.0)
        assert part.wavelength.tolist() == [4010.0, 4012.0, 4014.0, 4016.0, 4018.0, 4020.0]
        assert part.lsf_sigma == 2.3


class TestMagnitude:
    @pytest.mark.parametrize(
        ("magnitude", "said"),
        [
            (Magnitude("g", 24.1, 0.12), "g 24.10 ± 0.12"),
            (Magnitude("g", 19.123, 0.003), "g 19.123 ± 0.003"),
            (Magnitude("g", 24.1), "g 24.10"),
            (Magnitude("r", 26.2, is_limit=True, limit_sigma=2.0), "r > 26.20 (2σ)"),
            (Magnitude("r", math.nan), "r not measured"),
        ],
    )
    def test_a_limit_reads_as_a_limit_and_an_error_never_as_nothing(self, magnitude, said):
        assert str(magnitude) == said


class TestDetection:
    def test_what_a_caller_may_write_as_magnitudes(self):
        detection = Detection.from_spectrum(
            Spectrum(GRID, GRID), 4050.0, magnitudes={"g": 24.1, "r": (23.9, 0.1), "i": "> 25.5"}
        )
        g, r, i = detection.magnitudes
        assert (g.value, r.value, r.error) == (24.1, 23.9, 0.1)
        assert i.is_limit and i.value == 25.5 and not g.is_limit

    @pytest.mark.parametrize("value", ["bright", (), None])
    def test_what_is_no_magnitude_is_named(self, value):
        with pytest.raises(DataError, match="g="):
            Detection.from_spectrum(Spectrum(GRID, GRID), 4050.0, magnitudes={"g": value})

    def test_a_line_outside_the_spectrum_is_refused(self):
        with pytest.raises(DataError, match=r"5000.*4000 to 4098"):
            Detection.from_spectrum(Spectrum(GRID, GRID), 5000.0)

    def test_what_is_missing_says_why(self):
        bare = make_bare_detection()
        assert "fiber" in bare.fiber_images.reason
        assert bare.imaging.cutouts == () and "imaging" in bare.imaging.notes[0]

    def test_given_cutouts_are_its_imaging(self):
        cutout = make_cutout("r")
        detection = Detection.from_spectrum(Spectrum(GRID, GRID), 4050.0, cutouts=[cutout])
        assert detection.imaging.cutouts == (cutout,) and "imaging" not in detection.not_available

    def test_it_travels_to_a_worker(self):
        detection = make_detection()
        again = pickle.loads(pickle.dumps(detection))
        assert again.detectid == detection.detectid and len(again.fibers) == 5


class TestFiber:
    # Two places on each amplifier from the fiber-number rule of the HETDEX data model: 112 - fibnum + base.
    @pytest.mark.parametrize(
        ("amp", "fibnum", "number"),
        [("LU", 112, 1), ("LU", 1, 112), ("LL", 112, 113), ("RL", 1, 336), ("RU", 1, 448), ("RU", 112, 337)],
    )
    def test_ccd_number(self, amp, fibnum, number):
        assert Fiber("f", 0.0, 0.0, amp=amp, fibnum=fibnum).ccd_number == number

    @given(st.sampled_from(["LL", "LU", "RL", "RU", "", "XX"]), st.integers(-5, 200))
    def test_ccd_number_is_on_the_ccd_or_0(self, amp, fibnum):
        assert 0 <= Fiber("f", 0.0, 0.0, amp=amp, fibnum=fibnum).ccd_number <= 448


def test_a_shot_has_a_readable_name():
    assert Shot(20190201012).name == "20190201v012"
