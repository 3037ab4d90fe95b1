//! Name resolution that refuses addresses inside our own network: what an endpoint's name leads to is judged at each
//! connection, all its answers.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::address::forbidden;

/// An address that must not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub IpAddr);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused address {}: only allow_networks can permit it", self.0)
    }
}

impl Error for Refused {}

/// The resolver of one endpoint: asks another, and judges its answers.
#[derive(Clone)]
pub struct Guard {
    names: Arc<dyn Resolve>,
    allowed: Arc<[IpNet]>,
    /// A proxy's name: where it leads is its owner's decision, who named it in the config.
    trusted: Option<Arc<str>>,
}

impl Guard {
    /// Refuses of what `names` answers what is not public and not in `allowed`.
    pub fn new(names: Arc<dyn Resolve>, allowed: Vec<IpNet>) -> Self {
        Self { names, allowed: allowed.into(), trusted: None }
    }

    /// Lets this name lead anywhere: that of the proxy which the config names.
    pub fn trusting(self, name: &str) -> Self {
        Self { trusted: Some(name.into()), ..self }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { names, allowed, trusted } = self.clone();
        Box::pin(async move {
            let is_trusted = trusted.is_some_and(|trusted| trusted.eq_ignore_ascii_case(name.as_str()));
            let answers: Vec<_> = names.resolve(name).await?.collect();
            if !is_trusted {
                judge(&answers, &allowed)?;
            }
            // The connection goes to these very answers: nothing is looked up a second time.
            Ok(Box::new(answers.into_iter()) as Addrs)
        })
    }
}

/// The resolver of the system.
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let answers: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(answers.into_iter()) as Addrs)
        })
    }
}

/// One bad answer among good ones refuses them all: it is how an attacker would slip it in.
fn judge(answers: &[SocketAddr], allowed: &[IpNet]) -> Result<(), Refused> {
    match answers.iter().map(SocketAddr::ip).find(|ip| forbidden(*ip, allowed)) {
        Some(address) => Err(Refused(address)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_forbidden_answer_refuses_all() {
        #[rustfmt::skip]
        let rows = [
            (vec!["93.184.215.14:0"],                            true),
            (vec!["93.184.215.14:0", "127.0.0.1:0"],             false),
            (vec!["[2606:2800:21f::1]:0", "10.0.0.1:0"],         false),
            (vec!["[::ffff:169.254.169.254]:0"],                 false),
            (vec!["10.9.0.1:0"],                                 true),
        ];
        let allowed = ["10.9.0.0/16".parse().expect("a network")];
        for (answers, good) in rows {
            let parsed: Vec<_> = answers.iter().map(|a| a.parse().expect("an address")).collect();
            assert_eq!(judge(&parsed, &allowed).is_ok(), good, "{answers:?}");
        }
    }
}
