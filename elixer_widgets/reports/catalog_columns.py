"""What stands in every column of the catalogue: unit and meaning, or why it keeps its fill. For documents and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from elixer_widgets.releases.layout import catalog_layout


@dataclass(frozen=True)
class Column:
    """One column: its unit ("" for a number without one, a text or a truth value) and meaning.

    `kept` says why it keeps its fill always; empty for a column that is filled where there is something to say.
    """

    name: str
    unit: str
    meaning: str
    kept: str = ""


_COLUMNS: Mapping[str, str] = {
    "Version": """
version||format of the file, 0.8.1
version_pytables||what wrote it: h5py and its version
""",
    "Detections": """
detectid||number of the detection
elixer_version||version of this program
elixer_datetime||when it was measured, local time; the newest row wins when catalogues are merged
ra dec|deg|position, ICRS
wavelength_obs|Å, air|centre of the fitted line
wavelength_obs_err|Å|its 1σ error
z_best z_best_2 z_best_3||redshift for the three thresholds of P(Lyα); -1 if it is no galaxy's line
z_best_pz z_best_pz_2 z_best_pz_3||quality of that redshift, 0 to 1: the probability of its identity
z_best_plya_thresh z_best_plya_thresh_2 z_best_plya_thresh_3||the threshold: 0.5, 0.4, 0.3
flags||bits of docs/flags.md; read it as unsigned
review||1 if a person should look
cluster_parent||detection whose redshift was taken over|nothing is taken over from neighbours: 0
amp specid ifuslot ifuid multiframe||of the fiber with the largest weight; multiframe twenty x if unknown
apcor_4500||aperture correction of the spectrum at 4500 Å
ccd_adjacent_mag|AB|g of fibers beside it on the CCD|which fibers and how they are combined is not published
central_single_fiber_mag|AB|g of the spectrum of the fiber with the largest weight alone; 99.9 if fainter than 2σ
chi2||reduced χ² of the line's fit
chi2_err||chance scatter of that, √(2/ν)
classification_labels||agn, lzg (low redshift by its lines), o32 ([O III] over five times [O II]), with commas
color_gr color_ug color_ur|mag|value, bluest, reddest (1σ), in 1" circles on a survey's images; NaN unless both show it
combined_continuum|erg/s/cm²/Å|combined continuum under the line, or its limit
combined_continuum_err|erg/s/cm²/Å|its 1σ error
combined_continuum_err_stat|erg/s/cm²/Å|the same from the inputs' errors alone
combined_continuum_nondetect||how many of its inputs are limits; -1 without a continuum
combined_eqw_rest_lya|Å|rest equivalent width if Lyα, from the combined continuum (a lower limit if that is a limit)
combined_eqw_rest_lya_err|Å|its 1σ error; not for a limit
combined_plae||P(LAE)/P(OII) from the combined continuum, within 0.001 to 1000
combined_plae_hi combined_plae_lo||ends of its 68 % interval
continuum_line|erg/s/cm²/Å|continuum beside the line, or its limit
continuum_line_err|erg/s/cm²/Å|its 1σ error
continuum_masked continuum_masked_err|erg/s/cm²/Å|continuum of the whole spectrum without lines: as continuum_wide
continuum_wide|erg/s/cm²/Å|continuum at the line from the whole spectrum through the g band, or its limit
continuum_wide_err|erg/s/cm²/Å|its 1σ error
eqw_rest_lya_line eqw_rest_lya_line_err|Å|rest equivalent width if Lyα, from continuum_line
eqw_rest_lya_wide eqw_rest_lya_wide_err|Å|the same from continuum_wide
ffsky_subtraction||whether the sky of the whole field was taken off: never, it is the local sky
fieldname||field of the observation
flux_line|erg/s/cm²|flux of the line
flux_line_err|erg/s/cm²|its 1σ error
fwhm_line_aa fwhm_line_aa_err|Å|full width at half maximum of the fitted Gaussian
fwhm_line_kms fwhm_line_kms_err|km/s|the same as a velocity
mag_g_wide|AB|synthetic g of the spectrum, or its limit
mag_g_wide_err|mag|its 1σ error; not for a limit
mag_g_wide_limit|AB|the limit if mag_g_wide is one, else the usual 24.8
multiline_flag||whether the best multi-line solution meets the published rule
multiline_frac_score multiline_raw_score||its share of all scores, and its score
multiline_name||its line
multiline_prob||its published confidence, 0 to 1
multiline_rest_w|Å, vacuum|rest wavelength of its line
multiline_z||its redshift
obsid shotid||observation
plae_line plae_line_max plae_line_min||P(LAE)/P(OII) from continuum_line, with its 68 % interval
plae_wide plae_wide_max plae_wide_min||the same from continuum_wide
plya_classification||P(Lyα), 0 to 1
pseudo_color_blue_flux pseudo_color_blue_flux_err|µJy|blue part of the spectrum|its wavelengths are not published
pseudo_color_red_flux pseudo_color_red_flux_err|µJy|red part of the spectrum|its wavelengths are not published
pseudo_color_rvb_ratio pseudo_color_rvb_ratio_err||red over blue|its wavelengths are not published
pseudo_color_flag||1 blue, 2 red is a limit|goes with the columns before
response||throughput of the observation at 4540 Å
seeing_fwhm|arcsec|seeing of the observation
sn||signal to noise of the line
sn_err||S/N times the relative error of the flux
spectral_slope spectral_slope_err|erg/s/cm²/Å per Å|gradient of the continuum from 3600 to 5400 Å
spurious_reason||artifact or noise, where that is the identity
""",
    "CalibratedSpectra": """
detectid||number of the detection
wavelength|Å, air|3470 to 5540 in steps of 2
flux flux_err|1e-17 erg/s/cm² per 2 Å|the spectrum and its 1σ error; 0 where masked
aperture_radius|arcsec|of an extraction about a position|only weighted fibers are summed here
sky_background||0, the local sky, where a person switched fibers off; else unset, as published
num_fibers||fibers left where a person switched some off; else unset, as published
""",
    "SpectraLines": """
detectid||number of the detection
wavelength|Å, air|of the line
type||1 emission, -1 absorption
score||published line score; unset for a line too weak for one
sn||signal to noise
chi2||reduced χ² of the fit; unset for lines of a solution, whose place was given
continuum continuum_err|erg/s/cm²/Å|under the line; unset for lines of a solution, as published
flux_line flux_line_err|erg/s/cm²|of the line
sigma sigma_err|Å|of the fitted Gaussian; unset for lines of a solution, as published
sol_num||0 the search of the whole spectrum, else the rank of the multi-line solution
used||whether that solution meets the published rule
""",
    "Aperture": """
detectid||number of the detection
ra dec|deg|centre of the circle adopted on this image
radius|arcsec|its radius
aperture_area_pix sky_area_pix|pixels|of the circle, and of the ring of sky
aperture_cts|counts|in the circle, sky taken off
sky_average|counts per pixel|sky
sky_cts|counts|sky in the circle
catalog_name filter_name||survey and band
mag|AB|light in the circle; the 2σ limit if there is none
mag_err|mag|its 1σ error; not for a limit
image_depth_mag|AB|depth of the image
pixel_scale|arcsec|a pixel
eqw_rest_lya eqw_rest_lya_err|Å|rest equivalent width if Lyα; only of g, r and F606W, which stand for the continuum
plae plae_max plae_min||P(LAE)/P(OII) from this image, with its 68 % interval; NaN in other bands
""",
    "ElixerApertures": """
detectid||number of the detection
ra dec|deg|centre
radius|arcsec|of this step
background_cts background_err|counts|sky in the circle and its error
catalog_name filter_name||survey and band
flags||remarks|the original never writes them either: 0
flux_cts flux_err|counts|in the circle, sky taken off, and its error
image_depth_mag|AB|depth of the image
image_flags||mask planes of the image|mask planes are not read: 0
mag mag_err|AB, mag|of this circle; unset where the counts are not positive
pixel_scale|arcsec|a pixel
selected||whether it is the step adopted
""",
    "ExtractedObjects": """
detectid||number of the detection
ra dec|deg|barycentre of the source
background_cts background_err|counts|sky in the ellipse and its error
catalog_name filter_name||survey and band
dist_baryctr|arcsec|barycentre to the detection
dist_curve|arcsec|ellipse to the detection; -1 inside
fixed_aper_flags||1 where the measurement in that circle has a remark (a ring of sky beyond the image, for example)
fixed_aper_flux_cts fixed_aper_flux_err|counts|in a circle of 1"; for sources within 5" and the selected one
fixed_aper_mag fixed_aper_mag_err|AB, mag|of that circle
fixed_aper_radius|arcsec|1 where it was measured
flags||sum of 1 blended, 2 at the edge of the image, 4 missing pixels
flux_cts flux_err|counts|in 2.5 Kron radii
image_depth_mag|AB|depth of the image
image_flags||mask planes of the image|mask planes are not read: 0
mag mag_err|AB, mag|of the source
major minor|arcsec|full axes of the Kron ellipse measured
pixel_scale|arcsec|a pixel
selected||whether the detection is taken to belong to it
theta|rad|major axis, anticlockwise from the image's x axis
""",
    "CatalogMatch": """
detectid||number of the detection
ra dec|deg|of the catalogue's object
selected||whether the detection is taken to belong to it
catalog_name filter_name||catalogue and band
eqw_rest_lya eqw_rest_lya_err|Å|rest equivalent width if Lyα, from its magnitude
flux flux_err|erg/s/cm²/Å|its continuum under the line
mag mag_err|AB, mag|in that band
match_num||from 1, the best
photz specz||redshifts of the catalogue
plae plae_max plae_min||P(LAE)/P(OII) from its magnitude, with its 68 % interval
prob_match||1 less the probability of a chance match
separation|arcsec|to the detection
""",
}


def columns(table: str) -> tuple[Column, ...]:
    """What stands in the columns of one of the eight tables, in the order of the file.

    Raises
    ------
    KeyError
        If there is no such table, or a column of the format is not described.
    """
    described: dict[str, Column] = {}
    for line in _COLUMNS[table].strip().splitlines():
        names, unit, meaning, *kept = line.split("|")
        for name in names.split():
            described[name] = Column(name, unit, meaning, kept[0] if kept else "")
    return tuple(described[name] for name in catalog_layout(table).dtype.names or ())


def markdown() -> str:
    """The tables of docs/catalogue.md, one a table of the file."""
    parts = []
    for table in _COLUMNS:
        layout = catalog_layout(table)
        lines = [f"### {table}", "", "| column | type | unit | fill | meaning |", "|---|---|---|---|---|"]
        for each in columns(table):
            kind = layout.dtype[each.name]
            shape = f"[{kind.shape[0]}]" if kind.shape else ""
            name = "bool" if each.name in layout.booleans else kind.base.str.lstrip("<|") + shape
            fill = layout.fills.get(each.name, "empty" if kind.base.kind == "S" else 0)
            words = f"{each.meaning}. **Kept at its fill**: {each.kept}" if each.kept else each.meaning
            lines.append(f"| `{each.name}` | {name} | {each.unit} | {fill:g} | {words} |" if not isinstance(fill, str)
                         else f"| `{each.name}` | {name} | {each.unit} | {fill} | {words} |")  # fmt: skip
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
