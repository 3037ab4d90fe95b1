//! The episodes of rules: when one ends, what is decided of one, and which alert that gives.

use super::{Arrival, Verdict};
use crate::core::alert::{Alert, AlertKind};
use crate::core::announcement;
use crate::core::condition::{Moment, Question};
use crate::core::lead::{Episode, Lead};
use crate::core::rule::RuleSet;
use crate::core::spec::Tenths;
use crate::core::time::Timestamp;

/// Ends the open episodes of touched rules whose release condition is false: T has advanced, the event is not in yet.
/// `over` is what it works with; an episode that was announced gives an alert that it is over, in file order.
pub(super) fn end(
    rules: &RuleSet,
    lead: &mut Lead,
    touched: &[u16],
    over: &mut Vec<u16>,
    arrival: &Arrival<'_>,
    alerts: &mut Vec<Alert>,
) {
    let now = arrival.now;
    let moment = Moment::new(rules, lead, now, &[]);
    let is_over = |episode: &&Episode| {
        let Episode { rule, open, spared_until, spared_from, .. } = **episode;
        let question = spared_from.map_or(Question::GoesOn, Question::GoesOnFrom);
        open && touched.contains(&rule)
            && spared_until.is_none_or(|until| now > until)
            && !moment.holds(&rules.rules[usize::from(rule)].when, question)
    };
    over.clear();
    over.extend(lead.episodes.iter().filter(is_over).map(|episode| episode.rule));
    if over.is_empty() {
        return;
    }
    over.sort_unstable();
    for number in over.iter().copied().filter(|number| is_announced(lead, *number)) {
        alerts.push(announcement::write(&moment, AlertKind::Closed, number, &arrival.cause));
    }
    lead.episodes.iter_mut().for_each(|episode| episode.open &= !over.contains(&episode.rule));
}

/// Whether a rule has an open episode of which people know.
fn is_announced(lead: &Lead, number: u16) -> bool {
    lead.episodes.iter().any(|episode| episode.rule == number && episode.open && episode.announced)
}

/// The points for fit before an event that sets traits, if there is an episode that could be told of their change.
pub(super) fn fit_before(rules: &RuleSet, lead: &Lead, touched: &[u16], traits: &[u16]) -> Option<Tenths> {
    let could_tell = |number: &u16| rules.rules[usize::from(*number)].reads_score && is_announced(lead, *number);
    let asks = !rules.fit.is_empty() && !traits.is_empty() && touched.iter().any(could_tell);
    asks.then(|| lead.fit(rules))
}

/// The decision on one touched rule, in the order of rules.md 17.
pub(super) fn decide(rules: &RuleSet, lead: &mut Lead, signals: &[u16], number: u16, arrival: &Arrival<'_>) -> Verdict {
    let rule = &rules.rules[usize::from(number)];
    let now = arrival.now;
    let moment = Moment::new(rules, lead, now, signals);
    if !moment.holds(&rule.when, Question::Holds) {
        return Verdict::BelowThreshold;
    }
    if is_announced(lead, number) {
        return Verdict::SameEpisode;
    }
    let by = rule.held_by.iter().find(|by| moment.in_force(**by)).copied();
    let episode = lead.open_episode(number, now, arrival.cause.time, arrival.id);
    if let Some(by) = by {
        return Verdict::Suppressed(by);
    }
    let cooldown = rules.spec().rules[usize::from(number)].cooldown;
    match episode.last_announced.map(|last| last + cooldown) {
        Some(until) if now < until => Verdict::CoolingDown { until },
        _ => {
            episode.announced = true;
            episode.last_announced = Some(now);
            Verdict::Fire
        }
    }
}

/// Whether the event updates the episode that goes on: it contributes to the rule, nothing holds the rule's alerts, and it
/// is the first to do so in this minute of the lead's clock.
pub(super) fn update(
    rules: &RuleSet,
    lead: &mut Lead,
    signals: &[u16],
    number: u16,
    fit_changed: bool,
    now: Timestamp,
) -> bool {
    let Some(at) = lead.episodes.iter().position(|episode| episode.rule == number) else { return false };
    if lead.episodes[at].is_updated_at(now) {
        return false;
    }
    let rule = &rules.rules[usize::from(number)];
    let carries = |signal: &u16| rules.signals[usize::from(*signal)].rules.contains(&number);
    let contributes = signals.iter().any(carries) || rule.reads_score && fit_changed;
    let moment = Moment::new(rules, lead, now, signals);
    if !contributes || rule.held_by.iter().any(|by| moment.in_force(*by)) {
        return false;
    }
    lead.episodes[at].updated = Some(now.minute());
    true
}
