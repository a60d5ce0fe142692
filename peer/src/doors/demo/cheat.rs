//! The demo's hostile peer: what a member with a false program tries, and what comes of it at the others.

use super::cast::{Peer, until};
use super::mallory::Newcomer;
use super::report::Report;
use super::stage::{Stage, short};
use crate::api::{Failure, Request};

/// What she calls herself.
const NAME: &str = "mallory";

/// Mallory joins, reads all, and then lies.
pub async fn cheat(stage: &mut Stage, report: &mut Report) -> Result<(), Failure> {
    let raft = stage.paint("raft.jpg", 10)?;
    let all = stage.all();
    stage.together(&all).await?;
    let newcomer = Newcomer::register(&stage.central(), NAME).await?;
    let user = NAME.to_owned();
    stage.alice.ask(add_user(user.clone())).await?;
    let mut mallory = newcomer.enter(stage.dir(), all.len()).await?;
    let (before, _) = stage.together(&all).await?;
    report.did(
        "alice added mallory, whose program is not calotype: she links with all three and reads the album",
    );

    let mut held = Vec::new();
    for peer in all {
        held.push(peer.or_set().await?.held);
    }
    let images = mallory.usurp().await?;
    report.did(format!(
        "she names herself curator and removes {images} images of others, in ops that are well signed"
    ));
    until("all three hold her ops", async || {
        for (peer, before) in all.into_iter().zip(&held) {
            let now = peer.or_set().await.map_err(|f| f.message)?.held;
            if now != before + 2 {
                return Err(format!("{} holds {now}, {before} before", peer.name));
            }
        }
        Ok(())
    })
    .await?;
    let mut same = true;
    for peer in all {
        same &= peer.or_set().await?.digest == before;
    }
    report.saw(
        same,
        format!(
            "all three received and hold both: the digest is still {}",
            short(&before)
        ),
    );

    let refused = refusals(&all).await?;
    mallory.forge().await?;
    until("all three refuse the forged op", async || {
        let now = refusals(&all).await.map_err(|f| f.message)?;
        match now.iter().zip(&refused).all(|(now, before)| now > before) {
            true => Ok(()),
            false => Err(format!("{refused:?} refused before, {now:?} now")),
        }
    })
    .await?;
    report.did("she sends an op in another's name, and then bytes that are no message");
    let added = stage.alice.add(&raft, "raft.jpg").await?;
    until("nobody is linked with her", async || {
        mallory.babble().await.map_err(|f| f.message)?;
        match mallory.links() {
            0 => Ok(()),
            some => Err(format!("{some} links")),
        }
    })
    .await?;
    report.saw(
        true,
        "all three refused them, counted them in /status, and hung up on her",
    );
    stage.together(&all).await?;
    let arrived = stage.bob.image("raft.jpg").await?;
    report.saw(
        arrived.is_some_and(|image| image.hash == added.hash && image.local),
        "meanwhile alice's raft.jpg reached bob and carol",
    );
    stage.alice.ask(Request::RemoveUser { album: None, user }).await?;
    mallory.end().await;
    let (digest, images) = stage.together(&all).await?;
    report.saw(
        stage.alike(&all).await?,
        format!(
            "alice removed her; all three have digest {} and {images} images",
            short(&digest)
        ),
    );
    Ok(())
}

fn add_user(user: String) -> Request {
    Request::AddUser {
        album: None,
        user,
        role: None,
    }
}

/// What each peer has refused so far.
async fn refusals(all: &[&Peer]) -> Result<Vec<u64>, Failure> {
    let mut counts = Vec::new();
    for peer in all {
        counts.push(peer.status().await?.refused.values().sum());
    }
    Ok(counts)
}
