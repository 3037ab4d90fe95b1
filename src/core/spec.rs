//! A rules file after it was checked: names still in words, every value valid.
//!
//! `config` makes it, [`RuleSet::compile`](super::rule::RuleSet::compile) turns the names into indices. What these
//! types promise (each name defined once, each reference known, numbers in range) the engine does not check again.

use regex::Regex;

use super::event::{FieldPath, Kind};
use super::time::Span;

/// Points in tenths, so that sums of them are exact: 15 points are `Tenths(150)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenths(pub i64);

/// A whole rules file.
#[derive(Clone, Debug)]
pub struct RulesSpec {
    /// `sha256:` and the hexadecimal digest of the file's bytes.
    pub version: String,
    /// How late an event may be and still count as if in time.
    pub grace: Span,
    /// How far ahead of its record's timestamp an event's time may lie.
    pub max_future_skew: Span,
    /// A lead whose clock lies further back than this starts anew.
    pub forget_after: Span,
    /// In file order, read or not.
    pub signals: Vec<SignalSpec>,
    /// In file order: the first that matches names the reason.
    pub ignore: Vec<IgnoreSpec>,
    /// Absent when the file scores nothing.
    pub scoring: Option<ScoringSpec>,
    /// In file order.
    pub suppress: Vec<HoldSpec>,
    /// In file order.
    pub flags: Vec<FlagSpec>,
    /// In file order, which is the order of alerts and decisions.
    pub rules: Vec<RuleSpec>,
}

#[cfg(test)]
impl RulesSpec {
    /// A file without signals and rules, all of whose spans are nothing.
    pub(crate) fn empty() -> Self {
        Self {
            version: String::new(),
            grace: Span::ZERO,
            max_future_skew: Span::ZERO,
            forget_after: Span::ZERO,
            signals: Vec::new(),
            ignore: Vec::new(),
            scoring: None,
            suppress: Vec::new(),
            flags: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// A named behaviour.
#[derive(Clone, Debug)]
pub struct SignalSpec {
    /// Unique in the file.
    pub name: String,
    /// What it takes.
    pub filter: FilterSpec,
}

/// Events that never count.
#[derive(Clone, Debug)]
pub struct IgnoreSpec {
    /// Unique in the file; a metric label.
    pub name: String,
    /// What it takes.
    pub filter: FilterSpec,
}

/// Which events match: every part must hold.
#[derive(Clone, Debug, Default)]
pub struct FilterSpec {
    /// The kind of event; any if absent.
    pub on: Option<Kind>,
    /// Matchers of fields; `name:` is one on [`FieldPath::Name`].
    pub fields: Vec<(FieldPath, Matcher)>,
}

/// What a value must be: every test must hold (rules.md 10).
#[derive(Clone, Debug)]
pub struct Matcher {
    /// At least one.
    pub tests: Vec<Test>,
}

/// One test of a value; of several operands any one suffices.
#[derive(Clone, Debug)]
pub enum Test {
    /// `equals`, `in`, a scalar, or a list.
    Equals(Vec<Scalar>),
    /// Starts with; operands in Unicode lower case.
    Prefix(Vec<String>),
    /// Ends with; operands in Unicode lower case.
    Suffix(Vec<String>),
    /// Has it inside; operands in Unicode lower case.
    Contains(Vec<String>),
    /// An unanchored search that heeds case unless the pattern says otherwise.
    Matches(Vec<Regex>),
    /// Whether there is a value at all.
    Exists(bool),
    /// A number, this or more.
    AtLeast(f64),
    /// A number, this or less.
    AtMost(f64),
    /// A number, more than this.
    Above(f64),
    /// A number, less than this.
    Below(f64),
    /// Plain negation of another matcher, absent fields included.
    Not(Matcher),
}

/// A scalar of the file, of the type that YAML's core schema gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `true`, `false`: also match the texts.
    Bool(bool),
    /// Compares with numbers, and with texts that are wholly a number.
    Number(f64),
    /// In Unicode lower case; compares with text, and with numbers in their shortest form.
    Text(String),
}

/// Points for behaviour and fit.
#[derive(Clone, Debug)]
pub struct ScoringSpec {
    /// Of points that name none; `None` is `never`, the default.
    pub half_life: Option<Span>,
    /// Name and cap, in file order; names unique.
    pub groups: Vec<(String, Tenths)>,
    /// In file order.
    pub points: Vec<PointsSpec>,
    /// In file order.
    pub fit: Vec<FitSpec>,
}

/// Points for one signal.
#[derive(Clone, Debug)]
pub struct PointsSpec {
    /// A defined signal.
    pub signal: String,
    /// Positive or negative, not zero.
    pub points: Tenths,
    /// A defined group; never with negative points.
    pub group: Option<String>,
    /// As the file says it, the default already filled in; `None` is `never`.
    pub half_life: Option<Span>,
}

/// Points for a trait of the lead; they never fade.
#[derive(Clone, Debug)]
pub struct FitSpec {
    /// The trait's name, dotted for a part of an object.
    pub trait_name: String,
    /// What its value must be.
    pub matcher: Matcher,
    /// Positive or negative.
    pub points: Tenths,
}

/// Something that holds alerts, or, as a flag, only labels them.
#[derive(Clone, Debug)]
pub struct HoldSpec {
    /// Unique among its like.
    pub name: String,
    /// Switches it on; scores in it have no `rearm_below`.
    pub when: ConditionSpec,
    /// Keeps it on for this long after the event that switched it on.
    pub for_: Option<Span>,
    /// Switches it off.
    pub until: Option<ConditionSpec>,
}

/// A label on an alert.
#[derive(Clone, Debug)]
pub struct FlagSpec {
    /// When it is in force.
    pub hold: HoldSpec,
    /// What the card says.
    pub says: Option<String>,
}

/// One alerting rule.
#[derive(Clone, Debug)]
pub struct RuleSpec {
    /// Unique in the file.
    pub id: String,
    /// When it is true.
    pub when: ConditionSpec,
    /// Between two announcements for one lead.
    pub cooldown: Span,
    /// `hot` unless the file says otherwise.
    pub tier: String,
    /// A hint for marketing automation.
    pub campaign: Option<String>,
    /// Names of suppressions that do not hold it.
    pub despite: Vec<String>,
}

/// A condition; `all` and `any` have at least one part.
#[derive(Clone, Debug)]
pub enum ConditionSpec {
    /// So many of a signal within a time.
    Count {
        /// A defined signal.
        signal: String,
        /// From 1; see `limits::MAX_RING`.
        at_least: u32,
        /// From one second.
        within: Span,
    },
    /// One occurrence.
    Signal(String),
    /// The score has reached a threshold.
    Score {
        /// The threshold, itself included.
        at_least: Tenths,
        /// An open episode ends below this; equal to `at_least` when the file says nothing.
        rearm_below: Tenths,
    },
    /// A trait of the lead is as wanted.
    Trait {
        /// The trait's name.
        name: String,
        /// What its value must be.
        matcher: Matcher,
    },
    /// Every part.
    All(Vec<Self>),
    /// Any part.
    Any(Vec<Self>),
    /// Not the part.
    Not(Box<Self>),
}
