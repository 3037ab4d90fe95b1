//! The whole of `hotlead run`: the workers, and beside them the sinks and the live page.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;

use super::deliveries::Deliveries;
use super::{Hooks, RunError, prepare, shown};
use crate::config::settings::Settings;
use crate::console::{MAX_CARDS, Server, Sources, View};
use crate::core::rule::RuleSet;
use crate::notify;
use crate::sink::Ops;

/// Between two looks at the totals for the page.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// Between two looks at what was only counted.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// Runs until `hooks.stop` is told. Blocks; not for a thread of the runtime, which carries the sinks and the page.
///
/// # Errors
/// [`RunError`], after everything has ended.
pub fn run(settings: Settings, rules: Arc<RuleSet>, mut hooks: Hooks, runtime: &Handle) -> Result<(), RunError> {
    if let Some(listen) = settings.http {
        let view = Arc::new(View::new());
        hooks.view = Some(Arc::clone(&view));
        runtime.block_on(serve(listen, view, &settings, &hooks))?;
    }
    let Some(prepared) = prepare(settings, rules, hooks.clone())? else {
        return Ok(());
    };
    // The alert topic is there: a new sink finds its end at once and misses nothing that comes from now on.
    let settings = prepared.settings().clone();
    let ops = Ops::open(&settings.kafka, &settings.topics, &settings.group, hooks.metrics.clone());
    let deliveries = Arc::new(Deliveries::new(&settings, hooks, ops.map_err(RunError::Config)?));
    let sinks = {
        let _guard = runtime.enter();
        notify::start(&settings, deliveries.clone()).map_err(|error| RunError::Config(error.to_string()))?
    };
    let ticks = runtime.spawn(tick(Arc::clone(&deliveries)));
    let ended = prepared.run();
    runtime.block_on(sinks.stop());
    ticks.abort();
    deliveries.finish();
    ended
}

/// Lets what is told at most once an interval be told.
async fn tick(deliveries: Arc<Deliveries>) {
    let mut ticks = tokio::time::interval(TICK_EVERY);
    loop {
        ticks.tick().await;
        deliveries.tick();
    }
}

/// Opens the port and shows what goes past, until the process ends.
async fn serve(listen: SocketAddr, view: Arc<View>, settings: &Settings, hooks: &Hooks) -> Result<(), RunError> {
    let server = Server::bind(listen).await.map_err(|error| {
        RunError::Unreachable(format!(
            "cannot listen on {listen}: {error}; choose another http.listen in the config file"
        ))
    })?;
    let (readiness, metrics) = (hooks.readiness.clone(), hooks.metrics.clone());
    let sources = Sources {
        group: settings.group.clone(),
        is_demo: false,
        waiting_for: format!("events on {} at {}", settings.topics.events, settings.kafka.brokers.join(", ")),
        readiness: Box::new(move || readiness.is_ready()),
        metrics: Box::new(move || metrics.encode()),
        cards: None,
    };
    tokio::spawn(show(Arc::clone(&view), hooks.clone()));
    tokio::spawn(async move {
        if let Err(error) = server.run(view, sources, std::future::pending()).await {
            tracing::error!("the live page ended: {error}");
        }
    });
    Ok(())
}

/// Copies committed alerts and totals to the view.
async fn show(view: Arc<View>, hooks: Hooks) {
    let mut alerts = hooks.hot.subscribe();
    let mut count = tokio::time::interval(COUNT_EVERY);
    loop {
        tokio::select! {
            _ = count.tick() => view.counters(shown::counters(&hooks.metrics.encode())),
            alert = alerts.recv() => match alert {
                // Those behind it will fill a page by themselves: a backlog's alerts are not all written as cards.
                Ok(_) if alerts.len() >= MAX_CARDS => {}
                Ok(alert) => view.alert(&alert, None),
                // A burst larger than the page shows anyway.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
