//! A full run in which everything goes wrong once, and a look through all that it says: no secret anywhere, and nothing personal
//! but where it belongs.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use super::fake_slack::{CHANNEL, FakeSlack};
use super::ops::get;
use super::receiver::Receiver;
use crate::kafka::{Outgoing, Record, broker, unique};
use crate::supervise::{Supervised, free_port, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// No text of ours has any of these in it by chance.
const TOKEN: &str = "xoxb-good-Qz7Vplanted+tok/en=";
const HOOK_PATH: &str = "T00PLANT/B00PLANT/hOoKs3cretQz7V";
const SIGNING: &str = "Qz7VcGxhbnRlZC1zaWduaW5nLWtleS0wMTIz";
const HEADER: &str = "Bearer Qz7V planted/header+secret=";
const PASSWORD: &str = "Qz7V:planted&sasl?password";

/// Of the leads, each with its number before it.
const PERSONAL: [&str; 4] = ["zora.quill", "Zora Quill", "Plumbago Works", "uid-planted"];

fn secrets() -> Vec<&'static str> {
    vec![TOKEN, HOOK_PATH, SIGNING, HEADER, PASSWORD]
}

/// A text as it may be spelt: plain, percent-encoded, and within base64 at each of the three places it can begin at.
fn spellings(text: &str) -> Vec<String> {
    let percent = |upper: bool| {
        let one = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        text.bytes().map(one).collect::<String>()
    };
    let mut all = vec![text.to_owned(), percent(true), percent(false), serde_json::to_string(text).expect("JSON")];
    for before in 0..3 {
        let bytes = [vec![b'x'; before], text.as_bytes().to_vec()].concat();
        for encoded in [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)] {
            // What belongs to the neighbours too is cut off at both ends.
            let encoded = encoded.trim_end_matches('=');
            let from = [0, 2, 3][before];
            let to = bytes.len() * 8 / 6;
            all.push(encoded[from..to].to_owned());
        }
    }
    all[3] = all[3].trim_matches('"').to_owned();
    all
}

/// Which of the planted stand in a text, however they are spelt.
fn found<'a>(planted: &[&'a str], text: &str) -> Vec<&'a str> {
    planted.iter().copied().filter(|one| spellings(one).iter().any(|spelt| text.contains(spelt))).collect()
}

#[test]
fn every_spelling_is_found() {
    let around = |inner: String| format!("left {inner} right");
    for before in ["", "a", "ab", "abc"] {
        for secret in secrets() {
            let encoded = STANDARD.encode(format!("{before}{secret}behind"));
            assert_eq!(found(&[secret], &around(encoded)), [secret], "{before:?} before {secret}");
        }
    }
    for text in
        ["Bearer%20Qz7V%20planted%2Fheader%2Bsecret%3D", "bearer", "Bearer%20Qz7V%20planted%2fheader%2bsecret%3d"]
    {
        assert_eq!(found(&[HEADER], &around(text.into())).len(), usize::from(text != "bearer"), "{text}");
    }
}

/// All that a run said, by where.
type Said = BTreeMap<String, String>;

/// A receiver that shows what it was sent, in each of its answers: the worst that the other side can do to a log.
async fn receiver() -> Receiver {
    Receiver::start(|request| {
        let echo = format!("no: {} {}", request.header("authorization"), request.body);
        let echo: &'static str = Box::leak(echo.into_boxed_str());
        match &request.body {
            body if body.contains("2-zora") => (422, echo),
            body if body.contains("3-zora") => (429, "retry-after: 1"),
            body if body.contains("4-zora") => (500, echo),
            _ => (200, echo),
        }
    })
    .await
}

/// A deployment with a sink of each sort, all of whose secrets are planted.
struct Run {
    name: String,
    port: u16,
    process: Supervised,
    slack: FakeSlack,
}

impl Run {
    fn start(level: &str, format: &str, crm: &Receiver, hook: &Receiver) -> Self {
        let (name, port, slack) = (unique("privacy"), free_port(), FakeSlack::start());
        slack.control(&json!({ "tokens": [TOKEN] }));
        broker().create_topic(&format!("{name}.events"), 1, &[]);
        let reach = "allow_http: true, allow_networks: [127.0.0.0/8]";
        let config = format!(
            "version: 1\nkafka:\n  brokers: ['{}']\n  properties: {{ sasl.password: 'file:password', sasl.username: me }}\n\
             group: {name}\ninstance: a\nstart: earliest\n\
             topics: {{ prefix: '{name}.', events: events, replication_factor: 1 }}\nrules: rules.yaml\nworkers: 1\n\
             http: {{ listen: '127.0.0.1:{port}' }}\nlog: {{ format: {format} }}\nsinks:\n\
             \x20 - {{ id: sdr, start: earliest, slack: {{ token: 'file:token', channel: {CHANNEL}, api_url: '{}', {reach} }} }}\n\
             \x20 - {{ id: hook, start: earliest, slack: {{ webhook_url: 'file:hook', {reach} }} }}\n\
             \x20 - {{ id: crm, start: earliest, webhook: {{ url: '{}', secret: 'file:signing', \
             headers: {{ Authorization: 'file:header' }}, {reach} }} }}\n",
            broker().bootstrap(),
            slack.api_url(),
            crm.url()
        );
        let rules = "version: 1\nsignals: { demo_request: { on: track, name: Demo Requested } }\n\
                     rules: [ { id: demo-requested, when: { signal: demo_request } } ]\n";
        let mut process = Supervised::new("privacy", |folder| {
            let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("a writable folder");
            write("rules.yaml", rules);
            write("hotlead.yaml", &config);
            write("token", TOKEN);
            write("hook", &format!("http://127.0.0.1:{}/services/{HOOK_PATH}", hook.port));
            write("signing", &format!("whsec_{SIGNING}"));
            write("header", HEADER);
            write("password", PASSWORD);
            let program = [env!("CARGO_BIN_EXE_hotlead"), "run", "--config", "hotlead.yaml"].map(str::to_owned);
            ["env".to_owned(), format!("HOTLEAD_LOG={level}")].into_iter().chain(program).collect()
        });
        process.start();
        Self { name, port, process, slack }
    }

    fn topic(&self, name: &str) -> Vec<Record> {
        broker().consume_visible(&format!("{}.{name}", self.name))
    }

    fn ask(&self, arguments: &str) -> String {
        let ran = Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(arguments.split_whitespace())
            .args(["--config", "hotlead.yaml"])
            .current_dir(self.process.folder())
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned()
    }

    fn produce(&self, events: impl IntoIterator<Item = Outgoing>) {
        broker().produce(&format!("{}.events", self.name), events);
    }

    /// Deliveries that succeed, are refused, held up and given up; records that cannot be read; a refused credential.
    fn everything_happens(&self) {
        self.produce((1..=4).map(event));
        let mail = PERSONAL[0];
        let broken = [
            format!(r#"{{"id":"b1","lead":{{"email":"{mail}@plumbago.example""#),
            format!(r#"{{"id":"b2","time":"{mail}","type":"track","lead":{{"user_id":"uid-planted"}}}}"#),
            format!(r#"{{"{mail}":"Zora Quill"}}"#),
        ];
        self.produce(broken.map(|value| Outgoing { partition: Some(0), ..Outgoing::new("1-uid-planted", value) }));
        // Its record has another lead's name on it.
        self.produce([Outgoing { key: Some("uid-planted-foreign".into()), ..event(1) }]);
        wait_for("three broken events", DEADLINE, || (self.letters().0 == 3).then_some(()));
        wait_for("a delivery that was given up", DEADLINE, || (self.letters().1 >= 1).then_some(()));
        wait_for("the cards", DEADLINE, || (self.slack.messages("Zora Quill", false).len() == 4).then_some(()));
        let reject = json!({ "faults": [{ "method": "chat.postMessage", "retry_after": 1 },
            { "method": "chat.postMessage", "error": "Zora Quill is no code" }] });
        self.slack.control(&reject);
        self.produce([event(5)]);
        wait_for("another card", DEADLINE, || (self.slack.messages("5-Zora", false).len() == 1).then_some(()));
        self.slack.control(&json!({ "tokens": ["xoxb-another"] }));
        self.produce([event(6)]);
        wait_for("a refused token", DEADLINE, || get(self.port, "/readyz").filter(|(status, _)| *status == 503));
    }

    /// Dead letters: events, and deliveries.
    fn letters(&self) -> (usize, usize) {
        let letters = self.topic("hotlead.dead-letter");
        let of_sinks =
            letters.iter().filter(|letter| letter.headers.iter().any(|(name, _)| name == "hotlead_sink")).count();
        (letters.len() - of_sinks, of_sinks)
    }

    /// What operators see: where nothing personal belongs.
    fn seen_by_operators(&self) -> Said {
        let mut said = Said::new();
        for path in ["/metrics", "/healthz", "/readyz"] {
            said.insert(path.into(), get(self.port, path).expect("it answers").1);
        }
        for arguments in ["sink status", "sink status --json", "dlq ls", "dlq ls --json"] {
            said.insert(arguments.into(), self.ask(arguments));
        }
        said.insert("hotlead.ops".into(), self.topic("hotlead.ops").iter().map(all_of).collect());
        let ours = |letter: Record| {
            let ours = letter.headers.into_iter().filter(|(name, _)| name.starts_with("hotlead_"));
            ours.map(|(name, value)| format!("{name}={};", text(&value))).collect::<String>()
        };
        said.insert("dead letters' headers".into(), self.topic("hotlead.dead-letter").into_iter().map(ours).collect());
        let state = self.slack.state();
        let metadata =
            state["messages"].as_array().expect("a list").iter().map(|message| message["metadata"].to_string());
        said.insert("Slack's metadata".into(), metadata.collect());
        said.insert("the log".into(), self.process.log());
        said
    }

    /// What else there is: where only secrets do not belong.
    fn seen_by_others(&self) -> Said {
        let mut said = Said::new();
        let topics = ["alerts", "dead-letter", "state", "feedback", "delivery.sdr", "delivery.hook", "delivery.crm"];
        for topic in topics.map(|topic| format!("hotlead.{topic}")) {
            said.insert(topic.clone(), self.topic(&topic).iter().map(all_of).collect());
        }
        said.insert("the page".into(), get(self.port, "/api/state").expect("it answers").1);
        for arguments in
            ["sink test crm", "sink test sdr", "sink test hook", "check hotlead.yaml", "dlq show --limit 9 --json"]
        {
            said.insert(arguments.into(), self.ask(arguments));
        }
        said
    }
}

/// A lead's request for a demo.
fn event(number: u32) -> Outgoing {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let [mail, name, company, user] = PERSONAL.map(|value| format!("{number}-{value}"));
    let event = json!({
        "id": format!("e-{number}"), "time": now.as_millis() as u64, "type": "track", "name": "Demo Requested",
        "lead": { "user_id": user, "email": format!("{mail}@plumbago.example") },
        "traits": { "name": name, "company": company, "email": format!("{mail}@plumbago.example") },
    });
    Outgoing { partition: Some(0), ..Outgoing::new(user, event.to_string()) }
}

fn text(bytes: &Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
}

/// Key, headers and value.
fn all_of(record: &Record) -> String {
    let headers = record.headers.iter().map(|(name, value)| format!("{name}={};", text(value)));
    format!("{} {} {}\n", text(&record.key), headers.collect::<String>(), text(&record.value))
}

/// Goal: no secret anywhere at any level; nothing personal in what operators see at `info`. Method: everything is planted, all that
/// can be seen is searched in every spelling, and what must be there is asserted, so that an empty run does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_says_no_secret_and_nothing_personal() {
    for (level, format) in [("info", "text"), ("info", "json"), ("debug", "text")] {
        let (crm, hook) = (receiver().await, Receiver::start(|_| (200, "ok")).await);
        tokio::task::block_in_place(|| {
            let mut run = Run::start(level, format, &crm, &hook);
            run.everything_happens();
            let operators = run.seen_by_operators();
            let others = run.seen_by_others();
            for (place, said) in operators.iter().chain(&others) {
                assert_eq!(found(&secrets(), said), Vec::<&str>::new(), "{level} {format}: {place}:\n{said}");
            }
            for (place, said) in operators.iter().filter(|(place, _)| level == "info" || *place != "the log") {
                assert_eq!(found(&PERSONAL, said), Vec::<&str>::new(), "{level} {format}: {place}:\n{said}");
            }
            // It was looked at the right places.
            let log = &operators["the log"];
            for words in
                ["attempt failed", "delivery given up", "the sink is shut", "a record's key is not its lead's key"]
            {
                assert!(log.contains(words), "{words}: {log}");
            }
            let there =
                [("hotlead.alerts", 4), ("hotlead.delivery.sdr", 3), ("the page", 3), ("dlq show --limit 9 --json", 3)];
            for (place, at_least) in there {
                assert!(found(&PERSONAL, &others[place]).len() >= at_least, "{place}: {}", others[place]);
            }
            assert!(
                operators["/metrics"]
                    .contains(r#"hotlead_deliveries_total{sink="crm",outcome="dead_lettered",reason="message"} 1"#)
            );
            assert!(operators["dead letters' headers"].contains("hotlead_reason=message;"));
            let auth = crm.seen().iter().filter(|request| request.header("authorization") == HEADER).count();
            assert_eq!(auth, crm.seen().len(), "the header's secret was sent");
            let status: Value =
                serde_json::from_str(operators["sink status --json"].lines().next().expect("a line")).expect("JSON");
            assert_eq!(status["standing"], "blocked");
            run.process.tell("TERM");
            run.process.ended();
            assert_eq!(found(&secrets(), &run.process.log()), Vec::<&str>::new(), "at its end");
        });
    }
}
