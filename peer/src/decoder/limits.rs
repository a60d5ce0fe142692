//! What one decoding may take: of a file, of the machine, of time.

use std::time::Duration;

/// Address space of a decoder beside the file and the pixels: the program itself, its stack, tables, PNG's texts.
const BASE_BYTES: u64 = 256 << 20;
/// How many times the size of the decoded samples a decoder may take: the decoder's own planes (a progressive JPEG's
/// coefficients are twice the samples), then the samples and the same turned upright.
const PICTURES: u64 = 4;
/// Processor time of a decoder, in seconds. The largest pictures take some seconds on a slow machine.
const CPU_SECONDS: u64 = 30;
/// How long a decoder may take to say what a file is, and then for its pixels; only time in which this process ran counts.
const PATIENCE: Duration = Duration::from_secs(90);

/// Bytes of decoded pictures that are admitted at once: twice the largest, so that any picture is admitted alone.
pub const ADMITTED_BYTES: u64 = 1 << 30;
/// How many times its decoded samples a picture counts: its pixels, and what is made of them.
pub const ADMITTED_TIMES: u64 = 2;
/// Decoders at work at once, on a machine with more processors.
pub const AT_ONCE_MAX: usize = 4;
/// Most bytes of what a decoder says of a file: its header, what is wrong with it.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Most bytes of an EXIF block or a colour profile; larger ones are left out.
pub const METADATA_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a preview.
pub const PREVIEW_BYTES_MAX: u64 = 4 << 20;
/// Longest text that is taken from a decoder, in characters.
pub const TEXT_MAX: usize = 300;
/// Most remarks on a picture.
pub const NOTES_MAX: usize = 8;
/// Pixels travel in pieces of so many bytes, the last first; what was sent is given back.
pub const PIECE_BYTES: usize = 1 << 20;

/// What one decoding may take; the default everywhere but in tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much a file may claim.
    pub codec: codec::Limits,
    /// Address space beside file and pixels, bytes.
    pub base_bytes: u64,
    /// Processor time, seconds.
    pub cpu_seconds: u64,
    /// Time until the header is told, and then until the pixels are.
    pub patience: Duration,
}

/// [`codec::Limits`], 256 MiB beside file and pixels, 30 s of a processor, twice 90 s.
impl Default for Limits {
    fn default() -> Self {
        Limits {
            codec: codec::Limits::default(),
            base_bytes: BASE_BYTES,
            cpu_seconds: CPU_SECONDS,
            patience: PATIENCE,
        }
    }
}

impl Limits {
    /// Address space while the header of a file of `file` bytes is read.
    pub(super) fn before_header(&self, file: u64) -> u64 {
        self.base_bytes.saturating_add(file)
    }

    /// Address space for a picture of `decoded` bytes in a file of `file`.
    pub(super) fn after_header(&self, file: u64, decoded: u64) -> u64 {
        self.before_header(file)
            .saturating_add(decoded.saturating_mul(PICTURES))
    }
}
