//! The console's HTTP server: the page, its data, and the health endpoints.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::view::{TICK, View};
use super::{exposition, guard, stream};

/// What the console asks of the rest of the program.
pub struct Sources {
    /// Name of this deployment.
    pub group: String,
    /// Whether the leads are simulated: the page says so.
    pub is_demo: bool,
    /// What has to happen before anything shows, in words: `events on engagement at localhost:9092`.
    pub waiting_for: String,
    /// Whether it is assigned and connected; else why not.
    pub readiness: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The metrics in Prometheus' text form.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// What cards look like in Slack, as JSON: a page of its own shows them, if there are any.
    pub cards: Option<String>,
}

/// What a page is told about the program.
#[derive(Serialize)]
pub(super) struct About<'a> {
    group: &'a str,
    is_demo: bool,
    waiting_for: &'a str,
    has_cards: bool,
    version: &'static str,
}

/// The console, bound to its address and not serving yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    listen: SocketAddr,
}

/// What every request sees.
pub(super) struct Shared {
    pub(super) view: Arc<View>,
    pub(super) sources: Sources,
    pub(super) places: Arc<Semaphore>,
    listen: SocketAddr,
    closing: watch::Receiver<bool>,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const ICON: &str = "image/svg+xml";
const JSON: &str = "application/json";

/// Nothing from elsewhere, no inline script or style, no frame around it.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// When the address cannot be had, for instance because another program has it.
    pub async fn bind(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let listen = listener.local_addr()?;
        Ok(Self { listener, listen })
    }

    /// The address, with the real port if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Serves until `shutdown` is done, then ends the open streams and requests.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(
        self,
        view: Arc<View>,
        sources: Sources,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (close, closing) = watch::channel(false);
        let shared = Arc::new(Shared {
            view: view.clone(),
            sources,
            places: Arc::new(Semaphore::new(stream::MAX_PAGES)),
            listen: self.listen,
            closing,
        });
        let ticker = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                view.tick(Instant::now());
            }
        });
        let served = axum::serve(self.listener, router(shared))
            .with_graceful_shutdown(async move {
                shutdown.await;
                close.send_replace(true);
            })
            .await;
        ticker.abort();
        served
    }
}

impl Sources {
    pub(super) fn about(&self) -> About<'_> {
        About {
            group: &self.group,
            is_demo: self.is_demo,
            waiting_for: &self.waiting_for,
            has_cards: self.cards.is_some(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("group", &self.group).field("is_demo", &self.is_demo).finish_non_exhaustive()
    }
}

impl Shared {
    /// Done when the server is to end.
    pub(super) async fn closed(&self) {
        // An error means that the sender is gone, which is the end too.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }
}

#[rustfmt::skip]
fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(|| asset(HTML, include_str!("page/index.html"))))
        .route("/app.js", get(|| asset(SCRIPT, include_str!("page/app.js"))))
        .route("/cards.js", get(|| asset(SCRIPT, include_str!("page/cards.js"))))
        .route("/cards", get(|| asset(HTML, include_str!("page/gallery.html"))))
        .route("/gallery.js", get(|| asset(SCRIPT, include_str!("page/gallery.js"))))
        .route("/gallery.css", get(|| asset(STYLE, include_str!("page/gallery.css"))))
        .route("/style.css", get(|| asset(STYLE, include_str!("page/style.css"))))
        .route("/icon.svg", get(|| asset(ICON, include_str!("page/icon.svg"))))
        .route("/api/events", get(stream::events))
        .route("/api/state", get(state))
        .route("/api/lead", get(lead))
        .route("/api/cards", get(cards))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(shared.clone(), check_host))
        .with_state(shared)
}

async fn asset(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], content)
}

async fn state(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (snapshot, _) = shared.view.snapshot(&shared.sources.about());
    ([(header::CONTENT_TYPE, JSON)], snapshot.data.to_string())
}

#[derive(Deserialize)]
struct Wanted {
    key: String,
}

async fn lead(State(shared): State<Arc<Shared>>, Query(wanted): Query<Wanted>) -> Response {
    match shared.view.lead(&wanted.key) {
        Some(json) => ([(header::CONTENT_TYPE, JSON)], json).into_response(),
        None => (StatusCode::NOT_FOUND, "this lead is not remembered here\n").into_response(),
    }
}

async fn cards(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.sources.cards {
        Some(json) => ([(header::CONTENT_TYPE, JSON)], json.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, "only `hotlead demo` shows sample cards\n").into_response(),
    }
}

async fn readiness(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    match (shared.sources.readiness)() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> impl IntoResponse {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let (kind, text) = exposition::answer(accepted, (shared.sources.metrics)());
    ([(header::CONTENT_TYPE, kind)], text)
}

/// Refuses what was meant for another host, and sets the headers that keep the page to itself.
async fn check_host(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let is_ours = host.and_then(|host| host.to_str().ok()).is_some_and(|host| guard::is_ours(host, shared.listen));
    let mut response = if is_ours {
        next.run(request).await
    } else {
        let text = format!(
            "hotlead answers only requests for its own address, http://{}, not for another Host header\n",
            shared.listen
        );
        (StatusCode::FORBIDDEN, text).into_response()
    };
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
