//! What a Byzantine peer says of who belongs to whom: certificates that no root gave, revocations of others' devices, and
//! grants for codes that nobody gave.
//! Each returns the ops as they would leave a program that checks nothing.

use std::sync::Arc;

use crdt::Author;
use crdt::fact::{Fact, Role};
use crdt::header::Intro;
use crdt::id::{AlbumId, Incarnation, InviteId};
use crdt::keys::Certificate;
use crdt::op::Op;

use super::people;
use crate::pen::Pen;

/// The cheat, and whom it is after.
pub(super) struct Impostor<'a> {
    pub(super) album: AlbumId,
    /// Its device.
    pub(super) me: &'a Author,
    /// Its user's root, as an author.
    pub(super) root: &'a Author,
    pub(super) victim: &'a Author,
    /// What its ops shall have seen.
    pub(super) tips: &'a [Arc<Op>],
    /// Its last op.
    pub(super) mine: Option<Arc<Op>>,
    /// A life that nobody has seen yet.
    pub(super) life: Incarnation,
}

impl Impostor<'_> {
    /// A device of the victim's user by the cheat's own word; the victim's device as one of the cheat's user; the victim's
    /// device in a life that it never had.
    pub(super) fn certify(&self, line: &Fact) -> Vec<Arc<Op>> {
        let (mine, theirs) = (self.me.intro(), self.victim.intro());
        let by_my_root = |intro: &Intro| Certificate::issue(&self.root.device, &intro.device).sig;
        let intros = [
            Intro {
                root: theirs.root,
                cert: by_my_root(&mine),
                ..mine
            },
            Intro {
                root: mine.root,
                cert: by_my_root(&theirs),
                ..theirs
            },
            theirs,
        ];
        let life = self.life;
        let lives = intros.map(|intro| Intro {
            incarnation: life,
            ..intro
        });
        lives.iter().filter_map(|intro| self.as_if(intro, line)).collect()
    }

    /// The victim's device revoked: by the victim's root under the cheat's signature, by the cheat's device, by the cheat's
    /// root in an op with more in it, and by the cheat's root in the right form, which reaches its own user's devices only.
    pub(super) fn unseat(&self, clock: u64, line: &Fact) -> Vec<Arc<Op>> {
        let revoke = Fact::Revoke {
            device: self.victim.device.public(),
            at: clock,
        };
        let root = self.victim.certificate.root;
        let their_root = Intro {
            device: root,
            incarnation: self.life,
            root,
            cert: self.victim.certificate.sig,
        };
        let by_device =
            Pen::new(self.me, self.album, self.mine.clone(), self.tips).facts(vec![revoke.clone()]);
        let by_root = Pen::new(self.root, self.album, None, self.tips);
        let with_more = by_root.clone().facts(vec![revoke.clone(), line.clone()]);
        let in_form = by_root.facts(vec![revoke.clone()]);
        let signed = [by_device, with_more, in_form].map(|pen| pen.sign().ok());
        signed
            .into_iter()
            .flatten()
            .chain(self.as_if(&their_root, &revoke))
            .collect()
    }

    /// One code for two newcomers, and for a curator; each let in by a grant of its own, which then is judged by itself.
    pub(super) fn invite(&self, clock: u64) -> Vec<Arc<Op>> {
        let mut prev = self.mine.clone();
        let mut ops = Vec::new();
        for (person, role) in [
            (b'%', Role::Contributor),
            (b'&', Role::Viewer),
            (b'$', Role::Curator),
        ] {
            let grant = Fact::Grant {
                user: people::user(person),
                role,
                name: people::name(person),
                at: clock,
                invite: Some(InviteId([7; 16])),
            };
            let pen = Pen::new(self.me, self.album, prev.clone(), self.tips).facts(vec![grant]);
            let Ok(op) = pen.sign() else { continue };
            prev = Some(op.clone());
            ops.push(op);
        }
        ops
    }

    /// The first op of the actor that `intro` describes, signed by the cheat's device.
    fn as_if(&self, intro: &Intro, fact: &Fact) -> Option<Arc<Op>> {
        let pen = Pen::new(self.me, self.album, None, self.tips).facts(vec![fact.clone()]);
        let mut header = pen.header();
        (header.actor, header.intro) = (intro.actor(), Some(*intro));
        pen.sign_as(&header).ok()
    }
}
