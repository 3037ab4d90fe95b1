//! The live stream: Server-Sent Events, a snapshot first, then what happens.
//!
//! Every message has an id. A page that comes back gets a whole snapshot, whatever its `Last-Event-ID`: that is at
//! most a few hundred KiB, and it is right also when the process was started anew in between.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::server::Shared;
use super::view::News;

/// Pages that may be open at once: a sales team, not the internet.
pub(super) const MAX_PAGES: usize = 64;
/// Messages on their way to one page; a slower page misses messages and gets a snapshot.
const ON_THE_WAY: usize = 16;
/// Ticks come twice a second; this is for the case that the ticker itself is late.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What a page waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);

/// `GET /api/events`.
pub(super) async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(place) = shared.places.clone().try_acquire_owned() else {
        let text = format!("{MAX_PAGES} pages are open already\n");
        let retry = [(header::RETRY_AFTER, "10")];
        return (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response();
    };
    let (to_page, from_view) = mpsc::channel(ON_THE_WAY);
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            () = forward(&shared, &to_page) => {}
            () = to_page.closed() => {}
            () = shared.closed() => {}
        }
    });
    Sse::new(ReceiverStream::new(from_view)).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

/// Sends a snapshot and what follows until the page is gone.
async fn forward(shared: &Shared, to_page: &mpsc::Sender<Result<Event, Infallible>>) {
    loop {
        let (snapshot, mut news) = shared.view.snapshot(&shared.sources.about());
        let mut next = Ok(snapshot);
        loop {
            match next {
                Ok(news) => {
                    if to_page.send(Ok(message(&news))).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
            next = news.recv().await;
        }
    }
}

fn message(news: &News) -> Event {
    Event::default().id(news.id.to_string()).event(news.event).retry(RETRY).data(&*news.data)
}
