//! docs/protocol.md §3 and §4 read once more, word by word, over sets of ops held as masks: who is valid, what is live,
//! needed, a head, and who has which role. From nothing but who wrote, what was said and what was seen: no op's text,
//! no graph, clock or counter of the crate. A second reading beside [`proptests::model::Model`], quick enough to judge
//! millions of histories; histories of three free ops and random ones hold the two against each other.
//!
//! An op here says one thing at most, and takes one seq. User 0 is the owner.

use crdt::fact::Role;

/// A set of ops: bit n is op n.
pub type Ops = u32;

/// What an op says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Genesis,
    Grant(u8, Role),
    /// A `role` fact: a limit, and a grant unless it is none.
    Role(u8, Role),
    Accept(Ops),
    /// Of the device with this number.
    Revoke(u8),
    Image,
    Rating,
    /// Removes the dot (device, seq).
    Kill(u8, u8),
}

/// An op.
#[derive(Debug, Clone, Copy)]
pub struct Deed {
    pub user: u8,
    /// Root keys are devices too.
    pub device: u8,
    pub is_root: bool,
    pub seq: u8,
    pub prev: Option<u8>,
    pub past: Ops,
    pub says: Says,
}

/// What a set of received ops comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub valid: Ops,
    /// Ops whose author is a curator by the owner's facts (pass 1).
    pub curators: Ops,
    /// Ops whose fact shows.
    pub live: Ops,
    pub needed: Ops,
    pub heads: Ops,
    /// The present role of each user.
    pub roles: [Role; USERS],
}

/// Users that a history may have.
pub const USERS: usize = 5;

/// The members of a set, the lowest first.
pub fn each(mut ops: Ops) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let op = (ops != 0).then(|| ops.trailing_zeros() as usize);
        ops &= ops.wrapping_sub(1);
        op
    })
}

fn has(ops: Ops, op: usize) -> bool {
    ops >> op & 1 == 1
}

fn those(ops: Ops, test: impl Fn(usize) -> bool) -> Ops {
    each(ops).filter(|op| test(*op)).fold(0, |set, op| set | 1 << op)
}

/// Judges the received ops among `deeds`; the past of each must be received.
pub fn judge(deeds: &[Deed], received: Ops) -> Verdict {
    let plain = Plain { deeds, received };
    let owners = plain.select(|deed| deed.user == 0);
    // Rule 1.
    let valid_owners = those(owners, |x| plain.unseen_revokes(x, received) == 0);
    // Rule 4, pass 1.
    let by_owner = valid_owners;
    let curators = those(received & !owners, |x| plain.role(x, by_owner) == Role::Curator);
    let members = received & !owners & !curators;
    let good_curators = those(curators, |x| {
        plain.is_revoke(x) || !plain.is_revoked(x, by_owner) && plain.need(x) <= Role::Curator
    });
    // Pass 2.
    let all = by_owner | good_curators;
    let good_members = those(members, |x| {
        let role = plain.role(x, all).min(Role::Contributor);
        plain.is_revoke(x) || !plain.is_revoked(x, by_owner) && role >= plain.need(x)
    });
    let valid = valid_owners | good_curators | good_members;
    let dead = each(valid).fold(0, |dead, op| dead | plain.kills(op));
    let says_fact = plain.select(|deed| !matches!(deed.says, Says::Kill(..)));
    let needed = each(valid).fold(valid, |needed, op| needed | deeds[op].past);
    let followed = each(needed)
        .filter_map(|op| deeds[op].prev)
        .fold(0, |set, prev| set | 1 << prev);
    let mut roles = [Role::Owner; USERS];
    for (user, role) in roles.iter_mut().enumerate().skip(1) {
        // The next op sees everything, and nothing sees it.
        let next = |force| plain.role_of(user as u8, received, 0, 0, force);
        *role = match next(by_owner) {
            Role::Curator => Role::Curator,
            _ => next(all).min(Role::Contributor),
        };
    }
    Verdict {
        valid,
        curators,
        live: valid & says_fact & !dead,
        needed,
        heads: needed & !followed,
        roles,
    }
}

struct Plain<'a> {
    deeds: &'a [Deed],
    received: Ops,
}

impl Plain<'_> {
    fn select(&self, test: impl Fn(&Deed) -> bool) -> Ops {
        those(self.received, |op| test(&self.deeds[op]))
    }

    fn sees(&self, later: usize, earlier: usize) -> bool {
        has(self.deeds[later].past, earlier)
    }

    /// The received ops that see `x`.
    fn seen_by(&self, x: usize) -> Ops {
        those(self.received, |op| self.sees(op, x))
    }

    fn is_revoke(&self, x: usize) -> bool {
        matches!(self.deeds[x].says, Says::Revoke(_))
    }

    /// Revokes among `these` of the device of `x`, by its user's root, that do not see `x`. None reaches a root.
    fn unseen_revokes(&self, x: usize, these: Ops) -> Ops {
        let author = &self.deeds[x];
        if author.is_root {
            return 0;
        }
        those(these & self.received, |r| {
            let revoke = &self.deeds[r];
            revoke.is_root
                && revoke.user == author.user
                && revoke.says == Says::Revoke(author.device)
                && !self.sees(r, x)
        })
    }

    /// Rule 2.
    fn is_revoked(&self, x: usize, by_owner: Ops) -> bool {
        if self.accepts_of(x, by_owner) != 0 {
            return false;
        }
        let user = self.deeds[x].user;
        let seeing = those(by_owner, |l| self.limits(l, user).is_some() && self.sees(l, x));
        let minimal = those(seeing, |l| self.deeds[l].past & seeing == 0);
        if minimal == 0 {
            return self.unseen_revokes(x, self.received) != 0;
        }
        each(minimal).all(|l| self.unseen_revokes(x, self.deeds[l].past) != 0)
    }

    /// The accepts in force that name `x`.
    fn accepts_of(&self, x: usize, force: Ops) -> Ops {
        those(
            force,
            |a| matches!(self.deeds[a].says, Says::Accept(named) if has(named, x)),
        )
    }

    /// The limit that an op puts on a user.
    fn limits(&self, op: usize, user: u8) -> Option<Role> {
        match self.deeds[op].says {
            Says::Role(about, role) if about == user => Some(role),
            _ => None,
        }
    }

    /// The grant that an op gives a user.
    fn grants(&self, op: usize, user: u8) -> Option<Role> {
        match self.deeds[op].says {
            Says::Grant(about, role) if about == user => Some(role),
            Says::Role(about, role) if about == user && role != Role::None => Some(role),
            _ => None,
        }
    }

    fn role(&self, x: usize, force: Ops) -> Role {
        let deed = &self.deeds[x];
        self.role_of(
            deed.user,
            deed.past,
            self.seen_by(x),
            self.accepts_of(x, force),
            force,
        )
    }

    /// Rule 3 for an op of `user` with this past, which these ops see and these accepts in force name.
    fn role_of(&self, user: u8, past: Ops, seen_by: Ops, accepts: Ops, force: Ops) -> Role {
        let grants = those(force & past, |g| self.grants(g, user).is_some());
        let left_out_of_all = each(accepts).fold(seen_by, |set, accept| set | self.deeds[accept].past);
        let limits = those(force, |l| self.limits(l, user).is_some()) & !left_out_of_all;
        each(grants)
            .map(|g| {
                let standing = limits & !self.deeds[g].past & !(1 << g);
                let lowest = each(standing).filter_map(|l| self.limits(l, user)).min();
                let role = self.grants(g, user).unwrap_or(Role::None);
                lowest.unwrap_or(Role::Owner).min(role)
            })
            .max()
            .unwrap_or(Role::None)
    }

    /// The ops whose fact `op` kills: all of its past under that dot that carry content.
    fn kills(&self, op: usize) -> Ops {
        let Says::Kill(device, seq) = self.deeds[op].says else {
            return 0;
        };
        those(self.deeds[op].past, |dead| {
            let deed = &self.deeds[dead];
            deed.device == device && deed.seq == seq && matches!(deed.says, Says::Image | Says::Rating)
        })
    }

    fn need(&self, op: usize) -> Role {
        match self.deeds[op].says {
            Says::Genesis | Says::Grant(_, Role::Curator) | Says::Role(_, Role::Curator) => Role::Owner,
            Says::Grant(..) | Says::Role(..) | Says::Accept(_) => Role::Curator,
            Says::Image => Role::Contributor,
            Says::Rating | Says::Revoke(_) => Role::Viewer,
            Says::Kill(..) => {
                let needs = each(self.kills(op)).map(|dead| {
                    match (
                        self.deeds[dead].user == self.deeds[op].user,
                        self.deeds[dead].says,
                    ) {
                        (false, _) => Role::Curator,
                        (true, Says::Image) => Role::Contributor,
                        (true, _) => Role::Viewer,
                    }
                });
                needs.max().unwrap_or(Role::Viewer)
            }
        }
    }
}
