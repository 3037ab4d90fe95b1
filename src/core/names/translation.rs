//! From the numbers of stored state to those of the rules in force, which may have been edited meanwhile.

use super::{CountName, HoldName, Names, PointsName};
use crate::core::lead::{Lead, Number, Ring};
use crate::core::limits::MAX_CARRIED;
use crate::core::rule::{Condition, RuleSet};
use crate::core::spec::Tenths;
use crate::core::time::Span;

/// Names of one kind: a mark's number has 15 bits.
const MOST_NAMES: usize = 1 << 15;

/// From the numbers of stored state to ours.
#[derive(Debug)]
pub struct Translation {
    from: Names,
    counts: Vec<Option<u16>>,
    points: Vec<Option<u16>>,
    traits: Vec<Option<u16>>,
    holds: Vec<Option<u16>>,
    rules: Vec<Option<u16>>,
    /// Counts of ours whose events other counts have seen as well.
    shared: Vec<Shared>,
    /// Rules of ours with counts that the stored states do not have, and how long those are blind.
    blind: Vec<(u16, Span)>,
    /// Rules of ours whose score was lower when the stored states were written, and how low.
    raised: Vec<(u16, Tenths)>,
    /// Counts of the rules in force: numbers from here on are carried along.
    own_counts: usize,
}

/// A count of ours: the newest events of all these, by their old numbers, are its own.
#[derive(Debug)]
struct Shared {
    count: u16,
    capacity: usize,
    old: Vec<u16>,
}

/// A count whose ring starts anew: until `blind` has passed it knows less than happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FreshCount {
    /// What it counts.
    pub signal: String,
    /// So many …
    pub at_least: u32,
    /// … within this time.
    pub within: Span,
    /// Its window, and as much as events may be late.
    pub blind: Span,
}

/// A number that its own list does not have, or one more than a list can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) struct Unknown;

impl Translation {
    /// To the numbers of `names`, which begin with those of `rules`.
    pub(in crate::core) fn new(from: Names, names: &Names, rules: &RuleSet) -> Self {
        let mut shared = Vec::new();
        for ((number, own), count) in (0..).zip(&names.counts).zip(&rules.counts) {
            let old = (0..).zip(&from.counts).filter(|(_, old)| old.counts_the_same(own));
            let foreign = |old: &CountName| !names.counts[..rules.counts.len()].iter().any(|own| own.is(old));
            let old: Vec<(u16, &CountName)> = old.collect();
            if old.iter().any(|(_, old)| foreign(old)) || !old.iter().any(|(_, old)| old.is(own)) && !old.is_empty() {
                let old = old.into_iter().map(|(number, _)| number).collect();
                shared.push(Shared { count: number, capacity: count.capacity, old });
            }
        }
        Self {
            counts: places(&from.counts, &names.counts, CountName::is),
            points: places(&from.points, &names.points, PointsName::is),
            traits: places(&from.traits, &names.traits, String::eq),
            holds: places(&from.holds, &names.holds, HoldName::eq),
            rules: places(&from.rules, &names.rules, String::eq),
            shared,
            blind: blind(&from, names, rules),
            raised: raised(&from, names),
            own_counts: rules.counts.len(),
            from,
        }
    }

    /// Counts of the rules whose signal none of the stored states has counted.
    pub fn fresh<'a>(stored: impl Iterator<Item = &'a Self> + Clone, rules: &RuleSet) -> Vec<FreshCount> {
        let names = Names::of(rules);
        let seen = |own: &CountName| {
            stored.clone().any(|stored| stored.from.counts.iter().any(|old| old.counts_the_same(own)))
        };
        let fresh = names.counts.into_iter().filter(|own| !seen(own));
        fresh
            .map(|CountName { signal, at_least, within_ms, .. }| {
                let within = Span::from_millis(within_ms);
                FreshCount { signal, at_least, within, blind: blind_for(within, rules) }
            })
            .collect()
    }

    /// Labels that the stored states say by number.
    pub(in crate::core) fn labels(&self) -> &[String] {
        &self.from.labels
    }

    /// Turns a lead's numbers into ours; `names` grows by those that the lead has and nobody knew. Answers whether
    /// anything changed.
    pub(in crate::core) fn apply(&mut self, lead: &mut Lead, names: &mut Names) -> Result<bool, Unknown> {
        let from = &self.from;
        let mut changed = from.labels != names.labels;
        lead.labels.iter_mut().for_each(|label| label.number = Number::NotAsked);
        for ring in &mut lead.rings {
            changed |= turn(&mut ring.count, &mut self.counts, &from.counts, &mut names.counts, CountName::is)?;
        }
        for (points, _) in &mut lead.sums {
            changed |= turn(points, &mut self.points, &from.points, &mut names.points, PointsName::is)?;
        }
        for contribution in &mut lead.contributions {
            let points = &mut contribution.points;
            changed |= turn(points, &mut self.points, &from.points, &mut names.points, PointsName::is)?;
        }
        for known in &mut lead.traits {
            changed |= turn(&mut known.trait_, &mut self.traits, &from.traits, &mut names.traits, String::eq)?;
        }
        for mark in &mut lead.marks {
            changed |= turn(&mut mark.hold, &mut self.holds, &from.holds, &mut names.holds, HoldName::eq)?;
        }
        for episode in &mut lead.episodes {
            changed |= turn(&mut episode.rule, &mut self.rules, &from.rules, &mut names.rules, String::eq)?;
        }
        if changed || !self.shared.is_empty() {
            self.rings(lead);
            changed = true;
        }
        Ok(changed | self.spare(lead))
    }

    /// Whoever is in an episode when its rule is edited is not alerted again. A count that was edited knows less than
    /// happened: until it has seen its whole window, its rule's open episode cannot be found over. A score that was raised
    /// ends only episodes that would have ended before.
    fn spare(&self, lead: &mut Lead) -> bool {
        let Some(clock) = lead.clock else { return false };
        let mut spared = false;
        for episode in lead.episodes.iter_mut().filter(|episode| episode.open) {
            if let Some((_, span)) = self.blind.iter().find(|(rule, _)| *rule == episode.rule) {
                episode.spared_until = episode.spared_until.max(Some(clock + *span));
                spared = true;
            }
            if let Some((_, old)) = self.raised.iter().find(|(rule, _)| *rule == episode.rule) {
                episode.spared_from = Some(episode.spared_from.map_or(*old, |known| known.min(*old)));
                spared = true;
            }
        }
        spared
    }

    /// Whether every number of a lead means something.
    pub(in crate::core) fn check(lead: &Lead, names: &Names) -> Result<(), Unknown> {
        let known = |number: u16, len: usize| usize::from(number) < len;
        let fine = lead.rings.iter().all(|ring| known(ring.count, names.counts.len()))
            && lead.sums.iter().all(|(points, _)| known(*points, names.points.len()))
            && lead.contributions.iter().all(|of| known(of.points, names.points.len()))
            && lead.traits.iter().all(|of| known(of.trait_, names.traits.len()))
            && lead.marks.iter().all(|mark| known(mark.hold, names.holds.len()))
            && lead.episodes.iter().all(|episode| known(episode.rule, names.rules.len()));
        if fine { Ok(()) } else { Err(Unknown) }
    }

    /// Rings in the order of their counts, with what others have seen of the same.
    fn rings(&self, lead: &mut Lead) {
        let mut rings: Vec<(u16, Vec<u16>)> =
            lead.rings.iter().map(|ring| (ring.count, lead.refs[ring.range()].to_vec())).collect();
        for Shared { count, capacity, old } in &self.shared {
            let seen = old.iter().filter_map(|old| self.counts[usize::from(*old)]);
            let seen: Vec<u16> = seen
                .flat_map(|number| rings.iter().filter(move |(count, _)| *count == number))
                .flat_map(|(_, events)| events.iter().copied())
                .collect();
            let mut events = seen;
            events.sort_unstable_by_key(|event| (lead.events[usize::from(*event)].time, *event));
            events.dedup();
            events.drain(..events.len().saturating_sub(*capacity));
            if !events.is_empty() {
                rings.retain(|(known, _)| known != count);
                rings.push((*count, events));
            }
        }
        rings.sort_unstable_by_key(|(count, _)| *count);
        // What no rule counts any more is carried along, but not without end.
        let mut carried = 0;
        rings.retain(|(count, events)| {
            let own = usize::from(*count) < self.own_counts;
            carried += if own { 0 } else { events.len() };
            own || carried <= MAX_CARRIED
        });
        lead.rings.clear();
        lead.refs.clear();
        for (count, events) in rings {
            lead.rings.push(Ring { count, len: events.len() as u16, start: lead.refs.len() as u32 });
            lead.refs.extend(events);
        }
        (0..lead.events.len() as u16).rev().for_each(|event| lead.release(event));
    }
}

/// Where each of the old names is among ours; two alike take two places.
fn places<T>(from: &[T], to: &[T], is: impl Fn(&T, &T) -> bool) -> Vec<Option<u16>> {
    let mut taken = vec![false; to.len()];
    from.iter()
        .map(|old| {
            let at = (0..to.len()).find(|at| !taken[*at] && is(&to[*at], old))?;
            taken[at] = true;
            Some(at as u16)
        })
        .collect()
}

/// One number: known, or carried along from now on.
fn turn<T: Clone>(
    number: &mut u16,
    places: &mut [Option<u16>],
    from: &[T],
    to: &mut Vec<T>,
    is: impl Fn(&T, &T) -> bool,
) -> Result<bool, Unknown> {
    let old = usize::from(*number);
    let new = match *places.get(old).ok_or(Unknown)? {
        Some(new) => new,
        None => {
            let new = carried(&from[old], places, to, is)?;
            places[old] = Some(new);
            new
        }
    };
    Ok(std::mem::replace(number, new) != new)
}

/// The number of a name that the rules do not have: that which states in other names gave it meanwhile, or a new one.
fn carried<T: Clone>(
    name: &T,
    places: &[Option<u16>],
    to: &mut Vec<T>,
    is: impl Fn(&T, &T) -> bool,
) -> Result<u16, Unknown> {
    let free = |at: &usize| is(&to[*at], name) && !places.contains(&Some(*at as u16));
    match (0..to.len()).find(free) {
        Some(at) => Ok(at as u16),
        None if to.len() < MOST_NAMES => {
            to.push(name.clone());
            Ok((to.len() - 1) as u16)
        }
        None => Err(Unknown),
    }
}

/// Rules with a count that the stored states do not have, and how long it is blind; the longest of each rule.
fn blind(from: &Names, names: &Names, rules: &RuleSet) -> Vec<(u16, Span)> {
    let is_new = |count: u16| !from.counts.iter().any(|old| old.is(&names.counts[usize::from(count)]));
    let longest = |when: &Condition| {
        let mut longest = None;
        when.any(&mut |leaf| {
            if let Condition::Count(count) = leaf
                && is_new(*count)
            {
                let within = rules.counts[usize::from(*count)].window.within;
                longest = longest.max(Some(blind_for(within, rules)));
            }
            false
        });
        longest
    };
    (0..).zip(&rules.rules).filter_map(|(number, rule)| Some((number, longest(&rule.when)?))).collect()
}

/// Rules of ours whose episodes could go on with a lower score, and how low.
fn raised(from: &Names, names: &Names) -> Vec<(u16, Tenths)> {
    let known = (0..).zip(&names.rules).zip(&names.rearm_below);
    known
        .filter_map(|((number, rule), new)| {
            let at = from.rules.iter().position(|old| old == rule)?;
            let old = from.rearm_below.get(at).copied().flatten()?;
            (old < (*new)?).then_some((number, Tenths(old)))
        })
        .collect()
}

/// A count may be true up to `grace` after its window.
fn blind_for(within: Span, rules: &RuleSet) -> Span {
    Span::from_millis(within.as_millis() + rules.spec().grace.as_millis())
}
