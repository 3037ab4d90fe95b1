//! What a Slack bot does with one lead's alerts, on a virtual clock: cards, edits, replies, and a Slack that misbehaves.

use super::super::world::{Fault, World, at, terms, well};
use super::*;
use crate::core::alert::AlertKind::{Closed, Opened, Updated};
use crate::notify::books::Counts;
use crate::notify::job::Ending;
use crate::notify::replay::wished;
use crate::notify::stage::{HOUR, MINUTE, SECOND};
use crate::notify::verdict::Reason;

#[test]
fn one_card_per_lead_is_edited_replied_to_and_closed() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(60 * SECOND, "ada", "b", Opened);
    world.publish(120 * SECOND, "ada", "a", Opened);
    world.publish(180 * SECOND, "ada", "a", Updated);
    world.publish(240 * SECOND, "ada", "a", Closed);
    world.publish(300 * SECOND, "ada", "b", Closed);
    world.publish(360 * SECOND, "ada", "b", Updated);
    world.publish(420 * SECOND, "ada", "c", Opened);
    for (i, (_, alert)) in world.alerts.iter_mut().enumerate() {
        // Of the episodes that the first two opened and the third opened anew.
        alert.episode_start = at([0, 60, 120, 120, 120, 60, 60, 420][i] * SECOND);
    }
    let mut owner = world.takes_over(terms());
    let mut step = |world: &mut World, until: i64| owner.works_until(world, until, &mut well);
    step(&mut world, 59 * SECOND);
    let card = world.parents()[0].all();
    assert!(card.contains("HOT | Lead ada") && card.contains("reason 1") && card.contains("rule a |"), "{card}");
    let episode = world.messages[0].says["metadata"]["event_payload"]["episode"].clone();
    step(&mut world, 119 * SECOND);
    let [reply] = world.replies()[..] else { panic!("{:?}", world.messages) };
    assert_eq!((reply.text(), reply.thread.as_deref()), ("b: reason 2", Some(world.messages[0].ts.as_str())));
    let card = world.parents()[0].all();
    assert!(card.contains("rule a, b |") && card.contains("reason 2"), "{card}");
    step(&mut world, 239 * SECOND);
    assert!(world.parents()[0].all().contains("reason 4"));
    step(&mut world, 299 * SECOND);
    let card = world.parents()[0].all();
    assert!(card.contains("HOT | Lead ada") && card.contains("rule a (over), b |"), "one of two is over: {card}");
    step(&mut world, 400 * SECOND);
    assert!(world.parents()[0].all().contains("CLOSED | Lead ada"));
    let metadata = &world.messages[0].says["metadata"]["event_payload"];
    assert_eq!((&metadata["episode"], &metadata["alert_id"]), (&episode, &format!("{:032x}", 6).into()));
    step(&mut world, 480 * SECOND);
    let cards: Vec<_> = world.parents().iter().map(|card| card.all().contains("CLOSED")).collect();
    assert_eq!((cards, world.replies().len(), world.parents()[0].edits), (vec![true, false], 1, 5));
    let delivered = Some("delivered");
    let idle = Some("suppressed");
    assert_eq!(world.outcomes(), [delivered, delivered, delivered, delivered, delivered, delivered, idle, delivered]);
    assert_eq!(world.committed, 8);
}

#[test]
fn what_waits_for_its_turn_is_told_at_once_and_the_newest_is_shown() {
    let mut world = World::default();
    for (lead, rule) in [("ada", "a"), ("ada", "b"), ("bo", "a"), ("ada", "a")] {
        world.publish(0, lead, rule, Opened);
    }
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, MINUTE, &mut well);
    assert_eq!((world.parents().len(), world.replies().len()), (2, 0));
    let card = world.parents()[0].all();
    assert!(card.contains("reason 4") && card.contains("rule a, b |"), "the card names both: {card}");
    let (delivered, superseded) = (Some("delivered"), Some("superseded"));
    assert_eq!(world.outcomes(), [superseded, superseded, delivered, delivered]);
}

#[test]
fn a_flapping_lead_has_one_card_that_is_edited_every_three_seconds_at_most() {
    let mut world = World::default();
    for n in 0..300 {
        world.publish(n * 200, "ada", "a", if n == 0 { Opened } else { Updated });
    }
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 5 * MINUTE, &mut well);
    assert_eq!(world.parents().len(), 1);
    let edits: Vec<i64> = world.asked.iter().filter(|(_, m)| *m == Method::Update).map(|(at, _)| *at).collect();
    assert!(edits.windows(2).all(|pair| pair[1] - pair[0] >= 3 * SECOND), "{edits:?}");
    assert!((18..=21).contains(&edits.len()), "{}", edits.len());
    assert!(world.parents()[0].all().contains("reason 300"), "the newest is shown in the end");
    let superseded = world.outcomes().iter().filter(|outcome| **outcome == Some("superseded")).count();
    assert_eq!((superseded, owner.counts().ended), (300 - 1 - edits.len(), 300));
}

#[test]
fn a_card_ends_with_the_gap_and_says_so() {
    for (pause, cards) in [(4 * HOUR - 1, 1), (4 * HOUR, 2)] {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.publish(pause, "ada", "a", Opened);
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, 5 * HOUR, &mut well);
        let closed: Vec<_> = world.parents().iter().map(|card| card.all().contains("CLOSED")).collect();
        assert_eq!(closed, [vec![true; cards - 1], vec![false]].concat(), "{pause}");
        assert_eq!(world.outcomes(), [Some("delivered"); 2]);
    }
}

#[test]
fn a_restart_keeps_cards() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(MINUTE, "ada", "b", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 30 * SECOND, &mut well);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 2 * MINUTE, &mut well);
    assert_eq!((world.parents().len(), world.replies().len(), world.parents()[0].edits), (1, 1, 1));
}

#[test]
fn after_a_crash_between_acceptance_and_record_there_is_no_second_message() {
    // After each request, whatever it was: the answer is lost with the process.
    for crash_after in 0..3 {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.publish(0, "bo", "a", Opened);
        world.publish(10 * SECOND, "ada", "b", Opened);
        let mut until = 0;
        let mut owner = world.takes_over(terms());
        // Two posts, an edit, a reply.
        while world.asked.len() <= crash_after {
            until += 1;
            owner.works_until(&mut world, until, &mut well);
        }
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, 5 * MINUTE, &mut well);
        assert_eq!((world.parents().len(), world.replies().len()), (2, 1), "after request {crash_after}");
        assert_eq!(world.outcomes(), [Some("delivered"); 3]);
        assert_eq!(world.committed, 3);
    }
}

#[test]
fn after_a_crash_before_acceptance_it_is_sent_when_nothing_is_there_after_half_a_minute() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    let mut owner = world.takes_over(terms());
    // The process dies when the intent is on the ledger.
    owner.works_until(&mut world, 0, &mut well);
    owner.works_until(&mut world, 5, &mut |_, _| Fault::Lost(false));
    assert_eq!((world.asked.len(), world.messages.len()), (1, 0));
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 5 * MINUTE, &mut well);
    assert_eq!((world.parents().len(), world.count(Method::History)), (1, 2));
    assert!(world.parents()[0].posted >= 30 * SECOND, "it looked first: {}", world.parents()[0].posted);
}

#[test]
fn an_uncertain_post_is_looked_for_sent_again_or_given_up_as_the_config_says() {
    #[rustfmt::skip]
    let rows = [
        // on_uncertain          first answer              messages  lookups  outcome
        (OnUncertain::Reconcile, Fault::Lost(true),         1,        1,       "delivered"),
        (OnUncertain::Reconcile, Fault::Lost(false),        1,        2,       "delivered"),
        (OnUncertain::Reconcile, Fault::Limited(20, true),  1,        1,       "delivered"),
        (OnUncertain::Reconcile, Fault::Limited(20, false), 1,        1,       "delivered"),
        (OnUncertain::Reconcile, Fault::Error("fatal_error"), 1,      2,       "delivered"),
        (OnUncertain::Resend,    Fault::Lost(true),         2,        0,       "delivered"),
        (OnUncertain::Resend,    Fault::Limited(20, false), 1,        0,       "delivered"),
        (OnUncertain::Hold,      Fault::Lost(true),         1,        0,       "dead_lettered"),
        (OnUncertain::Reconcile, Fault::Error("internal_error"), 1,   0,       "delivered"),
    ];
    for (on_uncertain, first, messages, lookups, outcome) in rows {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        let mut owner = world.takes_over(Terms { on_uncertain, ..terms() });
        let mut posts = 0;
        owner.works_until(&mut world, 10 * MINUTE, &mut |_, method| {
            posts += u32::from(method.is_post());
            if method.is_post() && posts == 1 { first } else { Fault::None }
        });
        let looked = world.count(Method::History);
        let row = (world.messages.len(), looked, world.outcome(1).map(ledger::Outcome::name));
        assert_eq!(row, (messages, lookups, Some(outcome)), "{on_uncertain:?} {first:?}");
    }
}

#[test]
fn without_the_right_to_look_it_is_sent_again_and_the_sink_stays_open() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    let mut owner = world.takes_over(terms());
    let mut posts = 0;
    owner.works_until(&mut world, 10 * MINUTE, &mut |_, method| match method {
        Method::History => Fault::Error("missing_scope"),
        _ => {
            posts += 1;
            if posts == 1 { Fault::Limited(30, true) } else { Fault::None }
        }
    });
    assert_eq!((world.messages.len(), world.count(Method::Test)), (2, 0));
    let posts: Vec<i64> = world.messages.iter().map(|message| message.posted).collect();
    assert!(posts[1] - posts[0] >= 30 * SECOND, "not before Retry-After");
}

#[test]
fn a_429_freezes_its_method_and_edits_go_on() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(10 * SECOND, "bo", "a", Opened);
    world.publish(20 * SECOND, "ada", "a", Updated);
    world.publish(20 * SECOND, "cy", "a", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 5 * MINUTE, &mut |now, method| {
        let limited = method.is_post() && (10 * SECOND..15 * SECOND).contains(&now);
        if limited { Fault::Limited(120, false) } else { Fault::None }
    });
    let frozen = 10 * SECOND..130 * SECOND;
    let posts = world.messages.iter().filter(|message| frozen.contains(&message.posted)).count();
    assert_eq!((posts, world.parents().len(), world.parents()[0].edits), (0, 3, 1));
}

#[test]
fn a_deleted_card_has_a_new_one_in_its_place_unless_it_is_over() {
    for (rule, kind, cards) in [("a", Updated, 1), ("b", Opened, 1), ("a", Closed, 0)] {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.publish(MINUTE, "ada", rule, kind);
        world.publish(2 * MINUTE, "ada", "c", Opened);
        world.alerts[1].1.episode_start = at(if rule == "a" { 0 } else { MINUTE });
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, 30 * SECOND, &mut well);
        world.messages.clear();
        owner.works_until(&mut world, 90 * SECOND, &mut well);
        assert_eq!((world.parents().len(), world.replies().len()), (cards, 0), "{kind:?}");
        owner.works_until(&mut world, 3 * MINUTE, &mut well);
        assert_eq!((world.parents().len(), world.replies().len()), (1, cards), "{kind:?}: the next alert");
        let all = world.parents()[0].all();
        assert_eq!(all.contains(if rule == "b" { "rule a, b, c |" } else { "rule a, c |" }), cards == 1, "{all}");
        assert_eq!(owner.counts().ended, 3);
    }
}

#[test]
fn a_thread_that_takes_no_replies_leads_to_a_new_card_that_names_both() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(MINUTE, "ada", "b", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 5 * MINUTE, &mut |_, method| match method {
        Method::Reply => Fault::Error("restricted_action_thread_locked"),
        _ => Fault::None,
    });
    assert_eq!((world.parents().len(), world.replies().len()), (2, 0));
    let card = world.parents()[1].all();
    assert!(card.contains("rule a, b |") && card.contains("reason 2"), "{card}");
    assert_eq!(world.outcomes(), [Some("delivered"); 2]);
}

#[test]
fn an_archived_channel_is_tried_until_the_alert_is_too_old_and_given_up_as_such() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    let mut owner = world.takes_over(Terms { stale_after: Span::from_millis(100 * HOUR), ..terms() });
    owner.works_until(&mut world, 25 * HOUR, &mut |_, _| Fault::Error("is_archived"));
    assert_eq!(world.dead, [(0, "channel".to_owned())]);
    assert!((20..50).contains(&world.asked.len()), "{}", world.asked.len());
    assert_eq!(owner.counts(), Counts { consumed: 1, ended: 1, ..Counts::default() });
}

#[test]
fn a_message_that_slack_refuses_is_tried_as_one_line_and_then_given_up() {
    for (error, posts) in [("invalid_blocks", 2), ("a_new_error", 3)] {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.publish(0, "ada", "b", Opened);
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, HOUR / 3, &mut |_, _| Fault::Error(error));
        assert_eq!(world.asked.len(), posts, "{error}");
        assert_eq!(world.dead, [(0, "message".to_owned()), (1, "message".to_owned())], "both were in it");
        world.publish(HOUR / 3, "ada", "c", Opened);
        owner.works_until(&mut world, HOUR / 2, &mut well);
        assert_eq!(world.outcome(3).map(ledger::Outcome::name), Some("delivered"));
    }
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    let mut owner = world.takes_over(terms());
    let mut first = true;
    owner.works_until(&mut world, MINUTE, &mut |_, _| {
        if std::mem::take(&mut first) { Fault::Error("invalid_blocks") } else { Fault::None }
    });
    assert!(world.parents()[0].says.get("blocks").is_none(), "{:?}", world.parents());
}

/// Goal: an alert that comes back from the dead letters, or in place of another sink, is told although the lead's card shows a
/// newer one by then, and its age counts from then on.
#[test]
fn what_comes_back_is_told_on_a_card_that_shows_something_newer() {
    for later in [MINUTE, 30 * HOUR] {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, MINUTE, &mut |_, _| Fault::Error("invalid_blocks"));
        assert_eq!(world.dead, [(0, "message".to_owned())]);
        world.publish(MINUTE + later - SECOND, "ada", "b", Opened);
        owner.works_until(&mut world, MINUTE + later, &mut well);
        let alert = &world.alerts[0].1;
        let (key, value) = (Some(alert.lead.key.clone().into_bytes()), serde_json::to_vec(alert).ok());
        let record = Incoming { key, value, headers: vec![("ce_id".into(), Some(alert.id.to_string().into_bytes()))] };
        let wish =
            ledger::Redrive { offset: 0, time: at(0), asked: at(world.now), redrives: 1, alert: (&record).into() };
        assert!(owner.lanes.redrive(Partition(0), wished(wish)));
        let until = world.now + HOUR;
        owner.works_until(&mut world, until, &mut well);
        assert_eq!(world.outcome(1).map(ledger::Outcome::name), Some("delivered"), "{later}");
        assert!(world.parents()[0].all().contains("rule b, a"), "{later}: {:#?}", world.parents());
        assert!(world.parents()[0].text().contains("reason 2"), "the newest: {:#?}", world.parents());
        let replies: Vec<_> = world.replies().iter().map(|reply| reply.text().to_owned()).collect();
        let is_news = later < HOUR / 2;
        assert_eq!(replies, if is_news { vec!["a: reason 1"] } else { vec![] }, "what is late is told by the edit");
    }
}

#[test]
fn a_record_that_is_no_alert_is_given_up() {
    let mut board = Board::new(terms());
    let mut world = World::default();
    let mut owner = world.takes_over(terms());
    let broken = Incoming { key: Some(b"ada".to_vec()), value: Some(b"{}".to_vec()), headers: vec![] };
    owner.lanes.admit((Partition(0), crate::core::ids::Offset(0)), b"ada", at(0), broken);
    assert!(board.next(at(0), &mut owner.lanes, &mut owner.pace).is_none());
    let batch = owner.lanes.take_batch().expect("its end");
    assert_eq!(batch.writes[0].fate, crate::notify::job::Fate::Ended(Ending::GivenUp(Reason::Message)));
}

/// Every mrkdwn text of a message.
fn mrkdwn<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) if map.get("type") == Some(&"mrkdwn".into()) => {
            found.push(value["text"].as_str().unwrap_or_default());
        }
        Value::Object(map) => map.values().for_each(|value| mrkdwn(value, found)),
        Value::Array(items) => items.iter().for_each(|value| mrkdwn(value, found)),
        _ => {}
    }
}

/// Goal: whatever a lead wrote, cards, edits, replies and digests fit (the world's Slack counts), and nothing in them mentions,
/// links or hides.
#[test]
fn hostile_texts_control_nothing_in_cards_replies_and_digests() {
    let hostile = "<!channel> & <https://evil.example|x> @here \u{202e}😀\n".repeat(120);
    let mut world = World::default();
    for n in 0..14 {
        world.publish(n * MINUTE, "ada", &format!("rule{}", n / 7 * n), Opened);
    }
    for n in 0..30 {
        world.publish(20 * MINUTE, &format!("lead{n}"), "a", Opened);
    }
    for (_, alert) in &mut world.alerts {
        let key = alert.lead.key.clone();
        (alert.lead.name, alert.lead.company) = (Some(format!("{hostile}{key}")), Some(hostile.clone()));
        (alert.reason, alert.flag_texts) = (hostile.clone(), vec![hostile.clone(); 5]);
        alert.rule = format!("{}{hostile}", alert.rule);
    }
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 7 * MINUTE - 1, &mut well);
    // The other rules come while nothing goes out, so that one reply tells them all.
    owner.works_until(&mut world, 19 * MINUTE, &mut |_, _| Fault::Status(503));
    world.now = HOUR / 2;
    owner.works_until(&mut world, HOUR, &mut well);
    let digests = world.parents().iter().filter(|message| message.text().starts_with("DIGEST")).count();
    assert_eq!((digests, world.replies().len(), owner.counts().ended), (1, 1, 44));
    for message in &world.messages {
        assert!(!message.text().contains(['<', '>', '\n', '\u{202e}']), "{}", message.text());
        let mut found = Vec::new();
        mrkdwn(&message.says, &mut found);
        assert!(found.iter().all(|text| text.starts_with("*Score") || text.starts_with("event <!date^")), "{found:?}");
        let payload = message.says["metadata"]["event_payload"].as_object().expect("ids");
        let is_id =
            |value: &Value| value.as_str().is_none_or(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(payload.values().all(is_id), "{payload:?}");
    }
}

#[test]
fn a_post_that_slack_took_with_a_429_of_a_day_is_found_within_an_hour() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    let mut owner = world.takes_over(terms());
    let mut limits = |_, method: Method| if method.is_post() { Fault::Limited(90_000, true) } else { Fault::None };
    owner.works_until(&mut world, HOUR + MINUTE, &mut limits);
    assert_eq!((world.outcomes(), world.count(Method::Post)), (vec![Some("delivered")], 1));
    assert!(world.dead.is_empty());
}
