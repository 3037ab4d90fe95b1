//! One stream in two orders of arrival, none of whose events is late by more than the grace.

use super::super::time::text;
use super::Case;
use super::events::START;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use std::fmt;

/// The same events in time order and in another order.
#[derive(Clone)]
pub struct Reordered {
    pub in_time: Case,
    pub as_arrived: Case,
}

/// One rule whose `when` is one count, which nothing suppresses.
///
/// Each event arrives up to the grace after its time. So when one with time a comes before one
/// with time b, a - b is at most the grace.
pub fn reordered() -> impl Strategy<Value = Reordered> {
    let grace = select(&[0i64, 1, 10, 60, 300][..]);
    let within = select(&[1i64, 2, 10, 60, 300, 1_200][..]);
    let step = select(&[0i64, 1, 500, 1_000, 1_001, 10_000, 60_000, 300_000][..]);
    let delay = prop_oneof![2 => Just(0u8), 1 => Just(255), 3 => any::<u8>()];
    let events = vec((0usize..4, step, delay), 2..=60);
    (grace, within, 1u32..=4, events).prop_map(|(grace, within, at_least, events)| {
        let rules = format!(
            r#"{{"version": 1, "grace": "{grace}s",
"signals": {{"view": {{"on": "page"}}}},
"rules": [{{"id": "views", "when": {{"count": {{"signal": "view", "at_least": {at_least}, "within": "{within}s"}}}}}}]}}"#
        );
        let mut now = START;
        let mut timed: Vec<(i64, String)> = Vec::new();
        for (at, (who, step, delay)) in events.into_iter().enumerate() {
            now += step;
            let line = json!({
                "id": format!("e{at}"), "time": text(now), "type": "page",
                "lead": {"user_id": format!("u{who}")}, "page": {"path": "/a"},
            });
            timed.push((now + grace * 1_000 * i64::from(delay) / 255, line.to_string()));
        }
        let in_time = lines(&timed);
        timed.sort_by_key(|(arrived, _)| *arrived);
        let case = |lines| Case { rules: rules.clone(), lead_key: vec!["user_id"], lines };
        Reordered { in_time: case(in_time), as_arrived: case(lines(&timed)) }
    })
}

fn lines(timed: &[(i64, String)]) -> Vec<String> {
    timed.iter().map(|(_, line)| line.clone()).collect()
}

impl fmt::Debug for Reordered {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:?}--- as they arrived\n{}\n", self.in_time, self.as_arrived.lines.join("\n"))
    }
}
