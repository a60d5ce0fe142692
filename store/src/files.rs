//! The few things that every part of the store does with files: durable renames, disk-full, hex names.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::Hash;

/// Mode of the home and every folder in it.
pub(crate) const DIR_MODE: u32 = 0o700;
/// Mode of every file in the home.
pub(crate) const FILE_MODE: u32 = 0o600;

/// Lower-case hex of a hash: its file name.
pub fn hex(hash: &Hash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    hash.iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|d| DIGITS[usize::from(d)] as char)
        .collect()
}

/// The hash that 64 lower-case hex digits name; `None` for anything else.
pub fn unhex(text: &str) -> Option<Hash> {
    fn digit(d: u8) -> Option<u8> {
        match d {
            b'0'..=b'9' => Some(d - b'0'),
            b'a'..=b'f' => Some(d - b'a' + 10),
            _ => None,
        }
    }
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(hash)
}

/// Creates a folder with mode 0700, or gives an existing one that mode.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(DIR_MODE).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.permissions().mode() & 0o777 != DIR_MODE {
                fs::set_permissions(path, fs::Permissions::from_mode(DIR_MODE))?;
            }
            Ok(())
        }
        other => other,
    }
}

/// Makes the names in a folder durable: without it a rename may vanish in a power cut.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether the disk, or the user's share of it, is full.
pub(crate) fn is_full(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Removes a file; one that is not there is as good as removed.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways_and_takes_nothing_else() {
        let hash: Hash = std::array::from_fn(|i| (i * 37) as u8);
        let text = hex(&hash);
        assert_eq!(unhex(&text), Some(hash));
        for wrong in [
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}0"),
            &text.replace('0', "g"),
            "../x",
        ] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
