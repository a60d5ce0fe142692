//! Album lists: reading their text and checking who vouches for it.

use crdt::id::{Signature, UserId};
use crdt::keys::{Certificate, Domain, verify as verify_signature};

use crate::limits::{INTEGER_MAX, LIST_BYTES_MAX, MEMBERS_MAX};
use crate::proto::{AlbumList, Role, VERSION};

/// Why a text with its signature is no album list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Too much text.
    #[error("an album list has at most {LIST_BYTES_MAX} bytes, not {0}")]
    Length(usize),
    /// Not the JSON of a list.
    #[error("the album list cannot be read: {0}")]
    Form(String),
    /// Another version.
    #[error("album list of version {0}, not {VERSION}")]
    Version(u64),
    /// Too many members, one twice, or not exactly one owner.
    #[error("the album list's members are wrong: {0}")]
    Members(&'static str),
    /// A name that cannot be one.
    #[error("the album list holds a bad name: {0}")]
    Name(#[from] crdt::name::NameError),
    /// The root did not sign the device.
    #[error("the certificate is not signed by its root")]
    Certificate,
    /// The device did not sign the text.
    #[error("the album list is not signed by the device of its certificate")]
    Signature,
}

/// Reads a list and checks signature and certificate. Whether the signer may speak for the album is not here:
/// the owner may, and whom the list before this one calls curator.
pub fn verify(text: &str, sig: &Signature, cert: &Certificate) -> Result<AlbumList, ListError> {
    let list = read(text)?;
    if !cert.is_valid() {
        return Err(ListError::Certificate);
    }
    if !verify_signature(&cert.device, Domain::AlbumList, text.as_bytes(), sig) {
        return Err(ListError::Signature);
    }
    Ok(list)
}

/// Reads a list's text and checks its form.
pub fn read(text: &str) -> Result<AlbumList, ListError> {
    if text.len() > LIST_BYTES_MAX {
        return Err(ListError::Length(text.len()));
    }
    crdt::text::check(text).map_err(|error| ListError::Form(error.to_string()))?;
    let list: AlbumList = serde_json::from_str(text).map_err(|error| ListError::Form(error.to_string()))?;
    if list.v != VERSION {
        return Err(ListError::Version(list.v));
    }
    if list.lamport > INTEGER_MAX {
        return Err(ListError::Form(format!("lamport {}", list.lamport)));
    }
    crdt::name::album_name(&list.name)?;
    check_members(&list)?;
    Ok(list)
}

fn check_members(list: &AlbumList) -> Result<(), ListError> {
    if list.members.len() > MEMBERS_MAX {
        return Err(ListError::Members("more than 1,000"));
    }
    for member in &list.members {
        // A label out of the album: what may be written there is the album's matter, not more than a name.
        crdt::name::album_name(&member.name)?;
    }
    let mut users: Vec<&UserId> = list.members.iter().map(|member| &member.user).collect();
    users.sort_unstable();
    if users.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ListError::Members("one is named twice"));
    }
    match list
        .members
        .iter()
        .filter(|member| member.role == Role::Owner)
        .count()
    {
        1 => Ok(()),
        _ => Err(ListError::Members("exactly one is the owner")),
    }
}

#[cfg(test)]
mod tests {
    use crdt::id::AlbumId;
    use crdt::keys::KeyPair;

    use super::*;
    use crate::proto::Member;

    fn member(number: u32, role: Role) -> Member {
        let mut user = [0; 32];
        user[..4].copy_from_slice(&number.to_be_bytes());
        Member {
            user: UserId(user),
            name: "m".to_owned(),
            role,
        }
    }

    fn list(others: u32) -> AlbumList {
        let mut members = vec![member(0, Role::Owner)];
        members.extend((1..=others).map(|number| member(number, Role::Viewer)));
        AlbumList {
            v: 1,
            album: AlbumId([1; 32]),
            name: "trip".to_owned(),
            lamport: 7,
            members,
        }
    }

    fn text(list: &AlbumList) -> String {
        serde_json::to_string(list).unwrap()
    }

    #[test]
    fn golden_text() {
        assert_eq!(
            text(&list(1)),
            concat!(
                r#"{"v":1,"album":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","name":"trip","lamport":7,"members":["#,
                r#"{"user":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","name":"m","role":"owner"},"#,
                r#"{"user":"AAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","name":"m","role":"viewer"}]}"#
            )
        );
        assert_eq!(read(&text(&list(1))), Ok(list(1)));
    }

    #[test]
    fn form() {
        let change = |change: fn(&mut AlbumList)| {
            let mut list = list(2);
            change(&mut list);
            read(&text(&list))
        };
        assert!(change(|_| {}).is_ok());
        assert!(matches!(change(|list| list.v = 2), Err(ListError::Version(2))));
        assert!(change(|list| list.lamport = INTEGER_MAX).is_ok());
        assert!(matches!(
            change(|list| list.lamport = INTEGER_MAX + 1),
            Err(ListError::Form(_))
        ));
        assert!(matches!(
            change(|list| list.name = "a/b".to_owned()),
            Err(ListError::Name(_))
        ));
        assert!(matches!(
            change(|list| list.members[1].name.clear()),
            Err(ListError::Name(_))
        ));
        assert!(matches!(
            change(|list| list.members[1].user.0 = [0; 32]),
            Err(ListError::Members(_))
        ));
        assert!(matches!(
            change(|list| list.members[1].role = Role::Owner),
            Err(ListError::Members(_))
        ));
        assert!(matches!(
            change(|list| list.members[0].role = Role::Curator),
            Err(ListError::Members(_))
        ));
        assert!(matches!(
            change(|list| list.members.clear()),
            Err(ListError::Members(_))
        ));
        let good = text(&list(1));
        for bad in [
            good.replacen("\"v\":1", "\"v\":1,\"v\":1", 1),
            good.replacen("\"v\":1", "\"v\":1.0", 1),
            good.replacen("\"v\":1", "\"v\":1,\"extra\":1", 1),
            good.replacen("viewer", "none", 1),
            good[..good.len() - 1].to_owned(),
            String::new(),
        ] {
            assert!(matches!(read(&bad), Err(ListError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn members_and_bytes_at_the_limit_and_one_past() {
        // 1,000 members do not fit into the bytes of a list, so their number is checked on the value.
        assert_eq!(check_members(&list(MEMBERS_MAX as u32 - 1)), Ok(()));
        assert!(check_members(&list(MEMBERS_MAX as u32)).is_err());
        let padded = |length: usize| {
            let text = text(&list(1));
            let spaces = " ".repeat(length - text.len());
            text.replacen("\"v\"", &format!("{spaces}\"v\""), 1)
        };
        assert!(read(&padded(LIST_BYTES_MAX)).is_ok());
        assert_eq!(
            read(&padded(LIST_BYTES_MAX + 1)),
            Err(ListError::Length(LIST_BYTES_MAX + 1))
        );
    }

    #[test]
    fn who_vouches() {
        let (root, device) = (KeyPair::from_seed(&[1; 32]), KeyPair::from_seed(&[2; 32]));
        let (cert, text) = (Certificate::issue(&root, &device.public()), text(&list(1)));
        let sig = device.sign(Domain::AlbumList, text.as_bytes());
        assert_eq!(verify(&text, &sig, &cert), Ok(list(1)));
        assert_eq!(
            verify(&text.replace("trip", "trap"), &sig, &cert),
            Err(ListError::Signature)
        );
        let op = device.sign(Domain::Op, text.as_bytes());
        assert_eq!(verify(&text, &op, &cert), Err(ListError::Signature));
        let forged = Certificate {
            root: device.public(),
            ..cert
        };
        assert_eq!(verify(&text, &sig, &forged), Err(ListError::Certificate));
    }
}
