//! Everything that was ever applied for one lead, and what it amounts to at an instant.

use super::latch::Mark;
use super::rules::Rules;
use super::score::Score;
use serde_json::Value;

/// One event that was applied.
pub struct Applied {
    pub time: i64,
    pub identity: String,
    /// The read signals that it carries.
    pub signals: Vec<String>,
    /// The read traits that it carries.
    pub traits: Vec<(String, Value)>,
}

/// What happened to the episodes of one rule.
pub enum Turn {
    Opened { clock: i64, event: usize },
    Announced { clock: i64 },
    Updated { clock: i64 },
    Closed,
}

#[derive(Default)]
pub struct History {
    /// In the order in which they were applied.
    pub applied: Vec<Applied>,
    /// Per rule of the file, its whole story.
    pub turns: Vec<Vec<Turn>>,
    /// Per suppression and then per flag, every time that an event switched it.
    pub marks: Vec<Vec<Mark>>,
}

impl History {
    pub fn new(rules: &Rules) -> History {
        History {
            applied: Vec::new(),
            turns: rules.rules.iter().map(|_| Vec::new()).collect(),
            marks: rules.suppress.iter().chain(&rules.flags).map(|_| Vec::new()).collect(),
        }
    }

    /// The largest time applied; it never goes back.
    pub fn clock(&self) -> Option<i64> {
        self.applied.iter().map(|event| event.time).max()
    }

    /// The clock and the opening event of the episode that is open, and whether it is announced.
    pub fn episode(&self, rule: usize) -> Option<(i64, bool)> {
        let turns = &self.turns[rule];
        let closed = turns.iter().rposition(|turn| matches!(turn, Turn::Closed));
        let since = &turns[closed.map_or(0, |at| at + 1)..];
        let announced = since.iter().any(|turn| matches!(turn, Turn::Announced { .. }));
        since.iter().find_map(|turn| match turn {
            Turn::Opened { clock, .. } => Some((*clock, announced)),
            _ => None,
        })
    }

    /// Of the episode that is open.
    pub fn last_update(&self, rule: usize) -> Option<i64> {
        let since = self.turns[rule].iter().rev().take_while(|turn| !matches!(turn, Turn::Closed));
        since.filter_map(|turn| if let Turn::Updated { clock } = turn { Some(*clock) } else { None }).next()
    }

    pub fn last_announced(&self, rule: usize) -> Option<i64> {
        self.turns[rule].iter().rev().find_map(|turn| match turn {
            Turn::Announced { clock } => Some(*clock),
            _ => None,
        })
    }

    pub fn last_opening_event(&self, rule: usize) -> Option<usize> {
        self.turns[rule].iter().rev().find_map(|turn| match turn {
            Turn::Opened { event, .. } => Some(*event),
            _ => None,
        })
    }

    /// The events that carry `signal`, from the oldest to the newest; of equal times the one that
    /// was applied later is newer.
    pub fn carrying(&self, signal: &str) -> Vec<usize> {
        let mut events: Vec<usize> = (0..self.applied.len())
            .filter(|at| self.applied[*at].signals.iter().any(|carried| carried == signal))
            .collect();
        events.sort_by_key(|at| (self.applied[*at].time, *at));
        events
    }
}

/// A history with the lead's clock at `clock`, either just before an event (`current` is none) or
/// just after.
pub struct View<'a> {
    pub rules: &'a Rules,
    pub history: &'a History,
    pub clock: i64,
    pub current: Option<usize>,
}

impl View<'_> {
    /// What the event carries that was just applied.
    pub fn carried(&self) -> &[String] {
        self.current.map_or(&[], |at| &self.history.applied[at].signals)
    }

    /// The newest value by event time; of equal times the one applied last.
    pub fn trait_value(&self, name: &str) -> Option<&Value> {
        self.trait_newest(name).map(|(_, value)| value)
    }

    pub fn trait_newest(&self, name: &str) -> Option<(i64, &Value)> {
        let values = self.history.applied.iter().flat_map(|event| {
            let carried = event.traits.iter().filter(|(carried, _)| carried == name);
            carried.map(|(_, value)| (event.time, value))
        });
        // `max_by_key` takes the last of equals.
        values.max_by_key(|(time, _)| *time)
    }

    /// Whether at some instant x in [clock - grace, clock] at least `at_least` events lie in
    /// [x - within, x]. Their number changes only where an event comes in or falls out.
    pub fn count_reached(&self, signal: &str, at_least: usize, within: i64) -> bool {
        let events = self.history.carrying(signal);
        let times: Vec<i64> = events.iter().map(|at| self.history.applied[*at].time).collect();
        let earliest = self.clock - self.rules.grace;
        let changes = times.iter().flat_map(|time| [*time, time + within]);
        changes.chain([earliest, self.clock]).any(|x| {
            let inside = times.iter().filter(|time| (x - within..=x).contains(*time)).count();
            (earliest..=self.clock).contains(&x) && inside >= at_least
        })
    }

    pub fn score(&self) -> Score {
        self.rules.scoring.as_ref().map_or(Score::default(), |scoring| scoring.of(self))
    }
}
