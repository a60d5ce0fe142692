//! Who may do what, asked before anything is read, decoded or written. The album judges every op again by itself.

use crdt::Album;
use crdt::fact::Role;

use super::super::run::Node;
use super::refused;
use crate::api::{Code, Failure};

/// Whether the user of this home may do what takes the role `need`.
///
/// # Errors
/// `auth` (nobody is logged in); `denied`, naming the role it takes and the one he has.
pub(super) fn may(node: &Node, album: &Album, need: Role) -> Result<(), Failure> {
    let nobody = || refused(engine::EditError::NoUser);
    let me = node.engine.me().ok_or_else(nobody)?.author.user();
    let have = album.role_of(&me);
    match (album.lowered(&me), node.uninvited(album)) {
        (Some((by, Role::None, _)), _) if have == Role::None => Err(removed(album, &node.name_of(&by))),
        (_, Some(by)) if have > Role::None => {
            let mut failure = removed(album, by);
            failure.message = format!("the central says: {}", failure.message);
            failure.hint =
                "no member who is here says otherwise; what you have stays: /getImages, /export".into();
            Err(failure)
        }
        _ if have >= need => Ok(()),
        _ => Err(lacking(need, have)),
    }
}

/// Said to who is no member any more.
fn removed(album: &Album, by: &str) -> Failure {
    let message = format!("you were removed from {} by {by}", album.name());
    let hint = "what you had stays here: /getImages, /export; a curator or the owner may /addUser you again";
    Failure::new(Code::Denied, message, hint)
}

/// The same for the album of a label, as a step of its own.
///
/// # Errors
/// As [`may`] and [`Node::album`].
pub(super) async fn ask(
    handle: &super::super::run::Handle,
    label: Option<&str>,
    need: Role,
) -> Result<(), Failure> {
    let label = label.map(str::to_owned);
    let step = move |node: &mut Node| may(node, node.album(label.as_deref())?, need);
    handle.with(step).await?
}

/// A role that does not reach.
pub(super) fn lacking(need: Role, have: Role) -> Failure {
    if have == Role::None {
        let hint = "ask the album's owner to /addUser you";
        return Failure::new(Code::Denied, "you are no member of this album", hint);
    }
    let who = match need {
        Role::Curator | Role::Owner => "its owner",
        _ => "its owner or a curator",
    };
    Failure::new(
        Code::Denied,
        format!("this needs the role {need}, and yours is {have}"),
        format!("ask {who}; /members shows who that is"),
    )
}

/// Whether one may turn a member's role `was` into `wanted` (none: end the membership).
///
/// # Errors
/// `denied`.
pub(super) fn may_change(node: &Node, album: &Album, was: Role, wanted: Role) -> Result<(), Failure> {
    // A curator's word about a curator has no effect, so it is not written.
    let above = was.max(wanted) >= Role::Curator;
    may(node, album, if above { Role::Owner } else { Role::Curator })?;
    if was == Role::Owner {
        let hint = "an album has one owner for ever; /leaveAlbum closes it here";
        let message = match wanted {
            Role::None => "the owner cannot be removed",
            _ => "the owner's role cannot be changed",
        };
        return Err(Failure::new(Code::Denied, message, hint));
    }
    Ok(())
}
