//! The view of hot leads: a bounded copy of the newest alert of each lead, and the stream of committed alerts.
//!
//! Workers write at each commit, many readers read; nothing here decides anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use tokio::sync::broadcast;

use crate::core::alert::Alert;
use crate::core::limits::{ALERTS_BEHIND, HOT_LEADS};
use crate::core::time::Timestamp;

/// A lead that turned hot.
#[derive(Clone, Debug)]
pub struct HotLead {
    /// Its newest alert.
    pub alert: Arc<Alert>,
    /// The lead's score at that alert.
    pub score: f64,
    /// The lead's clock at that alert.
    pub last_seen: Timestamp,
}

/// Shared by workers and the console; a clone is another handle to the same view.
#[derive(Clone, Debug)]
pub struct HotView(Arc<View>);

#[derive(Debug)]
struct View {
    leads: DashMap<String, HotLead>,
    count: AtomicUsize,
    alerts: broadcast::Sender<Arc<Alert>>,
}

impl Default for HotView {
    fn default() -> Self {
        Self(Arc::new(View {
            leads: DashMap::new(),
            count: AtomicUsize::new(0),
            alerts: broadcast::channel(ALERTS_BEHIND).0,
        }))
    }
}

impl HotView {
    /// Tells of alerts that are committed, in their order.
    pub fn publish(&self, alerts: impl IntoIterator<Item = Arc<Alert>>) {
        for alert in alerts {
            let lead = HotLead { score: alert.score.total, last_seen: alert.time, alert: Arc::clone(&alert) };
            if self.0.leads.insert(alert.lead.key.clone(), lead).is_none()
                && self.0.count.fetch_add(1, Ordering::Relaxed) >= HOT_LEADS
            {
                self.forget_older_half();
            }
            // Nobody listening is no error.
            let _ = self.0.alerts.send(alert);
        }
    }

    /// Alerts from now on. A reader that falls more than [`ALERTS_BEHIND`] behind is told how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Alert>> {
        self.0.alerts.subscribe()
    }

    /// All remembered leads, newest alert first.
    pub fn newest_first(&self) -> Vec<HotLead> {
        let mut leads: Vec<_> = self.0.leads.iter().map(|lead| lead.clone()).collect();
        leads.sort_unstable_by(|a, b| (b.last_seen, &a.alert.lead.key).cmp(&(a.last_seen, &b.alert.lead.key)));
        leads
    }

    /// One lead, if it is remembered.
    pub fn get(&self, lead: &str) -> Option<HotLead> {
        self.0.leads.get(lead).map(|lead| lead.clone())
    }

    /// Half at once, so that the search for the oldest is paid once in many alerts.
    fn forget_older_half(&self) {
        let mut seen: Vec<_> = self.0.leads.iter().map(|lead| lead.last_seen).collect();
        let middle = seen.len() / 2;
        let (_, median, _) = seen.select_nth_unstable(middle);
        let median = *median;
        let mut spare = HOT_LEADS / 2;
        self.0.leads.retain(|_, lead| {
            // Of equal times only so many stay, or a burst of one instant would stay whole.
            let keep = lead.last_seen >= median && spare > 0;
            spare -= usize::from(keep);
            keep
        });
        self.0.count.store(self.0.leads.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alert::{AlertKind, Lead, Score, Trigger};
    use crate::core::ids::AlertId;

    fn alert(lead: usize, ms: i64) -> Arc<Alert> {
        let time = Timestamp::from_millis(ms);
        Arc::new(Alert {
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
        })
    }

    #[test]
    fn the_view_is_bounded_and_keeps_the_newest() {
        let view = HotView::default();
        view.publish((0..=HOT_LEADS).map(|lead| alert(lead, lead as i64)));
        let leads = view.newest_first();
        assert!(leads.len() <= HOT_LEADS / 2 + 1, "{} leads", leads.len());
        assert_eq!(leads[0].alert.lead.key, format!("u{HOT_LEADS}"));
        assert!(view.get("u0").is_none(), "the oldest is forgotten");
    }

    #[test]
    fn a_burst_of_one_instant_is_bounded_too() {
        let view = HotView::default();
        view.publish((0..HOT_LEADS * 2).map(|lead| alert(lead, 7)));
        assert!(view.newest_first().len() <= HOT_LEADS);
    }

    #[test]
    fn listeners_get_alerts_in_order() {
        let view = HotView::default();
        let mut alerts = view.subscribe();
        view.publish([alert(1, 1), alert(2, 2)]);
        assert_eq!(alerts.try_recv().map(|a| a.lead.key.clone()), Ok("u1".into()));
        assert_eq!(alerts.try_recv().map(|a| a.lead.key.clone()), Ok("u2".into()));
    }
}
