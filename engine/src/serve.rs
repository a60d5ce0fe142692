//! Answering peers' requests (docs/protocol.md §6). Only devices whose user may read the album now are answered, and a
//! blob is served only if the album names it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crdt::Album;
use crdt::header::OpRef;
use crdt::id::{AlbumId, PublicKey};
use crdt::op::Op;

use crate::event::CallId;
use crate::limits::{HEADS_PER_FRAME, OPS_ANSWER_BYTES, OPS_CHUNK_BYTES};
use crate::links::Terms;
use crate::traffic::Kind;
use crate::wire::{Call, RefusalCode, chunks, decode_call, encode_answer};
use crate::{Action, Engine};

impl Engine {
    pub(crate) fn on_called(&mut self, now: u64, call: CallId, peer: PublicKey, body: &[u8]) {
        self.tally("requests_in", 1);
        let asked = match decode_call(body) {
            Ok(asked) => asked,
            Err(refused) => {
                self.count("request_form", Some(peer));
                self.traffic.received(peer, Kind::Refused, body.len());
                return self.refuse(call, peer, refused.code, &refused.message);
            }
        };
        let id = asked.album();
        let kind = Kind::from(&asked);
        if !self.may_read(peer, &id) {
            self.traffic.received(peer, Kind::Refused, body.len());
            // Not told apart from an album that is not here: ids are not to be probed for.
            self.count("request_denied", Some(peer));
            if self.terms(&peer, &id) == Some(Terms::Member) {
                // The album has not begun here, and this peer asks: it takes us for a member.
                self.hope(now, peer, id);
            }
            return self.refuse(
                call,
                peer,
                RefusalCode::Denied,
                "not an album that you may read here",
            );
        }
        self.traffic.received(peer, kind, body.len());
        let Some(replica) = self.albums.get(&id) else {
            return;
        };
        let album = &replica.album;
        match asked {
            Call::Hello { heads, facts, .. } => {
                let answer = encode_answer::roots(album.heads_root(), album.facts_root());
                self.answer(call, peer, kind, vec![answer]);
                self.heard_hello(now, peer, id, (heads, facts));
            }
            Call::Tree { node, .. } => {
                let answer = encode_answer::hashes(&album.tree_hashes(node));
                self.answer(call, peer, kind, vec![answer]);
            }
            Call::Heads { leaves, .. } => {
                // A leaf asked for twice is answered once.
                let leaves: BTreeSet<u16> = leaves.into_iter().collect();
                let heads = leaves.into_iter().flat_map(|leaf| album.heads_in_leaf(leaf));
                let heads: Vec<_> = heads.map(|head| (head.actor, head.seq, head.hash)).collect();
                let mut frames: Vec<_> = heads.chunks(HEADS_PER_FRAME).map(encode_answer::heads).collect();
                if frames.is_empty() {
                    // An answer without a frame is none.
                    frames.push(encode_answer::heads(&[]));
                }
                self.answer(call, peer, kind, frames);
            }
            Call::Ops { want, .. } => {
                let frames = ops_frames(album.ops_wanted(&want));
                self.answer(call, peer, kind, frames);
            }
            Call::Refs { refs, .. } => {
                let refs: Vec<OpRef> = refs
                    .into_iter()
                    .map(|(actor, seq, header)| OpRef { actor, seq, header })
                    .collect();
                let frames = ops_frames(album.ops_by_refs(&refs).into_iter());
                self.answer(call, peer, kind, frames);
            }
            Call::Have { blobs, .. } => {
                let have: Vec<bool> = blobs
                    .iter()
                    .map(|blob| album.names_blob(blob) && self.transfer.is_here(blob))
                    .collect();
                self.answer(call, peer, kind, vec![encode_answer::have(&have)]);
            }
            Call::Chunks { blob, .. } | Call::Blob { blob, .. } if !self.serves(album, &blob) => {
                self.refuse(call, peer, RefusalCode::NotFound, "those bytes are not here");
            }
            Call::Chunks { blob, .. } => self.out.push_fenced(Action::ServeList { call, peer, blob }),
            Call::Blob { blob, chunks, .. } => {
                self.out.push_fenced(Action::ServeChunks {
                    call,
                    peer,
                    blob,
                    chunks,
                });
            }
        }
    }

    fn serves(&self, album: &Album, blob: &crdt::id::BlobHash) -> bool {
        album.names_blob(blob) && self.transfer.is_here(blob)
    }

    fn may_read(&self, peer: PublicKey, id: &AlbumId) -> bool {
        let begun = self
            .albums
            .get(id)
            .is_some_and(|replica| replica.album.has_genesis());
        begun && self.terms(&peer, id) == Some(Terms::Member)
    }

    fn answer(&mut self, call: CallId, peer: PublicKey, kind: Kind, frames: Vec<Vec<u8>>) {
        for frame in &frames {
            self.traffic.sent(peer, kind, frame.len());
        }
        self.tally("answer_bytes_out", frames.iter().map(Vec::len).sum());
        self.out.push_fenced(Action::Answer { call, frames });
    }

    fn refuse(&mut self, call: CallId, peer: PublicKey, code: RefusalCode, message: &str) {
        let frame = encode_answer::refused(code, message);
        self.traffic.sent(peer, Kind::Refused, frame.len());
        self.out.push_fenced(Action::Answer {
            call,
            frames: vec![frame],
        });
    }
}

/// Ops in causal order as frames, cut at [`OPS_ANSWER_BYTES`]: the asker goes on from there.
fn ops_frames(all: impl Iterator<Item = Arc<Op>>) -> Vec<Vec<u8>> {
    let mut ops = Vec::new();
    let mut text = 0;
    for op in all {
        text += op.bytes().len();
        ops.push(op);
        // The frame that passes the limit is left out, so nobody needs what comes after it.
        if text > OPS_ANSWER_BYTES {
            break;
        }
    }
    let mut frames = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    for run in chunks(&ops, OPS_CHUNK_BYTES) {
        let frame = encode_answer::ops(run);
        bytes += frame.len();
        more = bytes > OPS_ANSWER_BYTES;
        if more {
            break;
        }
        frames.push(frame);
    }
    frames.push(encode_answer::end(more));
    frames
}
