//! Reads the files that a command names; what is wrong with them goes to standard error, once and the same way.

use std::path::Path;

use super::{exit, say};
use crate::config::settings::Settings;
use crate::config::{self, LoadError};
use crate::core::rule::RuleSet;

/// The config file, with all its secrets; or the exit code.
pub(super) fn settings(path: &Path) -> Result<Settings, u8> {
    config::load(path).map_err(|error| tell(&error))
}

/// The config file for a command that sends nothing; or the exit code.
pub(super) fn settings_for_reading(path: &Path) -> Result<Settings, u8> {
    config::load_for_reading(path).map_err(|error| tell(&error))
}

/// The rules file, compiled; its warnings are printed. Or the exit code.
pub(super) fn rules(path: &Path) -> Result<RuleSet, u8> {
    let (spec, warnings) = config::load_rules(path).map_err(|error| tell(&error))?;
    say::lines(warnings);
    Ok(RuleSet::compile(spec))
}

fn tell(error: &LoadError) -> u8 {
    say::lines(error);
    match error {
        LoadError::Unreadable { .. } => exit::NO_INPUT,
        LoadError::Faulty(_) => exit::CONFIG,
    }
}
