//! The lines of an alert that say why.

use super::condition::{Asked, Condition};
use super::history::View;
use super::score::{Contribution, tenths};

/// Of each group this many contributions have their own line.
const NEWEST: usize = 8;

/// One line; what stands for several contributions or for a cap has no signal and no time.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    pub signal: Option<String>,
    pub time: Option<i64>,
    /// Tenths of a point.
    pub points: i64,
}

/// The evidence of an alert, as of `view`.
pub fn lines(condition: &Condition, view: &View<'_>) -> Vec<Line> {
    if condition.reads_score() {
        return score_lines(view);
    }
    let mut events: Vec<(usize, String)> = Vec::new();
    for part in condition.everything() {
        match part {
            Condition::Count { signal, at_least, .. } if part.holds(view, Asked::Condition) => {
                let carrying = view.history.carrying(signal);
                let newest = carrying.iter().rev().take(*at_least);
                events.extend(newest.map(|at| (*at, signal.clone())));
            }
            Condition::Signal(signal) if part.holds(view, Asked::Condition) => {
                events.extend(view.current.map(|at| (at, signal.clone())));
            }
            _ => {}
        }
    }
    events.sort_by_key(|(at, signal)| (view.history.applied[*at].time, *at, signal.clone()));
    events.dedup();
    events.into_iter().map(|(at, signal)| event_line(view, at, &signal)).collect()
}

/// An event with the points that its signal is worth now, whatever a cap takes from them.
fn event_line(view: &View<'_>, at: usize, signal: &str) -> Line {
    let all = view.rules.scoring.as_ref().map_or(Vec::new(), |s| s.contributions(view));
    let mine = all.iter().filter(|c| c.event == at && c.signal == signal);
    Line {
        signal: Some(signal.to_string()),
        time: Some(view.history.applied[at].time),
        points: tenths(mine.map(|contribution| contribution.points).sum()),
    }
}

/// Lines that add up to the behaviour: per group one for the earlier contributions, one each for
/// the newest, one for what the cap took; each is the difference of rounded running sums.
fn score_lines(view: &View<'_>) -> Vec<Line> {
    let Some(scoring) = &view.rules.scoring else {
        return Vec::new();
    };
    let all = scoring.contributions(view);
    let (mut earlier, mut newest, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for group in scoring.groups() {
        let mine: Vec<&Contribution> = all.iter().filter(|c| c.group == group).collect();
        let sum: f64 = mine.iter().map(|c| c.points).sum();
        let (old, new) = mine.split_at(mine.len().saturating_sub(NEWEST));
        if !old.is_empty() {
            earlier.push((None, None, old.iter().map(|c| c.points).sum::<f64>()));
        }
        newest.extend(new.iter().map(|c| {
            let time = view.history.applied[c.event].time;
            (c.event, (Some(c.signal.clone()), Some(time), c.points))
        }));
        if scoring.capped(&group, &all) < sum {
            taken.push((None, None, scoring.capped(&group, &all) - sum));
        }
    }
    newest.sort_by_key(|(event, (_, time, _))| (*time, *event));
    let newest = newest.into_iter().map(|(_, line)| line);
    let mut running = 0.0;
    let ordered = earlier.into_iter().chain(newest).chain(taken);
    ordered
        .map(|(signal, time, points)| {
            let before = tenths(running);
            running += points;
            Line { signal, time, points: tenths(running) - before }
        })
        .collect()
}
