//! What the console remembers of one lead: who it is, how hot, why, and the newest things seen of it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::core::alert::{Alert, AlertKind};
use crate::core::time::Timestamp;

/// Things of one lead that the timeline shows: two sessions of a busy lead, and a page without endless scrolling.
pub(super) const MAX_TIMELINE: usize = 30;

/// Decisions kept of one event: a rules file may have a thousand rules, a timeline cannot.
const MAX_DECISIONS: usize = 16;

/// One decision of the engine, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decided<T = String> {
    /// Id of the rule.
    pub rule: T,
    /// The verdict's name: `fire`, `below_threshold`, …
    pub verdict: &'static str,
    /// The suppression that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<T>,
    /// When a cooldown ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub(super) enum Entry {
    Event {
        time: Timestamp,
        label: String,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        decisions: Vec<Decided>,
    },
    Alert {
        time: Timestamp,
        kind: AlertKind,
        rule: String,
        reason: String,
        score: f64,
    },
}

/// Everything remembered of one lead.
#[derive(Clone, Debug, Default)]
pub(super) struct LeadView {
    pub(super) summary: Summary,
    /// The newest alert as it was published, with its delay.
    pub(super) card: Option<Arc<RawValue>>,
    pub(super) timeline: VecDeque<Entry>,
}

/// A row of the list of the hottest leads.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) company: Option<String>,
    pub(super) job_title: Option<String>,
    pub(super) email: Option<String>,
    /// As the newest alert of any kind said; `None` before the first. Rule, tier and reason are those of the newest that
    /// did not close.
    pub(super) score: Option<f64>,
    pub(super) rule: Option<String>,
    pub(super) tier: Option<String>,
    pub(super) reason: Option<String>,
    /// Those that opened, and the newest of them.
    pub(super) alerts: u64,
    pub(super) alerted: Option<Timestamp>,
    /// The newest event time.
    pub(super) seen: Timestamp,
    /// Grows with every change, so that a page knows what it has.
    pub(super) version: u64,
}

impl LeadView {
    pub(super) fn new(key: &str) -> Self {
        let mut lead = Self::default();
        lead.summary.key = key.to_owned();
        lead
    }

    pub(super) fn seen(&mut self, time: Timestamp, label: &str, outcome: &'static str, decisions: &[Decided<&str>]) {
        let kept = decisions.iter().take(MAX_DECISIONS);
        self.push(
            time,
            Entry::Event { time, label: label.to_owned(), outcome, decisions: kept.map(Decided::to_owned).collect() },
        );
    }

    pub(super) fn alert(&mut self, alert: &Alert, card: Arc<RawValue>) {
        let row = &mut self.summary;
        let lead = &alert.lead;
        row.name.clone_from(&lead.name);
        row.company.clone_from(&lead.company);
        row.job_title.clone_from(&lead.job_title);
        row.email.clone_from(&lead.email);
        row.score = Some(alert.score.total);
        if alert.kind != AlertKind::Closed {
            row.rule = Some(alert.rule.clone());
            row.tier = Some(alert.tier.clone());
            row.reason = Some(alert.reason.clone());
        }
        if alert.kind == AlertKind::Opened {
            row.alerted = Some(alert.time);
            row.alerts += 1;
        }
        // What is over is shown if it is the newest that there is; another rule's says nothing about that.
        if row.rule.as_ref() == Some(&alert.rule) {
            self.card = Some(card);
        }
        if alert.kind == AlertKind::Updated {
            // The event itself is in the timeline; nothing new was told of it.
            row.version += 1;
            return;
        }
        self.push(
            alert.time,
            Entry::Alert {
                time: alert.time,
                kind: alert.kind,
                rule: alert.rule.clone(),
                reason: alert.reason.clone(),
                score: alert.score.total,
            },
        );
    }

    fn push(&mut self, time: Timestamp, entry: Entry) {
        if self.timeline.len() == MAX_TIMELINE {
            self.timeline.pop_front();
        }
        self.timeline.push_back(entry);
        self.summary.seen = self.summary.seen.max(time);
        self.summary.version += 1;
    }
}

impl Decided<&str> {
    fn to_owned(&self) -> Decided {
        Decided { rule: self.rule.to_owned(), verdict: self.verdict, by: self.by.map(str::to_owned), until: self.until }
    }
}
