//! The demo's live worker: the same one as in `hotlead run`, in the mode for a broker without transactions.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::broadcast;

use crate::config::settings::Settings;
use crate::console::View;
use crate::core::alert::Alert;
use crate::core::rule::RuleSet;
use crate::run::{self, Hooks, Mode};

/// A worker that runs on its own threads.
pub(super) struct Worker {
    /// Committed alerts, in their order.
    pub(super) alerts: broadcast::Receiver<Arc<Alert>>,
    /// Whether it consumes; else why not.
    pub(super) readiness: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The metrics as text.
    pub(super) metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Tells it to commit and end.
    pub(super) stop: Arc<dyn Fn() + Send + Sync>,
    /// Ends when it has; the error is one line for people.
    pub(super) thread: JoinHandle<Result<(), String>>,
}

/// Starts it; it shows what it sees in `view`.
pub(super) fn start_worker(settings: Settings, rules: Arc<RuleSet>, view: Arc<View>) -> Worker {
    let hooks = Hooks { view: Some(view), ..Hooks::new(Mode::Plain) };
    let alerts = hooks.hot.subscribe();
    let (readiness, metrics, stop) = (hooks.readiness.clone(), hooks.metrics.clone(), hooks.stop.clone());
    Worker {
        alerts,
        readiness: Arc::new(move || readiness.is_ready()),
        metrics: Arc::new(move || metrics.encode()),
        stop: Arc::new(move || stop.stop()),
        thread: thread::spawn(move || run::start(settings, rules, hooks).map_err(|error| error.to_string())),
    }
}
