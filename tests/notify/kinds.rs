//! What sinks get of an episode that opens, goes on and ends: from events to requests, on a real broker.

use std::fs;

use hotlead::codec::ledger::{self, Entry};
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::restart::{Deployment, webhook};
use crate::kafka::{Outgoing, broker};
use crate::supervise::wait_for;

const RULES: &str = "version: 1
grace: 0s
signals: { pricing_view: { on: page, where: { page.path: /pricing } } }
rules: [ { id: surge, when: { count: { signal: pricing_view, at_least: 2, within: 1h } } } ]
";

/// A view of the pricing page at this time of day.
fn view(time: &str) -> Outgoing {
    let event = json!({
        "id": time, "time": format!("2026-11-22T{time}Z"), "type": "page", "lead": { "user_id": "u1" },
        "page": { "path": "/pricing" },
    });
    Outgoing::new("u1", event.to_string())
}

/// How the alerts of a sink ended, in their order.
fn ends(deployment: &Deployment, sink: &str) -> Vec<&'static str> {
    let records = broker().consume_visible(&deployment.topic(&format!("hotlead.delivery.{sink}")));
    let ended = records.iter().filter_map(|record| match ledger::read(record.value.as_deref()) {
        Ok(Some(Entry::Ended(ended))) => Some(ended.outcome.name()),
        _ => None,
    });
    ended.collect()
}

/// Goal: a webhook gets all of it in order; an incoming webhook of Slack, which can only post, gets one card and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_every_kind_and_an_incoming_webhook_what_opened() {
    let (crm, slack) = (Receiver::start(|_| (200, "")).await, Receiver::start(|_| (200, "ok")).await);
    let folder = tempfile::tempdir().expect("a folder");
    let address = folder.path().join("slack-url");
    fs::write(&address, slack.url()).expect("a writable folder");
    let incoming = format!(
        "  - id: sdr\n    slack: {{ webhook_url: 'file:{}', allow_http: true, allow_networks: [127.0.0.1] }}\n",
        address.display()
    );
    tokio::task::block_in_place(|| {
        let deployment = Deployment::with("kinds", 1, &format!("{}{incoming}", webhook("crm", &crm))).under(RULES);
        let process = deployment.start("a");
        broker().produce(&deployment.topic("events"), ["10:00:00", "10:00:01", "10:00:30", "12:00:00"].map(view));
        let all = wait_for("all ends", super::restart::DEADLINE, || {
            let all = (ends(&deployment, "crm"), ends(&deployment, "sdr"));
            (all.0.len() == 3 && all.1.len() == 3).then_some(all)
        });
        assert_eq!(all, (vec!["delivered"; 3], vec!["delivered", "suppressed", "suppressed"]));
        let bodies: Vec<Value> =
            crm.seen().iter().map(|seen| serde_json::from_str(&seen.body).expect("JSON")).collect();
        let told: Vec<String> =
            bodies.iter().map(|body| format!("{}: {}", body["type"], body["data"]["reason"])).collect();
        let expected = [
            r#""hotlead.alert.opened": "2 pricing views in 1 s""#,
            r#""hotlead.alert.updated": "2 pricing views in 29 s""#,
            r#""hotlead.alert.closed": "0 pricing views in 1 h, fewer than 2""#,
        ];
        assert_eq!(told, expected);
        let start = &bodies[0]["data"]["episode_start"];
        assert!(bodies.iter().all(|body| body["data"]["episode_start"] == *start), "{bodies:#?}");
        assert_eq!(slack.seen().len(), 1);
        // The markers of the transactions behind them are nothing that waits.
        wait_for("nothing to wait", super::restart::DEADLINE, || {
            let told = super::restart::sink(&process, &["status", "crm", "--json"]).1;
            told.contains(r#""waiting":0,"#).then_some(())
        });
    });
}
