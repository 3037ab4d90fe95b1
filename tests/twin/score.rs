//! The score of a lead: every contribution decayed anew and added up.

use super::history::View;
use super::matcher::satisfied;
use super::time::duration;
use serde_json::Value;

pub struct Scoring {
    /// Groups with a cap.
    caps: Vec<(String, f64)>,
    entries: Vec<Entry>,
    /// (trait, matcher, tenths of a point).
    fit: Vec<(String, Value, i64)>,
}

/// One line of `points`.
struct Entry {
    signal: String,
    points: f64,
    group: Group,
    /// Never, if none.
    half_life: Option<i64>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Group {
    Named(String),
    /// Positive points without a group; no cap.
    Other,
    /// All negative points; no cap.
    Negative,
}

/// In tenths of a point.
#[derive(Default, Clone, Copy, PartialEq, Debug)]
pub struct Score {
    pub fit: i64,
    pub behaviour: i64,
}

impl Score {
    pub fn total(self) -> i64 {
        self.fit + self.behaviour
    }
}

/// What one event adds to a group at an instant.
pub struct Contribution {
    pub event: usize,
    pub signal: String,
    pub group: Group,
    pub points: f64,
}

impl Scoring {
    pub fn new(value: &Value) -> Scoring {
        let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
        let usual = value["half_life"].as_str();
        let caps = value["groups"].as_object().into_iter().flatten();
        Scoring {
            caps: caps.map(|(name, g)| (name.clone(), g["cap"].as_f64().unwrap())).collect(),
            entries: list("points").iter().map(|entry| Entry::new(entry, usual)).collect(),
            fit: list("fit").iter().map(fit_entry).collect(),
        }
    }

    pub fn signals(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.signal.clone()).collect()
    }

    pub fn fit_traits(&self) -> Vec<String> {
        self.fit.iter().map(|(name, _, _)| name.clone()).collect()
    }

    /// fit + the sum over groups of min(cap, decayed points).
    pub fn of(&self, view: &View<'_>) -> Score {
        let contributions = self.contributions(view);
        let mut behaviour = 0.0;
        for group in self.groups() {
            behaviour += self.capped(&group, &contributions);
        }
        let fits = self.fit.iter().filter(|(name, matcher, _)| satisfied(matcher, view.trait_value(name)));
        Score { fit: fits.map(|(_, _, tenths)| tenths).sum(), behaviour: tenths(behaviour) }
    }

    pub fn groups(&self) -> Vec<Group> {
        let named = self.caps.iter().map(|(name, _)| Group::Named(name.clone()));
        named.chain([Group::Other, Group::Negative]).collect()
    }

    /// A group's value: the sum of its contributions, at most its cap.
    pub fn capped(&self, group: &Group, contributions: &[Contribution]) -> f64 {
        let mine = contributions.iter().filter(|contribution| contribution.group == *group);
        let sum: f64 = mine.map(|contribution| contribution.points).sum();
        let cap = self.caps.iter().find(|(name, _)| *group == Group::Named(name.clone()));
        cap.map_or(sum, |(_, cap)| sum.min(*cap))
    }

    /// Every contribution there ever was, decayed to the view's clock, in time order.
    pub fn contributions(&self, view: &View<'_>) -> Vec<Contribution> {
        let mut all = Vec::new();
        for (at, event) in view.history.applied.iter().enumerate() {
            for entry in self.entries.iter().filter(|e| event.signals.contains(&e.signal)) {
                all.push(Contribution {
                    event: at,
                    signal: entry.signal.clone(),
                    group: entry.group.clone(),
                    points: entry.points * entry.left_after(view.clock - event.time),
                });
            }
        }
        all.sort_by_key(|contribution| view.history.applied[contribution.event].time);
        all
    }
}

impl Entry {
    fn new(value: &Value, usual_half_life: Option<&str>) -> Entry {
        let points = value["points"].as_f64().unwrap();
        let half_life = value["half_life"].as_str().or(usual_half_life).unwrap_or("never");
        Entry {
            signal: value["signal"].as_str().unwrap().to_string(),
            points,
            group: match value["group"].as_str() {
                Some(name) => Group::Named(name.to_string()),
                None if points < 0.0 => Group::Negative,
                None => Group::Other,
            },
            half_life: (half_life != "never").then(|| duration(half_life)),
        }
    }

    /// The part that is left after `age` milliseconds.
    fn left_after(&self, age: i64) -> f64 {
        self.half_life.map_or(1.0, |half_life| 0.5f64.powf(age as f64 / half_life as f64))
    }
}

fn fit_entry(value: &Value) -> (String, Value, i64) {
    let name = value["trait"].as_str().unwrap().to_string();
    let points = value["points"].as_f64().unwrap();
    let mut matcher = value.clone();
    matcher.as_object_mut().unwrap().retain(|key, _| key != "trait" && key != "points");
    (name, matcher, (points * 10.0).round() as i64)
}

/// Rounded to a millionth, then to a tenth, half away from zero.
pub fn tenths(points: f64) -> i64 {
    let millionths = (points * 1e6).round() as i64;
    let half = if millionths < 0 { -50_000 } else { 50_000 };
    (millionths + half) / 100_000
}
