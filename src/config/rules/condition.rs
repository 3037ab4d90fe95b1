//! Conditions of rules, suppressions and flags.

use super::Reader;
use super::keys::{CONDITION, COUNT, SCORE, TRAIT};
use crate::config::view::View;
use crate::core::limits::{MAX_CONDITION_DEPTH, MAX_REMEMBERED, MAX_RING};
use crate::core::spec::ConditionSpec;
use crate::core::time::Span;

/// Where a condition stands, which decides what it may say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scope {
    /// In a suppression or flag, where nothing re-arms.
    hold: bool,
    negated: bool,
    depth: usize,
}

impl Scope {
    /// The condition of a suppression or flag.
    pub(super) fn of_hold() -> Self {
        let hold = true;
        Self { hold, ..Self::default() }
    }

    fn inner(self) -> Self {
        let depth = self.depth + 1;
        Self { depth, ..self }
    }
}

impl Reader<'_> {
    pub(super) fn condition(&mut self, view: &View<'_>, scope: Scope) -> Option<ConditionSpec> {
        if scope.depth > MAX_CONDITION_DEPTH {
            view.fault(self.faults, format!("nested deeper than {MAX_CONDITION_DEPTH} levels"));
            return None;
        }
        let map = view.map(self.faults, &CONDITION)?;
        let parts: Vec<_> = map.iter().filter_map(|(key, view)| self.part(key, &view, scope)).collect();
        // More than one is a fault already, but each has been looked at.
        parts.into_iter().next()?
    }

    /// One key of a condition; the outer `None` is an unknown key, the inner one a fault.
    fn part(&mut self, key: &str, view: &View<'_>, scope: Scope) -> Option<Option<ConditionSpec>> {
        Some(match key {
            "count" => self.count(view),
            "signal" => self.signal(view).map(ConditionSpec::Signal),
            "score" => self.score(view, scope),
            "trait" => self.trait_condition(view),
            "all" => self.several(view, scope).map(ConditionSpec::All),
            "any" => self.several(view, scope).map(ConditionSpec::Any),
            "not" => {
                let scope = Scope { negated: true, ..scope.inner() };
                let part = self.condition(view, scope);
                part.map(|part| ConditionSpec::Not(Box::new(part)))
            }
            _ => return None,
        })
    }

    fn several(&mut self, view: &View<'_>, scope: Scope) -> Option<Vec<ConditionSpec>> {
        let parts: Vec<_> =
            view.list(self.faults, "conditions")?.iter().map(|view| self.condition(view, scope.inner())).collect();
        parts.into_iter().collect()
    }

    fn count(&mut self, view: &View<'_>) -> Option<ConditionSpec> {
        let map = view.map(self.faults, &COUNT)?;
        let signal = map.get("signal").map(|view| self.signal(&view));
        let at_least_view = map.get("at_least");
        let most = i64::try_from(MAX_RING).unwrap_or(i64::MAX);
        let at_least = at_least_view.as_ref().and_then(|view| view.whole(self.faults, 1, most));
        let within = map.get("within").and_then(|view| view.duration(self.faults, Span::from_secs(1)));
        let (at_least, within) = (at_least?, within?);
        let ring = ring_times(at_least, within, self.grace);
        if ring > most {
            let message = format!(
                "needs to remember {ring} times per lead ({at_least} within {within}, {} grace), at most {MAX_RING} are: lower at_least or grace, or lengthen within",
                self.grace
            );
            at_least_view?.fault(self.faults, message);
            return None;
        }
        self.remembered += ring;
        if self.remembered > MAX_REMEMBERED && self.remembered - ring <= MAX_REMEMBERED {
            let message = format!(
                "all counts up to this one remember {} times per lead, at most {MAX_REMEMBERED} may be: lower at_least or grace, or lengthen within",
                self.remembered
            );
            at_least_view?.fault(self.faults, message);
            return None;
        }
        Some(ConditionSpec::Count { signal: signal??, at_least: u32::try_from(at_least).ok()?, within })
    }

    fn score(&mut self, view: &View<'_>, scope: Scope) -> Option<ConditionSpec> {
        if !self.has_scoring {
            view.fault(self.faults, "there is no score in a file without scoring");
        }
        let map = view.map(self.faults, &SCORE)?;
        let at_least = map.get("at_least").and_then(|view| view.points(self.faults));
        let Some(view) = map.get("rearm_below") else {
            let at_least = at_least?;
            return Some(ConditionSpec::Score { at_least, rearm_below: at_least });
        };
        let rearm_below = view.points(self.faults);
        if scope.hold {
            view.fault(self.faults, "has no place in a suppression or flag: nothing re-arms there");
            return None;
        }
        if scope.negated {
            view.fault(self.faults, "has no place under not");
            return None;
        }
        let (at_least, rearm_below) = (at_least?, rearm_below?);
        if rearm_below > at_least {
            let message =
                format!("must not be above at_least ({}), got {}", at_least.as_points(), rearm_below.as_points());
            view.fault(self.faults, message);
            return None;
        }
        Some(ConditionSpec::Score { at_least, rearm_below })
    }

    fn trait_condition(&mut self, view: &View<'_>) -> Option<ConditionSpec> {
        let map = view.map(self.faults, &TRAIT)?;
        let name = map.get("name").map(|view| self.trait_name(&view));
        let matcher = self.trait_tests(&map);
        Some(ConditionSpec::Trait { name: name??, matcher: matcher? })
    }
}

/// Times that a count has to remember so that late events count as if in time (design.md 3).
fn ring_times(at_least: i64, within: Span, grace: Span) -> i64 {
    let windows =
        grace.as_millis().div_euclid(within.as_millis()) + i64::from(grace.as_millis() % within.as_millis() != 0);
    (at_least - 1).saturating_mul(windows + 1).saturating_add(1)
}

/// Whether a condition can be true only in the moment of an occurrence, so that what is held then is lost.
pub(super) fn is_momentary(condition: &ConditionSpec) -> bool {
    match condition {
        ConditionSpec::Signal(_) => true,
        ConditionSpec::All(parts) => parts.iter().any(is_momentary),
        ConditionSpec::Any(parts) => parts.iter().all(is_momentary),
        _ => false,
    }
}

/// Whether a single occurrence stands anywhere in a condition.
pub(super) fn has_occurrence(condition: &ConditionSpec) -> bool {
    match condition {
        ConditionSpec::Signal(_) => true,
        ConditionSpec::All(parts) | ConditionSpec::Any(parts) => parts.iter().any(has_occurrence),
        ConditionSpec::Not(part) => has_occurrence(part),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_remembers_enough_for_every_window_that_grace_reaches_back() {
        #[rustfmt::skip]
        let rows = [
            // at_least, within s, grace s, times
            (1, 1, 300, 1), (3, 3600, 300, 5), (3, 3600, 0, 3), (5, 300, 300, 9), (5, 299, 300, 13), (5, 60, 300, 25),
            (1024, 60, 0, 1024), (512, 3600, 300, 1023), (513, 3600, 300, 1025),
        ];
        for (n, within, grace, want) in rows {
            let got = ring_times(n, Span::from_secs(within), Span::from_secs(grace));
            assert_eq!(got, want, "{n} within {within} s, grace {grace} s");
        }
    }
}
