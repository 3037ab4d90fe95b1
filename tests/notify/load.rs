//! What much of everything costs: memory while 10,000 alerts wait, receivers that never end, a storm, a bad endpoint among
//! many, and Slack down for minutes. The real program, a real broker; each prints its figures.
//!
//! The long forms have their own command, `tests/notify/long`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hotlead::core::alert::AlertKind;
use serde_json::{Value, json};

use super::bot::record;
use super::fake_slack::{CHANNEL, FakeSlack};
use super::receiver::Receiver;
use super::restart::{Deployment, hold, sink, webhook};
use crate::kafka::{Outgoing, Record, broker};
use crate::supervise::{Supervised, free_port, wait_for};

const DEADLINE: Duration = Duration::from_secs(240);

/// How much more memory anything of this may take (delivery-contract 21).
const MOST_MIB: u64 = 128;

/// A number that the environment may change.
fn size(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

/// An alert of about 4 KiB for a lead of its own.
fn large(number: u128, partitions: u128) -> Outgoing {
    let mut alert = record(number, &format!("Lead{number:05}x"), "pricing-surge", AlertKind::Opened);
    let mut value: Value = serde_json::from_slice(alert.value.as_deref().expect("an alert")).expect("JSON");
    value["flag_texts"] = json!(["f".repeat(2_800)]);
    alert.value = Some(serde_json::to_vec(&value).expect("JSON"));
    Outgoing { partition: Some((number % partitions) as i32), ..alert }
}

/// A number of `/proc/<pid>/status`, in MiB.
fn memory(process: &Supervised, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid().expect("it runs"))).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("such a line");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") / 1_024
}

/// The value of a metric on the page's server; 0 if it is not there.
pub fn metric(port: u16, line: &str) -> u64 {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok());
    value.unwrap_or_default() as u64
}

/// A bot as it stands in the config file; its token is in a file of this folder.
fn bot(folder: &tempfile::TempDir, slack: &FakeSlack) -> String {
    let token = folder.path().join("token");
    std::fs::write(&token, "xoxb-good\n").expect("a writable folder");
    format!(
        "  - id: sdr\n    start: earliest\n    slack: {{ token: 'file:{}', channel: {CHANNEL}, api_url: '{}', \
         allow_http: true, allow_networks: [127.0.0.0/8] }}\n",
        token.display(),
        slack.api_url()
    )
}

/// Publishes 10,000 alerts to one sink and looks at its memory until it has taken all of them in and a while after. Gives the
/// MiB that it took more at the highest.
fn waiting(name: &str, id: &str, sinks: &str) -> u64 {
    const ALERTS: u128 = 10_000;
    const PARTITIONS: i32 = 8;
    let port = free_port();
    let deployment = Deployment::with(name, PARTITIONS, sinks).on_port(port);
    let process = deployment.start("a");
    let before = memory(&process, "VmRSS");
    deployment.publish((0..ALERTS).map(|number| large(number, PARTITIONS as u128)));
    let begun = Instant::now();
    let in_flight = format!("hotlead_delivery_in_flight{{sink=\"{id}\"}}");
    let parked = format!("hotlead_delivery_parked{{sink=\"{id}\"}}");
    let held = || metric(port, &in_flight) + metric(port, &parked);
    // A few may have ended.
    wait_for("all of them in memory", DEADLINE, || (held() >= ALERTS as u64 - 100).then_some(()));
    let taken_in = begun.elapsed();
    // Long enough for attempts, for a breaker that opens, and for the first parked ones.
    wait_for("attempts", DEADLINE, || (begun.elapsed() > taken_in + Duration::from_secs(20)).then_some(()));
    let more = memory(&process, "VmHWM").saturating_sub(before);
    println!("{name}: {} alerts wait, {before} MiB before, {more} MiB more at the highest", held());
    assert!(held() >= ALERTS as u64 - 100, "they still wait");
    more
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_before_a_dead_webhook_cost_little_memory() {
    let crm = Receiver::start(|_| (200, "")).await;
    tokio::task::block_in_place(|| {
        // Nobody listens there.
        let dead = webhook("crm", &crm).replace(&format!(":{}/", crm.port), &format!(":{}/", free_port()));
        let more = waiting("dead-webhook", "crm", &dead);
        assert!(more <= MOST_MIB, "{more} MiB more");
    });
}

#[test]
fn ten_thousand_alerts_before_a_slack_that_answers_429_or_is_down_cost_little_memory() {
    let faults = [
        ("slack-429", json!({ "method": "chat.postMessage", "times": 1_000_000, "retry_after": 30 })),
        ("slack-down", json!({ "method": "chat.postMessage", "times": 1_000_000, "status": 503 })),
    ];
    for (name, fault) in faults {
        let (folder, slack) = (tempfile::tempdir().expect("a folder"), FakeSlack::start());
        slack.control(&json!({ "faults": [fault] }));
        let more = waiting(name, "sdr", &bot(&folder, &slack));
        assert!(more <= MOST_MIB, "{name}: {more} MiB more");
    }
}

/// How a gzip stream begins whose text is zeros, and the bytes that go on for ever in it: each time 2,064 zeros.
const ZEROS: (&[u8], &[u8]) = (
    &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0x63, 0x18],
    &[0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28, 0x18],
);

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Answers each connection with this head, and then with a body that begins and goes on so, as long as somebody reads.
fn endless(head: &'static str, (first, more): (&'static [u8], &'static [u8])) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (port, asked) = (listener.local_addr().expect("an address").port(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || {
                let mut request = [0; 16 * 1_024];
                let _ = stream.read(&mut request);
                let begin = [head.as_bytes(), &chunk(&[first, more].concat())].concat();
                let go_on = chunk(&more.repeat(5_000));
                let _ = stream.write_all(&begin);
                while stream.write_all(&go_on).is_ok() {}
            });
        }
    });
    (port, asked)
}

/// Goal: bodies that never end, and one that would be endless zeros if it were unpacked: read a little, judged by the status,
/// dropped.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_or_are_packed_cost_little_memory_and_are_delivered() {
    const ALERTS: u128 = 200;
    let heads = [
        ("endless", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", (&b"x"[..], &b"x"[..])),
        ("bomb", "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n", ZEROS),
    ];
    let any = Receiver::start(|_| (200, "")).await;
    tokio::task::block_in_place(|| {
        for (name, head, body) in heads {
            let (port, asked) = endless(head, body);
            let sinks = webhook("crm", &any).replace(&format!(":{}/", any.port), &format!(":{port}/"));
            let deployment = Deployment::with(name, 1, &sinks);
            let process = deployment.start("a");
            let before = memory(&process, "VmRSS");
            deployment.publish((0..ALERTS).map(|number| large(number, 1)));
            wait_for("all of them delivered", DEADLINE, || {
                let told: Value = serde_json::from_str(&sink(&process, &["status", "crm", "--json"]).1).ok()?;
                (told["delivered"] == ALERTS as u64).then_some(())
            });
            let more = memory(&process, "VmHWM").saturating_sub(before);
            println!("{name}: {ALERTS} answers without an end, {before} MiB before, {more} MiB more at the highest");
            assert!(more <= MOST_MIB, "{more} MiB more");
            assert_eq!(asked.load(Ordering::Relaxed), ALERTS as usize, "each once");
        }
    });
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

fn id_of(record: &Record) -> String {
    let id = record.headers.iter().find(|(name, _)| name == "ce_id").and_then(|(_, value)| value.clone());
    String::from_utf8(id.expect("an id")).expect("text")
}

/// Prints how long something took, in milliseconds; gives the longest.
fn told(what: &str, mut took: Vec<i64>) -> i64 {
    took.sort_unstable();
    let part = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!("{what}: p50 {} ms, p99 {} ms, longest {} ms", part(50), part(99), part(100));
    part(100)
}

/// Goal: one endpoint that hangs changes nothing for the others. Method: alerts in two halves, the second with one sink whose
/// receiver takes requests and never answers; how long each of the other deliveries took from the alert's record on.
#[tokio::test(flavor = "multi_thread")]
async fn one_endpoint_that_hangs_leaves_the_others_as_quick_as_they_were() {
    let sinks = size("HOTLEAD_SINKS", 12);
    const ROUND: usize = 20;
    let hangs = Arc::new(AtomicBool::new(false));
    let (is_hung, over) = (hangs.clone(), Arc::new(AtomicBool::new(false)));
    let release = over.clone();
    let bad = Receiver::start(move |_| {
        if is_hung.load(Ordering::Relaxed) {
            hold(&release);
        }
        (200, "")
    });
    let bad = bad.await;
    // By sink and alert, the first of its repeats.
    let arrivals: Arc<Mutex<BTreeMap<(String, String), i64>>> = Arc::default();
    let all = arrivals.clone();
    let good = Receiver::start(move |request| {
        let which = (request.path.clone(), request.header("webhook-id").to_owned());
        all.lock().expect("not poisoned").entry(which).or_insert_with(now_ms);
        (200, "")
    });
    let good = good.await;
    tokio::task::block_in_place(|| {
        let one = |number| webhook(&format!("good-{number}"), &good).replace("/hook", &format!("/hook-{number}"));
        let good_sinks: String = (1..sinks).map(one).collect();
        let deployment = Deployment::with("hundred", 1, &(webhook("crm", &bad) + &good_sinks)).patient();
        let process = deployment.start("a");
        let mut figures = Vec::new();
        for (round, hung) in [(0, false), (1, true)] {
            hangs.store(hung, Ordering::Relaxed);
            arrivals.lock().expect("not poisoned").clear();
            for sent in 1..=ROUND {
                let number = (round * ROUND + sent) as u128;
                deployment.publish([super::broker::alert(number, &format!("lead-{number}"))]);
                let arrived = || arrivals.lock().expect("not poisoned").len();
                wait_for("all the others", DEADLINE, || (arrived() == sent * (sinks - 1)).then_some(()));
            }
            // From the alert's record on.
            let records = broker().consume_visible(&deployment.topic("hotlead.alerts")).into_iter();
            let published: BTreeMap<_, _> = records.map(|record| (id_of(&record), record.timestamp)).collect();
            let all = arrivals.lock().expect("not poisoned");
            let took = all.iter().map(|((_, id), at)| at - published[id].expect("a timestamp")).collect();
            let what = format!("{sinks} sinks, {ROUND} alerts, the bad one {}", if hung { "hangs" } else { "is well" });
            figures.push(told(&what, took));
        }
        // Its timeout is 60 s: nobody waited for that.
        assert!(figures[1] < 15_000, "{figures:?}");
        assert!(!process.log().contains("panicked"), "{}", process.log());
        let hung: Value = serde_json::from_str(&sink(&process, &["status", "crm", "--json"]).1).expect("an object");
        assert_eq!(hung["delivered"], ROUND as u64, "nothing since it hangs");
        over.store(true, Ordering::Relaxed);
    });
}

/// Goal: Slack is down for a while and comes back: nothing is lost, all end, a lead's alerts are told in order, what is not
/// older than `stale_after` is no late digest. Five minutes in its long form.
#[test]
fn an_outage_of_slack_loses_nothing() {
    let seconds = size("HOTLEAD_OUTAGE_SECONDS", 12) as u64;
    const LEADS: u128 = 12;
    let (folder, slack) = (tempfile::tempdir().expect("a folder"), FakeSlack::start());
    let deployment = Deployment::with("outage", 1, &bot(&folder, &slack));
    let process = deployment.start("a");
    let lead = |number: u128| format!("Lead{:02}x", number % LEADS);
    slack.control(&json!({ "faults": [{ "method": "chat.postMessage", "times": 1_000_000, "status": 503 },
                                      { "method": "chat.update", "times": 1_000_000, "status": 503 }] }));
    let begun = Instant::now();
    let mut number = 0;
    // One alert of each lead at first, then of one after the other while it lasts.
    while number < LEADS || begun.elapsed().as_secs() < seconds {
        let kind = if number < LEADS { AlertKind::Opened } else { AlertKind::Updated };
        deployment.publish([record(number, &lead(number), "pricing-surge", kind)]);
        number += 1;
        let pause = Duration::from_secs(seconds) / 60;
        let until = begun.elapsed() + pause.max(Duration::from_millis(50));
        wait_for("the next alert", DEADLINE, || (begun.elapsed() >= until).then_some(()));
    }
    let messages = slack.state()["messages"].as_array().map_or(0, Vec::len);
    assert_eq!(messages, 0, "it was down");
    slack.control(&json!({ "faults": [] }));
    let up = Instant::now();
    let told = || serde_json::from_str::<Value>(&sink(&process, &["status", "sdr", "--json"]).1).expect("an object");
    let of = |told: &Value, name: &str| told[name].as_u64().unwrap_or_default();
    let names = ["delivered", "superseded", "coalesced", "suppressed"];
    let ended = |told: &Value| names.iter().map(|name| of(told, name)).sum::<u64>();
    // A breaker that opened asks again after ten minutes at the latest.
    let end =
        wait_for("all ends", Duration::from_secs(900), || Some(told()).filter(|told| ended(told) == number as u64));
    println!("{seconds} s down, {number} alerts: {end}; {} s after its end all had one", up.elapsed().as_secs());
    assert_eq!((of(&end, "dead_lettered"), of(&end, "expired"), of(&end, "coalesced")), (0, 0, 0), "{end}");
    for first in 0..LEADS {
        let cards = slack.messages(&lead(first), false);
        assert_eq!(cards.len(), 1, "one card for {}", lead(first));
        let newest = (first..number).step_by(LEADS as usize).last().expect("one at least");
        assert!(cards[0]["blocks"].to_string().contains(&format!("reason {newest}\"")), "the newest: {}", cards[0]);
    }
    assert!(slack.messages("LATE | ", false).is_empty(), "nothing is older than stale_after");
    slack.assert_kept();
}

/// Goal: more alerts in a moment than Slack takes in an hour: memory stays bounded, the pace holds, the hottest have cards, all
/// others are counted in digests, and all end. Method: the strict Slack notes every breach of t + 3 posts in t seconds.
#[test]
fn a_storm_is_bounded_in_memory_and_in_posts_and_all_of_it_ends() {
    let alerts = size("HOTLEAD_STORM", 400);
    let (folder, slack) = (tempfile::tempdir().expect("a folder"), FakeSlack::start());
    let deployment = Deployment::with("storm", 1, &bot(&folder, &slack));
    let process = deployment.start("a");
    let (before, begun) = (memory(&process, "VmRSS"), Instant::now());
    deployment.publish((0..alerts as u128).map(|number| large(number, 1)));
    let told = || serde_json::from_str::<Value>(&sink(&process, &["status", "sdr", "--json"]).1).expect("an object");
    let of = |told: &Value, name: &str| told[name].as_u64().unwrap_or_default() as usize;
    let is_over = |told: &Value| of(told, "delivered") + of(told, "coalesced") == alerts;
    let end = wait_for("all ends", Duration::from_secs(900), || Some(told()).filter(is_over));
    let more = memory(&process, "VmHWM").saturating_sub(before);
    let digests = slack.messages("DIGEST | ", false);
    let number = |digest: &Value| {
        let head = digest["blocks"][0]["text"]["text"].as_str()?.strip_prefix("DIGEST | ")?.to_owned();
        head.split(' ').next()?.parse::<usize>().ok()
    };
    let named: usize = digests.iter().filter_map(number).sum();
    let posts = slack.count("chat.postMessage");
    println!(
        "{alerts} alerts at once: {} cards, {} in {} digests, {posts} posts in {} s; {before} MiB before, {more} MiB more",
        of(&end, "delivered"),
        of(&end, "coalesced"),
        digests.len(),
        begun.elapsed().as_secs()
    );
    assert_eq!((named, posts), (of(&end, "coalesced"), of(&end, "delivered") + digests.len()), "{end}");
    assert!(of(&end, "delivered") >= 20 && more <= MOST_MIB, "{end}, {more} MiB");
    slack.assert_kept();
}
