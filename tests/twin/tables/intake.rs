//! Sentences 1 to 7: what happens to an event before any rule sees it.

use super::super::event::Event;
use super::super::ids::ring_size;
use super::super::run::run;
use super::super::time::{self, instant};
use super::{START, at, brief, line, rules, story};
use serde_json::{Value, json};

const ONE_A: &str = r#""rules": [{"id": "r", "when": {"signal": "a"}, "cooldown": "0s"}]"#;

#[test]
fn outcomes_come_in_their_order() {
    let rules = rules(
        r#""ignore": {"z": {"name": "c"}, "bot": {"where": {"user_agent": {"contains": "BOT"}}}},
           "rules": [{"id": "r", "when": {"signal": "a"}}]"#,
    );
    let own = |more: Value| {
        let mut event = json!({"id": "e", "type": "track", "name": "a", "time": "2026-11-22T10:00:00Z",
            "lead": {"user_id": "u"}});
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        event.to_string()
    };
    #[rustfmt::skip]
    let rows = [
        ("{\"type\":".to_string(),                                     "dead_letter(not_json)"),
        ("[1]".to_string(),                                            "dead_letter(unknown_format)"),
        ("{\"hello\":1}".to_string(),                                  "dead_letter(unknown_format)"),
        (own(json!({"type": null, "time": "x", "lead": {}})),          "dead_letter(no_type)"),
        (own(json!({"time": "x", "lead": {}})),                        "dead_letter(bad_time)"),
        (own(json!({"time": "1999-12-31T23:59:59.999Z"})),             "dead_letter(bad_time)"),
        (own(json!({"lead": {"user_id": " "}})),                       "dead_letter(no_lead)"),
        (own(json!({"lead": {}, "name": "c"})),                        "dead_letter(no_lead)"),
        (own(json!({"name": "c", "user_agent": "bot"})),               "ignored(z)"),
        (own(json!({"user_agent": "a Bot"})),                          "ignored(bot)"),
        (own(json!({"name": "b"})),                                    "unmatched"),
        (own(json!({})),                                               "r fire"),
    ];
    for (line, expected) in rows {
        let run = run(&rules, &["user_id"], std::slice::from_ref(&line), "f");
        assert_eq!(brief(&run.decisions[0]), expected, "{line}");
    }
}

#[test]
fn an_event_that_is_not_applied_leaves_no_trace() {
    story(
        &rules(ONE_A),
        &[
            ("e1 10m b", "unmatched", "b is not read (2), so e1 is not remembered"),
            ("e1 0s a", "r fire", "and the clock did not move to 10m"),
            ("e1 1s a", "duplicate", "now it is remembered (7)"),
            ("e1@u2 1s a", "r fire", "an id counts once per lead"),
            ("- 1s a", "r fire", "without an id it is known by its place"),
            ("- 1s a", "r fire", "and the next line is another place"),
        ],
    );
}

#[test]
fn traits_are_applied_when_not_older_and_read() {
    let rules = rules(r#""rules": [{"id": "r", "when": {"trait": {"name": "plan", "equals": "pro"}}}]"#);
    story(
        &rules,
        &[
            ("e1 0s {\"plan\": \"pro\"}", "r fire", "absent to pro is a change"),
            ("e2 5s {\"plan\": \"PRO\"}", "r same_episode", "another value, the same meaning"),
            ("e3 4s {\"plan\": \"free\"}", "unmatched", "older than the remembered one (3)"),
            ("e3 4s {\"plan\": \"free\"}", "unmatched", "whose id is not remembered"),
            ("e2 4s {\"plan\": \"free\"}", "duplicate", "duplicate comes before that (1)"),
            ("e4 5s {\"plan\": \"free\"}", "r below_threshold", "of equal times the last wins"),
            ("e5 6s {\"plan\": null}", "unmatched", "null never overwrites"),
            ("e6 6s {\"plan\": \" \"}", "unmatched", "nor does blank text"),
            ("e7 6s {\"size\": 1}", "unmatched", "a trait that nothing reads"),
            ("e8 6s {\"job_title\": \"VP\"}", "", "always read: applied, touches no rule (16)"),
            ("e9 9s {\"plan\": \"free\"}", "", "applied and renewed, but no change"),
            ("f1 8s {\"plan\": \"pro\"}", "unmatched", "older than the renewal"),
        ],
    );
}

#[test]
fn a_lead_silent_for_longer_than_forget_after_starts_anew() {
    let rules = super::rules(
        r#""forget_after": "1h", "rules": [
           {"id": "r", "when": {"count": {"signal": "a", "at_least": 1, "within": "1s"}}}]"#,
    );
    story(
        &rules,
        &[
            ("e1 0s a", "r fire", ""),
            ("e2 1h a", "r cooling_down", "exactly an hour is not more; a new episode, held"),
            ("e2 2h1ms b", "unmatched", "an unmatched event forgets nothing"),
            ("e2 2h a", "duplicate", ""),
            ("e2 2h1ms a", "r fire", "the id and the cooldown are forgotten (6)"),
        ],
    );
}

/// Method: 17 applied events. The first leaves the newest 16, but a ring or an opening may keep it.
#[test]
fn ids_are_remembered_in_three_ways() {
    let told = |when: &str| {
        let rules = rules(&format!(
            r#""grace": "0s", "flags": {{"x": {{"when": {{"signal": "b"}}, "for": "1s"}}}},
               "rules": [{{"id": "r", "when": {when}}}]"#
        ));
        let mut lines = vec![line("e0 0s a")];
        lines.extend((1..=16).map(|i| line(&format!("f{i} {i}s b"))));
        lines.push(line("e0 20s a"));
        run(&rules, &["user_id"], &lines, "f").decisions.last().map(brief).unwrap()
    };
    let never = r#"{"all": [{"signal": "a"}, {"trait": {"name": "plan", "exists": true}}]}"#;
    assert_eq!(told(never), "r below_threshold", "17 applied: the first is forgotten");
    assert_eq!(told(r#"{"signal": "a"}"#), "duplicate", "it opened the last episode");
    let ring = r#"{"count": {"signal": "a", "at_least": 2, "within": "1s"}}"#;
    assert_eq!(told(ring), "duplicate", "the ring of the count holds it");
}

#[test]
fn a_count_keeps_as_many_times_as_its_grace_needs() {
    for (at_least, grace, within, size) in
        [(5, 300, 3_600, 9), (1, 300, 1, 1), (3, 0, 60, 3), (2, 300, 60, 7), (4, 61, 60, 10)]
    {
        assert_eq!(ring_size(at_least, grace * 1_000, within * 1_000), size);
    }
}

#[test]
fn times_are_read_to_the_millisecond() {
    #[rustfmt::skip]
    let rows = [
        (json!("2026-11-22T10:00:00Z"),            Some(START)),
        (json!("2026-11-22T10:00:00.1239Z"),       Some(START + 123)),
        (json!("2026-11-22T10:00:00.1"),           Some(START + 100)),
        (json!("2026-11-22T12:30:00+02:30"),       Some(START)),
        (json!("2026-11-22T08:00:00-02:00"),       Some(START)),
        (json!(START),                             Some(START)),
        (json!(START / 1000),                      Some(START)),
        (json!(1_795_341_600.125),                 Some(START + 125)),
        (json!(99_999_999_999i64),                 Some(99_999_999_999_000)),
        (json!(946_684_799),                       None),
        (json!(946_684_800),                       Some(time::YEAR_2000)),
        (json!("1999-12-31T23:59:59.999Z"),        None),
        (json!("2026-02-30T00:00:00Z"),            None),
        (json!("soon"),                            None),
        (json!(true),                              None),
        (json!(null),                              None),
    ];
    for (written, expected) in rows {
        assert_eq!(instant(&written), expected, "{written}");
    }
    assert_eq!(time::text(START + 7), "2026-11-22T10:00:00.007Z");
    assert_eq!(time::duration("1h30m"), 90 * time::MINUTE);
}

#[test]
fn a_time_too_far_ahead_is_clamped_to_the_record() {
    let minutes = |m: i64| START + m * time::MINUTE;
    #[rustfmt::skip]
    let rows = [
        // event              record's timestamp       taken as
        (minutes(5),          minutes(0),              minutes(5)),   // exactly 5 min stays
        (minutes(5) + 1,      minutes(0),              minutes(0)),
        (minutes(-60),        minutes(0),              minutes(-60)),
        (minutes(60),         -1,                      minutes(60)),
        (minutes(60),         time::YEAR_2000 - 1,     minutes(60)),
    ];
    for (time, timestamp, expected) in rows {
        let line = json!({
            "record": {"topic": "t", "partition": 2, "offset": 9, "timestamp": timestamp, "key": "u"},
            "value": {"time": time, "type": "track", "lead": {"user_id": "u"}},
        });
        let event = Event::read(&rules(ONE_A), &["user_id"], &line.to_string(), "f:1");
        assert_eq!(event.time, Some(expected), "{line}");
        assert_eq!(event.identity(), "t/2@9");
    }
}

#[test]
fn partitions_have_leads_of_their_own() {
    let rules =
        super::rules(r#""rules": [{"id": "r", "when": {"count": {"signal": "a", "at_least": 2, "within": "1h"}}}]"#);
    let on = |partition: i64, short: &str| {
        let value: Value = serde_json::from_str(&line(short)).unwrap();
        let record = json!({"topic": "t", "partition": partition, "offset": 1, "timestamp": at("0s")});
        json!({"record": record, "value": value}).to_string()
    };
    let lines = [on(0, "e1 0s a"), on(1, "e1 1s a"), on(0, "e2 2s a"), line("e3 3s a")];
    let run = run(&rules, &["user_id"], &lines, "f");
    let told: Vec<String> = run.decisions.iter().map(brief).collect();
    assert_eq!(told, ["r below_threshold", "r below_threshold", "r fire", "r below_threshold"]);
}
