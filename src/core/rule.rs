//! The compiled rule set: names turned into indices, fields into slots, and what each signal and trait touches.

use super::event::{FieldId, FieldPath, FieldTable, Value};
use super::index::{Filter, Index};
use super::spec::{ConditionSpec, HoldSpec, Matcher, RulesSpec, Tenths};
use super::time::Span;
use super::window::Window;
use super::wording::{self, Noun};

/// One immutable value that workers share and can swap between two commits.
#[derive(Debug)]
pub struct RuleSet {
    spec: RulesSpec,
    fields: FieldTable,
    /// Filters that take events out before anything else.
    pub(super) ignore: Vec<Filter>,
    /// Finds the signals of an event, read ones only: positions in [`Self::signals`].
    pub(super) index: Index,
    /// The read signals, in the order in which rules, scoring and holds name them.
    pub(super) signals: Vec<Signal>,
    /// The read traits; the first five are those that every alert shows.
    pub(super) traits: Vec<Trait>,
    /// Each distinct count once.
    pub(super) counts: Vec<Count>,
    /// Groups of points in file order, then those without a group, then the negative ones.
    pub(super) groups: Vec<Group>,
    /// In file order; each has a sum of its own in a lead, so that an edit of one leaves the others' points alone.
    pub(super) points: Vec<Points>,
    /// In file order.
    pub(super) fit: Vec<Fit>,
    /// Suppressions in file order, then flags in file order.
    pub(super) holds: Vec<Hold>,
    /// Those of [`Self::holds`] that latch.
    pub(super) latches: Vec<u16>,
    /// In file order.
    pub(super) rules: Vec<Rule>,
}

/// A read signal and what an event that carries it touches.
#[derive(Debug)]
pub(super) struct Signal {
    pub name: String,
    pub noun: Noun,
    pub counts: Vec<u16>,
    pub points: Vec<u16>,
    pub rules: Vec<u16>,
}

/// A read trait and the rules that a change of its value touches.
#[derive(Debug)]
pub(super) struct Trait {
    pub name: String,
    pub words: String,
    pub field: FieldId,
    pub rules: Vec<u16>,
}

/// So many of a signal within a time.
#[derive(Debug, PartialEq)]
pub(super) struct Count {
    pub signal: u16,
    pub window: Window,
    /// Times that are remembered.
    pub capacity: usize,
}

/// A group of points; `cap` is `None` for the two without one.
#[derive(Debug)]
pub(super) struct Group {
    pub name: String,
    pub cap: Option<Tenths>,
}

/// Points for a signal.
#[derive(Debug)]
pub(super) struct Points {
    pub signal: u16,
    pub points: Tenths,
    pub group: u16,
    pub half_life: Option<Span>,
}

/// Points for a trait.
#[derive(Debug)]
pub(super) struct Fit {
    pub trait_: u16,
    pub matcher: Matcher,
    pub points: Tenths,
}

/// A suppression or a flag.
#[derive(Debug)]
pub(super) struct Hold {
    pub when: Condition,
    pub for_: Option<Span>,
    pub until: Option<Condition>,
}

impl Hold {
    /// Whether a mark says if it is on, rather than its condition.
    pub fn latches(&self) -> bool {
        self.for_.is_some() || self.until.is_some()
    }
}

/// An alerting rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub when: Condition,
    pub reads_score: bool,
    /// Suppressions that hold it, ascending.
    pub held_by: Vec<u16>,
}

/// A condition on indices.
#[derive(Debug)]
pub(super) enum Condition {
    Count(u16),
    Signal(u16),
    Score { at_least: Tenths, rearm_below: Tenths },
    Trait { trait_: u16, matcher: Matcher },
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

impl RuleSet {
    /// So many traits, the first ones, are always read; alerts show them in fields of their own.
    pub(super) const SHOWN_TRAITS: usize = 5;
    /// Position of the trait `email`.
    pub(super) const EMAIL: u16 = 0;
    /// Position of the trait `name`.
    pub(super) const NAME: u16 = 2;
    /// Position of the trait `company`.
    pub(super) const COMPANY: u16 = 3;
    /// Position of the trait `job_title`.
    pub(super) const JOB_TITLE: u16 = 4;

    /// Compiles checked rules.
    pub fn compile(spec: RulesSpec) -> Self {
        let mut names = Names::new(&spec);
        let holds: Vec<Hold> =
            spec.suppress.iter().chain(spec.flags.iter().map(|flag| &flag.hold)).map(|hold| names.hold(hold)).collect();
        let rules: Vec<Rule> = spec.rules.iter().map(|rule| names.rule(rule, &spec)).collect();
        names.scoring(&spec);
        names.touch(&rules);
        let Names { fields, traits, signals, filters, counts, groups, points, fit, .. } = names;
        let mut fields = fields;
        let ignore = spec.ignore.iter().map(|entry| Filter::compile(&entry.filter, &mut fields)).collect();
        let latching = (0..).zip(&holds).filter(|(_, hold)| hold.latches());
        Self {
            latches: latching.map(|(number, _)| number).collect(),
            ignore,
            index: Index::new(filters),
            fields,
            signals,
            traits,
            counts,
            groups,
            points,
            fit,
            holds,
            rules,
            spec,
        }
    }

    /// The rules in words.
    pub fn spec(&self) -> &RulesSpec {
        &self.spec
    }

    /// The fields that the codec has to find in a record.
    pub fn fields(&self) -> &FieldTable {
        &self.fields
    }

    /// The points for fit of a lead whose traits `value` gives.
    pub(super) fn fit<'a>(&self, value: impl Fn(u16) -> Value<'a>) -> Tenths {
        let holds = |fit: &&Fit| super::matching::holds(&fit.matcher, value(fit.trait_));
        Tenths(self.fit.iter().filter(holds).map(|fit| fit.points.0).sum())
    }
}

/// Words to indices, made as they are met.
struct Names<'a> {
    spec: &'a RulesSpec,
    fields: FieldTable,
    traits: Vec<Trait>,
    signals: Vec<Signal>,
    /// Of `signals`, at the same positions.
    filters: Vec<Filter>,
    counts: Vec<Count>,
    groups: Vec<Group>,
    points: Vec<Points>,
    fit: Vec<Fit>,
}

impl<'a> Names<'a> {
    fn new(spec: &'a RulesSpec) -> Self {
        let mut names = Self {
            spec,
            fields: FieldTable::new(),
            traits: Vec::new(),
            signals: Vec::new(),
            filters: Vec::new(),
            counts: Vec::new(),
            groups: Vec::new(),
            points: Vec::new(),
            fit: Vec::new(),
        };
        for always in ["email", "email_domain", "name", "company", "job_title"] {
            names.trait_(always);
        }
        names
    }

    /// The position of a trait, new if it is met for the first time.
    fn trait_(&mut self, name: &str) -> u16 {
        let known = self.traits.iter().position(|known| known.name == name);
        let at = known.unwrap_or_else(|| {
            let path = FieldPath::of_trait(name).expect("config checked the trait's name");
            let field = self.fields.id(path);
            let words = wording::words(name);
            self.traits.push(Trait { name: name.to_owned(), words, field, rules: Vec::new() });
            self.traits.len() - 1
        });
        index(at)
    }

    /// The position of a signal; only those that something names get one.
    fn signal(&mut self, name: &str) -> u16 {
        let known = self.signals.iter().position(|known| known.name == name);
        let at = known.unwrap_or_else(|| {
            let mut all = self.spec.signals.iter();
            let spec = all.find(|spec| spec.name == name).expect("config checked the signal's name");
            self.filters.push(Filter::compile(&spec.filter, &mut self.fields));
            self.signals.push(Signal {
                name: name.to_owned(),
                noun: Noun::of(name),
                counts: Vec::new(),
                points: Vec::new(),
                rules: Vec::new(),
            });
            self.signals.len() - 1
        });
        index(at)
    }

    fn condition(&mut self, spec: &ConditionSpec) -> Condition {
        match spec {
            ConditionSpec::Count { signal, at_least, within } => {
                let window = Window { at_least: *at_least, within: *within };
                Condition::Count(self.count(signal, window))
            }
            ConditionSpec::Signal(name) => Condition::Signal(self.signal(name)),
            ConditionSpec::Score { at_least, rearm_below } => {
                Condition::Score { at_least: *at_least, rearm_below: *rearm_below }
            }
            ConditionSpec::Trait { name, matcher } => {
                Condition::Trait { trait_: self.trait_(name), matcher: matcher.clone() }
            }
            ConditionSpec::All(parts) => Condition::All(parts.iter().map(|part| self.condition(part)).collect()),
            ConditionSpec::Any(parts) => Condition::Any(parts.iter().map(|part| self.condition(part)).collect()),
            ConditionSpec::Not(part) => Condition::Not(Box::new(self.condition(part))),
        }
    }

    fn count(&mut self, signal: &str, window: Window) -> u16 {
        let signal = self.signal(signal);
        let count = Count { signal, window, capacity: window.capacity(self.spec.grace) };
        let at = self.counts.iter().position(|known| *known == count).unwrap_or_else(|| {
            self.counts.push(count);
            let at = self.counts.len() - 1;
            self.signals[usize::from(signal)].counts.push(index(at));
            at
        });
        index(at)
    }

    fn hold(&mut self, spec: &HoldSpec) -> Hold {
        Hold {
            when: self.condition(&spec.when),
            for_: spec.for_,
            until: spec.until.as_ref().map(|until| self.condition(until)),
        }
    }

    fn rule(&mut self, rule: &super::spec::RuleSpec, spec: &RulesSpec) -> Rule {
        let when = self.condition(&rule.when);
        let holding = (0..).zip(&spec.suppress).filter(|(_, hold)| !rule.despite.contains(&hold.name));
        Rule {
            reads_score: when.any(&mut |leaf| matches!(leaf, Condition::Score { .. })),
            held_by: holding.map(|(at, _)| at).collect(),
            when,
        }
    }

    fn scoring(&mut self, spec: &RulesSpec) {
        let Some(scoring) = &spec.scoring else { return };
        self.groups = scoring.groups.iter().map(|(name, cap)| Group { name: name.clone(), cap: Some(*cap) }).collect();
        self.groups.extend(["other", "negative"].map(|name| Group { name: name.into(), cap: None }));
        for entry in &scoring.points {
            let named = entry.group.as_ref().map(|name| self.groups.iter().position(|group| group.name == *name));
            let group = match named {
                Some(at) => at.expect("config checked the group's name"),
                None if entry.points.0 > 0 => scoring.groups.len(),
                None => scoring.groups.len() + 1,
            };
            let signal = self.signal(&entry.signal);
            self.signals[usize::from(signal)].points.push(index(self.points.len()));
            let (points, half_life) = (entry.points, entry.half_life);
            self.points.push(Points { signal, points, group: index(group), half_life });
        }
        for entry in &scoring.fit {
            let trait_ = self.trait_(&entry.trait_name);
            self.fit.push(Fit { trait_, matcher: entry.matcher.clone(), points: entry.points });
        }
    }

    /// Notes for each signal and trait the rules that it touches (rules.md 16).
    fn touch(&mut self, rules: &[Rule]) {
        for (number, rule) in (0..).zip(rules) {
            rule.when.any(&mut |leaf| {
                match leaf {
                    Condition::Count(count) => {
                        let signal = self.counts[usize::from(*count)].signal;
                        self.signals[usize::from(signal)].rules.push(number);
                    }
                    Condition::Signal(signal) => self.signals[usize::from(*signal)].rules.push(number),
                    Condition::Trait { trait_, .. } => self.traits[usize::from(*trait_)].rules.push(number),
                    Condition::Score { .. } => {
                        for points in &self.points {
                            self.signals[usize::from(points.signal)].rules.push(number);
                        }
                        for fit in &self.fit {
                            self.traits[usize::from(fit.trait_)].rules.push(number);
                        }
                    }
                    Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {}
                }
                false
            });
        }
        let touched = self.signals.iter_mut().map(|s| &mut s.rules).chain(self.traits.iter_mut().map(|t| &mut t.rules));
        touched.for_each(Vec::dedup);
    }
}

impl Condition {
    /// The lowest score with which an episode may go on, of those that the condition reads; what stands under a `not` is
    /// no threshold to fall below.
    pub fn rearm_below(&self) -> Option<Tenths> {
        match self {
            Self::Score { rearm_below, .. } => Some(*rearm_below),
            Self::All(parts) | Self::Any(parts) => parts.iter().filter_map(Self::rearm_below).min(),
            _ => None,
        }
    }

    /// Whether `found` holds for this condition or any part of it, outermost first.
    pub fn any(&self, found: &mut impl FnMut(&Self) -> bool) -> bool {
        found(self)
            || match self {
                Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any(found)),
                Self::Not(part) => part.any(found),
                _ => false,
            }
    }
}

fn index(at: usize) -> u16 {
    u16::try_from(at).expect("limits of a rules file keep every list under 65,536")
}
