//! The stream of committed alerts: workers write at each commit, many readers read; nothing here decides anything.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::core::alert::Alert;
use crate::core::limits::ALERTS_BEHIND;

/// Shared by workers and readers; a clone is another handle to the same stream.
#[derive(Clone, Debug)]
pub struct HotAlerts(broadcast::Sender<Arc<Alert>>);

impl Default for HotAlerts {
    fn default() -> Self {
        Self(broadcast::channel(ALERTS_BEHIND).0)
    }
}

impl HotAlerts {
    /// Tells of alerts that are committed, in their order. Nobody listening is no error.
    pub fn publish(&self, alerts: impl IntoIterator<Item = Alert>) {
        if self.0.receiver_count() > 0 {
            alerts.into_iter().for_each(|alert| drop(self.0.send(Arc::new(alert))));
        }
    }

    /// Alerts from now on. A reader that falls more than [`ALERTS_BEHIND`] behind is told how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Alert>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::alert::{AlertKind, Lead, Score, Trigger};
    use crate::core::ids::AlertId;
    use crate::core::time::Timestamp;

    pub fn alert(lead: usize, ms: i64) -> Alert {
        let time = Timestamp::from_millis(ms);
        Alert {
            id: AlertId(lead as u128),
            rule: "surge".to_owned(),
            tier: "hot".to_owned(),
            kind: AlertKind::Opened,
            lead: Lead { key: format!("u{lead}"), ..Lead::default() },
            time,
            episode_start: time,
            reason: String::new(),
            flags: Vec::new(),
            flag_texts: Vec::new(),
            score: Score { total: 1.0, fit: 0.0, behaviour: 1.0 },
            trigger: Trigger { event_id: String::new(), time, source: String::new() },
            evidence: Vec::new(),
            campaign: None,
            rules_version: String::new(),
        }
    }

    #[test]
    fn listeners_get_alerts_in_order() {
        let stream = HotAlerts::default();
        let mut alerts = stream.subscribe();
        stream.publish([alert(1, 1), alert(2, 2)]);
        assert_eq!(alerts.try_recv().map(|a| a.lead.key.clone()), Ok("u1".into()));
        assert_eq!(alerts.try_recv().map(|a| a.lead.key.clone()), Ok("u2".into()));
    }
}
