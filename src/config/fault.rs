//! What is wrong with a file, and where: every fault of it, in the order of the file.

use std::fmt;
use std::sync::Arc;

use crate::core::limits::MAX_FAULTS;

/// Whether a file can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file can be used; something in it is probably not meant so.
    Warning,
    /// The file cannot be used.
    Fault,
}

/// Where something stands in a file, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character of the line.
    pub column: u32,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One thing that is wrong. Prints as `rules.yaml:6:18: rules[0].cooldown: must be …, got …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as typed.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The character of the line, from 1.
    pub column: u32,
    /// Path of the key from the top of the file; `yaml` for a fault of the syntax, `file` for one of the whole file.
    pub key: String,
    /// What must be so, and what is there instead; never a secret.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, key, message, .. } = self;
        let warning = match self.severity {
            Severity::Warning => "warning: ",
            Severity::Fault => "",
        };
        write!(f, "{file}:{line}:{column}: {key}: {warning}{message}")
    }
}

/// Everything that is wrong with one file. Prints one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: Arc<str>,
    list: Vec<Fault>,
    left_out: usize,
}

impl Faults {
    /// None yet, of a file that was typed so.
    pub fn new(file: &str) -> Self {
        Self { file: file.into(), list: Vec::new(), left_out: 0 }
    }

    /// The only fault of a file that cannot be looked at any closer.
    pub fn of_whole_file(file: &str, message: impl Into<String>) -> Self {
        let mut faults = Self::new(file);
        faults.add(Place::START, "file", message);
        faults
    }

    /// Notes a fault.
    pub fn add(&mut self, place: Place, key: &str, message: impl Into<String>) {
        self.note(Severity::Fault, place, key, message.into());
    }

    /// Notes something that is probably not meant so.
    pub fn warn(&mut self, place: Place, key: &str, message: impl Into<String>) {
        self.note(Severity::Warning, place, key, message.into());
    }

    /// Notes either.
    pub fn note(&mut self, severity: Severity, place: Place, key: &str, message: String) {
        if self.list.len() >= MAX_FAULTS {
            self.left_out += 1;
            return;
        }
        self.list.push(Fault {
            severity,
            file: Arc::clone(&self.file),
            line: place.line,
            column: place.column,
            key: key.to_owned(),
            message,
        });
    }

    /// Brings them into the order of the file.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|fault| (fault.line, fault.column));
        if self.left_out > 0
            && let Some(last) = self.list.last_mut()
            && last.severity == Severity::Fault
        {
            last.message = format!("{} (and {} more)", last.message, self.left_out);
            self.left_out = 0;
        }
    }

    /// Whether the file cannot be used.
    pub fn is_fatal(&self) -> bool {
        self.list.iter().any(|f| f.severity == Severity::Fault)
    }

    /// Whether nothing is wrong, not even slightly.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Each, in file order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.list.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}

/// A value as a message shows it: short, on one line, in quotation marks.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_print_in_file_order_and_warnings_say_so() {
        let mut faults = Faults::new("rules.yaml");
        faults.warn(Place { line: 9, column: 2 }, "b", "odd");
        faults.add(Place { line: 6, column: 18 }, "a.c", "wrong");
        faults.sort();
        assert_eq!(faults.to_string(), "rules.yaml:6:18: a.c: wrong\nrules.yaml:9:2: b: warning: odd\n");
        assert!(faults.is_fatal());
    }

    #[test]
    fn no_more_than_the_limit_is_listed_and_the_last_line_says_so() {
        let mut faults = Faults::new("f");
        for _ in 0..MAX_FAULTS + 3 {
            faults.add(Place::START, "k", "m");
        }
        faults.sort();
        assert_eq!(faults.len(), MAX_FAULTS);
        assert!(faults.to_string().ends_with("f:1:1: k: m (and 3 more)\n"));
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(quote("a\nb"), r#""a\nb""#);
        assert_eq!(quote(&"x".repeat(99)).chars().count(), 63);
    }
}
