//! What an invite says, signed by the device that invites and sealed for each device that may answer; and whether an
//! album, as one has it, lets a device answer it.
//!
//! Device keys are public, so anybody can seal a box: what counts is the signature inside, and the album.

use crdt::Album;
use crdt::fact::Role;
use crdt::id::{AlbumId, InviteId, PublicKey, Signature, UserId};
use crdt::keys::{Certificate, Domain, KeyPair, sealing_key, verify};
use crypto_box::SecretKey;
use serde::{Deserialize, Serialize};

use super::Fault;

/// An invite, as its text says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Invite {
    v: u64,
    /// By which the grants that answer it are known.
    pub(in crate::node) id: InviteId,
    /// Into this album.
    pub(in crate::node) album: AlbumId,
    /// As this.
    pub(in crate::node) role: Role,
    /// The words of its code.
    pub(in crate::node) words: String,
    /// Good until then, milliseconds since 1970.
    pub(in crate::node) until: u64,
}

/// An invite's text with the inviting device's signature: what a box holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::node) struct Signed {
    invite: String,
    sig: Signature,
    /// The inviting device.
    pub(in crate::node) cert: Certificate,
}

/// Why a device does not answer an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::node) enum Refusal {
    /// Another album's.
    #[error("an invite into another album")]
    Album,
    /// Its time is over.
    #[error("an invite whose time is over")]
    Expired,
    /// Who invited may not give that role now.
    #[error("who invited may not give that role now")]
    Inviter,
    /// This device's user may not give it.
    #[error("this user may not give that role")]
    Answerer,
}

impl Invite {
    /// A new one.
    pub(in crate::node) fn new(
        id: InviteId,
        (album, role): (AlbumId, Role),
        words: String,
        until: u64,
    ) -> Self {
        Self {
            v: 1,
            id,
            album,
            role,
            words,
            until,
        }
    }

    /// Signs it.
    pub(in crate::node) fn sign(&self, device: &KeyPair, cert: &Certificate) -> Signed {
        let invite = serde_json::to_string(self).expect("plain data has a JSON text");
        Signed {
            sig: device.sign(Domain::Invite, invite.as_bytes()),
            invite,
            cert: cert.clone(),
        }
    }
}

impl Signed {
    /// Seals it for a device; `None` if that has no key that could open it.
    pub(in crate::node) fn seal(&self, device: &PublicKey) -> Option<Vec<u8>> {
        let key = crypto_box::PublicKey::from(sealing_key(device)?);
        let text = serde_json::to_vec(self).expect("plain data has a JSON text");
        key.seal(&mut rand::rngs::OsRng, &text).ok()
    }

    /// Opens a box and checks who signed what is in it.
    pub(in crate::node) fn open(sealed: &[u8], device: &KeyPair) -> Result<(Invite, Self), Fault> {
        let key = SecretKey::from(*device.opening_key());
        let text = key.unseal(sealed).map_err(|_| Fault::Sealed)?;
        let signed: Self = serde_json::from_slice(&text).map_err(|_| Fault::Form)?;
        let by = &signed.cert;
        if !by.is_valid() || !verify(&by.device, Domain::Invite, signed.invite.as_bytes(), &signed.sig) {
            return Err(Fault::Signature);
        }
        // The same strict rule as for all signed text: one reading, whoever reads.
        crdt::text::check(&signed.invite).map_err(|_| Fault::Form)?;
        let invite: Invite = serde_json::from_str(&signed.invite).map_err(|_| Fault::Form)?;
        match invite.v {
            1 => Ok((invite, signed)),
            _ => Err(Fault::Form),
        }
    }
}

/// The role that giving a role needs.
pub(in crate::node) fn need(role: Role) -> Role {
    match role {
        Role::Viewer | Role::Contributor => Role::Curator,
        _ => Role::Owner,
    }
}

/// Whether this device may answer, by the album as it is here.
pub(in crate::node) fn may_answer(
    invite: &Invite,
    by: &Certificate,
    album: &Album,
    me: &UserId,
    now: u64,
) -> Result<(), Refusal> {
    if invite.album != album.id() || matches!(invite.role, Role::None | Role::Owner) {
        return Err(Refusal::Album);
    }
    if now >= invite.until {
        return Err(Refusal::Expired);
    }
    let (inviter, need) = (by.user(), need(invite.role));
    let lost = album
        .revoked_devices()
        .any(|revoked| revoked == (inviter, by.device));
    if lost || album.role_of(&inviter) < need {
        return Err(Refusal::Inviter);
    }
    match album.role_of(me) < need {
        true => Err(Refusal::Answerer),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crdt::fact::Fact;
    use crdt::id::{AlbumSeed, Incarnation};
    use crdt::{Author, Draft};

    use super::*;

    fn author(person: u8, device: u8) -> Author {
        let (root, device) = (
            KeyPair::from_seed(&[person; 32]),
            KeyPair::from_seed(&[device; 32]),
        );
        Author {
            certificate: Certificate::issue(&root, &device.public()),
            device,
            incarnation: Incarnation([device_tag(&root); 16]),
        }
    }

    fn device_tag(key: &KeyPair) -> u8 {
        key.public().0[0]
    }

    fn invite(album: AlbumId, role: Role) -> Invite {
        let words = "carpet-monkey-lamp".to_owned();
        Invite::new(InviteId([7; 16]), (album, role), words, 1_800_000_000_000)
    }

    #[test]
    fn golden() {
        let (album, alice) = (AlbumId([5; 32]), author(1, 101));
        let signed = invite(album, Role::Contributor).sign(&alice.device, &alice.certificate);
        assert_eq!(
            signed.invite,
            r#"{"v":1,"id":"BwcHBwcHBwcHBwcHBwcHBw","album":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","role":"contributor","words":"carpet-monkey-lamp","until":1800000000000}"#
        );
        let text = serde_json::to_string(&signed).unwrap();
        assert!(text.starts_with(r#"{"invite":"{\"v\":1,"#) && text.contains(r#","sig":""#));
        assert!(text.contains(r#","cert":{"root":""#));
        // The longest words and the longest role fit into a box.
        let longest = Invite {
            words: ["blanket", "blossom", "bicycle"]
                .map(|word| format!("{word}x"))
                .join("-"),
            until: (1 << 53) - 1,
            ..invite(album, Role::Contributor)
        };
        let sealed = longest
            .sign(&alice.device, &alice.certificate)
            .seal(&alice.device.public())
            .unwrap();
        assert!(sealed.len() <= central::limits::BOX_BYTES_MAX, "{}", sealed.len());
    }

    #[test]
    fn a_box_opens_for_its_device_and_tells_who_signed() {
        let (alice, carol) = (author(1, 101), author(2, 102));
        let mine = invite(AlbumId([5; 32]), Role::Viewer);
        let signed = mine.sign(&alice.device, &alice.certificate);
        let sealed = signed.seal(&carol.device.public()).unwrap();
        assert_eq!(
            Signed::open(&sealed, &carol.device),
            Ok((mine.clone(), signed.clone()))
        );
        assert_eq!(Signed::open(&sealed, &alice.device), Err(Fault::Sealed));
        for (at, _) in sealed.iter().enumerate().step_by(7) {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(Signed::open(&damaged, &carol.device), Err(Fault::Sealed));
        }
        for end in [0, 1, 31, 32, 47, 48, sealed.len() - 1] {
            assert_eq!(Signed::open(&sealed[..end], &carol.device), Err(Fault::Sealed));
        }
        // Carol's key is public: the central can seal for her what it likes. It cannot sign.
        let open = |signed: &Signed| {
            let sealed = signed.seal(&carol.device.public()).unwrap();
            Signed::open(&sealed, &carol.device).unwrap_err()
        };
        let other = invite(AlbumId([6; 32]), Role::Viewer).sign(&alice.device, &alice.certificate);
        for forged in [
            Signed {
                invite: other.invite,
                ..signed.clone()
            },
            Signed {
                cert: carol.certificate.clone(),
                ..signed.clone()
            },
            Signed {
                cert: Certificate {
                    root: carol.certificate.root,
                    ..alice.certificate.clone()
                },
                ..signed.clone()
            },
            // Her own text under another domain.
            Signed {
                sig: alice.device.sign(Domain::AlbumList, signed.invite.as_bytes()),
                ..signed.clone()
            },
        ] {
            assert_eq!(open(&forged), Fault::Signature);
        }
        let later = signed.invite.replace(r#""v":1"#, r#""v":2"#);
        let later = Signed {
            sig: alice.device.sign(Domain::Invite, later.as_bytes()),
            invite: later,
            ..signed
        };
        assert_eq!(open(&later), Fault::Form);
    }

    /// Who may answer what is decided by the album as it is now: a curator who is one no longer invites nobody, also not
    /// through another curator's device; roles above contributor come from the owner; time and album must fit.
    #[test]
    fn the_album_decides_who_answers() {
        let (alice, carol, dora) = (author(1, 101), author(2, 102), author(3, 103));
        let (mut album, _) = Album::create(&alice, AlbumSeed([0; 16]), "trip", "alice", 0).unwrap();
        let mut say = |fact: Fact| {
            let facts = vec![fact];
            let draft = Draft {
                facts,
                removes: vec![],
            };
            album.author(&alice, draft).unwrap();
            album.clone()
        };
        let grant = |who: &Author, role| Fact::Grant {
            user: who.user(),
            role,
            name: "x".to_owned(),
            at: 0,
            invite: None,
        };
        say(grant(&carol, Role::Curator));
        let album = say(grant(&dora, Role::Curator));
        let by = |who: &Author| who.certificate.clone();
        let ask = |album: &Album, role, inviter: &Author, me: &Author| {
            may_answer(&invite(album.id(), role), &by(inviter), album, &me.user(), 0)
        };
        assert_eq!(ask(&album, Role::Contributor, &carol, &dora), Ok(()));
        assert_eq!(ask(&album, Role::Viewer, &carol, &alice), Ok(()));
        assert_eq!(ask(&album, Role::Curator, &alice, &alice), Ok(()));
        assert_eq!(ask(&album, Role::Curator, &alice, &dora), Err(Refusal::Answerer));
        assert_eq!(ask(&album, Role::Curator, &carol, &alice), Err(Refusal::Inviter));
        assert_eq!(ask(&album, Role::Owner, &alice, &alice), Err(Refusal::Album));
        assert_eq!(ask(&album, Role::None, &alice, &alice), Err(Refusal::Album));
        let elsewhere = invite(AlbumId([9; 32]), Role::Viewer);
        let answer = |invite: &Invite, now| may_answer(invite, &by(&alice), &album, &alice.user(), now);
        assert_eq!(answer(&elsewhere, 0), Err(Refusal::Album));
        let mine = invite(album.id(), Role::Viewer);
        assert_eq!(answer(&mine, mine.until - 1), Ok(()));
        assert_eq!(answer(&mine, mine.until), Err(Refusal::Expired));
        let demoted = say(Fact::Role {
            user: carol.user(),
            role: Role::Contributor,
            at: 0,
        });
        assert_eq!(ask(&demoted, Role::Viewer, &carol, &dora), Err(Refusal::Inviter));
        assert_eq!(ask(&demoted, Role::Viewer, &dora, &carol), Err(Refusal::Answerer));
        let stranger = author(9, 109);
        assert_eq!(
            ask(&demoted, Role::Viewer, &stranger, &dora),
            Err(Refusal::Inviter)
        );
    }
}
