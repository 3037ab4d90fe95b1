//! Sinks: where alerts go, and which addresses they may reach.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use ipnet::IpNet;
use url::Url;

use super::keys::{SINK, SLACK, WEBHOOK};
use super::read::Reader;
use super::secrets::Needed;
use super::{Reach, Secret, Sink, Start, Target};
use crate::config::address::{forbidden, literal};
use crate::config::fault::quote;
use crate::config::map::Map;
use crate::config::view::{View, optional};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(86_400);
const MAX_SINK_ID: usize = 40;

/// Headers that say what the request is: ours to set.
const OWNED_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Right or wrong, or right but without a secret that cannot be had here.
type Read<T> = Result<Option<T>, ()>;

impl Reader<'_> {
    /// The sinks whose secrets can be had.
    pub(super) fn sinks(&mut self, view: &View<'_>) -> Option<Vec<Sink>> {
        if view.is_null() || view.as_list().is_some_and(|items| items.is_empty()) {
            return Some(Vec::new());
        }
        let mut ids = HashSet::new();
        let mut sinks = Vec::new();
        let mut whole = true;
        for view in view.list(self.faults, "sinks")? {
            match self.sink(&view, &mut ids) {
                Ok(sink) => sinks.extend(sink),
                Err(()) => whole = false,
            }
        }
        whole.then_some(sinks)
    }

    fn sink(&mut self, view: &View<'_>, ids: &mut HashSet<String>) -> Read<Sink> {
        let map = view.map(self.faults, &SINK).ok_or(())?;
        let id = map.get("id").and_then(|view| self.sink_id(&view, ids));
        self.in_needed_sink = matches!(self.around.needed, Needed::Sink(needed) if id.as_deref() == Some(needed));
        let start = map.get("start").map(|view| self.start(&view));
        let max_age = map.get("max_age").map(|view| self.span(&view, 1_000, 30 * 86_400_000));
        let slack = map.get("slack").map(|view| self.slack(&view));
        let webhook = map.get("webhook").map(|view| self.webhook(&view));
        let target = slack.or(webhook).ok_or(())??;
        let sink = |target| {
            Some(Sink {
                id: id?,
                start: optional(start)?.unwrap_or(Start::Latest),
                max_age: optional(max_age)?.unwrap_or(DEFAULT_MAX_AGE),
                target,
            })
        };
        target.map(|target| sink(target).ok_or(())).transpose()
    }

    fn sink_id(&mut self, view: &View<'_>, ids: &mut HashSet<String>) -> Option<String> {
        let id = view.reference(self.faults)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=MAX_SINK_ID).contains(&id.len()) || !id.bytes().all(fits) {
            view.must_be(self.faults, "1 to 40 of a-z, 0-9 and -");
            return None;
        }
        if !ids.insert(id.to_owned()) {
            view.fault(self.faults, format!("must be unique, but {id:?} stands twice"));
            return None;
        }
        Some(id.to_owned())
    }

    fn slack(&mut self, view: &View<'_>) -> Read<Target> {
        let map = view.map(self.faults, &SLACK).ok_or(())?;
        let reach = self.reach(&map);
        let Some(view) = map.get("webhook_url") else {
            return Err(());
        };
        let secret = self.secret(&view);
        let reach = reach.ok_or(())?;
        let Some(webhook_url) = secret? else {
            return Ok(None);
        };
        self.url(&view, webhook_url.expose(), &reach, true).ok_or(())?;
        Ok(Some(Target::Slack { webhook_url, reach }))
    }

    fn webhook(&mut self, view: &View<'_>) -> Read<Target> {
        let map = view.map(self.faults, &WEBHOOK).ok_or(())?;
        let reach = self.reach(&map);
        let url = map.get("url").map(|view| {
            let text = view.text(self.faults)?;
            self.url(&view, text, reach.as_ref()?, false)
        });
        let secrets = map.get("secret").map(|view| self.signing(&view));
        let headers = match map.get("headers") {
            Some(view) => self.headers(&view),
            None => Ok(Some(Vec::new())),
        };
        let (url, reach) = (url.flatten().ok_or(())?, reach.ok_or(())?);
        let (Some(secrets), Some(headers)) = (secrets.ok_or(())??, headers?) else {
            return Ok(None);
        };
        Ok(Some(Target::Webhook { url, secrets, headers, reach }))
    }

    /// One signing secret, or the new and the old one.
    fn signing(&mut self, view: &View<'_>) -> Read<Vec<Secret>> {
        let items = match view.as_list() {
            None => vec![view.clone()],
            Some(items) if (1..=2).contains(&items.len()) => items,
            Some(_) => {
                view.must_be(self.faults, "one secret, or [new, old]");
                return Err(());
            }
        };
        let secrets: Vec<_> = items.iter().map(|view| self.signing_secret(view)).collect();
        // A plain `collect` would drop the difference between wrong and not to be had.
        let secrets: Result<Vec<_>, ()> = secrets.into_iter().collect();
        Ok(secrets?.into_iter().collect())
    }

    fn signing_secret(&mut self, view: &View<'_>) -> Read<Secret> {
        let secret = self.secret(view)?;
        if let Some(secret) = &secret {
            let text = secret.expose();
            let encoded = text.strip_prefix("whsec_").unwrap_or(text);
            let key = base64::engine::general_purpose::STANDARD.decode(encoded);
            if key.map_or(true, |key| key.is_empty()) {
                view.fault(
                    self.faults,
                    "must lead to a key in base64, with or without whsec_ in front (its value is not shown)",
                );
                return Err(());
            }
        }
        Ok(secret)
    }

    fn headers(&mut self, view: &View<'_>) -> Read<Vec<(String, Secret)>> {
        let mut headers = Vec::new();
        let mut whole = true;
        let mut missing = false;
        for (entry, view) in view.entries(self.faults, "headers") {
            match self.header(&entry.key, &view) {
                Ok(Some(value)) => headers.push((entry.key.clone(), value)),
                Ok(None) => missing = true,
                Err(()) => whole = false,
            }
        }
        match whole {
            true => Ok((!missing).then_some(headers)),
            false => Err(()),
        }
    }

    fn header(&mut self, name: &str, view: &View<'_>) -> Read<Secret> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            view.fault(self.faults, format!("{} cannot be a header's name", quote(name)));
            return Err(());
        }
        if OWNED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            view.fault(self.faults, "hotlead sets this header itself");
            return Err(());
        }
        let secret = self.secret(view)?;
        let printable = |value: &str| value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
        if secret.as_ref().is_some_and(|secret| !printable(secret.expose())) {
            view.fault(self.faults, "must lead to printable ASCII (its value is not shown)");
            return Err(());
        }
        Ok(secret)
    }

    fn reach(&mut self, map: &Map<'_>) -> Option<Reach> {
        let allow_http = map.get("allow_http").map(|view| view.truth(self.faults));
        let allow_networks = map.get("allow_networks").map(|view| self.networks(&view));
        let timeout = map.get("timeout").map(|view| self.span(&view, 100, 300_000));
        Some(Reach {
            allow_http: optional(allow_http)?.unwrap_or(false),
            allow_networks: optional(allow_networks)?.unwrap_or_default(),
            timeout: optional(timeout)?.unwrap_or(DEFAULT_TIMEOUT),
        })
    }

    fn networks(&mut self, view: &View<'_>) -> Option<Vec<IpNet>> {
        if view.as_list().is_some_and(|items| items.is_empty()) {
            return Some(Vec::new());
        }
        let mut networks = Vec::new();
        let mut whole = true;
        for view in view.list(self.faults, "networks")? {
            let text = view.as_text().unwrap_or_default();
            let one = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
            match text.parse().ok().or_else(one) {
                Some(network) => networks.push(network),
                None => {
                    view.must_be(self.faults, "a network such as 10.0.0.0/8 or fd00::/8");
                    whole = false;
                }
            }
        }
        whole.then_some(networks)
    }

    /// A URL that a sink may call. One that is a secret is not shown in faults.
    fn url(&mut self, view: &View<'_>, text: &str, reach: &Reach, is_secret: bool) -> Option<Url> {
        let url = Url::parse(text).ok().filter(Url::has_host);
        let Some(message) = url_fault(url.as_ref(), reach) else {
            return url;
        };
        let got = match is_secret {
            true => "its value is not shown".to_owned(),
            // Whatever stands before an @ may be a password.
            false if text.contains('@') => "its value is not shown".to_owned(),
            false => format!("got {}", quote(text)),
        };
        view.fault(self.faults, format!("{message} ({got})"));
        None
    }
}

/// Why a URL must not be called, without the URL; what could not be parsed is `None`.
fn url_fault(url: Option<&Url>, reach: &Reach) -> Option<&'static str> {
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Some("must be a URL that begins with https://");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must hold no user name and no password: a header can");
    }
    if url.scheme() == "http" && !reach.allow_http {
        return Some("must begin with https:, or allow_http: true must stand beside it");
    }
    literal(url)
        .is_some_and(|ip| forbidden(ip, &reach.allow_networks))
        .then_some("must not lead to a private, local or reserved address unless allow_networks has it")
}
