//! Which network addresses a sink must not reach unless its `allow_networks` says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Private, loopback, link-local, reserved for tests or special use, or not a single host's.
const FORBIDDEN_V4: [Ipv4Net; 14] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 3),
];

/// As above; `::/8` holds the loopback, every form that embeds an IPv4 address, and local NAT64. Teredo (2001::/32) and
/// the former site-local range (fec0::/10) lead to inner networks as well.
const FORBIDDEN_V6: [Ipv6Net; 10] = [
    v6([0; 8], 8),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 9),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];

/// Addresses whose last 32 bits are an IPv4 address that a gateway speaks to: judged by that.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// Whether a sink must not reach an address, `allowed` being what its `allow_networks` says.
///
/// ```
/// use hotlead::config::address::forbidden;
/// let loopback = "127.0.0.1".parse().expect("an address");
/// assert!(forbidden(loopback, &[]));
/// assert!(!forbidden(loopback, &["127.0.0.0/8".parse().expect("a network")]));
/// ```
pub fn forbidden(ip: IpAddr, allowed: &[IpNet]) -> bool {
    // An IPv4 address in IPv6 clothes is that IPv4 address.
    let plain = ip.to_canonical();
    let embedded = match plain {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    };
    let is_allowed = |ip: &IpAddr| allowed.iter().any(|net| net.contains(ip));
    if [ip, plain, embedded].iter().any(is_allowed) {
        return false;
    }
    match embedded {
        IpAddr::V4(v4) => FORBIDDEN_V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) => FORBIDDEN_V6.iter().any(|net| net.contains(&v6)),
    }
}

/// The address that a URL names literally, in any spelling that the URL standard accepts.
pub fn literal(url: &url::Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Ipv4(ip) => Some(ip.into()),
        url::Host::Ipv6(ip) => Some(ip.into()),
        url::Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forbidden_range_ends_where_it_should() {
        #[rustfmt::skip]
        let rows = [
            ("0.0.0.0", true), ("0.255.255.255", true), ("1.0.0.0", false), ("9.255.255.255", false), ("10.0.0.0", true),
            ("10.255.255.255", true), ("11.0.0.0", false), ("100.63.255.255", false), ("100.64.0.0", true),
            ("100.127.255.255", true), ("100.128.0.0", false), ("126.255.255.255", false), ("127.0.0.1", true),
            ("128.0.0.0", false), ("169.253.255.255", false), ("169.254.169.254", true), ("169.255.0.0", false),
            ("172.15.255.255", false), ("172.16.0.0", true), ("172.31.255.255", true), ("172.32.0.0", false),
            ("191.255.255.255", false), ("192.0.0.0", true), ("192.0.1.0", false), ("192.0.2.255", true),
            ("192.0.3.0", false), ("192.88.98.255", false), ("192.88.99.0", true), ("192.167.255.255", false),
            ("192.168.0.0", true), ("192.169.0.0", false), ("198.17.255.255", false), ("198.18.0.0", true),
            ("198.19.255.255", true), ("198.20.0.0", false), ("198.51.100.1", true), ("198.51.101.0", false),
            ("203.0.112.255", false), ("203.0.113.0", true), ("203.0.114.0", false), ("223.255.255.255", false),
            ("224.0.0.0", true), ("239.255.255.255", true), ("240.0.0.0", true), ("255.255.255.255", true),
            ("::", true), ("::1", true), ("::7f00:1", true), ("::ffff:127.0.0.1", true), ("::ffff:8.8.8.8", false),
            ("64:ff9b::7f00:1", true), ("64:ff9b::808:808", false), ("64:ff9b:1::1", true), ("64:ff9b:2::1", true),
            ("100::1", true), ("100:0:0:1::1", false), ("2001:db8::1", true), ("2001:db9::1", false),
            ("2001::1", true), ("2002::1", true), ("2003::1", false), ("3fff:fff::1", true), ("3fff:1000::1", false),
            ("5f00::1", true), ("5f01::1", false), ("fbff::1", false), ("fc00::1", true), ("fdff::1", true),
            ("fe80::1", true), ("febf::1", true), ("fec0::1", true), ("feff::1", true), ("fe7f::1", false),
            ("ff02::1", true), ("2606:4700::1111", false),
        ];
        for (ip, want) in rows {
            let parsed = ip.parse().expect("an address");
            assert_eq!(forbidden(parsed, &[]), want, "{ip}");
        }
    }

    #[test]
    fn allowed_networks_allow_every_clothing_of_theirs_and_nothing_else() {
        let allowed = ["10.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")];
        #[rustfmt::skip]
        let rows = [
            ("10.1.2.3", false), ("::ffff:10.1.2.3", false), ("64:ff9b::a01:203", false), ("::1", false),
            ("192.168.0.1", true), ("::2", true), ("11.0.0.1", false),
        ];
        for (ip, want) in rows {
            let parsed = ip.parse().expect("an address");
            assert_eq!(forbidden(parsed, &allowed), want, "{ip}");
        }
    }

    #[test]
    fn a_literal_address_is_seen_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.1",
            "127.0.1",
            "0x7f.1",
            "127.0.0.1.",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::1]",
            "1２7.0.0.1",
            "%31%32%37.0.0.1",
        ] {
            let url = url::Url::parse(&format!("https://{host}/hook")).expect("a URL");
            let ip = literal(&url).unwrap_or_else(|| panic!("{host} is an address"));
            assert!(forbidden(ip, &[]), "{host}");
        }
        let url = url::Url::parse("https://crm.example.com/").expect("a URL");
        assert_eq!(literal(&url), None);
    }
}
