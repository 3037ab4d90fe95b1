//! One lead's card: what alerts make of it, when it is over, and what has to be done next so that people see it.

use sha2::{Digest as _, Sha256};

use crate::codec::ledger::{Bytes, Card, Fired, Place, Shown};
use crate::core::alert::{Alert, AlertKind};
use crate::core::ids::Offset;
use crate::core::time::{Span, Timestamp};

/// An alert as a card takes it in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of its record.
    pub offset: Offset,
    /// The Kafka timestamp of its record: its age counts from here.
    pub time: Timestamp,
    /// As the sink may know it.
    pub alert: Alert,
    /// The sink in whose place it came, if this one is that sink's fallback.
    pub instead_of: Option<String>,
    /// It came from the dead letters, or in place of another sink: later than its offset says.
    pub comes_back: bool,
}

/// What is to be done for a lead next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the card shows it all, or there is none to show it on.
    Nothing,
    /// A card that is over by its age is edited once more, to say so.
    Farewell,
    /// A new card is posted.
    Post,
    /// A further rule is told in the thread.
    Reply,
    /// The card is edited.
    Edit,
}

/// The next step, and the card as it will be after it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to do.
    pub step: Step,
    /// `None` if there is none.
    pub card: Option<Card>,
    /// The alerts that are dealt with when nothing is left to do, in order; true for those that changed nothing.
    pub settled: Vec<(Offset, bool)>,
    /// The newest alert that is news: its age decides whether a message may still be one.
    pub news: Option<Timestamp>,
}

/// What one alert makes of a card.
enum Made {
    /// It shows it already.
    Shown,
    /// It says nothing that a card could show.
    Idle,
    /// It is part of the card now.
    Changed,
    /// It belongs on a new card.
    New,
}

/// Cards of one sink.
#[derive(Clone, Debug)]
pub struct Folding {
    /// A card whose newest alert is this old in event time is over.
    pub gap: Span,
    /// A hash of the address.
    pub home: String,
    /// What tells this sink's cards from others in the same channel: deployment and sink.
    pub sink: String,
}

impl Folding {
    /// What has to be done for the lead with this card so that these alerts, the oldest first, are seen.
    pub fn plan(&self, card: Option<&Card>, seen: &[Seen]) -> Plan {
        let placed = card.filter(|card| card.place.is_some());
        if let Some(card) = placed.filter(|card| has_untold(card)) {
            let shown: Vec<_> = seen.iter().take_while(|seen| shows(card, seen)).collect();
            let mut told = card.clone();
            told.fired.iter_mut().for_each(|fired| fired.untold = None);
            let settled = shown.iter().map(|seen| (seen.offset, false)).collect();
            return Plan { step: Step::Reply, card: Some(told), settled, news: news(shown.into_iter()) };
        }
        let mut next = card.cloned();
        let (mut settled, mut changed, mut is_new) = (Vec::new(), false, false);
        for seen in seen {
            let made = self.take(next.as_mut(), seen);
            if matches!(made, Made::New) {
                if changed {
                    break; // the next card's matter
                }
                let mut fresh = self.new_card(seen);
                fresh.others = next.map(told_before).unwrap_or_default();
                next = Some(fresh);
                is_new = true;
            }
            changed |= matches!(made, Made::Changed | Made::New);
            settled.push((seen.offset, matches!(made, Made::Idle)));
        }
        let news = news(seen.iter().take(settled.len()));
        let step = match (&next, changed) {
            (_, false) | (None, _) => Step::Nothing,
            _ if is_new => match placed {
                Some(old) if !old.closed => Step::Farewell,
                _ => Step::Post,
            },
            (Some(card), _) if card.place.is_some() => Step::Edit,
            // Its message is gone, and there is nothing left that people should look at.
            (Some(next), _) if next.closed && card.is_some_and(|card| card.shown.is_some()) => Step::Nothing,
            _ => Step::Post,
        };
        if step == Step::Farewell {
            let over = card.map(|card| Card { closed: true, ..card.clone() });
            return Plan { step, card: over, settled: Vec::new(), news };
        }
        if step == Step::Post {
            // The card itself tells of all its rules.
            next.iter_mut().flat_map(|card| &mut card.fired).for_each(|fired| fired.untold = None);
        }
        Plan { step, card: next, settled, news }
    }

    fn take(&self, card: Option<&mut Card>, seen: &Seen) -> Made {
        let alert = &seen.alert;
        let Some(card) = card else {
            return if alert.kind == AlertKind::Opened { Made::New } else { Made::Idle };
        };
        // One that was about to be posted and never was tells nothing of the lead.
        if card.fired.is_empty() && alert.kind != AlertKind::Opened {
            return Made::Idle;
        }
        if shows(card, seen) {
            return Made::Shown;
        }
        let is_over = card.closed || card.shown.as_ref().is_some_and(|shown| alert.time - shown.time >= self.gap);
        let known = card.fired.iter_mut().find(|fired| fired.rule == alert.rule);
        match (alert.kind, known) {
            (AlertKind::Opened, _) if is_over => return Made::New,
            (AlertKind::Opened, Some(fired)) => (fired.start, fired.open) = (alert.episode_start, true),
            (AlertKind::Closed, Some(fired)) if !card.closed && fired.open && alert.episode_start >= fired.start => {
                fired.open = false;
                card.closed = is_over || card.fired.iter().all(|fired| !fired.open);
            }
            // All that others tell of a card that is over by its age is that it is: no card begins with them.
            _ if is_over => {
                let was_closed = std::mem::replace(&mut card.closed, true);
                return if was_closed { Made::Idle } else { Made::Changed };
            }
            (AlertKind::Opened, None) => card.fired.push(fired(alert, Some(alert.reason.clone()))),
            (AlertKind::Updated, None) => card.fired.push(fired(alert, None)),
            (AlertKind::Updated, Some(_)) => {}
            (AlertKind::Closed, _) => return Made::Idle,
        }
        if !is_older(card, seen) {
            card.shown = Some(shown(seen, card.shown.as_ref().map(|shown| shown.time)));
        }
        card.instead_of = seen.instead_of.clone().or(card.instead_of.take());
        Made::Changed
    }

    /// A card that only this alert is on, posted nowhere yet.
    pub fn new_card(&self, seen: &Seen) -> Card {
        let alert = &seen.alert;
        Card {
            home: self.home.clone(),
            place: None,
            episode: self.episode(&alert.lead.key, &alert.id.to_string()),
            fired: vec![fired(alert, None)],
            shown: Some(shown(seen, None)),
            others: Vec::new(),
            closed: false,
            edited: Timestamp::default(),
            intent: None,
            instead_of: seen.instead_of.clone(),
        }
    }

    /// The card anew: its message is gone, what it said is not.
    pub fn moved(&self, card: &Card) -> Card {
        Card { place: None, intent: None, episode: self.episode(&card.episode, "moved"), ..card.clone() }
    }

    /// Stands for a card in its metadata, which everybody in the workspace can read: nobody learns a lead's key from it.
    fn episode(&self, lead: &str, first_alert: &str) -> String {
        let mut hash = Sha256::new();
        for text in [self.sink.as_str(), lead, first_alert] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether an alert lies before the newest that the card shows.
fn is_older(card: &Card, seen: &Seen) -> bool {
    card.shown.as_ref().is_some_and(|shown| seen.offset.0 <= shown.offset)
}

/// Whether the card says already what the alert says. Of one that comes back the card may not name the rule, or not know
/// that its episode is over, although what it shows is newer.
fn shows(card: &Card, seen: &Seen) -> bool {
    let alert = &seen.alert;
    let known = || card.fired.iter().find(|fired| fired.rule == alert.rule);
    is_older(card, seen)
        && match alert.kind {
            _ if !seen.comes_back => true,
            AlertKind::Opened => known().is_some_and(|fired| fired.start >= alert.episode_start),
            AlertKind::Updated => known().is_some(),
            AlertKind::Closed => known().is_none_or(|fired| !fired.open || fired.start > alert.episode_start),
        }
}

/// All messages that tell of the lead of a card that is over.
pub fn told_before(mut card: Card) -> Vec<Place> {
    card.place.take().into_iter().for_each(|place| card.add_other(place));
    card.others
}

/// Whether a rule of it was not told in the thread yet.
pub fn has_untold(card: &Card) -> bool {
    card.fired.iter().any(|fired| fired.untold.is_some())
}

fn news<'a>(seen: impl Iterator<Item = &'a Seen>) -> Option<Timestamp> {
    // What goes on about an older piece of news makes it no younger.
    seen.map(|seen| (seen.alert.kind == AlertKind::Opened, seen.time)).max().map(|(_, time)| time)
}

fn fired(alert: &Alert, untold: Option<String>) -> Fired {
    Fired { rule: alert.rule.clone(), start: alert.episode_start, open: alert.kind != AlertKind::Closed, untold }
}

fn shown(seen: &Seen, before: Option<Timestamp>) -> Shown {
    let alert = serde_json::to_vec(&seen.alert).unwrap_or_default(); // plain data
    let time = before.map_or(seen.alert.time, |before| before.max(seen.alert.time));
    Shown { offset: seen.offset.0, time, alert: Bytes(alert) }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
