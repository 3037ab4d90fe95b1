//! The engine: one input in, its outcome, decisions and alerts out; no clock, no I/O, no surprise.
//!
//! Live run, backtest and tests all call [`Engine::step`].

use std::sync::Arc;

use super::alert::Alert;
use super::event::Event;
use super::ids::Origin;
use super::rule::RuleSet;
use super::time::Timestamp;

/// What the engine can be told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A decoded record.
    Event {
        /// The event.
        event: &'a Event<'a>,
        /// Its offset or line number within the engine's [`Origin`].
        position: i64,
        /// The record's timestamp; `None` for a plain file, -1, or a time before 2000.
        record_time: Option<Timestamp>,
    },
}

/// What became of an event that was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed the lead's state.
    Applied,
    /// No rule reads it, or it says nothing new.
    Unmatched,
    /// Its id has counted already.
    Duplicate,
    /// An entry of `ignore:` took it: its index in the file.
    Ignored(u16),
}

/// The decision on one rule that an event touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Index of the rule in the file.
    pub rule: u16,
    /// What was decided.
    pub verdict: Verdict,
}

/// Why a touched rule did or did not alert (rules.md 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The alert is out.
    Fire,
    /// The condition is false.
    BelowThreshold,
    /// The open episode was announced already.
    SameEpisode,
    /// Held by a suppression: its index in the file.
    Suppressed(u16),
    /// Held until the lead's clock reaches this.
    CoolingDown {
        /// The first moment at which it would fire.
        until: Timestamp,
    },
}

impl Verdict {
    /// The metric label, the console text, the backtest column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::BelowThreshold => "below_threshold",
            Self::SameEpisode => "same_episode",
            Self::Suppressed(_) => "suppressed",
            Self::CoolingDown { .. } => "cooling_down",
        }
    }
}

impl Outcome {
    /// The metric label, the console text, the backtest column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unmatched => "unmatched",
            Self::Duplicate => "duplicate",
            Self::Ignored(_) => "ignored",
        }
    }
}

/// What one step gave; reused from step to step.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// What became of the event.
    pub outcome: Outcome,
    /// The lead's clock after the step; the event's own time if it was not applied.
    pub time: Timestamp,
    /// Whether the event's time was clamped to its record's.
    pub clamped: bool,
    /// One for each touched rule, in file order.
    pub decisions: Vec<Decision>,
    /// One for each decision [`Verdict::Fire`], in the same order.
    pub alerts: Vec<Alert>,
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            outcome: Outcome::Unmatched,
            time: Timestamp::default(),
            clamped: false,
            decisions: Vec::new(),
            alerts: Vec::new(),
        }
    }
}

/// The state of all leads of one partition (or file), and the rules.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    origin: Origin,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(rules: Arc<RuleSet>, origin: Origin) -> Self {
        Self { rules, origin }
    }

    /// Takes one input in and writes what it gave to `out`, replacing what was there.
    pub fn step(&mut self, input: Input<'_>, out: &mut Outputs) {
        let Input::Event { event, .. } = input;
        out.outcome = Outcome::Unmatched;
        out.time = event.time;
        out.decisions.clear();
        out.alerts.clear();
        let _ = &self.origin;
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Leads with state.
    pub fn leads(&self) -> usize {
        0
    }

    /// Makes everything since the last call permanent: an abort after this does not undo it.
    pub fn commit(&mut self) {}

    /// Puts every lead back to where it was at the last [`Self::commit`].
    pub fn roll_back(&mut self) {}
}
