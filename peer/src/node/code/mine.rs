//! The codes that this home made: what became of them, told once to who made them, also after a time away.

use central::Client;
use central::proto::{MailboxKind, MailboxState};
use crdt::fact::Role;
use crdt::id::{AlbumId, InviteId};
use serde::{Deserialize, Serialize};
use store::Write;

use super::words::Code;
use crate::api::{Failure, News};
use crate::node::blobs::blocking;
use crate::node::news;
use crate::node::run::{Handle, Node, clock_ms};

/// Where a home keeps them.
const SPACE: &str = "invites";
/// How long they are listed after their time: as long as the central lists them.
const LISTED_MS: u64 = central::limits::MAILBOX_REST_MS;

/// A code of this home's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Mine {
    pub(in crate::node) number: u32,
    pub(in crate::node) id: InviteId,
    pub(in crate::node) album: AlbumId,
    pub(in crate::node) role: Role,
    pub(in crate::node) words: String,
    /// Milliseconds since 1970.
    pub(in crate::node) until: u64,
    /// As the central said last.
    pub(in crate::node) state: MailboxState,
    /// Whether its end was told.
    pub(in crate::node) told: bool,
}

impl Mine {
    pub(in crate::node) fn code(&self) -> Code {
        Code::new(self.number, &self.words)
    }

    /// Where it stands now.
    pub(in crate::node) fn state_now(&self) -> MailboxState {
        match self.state {
            MailboxState::Open | MailboxState::Taken if clock_ms() >= self.until => MailboxState::Expired,
            state => state,
        }
    }

    fn value(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data has a JSON text")
    }
}

/// Keeps one, durably.
pub(in crate::node) async fn keep(handle: &Handle, mine: &Mine) -> Result<(), Failure> {
    let db = handle.with(|node| node.db().clone()).await?;
    let write = Write::Put {
        space: SPACE,
        key: mine.id.0.to_vec(),
        value: mine.value(),
    };
    let written = blocking(move || db.commit_wait(vec![write])).await;
    written.map_err(|error| {
        let hint = "free some space and try again";
        Failure::new(crate::api::Code::DiskFull, error.to_string(), hint)
    })
}

/// All of them, the oldest first; those that nobody can ask about any more are dropped.
pub(in crate::node) fn all(node: &Node) -> Vec<Mine> {
    let mut mine = Vec::new();
    for (key, value) in node.db().scan(SPACE, b"").unwrap_or_default() {
        match serde_json::from_slice::<Mine>(&value) {
            Ok(one) if clock_ms() < one.until.saturating_add(LISTED_MS) => mine.push(one),
            _ => node.delete(SPACE, &key),
        }
    }
    mine.sort_by_key(|one| (one.until, one.number));
    mine
}

/// Asks the central what became of them, and tells what is news.
pub(in crate::node) async fn look(handle: &Handle, client: &Client) -> Result<Vec<Mine>, Failure> {
    let before = handle.with(|node| all(node)).await?;
    if before.iter().all(|one| one.told) {
        return Ok(before);
    }
    let states = client.mailboxes().await.map_err(crate::node::central::failure)?;
    let step = move |node: &mut Node| {
        for mut one in before {
            let entry = states
                .iter()
                .find(|entry| entry.number == one.number && entry.kind == MailboxKind::Album);
            let Some(entry) = entry.filter(|entry| entry.album == Some(one.album)) else {
                continue;
            };
            let told = one.told || tell(node, &one, entry.state);
            if told != one.told || entry.state != one.state {
                (one.told, one.state) = (told, entry.state);
                node.put(SPACE, &one.id.0, one.value());
            }
        }
        all(node)
    };
    handle.with(step).await
}

/// Tells how a code ended, if there is anybody to hear it and all of it is known; whether nothing is left to tell.
fn tell(node: &Node, one: &Mine, state: MailboxState) -> bool {
    let album = node.engine.album(&one.album);
    let name = album.map(|album| album.name().to_owned());
    let news = match state {
        MailboxState::Open | MailboxState::Taken => return false,
        MailboxState::Closed | MailboxState::Expired => return true,
        MailboxState::Used => {
            // The grant comes from whoever answered, a moment later perhaps.
            let Some(user) = album.and_then(|album| album.invited(&one.id).into_iter().next()) else {
                return false;
            };
            News::CodeUsed {
                number: one.number,
                user: node.name_of(&user),
            }
        }
        MailboxState::Burnt => News::CodeBurnt { number: one.number },
    };
    if !node.handle.is_heard() {
        return false;
    }
    news::tell(node, name, news);
    true
}
