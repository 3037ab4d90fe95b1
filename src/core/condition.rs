//! Whether a condition is true of a lead at one moment.

use std::cell::OnceCell;

use super::lead::Lead;
use super::matching;
use super::rule::{Condition, Hold, RuleSet};
use super::score::{self, Sum};
use super::spec::Tenths;
use super::time::Timestamp;

/// A lead at one moment: its state, its clock, and the signals of the event that is being taken in.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    pub rules: &'a RuleSet,
    pub lead: &'a Lead,
    /// The lead's clock.
    pub now: Timestamp,
    /// Empty in a before-evaluation: a single occurrence is true only after its event is in (rules.md 9).
    pub signals: &'a [u16],
    score: OnceCell<Score>,
}

/// A lead's score at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub fit: Tenths,
    pub behaviour: Tenths,
}

impl Score {
    /// What thresholds compare with, and what is printed.
    pub fn total(self) -> Tenths {
        Tenths(self.fit.0 + self.behaviour.0)
    }
}

/// Which threshold of a score counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Is it true?
    Holds,
    /// May an open episode go on? The same with `rearm_below` in place of each threshold.
    GoesOn,
    /// The same of an episode that began when its score was lower: so much is enough.
    GoesOnFrom(Tenths),
}

impl Question {
    /// What is asked of a part that must not hold.
    fn under_not(self) -> Self {
        match self {
            Self::GoesOnFrom(_) => Self::GoesOn,
            other => other,
        }
    }
}

impl<'a> Moment<'a> {
    /// A moment of a lead.
    pub fn new(rules: &'a RuleSet, lead: &'a Lead, now: Timestamp, signals: &'a [u16]) -> Self {
        Self { rules, lead, now, signals, score: OnceCell::new() }
    }

    /// The condition is true.
    pub fn holds(&self, condition: &Condition, question: Question) -> bool {
        match condition {
            Condition::Count(count) => self.run(*count).is_some(),
            Condition::Signal(signal) => self.signals.contains(signal),
            Condition::Score { at_least, rearm_below } => {
                let threshold = match question {
                    Question::Holds => at_least,
                    Question::GoesOn => rearm_below,
                    Question::GoesOnFrom(ref enough) => rearm_below.min(enough),
                };
                self.score().total() >= *threshold
            }
            Condition::Trait { trait_, matcher } => matching::holds(matcher, self.lead.trait_(*trait_)),
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, question)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, question)),
            Condition::Not(part) => !self.holds(part, question.under_not()),
        }
    }

    /// The events that make a count true: a range of its ring.
    pub fn run(&self, count: u16) -> Option<std::ops::Range<usize>> {
        let ring = self.lead.ring(count);
        let time = |at: usize| self.lead.events[usize::from(ring[at])].time;
        let window = self.rules.counts[usize::from(count)].window;
        window.run(ring.len(), time, self.now, self.rules.spec().grace)
    }

    /// The lead's score, computed once.
    pub fn score(&self) -> Score {
        *self.score.get_or_init(|| {
            let groups = 0..self.rules.groups.len();
            let behaviour = groups.map(|group| self.capped(group, self.group_sum(group))).sum();
            Score { fit: self.lead.fit(self.rules), behaviour: score::round(behaviour) }
        })
    }

    /// A group's points, faded but not capped.
    pub fn group_sum(&self, group: usize) -> f64 {
        // Points of entries that the file no longer has are kept, but do not count.
        let known = |(entry, sum): &'a (u16, Sum)| Some((self.rules.points.get(usize::from(*entry))?, sum));
        let sums = self.lead.sums.iter().filter_map(known);
        let own = sums.filter(|(of, _)| usize::from(of.group) == group);
        own.map(|(of, sum)| sum.value(of.half_life, self.now)).sum()
    }

    /// What a group's cap leaves of its sum.
    pub fn capped(&self, group: usize, sum: f64) -> f64 {
        self.rules.groups[group].cap.map_or(sum, |cap| sum.min(cap.as_points()))
    }

    /// Whether a suppression or flag is in force (rules.md 22, 23).
    pub fn in_force(&self, number: u16) -> bool {
        let hold = &self.rules.holds[usize::from(number)];
        if !hold.latches() {
            return self.holds(&hold.when, Question::Holds);
        }
        let mark = self.lead.marks.iter().find(|mark| mark.hold == number);
        mark.is_some_and(|mark| mark.on && hold.for_.is_none_or(|span| self.now < mark.time + span))
    }

    /// How the event that was just taken in switches a latch, if at all.
    pub fn switches(&self, hold: &Hold) -> Option<bool> {
        if hold.until.as_ref().is_some_and(|until| self.holds(until, Question::Holds)) {
            return Some(false);
        }
        self.holds(&hold.when, Question::Holds).then_some(true)
    }
}
