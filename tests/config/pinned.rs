//! The two files of the pinned interface: what they say, value by value.

use std::time::Duration;

use hotlead::config::settings::{LogFormat, Start, Target};
use hotlead::config::{rules, settings};
use hotlead::core::event::{FieldPath, Kind};
use hotlead::core::spec::{ConditionSpec, RulesSpec, Scalar, Tenths, Test};
use hotlead::core::time::Span;

use super::root;
use super::samples::surroundings;

fn pinned(name: &str) -> String {
    std::fs::read_to_string(root().join("tests/config/pinned").join(name)).expect("a text")
}

fn rules() -> RulesSpec {
    let (spec, faults) = rules::read("rules.yaml", &pinned("rules.yaml"));
    assert!(!faults.is_fatal(), "{faults}");
    spec.expect("rules")
}

#[test]
fn the_pinned_rules_say_what_they_say() {
    let spec = rules();
    assert_eq!(spec.grace, Span::from_secs(300));
    assert_eq!(spec.max_future_skew, Span::from_secs(300));
    assert_eq!(spec.forget_after, Span::from_secs(400 * 86_400));
    assert!(spec.version.starts_with("sha256:") && spec.version.len() == 71, "{}", spec.version);
    let names: Vec<_> = spec.signals.iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names[..4], ["any_page", "pricing_view", "careers_view", "case_study_download"]);
    assert_eq!(spec.ignore.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["bot", "monitor"]);
    let ids: Vec<_> = spec.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["pricing-surge", "demo-requested", "sales-ready", "serious-evaluation"]);
    assert_eq!(spec.rules[0].cooldown, Span::from_secs(86_400));
    assert_eq!(spec.rules[1].cooldown, Span::from_secs(3_600));
    assert_eq!((spec.rules[0].tier.as_str(), spec.rules[0].campaign.as_deref()), ("hot", Some("pricing-case-studies")));
    assert_eq!(spec.rules[1].despite, ["job_applicant", "trial_ended"]);
    let ConditionSpec::Score { at_least, rearm_below } = spec.rules[2].when else { panic!("{:?}", spec.rules[2].when) };
    assert_eq!((at_least, rearm_below), (Tenths(1000), Tenths(700)));
    let ConditionSpec::All(parts) = &spec.rules[3].when else { panic!("{:?}", spec.rules[3].when) };
    assert!(
        matches!(&parts[0], ConditionSpec::Count { at_least: 2, within, .. } if *within == Span::from_secs(7 * 86_400))
    );
    assert!(matches!(&parts[1], ConditionSpec::Any(any) if any.len() == 2));
    assert!(
        matches!(&parts[2], ConditionSpec::Not(not) if matches!(&**not, ConditionSpec::Trait { name, .. } if name == "country"))
    );
}

#[test]
fn the_pinned_matchers_are_compiled() {
    let spec = rules();
    let pricing = &spec.signals[1].filter;
    assert_eq!(pricing.on, Some(Kind::Page));
    let (field, matcher) = &pricing.fields[0];
    assert_eq!(Some(field), FieldPath::parse("page.path").as_ref());
    assert!(matches!(&matcher.tests[..], [Test::Prefix(prefixes)] if *prefixes == ["/pricing"]));
    let (field, matcher) = &spec.signals[3].filter.fields[0];
    assert_eq!(*field, FieldPath::Name);
    let text = Scalar::Text("case study downloaded".into());
    assert!(matches!(&matcher.tests[..], [Test::Equals(texts)] if *texts == [text]));
    let seats = &spec.signals[4].filter.fields[1].1;
    assert!(matches!(&seats.tests[..], [Test::AtLeast(n)] if *n == 50.0));
}

#[test]
fn the_pinned_points_have_their_half_lives_filled_in() {
    let scoring = rules().scoring.expect("scoring");
    let fortnight = Some(Span::from_secs(14 * 86_400));
    assert_eq!(scoring.half_life, fortnight);
    assert_eq!(scoring.groups, [("web".to_owned(), Tenths(600)), ("content".to_owned(), Tenths(400))]);
    let points: Vec<_> = scoring.points.iter().map(|p| (p.points, p.group.as_deref(), p.half_life)).collect();
    let month = Some(Span::from_secs(30 * 86_400));
    #[rustfmt::skip]
    assert_eq!(points, [
        (Tenths(150), Some("web"), fortnight), (Tenths(200), Some("content"), month), (Tenths(-100), None, fortnight),
        (Tenths(-500), None, None),
    ]);
    assert_eq!(scoring.fit.len(), 3);
    assert_eq!(scoring.fit[1].matcher.tests.len(), 2);
}

#[test]
fn the_pinned_holds_latch_as_they_say() {
    let spec = rules();
    let holds: Vec<_> = spec.suppress.iter().map(|h| (h.name.as_str(), h.for_, h.until.is_some())).collect();
    let month = Some(Span::from_secs(30 * 86_400));
    #[rustfmt::skip]
    assert_eq!(holds, [
        ("job_applicant", month, false), ("competitor", None, false), ("our_own", None, false), ("trial_ended", None, true),
    ]);
    assert_eq!(spec.flags[0].says.as_deref(), Some("unsubscribed: call, don't mail"));
}

#[test]
fn the_pinned_config_says_what_it_says() {
    let (settings, faults) = settings::read("conf/hotlead.yaml", &pinned("hotlead.yaml"), &surroundings());
    assert!(faults.is_empty(), "{faults}");
    let settings = settings.expect("settings");
    assert_eq!(settings.kafka.brokers, ["localhost:9092"]);
    assert_eq!((settings.group.as_str(), settings.instance.as_str()), ("hotlead", "hot-1"));
    assert_eq!(settings.start, Start::Latest);
    assert_eq!(settings.topics.events, "engagement");
    assert_eq!(settings.topics.state, "hotlead.state");
    assert_eq!(settings.topics.replication_factor, Some(1));
    assert_eq!(settings.rules.to_str(), Some("conf/rules.yaml"));
    assert_eq!(settings.lead_key, [FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId]);
    assert_eq!((settings.commit_interval, settings.workers), (Duration::from_millis(200), 2));
    assert_eq!(settings.http, Some("127.0.0.1:8080".parse().expect("an address")));
    assert_eq!(settings.log, LogFormat::Text);
    let ids: Vec<_> = settings.sinks.iter().map(|sink| sink.id.as_str()).collect();
    assert_eq!(ids, ["sdr-channel", "crm"]);
    assert_eq!(settings.sinks[0].max_age, Duration::from_secs(86_400));
    let Target::Webhook(webhook) = &settings.sinks[1].target else { panic!("a webhook") };
    let (secrets, reach) = (&webhook.secrets, &webhook.reach);
    assert_eq!(webhook.url.as_str(), "https://crm.example.com/hooks/hotlead");
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].reference(), Some("env:CRM_WEBHOOK_SECRET"));
    assert_eq!((reach.timeout, reach.allow_http), (Duration::from_secs(15), false));
}
