//! Which event ids are remembered, looked up in the whole history.

use super::history::History;
use super::rules::Rules;

/// The newest applied events whose ids count.
const NEWEST: usize = 16;

/// Whether `identity` is that of one of the 16 events applied last, of an entry that a count
/// keeps, or of the event that opened a rule's last episode.
pub fn remembered(rules: &Rules, history: &History, identity: &str) -> bool {
    let all = history.applied.len();
    let last = all.saturating_sub(NEWEST)..all;
    let kept = rules.counts().into_iter().flat_map(|(signal, at_least, within)| {
        let events = history.carrying(&signal);
        let from = events.len().saturating_sub(ring_size(at_least, rules.grace, within));
        events[from..].to_vec()
    });
    let opening = (0..rules.rules.len()).filter_map(|rule| history.last_opening_event(rule));
    last.chain(kept).chain(opening).any(|at| history.applied[at].identity == identity)
}

/// How many times a count has to keep: (N - 1)(ceil(grace / W) + 1) + 1.
pub fn ring_size(at_least: usize, grace: i64, within: i64) -> usize {
    let windows = (grace + within - 1) / within;
    (at_least - 1) * (windows as usize + 1) + 1
}
