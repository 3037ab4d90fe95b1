//! Whether this process is doing its work: every worker and sink has its partitions, and the brokers answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker without a partition may be waiting for one that another member is giving back. After this long there is
/// none for it: by then the group has also dropped a member that went away without a word.
const SPARE_AFTER: Duration = Duration::from_secs(10);

/// Shared by the workers and sinks, which set it, and `/readyz`, which asks. A clone is another handle to the same state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    parts: Mutex<Parts>,
    connected: AtomicBool,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Parts {
    workers: Vec<Share>,
    sinks: usize,
    sinks_assigned: usize,
    /// Ids of sinks whose credential is refused.
    blocked: BTreeSet<String>,
    /// Of the topic that the workers share.
    partitions: usize,
}

/// What the group gave a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// It has not answered yet, or has taken everything back without asking.
    Unknown,
    /// Partitions.
    Some,
    /// Nothing, since then.
    Nothing(Instant),
}

impl Readiness {
    /// How many workers and sinks there will be, and the partitions that the workers share; before this nothing is
    /// ready.
    pub fn expect(&self, workers: usize, sinks: usize, partitions: usize) {
        let mut parts = self.parts();
        parts.workers = vec![Share::Unknown; workers];
        (parts.sinks, parts.partitions) = (sinks, partitions);
    }

    /// The worker of this number, from 0, now has so many partitions in all: the group said so.
    pub fn worker_has(&self, worker: usize, partitions: usize) {
        self.set(worker, if partitions == 0 { Share::Nothing(Instant::now()) } else { Share::Some });
    }

    /// The worker of this number lost its partitions and waits for an answer of the group.
    pub fn worker_lost(&self, worker: usize) {
        self.set(worker, Share::Unknown);
    }

    fn set(&self, worker: usize, share: Share) {
        if let Some(known) = self.parts().workers.get_mut(worker) {
            *known = match (*known, share) {
                // Still nothing: it waits since the first time.
                (Share::Nothing(since), Share::Nothing(_)) => Share::Nothing(since),
                (_, share) => share,
            };
        }
    }

    /// One more sink has its partitions, of which there may be none.
    pub fn sink_assigned(&self) {
        self.parts().sinks_assigned += 1;
    }

    /// The sink's credential is refused, or (false) taken again.
    pub fn sink_blocked(&self, sink: &str, blocked: bool) {
        let mut parts = self.parts();
        match blocked {
            true => parts.blocked.insert(sink.to_owned()),
            false => parts.blocked.remove(sink),
        };
    }

    /// Whether the brokers answer; returns what was known before.
    pub fn set_connected(&self, connected: bool) -> bool {
        self.0.connected.swap(connected, Ordering::Relaxed)
    }

    /// The process drains; it will not be ready again.
    pub fn set_stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// Ready or why not.
    ///
    /// # Errors
    /// One line for people: what is missing.
    pub fn is_ready(&self) -> Result<(), String> {
        self.is_ready_at(Instant::now())
    }

    fn is_ready_at(&self, now: Instant) -> Result<(), String> {
        if self.0.stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        let parts = self.parts();
        let all = parts.workers.len() + parts.sinks;
        if all == 0 {
            return Err("starting".to_owned());
        }
        if !self.0.connected.load(Ordering::Relaxed) {
            return Err("no broker answers".to_owned());
        }
        let assigned = parts.workers.iter().filter(|share| parts.has_its_share(**share, now)).count();
        match assigned + parts.sinks_assigned {
            assigned if assigned < all => Err(format!("{assigned} of {all} workers and sinks have their partitions")),
            _ if !parts.blocked.is_empty() => {
                let ids: Vec<_> = parts.blocked.iter().map(String::as_str).collect();
                Err(format!("the credential of sink {} is refused", ids.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    fn has_its_share(&self, share: Share, now: Instant) -> bool {
        match share {
            Share::Unknown => false,
            Share::Some => true,
            // With fewer partitions than workers some get none, for certain.
            Share::Nothing(_) if self.partitions < self.workers.len() => true,
            Share::Nothing(since) => now.saturating_duration_since(since) >= SPARE_AFTER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connected, with so many workers on so many partitions.
    fn readiness(workers: usize, partitions: usize) -> Readiness {
        let readiness = Readiness::default();
        readiness.expect(workers, 0, partitions);
        readiness.set_connected(true);
        readiness
    }

    #[test]
    fn ready_only_when_assigned_and_connected() {
        let readiness = Readiness::default();
        assert_eq!(readiness.is_ready(), Err("starting".to_owned()));
        readiness.expect(1, 1, 4);
        assert_eq!(readiness.is_ready(), Err("no broker answers".to_owned()));
        readiness.set_connected(true);
        readiness.worker_has(0, 4);
        assert_eq!(readiness.is_ready(), Err("1 of 2 workers and sinks have their partitions".to_owned()));
        readiness.sink_assigned();
        assert_eq!(readiness.is_ready(), Ok(()));
        readiness.worker_lost(0);
        assert!(readiness.is_ready().is_err(), "an assignment was lost");
        readiness.worker_has(0, 1);
        assert!(readiness.set_connected(false), "it was connected");
        assert!(readiness.is_ready().is_err(), "brokers away");
        readiness.set_connected(true);
        readiness.set_stopping();
        assert_eq!(readiness.is_ready(), Err("stopping".to_owned()));
    }

    #[test]
    fn a_sink_whose_credential_is_refused_is_named_until_it_is_taken_again() {
        let readiness = readiness(1, 1);
        readiness.worker_has(0, 1);
        readiness.sink_blocked("sdr", true);
        readiness.sink_blocked("crm", true);
        assert_eq!(readiness.is_ready(), Err("the credential of sink crm, sdr is refused".to_owned()));
        readiness.sink_blocked("crm", false);
        readiness.sink_blocked("sdr", false);
        assert_eq!(readiness.is_ready(), Ok(()));
    }

    #[test]
    fn a_partition_on_its_way_between_two_workers_has_no_owner() {
        let readiness = readiness(2, 2);
        readiness.worker_has(0, 2);
        readiness.worker_has(1, 0);
        assert!(readiness.is_ready().is_err(), "the second joined: the first is about to give one back");
        readiness.worker_has(0, 1);
        assert!(readiness.is_ready().is_err(), "nobody owns it");
        readiness.worker_has(1, 1);
        assert_eq!(readiness.is_ready(), Ok(()));
    }

    #[test]
    fn a_worker_that_gets_nothing_is_ready_when_there_is_nothing_for_it() {
        let one = readiness(2, 1);
        one.worker_has(0, 1);
        assert!(one.is_ready().is_err(), "the second has not joined");
        one.worker_has(1, 0);
        assert_eq!(one.is_ready(), Ok(()), "one partition cannot be shared");

        let spare = readiness(1, 4);
        spare.worker_has(0, 0);
        let now = Instant::now();
        spare.worker_has(0, 0);
        assert!(spare.is_ready_at(now + SPARE_AFTER - Duration::from_secs(1)).is_err(), "it may come yet");
        assert_eq!(spare.is_ready_at(now + SPARE_AFTER), Ok(()), "other processes have them all");
        spare.worker_lost(0);
        assert!(spare.is_ready_at(now + 2 * SPARE_AFTER).is_err(), "lost: the group has to answer anew");
    }
}
