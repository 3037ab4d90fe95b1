//! The readable summary of a backtest: what came in, what each rule did, what looks odd.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;

use super::leaps::Leaps;
use super::{Observer, Seen};
use crate::codec::DeadLetter;
use crate::core::engine::{Outcome, Outputs, Verdict};
use crate::core::event::Event;
use crate::core::rule::RuleSet;
use crate::core::time::Timestamp;

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Summary {
    events: u64,
    outcomes: BTreeMap<&'static str, u64>,
    ignored: BTreeMap<String, u64>,
    dead: BTreeMap<&'static str, Dead>,
    rules: Vec<RuleRow>,
    leads: HashSet<String>,
    span: Option<(Timestamp, Timestamp)>,
    clamped: u64,
    leaps: Leaps,
}

#[derive(Debug, Default)]
struct Dead {
    count: u64,
    first: String,
}

#[derive(Debug, Default)]
struct RuleRow {
    id: String,
    decisions: BTreeMap<&'static str, u64>,
    leads: HashSet<String>,
    first: Option<String>,
}

impl Summary {
    /// A summary with a row for each rule, also for those that never fire.
    pub fn new(rules: &RuleSet) -> Self {
        let row = |rule: &crate::core::spec::RuleSpec| RuleRow { id: rule.id.clone(), ..RuleRow::default() };
        Self { rules: rules.spec().rules.iter().map(row).collect(), ..Self::default() }
    }

    fn stretch(&mut self, time: Timestamp) {
        let (first, last) = self.span.get_or_insert((time, time));
        *first = time.min(*first);
        *last = time.max(*last);
    }
}

impl Observer for Summary {
    fn event(&mut self, seen: &Seen<'_>, event: &Event<'_>, out: &Outputs) -> io::Result<()> {
        self.events += 1;
        self.stretch(event.time);
        self.leaps.note(seen, event.time);
        self.clamped += u64::from(out.clamped);
        *self.outcomes.entry(out.outcome.name()).or_default() += 1;
        if let Outcome::Ignored(by) = out.outcome {
            let name = &seen.rules.spec().ignore[usize::from(by)].name;
            *self.ignored.entry(name.clone()).or_default() += 1;
        }
        if !self.leads.contains(event.lead) {
            self.leads.insert(event.lead.to_owned());
        }
        for decision in &out.decisions {
            let row = &mut self.rules[usize::from(decision.rule)];
            *row.decisions.entry(decision.verdict.name()).or_default() += 1;
            if decision.verdict == Verdict::Fire {
                row.leads.insert(event.lead.to_owned());
            }
        }
        for alert in &out.alerts {
            let row = self.rules.iter_mut().find(|row| row.id == alert.rule);
            if let Some(row) = row.filter(|row| row.first.is_none()) {
                row.first = Some(format!("{}  {}  {}", alert.time, alert.lead.key, alert.reason));
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()> {
        self.events += 1;
        *self.outcomes.entry("dead_letter").or_default() += 1;
        let dead = self.dead.entry(letter.reason.name()).or_default();
        dead.count += 1;
        if dead.count == 1 {
            dead.first = format!("line {}: {}", seen.line, letter.detail);
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events of {} leads", self.events, self.leads.len())?;
        if let Some((first, last)) = self.span {
            write!(f, ", {first} to {last} ({})", last - first)?;
        }
        writeln!(f)?;
        for (name, count) in &self.outcomes {
            writeln!(f, "  {count:>9} {name}")?;
        }
        for (name, count) in &self.ignored {
            writeln!(f, "            ignored by {name}: {count}")?;
        }
        for (reason, dead) in &self.dead {
            writeln!(f, "            {reason}: {} (first at {})", dead.count, dead.first)?;
        }
        if self.clamped > 0 {
            writeln!(f, "  {} times were ahead of their record and clamped to it", self.clamped)?;
        }
        for warning in self.leaps.to_string().lines() {
            writeln!(f, "  {warning}")?;
        }
        writeln!(f)?;
        let alerts = |row: &RuleRow| row.decisions.get("fire").copied().unwrap_or_default();
        let width = self.rules.iter().map(|row| row.id.chars().count()).max().unwrap_or_default().max(4);
        writeln!(f, "{:width$}  {:>7} {:>7}  not fired", "rule", "alerts", "leads")?;
        for row in &self.rules {
            let others = row.decisions.iter().filter(|(name, _)| **name != "fire");
            let others: Vec<String> = others.map(|(name, count)| format!("{name} {count}")).collect();
            let others = if others.is_empty() { "-".to_owned() } else { others.join(", ") };
            writeln!(f, "{:width$}  {:>7} {:>7}  {others}", row.id, alerts(row), row.leads.len())?;
            if let Some(first) = &row.first {
                writeln!(f, "{:width$}  first: {first}", "")?;
            }
        }
        let hot: HashSet<&String> = self.rules.iter().flat_map(|row| &row.leads).collect();
        writeln!(f, "\n{} alerts about {} leads", self.rules.iter().map(alerts).sum::<u64>(), hot.len())
    }
}
