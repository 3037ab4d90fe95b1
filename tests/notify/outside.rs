//! `hotlead sink test` at receivers that use the official libraries.

use hotlead::cli::sink_test;
use hotlead::config::settings::{Encoding, Settings, Start};
use hotlead::notify::destination::Destination;
use serde_json::json;

use super::receiver::{OLD_SECRET, Receiver, SECRET, settings, sink};
use crate::python;

/// Runs `hotlead sink test`: exit code, what stands on stdout, on stderr.
async fn sink_test(settings: &Settings, id: &str) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = sink_test::send(settings, id, &mut out, &mut err).await.expect("writing to memory");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (code, text(out), text(err))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_libraries_verify_a_webhook_in_both_encodings_with_every_shared_key() {
    const PRIVATE: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=";
    for encoding in [Encoding::Standard, Encoding::CloudEvents] {
        // They know no ed25519 and pass its signatures over.
        for secrets in [vec![SECRET], vec![SECRET, OLD_SECRET], vec![PRIVATE, SECRET]] {
            let receiver = Receiver::start(|_| (200, "thanks")).await;
            let target = receiver.changed(&secrets, |webhook| webhook.encoding = encoding);
            let settings = settings("none", "none", vec![sink("crm", Start::Latest, target)]);
            assert_eq!(sink_test(&settings, "crm").await.0, 0);
            let request = &receiver.seen()[0];
            assert_eq!(request.header("webhook-signature").split(' ').count(), secrets.len());
            let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
            let headers: serde_json::Map<_, _> =
                names.into_iter().map(|name| (name.to_owned(), request.header(name).into())).collect();
            let shared: Vec<_> = secrets.into_iter().filter(|secret| *secret != PRIVATE).collect();
            let case = json!({ "secrets": shared, "headers": headers, "body": request.body }).to_string();
            let printed = python::check(include_str!("verify.py"), &[], case.as_bytes());
            assert_eq!(printed, format!("verified {}\n", shared.len()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_library_reads_a_cloudevent() {
    let receiver = Receiver::start(|_| (200, "")).await;
    let target = receiver.changed(&[SECRET], |webhook| webhook.encoding = Encoding::CloudEvents);
    let mut alert = hotlead::notify::sample::alert(7, hotlead::core::time::Timestamp::from_millis(1_795_341_734_120));
    alert.lead.key = "Jürgen \"J\" 100% 😀".into();
    let published = serde_json::to_vec(&alert).expect("JSON");
    let destination = Destination::of(&sink("crm", Start::Latest, target), "eu-1").expect("a destination");
    destination.attempt(&published, &alert, false, None).await;
    let request = &receiver.seen()[0];
    let headers: serde_json::Map<_, _> =
        request.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").into())).collect();
    let case = json!({ "headers": headers, "body": request.body }).to_string();
    let read: serde_json::Value =
        serde_json::from_str(&python::check(include_str!("cloudevent.py"), &[], case.as_bytes())).expect("JSON");
    let expected = json!({
        "id": "00000000000000000000000000000007", "data_id": "00000000000000000000000000000007",
        "source": "/hotlead/eu-1", "type": "hotlead.alert.opened.v1", "datacontenttype": "application/json",
        "time": "2026-11-22T10:02:14.120000+00:00", "subject": alert.lead.key, "key": alert.lead.key,
    });
    assert_eq!(read, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_sdk_accepts_every_block_of_the_card() {
    let receiver = Receiver::start(|_| (200, "ok")).await;
    let settings = settings("none", "none", vec![sink("sdr", Start::Latest, receiver.slack())]);
    assert_eq!(sink_test(&settings, "sdr").await.0, 0);
    let sent = &receiver.seen()[0].body;
    assert!(sent.contains("TEST | TEST lead"), "{sent}");
    let mut hostile = hotlead::notify::sample::alert(1, hotlead::core::time::Timestamp::default());
    let text = "<!channel> & \u{202e}<https://evil.example|x>\n\u{1f680}".repeat(300);
    hostile.lead.name = Some(text.clone());
    hostile.reason = text.clone();
    hostile.flag_texts = vec![text.clone(); 9];
    hostile.campaign = Some(text.clone());
    hostile.evidence[0].label = text;
    let face = hotlead::notify::slack::Face::of(&hostile, Some("https://crm.example.com/?a=b&c=d".into()));
    let card = hotlead::notify::slack::card(&face, hostile.time);
    let printed = python::check(include_str!("blocks.py"), &[], format!("[{sent},{card}]").as_bytes());
    assert_eq!(printed, "valid 2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn sink_test_tells_what_the_other_side_answered_without_secrets() {
    let long: &'static str = format!("no such hook: {SECRET} {}", "x".repeat(400)).leak();
    let refusing = Receiver::start(move |_| (404, long)).await;
    let slack = Receiver::start(|_| (200, "ok")).await;
    let sinks =
        vec![sink("crm", Start::Latest, refusing.webhook(&[SECRET])), sink("sdr", Start::Latest, slack.slack())];
    let settings = settings("none", "none", sinks);
    let (code, out, err) = sink_test(&settings, "crm").await;
    assert_eq!((code, err.as_str()), (1, ""));
    let expected = format!("crm: not delivered, http://127.0.0.1: 404 no such hook: [secret] {}\n", "x".repeat(177));
    assert_eq!(out, expected);
    let (code, out, _) = sink_test(&settings, "sdr").await;
    assert_eq!((code, out.as_str()), (0, "sdr: delivered, http://127.0.0.1: 200 ok\n"));
    let (code, out, err) = sink_test(&settings, "nobody").await;
    assert_eq!((code, out.as_str(), err.as_str()), (78, "", "no sink \"nobody\"; there is: crm, sdr\n"));
}

/// Goal: a test of one sink needs that sink's secret and no other, and a misspelt id is told before anything else.
#[test]
fn sink_test_asks_for_the_secret_of_its_own_sink_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("hotlead.yaml");
    let text = "version: 1
kafka: { brokers: [localhost:9092], properties: { sasl.password: env:HOTLEAD_TEST_UNSET_KAFKA } }
rules: rules.yaml
sinks:
  - { id: crm, webhook: { url: https://crm.example.com/hook, secret: env:HOTLEAD_TEST_UNSET_CRM } }
  - { id: sdr-channel, slack: { webhook_url: env:HOTLEAD_TEST_UNSET_SLACK } }
";
    std::fs::write(&config, text).expect("a writable folder");
    let none = "the variable HOTLEAD_TEST_UNSET_SLACK is not set\n";
    #[rustfmt::skip]
    let rows = [
        ("sdr-chanel",  "no sink \"sdr-chanel\"; there is: crm, sdr-channel; did you mean \"sdr-channel\"?\n".to_owned()),
        ("elsewhere",   "no sink \"elsewhere\"; there is: crm, sdr-channel\n".to_owned()),
        ("sdr-channel", format!("{}:6:46: sinks[1].slack.webhook_url: {none}", config.display())),
    ];
    for (id, expected) in rows {
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(["sink", "test", id, "--config"])
            .arg(&config)
            .output()
            .expect("it runs");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), expected);
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(78), &b""[..]), "{id}");
    }
}

/// Goal: only the config's own `proxy` leads a delivery anywhere else.
#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_the_environment_names_are_not_used() {
    let (receiver, proxy) = (Receiver::start(|_| (200, "")).await, Receiver::start(|_| (200, "")).await);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("hotlead.yaml");
    let text = format!(
        "version: 1
kafka: {{ brokers: [localhost:9092] }}
rules: rules.yaml
sinks:
  - id: crm
    webhook: {{ url: 'http://127.0.0.1:{}/', secret: env:HOTLEAD_TEST_CRM, allow_http: true, allow_networks: [127.0.0.1] }}
",
        receiver.port
    );
    std::fs::write(&config, text).expect("a writable folder");
    let to_proxy = format!("http://127.0.0.1:{}", proxy.port);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hotlead"));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &to_proxy);
    }
    command.env("HOTLEAD_TEST_CRM", SECRET).args(["sink", "test", "crm", "--config"]).arg(&config);
    let ended = tokio::task::block_in_place(|| command.output()).expect("it runs");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!((receiver.seen().len(), proxy.seen().len()), (1, 0));
}
