//! The view's bounds and messages.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::core::ids::AlertId;

fn alert(number: u128, lead: &str, score: f64, second: i64) -> Alert {
    let time = Timestamp::from_millis(1_793_606_400_000 + second * 1000);
    serde_json::from_value(json!({
        "id": format!("{number:032x}"), "rule": "pricing-surge", "tier": "hot", "kind": "opened",
        "lead": {"key": lead, "name": "Dana Ruiz"}, "time": time, "episode_start": time,
        "reason": "3 pricing views in 41 min", "flags": [],
        "score": {"total": score, "fit": 20.0, "behaviour": score - 20.0},
        "trigger": {"event_id": "e-1", "time": time, "source": "engagement/2@1234"},
        "evidence": [], "rules_version": "sha256:00",
    }))
    .expect("an alert")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_793_606_400_000 + second * 1000)
}

fn snapshot(view: &View) -> Value {
    let (news, _) = view.snapshot(&json!({"group": "test"}));
    serde_json::from_str(&news.data).expect("JSON")
}

fn detail(view: &View, key: &str) -> Value {
    serde_json::from_str(&view.lead(key).expect("a lead")).expect("JSON")
}

#[test]
fn nothing_is_left_of_a_lead_that_is_erased() {
    let view = View::new();
    for (number, lead) in [(1, "u1"), (2, "u2")] {
        view.alert(&alert(number, lead, 10.0, 0), None);
        view.delivery(delivery(number as usize, &format!("sink-of-{lead}"), 1, "delivered"));
    }
    let (_, mut news) = view.snapshot(&());
    view.erase("u1");
    assert_eq!(news.try_recv().expect("pages are told").event, "erased");
    let left = snapshot(&view).to_string();
    assert!(!left.contains("u1") && left.contains("u2"), "{left}");
    assert!(view.lead("u1").is_none() && view.lead("u2").is_some());
}

#[test]
fn cards_are_the_newest_and_a_repeat_shows_once() {
    let view = View::new();
    for number in 0..(MAX_CARDS as u128 + 5) {
        view.alert(&alert(number, "u1", 50.0, 0), None);
    }
    view.alert(&alert(MAX_CARDS as u128, "u1", 50.0, 0), None);
    let cards = snapshot(&view)["cards"].as_array().expect("a list").clone();
    assert_eq!(cards.len(), MAX_CARDS);
    let newest = format!("{:032x}", MAX_CARDS + 4);
    assert_eq!(cards[0]["alert"]["id"], newest, "newest first");
}

/// What becomes of an episode that began with `alert`.
fn then(number: u128, kind: AlertKind, alert: &Alert, score: f64) -> Alert {
    let mut next = Alert { id: AlertId(number), kind, reason: format!("reason {number}"), ..alert.clone() };
    next.score.total = score;
    next
}

#[test]
fn an_episode_stays_one_card_whatever_becomes_of_it() {
    let view = View::new();
    let (first, other) = (alert(1, "u1", 65.0, 0), alert(2, "u2", 50.0, 1));
    view.alert(&first, None);
    view.alert(&other, None);
    let (_, mut news) = view.snapshot(&json!({}));
    let shown = |view: &View| -> Vec<String> {
        let cards = snapshot(view)["cards"].as_array().expect("a list").clone();
        cards.iter().map(|card| format!("{} {}", card["alert"]["kind"], card["alert"]["lead"]["key"])).collect()
    };
    let updated = then(3, AlertKind::Updated, &first, 95.0);
    view.alert(&updated, None);
    view.alert(&updated, None);
    assert_eq!(shown(&view), [r#""opened" "u2""#, r#""updated" "u1""#], "in its place");
    let lead = detail(&view, "u1");
    assert_eq!((&lead["summary"]["score"], &lead["summary"]["alerts"]), (&json!(95.0), &json!(1)));
    assert_eq!((&lead["summary"]["reason"], &lead["card"]["alert"]["kind"]), (&json!("reason 3"), &json!("updated")));

    view.alert(&then(4, AlertKind::Closed, &first, 12.0), None);
    assert_eq!(shown(&view), [r#""opened" "u2""#, r#""closed" "u1""#]);
    let lead = detail(&view, "u1");
    assert_eq!((&lead["summary"]["score"], &lead["summary"]["reason"]), (&json!(12.0), &json!("reason 3")));
    let kinds: Vec<&Value> = lead["timeline"].as_array().expect("a list").iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["closed", "opened"], "an event that updates is in the timeline itself");

    // Another episode of the same rule; and one whose card is not here any more.
    view.alert(&then(5, AlertKind::Updated, &alert(9, "u1", 65.0, 7), 70.0), None);
    assert_eq!(shown(&view).len(), 2);
    let told = std::iter::from_fn(|| news.try_recv().ok()).count();
    assert_eq!(told, 2, "pages are told of what changes a card, once");
}

#[test]
fn deliveries_of_all_that_became_of_a_card_go_with_its_lead() {
    let view = View::new();
    let first = alert(0, "u1", 65.0, 0);
    view.alert(&first, None);
    for number in 1..=2 * MAX_DELIVERIES {
        view.alert(&then(number as u128, AlertKind::Updated, &first, 70.0), None);
        view.delivery(delivery(number, "crm", 1, "delivered"));
    }
    view.erase("u1");
    let left = snapshot(&view);
    assert_eq!((&left["cards"], &left["deliveries"]), (&json!([]), &json!([])));
}

#[test]
fn the_hottest_come_first_and_the_quiet_leave() {
    let view = View::new();
    view.alert(&alert(1, "warm", 40.0, 0), None);
    view.alert(&alert(2, "hot", 90.0, 10), None);
    view.alert(&alert(3, "hot-later", 90.0, 20), None);
    let keys = |view: &View| -> Vec<String> {
        let rows = snapshot(view)["hottest"].as_array().expect("a list").clone();
        rows.iter().map(|row| row["key"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(keys(&view), ["hot-later", "hot", "warm"]);

    let day = QUIET.as_millis() / 1000;
    view.seen("someone", at(10 + day), "/", "applied", &[]);
    assert_eq!(keys(&view), ["hot-later", "hot"], "exactly a day ago is still shown");
    view.seen("someone", at(11 + day), "/", "applied", &[]);
    assert_eq!(keys(&view), ["hot-later"]);
}

#[test]
fn a_timeline_has_the_newest_things_with_their_decisions() {
    let view = View::new();
    view.seen("u1", at(0), "/pricing", "applied", &[]);
    let held = Decided { rule: "pricing-surge", verdict: "suppressed", by: Some("competitor"), until: None };
    view.seen("u1", at(1), "/pricing", "applied", &[held]);
    view.alert(&alert(1, "u1", 65.0, 2), Some(Duration::from_micros(1840)));
    let lead = detail(&view, "u1");
    assert_eq!(lead["timeline"][0]["what"], "alert");
    assert_eq!(lead["timeline"][1]["decisions"][0]["by"], "competitor");
    assert_eq!(lead["timeline"][2]["label"], "/pricing");
    assert_eq!(lead["card"]["delay_ms"], 1.8);
    assert_eq!(lead["summary"]["version"], 3);

    for second in 0..100 {
        view.seen("u1", at(second), "/docs", "applied", &[]);
    }
    let lines = detail(&view, "u1")["timeline"].as_array().expect("a list").len();
    assert_eq!(lines, super::super::lead::MAX_TIMELINE);
    assert_eq!(view.lead("nobody"), None);
}

#[test]
fn memory_is_bounded_and_hot_leads_stay() {
    let view = View::new();
    view.alert(&alert(1, "hot", 65.0, 0), None);
    for number in 0..(3 * MAX_LEADS) {
        view.seen(&format!("a-{number}"), at(number as i64 % 60), "/", "applied", &[]);
        view.tick(Instant::now());
        assert!(view.lock().leads.len() <= MAX_LEADS);
    }
    assert!(view.lead("hot").is_some());
}

#[test]
fn a_flood_between_two_ticks_is_dropped_unread() {
    let view = View::new();
    for number in 0..(SEEN_PER_TICK + 10) {
        view.seen(&format!("a-{number}"), at(0), "/", "applied", &[]);
    }
    assert_eq!(view.lock().leads.len(), SEEN_PER_TICK as usize);
    view.tick(Instant::now());
    view.seen("after", at(0), "/", "applied", &[]);
    assert!(view.lead("after").is_some());
}

fn delivery(alert: usize, sink: &str, attempts: u32, state: &'static str) -> Delivery {
    Delivery {
        alert: format!("{alert:032x}"),
        sink: sink.to_owned(),
        rule: "pricing-surge".to_owned(),
        lead: "Dana Ruiz".to_owned(),
        since: Timestamp::from_millis(0),
        time: at(i64::from(attempts)),
        attempts,
        state,
        status: Some(503),
        detail: "status 503".to_owned(),
        next: None,
    }
}

#[test]
fn deliveries_are_the_newest_and_each_stands_once() {
    let view = View::new();
    for alert in 0..MAX_DELIVERIES + 5 {
        view.delivery(delivery(alert, "crm", 1, "waiting"));
    }
    view.delivery(delivery(MAX_DELIVERIES, "sdr", 1, "delivered"));
    view.delivery(delivery(MAX_DELIVERIES, "crm", 2, "delivered"));
    let shown = snapshot(&view)["deliveries"].as_array().expect("a list").clone();
    assert_eq!(shown.len(), MAX_DELIVERIES);
    let row = |row: &Value| (row["sink"].clone(), row["attempts"].clone(), row["state"].clone());
    assert_eq!(row(&shown[0]), (json!("crm"), json!(2), json!("delivered")), "newest first");
    assert_eq!(row(&shown[1]), (json!("sdr"), json!(1), json!("delivered")));
    assert_eq!(shown.iter().filter(|row| row["alert"] == shown[0]["alert"]).count(), 2, "one of each sink");

    let (_, mut news) = view.snapshot(&json!({}));
    view.tick(Instant::now());
    view.tick(Instant::now());
    let told: Vec<News> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    let has: Vec<bool> = told.iter().map(|news| news.data.contains("deliveries")).collect();
    assert_eq!(has, [true, false], "only when they changed");
}

#[test]
fn the_rate_is_that_of_the_last_seconds() {
    let view = View::new();
    let begin = Instant::now();
    for tick in 0..40_u64 {
        // 10 events a second for ten seconds, then none.
        let applied = tick.min(20) * 5;
        view.counters(Counters { events: [("applied".to_owned(), applied)].into(), ..Counters::default() });
        view.tick(begin + TICK * tick as u32);
        let rate = snapshot(&view)["events_per_second"].as_f64().expect("a number");
        match tick {
            0 => assert_eq!(rate, 0.0),
            1..=20 => assert_eq!(rate, 10.0, "at tick {tick}"),
            31.. => assert_eq!(rate, 0.0, "at tick {tick}"),
            _ => assert!(rate < 10.0),
        }
    }
}

#[test]
fn pages_get_alerts_at_once_and_the_list_only_when_it_changed() {
    let view = View::new();
    let (first, mut news) = view.snapshot(&json!({}));
    view.alert(&alert(1, "u1", 65.0, 0), None);
    view.tick(Instant::now());
    view.tick(Instant::now());
    let told: Vec<News> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    let kinds: Vec<&str> = told.iter().map(|news| news.event).collect();
    assert_eq!(kinds, ["alert", "tick", "tick"]);
    assert_eq!(told[0].id, first.id + 1);
    assert!(told[1].data.contains("hottest") && !told[2].data.contains("hottest"));
}
