//! `hotlead sink test ID`: one real message, marked TEST, to one sink.

use std::io::{self, Write};
use std::path::Path;

use super::{exit, files, runtime};
use crate::config::settings::Settings;
use crate::notify::sample;

/// Sends the message, prints what the other side answered, and answers with the exit code.
pub fn run(config: &Path, id: &str) -> u8 {
    let settings = match files::settings_for_sink(config, id) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    // Who closed the pipe does not want to know.
    let sent = runtime.block_on(send(&settings, id, &mut io::stdout(), &mut io::stderr()));
    sent.unwrap_or(exit::DONE)
}

/// The same with settings that were read, to where the caller says.
///
/// # Errors
/// If `out` or `err` cannot be written.
pub async fn send(
    settings: &Settings,
    id: &str,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> io::Result<u8> {
    let Some(sink) = settings.sinks.iter().find(|sink| sink.id == id) else {
        let known: Vec<_> = settings.sinks.iter().map(|sink| sink.id.clone()).collect();
        writeln!(err, "{}", files::no_such_sink(id, &known))?;
        return Ok(exit::CONFIG);
    };
    match sample::send(settings, sink).await {
        Ok(report) if report.delivered => {
            writeln!(out, "{id}: delivered, {}", report.line)?;
            Ok(exit::DONE)
        }
        Ok(report) => {
            writeln!(out, "{id}: not delivered, {}", report.line)?;
            Ok(exit::NOT_SO)
        }
        Err(fault) => {
            writeln!(err, "sink {id}: {fault}")?;
            Ok(exit::CONFIG)
        }
    }
}
