//! Workers against real receivers on loopback, the consumer thread played by the test.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::job::{Change, Fate, Place, Policy};
use super::super::receiver::{Receiver, Reply, Request};
use super::super::sample;
use super::*;
use crate::config::settings::Target;
use crate::core::backoff::Schedule;
use crate::core::time::Span;

const P0: Partition = Partition(0);
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Attempts(AtomicUsize, Mutex<Vec<String>>);

impl Observer for Attempts {
    fn tried(&self, sink: &str, tried: &Tried<'_>) {
        let Tried { rule, lead, number, status, detail, then, .. } = tried;
        let then = if let Then::Again(_) = then { "again".to_owned() } else { format!("{then:?}") };
        let told = format!("{sink} {rule} {lead} {number} {status:?} {detail:?} {then}");
        self.1.lock().expect("not poisoned").push(told);
    }
    fn stands(&self, sink: &str, change: &Change) {
        self.1.lock().expect("not poisoned").push(format!("{sink} {} {:?}", change.standing.name(), change.detail));
    }
    fn alive(&self, sink: &str) {
        self.1.lock().expect("not poisoned").push(format!("{sink} is alive"));
    }
    fn attempted(&self, _: &str, _: AttemptResult) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn accepted(&self, _: &str, _: Duration) {}
    fn ended(&self, _: &str, _: Place, _: Ending) {}
    fn expired(&self, _: &str, _: u64) {}
    fn assigned(&self, _: &str) {}
    fn counted(&self, _: &str, _: Counts) {}
}

/// A sink whose consumer thread and whose ledger is the test.
struct Driven {
    events: mpsc::Sender<Event>,
    batches: blocking::Receiver<Batch<Incoming>>,
    written: mpsc::UnboundedSender<Vec<Partition>>,
    /// What was given up.
    dead: Vec<Offset>,
    attempts: Arc<Attempts>,
    committed: i64,
}

impl Driven {
    fn start(target: &Target, max_age: Duration) -> Self {
        let destination = Arc::new(Destination::new(target).expect("a destination"));
        let attempts = Arc::new(Attempts::default());
        let around = Surroundings {
            sink: "crm".into(),
            gate: Arc::new(Mutex::new(destination.gate())),
            destination,
            routes: Arc::default(),
            observer: attempts.clone(),
            redactor: Arc::default(),
        };
        let (events, received) = mpsc::channel(64);
        let (sender, _) = blocking::channel();
        let (to_write, batches) = blocking::channel();
        let (written, told) = mpsc::unbounded_channel();
        let max_age = Span::from_millis(max_age.as_millis() as i64);
        let policy = Policy { in_flight: 8, tracked: 2_000, parked: 100, max_age, schedule: Schedule::default() };
        let records = Records { batches: to_write, written: told };
        tokio::spawn(Worker::new(around, Lanes::new(policy), sender, records).run(received));
        Self { events, batches, written, dead: vec![], attempts, committed: 0 }
    }

    async fn feed(&self, offset: i64, lead: &str) {
        let mut alert = sample::alert(offset as u128, wall_clock());
        alert.lead.key = lead.to_owned();
        let record = Incoming {
            key: Some(lead.as_bytes().to_vec()),
            value: serde_json::to_vec(&alert).ok(),
            headers: vec![("ce_id".into(), Some(alert.id.to_string().into_bytes()))],
        };
        let event = Event::Record(P0, Offset(offset), Some(wall_clock()), record);
        self.events.send(event).await.expect("the worker lives");
    }

    async fn assign(&self) {
        let takeover = Takeover::of_nothing(P0, 1, Offset(-1).next());
        self.events.send(Event::Assigned(vec![takeover], 1)).await.expect("the worker lives");
    }

    /// Writes what there is to the ledger.
    fn write(&mut self) {
        while let Ok(batch) = self.batches.try_recv() {
            let next = batch.partitions[0].2.get();
            assert!(next >= self.committed, "went back from {} to {next}", self.committed);
            self.committed = next;
            let given_up = batch.writes.iter().filter(|w| matches!(w.fate, Fate::Ended(Ending::GivenUp(_))));
            self.dead.extend(given_up.map(|write| write.ticket.offset));
            let _ = self.written.send(vec![P0]); // a worker that has ended asks no more
        }
    }

    /// Writes until the commit has come this far.
    async fn commits_to(&mut self, offset: i64) {
        wait_for(&format!("a commit of {offset}"), || {
            self.write();
            assert!(self.committed <= offset, "{} is committed", self.committed);
            self.committed == offset
        })
        .await;
    }

    /// Gives the partition back; what is under way ends first.
    async fn revoke(&mut self) {
        let (answer, drained) = blocking::sync_channel(1);
        self.events.send(Event::Revoking(vec![P0], answer)).await.expect("the worker lives");
        wait_for("the drain", || {
            self.write();
            drained.try_recv().is_ok()
        })
        .await;
    }
}

async fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !ready() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn ids(requests: &[Request]) -> Vec<u128> {
    requests.iter().map(|r| u128::from_str_radix(&r.headers["webhook-id"], 16).expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_repeated_with_the_same_id_and_committed_after_its_outcome() {
    let receiver = Receiver::start(|n, _| Reply::Answer(if n == 0 { 500 } else { 200 }, "", ""));
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    sink.feed(1, "a").await;
    sink.commits_to(0).await;
    wait_for("the first attempt", || receiver.seen().len() == 1).await;
    sink.commits_to(0).await;
    sink.commits_to(2).await;
    assert_eq!(ids(&receiver.seen()), [0, 0, 1], "the second alert of the lead waits for the first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_lead_does_not_hold_up_others_and_a_slow_sink_not_a_fast_one() {
    let is_bad = |request: &Request| String::from_utf8_lossy(&request.body).contains(r#""key":"bad""#);
    let receiver = Receiver::start(move |_, r| if is_bad(r) { Reply::Hang } else { Reply::Answer(200, "", "") });
    let slow = Receiver::start(|_, _| Reply::Slow(15_000));
    let mut fast_sink = Driven::start(&receiver.webhook(10_000), Duration::from_secs(3_600));
    let slow_sink = Driven::start(&slow.webhook(20_000), Duration::from_secs(3_600));
    let begun = Instant::now();
    for sink in [&fast_sink, &slow_sink] {
        sink.assign().await;
        for offset in 0..40 {
            sink.feed(offset, if offset == 5 { "bad" } else { ["a", "b", "c"][offset as usize % 3] }).await;
        }
    }
    wait_for("all but the hanging one", || {
        fast_sink.write();
        receiver.seen().len() == 40
    })
    .await;
    fast_sink.commits_to(5).await;
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(slow.seen().len(), 4, "one attempt per lead, and nothing else, is under way at the slow sink");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_no_alert_is_given_up_and_the_rest_goes_on() {
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", ""));
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    let broken = Incoming { key: Some(b"a".to_vec()), value: Some(b"{}".to_vec()), headers: vec![] };
    sink.events.send(Event::Record(P0, Offset(0), None, broken)).await.expect("the worker lives");
    sink.feed(1, "a").await;
    sink.commits_to(2).await;
    assert_eq!(sink.dead, [Offset(0)]);
    assert_eq!(ids(&receiver.seen()), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_keeps_the_backlog_until_an_operator_opens_it() {
    let receiver = Receiver::start(|n, _| Reply::Answer(if n == 0 { 410 } else { 200 }, "", ""));
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    wait_for("the answer", || sink.attempts.0.load(Ordering::Relaxed) == 1).await;
    sink.feed(1, "b").await;
    sink.revoke().await;
    assert_eq!((sink.committed, receiver.seen().len(), sink.dead.len()), (0, 1, 0));
    sink.assign().await;
    sink.feed(0, "a").await;
    sink.feed(1, "b").await;
    sink.events.send(Event::Unblock).await.expect("the worker lives");
    sink.commits_to(2).await;
    assert_eq!(receiver.seen().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_is_told_with_what_it_was_about_and_what_follows() {
    let receiver = Receiver::start(|n, _| match n {
        0 => Reply::Answer(500, "", ""),
        1 => Reply::Answer(410, "", ""),
        _ => Reply::Answer(200, "", ""),
    });
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    let told = sink.attempts.clone();
    let told = || told.1.lock().expect("not poisoned").clone();
    wait_for("the second answer", || told().len() == 3).await;
    for event in [Event::Unblock, Event::Alive] {
        sink.events.send(event).await.expect("the worker lives");
    }
    sink.commits_to(1).await;
    let expected = [
        "crm test TEST lead 1 Some(500) \"status 500\" again",
        "crm test TEST lead 2 Some(410) \"status 410\" Shut",
        "crm disabled \"status 410\"",
        "crm open \"\"",
    ];
    assert_eq!(told()[..4], expected);
    let mut last = told()[4..].to_vec();
    last.sort(); // the sign of life and the answer may cross
    assert_eq!(last, ["crm is alive", "crm test TEST lead 3 Some(200) \"\" Delivered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_waits_for_what_is_under_way_and_starts_nothing() {
    let receiver = Receiver::start(|_, _| Reply::Slow(500));
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    sink.feed(1, "a").await;
    wait_for("the first attempt", || receiver.seen().len() == 1).await;
    sink.revoke().await;
    assert_eq!((sink.committed, receiver.seen().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_429_nothing_is_sent_before_retry_after_is_over() {
    let receiver = Receiver::start(|n, _| match n {
        0 => Reply::Answer(429, "retry-after: 2\r\n", ""),
        _ => Reply::Answer(200, "", ""),
    });
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    wait_for("the first attempt", || receiver.seen().len() == 1).await;
    let begun = Instant::now();
    sink.commits_to(0).await;
    // Only when its answer is read does the freeze hold for another lead.
    wait_for("its answer", || sink.attempts.0.load(Ordering::Relaxed) == 1).await;
    sink.feed(1, "b").await;
    sink.commits_to(2).await;
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
    assert_eq!(receiver.seen().len(), 3);
}
