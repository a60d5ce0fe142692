//! Requests between two linked peers and their answers.

use crdt::id::{ActorId, AlbumId, BlobHash, Digest, HeaderHash, HeaderRef};
use crdt::limits::{DEPTH_MAX, MESSAGE_DEPTH_MAX};
use crdt::op::Op;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Unreadable, strict};
use crate::limits::{
    CHUNK_RUNS_MAX, FRAME_BYTES_MAX, HAVE_MAX, LEAVES_MAX, OPS_PER_CHUNK_MAX, REQUEST_BYTES_MAX, WANTS_MAX,
};

/// (actor, last seq, header hash) of an op.
pub type Head = (ActorId, u64, HeaderHash);
/// (actor, header hash, after): that op and its predecessors whose last seq is above `after`.
pub type Want = (ActorId, HeaderHash, u64);

/// A request's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Call {
    /// My roots; what are yours?
    Hello {
        /// Which album.
        album: AlbumId,
        /// Asker's heads root.
        heads: Digest,
        /// Asker's facts root.
        facts: Digest,
    },
    /// The 64 hashes under the heads root, or under one of its nodes.
    Tree {
        /// Which album.
        album: AlbumId,
        /// 0–63.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<u8>,
    },
    /// The heads in these leaves.
    Heads {
        /// Which album.
        album: AlbumId,
        /// 0–4095, at most [`LEAVES_MAX`].
        leaves: Vec<u16>,
    },
    /// Ops back from heads.
    Ops {
        /// Which album.
        album: AlbumId,
        /// At most [`WANTS_MAX`].
        want: Vec<Want>,
    },
    /// Single ops by dep reference.
    Refs {
        /// Which album.
        album: AlbumId,
        /// At most [`WANTS_MAX`].
        refs: Vec<(ActorId, u64, HeaderRef)>,
    },
    /// Whose bytes do you hold?
    Have {
        /// Which album.
        album: AlbumId,
        /// At most [`HAVE_MAX`].
        blobs: Vec<BlobHash>,
    },
    /// A blob's size and chunk list.
    Chunks {
        /// An album that names it.
        album: AlbumId,
        /// Which blob.
        blob: BlobHash,
    },
    /// A blob's chunks.
    Blob {
        /// An album that names it.
        album: AlbumId,
        /// Which blob.
        blob: BlobHash,
        /// (first, n), at most [`CHUNK_RUNS_MAX`].
        chunks: Vec<(u32, u32)>,
    },
}

impl Call {
    /// The album it speaks of.
    pub fn album(&self) -> AlbumId {
        match self {
            Call::Hello { album, .. }
            | Call::Tree { album, .. }
            | Call::Heads { album, .. }
            | Call::Ops { album, .. }
            | Call::Refs { album, .. }
            | Call::Have { album, .. }
            | Call::Chunks { album, .. }
            | Call::Blob { album, .. } => *album,
        }
    }

    fn within_limits(&self) -> bool {
        match self {
            Call::Hello { .. } | Call::Chunks { .. } => true,
            Call::Tree { node, .. } => node.is_none_or(|node| node < 64),
            Call::Heads { leaves, .. } => {
                leaves.len() <= LEAVES_MAX && leaves.iter().all(|leaf| *leaf < 4096)
            }
            Call::Ops { want, .. } => want.len() <= WANTS_MAX,
            Call::Refs { refs, .. } => refs.len() <= WANTS_MAX,
            Call::Have { blobs, .. } => blobs.len() <= HAVE_MAX,
            Call::Blob { chunks, .. } => chunks.len() <= CHUNK_RUNS_MAX,
        }
    }
}

/// Why a call is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Your user may not read that album, or it is not here: not told apart.
    Denied,
    /// Those bytes are not here.
    NotFound,
    /// A call from a newer program, or none at all.
    Unknown,
    /// Past a limit, or too much at once.
    Busy,
    /// A code from a newer program.
    #[serde(other)]
    Other,
}

/// The body of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Kind.
    pub code: RefusalCode,
    /// For logs.
    #[serde(default)]
    pub message: String,
}

/// One JSON frame of an answer, as received.
#[derive(Debug)]
pub enum Answer {
    /// Not answered.
    Refused(Refused),
    /// Texts of ops.
    Ops(Vec<Box<RawValue>>),
    /// No more frames. `more`: the answer was cut at its limit, ask again from there.
    End {
        /// Whether there is more.
        more: bool,
    },
    /// To `hello`.
    Roots {
        /// Answerer's heads root.
        heads: Digest,
        /// Answerer's facts root.
        facts: Digest,
    },
    /// To `tree`: 64 of them.
    Hashes(Vec<Digest>),
    /// To `heads`, in order of actor.
    Heads(Vec<Head>),
    /// To `have`: one for each blob asked.
    Have(Vec<bool>),
    /// To `chunks`, in bytes; the list follows in a binary frame.
    Size(u64),
}

/// What is read of any call.
#[derive(Deserialize)]
struct Peek {
    v: u64,
}

/// Every key a frame may have. (An untagged enum would read through a buffer that raw ops cannot pass.)
#[derive(Deserialize)]
struct InFrame {
    error: Option<Refused>,
    ops: Option<Vec<Box<RawValue>>>,
    end: Option<bool>,
    #[serde(default)]
    more: bool,
    heads: Option<Box<RawValue>>,
    facts: Option<Digest>,
    hashes: Option<Vec<Digest>>,
    have: Option<Vec<bool>>,
    size: Option<u64>,
}

/// One JSON frame of an answer, to be sent.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum OutFrame<'a> {
    Refused {
        error: &'a Refused,
    },
    Ops {
        ops: Vec<&'a RawValue>,
    },
    End {
        end: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
    Roots {
        heads: Digest,
        facts: Digest,
    },
    Hashes {
        hashes: &'a [Digest],
    },
    Heads {
        heads: &'a [Head],
    },
    Have {
        have: &'a [bool],
    },
    Size {
        size: u64,
    },
}

/// The text of a call.
pub fn encode_call(call: &Call) -> Vec<u8> {
    #[derive(Serialize)]
    struct Out<'a> {
        v: u32,
        #[serde(flatten)]
        call: &'a Call,
    }
    serde_json::to_vec(&Out { v: 1, call }).expect("plain data has a JSON text")
}

/// Reads a call from a peer; `Err` is what to answer.
///
/// # Errors
/// A refusal to be sent back: unreadable, unknown, or past a limit.
pub fn decode_call(body: &[u8]) -> Result<Call, Refused> {
    let refuse = |code, message: &str| {
        Err(Refused {
            code,
            message: message.into(),
        })
    };
    if body.len() > REQUEST_BYTES_MAX {
        return refuse(RefusalCode::Busy, "request too long");
    }
    let text = strict(body, DEPTH_MAX).unwrap_or_default();
    let known = serde_json::from_str::<Peek>(text).is_ok_and(|peek| peek.v == 1);
    let Some(call) = serde_json::from_str::<Call>(text).ok().filter(|_| known) else {
        return refuse(RefusalCode::Unknown, "unknown request");
    };
    if !call.within_limits() {
        return refuse(RefusalCode::Busy, "request past a limit");
    }
    Ok(call)
}

/// Makes answer frames; `decode_answer` reads them.
pub mod encode_answer {
    use super::{Digest, Head, Op, OutFrame, RefusalCode, Refused};

    fn text(frame: &OutFrame<'_>) -> Vec<u8> {
        serde_json::to_vec(frame).expect("plain data has a JSON text")
    }

    /// A refusal.
    pub fn refused(code: RefusalCode, message: &str) -> Vec<u8> {
        text(&OutFrame::Refused {
            error: &Refused {
                code,
                message: message.into(),
            },
        })
    }

    /// Ops as they stand.
    pub fn ops<T: AsRef<Op>>(ops: &[T]) -> Vec<u8> {
        text(&OutFrame::Ops {
            ops: ops.iter().map(|op| crate::wire::raw(op.as_ref())).collect(),
        })
    }

    /// The last frame of `ops` and `refs`.
    pub fn end(more: bool) -> Vec<u8> {
        text(&OutFrame::End { end: true, more })
    }

    /// To `hello`.
    pub fn roots(heads: Digest, facts: Digest) -> Vec<u8> {
        text(&OutFrame::Roots { heads, facts })
    }

    /// To `tree`.
    pub fn hashes(hashes: &[Digest]) -> Vec<u8> {
        text(&OutFrame::Hashes { hashes })
    }

    /// To `heads`.
    pub fn heads(heads: &[Head]) -> Vec<u8> {
        text(&OutFrame::Heads { heads })
    }

    /// To `have`.
    pub fn have(have: &[bool]) -> Vec<u8> {
        text(&OutFrame::Have { have })
    }

    /// To `chunks`, before the binary list.
    pub fn size(size: u64) -> Vec<u8> {
        text(&OutFrame::Size { size })
    }
}

/// Reads one JSON frame of an answer.
///
/// # Errors
/// The frame is not one of [`Answer`], or has more entries than a peer may send.
pub fn decode_answer(frame: &[u8]) -> Result<Answer, Unreadable> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(Unreadable::TooLong);
    }
    let text = strict(frame, MESSAGE_DEPTH_MAX).ok_or(Unreadable::Form)?;
    let frame: InFrame = serde_json::from_str(text).map_err(|_| Unreadable::Form)?;
    let answer = match frame {
        InFrame {
            error: Some(refused), ..
        } => Answer::Refused(refused),
        InFrame { ops: Some(ops), .. } => Answer::Ops(ops),
        InFrame {
            end: Some(true),
            more,
            ..
        } => Answer::End { more },
        InFrame {
            heads: Some(heads),
            facts: Some(facts),
            ..
        } => Answer::Roots {
            heads: serde_json::from_str(heads.get()).map_err(|_| Unreadable::Form)?,
            facts,
        },
        InFrame {
            heads: Some(heads), ..
        } => Answer::Heads(serde_json::from_str(heads.get()).map_err(|_| Unreadable::Form)?),
        InFrame {
            hashes: Some(hashes), ..
        } => Answer::Hashes(hashes),
        InFrame { have: Some(have), .. } => Answer::Have(have),
        InFrame { size: Some(size), .. } => Answer::Size(size),
        _ => return Err(Unreadable::Unknown),
    };
    let fits = match &answer {
        Answer::Ops(ops) => ops.len() <= OPS_PER_CHUNK_MAX,
        Answer::Hashes(hashes) => hashes.len() == 64,
        Answer::Have(have) => have.len() <= HAVE_MAX,
        _ => true,
    };
    if fits {
        Ok(answer)
    } else {
        Err(Unreadable::TooLong)
    }
}
