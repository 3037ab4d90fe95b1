//! `hotlead run`: the service, until SIGTERM or Ctrl-C.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::config::settings::Settings;
use crate::core::rule::RuleSet;
use crate::run::{self, Hooks, Mode, Stop};
use crate::telemetry::log;

/// Runs the service and returns the exit code. `serve` starts what runs beside it on the async runtime: the console
/// and the notifiers.
pub fn run(settings: Settings, rules: RuleSet, serve: impl FnOnce(&Handle, &Hooks)) -> u8 {
    log::init(settings.log);
    let runtime = match Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(fault) => {
            error!("no async runtime: {fault}");
            return 70;
        }
    };
    let hooks = Hooks::new(Mode::Transactional);
    runtime.spawn(stop_on_signal(hooks.stop.clone()));
    serve(runtime.handle(), &hooks);
    let ended = run::start(settings, Arc::new(rules), hooks);
    // What still runs there has no round to commit.
    runtime.shutdown_background();
    match ended {
        Ok(()) => {
            info!("stopped");
            0
        }
        Err(fault) => {
            error!("{fault}");
            fault.exit_code()
        }
    }
}

/// Tells the service to stop at the first SIGTERM or Ctrl-C.
pub async fn stop_on_signal(stop: Stop) {
    let (mut terminate, mut interrupt) = match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
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
