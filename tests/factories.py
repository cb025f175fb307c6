"""Objects of the right shapes made by hand, for tests of what draws and writes (no file, no measurement)."""

from __future__ import annotations

import numpy as np
from astropy.wcs import WCS

from elixer_widgets.analysis import Interpretation, Measurements, Rival
from elixer_widgets.classification.choice import BestRedshift
from elixer_widgets.classification.flags import flag
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.posterior import IDENTITIES, Evidence
from elixer_widgets.classification.solutions import Companion, Solution
from elixer_widgets.detection import (
    CatalogObject,
    CcdRegion,
    Cutout,
    Detection,
    Fiber,
    FiberCutout,
    FiberField,
    FiberImages,
    Imaging,
    Magnitude,
    PipelineLine,
    Shot,
    Spectrum,
)
from elixer_widgets.imaging.apertures import ApertureStep, Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.fitting import LineFit

RA, DEC, LINE = 214.804291, 52.819782, 4500.0
GRID = np.arange(3470.0, 5541.0, 2.0)


def make_spectrum(seed: int = 1, flux: float = 1.5e-16, sigma: float = 3.0) -> Spectrum:
    """A flat spectrum with one Gaussian line at 4500 Å and HETDEX-like noise."""
    rng = np.random.default_rng(seed)
    error = 0.18 + 0.22 * np.exp(-(GRID - 3470.0) / 350.0)
    height = flux * 1e17 / (sigma * np.sqrt(2 * np.pi))
    signal = 0.05 + height * np.exp(-0.5 * ((GRID - LINE) / sigma) ** 2)
    return Spectrum(GRID, signal + rng.normal(0.0, error), error, lsf_sigma=2.3)


class FakeSource:
    """Fiber images and imaging made up on the spot."""

    def fiber_images(self, detection: Detection) -> FiberImages:
        rng = np.random.default_rng(3)
        rows, columns = np.mgrid[-10:11, -24:25]
        blob = 40.0 * np.exp(-0.5 * ((rows / 2.0) ** 2 + (columns / 1.8) ** 2))
        cutouts = []
        for number, fiber in enumerate(detection.fibers):
            cosmic = np.zeros((21, 49), dtype=bool)
            cosmic[4, 10 + number] = True
            cutouts.append(
                FiberCutout(
                    fiber=fiber,
                    image=(blob * fiber.weight * 3 + rng.normal(0, 4, (21, 49))).astype(np.float32),
                    error=np.full((21, 49), 4.0, np.float32),
                    cosmic=cosmic,
                    pixel_flat=rng.normal(1.0, 0.02, (21, 49)).astype(np.float32),
                    wavelength=LINE + 2.0 * np.arange(-24, 25),
                    x=512,
                    y=300 + 40 * number,
                )
            )
        region = rng.normal(0, 4, (121, 49)).astype(np.float32)
        return FiberImages(tuple(cutouts), CcdRegion(detection.fibers[0], region + 200.0, region, x=512, y=300))

    def fiber_spectra(self, detection: Detection) -> tuple[Spectrum | None, ...]:
        return tuple(make_spectrum(seed=10 + n, flux=5e-17) for n, _ in enumerate(detection.fibers))

    def fiber_field(self, detection: Detection) -> FiberField:
        return make_fiber_field()

    def imaging(self, detection: Detection) -> Imaging:
        return Imaging((make_cutout("g"), make_cutout("r")), tuple(m.object for m in make_matches()))


def make_fiber_field(seed: int = 3) -> FiberField:
    """A hexagonal field of fibers, 9 arcsec around, with a line at the position in a Gaussian of 1.6 arcsec FWHM."""
    rng = np.random.default_rng(seed)
    grid = np.arange(-9.0, 9.1, 1.3)
    x, y = (each.ravel() for each in np.meshgrid(grid, grid))
    x = x + 0.65 * (np.round(y / 1.3) % 2)
    keep = np.hypot(x, y) < 9.0
    x, y = x[keep], y[keep]
    wavelength = 3470.0 + 2.0 * np.arange(1036)
    profile = np.exp(-0.5 * ((wavelength - LINE) / 2.6) ** 2) / (2.6 * np.sqrt(2 * np.pi))
    received = 8.0 * np.exp(-0.5 * (x**2 + y**2) / 0.68**2)
    flux = received[:, None] * profile + rng.normal(0, 0.05, (x.size, 1036))
    ra, dec = RA - x / 3600 / np.cos(np.radians(DEC)), DEC + y / 3600
    return FiberField(ra, dec, np.ones(x.size, int), wavelength, flux, np.full(flux.shape, 0.05))


def make_cutout(band: str = "g") -> Cutout:
    """30 arcsec of noise with a Gaussian source at the centre, 0.2 arcsec per pixel, N up, E left."""
    n, scale = 151, 0.2
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DEC]
    wcs.wcs.crpix = [(n + 1) / 2, (n + 1) / 2]
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    rng = np.random.default_rng(5 if band == "g" else 6)
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    data = rng.normal(0, 0.03, (n, n)) + 0.6 * np.exp(-0.5 * (x**2 + y**2) / 2.5**2)
    return Cutout(data.astype(np.float32), wcs, band, 27.0, survey="TEST", position=(RA, DEC), depth=26.0, psf_fwhm=0.8)


def make_fibers() -> tuple[Fiber, ...]:
    """Five fibers in two exposures."""
    weights = (0.35, 0.25, 0.18, 0.14, 0.08)
    return tuple(
        Fiber(
            fiber_id=f"20190201012_{1 + n % 3}_multi_041_084_025_LL_{50 + n:03d}",
            ra=RA + (n - 2) * 2.5e-4,
            dec=DEC + (n % 3 - 1) * 2e-4,
            weight=weight,
            distance=0.4 * (n + 1),
            multiframe="multi_041_084_025_LL",
            specid="041",
            ifuslot="084",
            ifuid="025",
            amp="LL",
            expnum=1 + n % 3,
            fibnum=50 + n,
            date=20190201,
            obsid=12,
            x_ifu=3.0 * n,
            y_ifu=-24.5 if n == 4 else 2.0,
            x_raw=512,
            y_raw=300 + 40 * n,
            chi2=1.1,
        )
        for n, weight in enumerate(weights)
    )


def make_detection(detectid: int = 2101630949) -> Detection:
    """A detection with everything a release can give."""
    return Detection(
        detectid=detectid,
        spectrum=make_spectrum(),
        wavelength=LINE,
        ra=RA,
        dec=DEC,
        release="test",
        pipeline=PipelineLine(LINE, 0.3, 3.0, 0.3, 1.5e-16, 1.2e-17, 0.05, 0.02, 12.0, 0.9, 1.1, 0.1),
        shot=Shot(20190201012, "cosmos", 20190201, 12, RA, DEC, 150.0, 1.7, 0.15, 1.1, (360.0,) * 3, 24.8),
        fibers=make_fibers(),
        source=FakeSource(),
    )


def make_bare_detection() -> Detection:
    """A detection from a spectrum alone: no fibers, no position, no imaging."""
    return Detection.from_spectrum(make_spectrum(), LINE, detectid=7, name="bare")


def make_matches() -> tuple[Match, ...]:
    """Two catalogue objects, one with spec-z and a photo-z PDF."""
    z = np.linspace(0, 4, 401)
    pdf = np.exp(-0.5 * ((z - 2.7) / 0.15) ** 2)
    first = CatalogObject(
        RA + 1e-4, DEC, "TEST", "a", (Magnitude("g", 24.6, 0.1), Magnitude("r", 24.4, 0.1)),
        spec_z=2.70, photo_z=2.7, photo_z_low=2.55, photo_z_high=2.85, photo_z_pdf=(z, pdf / pdf.sum() / 0.01),
    )  # fmt: skip
    second = CatalogObject(RA - 4e-4, DEC + 3e-4, "TEST", "b", (Magnitude("r", 23.1, 0.05),))
    return (Match(first, 1, 0.22, 0.01, "g", True), Match(second, 2, 1.39, 0.2, "r"))


def make_measurements(detection: Detection | None = None) -> Measurements:
    """Measurements consistent with `make_detection`, or with a bare detection."""
    detection = detection or make_detection()
    line = LineFit(LINE, 3.0, 1.5e-16, 0.05, 12.0, 1.1, 0.3, 0.3, 1.2e-17, 0.02, 40)
    extra = LineFit(5000.0, 2.5, 4e-17, 0.05, 5.0, 1.0, 0.5, 0.5, 8e-18, 0.02, 40)
    cutouts = detection.imaging.cutouts
    growths = tuple(
        Growth(
            cutout.band, RA, DEC, 1.2, 24.6, 0.08, 26.3,
            steps=tuple(
                ApertureStep(r, 10 * r, 0.5, 78.5 * r**2, 25.4 - 0.7 * r, 0.1) for r in (0.8, 0.9, 1.0, 1.1, 1.2)
            ),
            survey=cutout.survey, counts=9.1, counts_err=0.6, limit3=25.9, sky=0.0, sky_err=0.001,
            annulus=(2.4, 3.6), depth=26.0, pixel_scale=0.2, aperture_mag=24.7, aperture_mag_err=0.07,
        )
        for cutout in cutouts
    )  # fmt: skip
    sources = tuple(
        SourceEllipse(RA, DEC, 1.1, 0.9, 30.0, 24.5, 0.07, c.band, c.survey, 0.1, -0.8, 9.5, 0.6, selected=True)
        for c in cutouts
    )
    return Measurements(
        detection=detection,
        line=line,
        lines=(line, extra),
        continuum_narrow=ContinuumEstimate("narrow", 0.05, 0.02),
        continuum_wide=ContinuumEstimate("wide", 0.09, is_limit=True, limit_sigma=2.0, band="g"),
        g_magnitude=Magnitude("g", 24.9, is_limit=True, limit_sigma=2.0),
        cutouts=cutouts,
        growths=growths,
        sources=sources,
        matches=make_matches() if cutouts else (),
        notes=() if cutouts else ("no imaging came with this spectrum",),
    )


def make_interpretation(detection: Detection | None = None, identity: str = "Lya") -> Interpretation:
    """An interpretation as Lyα (z 2.70) or [O II] (z 0.207)."""
    lya = identity == "Lya"
    posterior = dict.fromkeys(IDENTITIES, 0.01)
    posterior["Lya"] = 1.0 - 0.01 * (len(IDENTITIES) - 1)
    hbeta = Companion("Hb", "Hβ 4861", 5868.0, False)
    oiii = Companion("OIII", "[O III] 5007", 6045.0, False)
    civ = Companion("CIV", "C IV 1549", 5735.0, False)
    nv = Companion("NV", "N V 1241", 4592.7, True, 1e-18, 6e-18, 1.9e-17, 0.2, "not seen")
    neiii = Companion("NeIII", "[Ne III] 3869", 4670.0, True, 2e-18, 6e-18, 2e-17, 0.3, "missing")
    companions = (nv, civ) if lya else (neiii, hbeta, oiii)
    continuum = ContinuumEstimate("combined", 0.08, 0.02, magnitude=25.0, magnitude_err=0.3)
    return Interpretation(
        measurements=make_measurements(detection),
        identity=identity,
        redshift=2.7027 if lya else 0.2071,
        redshift_err=0.0003,
        p_lya=posterior["Lya"],
        posterior=posterior,
        plae_poii=PlaeRatio(42.0, 12.0, 120.0, "combined"),
        continuum=continuum,
        chosen_by="automatic" if lya else "person",
        line_label="Lyα 1216" if lya else "[O II] 3728",
        evidence=(
            Evidence("number density", -0.4, "at this flux and wavelength Lyα is a little rarer than the rest"),
            Evidence("equivalent width", 3.1, "rest EW 51 Å if Lyα; [O II] rarely reaches 155 Å"),
            Evidence("companion lines", -0.7, "[Ne III] would not be seen anyway"),
        ),
        plae_sources=(PlaeRatio(42.0, 12.0, 120.0, "narrow"), PlaeRatio(30.0, 9.0, 90.0, "aperture g")),
        continuum_sources=(
            ContinuumEstimate("narrow", 0.05, 0.02, weight=0.2),
            ContinuumEstimate("aperture g", 0.09, 0.02, magnitude=24.6, magnitude_err=0.08, band="g", weight=1.0),
        ),
        equivalent_width=50.7 if lya else 155.4,
        equivalent_width_err=12.0,
        ew_lya=50.7,
        ew_lya_err=12.0,
        ew_oii=155.4,
        ew_oii_err=37.0,
        luminosity=8.5e42 if lya else 1.8e40,
        companions=companions,
        solutions=(Solution("OII", "OII", 3728.0, 0.2071, 8.2, 0.6, False, (neiii,)),),
        rivals=(
            Rival("Lya", 2.7027, posterior["Lya"], 50.7, (nv, civ)),
            Rival("OII", 0.2071, 0.01, 155.4, (neiii, hbeta, oiii)),
        ),
        quality=0.8,
        data_posterior=posterior,
        best=tuple(BestRedshift(each, identity, 2.7027 if lya else 0.2071, 0.8) for each in (0.5, 0.4, 0.3)),
        flags=(flag("shallow imaging"),),
    )
