//! What a worker does about its partitions every second: tells of them, frees silent leads, keeps offsets from being
//! forgotten.

use super::*;

/// Kafka forgets the offsets of a topic that its group does not subscribe to, even of a live group
/// (`offsets.retention.minutes`, a week): then old feedback would be heard again.
const RENEW: Duration = Duration::from_secs(3600);

impl Worker {
    /// Updates what is known of each partition, and frees leads of those that are read to their end.
    pub(super) fn observe(&mut self, now: Instant) {
        self.observed = now;
        self.outbox.serve();
        self.shared.handover.clear_old(now);
        if now.duration_since(self.renewed) >= RENEW {
            self.renewed = now;
            self.lanes.renew_feedback();
        }
        let metrics = &self.shared.hooks.metrics;
        for (partition, lane) in self.lanes.iter_mut() {
            self.member.forward(partition);
            if let Some(end) = self.member.known_end(partition) {
                let behind = (end.0 - lane.next().0).max(0);
                metrics.set_lag(&self.shared.settings.topics.events, partition, behind);
                // An end before our place is one that was known when the partition was ours before.
                if end == lane.next() {
                    let silent = lane.engine.forget_silent(Timestamp::from_millis(now_ms()));
                    self.round.forget(Forgotten { surplus: 0, silent });
                }
            }
            metrics.set_leads(partition, lane.engine.leads());
        }
    }
}
