//! Standard error for commands: whoever closed it does not want to know, and that is no reason to fail.

use std::fmt::Display;
use std::io::Write;

/// One line.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Lines that have their line feeds already.
pub(super) fn lines(text: impl Display) {
    let _ = write!(std::io::stderr(), "{text}");
}
