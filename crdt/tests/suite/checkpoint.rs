//! Checkpoints: whatever arrived and wherever it is cut, a checkpoint and the ops after it are all the ops from the
//! beginning; bytes that are none are said to be none.

use std::sync::Arc;

use crdt::op::Op;
use crdt::{Album, CheckpointError, Trust};
use proptest::prelude::*;

use crate::laws::{ops_of, play, script};
use crate::texts::an_album_of_odd_texts;

/// The album as it comes back, which is the same in all that is kept.
pub fn through_a_checkpoint(album: &Album) -> Album {
    let bytes = album.to_checkpoint().unwrap();
    let again = Album::from_checkpoint(album.id(), bytes.clone()).unwrap();
    album.check_same(&again).unwrap();
    assert_eq!((again.waiting_count(), again.refused().len()), (0, 0));
    assert_eq!(again.to_checkpoint().unwrap(), bytes, "one album, one checkpoint");
    again
}

/// Receives ops one by one into both; each must do the same to both.
fn go_on(album: &mut Album, again: &mut Album, ops: &[Arc<Op>]) {
    for op in ops {
        let receipts = [&mut *album, &mut *again].map(|one| {
            let receipt = one.receive(op.clone(), Trust::Stored);
            (receipt, one.drain_changes())
        });
        assert_eq!(receipts[0], receipts[1]);
    }
    album.check_same(again).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// People write, remove, rate, grant, limit and fork; a replica gets it all in some order, ends at some point, comes
    /// back from its checkpoint and gets what is left. It does as the one that never ended.
    #[test]
    fn a_checkpoint_and_the_rest_are_all_ops(
        script in script(true),
        swaps in proptest::collection::vec(any::<(u16, u16)>(), 0..60),
    ) {
        let all = play(&script);
        let mut ops = ops_of(&all);
        let len = ops.len();
        swaps.iter().for_each(|(a, b)| ops.swap(usize::from(*a) % len, usize::from(*b) % len));
        // What a store keeps: causal, in the order in which this replica could take them in.
        let mut replica = Album::empty(all[0].album.id());
        for op in &ops {
            replica.receive(op.clone(), Trust::Stored);
        }
        let stored: Vec<Arc<Op>> = replica.ops().cloned().collect();
        let mut album = Album::empty(replica.id());
        for cut in 0..=stored.len() {
            match cut {
                0 => prop_assert!(album.to_checkpoint().is_none(), "nothing is here yet"),
                _ => {
                    let mut again = through_a_checkpoint(&album);
                    again.check_invariants().unwrap();
                    go_on(&mut album.clone(), &mut again, &stored[cut..]);
                    again.check_invariants().unwrap();
                    again.check_texts().unwrap();
                }
            }
            if let Some(op) = stored.get(cut) {
                album.receive(op.clone(), Trust::Stored);
                album.drain_changes();
            }
        }
    }
}

/// An op whose past is not here waits, and is no part of the checkpoint: its store does not have it either.
#[test]
fn what_waits_is_left_out() {
    let all = play(&[]);
    let ops = ops_of(&all);
    let mut album = Album::empty(all[0].album.id());
    album.receive(ops[0].clone(), Trust::Stored);
    album.receive(ops[3].clone(), Trust::Stored);
    assert_eq!((album.op_count(), album.waiting_count()), (1, 1));
    let again = through_a_checkpoint(&album);
    assert_eq!(again.hashes().collect::<Vec<_>>(), [ops[0].hash]);
}

/// Texts that the album keeps as they came are kept by the checkpoint too.
#[test]
fn odd_texts_come_back_as_they_were() {
    let album = an_album_of_odd_texts();
    assert!(album.odd_count() > 0);
    let again = through_a_checkpoint(&album);
    let texts = |album: &Album| album.ops().map(|op| op.bytes().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(&again), texts(&album));
}

/// A disk's bits rot, files are cut off, mixed up, or of another version: each is said, none is believed.
#[test]
fn what_is_no_checkpoint_is_refused() {
    let album = an_album_of_odd_texts();
    let bytes = album.to_checkpoint().unwrap();
    let read = |bytes: Vec<u8>| Album::from_checkpoint(album.id(), bytes).map(|_| ());
    for at in 0..bytes.len() {
        let mut rotten = bytes.clone();
        rotten[at] ^= 1 << (at % 8);
        let expected = if at < 24 {
            CheckpointError::Version
        } else {
            CheckpointError::Checksum
        };
        assert_eq!(read(rotten), Err(expected), "byte {at}");
        assert!(read(bytes[..at].to_vec()).is_err(), "{at} bytes");
    }
    assert_eq!(read([&bytes[..], b"x"].concat()), Err(CheckpointError::Checksum));
    let other = Album::from_checkpoint(crdt::id::AlbumId([1; 32]), bytes.clone());
    assert_eq!(other.map(|_| ()), Err(CheckpointError::Album));
    let newer = [&b"calotype checkpoint 002\n"[..], &bytes[24..]].concat();
    assert_eq!(read(newer), Err(CheckpointError::Version));
    assert_eq!(read(bytes), Ok(()));
}
