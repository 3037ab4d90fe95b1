//! The console over a real socket: who is answered, what the health endpoints say, and the stream.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotlead::console::{Counters, Server, Sources, View};
use hotlead::core::alert::Alert;
use hotlead::core::time::Timestamp;
use hotlead::notify::slack::gallery;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A console on a free port (or one that was free before), which ends with the test.
pub struct Console {
    pub view: Arc<View>,
    pub address: SocketAddr,
    pub ready: Arc<AtomicBool>,
    runtime: Option<Runtime>,
    close: Option<oneshot::Sender<()>>,
}

impl Console {
    pub fn start(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(Server::bind(([127, 0, 0, 1], port).into())).expect("a free port");
        let (address, view, ready) = (server.address(), Arc::new(View::new()), Arc::new(AtomicBool::new(true)));
        let is_ready = ready.clone();
        let sources = Sources {
            group: "test".into(),
            is_demo: false,
            waiting_for: "events on engagement at localhost:9092".into(),
            readiness: Box::new(move || {
                if is_ready.load(Ordering::Relaxed) { Ok(()) } else { Err("no broker answers".into()) }
            }),
            metrics: Box::new(|| "hotlead_events_total{outcome=\"applied\"} 1\n".into()),
            cards: Some(serde_json::to_string(&gallery::samples(Timestamp::from_millis(1_795_341_734_120))).unwrap()),
        };
        let (close, closing) = oneshot::channel::<()>();
        let shown = view.clone();
        runtime.spawn(async move {
            server.run(shown, sources, async { drop(closing.await) }).await.expect("served");
        });
        Self { view, address, ready, runtime: Some(runtime), close: Some(close) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Sends a request and returns the status line with the headers in lower case, and the body.
    fn ask(&self, path: &str, host: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.ask(path, &self.address.to_string())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// An alert on a lead of that name; the number makes it another one.
pub fn alert(number: u32, name: &str, score: f64) -> Alert {
    serde_json::from_value(json!({
        "id": format!("{number:032x}"), "rule": "pricing-surge", "tier": "hot", "kind": "opened",
        "lead": {"key": format!("u{number}"), "name": name, "company": "Acme Robotics", "job_title": "VP Engineering"},
        "time": "2026-11-22T10:02:14.120Z", "episode_start": "2026-11-22T10:02:14.120Z",
        "reason": "3 pricing views in 41 min", "flags": ["unsubscribed"], "flag_texts": ["unsubscribed: call, don't mail"],
        "score": {"total": score, "fit": 20.0, "behaviour": score - 20.0},
        "trigger": {"event_id": "e-1", "time": "2026-11-22T10:02:14.120Z", "source": "engagement/2@1234"},
        "evidence": [{"signal": "pricing_view", "time": "2026-11-22T10:02:14.120Z", "points": score - 20.0, "source": "engagement/2@1234", "label": "/pricing"}],
        "rules_version": "sha256:00",
    }))
    .expect("an alert")
}

/// One message of the stream: its fields by name.
fn message(lines: &mut impl Iterator<Item = String>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for line in lines {
        // A chunked body puts the chunk's size on a line of its own.
        match line.split_once(':') {
            Some((name, value)) => fields.push((name.to_owned(), value.trim().to_owned())),
            None if fields.iter().any(|(name, _)| name == "data") => return fields,
            None => {}
        }
    }
    panic!("the stream ended after {fields:?}");
}

fn field<'a>(message: &'a [(String, String)], name: &str) -> &'a str {
    &message.iter().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no {name} in {message:?}")).1
}

#[test]
fn a_stream_begins_with_a_snapshot_and_goes_on_with_what_happens() {
    let console = Console::start(0);
    console.view.alert(&alert(1, "Dana Ruiz", 65.0), None);
    let mut stream = TcpStream::connect(console.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /api/events HTTP/1.1\r\nHost: {}\r\nLast-Event-ID: 99\r\n\r\n", console.address).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");

    let first = message(&mut lines);
    assert_eq!(field(&first, "event"), "snapshot");
    let snapshot: Value = serde_json::from_str(field(&first, "data")).expect("JSON");
    assert_eq!(snapshot["cards"][0]["alert"]["lead"]["name"], "Dana Ruiz");
    assert_eq!(snapshot["about"]["group"], "test");
    let id: u64 = field(&first, "id").parse().expect("a number");

    console.view.alert(&alert(2, "Jin Park", 80.0), Some(Duration::from_millis(4)));
    let second =
        std::iter::repeat_with(|| message(&mut lines)).find(|message| field(message, "event") == "alert").unwrap();
    assert!(field(&second, "id").parse::<u64>().unwrap() > id);
    let card: Value = serde_json::from_str(field(&second, "data")).expect("JSON");
    assert_eq!((&card["alert"]["lead"]["name"], &card["delay_ms"]), (&json!("Jin Park"), &json!(4.0)));

    let tick =
        std::iter::repeat_with(|| message(&mut lines)).find(|message| field(message, "event") == "tick").unwrap();
    assert!(field(&tick, "data").contains("events_per_second"));
}

#[test]
fn only_our_own_host_is_answered_and_every_answer_keeps_the_page_to_itself() {
    let console = Console::start(0);
    for path in ["/", "/api/state", "/api/events", "/metrics", "/healthz"] {
        let (head, body) = console.ask(path, &format!("rebind.example:{}", console.address.port()));
        assert!(head.starts_with("http/1.1 403"), "{path}: {head}");
        assert!(body.contains("Host header"), "{path}: {body}");
    }
    let (head, body) = console.ask("/", &format!("localhost:{}", console.address.port()));
    assert!(head.starts_with("http/1.1 200") && body.starts_with("<!doctype html>"), "{head}");
    let policy = head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert!(head.contains("x-content-type-options: nosniff") && head.contains("cache-control: no-store"), "{head}");
    assert!(!body.contains("://"), "nothing comes from elsewhere");
}

#[test]
fn health_metrics_and_state_are_served() {
    let console = Console::start(0);
    assert_eq!(console.get("/healthz").1, "ok\n");
    assert!(console.get("/readyz").0.starts_with("http/1.1 200"));
    console.ready.store(false, Ordering::Relaxed);
    let (head, body) = console.get("/readyz");
    assert!(head.starts_with("http/1.1 503") && body == "not ready: no broker answers\n", "{head} {body}");
    assert!(console.get("/healthz").0.starts_with("http/1.1 200"), "alive although not ready");
    let (head, body) = console.get("/metrics");
    assert!(body.contains("hotlead_events_total") && !body.contains("# EOF"), "{body}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "as it was not asked for OpenMetrics: {head}");

    console.view.alert(&alert(1, "Dana Ruiz", 65.0), None);
    console.view.counters(Counters { leads: 7, ..Counters::default() });
    let state: Value = serde_json::from_str(&console.get("/api/state").1).expect("JSON");
    assert_eq!((&state["counters"]["leads"], &state["hottest"][0]["key"]), (&json!(7), &json!("u1")));
    assert!(console.get("/api/lead?key=u1").1.contains("pricing-surge"));
    assert!(console.get("/api/lead?key=nobody").0.starts_with("http/1.1 404"));
    assert!(console.get("/nothing").0.starts_with("http/1.1 404"));
}
