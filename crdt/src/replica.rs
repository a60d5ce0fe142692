//! An album under the field's own interfaces (Shapiro et al. 2011; the traits of the crate `crdts`), so that its laws
//! are tested through them: ops commute, merges join, both give one state.

use std::sync::Arc;

use crdts::{CmRDT, CvRDT, VClock};

use crate::admit;
use crate::album::{Album, Receipt, Trust};
use crate::header::OpRef;
use crate::id::{ActorId, AlbumId};
use crate::op::{Op, Refusal};

/// An album as an op-based and as a state-based CRDT.
#[derive(Debug, Clone)]
pub struct Replica(pub Album);

/// Why an op or a state does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its past is not here; applied all the same it waits.
    #[error("{} parents are not here", .0.len())]
    Early(Vec<OpRef>),
    /// Refused for ever.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another album's state.
    #[error("album {0} is another")]
    Album(AlbumId),
}

impl CmRDT for Replica {
    type Op = Arc<Op>;
    type Validation = Unfit;

    fn validate_op(&self, op: &Arc<Op>) -> Result<(), Unfit> {
        let album = &self.0;
        if album.knows(&op.hash) {
            return Ok(());
        }
        album.check_alone(op, false)?;
        let missing = admit::missing(&album.graph, op);
        if !missing.is_empty() || !(album.has_genesis() || op.is_genesis()) {
            return Err(Unfit::Early(missing));
        }
        album.check_past(op)?;
        Ok(())
    }

    fn apply(&mut self, op: Arc<Op>) {
        // What became of it shows in the state; a refused op changes nothing.
        let _: Receipt = self.0.receive(op, Trust::Verify);
    }
}

impl CvRDT for Replica {
    type Validation = Unfit;

    fn validate_merge(&self, other: &Self) -> Result<(), Unfit> {
        if self.0.id() == other.0.id() {
            Ok(())
        } else {
            Err(Unfit::Album(other.0.id()))
        }
    }

    fn merge(&mut self, other: Self) {
        for op in other.0.ops().chain(other.0.waiting_ops()) {
            self.apply(op.clone());
        }
    }
}

impl From<&Replica> for VClock<ActorId> {
    /// The needed ops as a vector.
    fn from(replica: &Replica) -> Self {
        let dots = replica
            .0
            .clock()
            .into_iter()
            .map(|(actor, counter)| crdts::Dot { actor, counter });
        dots.collect()
    }
}
