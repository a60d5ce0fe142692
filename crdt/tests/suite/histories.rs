//! The thirteen histories of the design, told in its words, in every arrival order of their free ops: orders that the
//! past allows and, through the buffer, all others too.

use crdt::{Album, Receipt, Trust};

use crate::checkpoint::through_a_checkpoint;
use crate::story::Story;
use crate::world::fact_id;
use proptests::model::Model;

/// Names of the ops that the plain model holds.
fn held_by_model(model: &Model, story: &Story) -> String {
    let held = story.ops.iter().filter(|(_, op)| !model.valid.contains(&op.hash));
    held.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
}

/// Tells a story in all orders; `held` as the design writes it, names sorted. Returns one of the final albums.
fn check(text: &str, held: &str) -> (Story, Album) {
    let story = Story::new(text);
    let mut ends = Vec::new();
    let mut left = (0..story.free.len()).collect::<Vec<_>>();
    arrive(&story, &story.base, &mut left, &mut ends);
    let first = ends.pop().unwrap();
    assert_eq!(story.held(&first), held, "{text}");
    first.check_invariants().unwrap();
    let model = Model::of(story.ops.values());
    assert_eq!(held_by_model(&model, &story), held, "the model differs: {text}");
    assert_eq!(model.live, first.elements().map(|element| element.id).collect());
    (story, first)
}

/// Every order, prefixes shared; all ends must show the same digest and held ops.
fn arrive(story: &Story, album: &Album, left: &mut Vec<usize>, ends: &mut Vec<Album>) {
    if left.is_empty() {
        if let Some(first) = ends.first() {
            assert_eq!(album.digest(), first.digest());
            assert_eq!(story.held(album), story.held(first));
            assert_eq!(album.roles(), first.roles());
            assert_eq!(album.forks(), first.forks());
            assert_eq!(album.waiting_count(), 0);
        } else {
            ends.push(album.clone());
        }
        return;
    }
    for place in 0..left.len() {
        let op = left.remove(place);
        let mut next = album.clone();
        let receipt = next.receive(story.free[op].clone(), Trust::Stored);
        assert!(
            matches!(receipt, Receipt::Received(_) | Receipt::Early { .. }),
            "{receipt:?}"
        );
        if story.free.len() <= 6 {
            next.check_invariants().unwrap();
            // Every second one goes on from its checkpoint.
            let again = through_a_checkpoint(&next);
            if place % 2 == 1 && next.waiting_count() == 0 {
                next = again;
            }
        }
        arrive(story, &next, left, ends);
        left.insert(place, op);
    }
}

fn is_live(story: &Story, album: &Album, name: &str) -> bool {
    album.is_fact_live(&fact_id(&story.ops[name], 0))
}

#[test]
fn history_1_a_removal_holds_what_it_did_not_see() {
    check("O4 remove(A) sees C1; A1 add; B1 add sees A1", "A1");
}

#[test]
fn history_2_what_the_removal_saw_stays() {
    check("A1 add; O4 remove(A) sees A1; A2 add; a1 add", "A2 a1");
}

#[test]
fn history_3_a_re_grant_helps_only_ops_that_see_it_and_an_accept_the_others() {
    let before = "O4 remove(A) sees C1; O5 grant(A); A1 add; A2 add sees A1 O5; a1 add";
    check(before, "A1 a1");
    check(&format!("{before}; O6 accept(A1) sees A2"), "a1");
}

#[test]
fn history_4_concurrent_role_changes_hold_what_neither_saw() {
    check(
        "O4 role(A, viewer) sees C1; C2 role(A, viewer); B1 add; A1 add; A2 rate(B1) sees B1; A3 rate(B1) sees O4 C2",
        "A1",
    );
}

#[test]
fn history_5_a_removal_wins_over_a_concurrent_grant() {
    check(
        "O4 remove(A) sees C1; C2 remove(A); C3 grant(A); A1 add sees C3; O5 grant(A) sees C3 A1; A2 add sees O5",
        "A1",
    );
}

#[test]
fn history_6_a_removed_curator_and_one_accept_that_brings_all_back() {
    let before =
        "A1 add; C2 grant(E) sees A1; C3 kill(A1); O4 remove(C) sees C1 A1; E1 add sees C2; A2 add sees C3";
    let (story, album) = check(before, "C2 C3 E1");
    // The killer is held: the image is back.
    assert!(is_live(&story, &album, "A1"));
    // The design leaves out that O5 sees what it accepts; an accept of anything else is refused.
    let (story, album) = check(&format!("{before}; O5 accept(C2 C3) sees C3"), "");
    assert!(!is_live(&story, &album, "A1"));
}

#[test]
fn history_7_a_removed_curators_fork_gives_him_nothing() {
    check(
        "C2 remove(A); O4 remove(C) sees C2; c1 add (second C1); c2 grant(A) (second C2); A1 add sees c2; \
         B1 add sees A1 c1",
        "A1 c1 c2",
    );
}

#[test]
fn history_8_both_branches_of_a_fork_live_and_one_is_killed() {
    let (story, album) = check(
        "A1 add; A2 add; a2 add (second A2); B1 rate(A2) sees A2; C2 kill(a2) sees a2; O4 add sees B1 C2",
        "",
    );
    assert!(!is_live(&story, &album, "a2"));
    assert!(is_live(&story, &album, "A2"));
    assert_eq!(album.forks().len(), 1);
}

#[test]
fn history_9_promotion_and_demotion_are_judged_before_curators_speak() {
    check(
        "O4 role(A, curator) sees C1; O5 role(A, contributor); C2 remove(A) sees C1; A1 grant(E) sees O4; \
         E1 add sees A1; A2 add sees O5",
        "A1 A2 E1",
    );
}

#[test]
fn history_10_a_contributor_promotes_and_accepts_nobody() {
    check(
        "A1 role(A, curator); O4 remove(A) sees C1; B1 grant(A) sees O4; A2 add sees B1; a1 add; \
         a2 accept(A) sees A2; B2 add sees a2",
        "A1 A2 B1 a1 a2",
    );
}

#[test]
fn history_11_the_owners_lost_device() {
    check(
        "o1 grant(E) sees O3; A1 add; R1 revoke(o) sees A1 o1; o2 remove(A) sees A1; E1 add sees o1 o2",
        "o2",
    );
}

#[test]
fn history_12_who_was_removed_cannot_hide_what_the_remover_saw() {
    check("A1 add; O4 remove(C) sees A1; r1 revoke(C) sees O2; A2 add", "");
}

#[test]
fn history_13_a_back_dated_revocation_and_the_accept_that_undoes_it() {
    let before = "A1 add; r1 revoke(C) sees O2; B1 add sees A1 r1";
    check(before, "A1 C1");
    check(&format!("{before}; O4 accept(C1) sees B1"), "");
}

/// Rule 2 takes any `role` fact of the owner for a remover's, a promotion too: what it saw is kept from the revokes that
/// it did not see. So a thief's op goes with the revoke of the stolen device, but stays where the owner had promoted the
/// user meanwhile; only a removal by the owner's eyes could tell the two apart.
#[test]
fn a_promotion_keeps_what_it_saw_from_a_later_revoke() {
    check("A1 add; q1 revoke(A) sees C1", "A1");
    check("A1 add; O4 role(A, curator) sees A1; q1 revoke(A) sees C1", "");
    check(
        "A1 add; O4 role(A, curator) sees A1; q1 revoke(A) sees C1; A2 add",
        "A2",
    );
}

/// Two devices of the owner remove A, neither having seen the other. One saw A's add and knew of no revocation, the other
/// saw both. Every removal would have to hold the add by a revocation in its own past: the first keeps it.
#[test]
fn of_two_removals_the_one_that_knew_of_no_revocation_keeps_what_it_saw() {
    check(
        "A1 add; q1 revoke(A) sees C1; O4 remove(A) sees A1; o1 remove(A) sees A1 q1",
        "",
    );
    check("A1 add; q1 revoke(A) sees C1; o1 remove(A) sees A1 q1", "A1");
}

/// A removal beside an accept holds as if the accept were not there; else one accept would protect an op for ever.
#[test]
fn an_accept_lifts_only_the_limits_that_it_saw() {
    check("A1 add; C2 remove(A); O4 accept(A1) sees A1 C2", "");
    check("A1 add; C2 remove(A); O4 accept(A1) sees A1", "A1");
}

/// C removed A without having seen an add of his, and was removed himself. The owner removes A, having seen the add; then he
/// lets C's removal hold after all. The add is held, as it would have been from the beginning; that too may be accepted.
#[test]
fn a_removal_that_is_accepted_later_holds_what_it_had_not_seen() {
    let before = "A1 add sees C1; c1 remove(A) sees O2; O4 remove(C) sees A1; O5 remove(A) sees c1";
    check(before, "c1");
    check(&format!("{before}; O6 accept(c1)"), "A1");
    check(&format!("{before}; O6 accept(c1); O7 accept(A1)"), "");
}

/// The owner accepts an add that C's removal of A had not seen. The device he did it with is revoked by one who had not seen
/// that: the accept is lost, though another device of his had removed A knowing of it.
#[test]
fn an_accept_is_lost_with_its_device() {
    let before = "A1 add sees C1; c1 remove(A) sees O2; O4 accept(A1) sees A1 c1";
    check(&format!("{before}; o1 remove(A) sees O4"), "");
    check(
        &format!("{before}; R1 revoke(O) sees A1 c1; o1 remove(A) sees O4"),
        "A1 O3 O4",
    );
}

/// To name a curator is the owner's; whom a curator names one may nothing more than before.
#[test]
fn a_curator_gives_no_curator() {
    check(
        "C2 role(A, curator); A1 grant(E) sees C2; E1 add sees A1",
        "A1 C2 E1",
    );
}

/// A was demoted beside what he did as a curator. A curator's accept makes that a contributor's again, not a curator's:
/// it would decide by a curator's word who is one.
#[test]
fn a_curators_accept_brings_no_curator_back() {
    let before = "O4 role(A, curator) sees C1; O5 role(A, contributor); A1 grant(E) sees O4";
    check(&format!("{before}; C2 accept(A1) sees A1 O5"), "A1");
    check(&format!("{before}; O6 accept(A1) sees A1"), "");
}

/// The owner's root key tells a device lost twice, the second time having seen more: what the first had not seen stays held.
#[test]
fn each_revocation_of_an_owners_device_counts() {
    check("o1 grant(E) sees O3; R1 revoke(o) sees o1", "");
    check(
        "o1 grant(E) sees O3; R1 revoke(o) sees O3; R2 revoke(o) sees o1",
        "o1",
    );
}

/// Two curators remove each other. Neither is less of a curator by that: who is one, the owner alone decides, and so it
/// is decided before curators speak.
#[test]
fn curators_do_not_unmake_each_other() {
    check(
        "O4 role(A, curator) sees C1; C2 remove(A) sees O4; A1 remove(C) sees O4; A2 grant(E); C3 add",
        "",
    );
}
