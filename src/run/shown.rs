//! What a worker sees, copied to the console's view.

use crate::console::{Counters, Decided, View};
use crate::core::engine::{Decision, Outputs, Verdict};
use crate::core::event::Event;
use crate::core::rule::RuleSet;

/// Shows what became of one event.
pub fn seen(view: &View, rules: &RuleSet, event: &Event<'_>, outputs: &Outputs) {
    if !view.has_room() {
        return;
    }
    let decided = |decision: &Decision| name(rules, decision);
    let decisions: Vec<Decided<&str>> = outputs.decisions.iter().filter_map(decided).collect();
    view.seen(event.lead, event.time, event.label(), outputs.outcome.name(), &decisions);
}

/// A decision with the names of the rules file.
fn name<'a>(rules: &'a RuleSet, decision: &Decision) -> Option<Decided<&'a str>> {
    let spec = rules.spec();
    let by = match decision.verdict {
        Verdict::Suppressed(index) => spec.suppress.get(usize::from(index)).map(|held| held.name.as_str()),
        _ => None,
    };
    let until = match decision.verdict {
        Verdict::CoolingDown { until } => Some(until),
        _ => None,
    };
    Some(Decided {
        rule: spec.rules.get(usize::from(decision.rule))?.id.as_str(),
        verdict: decision.verdict.name(),
        by,
        until,
    })
}

/// The page's totals out of the metrics' text: what operators see and what the page shows are the same numbers.
pub fn counters(metrics: &str) -> Counters {
    let mut counters = Counters::default();
    for line in metrics.lines() {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let (family, labels) = series.split_once('{').unwrap_or((series, ""));
        let Ok(value) = value.parse::<f64>() else {
            continue;
        };
        let value = value as u64;
        match family {
            "hotlead_events_total" => {
                if let Some((_, rest)) = labels.split_once("outcome=\"")
                    && let Some((outcome, _)) = rest.split_once('"')
                {
                    *counters.events.entry(outcome.to_owned()).or_default() += value;
                }
            }
            "hotlead_alerts_total" => counters.alerts += value,
            "hotlead_leads" => counters.leads += value,
            _ => {}
        }
    }
    counters
}

/// Dead letters so far by their reason, out of the metrics' text: what could not be read.
pub(super) fn dead_letters(metrics: &str) -> Vec<(String, u64)> {
    let total = |line: &str| {
        let (reason, value) = line.strip_prefix("hotlead_dead_letters_total{reason=\"")?.split_once("\"} ")?;
        Some((reason.to_owned(), value.parse().ok()?))
    };
    metrics.lines().filter_map(total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_are_read_by_reason() {
        let text = "# TYPE hotlead_dead_letters counter\nhotlead_dead_letters_total{reason=\"not_json\"} 12\n\
                    hotlead_deliveries_total{sink=\"crm\"} 3\nhotlead_dead_letters_total{reason=\"empty\"} 1\n# EOF\n";
        assert_eq!(dead_letters(text), [("not_json".to_owned(), 12), ("empty".to_owned(), 1)]);
    }

    #[test]
    fn totals_are_read_from_the_metrics() {
        let text = "# TYPE hotlead_events counter\nhotlead_events_total{outcome=\"applied\"} 12\n\
                    hotlead_events_total{outcome=\"ignored\"} 3\nhotlead_alerts_total{rule=\"a b\"} 2\n\
                    hotlead_alerts_total{rule=\"c\"} 1\nhotlead_leads{partition=\"0\"} 4\nhotlead_leads{partition=\"1\"} 5\n# EOF\n";
        let counters = counters(text);
        assert_eq!(counters.events, [("applied".to_owned(), 12), ("ignored".to_owned(), 3)].into());
        assert_eq!((counters.alerts, counters.leads), (3, 9));
    }
}
