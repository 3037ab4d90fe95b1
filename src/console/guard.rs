//! Who may ask: requests whose `Host` is ours, so that a web page elsewhere cannot read the console by DNS rebinding.

use std::net::{IpAddr, SocketAddr};

/// Whether a request with this `Host` header was meant for the console that listens on `listen`.
///
/// On a certain address: that address, 127.0.0.1, [::1] or localhost, each with the port. On all addresses (0.0.0.0,
/// [::]): any literal address or localhost with any port, since containers map ports and nobody can rebind a literal.
pub(super) fn is_ours(host: &str, listen: SocketAddr) -> bool {
    let Some((name, port)) = split(host) else {
        return false;
    };
    let is_localhost = name.eq_ignore_ascii_case("localhost");
    if listen.ip().is_unspecified() {
        return is_localhost || address(name).is_some();
    }
    let is_named = is_localhost
        || address(name)
            .is_some_and(|ip| ip == listen.ip() || ip.to_string() == "127.0.0.1" || ip.to_string() == "::1");
    is_named && port.unwrap_or(80) == listen.port()
}

/// `name`, `name:port`, `[address]` or `[address]:port` taken apart.
fn split(host: &str) -> Option<(&str, Option<u16>)> {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at_checked(end)?;
    match rest.strip_prefix(':') {
        Some(port) => Some((name, Some(port.parse().ok()?))),
        None => rest.is_empty().then_some((name, None)),
    }
}

fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_answered() {
        #[rustfmt::skip]
        let rows = [
            // listen            host                        ours
            ("127.0.0.1:8080",   "127.0.0.1:8080",           true),
            ("127.0.0.1:8080",   "localhost:8080",           true),
            ("127.0.0.1:8080",   "LOCALHOST:8080",           true),
            ("127.0.0.1:8080",   "[::1]:8080",               true),
            ("127.0.0.1:8080",   "localhost:8081",           false),
            ("127.0.0.1:8080",   "localhost",                false),
            ("127.0.0.1:80",     "localhost",                true),
            ("127.0.0.1:8080",   "rebind.example:8080",      false),
            ("127.0.0.1:8080",   "127.0.0.1.example:8080",   false),
            ("127.0.0.1:8080",   "localhost.:8080",          false),
            ("127.0.0.1:8080",   "127.0.0.1:8080:1",         false),
            ("127.0.0.1:8080",   "[::1",                     false),
            ("127.0.0.1:8080",   "[::1]x:8080",              false),
            ("127.0.0.1:8080",   "192.0.2.7:8080",           false),
            ("127.0.0.1:8080",   "",                         false),
            ("192.0.2.7:8080",   "192.0.2.7:8080",           true),
            ("192.0.2.7:8080",   "192.0.2.8:8080",           false),
            ("0.0.0.0:8080",     "192.0.2.7:8080",           true),
            ("0.0.0.0:8080",     "localhost:9000",           true),
            ("0.0.0.0:8080",     "rebind.example:8080",      false),
            ("[::]:8080",        "[2001:db8::1]:8080",       true),
        ];
        for (listen, host, ours) in rows {
            let listen = listen.parse().expect("an address");
            assert_eq!(is_ours(host, listen), ours, "{host} at {listen}");
        }
    }
}
