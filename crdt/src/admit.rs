//! What an op's past must show before the op is received (docs/protocol.md §2, Receipt). All parents are here when
//! these checks run, so every replica decides alike.

use std::collections::BTreeSet;

use crate::deps::Deps;
use crate::fact::{AcceptRun, Fact, Role};
use crate::graph::{FactAt, Graph, Parents};
use crate::header::OpRef;
use crate::id::UserId;
use crate::op::{Op, Refusal};

/// An op that may be received: where it hangs, what it needs and kills.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) parents: Parents,
    pub(crate) need: Role,
    pub(crate) kills: Box<[FactAt]>,
}

/// The parents that are not here yet.
pub(crate) fn missing(graph: &Graph, op: &Op) -> Vec<OpRef> {
    let header = &op.header;
    let prev = header.prev.filter(|prev| graph.find(prev).is_none());
    let prev = prev.map(|prev| OpRef {
        actor: header.actor,
        seq: header.first - 1,
        header: prev.short(),
    });
    let deps = header
        .deps
        .iter()
        .filter(|dep| graph.resolve(dep).is_none())
        .copied();
    prev.into_iter().chain(deps).collect()
}

/// Checks an op whose parents are all here. `grants_of` tells which ops hold a grant that names a user.
pub(crate) fn check<'a>(
    graph: &Graph,
    op: &Op,
    owner: Option<UserId>,
    grants_of: impl Fn(&UserId) -> &'a [u32],
) -> Result<Admitted, Refusal> {
    let header = &op.header;
    let prev = header.prev.and_then(|prev| graph.find(&prev));
    let deps: Deps = header.deps.iter().filter_map(|dep| graph.resolve(dep)).collect();
    check_prev(graph, op, prev)?;
    check_lamport(graph, op, prev, &deps)?;
    let past = graph.past(prev, &deps);
    let parents = Parents { prev, deps, past };
    let (user, is_root) = author(graph, op, prev);
    check_root_actor(op, is_root)?;
    // A later op of an actor stands on its first one, which had a grant in its past.
    let is_named = prev.is_some()
        || op.is_genesis()
        || owner == Some(user)
        || grants_of(&user)
            .iter()
            .any(|grant| parents.past.has(graph.node(*grant)));
    if !is_named {
        return Err(Refusal::Stranger);
    }
    check_accepts(graph, op, &parents)?;
    let (kills, remove_need) = check_removes(graph, op, &parents, &user)?;
    let need = op
        .facts
        .iter()
        .map(|text| text.fact.need())
        .max()
        .unwrap_or(Role::Viewer)
        .max(remove_need);
    Ok(Admitted { parents, need, kills })
}

fn check_prev(graph: &Graph, op: &Op, prev: Option<u32>) -> Result<(), Refusal> {
    let Some(prev) = prev else { return Ok(()) };
    if graph.actor_id(prev) != op.header.actor || graph.node(prev).last_seq() + 1 != op.header.first {
        return Err(Refusal::Prev {
            first: op.header.first,
        });
    }
    Ok(())
}

fn check_lamport(graph: &Graph, op: &Op, prev: Option<u32>, deps: &[u32]) -> Result<(), Refusal> {
    let parents = prev.iter().chain(deps);
    let expected = 1 + parents.map(|at| graph.node(*at).lamport).max().unwrap_or(0);
    let found = op.header.lamport;
    if found == expected {
        Ok(())
    } else {
        Err(Refusal::Lamport { found, expected })
    }
}

/// The author's user, and whether it is a root actor.
fn author(graph: &Graph, op: &Op, prev: Option<u32>) -> (UserId, bool) {
    if let Some(prev) = prev {
        let actor = &graph.actors[graph.node(prev).actor as usize];
        return (graph.users[actor.user as usize], actor.intro.is_root());
    }
    let intro = op
        .header
        .intro
        .expect("an op without prev has an intro, Header::read checked it");
    (intro.user(), intro.is_root())
}

fn check_root_actor(op: &Op, is_root: bool) -> Result<(), Refusal> {
    let revokes = op
        .facts
        .iter()
        .any(|text| matches!(text.fact, Fact::Revoke { .. }));
    let allowed = if is_root {
        op.header.is_empty() || revokes
    } else {
        !revokes
    };
    if allowed { Ok(()) } else { Err(Refusal::RootActor) }
}

fn check_accepts(graph: &Graph, op: &Op, parents: &Parents) -> Result<(), Refusal> {
    for text in &op.facts {
        let Fact::Accept { ops, .. } = &text.fact else {
            continue;
        };
        for run in ops {
            let AcceptRun {
                actor,
                seq,
                header,
                count,
            } = *run;
            let head = graph
                .resolve(&OpRef { actor, seq, header })
                .map(|at| graph.node(at));
            // What lies before an op of the past along prev is in the past too.
            if !head.is_some_and(|head| parents.past.has(head) && count <= u64::from(head.depth)) {
                return Err(Refusal::AcceptsUnseen { actor, seq });
            }
        }
    }
    Ok(())
}

/// The facts that the op kills, and the role that killing them needs.
fn check_removes(
    graph: &Graph,
    op: &Op,
    parents: &Parents,
    user: &UserId,
) -> Result<(Box<[FactAt]>, Role), Refusal> {
    let mut kills = BTreeSet::new();
    let mut need = Role::None;
    for run in &op.header.removes {
        let actor = run.actor;
        // The header's check bounds count and sum.
        for seq in run.first..run.first + run.count {
            let (mut found, mut member) = (false, false);
            for at in graph
                .facts_at(&actor, seq)
                .filter(|at| parents.past.has(graph.node(at.node)))
            {
                let fact = graph.packed(at);
                // Passed over, not refused: else a forked actor could shield a content fact for ever by giving its dot
                // to a member fact in another branch.
                if fact.is_member() {
                    member = true;
                    continue;
                }
                let own = graph.users[graph.user_of(at.node) as usize] == *user;
                need = need.max(fact.remove_need(own));
                kills.insert(at);
                found = true;
            }
            if !found && member {
                return Err(Refusal::RemovesMember { actor, seq });
            }
            if !found {
                return Err(Refusal::RemovesUnseen { actor, seq });
            }
        }
    }
    Ok((kills.into_iter().collect(), need))
}
