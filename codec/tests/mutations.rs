//! Files with flipped, cut and inserted bytes: any answer is right but a panic, a lie about the size or
//! one thing from `probe` and another from `decode`.

#![allow(clippy::unwrap_used)]

mod common;

use codec::{Limits, decode, decode_small, probe};
use common::{exif, file, jpeg_with_exif, quarters};
use image::ImageFormat;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const LIMITS: Limits = Limits {
    pixels_max: 100_000,
    decoded_bytes_max: 1 << 20,
    file_bytes_max: 1 << 20,
};

fn seeds() -> Vec<Vec<u8>> {
    let raster = quarters(24, 16);
    let formats = [
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Jpeg,
    ];
    let mut seeds: Vec<Vec<u8>> = formats.iter().map(|format| file(&raster, *format)).collect();
    seeds.push(jpeg_with_exif(&raster, &exif(false, 6, "2021:05:06 07:08:09")));
    seeds
}

/// Where, and what is written there.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f), Just(0x80)];
    prop::collection::vec((any::<prop::sample::Index>(), byte), 1..6)
}

fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let header = probe(bytes, &LIMITS);
    match decode(bytes, &LIMITS) {
        Ok(decoded) => {
            let raster = &decoded.raster;
            let pixels = raster.width as usize * raster.height as usize;
            prop_assert_eq!(raster.samples.len(), pixels * raster.channels.count());
            prop_assert!(pixels as u64 <= LIMITS.pixels_max);
            prop_assert_eq!(Ok(decoded.probe), header);
            prop_assert!(decode_small(bytes, &LIMITS).is_ok());
        }
        Err(error) => {
            prop_assert!(!error.to_string().contains("upsets the decoder"), "{}", error);
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
    Ok(())
}

fn config() -> ProptestConfig {
    let persistence = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        cases: 15_000,
        failure_persistence: Some(Box::new(persistence)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn flipped_bytes(seed in prop::sample::select(seeds()), edits in edits()) {
        let mut bytes = seed;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agree(&bytes)?;
    }

    #[test]
    fn flipped_headers(seed in prop::sample::select(seeds()), edits in edits()) {
        let mut bytes = seed;
        for (at, byte) in edits {
            let at = at.index(bytes.len().min(80));
            bytes[at] = byte;
        }
        agree(&bytes)?;
    }

    #[test]
    fn cut_and_doubled(
        seed in prop::sample::select(seeds()),
        cut in any::<prop::sample::Index>(),
        again in any::<prop::sample::Index>(),
    ) {
        let (cut, again) = (cut.index(seed.len()), again.index(seed.len()));
        agree(&seed[..cut])?;
        agree(&[&seed[..cut], &seed[again..]].concat())?;
    }
}

#[test]
fn the_seeds_are_sound_and_a_good_part_of_the_mutants_still_decodes() {
    for seed in seeds() {
        assert!(decode(&seed, &LIMITS).is_ok_and(|found| found.damaged.is_none()));
    }
    // Without this the laws above could hold because nothing gets past the header.
    let seeds = seeds();
    let mutants = seeds.iter().flat_map(|seed| {
        (0..seed.len()).map(|at| {
            let mut bytes = seed.clone();
            bytes[at] ^= 0x55;
            bytes
        })
    });
    let decoded: Vec<bool> = mutants.map(|bytes| decode(&bytes, &LIMITS).is_ok()).collect();
    let good = decoded.iter().filter(|ok| **ok).count();
    assert!(good * 5 > decoded.len(), "{good} of {}", decoded.len());
}
