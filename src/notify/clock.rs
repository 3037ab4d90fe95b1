//! The clock of deliveries: wall-clock time that never jumps, so that a pause is as long as it was meant to be.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::time::{Span, Timestamp};

/// Sleeps are cut to this: nothing is so far away that it matters exactly.
const FAR: Duration = Duration::from_secs(3_600);

/// Counts on from the wall clock's time at its start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    wall: Timestamp,
}

impl Clock {
    /// Starts at what the wall clock says.
    pub fn start(wall: Timestamp) -> Self {
        Self { started: Instant::now(), wall }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.wall + Span::from_millis(elapsed)
    }

    /// When a sleep to that moment ends: not before it, and at the latest an hour from now.
    pub fn instant(&self, at: Timestamp) -> Instant {
        // The millisecond that `now` cut off would wake it once in vain.
        let ms = u64::try_from((at - self.now()).as_millis().saturating_add(1)).unwrap_or(0);
        Instant::now() + Duration::from_millis(ms).min(FAR)
    }
}
