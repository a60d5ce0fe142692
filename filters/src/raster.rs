//! The picture every filter takes and gives: size, channels, samples of 8 or 16 bits.

use crate::error::FilterError;
use crate::limits::{PIXELS_MAX, SIDE_MAX};

/// Which channels a pixel has, in the order they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One luma sample.
    Gray,
    /// Luma, then alpha (not premultiplied).
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, then alpha (not premultiplied).
    Rgba,
}

impl Channels {
    /// Samples per pixel: 1, 2, 3 or 4.
    pub const fn count(self) -> usize {
        match self {
            Channels::Gray => 1,
            Channels::GrayAlpha => 2,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }

    /// Whether the last channel is alpha.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Channels::GrayAlpha | Channels::Rgba)
    }

    /// Samples per pixel that carry colour: all but alpha.
    pub const fn colors(self) -> usize {
        self.count() - self.has_alpha() as usize
    }

    /// The same without colour: alpha stays.
    pub const fn to_gray(self) -> Channels {
        if self.has_alpha() {
            Channels::GrayAlpha
        } else {
            Channels::Gray
        }
    }

    /// The same with colour: alpha stays.
    pub const fn to_rgb(self) -> Channels {
        if self.has_alpha() {
            Channels::Rgba
        } else {
            Channels::Rgb
        }
    }
}

/// The samples, row-major and interleaved: `height` rows of `width` pixels of `channels.count()` samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Samples {
    /// 8 bits each, full scale 255.
    U8(Vec<u8>),
    /// 16 bits each, full scale 65535, in the machine's own byte order.
    U16(Vec<u16>),
}

impl Samples {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(s) => s.len(),
            Samples::U16(s) => s.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bits per sample: 8 or 16.
    pub fn bits(&self) -> u8 {
        match self {
            Samples::U8(_) => 8,
            Samples::U16(_) => 16,
        }
    }
}

/// Size and channels of a picture, without its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pixels per row, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// What a pixel holds.
    pub channels: Channels,
}

impl Shape {
    /// Samples in one row.
    pub fn row_len(self) -> usize {
        self.width as usize * self.channels.count()
    }

    /// `Ok` if both sides and the area are within [`SIDE_MAX`] and [`PIXELS_MAX`] and none is zero.
    pub(crate) fn check(self) -> Result<(), FilterError> {
        let Shape { width, height, .. } = self;
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return Err(FilterError::Empty { width, height });
        }
        if width.max(height) > SIDE_MAX || pixels > PIXELS_MAX {
            return Err(FilterError::TooLarge { width, height });
        }
        Ok(())
    }
}

/// A decoded picture.
///
/// The fields are open so that codecs can move samples in and out; [`Recipe::apply`](crate::Recipe::apply)
/// checks that they agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What a pixel holds.
    pub channels: Channels,
    /// `width × height × channels.count()` samples.
    pub samples: Samples,
}

impl Raster {
    /// A raster whose sample count agrees with its size.
    ///
    /// # Errors
    /// [`FilterError::Empty`], [`FilterError::TooLarge`] or [`FilterError::SampleCount`].
    pub fn new(width: u32, height: u32, channels: Channels, samples: Samples) -> Result<Raster, FilterError> {
        let raster = Raster {
            width,
            height,
            channels,
            samples,
        };
        raster.check()?;
        Ok(raster)
    }

    /// Size and channels.
    pub fn shape(&self) -> Shape {
        Shape {
            width: self.width,
            height: self.height,
            channels: self.channels,
        }
    }

    /// Checks what [`Raster::new`] promises; the fields are open, so it can be broken later.
    pub(crate) fn check(&self) -> Result<(), FilterError> {
        let shape = self.shape();
        shape.check()?;
        let expected = shape.row_len() as u64 * u64::from(self.height);
        let found = self.samples.len() as u64;
        if expected != found {
            return Err(FilterError::SampleCount { expected, found });
        }
        Ok(())
    }

    /// BLAKE3 of the canonical pixels, the identity of a result on every machine:
    /// `"calotype pixels 1\n"`, width u32 LE, height u32 LE, channels u8 (1–4), bits u8 (8 or 16), then the
    /// rows from the top, 16-bit samples little-endian.
    pub fn pixel_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"calotype pixels 1\n");
        hasher.update(&self.width.to_le_bytes());
        hasher.update(&self.height.to_le_bytes());
        hasher.update(&[self.channels.count() as u8, self.samples.bits()]);
        match &self.samples {
            Samples::U8(samples) => {
                hasher.update(samples);
            }
            Samples::U16(samples) => {
                let mut bytes = [0_u8; 8192];
                for chunk in samples.chunks(bytes.len() / 2) {
                    for (pair, sample) in bytes.chunks_exact_mut(2).zip(chunk) {
                        pair.copy_from_slice(&sample.to_le_bytes());
                    }
                    hasher.update(&bytes[..chunk.len() * 2]);
                }
            }
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: [u8; 32]) -> String {
        hash.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn the_hash_is_of_the_documented_bytes() {
        let raster = Raster::new(2, 1, Channels::Gray, Samples::U16(vec![0x0102, 0xfffe])).unwrap();
        let mut bytes = b"calotype pixels 1\n".to_vec();
        bytes.extend([2, 0, 0, 0, 1, 0, 0, 0, 1, 16, 0x02, 0x01, 0xfe, 0xff]);
        assert_eq!(raster.pixel_hash(), *blake3::hash(&bytes).as_bytes());
        // More samples than one chunk: the split must not show.
        let samples: Vec<u16> = (0..10_000).map(|i| (i * 7) as u16).collect();
        let mut bytes = b"calotype pixels 1\n".to_vec();
        bytes.extend([0x10, 0x27, 0, 0, 1, 0, 0, 0, 1, 16]);
        bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
        let raster = Raster::new(10_000, 1, Channels::Gray, Samples::U16(samples)).unwrap();
        assert_eq!(raster.pixel_hash(), *blake3::hash(&bytes).as_bytes());
    }

    #[test]
    fn the_hash_is_frozen() {
        let raster = Raster::new(1, 1, Channels::Rgb, Samples::U8(vec![1, 2, 3])).unwrap();
        assert_eq!(
            hex(raster.pixel_hash()),
            "72ed12aa1ce84b5ea5ceb3957d42153c5eab2e3ffb289e169ad9f42c3457af83"
        );
    }

    #[test]
    fn size_channels_and_bits_are_part_of_the_hash() {
        let raster = |w, h, c, s| Raster::new(w, h, c, s).unwrap().pixel_hash();
        let hashes = [
            raster(4, 1, Channels::Gray, Samples::U8(vec![0; 4])),
            raster(1, 4, Channels::Gray, Samples::U8(vec![0; 4])),
            raster(2, 1, Channels::GrayAlpha, Samples::U8(vec![0; 4])),
            raster(1, 1, Channels::Rgba, Samples::U8(vec![0; 4])),
            raster(2, 1, Channels::Gray, Samples::U16(vec![0; 2])),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_raster_that_lies_about_its_size_is_refused() {
        assert_eq!(
            Raster::new(2, 2, Channels::Rgb, Samples::U8(vec![0; 11])),
            Err(FilterError::SampleCount {
                expected: 12,
                found: 11
            })
        );
        assert_eq!(
            Raster::new(0, 2, Channels::Rgb, Samples::U8(vec![])),
            Err(FilterError::Empty { width: 0, height: 2 })
        );
        let shape = |width, height| {
            Shape {
                width,
                height,
                channels: Channels::Gray,
            }
            .check()
        };
        assert_eq!(shape(10_000, 10_000), Ok(()));
        assert_eq!(
            shape(10_001, 10_000),
            Err(FilterError::TooLarge {
                width: 10_001,
                height: 10_000
            })
        );
        assert_eq!(shape(SIDE_MAX, 1), Ok(()));
        assert_eq!(
            shape(SIDE_MAX + 1, 1),
            Err(FilterError::TooLarge {
                width: SIDE_MAX + 1,
                height: 1
            })
        );
    }
}
