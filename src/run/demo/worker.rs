//! The demo's live worker: the same one as in `hotlead run`, in the mode for a broker without transactions.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::broadcast;

use crate::config::settings::Settings;
use crate::console::View;
use crate::core::alert::Alert;
use crate::core::rule::RuleSet;

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
pub(super) fn start_worker(_settings: Settings, _rules: Arc<RuleSet>, _view: Arc<View>) -> Worker {
    let (_, alerts) = broadcast::channel(1);
    Worker {
        alerts,
        readiness: Arc::new(|| Err("starting".to_owned())),
        metrics: Arc::new(String::new),
        stop: Arc::new(|| {}),
        thread: std::thread::spawn(|| Err("this build has no live worker".to_owned())),
    }
}
