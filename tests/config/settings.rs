//! hotlead.yaml beyond the samples: defaults, secrets, and what a secret leads to.

use std::path::Path;
use std::time::Duration;

use hotlead::config::fault::{Faults, Severity};
use hotlead::config::settings::{self, Needed, Reference, Settings, Start, Surroundings, Target};

const LEAST: &str = "version: 1\nkafka: { brokers: [localhost:9092] }\nrules: rules.yaml\n";

fn read_with(more: &str, secret: &str, missing: Severity) -> (Option<Settings>, Faults) {
    let around = Surroundings {
        host: Some("host-1".into()),
        secret: &|reference| match reference {
            Reference::Env("NOT_SET") => Err("the variable NOT_SET is not set".into()),
            _ => Ok(secret.into()),
        },
        missing,
        needed: Needed::All,
    };
    settings::read("hotlead.yaml", &format!("{LEAST}{more}"), &around)
}

#[track_caller]
fn read(more: &str) -> Settings {
    let (settings, faults) = read_with(more, "value", Severity::Fault);
    settings.unwrap_or_else(|| panic!("{faults}"))
}

#[test]
fn what_the_file_leaves_out_has_a_default() {
    let settings = read("");
    assert_eq!((settings.group.as_str(), settings.instance.as_str()), ("hotlead", "host-1"));
    assert_eq!(settings.start, Start::Latest);
    assert_eq!(settings.topics.events, "engagement");
    assert_eq!(settings.topics.alerts, "hotlead.alerts");
    assert_eq!(settings.topics.dead_letter, "hotlead.dead-letter");
    assert_eq!(settings.topics.replication_factor, None);
    assert_eq!((settings.workers, settings.commit_interval), (2, Duration::from_millis(200)));
    assert!(settings.sinks.is_empty());
    assert_eq!(settings.http.map(|a| a.to_string()).as_deref(), Some("127.0.0.1:8080"));
}

#[test]
fn the_prefix_goes_before_every_topic() {
    let topics = read("topics: { prefix: prod., alerts: hot }\n").topics;
    assert_eq!((topics.events.as_str(), topics.alerts.as_str()), ("prod.engagement", "prod.hot"));
    assert_eq!(topics.ops, "prod.hotlead.ops");
    let topics = read("topics: { prefix: prod., events: clicks }\n").topics;
    assert_eq!((topics.events.as_str(), topics.alerts.as_str()), ("prod.clicks", "prod.hotlead.alerts"));
}

#[test]
fn words_and_ages_are_taken_as_written() {
    assert_eq!(read("http: off\n").http, None);
    assert_eq!(read("start: earliest\n").start, Start::Earliest);
    assert_eq!(read("start: 7d\n").start, Start::Age(Duration::from_secs(604_800)));
}

#[test]
fn properties_are_texts_or_references() {
    let config = LEAST.replace("[localhost:9092]", "[localhost:9092], properties: { fetch.min.bytes: 5, sasl.password: env:P, ssl.ca.location: probe, debug: false }");
    let around =
        Surroundings { host: None, secret: &|_| Ok("hunter2".into()), missing: Severity::Fault, needed: Needed::All };
    let (settings, faults) = settings::read("c", &format!("{config}instance: a\n"), &around);
    let properties = settings.unwrap_or_else(|| panic!("{faults}")).kafka.properties;
    let values: Vec<_> = properties.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    #[rustfmt::skip]
    assert_eq!(values, [
        ("debug", "false"), ("fetch.min.bytes", "5"), ("sasl.password", "hunter2"), ("ssl.ca.location", "probe"),
    ]);
    assert!(!format!("{properties:?}").contains("hunter2"));
    // Without a host's name the instance has to be named.
    let (_, faults) = settings::read("c", &config, &around);
    assert!(faults.to_string().contains("instance: is missing"), "{faults}");
}

#[test]
fn what_a_secret_url_leads_to_is_judged_and_never_shown() {
    let sink = "sinks: [ { id: s, slack: { webhook_url: env:URL } } ]\n";
    #[rustfmt::skip]
    let rows = [
        ("https://hooks.slack.com/services/T0/B0/verysecret", None),
        ("http://hooks.slack.com/services/T0/B0/verysecret", Some("must begin with https:")),
        ("https://127.0.0.1/verysecret", Some("must not lead to a private")),
        ("https://0x7f.1/verysecret", Some("must not lead to a private")),
        ("verysecret", Some("must be a URL")),
        ("https://me:verysecret@hooks.slack.com/", Some("must hold no user name")),
        (" ", Some("\"env:URL\" is empty")),
    ];
    for (url, want) in rows {
        let (_, faults) = read_with(sink, url, Severity::Fault);
        let text = faults.to_string();
        match want {
            Some(want) => assert!(text.contains(want) && !text.contains("verysecret"), "{url}: {text}"),
            None => assert!(faults.is_empty(), "{url}: {text}"),
        }
    }
    let local =
        "sinks: [ { id: s, slack: { webhook_url: env:URL, allow_http: true, allow_networks: [127.0.0.1] } } ]\n";
    let (settings, faults) = read_with(local, "http://127.0.0.1:8099/verysecret", Severity::Fault);
    assert!(faults.is_empty(), "{faults}");
    assert!(!format!("{settings:?}").contains("verysecret"));
}

#[test]
fn a_signing_secret_is_base64() {
    let sink = "sinks: [ { id: s, webhook: { url: https://crm.example.com/, secret: [env:NEW, env:OLD] } } ]\n";
    for (secret, good) in [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
        ("not base64!", false),
        ("whsec_", false),
    ] {
        let (settings, faults) = read_with(sink, secret, Severity::Fault);
        assert_eq!(settings.is_some(), good, "{secret}: {faults}");
        assert!(!faults.to_string().contains("not base64!"), "{faults}");
        if let Some(settings) = settings {
            assert!(matches!(&settings.sinks[0].target, Target::Webhook(webhook) if webhook.secrets.len() == 2));
        }
    }
}

#[test]
fn a_secret_that_cannot_be_had_stops_a_run_but_not_a_check() {
    let sinks =
        "sinks:\n  - { id: a, slack: { webhook_url: env:NOT_SET } }\n  - { id: b, slack: { webhook_url: env:URL } }\n";
    let url = "https://hooks.slack.com/services/T0/B0/x";
    let (settings, faults) = read_with(sinks, url, Severity::Fault);
    assert!(settings.is_none());
    assert_eq!(faults.to_string(), "hotlead.yaml:5:36: sinks[0].slack.webhook_url: the variable NOT_SET is not set\n");
    let (settings, faults) = read_with(sinks, url, Severity::Warning);
    let ids: Vec<_> = settings.expect("settings").sinks.into_iter().map(|sink| sink.id).collect();
    assert_eq!(ids, ["b"]);
    assert_eq!(faults.len(), 1);
}

#[test]
fn secrets_come_from_the_environment_and_from_files_beside_the_config() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("plain", b"value");
    write("line", b"value\n");
    write("lines", b"value\n\n");
    write("windows", b"value\r\n");
    write("binary", b"\xff");
    write("huge", &vec![b'x'; 70_000]);
    let resolve = |text: &str| Reference::parse(text).expect("a reference").resolve(folder.path());
    assert_eq!(resolve("file:plain").as_deref(), Ok("value"));
    assert_eq!(resolve("file:line").as_deref(), Ok("value"));
    assert_eq!(resolve("file:lines").as_deref(), Ok("value\n"), "one newline is cut");
    assert_eq!(resolve("file:windows").as_deref(), Ok("value"));
    for name in ["binary", "huge", "missing"] {
        assert!(resolve(&format!("file:{name}")).is_err(), "{name}");
    }
    assert!(resolve("env:HOTLEAD_SURELY_NOT_SET").is_err());
    assert_eq!(resolve("env:CARGO_MANIFEST_DIR").as_deref().map(Path::new), Ok(super::root()));
    for text in ["env:", "file:", "environment:X", "X", ""] {
        assert_eq!(Reference::parse(text), None, "{text:?}");
    }
}
