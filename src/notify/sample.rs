//! The message of `hotlead sink test`: an alert about nobody, marked TEST, sent once to one sink.

use super::destination::{Attempted, Destination, wall_clock};
use super::redact::Redactor;
use super::verdict::Verdict;
use crate::config::settings::{Settings, Sink};
use crate::core::alert::{Alert, AlertKind, Evidence, Lead, Score, Trigger};
use crate::core::ids::AlertId;
use crate::core::time::Timestamp;

/// Characters of the other side's answer that are printed.
const SHOWN: usize = 200;

/// What one test message led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether the other side took it.
    pub delivered: bool,
    /// The HTTP status and at most 200 characters of the answer, or why there is none; without secrets.
    pub line: String,
}

/// Sends one message to `sink` and tells what the other side answered. Does not touch Kafka.
///
/// # Errors
/// If the sink's settings cannot work; in words without any secret.
pub async fn send(settings: &Settings, sink: &Sink) -> Result<Report, String> {
    let redactor = Redactor::new(settings);
    let destination = Destination::of(sink, &settings.group).map_err(|fault| redactor.redact(&fault))?;
    let alert = alert(fastrand::u128(..), wall_clock());
    let published = serde_json::to_vec(&alert).map_err(|error| error.to_string())?;
    let Attempted { judged, answer } = destination.attempt(&published, &alert, false, None).await;
    let line = match answer {
        None => redactor.redact(&judged.detail),
        Some(answer) => {
            let body = redactor.redact(&String::from_utf8_lossy(&answer.body));
            let body: String = super::slack::clean(&body).chars().take(SHOWN).collect();
            format!("{} {body}", answer.status).trim_end().to_owned()
        }
    };
    let delivered = judged.verdict == Verdict::Delivered;
    Ok(Report { delivered, line: format!("{}: {line}", destination.place()) })
}

/// An alert that nobody can take for a real one.
pub fn alert(id: u128, now: Timestamp) -> Alert {
    let line = |signal: &str, points: f64, label: &str| Evidence {
        signal: Some(signal.to_owned()),
        time: Some(now),
        points,
        source: None,
        label: label.to_owned(),
    };
    Alert {
        id: AlertId(id),
        rule: "test".to_owned(),
        tier: "TEST".to_owned(),
        kind: AlertKind::Opened,
        lead: Lead {
            key: "test".to_owned(),
            name: Some("TEST lead".to_owned()),
            company: Some("Example".to_owned()),
            ..Lead::default()
        },
        time: now,
        episode_start: now,
        reason: "TEST message of `hotlead sink test`: no lead turned hot".to_owned(),
        flags: Vec::new(),
        flag_texts: Vec::new(),
        score: Score { total: 65.0, fit: 20.0, behaviour: 45.0 },
        trigger: Trigger { event_id: "test".to_owned(), time: now, source: "test".to_owned() },
        evidence: vec![line("pricing_view", 15.0, "/pricing"), line("demo_request", 30.0, "Demo Requested")],
        campaign: None,
        rules_version: "sha256:000000000000".to_owned(),
    }
}
