//! What must hold of every history: the album's incremental state is the plain verdict of what it received, whatever
//! the order of arrival, and the verdict itself keeps the promises of the design.

use crdt::fact::Role;
use crdt::id::{HeaderHash, UserId};
use crdt::{Album, Receipt, Trust};
use proptests::model::{Model, fact_id};

use super::cast::BASE;
use super::walk::Walk;
use crate::plain::{Deed, Ops, Says, Verdict, each, judge};

fn has(ops: Ops, op: usize) -> bool {
    ops >> op & 1 == 1
}

impl Walk {
    pub fn verdict(&self) -> Verdict {
        judge(&self.deeds, self.all())
    }

    /// That an album which received the whole history shows this.
    pub fn check_state(&self, album: &Album, verdict: &Verdict) -> Result<(), String> {
        let same = |what: &str, fits: bool| if fits { Ok(()) } else { Err(what.to_owned()) };
        same(
            "received",
            album.op_count() == self.deeds.len() && album.waiting_count() == 0,
        )?;
        let valid = |op: usize| album.is_valid(&self.op(op).hash) == Some(has(verdict.valid, op));
        same("valid", (0..self.deeds.len()).all(valid))?;
        let held = self.deeds.len() - verdict.valid.count_ones() as usize;
        same("held", album.held_count() == held)?;
        let shows = |op: usize| album.is_fact_live(&fact_id(self.op(op), 0));
        let all_live = each(verdict.live).all(shows);
        same(
            "live",
            all_live && album.element_count() == verdict.live.count_ones() as usize,
        )?;
        let mut heads: Vec<HeaderHash> = each(verdict.heads).map(|op| self.op(op).hash).collect();
        let mut shown: Vec<HeaderHash> = album.heads().iter().map(|head| head.hash).collect();
        heads.sort_unstable();
        shown.sort_unstable();
        same("heads", heads == shown)?;
        let role = |(user, role): (&UserId, &Role)| album.role_of(user) == *role;
        same("roles", self.cast.users.iter().zip(&verdict.roles).all(role))
    }

    /// The plain verdict against the model, which reads the ops themselves.
    pub fn check_model(&self, verdict: &Verdict) -> Result<(), String> {
        let model = Model::of((0..self.deeds.len()).map(|op| self.op(op)));
        let hashes = |ops: Ops| each(ops).map(|op| self.op(op).hash).collect();
        let live = each(verdict.live).map(|op| fact_id(self.op(op), 0)).collect();
        if model.valid != hashes(verdict.valid) || model.live != live {
            return Err("the model and the plain verdict differ".to_owned());
        }
        Ok(())
    }

    /// The base, and then the free ops in this order.
    pub fn arrive(&self, order: &[usize]) -> Album {
        let mut album = self.cast.base.clone();
        for place in order {
            album.receive(self.told[*place].op.clone(), Trust::Stored);
        }
        album
    }

    /// A replica that was given the needed ops only shows the same.
    pub fn check_needed(&self, album: &Album) -> Result<(), String> {
        let mut needed = Album::empty(album.id());
        for op in album.needed_ops() {
            if !matches!(needed.receive(op.clone(), Trust::Stored), Receipt::Received(_)) {
                return Err("a needed op does not stand on needed ones".to_owned());
            }
        }
        if needed.digest() != album.digest() || needed.roles() != album.roles() {
            return Err("the needed ops alone show another album".to_owned());
        }
        Ok(())
    }

    /// The promises of the design; what each newest op may change, from the history without it.
    pub fn check_promises(&self, verdict: &Verdict) -> Result<(), String> {
        let all = self.all();
        let needed = judge(&self.deeds, verdict.needed);
        if (needed.valid, needed.live, needed.heads, needed.roles)
            != (verdict.valid, verdict.live, verdict.heads, verdict.roles)
        {
            return Err("6: without the ops that are not needed the album is another".to_owned());
        }
        let seen = each(all).fold(0, |seen, op| seen | self.deeds[op].past);
        for newest in each(all & !seen).filter(|op| *op >= BASE) {
            let before = judge(&self.deeds, all & !(1 << newest));
            self.check_newest(newest, &before, verdict)?;
        }
        for removal in each(verdict.valid).filter(|op| *op >= BASE) {
            if let Says::Role(person, Role::None) = self.deeds[removal].says {
                self.check_unseen(removal, person, verdict)?;
                self.check_kept(removal, person, verdict)?;
            }
        }
        Ok(())
    }

    fn check_newest(&self, newest: usize, before: &Verdict, after: &Verdict) -> Result<(), String> {
        let deed = &self.deeds[newest];
        let others = !(1 << newest);
        let changed = before.valid != after.valid & others;
        let says = |what: &str| Err(format!("{what}, by op {}", newest - BASE + 1));
        let sees_all = deed.past == self.all() & others;
        if changed && sees_all && matches!(deed.says, Says::Role(..)) {
            return says("1: a change of role that sees everything changed an op's validity");
        }
        let is_revoke = matches!(deed.says, Says::Revoke(_));
        let has_no_say = deed.user != 0 && !has(after.curators, newest) && !is_revoke;
        if changed && has_no_say {
            return says("3: one who is no curator changed another op's validity");
        }
        let by_others = (before.valid ^ after.valid) & others;
        let by_others = each(by_others).any(|op| self.deeds[op].user != deed.user);
        let is_curator = each(before.curators | after.curators).any(|op| self.deeds[op].user == deed.user);
        if is_revoke && by_others && deed.user != 0 && !is_curator {
            return says("3: a revoke by no curator changed another user's op");
        }
        if !is_revoke && !has(after.valid, newest) {
            let same = (before.valid, before.live, before.roles) == (after.valid, after.live, after.roles);
            if !same {
                return says("5: a held op changed what is shown");
            }
        }
        for (user, (was, is)) in before.roles.iter().zip(&after.roles).enumerate() {
            if is > was && usize::from(deed.user) == user {
                return says("4: somebody raised his own role");
            }
            if is > was && *is >= Role::Curator && deed.user != 0 {
                return says("4: a curator not by the owner");
            }
        }
        Ok(())
    }

    /// Ops of a removed member that the remover had not seen are held, but for what later grants and accepts say.
    fn check_unseen(&self, removal: usize, person: u8, verdict: &Verdict) -> Result<(), String> {
        let by_owner = self.deeds[removal].user == 0;
        let later = |op: usize| has(verdict.valid, op) && has(self.deeds[op].past, removal);
        for op in (BASE..self.deeds.len()).filter(|op| self.deeds[*op].user == person) {
            let Deed { past, says, .. } = self.deeds[op];
            let is_curator = has(verdict.curators, op) && !by_owner;
            let is_free = has(self.deeds[removal].past, op) || is_curator || matches!(says, Says::Revoke(_));
            let granted = each(past).any(|grant| {
                let gives = match self.deeds[grant].says {
                    Says::Grant(about, _) => about == person,
                    Says::Role(about, role) => about == person && role != Role::None,
                    _ => false,
                };
                gives && later(grant)
            });
            let accepted = (BASE..self.deeds.len()).any(|accept| {
                matches!(self.deeds[accept].says, Says::Accept(named) if has(named, op)) && later(accept)
            });
            if !is_free && !granted && !accepted && has(verdict.valid, op) {
                return Err(format!("2: the remover had not seen op {}", op - BASE + 1));
            }
        }
        Ok(())
    }

    /// What the owner's removal and every op of others had seen stays, whatever the removed member goes on to write, as long as
    /// what the removal knew of others is in force as it was then. Their ops have rules of their own: a removal that was held
    /// and is accepted later does what it would have done from the beginning, and an accept that is lost with its device
    /// frees nothing any more (`histories::a_removal_that_is_accepted_later…`, `an_accept_is_lost_with_its_device`).
    fn check_kept(&self, removal: usize, person: u8, verdict: &Verdict) -> Result<(), String> {
        let Deed { past, user, .. } = self.deeds[removal];
        if user != 0 {
            return Ok(());
        }
        let then = judge(&self.deeds, past | 1 << removal);
        let others = each(past).filter(|other| self.deeds[*other].user != person);
        if others
            .into_iter()
            .any(|other| has(then.valid, other) != has(verdict.valid, other))
        {
            return Ok(());
        }
        for op in each(past & then.valid).filter(|op| *op >= BASE && self.deeds[*op].user == person) {
            let knew = |other: usize| {
                let deed = &self.deeds[other];
                deed.user == person || has(past & then.valid, other) || other == removal || has(deed.past, op)
            };
            if (0..self.deeds.len()).all(knew) && !has(verdict.valid, op) {
                return Err(format!("7: all had seen op {}", op - BASE + 1));
            }
        }
        Ok(())
    }

    /// Fails with the history in the words of [`crate::story`].
    pub fn expect(&self, found: Result<(), String>) {
        if let Err(difference) = found {
            panic!("{difference}: {}", self.story());
        }
    }
}
