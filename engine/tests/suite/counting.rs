//! What passes is counted, by peer and kind, and what a strategy would send is what it sends.

use std::collections::BTreeMap;

use engine::wire::{Call, encode_call};
use engine::{Action, Event, Flow, Kind, Strategy};
use proptests::world::lone::{Lone, bob};
use proptests::world::people;

/// Messages and bytes that were published.
fn published(actions: &[Action]) -> (u64, u64) {
    let payloads = actions.iter().filter_map(|action| match action {
        Action::Publish { payload, .. } => Some(payload.len() as u64),
        _ => None,
    });
    payloads.fold((0, 0), |(messages, bytes), more| (messages + 1, bytes + more))
}

fn edit(lone: &mut Lone, text: &str) -> Vec<Action> {
    let (now, album) = (lone.now, lone.album);
    lone.engine
        .edit(now, album, vec![people::chat(text)], vec![])
        .unwrap();
    lone.drain()
}

/// A student reads what one more edit would cost in each strategy, then makes three and sees just that go out: each by
/// itself, the three together, or the whole album, which is too long for one message.
#[test]
fn what_a_strategy_would_send_is_what_it_sends() {
    let long = "x".repeat(1_900);
    let mut costs = BTreeMap::new();
    for (strategy, messages) in [(Strategy::Op, 3), (Strategy::Delta, 1), (Strategy::State, 2)] {
        let mut lone = Lone::with(strategy);
        for _ in 0..130 {
            edit(&mut lone, &long);
        }
        lone.wait(2_000);
        let mut actions: Vec<Action> = (0..3).flat_map(|_| edit(&mut lone, "short")).collect();
        actions.extend(lone.wait(2_000));
        let album = lone.album;
        let sizes = lone.engine.sizes(&album).unwrap();
        let cost = sizes.cost(strategy, 3);
        assert_eq!((cost.messages, cost.bytes), published(&actions), "{strategy:?}");
        assert_eq!(cost.messages, messages, "{strategy:?}");
        costs.insert(messages, cost.ops);
        // Whoever has nothing needs all, in any strategy, and a fourth edit after the third is counted too.
        let all = lone.engine.album(&album).unwrap().op_count();
        assert_eq!(
            (sizes.ops(), sizes.cost(strategy, usize::MAX).ops),
            (all, all as u64)
        );
        edit(&mut lone, "one more");
        assert_eq!(lone.engine.sizes(&album).unwrap().ops(), all + 1);
    }
    assert_eq!(costs[&2], 2 + 133, "a state is all of it: genesis, grant, lines");
    assert_eq!((costs[&1], costs[&3]), (3, 3));
}

#[test]
fn messages_are_counted_by_peer_and_kind() {
    let mut lone = Lone::new();
    let before = lone.engine.traffic().clone();
    let since = |lone: &Lone| -> BTreeMap<Kind, Flow> {
        let flows = lone.engine.traffic().since(&before);
        let new = flows.flows().filter(|(_, _, flow)| *flow != Flow::default());
        new.map(|(peer, kind, flow)| {
            assert_eq!(peer, Some(bob()));
            (kind, flow)
        })
        .collect()
    };
    let flow = |messages_in, bytes_in: usize, messages_out, bytes_out: usize| Flow {
        messages_in,
        bytes_in: bytes_in as u64,
        messages_out,
        bytes_out: bytes_out as u64,
    };
    let tree = Call::Tree {
        album: lone.album,
        node: None,
    };
    let answer = lone.call(&tree);
    let asked = encode_call(&tree).len();
    assert_eq!(
        since(&lone),
        [(Kind::Compare, flow(1, asked, 1, answer[0].len()))].into()
    );
    // What is refused costs too; it is not what it asked to be.
    let other = Call::Tree {
        album: crdt::id::AlbumId([7; 32]),
        node: None,
    };
    let denied = lone.call(&other);
    let nonsense = lone.call_raw(b"what?".to_vec());
    let refused = flow(
        2,
        encode_call(&other).len() + 5,
        2,
        denied[0].len() + nonsense[0].len(),
    );
    assert_eq!(since(&lone)[&Kind::Refused], refused);
    // An edit goes to each linked member.
    let (_, bytes) = published(&edit(&mut lone, "hello"));
    assert_eq!(since(&lone)[&Kind::Edits], flow(0, 0, 1, bytes as usize));
    let hint = lone.engine.album(&lone.album).unwrap().heads_root();
    lone.gossip(hint, &[]);
    assert_eq!(since(&lone)[&Kind::Hints].messages_in, 1);
    lone.feed(Event::LinkDown { peer: bob() });
    edit(&mut lone, "alone");
    assert_eq!(
        since(&lone)[&Kind::Edits].messages_out,
        1,
        "nobody is there to get it"
    );
}
