//! `hotlead run`: the service, until SIGTERM or Ctrl-C.

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use super::{exit, files, runtime};
use crate::config::settings::LogFormat;
use crate::notify::Redactor;
use crate::run::{Hooks, Mode, Stop, whole};
use crate::telemetry::log;

/// Runs it and answers with the exit code.
pub fn run(config: &Path, fresh_state: bool) -> u8 {
    let (settings, rules) =
        match files::settings(config).and_then(|s| files::rules_of(config, &s.rules).map(|r| (s, r))) {
            Ok(read) => read,
            Err(code) => return code,
        };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    log::init(settings.log == LogFormat::Json);
    log::hide(Arc::new(Redactor::new(&settings)));
    let hooks = Hooks { fresh_state, ..Hooks::new(Mode::Transactional) };
    runtime.spawn(stop_on_signal(hooks.stop.clone()));
    let ended = whole::run(settings, Arc::new(rules), hooks, runtime.handle());
    // What still runs there has no round to commit.
    runtime.shutdown_background();
    match ended {
        Ok(()) => {
            info!("stopped");
            exit::DONE
        }
        Err(fault) => {
            error!("{fault}");
            fault.exit_code()
        }
    }
}

/// Tells the service to stop at the first SIGTERM or Ctrl-C.
async fn stop_on_signal(stop: Stop) {
    // It would end the process; the sinks take it as a wish to look at their secrets.
    let _hangup = signal(SignalKind::hangup());
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (mut terminate, mut interrupt) = match (terminate, interrupt) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(fault), _) | (_, Err(fault)) => {
            error!("signals cannot be caught: {fault}");
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => info!("SIGTERM: committing the last round"),
        _ = interrupt.recv() => info!("Ctrl-C: committing the last round"),
    }
    stop.stop();
}
