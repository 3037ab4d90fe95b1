//! Scenarios of a Slack bot on a virtual clock: outages, storms, a revoked token, digests, and anything at random.

use proptest::prelude::*;

use super::super::world::{Fault, Message, World, assert_pace, at, terms, well};
use super::*;
use crate::core::alert::AlertKind::{Closed, Opened, Updated};
use crate::notify::stage::{HOUR, MINUTE, SECOND};

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

/// Goal: cards, edits and replies that wait go to the fallback too, each once, also where a bot holds them in its own order;
/// Slack gets them all when it is back.
#[test]
fn an_outage_lends_each_alert_once_and_slack_gets_them_all_the_same() {
    let mut world = World::default();
    world.has_fallback = true;
    for n in 0..90 {
        world.publish(n * 20 * SECOND, ["ada", "bo", "cy"][n as usize % 3], ["a", "b"][n as usize % 2], Opened);
    }
    let (from, to) = (5 * MINUTE, 25 * MINUTE);
    let mut slack = |now: i64, _: Method| if (from..to).contains(&now) { Fault::Status(503) } else { Fault::None };
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 15 * MINUTE, &mut slack);
    assert!(world.lent.len() >= 20, "{:?}", world.lent);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 2 * HOUR, &mut slack);
    let mut lent = world.lent.clone();
    lent.sort_unstable();
    lent.dedup();
    assert_eq!(lent.len(), world.lent.len(), "none twice: {:?}", world.lent);
    let waited = world.alerts.iter().enumerate().filter(|(_, (at, _))| (from + SECOND..to).contains(at));
    assert!(
        waited.clone().count() > 50 && waited.into_iter().all(|(offset, _)| lent.contains(&(offset as i64))),
        "{lent:?}"
    );
    assert!(world.outcomes().iter().all(|outcome| matches!(outcome, Some("delivered" | "superseded"))));
    assert_eq!((owner.counts().parked, world.committed), (0, 90));
}

/// Goal: what comes in place of another sink says so, also after an edit by the next owner.
#[test]
fn a_card_in_place_of_another_sink_says_so_as_long_as_it_is_there() {
    let mut world = World::default();
    world.instead_of = Some("sdr");
    world.publish(0, "ada", "a", Opened);
    world.publish(HOUR, "ada", "b", Opened);
    world.takes_over(terms()).works_until(&mut world, MINUTE, &mut well);
    world.instead_of = None;
    world.takes_over(terms()).works_until(&mut world, 2 * HOUR, &mut well);
    let [card] = world.parents()[..] else { panic!("{:?}", world.messages) };
    assert!(card.edits > 0 && card.all().contains("In place of sdr, which cannot be reached"), "{}", card.all());
}

/// Goal: nothing is posted of which the ledger does not know that it was meant.
#[test]
fn while_the_ledger_is_away_nothing_is_posted() {
    let mut world = World::default();
    world.ledger_is_down = true;
    for n in 0..20 {
        world.publish(0, &format!("lead{n}"), "a", Opened);
    }
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, HOUR / 4, &mut well);
    assert_eq!((world.messages.len(), world.committed), (0, 0));
    world.ledger_is_down = false;
    owner.works_until(&mut world, HOUR / 2, &mut well);
    assert_eq!((world.messages.len(), world.committed), (20, 20));
    assert_pace(&world);
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

/// Goal: whoever turns hot again after the gap is told anew, although the event that does so first ends the episode of
/// before, on a card on which another rule's goes on.
#[test]
fn what_closes_after_the_gap_does_not_keep_the_card_alive() {
    let mut world = World::default();
    world.publish(0, "ada", "surge", Opened);
    world.publish(MINUTE, "ada", "demo", Opened);
    world.publish(5 * HOUR, "ada", "demo", Closed);
    world.publish(5 * HOUR, "ada", "demo", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 6 * HOUR, &mut well);
    let closed: Vec<_> = world.parents().iter().map(|card| card.all().contains("CLOSED")).collect();
    assert_eq!(closed, [true, false]);
    assert_eq!(world.outcomes(), [Some("delivered"); 4]);
}

/// A card as somebody writes it who reads one lead's alerts one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Naive {
    /// Rule, start of its episode, whether that lasts.
    rules: Vec<(String, Timestamp, bool)>,
    newest: Timestamp,
    closed: bool,
    reason: String,
}

fn naive(alerts: &[Alert], gap: Span) -> Vec<Naive> {
    let mut cards: Vec<Naive> = Vec::new();
    for alert in alerts {
        let is_over = cards.last().is_none_or(|card| card.closed || alert.time - card.newest >= gap);
        if alert.kind == Opened && is_over {
            cards.iter_mut().for_each(|card| card.closed = true);
            cards.push(Naive::default());
        }
        let Some(card) = cards.last_mut() else {
            continue;
        };
        let known = card.rules.iter().position(|(rule, ..)| *rule == alert.rule);
        match (alert.kind, known) {
            (Opened, Some(i)) => (card.rules[i].1, card.rules[i].2) = (alert.episode_start, true),
            (Closed, Some(i)) if !card.closed && card.rules[i].2 && alert.episode_start >= card.rules[i].1 => {
                card.rules[i].2 = false;
                card.closed = is_over || card.rules.iter().all(|(.., open)| !open);
            }
            (Updated | Closed, _) if is_over => {
                card.closed = true;
                continue;
            }
            (Updated, Some(_)) => {}
            (Opened | Updated, None) => card.rules.push((alert.rule.clone(), alert.episode_start, true)),
            (Closed, _) => continue,
        }
        (card.newest, card.reason) = (alert.time, alert.reason.clone());
    }
    cards
}

proptest! {
    /// However the alerts come together, in the end the channel shows what a naive reader would have written.
    #[test]
    fn the_channel_shows_what_a_naive_reader_of_the_alerts_would_write(
        alerts in prop::collection::vec((0usize..2, 0usize..3, 0u8..6, 0usize..8, any::<bool>()), 1..40),
        lives in prop::collection::vec(0i64..20 * HOUR, 0..4),
    ) {
        const PAUSES: [i64; 8] = [0, 0, 1, SECOND, MINUTE, 2 * HOUR, 4 * HOUR - 1, 4 * HOUR];
        const LEADS: [&str; 2] = ["ada", "bo"];
        let (mut world, mut published) = (World::default(), 0);
        let mut starts = BTreeMap::new();
        for (lead, rule, kind, pause, is_of_before) in &alerts {
            published += PAUSES[*pause];
            let kind = match kind { 0..3 => Opened, 3 => Updated, _ => Closed };
            world.publish(published, LEADS[*lead], ["a", "b", "c"][*rule], kind);
            // An episode's later alerts name its start; some are of one that is long over.
            let start = starts.entry((*lead, *rule)).or_insert(at(published));
            if kind == Opened {
                *start = at(published);
            }
            let start = if *is_of_before && kind != Opened { at(-1) } else { *start };
            world.alerts.last_mut().expect("just published").1.episode_start = start;
        }
        let mut owner = world.takes_over(terms());
        for life in lives {
            let until = world.now + life;
            owner.works_until(&mut world, until, &mut well);
            owner = world.takes_over(terms());
        }
        let until = world.now.max(published) + HOUR;
        owner.works_until(&mut world, until, &mut well);
        for lead in LEADS {
            let of: Vec<_> = world.alerts.iter().map(|(_, alert)| alert.clone()).filter(|a| a.lead.key == lead).collect();
            let expected: Vec<_> = naive(&of, terms().folding.gap).iter().map(|card| {
                let rules: Vec<_> = card.rules.iter()
                    .map(|(rule, _, open)| format!("{rule}{}", if *open { "" } else { " (over)" })).collect();
                let tier = if card.closed { "CLOSED" } else { "HOT" };
                (format!("{tier} | Lead {lead} - Example"), card.reason.clone(), format!("rule {} | ", rules.join(", ")))
            }).collect();
            let cards = world.parents();
            let cards: Vec<_> = cards.iter().filter(|card| card.text().contains(&format!("Lead {lead} "))).collect();
            prop_assert_eq!(cards.len(), expected.len(), "{:?}", &of);
            for (card, (head, reason, rules)) in cards.iter().zip(expected) {
                let text = |i: usize| card.says["blocks"][i]["text"]["text"].as_str().unwrap_or_default().to_owned();
                prop_assert_eq!((text(0), text(1)), (head, reason));
                let context = card.says["blocks"].as_array().and_then(|blocks| blocks.last()).cloned().unwrap_or_default();
                let said = context["elements"][0]["text"].as_str().unwrap_or_default().to_owned();
                prop_assert!(said.starts_with(&rules), "{said} is not {rules}");
            }
        }
    }
}
