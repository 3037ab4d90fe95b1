//! Which addresses a sink may reach: public ones, and those that the file allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether an address must not be reached: not public, and in none of the networks that are `allowed`.
pub fn forbidden(ip: IpAddr, allowed: &[IpNet]) -> bool {
    let ip = ip.to_canonical();
    let inside = match ip {
        IpAddr::V4(v4) => inside_v4(v4),
        IpAddr::V6(v6) => inside_v6(v6),
    };
    inside && !allowed.iter().any(|net| net.contains(&ip))
}

fn inside_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..128, _)
            | (169, 254, _)
            | (172, 16..32, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..20, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn inside_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    match s {
        // NAT64: judged by the IPv4 address within.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            inside_v4(Ipv4Addr::new(a, b, c, d))
        }
        _ => {
            s[0] < 0x100
                || matches!(s[0], 0xfc00..0xfe00 | 0xfe80..0xfec0 | 0xff00.. | 0x2002 | 0x5f00)
                || (s[0], s[1]) == (0x2001, 0xdb8)
                || (s[0] == 0x3fff && s[1] < 0x1000)
                || (s[0], s[1], s[2], s[3]) == (0x100, 0, 0, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_forbidden() {
        #[rustfmt::skip]
        let rows = [
            ("127.0.0.1", true), ("10.1.2.3", true), ("172.15.0.1", false), ("172.16.0.1", true), ("172.32.0.1", false),
            ("192.168.0.1", true), ("169.254.169.254", true), ("0.0.0.0", true), ("100.63.0.1", false),
            ("100.64.0.1", true), ("192.0.0.8", true), ("192.0.2.1", true), ("198.18.0.1", true), ("198.20.0.1", false),
            ("198.51.100.1", true), ("203.0.113.1", true), ("192.88.99.1", true), ("224.0.0.1", true),
            ("240.0.0.1", true), ("255.255.255.255", true), ("8.8.8.8", false),
            ("::1", true), ("::", true), ("::ffff:127.0.0.1", true), ("::ffff:8.8.8.8", false),
            ("64:ff9b::7f00:1", true), ("64:ff9b::808:808", false), ("64:ff9b:1::1", true), ("fc00::1", true),
            ("fd12::1", true), ("fe80::1", true), ("ff02::1", true), ("2001:db8::1", true), ("3fff::1", true),
            ("100::1", true), ("2002:7f00:1::", true), ("5f00::1", true), ("2606:4700::1111", false),
        ];
        for (ip, expected) in rows {
            assert_eq!(
                forbidden(ip.parse().expect("an address"), &[]),
                expected,
                "{ip}"
            );
        }
        let allowed = ["10.0.0.0/8".parse().expect("a network")];
        assert!(!forbidden(
            "10.1.2.3".parse().expect("an address"),
            &allowed
        ));
        assert!(!forbidden(
            "::ffff:10.1.2.3".parse().expect("an address"),
            &allowed
        ));
        assert!(forbidden(
            "127.0.0.1".parse().expect("an address"),
            &allowed
        ));
    }
}
