//! What a TIFF's directory claims, checked before the decoder believes it: the decoder makes room for a list of values,
//! 32 bytes for each, from its count alone (TIFF 6.0, §2; BigTIFF, the Library of Congress's fdd000328).

/// Most values of one entry that the decoder reads: strips, tiles, colours.
const VALUES_MAX: u64 = 65_536;
/// Most bytes of a colour profile.
const PROFILE_BYTES_MAX: u64 = 1 << 19;
/// Most entries of a directory; a BigTIFF may claim 2^64.
const ENTRIES_MAX: u64 = 65_535;

const PROFILE: u16 = 34_675;
/// Other people's blocks, which nobody here reads: XMP, IPTC, Photoshop's two, EXIF's maker note.
const UNREAD: [u16; 5] = [700, 33_723, 34_377, 37_724, 37_500];

/// Whether each entry of the first directory lies in the file and is no longer than what is read of it; else why not.
pub(crate) fn check_directory(bytes: &[u8]) -> Result<(), String> {
    let Some(directory) = Directory::new(bytes) else {
        return Err("its directory lies outside the file".to_owned());
    };
    for entry in 0..directory.count {
        let Some((tag, kind, count)) = directory.entry(entry) else {
            return Err("its directory ends early".to_owned());
        };
        let len = count.saturating_mul(size_of(kind));
        if len > bytes.len() as u64 {
            return Err(format!(
                "entry {tag} claims {len} bytes, the file has {}",
                bytes.len()
            ));
        }
        let most = match tag {
            PROFILE => PROFILE_BYTES_MAX,
            tag if UNREAD.contains(&tag) => u64::MAX,
            _ => VALUES_MAX,
        };
        if count > most {
            return Err(format!("entry {tag} has {count} values, more than {most}"));
        }
    }
    Ok(())
}

/// Bytes of one value of a type; of an unknown one, as few as can be.
fn size_of(kind: u16) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

/// The first directory of a TIFF.
struct Directory<'a> {
    bytes: &'a [u8],
    little: bool,
    big: bool,
    at: usize,
    count: u64,
}

impl<'a> Directory<'a> {
    fn new(bytes: &'a [u8]) -> Option<Directory<'a>> {
        let (little, big) = match bytes.get(..4)? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return None,
        };
        let mut directory = Directory {
            bytes,
            little,
            big,
            at: 0,
            count: 0,
        };
        let start = directory.number(if big { 8 } else { 4 }, if big { 8 } else { 4 })?;
        let start = usize::try_from(start).ok()?;
        let width = if big { 8 } else { 2 };
        directory.count = directory.number(start, width)?.min(ENTRIES_MAX);
        directory.at = start.checked_add(width)?;
        Some(directory)
    }

    /// Tag, type and count of an entry.
    fn entry(&self, entry: u64) -> Option<(u16, u16, u64)> {
        let len = if self.big { 20 } else { 12 };
        let at = self
            .at
            .checked_add(usize::try_from(entry).ok()?.checked_mul(len)?)?;
        let short = |at| Some(self.number(at, 2)? as u16);
        let count = self.number(at + 4, if self.big { 8 } else { 4 })?;
        Some((short(at)?, short(at + 2)?, count))
    }

    /// An unsigned number of so many bytes.
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let step = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.little {
            bytes.iter().rev().fold(0, step)
        } else {
            bytes.iter().fold(0, step)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of one entry and what lies behind it.
    fn tiff(big: bool, tag: u16, kind: u16, count: u64, rest: usize) -> Vec<u8> {
        let mut out = Vec::new();
        if big {
            out.extend(b"MM\0+\0\x08\0\0");
            out.extend(16u64.to_be_bytes());
            out.extend(1u64.to_be_bytes());
        } else {
            out.extend(b"MM\0*");
            out.extend(8u32.to_be_bytes());
            out.extend(1u16.to_be_bytes());
        }
        out.extend(tag.to_be_bytes());
        out.extend(kind.to_be_bytes());
        match big {
            true => out.extend(count.to_be_bytes()),
            false => out.extend((count as u32).to_be_bytes()),
        }
        out.resize(out.len() + if big { 16 } else { 8 } + rest, 0);
        out
    }

    #[test]
    fn lists_at_their_limits_and_one_past_them() {
        for big in [false, true] {
            let check =
                |tag, kind, count, rest: u64| check_directory(&tiff(big, tag, kind, count, rest as usize));
            assert_eq!(check(273, 4, VALUES_MAX, 4 * VALUES_MAX), Ok(()));
            assert!(check(273, 4, VALUES_MAX + 1, 4 * VALUES_MAX + 4).is_err());
            assert_eq!(check(PROFILE, 7, PROFILE_BYTES_MAX, PROFILE_BYTES_MAX), Ok(()));
            assert!(check(PROFILE, 7, PROFILE_BYTES_MAX + 1, PROFILE_BYTES_MAX + 1).is_err());
            // Nobody here reads XMP: it may be long, but must be there.
            assert_eq!(
                check(700, 1, PROFILE_BYTES_MAX * 2, PROFILE_BYTES_MAX * 2),
                Ok(())
            );
            assert!(check(700, 1, u64::from(u32::MAX), 0).is_err());
        }
        let whole = tiff(false, 256, 3, 1, 0).len() as u64;
        assert_eq!(check_directory(&tiff(false, 256, 2, whole, 0)), Ok(()));
        assert!(check_directory(&tiff(false, 256, 2, whole + 1, 0)).is_err());
    }

    #[test]
    fn directories_that_are_not_there_are_said_to_be_damaged() {
        let whole = tiff(true, 256, 16, u64::MAX, 0);
        assert!(check_directory(&whole).is_err());
        for len in 0..whole.len() - 16 {
            assert!(check_directory(&whole[..len]).is_err(), "cut to {len}");
        }
        let mut far = tiff(true, 256, 3, 1, 0);
        far[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        assert!(check_directory(&far).is_err());
    }
}
