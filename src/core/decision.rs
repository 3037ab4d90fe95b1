//! What became of an event, and why a touched rule did or did not alert: each with its name.

use super::time::Timestamp;

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
