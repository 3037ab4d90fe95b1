//! The two text formats of metrics: OpenMetrics for those who ask for it, the older Prometheus text for all others.
//!
//! They differ in what a `TYPE` line names (the family, or its samples) and in the types there are. A scraper that is
//! told the one and given the other refuses the whole answer, or knows no counter as a counter.

use crate::telemetry::Metrics;

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type and the text for a scraper that sent this `Accept` header, from the text as OpenMetrics.
pub(super) fn answer(accepted: Option<&str>, open_metrics: String) -> (&'static str, String) {
    if accepted.is_some_and(|kinds| kinds.contains("application/openmetrics-text")) {
        return (Metrics::CONTENT_TYPE, open_metrics);
    }
    (PROMETHEUS, prometheus(&open_metrics))
}

/// Names each family as its samples are named, calls an info a gauge, and leaves the end mark out.
fn prometheus(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().filter(|line| *line != "# EOF").collect();
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    for line in &lines {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(family), Some(kind)) => {
                let kind_there = if kind == "info" { "gauge" } else { kind };
                text += &format!("# TYPE {family}{} {kind_there}\n", suffix(kind));
            }
            (Some("#"), Some("HELP"), Some(family), Some(help)) => {
                // The help stands before or after its type: the type is found wherever it is.
                let start = format!("# TYPE {family} ");
                let kind = lines.iter().find_map(|other| other.strip_prefix(start.as_str())).unwrap_or_default();
                text += &format!("# HELP {family}{} {help}\n", suffix(kind));
            }
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

/// What OpenMetrics puts behind the family's name in the samples of this type.
fn suffix(kind: &str) -> &'static str {
    match kind {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_METRICS: &str = "# HELP a Some of a.\n# TYPE a counter\na_total{b=\"# EOF\"} 1\n\
         # HELP s_seconds S.\n# TYPE s_seconds histogram\ns_seconds_count 0\n\
         # HELP build The version.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n# EOF\n";

    #[test]
    fn who_asks_for_open_metrics_gets_it() {
        let asked = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2";
        assert_eq!(answer(Some(asked), OPEN_METRICS.into()), (Metrics::CONTENT_TYPE, OPEN_METRICS.into()));
    }

    #[test]
    fn all_others_get_the_older_text_under_its_own_rules() {
        let expected = "# HELP a_total Some of a.\n# TYPE a_total counter\na_total{b=\"# EOF\"} 1\n\
             # HELP s_seconds S.\n# TYPE s_seconds histogram\ns_seconds_count 0\n\
             # HELP build_info The version.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n";
        for accepted in [None, Some("*/*"), Some("text/plain")] {
            assert_eq!(answer(accepted, OPEN_METRICS.into()), (PROMETHEUS, expected.into()), "{accepted:?}");
        }
    }
}
