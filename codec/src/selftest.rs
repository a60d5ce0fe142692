//! Whether this process makes pixels and files as the ids say under which it offers them.
//!
//! Kernels are held against `filters`' table, encoders and decoders against the files here: each is written, then read. What
//! fails takes its id with it, and the engines that stand on it. GIF, BMP and TIFF are copied rather than computed: their engines
//! stand on the kernels alone.

use filters::golden::{GOLDEN, Golden, head, picture};
use filters::{Channels, PIXEL_ENGINE};
use thiserror::Error;

use crate::decode::{Limits, Metadata, decode, pixel_engine};
use crate::encode::{ENCODER_JPEG, ENCODER_PNG, ENCODER_WEBP, encode_as};
use crate::media::Media;

/// What this process does not make as others do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("this processor or build computes otherwise than {id}: {what}")]
pub struct Inexact {
    /// A pixel engine or an encoder.
    pub id: String,
    /// What came out otherwise.
    pub what: String,
}

/// A file of [`picture`]: its kind, its channels, whether it has 16 bits; then the first eight bytes of BLAKE3 of its bytes, and of
/// the pixel hash of what it decodes to.
pub type GoldenFile = (Media, Channels, bool, [u64; 2]);

/// Each encoder, and the decoders of what they write.
pub const GOLDEN_FILES: &[GoldenFile] = &[
    (
        Media::Jpeg,
        Channels::Rgb,
        false,
        [0x53e5_4493_0599_48b8, 0x56a3_d59e_795f_29c0],
    ),
    (
        Media::Jpeg,
        Channels::Gray,
        false,
        [0xd250_61d8_9848_80d4, 0xfc31_a335_ac4d_84ef],
    ),
    (
        Media::Webp,
        Channels::Rgba,
        false,
        [0xc474_3dfc_10a8_16b5, 0x9561_c2be_2491_70f5],
    ),
    (
        Media::Webp,
        Channels::Rgb,
        false,
        [0x07ad_d5e2_52ac_beca, 0x530d_ed28_25d3_915b],
    ),
    (
        Media::Png,
        Channels::Rgb,
        true,
        [0x2d27_3143_5320_dfef, 0x4dad_7cc2_4801_6992],
    ),
    (
        Media::Png,
        Channels::GrayAlpha,
        false,
        [0xde5b_011b_9681_eda2, 0x38fc_1a43_101f_3d33],
    ),
];

/// What a self-test found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelfTest(Vec<Inexact>);

impl SelfTest {
    /// Runs it, in a tenth of a second or two.
    pub fn run() -> SelfTest {
        SelfTest::against(GOLDEN, GOLDEN_FILES)
    }

    /// The same against other tables.
    pub fn against(kernels: &[Golden], files: &[GoldenFile]) -> SelfTest {
        let mut inexact = Vec::new();
        if let Some(what) = filters::golden::differs(kernels) {
            inexact.extend(Media::ALL.map(|media| Inexact {
                id: pixel_engine(media),
                what: what.clone(),
            }));
        }
        for file in files {
            inexact.extend(differs(file));
        }
        SelfTest(inexact)
    }

    /// Whether this process may speak for a pixel engine or an encoder, any of this program's; those of others pass.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, id: &str) -> Result<(), Inexact> {
        // An encoder's later forms write the same pixels.
        let is = |inexact: &&Inexact| {
            id.strip_prefix(&inexact.id)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0
            .iter()
            .find(is)
            .map_or(Ok(()), |inexact| Err(inexact.clone()))
    }

    /// All that failed, in words; the kernels once.
    pub fn failures(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for inexact in &self.0 {
            let kernels = inexact.id.ends_with(PIXEL_ENGINE)
                && self.0.iter().filter(|other| other.what == inexact.what).count() > 1;
            let id = if kernels { PIXEL_ENGINE } else { &inexact.id };
            let line = format!("{id}: {}", inexact.what);
            if !found.contains(&line) {
                found.push(line);
            }
        }
        found
    }
}

/// What of a file comes out otherwise: its bytes and so all that would be read of them, or its pixels.
fn differs((media, channels, deep, [bytes, pixels]): &GoldenFile) -> Vec<Inexact> {
    let encoder = match media {
        Media::Jpeg => ENCODER_JPEG,
        Media::Webp => ENCODER_WEBP,
        _ => ENCODER_PNG,
    };
    let encoder = (
        encoder.to_owned(),
        format!("a {} is written otherwise", media.name()),
    );
    let decoder = (
        pixel_engine(*media),
        format!("a {} is read otherwise", media.name()),
    );
    let file = encode_as(*media, &picture(*channels, *deep), &Metadata::default());
    let written = file
        .ok()
        .filter(|file| head(blake3::hash(&file.bytes).as_bytes()) == *bytes);
    let read = |file: &crate::Encoded| decode(&file.bytes, &Limits::default()).ok();
    let read = written
        .as_ref()
        .and_then(read)
        .filter(|read| head(&read.raster.pixel_hash()) == *pixels);
    let failed = [(written.is_none(), encoder), (read.is_none(), decoder)];
    let failed = failed.into_iter().filter(|(failed, _)| *failed);
    failed.map(|(_, (id, what))| Inexact { id, what }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_makes_what_its_ids_say() {
        let found: Vec<String> = GOLDEN_FILES
            .iter()
            .map(|(media, channels, deep, _)| {
                let file = encode_as(*media, &picture(*channels, *deep), &Metadata::default()).unwrap();
                let read = decode(&file.bytes, &Limits::default()).unwrap().raster;
                let heads = [
                    head(blake3::hash(&file.bytes).as_bytes()),
                    head(&read.pixel_hash()),
                ];
                format!("{media:?} {channels:?} {deep} {heads:#x?}")
            })
            .collect();
        assert_eq!(
            SelfTest::run(),
            SelfTest::default(),
            "found: {}",
            found.join("\n")
        );
    }

    /// On a machine that computes otherwise, what depends on it is not spoken for, and nothing else.
    #[test]
    fn what_fails_takes_its_ids_with_it() {
        let ids = || {
            Media::ALL
                .map(pixel_engine)
                .into_iter()
                .chain([ENCODER_JPEG, ENCODER_WEBP, ENCODER_PNG].map(str::to_owned))
        };
        let left = |test: &SelfTest| ids().filter(|id| test.check(id).is_ok()).collect::<Vec<_>>();
        assert_eq!(left(&SelfTest::default()).len(), 9);

        let mut kernels = GOLDEN.to_vec();
        kernels[0].1[2] ^= 1;
        let other_kernels = SelfTest::against(&kernels, GOLDEN_FILES);
        assert_eq!(left(&other_kernels), [ENCODER_JPEG, ENCODER_WEBP, ENCODER_PNG]);
        assert_eq!(
            other_kernels.failures(),
            ["calotype-2: grayscale of RGB of 16 bits comes out otherwise"]
        );

        let file = |change: fn(&mut GoldenFile)| {
            let mut files = GOLDEN_FILES.to_vec();
            change(&mut files[0]);
            SelfTest::against(&[], &files)
        };
        let other_writer = file(|file| file.3[0] ^= 1);
        for id in [
            ENCODER_JPEG,
            "jpeg-encoder-0.7.1/q92-444/meta-2",
            &pixel_engine(Media::Jpeg),
        ] {
            assert!(other_writer.check(id).is_err(), "{id}");
        }
        assert_eq!(left(&other_writer).len(), 7);
        assert_eq!(
            other_writer.failures()[0],
            "jpeg-encoder-0.7.1/q92-444: a JPEG is written otherwise"
        );
        let other_reader = file(|file| file.3[1] ^= 1);
        assert_eq!(
            other_reader.failures(),
            ["zune-jpeg-0.5.15/calotype-2: a JPEG is read otherwise"]
        );
        assert_eq!(
            other_reader
                .check(&pixel_engine(Media::Jpeg))
                .unwrap_err()
                .to_string(),
            "this processor or build computes otherwise than zune-jpeg-0.5.15/calotype-2: a JPEG is read otherwise"
        );
        // What others make with other programs is not this one's to judge.
        assert!(other_kernels.check("image-9/calotype-77").is_ok());
    }
}
