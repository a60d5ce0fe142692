//! What engines say to each other (docs/protocol.md §5 and §6): gossip messages and requests, as JSON.
//! Ops inside are raw text, decoded apart, so that one bad op does not spoil its neighbours.

mod gossip;
mod request;

pub(crate) use gossip::message_len;
pub use gossip::{Epoch, Message, Unreadable, decode_message, encode_message};
pub use request::{
    Answer, Call, Head, RefusalCode, Refused, Want, decode_answer, decode_call, encode_answer, encode_call,
};

use crdt::op::Op;
use serde_json::value::RawValue;

/// Splits ops, in their order, into runs of at most `bytes` of text and [`crate::limits::OPS_PER_CHUNK_MAX`] ops.
pub fn chunks<T: AsRef<Op>>(ops: &[T], bytes: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = ops;
    std::iter::from_fn(move || {
        let taken = run_len(rest.iter().map(|op| op.as_ref().bytes().len()), bytes);
        let (run, left) = rest.split_at(taken);
        rest = left;
        (!run.is_empty()).then_some(run)
    })
}

/// How many of these ops, given by their bytes of text, go into the first run of [`chunks`].
pub(crate) fn run_len(texts: impl Iterator<Item = usize>, bytes: usize) -> usize {
    let mut taken = 0;
    let mut size = 0;
    for text in texts {
        size += text + 1;
        if taken > 0 && (size > bytes || taken == crate::limits::OPS_PER_CHUNK_MAX) {
            break;
        }
        taken += 1;
    }
    taken
}

/// An op's stored text as a JSON value to be embedded unchanged.
fn raw(op: &Op) -> &RawValue {
    serde_json::from_str(op.bytes()).expect("an op's text was JSON when it was decoded")
}

/// A message's text, if it is an object that keeps the rule of docs/protocol.md §1.
fn strict(bytes: &[u8], depth_max: usize) -> Option<&str> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.starts_with('{'))?;
    crdt::text::check_depth(text, depth_max).ok().map(|()| text)
}
