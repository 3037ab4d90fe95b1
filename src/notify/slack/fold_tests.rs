//! What alerts make of a card, row by row.

use super::*;
use crate::codec::ledger::Place;
use crate::core::alert::AlertKind::{Closed, Opened, Updated};
use crate::notify::sample;

const HOUR: i64 = 3_600_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_795_341_734_000 + ms)
}

fn folding() -> Folding {
    Folding { gap: Span::from_millis(4 * HOUR), home: "home".into(), sink: "hotlead.sdr".into() }
}

/// The alert of this offset; its episode began at its own time, or at `start`.
fn seen(offset: i64, ms: i64, rule: &str, kind: AlertKind, start: i64) -> Seen {
    let mut alert = sample::alert(offset as u128 + 1, at(ms));
    (alert.rule, alert.kind, alert.episode_start) = (rule.into(), kind, at(start));
    alert.reason = format!("reason {offset}");
    Seen { offset: Offset(offset), time: at(ms), alert, instead_of: None, comes_back: false }
}

fn opened(offset: i64, ms: i64, rule: &str) -> Seen {
    seen(offset, ms, rule, Opened, ms)
}

/// The card after these alerts, posted.
fn posted(seen: &[Seen]) -> Card {
    let card = folding().plan(None, seen).card.expect("a card");
    Card { place: Some(Place { channel: "C1".into(), ts: "1.1".into() }), ..card }
}

fn rules(card: &Card) -> Vec<(&str, bool, bool)> {
    card.fired.iter().map(|fired| (fired.rule.as_str(), fired.open, fired.untold.is_some())).collect()
}

#[test]
fn the_next_step_row_by_row() {
    let a = || posted(&[opened(0, 0, "a")]);
    let closed = || Card { closed: true, ..a() };
    let gone = || Card { place: None, ..a() };
    let armed = || Card { fired: vec![], shown: None, ..gone() };
    #[rustfmt::skip]
    let rows = vec![
        // why                                   card            alerts                                      step             settled
        ("the first alert",                      None,           vec![opened(0, 0, "a")],                    Step::Post,      1),
        ("two rules at once",                    None,           vec![opened(0, 0, "a"), opened(1, 0, "b")], Step::Post,      2),
        ("nothing to update",                    None,           vec![seen(0, 0, "a", Updated, 0)],          Step::Nothing,   1),
        ("nothing to close",                     None,           vec![seen(0, 0, "a", Closed, 0)],           Step::Nothing,   1),
        ("opened and closed before it was sent", None,           vec![opened(0, 0, "a"), seen(1, 9, "a", Closed, 0)], Step::Post,    2),
        ("the same rule again",                  Some(a()),      vec![opened(1, 9, "a")],                    Step::Edit,      1),
        ("another rule",                         Some(a()),      vec![opened(1, 9, "b")],                    Step::Edit,      1),
        ("an update",                            Some(a()),      vec![seen(1, 9, "a", Updated, 0)],          Step::Edit,      1),
        ("its only episode closes",              Some(a()),      vec![seen(1, 9, "a", Closed, 0)],           Step::Edit,      1),
        ("an older episode closes",              Some(a()),      vec![seen(1, 9, "a", Closed, -1)],          Step::Nothing,   1),
        ("a rule that is not on it closes",      Some(a()),      vec![seen(1, 9, "b", Closed, 0)],           Step::Nothing,   1),
        ("read again",                           Some(a()),      vec![opened(0, 0, "a")],                    Step::Nothing,   1),
        ("one millisecond before the gap",       Some(a()),      vec![opened(1, 4 * HOUR - 1, "a")],         Step::Edit,      1),
        ("the gap",                              Some(a()),      vec![opened(1, 4 * HOUR, "a")],             Step::Farewell,  0),
        ("an update after the gap",              Some(a()),      vec![seen(1, 4 * HOUR, "a", Updated, 0)],   Step::Edit,      1),
        ("one of another rule",                  Some(a()),      vec![seen(1, 4 * HOUR, "b", Updated, 0)],   Step::Edit,      1),
        ("an update of a closed card",           Some(closed()), vec![seen(1, 9, "a", Updated, 0)],          Step::Nothing,   1),
        ("one of another rule closes then",      Some(a()),      vec![seen(1, 4 * HOUR, "b", Closed, 0)],    Step::Edit,      1),
        ("its close after the gap",              Some(a()),      vec![seen(1, 4 * HOUR, "a", Closed, 0)],    Step::Edit,      1),
        ("a closed card",                        Some(closed()), vec![opened(1, 9, "a")],                    Step::Post,      1),
        ("a closed card closes",                 Some(closed()), vec![seen(1, 9, "a", Closed, 0)],           Step::Nothing,   1),
        ("close, then news",                     Some(a()),      vec![seen(1, 9, "a", Closed, 0), opened(2, 10, "a")], Step::Edit, 1),
        ("about to be posted",                   Some(armed()),  vec![opened(0, 0, "a"), seen(1, 9, "a", Closed, 0)], Step::Post, 2),
        ("about to be posted, then given up",    Some(armed()),  vec![seen(1, 9, "a", Updated, 0)],          Step::Nothing,   1),
        ("its message is gone",                  Some(gone()),   vec![seen(1, 9, "a", Updated, 0)],          Step::Post,      1),
        ("its message is gone and it is over",   Some(gone()),   vec![seen(1, 9, "a", Closed, 0)],           Step::Nothing,   1),
    ];
    for (why, card, alerts, step, settled) in rows {
        let plan = folding().plan(card.as_ref(), &alerts);
        assert_eq!((plan.step, plan.settled.len()), (step, settled), "{why}");
    }
}

#[test]
fn a_further_rule_is_edited_in_and_then_told_in_a_reply_before_anything_else() {
    let card = posted(&[opened(0, 0, "a")]);
    assert_eq!(rules(&card), [("a", true, false)]);
    let alerts = [opened(1, 5, "b"), opened(2, 6, "a")];
    let edit = folding().plan(Some(&card), &alerts);
    let edited = edit.card.expect("a card");
    assert_eq!((edit.step, rules(&edited)), (Step::Edit, vec![("a", true, false), ("b", true, true)]));
    assert_eq!(edited.fired[1].untold.as_deref(), Some("reason 1"), "word for word");
    let with_more = [alerts[0].clone(), alerts[1].clone(), opened(3, 7, "a")];
    let reply = folding().plan(Some(&edited), &with_more);
    assert_eq!(
        (reply.step, reply.settled.len(), reply.news),
        (Step::Reply, 2, Some(at(6))),
        "the third is not on it yet"
    );
    let told = reply.card.expect("a card");
    assert_eq!(rules(&told), [("a", true, false), ("b", true, false)]);
    let rest = folding().plan(Some(&told), &with_more);
    assert_eq!((rest.step, rest.settled.len()), (Step::Edit, 3));
}

/// Goal: an alert that comes late, from the dead letters or in place of another sink, lies before the newest that the card shows,
/// and its rule is told all the same.
#[test]
fn what_comes_late_is_told_and_the_card_keeps_showing_the_newest() {
    let card = posted(&[opened(10, 100, "b")]);
    let comes_back = |seen: Seen| Seen { comes_back: true, ..seen };
    let late = [opened(5, 50, "a"), seen(6, 60, "a", Updated, 50), seen(7, 70, "a", Closed, 50)].map(comes_back);
    let edit = folding().plan(Some(&card), &late[..1]);
    let edited = edit.card.expect("a card");
    assert_eq!((edit.step, rules(&edited)), (Step::Edit, vec![("b", true, false), ("a", true, true)]));
    assert_eq!((&edited.shown, edited.closed), (&card.shown, false), "it shows the newest");
    // Behind one that is on the card already the next ones that come late wait for their own edit.
    let with_more = [late[0].clone(), comes_back(opened(8, 80, "c")), late[2].clone()];
    let reply = folding().plan(Some(&edited), &with_more);
    assert_eq!((reply.step, reply.settled.len()), (Step::Reply, 1));
    let told = reply.card.expect("a card");
    let rest = folding().plan(Some(&told), &late);
    let closed = rest.card.expect("a card");
    assert_eq!((rest.step, rest.settled.len()), (Step::Edit, 3));
    assert_eq!((rules(&closed), &closed.shown), (vec![("b", true, false), ("a", false, false)], &card.shown));
    let again = folding().plan(Some(&closed), &late);
    assert_eq!((again.step, again.settled.len()), (Step::Nothing, 3), "all of it is there");
    let over = Card { closed: true, ..card };
    assert_eq!(folding().plan(Some(&over), &late[..1]).step, Step::Post, "news is no part of a card that is over");
}

#[test]
fn it_closes_with_the_last_of_its_episodes() {
    let mut card = posted(&[opened(0, 0, "a"), opened(1, 1, "b")]);
    for (offset, rule, is_closed) in [(2, "a", false), (3, "b", true)] {
        let plan = folding().plan(Some(&card), &[seen(offset, offset, rule, Closed, offset - 2)]);
        card = plan.card.expect("a card");
        assert_eq!((plan.step, card.closed), (Step::Edit, is_closed), "{rule}");
    }
    let again = folding().plan(Some(&card), &[opened(4, 9, "a")]).card.expect("a card");
    assert!(!again.closed && again.place.is_none() && again.episode != card.episode, "a new card");
}

#[test]
fn a_farewell_changes_nothing_but_that_it_is_over_and_a_new_card_follows() {
    let card = posted(&[opened(0, 0, "a")]);
    let late = [opened(1, 5 * HOUR, "a")];
    let farewell = folding().plan(Some(&card), &late).card.expect("a card");
    assert_eq!(farewell, Card { closed: true, ..card });
    let plan = folding().plan(Some(&farewell), &late);
    assert_eq!((plan.step, plan.card.map(|card| card.closed)), (Step::Post, Some(false)));
}

#[test]
fn an_episodes_hash_tells_cards_apart_and_no_lead() {
    let mut other = opened(0, 0, "a");
    let card = |seen: &Seen, sink: &str| Folding { sink: sink.into(), ..folding() }.new_card(seen).episode;
    let first = card(&other, "hotlead.sdr");
    assert_eq!((first.len(), first == card(&other, "hotlead.sdr")), (32, true));
    assert_ne!(first, card(&other, "hotlead.emea"), "another sink in the same channel");
    other.alert.lead.key = "else".into();
    assert_ne!(first, card(&other, "hotlead.sdr"), "another lead");
    assert_ne!(first, card(&opened(1, 0, "a"), "hotlead.sdr"), "another card of the lead");
}
