//! Routes: which sinks an alert goes to. A function of the alert and the config, and of nothing else.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::config::settings::{Routing, SinkRoute, Takes};
use crate::core::event::Value;
use crate::core::matching;
use crate::core::spec::Matcher;

/// Where alerts go.
#[derive(Clone, Debug, Default)]
pub struct Routes(Routing);

impl Routes {
    /// As the config says.
    pub fn new(routing: &Routing) -> Self {
        Self(routing.clone())
    }

    /// The ids of the sinks that take an alert, in the order of the file; none means that it is dropped.
    pub fn route(&self, alert: &Json) -> Vec<&str> {
        let takes: Vec<_> = self.0.sinks.iter().map(|sink| asks_for(&sink.takes, alert)).collect();
        let is_rest = !takes.contains(&Some(true));
        let sinks = self.0.sinks.iter().zip(takes);
        sinks.filter(|(_, takes)| takes.unwrap_or(is_rest)).map(|(sink, _)| sink.id.as_str()).collect()
    }

    /// Who gets an alert too while one of the sinks that take it cannot be reached: those that do not take it by themselves.
    pub fn fallbacks<'a>(&'a self, sinks: &[&str]) -> BTreeMap<&'a str, &'a str> {
        let of = |route: &'a SinkRoute| Some((route.id.as_str(), route.fallback.as_deref()?));
        let taking = self.0.sinks.iter().filter(|route| sinks.contains(&route.id.as_str()));
        taking.filter_map(of).filter(|(_, fallback)| !sinks.contains(fallback)).collect()
    }

    /// Whether a sink takes the alert with this value on the alert topic. What is no alert has no fields.
    pub fn takes(&self, sink: &str, value: Option<&[u8]>) -> bool {
        let route = self.0.sinks.iter().find(|route| route.id == sink);
        // Most files have no routes: nothing is read then.
        if route.is_none_or(|route| matches!(route.takes, Takes::Everything)) {
            return true;
        }
        let alert = value.and_then(|value| serde_json::from_slice(value).ok()).unwrap_or(Json::Null);
        self.route(&alert).contains(&sink)
    }
}

/// Whether a sink asks for the alert by itself; `None` if it takes what is left.
fn asks_for(takes: &Takes, alert: &Json) -> Option<bool> {
    match takes {
        Takes::Everything => Some(true),
        Takes::Only(fields) => Some(fields.iter().all(|(path, matcher)| holds(matcher, at(alert, path)))),
        Takes::Rest => None,
    }
}

/// What stands at a path; a trait of the lead may stand among its traits.
fn at<'a>(alert: &'a Json, path: &str) -> &'a Json {
    let below = |start: &'a Json, path: &str| path.split('.').try_fold(start, |value, name| value.get(name));
    let of_lead =
        |name: &str| alert.get("lead")?.get("traits").and_then(|traits| traits.get(name).or(below(traits, name)));
    below(alert, path).or_else(|| of_lead(path.strip_prefix("lead.")?)).unwrap_or(&Json::Null)
}

/// As in rules: null and blank texts are absent, of a list one element is enough.
fn holds(matcher: &Matcher, value: &Json) -> bool {
    let number = |value: &Json| value.as_number().map(ToString::to_string);
    match value {
        Json::Array(items) => {
            let numbers: Vec<_> = items.iter().map(number).collect();
            let items = items.iter().zip(&numbers).map(|(item, number)| plain(item, number.as_deref()));
            let items: Vec<_> = items.filter(|item| !matches!(item, Value::Absent)).collect();
            matching::holds_of_list(matcher, &items)
        }
        value => matching::holds(matcher, plain(value, number(value).as_deref())),
    }
}

fn plain<'a>(value: &'a Json, number: Option<&'a str>) -> Value<'a> {
    match value {
        Json::Null => Value::Absent,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(_) => number.map_or(Value::Absent, Value::Number),
        Json::String(text) if text.trim().is_empty() => Value::Absent,
        Json::String(text) => Value::Text(text),
        Json::Array(_) | Json::Object(_) => Value::Object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fault::Severity;
    use crate::config::settings::{Needed, Surroundings, read};
    use proptest::prelude::*;
    use serde_json::json;

    const SINK: &str = "slack: { webhook_url: env:URL }";

    fn routes(sinks: &[(&str, &str)], more: &str) -> Routes {
        let sinks: Vec<_> = sinks.iter().map(|(id, takes)| format!("  - {{ id: {id}, {SINK}{takes} }}\n")).collect();
        let text = format!("version: 1\nkafka: {{ brokers: [k:1] }}\nrules: r\n{more}sinks:\n{}", sinks.concat());
        let around = Surroundings {
            host: Some("h".into()),
            secret: &|_| Err("not looked up".into()),
            missing: Severity::Fault,
            needed: Needed::Nobody,
        };
        let (settings, faults) = read("c", &text, &around);
        Routes::new(&settings.unwrap_or_else(|| panic!("{faults}")).routing)
    }

    fn alert() -> Json {
        serde_json::from_slice(include_bytes!("../../schemas/alert/v1/full.json")).expect("JSON")
    }

    #[test]
    fn an_alert_goes_to_every_sink_that_asks_for_it() {
        let mut alert = alert();
        alert["lead"]["traits"] = json!({ "country": "DE", "employees": 120, "address": { "city": "Bonn" } });
        #[rustfmt::skip]
        let rows = [
            // only                                                          takes it
            ("rule: pricing-surge",                                          true),
            ("rule: [demo-requested, Pricing-Surge]",                        true),
            ("rule: demo-requested",                                         false),
            ("rule: { prefix: pricing }, tier: hot",                         true),
            ("rule: { prefix: pricing }, tier: warm",                        false),
            ("lead.email: { suffix: '@acme.example' }",                      true),
            ("lead.country: [US, DE]",                                       true),
            ("lead.country: US",                                             false),
            ("lead.country: { not: US }",                                    true),
            ("lead.employees: { at_least: 120 }",                            true),
            ("lead.employees: { above: 120 }",                               false),
            ("lead.address.city: bonn",                                      true),
            ("lead.phone: { exists: false }",                                true),
            ("lead.phone: { exists: true }",                                 false),
            ("score.total: { at_least: 65 }",                                true),
            ("score.total: { below: 65 }",                                   false),
            ("flags: unsubscribed",                                          true),
            ("flags: { not: unsubscribed }",                                 false),
            ("flags: { exists: true }",                                      true),
            ("flags: [other]",                                               false),
            ("campaign: { matches: '^pricing' }",                            true),
            ("kind: closed",                                                 false),
            ("lead: { exists: true }",                                       true),
        ];
        for (only, takes) in rows {
            let routes = routes(&[("a", &format!(", only: {{ {only} }}"))], "unrouted: drop\n");
            assert_eq!(routes.route(&alert), if takes { vec!["a"] } else { vec![] }, "{only}");
            let value = serde_json::to_vec(&alert).expect("JSON");
            assert_eq!(routes.takes("a", Some(&value)), takes, "{only}");
        }
    }

    #[test]
    fn the_rest_goes_to_whom_the_file_says() {
        let hot = ("hot", ", only: { tier: hot }");
        let demo = ("demo", ", only: { rule: demo-requested }");
        let (rest, all) = (("rest", ", rest: true"), ("all", ""));
        #[rustfmt::skip]
        let rows = [
            // sinks             beside them          tier    who gets it
            (vec![all],             "",                  "hot",  vec!["all"]),
            (vec![hot, demo, rest], "",                  "hot",  vec!["hot"]),
            (vec![hot, demo, rest], "",                  "warm", vec!["rest"]),
            (vec![rest, hot],       "",                  "warm", vec!["rest"]),
            (vec![hot, all],        "unrouted: drop\n",  "hot",  vec!["hot", "all"]),
            (vec![hot, all],        "unrouted: drop\n",  "warm", vec!["all"]),
            (vec![hot, demo],       "unrouted: drop\n",  "warm", vec![]),
            (vec![rest],            "",                  "warm", vec!["rest"]),
        ];
        for (sinks, beside, tier, expected) in rows {
            let mut alert = alert();
            alert["tier"] = json!(tier);
            assert_eq!(routes(&sinks, beside).route(&alert), expected, "{sinks:?} {beside}");
        }
    }

    #[test]
    fn a_fallback_is_named_unless_it_takes_the_alert_by_itself() {
        #[rustfmt::skip]
        let rows = [
            // the others                              who stands in for `a`
            (("b", ", rest: true"),                    vec![("a", "b")]),
            (("b", ", only: { tier: warm }"),          vec![("a", "b")]),
            (("b", ", only: { rule: pricing-surge }"), vec![]),
            (("b", ""),                                vec![]),
        ];
        for (other, expected) in rows {
            let routes = routes(&[("a", ", only: { tier: hot }, fallback: b"), other], unrouted(other.1));
            let sinks = routes.route(&alert());
            assert_eq!(routes.fallbacks(&sinks), expected.into_iter().collect(), "{other:?}");
        }
    }

    fn unrouted(takes: &str) -> &'static str {
        if takes.contains("rest") { "" } else { "unrouted: drop\n" }
    }

    #[test]
    fn what_is_no_alert_is_the_rest_too() {
        let routes = routes(&[("hot", ", only: { tier: hot }"), ("rest", ", rest: true"), ("all", "")], "");
        for value in [None, Some(&b"not JSON"[..]), Some(b"[1]")] {
            let takes = ["hot", "rest", "all", "unknown"].map(|sink| routes.takes(sink, value));
            assert_eq!(takes, [false, false, true, true], "{value:?}");
        }
    }

    proptest! {
        /// Each alert goes to somebody if the file has somebody for the rest, and to that one only if to no other.
        #[test]
        fn nothing_is_lost_where_somebody_takes_the_rest(tier in "[a-c]", rule in "[a-c]", at in 0usize..3) {
            let mut sinks = vec![("t", ", only: { tier: [a, b] }"), ("r", ", only: { rule: a }")];
            sinks.insert(at, ("rest", ", rest: true"));
            let routes = routes(&sinks, "");
            let went = routes.route(&json!({ "tier": tier, "rule": rule }));
            let others = usize::from(tier != "c") + usize::from(rule == "a");
            prop_assert_eq!(went.contains(&"rest"), others == 0);
            prop_assert_eq!(went.len(), others.max(1));
        }
    }
}
