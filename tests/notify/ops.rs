//! What the people who run hotlead are told, on a real broker: the ops topic, readiness, metrics and the page.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hotlead::codec::ops::{self, Notice, Type};
use serde_json::Value;

use super::broker::alert;
use super::receiver::Receiver;
use super::restart::{Deployment, webhook};
use crate::kafka::{Outgoing, broker};
use crate::supervise::{free_port, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// What the page's server answers: the status and the body; nothing while nobody listens.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

/// Waits until it is ready or not; gives why not.
fn ready(port: u16, wanted: u16) -> String {
    wait_for(&format!("{wanted} of /readyz"), DEADLINE, || {
        get(port, "/readyz").filter(|(status, _)| *status == wanted).map(|(_, body)| body)
    })
}

/// The notices so far, with their keys.
fn notices(deployment: &Deployment) -> Vec<(String, Notice)> {
    let records = broker().consume_visible(&deployment.topic("hotlead.ops")).into_iter();
    let notice = |value: &[u8]| ops::read(value).expect("a notice");
    let read = records.map(|record| (record.key.unwrap_or_default(), notice(&record.value.unwrap_or_default())));
    read.map(|(key, notice)| (String::from_utf8(key).expect("text"), notice)).collect()
}

/// The first notice of this type about this sink.
fn told(deployment: &Deployment, r#type: Type, sink: Option<&str>) -> (String, Notice) {
    wait_for(&format!("{} of {sink:?}", r#type.name()), DEADLINE, || {
        let is_it = |(_, notice): &(String, Notice)| notice.r#type == r#type && notice.sink.as_deref() == sink;
        notices(deployment).into_iter().find(is_it)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_seen_everywhere_until_its_secret_is_replaced() {
    let (refusing, taking) =
        (Receiver::start(|_| (403, "invalid_token")).await, Receiver::start(|_| (200, "ok")).await);
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("url");
    fs::write(&secret, refusing.url()).expect("a writable folder");
    tokio::task::block_in_place(|| {
        let sinks = format!(
            "  - id: sdr\n    start: earliest\n    slack: {{ webhook_url: 'file:{}', allow_http: true, \
             allow_networks: [127.0.0.0/8] }}\n",
            secret.display()
        );
        let port = free_port();
        let deployment = Deployment::with("blocked", 1, &sinks).on_port(port);
        let mut process = deployment.start("a");
        ready(port, 200);
        let (key, heartbeat) = told(&deployment, Type::Heartbeat, Some("sdr"));
        assert_eq!((key.as_str(), heartbeat.count), ("sdr", 0));

        deployment.publish([alert(1, "a"), alert(2, "b")]);
        wait_for("the first refusal", DEADLINE, || (!refusing.seen().is_empty()).then_some(()));
        let refused = Instant::now();
        let why = ready(port, 503);
        assert!(refused.elapsed() < Duration::from_secs(5), "after {:?}", refused.elapsed());
        assert_eq!(why, "not ready: the credential of sink sdr is refused\n");
        assert_eq!(get(port, "/healthz"), Some((200, "ok\n".to_owned())));
        let (key, blocked) = told(&deployment, Type::SinkBlocked, Some("sdr"));
        assert_eq!((key.as_str(), blocked.count), ("sdr", 2));
        assert_eq!(blocked.reason, "the credential is refused: status 403, invalid_token");
        let (_, metrics) = get(port, "/metrics").expect("metrics");
        for line in [
            "hotlead_sink_trouble{sink=\"sdr\",trouble=\"blocked\"} 1",
            "hotlead_notices_total{sink=\"sdr\",type=\"sink.blocked\"} 1",
            "hotlead_heartbeat_age_seconds{sink=\"sdr\"}",
        ] {
            assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
        }
        let (_, state) = get(port, "/api/state").expect("the page's data");
        let state: Value = serde_json::from_str(&state).expect("JSON");
        let row = &state["deliveries"][0];
        assert_eq!((&row["sink"], &row["state"], &row["attempts"]), (&"sdr".into(), &"held".into(), &1.into()));

        fs::write(&secret, taking.url()).expect("a writable folder");
        let replaced = Instant::now();
        ready(port, 200);
        assert!(replaced.elapsed() < Duration::from_secs(15), "after {:?}", replaced.elapsed());
        let (_, unblocked) = told(&deployment, Type::SinkUnblocked, Some("sdr"));
        assert_eq!((unblocked.reason.as_str(), unblocked.since), ("it was blocked and is open again", blocked.since));
        wait_for("both cards", DEADLINE, || (taking.seen().len() == 2).then_some(()));
        process.tell("TERM");
        assert_eq!(process.ended(), 0, "{}", process.log());
        let types: Vec<_> = notices(&deployment).into_iter().map(|(_, notice)| notice.r#type).collect();
        assert_eq!(types.iter().filter(|found| **found == Type::SinkBlocked).count(), 1, "{types:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn open_breakers_dead_letters_and_endpoints_that_are_gone_are_told_once_and_leave_it_ready() {
    let failing = Receiver::start(|_| (503, "")).await;
    let refusing = Receiver::start(|_| (422, "")).await;
    let gone = Receiver::start(|_| (410, "")).await;
    tokio::task::block_in_place(|| {
        let port = free_port();
        let sinks = webhook("crm", &failing) + &webhook("strict", &refusing) + &webhook("gone", &gone);
        let deployment = Deployment::with("told", 1, &sinks).on_port(port);
        let mut process = deployment.start("a");
        ready(port, 200);
        deployment.publish((0..12).map(|number| alert(number, &format!("lead-{number}"))));
        broker().produce(&deployment.topic("events"), [Outgoing::new("k", "no JSON")]);

        let (key, notice) = told(&deployment, Type::DeliveryFailing, Some("crm"));
        assert_eq!(key, "crm");
        assert!(notice.reason.starts_with("the endpoint fails too often"), "{}", notice.reason);
        assert!(notice.count >= 7 && notice.since.is_some_and(|since| since <= notice.time), "{notice:?}");
        let (_, notice) = told(&deployment, Type::EndpointDisabled, Some("gone"));
        assert_eq!(notice.reason, "the endpoint is gone for good: status 410");
        let (_, notice) = told(&deployment, Type::DeadLettered, Some("strict"));
        assert_eq!((notice.reason.as_str(), notice.count, notice.since), ("given up: message 1", 1, None));
        let (key, notice) = told(&deployment, Type::DeadLettered, None);
        assert_eq!((notice.reason.as_str(), notice.count), ("could not be read: not_json 1", 1));
        assert!(deployment.topic("").starts_with(&key), "the group's name: {key}");

        let dead = deployment.topic("hotlead.dead-letter");
        wait_for("all dead letters", DEADLINE, || (broker().consume_visible(&dead).len() == 13).then_some(()));
        ready(port, 200);
        process.tell("TERM");
        assert_eq!(process.ended(), 0, "{}", process.log());
        let all = notices(&deployment);
        let count = |r#type: Type, sink: &str| {
            all.iter().filter(|(key, notice)| key == sink && notice.r#type == r#type).count()
        };
        assert_eq!((count(Type::DeliveryFailing, "crm"), count(Type::EndpointDisabled, "gone")), (1, 1), "{all:?}");
        assert!(count(Type::DeadLettered, "strict") <= 2, "twelve of them: {all:?}");
    });
}
