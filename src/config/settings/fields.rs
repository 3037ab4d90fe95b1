//! Fields of an alert that a config file can name: for payloads, masks and routes.

use super::read::Reader;
use crate::config::suggest::did_you_mean;
use crate::config::view::View;

/// Every field of an alert, by its path.
pub const ALERT_FIELDS: &[&str] = &[
    "id",
    "rule",
    "tier",
    "kind",
    "lead",
    "lead.key",
    "lead.user_id",
    "lead.anonymous_id",
    "lead.email",
    "lead.name",
    "lead.company",
    "lead.job_title",
    "lead.traits",
    "time",
    "episode_start",
    "reason",
    "flags",
    "flag_texts",
    "score",
    "score.total",
    "score.fit",
    "score.behaviour",
    "trigger",
    "trigger.event_id",
    "trigger.time",
    "trigger.source",
    "evidence",
    "campaign",
    "rules_version",
];

/// What stands before the fields of a lead.
pub(super) const LEAD: &str = "lead.";

/// What a thin payload holds: enough to ask for the rest, and whom it is about.
pub const THIN_FIELDS: &[&str] = &["id", "rule", "tier", "kind", "lead.key", "time"];

impl Reader<'_> {
    /// A list of an alert's fields, each once.
    pub(super) fn alert_fields(&mut self, view: &View<'_>) -> Option<Vec<&'static str>> {
        self.fields_of(view, |name| ALERT_FIELDS.iter().find(|known| **known == name).copied(), ALERT_FIELDS)
    }

    /// The fields of a lead that a sink must not learn: `true` for all of them; `lead.` may be left out.
    pub(super) fn mask(&mut self, view: &View<'_>) -> Option<Vec<&'static str>> {
        let of_lead: Vec<_> = ALERT_FIELDS.iter().filter(|name| name.starts_with(LEAD)).copied().collect();
        match view.as_truth() {
            Some(true) => return Some(of_lead),
            Some(false) => return Some(Vec::new()),
            None => {}
        }
        let find = |name: &str| {
            let short = name.strip_prefix(LEAD).unwrap_or(name);
            of_lead.iter().find(|known| known[LEAD.len()..] == *short).copied()
        };
        self.fields_of(view, find, &of_lead)
    }

    fn fields_of(
        &mut self,
        view: &View<'_>,
        find: impl Fn(&str) -> Option<&'static str>,
        known: &[&'static str],
    ) -> Option<Vec<&'static str>> {
        let mut fields = Vec::new();
        let mut whole = true;
        for view in view.list(self.faults, "fields")? {
            let text = view.as_text().unwrap_or_default();
            match find(text) {
                Some(field) if fields.contains(&field) => view.fault(self.faults, format!("{text} stands twice")),
                Some(field) => {
                    fields.push(field);
                    continue;
                }
                None => {
                    let hint = did_you_mean(text, known.iter().copied());
                    view.must_be(self.faults, &format!("a field such as {}{hint}", known[1..4].join(", ")));
                }
            }
            whole = false;
        }
        whole.then_some(fields)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn paths(value: &Value, before: &str, found: &mut BTreeSet<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let path = format!("{before}{name}");
            // Below it are the user's own names.
            if path != "lead.traits" {
                paths(value, &format!("{path}."), found);
            }
            found.insert(path);
        }
    }

    #[test]
    fn the_fields_are_those_of_an_alert_that_has_all() {
        let full = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/alert/v1/traits.json")).expect("a file");
        let alert: crate::core::alert::Alert = serde_json::from_slice(&full).expect("an alert");
        let alert = serde_json::to_value(alert).expect("JSON");
        let mut found = BTreeSet::new();
        paths(&alert, "", &mut found);
        assert_eq!(found, ALERT_FIELDS.iter().map(|name| (*name).to_owned()).collect());
        assert!(THIN_FIELDS.iter().all(|name| ALERT_FIELDS.contains(name)));
    }
}
