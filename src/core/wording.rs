//! Names of the rules file as words of a sentence.

/// A signal's name as a noun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Noun {
    pub one: String,
    pub many: String,
}

impl Noun {
    /// Of a name of the file.
    pub fn of(name: &str) -> Self {
        let one = words(name);
        Self { many: plural(&one), one }
    }
}

/// A name of the file as words.
pub(super) fn words(name: &str) -> String {
    name.replace(['_', '-', '.'], " ")
}

/// The last word in the plural: good enough for the names of signals.
fn plural(words: &str) -> String {
    let stem_of_y = words.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|end| words.ends_with(end));
    match stem_of_y {
        Some(stem) => format!("{stem}ies"),
        None if hissing => format!("{words}es"),
        None => format!("{words}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_nouns() {
        #[rustfmt::skip]
        let rows = [
            ("pricing_view", "pricing view", "pricing views"), ("case-study", "case study", "case studies"),
            ("web.visit", "web visit", "web visits"),          ("replay", "replay", "replays"),
            ("search", "search", "searches"),                  ("inbox", "inbox", "inboxes"),
            ("class", "class", "classes"),
        ];
        for (name, one, many) in rows {
            assert_eq!(Noun::of(name), Noun { one: one.to_owned(), many: many.to_owned() });
        }
    }
}
