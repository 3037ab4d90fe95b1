//! One attempt at one alert, start to end: what is sent, what is logged of it, and what it was about.

use std::sync::Arc;
use std::time::Duration;

use super::{Surroundings, lead_tag};
use crate::core::alert::Alert;
use crate::notify::dead_letter::Incoming;
use crate::notify::destination::wall_clock;
use crate::notify::verdict::{AttemptResult, Judged, Reason, Verdict};

/// How an attempt ended.
pub(super) struct Attempted {
    pub judged: Judged,
    /// How long after its event.
    pub after_event: Option<Duration>,
    pub about: About,
}

/// What an attempt was about: what is shown of it.
#[derive(Default)]
pub(super) struct About {
    pub alert: String,
    pub rule: String,
    pub lead: String,
}

/// One attempt, start to end.
pub(super) async fn attempt_one(
    around: Arc<Surroundings>,
    record: Arc<Incoming>,
    number: u32,
    minimal: bool,
) -> Attempted {
    let value = record.value.as_deref().unwrap_or_default();
    let Ok(alert) = serde_json::from_slice::<Alert>(value) else {
        let never = Verdict::Never(Reason::Message);
        let judged = Judged::failed(never, AttemptResult::Message, None, "the record's value is no alert");
        let about = About { alert: record.alert_id(), ..About::default() };
        return Attempted { judged, after_event: None, about };
    };
    let attempted = around.destination.attempt(value, &alert, minimal, record.instead_of()).await;
    if let Some(date) = attempted.answer.and_then(|answer| answer.date) {
        around.observer.skew(&around.sink, date - wall_clock());
    }
    let judged = attempted.judged;
    let (sink, lead) = (around.sink.as_str(), lead_tag(&alert.lead.key));
    if judged.verdict == Verdict::Delivered {
        tracing::info!(sink, alert = %alert.id, rule = alert.rule, lead, status = judged.status, number, "delivered");
    } else {
        let (result, detail) = (judged.result.name(), around.redactor.redact(&judged.detail));
        tracing::warn!(
            sink, alert = %alert.id, rule = alert.rule, lead, status = judged.status, number, result, detail,
            "attempt failed"
        );
    }
    let after_ms = (wall_clock() - alert.trigger.time).as_millis();
    let lead = alert.lead.name.or(alert.lead.email).unwrap_or(alert.lead.key);
    let about = About { alert: alert.id.to_string(), rule: alert.rule, lead };
    Attempted { judged, after_event: Some(Duration::from_millis(after_ms.try_into().unwrap_or(0))), about }
}
