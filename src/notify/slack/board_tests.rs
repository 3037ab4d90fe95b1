//! Scenarios of a Slack bot on a virtual clock: cards, edits, replies, outages, storms, and a Slack that misbehaves.

use proptest::prelude::*;

use super::super::world::{Fault, Message, World, at, terms};
use super::*;
use crate::core::alert::AlertKind::{Closed, Opened, Updated};
use crate::notify::books::Counts;
use crate::notify::job::Ending;
use crate::notify::stage::{HOUR, MINUTE, SECOND};
use crate::notify::verdict::Reason;

fn well(_: i64, _: Method) -> Fault {
    Fault::None
}

/// Over any t seconds at most t + 3 posts.
fn assert_pace(world: &World) {
    let posts: Vec<i64> = world.asked.iter().filter(|(_, method)| method.is_post()).map(|(at, _)| *at).collect();
    for (i, first) in posts.iter().enumerate() {
        for (n, last) in posts[i..].iter().enumerate() {
            assert!((n as i64 + 1) * 1_000 <= (last - first) + 3_000, "{n} posts from {first} to {last}");
        }
    }
}

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

#[test]
fn a_revoked_token_shuts_the_sink_until_there_is_a_new_one() {
    let mut world = World::default();
    for n in 0..20 {
        world.publish(n * MINUTE, &format!("lead{}", n % 10), "a", Opened);
    }
    let revoked = |now: i64| (5 * MINUTE - 1..19 * MINUTE).contains(&now);
    let mut script = |now: i64, _: Method| if revoked(now) { Fault::Error("token_revoked") } else { Fault::None };
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 19 * MINUTE, &mut script);
    assert!(owner.lanes.is_shut());
    let during: Vec<_> = world.asked.iter().filter(|(at, _)| revoked(*at)).collect();
    assert!(during[1..].iter().all(|(_, method)| *method == Method::Test), "{during:?}");
    assert!((13..=15).contains(&during.len()), "the same token once a minute: {}", during.len());
    assert!(world.dead.is_empty());
    // The secret is exchanged: it is tried at once.
    owner.lanes.renewed(at(world.now));
    owner.board.renewed();
    owner.works_until(&mut world, 19 * MINUTE + SECOND, &mut script);
    assert_eq!(world.asked.iter().find(|(at, _)| *at >= 19 * MINUTE), Some(&(19 * MINUTE, Method::Test)));
    assert!(!owner.lanes.is_shut());
    owner.works_until(&mut world, 25 * MINUTE, &mut script);
    assert_eq!((world.parents().len(), owner.counts().ended), (10, 20));
    assert_pace(&world);
}

/// Goal: after an outage of six hours what is old comes in one message that says so, what is fresh as cards of its own.
#[test]
fn six_hours_of_outage() {
    for fault in [Fault::Status(503), Fault::Lost(false)] {
        let mut world = World::default();
        for n in 0..420 {
            world.publish(n * MINUTE, &format!("lead{n}"), "a", Opened);
        }
        let (from, to) = (HOUR, 7 * HOUR);
        let mut script = |now: i64, _: Method| if (from..to).contains(&now) { fault } else { Fault::None };
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, to, &mut script);
        let during = world.asked.iter().filter(|(at, _)| *at >= from).count();
        assert!((40..90).contains(&during), "asked {during} times");
        assert_eq!(world.parents().len(), 60);
        owner.works_until(&mut world, 9 * HOUR, &mut script);
        assert!(world.dead.is_empty(), "{:?}", world.dead);
        let after: Vec<_> = world.parents()[60..].iter().map(|message| message.text().to_owned()).collect();
        let late: Vec<_> = after.iter().filter(|text| text.starts_with("LATE | ")).collect();
        assert!((1..=3).contains(&late.len()), "{late:#?}");
        assert!(after.len() - late.len() <= 32, "only what is fresh is news: {}", after.len());
        assert_eq!((owner.counts().ended, world.committed), (420, 420));
        let coalesced = world.outcomes().iter().filter(|outcome| **outcome == Some("coalesced")).count();
        assert_eq!(coalesced + after.len() - late.len() + 60, 420, "{fault:?} {after:#?}");
        assert!(after.iter().all(|text| text.starts_with("LATE | ") || text.starts_with("HOT | ")), "{after:#?}");
        assert_pace(&world);
    }
}

/// Goal: a storm of 10,000 alerts in a minute: one post a second at the most, the hottest singly, the others in digests;
/// all end, and memory stays bounded.
#[test]
fn ten_thousand_alerts_in_a_minute() {
    let mut world = World::default();
    for n in 0..10_000 {
        world.publish(n * 6, &format!("lead{n}"), "a", Opened);
        world.alerts[n as usize].1.score.total = (n % 997) as f64;
    }
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 20 * MINUTE, &mut well);
    assert_eq!((owner.counts().ended, world.committed, world.dead.len()), (10_000, 10_000, 0));
    // What is tracked, and one batch on its way to the ledger.
    assert!(owner.most <= 2_500, "{} in memory", owner.most);
    assert_pace(&world);
    let digests: Vec<_> = world.parents().into_iter().filter(|message| message.text().starts_with("DIGEST")).collect();
    assert!((4..30).contains(&digests.len()), "{} digests", digests.len());
    assert!(digests.iter().any(|digest| digest.all().contains(" more\"")), "what has no room is counted");
    let singly = world.parents().len() - digests.len();
    let outcomes = world.outcomes();
    let of = |wanted: &str| outcomes.iter().filter(|outcome| **outcome == Some(wanted)).count();
    assert_eq!((of("delivered"), of("coalesced")), (singly, 10_000 - singly));
    assert!(singly >= 40, "{singly} of the hottest");
}

#[test]
fn a_lead_with_a_card_has_its_edit_and_is_in_no_digest() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(10 * SECOND, "ada", "b", Opened);
    for n in 0..100 {
        world.publish(10 * SECOND, &format!("lead{n}"), "a", Opened);
    }
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 5 * MINUTE, &mut well);
    assert_eq!((world.outcome(2).map(ledger::Outcome::name), world.replies().len()), (Some("delivered"), 1));
    assert!(world.parents()[0].all().contains("rule a, b |"));
    let digests = world.parents().into_iter().filter(|message| message.text().starts_with("DIGEST"));
    assert!(digests.map(Message::all).all(|digest| !digest.contains("Lead ada")));
}

#[test]
fn what_is_late_is_no_news_to_the_second() {
    for (age, start) in [(30 * MINUTE - 5, "HOT | "), (30 * MINUTE + 1, "LATE | ")] {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.now = age;
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, HOUR, &mut well);
        assert!(world.parents()[0].text().starts_with(start), "{:?}", world.parents());
        assert_eq!(world.parents().len(), 1);
    }
    // A further rule that comes too late is edited in and not told in the thread.
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(MINUTE, "ada", "b", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 30 * SECOND, &mut well);
    world.now = HOUR;
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 2 * HOUR, &mut well);
    assert_eq!((world.parents().len(), world.parents()[0].edits, world.replies().len()), (1, 1, 0));
    assert_eq!(world.outcomes(), [Some("delivered"); 2]);
}

#[test]
fn a_digest_whose_answer_is_lost_is_looked_for_also_by_the_next_owner() {
    for crashes in [false, true] {
        for accepted in [true, false] {
            let mut world = World::default();
            for n in 0..40 {
                world.publish(n, &format!("lead{n}"), "a", Opened);
            }
            world.now = HOUR;
            let mut owner = world.takes_over(terms());
            let mut posts = 0;
            let mut script = |_: i64, method: Method| {
                posts += u32::from(method.is_post());
                if method.is_post() && posts == 1 { Fault::Lost(accepted) } else { Fault::None }
            };
            owner.works_until(&mut world, HOUR + 10 * SECOND, &mut script);
            assert_eq!(world.asked.len(), 1);
            if crashes {
                owner = world.takes_over(terms());
            }
            owner.works_until(&mut world, 2 * HOUR, &mut script);
            assert_eq!(world.outcomes(), vec![Some("coalesced"); 40], "crashes {crashes}, accepted {accepted}");
            assert_eq!((world.messages.len(), world.committed), (1, 40), "crashes {crashes}, accepted {accepted}");
            assert_eq!((owner.counts().in_flight, owner.counts().parked), (0, 0));
        }
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

proptest! {
    /// Whatever Slack answers and whoever dies when: every alert ends once, no card is posted twice, the pace holds, and the
    /// books agree at every step.
    #[test]
    fn every_alert_ends_whatever_happens(
        alerts in prop::collection::vec((0usize..4, 0usize..3, 0u8..6, 0i64..40_000), 1..40),
        faults in prop::collection::vec(0u8..20, 1..60),
        lives in prop::collection::vec(0i64..200_000, 0..6),
    ) {
        let mut world = World::default();
        let mut published = 0;
        for (lead, rule, kind, pause) in &alerts {
            published += pause;
            let kind = match kind { 0..4 => Opened, 4 => Updated, _ => Closed };
            world.publish(published, ["ada", "bo", "cy", "di"][*lead], ["a", "b", "c"][*rule], kind);
        }
        let mut faults = faults.into_iter().cycle();
        let healed = published + 10 * MINUTE;
        let mut script = |now: i64, method: Method| {
            if now > healed {
                return Fault::None;
            }
            match (faults.next().expect("a cycle"), method.is_post()) {
                (0..10, _) => Fault::None,
                (10, _) => Fault::Error("internal_error"),
                (11, _) => Fault::Status(503),
                (12, true) => Fault::Lost(true),
                (13, true) => Fault::Lost(false),
                (14, true) => Fault::Limited(3, true),
                (15, true) => Fault::Limited(3, false),
                (16, _) => Fault::Error("token_revoked"),
                (17, true) => Fault::Error("fatal_error"),
                _ => Fault::None,
            }
        };
        let mut owner = world.takes_over(terms());
        for life in lives {
            let until = world.now + life;
            owner.works_until(&mut world, until, &mut script);
            owner = world.takes_over(terms());
        }
        let until = world.now.max(healed) + 3 * HOUR;
        owner.works_until(&mut world, until, &mut script);
        prop_assert_eq!((owner.counts().in_flight, owner.counts().parked), (0, 0));
        prop_assert_eq!(world.committed, alerts.len() as i64);
        prop_assert!(world.outcomes().iter().all(Option::is_some), "{:?}", world.outcomes());
        prop_assert!(world.dead.is_empty());
        let mut episodes: Vec<_> = world.parents().iter()
            .map(|card| card.says["metadata"]["event_payload"]["episode"].to_string()).collect();
        let cards = episodes.len();
        episodes.sort();
        episodes.dedup();
        prop_assert_eq!(episodes.len(), cards, "a card was posted twice");
        let mut replies: Vec<_> = world.replies().iter()
            .map(|reply| (reply.thread.clone(), reply.says["metadata"]["event_payload"]["alert_id"].to_string())).collect();
        let count = replies.len();
        replies.sort();
        replies.dedup();
        prop_assert_eq!(replies.len(), count, "a reply was posted twice");
    }
}
