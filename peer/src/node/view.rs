//! What an album looks like to people: the CRDT's views as the api's entries, and names resolved to what they name.

use crdt::fact::Role;
use crdt::id::{AlbumId, BlobHash, UserId};
use crdt::{Album, Found, ImageView};

use super::run::{Node, rfc3339};
use crate::api::{self, Code, Failure, ImageEntry};

/// Digits of a hash or an album id that may stand for it.
const PREFIX_MIN: usize = 6;

impl Node {
    /// The user of this home.
    pub(super) fn user(&self) -> Option<UserId> {
        self.account.as_ref().map(|account| account.certificate.user())
    }

    /// A name for a user: what an album calls them, else what the central did, else the first digits of the id.
    pub(super) fn name_of(&self, user: &UserId) -> String {
        let mine = self
            .account
            .as_ref()
            .filter(|account| account.certificate.user() == *user);
        let known = || {
            self.known
                .values()
                .find(|known| known.certificate.user() == *user && !known.name.is_empty())
        };
        mine.map(|account| account.name.clone())
            .or_else(|| self.engine.albums().find_map(|album| album.name_of(user)))
            .or_else(|| known().map(|known| known.name.clone()))
            .unwrap_or_else(|| user.hex()[..8].to_owned())
    }

    /// The album that a command means: by name, `name@owner`, or a prefix of its id; without one, the current album.
    ///
    /// # Errors
    /// `usage` (none given and none current), `not_found`, `ambiguous` with the candidates.
    pub(super) fn album_id(&self, label: Option<&str>) -> Result<AlbumId, Failure> {
        let Some(label) = label else {
            let hint = "/enterAlbum NAME, or name one with --album";
            return self
                .current
                .ok_or_else(|| Failure::new(Code::Usage, "no album is entered", hint));
        };
        let here = self.engine.albums().map(|album| {
            let owner = album
                .owner()
                .map(|owner| self.name_of(&owner))
                .unwrap_or_default();
            (album.id(), album.name().to_owned(), owner)
        });
        pick_album(
            label,
            here.filter(|(id, name, _)| self.entered.contains(id) && !name.is_empty())
                .collect(),
        )
    }

    /// That album's replica.
    ///
    /// # Errors
    /// As [`Self::album_id`].
    pub(super) fn album(&self, label: Option<&str>) -> Result<&Album, Failure> {
        let id = self.album_id(label)?;
        let album = self.engine.album(&id).filter(|album| album.has_genesis());
        album.ok_or_else(|| {
            let hint = "it arrives as soon as a member is online; see /peers";
            Failure::new(Code::Unreachable, "the album has not arrived yet", hint)
        })
    }

    /// One image.
    pub(super) fn image_entry(&self, album: &Album, view: &ImageView) -> ImageEntry {
        let image = &view.image;
        let local = self.engine.is_here(&image.hash);
        let state = match (local, self.engine.is_fetching(&image.hash)) {
            (true, _) => "ready",
            (false, true) => "fetching",
            (false, false) => "missing",
        };
        ImageEntry {
            name: view.name.clone(),
            hash: image.hash.hex(),
            size: image.size,
            width: image.shape.as_ref().map(|shape| shape.width),
            height: image.shape.as_ref().map(|shape| shape.height),
            media: image.shape.as_ref().map(|shape| shape.media.clone()),
            author: self.name_of(&view.user),
            added: rfc3339(image.at),
            taken: image.taken.clone(),
            rating: self.rating(album, &image.hash),
            version_of: image.version.as_ref().map(|version| version.source.hex()),
            source: image.version.as_ref().and_then(|version| {
                let source = album.images_of_blob(&version.source).into_iter().next()?;
                Some(source.name)
            }),
            recipe: image.version.as_ref().map(|version| version.recipe.clone()),
            verified: image
                .version
                .as_ref()
                .and_then(|version| self.findings.get(version, &image.hash)),
            damaged: image.damaged,
            local,
            state: state.into(),
        }
    }

    /// Ratings of one file.
    pub(super) fn rating(&self, album: &Album, blob: &BlobHash) -> api::Rating {
        let rating = album.rating(blob).unwrap_or_default();
        let me = self.user();
        let mine = album
            .ratings(blob)
            .find(|(user, _)| Some(*user) == me)
            .map(|(_, stars)| stars);
        api::Rating {
            mean: rating.mean(),
            count: rating.count,
            mine,
        }
    }

    /// The role of this home's user.
    pub(super) fn my_role(&self, album: &Album) -> Role {
        self.user().map_or(Role::None, |user| album.role_of(&user))
    }
}

/// The image that a name, or a prefix of its hash, means now.
///
/// # Errors
/// `not_found`, with a near name; `ambiguous`, with the candidates.
pub(super) fn image_named(album: &Album, name: &str) -> Result<ImageView, Failure> {
    match album.image_named(name) {
        Found::One(image) => Ok(image),
        Found::Ambiguous(images) => {
            let names = images.into_iter().map(|view| view.name).collect();
            Err(several(name, names))
        }
        Found::None => {
            let names: Vec<String> = album.images().map(|view| view.name).collect();
            let hint = match crate::cmd::names::nearest(name, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => "/getImages lists what is here".into(),
            };
            Err(Failure::new(
                Code::NotFound,
                format!("no image {name:?} in {}", album.name()),
                hint,
            ))
        }
    }
}

/// A name that could be any of these.
pub(super) fn several(name: &str, names: Vec<String>) -> Failure {
    let hint = format!("give one of: {}", names.join(", "));
    Failure::new(
        Code::Ambiguous,
        format!("{name:?} could be {} images", names.len()),
        hint,
    )
}

/// Picks one of `albums` (id, name, owner) by a person's label.
pub(super) fn pick_album(label: &str, albums: Vec<(AlbumId, String, String)>) -> Result<AlbumId, Failure> {
    let (name, owner) = match label.rsplit_once('@') {
        Some((name, owner)) if !name.is_empty() => (name, Some(owner)),
        _ => (label, None),
    };
    let prefix = label.to_ascii_lowercase();
    let is_prefix = prefix.len() >= PREFIX_MIN && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = |(id, album, by): &&(AlbumId, String, String)| {
        album == label
            || album == name && owner.is_some_and(|owner| owner == by)
            || is_prefix && id.hex().starts_with(&prefix)
    };
    let found: Vec<_> = albums.iter().filter(fits).collect();
    match found[..] {
        [(id, _, _)] => Ok(*id),
        [] => {
            let names: Vec<String> = albums.into_iter().map(|(_, name, _)| name).collect();
            let hint = match crate::cmd::names::nearest(name, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => "/list shows the albums you may enter".into(),
            };
            Err(Failure::new(Code::NotFound, format!("no album {label:?}"), hint))
        }
        _ => {
            let mut all: Vec<String> = found
                .iter()
                .map(|(id, name, owner)| format!("{name}@{owner} ({})", &id.hex()[..8]))
                .collect();
            all.sort();
            let hint = format!("give one of: {}", all.join(", "));
            Err(Failure::new(
                Code::Ambiguous,
                format!("{label:?} could be {} albums", all.len()),
                hint,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_a_name_with_owner_or_a_prefix() {
        let id = |byte| AlbumId([byte; 32]);
        let albums = || {
            vec![
                (id(0xaa), "trip".into(), "alice".into()),
                (id(0xab), "trip".into(), "bob".into()),
                (id(0xcc), "a@b".into(), "alice".into()),
                (id(0xdd), "home".into(), "bob".into()),
            ]
        };
        let code = |label| pick_album(label, albums()).map_err(|failure| failure.code);
        assert_eq!(code("home"), Ok(id(0xdd)));
        assert_eq!(code("trip"), Err(Code::Ambiguous));
        assert_eq!(code("trip@bob"), Ok(id(0xab)));
        assert_eq!(code("a@b"), Ok(id(0xcc)));
        assert_eq!(code("AAAAAA"), Ok(id(0xaa)));
        assert_eq!(code("aaaaa"), Err(Code::NotFound));
        assert_eq!(code("trip@carol"), Err(Code::NotFound));
        assert_eq!(code(""), Err(Code::NotFound));
        assert_eq!(code("@"), Err(Code::NotFound));
    }
}
