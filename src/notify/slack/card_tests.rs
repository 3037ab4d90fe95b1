//! What the card says, and that nothing from a lead can break out of it.

use proptest::prelude::*;

use super::*;
use crate::core::alert::{AlertKind, Score, Trigger};
use crate::core::ids::AlertId;

fn time(text: &str) -> Timestamp {
    serde_json::from_value(Value::String(text.to_owned())).expect("a time")
}

fn evidence(signal: &str, at: &str, points: f64, label: &str) -> Evidence {
    Evidence { signal: Some(signal.to_owned()), time: Some(time(at)), points, source: None, label: label.to_owned() }
}

fn dana() -> Alert {
    let now = time("2026-11-22T10:02:14.120Z");
    Alert {
        id: AlertId(0x9f0c),
        rule: "pricing-surge".into(),
        tier: "hot".into(),
        kind: AlertKind::Opened,
        lead: Lead {
            key: "u1".into(),
            email: Some("dana@acme.example".into()),
            name: Some("Dana Ruiz".into()),
            company: Some("Acme".into()),
            job_title: Some("VP Eng".into()),
            ..Lead::default()
        },
        time: now,
        episode_start: now,
        reason: "3 pricing views in 41 min".into(),
        flags: vec!["unsubscribed".into()],
        flag_texts: vec!["unsubscribed: call, don't mail".into()],
        score: Score { total: 112.0, fit: 20.0, behaviour: 92.0 },
        trigger: Trigger { event_id: "e-1".into(), time: now, source: "engagement/2@1234".into() },
        evidence: vec![
            evidence("webinar", "2026-11-21T15:00:00.000Z", 24.4, "Webinar Attended"),
            evidence("pricing_view", "2026-11-22T09:21:00.000Z", 15.0, "/pricing"),
            evidence("pricing_view", "2026-11-22T10:00:00.000Z", 15.0, "/pricing"),
            evidence("demo_request", "2026-11-22T10:02:14.120Z", 40.0, "/demo"),
        ],
        campaign: Some("pricing-case-studies".into()),
        rules_version: "sha256:1f3a5b7c9d0e2f4a6b8c".into(),
    }
}

/// All texts of a message, top to bottom: (type, text).
fn texts(message: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(object) => match (object.get("type"), object.get("text")) {
                (Some(Value::String(kind)), Some(Value::String(text))) => found.push((kind.clone(), text.clone())),
                _ => object.values().for_each(|value| walk(value, found)),
            },
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&message["blocks"], &mut found);
    found
}

#[test]
fn the_card_reads_from_who_to_why_to_how_quick() {
    let card = card(&Face::of(&dana(), None), time("2026-11-22T10:02:15.920Z"));
    let read: Vec<_> = texts(&card).into_iter().map(|(_, text)| text).collect();
    #[rustfmt::skip]
    let expected = [
        "HOT | Dana Ruiz, VP Eng - Acme",
        "3 pricing views in 41 min",
        "*Score 112 (fit 20, behaviour 92)*",
        "+20 fit\n+40 demo_request, 10:02 UTC, /demo\n+30 pricing_view x2, 09:21 to 10:00 UTC, /pricing\n\
         +24.4 webinar, 11-21 15:00 UTC, Webinar Attended\n-2.4 other behaviour, fading and caps",
        "unsubscribed: call, don't mail",
        "rule pricing-surge | campaign pricing-case-studies | rules sha256:1f3a5b7c9d0e",
        "event <!date^1795341734^{time_secs}|10:02:14 UTC> → posted +1.8 s",
    ];
    assert_eq!(read, expected);
    assert_eq!(
        card["text"],
        "HOT | Dana Ruiz, VP Eng - Acme: 3 pricing views in 41 min | Score 112 (fit 20, behaviour 92) | \
         unsubscribed: call, don't mail"
    );
    assert_eq!(
        (&card["unfurl_links"], &card["unfurl_media"], &card["parse"]),
        (&json!(false), &json!(false), &json!("none"))
    );
}

#[test]
fn who_is_the_name_else_the_masked_mail_else_the_key() {
    #[rustfmt::skip]
    let rows = [
        (Some("Dana"),          Some("dana@acme.example"), "HOT | Dana"),
        (Some(" \u{200b}"),     Some("dana@acme.example"), "HOT | d***@acme.example"),
        (None,                  Some("dana@acme.example"), "HOT | d***@acme.example"),
        (None,                  Some("no mail"),           "HOT | u1"),
        (None,                  None,                      "HOT | u1"),
    ];
    for (name, email, expected) in rows {
        let mut alert = dana();
        alert.lead = Lead {
            key: "u1".into(),
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
            ..Lead::default()
        };
        assert_eq!(headline(&Face::of(&alert, None)), expected);
    }
}

#[test]
fn a_card_of_many_rules_names_them_all_says_when_it_is_over_and_leads_to_the_crm() {
    let alert = dana();
    let rules = vec![("pricing-surge", false), ("demo-requested", true)];
    let link = Some("https://crm.example.com/?e=a&b".to_owned());
    let mut face = Face { alert: &alert, rules, closed: false, link };
    let read = |face: &Face<'_>| texts(&card(face, alert.time)).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    let shown = read(&face);
    assert_eq!(shown[0], "HOT | Dana Ruiz, VP Eng - Acme");
    assert_eq!(shown[5], "<https://crm.example.com/?e=a&amp;b|Open in CRM>");
    assert!(shown[6].starts_with("rule pricing-surge (over), demo-requested | campaign"), "{shown:?}");
    face.closed = true;
    assert_eq!(read(&face)[0], "CLOSED | Dana Ruiz, VP Eng - Acme");
    let text = minimal(&face)["text"].as_str().expect("text").to_owned();
    assert!(text.contains("rules pricing-surge (over), demo-requested"), "{text}");
}

#[test]
fn an_alert_without_points_lists_its_evidence_without_a_score() {
    let mut alert = dana();
    alert.score = Score { total: 0.0, fit: 0.0, behaviour: 0.0 };
    alert.evidence.iter_mut().for_each(|e| e.points = 0.0);
    assert_eq!(score_line(&alert), None);
    assert_eq!(contributions(&alert).lines().last(), Some("demo_request, 10:02 UTC, /demo"));
}

#[test]
fn hostile_texts_mention_and_link_nothing() {
    let mut alert = dana();
    for hostile in ["<!channel>", "<https://evil.example|your bank>", "@here & <@U123>", "a\n\n*b*\u{202e}gnp.exe"] {
        alert.lead.name = Some(hostile.into());
        alert.reason = hostile.into();
        alert.evidence[0].label = hostile.into();
        let card = card(&Face::of(&alert, None), alert.time);
        assert!(!card["text"].as_str().expect("text").contains(['<', '>', '\n', '\u{202e}']), "{card}");
        for (kind, text) in texts(&card) {
            assert!(kind == "plain_text" || text.starts_with("*Score") || text.starts_with("event <!date^"), "{text}");
        }
    }
}

/// What a validator of Slack's published limits would say.
fn check(message: &Value) -> Result<(), TestCaseError> {
    let length = |text: &str| text.chars().count();
    let blocks = message["blocks"].as_array().expect("blocks");
    let mut total = length(message["text"].as_str().expect("text"));
    prop_assert!((1..=4_000).contains(&total));
    prop_assert!(!message["text"].as_str().expect("text").contains(['<', '>']));
    prop_assert!(blocks.len() <= 50);
    for block in blocks {
        let limit = match block["type"].as_str().expect("a type") {
            "header" => 150,
            "section" => 3_000,
            "context" => {
                prop_assert!((1..=10).contains(&block["elements"].as_array().expect("elements").len()));
                3_000
            }
            other => return Err(TestCaseError::fail(format!("block {other}"))),
        };
        for (kind, text) in texts(&json!({ "blocks": [block] })) {
            prop_assert!((1..=limit).contains(&length(&text)), "{} has {}", text, length(&text));
            total += length(&text);
            if kind == "mrkdwn" {
                let control = text.split('<').nth(1).map_or("", |rest| rest.split('>').next().unwrap_or(rest));
                prop_assert!(
                    control.is_empty() || control.starts_with("!date^") || control.ends_with("|Open in CRM"),
                    "{}",
                    text
                );
                prop_assert!(text.matches('<').count() <= 1, "{}", text);
            }
        }
    }
    prop_assert!(total <= 10_000, "{} characters", total);
    Ok(())
}

proptest! {
    #[test]
    fn any_text_of_a_lead_gives_a_card_that_slack_takes(
        texts in prop::collection::vec("(?s).{0,200}|[<>&|!@#*_`]{0,400}|\\PC{0,3000}", 9),
        points in prop::collection::vec(-10_000i64..10_000, 0..30),
        posted in -5_000i64..400_000_000,
    ) {
        let mut alert = dana();
        let mut next = texts.into_iter();
        let mut text = || next.next().unwrap_or_default();
        alert.lead.name = Some(text());
        alert.lead.company = Some(text());
        alert.lead.job_title = Some(text());
        alert.lead.key = text();
        alert.reason = text();
        alert.tier = text();
        alert.rule = text();
        alert.campaign = Some(text());
        let last = text();
        alert.flag_texts = vec![last.clone(), last.clone()];
        alert.evidence = points.iter().enumerate().map(|(i, p)| Evidence {
            signal: (i % 3 > 0).then(|| format!("{i}{last}")),
            ..evidence("", "2026-11-22T10:00:00.000Z", *p as f64 / 10.0, &last)
        }).collect();
        let names: Vec<String> = (0..points.len() * 4).map(|n| format!("{n}{last}")).collect();
        let link = Some(format!("https://crm.example.com/?q={}|&<", "%20".repeat(400)));
        let rules = std::iter::once(alert.rule.as_str()).chain(names.iter().map(String::as_str));
        let face = Face { alert: &alert, rules: rules.map(|rule| (rule, posted % 2 == 0)).collect(), closed: posted % 3 == 0, link };
        let card = card(&face, alert.time + Span::from_millis(posted));
        check(&card)?;
        prop_assert!(super::super::limits(&card).iter().all(super::super::Use::fits));
        prop_assert!(minimal(&face)["text"].as_str().is_some_and(|t| !t.contains(['<', '>'])));
    }

    /// The points on the card, line by line, are the score.
    #[test]
    fn the_contributions_add_up(points in prop::collection::vec(-500i64..500, 0..12), fit in -300i64..300, behaviour in -900i64..900) {
        let mut alert = dana();
        alert.score = Score { total: (fit + behaviour) as f64 / 10.0, fit: fit as f64 / 10.0, behaviour: behaviour as f64 / 10.0 };
        alert.evidence = points.iter().enumerate()
            .map(|(i, p)| evidence(&format!("s{}", i % 7), "2026-11-22T10:00:00.000Z", *p as f64 / 10.0, "x")).collect();
        let shown: i64 = contributions(&alert).lines()
            .filter_map(|line| line.split(' ').next()?.parse::<f64>().ok()).map(tenths).sum();
        prop_assert_eq!(shown, fit + behaviour);
    }
}
