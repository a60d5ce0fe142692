//! Where a picture was taken, taken out of its file: EXIF's GPS directory, and what XMP and IPTC say of the place.
//!
//! Only metadata changes; the coded pixels stay byte for byte. What cannot be understood and could tell the place is left
//! out as a whole, and so is what follows the end of the picture (further pictures, a film). Maker notes are opaque and stay.

use crate::decode::Limits;
use crate::error::CodecError;
use crate::exif::{Exif, strip_prefix};
use crate::media::Media;
use crate::xmp;

/// EXIF in a JPEG begins with this.
const EXIF: &[u8] = b"Exif\0\0";
/// XMP in a JPEG, and its continuation (XMP part 3, §1.1.3).
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const XMP_MORE: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
/// Photoshop's resources in a JPEG; one of them holds IPTC.
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// The index of further pictures in a JPEG's file (CIPA DC-007).
const FURTHER: &[u8] = b"MPF\0";

/// The file without the place; `None` where it tells none.
///
/// # Errors
/// [`CodecError`]: no picture, too large, or its parts are not where it says.
pub fn without_location(bytes: &[u8], limits: &Limits) -> Result<Option<Vec<u8>>, CodecError> {
    let len = bytes.len() as u64;
    if len > limits.file_bytes_max {
        return Err(CodecError::FileTooLarge {
            bytes: len,
            limit: limits.file_bytes_max,
        });
    }
    let media = Media::sniff(bytes)?;
    let stripped = match media {
        Media::Jpeg => jpeg(bytes),
        Media::Png => png(bytes),
        Media::Webp => webp(bytes),
        Media::Tiff => Exif::new(bytes).map(|tiff| tiff.without_place()),
        Media::Gif => Some(gif(bytes)),
        Media::Bmp => Some(bytes.to_vec()),
    };
    let stripped = stripped.ok_or_else(|| CodecError::Damaged {
        media: media.name(),
        reason: "its parts are not where it says, so the location cannot be taken out".to_owned(),
    })?;
    Ok((stripped != bytes).then_some(stripped))
}

/// EXIF with or without the prefix that some files add; what is no EXIF tells nothing and goes.
fn exif(block: &[u8]) -> Vec<u8> {
    let inner = strip_prefix(block);
    let prefix = &block[..block.len() - inner.len()];
    Exif::new(block).map_or_else(Vec::new, |exif| [prefix, &exif.without_place()].concat())
}

/// Segments, each scan's data with its header (ITU-T T.81, annex B).
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..2)?.to_vec();
    let mut at = 2;
    loop {
        // Fill bytes before a marker are allowed.
        while *bytes.get(at)? == 0xff && *bytes.get(at + 1)? == 0xff {
            at += 1;
        }
        let marker = *bytes.get(at + 1)?;
        if bytes[at] != 0xff {
            return None;
        }
        if marker == 0xd9 {
            out.extend([0xff, 0xd9]);
            return Some(out);
        }
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            out.extend(&bytes[at..at + 2]);
            at += 2;
            continue;
        }
        let len = usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?));
        let body = bytes.get(at + 4..(at + 2).checked_add(len)?)?;
        if let Some(body) = segment(marker, body)
            && let Ok(len) = u16::try_from(body.len() + 2)
        {
            out.extend([0xff, marker]);
            out.extend(len.to_be_bytes());
            out.extend(body);
        }
        at += 2 + len;
        if marker == 0xda {
            let data = scan(&bytes[at..]);
            out.extend(&bytes[at..at + data]);
            at += data;
            if at == bytes.len() {
                // Cut off: what there is stays, and is marked as damaged by whoever decodes it.
                return Some(out);
            }
        }
    }
}

/// Bytes up to the next marker that is neither stuffing nor a restart.
fn scan(bytes: &[u8]) -> usize {
    let pairs = bytes.windows(2);
    let end = pairs
        .into_iter()
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff));
    end.unwrap_or(bytes.len())
}

/// A segment's body without the place; `None` where it goes as a whole.
fn segment(marker: u8, body: &[u8]) -> Option<Vec<u8>> {
    match marker {
        0xe1 if body.starts_with(EXIF) => Some(exif(body)).filter(|body| !body.is_empty()),
        0xe1 if body.starts_with(XMP) => {
            let kept = xmp::without(&body[XMP.len()..], xmp::is_of_place)?;
            Some([XMP, &kept].concat())
        }
        0xe1 if body.starts_with(XMP_MORE) => None,
        0xe2 if body.starts_with(FURTHER) => None,
        0xed if body.starts_with(PHOTOSHOP) => {
            let kept = resources(&body[PHOTOSHOP.len()..])?;
            Some([PHOTOSHOP, &kept].concat())
        }
        _ => Some(body.to_vec()),
    }
}

/// Photoshop's image resources: IPTC without the place, other copies of metadata and IPTC's checksum left out.
fn resources(bytes: &[u8]) -> Option<Vec<u8>> {
    const IPTC: u16 = 0x0404;
    const COPIES: [u16; 4] = [0x0422, 0x0423, 0x0424, 0x0425];
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let first = Resource::first(rest)?;
        let kept = if first.id == IPTC {
            iptc(first.data, is_of_place)?
        } else {
            first.data.to_vec()
        };
        if !COPIES.contains(&first.id) {
            out.extend(first.head);
            out.extend((kept.len() as u32).to_be_bytes());
            out.extend(&kept);
            out.extend([0].iter().take(kept.len() % 2));
        }
        rest = first.after;
    }
    Some(out)
}

/// One of Photoshop's resources.
struct Resource<'a> {
    id: u16,
    /// Its bytes before its length.
    head: &'a [u8],
    data: &'a [u8],
    /// What follows it.
    after: &'a [u8],
}

impl<'a> Resource<'a> {
    fn first(bytes: &'a [u8]) -> Option<Resource<'a>> {
        let id = u16::from_be_bytes(bytes.strip_prefix(b"8BIM")?.get(..2)?.try_into().ok()?);
        // A name with its length, and the data, each padded to even.
        let name = (usize::from(*bytes.get(6)?) + 1).next_multiple_of(2);
        let size = u32::from_be_bytes(bytes.get(6 + name..10 + name)?.try_into().ok()?) as usize;
        let data = bytes.get(10 + name..(10 + name).checked_add(size)?)?;
        let after = bytes.get((10 + name + size).next_multiple_of(2)..);
        Some(Resource {
            id,
            head: &bytes[..6 + name],
            data,
            after: after.unwrap_or_default(),
        })
    }
}

/// The data of the first resource with this id, if all before it is in order.
pub(crate) fn resource(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let first = Resource::first(rest)?;
        if first.id == wanted {
            return Some(first.data);
        }
        rest = first.after;
    }
}

/// Whether a data set of a record names a place (IPTC-IIM 4.2, §6).
fn is_of_place(record: u8, set: u8) -> bool {
    record == 2 && [26, 27, 90, 92, 95, 100, 101].contains(&set)
}

/// Data sets but those that `drop` names, by record and number.
pub(crate) fn iptc(bytes: &[u8], drop: impl Fn(u8, u8) -> bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let [0x1c, record, set, high, low, ..] = rest {
        // A length of more than 15 bits says how long the length is: nobody writes that for names.
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let whole = rest.get(..5 + len).filter(|_| *high < 0x80)?;
        if !drop(*record, *set) {
            out.extend(whole);
        }
        rest = &rest[5 + len..];
    }
    // Padding is all that may follow.
    rest.iter().all(|byte| *byte == 0).then_some(out)
}

/// Chunks up to the last one (PNG 3rd edition, §5).
fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..8)?.to_vec();
    let mut at = 8;
    loop {
        let len = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        let data = bytes.get(at + 8..(at + 8).checked_add(len)?)?;
        let whole = bytes.get(at..at + 12 + len)?;
        match chunk(kind, data) {
            Some(kept) if kept == data => out.extend(whole),
            Some(kept) => {
                out.extend((kept.len() as u32).to_be_bytes());
                let from = out.len();
                out.extend(kind);
                out.extend(kept);
                let sum = crc(&out[from..]);
                out.extend(sum.to_be_bytes());
            }
            None => {}
        }
        if kind == b"IEND" {
            return Some(out);
        }
        at += 12 + len;
    }
}

/// A chunk's data without the place; `None` where it goes as a whole.
fn chunk(kind: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let keyword = data.split(|byte| *byte == 0).next().unwrap_or_default();
    match kind {
        b"eXIf" => Some(exif(data)).filter(|data| !data.is_empty()),
        b"iTXt" if keyword == b"XML:com.adobe.xmp" => {
            // Keyword, not compressed, method, language, translated keyword.
            let head = data
                .get(..keyword.len() + 5)
                .filter(|head| head[keyword.len()..] == [0; 5])?;
            let kept = xmp::without(&data[head.len()..], xmp::is_of_place)?;
            Some([head, &kept].concat())
        }
        b"tEXt" | b"zTXt" | b"iTXt"
            if keyword.starts_with(b"Raw profile type ") || keyword.windows(3).any(|part| part == b"GPS") =>
        {
            None
        }
        _ => Some(data.to_vec()),
    }
}

/// CRC-32 as PNG has it (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

/// Chunks within the size that the header tells (WebP container specification).
fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    // Writers that lie a little are read by decoders, too.
    let end = size.checked_add(8)?.min(bytes.len());
    let mut out = bytes.get(..12)?.to_vec();
    let mut at = 12;
    while at + 8 <= end {
        let kind = &bytes[at..at + 4];
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().ok()?) as usize;
        let data = bytes.get(at + 8..(at + 8).checked_add(len)?)?;
        // What goes leaves an empty chunk: the header says that there is one.
        let kept = match kind {
            b"EXIF" => exif(data),
            b"XMP " => xmp::without(data, xmp::is_of_place).unwrap_or_default(),
            _ => data.to_vec(),
        };
        out.extend(kind);
        out.extend((kept.len() as u32).to_le_bytes());
        out.extend(&kept);
        out.extend([0].iter().take(kept.len() % 2));
        at += 8 + len.next_multiple_of(2);
    }
    let size = (out.len() - 8) as u32;
    out[4..8].copy_from_slice(&size.to_le_bytes());
    Some(out)
}

/// XMP stands in a GIF as it is; what goes leaves blanks.
fn gif(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let find = |from: usize, wanted: &[u8]| {
        let rest = bytes.get(from..)?;
        rest.windows(wanted.len())
            .position(|part| part == wanted)
            .map(|at| from + at)
    };
    let mut from = 0;
    while let Some(begin) = find(from, b"<x:xmpmeta") {
        let Some(end) = find(begin, b"</x:xmpmeta>").map(|at| at + 12) else {
            break;
        };
        let kept = xmp::without(&bytes[begin..end], xmp::is_of_place).unwrap_or_default();
        out[begin..begin + kept.len()].copy_from_slice(&kept);
        out[begin + kept.len()..end].fill(b' ');
        from = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metadata, decode, encode_as};
    use filters::{Channels, Raster, Samples};

    /// Degrees as EXIF writes them, to be found again by their bytes.
    const LATITUDE: &[u8] = b"LATITUDE degrees minutes";
    const XML: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:D dc:title='Hut' exif:GPSLatitude='46,1N'><p:City>Bern</p:City></r:D></x:xmpmeta>";
    const BARE: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:D dc:title='Hut'></r:D></x:xmpmeta>";

    /// An EXIF block: a maker, the place, an orientation; values at 100 and 110, the place's directory at 62.
    fn block(little: bool) -> Vec<u8> {
        let u16s = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let u32s = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            let short = [u16s(value as u16), [0; 2]].concat();
            let value = if kind == 3 { short } else { u32s(value).to_vec() };
            [&u16s(tag)[..], &u16s(kind), &u32s(count), &value].concat()
        };
        let header: &[u8] = if little { b"II*\0" } else { b"MM\0*" };
        let first = [
            entry(0x010f, 2, 5, 100),
            entry(0x0112, 3, 1, 6),
            entry(0x8825, 4, 1, 62),
            entry(0x9286, 2, 5, 100),
        ];
        let place = [
            entry(1, 2, 2, u32::from_be_bytes(*b"N\0\0\0")),
            entry(2, 5, 3, 110),
        ];
        let parts = [header, &u32s(8), &u16s(4), &first.concat(), &u32s(0), &[0, 0]].concat();
        let mut out = parts;
        out.resize(62, 0);
        out.extend([&u16s(2)[..], &place.concat(), &u32s(0)].concat());
        out.resize(100, 0);
        out.extend(b"Acme\0");
        out.resize(110, 0);
        out.extend(LATITUDE);
        out
    }

    fn picture() -> Raster {
        let samples = (0..16 * 8 * 3).map(|i| (i * 7) as u8).collect();
        Raster::new(16, 8, Channels::Rgb, Samples::U8(samples)).unwrap()
    }

    fn has(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    fn file(media: Media, exif: Vec<u8>) -> Vec<u8> {
        let metadata = Metadata {
            exif: Some(exif),
            ..Metadata::default()
        };
        encode_as(media, &picture(), &metadata).unwrap().bytes
    }

    /// What a stripped file must be: the same pixels, the maker and the title, and nothing of the place for another reader.
    fn check(bytes: &[u8], more: &[&[u8]]) -> Vec<u8> {
        let limits = Limits::default();
        let stripped = without_location(bytes, &limits)
            .unwrap()
            .expect("there is a place");
        for part in [LATITUDE, b"46,1N", b"Bern"].iter().chain(more) {
            assert!(!has(&stripped, part), "{}", part.escape_ascii());
        }
        let (before, after) = (
            decode(bytes, &limits).unwrap(),
            decode(&stripped, &limits).unwrap(),
        );
        assert_eq!(after.raster, before.raster);
        let block = after.metadata.exif.unwrap();
        let read = ::exif::Reader::new().read_raw(block).unwrap();
        assert!(
            read.get_field(::exif::Tag::GPSLatitude, ::exif::In::PRIMARY)
                .is_none()
        );
        let maker = read.get_field(::exif::Tag::Make, ::exif::In::PRIMARY).unwrap();
        assert_eq!(maker.display_value().to_string(), "\"Acme\"");
        assert_eq!(
            without_location(&stripped, &limits).unwrap(),
            None,
            "once is enough"
        );
        stripped
    }

    #[test]
    fn exif_loses_the_place_and_nothing_else_moves() {
        for little in [true, false] {
            let before = block(little);
            let read = ::exif::Reader::new().read_raw(before.clone()).unwrap();
            assert!(
                read.get_field(::exif::Tag::GPSLatitude, ::exif::In::PRIMARY)
                    .is_some()
            );
            let after = Exif::new(&before).unwrap().without_place();
            assert_eq!((after.len(), &after[100..105]), (before.len(), &b"Acme\0"[..]));
            assert!(!has(&after, LATITUDE) && after[62..100].iter().all(|byte| *byte == 0));
            let exif = Exif::new(&after).unwrap();
            assert_eq!(exif.orientation(), 6);
            assert_eq!(exif.without_place(), after);
        }
        // A place whose directory is the first one itself: unlinked, and the directory stays.
        let mut twisted = block(true);
        twisted[8 + 2 + 24 + 8] = 8;
        let after = Exif::new(&twisted).unwrap().without_place();
        assert_eq!(Exif::new(&after).unwrap().orientation(), 6);
    }

    #[test]
    fn jpegs_lose_every_kind_of_place() {
        let plain = file(Media::Jpeg, Vec::new());
        let segment = |marker: u8, body: &[u8]| {
            let len = (body.len() as u16 + 2).to_be_bytes();
            [&[0xff, marker][..], &len, body].concat()
        };
        let set = |number: u8, text: &[u8]| {
            [&[0x1c, 2, number][..], &(text.len() as u16).to_be_bytes(), text].concat()
        };
        let sets = [set(5, b"Hut"), set(90, b"Bern"), set(101, b"Swiss")].concat();
        let resource = |id: u16, data: &[u8]| {
            let len = (data.len() as u32).to_be_bytes();
            let pad = vec![0; data.len() % 2];
            [&b"8BIM"[..], &id.to_be_bytes(), &[0, 0], &len, data, &pad].concat()
        };
        let resources = [
            resource(0x0404, &sets),
            resource(0x0425, b"sum"),
            resource(0x03ed, b"res"),
        ]
        .concat();
        let parts = [
            &plain[..2],
            &segment(0xe1, &[EXIF, &block(false)].concat()),
            &segment(0xe1, &[XMP, XML.as_bytes()].concat()),
            &segment(0xe1, &[XMP_MORE, &[b'0'; 40], b"more"].concat()),
            &segment(0xed, &[PHOTOSHOP, &resources].concat()),
            &plain[2..],
            b"\xff\xd8 another picture, taken at LATITUDE",
        ];
        let stripped = check(&parts.concat(), &[b"Swiss", XMP_MORE, b"another"]);
        assert!(has(&stripped, BARE.as_bytes()) && has(&stripped, b"Hut") && has(&stripped, b"res"));
        assert!(
            stripped.ends_with(&plain[plain.len() - 40..]),
            "the coded pixels are as they were"
        );
        // Resources that cannot be read go as a whole.
        let torn = segment(0xed, &[PHOTOSHOP, b"8BIM\x04\x04\0\0\0\0\0\x09Bern"].concat());
        let torn = [&plain[..2], &torn, &plain[2..]].concat();
        assert_eq!(
            without_location(&torn, &Limits::default()).unwrap(),
            Some(plain.clone())
        );
        assert_eq!(without_location(&plain, &Limits::default()).unwrap(), None);
    }

    #[test]
    fn pngs_and_webps_lose_the_place() {
        let png = file(Media::Png, block(true));
        let chunk = |kind: &[u8], data: &[u8]| {
            let body = [kind, data].concat();
            [
                &(data.len() as u32).to_be_bytes()[..],
                &body,
                &crc(&body).to_be_bytes(),
            ]
            .concat()
        };
        let xmp = [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], XML.as_bytes()].concat();
        // Behind the header, whose chunk ends at 33.
        let parts = [
            &png[..33],
            &chunk(b"iTXt", &xmp),
            &chunk(b"zTXt", b"Raw profile type exif\0\0Bern"),
            &png[33..],
        ];
        let stripped = check(&parts.concat(), &[b"Raw profile"]);
        assert!(has(&stripped, BARE.as_bytes()));
        assert_eq!(crc(b"IEND"), 0xae42_6082, "as in every PNG");

        let webp = file(Media::Webp, block(false));
        let odd = XML.len() % 2;
        let chunk = [
            &b"XMP "[..],
            &(XML.len() as u32).to_le_bytes(),
            XML.as_bytes(),
            &vec![0; odd],
        ]
        .concat();
        let mut both = [&webp[..], &chunk].concat();
        let size = (both.len() - 8) as u32;
        both[4..8].copy_from_slice(&size.to_le_bytes());
        let stripped = check(&both, &[]);
        assert!(has(&stripped, BARE.as_bytes()));
    }

    /// Cut anywhere and with any byte changed: an error or a file, never a panic, and no more than was there.
    #[test]
    fn torn_files_are_errors_or_files() {
        let limits = Limits::default();
        for media in [Media::Jpeg, Media::Png, Media::Webp] {
            let whole = file(media, block(true));
            for end in 0..whole.len() {
                let _ = without_location(&whole[..end], &limits);
            }
            for at in 0..whole.len().min(400) {
                for value in [0, 0x7f, 0xff] {
                    let mut changed = whole.clone();
                    changed[at] = value;
                    if let Ok(Some(stripped)) = without_location(&changed, &limits) {
                        assert!(stripped.len() <= changed.len() + 1, "{media:?} {at}");
                    }
                }
            }
        }
        for little in [true, false] {
            let whole = block(little);
            for at in 0..whole.len() {
                for value in [0, 8, 0x62, 0xff] {
                    let mut changed = whole.clone();
                    changed[at] = value;
                    if let Some(exif) = Exif::new(&changed) {
                        assert_eq!(exif.without_place().len(), changed.len());
                    }
                }
            }
        }
        let short = Limits {
            file_bytes_max: 9,
            ..limits
        };
        assert!(matches!(
            without_location(&[0xff; 10], &short),
            Err(CodecError::FileTooLarge { bytes: 10, limit: 9 })
        ));
    }
}
