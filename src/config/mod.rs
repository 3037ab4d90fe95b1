//! The files that people write: text in, checked values or every fault with its place out.

pub mod address;
pub mod asked;
mod client;
pub mod fault;
mod map;
pub mod rules;
mod scalar;
pub mod schema;
pub mod settings;
mod shape;
mod suggest;
mod tree;
mod view;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::fault::{Faults, Place, Severity};
use self::settings::{Needed, Settings, Surroundings};
pub(crate) use self::suggest::did_you_mean;
use self::tree::{Node, Value};
use crate::core::limits::MAX_FILE;
use crate::core::spec::RulesSpec;
use crate::core::time::Span;

/// Why a file gave no values.
#[derive(Debug)]
pub enum LoadError {
    /// It could not be read at all.
    Unreadable {
        /// As typed.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is wrong; the list holds its warnings too.
    Faulty(Faults),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                writeln!(f, "cannot read {}: {error}", path.display())
            }
            Self::Faulty(faults) => faults.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}

/// What a file is, told by its keys.
#[derive(Debug)]
pub enum Checked {
    /// A rules file.
    Rules,
    /// A config file; the rules file that it names, with the place of the name, if it names one.
    Config(Option<(PathBuf, Place)>),
    /// Neither can be said of a file that is no YAML map.
    Unknown,
}

/// Reads a duration as the files write it: `90s`, `1h30m`.
///
/// # Errors
/// What it must be, and what it is.
pub fn duration(text: &str) -> Result<Span, String> {
    scalar::duration(text)
}

/// Reads hotlead.yaml with all its secrets.
///
/// # Errors
/// The file cannot be read, or has faults; a secret that cannot be had is one.
pub fn load(path: &Path) -> Result<Settings, LoadError> {
    load_with(path, Severity::Fault, Needed::All)
}

/// Reads hotlead.yaml for a command that sends nothing: a sink without its secret is left out.
///
/// # Errors
/// The file cannot be read, or has faults.
pub fn load_for_reading(path: &Path) -> Result<Settings, LoadError> {
    load_with(path, Severity::Warning, Needed::All)
}

/// Reads hotlead.yaml for a command that uses one sink only: its secrets are looked up and no others, and what would
/// need another is left out.
///
/// # Errors
/// The file cannot be read, or has faults; a secret of the sink that cannot be had is one.
pub fn load_for_sink(path: &Path, sink: &str) -> Result<Settings, LoadError> {
    load_with(path, Severity::Fault, Needed::Sink(sink))
}

/// Reads hotlead.yaml for a command that only looks at what would be sent: no secret is looked up, something that is none
/// stands in its place.
///
/// # Errors
/// The file cannot be read, or has faults.
pub fn load_without_secrets(path: &Path) -> Result<Settings, LoadError> {
    load_with(path, Severity::Fault, Needed::Nobody)
}

/// The ids of the sinks that hotlead.yaml names, in its order; of the rest only the syntax is looked at.
///
/// # Errors
/// The file cannot be read, or is no YAML.
pub fn sink_ids(path: &Path) -> Result<Vec<String>, LoadError> {
    let text = read_text(path)?;
    let mut faults = Faults::new(&path.to_string_lossy());
    let root = tree::parse(&text, &mut faults).ok_or(LoadError::Faulty(faults))?;
    let top = view::View::top(&root);
    let sinks = top.entry("sinks").and_then(|sinks| sinks.as_list()).unwrap_or_default();
    let id = |sink: &view::View<'_>| Some(sink.entry("id")?.scalar()?.raw.clone());
    Ok(sinks.iter().filter_map(id).collect())
}

fn load_with(path: &Path, missing: Severity, needed: Needed<'_>) -> Result<Settings, LoadError> {
    let text = read_text(path)?;
    let read = |around: &Surroundings<'_>| settings::read(&path.to_string_lossy(), &text, around);
    let (settings, faults) = with_surroundings(path, missing, needed, read);
    settings.ok_or(LoadError::Faulty(faults))
}

/// Reads a rules file; the faults beside the rules are warnings.
///
/// # Errors
/// The file cannot be read, or has faults.
pub fn load_rules(path: &Path) -> Result<(RulesSpec, Faults), LoadError> {
    let text = read_text(path)?;
    match rules::read(&path.to_string_lossy(), &text) {
        (Some(spec), warnings) => Ok((spec, warnings)),
        (None, faults) => Err(LoadError::Faulty(faults)),
    }
}

/// Checks a rules or config file, whichever it is. Secrets that cannot be had here are warnings.
///
/// # Errors
/// The file cannot be read.
pub fn check(path: &Path) -> io::Result<(Checked, Faults)> {
    let typed = path.to_string_lossy();
    let text = match read_text(path) {
        Ok(text) => text,
        Err(LoadError::Faulty(faults)) => return Ok((Checked::Unknown, faults)),
        Err(LoadError::Unreadable { error, .. }) => return Err(error),
    };
    let mut faults = Faults::new(&typed);
    let Some(root) = tree::parse(&text, &mut faults) else {
        return Ok((Checked::Unknown, faults));
    };
    let checked = if is_config(&root) {
        let read = |around: &Surroundings<'_>| settings::read_tree(&root, path, around, &mut faults);
        with_surroundings(path, Severity::Warning, Needed::All, read);
        Checked::Config(rules_of(&root, path))
    } else {
        rules::read_tree(&root, &text, &mut faults);
        Checked::Rules
    };
    faults.sort();
    Ok((checked, faults))
}

/// Whether a file has more of a config file's keys than of a rules file's. `rules` is a key of both.
fn is_config(root: &Node) -> bool {
    let Value::Map(entries) = &root.value else {
        return false;
    };
    let count = |shape: &shape::Shape| entries.iter().filter(|entry| shape.key(&entry.key).is_some()).count();
    let rules_is_text =
        entries.iter().any(|entry| entry.key == "rules" && matches!(entry.node.value, Value::Scalar(_)));
    count(&settings::CONFIG_FILE) + usize::from(rules_is_text) > count(&rules::RULES_FILE)
}

/// The rules file that a config file names.
fn rules_of(root: &Node, path: &Path) -> Option<(PathBuf, Place)> {
    let top = view::View::top(root);
    let view = top.entry("rules")?;
    let rules = settings::beside(path, view.as_text().filter(|text| !text.is_empty())?);
    Some((rules, view.node.place))
}

/// A file's text; too large or no UTF-8 is a fault of it.
fn read_text(path: &Path) -> Result<String, LoadError> {
    let bytes = read_at_most(path, MAX_FILE).map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
    let typed = path.to_string_lossy();
    if bytes.len() > MAX_FILE {
        let message = format!("must have at most {MAX_FILE} bytes, has more");
        return Err(LoadError::Faulty(Faults::of_whole_file(&typed, message)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let mut faults = Faults::new(&typed);
        faults.add(end_of(&error.as_bytes()[..good]), "file", "must be UTF-8, this is not");
        LoadError::Faulty(faults)
    })
}

/// The place after valid text.
fn end_of(text: &[u8]) -> Place {
    let text = String::from_utf8_lossy(text);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place { line: number(text.matches('\n').count() + 1), column: number(last.chars().count() + 1) }
}

/// A file's bytes, one more than `most` if it has more: a device or a huge file is not read to its end.
fn read_at_most(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn with_surroundings<T>(
    path: &Path,
    missing: Severity,
    needed: Needed<'_>,
    read: impl FnOnce(&Surroundings<'_>) -> T,
) -> T {
    let folder = path.parent().unwrap_or(Path::new(""));
    read(&Surroundings { host: host_name(), secret: &|reference| reference.resolve(folder), missing, needed })
}

/// The host's name, with what a name cannot have replaced by `-`.
fn host_name() -> Option<String> {
    // The standard library cannot ask for it; Linux tells it here, other systems mostly in the variable.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME")).ok()?;
    let plain = |c: char| {
        if view::is_name(c.encode_utf8(&mut [0; 4])) { c } else { '-' }
    };
    let name: String = name.trim().chars().map(plain).take(crate::core::limits::MAX_NAME).collect();
    (!name.is_empty()).then_some(name)
}
