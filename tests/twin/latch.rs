//! Suppressions and flags: what switches them, and which are in force.

use super::condition::Asked;
use super::history::{History, View};
use super::rules::{Latch, Rules};

/// One switch of a latch, with the own time of the event that made it.
pub struct Mark {
    pub time: i64,
    pub on: bool,
}

/// Lets the event that was just applied switch every latch that it switches.
pub fn update(rules: &Rules, history: &mut History, clock: i64) {
    let current = history.applied.len() - 1;
    let time = history.applied[current].time;
    for (at, latch) in rules.suppress.iter().chain(&rules.flags).enumerate() {
        let view = View { rules, history, clock, current: Some(current) };
        let off = latch.until.as_ref().is_some_and(|until| until.holds(&view, Asked::Condition));
        let on = latch.when.holds(&view, Asked::Condition);
        if off || on {
            history.marks[at].push(Mark { time, on: !off });
        }
    }
}

/// The first suppression in the file that holds and that `despite` doesn't name.
pub fn held_by(view: &View<'_>, despite: &[String]) -> Option<String> {
    let suppressions = view.rules.suppress.iter().enumerate();
    suppressions
        .filter(|(_, latch)| !despite.contains(&latch.name))
        .find(|(at, latch)| in_force(view, *at, latch))
        .map(|(_, latch)| latch.name.clone())
}

/// The names of the flags in force, in the order of the file.
pub fn flags(view: &View<'_>) -> Vec<String> {
    let first = view.rules.suppress.len();
    let flags = view.rules.flags.iter().enumerate();
    flags.filter(|(at, latch)| in_force(view, first + at, latch)).map(|(_, latch)| latch.name.clone()).collect()
}

/// Without `for` and `until` it holds while its condition is true. Otherwise the newest mark by
/// event time stands, of equal times the last, and `for` covers [start, start + duration).
fn in_force(view: &View<'_>, at: usize, latch: &Latch) -> bool {
    if latch.until.is_none() && latch.lasts.is_none() {
        return latch.when.holds(view, Asked::Condition);
    }
    let newest = view.history.marks[at].iter().max_by_key(|mark| mark.time);
    newest.is_some_and(|mark| mark.on && latch.lasts.is_none_or(|lasts| view.clock < mark.time + lasts))
}
