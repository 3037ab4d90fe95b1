//! Workers against real receivers on loopback, the consumer thread played by the test.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::job::Bounds;
use super::super::receiver::{Receiver, Reply, Request};
use super::super::sample;
use super::*;
use crate::config::settings::Target;
use crate::core::time::Span;

const P0: Partition = Partition(0);
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Letters(Mutex<Vec<DeadLetter>>, AtomicUsize);

impl Graveyard for Letters {
    fn bury<'a>(&'a self, letter: &'a DeadLetter) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err("the broker is away".to_owned()); // the first try always fails
            }
            self.0.lock().expect("not poisoned").push(letter.clone());
            Ok(())
        })
    }
}

#[derive(Default)]
struct Attempts(AtomicUsize);

impl Observer for Attempts {
    fn assigned(&self, _: &str) {}
    fn attempted(&self, _: &str, _: AttemptResult) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn delivered(&self, _: &str, _: Duration) {}
    fn dead_lettered(&self, _: &str, _: Reason) {}
    fn in_flight(&self, _: &str, _: usize) {}
    fn shut(&self, _: &str, _: bool) {}
}

/// A sink whose consumer thread is the test.
struct Driven {
    events: mpsc::Sender<Event>,
    commands: blocking::Receiver<Command>,
    letters: Arc<Letters>,
    attempts: Arc<Attempts>,
    committed: i64,
}

impl Driven {
    fn start(target: &Target, max_age: Duration) -> Self {
        let destination = Arc::new(Destination::new(target).expect("a destination"));
        let letters = Arc::new(Letters::default());
        let attempts = Arc::new(Attempts::default());
        let around = Surroundings {
            sink: "crm".into(),
            topic: "hotlead.alerts".into(),
            gate: Arc::new(Mutex::new(destination.gate())),
            destination,
            routes: Arc::default(),
            graveyard: letters.clone(),
            observer: attempts.clone(),
            redactor: Arc::default(),
        };
        let (events, received) = mpsc::channel(64);
        let (sender, commands) = blocking::channel();
        let bounds = Bounds { in_flight: 8, tracked: 2_000 };
        let lanes = Lanes::new(bounds, Span::from_millis(max_age.as_millis() as i64));
        tokio::spawn(Worker::new(around, lanes, sender).run(received));
        Self { events, commands, letters, attempts, committed: -1 }
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
        self.events.send(Event::Assigned(vec![P0])).await.expect("the worker lives");
    }

    /// Polls until the commit has come this far.
    async fn commits_to(&mut self, offset: i64) {
        wait_for(&format!("a commit of {offset}"), || {
            while let Ok(command) = self.commands.try_recv() {
                if let Command::Commit(commits) = command {
                    let next = commits[0].1.get();
                    assert!(next > self.committed, "went back from {} to {next}", self.committed);
                    self.committed = next;
                }
            }
            assert!(self.committed <= offset, "{} is committed", self.committed);
            self.committed == offset
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
    wait_for("all but the hanging one", || receiver.seen().len() == 40).await;
    fast_sink.commits_to(5).await;
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(slow.seen().len(), 4, "one attempt per lead, and nothing else, is under way at the slow sink");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_committed_when_the_dead_letter_is_safe() {
    let receiver = Receiver::start(|_, _| Reply::Answer(422, "", "no"));
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(7, "a").await;
    sink.commits_to(7).await;
    sink.commits_to(8).await;
    let letters = sink.letters.0.lock().expect("not poisoned");
    let header = |name: &str| {
        let found = letters[0].headers.iter().find(|(n, _)| n == name);
        found.and_then(|(_, value)| String::from_utf8(value.clone()?).ok()).unwrap_or_default()
    };
    assert_eq!((letters.len(), receiver.seen().len()), (1, 2));
    #[rustfmt::skip]
    let expected = [
        ("hotlead_sink", "crm"), ("hotlead_reason", "message"), ("hotlead_detail", "status 422"),
        ("hotlead_attempts", "2"), ("hotlead_last_status", "422"), ("hotlead_source", "hotlead.alerts/0@7"),
        ("hotlead_redrives", "0"), ("ce_id", "00000000000000000000000000000007"),
    ];
    for (name, value) in expected {
        assert_eq!(header(name), value, "{name}");
    }
    assert!(header("hotlead_first_failed").ends_with('Z'));
    assert_eq!(letters[0].key.as_deref(), Some(b"a".as_slice()));
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
    assert_eq!(sink.letters.0.lock().expect("not poisoned").len(), 1);
    assert_eq!(ids(&receiver.seen()), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_keeps_the_backlog() {
    let receiver = Receiver::start(|_, _| Reply::Answer(410, "", ""));
    let mut sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    wait_for("the answer", || receiver.seen().len() == 1).await;
    sink.feed(1, "b").await;
    let (answer, commits) = blocking::sync_channel(1);
    sink.events.send(Event::Revoking(vec![P0], answer)).await.expect("the worker lives");
    let commits = tokio::task::spawn_blocking(move || commits.recv_timeout(DEADLINE)).await.expect("it ends");
    assert_eq!(commits.expect("an answer")[0].1.get(), 0);
    sink.commits_to(0).await;
    assert!(sink.letters.0.lock().expect("not poisoned").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_waits_for_what_is_under_way_and_starts_nothing() {
    let receiver = Receiver::start(|_, _| Reply::Slow(500));
    let sink = Driven::start(&receiver.webhook(5_000), Duration::from_secs(3_600));
    sink.assign().await;
    sink.feed(0, "a").await;
    sink.feed(1, "a").await;
    wait_for("the first attempt", || receiver.seen().len() == 1).await;
    let (answer, commits) = blocking::sync_channel(1);
    sink.events.send(Event::Revoking(vec![P0], answer)).await.expect("the worker lives");
    let commits = tokio::task::spawn_blocking(move || commits.recv_timeout(DEADLINE)).await.expect("it ends");
    assert_eq!(commits.expect("an answer")[0].1.get(), 1);
    assert_eq!(receiver.seen().len(), 1);
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
