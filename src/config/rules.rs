//! rules.yaml: text in, checked rules or every fault out.

mod condition;
mod filter;
mod keys;
mod names;
mod scoring;

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use self::condition::{Scope, has_occurrence, is_momentary};
use self::keys::{FLAG, RULE, SUPPRESSION};
pub(super) use self::keys::{MATCHER, RULES_FILE};
use self::names::Names;
use super::fault::{Faults, Place};
use super::map::Map;
use super::tree::{self, Node};
use super::view::{View, optional};
use crate::core::spec::{FlagSpec, HoldSpec, IgnoreSpec, Matcher, RuleSpec, RulesSpec, SignalSpec};
use crate::core::time::Span;

/// The only version of the format so far.
const VERSION: f64 = 1.0;
const DEFAULT_GRACE: Span = Span::from_secs(5 * 60);
const DEFAULT_SKEW: Span = Span::from_secs(5 * 60);
const DEFAULT_FORGET: Span = Span::from_secs(400 * 86_400);
const DEFAULT_COOLDOWN: Span = Span::from_secs(86_400);
const DEFAULT_TIER: &str = "hot";
const SECOND: Span = Span::from_secs(1);

/// Reads a rules file that was typed so. Without a fault there are rules, perhaps with warnings.
pub fn read(path_as_typed: &str, text: &str) -> (Option<RulesSpec>, Faults) {
    let mut faults = Faults::new(path_as_typed);
    let spec = tree::parse(text, &mut faults).and_then(|root| read_tree(&root, text, &mut faults));
    faults.sort();
    let spec = spec.filter(|_| !faults.is_fatal());
    (spec, faults)
}

/// Reads a tree that was parsed from the text.
pub(super) fn read_tree(root: &Node, text: &str, faults: &mut Faults) -> Option<RulesSpec> {
    check_version(root, faults);
    let map = View::top(root).map(faults, &RULES_FILE)?;
    let mut span = |key: &str, least: Span, default: Span| {
        let read = map.get(key).map(|view| view.duration(faults, least));
        read.unwrap_or(Some(default))
    };
    let grace = span("grace", Span::ZERO, DEFAULT_GRACE);
    let max_future_skew = span("max_future_skew", Span::ZERO, DEFAULT_SKEW);
    let forget_after = span("forget_after", SECOND, DEFAULT_FORGET);
    let mut reader = Reader {
        signals: Names::of(&map, "signals"),
        suppressions: Names::of(&map, "suppress"),
        groups: Names::of_groups(&map),
        has_scoring: map.get("scoring").is_some(),
        grace: grace.unwrap_or(DEFAULT_GRACE),
        read_signals: HashSet::new(),
        matchers: 0,
        patterns: 0,
        remembered: 0,
        faults,
    };
    let signals = reader.named(&map, "signals", |reader, name, view| {
        let filter = reader.filter(view)?;
        Some(SignalSpec { name, filter })
    });
    let ignore = reader.named(&map, "ignore", |reader, name, view| {
        let filter = reader.filter(view)?;
        Some(IgnoreSpec { name, filter })
    });
    let scoring = map.get("scoring").map(|view| reader.scoring(&view));
    let suppress = reader.named(&map, "suppress", |reader, name, view| {
        let map = view.map(reader.faults, &SUPPRESSION)?;
        reader.hold(name, &map)
    });
    let flags = reader.named(&map, "flags", Reader::flag);
    let rules = map.get("rules").map(|view| reader.rules(&view));
    reader.warn_of_unread(&map);
    Some(RulesSpec {
        version: format!("sha256:{:x}", Hex(&Sha256::digest(text.as_bytes()))),
        grace: grace?,
        max_future_skew: max_future_skew?,
        forget_after: forget_after?,
        signals: signals?,
        ignore: ignore?,
        scoring: optional(scoring)?,
        suppress: suppress?,
        flags: flags?,
        rules: rules??,
    })
}

/// Reads a matcher that stands in another file than a rules file.
pub(super) fn matcher(view: &View<'_>, faults: &mut Faults) -> Option<Matcher> {
    let mut reader = Reader {
        signals: Names::none(),
        suppressions: Names::none(),
        groups: Names::none(),
        has_scoring: false,
        grace: DEFAULT_GRACE,
        read_signals: HashSet::new(),
        matchers: 0,
        patterns: 0,
        remembered: 0,
        faults,
    };
    reader.matcher(view, 0)
}

/// Another version than the one that this program reads is a fault. None at all is one of the map's.
pub(super) fn check_version(root: &Node, faults: &mut Faults) {
    let Some(view) = View::top(root).entry("version") else {
        return;
    };
    #[allow(clippy::float_cmp, reason = "a whole number")]
    let known = matches!(view.scalar().map(|s| s.kind), Some(super::scalar::ScalarKind::Number(n)) if n == VERSION);
    if !known {
        view.must_be(faults, "1, the only version that this program reads");
    }
}

/// Lower-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the parts of one file; knows what it defines.
struct Reader<'a> {
    faults: &'a mut Faults,
    signals: Names<'a>,
    suppressions: Names<'a>,
    groups: Names<'a>,
    has_scoring: bool,
    grace: Span,
    /// Signals that something names.
    read_signals: HashSet<String>,
    /// Fields and traits so far.
    matchers: usize,
    /// Regexes so far.
    patterns: usize,
    /// Times that all counts so far remember for a lead.
    remembered: i64,
}

impl Reader<'_> {
    fn signal(&mut self, view: &View<'_>) -> Option<String> {
        let name = self.signals.find("signal", view, self.faults)?;
        self.read_signals.insert(name.clone());
        Some(name)
    }

    fn group(&mut self, view: &View<'_>) -> Option<String> {
        self.groups.find("group", view, self.faults)
    }

    /// The tests beside a trait's name.
    fn trait_tests(&mut self, map: &Map<'_>) -> Option<Matcher> {
        self.within_matchers(map.place, &map.path).then(|| self.tests(map, 0))?
    }

    /// The entries of a section with names of the user's own, in file order.
    fn named<T>(
        &mut self,
        map: &Map<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, String, &View<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(view) = map.get(key) else {
            return Some(Vec::new());
        };
        let named = view.named(self.faults, "names");
        let read: Vec<_> = named.into_iter().map(|(name, view)| read(self, name.to_owned(), &view)).collect();
        read.into_iter().collect()
    }

    fn hold(&mut self, name: String, map: &Map<'_>) -> Option<HoldSpec> {
        let scope = Scope::of_hold();
        let when_view = map.get("when");
        let when = when_view.as_ref().and_then(|view| self.condition(view, scope));
        let for_ = map.get("for").map(|view| view.duration(self.faults, SECOND));
        let until = map.get("until").map(|view| self.condition(&view, scope));
        if for_.is_none()
            && until.is_none()
            && when.as_ref().is_some_and(has_occurrence)
            && let Some(view) = when_view
        {
            view.fault(self.faults, "a single occurrence is over at once: add for or until");
            return None;
        }
        Some(HoldSpec { name, when: when?, for_: optional(for_)?, until: optional(until)? })
    }

    fn flag(&mut self, name: String, view: &View<'_>) -> Option<FlagSpec> {
        let map = view.map(self.faults, &FLAG)?;
        let hold = self.hold(name, &map);
        let says = map.get("says").map(|view| view.sentence(self.faults));
        Some(FlagSpec { hold: hold?, says: optional(says)? })
    }

    fn rules(&mut self, view: &View<'_>) -> Option<Vec<RuleSpec>> {
        let mut ids = HashSet::new();
        let rules: Vec<_> = view.list(self.faults, "rules")?.iter().map(|view| self.rule(view, &mut ids)).collect();
        rules.into_iter().collect()
    }

    fn rule(&mut self, view: &View<'_>, ids: &mut HashSet<String>) -> Option<RuleSpec> {
        let map = view.map(self.faults, &RULE)?;
        let id = map.get("id").and_then(|view| {
            let id = view.name(self.faults)?.to_owned();
            if !ids.insert(id.clone()) {
                view.fault(self.faults, format!("must be unique, but {id:?} stands twice"));
                return None;
            }
            Some(id)
        });
        let when = map.get("when").and_then(|view| self.condition(&view, Scope::default()));
        let cooldown = match map.get("cooldown") {
            Some(view) => view.duration(self.faults, Span::ZERO),
            None => Some(DEFAULT_COOLDOWN),
        };
        let tier = match map.get("tier") {
            Some(view) => view.name(self.faults).map(str::to_owned),
            None => Some(DEFAULT_TIER.into()),
        };
        let campaign = map.get("campaign").map(|view| view.sentence(self.faults));
        let despite = match map.get("despite") {
            Some(view) => self.despite(&view),
            None => Some(Vec::new()),
        };
        let rule = RuleSpec {
            id: id?,
            when: when?,
            cooldown: cooldown?,
            tier: tier?,
            campaign: optional(campaign)?,
            despite: despite?,
        };
        self.warn_of_lost(&rule, map.place, &format!("{}.when", view.path));
        Some(rule)
    }

    fn despite(&mut self, view: &View<'_>) -> Option<Vec<String>> {
        if view.as_list().is_some_and(|items| items.is_empty()) {
            return Some(Vec::new());
        }
        let names: Vec<_> = view
            .list(self.faults, "suppressions")?
            .iter()
            .map(|view| self.suppressions.find("suppression", view, self.faults))
            .collect();
        names.into_iter().collect()
    }

    /// What a suppression holds of a rule that is true only for a moment never comes (rules.md 19).
    fn warn_of_lost(&mut self, rule: &RuleSpec, place: Place, path: &str) {
        if !is_momentary(&rule.when) {
            return;
        }
        let names = self.suppressions.entries.iter().map(|entry| entry.key.as_str());
        let holding: Vec<_> = names.filter(|name| !rule.despite.iter().any(|despite| despite == name)).collect();
        if !holding.is_empty() {
            let message = format!(
                "an occurrence that {} holds is never announced; what must always ring lists it in despite",
                holding.join(" or ")
            );
            self.faults.warn(place, path, message);
        }
    }

    fn warn_of_unread(&mut self, map: &Map<'_>) {
        let Some(view) = map.get("signals").filter(|_| !self.faults.is_fatal()) else {
            // Beside a fault it may only seem unread.
            return;
        };
        for entry in self.signals.entries {
            if !self.read_signals.contains(&entry.key) {
                let path = tree::join(&view.path, &entry.key);
                let message = "no rule, points, suppression or flag reads it: it does nothing";
                self.faults.warn(entry.place, &path, message);
            }
        }
    }
}
