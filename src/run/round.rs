//! One commit round: what it holds, and when it is due.

use std::collections::vec_deque::{self, VecDeque};
use std::time::{Duration, Instant};

use crate::core::alert::{Alert, AlertKind};
use crate::core::limits::{ALERTS_BEHIND, MAX_ROUND_BYTES, MAX_ROUND_RECORDS};
use crate::core::time::Timestamp;
use crate::sink::Outgoing;

/// How long an alert waits for company when records keep coming.
const LINGER: Duration = Duration::from_millis(1);

/// After a commit the coordinator still tells each partition of it. A transaction that begins meanwhile is sent away, and
/// librdkafka asks again after 20 ms: with this pause the slowest alert in a hundred was visible after 15 ms, not 21.
const REST: Duration = Duration::from_millis(2);

/// In catch-up nobody waits for a single alert: commits may take a fifth of the time.
const CATCH_UP_FACTOR: u32 = 4;
const LONGEST_LINGER: Duration = Duration::from_millis(100);

/// Outputs that wait for their commit; nothing of it is visible before.
#[derive(Debug, Default)]
pub(super) struct Round {
    records: Vec<Outgoing>,
    /// How many of the records are alerts.
    alerts: usize,
    /// The last of them: a live reader would miss those before.
    shown: VecDeque<Alert>,
    /// Of the records at which alerts opened.
    times: Vec<Option<Timestamp>>,
    bytes: usize,
    /// Since when one waits.
    first_alert: Option<Instant>,
    /// How many of the records are for operators, or tell sinks of an erasure.
    asides: usize,
    /// Records that were gone before they were read.
    lost: u64,
    forgotten: Forgotten,
}

/// Leads that a round forgets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forgotten {
    /// Because a partition had too many.
    pub(super) surplus: usize,
    /// Because they were silent for so long that their next event starts them anew.
    pub(super) silent: usize,
}

impl Round {
    /// An alert, its record, and the time of the record at which it was written.
    pub(super) fn alert(&mut self, alert: Alert, record: Outgoing, time: Option<Timestamp>) {
        self.bytes += record.size();
        self.records.push(record);
        if alert.kind == AlertKind::Opened {
            self.times.push(time);
        }
        self.alerts += 1;
        if self.shown.len() == ALERTS_BEHIND {
            self.shown.pop_front();
        }
        self.shown.push_back(alert);
    }

    /// A record that could not be read.
    pub(super) fn dead_letter(&mut self, record: Outgoing) {
        self.bytes += record.size();
        self.records.push(record);
    }

    /// Records that were gone before they were read: what operators get to know of it, and how many.
    pub(super) fn offsets_lost(&mut self, record: Outgoing, count: u64) {
        self.bytes += record.size();
        self.records.push(record);
        self.asides += 1;
        self.lost += count;
    }

    /// A lead was erased: what sinks get to know of it.
    pub(super) fn erasure(&mut self, record: Outgoing) {
        self.bytes += record.size();
        self.records.push(record);
        self.asides += 1;
    }

    /// After each batch: alerts wait from now on.
    pub(super) fn note_time(&mut self, now: Instant) {
        if self.alerts > 0 && self.first_alert.is_none() {
            self.first_alert = Some(now);
        }
    }

    pub(super) fn records(&self) -> &[Outgoing] {
        &self.records
    }

    pub(super) fn dead_letters(&self) -> usize {
        self.records.len() - self.alerts - self.asides
    }

    pub(super) fn alerts(&self) -> usize {
        self.alerts
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) fn forget(&mut self, leads: Forgotten) {
        self.forgotten.surplus += leads.surplus;
        self.forgotten.silent += leads.silent;
    }

    pub(super) fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether it must be committed before another batch is taken, whatever the time.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= MAX_ROUND_RECORDS || self.bytes >= MAX_ROUND_BYTES
    }

    /// What was committed: the alerts that a reader can see, and the times of the records at which some opened. Empty
    /// afterwards.
    pub(super) fn take_committed(&mut self) -> (vec_deque::Drain<'_, Alert>, std::vec::Drain<'_, Option<Timestamp>>) {
        self.records.clear();
        self.alerts = 0;
        self.bytes = 0;
        self.first_alert = None;
        self.asides = 0;
        self.lost = 0;
        self.forgotten = Forgotten::default();
        (self.shown.drain(..), self.times.drain(..))
    }

    /// Forgets everything: the round was undone.
    pub(super) fn clear(&mut self) {
        self.take_committed();
    }
}

/// What decides whether a round is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The last look found no record.
    pub(super) idle: bool,
    /// The last batch was full: there is a backlog.
    pub(super) backlog: bool,
    /// Offsets moved since the last commit.
    pub(super) moved: bool,
    /// When the last round ended.
    pub(super) last_commit: Instant,
    /// How long the last commit took.
    pub(super) commit_took: Duration,
    /// `commit_interval`.
    pub(super) interval: Duration,
}

impl Pace {
    /// How long the next transaction should not begin yet.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        REST.saturating_sub(now.duration_since(self.last_commit))
    }
}

impl Round {
    /// Whether an alert waits.
    pub(super) fn has_waiting(&self) -> bool {
        self.first_alert.is_some()
    }

    /// Whether to commit now: at once for an alert unless more records are right there, else at each interval.
    pub(super) fn is_due(&self, now: Instant, pace: &Pace) -> bool {
        if self.is_full() {
            return true;
        }
        if let Some(first) = self.first_alert {
            let linger =
                if pace.backlog { (pace.commit_took * CATCH_UP_FACTOR).clamp(LINGER, LONGEST_LINGER) } else { LINGER };
            if (pace.idle || now.duration_since(first) >= linger) && pace.rest(now).is_zero() {
                return true;
            }
        }
        (pace.moved || !self.is_empty()) && now.duration_since(pace.last_commit) >= pace.interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Target;

    fn record() -> Outgoing {
        Outgoing { target: Target::DeadLetters, key: None, value: Some(vec![0; 10]), headers: Vec::new() }
    }

    #[test]
    fn an_alert_commits_at_once_and_offsets_at_each_interval() {
        let start = Instant::now();
        let at = |us: u64| start + Duration::from_micros(us);
        #[rustfmt::skip]
        let rows = [
            // alert since, now (µs), idle, backlog, moved, due    why
            (None,          199_999, true,  false, true,  false, "an offset waits for the interval"),
            (None,          200_000, true,  false, true,  true,  "the interval's end is included"),
            (None,          900_000, true,  false, false, false, "nothing moved, nothing to commit"),
            (Some(100_000), 100_000, true,  false, true,  true,  "an alert, and nothing else is there"),
            (Some(100_000), 100_999, false, false, true,  false, "records are right there: a moment"),
            (Some(100_000), 101_000, false, false, true,  true,  "but a millisecond only"),
            (Some(100_000), 119_999, false, true,  true,  false, "in catch-up four commits' time"),
            (Some(100_000), 120_000, false, true,  true,  true,  "in catch-up four commits' time"),
            (Some(0),         1_999, true,  false, true,  false, "the last commit is still being told"),
            (Some(0),         2_000, true,  false, true,  true,  "it has been"),
        ];
        for (alert_since, now, idle, backlog, moved, due, why) in rows {
            let round = Round { first_alert: alert_since.map(at), ..Round::default() };
            let pace = Pace {
                idle,
                backlog,
                moved,
                last_commit: start,
                commit_took: Duration::from_millis(5),
                interval: Duration::from_millis(200),
            };
            assert_eq!(round.is_due(at(now), &pace), due, "{why}");
        }
    }

    #[test]
    fn an_alert_of_any_kind_makes_a_round_due_at_once_and_only_what_opened_is_timed() {
        let text = include_str!("../../schemas/alert/v1/full.json");
        let alert: Alert = serde_json::from_str(text).expect("an alert");
        let (now, time) = (Instant::now(), Some(Timestamp::MIN));
        let pace = Pace {
            idle: true,
            backlog: false,
            moved: true,
            last_commit: now,
            commit_took: Duration::ZERO,
            interval: Duration::from_millis(200),
        };
        for (kind, timed) in [(AlertKind::Opened, 1), (AlertKind::Updated, 0), (AlertKind::Closed, 0)] {
            let mut round = Round::default();
            assert!(!round.is_due(now + REST, &pace), "{}", kind.name());
            round.alert(Alert { kind, ..alert.clone() }, record(), time);
            round.note_time(now);
            assert!(round.is_due(now + REST, &pace), "{}", kind.name());
            assert_eq!((round.alerts(), round.dead_letters()), (1, 0), "{}", kind.name());
            let (alerts, times) = round.take_committed();
            assert_eq!((alerts.len(), times.len()), (1, timed), "{}", kind.name());
        }
    }

    #[test]
    fn readers_get_the_last_alerts_of_a_round_and_all_are_counted() {
        let text = include_str!("../../schemas/alert/v1/full.json");
        let mut alert: Alert = serde_json::from_str(text).expect("an alert");
        let mut round = Round::default();
        for n in 0..ALERTS_BEHIND + 3 {
            alert.reason = n.to_string();
            round.alert(alert.clone(), record(), None);
        }
        assert_eq!(round.alerts(), ALERTS_BEHIND + 3);
        let (mut shown, _) = round.take_committed();
        assert_eq!((shown.len(), shown.next().map(|alert| alert.reason)), (ALERTS_BEHIND, Some("3".to_owned())));
    }

    #[test]
    fn a_round_is_bounded() {
        let mut round = Round::default();
        for _ in 0..MAX_ROUND_RECORDS - 1 {
            round.dead_letter(record());
        }
        assert!(!round.is_full());
        round.dead_letter(record());
        assert!(round.is_full());
        round.clear();
        assert!(round.is_empty() && !round.is_full() && round.bytes == 0);
        let value = Some(vec![0; MAX_ROUND_BYTES]);
        round.dead_letter(Outgoing { value, ..record() });
        assert!(round.is_full(), "by its bytes");
    }

    #[test]
    fn what_operators_and_sinks_get_to_know_is_no_dead_letter() {
        let mut round = Round::default();
        round.dead_letter(record());
        round.offsets_lost(Outgoing { target: Target::Ops, ..record() }, 5);
        assert_eq!((round.records().len(), round.dead_letters(), round.lost()), (2, 1, 5));
        round.clear();
        assert_eq!((round.records().len(), round.dead_letters(), round.lost()), (0, 0, 0));
        round.offsets_lost(Outgoing { target: Target::Ops, ..record() }, 5);
        round.erasure(Outgoing { target: Target::Ledgers, ..record() });
        assert!(!round.is_empty() && round.dead_letters() == 0);
    }
}
