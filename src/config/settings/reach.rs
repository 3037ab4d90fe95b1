//! How an endpoint may be reached: which addresses, how long, through what, and who both sides are.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::read::Reader;
use super::secrets::{Reference, StandIn};
use super::sinks::Read;
use super::{Reach, Secret};
use crate::config::address::{forbidden, literal};
use crate::config::fault::quote;
use crate::config::map::Map;
use crate::config::view::{View, optional};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

impl Reader<'_> {
    pub(super) fn reach(&mut self, map: &Map<'_>) -> Read<Reach> {
        let allow_http = map.get("allow_http").map(|view| view.truth(self.faults));
        let allow_networks = map.get("allow_networks").map(|view| self.networks(&view));
        let timeout = map.get("timeout").map(|view| self.span(&view, 100, 300_000));
        let proxy = map.get("proxy").map_or(Ok(Some(None)), |view| self.proxy(&view));
        let ca = map.get("ca").map_or(Ok(Some(None)), |view| self.pem(&view, "CERTIFICATE"));
        let client = self.client(map);
        let allow_http = optional(allow_http).ok_or(())?.unwrap_or(false);
        let allow_networks = optional(allow_networks).ok_or(())?.unwrap_or_default();
        let timeout = optional(timeout).ok_or(())?.unwrap_or(DEFAULT_TIMEOUT);
        let (Some(proxy), Some(ca), Some(client)) = (proxy?, ca?, client?) else {
            return Ok(None);
        };
        Ok(Some(Reach { allow_http, allow_networks, timeout, proxy, ca, client }))
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

    /// A proxy's URL, or where it is if it holds a password.
    fn proxy(&mut self, view: &View<'_>) -> Read<Option<Secret>> {
        let secret = match view.as_text() {
            Some(text) if Reference::parse(text).is_none() => {
                let has_user = Url::parse(text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
                if has_user || text.contains('@') {
                    let message = "must be env:NAME or file:PATH if it holds a user name or password: a secret does \
                                   not stand in the file itself";
                    view.fault(self.faults, message);
                    return Err(());
                }
                Secret::inline(text)
            }
            _ => match self.secret(view, StandIn::Url)? {
                Some(secret) => secret,
                None => return Ok(None),
            },
        };
        let url = Url::parse(secret.expose().trim()).ok();
        if url.is_none_or(|url| !matches!(url.scheme(), "http" | "https") || !url.has_host()) {
            let got = match secret.reference() {
                Some(_) => "its value is not shown".to_owned(),
                None => format!("got {}", quote(secret.expose())),
            };
            view.fault(self.faults, format!("must be a URL such as http://proxy.example.com:3128 ({got})"));
            return Err(());
        }
        Ok(Some(Some(secret)))
    }

    /// Our certificate and its key: both or none.
    fn client(&mut self, map: &Map<'_>) -> Read<Option<(Secret, Secret)>> {
        let (cert, key) = (map.get("client_cert"), map.get("client_key"));
        let (cert, key) = match (cert, key) {
            (None, None) => return Ok(Some(None)),
            (Some(cert), Some(key)) => (cert, key),
            (Some(view), None) => {
                view.fault(self.faults, "needs client_key beside it");
                return Err(());
            }
            (None, Some(view)) => {
                view.fault(self.faults, "needs client_cert beside it");
                return Err(());
            }
        };
        let (cert, key) = (self.pem(&cert, "CERTIFICATE"), self.pem(&key, "PRIVATE KEY"));
        let (Some(cert), Some(key)) = (cert?, key?) else {
            return Ok(None);
        };
        Ok(Some(cert.zip(key)))
    }

    /// What stands in a PEM file, named by its path, with or without `file:`, or held by a variable.
    fn pem(&mut self, view: &View<'_>, of: &str) -> Read<Option<Secret>> {
        let Some(text) = view.text(self.faults) else {
            return Err(());
        };
        if text.contains("-----") {
            view.fault(self.faults, "must be a file's path, not what stands in it");
            return Err(());
        }
        let reference = Reference::parse(text).unwrap_or(Reference::File(text));
        let secret = self.resolve(view, reference, StandIn::Pem)?;
        let fits = |secret: &Secret| {
            let mut begins = secret.expose().lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN "));
            begins.any(|rest| rest.strip_suffix("-----").is_some_and(|is| is.ends_with(of)))
        };
        if secret.as_ref().is_some_and(|secret| !fits(secret)) {
            view.fault(self.faults, format!("must lead to PEM with a {of} in it (its value is not shown)"));
            return Err(());
        }
        Ok(secret.map(Some))
    }

    /// A URL that a sink may call. One that is a secret is not shown in faults.
    pub(super) fn url(&mut self, view: &View<'_>, text: &str, reach: &Reach, is_secret: bool) -> Option<Url> {
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
