//! What a config asks of its rules file: the rules and tiers of which sinks take alerts.

use std::path::Path;

use super::fault::Faults;
use super::suggest::did_you_mean;
use super::view::View;
use super::{read_text, tree};
use crate::core::spec::RulesSpec;

/// Fields of an alert that the rules file gives its values, and that value of each rule.
const FIELDS: [(&str, Value); 2] = [("rule", |rules| ids(rules)), ("tier", |rules| tiers(rules))];

type Value = fn(&RulesSpec) -> Vec<&str>;

fn ids(rules: &RulesSpec) -> Vec<&str> {
    rules.rules.iter().map(|rule| rule.id.as_str()).collect()
}

fn tiers(rules: &RulesSpec) -> Vec<&str> {
    rules.rules.iter().map(|rule| rule.tier.as_str()).collect()
}

/// Warns of each rule or tier that a sink of this config takes and that these rules, shown so, do not have.
pub fn compare(config: &Path, rules: &RulesSpec, shown: &str, faults: &mut Faults) {
    let mut of_syntax = Faults::new("");
    let Some(root) = read_text(config).ok().and_then(|text| tree::parse(&text, &mut of_syntax)) else {
        return;
    };
    let sinks = View::top(&root).entry("sinks").and_then(|sinks| sinks.as_list()).unwrap_or_default();
    for only in sinks.iter().filter_map(|sink| sink.entry("only")) {
        for (field, values) in FIELDS {
            let known = values(rules);
            for name in only.entry(field).iter().flat_map(wanted) {
                let Some(text) = name.as_text() else { continue };
                if !known.iter().any(|known| known.eq_ignore_ascii_case(text)) {
                    let hint = did_you_mean(text, known.iter().copied());
                    faults.warn(name.node.place, &name.path, format!("{shown} has no {field} {text:?}{hint}"));
                }
            }
        }
    }
}

/// The values that a matcher names as a whole.
fn wanted<'a>(matcher: &View<'a>) -> Vec<View<'a>> {
    let inner = ["equals", "in"].into_iter().find_map(|test| matcher.entry(test));
    let matcher = inner.unwrap_or_else(|| matcher.clone());
    matcher.as_list().unwrap_or_else(|| vec![matcher])
}
