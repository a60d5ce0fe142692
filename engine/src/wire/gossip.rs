//! The gossip message: hints that travel over PUB/SUB.

use crdt::id::Digest;
use crdt::limits::MESSAGE_DEPTH_MAX;
use crdt::op::Op;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::strict;
use crate::limits::{GOSSIP_BYTES_MAX, OPS_PER_CHUNK_MAX};

/// One life of a publisher: eight random bytes, drawn at each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(pub [u8; 8]);

/// A gossip message as received; ops not yet decoded.
#[derive(Debug)]
pub struct Message {
    /// The publisher's life.
    pub epoch: Epoch,
    /// Its messages on this topic, counted from 1.
    pub seq: u64,
    /// Its heads root after these ops.
    pub heads: Digest,
    /// Texts of ops; empty for a digest message.
    pub ops: Vec<Box<RawValue>>,
}

/// Why a gossip payload was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`GOSSIP_BYTES_MAX`].
    #[error("gossip over {GOSSIP_BYTES_MAX} bytes")]
    TooLong,
    /// Not the JSON of docs/protocol.md §5.
    #[error("gossip of the wrong form")]
    Form,
    /// A kind or version from a newer program: counted and skipped.
    #[error("gossip of an unknown kind")]
    Unknown,
}

#[derive(Serialize)]
struct Out<'a> {
    v: u32,
    kind: &'a str,
    epoch: crate::wire::gossip::Text<8>,
    seq: u64,
    heads: &'a Digest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ops: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Peek {
    v: u64,
    kind: String,
}

#[derive(Deserialize)]
struct In {
    epoch: Text<8>,
    seq: u64,
    heads: Digest,
    #[serde(default)]
    ops: Ops,
}

/// Texts of ops, no more than a message may carry: the reading ends at one too many, since a list of a million nothings
/// takes thirty times the memory of its text.
#[derive(Default)]
struct Ops(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Ops {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> serde::de::Visitor<'de> for List {
            type Value = Ops;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "at most {OPS_PER_CHUNK_MAX} ops")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Ops, A::Error> {
                let mut ops = Vec::new();
                while let Some(op) = items.next_element()? {
                    if ops.len() == OPS_PER_CHUNK_MAX {
                        return Err(serde::de::Error::invalid_length(ops.len() + 1, &self));
                    }
                    ops.push(op);
                }
                Ok(Ops(ops))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Bytes as unpadded base64url.
#[derive(Clone, Copy)]
struct Text<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text.as_bytes())
            .map_err(serde::de::Error::custom)?;
        bytes
            .try_into()
            .map(Text)
            .map_err(|_| serde::de::Error::custom("wrong length"))
    }
}

/// The text of a message: `ops` if there are any, else `digest`.
pub fn encode_message<T: AsRef<Op>>(epoch: Epoch, seq: u64, heads: &Digest, ops: &[T]) -> Vec<u8> {
    let kind = if ops.is_empty() { "digest" } else { "ops" };
    let ops = ops.iter().map(|op| super::raw(op.as_ref())).collect();
    let out = Out {
        v: 1,
        kind,
        epoch: Text(epoch.0),
        seq,
        heads,
        ops,
    };
    serde_json::to_vec(&out).expect("plain data has a JSON text")
}

/// How long [`encode_message`] would make a message of ops with texts of so many bytes.
pub(crate) fn message_len(epoch: Epoch, seq: u64, heads: &Digest, texts: &[usize]) -> usize {
    let without = encode_message::<std::sync::Arc<Op>>(epoch, seq, heads, &[]).len();
    if texts.is_empty() {
        return without;
    }
    let list = texts.iter().sum::<usize>() + texts.len() - 1;
    without - "digest".len() + "ops".len() + r#","ops":[]"#.len() + list
}

/// Reads a payload from a stranger.
///
/// # Errors
/// [`Unreadable`]; nothing of such a message is used.
pub fn decode_message(payload: &[u8]) -> Result<Message, Unreadable> {
    if payload.len() > GOSSIP_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let text = strict(payload, MESSAGE_DEPTH_MAX).ok_or(Unreadable::Form)?;
    let peek: Peek = serde_json::from_str(text).map_err(|_| Unreadable::Form)?;
    if peek.v != 1 || !matches!(peek.kind.as_str(), "ops" | "digest") {
        return Err(Unreadable::Unknown);
    }
    let message: In = serde_json::from_str(text).map_err(|_| Unreadable::Form)?;
    let ops = message.ops.0;
    if message.seq == 0 || (peek.kind == "digest") != ops.is_empty() {
        return Err(Unreadable::Form);
    }
    Ok(Message {
        epoch: Epoch(message.epoch.0),
        seq: message.seq,
        heads: message.heads,
        ops,
    })
}
