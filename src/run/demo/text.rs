//! What the demo prints: a block for each alert that opened, a line when it is over, and a summary at the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::core::alert::Alert;
use crate::core::plain::plain;

/// One alert, readable at a glance; ends with an empty line.
pub(super) fn block(alert: &Alert, delay: Option<Duration>) -> String {
    let lead = &alert.lead;
    let about: Vec<&str> = [&lead.job_title, &lead.company].into_iter().filter_map(|part| part.as_deref()).collect();
    let mut text = format!("{}  {:<4}  {}", clock(alert), short(&alert.tier).to_uppercase(), name(alert));
    if !about.is_empty() {
        let _ = write!(text, ", {}", short(&about.join(", ")));
    }
    let score = &alert.score;
    let _ = write!(text, "\n                {}", short(&alert.reason));
    for flag in &alert.flag_texts {
        let _ = write!(text, "\n                ! {}", short(flag));
    }
    let _ = write!(
        text,
        "\n                score {} = fit {} + behaviour {}, rule {}",
        score.total, score.fit, score.behaviour, alert.rule
    );
    if let Some(delay) = delay {
        let _ = write!(text, ", {:.1} ms after its event", delay.as_secs_f64() * 1000.0);
    }
    text.push_str("\n\n");
    text
}

/// An episode that is over, in one line between the alerts.
pub(super) fn closed(alert: &Alert) -> String {
    format!("{}        {}: {} is over: {}\n\n", clock(alert), name(alert), alert.rule, short(&alert.reason))
}

/// 2026-11-22T10:02:14.120Z: the time of day is enough on a screen that scrolls.
fn clock(alert: &Alert) -> String {
    let time = alert.time.to_string();
    time.get(11..19).unwrap_or(&time).to_owned()
}

fn name(alert: &Alert) -> String {
    let lead = &alert.lead;
    short(lead.name.as_ref().or(lead.email.as_ref()).unwrap_or(&lead.key))
}

/// The end of the demo in a few lines.
pub(super) fn summary(events: u64, leads: u64, alerts: &BTreeMap<String, u64>) -> String {
    let total: u64 = alerts.values().sum();
    let mut text = format!("{events} events of {leads} leads, {total} alerts\n");
    for (rule, count) in alerts {
        let _ = writeln!(text, "{count:>6}  {rule}");
    }
    text
}

/// Text from a lead, short and for a terminal.
fn short(text: &str) -> String {
    plain(text).chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alert(name: &str) -> Alert {
        serde_json::from_value(json!({
            "id": "0".repeat(32), "rule": "pricing-surge", "tier": "hot", "kind": "opened",
            "lead": {"key": "u1", "name": name, "company": "Acme Robotics", "job_title": "VP Engineering"},
            "time": "2026-11-22T10:02:14.120Z", "episode_start": "2026-11-22T10:02:14.120Z",
            "reason": "3 pricing views in 41 min", "flags": ["unsubscribed"],
            "flag_texts": ["unsubscribed: call, don't mail"],
            "score": {"total": 65.0, "fit": 20.0, "behaviour": 45.0},
            "trigger": {"event_id": "e-1", "time": "2026-11-22T10:02:14.120Z", "source": "engagement/2@1234"},
            "evidence": [], "rules_version": "sha256:00",
        }))
        .expect("an alert")
    }

    #[test]
    fn an_alert_is_a_readable_block() {
        let text = block(&alert("Dana Ruiz"), Some(Duration::from_micros(4_130)));
        assert_eq!(
            text,
            "10:02:14  HOT   Dana Ruiz, VP Engineering, Acme Robotics\n\
             \x20               3 pricing views in 41 min\n\
             \x20               ! unsubscribed: call, don't mail\n\
             \x20               score 65 = fit 20 + behaviour 45, rule pricing-surge, 4.1 ms after its event\n\n"
        );
    }

    #[test]
    fn what_is_over_is_a_quiet_line() {
        let over = Alert { reason: "1 pricing view in 1 h, fewer than 3".to_owned(), ..alert("Dana Ruiz") };
        assert_eq!(
            closed(&over),
            "10:02:14        Dana Ruiz: pricing-surge is over: 1 pricing view in 1 h, fewer than 3\n\n"
        );
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        for (write, lines) in
            [(|alert: &Alert| block(alert, None)) as fn(&Alert) -> String, closed].into_iter().zip([5, 2])
        {
            let text = write(&alert("\u{1b}[31mred\n\u{202e}evil"));
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
            assert_eq!(text.lines().count(), lines, "{text:?}");
        }
    }

    #[test]
    fn the_summary_counts_by_rule() {
        let alerts = [("pricing-surge".to_owned(), 12), ("demo-requested".to_owned(), 3)].into();
        assert_eq!(
            summary(400, 57, &alerts),
            "400 events of 57 leads, 15 alerts\n     3  demo-requested\n    12  pricing-surge\n"
        );
    }
}
