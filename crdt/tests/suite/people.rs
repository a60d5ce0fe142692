//! What people read in an album: chat that makes sense, what happened while they were away, who let whom in.

use std::collections::BTreeMap;

use crdt::Album;
use crdt::fact::{Fact, Role};
use crdt::id::InviteId;
use proptest::prelude::*;

use crate::world::{AT, Peer, Pen, chat, device, grant, image, meet, peers, pull, rating, role, user};

/// The lines as they are shown.
fn lines(album: &Album) -> Vec<String> {
    album.chat().map(|line| line.text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Three people talk, each hearing of the others late, in any order, some lines before those they answer. Whoever
    /// reads, at any moment: no line stands above one that its author had read, whatever the clocks say.
    #[test]
    fn no_reply_stands_above_what_it_answers(
        steps in proptest::collection::vec((0..3usize, 0..3usize, any::<proptest::sample::Index>(), 0..1u64 << 50), 1..50),
    ) {
        let mut all = peers(&[(b'A', Role::Contributor), (b'B', Role::Contributor)]);
        let mut read: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, (who, from, which, clock)) in steps.into_iter().enumerate() {
            if who == from {
                let text = number.to_string();
                read.insert(text.clone(), lines(&all[who].album));
                all[who].say(Fact::Chat { text, at: clock });
            } else {
                // One op of theirs that is new here; its past may still be missing, then it waits.
                let new = all[from].album.ops().filter(|op| !all[who].album.knows(&op.hash));
                let new: Vec<_> = new.cloned().collect();
                if !new.is_empty() {
                    all[who].album.receive(which.get(&new).clone(), crdt::Trust::Verify);
                }
            }
            stands(&all, &read)?;
        }
        meet(&mut all);
        stands(&all, &read)?;
        prop_assert_eq!(lines(&all[0].album).len(), read.len());
        prop_assert_eq!(lines(&all[0].album), lines(&all[1].album));
    }
}

fn stands(all: &[Peer], read: &BTreeMap<String, Vec<String>>) -> Result<(), TestCaseError> {
    for peer in all {
        let lines = lines(&peer.album);
        for (place, line) in lines.iter().enumerate() {
            for answered in &read[line] {
                let above = lines[..place].contains(answered);
                prop_assert!(
                    above,
                    "{line} answers {answered}, which is not above it in {lines:?}"
                );
            }
        }
    }
    Ok(())
}

/// O leaves; A adds two images, rates one, chats and removes one of O's; a former line of O's is no news. O's own doings
/// from another device are told with O as their user, so that whoever asks can leave them out.
#[test]
fn what_came_after_one_left() {
    let mut all = peers(&[(b'A', Role::Curator)]);
    all[0].say(image("old"));
    all[0].say(image("kept"));
    pull(&mut all, 1, 0);
    let left = all[0].album.received();
    assert_eq!(all[0].album.live_after(left).count(), 0);

    let old = all[1].album.images().find(|view| view.name == "old").unwrap().id;
    for fact in [
        image("new"),
        image("short-lived"),
        rating("kept", 5),
        chat("back?"),
    ] {
        all[1].say(fact);
    }
    let short = all[1]
        .album
        .images()
        .find(|view| view.name == "short-lived")
        .unwrap()
        .id;
    all[1].kill(old);
    all[1].kill(short);
    pull(&mut all, 0, 1);

    let news = |album: &Album| {
        let came = album.live_after(left).map(|(by, element)| {
            let what = match element.fact {
                Fact::Image(image) => image.name,
                Fact::Rating { stars, .. } => format!("{stars} stars"),
                Fact::Chat { text, .. } => text,
                other => panic!("{other:?}"),
            };
            (by, what)
        });
        let gone = album.images_removed_after(left).map(|(by, id)| {
            assert_eq!(id, old);
            (by, "gone".to_owned())
        });
        came.chain(gone).collect::<Vec<_>>()
    };
    let expect = ["new", "5 stars", "back?", "gone"].map(|what| (user(b'A'), what.to_owned()));
    assert_eq!(news(&all[0].album), expect);

    // A restart reads the ops in the order of receipt, and says the same.
    let mut again = Album::empty(all[0].album.id());
    for op in all[0].album.ops() {
        again.receive(op.clone(), crdt::Trust::Stored);
    }
    assert_eq!(
        (again.received(), news(&again)),
        (all[0].album.received(), expect.to_vec())
    );

    // A point that the album has not reached yet is no harm.
    assert_eq!(
        again.live_after(u64::MAX).count() + again.images_removed_after(u64::MAX).count(),
        0
    );
}

#[test]
fn who_let_whom_in() {
    let mut all = peers(&[(b'A', Role::Curator)]);
    let at = |album: &Album, person| album.admission(&user(person));
    all[1].say(Fact::Grant {
        user: user(b'B'),
        role: Role::Viewer,
        name: "B".into(),
        at: 7,
        invite: None,
    });
    pull(&mut all, 0, 1);
    all[0].say(grant(b'B', Role::Contributor));
    let album = &all[0].album;
    assert_eq!(at(album, b'O'), Some((user(b'O'), AT)));
    assert_eq!(at(album, b'A'), Some((user(b'O'), AT)));
    assert_eq!(at(album, b'B'), Some((user(b'A'), 7)), "the oldest grant counts");
    assert_eq!(at(album, b'C'), None);
    all[0].say(role(b'C', Role::Viewer));
    assert_eq!(at(&all[0].album, b'C'), None, "a role is no grant");
    assert_eq!(all[0].author.user(), device(b'O', 1).user());
}

/// A grant says which invite it answers, whatever way the album comes back; programs from before that key keep it as it
/// is, and so do we keep what is no invite's id: if one replica refused the op over it, another would not.
#[test]
fn a_grant_keeps_the_invite_it_answers() {
    let by_invite = |person: u8, invite: u8| match grant(person, Role::Viewer) {
        Fact::Grant {
            user, role, name, at, ..
        } => Fact::Grant {
            user,
            role,
            name,
            at,
            invite: Some(InviteId([invite; 16])),
        },
        _ => unreachable!(),
    };
    let text = by_invite(b'B', 7).to_text();
    let golden = r#","role":"viewer","name":"B","at":1700000000000,"invite":"BwcHBwcHBwcHBwcHBwcHBw"}"#;
    assert!(text.ends_with(golden), "{text}");
    assert_eq!(Fact::read(&text), Ok(by_invite(b'B', 7)));
    for other in [
        "\"BwcHBwcH\"",
        "\"\"",
        "7",
        "[1,{\"x\":2}]",
        "null",
        "true",
        "{\"id\":[]}",
    ] {
        let odd = text.replace("\"BwcHBwcHBwcHBwcHBwcHBw\"", other);
        crdt::text::check(&odd).unwrap();
        assert_eq!(Fact::read(&odd), Ok(grant(b'B', Role::Viewer)), "{other}");
    }

    let mut all = peers(&[(b'A', Role::Curator)]);
    all[0].say(by_invite(b'B', 7));
    all[0].say(grant(b'D', Role::Viewer));
    // Alice does not hear of it and answers the same invite for another.
    all[1].say(by_invite(b'C', 7));
    assert_eq!(all[1].album.invited(&InviteId([7; 16])), [user(b'C')]);
    pull(&mut all, 0, 1);
    let both = |album: &Album| {
        let mut both = album.invited(&InviteId([7; 16]));
        both.sort_unstable();
        assert_eq!(album.invited(&InviteId([8; 16])), []);
        both
    };
    let mut expect = vec![user(b'B'), user(b'C')];
    expect.sort_unstable();
    assert_eq!(both(&all[0].album), expect);
    assert_eq!(all[1].album.invited_twice(), []);
    assert_eq!(
        all[0].album.invited_twice(),
        [(InviteId([7; 16]), expect.clone())]
    );
    let again = crate::checkpoint::through_a_checkpoint(&all[0].album);
    assert_eq!(both(&again), expect);
    let mut again = Album::empty(all[0].album.id());
    for op in all[0].album.ops() {
        again.receive(op.clone(), crdt::Trust::Stored);
    }
    assert_eq!(both(&again), expect);
    // One that is held is known too: Bob has no right to let anybody in.
    let mut all = peers(&[(b'B', Role::Viewer)]);
    let tip = all[0].album.ops().last().cloned().unwrap();
    let bob = device(b'B', 1);
    let op = Pen::new(&bob, all[0].album.id(), None, &[&tip]);
    let op = op.facts(&[by_invite(b'C', 9)]).sign();
    all[0].album.receive(op, crdt::Trust::Verify);
    assert_eq!(all[0].album.role_of(&user(b'C')), Role::None);
    assert_eq!(all[0].album.invited(&InviteId([9; 16])), [user(b'C')]);
}
