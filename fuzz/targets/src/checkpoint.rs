//! Checkpoints: our own files, but a disk may hold anything. With a good checksum, what is wrong in them must be found or
//! be harmless.

use crdt::id::AlbumId;
use crdt::{Album, Trust};

use crate::album::scene;
use crate::{Seed, seed};

/// Magic, then the checksum of all that follows it; the album comes first in that.
const CHECKSUM: std::ops::Range<usize> = 24..56;
const ALBUM: std::ops::Range<usize> = 56..88;

pub fn run(data: &[u8]) {
    let (id, good) = (scene().album.id(), good());
    take(id, data.to_vec());
    if data.len() >= ALBUM.end {
        let mut sealed = data.to_vec();
        sealed[..CHECKSUM.start].copy_from_slice(&good[..CHECKSUM.start]);
        sealed[ALBUM].copy_from_slice(&id.0);
        let sum = blake3::hash(&sealed[CHECKSUM.end..]);
        sealed[CHECKSUM].copy_from_slice(sum.as_bytes());
        let is_good = sealed == good;
        assert!(take(id, sealed) || !is_good, "a good one is taken");
    }
}

fn good() -> Vec<u8> {
    scene().album.to_checkpoint().unwrap()
}

pub fn seeds() -> Vec<Seed> {
    let mut early = Album::empty(scene().album.id());
    early.receive(scene().ops[0].clone(), Trust::Stored);
    vec![
        seed("genesis", early.to_checkpoint().unwrap()),
        seed("scene", good()),
    ]
}

/// Every length that one states, at its largest.
pub fn large() -> Vec<Vec<u8>> {
    let good = good();
    let longest = |at: usize| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes.resize(1024 * 1024, 0xff);
        bytes
    };
    (ALBUM.end..good.len() - 4).step_by(41).map(longest).collect()
}

/// Whether it is one; then all that an album is asked and given.
fn take(id: AlbumId, bytes: Vec<u8>) -> bool {
    let Ok(mut album) = Album::from_checkpoint(id, bytes) else {
        return false;
    };
    look(&album);
    for op in scene().ops.iter().chain(&scene().news) {
        album.receive(op.clone(), Trust::Verify);
    }
    album.drain_changes();
    look(&album);
    true
}

fn look(album: &Album) {
    album.digest();
    album.heads();
    album.forks();
    album.roles();
    album.live_heap();
    // False counts and orders are not found one by one: here it is enough that looking for them does no harm.
    album.check_invariants().ok();
    album.check_texts().ok();
    for view in album.images() {
        album.image_named(&view.name);
        album.images_of_blob(&view.image.hash);
        album.rating(&view.image.hash);
    }
    assert!(album.chat().count() <= album.element_count());
    assert!(album.elements().count() <= album.element_count());
    assert_eq!(album.ops().count(), album.op_count());
    album.needed_ops().for_each(|op| assert!(!op.bytes().is_empty()));
    album.members().for_each(|member| drop(member.name));
    album.blobs().for_each(drop);
    album.to_checkpoint();
}
