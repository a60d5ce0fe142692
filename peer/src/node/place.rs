//! Where a node's sockets are: a private folder named after the home, short enough for socket paths.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Longest path a local socket may have (`sun_path` without its final zero).
const SOCKET_PATH_BYTES_MAX: usize = 104;

/// The folder for the sockets of this home's node: in `$XDG_RUNTIME_DIR`, else under `/tmp`.
pub fn runtime_dir(home: &Path) -> PathBuf {
    let home = std::fs::canonicalize(home).unwrap_or_else(|_| home.to_path_buf());
    let hash = blake3::hash(home.as_os_str().as_bytes()).to_hex();
    let name = format!("calotype-{}", &hash[..8]);
    // 24 bytes are left for the sockets' own names.
    let given = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_dir());
    match given.map(|dir| dir.join(&name)) {
        Some(dir) if dir.as_os_str().len() + 24 <= SOCKET_PATH_BYTES_MAX => dir,
        _ => {
            let user = rustix::process::getuid().as_raw();
            PathBuf::from(format!("/tmp/{name}-{user}"))
        }
    }
}

/// Where the control socket of this home's node is, whether or not one runs.
pub fn control_path(home: &Path) -> PathBuf {
    runtime_dir(home).join("control")
}

/// Makes the folder, 0700; refuses one that is another's or open to others, since whoever owns it owns the node.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = std::fs::symlink_metadata(dir)?;
    let ours = meta.is_dir() && meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 == 0;
    if ours {
        return Ok(());
    }
    let why = format!("{} is not a folder of ours alone", dir.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("sockets");
        make_private(&place).unwrap();
        make_private(&place).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&place).is_err());
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(make_private(&file).is_err());
    }

    #[test]
    fn two_homes_two_places_and_short_paths() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(control_path(one.path()), control_path(two.path()));
        assert!(control_path(one.path()).as_os_str().len() < SOCKET_PATH_BYTES_MAX);
    }
}
