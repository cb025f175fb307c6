"""The columns of every HETDEX and ELiXer table, in their order on disk.

Each entry maps `file/table` to a list of `type name name ...; type name ...`, little-endian, with the shape of a
sub-array in brackets. The order is part of the format: positioned columns first, the rest alphabetically. `bool` is
the 8-bit HDF5 bit field that PyTables writes.
"""

from __future__ import annotations

COLUMNS: dict[str, str] = {
    "detect/Detections": """
        i8 detectid shotid; f4 ra dec; i4 date obsid; f4 wave wave_err flux flux_err linewidth linewidth_err
        continuum continuum_err sn sn_err chi2 chi2_err; S20 multiframe; i4 fibnum x_raw y_raw; S2 amp; f4
        apcor chi2fib; i4 expnum; S38 fiber_id; f4 flux_noise_1sigma; S3 ifuid ifuslot; S40 inputid; S32
        mc_file; i4 mc_file_idx; f4 noise_ratio sn_3fib sn_3fib_cen sn_cen; S3 specid; f4 weight x_ifu y_ifu
    """,
    "detect/Fibers": """
        i8 detectid; f4 ra dec; S20 multiframe; S38 fiber_id; f4 x_ifu y_ifu; i4 date obsid expnum; f4
        distance; S17 timestamp; f4 wavein; i4 flag; f4 weight; f4[5] ADC; S2 amp; i4 fibnum; S3 ifuid
        ifuslot specid; i4 x_raw y_raw
    """,
    "detect/Spectra": """
        i8 detectid; f4[1036] wave1d spec1d spec1d_err counts1d counts1d_err apsum_counts apsum_counts_err
        apcor flag_pix spec1d_ffsky spec1d_nc spec1d_nc_err
    """,
    "continuum/Detections": """
        i8 detectid shotid; f4 ra dec; i4 date obsid; f4 wave wave_err flux flux_err linewidth linewidth_err
        continuum continuum_err sn sn_err chi2 chi2_err; S20 multiframe; i4 fibnum x_raw y_raw; S2 amp; f4
        chi2fib; S40 detectname; i4 expnum; S38 fiber_id; S3 ifuid ifuslot; S40 inputid; f4 noise_ratio; S3
        specid; f4 weight x_ifu y_ifu
    """,
    "shot/Data/Fibers": """
        S20 multiframe; f4 ra dec; S38 fiber_id; S2 amp; f4[1036] calfib calfib_counts calfib_ffsky calfibe
        calfibe_counts; f4[1032] chi2; S8 contid; f4[1032] error1D; i4 expnum; f4[1032] fiber_to_fiber; i4
        fibidx fibnum; f4 fpx fpy; S3 ifuid ifuslot; f4 ifux ifuy; i4 obsind; f4[1032] rms sky_spectrum
        sky_subtracted; S3 specid; f4[1032] spectrum trace wavelength
    """,
    "shot/Data/Images": """
        S20 multiframe; S2 amp; f4[1032,1032] clean_image; S8 contid; f4[1032,1032] error; i4 expnum; S3
        ifuid ifuslot; f4[1032,1032] image; i4 obsind; S3 specid
    """,
    "shot/Data/FiberIndex": """
        S20 multiframe; f4 ra dec; S38 fiber_id; i4 expnum fibidx fibnum; f4 fpx fpy ifux ifuy
    """,
    "shot/Shot": """
        i8 shotid; S12 field; S18 objid; i4 date obsid; f8 ra dec pa; i4 n_ifu; f4 fwhm_virus fwhm_virus_err
        response_4540; f4[3] relflux_virus; f4 ambtemp; f4[3] darktime; S12 datevobs; f4 dewpoint; i4[3]
        expnum; f4[3] exptime; f4 humidity; f4[3] mjd; i4[3] nstars_fit; i4 nstars_fit_fwhm obsind; f4
        pressure structaz; S7 time; f4 trajcdec trajcpa trajcra; f4[3] xditherpos xoffset xrms yditherpos
        yoffset yrms
    """,
    "shot/Astrometry/QA": """
        i4 expnum; f4 xoffset yoffset xrms yrms nstars
    """,
    "shot/Astrometry/NominalVals": """
        i4 expnum; f4 ra dec parangle x_dither_pos y_dither_pos relflux_virus; S23 als_filename
    """,
    "shot/Astrometry/Dithall": """
        f4 ra dec XS YS; S5 exposure; S3 ifuslot; S28 multifits; S17 timestamp; f4 xfplane yfplane
    """,
    "shot/Astrometry/StarCatalog": """
        i8 ignore; S28 star_ID; f8 ra_cat dec_cat u g r i z
    """,
    "fiber_index/FiberIndex": """
        S20 multiframe; f4 ra dec; S38 fiber_id; i8 healpix; S2 amp; i8 date; S12 datevobs; i4 expnum fibidx
        fibnum; f4 fpx fpy; S3 ifuid ifuslot; f4 ifux ifuy; i8 shotid; S3 specid
    """,
    "fiber_index/FiberIndexWithFlags": """
        S20 multiframe; f4 ra dec; S38 fiber_id; i8 healpix; S2 amp; i8 date; S12 datevobs; i4 expnum fibidx
        fibnum; f4 fpx fpy; S3 ifuslot ifuid; f4 ifux ifuy; i8 shotid; S3 specid; i4 flag; i1 flag_badamp
        flag_badfib flag_meteor flag_satellite flag_largegal flag_shot flag_throughput
    """,
    "detect_index/DetectIndex": """
        i8 detectid shotid; f4 ra dec wave sn; S4 det_type; S38 fiber_id; i8 healpix; S4 survey
    """,
    "catalog/Version": """
        S16 version version_pytables
    """,
    "catalog/Detections": """
        i8 detectid; S16 elixer_version; S21 elixer_datetime; f4 ra dec wavelength_obs wavelength_obs_err
        z_best z_best_pz z_best_plya_thresh z_best_2 z_best_pz_2 z_best_plya_thresh_2 z_best_3 z_best_pz_3
        z_best_plya_thresh_3; i4 flags; i1 review; i8 cluster_parent; S2 amp; f4 apcor_4500 ccd_adjacent_mag
        central_single_fiber_mag chi2 chi2_err; S32 classification_labels; f4[3] color_gr color_ug color_ur;
        f4 combined_continuum combined_continuum_err combined_continuum_err_stat; i4
        combined_continuum_nondetect; f4 combined_eqw_rest_lya combined_eqw_rest_lya_err combined_plae
        combined_plae_hi combined_plae_lo continuum_line continuum_line_err continuum_masked
        continuum_masked_err continuum_wide continuum_wide_err eqw_rest_lya_line eqw_rest_lya_line_err
        eqw_rest_lya_wide eqw_rest_lya_wide_err; bool ffsky_subtraction; S32 fieldname; f4 flux_line
        flux_line_err fwhm_line_aa fwhm_line_aa_err fwhm_line_kms fwhm_line_kms_err; S3 ifuid ifuslot; f4
        mag_g_wide mag_g_wide_err mag_g_wide_limit; S20 multiframe; bool multiline_flag; f4
        multiline_frac_score; S16 multiline_name; f4 multiline_prob multiline_raw_score multiline_rest_w
        multiline_z; i4 obsid; f4 plae_line plae_line_max plae_line_min plae_wide plae_wide_max
        plae_wide_min plya_classification pseudo_color_blue_flux pseudo_color_blue_flux_err; i8
        pseudo_color_flag; f4 pseudo_color_red_flux pseudo_color_red_flux_err pseudo_color_rvb_ratio
        pseudo_color_rvb_ratio_err response seeing_fwhm; i8 shotid; f4 sn sn_err; S3 specid; f4
        spectral_slope spectral_slope_err; S32 spurious_reason
    """,
    "catalog/SpectraLines": """
        i8 detectid; f4 wavelength; i4 type; f4 score sn chi2 continuum continuum_err flux_line
        flux_line_err sigma sigma_err; i4 sol_num; bool used
    """,
    "catalog/ClassificationExtraFeatures": """
        i8 detectid; f4 bright_continuum_vote bright_continuum_weight dex_flam_slope dex_flam_slope_err
        dex_flam_slope_vote dex_flam_slope_weight dex_gmag dex_gmag_bright dex_gmag_faint dex_gmag_vote
        dex_gmag_weight diam_in_arcsec ew_rest_lya_combined ew_rest_lya_combined_err
        ew_rest_lya_combined_vote ew_rest_lya_combined_weight gmag_thresh_bright gmag_thresh_faint
        line_sigma line_sigma_err line_sigma_vote line_sigma_weight lya_size_in_kpc; f4[9] multiline_votes
        multiline_weights; f4 oii_size_in_kpc plae_poii_combined plae_poii_combined_hi plae_poii_combined_lo
        plae_poii_combined_midpoint plae_poii_combined_vote plae_poii_combined_weight rb_flux_asym
        rb_flux_asym_err rb_flux_asym_vote rb_flux_asym_weight size_in_psf size_in_psf_vote
        size_in_psf_weight
    """,
    "catalog/NeighborSpectra": """
        i8 detectid; f4 candidate_ra candidate_dec; i8 shotid; f4 seeing_fwhm neighbor_ra neighbor_dec
        dist_curve dist_baryctr major minor theta seeing_size seeing_dist; i4 sky_type; f4 aperture_radius;
        S16 filter; f4 mag mag_err mag_limit dex_g_mag dex_g_mag_err; i4 spec_type spec_scale; f4[1036]
        spec_val spec_err; bool selected
    """,
    "catalog/DeblendedSpectra": """
        i8 detectid; i4 flags; f4 mag_g_wide mag_g_wide_err continuum_wide continuum_wide_err; f4[1036] flux
        flux_err wavelength
    """,
    "catalog/CalibratedSpectra": """
        i8 detectid; f4[1036] wavelength flux flux_err; f4 aperture_radius; i4 sky_background num_fibers
    """,
    "catalog/Aperture": """
        i8 detectid; f4 ra dec aperture_area_pix aperture_cts; S16 catalog_name; f4 eqw_rest_lya
        eqw_rest_lya_err; S16 filter_name; f4 image_depth_mag mag mag_err pixel_scale plae plae_max plae_min
        radius sky_area_pix sky_average sky_cts
    """,
    "catalog/ElixerApertures": """
        i8 detectid; f4 ra dec background_cts background_err; S16 catalog_name filter_name; i4 flags; f4
        flux_cts flux_err image_depth_mag; i8 image_flags; f4 mag mag_err pixel_scale radius; bool selected
    """,
    "catalog/ExtractedObjects": """
        i8 detectid; f4 ra dec background_cts background_err; S16 catalog_name; f4 dist_baryctr dist_curve;
        S16 filter_name; i4 fixed_aper_flags; f4 fixed_aper_flux_cts fixed_aper_flux_err fixed_aper_mag
        fixed_aper_mag_err fixed_aper_radius; i4 flags; f4 flux_cts flux_err image_depth_mag; i8
        image_flags; f4 mag mag_err major minor pixel_scale; bool selected; f4 theta
    """,
    "catalog/CatalogMatch": """
        i8 detectid; f4 ra dec; bool selected; S16 catalog_name; f4 eqw_rest_lya eqw_rest_lya_err; S16
        filter_name; f4 flux flux_err mag mag_err; i4 match_num; f4 photz plae plae_max plae_min prob_match
        separation specz
    """,
}

# What PyTables puts into a column that was not given, where that is not zero or an empty text.
FILLS: dict[str, dict[str, float]] = {
    "fiber_index/FiberIndexWithFlags": dict.fromkeys(
        (
            "flag",
            "flag_badamp",
            "flag_badfib",
            "flag_meteor",
            "flag_satellite",
            "flag_largegal",
            "flag_shot",
            "flag_throughput",
        ),
        1,
    ),
    "catalog/Detections": {
        **dict.fromkeys(("z_best", "z_best_2", "z_best_3"), -1.0),
        **dict.fromkeys(("z_best_plya_thresh", "z_best_plya_thresh_2", "z_best_plya_thresh_3"), -1.0),
        **dict.fromkeys(("z_best_pz", "z_best_pz_2", "z_best_pz_3", "spectral_slope_err"), 0.0),
        **dict.fromkeys(("flags", "obsid"), 0),
        **dict.fromkeys(("ccd_adjacent_mag", "central_single_fiber_mag"), 99.9),
        **dict.fromkeys(("color_gr", "color_ug", "color_ur"), float("nan")),
        "mag_g_wide_limit": 24.8,
    },
    "catalog/SpectraLines": {"sol_num": -1},
    "catalog/ClassificationExtraFeatures": {"multiline_votes": float("nan"), "multiline_weights": -1.0},
    "catalog/NeighborSpectra": dict.fromkeys(("theta", "seeing_size", "seeing_dist", "spec_val", "spec_err"), 0.0),
    "catalog/DeblendedSpectra": dict.fromkeys(("flags", "flux", "flux_err", "wavelength"), 0),
    "catalog/CalibratedSpectra": dict.fromkeys(("wavelength", "flux", "flux_err"), 0.0),
    "catalog/Aperture": {
        "image_depth_mag": 99.9,
        **dict.fromkeys(("plae", "plae_max", "plae_min"), float("nan")),
    },
    "catalog/ElixerApertures": {"flags": 0, "image_depth_mag": 99.9},
    "catalog/ExtractedObjects": {"fixed_aper_flags": 0, "flags": 0, "theta": 0.0, "image_depth_mag": 99.9},
    "catalog/CatalogMatch": {"match_num": -1},
}
