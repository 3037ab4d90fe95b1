//! An events topic that gets more partitions: noticed while running and at the start, refused, and mended by a command.

use super::DEADLINE;
use super::program::Program;
use crate::kafka::{Outgoing, broker, unique};
use crate::supervise::wait_for;

const RULES: &str = "version: 1
signals: { pricing_view: { on: page, where: { page.path: /pricing } } }
rules: [ { id: pricing-surge, when: { count: { signal: pricing_view, at_least: 3, within: 1h } } } ]
";

const LEADS: usize = 20;

/// The `n`-th pricing view of every lead.
fn views(n: usize) -> impl Iterator<Item = Outgoing> {
    (0..LEADS).map(move |lead| {
        let value = format!(
            r#"{{"id":"{lead}-{n}","time":"2026-11-22T10:0{n}:00Z","type":"page","lead":{{"user_id":"u{lead}"}},"page":{{"path":"/pricing"}}}}"#
        );
        Outgoing::new(format!("u{lead}"), value)
    })
}

fn state_of_all(name: &str) -> String {
    let mut dump = Program::with_rules(RULES, &["state", "dump", "--json"], broker().bootstrap(), name);
    let text = dump.output();
    assert_eq!(dump.exit_code(), Some(0), "{}", dump.log());
    text
}

/// Goal: more partitions lose no lead's memory. Method: two views each, growth, the move, and the third view.
#[test]
fn a_topic_that_grows_is_refused_until_the_state_has_moved() {
    let name = unique("growth");
    let (events, alerts) = (format!("{name}.events"), format!("{name}.hotlead.alerts"));
    broker().create_topic(&events, 2, &[]);
    let start = |arguments: &[&str]| Program::with_rules(RULES, arguments, broker().bootstrap(), &name);

    let mut running = start(&["run"]);
    running.logs("running");
    broker().produce(&events, views(1).chain(views(2)));
    let before = wait_for("the state of all leads", DEADLINE, || {
        let dump = state_of_all(&name);
        let seen = dump.lines().filter(|line| line.contains("2026-11-22T10:02:00.000Z"));
        (seen.count() == LEADS).then_some(dump)
    });
    broker().grow_topic(&events, 5);
    assert_eq!(running.exit_code(), Some(69), "{}", running.log());
    let mut again = start(&["run"]);
    assert_eq!(again.exit_code(), Some(69), "{}", again.log());
    for log in [running.log(), again.log()] {
        assert!(log.contains("has 5 partitions and "), "{log}");
        assert!(log.contains("hotlead state move --config"), "{log}");
    }

    let mut moving = start(&["state", "move"]);
    assert_eq!(moving.exit_code(), Some(0), "{}", moving.log());
    assert!(moving.log().contains(&format!(" of {LEADS} leads have moved")), "{}", moving.log());
    assert_eq!(state_of_all(&name), before, "nothing but the place has changed");

    let last = start(&["run"]);
    last.logs("running");
    broker().produce(&events, views(3));
    let records = wait_for("an alert for each lead", DEADLINE, || {
        let records = broker().consume_visible(&alerts);
        (records.len() >= LEADS).then_some(records)
    });
    drop(last);
    assert_eq!(super::alert_ids(&records).len(), LEADS);
}
