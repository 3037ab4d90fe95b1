//! Whether a value is as a matcher wants it (rules.md 10).

use std::borrow::Cow;
use std::fmt::Write;

use super::event::Value;
use super::spec::{Matcher, Scalar, Test};

/// Every test of the matcher holds for the value.
pub fn holds(matcher: &Matcher, value: Value<'_>) -> bool {
    matcher.tests.iter().all(|test| passes(test, value))
}

/// The same for a list that is no part of an event.
pub fn holds_of_list(matcher: &Matcher, items: &[Value<'_>]) -> bool {
    matcher.tests.iter().all(|test| match test {
        Test::Exists(wanted) => *wanted,
        Test::Not(inner) => !holds_of_list(inner, items),
        test => items.iter().any(|item| passes(test, *item)),
    })
}

/// One test; of a list value one item is enough.
fn passes(test: &Test, value: Value<'_>) -> bool {
    match (test, value) {
        (Test::Exists(wanted), value) => *wanted != matches!(value, Value::Absent),
        (Test::Not(inner), value) => !holds(inner, value),
        (_, Value::List(list)) => list.items().any(|item| passes(test, item)),
        (_, Value::Absent | Value::Object) => false,
        (Test::Equals(wanted), value) => wanted.iter().any(|scalar| equals(scalar, value)),
        (Test::AtLeast(limit), value) => number(value).is_some_and(|n| n >= *limit),
        (Test::AtMost(limit), value) => number(value).is_some_and(|n| n <= *limit),
        (Test::Above(limit), value) => number(value).is_some_and(|n| n > *limit),
        (Test::Below(limit), value) => number(value).is_some_and(|n| n < *limit),
        (Test::Prefix(parts), value) => any_part(parts, value, |text, part| text.starts_with(part), starts_ascii),
        (Test::Suffix(parts), value) => any_part(parts, value, |text, part| text.ends_with(part), ends_ascii),
        (Test::Contains(parts), value) => any_part(parts, value, |text, part| text.contains(part), contains_ascii),
        (Test::Matches(patterns), value) => {
            plain(value).is_some_and(|text| patterns.iter().any(|regex| regex.is_match(&text)))
        }
    }
}

fn equals(wanted: &Scalar, value: Value<'_>) -> bool {
    match wanted {
        Scalar::Number(n) => number(value) == Some(*n),
        Scalar::Bool(b) => match value {
            Value::Bool(is) => is == *b,
            Value::Text(text) => text.eq_ignore_ascii_case(if *b { "true" } else { "false" }),
            _ => false,
        },
        Scalar::Text(wanted) => plain(value).is_some_and(|text| {
            if text.is_ascii() { text.eq_ignore_ascii_case(wanted) } else { text.to_lowercase() == *wanted }
        }),
    }
}

/// `full` compares Unicode lower case, `ascii` does the same for ASCII without a copy. Parts are in lower case.
fn any_part(
    parts: &[String],
    value: Value<'_>,
    full: impl Fn(&str, &str) -> bool,
    ascii: impl Fn(&str, &str) -> bool,
) -> bool {
    let Some(text) = plain(value) else {
        return false;
    };
    if text.is_ascii() {
        return parts.iter().any(|part| ascii(&text, part));
    }
    let lower = text.to_lowercase();
    parts.iter().any(|part| full(&lower, part))
}

fn starts_ascii(text: &str, part: &str) -> bool {
    text.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part))
}

fn ends_ascii(text: &str, part: &str) -> bool {
    let start = text.len().checked_sub(part.len());
    start.and_then(|at| text.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(part))
}

fn contains_ascii(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// The value as a number: a number, or text that is wholly one.
fn number(value: Value<'_>) -> Option<f64> {
    let (Value::Number(text) | Value::Text(text)) = value else {
        return None;
    };
    // Rust would also read "inf" and "nan".
    let numeric = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    let n: f64 = text.bytes().all(numeric).then(|| text.parse().ok())??;
    n.is_finite().then_some(n)
}

/// The value as text, numbers in their shortest form; a truth value is no text, the matcher's type decides.
pub fn plain(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Number(text) => Some(shortest(text)),
        Value::Absent | Value::Bool(_) | Value::List(_) | Value::Object => None,
    }
}

/// A JSON number in its shortest form; `50.0` is `50`.
fn shortest(json: &str) -> Cow<'_, str> {
    if json.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(json);
    }
    let mut text = String::new();
    match json.parse::<f64>() {
        // Adding zero turns -0 into 0.
        Ok(n) if n.is_finite() => {
            let _ = write!(text, "{}", n + 0.0);
        }
        _ => text.push_str(json),
    }
    Cow::Owned(text)
}

/// The same value for the question whether a trait changed: numbers by value, text to the letter.
pub fn same(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Absent, Value::Absent) | (Value::Object, Value::Object) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b || number(one) == number(other),
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            let (mut a, mut b) = (a.items(), b.items());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if same(a, b) => {}
                    _ => return false,
                }
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wanted: &str) -> Test {
        Test::Equals(vec![Scalar::Text(wanted.into())])
    }

    #[test]
    fn the_matchers_type_decides() {
        let n = |n| Test::Equals(vec![Scalar::Number(n)]);
        let b = |b| Test::Equals(vec![Scalar::Bool(b)]);
        let (num, txt) = (Value::Number, Value::Text);
        #[rustfmt::skip]
        let rows = [
            (n(50.0),  num("50"),     true,  "number and number"),
            (n(50.0),  num("5e1"),    true,  "the same number written otherwise"),
            (n(50.0),  txt("50.0"),   true,  "text that is wholly a number"),
            (n(50.0),  txt("50 seats"), false, "text that is not"),
            (n(50.0),  txt("inf"),    false, "no number in JSON"),
            (text("50"), num("50.0"), true,  "a number's shortest form"),
            (text("50"), txt("50.0"), false, "text compares as text"),
            (text("acme"), txt("ACME"), true, "without regard to case"),
            (text("straße"), txt("STRAßE"), true, "in Unicode"),
            (text("k"), txt("\u{212A}"), true, "the Kelvin sign lowers to k"),
            (b(true),  txt("TRUE"),   true,  "a truth value matches its text"),
            (b(true),  Value::Bool(false), false, "another truth value"),
            (text("true"), Value::Bool(true), false, "a text matches no truth value: the matcher's type decides"),
            (b(true),  num("1"),      false, "a number is no truth value"),
            (text("x"), Value::Absent, false, "absent never equals"),
            (text("x"), Value::Object, false, "an object only exists"),
            (Test::Exists(true), Value::Object, true, "an object exists"),
            (Test::Exists(false), Value::Absent, true, "absent does not"),
            (Test::AtLeast(50.0), num("50"), true, "at the limit"),
            (Test::Above(50.0), num("50"), false, "not above itself"),
            (Test::AtMost(50.0), txt("50"), true, "text compares with numbers too"),
            (Test::Below(50.0), num("49.9"), true, "just below"),
            (Test::AtLeast(0.0), Value::Bool(true), false, "a truth value is no number"),
            (Test::Prefix(vec!["/pri".into()]), txt("/PRICING"), true, "prefix"),
            (Test::Prefix(vec!["/pricing/".into()]), txt("/pricing"), false, "longer than the text"),
            (Test::Suffix(vec![".pdf".into()]), txt("/a.PDF"), true, "suffix"),
            (Test::Contains(vec!["b".into()]), txt("aBc"), true, "inside"),
            (Test::Contains(vec!["é".into()]), txt("CAFÉ"), true, "inside, Unicode"),
        ];
        for (test, value, expected, why) in rows {
            assert_eq!(passes(&test, value), expected, "{why}");
        }
    }

    #[test]
    fn not_is_plain_negation() {
        let not = |test| Test::Not(Matcher { tests: vec![test] });
        assert!(passes(&not(text("x")), Value::Absent));
        assert!(!passes(&not(Test::Exists(false)), Value::Absent));
        assert!(passes(&not(Test::AtLeast(1.0)), Value::Text("none")));
    }
}
