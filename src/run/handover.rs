//! State that changes owners within one process: what one worker gives back, the next one takes, if nothing happened
//! in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::lane::Kept;
use crate::core::ids::{Offset, Partition};

/// A partition that no worker of this process took back within this time belongs to another process.
const KEPT: Duration = Duration::from_secs(60);

/// State of partitions that were given back; a clone is another handle to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handover(Arc<DashMap<Partition, Left>>);

#[derive(Debug)]
struct Left {
    state: Kept,
    /// The committed offsets, of the events and of the feedback, of which it is the state.
    next: (Offset, Option<Offset>),
    at: Instant,
}

impl Handover {
    /// Leaves the state as of committed offsets.
    pub(super) fn leave(&self, partition: Partition, state: Kept, next: (Offset, Option<Offset>)) {
        self.0.insert(partition, Left { state, next, at: Instant::now() });
    }

    /// The state of exactly these committed offsets, if one of our workers left it.
    pub(super) fn take(&self, partition: Partition, next: (Offset, Option<Offset>)) -> Option<Kept> {
        let (_, left) = self.0.remove(&partition)?;
        (left.next == next).then_some(left.state)
    }

    /// Drops what nobody took.
    pub(super) fn clear_old(&self, now: Instant) {
        self.0.retain(|_, left| now.duration_since(left.at) < KEPT);
    }
}
