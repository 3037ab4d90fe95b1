//! Why an alert fired, or is over, for people: one sentence with numbers.

use super::condition::{Moment, Question};
use super::matching;
use super::rule::Condition;
use super::spec::Tenths;
use super::time::Span;

/// One sentence: what of the condition is true, in the order of the file.
pub(super) fn sentence(moment: &Moment<'_>, condition: &Condition, rule_id: &str) -> String {
    let mut phrases = Vec::new();
    collect(moment, condition, &mut phrases);
    if phrases.is_empty() {
        return format!("rule {rule_id} holds");
    }
    phrases.join(" + ")
}

/// Calls `leaf` for each true part that speaks for the alert: none under a `not`, none of a part that is false.
pub(super) fn true_leaves<'c>(moment: &Moment<'_>, condition: &'c Condition, leaf: &mut impl FnMut(&'c Condition)) {
    if !moment.holds(condition, Question::Holds) {
        return;
    }
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| true_leaves(moment, part, leaf));
        }
        Condition::Not(_) => {}
        _ => leaf(condition),
    }
}

fn collect(moment: &Moment<'_>, condition: &Condition, phrases: &mut Vec<String>) {
    true_leaves(moment, condition, &mut |leaf| {
        let phrase = phrase(moment, leaf);
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    });
}

/// One sentence about an episode that is over: what of the condition is no longer so, in the order of the file. A single
/// occurrence is named if it is all that there is to say.
pub(super) fn ended(moment: &Moment<'_>, condition: &Condition) -> String {
    let (mut phrases, mut occurrences) = (Vec::new(), Vec::new());
    grounds(moment, condition, false, &mut |leaf, holds| {
        let (list, phrase) = match leaf {
            Condition::Signal(signal) => {
                (&mut occurrences, moment.rules.signals[usize::from(*signal)].noun.one.clone())
            }
            _ if holds => (&mut phrases, phrase(moment, leaf)),
            _ => (&mut phrases, lack(moment, leaf)),
        };
        if !list.contains(&phrase) {
            list.push(phrase);
        }
    });
    if phrases.is_empty() { format!("1 {}", occurrences.join(" or ")) } else { phrases.join(" + ") }
}

/// Calls `leaf` for each part that makes the condition true, or false, as `holds` asks, and says which of the two that
/// part is.
fn grounds(moment: &Moment<'_>, condition: &Condition, holds: bool, leaf: &mut impl FnMut(&Condition, bool)) {
    if moment.holds(condition, Question::GoesOn) != holds {
        return;
    }
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| grounds(moment, part, holds, leaf));
        }
        Condition::Not(part) => grounds(moment, part, !holds, leaf),
        _ => leaf(condition, holds),
    }
}

/// A part that is not so.
fn lack(moment: &Moment<'_>, leaf: &Condition) -> String {
    match leaf {
        Condition::Count(count) => {
            let of = &moment.rules.counts[usize::from(*count)];
            let signal = &moment.rules.signals[usize::from(of.signal)].noun;
            let (since, ring) = (moment.now - of.window.within, moment.lead.ring(*count));
            let seen = ring.iter().filter(|event| moment.lead.events[usize::from(**event)].time >= since).count();
            let signal = if seen == 1 { &signal.one } else { &signal.many };
            format!("{seen} {signal} in {}, fewer than {}", of.window.within, of.window.at_least)
        }
        Condition::Score { rearm_below, .. } => {
            format!("score {}, below {}", number(moment.score().total()), number(*rearm_below))
        }
        Condition::Trait { trait_, .. } => {
            let name = &moment.rules.traits[usize::from(*trait_)].words;
            match matching::plain(moment.lead.trait_(*trait_)) {
                Some(value) => format!("{name} {value}, not as wanted"),
                None => format!("{name} not as wanted"),
            }
        }
        _ => String::new(),
    }
}

fn phrase(moment: &Moment<'_>, leaf: &Condition) -> String {
    match leaf {
        Condition::Count(count) => counted(moment, *count),
        Condition::Signal(signal) => moment.rules.signals[usize::from(*signal)].noun.one.clone(),
        Condition::Score { at_least, .. } => {
            let total = moment.score().total();
            format!("score {} (threshold {})", number(total), number(*at_least))
        }
        Condition::Trait { trait_, .. } => {
            let name = &moment.rules.traits[usize::from(*trait_)].words;
            match matching::plain(moment.lead.trait_(*trait_)) {
                Some(value) => format!("{name} {value}"),
                None => format!("{name} as wanted"),
            }
        }
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => String::new(),
    }
}

/// `3 pricing views in 41 min`: as many as the rule wants, and how long they took.
fn counted(moment: &Moment<'_>, count: u16) -> String {
    let of = &moment.rules.counts[usize::from(count)];
    let signal = &moment.rules.signals[usize::from(of.signal)].noun;
    let ring = moment.lead.ring(count);
    let time = |at: usize| moment.lead.events[usize::from(ring[at])].time;
    let span = moment.run(count).map_or(Span::ZERO, |run| time(run.end - 1) - time(run.start));
    match of.window.at_least {
        1 => format!("1 {}", signal.one),
        n => format!("{n} {} in {span}", signal.many),
    }
}

fn number(points: Tenths) -> String {
    points.as_points().to_string()
}
