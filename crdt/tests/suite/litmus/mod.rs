//! The traps and litmus tests of the design, each a small story.

mod delivery;
mod refusals;
mod sets;
mod writing;

use std::sync::Arc;

use crdt::op::{Op, Refusal};
use crdt::{Album, Receipt, Trust};

/// Why an op is refused; it must change nothing.
fn refusal(album: &mut Album, op: Arc<Op>) -> Refusal {
    let before = (album.digest(), album.op_count(), album.waiting_count());
    let receipt = album.receive(op, Trust::Verify);
    assert_eq!(
        before,
        (album.digest(), album.op_count(), album.waiting_count()),
        "a refused op changes nothing"
    );
    match receipt {
        Receipt::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
