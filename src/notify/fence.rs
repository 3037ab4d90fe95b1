//! Which partitions are ours, and what proves it to the brokers: without it nothing of ours reaches the ledger.
//!
//! Every batch for the ledger is one transaction that also commits the offsets of the partitions that it concerns, in the
//! name of the group member that owned them. A member that was paused and lost its partitions is refused with its old
//! generation, and its records with it. That holds only if a batch for a partition that was lost never goes with a newer
//! generation: so each partition has an epoch, and it and the proof are looked up under one lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::consumer::ConsumerGroupMetadata;

use super::job::Epoch;
use crate::core::ids::Partition;

/// Shared by the consumer's thread, which knows, and the ledger's, which asks.
#[derive(Clone, Default)]
pub struct Fence(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    owned: BTreeMap<Partition, Epoch>,
    last: Epoch,
    proof: Option<Arc<ConsumerGroupMetadata>>,
}

/// What proves that partitions are ours.
pub type Proof = Arc<ConsumerGroupMetadata>;

impl Fence {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These partitions are ours from now on; gives their epoch.
    pub fn assigned(&self, partitions: &[Partition]) -> Epoch {
        let mut inner = self.inner();
        inner.last += 1;
        let epoch = inner.last;
        inner.owned.extend(partitions.iter().map(|partition| (*partition, epoch)));
        epoch
    }

    /// These partitions are no longer ours.
    pub fn gone(&self, partitions: &[Partition]) {
        let mut inner = self.inner();
        inner.owned.retain(|partition, _| !partitions.contains(partition));
    }

    /// The group has a new generation, or (`None`) has thrown us out.
    pub fn renew(&self, proof: Option<ConsumerGroupMetadata>) {
        self.inner().proof = proof.map(Arc::new);
    }

    /// The proof, and which of these partitions it is good for. `None` while there is no proof.
    pub fn ours(&self, partitions: impl Iterator<Item = (Partition, Epoch)>) -> Option<(Proof, Vec<Partition>)> {
        let inner = self.inner();
        let ours = partitions.filter(|(partition, epoch)| inner.owned.get(partition) == Some(epoch));
        Some((Arc::clone(inner.proof.as_ref()?), ours.map(|(partition, _)| partition).collect()))
    }

    /// Whether the group knows us.
    pub fn is_member(&self) -> bool {
        self.inner().proof.is_some()
    }

    /// Whether any of these partitions is still ours.
    pub fn any_ours(&self, mut partitions: impl Iterator<Item = (Partition, Epoch)>) -> bool {
        let inner = self.inner();
        partitions.any(|(partition, epoch)| inner.owned.get(&partition) == Some(&epoch))
    }
}
