//! Filters of events and matchers of values.

use regex::{Regex, RegexBuilder};

use super::Reader;
use super::keys::{FILTER, MATCHER, TESTS};
use crate::config::fault::{Place, quote};
use crate::config::map::Map;
use crate::config::scalar::{Scalar as Raw, ScalarKind};
use crate::config::suggest::{COMMON_FIELDS, did_you_mean, nearest, nearest_field};
use crate::config::view::{View, optional};
use crate::core::event::{FieldPath, Kind};
use crate::core::limits::{MAX_CONDITION_DEPTH, MAX_MATCHERS, MAX_NAME, MAX_PATTERNS, MAX_REGEX};
use crate::core::spec::{FilterSpec, Matcher, Scalar, Test};

/// What senders say of a page by themselves.
const PAGE_KEYS: [&str; 5] = ["path", "url", "title", "referrer", "search"];

impl Reader<'_> {
    /// The filter of a signal or an ignore entry.
    pub(super) fn filter(&mut self, view: &View<'_>) -> Option<FilterSpec> {
        let map = view.map(self.faults, &FILTER)?;
        let on = map.get("on").map(|view| self.kind(&view));
        let name = map.get("name").map(|view| self.matcher(&view, 0));
        let mut fields = Vec::new();
        if let Some(name) = name {
            fields.push(Some((FieldPath::Name, name?)));
        }
        if let Some(view) = map.get("where") {
            let entries = view.entries(self.faults, "fields");
            if entries.is_empty() {
                view.fault(self.faults, "must have at least one field");
            }
            for (entry, view) in entries {
                let path = FieldPath::parse(&entry.key);
                if path.is_none() {
                    let hint = nearest_field(&entry.key).map(|f| format!("; did you mean {f:?}?"));
                    let hint = hint.unwrap_or_else(|| format!("; fields are {}", known_fields()));
                    let message = format!("there is no such field{hint}");
                    self.faults.add(entry.place, &view.path, message);
                }
                if let Some(FieldPath::Page(keys)) = &path
                    && !PAGE_KEYS.contains(&&*keys[0])
                {
                    let hint = did_you_mean(&entry.key, COMMON_FIELDS);
                    let known = PAGE_KEYS.join(", ");
                    let message = format!("a page has {known} everywhere, anything else only where you send it{hint}");
                    self.faults.warn(entry.place, &view.path, message);
                }
                let matcher = self.matcher(&view, 0);
                fields.push(path.zip(matcher));
            }
        }
        Some(FilterSpec { on: optional(on)?, fields: fields.into_iter().collect::<Option<_>>()? })
    }

    fn kind(&mut self, view: &View<'_>) -> Option<Kind> {
        let kind = view.as_text().and_then(Kind::from_name);
        if kind.is_none() {
            let word = view.as_text().unwrap_or_default();
            let names = Kind::ALL.map(Kind::name);
            let hint = nearest(word, names).map(|name| format!(" (did you mean {name:?}?)"));
            let wanted = format!("one of {}{}", names.join(", "), hint.unwrap_or_default());
            view.must_be(self.faults, &wanted);
        }
        kind
    }

    /// The name of a trait of the lead.
    pub(super) fn trait_name(&mut self, view: &View<'_>) -> Option<String> {
        let name = view.reference(self.faults)?;
        if let Some(plain) = name.strip_prefix("traits.") {
            let message = format!("a trait is named without traits. in front; did you mean {plain:?}?");
            view.fault(self.faults, message);
            return None;
        }
        let fits = name.len() <= 4 * MAX_NAME && name.trim() == name && !name.chars().any(char::is_control);
        if !fits || FieldPath::of_trait(name).is_none() {
            view.must_be(self.faults, "a trait's name such as country or address.city");
            return None;
        }
        Some(name.to_owned())
    }

    /// A matcher: a scalar, a list, or a map of tests.
    pub(super) fn matcher(&mut self, view: &View<'_>, depth: usize) -> Option<Matcher> {
        if !self.within_matchers(view.node.place, &view.path) {
            return None;
        }
        if view.scalar().is_some() || view.as_list().is_some() {
            let test = Test::Equals(self.scalars(view)?);
            return Some(Matcher { tests: vec![test] });
        }
        if view.is_null() {
            view.must_be(self.faults, "a value, a list or a map of tests such as exists: false");
            return None;
        }
        let map = view.map(self.faults, &MATCHER)?;
        self.tests(&map, depth)
    }

    pub(super) fn within_matchers(&mut self, place: Place, path: &str) -> bool {
        self.matchers += 1;
        if self.matchers == MAX_MATCHERS + 1 {
            let message = format!("more than {MAX_MATCHERS} fields and traits in one file");
            self.faults.add(place, path, message);
        }
        self.matchers <= MAX_MATCHERS
    }

    /// The tests that stand in a map, among other keys perhaps.
    pub(super) fn tests(&mut self, map: &Map<'_>, depth: usize) -> Option<Matcher> {
        let is_test = |name: &str| TESTS.iter().any(|key| key.name == name);
        let tests: Vec<_> =
            map.iter().filter(|(name, _)| is_test(name)).map(|(name, view)| self.test(name, &view, depth)).collect();
        let tests: Vec<Test> = tests.into_iter().collect::<Option<_>>()?;
        (!tests.is_empty()).then_some(Matcher { tests })
    }

    fn test(&mut self, name: &str, view: &View<'_>, depth: usize) -> Option<Test> {
        Some(match name {
            "equals" | "in" => Test::Equals(self.scalars(view)?),
            "prefix" => Test::Prefix(self.lower_texts(view)?),
            "suffix" => Test::Suffix(self.lower_texts(view)?),
            "contains" => Test::Contains(self.lower_texts(view)?),
            "matches" => Test::Matches(self.patterns(view)?),
            "exists" => Test::Exists(view.truth(self.faults)?),
            "at_least" => Test::AtLeast(view.number(self.faults)?),
            "at_most" => Test::AtMost(view.number(self.faults)?),
            "above" => Test::Above(view.number(self.faults)?),
            "below" => Test::Below(view.number(self.faults)?),
            _ if depth >= MAX_CONDITION_DEPTH => {
                view.fault(self.faults, format!("nested deeper than {MAX_CONDITION_DEPTH} levels"));
                return None;
            }
            _ => Test::Not(self.matcher(view, depth + 1)?),
        })
    }

    fn scalars(&mut self, view: &View<'_>) -> Option<Vec<Scalar>> {
        let scalars: Vec<_> = one_or_more(self, view)?.iter().map(|view| self.operand(view)).collect();
        scalars.into_iter().collect()
    }

    fn operand(&mut self, view: &View<'_>) -> Option<Scalar> {
        let Some(Raw { raw, kind }) = view.scalar() else {
            view.must_be(self.faults, "a text, a number, true or false");
            return None;
        };
        if *kind == ScalarKind::Text && raw.trim().is_empty() {
            let message = "is never so: blank text counts as absent, which is exists: false";
            self.faults.warn(view.node.place, &view.path, message);
        }
        match kind {
            ScalarKind::Bool(value) => Some(Scalar::Bool(*value)),
            ScalarKind::Number(_) => view.number(self.faults).map(Scalar::Number),
            ScalarKind::Text | ScalarKind::Null => Some(Scalar::Text(raw.to_lowercase())),
        }
    }

    fn texts<'a>(&mut self, view: &View<'a>) -> Option<Vec<(View<'a>, &'a str)>> {
        let mut texts = Vec::new();
        let mut whole = true;
        for view in one_or_more(self, view)? {
            match view.as_text() {
                Some("") => view.fault(self.faults, "must not be empty: every text has that"),
                Some(text) => {
                    texts.push((view, text));
                    continue;
                }
                None if view.scalar().is_some() => view.must_be(self.faults, "a text, in quotation marks"),
                None => view.must_be(self.faults, "a text"),
            }
            whole = false;
        }
        whole.then_some(texts)
    }

    fn lower_texts(&mut self, view: &View<'_>) -> Option<Vec<String>> {
        let texts = self.texts(view)?;
        Some(texts.iter().map(|(_, text)| text.to_lowercase()).collect())
    }

    fn patterns(&mut self, view: &View<'_>) -> Option<Vec<Regex>> {
        let mut patterns = Vec::new();
        let mut whole = true;
        for (view, text) in self.texts(view)? {
            self.patterns += 1;
            match compile(text, self.patterns) {
                Ok(regex) => patterns.push(regex),
                Err(message) => {
                    view.fault(self.faults, message);
                    whole = false;
                }
            }
        }
        whole.then_some(patterns)
    }
}

/// The value itself, or the items of the list that it is.
fn one_or_more<'a>(reader: &mut Reader<'_>, view: &View<'a>) -> Option<Vec<View<'a>>> {
    match view.as_list() {
        Some(_) => view.list(reader.faults, "values"),
        None => Some(vec![view.clone()]),
    }
}

fn compile(pattern: &str, number: usize) -> Result<Regex, String> {
    if number > MAX_PATTERNS {
        return Err(format!("more than {MAX_PATTERNS} regular expressions in one file"));
    }
    let compiled = RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!(
            "the regular expression {} takes more than {limit} bytes: use smaller repetitions, or (?-u) before \\w and \\b",
            quote(pattern)
        ),
        error => {
            // The last line says what; those before it draw where.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            format!("must be a regular expression, got {}: {reason}", quote(pattern))
        }
    })
}

fn known_fields() -> String {
    let names = FieldPath::NAMES.map(|name| match name.strip_suffix('.') {
        Some(first) => format!("{first}.*"),
        None => name.to_owned(),
    });
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_or_broken_pattern_is_named() {
        let started = std::time::Instant::now();
        let message = compile("((a{1000}){1000}){1000}", 1).expect_err("too big");
        assert!(message.contains("takes more than 262144 bytes"), "{message}");
        let message = compile("(?i)(chief|vp", 1).expect_err("broken");
        assert!(message.ends_with("unclosed group"), "{message}");
        assert!(compile("(?i)\\b(chief|vp|head|director)\\b", 1).is_ok());
        assert!(compile("(a+)+$", 1).is_ok(), "linear in this engine");
        assert!(started.elapsed() < std::time::Duration::from_secs(5));
    }
}
