//! `hotlead check`: every fault of rules and config files.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::config::fault::{Faults, Severity};
use crate::config::{self, Checked, LoadError};

/// Nothing is wrong, warnings aside.
const OK: u8 = 0;
/// A file that was named cannot be read.
const NO_INPUT: u8 = 66;
/// A file is wrong.
const CONFIG: u8 = 78;

/// Checks files, told apart by content; a config's rules file is checked with it. Faults and warnings go to standard
/// error, `ok` to standard output. Returns the exit code: 0, 66 (a file cannot be read), or 78 (a fault, which comes
/// before 66).
pub fn run(files: &[PathBuf]) -> u8 {
    let mut report = Report::default();
    for file in files {
        report.check(file);
    }
    // Whoever closed the pipe does not want to know more.
    let _ = std::io::stderr().lock().write_all(report.text.as_bytes());
    let code = report.exit_code();
    if code == OK {
        let _ = writeln!(std::io::stdout().lock(), "ok");
    }
    code
}

#[derive(Default)]
struct Report {
    text: String,
    seen: HashSet<PathBuf>,
    faulty: bool,
    unreadable: bool,
}

impl Report {
    fn exit_code(&self) -> u8 {
        match (self.faulty, self.unreadable) {
            (true, _) => CONFIG,
            (false, true) => NO_INPUT,
            (false, false) => OK,
        }
    }

    fn add(&mut self, faults: &Faults) {
        self.faulty |= faults.iter().any(|fault| fault.severity == Severity::Fault);
        self.text.push_str(&faults.to_string());
    }

    /// Whether the file comes for the first time: it may be named itself and by a config.
    fn is_new(&mut self, file: &Path) -> bool {
        let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        self.seen.insert(real)
    }

    fn check(&mut self, file: &Path) {
        if !self.is_new(file) {
            return;
        }
        match config::check(file) {
            Err(error) => {
                self.unreadable = true;
                self.text.push_str(&error.to_string());
            }
            Ok((checked, mut faults)) => {
                let rules = match checked {
                    Checked::Config(Some((rules, place))) => match config::check(&rules) {
                        Err(LoadError::Unreadable { path, error }) => {
                            faults.add(
                                place,
                                "rules",
                                format!("cannot read {}: {error}", path.display()),
                            );
                            None
                        }
                        Err(LoadError::Faulty(of_rules)) => Some((rules, of_rules)),
                        Ok((Checked::Config(_), _)) => {
                            faults.add(
                                place,
                                "rules",
                                format!(
                                    "must be a rules file, but {} is a config",
                                    rules.display()
                                ),
                            );
                            None
                        }
                        Ok((_, of_rules)) => Some((rules, of_rules)),
                    },
                    _ => None,
                };
                self.add(&faults);
                if let Some((path, of_rules)) = rules
                    && self.is_new(&path)
                {
                    self.add(&of_rules);
                }
            }
        }
    }
}
