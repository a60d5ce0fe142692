//! The few EXIF fields that matter, read and patched in place.
//!
//! EXIF is a TIFF: a header, then directories (IFDs) of 12-byte entries. Only what is needed is followed,
//! every offset is checked, and patching changes values without moving a byte, so that offsets inside maker
//! notes stay true. (EXIF 2.32, CIPA DC-008, §4.6.)

const GPS_IFD: u16 = 0x8825;
/// XMP, IPTC and Photoshop's resources, as TIFF files have them (and some EXIF blocks).
const XMP: u16 = 0x02bc;
const COPIES: [u16; 2] = [0x83bb, 0x8649];
/// Directories that are followed one after another: pages of a TIFF file.
const CHAIN_MAX: usize = 1000;
const ORIENTATION: u16 = 0x0112;
const EXIF_IFD: u16 = 0x8769;
const DATE_TIME_ORIGINAL: u16 = 0x9003;
const WIDTH_TAGS: [u16; 2] = [0x0100, 0xa002];
const HEIGHT_TAGS: [u16; 2] = [0x0101, 0xa003];
/// Where a thumbnail is and how long: as a JPEG, or as strips.
const THUMBNAIL_TAGS: [(u16, u16); 2] = [(0x0201, 0x0202), (0x0111, 0x0117)];

/// A TIFF structure.
#[derive(Clone, Copy)]
pub(crate) struct Exif<'a> {
    bytes: &'a [u8],
    little: bool,
}

/// One entry of a directory.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// Where its value (or the value's offset) is.
    at: usize,
}

const SHORT: u16 = 3;
const LONG: u16 = 4;
const ASCII: u16 = 2;

impl<'a> Exif<'a> {
    /// The structure in `bytes`, which some writers prefix with `Exif\0\0`.
    pub fn new(bytes: &'a [u8]) -> Option<Exif<'a>> {
        let bytes = strip_prefix(bytes);
        let little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Exif { bytes, little })
    }

    /// 1 to 8; 1 if it is missing or nonsense.
    pub fn orientation(&self) -> u8 {
        let entry = self.find(self.first_ifd(), ORIENTATION);
        let value = entry.and_then(|entry| self.number(&entry)).unwrap_or(1);
        if (1..=8).contains(&value) { value as u8 } else { 1 }
    }

    /// When the picture was taken, `YYYY-MM-DDTHH:MM:SS` in the camera's own time; `None` if that is no
    /// date.
    pub fn taken(&self) -> Option<String> {
        let ifd = self.number(&self.find(self.first_ifd(), EXIF_IFD)?)? as usize;
        let entry = self.find(ifd, DATE_TIME_ORIGINAL)?;
        if entry.kind != ASCII || !(19..=20).contains(&entry.count) {
            return None;
        }
        let at = self.u32(entry.at)? as usize;
        date(self.bytes.get(at..at.checked_add(19)?)?)
    }

    /// Whether there is another directory after the first: a thumbnail in EXIF, a page in a TIFF file.
    pub fn has_second_ifd(&self) -> bool {
        self.next_ifd(self.first_ifd()).is_some_and(|next| next != 0)
    }

    /// The block for a version of `width` × `height` pixels that stands upright: orientation 1, sizes
    /// patched, and the thumbnail wiped, since it would show the unfiltered picture.
    pub fn patched(&self, width: u32, height: u32) -> Vec<u8> {
        let mut out = self.bytes.to_vec();
        let first = self.first_ifd();
        let sub = self.find(first, EXIF_IFD).and_then(|entry| self.number(&entry));
        let entries = self
            .entries(first)
            .chain(sub.into_iter().flat_map(|at| self.entries(at as usize)));
        for entry in entries {
            match entry.tag {
                ORIENTATION => self.put(&mut out, &entry, 1),
                tag if WIDTH_TAGS.contains(&tag) => self.put(&mut out, &entry, width),
                tag if HEIGHT_TAGS.contains(&tag) => self.put(&mut out, &entry, height),
                _ => {}
            }
        }
        self.wipe_thumbnail(&mut out);
        out
    }

    /// The block without the place: the GPS directory wiped and unlinked, XMP without what it says of the place, IPTC and
    /// Photoshop's resources wiped and unlinked. Nothing moves but the entries behind one that goes.
    pub fn without_place(&self) -> Vec<u8> {
        let mut out = self.bytes.to_vec();
        let mut dirs = Vec::new();
        let mut next = Some(self.first_ifd());
        while let Some(at) = next.filter(|at| *at != 0 && !dirs.contains(at) && dirs.len() < CHAIN_MAX) {
            dirs.push(at);
            next = self.next_ifd(at);
        }
        for at in dirs.clone() {
            let sub = self.find(at, EXIF_IFD).and_then(|entry| self.number(&entry));
            dirs.extend(sub.map(|at| at as usize).filter(|at| !dirs.contains(at)));
        }
        // What the directories themselves take is never wiped, whatever a value claims.
        let kept: Vec<(usize, usize)> = dirs
            .iter()
            .filter_map(|at| Some((*at, self.link(*at)? + 4)))
            .collect();
        let wipe = |out: &mut Vec<u8>, from: usize, len: usize, with: u8| {
            let end = from.saturating_add(len).min(out.len());
            if from < end && from >= 8 && !kept.iter().any(|(a, b)| from < *b && *a < end) {
                out[from..end].fill(with);
            }
        };
        for dir in &dirs {
            let entries: Vec<Entry> = self.entries(*dir).collect();
            for (place, entry) in entries.iter().enumerate().rev() {
                if entry.tag == GPS_IFD {
                    if let Some(gps) = self.number(entry).map(|at| at as usize) {
                        for field in self.entries(gps) {
                            if let Some((at, len)) = self.value(&field) {
                                wipe(&mut out, at, len, 0);
                            }
                        }
                        let len = self.link(gps).map_or(2, |link| link + 4 - gps);
                        wipe(&mut out, gps, len, 0);
                    }
                } else if entry.tag == XMP {
                    if let Some((at, len)) = self.value(entry) {
                        let packet = &self.bytes[at..at + len];
                        let without =
                            crate::xmp::without(packet, crate::xmp::is_of_place).unwrap_or_default();
                        if without != packet {
                            wipe(&mut out, at, len, b' ');
                            if out[at..at + len].iter().all(|byte| *byte == b' ') {
                                out[at..at + without.len()].copy_from_slice(&without);
                            }
                        }
                    }
                    continue;
                } else if COPIES.contains(&entry.tag) {
                    if let Some((at, len)) = self.value(entry) {
                        wipe(&mut out, at, len, 0);
                    }
                } else {
                    continue;
                }
                self.unlink(&mut out, *dir, place);
            }
        }
        out
    }

    /// Where a value lies that is too long for its entry, and its bytes; `None` for one in the entry or outside the block.
    fn value(&self, entry: &Entry) -> Option<(usize, usize)> {
        let each: u64 = match entry.kind {
            1 | 2 | 6 | 7 => 1,
            SHORT | 8 => 2,
            LONG | 9 | 11 => 4,
            _ => 8,
        };
        let len = usize::try_from(each * u64::from(entry.count))
            .ok()
            .filter(|len| *len > 4)?;
        let at = self.u32(entry.at)? as usize;
        (at.checked_add(len)? <= self.bytes.len()).then_some((at, len))
    }

    /// Takes an entry out of a directory of `out`: those behind it and the link move up.
    fn unlink(&self, out: &mut [u8], dir: usize, place: usize) {
        let now = Exif {
            bytes: out,
            little: self.little,
        };
        let (Some(count), Some(link)) = (now.u16(dir), now.link(dir)) else {
            return;
        };
        let less = if self.little {
            (count - 1).to_le_bytes()
        } else {
            (count - 1).to_be_bytes()
        };
        let at = dir + 2 + place * 12;
        out.copy_within(at + 12..link + 4, at);
        out[link + 4 - 12..link + 4].fill(0);
        out[dir..dir + 2].copy_from_slice(&less);
    }

    fn wipe_thumbnail(&self, out: &mut [u8]) {
        let first = self.first_ifd();
        let Some(next) = self.next_ifd(first).filter(|next| *next != 0) else {
            return;
        };
        for (start, len) in THUMBNAIL_TAGS {
            let value = |tag| self.find(next, tag).and_then(|entry| self.number(&entry));
            if let (Some(start), Some(len)) = (value(start), value(len)) {
                let (start, end) = (start as usize, (start as usize).saturating_add(len as usize));
                let end = end.min(out.len());
                // A range that reaches into the directories is a lie: then it only gets unlinked.
                if let Some(thumbnail) = out.get_mut(start..end).filter(|_| start > next.max(first)) {
                    thumbnail.fill(0);
                }
            }
        }
        let link = self
            .link(first)
            .expect("the first directory has a link: it was followed just now");
        out[link..link + 4].fill(0);
    }

    fn first_ifd(&self) -> usize {
        self.u32(4).map_or(usize::MAX, |at| at as usize)
    }

    /// Position of the offset of the directory after the one at `ifd`.
    fn link(&self, ifd: usize) -> Option<usize> {
        let at = ifd.checked_add(2 + usize::from(self.u16(ifd)?) * 12)?;
        self.u32(at).map(|_| at)
    }

    fn next_ifd(&self, ifd: usize) -> Option<usize> {
        self.u32(self.link(ifd)?).map(|at| at as usize)
    }

    fn entries(&self, ifd: usize) -> impl Iterator<Item = Entry> {
        let count = usize::from(self.u16(ifd).unwrap_or(0));
        (0..count).map_while(move |i| {
            let at = ifd.checked_add(2 + i * 12)?;
            let (tag, kind, count) = (self.u16(at)?, self.u16(at + 2)?, self.u32(at + 4)?);
            self.u32(at + 8).map(|_| Entry {
                tag,
                kind,
                count,
                at: at + 8,
            })
        })
    }

    fn find(&self, ifd: usize, tag: u16) -> Option<Entry> {
        self.entries(ifd).find(|entry| entry.tag == tag)
    }

    /// The value of an entry that holds a single SHORT or LONG.
    fn number(&self, entry: &Entry) -> Option<u32> {
        match (entry.kind, entry.count) {
            (SHORT, 1) => self.u16(entry.at).map(u32::from),
            (LONG, 1) => self.u32(entry.at),
            _ => None,
        }
    }

    /// Overwrites the value of an entry that holds a single number, if `value` fits its type.
    fn put(&self, out: &mut [u8], entry: &Entry, value: u32) {
        match (entry.kind, entry.count) {
            (SHORT, 1) if value <= u32::from(u16::MAX) => {
                let value = value as u16;
                let bytes = if self.little {
                    value.to_le_bytes()
                } else {
                    value.to_be_bytes()
                };
                out[entry.at..entry.at + 2].copy_from_slice(&bytes);
            }
            (LONG, 1) => {
                let bytes = if self.little {
                    value.to_le_bytes()
                } else {
                    value.to_be_bytes()
                };
                out[entry.at..entry.at + 4].copy_from_slice(&bytes);
            }
            _ => {}
        }
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }
}

/// The TIFF structure without the prefix that JPEG demands and some WebP writers add too.
pub(crate) fn strip_prefix(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes)
}

/// `YYYY:MM:DD HH:MM:SS` to `YYYY-MM-DDTHH:MM:SS`, if such a day and time exist.
fn date(text: &[u8]) -> Option<String> {
    let shape = b"dddd:dd:dd dd:dd:dd";
    let fits = |(c, shape): (&u8, &u8)| {
        if *shape == b'd' {
            c.is_ascii_digit()
        } else {
            c == shape
        }
    };
    if text.len() != shape.len() || !text.iter().zip(shape).all(fits) {
        return None;
    }
    let number = |at: usize, len: usize| {
        text[at..at + len]
            .iter()
            .fold(0, |n, c| n * 10 + u32::from(c - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 2), number(8, 2));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let (hour, minute, second) = (number(11, 2), number(14, 2), number(17, 2));
    if year == 0 || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(date(text.as_bytes()).as_deref(), expect);
        check("2024:02:29 23:59:59", Some("2024-02-29T23:59:59"));
        check("2023:02:29 00:00:00", None);
        check("1900:02:29 00:00:00", None);
        check("2000:02:29 00:00:00", Some("2000-02-29T00:00:00"));
        check("0000:00:00 00:00:00", None);
        check("2024:13:01 00:00:00", None);
        check("2024:04:31 00:00:00", None);
        check("2024:04:30 24:00:00", None);
        check("2024-04-30 10:00:00", None);
        check("    :  :     :  :  ", None);
    }

    /// A camera's own notes point into the block by absolute offsets that nobody else understands: whatever is patched, wiped or
    /// unlinked around them, they stay where they were, byte for byte.
    #[test]
    fn maker_notes_do_not_move() {
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            let words = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
            [&words[..], &count.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let directory = |entries: &[Vec<u8>], next: u32| {
            let count = (entries.len() as u16).to_le_bytes();
            [&count[..], &entries.concat(), &next.to_le_bytes()].concat()
        };
        // Orientation, the directories of EXIF (50) and of the place (80), a second directory with a thumbnail (98).
        let first = [
            entry(ORIENTATION, SHORT, 1, 6),
            entry(EXIF_IFD, LONG, 1, 50),
            entry(GPS_IFD, LONG, 1, 80),
        ];
        let notes = [&b"Acme\0II*\0"[..], &128_u32.to_le_bytes(), b" see offset 141"].concat();
        let sub = [
            entry(WIDTH_TAGS[1], LONG, 1, 4000),
            entry(0x927c, 7, notes.len() as u32, 128),
        ];
        let second = [entry(0x0201, LONG, 1, 160), entry(0x0202, LONG, 1, 8)];
        let mut block = [&b"II*\0\x08\0\0\0"[..], &directory(&first, 98)].concat();
        block.resize(50, 0);
        block.extend(directory(&sub, 0));
        block.extend(directory(&[entry(1, ASCII, 2, u32::from(b'N'))], 0));
        block.extend(directory(&second, 0));
        assert_eq!(block.len(), 128);
        block.extend(&notes);
        block.resize(160, 0);
        block.extend(b"the face");
        let exif = Exif::new(&block).unwrap();
        let patched = exif.patched(30, 20);
        let without = Exif::new(&patched).unwrap().without_place();
        assert!(patched.ends_with(&[0; 8]) && without[80..98] == [0; 18]);
        for out in [&patched, &without] {
            let found = Exif::new(out).unwrap();
            assert_eq!((out.len(), found.orientation()), (block.len(), 1));
            assert_eq!(out[128..128 + notes.len()], notes);
            let entry = found.find(50, 0x927c).unwrap();
            assert_eq!(
                (found.u32(entry.at), entry.count),
                (Some(128), notes.len() as u32)
            );
            assert_eq!(found.number(&found.find(50, WIDTH_TAGS[1]).unwrap()), Some(30));
        }
    }

    #[test]
    fn nonsense_is_not_followed() {
        assert!(Exif::new(b"").is_none());
        assert!(Exif::new(b"Exif\0\0").is_none());
        for tail in [
            &b""[..],
            b"\xff\xff\xff\xff",
            b"\0\0\0\x08",
            b"\0\0\0\x08\xff\xff",
            b"\0\0\0\x00",
        ] {
            let bytes = [b"MM\0*", tail].concat();
            let exif = Exif::new(&bytes).unwrap();
            assert_eq!(exif.orientation(), 1);
            assert_eq!(exif.taken(), None);
            assert_eq!(exif.patched(5, 5), bytes);
        }
    }
}
