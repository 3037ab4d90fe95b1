//! Leads that are erased while a Slack bot tells of them, on a virtual clock: whatever fails, nothing is left that says who.

use proptest::prelude::*;

use super::super::world::{Fault, P0, World, assert_pace, at, terms, well};
use super::*;
use crate::core::alert::AlertKind::{Closed, Opened, Updated};
use crate::core::ids::Offset;
use crate::notify::stage::{HOUR, MINUTE, SECOND, policy};

const SUPPRESSED: Option<&str> = Some("suppressed");
const DELIVERED: Option<&str> = Some("delivered");

/// Messages that say something of a lead.
fn named(world: &World, lead: &str) -> usize {
    let name = format!("Lead {lead}");
    let replies = |message: &&crate::notify::slack::world::Message| message.text().contains("reason");
    let said = world.messages.iter().filter(|message| message.all().contains(&name));
    said.count() + world.replies().into_iter().filter(replies).count()
}

/// Goal: a card with a reply, and an earlier card of the same lead, lose what they say; the next alert starts a new card.
#[test]
fn cards_and_replies_of_an_erased_lead_say_no_more() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(MINUTE, "ada", "a", Closed);
    world.publish(2 * MINUTE, "ada", "a", Opened);
    world.publish(3 * MINUTE, "ada", "b", Opened);
    world.publish(3 * MINUTE, "bo", "a", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, 4 * MINUTE, &mut well);
    assert_eq!((world.parents().len(), world.replies().len(), named(&world, "ada")), (3, 1, 3));
    assert!(world.compacted().contains("Lead ada"));
    world.erases("ada");
    owner.works_until(&mut world, 5 * MINUTE, &mut well);
    assert_eq!((named(&world, "ada"), named(&world, "bo")), (0, 1), "{:#?}", world.messages);
    let redacted = world.messages.iter().filter(|message| message.text() == "Erased on request");
    let episodes: Vec<_> =
        redacted.map(|message| message.says["metadata"]["event_payload"]["episode"].clone()).collect();
    assert!(episodes.len() == 3 && episodes.iter().all(|episode| !episode.is_null()), "{episodes:?}");
    let compacted = world.compacted();
    assert!(!compacted.contains("ada") && compacted.contains("Lead bo"), "{compacted}");
    assert!(!compacted.contains("redact/"), "it is done: {compacted}");

    // Another owner redacts nothing again, and a fresh alert has a card of its own that stays.
    let (edits, before) = (world.count(Method::Update), world.now);
    world.publish(6 * MINUTE, "ada", "a", Opened);
    let mut next = world.takes_over(terms());
    next.works_until(&mut world, 7 * MINUTE, &mut well);
    let mut third = world.takes_over(terms());
    third.works_until(&mut world, 8 * MINUTE, &mut well);
    assert_eq!((world.parents().len(), named(&world, "ada")), (4, 1));
    assert_eq!(world.count(Method::Update), edits, "nothing is edited after {before}");
    world.erases("ada");
    third.works_until(&mut world, 9 * MINUTE, &mut well);
    assert_eq!(named(&world, "ada"), 0, "a second erasure is one more");
}

/// Goal: what waits is told nobody, at once, although Slack is down; what was told is redacted when Slack is back, also by
/// another owner.
#[test]
fn an_erasure_outlives_an_outage_and_its_owner() {
    for hands_over in [false, true] {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.publish(0, "bo", "a", Opened);
        world.publish(2 * MINUTE, "ada", "b", Opened);
        world.publish(3 * MINUTE, "ada", "b", Updated);
        let mut script =
            |now: i64, _: Method| if (MINUTE..HOUR).contains(&now) { Fault::Status(503) } else { Fault::None };
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, 10 * MINUTE, &mut script);
        assert_eq!(world.outcomes(), [DELIVERED, DELIVERED, None, None]);
        world.erases("ada");
        owner.works_until(&mut world, 11 * MINUTE, &mut script);
        assert_eq!(world.outcomes(), [DELIVERED, DELIVERED, SUPPRESSED, SUPPRESSED]);
        assert!(!world.compacted().contains("ada"), "{}", world.compacted());
        assert_eq!(named(&world, "ada"), 1, "Slack is down");
        world.publish(12 * MINUTE, "ada", "c", Opened);
        if hands_over {
            owner = world.takes_over(terms());
        }
        owner.works_until(&mut world, 3 * HOUR, &mut script);
        let cards = world.parents();
        let texts: Vec<_> = cards.iter().map(|card| card.text().get(..9).unwrap_or_default()).collect();
        assert_eq!(texts, ["Erased on", "HOT | Lea", "LATE | 1 "], "the fresh alert is not of before");
        assert!(!world.compacted().contains("redact/"));
        assert_pace(&world);
    }
}

/// Goal: a card of which nobody knows whether it was posted is looked for and redacted; one that was not is not posted.
#[test]
fn a_card_that_was_about_to_be_posted_is_looked_for() {
    for was_posted in [true, false] {
        for dies in [false, true] {
            let mut world = World::default();
            world.publish(0, "ada", "a", Opened);
            let mut script = |now: i64, method: Method| match method {
                Method::Post if now < SECOND => Fault::Lost(was_posted),
                _ => Fault::None,
            };
            let mut owner = world.takes_over(terms());
            owner.works_until(&mut world, 2 * SECOND, &mut script);
            world.erases("ada");
            if dies {
                owner = world.takes_over(terms());
            }
            owner.works_until(&mut world, 5 * MINUTE, &mut script);
            assert_eq!(
                (world.messages.len(), named(&world, "ada")),
                (usize::from(was_posted), 0),
                "{was_posted} {dies}"
            );
            assert_eq!(world.outcomes(), [SUPPRESSED]);
            let compacted = world.compacted();
            assert!(!compacted.contains("ada") && !compacted.contains("redact/"), "{compacted}");
        }
    }
}

/// Goal: a token that is refused to a redaction shuts the sink as any other refusal does: Slack is asked once a minute, and the
/// redactions go on when the token is good again.
#[test]
fn a_refused_token_shuts_the_sink_and_redactions_wait() {
    for is_intent in [false, true] {
        let mut world = World::default();
        let leads = ["ada", "bo", "cy"];
        for lead in leads {
            world.publish(0, lead, "a", Opened);
        }
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, SECOND, &mut |_, _| if is_intent { Fault::Lost(true) } else { Fault::None });
        leads.iter().for_each(|lead| world.erases(lead));
        let mut script =
            |now: i64, _: Method| if now < 10 * MINUTE { Fault::Error("token_revoked") } else { Fault::None };
        let before = world.asked.len();
        owner.works_until(&mut world, MINUTE, &mut script);
        assert!(owner.lanes.is_shut() && owner.lanes.stands().detail.contains("token_revoked"), "{is_intent}");
        owner.works_until(&mut world, 10 * MINUTE - 1, &mut script);
        let asked = world.asked.len() - before;
        assert!(asked <= 13, "{asked} requests with a refused token in ten minutes: {:?}", world.asked);
        owner.works_until(&mut world, HOUR, &mut script);
        assert!(!owner.lanes.is_shut());
        assert_eq!(leads.map(|lead| named(&world, lead)), [0, 0, 0], "{is_intent}");
    }
}

/// Goal: no redaction is for ever: after a month of a channel that cannot be read it is given up.
#[test]
fn a_lookup_that_never_succeeds_is_given_up() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, SECOND, &mut |_, _| Fault::Lost(true));
    world.erases("ada");
    let mut script = |_: i64, _: Method| Fault::Error("channel_not_found");
    owner.works_until(&mut world, 29 * 24 * HOUR, &mut script);
    assert!(world.compacted().contains("redact/"));
    owner.works_until(&mut world, 31 * 24 * HOUR, &mut script);
    assert!(!world.compacted().contains("redact/"), "{}", world.compacted());
}

/// Goal: what was under way when its lead was erased goes to no dead letter, whether it is a card or a digest; alerts of later
/// that were in the same message are tried by themselves.
#[test]
fn what_was_under_way_of_an_erased_lead_is_no_dead_letter() {
    for leads in [1, 60] {
        let mut world = World::default();
        for n in 0..leads {
            world.publish(0, &format!("lead{n}"), "a", Opened);
        }
        let mut owner = world.takes_over(terms());
        let mut hold = Terms { on_uncertain: OnUncertain::Hold, ..terms() };
        std::mem::swap(&mut owner.board.terms, &mut hold);
        owner.works_until(&mut world, SECOND, &mut |_, _| Fault::Lost(false));
        (0..leads).for_each(|n| world.erases(&format!("lead{n}")));
        owner.works_until(&mut world, HOUR, &mut |_, _| Fault::Lost(false));
        assert_eq!(world.dead, [], "{leads}");
        assert!(world.outcomes().iter().all(|outcome| *outcome == SUPPRESSED), "{:?}", world.outcomes());
    }
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(0, "ada", "b", Opened);
    let mut owner = world.takes_over(terms());
    while world.asked.len() < 2 {
        let until = world.now + 50;
        owner.works_until(&mut world, until, &mut |_, _| Fault::Error("invalid_blocks"));
    }
    owner.lanes.suppress((P0, Offset(0)));
    owner.works_until(&mut world, MINUTE, &mut well);
    assert_eq!(world.outcomes(), [SUPPRESSED, DELIVERED]);
}

/// Goal: a card of before the sink's channel was changed is not edited by its alerts any more, and still goes with its lead.
#[test]
fn a_card_in_a_former_channel_is_redacted_too() {
    let mut world = World::default();
    world.publish(0, "ada", "a", Opened);
    world.publish(0, "bo", "a", Opened);
    let mut owner = world.takes_over(terms());
    owner.works_until(&mut world, MINUTE, &mut well);
    let moved = || Terms { folding: Folding { home: "another".to_owned(), ..terms().folding }, ..terms() };
    let mut owner = world.takes_over(moved());
    world.publish(MINUTE, "bo", "b", Opened);
    owner.works_until(&mut world, 2 * MINUTE, &mut well);
    assert_eq!((world.parents().len(), world.count(Method::Update)), (3, 0), "a card in the new channel");
    let mut owner = world.takes_over(moved());
    world.erases("ada");
    owner.works_until(&mut world, 3 * MINUTE, &mut well);
    assert_eq!((named(&world, "ada"), named(&world, "bo")), (0, 2));
    world.erases("bo");
    owner.works_until(&mut world, 4 * MINUTE, &mut well);
    assert_eq!(named(&world, "bo"), 0, "the newer card knows of the former one");
    let compacted = world.compacted();
    assert!(!compacted.contains("ada") && !compacted.contains("bo") && !compacted.contains("redact/"), "{compacted}");
}

/// Goal: a digest that is not posted yet names nobody who was erased.
#[test]
fn a_digest_that_waits_loses_who_was_erased() {
    let mut world = World::default();
    for n in 0..60 {
        world.publish(0, &format!("lead{n}"), "a", Opened);
    }
    let mut owner = world.takes_over(terms());
    let mut down = |_: i64, _: Method| Fault::Limited(30, false);
    owner.works_until(&mut world, SECOND, &mut down);
    assert!(world.messages.is_empty());
    for n in [7, 30, 59] {
        world.erases(&format!("lead{n}"));
    }
    owner.works_until(&mut world, 10 * MINUTE, &mut well);
    let said: String = world.messages.iter().map(|message| message.all()).collect();
    for n in [7, 30, 59] {
        assert!(!said.contains(&format!("Lead lead{n} ")), "lead{n} is named");
    }
    assert!(said.contains("DIGEST") && said.contains("Lead lead31 "));
    let suppressed = world.outcomes().iter().filter(|outcome| **outcome == SUPPRESSED).count();
    assert_eq!((suppressed, owner.counts().ended), (3, 60));
}

/// Goal: a card that is remembered no more is on the ledger no more, where an erasure would not find it.
#[test]
fn a_card_that_is_forgotten_leaves_the_ledger() {
    let folding = terms().folding;
    let card = |n: usize| {
        let alert = crate::notify::slack::world::alert(n as u128, n as i64, "ada", "a", Opened);
        let seen = crate::notify::slack::fold::Seen {
            offset: Offset(0),
            time: at(0),
            alert,
            instead_of: None,
            comes_back: false,
        };
        (format!("lead{n}").into_bytes(), Card { edited: at(n as i64), ..folding.new_card(&seen) })
    };
    let mut takeover = Takeover::of_nothing(P0, 1, Offset(-1).next());
    takeover.cards = (0..=MAX_CARDS).map(card).collect();
    let (mut board, mut lanes) = (Board::new(terms()), Lanes::new(policy()));
    board.assign(at(0), &mut takeover);
    lanes.assign(takeover);
    assert!(board.next(at(0), &mut lanes, &mut Pace::default()).is_none());
    let notes = lanes.take_batch().expect("notes").notes;
    assert!(notes.len() == MAX_CARDS / 16 + 1 && notes.iter().all(|note| note.value.is_none()), "{}", notes.len());
    assert!(notes.iter().any(|note| note.key == b"card/lead0"), "the oldest");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever fails and whoever goes on: nothing that was told of the erased lead is left but in digests, all alerts end, and
    /// nothing of it is on the compacted ledger.
    #[test]
    fn nothing_of_an_erased_lead_is_left(
        alerts in prop::collection::vec((0..20 * MINUTE, 0_usize..3, 0_usize..3, 0_usize..3), 1..40),
        faults in prop::collection::vec(0_usize..8, 1..30),
        erased_at in 0..25 * MINUTE,
        takeovers in prop::collection::vec(0..30 * MINUTE, 0..4),
    ) {
        let mut world = World::default();
        let mut alerts = alerts;
        alerts.sort_unstable();
        for (at, lead, rule, kind) in &alerts {
            world.publish(*at, ["ada", "bo", "cy"][*lead], ["a", "b", "c"][*rule], [Opened, Updated, Closed][*kind]);
        }
        let mut turn = 0;
        let mut script = |now: i64, _: Method| {
            turn += 1;
            match faults[turn % faults.len()] {
                _ if now > 30 * MINUTE => Fault::None,
                0 => Fault::Status(503),
                1 => Fault::Lost(true),
                2 => Fault::Lost(false),
                3 => Fault::Limited(5, true),
                _ => Fault::None,
            }
        };
        let mut owner = world.takes_over(terms());
        let mut stops: Vec<(i64, bool)> = takeovers.into_iter().map(|at| (at, false)).collect();
        stops.push((erased_at, true));
        stops.sort_unstable();
        for (stop, erases) in stops {
            owner.works_until(&mut world, stop, &mut script);
            if erases {
                world.erases("ada");
            } else {
                owner = world.takes_over(terms());
            }
        }
        owner.works_until(&mut world, 3 * HOUR, &mut script);
        let is_digest = |text: &str| text.starts_with("LATE") || text.starts_with("DIGEST");
        let compacted = world.compacted();
        let of_before = |(_, (at, lead, ..)): &(usize, &(i64, usize, usize, usize))| *lead == 0 && *at <= erased_at;
        for (n, _) in alerts.iter().enumerate().filter(of_before) {
            let reason = format!("reason {}", n + 1);
            let told = world.messages.iter().filter(|message| !is_digest(message.text()));
            let left: Vec<_> = told.filter(|message| message.all().contains(&format!("{reason}\""))).collect();
            prop_assert!(left.is_empty(), "{:#?}", left);
            prop_assert!(!compacted.contains(&format!("{reason}\\")), "{}", compacted);
        }
        prop_assert!(!compacted.contains("redact/"), "{}", compacted);
        prop_assert_eq!(world.committed, alerts.len() as i64);
        prop_assert!(world.outcomes().iter().all(Option::is_some), "{:?}", world.outcomes());
        assert_pace(&world);
    }
}
