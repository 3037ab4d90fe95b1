//! Labels that the rules themselves name: a state says their number, not their text.
//!
//! What evidence calls an event is nearly always a page's path or a name that some filter asks for: a fifth of a state
//! would be such text.

use super::event::{FieldPath, Kind};
use super::limits::MAX_LABEL;
use super::spec::{FilterSpec, RulesSpec, Scalar, Test};

/// Numbers are told from lengths by being larger.
pub(super) const MOST_LABELS: usize = u8::MAX as usize - MAX_LABEL;

/// Ascending, so that a text is found by halves.
pub(super) fn known(spec: &RulesSpec) -> Vec<String> {
    let kinds = [Kind::Page, Kind::Screen, Kind::Track, Kind::Identify, Kind::Group];
    let mut known: Vec<String> = kinds.iter().map(|kind| kind.name().to_owned()).collect();
    for signal in &spec.signals {
        of_filter(&signal.filter, &mut known);
    }
    known.truncate(MOST_LABELS);
    known.sort_unstable();
    known
}

fn of_filter(filter: &FilterSpec, known: &mut Vec<String>) {
    let is_label = |path: &FieldPath| match path {
        FieldPath::Name => true,
        FieldPath::Page(keys) => matches!(&**keys, [key] if **key == *"path"),
        _ => false,
    };
    let tests = filter.fields.iter().filter(|(path, _)| is_label(path)).flat_map(|(_, matcher)| &matcher.tests);
    let mut add = |text: &str| {
        // Operands are in lower case; names are mostly written with capitals.
        for label in [text.to_owned(), capitals(text)] {
            if !label.is_empty() && label.len() <= MAX_LABEL && !known.contains(&label) {
                known.push(label);
            }
        }
    };
    for test in tests {
        match test {
            Test::Equals(scalars) => scalars.iter().for_each(|scalar| {
                if let Scalar::Text(text) = scalar {
                    add(text);
                }
            }),
            Test::Prefix(texts) => texts.iter().for_each(|text| add(text)),
            _ => {}
        }
    }
}

/// Each word with a capital.
fn capitals(text: &str) -> String {
    let mut first = true;
    let capital = |c: char| {
        let upper = std::mem::replace(&mut first, c == ' ');
        if upper { c.to_ascii_uppercase() } else { c }
    };
    text.chars().map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_capitals_and_paths_stay() {
        for (text, expected) in [("demo requested", "Demo Requested"), ("/pricing", "/pricing"), ("é à b", "é à B")]
        {
            assert_eq!(capitals(text), expected);
        }
    }
}
