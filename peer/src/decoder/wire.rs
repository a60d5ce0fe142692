//! What a decoder and the process that started it say to each other. Both ends are the same file, so there are no
//! versions; but one of them may have been taken over by a hostile picture, so nothing it says is used unchecked.
//!
//! To the decoder, in its arguments: [`ARGUMENT`] and the limits; on its standard input: what is wanted, the file's length and bytes,
//! and, once the picture's memory is admitted, one byte [`GO`]. From it: a frame with the header or an error; after [`GO`] a
//! frame with [`Rest`] or an error, the EXIF block, the profile, the preview, the samples in pieces from the last to the first.

use codec::{CodecError, Media, Probe};
use filters::Channels;
use serde::{Deserialize, Serialize};

use super::limits::{
    ANSWER_BYTES_MAX, Limits, METADATA_BYTES_MAX, NOTES_MAX, PIECE_BYTES, PREVIEW_BYTES_MAX, TEXT_MAX,
};

/// The first argument of the program that makes it a decoder. It is no command and no help shows it.
pub const ARGUMENT: &str = "__decode";
/// The pixels may be decoded.
pub const GO: u8 = b'!';

/// What is wanted of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The pixels, and what is carried over to versions.
    Pixels,
    /// Only whether it can be decoded, and a preview.
    Preview,
    /// Only a preview, from as little of the file as will do.
    Glance,
}

impl Want {
    pub(super) fn byte(self) -> u8 {
        match self {
            Want::Pixels => b'p',
            Want::Preview => b'v',
            Want::Glance => b'g',
        }
    }

    pub(super) fn of(byte: u8) -> Option<Want> {
        [Want::Pixels, Want::Preview, Want::Glance]
            .into_iter()
            .find(|want| want.byte() == byte)
    }
}

/// The limits as arguments.
pub fn arguments(limits: &Limits) -> [String; 5] {
    let codec = &limits.codec;
    [
        codec.pixels_max,
        codec.decoded_bytes_max,
        codec.file_bytes_max,
        limits.base_bytes,
        limits.cpu_seconds,
    ]
    .map(|number| number.to_string())
}

/// The limits of these arguments. Patience is the other side's.
pub fn limits(arguments: &[String]) -> Option<Limits> {
    let numbers: Option<Vec<u64>> = arguments.iter().map(|text| text.parse().ok()).collect();
    let [
        pixels_max,
        decoded_bytes_max,
        file_bytes_max,
        base_bytes,
        cpu_seconds,
    ] = numbers?[..]
    else {
        return None;
    };
    Some(Limits {
        codec: codec::Limits {
            pixels_max,
            decoded_bytes_max,
            file_bytes_max,
        },
        base_bytes,
        cpu_seconds,
        ..Limits::default()
    })
}

/// A frame: an answer, or why there is none.
pub type Answer<T> = Result<T, Wrong>;

/// The bytes of a frame: its length as a little-endian number of four bytes, then JSON.
pub fn frame<T: Serialize>(answer: &Answer<T>) -> Vec<u8> {
    let json = serde_json::to_vec(answer).expect("plain data has a JSON text");
    let len = u32::try_from(json.len()).expect("answers are short");
    [&len.to_le_bytes()[..], &json].concat()
}

/// How long the frame is that begins so.
pub fn frame_len(head: [u8; 4]) -> Result<usize, &'static str> {
    match u32::from_le_bytes(head) as usize {
        len if len <= ANSWER_BYTES_MAX => Ok(len),
        _ => Err("an answer that is too long"),
    }
}

/// The answer in a frame.
pub fn answer<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<Answer<T>, &'static str> {
    serde_json::from_slice(json).map_err(|_| "an answer in other words")
}

/// A header, as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    media: String,
    width: u32,
    height: u32,
    decoded_bytes: u64,
    orientation: u8,
    frames_ignored: bool,
    taken: Option<String>,
}

impl Head {
    pub fn new(probe: &Probe) -> Head {
        Head {
            media: probe.media.mime().to_owned(),
            width: probe.width,
            height: probe.height,
            decoded_bytes: probe.decoded_bytes,
            orientation: probe.orientation,
            frames_ignored: probe.frames_ignored,
            taken: probe.taken.clone(),
        }
    }

    /// What it says, if a picture within `limits` can be so.
    pub fn checked(self, limits: &Limits) -> Result<Probe, &'static str> {
        let media = Media::from_mime(&self.media).ok_or("a kind of file that is not read")?;
        let pixels = u64::from(self.width) * u64::from(self.height);
        if pixels == 0 || pixels > limits.codec.pixels_max {
            return Err("a size outside the limits");
        }
        // One to four channels of one or two bytes.
        let (least, most) = (
            pixels,
            pixels.saturating_mul(8).min(limits.codec.decoded_bytes_max),
        );
        if !(least..=most).contains(&self.decoded_bytes) {
            return Err("a decoded size that cannot be");
        }
        if !(1..=8).contains(&self.orientation) {
            return Err("an orientation that does not exist");
        }
        Ok(Probe {
            media,
            width: self.width,
            height: self.height,
            decoded_bytes: self.decoded_bytes,
            orientation: self.orientation,
            frames_ignored: self.frames_ignored,
            taken: self.taken.filter(|time| is_time(time)),
        })
    }
}

/// `YYYY-MM-DDTHH:MM:SS`.
fn is_time(text: &str) -> bool {
    let form = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(found, form): (u8, &u8)| match form {
        b'd' => found.is_ascii_digit(),
        form => found == *form,
    };
    text.len() == form.len() && text.bytes().zip(form).all(fits)
}

/// What follows the header: lengths of what comes, and words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    pub damaged: Option<String>,
    pub notes: Vec<String>,
    pub exif: Option<u64>,
    pub icc: Option<u64>,
    pub xmp: Option<u64>,
    pub iptc: Option<u64>,
    pub preview: Option<u64>,
    /// Channels of a pixel and bits of a sample; none where the pixels are not wanted.
    pub pixels: Option<(u8, u8)>,
    /// Most memory that the decoder had, bytes.
    pub peak_bytes: Option<u64>,
}

/// Samples that may be allocated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub channels: Channels,
    /// Whether samples have 16 bits.
    pub deep: bool,
    /// How many there are.
    pub samples: usize,
}

impl Rest {
    /// Its lengths within their limits, its words made harmless.
    pub fn checked(mut self, want: Want) -> Result<Rest, &'static str> {
        if [self.exif, self.icc, self.xmp, self.iptc]
            .into_iter()
            .flatten()
            .any(|len| len > METADATA_BYTES_MAX)
        {
            return Err("metadata beyond the limit");
        }
        if self.preview.is_some_and(|len| len > PREVIEW_BYTES_MAX) {
            return Err("a preview beyond the limit");
        }
        let pixels = want == Want::Pixels;
        if (self.preview.is_some(), self.pixels.is_some()) != (!pixels, pixels) {
            return Err("something else than was asked for");
        }
        self.damaged = self.damaged.as_deref().map(harmless);
        self.notes.truncate(NOTES_MAX);
        for note in &mut self.notes {
            *note = harmless(note);
        }
        Ok(self)
    }

    /// How the samples lie, if that is what the header said: nothing is allocated by any other size.
    pub fn layout(&self, probe: &Probe) -> Result<Option<Layout>, &'static str> {
        let Some((channels, bits)) = self.pixels else {
            return Ok(None);
        };
        let channels = match channels {
            1 => Channels::Gray,
            2 => Channels::GrayAlpha,
            3 => Channels::Rgb,
            4 => Channels::Rgba,
            _ => return Err("pixels with an unknown number of channels"),
        };
        if bits != 8 && bits != 16 {
            return Err("samples with an unknown number of bits");
        }
        let samples = u64::from(probe.width) * u64::from(probe.height) * channels.count() as u64;
        if samples * u64::from(bits / 8) != probe.decoded_bytes {
            return Err("another number of pixels than its header said");
        }
        Ok(Some(Layout {
            channels,
            deep: bits == 16,
            samples: usize::try_from(samples).map_err(|_| "more pixels than there is room for")?,
        }))
    }
}

/// The pieces in which `len` bytes travel: from the last to the first, each but the first sent of [`PIECE_BYTES`].
pub fn pieces(len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let starts = (0..len).step_by(PIECE_BYTES).rev();
    starts.map(move |start| start..(start + PIECE_BYTES).min(len))
}

/// A [`CodecError`], as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Wrong {
    NotAnImage {
        found: String,
    },
    Unsupported {
        what: String,
    },
    TooLarge {
        width: u32,
        height: u32,
        bytes: u64,
        limit: String,
    },
    FileTooLarge {
        bytes: u64,
        limit: u64,
    },
    Damaged {
        media: String,
        reason: String,
    },
}

impl From<CodecError> for Wrong {
    fn from(error: CodecError) -> Wrong {
        match error {
            CodecError::NotAnImage { found } => Wrong::NotAnImage { found },
            CodecError::Unsupported { what } => Wrong::Unsupported { what },
            CodecError::TooLarge {
                width,
                height,
                bytes,
                limit,
            } => Wrong::TooLarge {
                width,
                height,
                bytes,
                limit,
            },
            CodecError::FileTooLarge { bytes, limit } => Wrong::FileTooLarge { bytes, limit },
            CodecError::Damaged { media, reason } => Wrong::Damaged {
                media: media.to_owned(),
                reason,
            },
        }
    }
}

impl From<Wrong> for CodecError {
    fn from(wrong: Wrong) -> CodecError {
        match wrong {
            Wrong::NotAnImage { found } => CodecError::NotAnImage {
                found: harmless(&found),
            },
            Wrong::Unsupported { what } => CodecError::Unsupported {
                what: harmless(&what),
            },
            Wrong::TooLarge {
                width,
                height,
                bytes,
                limit,
            } => CodecError::TooLarge {
                width,
                height,
                bytes,
                limit: harmless(&limit),
            },
            Wrong::FileTooLarge { bytes, limit } => CodecError::FileTooLarge { bytes, limit },
            Wrong::Damaged { media, reason } => CodecError::Damaged {
                media: Media::ALL
                    .into_iter()
                    .map(Media::name)
                    .find(|name| *name == media)
                    .unwrap_or("picture"),
                reason: harmless(&reason),
            },
        }
    }
}

/// A decoder's words on one line and not endless.
fn harmless(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(width: u32, height: u32, decoded_bytes: u64) -> Head {
        Head {
            media: "image/png".into(),
            width,
            height,
            decoded_bytes,
            orientation: 1,
            frames_ignored: false,
            taken: None,
        }
    }

    /// Each number of a header at its limit and one past it.
    #[test]
    fn a_header_is_believed_within_the_limits_only() {
        let mut limits = Limits::default();
        limits.codec.pixels_max = 100;
        limits.codec.decoded_bytes_max = 700;
        let believed = |head: Head| head.checked(&limits).is_ok();
        assert!(believed(head(10, 10, 100)) && believed(head(10, 10, 700)));
        assert!(!believed(head(10, 10, 99)) && !believed(head(10, 10, 701)));
        assert!(!believed(head(101, 1, 101)) && !believed(head(0, 10, 0)));
        assert!(believed(head(1, 1, 8)) && !believed(head(1, 1, 9)));
        assert!(!believed(head(u32::MAX, u32::MAX, u64::MAX)));
        for orientation in 0..=9 {
            let turned = Head {
                orientation,
                ..head(1, 1, 1)
            };
            assert_eq!(believed(turned), (1..=8).contains(&orientation));
        }
        let of = |media: &str| Head {
            media: media.into(),
            ..head(1, 1, 1)
        };
        assert!(believed(of("image/jpeg")) && !believed(of("image/heic")));
        let taken = |text: &str| Head {
            taken: Some(text.into()),
            ..head(1, 1, 1)
        };
        let told = |text: &str| taken(text).checked(&limits).unwrap().taken;
        assert_eq!(
            told("2021-05-06T07:08:09").as_deref(),
            Some("2021-05-06T07:08:09")
        );
        assert_eq!(told("2021-05-06T07:08:0\u{1b}"), None);
        assert_eq!(told("2021-05-06T07:08:091"), None);
    }

    /// Nothing is allocated by a size that the header did not tell.
    #[test]
    fn what_follows_must_be_what_was_announced() {
        let probe = head(10, 10, 600).checked(&Limits::default()).unwrap();
        let layout = |pixels| {
            let rest = Rest {
                pixels: Some(pixels),
                ..Rest::default()
            };
            rest.layout(&probe).ok().flatten()
        };
        let announced = Layout {
            channels: Channels::Rgb,
            deep: true,
            samples: 300,
        };
        assert_eq!(layout((3, 16)), Some(announced));
        for other in [(3, 8), (4, 16), (2, 16), (0, 16), (5, 16), (6, 8), (3, 15)] {
            assert_eq!(layout(other), None, "{other:?}");
        }
    }

    #[test]
    fn lengths_and_words_keep_their_limits() {
        let pixels = Rest {
            pixels: Some((1, 8)),
            ..Rest::default()
        };
        let preview = |len| Rest {
            preview: Some(len),
            ..Rest::default()
        };
        assert!(preview(PREVIEW_BYTES_MAX).checked(Want::Preview).is_ok());
        assert!(preview(PREVIEW_BYTES_MAX + 1).checked(Want::Preview).is_err());
        assert!(preview(1).checked(Want::Glance).is_ok());
        assert!(preview(1).checked(Want::Pixels).is_err());
        assert!(pixels.clone().checked(Want::Pixels).is_ok());
        assert!(pixels.clone().checked(Want::Preview).is_err());
        for (len, fits) in [(METADATA_BYTES_MAX, true), (METADATA_BYTES_MAX + 1, false)] {
            for of in 0..4 {
                let block = |block| (block == of).then_some(len);
                let rest = Rest {
                    exif: block(0),
                    icc: block(1),
                    xmp: block(2),
                    iptc: block(3),
                    ..pixels.clone()
                };
                assert_eq!(rest.checked(Want::Pixels).is_ok(), fits);
            }
        }
        let wordy = Rest {
            damaged: Some("\u{1b}".repeat(TEXT_MAX + 1)),
            notes: vec!["ok".into(); NOTES_MAX + 1],
            ..pixels
        };
        let told = wordy.checked(Want::Pixels).unwrap();
        assert_eq!(told.damaged, Some(" ".repeat(TEXT_MAX)));
        assert_eq!(told.notes.len(), NOTES_MAX);
        assert!(frame_len((ANSWER_BYTES_MAX as u32).to_le_bytes()).is_ok());
        assert!(frame_len((ANSWER_BYTES_MAX as u32 + 1).to_le_bytes()).is_err());
    }

    #[test]
    fn pieces_cover_all_from_the_end() {
        let of = |len| pieces(len).collect::<Vec<_>>();
        assert!(of(0).is_empty());
        assert!(of(PIECE_BYTES).into_iter().eq(std::iter::once(0..PIECE_BYTES)));
        assert_eq!(
            of(PIECE_BYTES + 2),
            [PIECE_BYTES..PIECE_BYTES + 2, 0..PIECE_BYTES]
        );
    }

    #[test]
    fn limits_and_errors_come_over() {
        let told = Limits {
            base_bytes: 3,
            cpu_seconds: 4,
            ..Limits::default()
        };
        assert_eq!(limits(&arguments(&told)), Some(told));
        assert_eq!(limits(&arguments(&told)[1..]), None);
        let errors = [
            CodecError::NotAnImage { found: "x".into() },
            CodecError::Unsupported { what: "x".into() },
            CodecError::TooLarge {
                width: 1,
                height: 2,
                bytes: 3,
                limit: "x".into(),
            },
            CodecError::FileTooLarge { bytes: 1, limit: 2 },
            CodecError::Damaged {
                media: "WebP",
                reason: "x".into(),
            },
        ];
        for error in errors {
            assert_eq!(CodecError::from(Wrong::from(error.clone())), error);
        }
    }
}
