//! Counting without cost: plain integers of one thread, added to the shared counters once per commit round.

use prometheus_client::metrics::counter::Counter;

use super::Metrics;
use crate::core::alert::AlertKind;
use crate::core::engine::{Outcome, Outputs, Verdict};
use crate::core::refusal::Reason;

/// In the order of [`Outcome`]'s variants, then the one that never reaches the engine.
const OUTCOMES: [&str; 5] = ["applied", "unmatched", "duplicate", "ignored", "dead_letter"];

/// In the order of [`kind_index`].
const KINDS: [AlertKind; 3] = [AlertKind::Opened, AlertKind::Updated, AlertKind::Closed];

/// In the order of [`verdict_index`].
const VERDICTS: [&str; 5] = ["fire", "below_threshold", "same_episode", "suppressed", "cooling_down"];

/// What one thread counted since its last commit.
#[derive(Debug)]
pub struct Tally {
    outcomes: [u64; OUTCOMES.len()],
    reasons: [u64; Reason::ALL.len()],
    /// Rule after rule, each [`VERDICTS`].
    decisions: Vec<u64>,
    /// Rule after rule, each [`KINDS`].
    alerts: Vec<u64>,
    /// Of the rules, in file order.
    ids: Vec<String>,
    clamped: u64,
    foreign_keys: u64,
}

impl Tally {
    /// Nothing counted yet, for the rules of these ids, in file order.
    pub fn new<'a>(rules: impl Iterator<Item = &'a str>) -> Self {
        let ids: Vec<String> = rules.map(str::to_owned).collect();
        Self {
            outcomes: [0; OUTCOMES.len()],
            reasons: [0; Reason::ALL.len()],
            decisions: vec![0; ids.len() * VERDICTS.len()],
            alerts: vec![0; ids.len() * KINDS.len()],
            ids,
            clamped: 0,
            foreign_keys: 0,
        }
    }

    /// Counts what one step of the engine gave.
    pub fn step(&mut self, out: &Outputs) {
        self.outcomes[outcome_index(out.outcome)] += 1;
        self.clamped += u64::from(out.clamped);
        for decision in &out.decisions {
            let index = usize::from(decision.rule) * VERDICTS.len() + verdict_index(decision.verdict);
            self.decisions[index] += 1;
        }
        for alert in &out.alerts {
            if let Some(rule) = self.ids.iter().position(|id| *id == alert.rule) {
                self.alerts[rule * KINDS.len() + kind_index(alert.kind)] += 1;
            }
        }
    }

    /// Counts a record that could not be read.
    pub fn dead_letter(&mut self, reason: Reason) {
        self.outcomes[OUTCOMES.len() - 1] += 1;
        self.reasons[reason as usize] += 1;
    }

    /// Counts a record whose key is not its lead's.
    pub fn foreign_key(&mut self) {
        self.foreign_keys += 1;
    }

    /// Forgets what was counted: the round was undone and its records come again.
    pub fn clear(&mut self) {
        self.outcomes.fill(0);
        self.reasons.fill(0);
        self.decisions.fill(0);
        self.alerts.fill(0);
        (self.clamped, self.foreign_keys) = (0, 0);
    }
}

fn outcome_index(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Applied => 0,
        Outcome::Unmatched => 1,
        Outcome::Duplicate => 2,
        Outcome::Ignored(_) => 3,
    }
}

fn kind_index(kind: AlertKind) -> usize {
    match kind {
        AlertKind::Opened => 0,
        AlertKind::Updated => 1,
        AlertKind::Closed => 2,
    }
}

fn verdict_index(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Fire => 0,
        Verdict::BelowThreshold => 1,
        Verdict::SameEpisode => 2,
        Verdict::Suppressed(_) => 3,
        Verdict::CoolingDown { .. } => 4,
    }
}

/// The shared counters of a [`Tally`], looked up once. Making it also makes all of them visible, at 0.
#[derive(Debug)]
pub struct Labels {
    metrics: Metrics,
    outcomes: Vec<Counter>,
    reasons: Vec<Counter>,
    decisions: Vec<Counter>,
    /// One a rule: those that opened.
    opened: Vec<Counter>,
    /// Rule after rule, each [`KINDS`].
    alerts: Vec<Counter>,
}

impl Labels {
    /// Counters for the rules of these ids, in file order.
    pub fn new<'a>(metrics: &Metrics, rules: impl Iterator<Item = &'a str> + Clone) -> Self {
        let decisions = rules.clone().flat_map(|rule| VERDICTS.map(|verdict| metrics.decisions(rule, verdict)));
        let alerts = rules.clone().flat_map(|rule| KINDS.map(|kind| metrics.alert_records(rule, kind.name())));
        Self {
            metrics: metrics.clone(),
            outcomes: OUTCOMES.map(|outcome| metrics.events(outcome)).into(),
            reasons: Reason::ALL.map(|reason| metrics.dead_letters(reason.name())).into(),
            decisions: decisions.collect(),
            alerts: alerts.collect(),
            opened: rules.map(|rule| metrics.alerts(rule)).collect(),
        }
    }

    /// Adds what was counted and clears it.
    pub fn add(&self, tally: &mut Tally) {
        let fixed = self.outcomes.iter().zip(&tally.outcomes);
        let refused = self.reasons.iter().zip(&tally.reasons);
        let decided = self.decisions.iter().zip(&tally.decisions);
        let published = self.alerts.iter().zip(&tally.alerts);
        let opened = self.opened.iter().zip(tally.alerts.iter().step_by(KINDS.len()));
        for (counter, count) in
            fixed.chain(refused).chain(decided).chain(published).chain(opened).filter(|(_, n)| **n > 0)
        {
            counter.inc_by(*count);
        }
        self.metrics.clamped().inc_by(tally.clamped);
        self.metrics.foreign_keys().inc_by(tally.foreign_keys);
        tally.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alert::Alert;
    use crate::core::engine::Decision;
    use crate::telemetry::hot::tests::alert as some;

    fn alert(rule: &str, kind: AlertKind) -> Alert {
        Alert { rule: rule.to_owned(), kind, ..some(1, 1) }
    }

    #[test]
    fn labels_stand_where_the_indices_say() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.name());
        }
        let until = crate::core::time::Timestamp::default();
        let verdicts = [
            Verdict::Fire,
            Verdict::BelowThreshold,
            Verdict::SameEpisode,
            Verdict::Suppressed(0),
            Verdict::CoolingDown { until },
        ];
        for verdict in verdicts {
            assert_eq!(VERDICTS[verdict_index(verdict)], verdict.name());
        }
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind_index(kind), index, "{}", kind.name());
        }
        let outcomes = [Outcome::Applied, Outcome::Unmatched, Outcome::Duplicate, Outcome::Ignored(0)];
        for outcome in outcomes {
            assert_eq!(OUTCOMES[outcome_index(outcome)], outcome.name());
        }
    }

    #[test]
    fn all_labels_are_there_from_the_start_and_counts_are_added_once() {
        let metrics = Metrics::new();
        let labels = Labels::new(&metrics, ["a", "b"].into_iter());
        assert!(metrics.encode().contains("hotlead_dead_letters_total{reason=\"too_deep\"} 0"));
        assert!(metrics.encode().contains("hotlead_alerts_total{rule=\"b\"} 0"));
        assert!(metrics.encode().contains("hotlead_alert_records_total{rule=\"b\",kind=\"closed\"} 0"));
        let mut tally = Tally::new(["a", "b"].into_iter());
        let decisions = vec![Decision { rule: 1, verdict: Verdict::Fire }];
        let alerts = vec![alert("b", AlertKind::Closed), alert("a", AlertKind::Updated), alert("b", AlertKind::Opened)];
        tally.step(&Outputs { outcome: Outcome::Applied, decisions, alerts, ..Outputs::default() });
        tally.dead_letter(Reason::NoLead);
        labels.add(&mut tally);
        labels.add(&mut tally);
        let text = metrics.encode();
        for line in [
            "hotlead_events_total{outcome=\"applied\"} 1",
            "hotlead_events_total{outcome=\"dead_letter\"} 1",
            "hotlead_dead_letters_total{reason=\"no_lead\"} 1",
            "hotlead_decisions_total{rule=\"b\",decision=\"fire\"} 1",
            "hotlead_decisions_total{rule=\"a\",decision=\"fire\"} 0",
            "hotlead_alerts_total{rule=\"a\"} 0",
            "hotlead_alerts_total{rule=\"b\"} 1",
            "hotlead_alert_records_total{rule=\"a\",kind=\"updated\"} 1",
            "hotlead_alert_records_total{rule=\"b\",kind=\"opened\"} 1",
            "hotlead_alert_records_total{rule=\"b\",kind=\"updated\"} 0",
            "hotlead_alert_records_total{rule=\"b\",kind=\"closed\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
