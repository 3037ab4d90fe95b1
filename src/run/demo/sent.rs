//! When the newest events were sent, so that an alert can say how long it took.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Events remembered: an alert follows its event within milliseconds.
const KEPT: usize = 4096;

/// Instants by event id.
#[derive(Default)]
pub(super) struct Sent(Mutex<Newest>);

#[derive(Default)]
struct Newest {
    at: HashMap<String, Instant>,
    order: VecDeque<String>,
}

impl Sent {
    /// An event is being sent now; of one that is sent twice the first time counts.
    pub(super) fn note(&self, id: &str) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.at.contains_key(id) {
            return;
        }
        if newest.order.len() == KEPT
            && let Some(oldest) = newest.order.pop_front()
        {
            newest.at.remove(&oldest);
        }
        newest.at.insert(id.to_owned(), Instant::now());
        newest.order.push_back(id.to_owned());
    }

    /// When it was sent, if it is remembered.
    pub(super) fn at(&self, id: &str) -> Option<Instant> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.at.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered_and_the_first_time_counts() {
        let sent = Sent::default();
        sent.note("first");
        let at = sent.at("first").expect("noted");
        sent.note("first");
        assert_eq!(sent.at("first"), Some(at));
        for number in 0..KEPT {
            sent.note(&number.to_string());
        }
        assert_eq!(sent.at("first"), None);
        assert!(sent.at("0").is_some());
    }
}
