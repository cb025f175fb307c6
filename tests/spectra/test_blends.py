"""Blends and broad lines that are no Gaussian, against their components."""

import numpy as np
import pytest

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines, fit_line, main_line
from elixer_widgets.spectra.blends import core, is_misfit, split
from tests.spectra.synthetic import LSF, gaussian, spectrum


def test_two_close_lines_are_taken_apart() -> None:
    noisy = spectrum([(4500.0, 2.6, 60.0), (4512.0, 2.6, 60.0)], noise=0.2)
    single = fit_line(noisy, 4506.0)
    assert is_misfit(single)
    pair = split(noisy, single, 55.0)
    assert pair is not None
    for fit, center in zip(pair, (4500.0, 4512.0), strict=True):
        assert abs(fit.center - center) < 4.0 * fit.center_err
        assert abs(fit.flux * 1e17 - 60.0) < 4.0 * fit.flux_err * 1e17


def test_one_line_stays_one() -> None:
    noisy = spectrum([(4500.0, 5.0, 150.0)], noise=0.2)
    single = fit_line(noisy, 4500.0)
    assert split(noisy, single, 55.0) is None and core(noisy, single) is None
    broad = spectrum([(4500.0, 25.0, 600.0)], noise=0.2)
    assert core(broad, fit_line(broad, 4500.0)) is None


def test_broad_line_with_a_cut_side_keeps_its_peak() -> None:
    """Lyα with N V on the red side and half of the blue side absorbed: the centre is where the peak is."""
    rng = np.random.default_rng(6)
    grid = spectrum([]).wavelength
    flux = gaussian(grid, 4100.0, 22.0, 900.0) + gaussian(grid, 4184.0, 30.0, 350.0) + 1.0
    flux[grid < 4085.0] *= 0.55
    error = np.full(grid.size, 0.2)
    noisy = Spectrum(grid, flux + rng.normal(0.0, error), error, LSF)
    lines = find_lines(noisy)
    main = main_line(noisy, 4102.0, lines)
    assert main.center == pytest.approx(4100.0, abs=8.0)


def test_main_line_ignores_its_neighbour() -> None:
    noisy = spectrum([(4500.0, 4.0, 100.0), (4522.0, 5.0, 100.0)], noise=0.2)
    lines = find_lines(noisy)
    alone = fit_line(spectrum([(4500.0, 4.0, 100.0)], noise=0.2), 4500.0)
    deblended = main_line(noisy, 4500.0, lines)
    assert abs(deblended.flux - 100e-17) < 4.0 * deblended.flux_err
    assert deblended.continuum == pytest.approx(0.1, abs=0.15)
    assert deblended.flux_err < 3.0 * alone.flux_err


def test_main_line_without_lines_is_a_fit() -> None:
    noisy = spectrum([(4500.0, 4.0, 100.0)])
    assert main_line(noisy, 4500.0, ()).flux == fit_line(noisy, 4500.0).flux


def test_no_line_is_found_twice() -> None:
    """[O III] at z = 0.012: a fit that starts at the weak line must not end as a copy of the strong one."""
    noisy = spectrum([(5018.2, 2.3, 10.0), (5066.4, 2.05, 28.4), (4919.0, 2.3, 8.0)], noise=0.3)
    centers = [each.center for each in find_lines(noisy)]
    assert len(centers) == 3
    assert not any(each.is_absorption for each in find_lines(noisy))
