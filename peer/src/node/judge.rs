//! Whether a version is what its author states: its source goes through its recipe again. Bytes in, a judgement out; it
//! says no more than can be known here. Runs on the blocking pool, or where the node has time for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use codec::{CodecError, Decoded, Media, SelfTest};
use crdt::fact::Version;
use crdt::id::BlobHash;
use filters::{FilterError, Raster, Recipe};

use super::import::VersionError;
use crate::api::{Differs, Step};
use crate::decoder::{DecodeError, Picture};

/// Findings that are kept; of more, those of others are forgotten and found again when asked for.
pub(super) const FINDINGS_MAX: usize = 65_536;

/// What this program makes pixels with.
static ENGINES: LazyLock<Vec<String>> = LazyLock::new(|| Media::ALL.map(codec::pixel_engine).to_vec());

/// What makes a finding true: all that the author states, and what of it this program can make. So a finding outlives
/// the process, and a program with another engine asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim([u8; 32]);

impl Claim {
    pub(super) fn of(version: &Version, file: &BlobHash) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("calotype 2026-11 what a version states");
        hasher
            .update(&file.0)
            .update(&version.source.0)
            .update(&version.pixels.0);
        for text in [&version.recipe, &version.pixel_engine, &version.encoder] {
            hasher
                .update(&(text.len() as u64).to_le_bytes())
                .update(text.as_bytes());
        }
        let ours = [
            ENGINES.contains(&version.pixel_engine),
            is_encoder(&version.encoder),
        ];
        hasher.update(&ours.map(u8::from));
        Claim(hasher.finalize().into())
    }

    /// As the home keeps it.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What was found of claims, here and in earlier lives.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<Claim, bool>);

impl Findings {
    /// Whether the version came out as stated; none where that was not looked at.
    pub(super) fn get(&self, version: &Version, file: &BlobHash) -> Option<bool> {
        self.0.get(&Claim::of(version, file)).copied()
    }

    /// Takes in what the home kept.
    pub(super) fn load(&mut self, key: Vec<u8>, value: &[u8]) {
        if let (Ok(key), [found @ (0 | 1)]) = (key.try_into(), value) {
            self.note(Claim(key), *found == 1);
        }
    }

    /// Notes a finding; the one that is forgotten for it, if there are too many.
    pub(super) fn note(&mut self, claim: Claim, found: bool) -> Option<Claim> {
        self.0.insert(claim, found);
        if self.0.len() <= FINDINGS_MAX {
            return None;
        }
        // Claims are hashes: the first is any of them.
        let other = *self.0.keys().find(|other| **other != claim)?;
        self.0.remove(&other);
        Some(other)
    }
}

/// What came of making a version again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Pixels and file are as stated.
    True,
    /// Something is not.
    False(Lie),
    /// It cannot be told here, for this reason.
    Unknown(String),
}

/// What is not as stated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lie {
    pub(super) differs: Differs,
    /// The first step that shows it, where one does.
    pub(super) step: Option<Step>,
    pub(super) why: Option<String>,
}

/// The recipe of a version, if this program may judge it at all.
///
/// # Errors
/// Why not.
pub(super) fn may_judge(version: &Version) -> Result<Recipe, String> {
    let recipe = version.recipe.parse();
    let recipe = recipe.map_err(|_| format!("the recipe {} is not known here", version.recipe))?;
    if ENGINES.contains(&version.pixel_engine) {
        Ok(recipe)
    } else {
        Err(format!(
            "it was made by {}, which is not here",
            version.pixel_engine
        ))
    }
}

fn is_encoder(id: &str) -> bool {
    codec::ENCODERS.contains(&id)
}

/// Where files become pixels.
pub(super) type Decode<'a> = dyn Fn(&[u8]) -> Result<Picture, VersionError> + 'a;

/// Makes a version again and compares, if `exact` lets this process speak for what made it. `file` is asked for the version's own bytes where they say more; `tell` hears how
/// far the filters are and may stop them.
///
/// # Errors
/// The encoder failed, the decoder could not work, or `tell` said stop: nothing is known.
pub(super) fn judge(
    exact: &SelfTest,
    (version, hash): (&Version, &BlobHash),
    source: &[u8],
    file: &dyn Fn() -> Option<Vec<u8>>,
    decode: &Decode<'_>,
    tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Judgement, VersionError> {
    let recipe = match may_judge(version) {
        Ok(recipe) => recipe,
        Err(why) => return Ok(Judgement::Unknown(why)),
    };
    if let Err(inexact) = exact.check(&version.pixel_engine) {
        return Ok(Judgement::Unknown(inexact.to_string()));
    }
    let picture = match decode(source) {
        Ok(picture) => picture,
        Err(VersionError::Decode(DecodeError::File(error))) => return Ok(not_decoded(&error)),
        Err(VersionError::Decode(error @ (DecodeError::Memory | DecodeError::Time))) => {
            return Ok(Judgement::Unknown(format!("its source: {error}")));
        }
        Err(error) => return Err(error),
    };
    let decoded = &picture.decoded;
    let here = codec::pixel_engine(decoded.probe.media);
    if version.pixel_engine != here {
        let why = format!("it was made by {}, here is {here}", version.pixel_engine);
        return Ok(Judgement::Unknown(why));
    }
    let total = recipe.steps().len() as u64 * 100;
    let applied = recipe.apply(&decoded.raster, &mut |at| {
        tell(at.done * total / at.total.max(1), total)
    });
    let again = Again {
        version,
        recipe: &recipe,
        decode,
    };
    let raster = match applied {
        Ok(raster) => raster,
        Err(FilterError::CropOutside { .. }) => return again.no_picture(&picture, tell),
        // The limits of a program are no part of its engine's name.
        Err(error @ FilterError::TooLarge { .. }) => return Ok(Judgement::Unknown(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    if version.pixels.0 != raster.pixel_hash() {
        return again.other_pixels(picture, hash, file, tell);
    }
    let encoded = again.encode(&picture, &raster)?;
    if version.encoder != encoded.encoder {
        let why = format!(
            "its pixels are right, but its file was written by {}, here is {}",
            version.encoder, encoded.encoder
        );
        return Ok(Judgement::Unknown(why));
    }
    if blake3::hash(&encoded.bytes) == hash.0 {
        return Ok(Judgement::True);
    }
    if let Err(inexact) = exact.check(encoded.encoder) {
        return Ok(Judgement::Unknown(format!("its pixels are right, but {inexact}")));
    }
    again.another_file(picture, hash, file, tell)
}

/// What cannot be made of it was not made of it; but the limits of a program are no part of its engine's name.
fn not_decoded(error: &CodecError) -> Judgement {
    match error.code() {
        "too_large" => Judgement::Unknown(format!("its source is too large here: {error}")),
        _ => Judgement::False(Lie {
            differs: Differs::Recipe,
            step: None,
            why: Some(format!("its source: {error}")),
        }),
    }
}

/// A version that is not as stated, looked at step by step.
struct Again<'a> {
    version: &'a Version,
    recipe: &'a Recipe,
    decode: &'a Decode<'a>,
}

/// What is there after some of the steps.
struct Stage {
    pixels: [u8; 32],
    /// Of the file that would be written of it.
    file: Option<blake3::Hash>,
}

/// After how many steps the file with this hash is what would be written.
fn written_after(stages: &[Stage], hash: &BlobHash) -> Option<usize> {
    stages
        .iter()
        .position(|stage| stage.file.is_some_and(|made| made == hash.0))
}

impl Again<'_> {
    fn encode(&self, source: &Picture, raster: &Raster) -> Result<codec::Encoded, codec::EncodeError> {
        let Decoded { probe, metadata, .. } = &source.decoded;
        codec::encode_version_by(&self.version.encoder, raster, probe.media, metadata)
    }

    /// The source, and the picture after each step, as far as they go; and the step that fails with its reason.
    fn stages(
        &self,
        source: &Picture,
        tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(Vec<Stage>, Option<FilterError>), VersionError> {
        let stage = |raster: &Raster| Stage {
            pixels: raster.pixel_hash(),
            file: self
                .encode(source, raster)
                .ok()
                .map(|encoded| blake3::hash(&encoded.bytes)),
        };
        let mut stages = vec![stage(&source.decoded.raster)];
        let mut now: Option<Raster> = None;
        let steps = self.recipe.steps().len() as u64;
        for (at, step) in (0..).zip(self.recipe.steps()) {
            let alone: Recipe = step.to_string().parse().expect("a step is a recipe");
            let input = now.as_ref().unwrap_or(&source.decoded.raster);
            let mut told = |progress: filters::Progress| {
                tell(
                    at * 100 + progress.done * 100 / progress.total.max(1),
                    steps * 100,
                )
            };
            match alone.apply(input, &mut told) {
                Ok(raster) => {
                    stages.push(stage(&raster));
                    now = Some(raster);
                }
                Err(FilterError::Cancelled) => return Err(FilterError::Cancelled.into()),
                Err(error) => return Ok((stages, Some(error))),
            }
        }
        Ok((stages, None))
    }

    /// The step of this number, from 0.
    fn step(&self, at: usize) -> Option<Step> {
        let step = self.recipe.steps().get(at)?;
        Some(Step {
            number: at as u64 + 1,
            recipe: step.to_string(),
        })
    }

    /// What the first `n` steps are called.
    fn prefix(&self, n: usize) -> String {
        let steps = self.recipe.steps().iter().take(n);
        match n {
            0 => "the source itself".to_owned(),
            _ => steps.map(ToString::to_string).collect::<Vec<_>>().join("+"),
        }
    }

    /// `the step blur:2 is missing`, where that is all that is wrong after `n` steps.
    fn missing(&self, n: usize) -> String {
        let all = self.recipe.steps().len();
        let step = self.prefix(n + 1);
        let step = step.rsplit('+').next().unwrap_or_default();
        match all - n {
            _ if n == 0 && all > 1 => "none of its steps was done".to_owned(),
            1 => format!("the step {step} is missing"),
            _ => format!("the steps from {step} on are missing"),
        }
    }

    fn no_picture(
        &self,
        source: &Picture,
        tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Judgement, VersionError> {
        let (stages, failed) = self.stages(source, tell)?;
        Ok(Judgement::False(Lie {
            differs: Differs::Recipe,
            step: self.step(stages.len() - 1),
            why: failed.map(|error| error.to_string()),
        }))
    }

    fn other_pixels(
        &self,
        source: Picture,
        hash: &BlobHash,
        file: &dyn Fn() -> Option<Vec<u8>>,
        tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Judgement, VersionError> {
        let (stages, _) = self.stages(&source, tell)?;
        // Its memory may be needed for the file.
        drop(source);
        let stated = stages
            .iter()
            .position(|stage| stage.pixels == self.version.pixels.0);
        let pixels = match stated {
            Some(n) => format!("the pixels are those of {}: {}", self.prefix(n), self.missing(n)),
            None => "the stated pixels come out after none of its steps".to_owned(),
        };
        let made = written_after(&stages, hash);
        let file = match made {
            Some(n) if n + 1 == stages.len() => "; its file is what the recipe gives".to_owned(),
            Some(n) if Some(n) == stated => "; so is its file".to_owned(),
            Some(n) => format!("; its file is that of {}", self.prefix(n)),
            None => self
                .other_file(&stages, file)
                .map_or(String::new(), |it| format!("; {it}")),
        };
        Ok(Judgement::False(Lie {
            differs: Differs::Pixels,
            step: stated.and_then(|n| self.step(n)),
            why: Some(pixels + &file),
        }))
    }

    fn another_file(
        &self,
        source: Picture,
        hash: &BlobHash,
        file: &dyn Fn() -> Option<Vec<u8>>,
        tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Judgement, VersionError> {
        let (stages, _) = self.stages(&source, tell)?;
        // Its memory may be needed for the file.
        drop(source);
        let made = written_after(&stages, hash);
        let why = match made {
            Some(n) => Some(format!(
                "its file is that of {}: {}",
                self.prefix(n),
                self.missing(n)
            )),
            None => self.other_file(&stages, file),
        };
        Ok(Judgement::False(Lie {
            differs: Differs::File,
            step: made.and_then(|n| self.step(n)),
            why,
        }))
    }

    /// What a file shows that none of the steps gives, if it is here.
    fn other_file(&self, stages: &[Stage], file: &dyn Fn() -> Option<Vec<u8>>) -> Option<String> {
        let bytes = file()?;
        let shown = match (self.decode)(&bytes) {
            Ok(picture) => picture.decoded.raster.pixel_hash(),
            Err(VersionError::Decode(DecodeError::File(error))) if error.code() != "too_large" => {
                return Some(format!("its file shows no picture: {error}"));
            }
            Err(_) => return None,
        };
        Some(match stages.iter().position(|stage| stage.pixels == shown) {
            Some(n) if n + 1 == stages.len() => {
                "its file shows the right pixels, written otherwise".to_owned()
            }
            _ if shown == self.version.pixels.0 => "its file shows just these pixels".to_owned(),
            Some(n) => format!("its file shows {}", self.prefix(n)),
            // The pixels of a JPEG are never those that went into it.
            None if self.version.encoder.starts_with(codec::ENCODER_JPEG) => {
                "its file is that of none of them".to_owned()
            }
            None => "its file shows another picture".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crdt::id::Digest;

    use super::super::import;
    use super::*;

    fn on(_: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// In this process, which is the test's.
    fn decode(file: &[u8]) -> Result<Picture, VersionError> {
        let decoded = codec::decode(file, &codec::Limits::default()).map_err(DecodeError::from)?;
        Ok(decoded.into())
    }

    /// A picture with some structure, as a file.
    fn source(media: Media) -> Vec<u8> {
        let samples = (0..20 * 14 * 3u32).map(|at| (at * at % 251) as u8).collect();
        let raster = Raster::new(20, 14, filters::Channels::Rgb, filters::Samples::U8(samples)).unwrap();
        codec::encode_as(media, &raster, &codec::Metadata::default())
            .unwrap()
            .bytes
    }

    /// The version that `recipe` makes of it, as its author would state it, and its file.
    fn honest(source: &[u8], recipe: &str) -> (Version, Vec<u8>) {
        let source_of = decode(source).unwrap().decoded;
        let exact = SelfTest::run();
        let made = import::make_version(&exact, &source_of, &recipe.parse().unwrap(), None, &mut on).unwrap();
        let version = Version {
            source: BlobHash(*blake3::hash(source).as_bytes()),
            recipe: recipe.to_owned(),
            pixel_engine: made.pixel_engine,
            encoder: made.encoder,
            pixels: Digest(made.pixels),
        };
        (version, made.bytes)
    }

    fn judged(source: &[u8], version: &Version, file: &[u8]) -> Judgement {
        let hash = BlobHash(*blake3::hash(file).as_bytes());
        judged_by(&SelfTest::default(), version, &hash, source, file)
    }

    fn judged_by(
        exact: &SelfTest,
        version: &Version,
        hash: &BlobHash,
        source: &[u8],
        file: &[u8],
    ) -> Judgement {
        judge(
            exact,
            (version, hash),
            source,
            &|| Some(file.to_vec()),
            &decode,
            &mut on,
        )
        .unwrap()
    }

    /// Bob states a recipe and sends what some of its steps make: what is missing is named, in the pixels that he
    /// states and in the file that he sends, each for itself.
    #[test]
    fn the_step_that_is_missing_is_named() {
        let source = source(Media::Png);
        let (version, file) = honest(&source, "grayscale+blur:2+invert");
        assert_eq!(judged(&source, &version, &file), Judgement::True);
        let check =
            |recipe: &str, pixels_of: &str, file_of: &str, differs, step: Option<(u64, &str)>, why: &str| {
                let (right, file) = honest(&source, recipe);
                let pixels = match pixels_of {
                    "" => Digest(decode(&source).unwrap().decoded.raster.pixel_hash()),
                    "right" => right.pixels,
                    other => honest(&source, other).0.pixels,
                };
                let file = if file_of == "right" {
                    file
                } else {
                    honest(&source, file_of).1
                };
                let lie = Judgement::False(Lie {
                    differs,
                    step: step.map(|(number, recipe)| Step {
                        number,
                        recipe: recipe.into(),
                    }),
                    why: Some(why.into()),
                });
                assert_eq!(judged(&source, &Version { pixels, ..right }, &file), lie);
            };
        let pixels = Differs::Pixels;
        let three = "grayscale+blur:2+invert";
        check(
            "grayscale+blur:2",
            "grayscale",
            "grayscale",
            pixels,
            Some((2, "blur:2")),
            "the pixels are those of grayscale: the step blur:2 is missing; so is its file",
        );
        check(
            three,
            "grayscale",
            "right",
            pixels,
            Some((2, "blur:2")),
            "the pixels are those of grayscale: the steps from blur:2 on are missing; its file is what the recipe gives",
        );
        check(
            three,
            "",
            "grayscale+blur:2",
            pixels,
            Some((1, "grayscale")),
            "the pixels are those of the source itself: none of its steps was done; its file is that of grayscale+blur:2",
        );
        check(
            "sepia",
            "",
            "invert",
            pixels,
            Some((1, "sepia")),
            "the pixels are those of the source itself: the step sepia is missing; its file shows another picture",
        );
        check(
            three,
            "sepia",
            "sepia",
            pixels,
            None,
            "the stated pixels come out after none of its steps; its file shows just these pixels",
        );
        check(
            three,
            "right",
            "grayscale+blur:2",
            Differs::File,
            Some((3, "invert")),
            "its file is that of grayscale+blur:2: the step invert is missing",
        );
        check(
            three,
            "right",
            "sepia",
            Differs::File,
            None,
            "its file shows another picture",
        );
    }

    /// Of a JPEG the pixels that went in cannot be read back: nothing is said that only they could tell. And a file
    /// that cannot be read says just that.
    #[test]
    fn what_a_file_shows_is_told_as_far_as_it_can_be_known() {
        let why = |judgement| match judgement {
            Judgement::False(lie) => lie.why.unwrap(),
            other => panic!("{other:?}"),
        };
        let jpeg = source(Media::Jpeg);
        let (version, file) = honest(&jpeg, "sepia");
        assert_eq!(judged(&jpeg, &version, &file), Judgement::True);
        let (_, other) = honest(&jpeg, "invert");
        assert_eq!(
            why(judged(&jpeg, &version, &other)),
            "its file is that of none of them"
        );
        assert!(why(judged(&jpeg, &version, &file[..40])).starts_with("its file shows no picture: "));
        let png = source(Media::Png);
        let (version, file) = honest(&png, "sepia");
        let raster = decode(&file).unwrap().decoded.raster;
        let same = codec::encode_as(Media::Png, &raster, &codec::Metadata::default()).unwrap();
        assert_eq!(
            why(judged(&png, &version, &same.bytes)),
            "its file shows the right pixels, written otherwise"
        );
        let hash = BlobHash([9; 32]);
        let exact = SelfTest::default();
        let away = judge(&exact, (&version, &hash), &png, &|| None, &decode, &mut on).unwrap();
        let lie = Lie {
            differs: Differs::File,
            step: None,
            why: None,
        };
        assert_eq!(away, Judgement::False(lie));
    }

    /// A step that this source has no room for is named; a source that is no picture made nothing.
    #[test]
    fn what_cannot_be_made_was_not_made() {
        let png = source(Media::Png);
        let (version, file) = honest(&png, "sepia");
        let recipe = |recipe: &str| Version {
            recipe: recipe.into(),
            ..version.clone()
        };
        let Judgement::False(lie) = judged(&png, &recipe("flip:h+crop:10,0,11,1+sepia"), &file) else {
            panic!("it cannot be made");
        };
        let step = Step {
            number: 2,
            recipe: "crop:10,0,11,1".into(),
        };
        assert_eq!((lie.differs, lie.step), (Differs::Recipe, Some(step)));
        let Judgement::False(lie) = judged(&png[..60], &version, &file) else {
            panic!("it has no source");
        };
        assert_eq!((lie.differs, lie.step), (Differs::Recipe, None));
    }

    /// A recipe, an engine or an encoder of another program, and what is too large for this one, are no lies.
    #[test]
    fn what_cannot_be_known_here_is_left_open() {
        let png = source(Media::Png);
        let (version, file) = honest(&png, "sepia");
        let (_, other) = honest(&png, "invert");
        let open = |version: Version, file: &[u8]| match judged(&png, &version, file) {
            Judgement::Unknown(why) => why,
            other => panic!("{other:?}"),
        };
        let pixels = Digest([0; 32]);
        let newer = Version {
            pixel_engine: "image-9/calotype-2".into(),
            pixels,
            ..version.clone()
        };
        assert!(open(newer, &file).contains("image-9/calotype-2"));
        let jpegs = Version {
            pixel_engine: codec::pixel_engine(Media::Jpeg),
            pixels,
            ..version.clone()
        };
        assert!(open(jpegs, &file).ends_with(&codec::pixel_engine(Media::Png)));
        let recipe = Version {
            recipe: "sepia+hologram:3".into(),
            ..version.clone()
        };
        assert!(open(recipe, &file).contains("hologram"));
        let large = Version {
            recipe: "resize:65535x65535".into(),
            ..version.clone()
        };
        assert!(open(large, &file).contains("too large"));
        let encoded = Version {
            encoder: "png-9".into(),
            ..version
        };
        assert!(open(encoded, &other).starts_with("its pixels are right"));
    }

    /// A decoder that did not come to an end says nothing about the version.
    #[test]
    fn a_decoder_that_fails_is_no_proof() {
        let png = source(Media::Png);
        let (version, file) = honest(&png, "sepia");
        let hash = BlobHash(*blake3::hash(&file).as_bytes());
        let judged = |error: DecodeError| {
            let fails = move |_: &[u8]| Err(VersionError::Decode(error.clone()));
            judge(
                &SelfTest::default(),
                (&version, &hash),
                &png,
                &|| None,
                &fails,
                &mut on,
            )
        };
        for error in [DecodeError::Memory, DecodeError::Time] {
            assert!(matches!(judged(error), Ok(Judgement::Unknown(_))));
        }
        for error in [
            DecodeError::Killed("signal 9".into()),
            DecodeError::Disbelieved("a lie"),
        ] {
            assert!(judged(error).is_err());
        }
    }

    /// A processor that rounds otherwise (a table with one other hash stands for it) offers nothing and calls nobody a liar.
    #[test]
    fn who_computes_otherwise_makes_nothing_and_judges_nobody() {
        let png = source(Media::Png);
        let (version, file) = honest(&png, "sepia");
        let lie = Version {
            pixels: Digest([1; 32]),
            ..version.clone()
        };
        let hash = BlobHash(*blake3::hash(&file).as_bytes());
        let mut kernels = filters::golden::GOLDEN.to_vec();
        kernels[1].1[0] ^= 1;
        let exact = SelfTest::against(&kernels, codec::GOLDEN_FILES);
        let why = "this processor or build computes otherwise than png-0.18.1/calotype-2: \
                   sepia of RGB comes out otherwise";
        for version in [&version, &lie] {
            assert_eq!(
                judged_by(&exact, version, &hash, &png, &file),
                Judgement::Unknown(why.into())
            );
        }
        let source_of = decode(&png).unwrap().decoded;
        let sepia: Recipe = "sepia".parse().unwrap();
        let made = import::make_version(&exact, &source_of, &sepia, None, &mut on);
        let refused = made.err().unwrap();
        assert_eq!(refused.to_string(), why);
        assert_eq!(
            crate::explain::Explained::code(&refused),
            crate::api::Code::Internal
        );

        // An encoder that writes otherwise: the pixels can be judged, the file cannot.
        let mut files = codec::GOLDEN_FILES.to_vec();
        for file in files.iter_mut().filter(|file| file.0 == Media::Webp) {
            file.3[0] ^= 1;
        }
        let exact = SelfTest::against(&[], &files);
        let other = BlobHash([9; 32]);
        assert!(matches!(judged_by(&exact, &version, &other, &png, &file),
            Judgement::Unknown(why) if why.starts_with("its pixels are right, but this processor")));
        assert!(matches!(
            judged_by(&exact, &lie, &hash, &png, &file),
            Judgement::False(_)
        ));
        assert!(import::make_version(&exact, &source_of, &sepia, None, &mut on).is_err());
    }

    /// What a program wrote that did not take titles over yet is true still, and made again as it was.
    #[test]
    fn a_version_from_before_titles_is_true() {
        let samples = filters::Samples::U8((0..20 * 14 * 3u32).map(|at| (at * at % 251) as u8).collect());
        let raster = Raster::new(20, 14, filters::Channels::Rgb, samples).unwrap();
        let titled = codec::Metadata {
            xmp: Some(b"<a dc:title='Hut'/>".to_vec()),
            ..codec::Metadata::default()
        };
        let jpeg = codec::encode_as(Media::Jpeg, &raster, &titled).unwrap().bytes;
        let (now, file) = honest(&jpeg, "sepia");
        assert_eq!(now.encoder, "jpeg-encoder-0.7.1/q92-444/meta-2");
        assert_eq!(judged(&jpeg, &now, &file), Judgement::True);
        let source_of = decode(&jpeg).unwrap().decoded;
        let (exact, sepia) = (SelfTest::default(), "sepia".parse().unwrap());
        let made =
            import::make_version(&exact, &source_of, &sepia, Some(codec::ENCODER_JPEG), &mut on).unwrap();
        assert_ne!(made.bytes, file);
        let before = Version {
            encoder: made.encoder,
            ..now.clone()
        };
        assert_eq!(before.encoder, codec::ENCODER_JPEG);
        assert_eq!(judged(&jpeg, &before, &made.bytes), Judgement::True);
        // Under the wrong name it is not what that program wrote.
        assert!(matches!(judged(&jpeg, &now, &made.bytes), Judgement::False(_)));
    }

    /// A finding stands for all that was stated, and for an engine and an encoder that are here.
    #[test]
    fn a_finding_stands_for_just_this_claim() {
        let png = source(Media::Png);
        let (version, file) = honest(&png, "sepia");
        let hash = BlobHash(*blake3::hash(&file).as_bytes());
        let mut findings = Findings::default();
        assert_eq!(findings.note(Claim::of(&version, &hash), true), None);
        assert_eq!(findings.get(&version, &hash), Some(true));
        assert_eq!(findings.get(&version, &BlobHash([0; 32])), None);
        let others: [fn(&mut Version); 5] = [
            |version| version.source = BlobHash([1; 32]),
            |version| version.recipe.push_str("+sepia"),
            |version| version.pixel_engine.push('0'),
            |version| version.encoder.push('0'),
            |version| version.pixels = Digest([1; 32]),
        ];
        for change in others {
            let mut other = version.clone();
            change(&mut other);
            assert_eq!(findings.get(&other, &hash), None);
        }
    }

    /// A member floods an album with versions: what is kept of them has an end, and the newest finding is kept.
    #[test]
    fn findings_have_an_end() {
        let mut findings = Findings::default();
        let claim = |number: usize| Claim(*blake3::hash(&number.to_le_bytes()).as_bytes());
        for number in 0..FINDINGS_MAX {
            assert_eq!(findings.note(claim(number), true), None);
        }
        let gone = findings.note(claim(FINDINGS_MAX), false).unwrap();
        assert_ne!(gone, claim(FINDINGS_MAX));
        assert_eq!(findings.0.len(), FINDINGS_MAX);
        assert_eq!(findings.0.get(&claim(FINDINGS_MAX)), Some(&false));
    }
}
