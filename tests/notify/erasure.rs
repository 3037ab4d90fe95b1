//! `hotlead state erase` beside the running program, a strict Slack and a real broker: what the lead left with the sinks goes too.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::bot::Deployment;
use super::receiver::Receiver;
use crate::kafka::{Outgoing, broker};
use crate::supervise::wait_for;

const DEADLINE: Duration = Duration::from_secs(60);

/// What says who it is: wherever one of these stands, somebody can tell.
const PLANTED: [&str; 4] = ["zora.quill@plumbago.example", "Zora Quill", "Plumbago Works", "plumbago.example"];

/// An event of the lead whose key is an address: its name and company are known from it.
fn event(number: u32, r#type: &str) -> Outgoing {
    let [key, name, company, _] = PLANTED;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let event = json!({
        "id": format!("e-{number}"), "time": now.as_millis() as u64, "type": r#type, "name": "Demo Requested",
        "lead": { "email": key }, "traits": { "name": name, "company": company },
    });
    Outgoing { partition: Some(0), ..Outgoing::new(key, event.to_string()) }
}

/// The newest value of each key of a topic, without those that compaction takes away.
fn compacted(topic: &str) -> Vec<Vec<u8>> {
    let mut newest = BTreeMap::new();
    for record in broker().consume_visible(topic) {
        newest.insert((record.partition, record.key.clone()), record);
    }
    let kept = newest.into_values().filter_map(|record| {
        let mut bytes = record.key.unwrap_or_default();
        bytes.extend(record.value?);
        record.headers.into_iter().for_each(|(name, value)| {
            bytes.extend(name.into_bytes());
            bytes.extend(value.unwrap_or_default());
        });
        Some(bytes)
    });
    kept.collect()
}

/// What of the planted stands in a topic once it is compacted.
fn left_on(topic: &str) -> Vec<&'static str> {
    let records: Vec<String> =
        compacted(topic).iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect();
    PLANTED.into_iter().filter(|planted| records.iter().any(|record| record.contains(planted))).collect()
}

/// Cards and replies of the lead: all that names it, and all that Slack shows as redacted.
fn shown(deployment: &Deployment) -> (usize, usize) {
    let state = deployment.slack.state();
    let messages: Vec<String> = state["messages"].as_array().expect("a list").iter().map(|m| m.to_string()).collect();
    let names =
        |message: &&String| PLANTED.iter().any(|planted| message.contains(planted)) || message.contains("pricing-view");
    let redacted = messages.iter().filter(|message| message.contains("Erased on request")).count();
    (messages.iter().filter(names).count(), redacted)
}

fn erase(deployment: &Deployment) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_hotlead"))
        .args(["state", "erase", PLANTED[0], "--config", "hotlead.yaml"])
        .current_dir(deployment.process.folder())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(0), "{said}");
    said
}

/// Goal: a card, its reply and what waits for a webhook are gone after an erasure, although Slack takes no edit at first and the
/// program dies meanwhile; the next event has a card of its own. Method: real events, so that the engine's owner hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_erased_lead_leaves_slack_and_the_ledgers() {
    // So late that the alert waits in the ledger, with its payload.
    let crm = Receiver::start(|_| (503, "retry-after: 3000")).await;
    tokio::task::block_in_place(|| {
        let mut deployment = Deployment::with("erased", &super::restart::webhook("crm", &crm));
        deployment.start();
        let events = deployment.topic("events");
        let (sdr, webhook) = (deployment.topic("hotlead.delivery.sdr"), deployment.topic("hotlead.delivery.crm"));
        broker().produce(&events, [event(1, "track")]);
        wait_for("the card", DEADLINE, || (shown(&deployment) == (1, 0)).then_some(()));
        broker().produce(&events, [event(2, "page")]);
        wait_for("the card and the reply", DEADLINE, || (shown(&deployment) == (2, 0)).then_some(()));
        wait_for("the parked alert", DEADLINE, || (left_on(&webhook) == PLANTED).then_some(()));
        wait_for("the card on the ledger", DEADLINE, || (left_on(&sdr) == PLANTED).then_some(()));

        deployment.slack.control(&json!({ "faults": [{ "method": "chat.update", "times": 1000, "status": 503 }] }));
        let said = erase(&deployment);
        for words in ["sdr, crm are dropped", "that sdr posted are edited", "what crm has sent cannot be changed"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let edits = deployment.slack.count("chat.update");
        wait_for("an edit in vain", DEADLINE, || (deployment.slack.count("chat.update") > edits).then_some(()));
        wait_for("clean ledgers", DEADLINE, || {
            (left_on(&sdr).is_empty() && left_on(&webhook).is_empty()).then_some(())
        });
        assert_eq!(shown(&deployment), (2, 0), "Slack takes no edit");
        deployment.process.signal("KILL");
        deployment.start();
        deployment.slack.control(&json!({ "faults": [] }));
        wait_for("the redacted card and reply", DEADLINE, || (shown(&deployment) == (0, 2)).then_some(()));

        // A fresh event: a new card, which stays one through another restart.
        let asked = crm.seen().len();
        broker().produce(&events, [event(3, "track")]);
        wait_for("a new card", DEADLINE, || (shown(&deployment) == (1, 2)).then_some(()));
        wait_for("the webhook hears of the new alert", DEADLINE, || (crm.seen().len() > asked).then_some(()));
        deployment.process.signal("KILL");
        deployment.start();
        broker().produce(&events, [event(4, "page")]);
        wait_for("a new reply", DEADLINE, || (shown(&deployment) == (2, 2)).then_some(()));
        let ended = deployment.outcomes();
        assert_eq!(ended.len(), 4, "every alert of the bot has ended: {ended:?}");
        let ledger = String::from_utf8(compacted(&webhook).concat()).expect("text");
        assert_eq!(ledger.matches(r#""outcome":"suppressed""#).count(), 2, "{ledger}");
        deployment.slack.assert_kept();
        assert!(!deployment.process.log().contains("Zora"), "a log names nobody");
    });
}
