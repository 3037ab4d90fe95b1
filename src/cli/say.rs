//! What commands say: whoever closed standard error or output does not want to know, and that is no reason to fail.

use std::fmt::Display;
use std::io::{self, Write};

use super::exit;

/// One line.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Lines that have their line feeds already.
pub(super) fn lines(text: impl Display) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// The exit code for what could not be written to standard output: of `| head`, which has seen enough, or of a full disk.
pub(super) fn unwritten(fault: &io::Error) -> u8 {
    if fault.kind() == io::ErrorKind::BrokenPipe {
        return exit::DONE;
    }
    line(format_args!("cannot write to standard output: {fault}"));
    exit::SOFTWARE
}

/// Writes all of a text to standard output; the exit code.
pub(super) fn data(text: impl AsRef<[u8]>) -> u8 {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    written.map_or_else(|fault| unwritten(&fault), |()| exit::DONE)
}
