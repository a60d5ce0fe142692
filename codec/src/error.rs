//! Why a file could not be read as a picture.

use thiserror::Error;

use crate::Limits;

/// Why bytes did not become a picture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The content is that of no picture: empty, or something else.
    #[error("not an image: {found}")]
    NotAnImage {
        /// What it is instead, as far as can be said.
        found: String,
    },
    /// A picture, but of a kind that is not read.
    #[error("{what} is recognised, not supported yet")]
    Unsupported {
        /// The kind.
        what: String,
    },
    /// The header claims more pixels than [`Limits`] allow.
    #[error("the image is {width}x{height}, {bytes} bytes once decoded: above the limit of {limit}")]
    TooLarge {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
        /// What its pixels would take in memory.
        bytes: u64,
        /// The limit it breaks, in words.
        limit: String,
    },
    /// The file itself has more bytes than [`Limits`] allow.
    #[error("the file has {bytes} bytes: above the limit of {limit} bytes")]
    FileTooLarge {
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit: u64,
    },
    /// A picture that contradicts itself or ends too early, so that none can be shown.
    #[error("the {media} is damaged: {reason}")]
    Damaged {
        /// What it claims to be, such as `PNG`.
        media: &'static str,
        /// The decoder's words.
        reason: String,
    },
}

impl CodecError {
    /// The kind, for programs: `not_an_image`, `too_large` or `damaged`.
    pub fn code(&self) -> &'static str {
        match self {
            CodecError::NotAnImage { .. } | CodecError::Unsupported { .. } => "not_an_image",
            CodecError::TooLarge { .. } | CodecError::FileTooLarge { .. } => "too_large",
            CodecError::Damaged { .. } => "damaged",
        }
    }

    /// What to do about it: one line.
    pub fn hint(&self) -> &'static str {
        match self {
            CodecError::NotAnImage { .. } => "give a JPEG, PNG, GIF, WebP, BMP or TIFF file",
            CodecError::Unsupported { .. } => "export it as JPEG, PNG or WebP and add that",
            CodecError::TooLarge { .. } | CodecError::FileTooLarge { .. } => "scale it down and add that",
            CodecError::Damaged { .. } => "copy it again from where it came from",
        }
    }

    /// `Ok` if a picture of `width` × `height` and `bytes_per_pixel` is within `limits`.
    pub(crate) fn check_size(
        limits: &Limits,
        (width, height): (u32, u32),
        bytes_per_pixel: u64,
    ) -> Result<(), CodecError> {
        let pixels = u64::from(width) * u64::from(height);
        let bytes = pixels.saturating_mul(bytes_per_pixel);
        let too_large = |limit| {
            Err(CodecError::TooLarge {
                width,
                height,
                bytes,
                limit,
            })
        };
        if pixels > limits.pixels_max {
            return too_large(format!("{} pixels", limits.pixels_max));
        }
        if bytes > limits.decoded_bytes_max {
            return too_large(format!("{} decoded bytes", limits.decoded_bytes_max));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_at_the_limits_and_one_past_them() {
        let limits = Limits {
            pixels_max: 100,
            decoded_bytes_max: 300,
            file_bytes_max: 1,
        };
        assert_eq!(CodecError::check_size(&limits, (10, 10), 3), Ok(()));
        let pixels = CodecError::check_size(&limits, (101, 1), 1).unwrap_err();
        assert_eq!(
            pixels.to_string(),
            "the image is 101x1, 101 bytes once decoded: above the limit of 100 pixels"
        );
        let bytes = CodecError::check_size(&limits, (7, 11), 4).unwrap_err();
        assert_eq!(
            bytes.to_string(),
            "the image is 7x11, 308 bytes once decoded: above the limit of 300 decoded bytes"
        );
        assert!(CodecError::check_size(&limits, (u32::MAX, u32::MAX), 8).is_err());
    }
}
