//! The HTTP client of one endpoint: guarded, bounded, and without anything that could lead it elsewhere.

use std::error::Error as _;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::Resolve;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use url::{Host, Url};

use super::guard::{Guard, Refused, System};
use crate::config::address::forbidden;
use crate::config::settings::Reach;
use crate::core::time::Timestamp;

/// Bytes of an answer that are read: an error's text fits, an attack does not.
pub const MAX_ANSWER: usize = 16 * 1024;

/// Bytes of an answer of Slack's Web API that are read: it repeats what was posted, and a page of a channel has up to a
/// hundred messages.
pub const MAX_API_ANSWER: usize = 4 * 1024 * 1024;

/// How long the rest of an answer may take that already says that the message was taken.
const SUCCESS_BODY: Duration = Duration::from_secs(1);

/// What the other side answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header as it came.
    pub retry_after: Option<String>,
    /// When it was written, by the other side's clock, to the second.
    pub date: Option<Timestamp>,
    /// Where a redirect would have led: the host only.
    pub location_host: Option<String>,
    /// As much of it as matters.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub complete: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The endpoint's address must not be reached.
    RefusedAddress(IpAddr),
    /// Not all of it happened in time.
    Timeout(Duration),
    /// No connection: nothing was sent. In words without the URL.
    NotConnected(String),
    /// A connection that broke. In words without the URL.
    Transport(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RefusedAddress(address) => Refused(*address).fmt(f),
            Self::Timeout(limit) => write!(f, "no answer within {} ms", limit.as_millis()),
            Self::NotConnected(what) | Self::Transport(what) => f.write_str(what),
        }
    }
}

/// One endpoint and how it is reached.
#[derive(Debug)]
pub struct Endpoint {
    client: reqwest::Client,
    url: Url,
    timeout: Duration,
    allowed: Vec<IpNet>,
}

impl Endpoint {
    /// Prepares the client. Nothing is sent.
    ///
    /// # Errors
    /// In words without the URL: a scheme that is not allowed, or a system without root certificates.
    pub fn new(url: Url, reach: &Reach) -> Result<Self, String> {
        Self::asking(Arc::new(System), url, reach)
    }

    /// The same with names that this resolver answers for.
    pub(super) fn asking(names: Arc<dyn Resolve>, url: Url, reach: &Reach) -> Result<Self, String> {
        let plain = match url.scheme() {
            "https" => false,
            "http" if reach.allow_http => true,
            "http" => return Err("https is required unless allow_http is set".to_owned()),
            scheme => return Err(format!("scheme {scheme} is not http or https")),
        };
        let mut guard = Guard::new(names, reach.allow_networks.clone());
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("hotlead/", env!("CARGO_PKG_VERSION")));
        let mut no_tls = plain;
        if let Some(proxy) = &reach.proxy {
            let through = Url::parse(proxy.expose().trim()).map_err(|error| format!("proxy: {error}"))?;
            no_tls &= through.scheme() == "http";
            guard = guard.trusting(through.host_str().unwrap_or_default());
            let proxy =
                reqwest::Proxy::all(through).map_err(|error| format!("proxy: {}", causes(&error.without_url())))?;
            builder = builder.proxy(proxy);
        }
        match &reach.ca {
            Some(ca) => {
                let certificates = reqwest::Certificate::from_pem_bundle(ca.expose().as_bytes());
                let certificates = certificates.map_err(|error| format!("ca: {}", causes(&error)))?;
                builder = builder.tls_certs_only(certificates);
            }
            // So that a system without certificates can still do without TLS.
            None if no_tls => builder = builder.tls_certs_only([]),
            None => {}
        }
        if let Some((certificate, key)) = &reach.client {
            let both = format!("{}\n{}\n", certificate.expose(), key.expose());
            let identity = reqwest::Identity::from_pem(both.as_bytes());
            builder =
                builder.identity(identity.map_err(|_| "client_cert and client_key: not a certificate and its key")?);
        }
        let client = builder.dns_resolver(guard).build().map_err(|error| {
            if reach.client.is_some() && causes(&error).contains("key") {
                return "client_cert and client_key: not a certificate and its key".to_owned();
            }
            format!(
                "no TLS: {}; on a system without root certificates install the package ca-certificates, or name a \
                 file of them in SSL_CERT_FILE",
                causes(&error)
            )
        })?;
        let allowed = reach.allow_networks.clone();
        Ok(Self { client, url, timeout: reach.timeout, allowed })
    }

    /// Scheme and host: all of the URL that may be printed.
    pub fn place(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }

    /// Sends one message, and reads what comes back as far as it matters.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Failure> {
        self.send(self.url.clone(), headers, body, MAX_ANSWER, SUCCESS_BODY).await
    }

    /// Calls a method below the URL, whose answer matters as a whole.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn call(&self, method: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Failure> {
        let url = self.url.join(method).unwrap_or_else(|_| self.url.clone()); // a method's name is a good path
        self.send(url, headers, body, MAX_API_ANSWER, self.timeout).await
    }

    async fn send(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
        most: usize,
        success_body: Duration,
    ) -> Result<Answer, Failure> {
        // A resolver never sees an address that stands in the URL itself.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            _ => None,
        };
        if let Some(address) = literal.filter(|address| forbidden(*address, &self.allowed)) {
            return Err(Failure::RefusedAddress(address));
        }
        let deadline = tokio::time::Instant::now() + self.timeout;
        let request = self.client.post(url.clone()).headers(headers).body(body).send();
        let late = |_| Failure::Timeout(self.timeout);
        let response = tokio::time::timeout_at(deadline, request).await.map_err(late)?.map_err(failure)?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: text(response.headers().get(RETRY_AFTER)),
            date: text(response.headers().get(DATE)).and_then(|date| time(&date)),
            location_host: text(response.headers().get(LOCATION))
                .and_then(|to| url.join(&to).ok()?.host_str().map(str::to_owned)),
            ..Answer::default()
        };
        let taken = response.status().is_success();
        let body_deadline = if taken { deadline.min(tokio::time::Instant::now() + success_body) } else { deadline };
        // The status says enough: a body that hangs, breaks or never ends changes nothing.
        let reading = read(response, &mut answer, most);
        let _ = tokio::time::timeout_at(body_deadline, reading).await;
        Ok(answer)
    }
}

async fn read(mut response: reqwest::Response, answer: &mut Answer, most: usize) {
    while answer.body.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = most - answer.body.len();
                answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(None) => {
                answer.complete = true;
                return;
            }
            Err(_) => return,
        }
    }
}

fn time(date: &str) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(date).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp::from_millis)
}

fn text(value: Option<&reqwest::header::HeaderValue>) -> Option<String> {
    value?.to_str().ok().map(str::to_owned)
}

fn failure(error: reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return Failure::RefusedAddress(refused.0);
        }
        cause = inner.source();
    }
    let is_unsent = error.is_connect();
    let what = causes(&error.without_url());
    if is_unsent { Failure::NotConnected(what) } else { Failure::Transport(what) }
}

/// An error with all that led to it, in one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}
