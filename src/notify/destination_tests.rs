//! One attempt at receivers of every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::*;
use crate::config::settings::{Encoding, Payload, Reach, Secret};
use crate::core::time::Span;
use crate::notify::http::{Endpoint, Failure};
use crate::notify::receiver::{Receiver, Reply};
use crate::notify::sample;

async fn attempt(target: &Target) -> Attempted {
    let alert = sample::alert(7, Timestamp::from_millis(1_795_341_734_120));
    let published = serde_json::to_vec(&alert).expect("JSON");
    Destination::new(target).expect("a destination").attempt(&published, &alert, false, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_receiver_is_judged_in_time() {
    use AttemptResult as R;
    const TIMEOUT_MS: u64 = 2_000;
    #[rustfmt::skip]
    let rows = [
        (Reply::Answer(200, "", "ok"),                           R::Ok,          Some(200)),
        (Reply::Answer(204, "", ""),                             R::Ok,          Some(204)),
        (Reply::Endless(200),                                    R::Ok,          Some(200)),
        (Reply::DripBody(200),                                   R::Ok,          Some(200)),
        (Reply::CutOff(200),                                     R::Ok,          Some(200)),
        (Reply::CutOff(500),                                     R::ServerError, Some(500)),
        (Reply::Endless(500),                                    R::ServerError, Some(500)),
        (Reply::DripBody(503),                                   R::ServerError, Some(503)),
        (Reply::Hang,                                            R::Timeout,     None),
        (Reply::DripHead,                                        R::Timeout,     None),
        (Reply::Break,                                           R::Transport,   None),
        (Reply::Answer(429, "retry-after: 120\r\n", ""),         R::RateLimited, Some(429)),
        (Reply::Answer(410, "", "gone"),                         R::Gone,        Some(410)),
        (Reply::Answer(404, "", "no route"),                     R::ClientError, Some(404)),
    ];
    for (reply, result, status) in rows {
        let receiver = Receiver::start(move |_, _| reply);
        let begun = Instant::now();
        let Attempted { judged, answer } = attempt(&receiver.webhook(TIMEOUT_MS)).await;
        assert_eq!((judged.result, judged.status), (result, status), "{reply:?}: {}", judged.detail);
        assert!(begun.elapsed() < Duration::from_millis(TIMEOUT_MS + 3_000), "{reply:?}: {:?}", begun.elapsed());
        assert!(answer.is_none_or(|a| a.body.len() <= super::super::http::MAX_ANSWER), "{reply:?}");
        assert_eq!(judged.freeze, (status == Some(429)).then_some(Span::from_secs(120)), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure_and_not_followed() {
    let inside = Receiver::start(|_, _| Reply::Answer(200, "", "ok"));
    let location = format!("location: http://127.0.0.1:{}/inside\r\n", inside.port);
    let location: &'static str = location.leak();
    let receiver = Receiver::start(move |_, _| Reply::Answer(302, location, ""));
    let judged = attempt(&receiver.webhook(2_000)).await.judged;
    assert_eq!((judged.result, judged.detail.as_str()), (AttemptResult::Redirect, "status 302, redirect to 127.0.0.1"));
    assert!(inside.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_are_refused_in_every_spelling_and_by_name() {
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", "ok"));
    let spellings = ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost"];
    for (i, host) in spellings.into_iter().enumerate() {
        let Target::Webhook(mut open) = receiver.webhook(2_000) else { unreachable!() };
        open.url.set_host(Some(host)).expect("a host");
        let mut closed = open.clone();
        closed.reach.allow_networks.clear();
        let judged = attempt(&Target::Webhook(closed)).await.judged;
        assert_eq!(judged.verdict, Verdict::Never(Reason::RefusedAddress), "{host}: {}", judged.detail);
        assert_eq!(receiver.seen().len(), i, "{host}");
        // The same with the network allowed: it is the address that was refused, nothing else.
        assert_eq!(attempt(&Target::Webhook(open)).await.judged.verdict, Verdict::Delivered, "{host}");
    }
}

/// Leads to one of the allowed addresses the first time, and to one inside from then on.
struct Rebinding(AtomicUsize);

impl Resolve for Rebinding {
    fn resolve(&self, _: Name) -> Resolving {
        let last = 1 + self.0.fetch_add(1, Ordering::Relaxed).min(1) as u8;
        Box::pin(async move { Ok(Box::new(std::iter::once(([127, 0, 0, last], 0u16).into())) as Addrs) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_elsewhere_later_is_judged_anew_at_each_connection() {
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", "ok"));
    let Target::Webhook(mut webhook) = receiver.webhook(2_000) else { unreachable!() };
    webhook.url.set_host(Some("crm.example")).expect("a host");
    webhook.reach.allow_networks = vec!["127.0.0.1/32".parse().expect("a network")];
    let names = Arc::new(Rebinding(AtomicUsize::new(0)));
    let endpoint = Endpoint::asking(names, webhook.url.clone(), &webhook.reach).expect("an endpoint");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(endpoint.post(HeaderMap::new(), b"{}".to_vec()).await.map(|answer| answer.status));
    }
    let refused = || Err(Failure::RefusedAddress([127, 0, 0, 2].into()));
    assert_eq!((statuses, receiver.seen().len()), (vec![Ok(200), refused(), refused()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_sends_nothing_that_was_not_asked_for() {
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", ""));
    attempt(&receiver.webhook(2_000)).await;
    let seen = &receiver.seen()[0];
    assert_eq!(seen.line, "POST /hook HTTP/1.1");
    let header = |name: &str| seen.headers.get(name).map(String::as_str).unwrap_or_default();
    let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
    let seconds = header("webhook-timestamp").parse().expect("seconds");
    assert_eq!(header("webhook-id"), format!("{:032x}", 7));
    assert_eq!(header("webhook-signature"), webhook::signature(&[key], header("webhook-id"), seconds, &seen.body));
    assert_eq!((header("x-team"), header("content-type")), ("sales-token", "application/json"));
    let names: Vec<_> = seen.headers.keys().map(String::as_str).collect();
    #[rustfmt::skip]
    assert_eq!(names, ["accept", "content-length", "content-type", "host", "user-agent", "webhook-id",
                       "webhook-signature", "webhook-timestamp", "x-team"]);
    let body: serde_json::Value = serde_json::from_slice(&seen.body).expect("JSON");
    assert_eq!((&body["type"], &body["data"]["tier"]), (&"hotlead.alert.opened".into(), &"TEST".into()));
    assert_eq!(body["timestamp"], "2026-11-22T10:02:14.120Z");
}

fn crm(receiver: &Receiver, change: impl FnOnce(&mut Webhook)) -> Target {
    let Target::Webhook(mut webhook) = receiver.webhook(2_000) else { unreachable!() };
    change(&mut webhook);
    Target::Webhook(webhook)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloudevent_has_its_attributes_as_headers_and_the_alert_as_body() {
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", ""));
    attempt(&crm(&receiver, |webhook| webhook.encoding = Encoding::CloudEvents)).await;
    let seen = &receiver.seen()[0];
    let header = |name: &str| seen.headers.get(name).map(String::as_str).unwrap_or_default();
    #[rustfmt::skip]
    let expected = [
        ("ce-specversion", "1.0"), ("ce-id", "00000000000000000000000000000007"), ("ce-source", "/hotlead/hotlead"),
        ("ce-type", "hotlead.alert.opened.v1"), ("ce-subject", "test"), ("ce-time", "2026-11-22T10:02:14.120Z"),
        ("content-type", "application/json"), ("webhook-id", "00000000000000000000000000000007"),
    ];
    for (name, value) in expected {
        assert_eq!(header(name), value, "{name}");
    }
    let alert: Alert = serde_json::from_slice(&seen.body).expect("the alert itself");
    assert_eq!(alert.tier, "TEST");
    let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
    let seconds = header("webhook-timestamp").parse().expect("seconds");
    assert_eq!(header("webhook-signature"), webhook::signature(&[key], header("webhook-id"), seconds, &seen.body));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_must_not_learn_stands_nowhere_in_its_request() {
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", "ok"));
    let mut alert = sample::alert(7, Timestamp::from_millis(1_795_341_734_120));
    alert.lead.email = Some("dana@acme.example".into());
    alert.lead.key = "dana@acme.example".into();
    alert.reason = "Dana@acme.example asked for a demo".into();
    let published = serde_json::to_vec(&alert).expect("JSON");
    let cloudevent = crm(&receiver, |webhook| webhook.encoding = Encoding::CloudEvents);
    let thin = crm(&receiver, |webhook| webhook.payload = Payload::Fields(vec!["id", "lead.key"]));
    for target in [receiver.webhook(2_000), cloudevent, thin, receiver.slack()] {
        let mut sink = crate::notify::receiver::sink(target);
        sink.mask = vec!["lead.email"];
        let destination = Destination::of(&sink, "hotlead").expect("a destination");
        assert_eq!(destination.attempt(&published, &alert, false, None).await.judged.verdict, Verdict::Delivered);
    }
    let seen = receiver.seen();
    assert_eq!(seen.len(), 4);
    for request in seen {
        let all = format!("{:?} {}", request.headers, String::from_utf8_lossy(&request.body)).to_lowercase();
        assert!(!all.contains("dana@") && all.contains("d***@acme.example"), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_used_if_the_config_names_one_and_may_lie_anywhere() {
    let proxy = Receiver::start(|_, _| Reply::Answer(200, "", "ok"));
    for (number, host) in ["127.0.0.1", "localhost"].into_iter().enumerate() {
        let target = crm(&proxy, |webhook| {
            webhook.url = "http://crm.example.com/hook".parse().expect("a URL");
            webhook.reach.allow_networks.clear();
            webhook.reach.proxy = Some(Secret::inline(format!("http://{host}:{}", proxy.port)));
        });
        let judged = attempt(&target).await.judged;
        assert_eq!(judged.verdict, Verdict::Delivered, "{host}: {}", judged.detail);
        assert_eq!(proxy.seen()[number].line, "POST http://crm.example.com/hook HTTP/1.1");
    }
    // An address in the URL itself is judged with a proxy too.
    let inside = crm(&proxy, |webhook| {
        webhook.url = "http://169.254.169.254/hook".parse().expect("a URL");
        webhook.reach.proxy = Some(Secret::inline(format!("http://127.0.0.1:{}", proxy.port)));
    });
    assert_eq!(attempt(&inside).await.judged.verdict, Verdict::Never(Reason::RefusedAddress));
    assert_eq!(proxy.seen().len(), 2);
}

/// Goal: whichever way a secret's file changes, the next attempt uses the new one; a bad one changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_file_is_exchanged_while_the_sink_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, other) = (folder.path().join("secret"), folder.path().join("other"));
    let keys = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
    std::fs::write(&file, keys[0]).expect("a writable folder");
    let receiver = Receiver::start(|_, _| Reply::Answer(200, "", "ok"));
    let target = crm(&receiver, |webhook| {
        webhook.secrets = vec![Secret::resolved(keys[0], "file:secret").in_file(file.clone())];
    });
    let destination = Destination::new(&target).expect("a destination");
    let alert = sample::alert(7, Timestamp::default());
    let published = serde_json::to_vec(&alert).expect("JSON");
    let in_place = |text: &str| std::fs::write(&file, text).expect("a writable file");
    let renamed = |text: &str| {
        std::fs::write(&other, text).expect("a writable file");
        std::fs::rename(&other, &file).expect("a rename");
    };
    let linked = |text: &str| {
        let behind = folder.path().join(format!("behind-{}", text.len()));
        std::fs::write(&behind, text).expect("a writable file");
        std::os::unix::fs::symlink(&behind, &other).expect("a link");
        std::fs::rename(&other, &file).expect("a rename");
    };
    let new_line = format!("{}\n", keys[1]);
    #[rustfmt::skip]
    let steps = [
        // how, to what, what is said, key in use, why
        (&in_place as &dyn Fn(&str), keys[0], Ok(false), keys[0], "the same once more"),
        (&in_place, &new_line,     Ok(true),  keys[1], "written in place; one newline is cut"),
        (&renamed,  keys[0],       Ok(true),  keys[0], "another file under its name"),
        (&linked,   keys[1],       Ok(true),  keys[1], "behind a link"),
        (&linked,   "not base64!", Err(()),   keys[1], "no key: the old one stays"),
        (&renamed,  "",            Err(()),   keys[1], "empty: the old one stays"),
        (&renamed,  keys[0],       Ok(true),  keys[0], "mended"),
    ];
    let mut renewals = destination.renewals();
    for (how, text, said, in_use, why) in steps {
        how(text);
        let answered = destination.reread();
        assert!(!format!("{answered:?}").contains("base64!\""), "{answered:?}");
        assert_eq!(answered.map_err(|_| ()), said, "{why}");
        assert_eq!(renewals.has_changed().expect("it lives"), said == Ok::<_, ()>(true), "{why}");
        renewals.mark_unchanged();
        destination.attempt(&published, &alert, false, None).await;
        let seen = receiver.seen().pop().expect("a request");
        let header = |name: &str| seen.headers[name].as_str();
        let key = SigningKey::parse(in_use).expect("a key");
        let seconds = header("webhook-timestamp").parse().expect("seconds");
        let expected = webhook::signature(&[key], header("webhook-id"), seconds, &seen.body);
        assert_eq!(header("webhook-signature"), expected, "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_gets_the_card_and_one_line_after_a_refusal() {
    let receiver = Receiver::start(|_, _| Reply::Answer(400, "", "invalid_payload"));
    let alert = sample::alert(7, wall_clock());
    let destination = Destination::new(&receiver.slack()).expect("a destination");
    for minimal in [false, true] {
        let judged = destination.attempt(b"{}", &alert, minimal, None).await.judged;
        assert_eq!(judged.verdict, Verdict::Refused { tries: 2 });
    }
    let bodies = receiver.seen().into_iter().map(|r| serde_json::from_slice::<serde_json::Value>(&r.body));
    let has_blocks: Vec<_> = bodies.map(|body| body.expect("JSON").get("blocks").is_some()).collect();
    assert_eq!(has_blocks, [true, false]);
}

#[test]
fn settings_that_cannot_work_are_named_without_their_secrets() {
    let reach = Reach { allow_http: false, ..Receiver::reach(1_000) };
    let slack = |url: &str| Target::Slack {
        webhook_url: Secret::resolved(url, "env:S"),
        crm_url: None,
        reach: Box::new(reach.clone()),
    };
    let webhook = |url: &str, secret: &str, header: &str| {
        Target::Webhook(Box::new(Webhook {
            url: url.parse().expect("a URL"),
            secrets: vec![Secret::resolved(secret, "env:S")],
            headers: vec![(header.into(), Secret::resolved("top\nsecret", "env:H"))],
            payload: Default::default(),
            encoding: Default::default(),
            retry: Default::default(),
            reach: reach.clone(),
        }))
    };
    #[rustfmt::skip]
    let rows = [
        (slack("http://hooks.example.com/services/T/B/secret"), "webhook_url: https is required unless allow_http is set"),
        (slack("secret"),                                       "webhook_url: relative URL without a base"),
        (slack("ftp://example.com/secret"),                     "webhook_url: scheme ftp is not http or https"),
        (webhook("https://example.com", "secret!", "x"),        "secret: the key is not `whsec_` followed by base64"),
        (webhook("https://example.com", "whsec_aGVsbG8=", "x y"), "headers: \"x y\" is no header's name"),
        (webhook("https://example.com", "whsec_aGVsbG8=", "x"), "headers: the value of x is none"),
    ];
    for (target, expected) in rows {
        assert_eq!(Destination::new(&target).expect_err(expected), expected);
    }
}

fn reached(url: &str) -> Result<Destination, String> {
    Destination::new(&Target::Slack {
        webhook_url: Secret::resolved(url, "env:S"),
        crm_url: None,
        reach: Box::new(Receiver::reach(1_000)),
    })
}

/// Also run by the test below, in a process without certificates.
#[test]
fn plain_http_needs_no_certificates() {
    if let Err(fault) = reached("https://hooks.example.com/services/T/B/secret") {
        println!("{fault}");
    }
    reached("http://hooks.example.com/services/T/B/secret").expect("no TLS, no certificates");
}

#[test]
fn a_system_without_root_certificates_is_told_what_to_install() {
    let output = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "notify::destination::tests::plain_http_needs_no_certificates", "--nocapture"])
        .env("SSL_CERT_FILE", "/nonexistent/file")
        .env("SSL_CERT_DIR", "/nonexistent/folder")
        .output()
        .expect("the test runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(
        printed.contains("webhook_url: no TLS: ") && printed.contains("install the package ca-certificates"),
        "{printed}"
    );
    assert!(!printed.contains("secret"), "{printed}");
}
