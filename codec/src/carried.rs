//! What a version takes over of its source's words: title, description, keywords and rights, as XMP and IPTC have them.
//!
//! Read of a file as they stand there; written without what would no longer be true: orientation and sizes, pictures of
//! the unfiltered photo, and references to parts that are left behind. What is not understood, or longer than one segment of
//! a JPEG, is not taken over. All of it follows from the source's bytes alone, so every peer writes the same.

use crate::{location, xmp};

/// Most bytes of an XMP packet that is taken over: what one segment of a JPEG holds (XMP part 3, §1.1.3).
pub(crate) const XMP_BYTES_MAX: usize = 65_533 - XMP.len();
/// The same of IPTC's data sets, beside the frame of Photoshop's resource.
pub(crate) const IPTC_BYTES_MAX: usize = 65_533 - PHOTOSHOP.len() - 13;

/// Before XMP in a JPEG.
pub(crate) const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Before Photoshop's resources in a JPEG.
pub(crate) const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// The resource that holds IPTC, without a name.
const IPTC: &[u8] = b"8BIM\x04\x04\0\0";

/// The XMP packet and IPTC's data sets in a JPEG's headers, within their limits.
pub(crate) fn of_jpeg(bytes: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut xmp, mut iptc) = (None, None);
    for (marker, body) in segments(bytes) {
        if let Some(packet) = body.strip_prefix(XMP).filter(|_| marker == 0xe1 && xmp.is_none()) {
            xmp = Some(packet.to_vec());
        } else if let Some(resources) = body
            .strip_prefix(PHOTOSHOP)
            .filter(|_| marker == 0xed && iptc.is_none())
        {
            iptc = location::resource(resources, 0x0404).map(<[u8]>::to_vec);
        }
    }
    (
        xmp.filter(|xmp| xmp.len() <= XMP_BYTES_MAX),
        iptc.filter(|iptc| iptc.len() <= IPTC_BYTES_MAX),
    )
}

/// Segments up to the first scan, or as far as they can be followed.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        while *bytes.get(at)? == 0xff && *bytes.get(at + 1)? == 0xff {
            at += 1;
        }
        let marker = *bytes.get(at + 1).filter(|_| bytes[at] == 0xff)?;
        if matches!(marker, 0x01 | 0xd0..=0xda) {
            return None;
        }
        let len = usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?));
        let body = bytes.get(at + 4..at + 2 + len)?;
        at += 2 + len;
        Some((marker, body))
    })
}

/// A packet as a version has it.
pub(crate) fn xmp_of_version(packet: &[u8]) -> Option<Vec<u8>> {
    let untrue = |name: &str| {
        let local = name.rsplit(':').next().unwrap_or(name);
        [
            "Orientation",
            "ImageWidth",
            "ImageLength",
            "PixelXDimension",
            "PixelYDimension",
            "Thumbnails",
            "HasExtendedXMP",
        ]
        .contains(&local)
    };
    let fits = packet.len() <= XMP_BYTES_MAX;
    fits.then(|| xmp::without(packet, untrue)).flatten()
}

/// Data sets as a version has them: previews and pictures within are of the unfiltered photo (IPTC-IIM 4.2, §§ 7 to 9).
pub(crate) fn iptc_of_version(sets: &[u8]) -> Option<Vec<u8>> {
    let fits = sets.len() <= IPTC_BYTES_MAX;
    let picture = |record, set| matches!((record, set), (2, 200..=202) | (7..=9, _));
    fits.then(|| location::iptc(sets, picture)).flatten()
}

/// A JPEG's segment of IPTC.
pub(crate) fn iptc_segment(sets: &[u8]) -> Vec<u8> {
    let padding = &[0][..sets.len() % 2];
    [PHOTOSHOP, IPTC, &(sets.len() as u32).to_be_bytes(), sets, padding].concat()
}

#[cfg(test)]
mod tests {
    use filters::{Channels, Raster, Samples};

    use super::*;
    use crate::{
        Decoded, ENCODER_JPEG, ENCODER_PNG, ENCODER_WEBP, Limits, Media, Metadata, decode, encode_version,
        encode_version_by, without_location,
    };

    /// As a photo manager writes it: a title and a place, how the picture lies, how it looked.
    const PACKET: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:D tiff:Orientation='6' dc:title='Hut in the fog' \
        xmpNote:HasExtendedXMP='AB'><xmp:Thumbnails>/9j/ the unfiltered face</xmp:Thumbnails><p:City>Bern</p:City></r:D></x:xmpmeta>";

    /// A data set of IPTC.
    fn set(record: u8, number: u8, value: &[u8]) -> Vec<u8> {
        [
            &[0x1c, record, number][..],
            &(value.len() as u16).to_be_bytes(),
            value,
        ]
        .concat()
    }

    fn sets() -> Vec<u8> {
        [
            set(2, 5, b"Hut"),
            set(2, 90, b"Bern"),
            set(2, 202, b"the unfiltered face"),
            set(8, 10, b"more of it"),
        ]
        .concat()
    }

    fn picture(deep: bool) -> Raster {
        let samples = (0..16 * 8 * 3).map(|i: u16| i.wrapping_mul(77));
        let samples = if deep {
            Samples::U16(samples.collect())
        } else {
            Samples::U8(samples.map(|sample| sample as u8).collect())
        };
        Raster::new(16, 8, Channels::Rgb, samples).unwrap()
    }

    /// A JPEG with these segments; Photoshop's resources hold another one before IPTC.
    fn photo(xmp: &[u8], iptc: &[u8]) -> Vec<u8> {
        let plain = encode_version(&picture(false), Media::Jpeg, &Metadata::default())
            .unwrap()
            .bytes;
        let mut resources = [PHOTOSHOP, b"8BIM\x03\xed\x03dpi\0\0\0\x03abc\0"].concat();
        resources.extend(&iptc_segment(iptc)[PHOTOSHOP.len()..]);
        let mut out = plain[..2].to_vec();
        for (marker, body) in [(0xe1, [XMP, xmp].concat()), (0xed, resources)] {
            out.extend([0xff, marker]);
            out.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
            out.extend(body);
        }
        out.extend(&plain[2..]);
        out
    }

    fn read(file: &[u8]) -> Decoded {
        decode(file, &Limits::default()).unwrap()
    }

    fn has(bytes: &[u8], part: &str) -> bool {
        bytes.windows(part.len()).any(|window| window == part.as_bytes())
    }

    /// A photo with a title is filtered: the version has the title, in whichever kind of file, but nothing that speaks of the
    /// photo as it lay and looked before.
    #[test]
    fn a_version_keeps_its_title() {
        let metadata = read(&photo(PACKET.as_bytes(), &sets())).metadata;
        assert_eq!(metadata.xmp.as_deref(), Some(PACKET.as_bytes()));
        assert_eq!(metadata.iptc, Some(sets()));
        for (deep, source, plain) in [
            (false, Media::Jpeg, ENCODER_JPEG),
            (false, Media::Png, ENCODER_WEBP),
            (true, Media::Png, ENCODER_PNG),
        ] {
            let version = encode_version(&picture(deep), source, &metadata).unwrap();
            assert_eq!(version.encoder, format!("{plain}/meta-2"));
            let again = read(&version.bytes).metadata;
            let packet = String::from_utf8(again.xmp.unwrap()).unwrap();
            assert!(
                packet.contains("dc:title='Hut in the fog'") && packet.contains("Bern"),
                "{packet}"
            );
            for part in ["Orientation", "unfiltered face", "HasExtendedXMP"] {
                assert!(!has(&version.bytes, part), "{part}");
            }
            let jpeg = source == Media::Jpeg;
            assert_eq!(
                again.iptc,
                jpeg.then(|| [set(2, 5, b"Hut"), set(2, 90, b"Bern")].concat())
            );
            // A version of the version takes over the same.
            let twice = read(
                &encode_version(&picture(deep), source, &read(&version.bytes).metadata)
                    .unwrap()
                    .bytes,
            );
            assert_eq!(twice.metadata.xmp.as_deref(), Some(packet.as_bytes()));
        }
    }

    /// Who strips the place shares none with versions either.
    #[test]
    fn no_place_comes_back_with_a_version() {
        let stripped = without_location(&photo(PACKET.as_bytes(), &sets()), &Limits::default());
        let source = read(&stripped.unwrap().expect("there is a place"));
        let version = encode_version(&source.raster, Media::Jpeg, &source.metadata).unwrap();
        assert!(has(&version.bytes, "Hut in the fog") && has(&version.bytes, "\x02\x05\0\x03Hut"));
        assert!(!has(&version.bytes, "Bern"));
    }

    /// Versions made before words were taken over are made again as they were, and without words nothing has changed.
    #[test]
    fn what_was_written_before_is_written_again() {
        let metadata = read(&photo(PACKET.as_bytes(), &sets())).metadata;
        let plain = Metadata {
            xmp: None,
            iptc: None,
            ..metadata.clone()
        };
        for (deep, source, id) in [
            (false, Media::Jpeg, ENCODER_JPEG),
            (false, Media::Png, ENCODER_WEBP),
            (true, Media::Png, ENCODER_PNG),
        ] {
            let before = encode_version(&picture(deep), source, &plain).unwrap();
            assert_eq!(before.encoder, id);
            assert_eq!(
                encode_version_by(id, &picture(deep), source, &metadata).unwrap(),
                before
            );
            let now = encode_version(&picture(deep), source, &metadata).unwrap();
            assert_eq!(
                encode_version_by(now.encoder, &picture(deep), source, &metadata).unwrap(),
                now
            );
            assert_ne!(now, before);
        }
    }

    #[test]
    fn words_at_their_limits_and_one_past_them() {
        let packet = |len: usize| format!("<a>{}</a>", "x".repeat(len - 7)).into_bytes();
        let sets = |len: usize| {
            [
                set(2, 120, &[b'x'; 30_000]),
                set(2, 120, &[b'x'; 30_000]),
                set(2, 120, &vec![b'x'; len - 60_015]),
            ]
            .concat()
        };
        for (over, fits) in [(0, true), (1, false)] {
            let (xmp, iptc) = (packet(XMP_BYTES_MAX + over), sets(IPTC_BYTES_MAX + over));
            assert_eq!(
                (xmp.len(), iptc.len()),
                (XMP_BYTES_MAX + over, IPTC_BYTES_MAX + over)
            );
            let metadata = Metadata {
                xmp: Some(xmp),
                iptc: Some(iptc),
                ..Metadata::default()
            };
            for (source, both) in [(Media::Jpeg, true), (Media::Png, false)] {
                let version = encode_version(&picture(false), source, &metadata).unwrap();
                let found = read(&version.bytes).metadata;
                assert_eq!(
                    (found.xmp.is_some(), found.iptc.is_some()),
                    (fits, fits && both),
                    "{source:?}"
                );
            }
        }
        // A WebP holds more than is taken over.
        let mut bytes = Vec::new();
        let mut writer = image_webp::WebPEncoder::new(&mut bytes);
        writer.set_xmp_metadata(packet(XMP_BYTES_MAX + 1));
        writer
            .encode(&[7; 12], 2, 2, image_webp::ColorType::Rgb8)
            .unwrap();
        assert_eq!(read(&bytes).metadata.xmp, None);
    }

    /// What is no such text, or data that is not as it says, is left behind; the picture is there.
    #[test]
    fn what_is_not_understood_is_left_behind() {
        for (xmp, iptc) in [
            (&b"<a><b></a></b>"[..], &b"\x1c\x02\x05\xff\xffHut"[..]),
            (b"\xff\xfe<\0", b"Hut"),
            (b"<a b=c/>", b"\x1c\x02\x05\0\x09Hut"),
        ] {
            let source = read(&photo(xmp, iptc));
            assert!(source.metadata.xmp.is_some() && source.metadata.iptc.is_some());
            let version = encode_version(&source.raster, Media::Jpeg, &source.metadata).unwrap();
            assert_eq!(version.encoder, ENCODER_JPEG);
            let found = read(&version.bytes).metadata;
            assert_eq!((found.xmp, found.iptc), (None, None));
        }
        // Headers that end in the middle.
        let photo = photo(PACKET.as_bytes(), &sets());
        for cut in 2..700 {
            of_jpeg(&photo[..cut]);
        }
    }
}
