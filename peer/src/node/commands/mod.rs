//! What each request does. A command is an async function that reads from top to bottom; every look at the node and every
//! edit is one step on its loop (`Handle::with`), everything slow happens between the steps.

mod account;
mod album;
mod away;
mod devices;
mod doctor;
mod files;
mod filter;
mod filter_many;
mod find;
mod held;
mod history;
mod images;
mod inspect;
mod invite;
mod join;
mod link;
mod members;
mod names;
mod picture;
mod recipe;
mod rights;
mod state;
mod sync;
mod undo;
mod verify;
mod verify_user;

use tokio::sync::mpsc;

pub(super) use history::why_held;

use super::run::{Durable, Handle};
use crate::api::{Code, Done, Failure, Progress, Reply, Request};

/// Where a command says how far it is. A slow door misses steps, never holds the work up.
pub(super) type Steps = mpsc::Sender<Progress>;

/// Carries out one request.
///
/// # Errors
/// What the door shows; nothing is left half-done.
pub(super) async fn execute(handle: Handle, request: Request, steps: Steps) -> Result<Reply, Failure> {
    if crate::cmd::changes(&request) && handle.with(|node| node.is_revoked()).await? {
        return Err(refused(engine::EditError::Author(crdt::AuthorError::Revoked)));
    }
    match request {
        Request::Register { user, password } => account::register(&handle, user, password).await,
        Request::Login { user, password } => account::login(&handle, user, password).await,
        Request::TrustCentral { words } => account::trust(&handle, words).await,
        Request::Logout => account::logout(&handle).await,
        Request::Recover {
            user,
            words,
            password,
            anew,
        } => devices::recover(&handle, user, words, password, anew).await,
        Request::RecoveryWords { password } => devices::recovery_words(&handle, password).await,
        Request::EscrowOn { password } => devices::escrow_on(&handle, password).await,
        Request::Escrow { off } => devices::escrow(&handle, off).await,
        Request::Devices => devices::list(&handle).await,
        Request::ApproveDevice { password } => link::approve(&handle, password).await,
        Request::Approval => link::wait(&handle).await,
        Request::Link { code, host } => link::link(&handle, &code, host).await,
        Request::RevokeDevice { device, password } => devices::revoke(&handle, device, password).await,
        Request::List => album::list(&handle).await,
        Request::CreateAlbum { name } => album::create(&handle, name).await,
        Request::EnterAlbum { album } => album::enter(&handle, album).await,
        Request::LeaveAlbum => album::leave(&handle).await,
        Request::GetImages { album, select } => images::list(&handle, album, select).await,
        Request::GetMetadata { album, select } => album::metadata(&handle, album, select).await,
        Request::GetOrSet {
            album,
            limit,
            skip,
            behind,
        } => {
            let page = inspect::Page { limit, skip };
            inspect::or_set(&handle, album, page, behind).await
        }
        Request::AddImage {
            album,
            paths,
            name,
            strip_gps,
        } => images::add(&handle, album, paths, (name, strip_gps), &steps).await,
        Request::AddClassic {
            album,
            name,
            hash,
            size,
        } => images::add_classic(&handle, album, name, hash, size).await,
        Request::RemoveImage { album, name } => images::remove(&handle, album, name).await,
        Request::RateImage { album, name, stars } => images::rate(&handle, album, name, stars).await,
        Request::AddUser { album, user, role } => members::add(&handle, album, user, role).await,
        Request::SetRole { album, user, role } => members::set_role(&handle, album, user, role).await,
        Request::RemoveUser { album, user } => members::remove(&handle, album, user).await,
        Request::VerifyUser {
            user,
            confirm,
            accept_new_key,
        } => verify_user::verify_user(&handle, user, (confirm, accept_new_key)).await,
        Request::Held {
            album,
            act,
            which,
            all,
        } => held::held(&handle, album, act, which, all).await,
        Request::Filter {
            album,
            name,
            recipe,
            new_name,
        } => filter::filter(&handle, album, name, recipe, new_name, &steps).await,
        Request::FilterMany {
            album,
            recipe,
            select,
        } => filter_many::filter_many(&handle, album, recipe, select, &steps).await,
        Request::Verify { album, name } => verify::verify(&handle, album, name, &steps).await,
        Request::Log {
            album,
            limit,
            offset,
            by,
            image,
        } => {
            let wanted = history::Wanted {
                limit,
                offset,
                by,
                image,
            };
            history::log(&handle, album, wanted).await
        }
        Request::Why { album, name } => history::why(&handle, album, name).await,
        Request::Trash { album, limit, offset } => history::trash(&handle, album, limit, offset).await,
        Request::Undo { album, command } => undo::undo(&handle, album, command).await,
        Request::Restore { album, names } => undo::restore(&handle, album, names).await,
        Request::Invite { album, role } => invite::invite(&handle, album, role).await,
        Request::Invites => invite::list(&handle).await,
        Request::CancelInvite { number } => invite::cancel(&handle, number).await,
        Request::Join {
            code,
            host,
            account,
            timeout_ms,
        } => {
            let timeout = std::time::Duration::from_millis(timeout_ms);
            let wanted = join::Wanted {
                code,
                host,
                account,
                timeout,
            };
            join::join(&handle, wanted, &steps).await
        }
        Request::Say { album, text } => members::say(&handle, album, text).await,
        Request::Chat { album, limit, since } => members::chat(&handle, album, limit, since).await,
        Request::Members { album } => members::list(&handle, album).await,
        Request::Seen { album } => away::seen(&handle, album).await,
        Request::Peers => state::peers(&handle).await,
        Request::Doctor => doctor::doctor(&handle, &steps).await,
        Request::Status => state::status(&handle).await,
        Request::Net { reset } => inspect::net(&handle, reset).await,
        Request::Sync {
            album,
            timeout_ms,
            quiet,
        } => sync::sync(&handle, album, timeout_ms, quiet, &steps).await,
        Request::Export { album, dir, select } => files::export(&handle, album, dir, select, &steps).await,
        Request::Save {
            album,
            name,
            path,
            force,
        } => files::save(&handle, album, name, path, force).await,
        Request::Locate { album, name } => files::locate(&handle, album, name).await,
        Request::Picture {
            album,
            name,
            source,
            beside,
            whole,
            recipe,
        } => {
            let wanted = picture::Wanted {
                name,
                source,
                beside,
                whole,
                recipe,
            };
            picture::picture(&handle, album, wanted).await
        }
        Request::Details { album, hash } => picture::details(&handle, album, hash).await,
        Request::PictureOf { album, hash, whole } => picture::picture_of(&handle, album, hash, whole).await,
        Request::Block { peer } => state::block(&handle, peer, true).await,
        Request::Unblock { peer } => state::block(&handle, peer, false).await,
        Request::Prompt => state::prompt(&handle).await,
        Request::Names { album, kind, begin } => names::names(&handle, album, kind, begin).await,
        Request::Shutdown => {
            handle.send(super::run::Input::Stop);
            done("the node ends")
        }
        Request::Watch => Err(Failure::new(
            Code::Internal,
            "watch is a stream, not a request",
            "",
        )),
    }
}

fn done(text: impl Into<String>) -> Result<Reply, Failure> {
    Ok(Reply::Done(Done { done: text.into() }))
}

/// Waits until an edit is on disk.
async fn settled(durable: Durable) -> Result<(), Failure> {
    durable.await.unwrap_or_else(|_| {
        Err(Failure::new(
            Code::Unreachable,
            "the node is ending",
            "start it again",
        ))
    })
}

/// An edit that the engine refused, for people.
fn refused(error: engine::EditError) -> Failure {
    use crdt::AuthorError;
    let message = error.to_string();
    match error {
        engine::EditError::NoUser => Failure::new(
            Code::Auth,
            "nobody is logged in",
            "/register NAME for a new account, /login NAME for yours",
        ),
        engine::EditError::NoAlbum => Failure::new(
            Code::Unreachable,
            "the album has not arrived yet",
            "it arrives as soon as a member is online; see /peers",
        ),
        engine::EditError::Author(AuthorError::Role { need, have }) => rights::lacking(need, have),
        engine::EditError::Author(AuthorError::Stranger) => Failure::new(
            Code::Denied,
            "you are no member of this album",
            "ask the album's owner to /addUser you",
        ),
        engine::EditError::Author(AuthorError::Revoked) => Failure::new(
            Code::Denied,
            "this device was revoked by another of yours: nobody takes what it writes",
            "use another of your devices; /export saves what is here",
        ),
        engine::EditError::Author(_) => Failure::new(Code::Internal, message, "please report this"),
    }
}
