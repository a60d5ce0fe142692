//! What a file is, by its first bytes.

use crate::error::CodecError;

/// The kinds of file that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Media {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/gif`
    Gif,
    /// `image/webp`
    Webp,
    /// `image/bmp`
    Bmp,
    /// `image/tiff`
    Tiff,
}

impl Media {
    /// All of them.
    pub const ALL: [Media; 6] = [
        Media::Jpeg,
        Media::Png,
        Media::Gif,
        Media::Webp,
        Media::Bmp,
        Media::Tiff,
    ];

    /// The media type: `image/jpeg`.
    pub const fn mime(self) -> &'static str {
        match self {
            Media::Jpeg => "image/jpeg",
            Media::Png => "image/png",
            Media::Gif => "image/gif",
            Media::Webp => "image/webp",
            Media::Bmp => "image/bmp",
            Media::Tiff => "image/tiff",
        }
    }

    /// The media of a media type, if it is one that is read.
    pub fn from_mime(mime: &str) -> Option<Media> {
        Media::ALL.into_iter().find(|media| media.mime() == mime)
    }

    /// The usual ending of a file's name, without the point: `jpg`.
    pub const fn extension(self) -> &'static str {
        match self {
            Media::Jpeg => "jpg",
            Media::Png => "png",
            Media::Gif => "gif",
            Media::Webp => "webp",
            Media::Bmp => "bmp",
            Media::Tiff => "tif",
        }
    }

    /// The name people use: `JPEG`.
    pub const fn name(self) -> &'static str {
        match self {
            Media::Jpeg => "JPEG",
            Media::Png => "PNG",
            Media::Gif => "GIF",
            Media::Webp => "WebP",
            Media::Bmp => "BMP",
            Media::Tiff => "TIFF",
        }
    }

    /// What the content is.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] for pictures of other kinds, [`CodecError::NotAnImage`] for the rest.
    pub fn sniff(bytes: &[u8]) -> Result<Media, CodecError> {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        let riff = |kind: &[u8]| starts(b"RIFF") && bytes.get(8..12) == Some(kind);
        if let Some(what) = unsupported(bytes) {
            return Err(CodecError::Unsupported {
                what: what.to_owned(),
            });
        }
        if starts(&[0xff, 0xd8, 0xff]) {
            Ok(Media::Jpeg)
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            Ok(Media::Png)
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            Ok(Media::Gif)
        } else if riff(b"WEBP") {
            Ok(Media::Webp)
        } else if starts(b"BM") && bytes.len() >= 26 {
            Ok(Media::Bmp)
        } else if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
            Ok(Media::Tiff)
        } else {
            let found = match bytes {
                [] => "the file is empty (0 bytes)".to_owned(),
                _ => {
                    let head: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
                    format!("{} bytes that begin with {}", bytes.len(), head.join(" "))
                }
            };
            Err(CodecError::NotAnImage { found })
        }
    }
}

/// Pictures and films of kinds that are known but not read.
fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match bytes.get(8..12)? {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => "HEIC",
            b"avif" | b"avis" => "AVIF",
            b"crx " => "camera RAW (CR3)",
            _ => "video (MP4)",
        });
    }
    let raw_tiff = starts(b"II*\0") && bytes.get(8..10) == Some(b"CR");
    let known: [(bool, &str); 13] = [
        (raw_tiff, "camera RAW (CR2)"),
        (starts(b"FUJIFILMCCD-RAW"), "camera RAW (RAF)"),
        (starts(b"IIU\0"), "camera RAW (RW2)"),
        (
            starts(b"IIRO") || starts(b"IIRS") || starts(b"MMOR"),
            "camera RAW (ORF)",
        ),
        (starts(b"\0\0\0\x0cJXL ") || starts(&[0xff, 0x0a]), "JPEG XL"),
        (starts(b"\0\0\0\x0cjP  "), "JPEG 2000"),
        (starts(b"8BPS"), "Photoshop (PSD)"),
        (starts(&[0, 0, 1, 0]) && bytes.len() > 22, "icon (ICO)"),
        (starts(b"%PDF-"), "PDF"),
        (starts(b"<svg") || starts(b"<?xml"), "SVG"),
        (starts(b"\x1a\x45\xdf\xa3"), "video (Matroska)"),
        (
            starts(b"RIFF") && bytes.get(8..12) == Some(b"AVI "),
            "video (AVI)",
        ),
        (starts(b"qoif"), "QOI"),
    ];
    known.into_iter().find(|(is, _)| *is).map(|(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_foreign_content_is_named() {
        let message = |bytes: &[u8]| Media::sniff(bytes).unwrap_err().to_string();
        assert_eq!(message(b""), "not an image: the file is empty (0 bytes)");
        assert_eq!(message(b"hi\n"), "not an image: 3 bytes that begin with 68 69 0a");
        assert_eq!(
            message(b"\0\0\0\x18ftypheic\0\0\0\0"),
            "HEIC is recognised, not supported yet"
        );
        assert_eq!(
            Media::sniff(b"\0\0\0\x18ftyp").unwrap_err().code(),
            "not_an_image"
        );
    }

    #[test]
    fn media_types_come_back() {
        for media in Media::ALL {
            assert_eq!(Media::from_mime(media.mime()), Some(media));
        }
        assert_eq!(Media::from_mime("image/heic"), None);
    }
}
