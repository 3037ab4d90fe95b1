//! Conditions, and whether one holds at an instant of a lead's history.

use super::history::View;
use super::matcher::satisfied;
use super::time::duration;
use serde_json::Value;

pub enum Condition {
    Count {
        signal: String,
        at_least: usize,
        within: i64,
    },
    Signal(String),
    /// Thresholds in tenths of a point.
    Score {
        at_least: i64,
        rearm_below: i64,
    },
    Trait {
        name: String,
        matcher: Value,
    },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// Which thresholds of a score are asked for.
#[derive(Clone, Copy, PartialEq)]
pub enum Asked {
    Condition,
    /// `rearm_below` stands in place of the threshold.
    Release,
}

impl Condition {
    pub fn new(value: &Value) -> Condition {
        let (kind, body) = value.as_object().unwrap().iter().next().unwrap();
        let parts = || body.as_array().unwrap().iter().map(Condition::new).collect();
        let text = |key: &str| body[key].as_str().unwrap().to_string();
        match kind.as_str() {
            "count" => Condition::Count {
                signal: text("signal"),
                at_least: body["at_least"].as_u64().unwrap() as usize,
                within: duration(&text("within")),
            },
            "signal" => Condition::Signal(body.as_str().unwrap().to_string()),
            "score" => {
                let tenths = |key: &str| body[key].as_f64().map(|p| (p * 10.0).round() as i64);
                let at_least = tenths("at_least").unwrap();
                Condition::Score { at_least, rearm_below: tenths("rearm_below").unwrap_or(at_least) }
            }
            "trait" => {
                let mut matcher = body.clone();
                matcher.as_object_mut().unwrap().remove("name");
                Condition::Trait { name: text("name"), matcher }
            }
            "all" => Condition::All(parts()),
            "any" => Condition::Any(parts()),
            "not" => Condition::Not(Box::new(Condition::new(body))),
            other => panic!("a condition that the rules don't know: {other}"),
        }
    }

    pub fn holds(&self, view: &View<'_>, asked: Asked) -> bool {
        match self {
            Condition::Count { signal, at_least, within } => view.count_reached(signal, *at_least, *within),
            Condition::Signal(signal) => view.carried().contains(signal),
            Condition::Score { at_least, rearm_below } => {
                let score = view.score().total();
                score >= if asked == Asked::Release { *rearm_below } else { *at_least }
            }
            Condition::Trait { name, matcher } => satisfied(matcher, view.trait_value(name)),
            Condition::All(parts) => parts.iter().all(|part| part.holds(view, asked)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(view, asked)),
            Condition::Not(part) => !part.holds(view, asked),
        }
    }

    /// This condition and every one inside it.
    pub fn everything(&self) -> Vec<&Condition> {
        let inside = match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(Condition::everything).collect(),
            Condition::Not(part) => part.everything(),
            _ => Vec::new(),
        };
        std::iter::once(self).chain(inside).collect()
    }

    pub fn signals(&self) -> Vec<String> {
        let named = |condition: &&Condition| match condition {
            Condition::Count { signal, .. } | Condition::Signal(signal) => Some(signal.clone()),
            _ => None,
        };
        self.everything().iter().filter_map(named).collect()
    }

    pub fn traits(&self) -> Vec<String> {
        let named = |condition: &&Condition| match condition {
            Condition::Trait { name, .. } => Some(name.clone()),
            _ => None,
        };
        self.everything().iter().filter_map(named).collect()
    }

    pub fn counts(&self) -> Vec<(String, usize, i64)> {
        let named = |condition: &&Condition| match condition {
            Condition::Count { signal, at_least, within } => Some((signal.clone(), *at_least, *within)),
            _ => None,
        };
        self.everything().iter().filter_map(named).collect()
    }

    pub fn reads_score(&self) -> bool {
        self.everything().iter().any(|part| matches!(part, Condition::Score { .. }))
    }
}
