//! A Slack bot from outside: against a strict Slack in a process of its own, and on a real broker, killed at the worst moment.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use hotlead::codec::ledger::{self, Entry, Outcome};
use hotlead::core::alert::AlertKind;
use hotlead::core::time::Timestamp;
use hotlead::notify::sample;
use serde_json::{Value, json};

use super::broker::committed_by;
use super::fake_slack::{CHANNEL, FakeSlack};
use super::ops::get;
use super::receiver::SECRET;
use crate::kafka::{Outgoing, broker, unique};
use crate::python;
use crate::supervise::{Supervised, free_port, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

const RULES: &str = "version: 1
signals: { demo_request: { on: track, name: Demo Requested }, pricing_view: { on: page } }
rules: [ { id: demo-requested, when: { signal: demo_request } }, { id: pricing-view, when: { signal: pricing_view } } ]
";

/// What stands below `slack:` of a sink.
fn slack_keys(slack: &FakeSlack, more: &str) -> String {
    format!(
        "token: 'file:token', channel: {CHANNEL}, api_url: '{}', allow_http: true, allow_networks: [127.0.0.0/8], \
         crm_url: 'https://crm.example.com/?lead={{lead.key}}'{more}",
        slack.api_url()
    )
}

/// A deployment with one bot, `sdr`, and one partition.
pub struct Deployment {
    name: String,
    pub slack: FakeSlack,
    pub process: Supervised,
    /// Of `/readyz`.
    port: u16,
}

impl Deployment {
    fn new(name: &str) -> Self {
        Self::with(name, "")
    }

    /// With more sinks, as they stand in the config file.
    pub fn with(name: &str, more: &str) -> Self {
        let (name, slack, brokers) = (unique(name), FakeSlack::start(), broker().bootstrap());
        broker().create_topic(&format!("{name}.events"), 1, &[]);
        let (keys, port) = (slack_keys(&slack, ", timeout: 60s"), free_port());
        let process = Supervised::new("bot", |folder| {
            let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("a writable folder");
            write("rules.yaml", RULES);
            write("token", "xoxb-good\n");
            write("secret", SECRET);
            let config = format!(
                "version: 1\nkafka:\n  brokers: ['{brokers}']\n  properties: {{ session.timeout.ms: 3000, \
                 heartbeat.interval.ms: 500 }}\ngroup: {name}\ninstance: a\nstart: earliest\n\
                 topics: {{ prefix: '{name}.', events: events, replication_factor: 1 }}\nrules: rules.yaml\nworkers: 1\n\
                 http: {{ listen: '127.0.0.1:{port}' }}\nsinks:\n  - {{ id: sdr, start: earliest, slack: {{ {keys} }} }}\n{more}"
            );
            write("hotlead.yaml", &config);
            [env!("CARGO_BIN_EXE_hotlead"), "run", "--config", "hotlead.yaml"].map(str::to_owned).to_vec()
        });
        Self { name, slack, process, port }
    }

    pub fn start(&mut self) {
        let before = self.process.log().matches("parked=").count();
        self.process.start();
        wait_for("its partition", DEADLINE, || (self.process.log().matches("parked=").count() > before).then_some(()));
    }

    /// The status and the text of `/readyz`.
    fn ready(&self) -> (u16, String) {
        get(self.port, "/readyz").expect("it listens")
    }

    /// What the page shows.
    fn page(&self) -> Value {
        let (_, json) = get(self.port, "/api/state").expect("it listens");
        serde_json::from_str(&json).expect("JSON")
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn publish(&self, number: u128, lead: &str, rule: &str, kind: AlertKind) {
        broker().produce(&self.topic("hotlead.alerts"), [record(number, lead, rule, kind)]);
    }

    fn commits_to(&self, offset: i64) {
        let (group, topic) = (format!("{}.sdr", self.name), self.topic("hotlead.alerts"));
        wait_for(&format!("a commit of {offset}\n{}", self.process.log()), DEADLINE, || {
            (committed_by(broker(), &group, &topic) == offset).then_some(())
        });
    }

    /// What the ledger says became of each alert.
    pub fn outcomes(&self) -> BTreeMap<u128, Outcome> {
        let mut outcomes = BTreeMap::new();
        for record in broker().consume_visible(&self.topic("hotlead.delivery.sdr")) {
            let key = String::from_utf8(record.key.expect("a key")).expect("text");
            let entry = ledger::read(record.value.as_deref()).expect("a record of ours");
            if let (Ok(number), Some(Entry::Ended(ended))) = (u128::from_str_radix(&key, 16), entry) {
                outcomes.insert(number, ended.outcome);
            }
        }
        outcomes
    }
}

/// An alert of now.
pub fn record(number: u128, lead: &str, rule: &str, kind: AlertKind) -> Outgoing {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let mut alert = sample::alert(number, Timestamp::from_millis(now.as_millis() as i64));
    (alert.lead.key, alert.lead.name) = (format!("{lead}@acme.example"), Some(lead.to_owned()));
    (alert.rule, alert.kind, alert.reason) = (rule.to_owned(), kind, format!("reason {number}"));
    Outgoing {
        partition: Some(0),
        headers: vec![("ce_id".into(), alert.id.to_string().into())],
        ..Outgoing::new(alert.lead.key.clone(), serde_json::to_vec(&alert).expect("JSON"))
    }
}

fn text(message: &Value) -> String {
    message["blocks"].to_string()
}

#[test]
fn the_official_client_takes_the_fake_for_slack() {
    let slack = FakeSlack::start();
    let printed = python::check(include_str!("slack_client.py"), &[&slack.port.to_string()], b"");
    assert_eq!(printed, "Slack-shaped\n");
    slack.assert_kept();
}

/// Goal: a card, its edits, a reply, its end; and when the process dies after Slack took a message or a reply and before
/// that is on the ledger, there is no second one. Method: Slack takes the message and holds its answer until we are dead.
#[test]
fn a_card_lives_through_edits_replies_and_kills() {
    use AlertKind::{Closed, Opened, Updated};
    let mut deployment = Deployment::new("bot");
    deployment.start();
    let slack = &deployment.slack;
    deployment.publish(1, "Ada", "pricing-surge", Opened);
    let card = wait_for("the card", DEADLINE, || slack.messages("Ada", false).pop());
    assert!(text(&card).contains("HOT") || text(&card).contains("TEST | Ada"), "{card}");
    assert!(text(&card).contains("<https://crm.example.com/?lead=Ada%40acme.example|Open in CRM>"), "{card}");
    deployment.publish(2, "Ada", "demo-requested", Opened);
    let reply = wait_for("the reply", DEADLINE, || slack.messages("Ada", true).pop());
    assert_eq!(reply["text"], "demo-requested: reason 2");
    deployment.commits_to(2);
    deployment.publish(3, "Ada", "demo-requested", Updated);
    deployment.commits_to(3);
    let card = slack.messages("Ada", false).pop().expect("the card");
    assert!(text(&card).contains("reason 3") && text(&card).contains("rule pricing-surge, demo-requested"), "{card}");
    assert_eq!(card["edits"], 2);

    // A new card, then a reply: taken, and we die before we know.
    let hold = json!({ "faults": [{ "method": "chat.postMessage", "hold": true, "accept": true }] });
    slack.control(&hold);
    deployment.publish(4, "Bo", "pricing-surge", Opened);
    let held = wait_for("the held card", DEADLINE, || slack.messages("Bo", false).pop());
    // Two messages are a page: it is not on the first one, nor will the reply be.
    slack.control(&json!({ "noise": 5 }));
    deployment.process.signal("KILL");
    deployment.start();
    deployment.commits_to(4);
    let slack = &deployment.slack;
    slack.control(&json!({ "noise": 3, "thread": held["ts"] }));
    slack.control(&hold);
    deployment.publish(5, "Bo", "demo-requested", Opened);
    let ours = |slack: &FakeSlack| {
        let mut replies = slack.messages("Bo", true);
        replies.retain(|reply| reply["text"] == "demo-requested: reason 5");
        replies
    };
    wait_for("the held reply", DEADLINE, || ours(slack).pop());
    deployment.process.signal("KILL");
    deployment.start();
    deployment.commits_to(5);
    let slack = &deployment.slack;
    assert_eq!((slack.messages("Bo", false).len(), ours(slack).len()), (1, 1), "no second message");
    assert!(slack.count("conversations.history") >= 3 && slack.count("conversations.replies") >= 2, "page by page");

    // Cards outlive the process; a card that was deleted has another in its place.
    deployment.publish(6, "Ada", "pricing-surge", Closed);
    deployment.commits_to(6);
    assert_eq!(slack.messages("Ada", false).len(), 1);
    let ts = slack.messages("Bo", false)[0]["ts"].clone();
    slack.control(&json!({ "delete": ts }));
    deployment.publish(7, "Bo", "pricing-surge", Updated);
    deployment.commits_to(7);
    let again = slack.messages("Bo", false).pop().expect("another card");
    assert!(again["ts"] != ts && text(&again).contains("rule pricing-surge, demo-requested"), "{again}");
    assert_eq!(deployment.outcomes().into_values().collect::<Vec<_>>(), [Outcome::Delivered; 7]);
    slack.assert_kept();
}

/// Goal: a revoked token loses nothing and floods nobody; the new one in the file is used at once.
#[test]
fn a_revoked_token_waits_for_the_new_one_in_its_file() {
    let mut deployment = Deployment::new("revoked");
    deployment.start();
    let slack = &deployment.slack;
    slack.control(&json!({ "tokens": ["xoxb-new"] }));
    for number in 1..=5 {
        deployment.publish(number, &format!("Lead{number}x"), "pricing-surge", AlertKind::Opened);
    }
    let status = || {
        let ran = Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(["sink", "status", "sdr", "--json", "--config", "hotlead.yaml"])
            .current_dir(deployment.process.folder())
            .output()
            .expect("it runs");
        serde_json::from_slice::<Value>(&ran.stdout).unwrap_or_default()
    };
    let blocked = wait_for("blocked", DEADLINE, || Some(status()).filter(|status| status["standing"] == "blocked"));
    assert_eq!((&blocked["dead_lettered"], &blocked["detail"]), (&json!(0), &json!("chat.postMessage: invalid_auth")));
    assert_eq!(slack.count("auth.test"), 0, "the same token once a minute at the most");
    let page = deployment.page();
    let sink = &page["sinks"]["sdr"];
    let trouble = "blocked: its credential is refused";
    assert_eq!(
        (&sink["trouble"], &sink["shut"], &sink["waiting"]),
        (&json!(trouble), &json!(true), &json!(5)),
        "{page}"
    );
    let held = &page["deliveries"][0];
    assert_eq!(
        (&held["sink"], &held["state"], &held["attempts"]),
        (&json!("sdr"), &json!("held"), &json!(1)),
        "{page}"
    );
    assert_eq!(held["detail"], "chat.postMessage: invalid_auth");
    let (status, why) = deployment.ready();
    assert!(status == 503 && why.contains("the credential of sink sdr is refused"), "{status} {why}");
    fs::write(deployment.process.folder().join("token"), "xoxb-new\n").expect("a writable file");
    deployment.commits_to(5);
    assert_eq!(deployment.ready().0, 200);
    let cards: Vec<_> = (1..=5).map(|number| slack.messages(&format!("Lead{number}x"), false).len()).collect();
    assert_eq!((cards, slack.count("auth.test")), (vec![1; 5], 1));
    let page = wait_for("all on the page", DEADLINE, || {
        let page = deployment.page();
        let waiting = page["sinks"]["sdr"]["waiting"] == 0;
        waiting.then_some(page)
    });
    let deliveries = page["deliveries"].as_array().expect("a list");
    let states: Vec<_> = deliveries.iter().map(|delivery| delivery["state"].as_str().expect("text")).collect();
    assert_eq!((states, &page["sinks"]["sdr"]["trouble"]), (vec!["delivered"; 5], &Value::Null), "{page}");
    assert!(deliveries.iter().all(|delivery| delivery["since"].as_str() < delivery["time"].as_str()), "{page}");
    assert!(!deployment.process.log().contains("xoxb-"), "no token in the log");
    slack.assert_kept();
}

/// Goal: what `render` shows is what Slack gets, `sink test` posts by the bot, and slack_sdk takes the blocks.
#[test]
fn render_and_sink_test_speak_as_the_bot_does() {
    let slack = FakeSlack::start();
    let folder = tempfile::tempdir().expect("a folder");
    let keys = slack_keys(&slack, "");
    let config = format!(
        "version: 1\nkafka: {{ brokers: [localhost:9092] }}\nrules: rules.yaml\nsinks: [ {{ id: sdr, slack: {{ {keys} }} }} ]\n"
    );
    fs::write(folder.path().join("hotlead.yaml"), config).expect("a writable folder");
    fs::write(folder.path().join("token"), "xoxb-good").expect("a writable folder");
    let alert = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/alert/v1/full.json");
    let run = |arguments: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(arguments)
            .args(["--config", "hotlead.yaml"])
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
    };
    let (code, rendered, fault) = run(&["render", alert, "--json"]);
    assert_eq!(code, Some(0), "{fault}");
    let row: Value = serde_json::from_str(rendered.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&row["body"]["channel"], &row["fits"]), (&json!(CHANNEL), &json!(true)));
    assert_eq!(row["body"]["metadata"]["event_type"], "hotlead_alert");
    let blocks = python::check(include_str!("blocks.py"), &[], format!("[{}]", row["body"]).as_bytes());
    assert_eq!(blocks, "valid 1\n");
    let (code, out, fault) = run(&["sink", "test", "sdr"]);
    assert_eq!(code, Some(0), "{out}{fault}");
    assert!(out.starts_with("sdr: delivered, http://127.0.0.1: 200 "), "{out}");
    assert_eq!(slack.messages("TEST lead", false).len(), 1);
    fs::write(folder.path().join("token"), "xoxb-wrong").expect("a writable folder");
    let (code, out, _) = run(&["sink", "test", "sdr"]);
    assert_eq!((code, out.contains("invalid_auth"), out.contains("xoxb")), (Some(1), true, false), "{out}");
    slack.assert_kept();
}

/// Goal: more alerts than Slack takes cards for, on two sinks with one token and channel: the pace holds as Slack measures it,
/// the hottest have cards, the others are in a digest that Slack takes, all end. Method: the strict Slack notes every breach.
#[test]
fn a_storm_keeps_slacks_pace_over_all_sinks_and_ends_in_cards_and_a_digest() {
    let mut deployment = Deployment::new("storm");
    let config = deployment.process.folder().join("hotlead.yaml");
    let text = fs::read_to_string(&config).expect("the config");
    let keys = slack_keys(&deployment.slack, "");
    let second =
        format!("  - {{ id: emea, start: earliest, only: {{ rule: emea }}, slack: {{ {keys} }} }}\nunrouted: drop\n");
    fs::write(&config, text + &second).expect("a writable file");
    deployment.start();
    let rule = |number: u128| if number.is_multiple_of(12) { "emea" } else { "pricing-surge" };
    let alerts = (1..=60).map(|number| record(number, &format!("Lead{number}x"), rule(number), AlertKind::Opened));
    broker().produce(&deployment.topic("hotlead.alerts"), alerts);
    deployment.commits_to(60);
    wait_for("the other sink's commit", DEADLINE, || {
        let group = format!("{}.emea", deployment.name);
        (committed_by(broker(), &group, &deployment.topic("hotlead.alerts")) == 60).then_some(())
    });
    let outcomes = deployment.outcomes();
    let count = |wanted: Outcome| outcomes.values().filter(|outcome| **outcome == wanted).count();
    let (delivered, coalesced) = (count(Outcome::Delivered), count(Outcome::Coalesced));
    assert_eq!(delivered + coalesced, 60, "all end: {outcomes:?}");
    assert!(delivered >= 20 && coalesced >= 10, "{delivered} cards, {coalesced} in digests");
    let digests = deployment.slack.messages("DIGEST | ", false);
    let named = |lead: &str| digests.iter().filter(|digest| text_of(digest).contains(&format!("{lead} "))).count();
    for number in 1..=60 {
        let lead = format!("Lead{number}x");
        let in_digest = named(&lead);
        assert_eq!(in_digest == 1, outcomes[&number] == Outcome::Coalesced, "{lead}");
    }
    assert_eq!(deployment.slack.count("chat.postMessage"), delivered + digests.len() + 5, "none twice");
    deployment.slack.assert_kept();
}

fn text_of(message: &Value) -> String {
    message["blocks"].as_array().into_iter().flatten().map(|block| format!("{}\n", block["text"]["text"])).collect()
}
