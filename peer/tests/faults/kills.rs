//! kill -9 while edits are under way.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _};

use crate::world::{World, number};

/// Who asks bob at once.
const HANDS: u64 = 2;

/// Bob's process dies again and again, at a moment that is drawn, while two doors add images as fast as they are
/// acknowledged and alice edits too. Whatever was acknowledged is there when he comes back, and at the end everywhere.
/// `PEER_KILLS` kills (3), drawn from `PEER_SEED`.
#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let (kills, seed) = (
        number("PEER_KILLS", 3),
        number("PEER_SEED", rand::random::<u32>().into()),
    );
    println!("PEER_SEED={seed} PEER_KILLS={kills}");
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let world = World::new();
    let mut peers = world.trip(&["alice", "bob"]);
    let alice = peers[0].control();
    let mut acknowledged = 0;
    for round in 0..kills {
        let (bob, (tell, told)) = (peers.pop().unwrap(), mpsc::channel());
        let (after, pause) = (
            rng.gen_range(0..60),
            Duration::from_micros(rng.gen_range(0..3_000)),
        );
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| {
                let (bob, tell) = (bob.control(), tell.clone());
                std::thread::spawn(move || {
                    for number in 0.. {
                        let name = format!("r{round}-{hand}-{number}.jpg");
                        match bob.add(&name) {
                            Ok(()) => tell.send(name).unwrap(),
                            Err(None) => return,
                            Err(Some(why)) => panic!("{name}: {why}"),
                        }
                    }
                })
            })
            .collect();
        drop(tell);
        let mut names: Vec<String> = told.iter().take(after).collect();
        alice.add(&format!("r{round}-alice.jpg")).unwrap();
        let moment = Instant::now() + pause;
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        bob.kill();
        // An answer that was on its way counts.
        names.extend(told.iter());
        hands.into_iter().for_each(|hand| hand.join().unwrap());
        peers.push(world.up("bob", &[]));
        let kept: std::collections::BTreeSet<String> = peers[1].control().names().into_iter().collect();
        let lost: Vec<&String> = names.iter().filter(|name| !kept.contains(*name)).collect();
        assert!(lost.is_empty(), "PEER_SEED={seed}, kill {round}: lost {lost:?}");
        acknowledged += names.len();
    }
    world.sync(&["alice", "bob"]);
    assert!(alice.names().len() >= acknowledged);
    println!("{kills} kills, {acknowledged} acknowledged, 0 lost");
}
