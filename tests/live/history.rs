//! A real site's log through `hotlead run` on a real broker: the known leads, and what a backtest of the captured topic
//! says, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use hotlead::core::time::Timestamp;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use serde_json::{Value, json};

use super::DEADLINE;
use super::program::Program;
use crate::kafka::{Outgoing, broker, unique};
use crate::python;
use crate::supervise::wait_for;

const VISITS: &str = include_str!("../data/site-visits.ndjson");

const RULES: &str = "version: 1
signals: { any_page: { on: page } }
rules:
  - { id: three, when: { count: { signal: any_page, at_least: 3, within: 1h } } }
  - { id: five, when: { count: { signal: any_page, at_least: 5, within: 1h } } }
  - { id: ten, when: { count: { signal: any_page, at_least: 10, within: 1h } } }
";

/// What a slow count of the log gives: rule, different leads, alerts that opened.
const KNOWN: [(&str, usize, usize); 3] = [("three", 99, 123), ("five", 45, 59), ("ten", 17, 22)];

/// Every visit as a record: keyed by lead, its event time as timestamp.
fn visits() -> impl Iterator<Item = Outgoing> {
    VISITS.lines().map(|line| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let time: Timestamp = serde_json::from_value(event["timestamp"].clone()).expect("a time");
        let lead = event["anonymousId"].as_str().expect("a lead");
        Outgoing { timestamp: Some(time.as_millis()), ..Outgoing::new(lead, line) }
    })
}

/// How many records of a topic of four partitions a group has done.
fn committed(group: &str, topic: &str) -> i64 {
    let consumer: BaseConsumer = broker().client_config().set("group.id", group).create().expect("a consumer");
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(topic, 0, 3);
    let offsets = consumer.committed_offsets(asked, DEADLINE).expect("offsets");
    let offset = |element: TopicPartitionListElem<'_>| element.offset().to_raw().filter(|offset| *offset > 0);
    offsets.elements().into_iter().filter_map(offset).sum()
}

#[test]
fn a_real_log_gives_the_known_leads_live_and_the_same_bytes_in_a_backtest() {
    let name = unique("history");
    let events = format!("{name}.events");
    // The visits are of 2015: retention must not take them.
    broker().create_topic(&events, 4, &[("retention.ms", "-1")]);
    broker().produce(&events, visits());
    let mut run = Program::with_rules(RULES, &["run"], broker().bootstrap(), &name);
    wait_for("the last event", DEADLINE, || (committed(&name, &events) == VISITS.lines().count() as i64).then_some(()));
    run.signal("TERM");
    assert_eq!(run.exit_code(), Some(0), "{}", run.log());

    let read = |command: &'static str, more: &[&str]| {
        let arguments: Vec<_> = [&[command, "--from", "beginning", "--until-end"], more].concat();
        let mut program = Program::with_rules(RULES, &arguments, broker().bootstrap(), &name);
        let output = program.output();
        assert_eq!(program.exit_code(), Some(0), "{}", program.log());
        output
    };
    let live = read("tail", &["--json"]);
    for (rule, leads, alerts) in KNOWN {
        let of_rule = live.lines().map(|line| serde_json::from_str::<Value>(line).expect("an alert"));
        let keys: Vec<_> = of_rule
            .filter(|alert| alert["rule"] == rule && alert["kind"] == "opened")
            .map(|a| a["lead"]["key"].to_string())
            .collect();
        assert_eq!(keys.len(), alerts, "alerts of {rule}");
        assert_eq!(keys.into_iter().collect::<BTreeSet<_>>().len(), leads, "leads of {rule}");
    }

    let folder = tempfile::tempdir().expect("a folder");
    let (rules, captured) = (folder.path().join("rules.yaml"), folder.path().join("captured.ndjson"));
    fs::write(&rules, RULES).expect("a file");
    fs::write(&captured, read("capture", &[])).expect("a file");
    let backtest = Command::new(env!("CARGO_BIN_EXE_hotlead"))
        .args(["backtest", "--lead-key", "user_id,anonymous_id", "--json", "--rules"])
        .arg(&rules)
        .arg("--events")
        .arg(&captured)
        .output()
        .expect("it runs");
    assert!(backtest.status.success(), "{}", String::from_utf8_lossy(&backtest.stderr));
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let again = String::from_utf8(backtest.stdout).expect("UTF-8");
    assert_eq!(sorted(&live), sorted(&again), "live and backtest");
    for kind in ["updated", "closed"] {
        assert!(live.contains(&format!(r#""kind":"{kind}""#)), "{kind} ones are among them");
    }
    assert_eq!(live.lines().count(), sorted(&live).len(), "none twice");
}

/// Goal: anybody's CloudEvents library reads the alert topic.
#[test]
fn the_official_library_reads_an_alert_as_a_cloudevent() {
    const READ: &str = "
import base64, json, sys
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
record = json.load(sys.stdin)
headers = {name: base64.b64decode(value) for name, value in record['headers'].items()}
event = from_kafka_event(KafkaMessage(headers=headers, key=record['key'], value=base64.b64decode(record['value'])))
data = event.get_data()
print(json.dumps({'id': event.get_id(), 'type': event.get_type(), 'source': event.get_source(), 'subject': event.get_subject(),
    'specversion': event.get_specversion(), 'time': event.get_time().isoformat(), 'media': event.get_datacontenttype(), 'rule': data['rule']}))
";
    let name = unique("cloudevents");
    let events = format!("{name}.events");
    broker().create_topic(&events, 1, &[]);
    broker().produce(&events, [super::running::demo_request(1, 1)]);
    let run = Program::start(&["run"], broker().bootstrap(), &name);
    let records = wait_for("an alert", DEADLINE, || {
        Some(broker().consume_visible(&format!("{name}.hotlead.alerts"))).filter(|records| !records.is_empty())
    });
    drop(run);
    let encode = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let headers: BTreeMap<_, _> =
        records[0].headers.iter().map(|(name, value)| (name, encode(value.as_deref().unwrap_or_default()))).collect();
    let alert: Value = serde_json::from_str(&records[0].value_text()).expect("an alert");
    let record = json!({
        "headers": headers,
        "key": alert["lead"]["key"],
        "value": encode(records[0].value.as_deref().unwrap_or_default()),
    });
    let seen: Value = serde_json::from_str(&python::check(READ, &[], record.to_string().as_bytes())).expect("JSON");
    let time = alert["time"].as_str().expect("a time").replace('Z', "000+00:00");
    let time = time.replace(".000000+", "+");
    assert_eq!(
        seen,
        json!({
            "id": alert["id"], "type": "hotlead.alert.opened.v1", "source": format!("/hotlead/{name}"),
            "subject": alert["lead"]["key"], "specversion": "1.0", "time": time, "media": "application/json",
            "rule": "demo-requested",
        })
    );
}
