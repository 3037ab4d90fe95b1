//! `hotlead check`: every fault of rules and config files.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{exit, say};
use crate::config::fault::{Faults, Place};
use crate::config::{self, Checked};

/// Checks files, told apart by content; a config's rules file is checked with it. Faults and warnings go to standard
/// error, `ok` to standard output. Returns the exit code: 0, 66 (a file cannot be read), or 78 (a fault, which comes
/// before 66).
pub fn run(files: &[PathBuf]) -> u8 {
    let mut report = Report::default();
    for file in files {
        report.check(file);
    }
    say::lines(&report.text);
    let code = report.exit_code();
    if code == exit::DONE { say::data("ok\n") } else { code }
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
            (true, _) => exit::CONFIG,
            (false, true) => exit::NO_INPUT,
            (false, false) => exit::DONE,
        }
    }

    fn add(&mut self, faults: &Faults) {
        self.faulty |= faults.is_fatal();
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
                let _ = writeln!(self.text, "cannot read {}: {error}", file.display());
            }
            Ok((Checked::Config(Some((rules, place))), mut faults)) => {
                let of_rules = rules_of(&rules, place, &mut faults);
                if let Ok((spec, _)) = config::load_rules(&rules) {
                    config::asked::compare(file, &spec, &rules.display().to_string(), &mut faults);
                }
                faults.sort();
                self.add(&faults);
                if let Some(of_rules) = of_rules
                    && self.is_new(&rules)
                {
                    self.add(&of_rules);
                }
            }
            Ok((_, faults)) => self.add(&faults),
        }
    }
}

/// The faults of the rules file that a config names at that place; what is no rules file is a fault of the config.
fn rules_of(rules: &Path, place: Place, faults: &mut Faults) -> Option<Faults> {
    let shown = rules.display();
    match config::check(rules) {
        Err(error) => faults.add(place, "rules", format!("cannot read {shown}: {error}")),
        Ok((Checked::Config(_), _)) => {
            faults.add(place, "rules", format!("must be a rules file, but {shown} is a config"));
        }
        Ok((_, of_rules)) => return Some(of_rules),
    }
    None
}
