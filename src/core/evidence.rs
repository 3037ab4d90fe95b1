//! What led to an alert, line by line, with points that add up (rules.md 25).

use super::alert::Evidence;
use super::condition::Moment;
use super::ids::Origin;
use super::lead::Remembered;
use super::rule::{Condition, Rule};
use super::score::{Ledger, decay, round};
use super::spec::Tenths;
use super::time::Timestamp;

/// The evidence of a rule that is true.
pub(super) fn gather(moment: &Moment<'_>, rule: &Rule, origin: &Origin) -> Vec<Evidence> {
    if rule.reads_score { score_lines(moment, origin) } else { event_lines(moment, &rule.when, origin) }
}

/// One line before it is printed.
struct Line {
    points: f64,
    /// `None` sums up earlier points.
    event: Option<(u16, u16)>,
    label: String,
}

/// Every group's newest contributions one by one, the earlier ones as one line, what its cap took as another.
fn score_lines(moment: &Moment<'_>, origin: &Origin) -> Vec<Evidence> {
    let mut lines = Vec::new();
    let mut caps = Vec::new();
    for (number, group) in moment.rules.groups.iter().enumerate() {
        let sum = moment.group_sum(number);
        let listed = moment.lead.contributions.iter().filter_map(|c| {
            let entry = moment.rules.points.get(usize::from(c.points))?;
            (usize::from(entry.group) == number).then_some((entry, c.event))
        });
        let mut earlier = sum;
        for (entry, event) in listed {
            let points = present(moment, entry, &moment.lead.events[usize::from(event)]);
            earlier -= points;
            lines.push(Line { points, event: Some((entry.signal, event)), label: String::new() });
        }
        if round(earlier).0 != 0 {
            lines.push(Line { points: earlier, event: None, label: format!("earlier ({})", group.name) });
        }
        let taken = moment.capped(number, sum) - sum;
        if round(taken).0 != 0 {
            caps.push(Line { points: taken, event: None, label: format!("over the cap ({})", group.name) });
        }
    }
    // Earlier points first, then by time, then what the caps took.
    lines.sort_by_key(|line| line.event.map(|(_, event)| (time_of(moment, event), event)));
    lines.append(&mut caps);
    print(moment, lines, origin)
}

/// Lines whose printed points add up to the printed behaviour exactly.
fn print(moment: &Moment<'_>, lines: Vec<Line>, origin: &Origin) -> Vec<Evidence> {
    let mut ledger = Ledger::default();
    let mut printed: Vec<(Tenths, Line)> = lines.into_iter().map(|line| (ledger.add(line.points), line)).collect();
    // What was too little for a line of its own, and the order of the sums, may leave a tenth over.
    let rest = moment.score().behaviour.0 - printed.iter().map(|(points, _)| points.0).sum::<i64>();
    if let Some((points, _)) = printed.last_mut() {
        points.0 += rest;
    }
    printed
        .into_iter()
        .map(|(points, line)| match line.event {
            Some((signal, event)) => shown(moment, signal, event, points, origin),
            None => Evidence { signal: None, time: None, points: points.as_points(), source: None, label: line.label },
        })
        .collect()
}

/// The newest N events of each true count, wherever it stands in the condition, and the event of each true single
/// occurrence.
fn event_lines(moment: &Moment<'_>, condition: &Condition, origin: &Origin) -> Vec<Evidence> {
    let mut found: Vec<(u16, u16)> = Vec::new();
    condition.any(&mut |leaf| {
        match leaf {
            Condition::Count(count) if moment.run(*count).is_some() => {
                let of = &moment.rules.counts[usize::from(*count)];
                let ring = moment.lead.ring(*count);
                let newest = ring.len().saturating_sub(of.window.at_least as usize);
                found.extend(ring[newest..].iter().map(|event| (*event, of.signal)));
            }
            Condition::Signal(signal) if moment.signals.contains(signal) => {
                let newest = moment.lead.events.len() - 1;
                found.push((newest as u16, *signal));
            }
            _ => {}
        }
        false
    });
    found.sort_by_key(|(event, signal)| (time_of(moment, *event), *event, *signal));
    found.dedup();
    found
        .into_iter()
        .map(|(event, signal)| {
            let remembered = &moment.lead.events[usize::from(event)];
            let entries = moment.rules.signals[usize::from(signal)].points.iter();
            let points = entries.map(|entry| present(moment, &moment.rules.points[usize::from(*entry)], remembered));
            shown(moment, signal, event, round(points.sum()), origin)
        })
        .collect()
}

/// What is left of an event's points.
fn present(moment: &Moment<'_>, entry: &super::rule::Points, event: &Remembered) -> f64 {
    entry.points.as_points() * decay(entry.half_life, moment.now - event.time)
}

fn shown(moment: &Moment<'_>, signal: u16, event: u16, points: Tenths, origin: &Origin) -> Evidence {
    let remembered = &moment.lead.events[usize::from(event)];
    Evidence {
        signal: Some(moment.rules.signals[usize::from(signal)].name.clone()),
        time: Some(remembered.time),
        points: points.as_points(),
        source: Some(origin.source(remembered.position)),
        label: moment.lead.label_of(remembered).to_owned(),
    }
}

fn time_of(moment: &Moment<'_>, event: u16) -> Timestamp {
    moment.lead.events[usize::from(event)].time
}
