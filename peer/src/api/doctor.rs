//! What `doctor` found out.

use serde::{Deserialize, Serialize};

/// See [`super::Reply::Diagnosis`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Whether there are no findings.
    pub healthy: bool,
    /// What was looked at and is well.
    pub well: Vec<Looked>,
    /// What keeps this node from meeting others, or soon will.
    pub findings: Vec<Finding>,
}

/// Something that is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// `account`, `disk`, `files`, `listen`, `port`, `central`, `clock`, `key`, `copy`, `member` or `version`.
    pub check: String,
    /// What was seen, in words.
    pub what: String,
}

/// Something that is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// As in [`Looked::check`].
    pub check: String,
    /// What kind of finding, one word for scripts; docs/user-guide.md lists them.
    pub kind: String,
    /// The member or address that it is about.
    pub about: Option<String>,
    /// What is wrong, in words.
    pub what: String,
    /// Why that is.
    pub why: String,
    /// What to do next.
    pub next: String,
}
