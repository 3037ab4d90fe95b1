//! What a Slack bot does next: one card for each lead, edits and replies before new cards, digests where there are too many
//! or they come too late. A state machine beside the lanes: the clock is an argument, requests go out as values.

mod choice;
mod digests;
mod ending;
mod orphans;
mod posting;
mod probing;
mod redacting;
mod sorting;
mod trying;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use self::digests::Digest;
pub use self::ending::Outcome;
use self::orphans::Orphan;
pub(super) use self::posting::reply;
use self::redacting::Redacting;
pub use self::trying::Trial;
use super::api::Method;
use super::card::Face;
use super::fold::{Folding, Plan, Step};
use super::pace::{Pace, Pass};
use super::reconcile::Wanted;
use crate::codec::ledger::{self, Card, Erasure};
use crate::config::settings::{LinkTemplate, OnUncertain};
use crate::core::alert::Alert;
use crate::core::ids::Partition;
use crate::core::limits::MAX_CARDS;
use crate::core::time::{Span, Timestamp};
use crate::notify::dead_letter::Incoming;
use crate::notify::job::{Place, Takeover, Ticket};
use crate::notify::lanes::Lanes;
use crate::notify::payload::Disclosure;

/// Between two edits of one card.
const EDIT_PACE: Span = Span::from_secs(3);

/// How long Slack may take until a message that it did take is to be seen.
const SETTLE: Span = Span::from_secs(30);

/// How a bot posts.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What a card is.
    pub folding: Folding,
    /// Where new cards go.
    pub channel: String,
    /// An alert older than this is no news.
    pub stale_after: Span,
    /// An intent older than this is not looked for.
    pub max_age: Span,
    /// What to do where nobody knows.
    pub on_uncertain: OnUncertain,
    /// What of a lead may be shown.
    pub disclosure: Disclosure,
    /// To the CRM.
    pub link: Option<LinkTemplate>,
}

/// A request to Slack; its end goes to [`Board::end`].
#[derive(Clone, Debug)]
pub struct Order {
    /// To be handed back.
    pub id: u64,
    /// What to call.
    pub method: Method,
    /// With what.
    pub request: Request,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Nothing: is the token good?
    Test,
    /// A message or an edit: the method's arguments.
    Message(Value),
    /// Look for a message of ours, on all pages.
    Look {
        /// Which.
        wanted: Wanted,
        /// Where.
        channel: String,
        /// When it was about to be posted.
        intent: Timestamp,
    },
}

/// Whether a lead's card may have been posted without our knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It was not.
    None,
    /// The ledger has the intent, and nothing was sent since it was known that nothing is there.
    Armed,
    /// Nobody knows: look from `look_at` on; what is not there at `settled_at` never will be.
    Unknown { look_at: Timestamp, settled_at: Timestamp },
}

/// What is known of a lead's card.
#[derive(Clone, Debug)]
struct Slot {
    card: Card,
    doubt: Doubt,
}

type Key = (Partition, Arc<[u8]>);

/// A lead that waits for its turn to be posted.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// The Kafka timestamp of its oldest alert.
    since: Timestamp,
    /// The Kafka timestamp of its newest alert that is news.
    news: Option<Timestamp>,
    /// In tenths, of the newest.
    score: i64,
    /// A reply: its card is there already.
    reply: bool,
}

/// A request under way.
#[derive(Clone, Debug)]
enum Call {
    Test,
    Lead { ticket: Ticket, key: Key, step: Step, plan: Box<Plan> },
    Look { ticket: Ticket, key: Key, wanted: Wanted },
    Digest,
    DigestLook,
    OrphanLook(String, Partition),
    Redact((Partition, String)),
    RedactLook((Partition, String)),
}

/// A request under way, and what it went with.
#[derive(Clone, Debug)]
struct Started {
    call: Call,
    pass: Pass,
    /// The number of its token.
    token: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Board {
    terms: Terms,
    slots: BTreeMap<Key, Slot>,
    /// Cards of before the sink's address was changed: only an erasure concerns them.
    former: BTreeMap<Key, Card>,
    posts: BTreeMap<Place, Due>,
    edits: BTreeSet<(Timestamp, Place)>,
    looks: BTreeSet<(Timestamp, Place)>,
    /// Their intents are on the way to the ledger, by the ledger's key.
    arming: BTreeMap<(Partition, Vec<u8>), Place>,
    /// Their intents are on the ledger: to be posted as soon as the pace lets them.
    armed: VecDeque<Place>,
    digest: Option<Digest>,
    orphans: Vec<Orphan>,
    /// By the episodes of cards whose leads were erased.
    redacting: BTreeMap<(Partition, String), Redacting>,
    /// Erasures of leads of whom a request is under way.
    erasing: Vec<(Partition, Erasure)>,
    calls: BTreeMap<u64, Started>,
    last_id: u64,
    /// How often the token was exchanged.
    token: u64,
    /// The token that a request was refused with last.
    refused: Option<u64>,
    /// One that Slack calls good and refuses all the same, as for want of a scope: only a real request shows when that is over.
    disbelieved: Option<u64>,
    /// Newest alerts of cards that people see now.
    told: Vec<Alert>,
    trials: Vec<Trial>,
    /// Leads whose cards are not remembered any more, nor on the ledger: an erasure would not find them there.
    surplus: Vec<Key>,
    /// Late alerts come together until then.
    gather_until: Option<Timestamp>,
    next_digest: Timestamp,
    /// At digests since one was taken.
    digest_attempts: u32,
    wake: Option<Timestamp>,
}

impl Board {
    /// Without any card.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            slots: BTreeMap::new(),
            former: BTreeMap::new(),
            posts: BTreeMap::new(),
            edits: BTreeSet::new(),
            looks: BTreeSet::new(),
            arming: BTreeMap::new(),
            armed: VecDeque::new(),
            digest: None,
            orphans: Vec::new(),
            redacting: BTreeMap::new(),
            erasing: Vec::new(),
            calls: BTreeMap::new(),
            last_id: 0,
            token: 0,
            refused: None,
            disbelieved: None,
            told: Vec::new(),
            trials: Vec::new(),
            surplus: Vec::new(),
            gather_until: None,
            next_digest: Timestamp::from_millis(i64::MIN),
            digest_attempts: 0,
            wake: None,
        }
    }

    /// The partition is ours from now on, with the cards, digests and redactions that its ledger knows: they are taken out of
    /// the takeover.
    pub fn assign(&mut self, now: Timestamp, takeover: &mut Takeover<Incoming>) {
        let partition = takeover.partition;
        let cards = std::mem::take(&mut takeover.cards);
        let digests = std::mem::take(&mut takeover.digests);
        self.forget(&[partition]);
        for (lead, mut card) in cards {
            if card.home != self.terms.folding.home {
                self.former.insert((partition, lead.into()), card);
                continue;
            }
            let is_recent = |at: Timestamp| now - at < self.terms.max_age;
            let doubt = match &card.intent {
                Some(intent) if is_recent(intent.at) => match self.terms.on_uncertain {
                    OnUncertain::Resend => Doubt::Armed,
                    _ => Doubt::Unknown { look_at: now, settled_at: intent.at + SETTLE },
                },
                _ => Doubt::None,
            };
            card.intent.take_if(|_| doubt == Doubt::None);
            self.slots.insert((partition, lead.into()), Slot { card, doubt });
        }
        let recent = digests.into_iter().filter(|digest| now - digest.at < self.terms.max_age);
        self.orphans.extend(recent.map(|digest| Orphan::new(now, partition, digest)));
        for redaction in std::mem::take(&mut takeover.redactions) {
            self.redacting.insert((partition, redaction.episode.clone()), Redacting::new(now, redaction));
        }
        self.bound();
    }

    /// Forgets these partitions: somebody else goes on with them.
    pub fn forget(&mut self, partitions: &[Partition]) {
        let gone = |partition: &Partition| partitions.contains(partition);
        self.slots.retain(|(partition, _), _| !gone(partition));
        self.former.retain(|(partition, _), _| !gone(partition));
        self.surplus.retain(|(partition, _)| !gone(partition));
        self.posts.retain(|place, _| !gone(&place.0));
        self.edits.retain(|(_, place)| !gone(&place.0));
        self.looks.retain(|(_, place)| !gone(&place.0));
        self.arming.retain(|(partition, _), _| !gone(partition));
        self.armed.retain(|place| !gone(&place.0));
        self.orphans.retain(|orphan| !gone(&orphan.partition));
        self.redacting.retain(|(partition, _), _| !gone(partition));
        self.erasing.retain(|(partition, _)| !gone(partition));
        if self.digest.as_mut().is_some_and(|digest| digest.forget(partitions)) {
            self.digest = None;
        }
    }

    /// The cards that are remembered are bounded: a lead whose card was forgotten gets a new one.
    fn bound(&mut self) {
        while self.former.len() > MAX_CARDS {
            self.surplus.extend(self.former.pop_first().map(|(key, _)| key));
        }
        if self.slots.len() <= MAX_CARDS {
            return;
        }
        let mut oldest: Vec<_> = self.slots.iter().filter(|(_, slot)| slot.doubt == Doubt::None).collect();
        oldest.sort_by_key(|(_, slot)| slot.card.edited);
        let over = self.slots.len() - MAX_CARDS + MAX_CARDS / 16;
        let keys: Vec<Key> = oldest.into_iter().take(over).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| drop(self.slots.remove(key)));
        self.surplus.extend(keys);
    }

    /// The token is another one from now on.
    pub fn renewed(&mut self) {
        self.token += 1;
    }

    /// The newest alerts of cards that people see since the last call.
    pub fn take_told(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.told)
    }

    /// When [`Self::next`] may have something to do that it does not have now, unless something else happens first.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.wake
    }

    /// The next request to send, if any; ask again until there is none.
    pub fn next(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, pace: &mut Pace) -> Option<Order> {
        self.wake = None;
        for key in std::mem::take(&mut self.surplus).into_iter().filter(|key| !self.slots.contains_key(key)) {
            lanes.note(key.0, note_key(&key.1), None);
        }
        lanes.follow(now, pace.breaker());
        for place in lanes.take_ready(now) {
            self.sort(now, lanes, place);
        }
        for (partition, key) in lanes.take_noted() {
            self.noted(partition, key);
        }
        let order = match lanes.probe_at() {
            Some(probe_at) => self.probe(now, probe_at, lanes, pace),
            None => {
                self.disbelieved = None;
                if !lanes.has_room() {
                    return None;
                }
                self.real(now, lanes, pace)
            }
        };
        self.wakes(lanes.due_at());
        // What has just been sorted or written may be due at once: whoever sleeps until a time that is past turns on the spot.
        self.wake = self.wake.map(|at| at.max(now + Span::from_millis(5)));
        order
    }

    /// The next request that does something.
    fn real(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, pace: &mut Pace) -> Option<Order> {
        self.look(now, lanes, pace)
            .or_else(|| self.redact(now, pace))
            .or_else(|| self.edit(now, lanes, pace))
            .or_else(|| self.post(now, lanes, pace))
    }

    fn wakes(&mut self, at: Option<Timestamp>) {
        self.wake = [self.wake, at].into_iter().flatten().min();
    }

    fn order(&mut self, method: Method, request: Request, call: Call, pass: Pass) -> Order {
        self.last_id += 1;
        self.calls.insert(self.last_id, Started { call, pass, token: self.token });
        Order { id: self.last_id, method, request }
    }
}

fn note_key(lead: &[u8]) -> Vec<u8> {
    [ledger::CARD, lead].concat()
}

/// The newest alert that a card shows.
pub(super) fn shown_alert(card: &Card) -> Option<Alert> {
    serde_json::from_slice(&card.shown.as_ref()?.alert.0).ok()
}

/// What a card shows of its newest alert.
pub(super) fn face<'a>(card: &'a Card, alert: &'a Alert, link: Option<&LinkTemplate>) -> Face<'a> {
    let link = link.and_then(|link| link.fill(&serde_json::to_value(alert).ok()?));
    let rules = card.fired.iter().map(|fired| (fired.rule.as_str(), fired.open)).collect();
    Face { alert, rules, closed: card.closed, link }
}

#[cfg(test)]
#[path = "board_erasures.rs"]
mod erasures;
#[cfg(test)]
#[path = "board_scenarios.rs"]
mod scenarios;
#[cfg(test)]
#[path = "board_shut.rs"]
mod shut;
#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
