//! A short self-test: what these kernels make of a picture, held against what they made when their engine got its name.
//!
//! A processor, an emulator or a build that computes otherwise would make versions that nobody else can make again, and take
//! those of others for false. So a process runs this once, before it speaks for [`PIXEL_ENGINE`](crate::PIXEL_ENGINE). The picture
//! is of an odd size, so that the kernels' whole blocks and what is left of them are both met. `tests/golden.rs` has
//! the long form.

use std::ops::ControlFlow;

use crate::raster::{Channels, Raster, Samples};
use crate::recipe::Recipe;

/// A recipe, and the first eight bytes of the pixel hashes of what it makes of [`picture`] in RGB, in RGB with alpha, and in
/// RGB of 16 bits.
pub type Golden = (&'static str, [u64; 3]);

/// Of every filter one recipe at least: of those with several kernels one for each.
pub const GOLDEN: &[Golden] = &[
    (
        "grayscale",
        [
            0x8af5_b291_4442_abb1,
            0xe7ab_0772_8ca7_e3a9,
            0x946d_ddfc_c0ab_1e93,
        ],
    ),
    (
        "sepia",
        [
            0x7159_9252_a7b0_11db,
            0x2b43_ff5f_1061_17a9,
            0xbeeb_171b_835b_da99,
        ],
    ),
    (
        "invert",
        [
            0x3ab9_f509_96cf_fd48,
            0xa8bc_3a29_c0d4_67f8,
            0x7de1_5a3e_bf5a_ebb6,
        ],
    ),
    (
        "brightness:40",
        [
            0xee6e_0912_a649_fda4,
            0x9a76_aac5_fbc4_48b5,
            0x4f7b_4871_7102_0fec,
        ],
    ),
    (
        "contrast:35",
        [
            0xba36_d495_341a_826b,
            0xb157_3bbc_157a_b160,
            0x6dba_96b0_7b69_c918,
        ],
    ),
    (
        "transfer:60,-2,5,20,3,5",
        [
            0x7d5a_43e8_8e59_6d51,
            0xd2a3_e8a1_57fd_80d0,
            0xb23e_3bfa_a317_7f4f,
        ],
    ),
    (
        "gamma:1.8",
        [
            0xbbe0_d33d_bbaa_3684,
            0x1568_240d_50bb_3fcc,
            0x488e_e31a_eedb_4157,
        ],
    ),
    (
        "levels:10,250,0.7",
        [
            0xa2db_c29f_5d6f_2de6,
            0x1367_48ff_0628_c911,
            0x507c_0e7e_e6f4_42f7,
        ],
    ),
    (
        "posterize:5",
        [
            0x144b_cb3b_05a4_d390,
            0x6bb2_e54b_5958_67ec,
            0x15d1_0015_90ed_e618,
        ],
    ),
    (
        "threshold:100",
        [
            0x5a0e_2fd1_28a0_044e,
            0xf609_c684_33c9_250b,
            0x6429_53db_9f69_acb0,
        ],
    ),
    (
        "vignette:60",
        [
            0x8184_f210_85ad_c5fb,
            0x5ad4_8b6b_abd9_df0b,
            0xbc6e_50ae_7d51_b86d,
        ],
    ),
    (
        "blur:2",
        [
            0x6e85_513a_eebb_ca8b,
            0x9bb6_7472_6f29_537e,
            0xe93f_fcdd_b98f_eb63,
        ],
    ),
    (
        "blur:50",
        [
            0xe04e_2a43_d50c_fc72,
            0xf1d9_cd14_e62d_7ad3,
            0x5bb6_9174_92c5_ada6,
        ],
    ),
    (
        "box:30",
        [
            0x2bb0_1c5c_c489_3d7d,
            0xc5be_af80_739a_bf62,
            0x04f6_e8ac_04d0_8dca,
        ],
    ),
    (
        "median:1",
        [
            0xa5b7_a78f_e45c_468d,
            0x080b_6f10_7ba6_ab5e,
            0xfd34_e322_cea9_ef53,
        ],
    ),
    (
        "median:20",
        [
            0xa6c2_02b1_fe10_022c,
            0x7ca3_9659_74d5_e1ac,
            0x7824_413c_5ca1_4b4a,
        ],
    ),
    (
        "sharpen",
        [
            0xa2b1_0b82_9b17_ae66,
            0x1585_bf91_4da8_a77c,
            0x0325_3df8_0a84_436a,
        ],
    ),
    (
        "edges",
        [
            0x1b69_2411_764c_592c,
            0x5f96_968e_5e45_10e6,
            0xa3de_f3e9_d1f3_c9af,
        ],
    ),
    (
        "oil:4",
        [
            0xb485_366d_889e_b25c,
            0x3b88_0272_a8e0_29fc,
            0x07b5_a103_d3ae_1474,
        ],
    ),
    (
        "kuwahara:5",
        [
            0x936a_9c4b_b43c_a339,
            0xacf9_38c8_74c6_9be2,
            0xf39f_18e3_c3ec_0a9f,
        ],
    ),
    (
        "cartoon",
        [
            0x7e60_b5c5_69cf_745f,
            0x3bc8_9d5f_e82c_9154,
            0x8a48_0a19_8fe5_ebfa,
        ],
    ),
    (
        "pencil",
        [
            0xa205_b82e_fb35_37cc,
            0x327d_cf83_a68b_397a,
            0x5f6e_0c35_f278_5044,
        ],
    ),
    (
        "pixelate:7",
        [
            0x6d63_465e_d53c_b7bf,
            0x5ebb_9410_2559_0ba4,
            0x16aa_3f20_26fe_95af,
        ],
    ),
    (
        "rotate:90",
        [
            0x3d4f_2841_df01_6833,
            0xf1e7_edd9_f09e_6422,
            0x9159_6e28_885e_5039,
        ],
    ),
    (
        "rotate:7.5",
        [
            0x01a0_8ca7_a9d1_dfdb,
            0xf9ab_9b69_435b_8590,
            0x13e4_f3b6_3824_5d1f,
        ],
    ),
    (
        "crop:10,5,60,33",
        [
            0x2a8d_4bb4_3e2a_5eb1,
            0x589e_12c3_ce8b_dcaa,
            0x04e2_afce_c99e_a449,
        ],
    ),
    (
        "flip:h",
        [
            0x6058_37af_ab67_7cd2,
            0x157a_fd9c_07a9_16d0,
            0x2bab_3add_1cab_39fd,
        ],
    ),
    (
        "resize:40",
        [
            0xe0f4_2d6c_f3f7_18d1,
            0xa399_9f7d_ee64_eb9e,
            0xd696_eb36_3a7b_f7b0,
        ],
    ),
    (
        "resize:200x150",
        [
            0x7c37_5e9e_3e9b_8475,
            0x8d61_57e9_47dd_dde2,
            0x875c_5217_c8b2_2cb8,
        ],
    ),
    (
        "autolevels",
        [
            0x6bea_293e_4c53_701a,
            0x8d3a_515c_7587_8fb6,
            0xb404_f899_5cea_bf82,
        ],
    ),
    (
        "equalize",
        [
            0x9158_f44a_86b2_4609,
            0x360d_73b5_d9d3_6ece,
            0x1d3e_8598_84bd_f6e4,
        ],
    ),
    (
        "clahe",
        [
            0x3d50_4c45_e444_a9d0,
            0xd1c1_b6ed_6835_490d,
            0x4546_8a5e_a68c_cde4,
        ],
    ),
    (
        "grayscale+blur:2+resize:64+sharpen:0.5",
        [
            0xebdc_f62a_a931_a666,
            0x51af_6e8f_8b1b_aa30,
            0xfc1f_c9d6_6524_f0b6,
        ],
    ),
];

/// The kinds of picture, in the order of the hashes.
const KINDS: [(Channels, bool); 3] = [
    (Channels::Rgb, false),
    (Channels::Rgba, false),
    (Channels::Rgb, true),
];

/// 97 × 61: gradients, a disc, noise and, with alpha, a ramp; 16 bits if it is `deep`. Integers only, so that it is the same
/// anywhere.
pub fn picture(channels: Channels, deep: bool) -> Raster {
    let (width, height) = (97_u32, 61_u32);
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let noise = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 27;
            let disc = (x.abs_diff(40).pow(2) + y.abs_diff(30).pow(2) < 400) as u32 * 120;
            let color = [x * 2 + noise, y * 3 + noise / 2, disc + (x ^ y) % 100];
            let color = if channels.colors() == 1 {
                &color[2..]
            } else {
                &color[..]
            };
            samples.extend(color.iter().map(|c| (c * 257 + noise * 5).min(65_535) as u16));
            if channels.has_alpha() {
                samples.push((x * y * 11).min(65_535) as u16);
            }
        }
    }
    let samples = if deep {
        Samples::U16(samples)
    } else {
        Samples::U8(samples.iter().map(|sample| (sample >> 8) as u8).collect())
    };
    Raster {
        width,
        height,
        channels,
        samples,
    }
}

/// The first recipe of `golden` that makes other pixels here, with the kind of picture; none if all are as they must be.
pub fn differs(golden: &[Golden]) -> Option<String> {
    let pictures = KINDS.map(|(channels, deep)| picture(channels, deep));
    golden.iter().find_map(|(text, hashes)| {
        let recipe: Result<Recipe, _> = text.parse();
        let made = |source| {
            let made = recipe
                .as_ref()
                .ok()?
                .apply(source, &mut |_| ControlFlow::Continue(()));
            Some(head(&made.ok()?.pixel_hash()))
        };
        let at = (0..KINDS.len()).find(|at| made(&pictures[*at]) != Some(hashes[*at]))?;
        let kind = ["RGB", "RGB with alpha", "RGB of 16 bits"][at];
        Some(format!("{text} of {kind} comes out otherwise"))
    })
}

/// The first eight bytes of a hash, as the tables have them.
pub fn head(hash: &[u8; 32]) -> u64 {
    hash[..8]
        .iter()
        .fold(0, |head, byte| head << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_held_against_its_pixels() {
        assert_eq!(differs(GOLDEN), None);
        for info in crate::catalog() {
            assert!(
                GOLDEN.iter().any(|(recipe, _)| recipe.starts_with(info.name)),
                "{}",
                info.name
            );
        }
    }

    /// A processor that rounds otherwise in one kernel, for one kind of picture: a table with one other hash stands for it.
    #[test]
    fn one_other_pixel_is_told() {
        for (kind, name) in [(0, "RGB"), (1, "RGB with alpha"), (2, "RGB of 16 bits")] {
            let mut golden: Vec<Golden> = GOLDEN[10..13].to_vec();
            golden[1].1[kind] ^= 1;
            assert_eq!(
                differs(&golden).unwrap(),
                format!("{} of {name} comes out otherwise", golden[1].0)
            );
        }
    }
}
