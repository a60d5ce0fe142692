//! Replies about the machines of an account: its devices, what brings it back, what ends one of them.

use serde::{Deserialize, Serialize};

/// See [`super::Reply::Recovered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// Account name.
    pub user: String,
    /// User id, hex.
    pub user_id: String,
    /// This home's new device key, hex.
    pub device: String,
    /// What this device is called.
    pub label: String,
    /// Address of the central.
    pub central: String,
    /// Albums entered, by name.
    pub albums: Vec<String>,
}

/// See [`super::Reply::Approving`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approving {
    /// Account name.
    pub user: String,
    /// A number and three words.
    pub code: String,
    /// When it ends, RFC 3339.
    pub expires: String,
    /// Address of the central, where it is not this account's own.
    pub central: Option<String>,
}

/// See [`super::Reply::Approved`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approved {
    /// What the new device calls itself; may be empty.
    pub label: String,
    /// Its key, hex.
    pub device: String,
}

/// See [`super::Reply::RecoveryWords`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecoveryWords {
    /// Account name.
    pub user: String,
    /// The 24 words, with a space between two.
    pub recovery_words: String,
}

/// See [`super::Reply::Devices`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Devices {
    /// Account name.
    pub user: String,
    /// This one first, then by label; revoked ones last.
    pub devices: Vec<Device>,
    /// Whether the central told; else it is what this home knows.
    pub complete: bool,
}

/// One machine of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// What it calls itself; `null` where it never said.
    pub label: Option<String>,
    /// Its key, hex.
    pub device: String,
    /// Whether it is this one.
    pub here: bool,
    /// Whether it is linked with this one, or known to be online by the central.
    pub online: bool,
    /// When it was last linked with this one, RFC 3339 UTC; `null` where it never was.
    pub last_seen: Option<String>,
    /// Whether it is the account's no longer.
    pub revoked: bool,
    /// Of a revoked one: albums here that do not know of it yet, by name.
    pub unaware: Vec<String>,
}

/// See [`super::Reply::Revoked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevokedDevice {
    /// What it called itself.
    pub label: Option<String>,
    /// Its key, hex.
    pub device: String,
    /// Albums that know of it now, by name.
    pub albums: Vec<String>,
    /// Whether the central knows; else it is told once it can be reached.
    pub announced: bool,
}

/// See [`super::Reply::Escrow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Escrow {
    /// Account name.
    pub user: String,
    /// Whether the central keeps the root key, sealed under the password.
    pub escrow: bool,
}
