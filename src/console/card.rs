//! What pages show of one episode: the newest alert about it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::view::MAX_DELIVERIES;
use crate::core::alert::Alert;
use crate::core::ids::AlertId;
use crate::core::time::Timestamp;

/// An episode, shown by the newest alert about it.
#[derive(Debug)]
pub(super) struct Card {
    /// Of that which opened it and of those since, newest last; at most [`MAX_DELIVERIES`], for of more no delivery is
    /// known.
    pub(super) ids: VecDeque<AlertId>,
    /// Whom it is about.
    pub(super) lead: Box<str>,
    rule: Box<str>,
    start: Timestamp,
    pub(super) json: Arc<RawValue>,
}

impl Card {
    /// One that an alert opens.
    pub(super) fn new(alert: &Alert, json: Arc<RawValue>) -> Self {
        let (lead, rule) = (alert.lead.key.as_str().into(), alert.rule.as_str().into());
        Self { ids: [alert.id].into(), lead, rule, start: alert.episode_start, json }
    }

    /// Whether an alert is about this episode.
    pub(super) fn is_about(&self, alert: &Alert) -> bool {
        *self.lead == *alert.lead.key && *self.rule == *alert.rule && self.start == alert.episode_start
    }

    /// Shows this alert from now on.
    pub(super) fn change(&mut self, alert: &Alert, json: Arc<RawValue>) {
        if self.ids.len() == MAX_DELIVERIES {
            self.ids.pop_front();
        }
        self.ids.push_back(alert.id);
        self.json = json;
    }
}
