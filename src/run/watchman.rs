//! What has to be told of one sink, once when a trouble begins and once when it ends: no clock, no I/O, only what happened
//! in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::codec::ledger::Standing;
use crate::codec::ops::{Notice, Type};
use crate::core::ids::Partition;
use crate::core::time::{Span, Timestamp};
use crate::notify::Place;

/// Attempts at one alert that fail, one after the other, before somebody is told.
const IN_A_ROW: u32 = 4;

/// Between two notices about dead letters.
const INTERVAL: Span = Span::from_secs(60);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Watchman {
    sink: String,
    /// Alerts that were tried so often in vain, and have no end yet.
    struggling: BTreeSet<Place>,
    breaker_is_open: bool,
    /// Since the last time that all was well: when the first attempt failed, and how many have.
    failed: Option<(Timestamp, u64)>,
    is_failing: bool,
    standing: Standing,
    since: Timestamp,
    dead: Flood,
    /// Alerts of the sink that have no end yet.
    waiting: u64,
}

impl Watchman {
    /// All is well.
    pub(super) fn new(sink: &str) -> Self {
        Self {
            sink: sink.to_owned(),
            struggling: BTreeSet::new(),
            breaker_is_open: false,
            failed: None,
            is_failing: false,
            standing: Standing::Open,
            since: Timestamp::default(),
            dead: Flood::new(Some(sink), "given up"),
            waiting: 0,
        }
    }

    /// How many alerts have no end yet.
    pub(super) fn wait(&mut self, alerts: u64) {
        self.waiting = alerts;
    }

    /// An attempt at an alert failed for the moment, the `number`-th one.
    pub(super) fn failed(&mut self, now: Timestamp, place: Place, number: u32, detail: &str) -> Option<Notice> {
        let (_, failed) = self.failed.get_or_insert((now, 0));
        *failed += 1;
        if number < IN_A_ROW {
            return None;
        }
        self.struggling.insert(place);
        self.begin(now, &format!("{number} attempts in a row at one alert failed: {detail}"))
    }

    /// The breaker of its endpoint is open, or closed again.
    pub(super) fn breaker(&mut self, now: Timestamp, is_open: bool) -> Option<Notice> {
        self.breaker_is_open = is_open;
        match is_open {
            true => self.begin(now, "the endpoint fails too often: nothing is sent, one message asks now and then"),
            false => self.recover(now),
        }
    }

    fn begin(&mut self, now: Timestamp, reason: &str) -> Option<Notice> {
        let (since, failed) = self.failed.unwrap_or((now, 0));
        (!std::mem::replace(&mut self.is_failing, true))
            .then(|| self.notice(Type::DeliveryFailing, now, reason.to_owned(), Some(since), failed))
    }

    /// The other side has an alert, and the ledger says so.
    pub(super) fn delivered(&mut self, now: Timestamp, place: Place) -> Option<Notice> {
        self.struggling.remove(&place);
        self.recover(now)
    }

    fn recover(&mut self, now: Timestamp) -> Option<Notice> {
        if self.breaker_is_open || !self.struggling.is_empty() {
            return None;
        }
        let (since, failed) = self.failed.take().unwrap_or((now, 0));
        std::mem::take(&mut self.is_failing).then(|| {
            self.notice(Type::DeliveryRecovered, now, "alerts are taken again".to_owned(), Some(since), failed)
        })
    }

    /// An alert was given up, and the ledger says so.
    pub(super) fn given_up(&mut self, now: Timestamp, place: Place, reason: &'static str) -> Option<Notice> {
        self.struggling.remove(&place);
        self.dead.more(now, reason, 1)
    }

    /// These partitions have another owner: what becomes of their alerts is told there.
    pub(super) fn left(&mut self, partitions: &[Partition]) {
        self.struggling.retain(|(partition, _)| !partitions.contains(partition));
    }

    /// How the sink stands.
    pub(super) fn stands(&mut self, now: Timestamp, standing: Standing, since: Timestamp, why: &str) -> Option<Notice> {
        if standing == self.standing {
            return None;
        }
        let (before, shut) =
            (std::mem::replace(&mut self.standing, standing), std::mem::replace(&mut self.since, since));
        let (r#type, reason, since) = match standing {
            Standing::Open => (Type::SinkUnblocked, format!("it was {} and is open again", before.name()), shut),
            Standing::Blocked => (Type::SinkBlocked, format!("the credential is refused: {why}"), since),
            Standing::Disabled => (Type::EndpointDisabled, format!("the endpoint is gone for good: {why}"), since),
        };
        Some(self.notice(r#type, now, reason, Some(since), self.waiting))
    }

    /// Whether its credential is refused.
    pub(super) fn is_blocked(&self) -> bool {
        self.standing == Standing::Blocked
    }

    /// Its whole path is alive.
    pub(super) fn alive(&self, now: Timestamp) -> Notice {
        self.notice(Type::Heartbeat, now, "brokers, consumer and worker are alive".to_owned(), None, self.waiting)
    }

    /// Time goes on: what was only counted so far.
    pub(super) fn tick(&mut self, now: Timestamp) -> Option<Notice> {
        self.dead.tick(now)
    }

    /// What is wrong with it now, by the metric's labels: whether it fails, is blocked, is disabled.
    pub(super) fn troubles(&self) -> [(&'static str, bool); 3] {
        let is = |standing: Standing| self.standing == standing;
        [("failing", self.is_failing), ("blocked", is(Standing::Blocked)), ("disabled", is(Standing::Disabled))]
    }

    fn notice(&self, r#type: Type, time: Timestamp, reason: String, since: Option<Timestamp>, count: u64) -> Notice {
        Notice { r#type, sink: Some(self.sink.clone()), time, reason, since, count }
    }
}

/// Dead letters, told of at most once an interval: the first at once, those that follow together.
#[derive(Debug)]
pub(super) struct Flood {
    sink: Option<String>,
    what: &'static str,
    /// When the last notice was.
    told: Option<Timestamp>,
    since_then: BTreeMap<String, u64>,
}

impl Flood {
    /// Of a sink, or of what could not be read.
    pub(super) fn new(sink: Option<&str>, what: &'static str) -> Self {
        Self { sink: sink.map(str::to_owned), what, told: None, since_then: BTreeMap::new() }
    }

    /// So many more for this reason.
    pub(super) fn more(&mut self, now: Timestamp, reason: &str, number: u64) -> Option<Notice> {
        *self.since_then.entry(reason.to_owned()).or_default() += number;
        self.tick(now)
    }

    /// Time goes on.
    pub(super) fn tick(&mut self, now: Timestamp) -> Option<Notice> {
        let since = self.told.filter(|told| now - *told < INTERVAL);
        if since.is_some() || self.since_then.is_empty() {
            return None;
        }
        let mut reason = format!("{}:", self.what);
        for (i, (name, number)) in self.since_then.iter().enumerate() {
            let _ = write!(reason, "{} {name} {number}", if i > 0 { "," } else { "" });
        }
        let count = std::mem::take(&mut self.since_then).values().sum();
        let since = self.told.replace(now);
        Some(Notice { r#type: Type::DeadLettered, sink: self.sink.clone(), time: now, reason, since, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Offset;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_795_341_734_000 + second * 1_000)
    }

    fn place(offset: i64) -> Place {
        (Partition((offset / 100) as i32), Offset(offset))
    }

    /// What happens to a sink.
    enum Step {
        Fails(i64, u32),
        Taken(i64),
        GivenUp(i64),
        Opens,
        Closes,
        Leaves(i32),
        Refused,
        Gone,
        Well,
        Ticks,
    }

    fn happens(watchman: &mut Watchman, second: i64, step: &Step) -> Option<Notice> {
        let now = at(second);
        match step {
            Step::Fails(offset, number) => watchman.failed(now, place(*offset), *number, "status 503"),
            Step::Taken(offset) => watchman.delivered(now, place(*offset)),
            Step::GivenUp(offset) => watchman.given_up(now, place(*offset), "exhausted"),
            Step::Opens => watchman.breaker(now, true),
            Step::Closes => watchman.breaker(now, false),
            Step::Leaves(partition) => {
                watchman.left(&[Partition(*partition)]);
                None
            }
            Step::Refused => watchman.stands(now, Standing::Blocked, now, "status 403"),
            Step::Gone => watchman.stands(now, Standing::Disabled, now, "status 410"),
            Step::Well => watchman.stands(now, Standing::Open, now, ""),
            Step::Ticks => watchman.tick(now),
        }
    }

    /// What is told: its type, since which second, and how many.
    type Told = Option<(Type, Option<i64>, u64)>;

    /// Reads a sink's day top to bottom: what is told at which moment, and nothing else.
    #[track_caller]
    fn day(steps: &[(i64, Step, Told, &str)]) {
        let mut watchman = Watchman::new("crm");
        watchman.wait(5);
        for (second, step, expected, why) in steps {
            let notice = happens(&mut watchman, *second, step);
            let told = notice.map(|notice| (notice.r#type, notice.since, notice.count));
            assert_eq!(told, expected.map(|(kind, since, count)| (kind, since.map(at), count)), "{why}");
        }
    }

    #[test]
    fn failing_and_recovered_are_told_once_each() {
        use Step::{Closes, Fails, GivenUp, Leaves, Opens, Taken};
        use Type::{DeadLettered, DeliveryFailing, DeliveryRecovered};
        #[rustfmt::skip]
        day(&[
            (  0, Fails(1, 1),   None,                                  "once is nothing"),
            (  1, Fails(1, 2),   None,                                  "twice"),
            (  2, Fails(2, 1),   None,                                  "of another"),
            (  6, Fails(1, 3),   None,                                  "three times"),
            ( 21, Fails(1, 4),   Some((DeliveryFailing, Some(0), 5)),   "four times in a row"),
            ( 66, Fails(1, 5),   None,                                  "not per attempt"),
            ( 67, Fails(2, 4),   None,                                  "nor per alert"),
            ( 68, Taken(3),      None,                                  "another one is taken: those two still are not"),
            ( 70, Taken(1),      None,                                  "one of the two"),
            ( 71, Taken(2),      Some((DeliveryRecovered, Some(0), 7)), "the last of them"),
            ( 72, Taken(4),      None,                                  "all is well"),
            ( 80, Fails(5, 3),   None,                                  "begins anew"),
            ( 81, Taken(6),      None,                                  "nothing was told"),
            ( 82, Opens,         Some((DeliveryFailing, Some(82), 0)),  "an open breaker is enough"),
            ( 83, Opens,         None,                                  "it stays open"),
            ( 84, Fails(5, 4),   None,                                  "told already"),
            ( 90, Taken(5),      None,                                  "one that was under way: the breaker is open"),
            ( 95, Closes,        Some((DeliveryRecovered, Some(84), 1)), "the probe was taken"),
            (100, Fails(7, 4),   Some((DeliveryFailing, Some(100), 1)), "fails"),
            (101, GivenUp(7),    Some((DeadLettered, None, 1)),         "given up is not recovered"),
            (102, Taken(8),      Some((DeliveryRecovered, Some(100), 1)), "the next one is taken"),
            (103, Fails(107, 4), Some((DeliveryFailing, Some(103), 1)), "fails"),
            (104, Leaves(0),     None,                                  "another partition"),
            (105, Taken(9),      None,                                  "ours still struggles"),
            (106, Leaves(1),     None,                                  "its owner tells the rest"),
            (107, Taken(10),     Some((DeliveryRecovered, Some(103), 1)), "nothing struggles here"),
        ]);
    }

    #[test]
    fn a_sink_that_is_shut_and_opened_is_told_once_each() {
        use Step::{Gone, Refused, Well};
        use Type::{EndpointDisabled, SinkBlocked, SinkUnblocked};
        #[rustfmt::skip]
        day(&[
            ( 0, Well,    None,                                 "it was open"),
            ( 1, Refused, Some((SinkBlocked, Some(1), 5)),      "the first refusal"),
            (61, Refused, None,                                 "the next one"),
            (62, Gone,    Some((EndpointDisabled, Some(62), 5)), "and then it is gone"),
            (63, Well,    Some((SinkUnblocked, Some(62), 5)),   "an operator opened it"),
            (64, Well,    None,                                 "it stays so"),
            (65, Gone,    Some((EndpointDisabled, Some(65), 5)), "gone again"),
        ]);
    }

    #[test]
    fn a_flood_of_dead_letters_is_two_notices_a_minute_apart() {
        use Step::{GivenUp, Ticks};
        use Type::DeadLettered;
        #[rustfmt::skip]
        day(&[
            (  0, Ticks,      None,                              "nothing"),
            (  1, GivenUp(1), Some((DeadLettered, None, 1)),     "the first at once"),
            (  2, GivenUp(2), None,                              "counted"),
            ( 60, GivenUp(3), None,                              "counted"),
            ( 60, Ticks,      None,                              "a second too early"),
            ( 61, Ticks,      Some((DeadLettered, Some(1), 2)),  "what came since"),
            (121, Ticks,      None,                              "nothing came"),
            (500, GivenUp(4), Some((DeadLettered, Some(61), 1)), "at once again"),
        ]);
        let mut flood = Flood::new(None, "could not be read");
        flood.more(at(0), "bad_time", 1);
        assert_eq!(flood.more(at(1), "not_json", 2), None);
        flood.more(at(2), "empty", 1);
        let notice = flood.tick(at(60)).expect("a minute is over");
        assert_eq!((notice.sink, notice.reason.as_str()), (None, "could not be read: empty 1, not_json 2"));
    }

    #[test]
    fn reasons_and_troubles_are_words() {
        let mut watchman = Watchman::new("crm");
        let notice = watchman.failed(at(0), place(1), 4, "status 503").expect("the fourth");
        assert_eq!(notice.reason, "4 attempts in a row at one alert failed: status 503");
        assert_eq!((notice.sink.as_deref(), notice.time), (Some("crm"), at(0)));
        let notice = watchman.stands(at(1), Standing::Blocked, at(1), "status 403").expect("blocked");
        assert_eq!(notice.reason, "the credential is refused: status 403");
        assert_eq!(watchman.troubles(), [("failing", true), ("blocked", true), ("disabled", false)]);
        let notice = watchman.stands(at(2), Standing::Open, at(2), "").expect("open");
        assert_eq!(notice.reason, "it was blocked and is open again");
        watchman.wait(9);
        assert_eq!((watchman.alive(at(3)).r#type, watchman.alive(at(3)).count), (Type::Heartbeat, 9));
    }
}
