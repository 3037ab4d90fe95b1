//! `hotlead route test` and `hotlead render` as people type them, and routes on a real broker.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const CONFIG: &str = "version: 1
kafka: { brokers: [localhost:9092] }
rules: rules.yaml
group: eu
sinks:
  - { id: sdr, slack: { webhook_url: env:HOTLEAD_TEST_UNSET_SLACK }, only: { rule: demo, lead.country: [AT, DE] } }
  - id: crm
    only: { tier: hot }
    mask: [email]
    webhook:
      url: https://crm.example.com/
      secret: file:no/such/file
      headers: { Authorization: env:HOTLEAD_TEST_UNSET_HEADER }
      encoding: cloudevents
      fields: [id, lead.key, lead.email]
  - { id: rest, webhook: { url: https://rest.example.com/, secret: env:HOTLEAD_TEST_UNSET_KEY }, rest: true }
";
const RULES: &str = "version: 1
signals: { demo_request: { on: track, name: Demo Requested } }
scoring: { fit: [ { trait: country, in: [DE], points: 5 } ] }
rules:
  - { id: demo, when: { signal: demo_request } }
  - { id: other, tier: cold, when: { signal: demo_request } }
";
const EVENT: &str = r#"{"type":"track","event":"Demo Requested","messageId":"e-1","userId":"u1",
  "timestamp":"2026-11-22T10:02:14.120Z","context":{"traits":{"email":"dana@acme.example","country":"de"}}}"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("hotlead.yaml", CONFIG);
        folder.write("rules.yaml", RULES);
        folder.write("event.json", EVENT);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a writable folder");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Exit code, standard output, standard error.
    fn hotlead(&self, words: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotlead"));
        let ended = command.args(words.split(' ')).current_dir(self.path()).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (ended.status.code().unwrap_or(-1), text(ended.stdout), text(ended.stderr))
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

#[test]
fn route_test_names_who_stands_in() {
    let folder = Folder::new();
    folder.write("hotlead.yaml", &CONFIG.replace("- { id: sdr,", "- { id: sdr, fallback: rest,"));
    let (code, out, err) = folder.hotlead("route test event.json");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains(" -> sdr (fallback rest), crm\n") && out.ends_with(" -> rest\n"), "{out}");
    let (_, out, _) = folder.hotlead("route test event.json --json");
    let fallbacks: Vec<_> = lines(&out).into_iter().map(|row| row["fallbacks"].clone()).collect();
    assert_eq!(fallbacks, [json!({ "sdr": "rest" }), Value::Null]);
}

#[test]
fn route_test_says_where_the_alerts_of_events_go() {
    let folder = Folder::new();
    let (code, out, err) = folder.hotlead("route test event.json --json");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let rows: Vec<_> = lines(&out).into_iter().map(|row| (row["rule"].clone(), row["sinks"].clone())).collect();
    assert_eq!(rows, [(json!("demo"), json!(["sdr", "crm"])), (json!("other"), json!(["rest"]))]);
    let (_, out, _) = folder.hotlead("route test --event event.json");
    let ends: Vec<_> = out.lines().map(|line| line[33..].to_owned()).collect();
    assert_eq!(ends, ["opened demo u1 -> sdr, crm", "opened other u1 -> rest"]);
}

#[test]
fn the_exit_code_of_route_test_says_whether_it_is_so() {
    let folder = Folder::new();
    let (_, alerts, _) = folder.hotlead("backtest --rules rules.yaml --events event.json --json");
    assert_eq!(alerts, "", "an event on two lines is none to backtest");
    folder.write("line.json", &EVENT.replace('\n', " "));
    let (_, alerts, _) = folder.hotlead("backtest --rules rules.yaml --events line.json --json");
    folder.write("demo.json", alerts.lines().next().expect("an alert"));
    folder
        .write("none.json", r#"{"type":"track","event":"Signed Up","userId":"u1","timestamp":"2026-11-22T10:02:14Z"}"#);
    folder.write(
        "drop.yaml",
        &CONFIG.replace(", rest: true", ", only: { tier: warm }").replace("sinks:", "unrouted: drop\nsinks:"),
    );
    folder.write("cold.json", alerts.lines().nth(1).expect("an alert"));
    #[rustfmt::skip]
    let rows = [
        ("route test demo.json",                                    0, ""),
        ("route test demo.json --expect crm",                       0, ""),
        ("route test demo.json --expect crm --expect sdr",          0, ""),
        ("route test demo.json --expect rest",                      1, ""),
        ("route test event.json --expect crm",                      1, ""),
        ("route test demo.json --expect cmr",                      78, "no sink \"cmr\"; there is: sdr, crm, rest; did you mean \"crm\"?\n"),
        ("route test cold.json --config drop.yaml",                 1, ""),
        ("route test demo.json --config drop.yaml",                 0, ""),
        ("route test none.json",                                    1, "none.json: these events lead to no alert; why: hotlead backtest --rules rules.yaml --events none.json --decisions\n"),
        ("route test rules.yaml",                                   1, "rules.yaml: not JSON: expected value at line 1 column 1\n"),
        ("route test missing.json",                                66, "missing.json: No such file or directory (os error 2)\n"),
        ("render demo.json --sink crm",                             0, ""),
        ("render demo.json --sink cmr",                            78, "no sink \"cmr\"; there is: sdr, crm, rest; did you mean \"crm\"?\n"),
        ("render cold.json --config drop.yaml",                     1, ""),
        ("render missing.json",                                    66, "missing.json: No such file or directory (os error 2)\n"),
    ];
    for (words, code, err) in rows {
        let ended = folder.hotlead(words);
        assert_eq!((ended.0, ended.2.as_str()), (code, err), "{words}: {}", ended.1);
    }
    assert_eq!(folder.hotlead("route test").0, 2);
    let (_, out, _) = folder.hotlead("route test cold.json --config drop.yaml");
    assert!(out.ends_with(" -> nobody\n"), "{out}");
}

#[test]
fn render_shows_what_each_sink_gets_and_no_secret_is_needed() {
    let folder = Folder::new();
    let (code, out, err) = folder.hotlead("render event.json --json");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let rows = lines(&out);
    let sinks: Vec<_> = rows.iter().map(|row| row["sink"].as_str().unwrap_or_default()).collect();
    assert_eq!(sinks, ["sdr", "crm", "rest"]);
    assert_eq!(rows[0]["fits"], true);
    assert!(rows[0]["limits"].as_array().is_some_and(|limits| limits.len() > 3), "{}", rows[0]);
    assert!(rows[0]["body"]["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()), "{}", rows[0]);
    assert_eq!(rows[2]["body"]["data"]["lead"]["traits"], json!({ "country": "de" }), "what the rules read");
    let lead = json!({ "key": "u1", "email": "d***@acme.example" });
    assert_eq!(rows[1]["body"], json!({ "id": rows[1]["alert"], "lead": lead }));
    assert_eq!(rows[1]["headers"]["ce-source"], "/hotlead/eu");
    assert_eq!(rows[1]["headers"]["authorization"], "[secret]");
    assert_eq!(rows[2]["body"]["data"]["lead"]["email"], "dana@acme.example");
    let (code, out, _) = folder.hotlead("render event.json --sink sdr");
    assert_eq!(code, 0);
    assert!(out.contains("\"type\": \"header\"") && out.contains("  blocks: ") && out.contains(" of 50\n"), "{out}");
}
