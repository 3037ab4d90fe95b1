//! `hotlead sink test ID`: one real message, marked TEST, to one sink.

use std::io::Write;

use crate::config::settings::Settings;
use crate::notify::sample;

/// The other side took it.
const DONE: u8 = 0;
/// It did not.
const NOT_SO: u8 = 1;
/// No such sink, or one that cannot work as it is configured.
const CONFIG: u8 = 78;

/// Sends the message, prints what the other side answered, and returns the exit code.
///
/// # Errors
/// If `out` or `err` cannot be written.
pub async fn run(
    settings: &Settings,
    id: &str,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> std::io::Result<u8> {
    let Some(sink) = settings.sinks.iter().find(|sink| sink.id == id) else {
        let known: Vec<_> = settings.sinks.iter().map(|sink| sink.id.as_str()).collect();
        writeln!(err, "no sink {id:?}; there is: {}", known.join(", "))?;
        return Ok(CONFIG);
    };
    match sample::send(settings, sink).await {
        Ok(report) => {
            let verdict = if report.delivered {
                "delivered"
            } else {
                "not delivered"
            };
            writeln!(out, "{id}: {verdict}, {}", report.line)?;
            Ok(if report.delivered { DONE } else { NOT_SO })
        }
        Err(fault) => {
            writeln!(err, "sink {id}: {fault}")?;
            Ok(CONFIG)
        }
    }
}
