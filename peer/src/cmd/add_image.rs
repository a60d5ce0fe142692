//! `add-image`: files and folders, or the classic entry whose bytes some peer may bring later.

use std::ffi::OsString;

use clap::Args;

use super::{Act, Context, check, paths};
use crate::api::{Code, Failure, Request};

/// Add images to the album: files, folders, patterns
///
/// --strip-gps takes out of JPEG, PNG, WebP, TIFF and GIF files where they were taken, before anything is stored: EXIF's GPS
/// directory, what XMP and IPTC say of the place, and what follows the picture in its file. So what is stored is not the
/// file byte for byte; the picture itself is. Maker notes are not looked into. The setting strip_gps = true does it always.
///
/// Folders are searched through, images only. Bytes that the album has already are not added twice. The classic
/// form is exactly three words, NAME HASH SIZE: a name, the BLAKE3 hash in 64 hex digits and the bytes' number; it adds an
/// entry whose bytes some peer may bring later.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype add-image ~/trip/*.jpg ~/more
  /addImage ~/trip/*.jpg ~/more")]
pub struct AddImage {
    /// Files, folders, patterns such as *.jpg; or NAME HASH SIZE
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<OsString>,
    /// Name of the entry, where one file is added; then also if the album has its bytes under another name
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Take out where the photos were taken, first
    #[arg(long)]
    pub strip_gps: bool,
}

impl AddImage {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let album = at.album();
        if let Some((name, hash, size)) = classic(&self.paths) {
            let name = check::image(&name)?;
            return Ok(Act::Ask(Request::AddClassic {
                album,
                name,
                hash,
                size,
            }));
        }
        let paths = paths::many(&self.paths, at)?;
        if self.name.is_some() && (paths.len() != 1 || paths[0].is_dir()) {
            return Err(Failure::new(
                Code::Usage,
                "--as fits one file only".to_owned(),
                "add the others without --as; each entry then has its file's name",
            ));
        }
        let name = self.name.map(|name| check::image(&name)).transpose()?;
        Ok(Act::Ask(Request::AddImage {
            album,
            paths,
            name,
            strip_gps: self.strip_gps || at.settings.strip_gps.value,
        }))
    }
}

/// Exactly three words, the second 64 hex digits, the third a number.
fn classic(words: &[OsString]) -> Option<(String, String, u64)> {
    let [name, hash, size] = words else { return None };
    let (name, hash, size) = (name.to_str()?, hash.to_str()?, size.to_str()?);
    if hash.len() != 64
        || !hash.bytes().all(|b| b.is_ascii_hexdigit())
        || !size.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    Some((name.to_owned(), hash.to_ascii_lowercase(), size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_fitting_words_are_the_classic_form() {
        let hash = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789";
        assert_eq!(hash.len(), 64);
        let check = |words: &[&str], expect: bool| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(classic(&words).is_some(), expect, "{words:?}");
        };
        check(&["a.jpg", hash, "100"], true);
        check(&["a.jpg", hash, "0"], true);
        check(&["a.jpg", hash], false);
        check(&["a.jpg", hash, "100", "b.jpg"], false);
        check(&["a.jpg", &hash[1..], "100"], false);
        check(&["a.jpg", &hash.replace('0', "g"), "100"], false);
        check(&["a.jpg", hash, "-1"], false);
        check(&["a.jpg", hash, "1e3"], false);
        check(&["a.jpg", hash, "+1"], false);
        check(&["a.jpg", hash, ""], false);
        check(&["a.jpg", hash, "99999999999999999999999"], false);
        let words: Vec<OsString> = ["a.jpg", hash, "7"].iter().map(OsString::from).collect();
        assert_eq!(classic(&words), Some(("a.jpg".into(), hash.to_lowercase(), 7)));
    }
}
