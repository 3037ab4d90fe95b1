//! Secrets: the file only says where they are, and no message shows one.

use std::fmt;
use std::path::{Path, PathBuf};

use super::read::{Reader, beside};
use crate::config::fault::{Severity, quote};
use crate::config::view::View;
use crate::core::limits::MAX_SECRET;

/// Where a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A variable of the environment.
    Env(&'a str),
    /// A file, relative to the config file.
    File(&'a str),
}

/// What a config file is read in: the machine's name and the secrets that can be had here.
pub struct Surroundings<'a> {
    /// The host's name, if it has one.
    pub host: Option<String>,
    /// Gives a secret's value, or says in words why there is none.
    pub secret: &'a dyn Fn(Reference<'_>) -> Result<String, String>,
    /// What it is if a secret cannot be had: a fault for a process that needs it; a warning for `check`, which often runs
    /// where secrets are not. With a warning the sink or property is left out of the settings.
    pub missing: Severity,
    /// Whose secrets are looked up; all else that has one is left out of the settings.
    pub needed: Needed<'a>,
}

/// Whose secrets are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed<'a> {
    /// All that the file names.
    All,
    /// Those of the sink with this id.
    Sink(&'a str),
    /// None: each gets a [`StandIn`], for a command that sends nothing and only looks at what would be sent.
    Nobody,
}

/// What stands in a secret's place where it is not looked up: good enough for every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIn {
    Text,
    Url,
    SigningKey,
    Pem,
}

impl StandIn {
    fn value(self) -> &'static str {
        match self {
            Self::Text => "stand-in",
            Self::Url => "https://stand-in.example.com/",
            Self::SigningKey => "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            Self::Pem => "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n",
        }
    }
}

impl<'a> Reference<'a> {
    /// The reference that a text is, if it is one.
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            return (!name.is_empty()).then_some(Self::Env(name));
        }
        let path = text.strip_prefix("file:")?;
        (!path.is_empty()).then_some(Self::File(path))
    }

    /// Reads the secret from the environment or from a file relative to `folder`; one newline at the end is cut.
    ///
    /// # Errors
    /// In words why there is none, without its value.
    pub fn resolve(self, folder: &Path) -> Result<String, String> {
        match self {
            Self::Env(name) => match std::env::var(name) {
                Ok(value) => Ok(value),
                Err(std::env::VarError::NotPresent) => Err(format!("the variable {name} is not set")),
                Err(std::env::VarError::NotUnicode(_)) => Err(format!("the variable {name} is not UTF-8")),
            },
            Self::File(path) => read_file(&folder.join(path)),
        }
    }
}

/// What stands in a file; one newline at the end is cut.
fn read_file(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let bytes =
        crate::config::read_at_most(file, MAX_SECRET).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if bytes.len() > MAX_SECRET {
        return Err(format!("{shown} has more than {MAX_SECRET} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8"))?;
    let end = text.strip_suffix('\n').unwrap_or(&text);
    Ok(end.strip_suffix('\r').unwrap_or(end).to_owned())
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    /// Where it came from, in the file's own words: `env:NAME`, `file:PATH`; `None` if it stands in the file.
    reference: Option<String>,
    /// The file that it stands in, to look at it again.
    file: Option<PathBuf>,
}

impl Secret {
    /// A value that stands in the file itself (of librdkafka properties that are none).
    pub fn inline(value: impl Into<String>) -> Self {
        Self { value: value.into(), reference: None, file: None }
    }

    /// A value that was read from where `reference` says.
    pub fn resolved(value: impl Into<String>, reference: impl Into<String>) -> Self {
        Self { value: value.into(), reference: Some(reference.into()), file: None }
    }

    /// The same secret, which can be read again from this file.
    pub fn in_file(self, file: PathBuf) -> Self {
        Self { file: Some(file), ..self }
    }

    /// Reads it again if it stands in a file; whether it is another one now. However the file came to hold something
    /// else: written, renamed over, or behind a link that was moved.
    ///
    /// # Errors
    /// In words why there is none now; the old value stays.
    pub fn reread(&mut self) -> Result<bool, String> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let value = read_file(file)?;
        if value.trim().is_empty() {
            return Err(format!("{} is empty", file.display()));
        }
        let changed = value != self.value;
        self.value = value;
        Ok(changed)
    }

    /// The value itself: only to be handed to the one that needs it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Where it came from, if not from the file itself.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reference.as_deref().unwrap_or("***"))
    }
}

impl Reader<'_> {
    /// A secret that must not stand in the file itself. `Ok(None)`: it cannot be had here, which is no fault here.
    pub(super) fn secret(&mut self, view: &View<'_>, of: StandIn) -> Result<Option<Secret>, ()> {
        let reference = view.as_text().and_then(Reference::parse);
        match reference {
            Some(reference) => self.resolve(view, reference, of),
            None if view.scalar().is_some() => {
                let message = "must be env:NAME or file:PATH: a secret does not stand in the file itself";
                view.fault(self.faults, message);
                Err(())
            }
            None => {
                view.must_be(self.faults, "env:NAME or file:PATH");
                Err(())
            }
        }
    }

    /// The secret that a reference leads to.
    pub(super) fn resolve(
        &mut self,
        view: &View<'_>,
        reference: Reference<'_>,
        of: StandIn,
    ) -> Result<Option<Secret>, ()> {
        let written = view.as_text().unwrap_or_default();
        match self.around.needed {
            Needed::All => {}
            Needed::Sink(_) if self.in_needed_sink => {}
            Needed::Sink(_) => return Ok(None),
            Needed::Nobody => return Ok(Some(Secret::resolved(of.value(), written))),
        }
        let message = match (self.around.secret)(reference) {
            Ok(value) if !value.trim().is_empty() => {
                let secret = Secret::resolved(value, written);
                return Ok(Some(match reference {
                    Reference::Env(_) => secret,
                    Reference::File(path) => secret.in_file(beside(self.file, path)),
                }));
            }
            Ok(_) => format!("{} is empty", quote(written)),
            Err(why) => why,
        };
        self.faults.note(self.around.missing, view.node.place, &view.path, message);
        match self.around.missing {
            Severity::Fault => Err(()),
            Severity::Warning => Ok(None),
        }
    }
}
