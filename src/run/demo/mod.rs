//! The demo: the live path on an in-process broker, with simulated leads, alerts as text and the live page.
//!
//! Only the transaction is missing, which the in-process broker does not have; all else is what `hotlead run` does.

mod broker;
mod opening;
mod sent;
mod text;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::broadcast::error::RecvError;

use self::broker::{Broker, Feed};
pub use self::opening::Opening;
use self::worker::{Worker, start_worker};
use super::shown;
use crate::config::settings::{Kafka, LogFormat, Secret, Settings, Start, Topics};
use crate::console::{Server, Sources, View};
use crate::core::alert::{Alert, AlertKind};
use crate::core::event::FieldPath;
use crate::core::rule::RuleSet;
use crate::core::time::Timestamp;
use crate::notify::slack::gallery;

/// The demo's rules file, and the name that its faults would print.
pub const RULES: (&str, &str) = ("demo-rules.yaml", include_str!("../demo-rules.yaml"));

/// How long the worker may take until it consumes, and to end.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often the numbers on the page are renewed.
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// What to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demo {
    /// Simulated seconds that pass in a second, from 1.
    pub speed: u32,
    /// Which leads come.
    pub seed: u64,
    /// Where the page is; 0 takes any free port.
    pub port: u16,
    /// Ends by itself after this long.
    pub length: Option<Duration>,
}

/// Why there is no demo.
#[derive(Debug)]
pub enum DemoError {
    /// The page's port cannot be had.
    Port {
        /// The port.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// Something of our own broke.
    Broken(String),
    /// The alerts cannot be printed.
    Output(io::Error),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, error } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "port {port} is taken by another program; choose another one: hotlead demo --port {}",
                port.checked_add(1).unwrap_or(8080)
            ),
            Self::Port { port, error } => {
                write!(f, "cannot listen on port {port} (--port): {error}")
            }
            Self::Broken(what) => write!(f, "the demo broke: {what}"),
            Self::Output(error) => write!(f, "cannot print: {error}"),
        }
    }
}

impl std::error::Error for DemoError {}

impl Demo {
    /// Simulated seconds a second, unless told otherwise.
    pub const SPEED: u32 = 60;
    /// The leads that come, unless told otherwise.
    pub const SEED: u64 = 1;

    /// Runs until its length is over or `interrupted` is done; alerts and the summary go to `out`, the rest to `notes`.
    ///
    /// # Errors
    /// [`DemoError`]; a closed pipe is none.
    pub async fn run(
        self,
        rules: Arc<RuleSet>,
        interrupted: impl Future<Output = ()>,
        out: &mut (dyn Write + Send),
        notes: &mut (dyn Write + Send),
    ) -> Result<(), DemoError> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let taken = |error| DemoError::Port { port: self.port, error };
        let server = Server::bind(listen).await.map_err(taken)?;
        let address = server.address();

        let topics = topics();
        let Topics { events, alerts, dead_letter, state, ops, .. } = &topics;
        let names = [events, alerts, dead_letter, state, ops].map(String::as_str);
        let broker = Broker::start(&names).map_err(|error| DemoError::Broken(error.to_string()))?;
        let view = Arc::new(View::new());
        let worker = start_worker(settings(&broker.address, topics.clone()), rules, view.clone());

        let (close, closing) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(server.run(view.clone(), sources(&worker), async {
            // A dropped sender is the end too.
            let _ = closing.await;
        }));
        // Nobody has to read it: a terminal that is gone ends the demo at the first alert.
        let _ = writeln!(notes, "live page: http://{address}/   (Ctrl-C ends the demo)\n");

        ready(&worker).await?;
        let feed = Feed::default();
        let opening = Opening { at: Timestamp::from_millis(unix_ms()), seed: self.seed, speed: self.speed };
        let feeder = broker.fill(topics.events, opening, &feed);

        let mut shown = Shown { worker, view, feed: feed.clone(), alerts: BTreeMap::new(), leads: 0 };
        let result = shown.until(self.length, interrupted, out).await;
        feed.stop();
        let ended = shown.end().await;
        feed.release();
        let _ = close.send(());
        let _ = tokio::time::timeout(DEADLINE, served).await;
        let _ = tokio::task::spawn_blocking(|| feeder.join()).await;

        let summary = text::summary(feed.events(), shown.leads, &shown.alerts);
        let printed = result.and_then(|()| out.write_all(summary.as_bytes()).and_then(|()| out.flush()));
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(DemoError::Output(error)),
            _ => ended,
        }
    }
}

/// A demo that is going on.
struct Shown {
    worker: Worker,
    view: Arc<View>,
    feed: Feed,
    alerts: BTreeMap<String, u64>,
    leads: u64,
}

impl Shown {
    /// Shows alerts and numbers until it is over.
    async fn until(
        &mut self,
        length: Option<Duration>,
        interrupted: impl Future<Output = ()>,
        out: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        let over = async {
            match length {
                Some(length) => tokio::time::sleep(length).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over, interrupted);
        let mut count = tokio::time::interval(COUNT_EVERY);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                () = &mut interrupted => return Ok(()),
                _ = count.tick() => {
                    self.count();
                    if self.worker.thread.is_finished() {
                        return Ok(());
                    }
                }
                alert = self.worker.alerts.recv() => match alert {
                    Ok(alert) => self.show(&alert, out)?,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                },
            }
        }
    }

    fn show(&mut self, alert: &Alert, out: &mut (dyn Write + Send)) -> io::Result<()> {
        let delay = self.feed.sent().at(&alert.trigger.event_id).map(|sent| sent.elapsed());
        self.view.alert(alert, delay);
        let text = match alert.kind {
            AlertKind::Opened => {
                *self.alerts.entry(alert.rule.clone()).or_default() += 1;
                text::block(alert, delay)
            }
            // The page shows it; here it would only push the alerts off the screen.
            AlertKind::Updated => return Ok(()),
            AlertKind::Closed => text::closed(alert),
        };
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn count(&mut self) {
        let counters = shown::counters(&(self.worker.metrics)());
        self.leads = counters.leads;
        self.view.counters(counters);
    }

    /// Stops the worker and waits for it.
    async fn end(&mut self) -> Result<(), DemoError> {
        self.count();
        (self.worker.stop)();
        let begin = Instant::now();
        while !self.worker.thread.is_finished() {
            if begin.elapsed() > DEADLINE {
                return Err(DemoError::Broken("the worker does not end".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let finished = std::mem::replace(&mut self.worker.thread, std::thread::spawn(|| Ok(())));
        match finished.join() {
            Ok(result) => result.map_err(DemoError::Broken),
            Err(_) => Err(DemoError::Broken("the worker panicked: this is a bug".to_owned())),
        }
    }
}

/// Waits until the worker has its partitions.
async fn ready(worker: &Worker) -> Result<(), DemoError> {
    let begin = Instant::now();
    while let Err(why) = (worker.readiness)() {
        // A worker that has ended says why when it is joined.
        if worker.thread.is_finished() {
            return Ok(());
        }
        if begin.elapsed() > DEADLINE {
            return Err(DemoError::Broken(format!("the worker is not ready: {why}")));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

fn sources(worker: &Worker) -> Sources {
    let (readiness, metrics) = (worker.readiness.clone(), worker.metrics.clone());
    Sources {
        group: "demo".to_owned(),
        is_demo: true,
        waiting_for: "simulated leads".to_owned(),
        readiness: Box::new(move || readiness()),
        metrics: Box::new(move || metrics()),
        cards: serde_json::to_string(&gallery::samples(Timestamp::from_millis(unix_ms()))).ok(),
    }
}

fn topics() -> Topics {
    Topics {
        events: "engagement".to_owned(),
        alerts: "hotlead.alerts".to_owned(),
        dead_letter: "hotlead.dead-letter".to_owned(),
        state: "hotlead.state".to_owned(),
        feedback: "hotlead.feedback".to_owned(),
        ops: "hotlead.ops".to_owned(),
        delivery: "hotlead.delivery".to_owned(),
        replication_factor: Some(1),
    }
}

fn settings(broker: &str, topics: Topics) -> Settings {
    let properties = [
        // The in-process broker answers an empty fetch only after this long: 240 ms otherwise.
        ("fetch.wait.max.ms".to_owned(), Secret::inline("10")),
    ];
    Settings {
        kafka: Kafka { brokers: vec![broker.to_owned()], properties: properties.into() },
        group: "demo".to_owned(),
        instance: "demo".to_owned(),
        start: Start::Earliest,
        topics,
        rules: PathBuf::from(RULES.0),
        lead_key: vec![FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId],
        commit_interval: Duration::from_millis(200),
        workers: 1,
        max_leads: crate::core::limits::DEFAULT_MAX_LEADS,
        sinks: Vec::new(),
        routing: Default::default(),
        http: None,
        log: LogFormat::Text,
    }
}

/// The wall clock: the simulation begins now, so that its times look live.
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}
