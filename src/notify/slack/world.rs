//! A world for tests of the board: an alert topic, a ledger, a Slack and owners of the partition, on a virtual clock.

mod owner;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::owner::Owner;

use super::api::{Method, judge};
use super::board::{Board, Order, Outcome, Request, Terms};
use super::fold::Folding;
use super::reconcile::{Match, find, oldest};
use super::{Use, limits};
use crate::codec::ledger::{self, Entry, Erasure};
use crate::config::settings::OnUncertain;
use crate::core::alert::{Alert, AlertKind};
use crate::core::ids::{Offset, Partition};
use crate::core::time::{Span, Timestamp};
use crate::notify::dead_letter::Incoming;
use crate::notify::http::{Answer, Failure};
use crate::notify::job::{Batch, Ending, Fate, Policy};
use crate::notify::lanes::Lanes;
use crate::notify::ledger::entry;
use crate::notify::replay::Page;
use crate::notify::sample;
use crate::notify::stage::{HOUR, policy};

pub const P0: Partition = Partition(0);
pub const CHANNEL: &str = "C1";
const START: i64 = 1_795_341_734_000;
const HOME: &str = "0123456789abcdef";

/// What the ledger takes to be written, and Slack to answer.
const LEDGER: i64 = 5;
const ANSWER: i64 = 100;

/// Far more than any scenario needs.
const MOST_STEPS: usize = 400_000;

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

pub fn terms() -> Terms {
    Terms {
        folding: Folding { gap: Span::from_millis(4 * HOUR), home: HOME.to_owned(), sink: "hotlead.sdr".to_owned() },
        channel: CHANNEL.to_owned(),
        stale_after: Span::from_secs(1_800),
        max_age: Span::from_millis(24 * HOUR),
        on_uncertain: OnUncertain::Reconcile,
        disclosure: Default::default(),
        link: None,
    }
}

/// An alert at that time of the world; the record's time is the event's.
pub fn alert(number: u128, ms: i64, lead: &str, rule: &str, kind: AlertKind) -> Alert {
    let mut alert = sample::alert(number, at(ms));
    (alert.lead.key, alert.lead.name) = (lead.to_owned(), Some(format!("Lead {lead}")));
    (alert.rule, alert.kind, alert.tier) = (rule.to_owned(), kind, "hot".to_owned());
    alert.reason = format!("reason {number}");
    alert
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// `{"ok":false}` with this error.
    Error(&'static str),
    Status(u16),
    /// 429 with so many seconds to wait; true if the message is there all the same.
    Limited(i64, bool),
    /// No answer in time; true if the message is there all the same.
    Lost(bool),
}

/// A message in Slack.
#[derive(Clone, Debug)]
pub struct Message {
    pub ts: String,
    pub thread: Option<String>,
    pub says: Value,
    pub edits: usize,
    pub posted: i64,
}

impl Message {
    pub fn text(&self) -> &str {
        self.says["text"].as_str().unwrap_or_default()
    }

    pub fn all(&self) -> String {
        self.says.to_string()
    }
}

/// What outlives any owner.
#[derive(Default)]
pub struct World {
    pub now: i64,
    pub alerts: Vec<(i64, Alert)>,
    ledger: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub committed: i64,
    pub dead: Vec<(i64, String)>,
    pub messages: Vec<Message>,
    /// Every request: when, and what.
    pub asked: Vec<(i64, Method)>,
    epoch: u64,
    /// Nothing is written to the ledger.
    pub ledger_is_down: bool,
    /// All alerts come in place of this sink.
    pub instead_of: Option<&'static str>,
    /// The sink has a fallback.
    pub has_fallback: bool,
    /// Offsets of the alerts that the fallback got.
    pub lent: Vec<i64>,
}

pub type Script<'a> = &'a mut dyn FnMut(i64, Method) -> Fault;

impl World {
    /// Publishes an alert, unless it is to come at its time.
    pub fn publish(&mut self, ms: i64, lead: &str, rule: &str, kind: AlertKind) -> u128 {
        let number = self.alerts.len() as u128 + 1;
        self.alerts.push((ms, alert(number, ms, lead, rule, kind)));
        number
    }

    /// Cards, digests: what is not in a thread.
    pub fn parents(&self) -> Vec<&Message> {
        self.messages.iter().filter(|message| message.thread.is_none()).collect()
    }

    pub fn replies(&self) -> Vec<&Message> {
        self.messages.iter().filter(|message| message.thread.is_some()).collect()
    }

    /// What the ledger says became of an alert.
    pub fn outcome(&self, number: u128) -> Option<ledger::Outcome> {
        let id = format!("{number:032x}");
        let (_, newest) = self.ledger.iter().rfind(|(key, _)| *key == id.as_bytes())?;
        match ledger::read(newest.as_deref()).expect("ours") {
            Some(Entry::Ended(ended)) => Some(ended.outcome),
            _ => None,
        }
    }

    pub fn outcomes(&self) -> Vec<Option<&'static str>> {
        (1..=self.alerts.len() as u128).map(|number| self.outcome(number).map(ledger::Outcome::name)).collect()
    }

    /// Requests of a method that were made.
    pub fn count(&self, wanted: Method) -> usize {
        self.asked.iter().filter(|(_, method)| *method == wanted).count()
    }

    pub fn takes_over(&mut self, terms: Terms) -> Owner {
        self.epoch += 1;
        let mut page = Page::new(Offset(self.committed - 1).next());
        for (key, value) in &self.ledger {
            page.take(key, ledger::read(value.as_deref()).expect("a record of ours"));
        }
        let mut takeover = page.takeover(P0, self.epoch, &terms.folding.home);
        let mut board = Board::new(terms);
        board.assign(at(self.now), &mut takeover);
        let mut lanes = Lanes::new(Policy { tracked: 2_000, parked: 10_000, ..policy() });
        let erasures = std::mem::take(&mut takeover.erasures);
        if self.has_fallback {
            lanes = lanes.lending(|_| true);
        }
        lanes.assign(takeover);
        Owner::new(self, lanes, board, erasures)
    }

    /// A lead is erased; what was published of it is of before.
    pub fn erases(&mut self, lead: &str) {
        let erasure = Erasure::by_owner(lead.as_bytes(), at(self.now), ("events", P0), Offset(0));
        self.ledger.push((erasure.key(), Some(ledger::write(&Entry::Erase(erasure)))));
    }

    /// The ledger once it is compacted, as text.
    pub fn compacted(&self) -> String {
        let newest: BTreeMap<_, _> = self.ledger.iter().map(|(key, value)| (key, value)).collect();
        let kept = newest.into_iter().filter_map(|(key, value)| Some([&key[..], value.as_deref()?].concat()));
        kept.map(|record| String::from_utf8_lossy(&record).into_owned() + "\n").collect()
    }

    fn write(&mut self, batch: &Batch<Incoming>) {
        let now = at(self.now);
        for (_, epoch, next) in &batch.partitions {
            if *epoch != self.epoch {
                return;
            }
            assert!(next.get() >= self.committed, "from {} back to {}", self.committed, next.get());
            self.committed = next.get();
        }
        for write in &batch.writes {
            if let Fate::Ended(Ending::GivenUp(reason)) = write.fate {
                self.dead.push((write.ticket.offset.0, reason.name().to_owned()));
            }
            self.lent.extend(Some(write.ticket.offset.0).filter(|_| write.lend));
            let key = ledger::key(write.record.id(), write.ticket.offset);
            self.ledger.push((key, Some(ledger::write(&entry(write, now)))));
        }
        self.ledger.extend(batch.notes.iter().map(|note| (note.key.clone(), note.value.clone())));
    }

    /// Slack answers.
    fn answer(&mut self, order: &Order, fault: Fault) -> Outcome {
        self.asked.push((self.now, order.method));
        let accepted = match fault {
            Fault::None => true,
            Fault::Limited(_, accepted) | Fault::Lost(accepted) => accepted,
            _ => false,
        };
        let said = match &order.request {
            Request::Message(message) if accepted => self.take(order.method, message),
            _ => json!({ "ok": true }),
        };
        let body = |value: Value| {
            Ok(Answer { status: 200, body: value.to_string().into_bytes(), complete: true, ..Answer::default() })
        };
        let answer = match fault {
            Fault::None => body(said),
            Fault::Error(error) => body(json!({ "ok": false, "error": error })),
            Fault::Status(status) => Ok(Answer { status, ..Answer::default() }),
            Fault::Limited(wait, _) => {
                Ok(Answer { status: 429, retry_after: Some(wait.to_string()), ..Answer::default() })
            }
            Fault::Lost(_) => Err(Failure::Timeout(std::time::Duration::from_secs(15))),
        };
        let ended = judge(order.method, &answer, at(self.now));
        match &order.request {
            Request::Look { .. } if ended.judged.verdict != crate::notify::Verdict::Delivered => {
                Outcome::Looked(Err(ended))
            }
            Request::Look { wanted, channel, intent } => {
                assert_eq!(channel, CHANNEL);
                Outcome::Looked(Ok(self.look(wanted, *intent)))
            }
            _ => Outcome::Sent(ended),
        }
    }

    fn look(&self, wanted: &super::reconcile::Wanted, intent: Timestamp) -> Option<Match> {
        let from = oldest(intent);
        let shown = self.messages.iter().filter(|message| message.ts >= from).map(
            |message| json!({ "ts": message.ts, "thread_ts": message.thread, "metadata": message.says["metadata"] }),
        );
        find(&json!({ "messages": shown.collect::<Vec<_>>() }), wanted)
    }

    /// A strict Slack: limits, threads and edits as it has them.
    fn take(&mut self, method: Method, message: &Value) -> Value {
        assert!(limits(message).iter().all(Use::fits), "{:?}", limits(message));
        assert_eq!(message["channel"], CHANNEL);
        assert_eq!(message["metadata"]["event_type"], "hotlead_alert");
        let text = |name: &str| message[name].as_str().map(str::to_owned);
        if method == Method::Update {
            let ts = text("ts").expect("an edit names its message");
            let Some(known) = self.messages.iter_mut().find(|message| message.ts == ts) else {
                return json!({ "ok": false, "error": "message_not_found" });
            };
            known.says = message.clone();
            known.edits += 1;
            return json!({ "ok": true, "channel": CHANNEL, "ts": ts });
        }
        let thread = text("thread_ts");
        assert_eq!(thread.is_some(), method == Method::Reply);
        if thread.as_ref().is_some_and(|thread| !self.messages.iter().any(|message| message.ts == *thread)) {
            return json!({ "ok": false, "error": "cannot_reply_to_message" });
        }
        let ms = START + self.now;
        let ts = format!("{}.{:03}{:03}", ms / 1_000, ms % 1_000, self.messages.len() % 1_000);
        self.messages.push(Message { ts: ts.clone(), thread, says: message.clone(), edits: 0, posted: self.now });
        json!({ "ok": true, "channel": CHANNEL, "ts": ts })
    }
}

/// Nothing goes wrong.
pub fn well(_: i64, _: Method) -> Fault {
    Fault::None
}

/// Over any t seconds at most t + 3 posts.
pub fn assert_pace(world: &World) {
    let posts: Vec<i64> = world.asked.iter().filter(|(_, method)| method.is_post()).map(|(at, _)| *at).collect();
    for (i, first) in posts.iter().enumerate() {
        for (n, last) in posts[i..].iter().enumerate() {
            assert!((n as i64 + 1) * 1_000 <= (last - first) + 3_000, "{n} posts from {first} to {last}");
        }
    }
}
