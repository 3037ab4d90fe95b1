//! What a newcomer sees of the demo, computed from its stream: nobody waits for it here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hotlead::backtest::{Backtest, Observer, Seen};
use hotlead::codec::DeadLetter;
use hotlead::config;
use hotlead::core::alert::AlertKind;
use hotlead::core::engine::Outputs;
use hotlead::core::event::{Event, FieldPath};
use hotlead::core::rule::RuleSet;
use hotlead::core::time::Timestamp;
use hotlead::run::demo::{Demo, Opening, RULES};

/// When each alert's event was sent, after the opening.
struct Alerts<'a> {
    sent: &'a [Duration],
    at: Vec<Duration>,
}

impl Observer for Alerts<'_> {
    fn event(&mut self, seen: &Seen<'_>, _: &Event<'_>, out: &Outputs) -> io::Result<()> {
        let sent = self.sent[seen.line as usize - 1];
        let opened = out.alerts.iter().filter(|alert| alert.kind == AlertKind::Opened);
        self.at.extend(opened.map(|_| sent));
        Ok(())
    }

    fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()> {
        panic!("line {}: {}", seen.line, letter.detail)
    }
}

/// When the default demo alerts in its first so many seconds.
fn alerts_within(seconds: u64) -> Vec<Duration> {
    let opening = Opening { at: Timestamp::from_millis(1_795_341_734_120), seed: Demo::SEED, speed: Demo::SPEED };
    let (mut sent, mut lines) = (Vec::new(), Vec::new());
    for (after, event) in opening.events().take_while(|(after, _)| *after <= Duration::from_secs(seconds)) {
        sent.push(after);
        lines.extend_from_slice(event.json.as_bytes());
        lines.push(b'\n');
    }
    let (rules, faults) = config::rules::read(RULES.0, RULES.1);
    let rules = Arc::new(RuleSet::compile(rules.unwrap_or_else(|| panic!("{faults}"))));
    let lead_key = [FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId];
    let mut alerts = Alerts { sent: &sent, at: Vec::new() };
    let done = Backtest::new(rules, &lead_key, "demo").run(lines.as_slice(), &mut alerts);
    done.expect("lines in memory");
    alerts.at
}

#[test]
fn the_first_alert_comes_within_three_seconds_and_the_others_at_their_pace() {
    let at = alerts_within(30);
    assert!(!at.is_empty() && at[0] <= Duration::from_secs(3), "{at:?}");
    assert!(at[0] > Duration::ZERO, "it is seen to happen: {at:?}");
    let early = at.iter().filter(|at| **at <= Duration::from_secs(3)).count();
    assert!(early <= 3, "no flood at the opening: {at:?}");
    assert!(at.len() >= early + 3, "it goes on: {at:?}");
}
