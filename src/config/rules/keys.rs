//! The keys of rules.yaml, with their meaning for editors.

use crate::config::shape::{Is, Key, Shape, key, required, shape};

/// The kinds of events by name.
const KINDS: &[&str] = &["page", "screen", "track", "identify", "group", "alias"];

pub(in crate::config) static RULES_FILE: Shape = shape(
    "rules",
    "Which behaviour of a lead makes it hot: signals, points and rules.",
    &[
        required("version", Is::Version, "Version of this file's format: 1."),
        key("grace", Is::Duration, "How late an event may be and still count as if in time. Default 5m."),
        key(
            "max_future_skew",
            Is::Duration,
            "An event further ahead of its record's timestamp is clamped to it. Default 5m.",
        ),
        key("forget_after", Is::Duration, "A lead that is silent for longer starts anew. Default 400d."),
        key("signals", Is::Named(&FILTER), "What counts as behaviour; the rest of the file speaks of these names."),
        key("ignore", Is::Named(&FILTER), "Events that never count, as if they had not arrived; counted by reason."),
        key("scoring", Is::Map(&SCORING), "Points for behaviour and fit."),
        key("suppress", Is::Named(&SUPPRESSION), "What holds a lead's alerts while its state goes on."),
        key("flags", Is::Named(&FLAG), "Labels on the alert; nothing is held."),
        required("rules", Is::List(&RULE), "When to alert; each rule that a lead meets is one alert."),
    ],
);

pub(in crate::config) static FILTER: Shape = shape(
    "filter",
    "Which events are meant: all parts must hold.",
    &[
        key("on", Is::Word(KINDS), "The kind of event; any if left out."),
        key("name", Is::Matcher, "The event's name, or the page's."),
        key("where", Is::Fields, "Fields of the event; all must match."),
    ],
)
.some_of(&["on", "name", "where"]);

/// What a matcher may test; beside other keys in a trait and in fit.
pub(in crate::config) static TESTS: &[Key] = &[
    key("equals", Is::AnyOf, "The value is this, or one of these."),
    key("in", Is::AnyOf, "The value is one of these."),
    key("prefix", Is::TextOf, "The value begins so."),
    key("suffix", Is::TextOf, "The value ends so."),
    key("contains", Is::TextOf, "The value has this inside."),
    key(
        "matches",
        Is::TextOf,
        "A regular expression that finds something in the value; it heeds case unless it begins with (?i).",
    ),
    key("exists", Is::Truth, "Whether there is a value at all."),
    key("at_least", Is::Number, "A number, this or more."),
    key("at_most", Is::Number, "A number, this or less."),
    key("above", Is::Number, "A number, more than this."),
    key("below", Is::Number, "A number, less than this."),
    key("not", Is::Matcher, "Plain negation; also true if there is no value."),
];

const TEST_NAMES: &[&str] = &[
    "equals", "in", "prefix", "suffix", "contains", "matches", "exists", "at_least", "at_most", "above", "below", "not",
];

pub(in crate::config) static MATCHER: Shape =
    shape("tests", "Tests of a value; all must hold. Text compares without regard to case, except in matches.", &[])
        .with(TESTS)
        .some_of(TEST_NAMES);

pub(in crate::config) static SCORING: Shape = shape(
    "scoring",
    "Points for behaviour and fit; the score is their sum.",
    &[
        key(
            "half_life",
            Is::HalfLife,
            "After this time points count half; of points that do not say it themselves. Default never.",
        ),
        key(
            "groups",
            Is::Named(&GROUP),
            "Groups of points with a cap, so that one kind of behaviour alone is not enough.",
        ),
        key("points", Is::Maps(&POINTS), "Points for signals."),
        key("fit", Is::Maps(&FIT), "Points for traits of the lead; they never fade."),
    ],
);

pub(in crate::config) static GROUP: Shape = shape(
    "group",
    "A group of points.",
    &[required("cap", Is::Points, "The most that the group's points count together.")],
);

pub(in crate::config) static POINTS: Shape = shape(
    "points",
    "Points for each event of a signal.",
    &[
        required("signal", Is::Name, "A signal of this file."),
        required("points", Is::Points, "Positive or negative, at most one decimal."),
        key("group", Is::Name, "A group of this file; negative points take none."),
        key("half_life", Is::HalfLife, "After this time they count half; never: they do not fade."),
    ],
);

pub(in crate::config) static FIT: Shape = shape(
    "fit",
    "Points for a trait of the lead that is as wanted.",
    &[
        required("trait", Is::Text, "The trait's name, without traits. in front."),
        required("points", Is::Points, "Positive or negative, at most one decimal."),
    ],
)
.with(TESTS)
.some_of(TEST_NAMES);

pub(in crate::config) static CONDITION: Shape = shape(
    "condition",
    "When something is true of a lead: exactly one of these keys.",
    &[
        key("count", Is::Map(&COUNT), "So many events of a signal within a time."),
        key("signal", Is::Name, "One occurrence of a signal."),
        key("score", Is::Map(&SCORE), "The score has reached a threshold."),
        key("trait", Is::Map(&TRAIT), "A trait of the lead is as wanted."),
        key("all", Is::List(&CONDITION), "All of these are true."),
        key("any", Is::List(&CONDITION), "One of these is true."),
        key("not", Is::Map(&CONDITION), "This is not true."),
    ],
)
.one_of(&["count", "signal", "score", "trait", "all", "any", "not"]);

pub(in crate::config) static COUNT: Shape = shape(
    "count",
    "So many events of a signal within a time.",
    &[
        required("signal", Is::Name, "A signal of this file."),
        required("at_least", Is::Whole(1, 1024), "So many events or more."),
        required("within", Is::Duration, "Within this time, from 1s; both ends are included."),
    ],
);

pub(in crate::config) static SCORE: Shape = shape(
    "score",
    "The score has reached a threshold.",
    &[
        required("at_least", Is::Points, "The threshold; it is included."),
        key("rearm_below", Is::Points, "The alert can come again once the score was below this. Default at_least."),
    ],
);

pub(in crate::config) static TRAIT: Shape = shape(
    "trait",
    "A trait of the lead is as wanted.",
    &[required("name", Is::Text, "The trait's name, without traits. in front.")],
)
.with(TESTS)
.some_of(TEST_NAMES);

/// Of suppressions and flags alike.
static HOLD: &[Key] = &[
    required("when", Is::Map(&CONDITION), "What switches it on. Without for and until it holds while this is true."),
    key("for", Is::Duration, "How long it stays on after the event that switched it on."),
    key("until", Is::Map(&CONDITION), "What switches it off."),
];

pub(in crate::config) static SUPPRESSION: Shape = shape("suppression", "Holds a lead's alerts.", &[]).with(HOLD);

pub(in crate::config) static FLAG: Shape =
    shape("flag", "Labels a lead's alerts.", &[key("says", Is::Text, "What the card says while the flag is on.")])
        .with(HOLD);

pub(in crate::config) static RULE: Shape = shape(
    "rule",
    "When to alert.",
    &[
        required("id", Is::Name, "Unique in the file; what has fired and what cools down belongs to it."),
        required("when", Is::Map(&CONDITION), "When the lead is hot."),
        key("cooldown", Is::Duration, "Between two alerts of this rule for one lead. Default 24h."),
        key("tier", Is::Name, "How hot; copied to the alert. Default hot."),
        key("campaign", Is::Text, "A hint for marketing automation, copied to the alert."),
        key("despite", Is::Texts, "Suppressions that do not hold this rule's alerts."),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_tests_are_those_of_their_keys() {
        let names: Vec<_> = TESTS.iter().map(|key| key.name).collect();
        assert_eq!(names, TEST_NAMES);
    }

    #[test]
    fn the_kinds_are_those_of_events() {
        assert_eq!(KINDS, crate::core::event::Kind::ALL.map(crate::core::event::Kind::name));
    }
}
