//! Answering peers' requests (docs/protocol.md §6). Only devices whose user may read the album now are answered, and a
//! blob is served only if the album names it.

use std::sync::Arc;

use crdt::Album;
use crdt::header::OpRef;
use crdt::id::{AlbumId, PublicKey};
use crdt::op::Op;

use crate::event::CallId;
use crate::limits::{OPS_ANSWER_BYTES, OPS_CHUNK_BYTES};
use crate::wire::{Call, RefusalCode, Want, chunks, decode_call, encode_answer};
use crate::{Action, Engine};

impl Engine {
    pub(crate) fn on_called(&mut self, now: u64, call: CallId, peer: PublicKey, body: &[u8]) {
        self.tally("requests_in", 1);
        let asked = match decode_call(body) {
            Ok(asked) => asked,
            Err(refused) => {
                self.count("request_form");
                return self.refuse(call, refused.code, &refused.message);
            }
        };
        let id = asked.album();
        if !self.may_read(peer, &id) {
            // Not told apart from an album that is not here: ids are not to be probed for.
            self.count("request_denied");
            return self.refuse(call, RefusalCode::Denied, "not an album that you may read here");
        }
        let Some(replica) = self.albums.get(&id) else { return };
        let album = &replica.album;
        match asked {
            Call::Hello { heads, facts, .. } => {
                let answer = encode_answer::roots(album.heads_root(), album.facts_root());
                self.answer(call, vec![answer]);
                self.heard_hello(now, peer, id, (heads, facts));
            }
            Call::Tree { node, .. } => {
                let answer = encode_answer::hashes(&album.tree_hashes(node));
                self.answer(call, vec![answer]);
            }
            Call::Heads { leaves, .. } => {
                let heads = leaves.into_iter().flat_map(|leaf| album.heads_in_leaf(leaf));
                let heads: Vec<_> = heads.map(|head| (head.actor, head.seq, head.hash)).collect();
                // A frame holds about 2,500 heads.
                let frames = heads.chunks(2048).map(encode_answer::heads).collect();
                self.answer(call, frames);
            }
            Call::Ops { want, .. } => {
                let frames = ops_frames(ops_of(album, &want));
                self.answer(call, frames);
            }
            Call::Refs { refs, .. } => {
                let refs: Vec<OpRef> =
                    refs.into_iter().map(|(actor, seq, header)| OpRef { actor, seq, header }).collect();
                let frames = ops_frames(album.ops_by_refs(&refs));
                self.answer(call, frames);
            }
            Call::Have { blobs, .. } => {
                let have: Vec<bool> =
                    blobs.iter().map(|blob| album.names_blob(blob) && self.transfer.is_here(blob)).collect();
                self.answer(call, vec![encode_answer::have(&have)]);
            }
            Call::Chunks { blob, .. } | Call::Blob { blob, .. } if !self.serves(album, &blob) => {
                self.refuse(call, RefusalCode::NotFound, "those bytes are not here");
            }
            Call::Chunks { blob, .. } => self.out.push_fenced(Action::ServeList { call, blob }),
            Call::Blob { blob, chunks, .. } => {
                self.out.push_fenced(Action::ServeChunks { call, peer, blob, chunks });
            }
        }
    }

    fn serves(&self, album: &Album, blob: &crdt::id::BlobHash) -> bool {
        album.names_blob(blob) && self.transfer.is_here(blob)
    }

    fn may_read(&self, peer: PublicKey, id: &AlbumId) -> bool {
        let (Some(link), Some(replica)) = (self.links.get(&peer), self.albums.get(id)) else { return false };
        let album = &replica.album;
        album.role_of(&link.user) >= crdt::fact::Role::Viewer && !album.device_revoked(&link.user, &peer)
    }

    fn answer(&mut self, call: CallId, frames: Vec<Vec<u8>>) {
        self.tally("answer_bytes_out", frames.iter().map(Vec::len).sum());
        self.out.push_fenced(Action::Answer { call, frames });
    }

    fn refuse(&mut self, call: CallId, code: RefusalCode, message: &str) {
        self.out.push_fenced(Action::Answer { call, frames: vec![encode_answer::refused(code, message)] });
    }
}

/// The wanted ops, each once, in causal order.
fn ops_of(album: &Album, wants: &[Want]) -> Vec<Arc<Op>> {
    let mut ops: Vec<_> =
        wants.iter().flat_map(|(actor, head, after)| album.ops_back(actor, head, *after)).collect();
    ops.sort_unstable_by_key(|op| op.order());
    ops.dedup_by_key(|op| op.hash);
    ops
}

/// Ops in causal order as frames, cut at [`OPS_ANSWER_BYTES`]: the asker goes on from there.
fn ops_frames(ops: Vec<Arc<Op>>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    for run in chunks(&ops, OPS_CHUNK_BYTES) {
        if bytes >= OPS_ANSWER_BYTES {
            more = true;
            break;
        }
        let frame = encode_answer::ops(run);
        bytes += frame.len();
        frames.push(frame);
    }
    frames.push(encode_answer::end(more));
    frames
}
