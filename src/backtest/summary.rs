//! The readable summary of a backtest: what came in, what each rule did, what looks odd.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::leaps::Leaps;
use super::{Observer, Seen};
use crate::codec::DeadLetter;
use crate::core::alert::AlertKind;
use crate::core::engine::{Outcome, Outputs};
use crate::core::event::Event;
use crate::core::rule::RuleSet;
use crate::core::time::Timestamp;

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Summary {
    events: u64,
    outcomes: Tally,
    ignored: BTreeMap<String, u64>,
    dead: BTreeMap<&'static str, Dead>,
    rules: Vec<RuleRow>,
    leads: Distinct,
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
    decisions: Tally,
    /// By kind.
    alerts: Tally,
    /// About whom one opened.
    leads: Distinct,
    /// The first that opened.
    first: Option<String>,
}

/// How often each of a few names came.
#[derive(Debug, Default)]
struct Tally(Vec<(&'static str, u64)>);

impl Tally {
    fn add(&mut self, name: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.0.push((name, 1)),
        }
    }

    fn of(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }

    /// By name.
    fn sorted(&self) -> Vec<(&'static str, u64)> {
        let mut counts = self.0.clone();
        counts.sort_unstable();
        counts
    }
}

/// How many different leads there were. It keeps hashes of them, not their keys: of ten million leads two have the same
/// once in 300,000 runs.
#[derive(Debug, Default)]
struct Distinct(HashTable<u64>);

impl Distinct {
    fn add(&mut self, lead: &str) {
        self.add_hash(xxh3_64(lead.as_bytes()));
    }

    fn add_hash(&mut self, hash: u64) {
        self.0.entry(hash, |known| *known == hash, |known| *known).or_insert(hash);
    }

    fn len(&self) -> usize {
        self.0.len()
    }
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
        self.outcomes.add(out.outcome.name());
        if let Outcome::Ignored(by) = out.outcome {
            let name = &seen.rules.spec().ignore[usize::from(by)].name;
            *self.ignored.entry(name.clone()).or_default() += 1;
        }
        self.leads.add(event.lead);
        for decision in &out.decisions {
            let row = &mut self.rules[usize::from(decision.rule)];
            row.decisions.add(decision.verdict.name());
        }
        for alert in &out.alerts {
            let Some(row) = self.rules.iter_mut().find(|row| row.id == alert.rule) else { continue };
            row.alerts.add(alert.kind.name());
            if alert.kind == AlertKind::Opened {
                row.leads.add(event.lead);
                let first = || format!("{}  {}  {}", alert.time, alert.lead.key, alert.reason);
                row.first.get_or_insert_with(first);
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()> {
        self.events += 1;
        self.outcomes.add("dead_letter");
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
        for (name, count) in self.outcomes.sorted() {
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
        let opened = |row: &RuleRow| row.alerts.of("opened");
        let width = self.rules.iter().map(|row| row.id.chars().count()).max().unwrap_or_default().max(4);
        writeln!(f, "{:width$}  {:>7} {:>7} {:>7} {:>7}  not fired", "rule", "opened", "updated", "closed", "leads")?;
        for row in &self.rules {
            let others = row.decisions.sorted().into_iter().filter(|(name, _)| *name != "fire");
            let others: Vec<String> = others.map(|(name, count)| format!("{name} {count}")).collect();
            let others = if others.is_empty() { "-".to_owned() } else { others.join(", ") };
            let [opened, updated, closed] = ["opened", "updated", "closed"].map(|kind| row.alerts.of(kind));
            let leads = row.leads.len();
            writeln!(f, "{:width$}  {opened:>7} {updated:>7} {closed:>7} {leads:>7}  {others}", row.id)?;
            if let Some(first) = &row.first {
                writeln!(f, "{:width$}  first: {first}", "")?;
            }
        }
        let mut hot = Distinct::default();
        self.rules.iter().flat_map(|row| row.leads.0.iter()).for_each(|hash| hot.add_hash(*hash));
        writeln!(f, "\n{} alerts about {} leads", self.rules.iter().map(opened).sum::<u64>(), hot.len())
    }
}
