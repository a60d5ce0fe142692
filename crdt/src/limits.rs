//! Every limit of the op format in one place, with units; docs/protocol.md §9. Each is tested at the limit and
//! one past it in `tests/limits.rs`.

/// Largest integer in signed text and messages: 2^53 − 1, what every JSON reader holds exactly (RFC 8259 §6).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Nesting of one signed text (a header, a fact) or of one message without the ops in it. Counted from the text's own
/// braces: counted from a message's, one op would be received by one path and refused by another.
pub const DEPTH_MAX: usize = 8;
/// Nesting that the envelope of an op adds around a fact: its object and the list of facts.
pub const ENVELOPE_DEPTH: usize = 2;
/// Nesting a message may have that carries ops: `{"ops":[op]}` around the envelope.
pub const MESSAGE_DEPTH_MAX: usize = DEPTH_MAX + ENVELOPE_DEPTH + 2;

/// Text of one header.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Text of one fact.
pub const FACT_BYTES_MAX: usize = 4 * 1024;
/// Facts of one op.
pub const FACTS_PER_OP_MAX: usize = 256;
/// Text of all facts of one op.
pub const OP_FACTS_BYTES_MAX: usize = 200 * 1024;
/// What an envelope may hold besides header and facts: keys, signature, commas, white space.
pub const ENVELOPE_BYTES_MAX: usize = 4 * 1024;
/// A whole op as it travels; less than the 256 KiB of one request frame.
pub const OP_BYTES_MAX: usize = HEADER_BYTES_MAX + OP_FACTS_BYTES_MAX + ENVELOPE_BYTES_MAX;

/// `deps` of an op that has facts or removes.
pub const DEPS_MAX: usize = 4;
/// `deps` that our own authors give to an actor's first op with facts; its intro takes the room of the others.
pub const DEPS_INTRO_MAX: usize = 2;
/// `deps` of an empty op.
pub const DEPS_EMPTY_MAX: usize = 32;
/// Runs in `removes`.
pub const REMOVE_RUNS_MAX: usize = 256;
/// Dots that one op removes.
pub const REMOVE_DOTS_MAX: u64 = 4_096;
/// Entries of one accept.
pub const ACCEPT_ENTRIES_MAX: usize = 32;
/// Ops that one entry of an accept names.
pub const ACCEPT_RUN_MAX: u64 = 65_536;

/// Ops that wait for their past, per album.
pub const WAITING_OPS_MAX: usize = 4_096;
/// Bytes of the ops that wait, per album.
pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A checkpoint of one album; the data of its ops are found by 32 bits.
pub const CHECKPOINT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// A chat line.
pub const CHAT_BYTES_MAX: usize = 2_000;
/// An image's name.
pub const IMAGE_NAME_BYTES_MAX: usize = 255;
/// A user's or an album's name.
pub const NAME_BYTES_MAX: usize = 64;
/// Highest rating.
pub const STARS_MAX: u64 = 5;

/// Hex digits of a blob hash that tell entries of one name apart, and the fewest a command may name one by.
pub const HASH_DIGITS_MIN: usize = 6;
/// Images of one command that the history names; it counts all of them.
pub const HISTORY_NAMES_MAX: usize = 100;
/// Header, signature and envelope of an op that adds one image, whatever the number of past actors. An actor's first op
/// keeps within it by [`DEPS_INTRO_MAX`].
pub const ADD_OVERHEAD_BYTES_MAX: usize = 700;
