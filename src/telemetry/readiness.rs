//! Whether this process is doing its work: every worker and sink has its partitions, and the brokers answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Shared by the workers, which set it, and `/readyz`, which asks. A clone is another handle to the same state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    parts: AtomicUsize,
    assigned: AtomicUsize,
    connected: AtomicBool,
    stopping: AtomicBool,
}

impl Readiness {
    /// How many workers and sinks there will be; before this nothing is ready.
    pub fn expect(&self, count: usize) {
        self.0.parts.store(count, Ordering::Relaxed);
    }

    /// One more worker or sink has its partitions (of which there may be none); `true` if it was the last.
    pub fn assigned(&self) -> bool {
        let assigned = self.0.assigned.fetch_add(1, Ordering::Relaxed) + 1;
        assigned == self.0.parts.load(Ordering::Relaxed)
    }

    /// One lost its assignment and waits for a new one.
    pub fn unassigned(&self) {
        self.0.assigned.fetch_sub(1, Ordering::Relaxed);
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
        let parts = self.0.parts.load(Ordering::Relaxed);
        let assigned = self.0.assigned.load(Ordering::Relaxed);
        if self.0.stopping.load(Ordering::Relaxed) {
            Err("stopping".to_owned())
        } else if parts == 0 {
            Err("starting".to_owned())
        } else if !self.0.connected.load(Ordering::Relaxed) {
            Err("no broker answers".to_owned())
        } else if assigned < parts {
            Err(format!("{assigned} of {parts} workers and sinks have their partitions"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_assigned_and_connected() {
        let readiness = Readiness::default();
        assert_eq!(readiness.is_ready(), Err("starting".to_owned()));
        readiness.expect(2);
        assert_eq!(readiness.is_ready(), Err("no broker answers".to_owned()));
        readiness.set_connected(true);
        assert!(!readiness.assigned(), "one of two");
        assert!(readiness.is_ready().is_err());
        assert!(readiness.assigned(), "the last");
        assert_eq!(readiness.is_ready(), Ok(()));
        readiness.unassigned();
        assert!(readiness.is_ready().is_err(), "an assignment was lost");
        readiness.assigned();
        assert!(readiness.set_connected(false), "it was connected");
        assert!(readiness.is_ready().is_err(), "brokers away");
        readiness.set_connected(true);
        readiness.set_stopping();
        assert_eq!(readiness.is_ready(), Err("stopping".to_owned()));
    }
}
