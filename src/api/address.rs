//! From which address a request comes.
//!
//! Forwarded addresses are believed only where every hop that added one is a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::problem::Problem;
use super::site::Site;
use crate::app::App;

/// The peer of the TCP connection. The listener puts it into every request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the browser or client: what rules, the audit log and pages speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

const FORWARDED: &str = "x-forwarded-for";
/// More hops than anybody has; the rest of the header is a stranger's.
const HOPS_MAX: usize = 16;

/// Walks `X-Forwarded-For` from its end, as long as the hop that wrote it is trusted. An entry that is no address
/// ends the walk at the proxy that let it through: never at an address of the stranger's choice.
pub fn client_address(site: &Site, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines: Vec<&str> =
        headers.get_all(FORWARDED).iter().map(|value| value.to_str().unwrap_or("?")).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX);
    for hop in hops {
        if !site.trusts(address) {
            break;
        }
        match parse(hop.trim()) {
            Some(next) => address = next.to_canonical(),
            None => break,
        }
    }
    address
}

/// `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1` or `[2001:db8::1]:8080`: proxies write all of them.
fn parse(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(PeerAddress(peer)) = parts.extensions.get().copied() else {
            return Err(Problem::internal("a request without its peer's address: the listener must set it"));
        };
        Ok(Self(client_address(&app.site, peer.ip(), &parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let proxies = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let site = Site::new("https://gate.example".parse().unwrap(), proxies);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED, line.parse().unwrap());
        }
        client_address(&site, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_does_not_choose_his_address() {
        assert_eq!(seen("192.0.2.7", &["198.51.100.1"]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1", "192.0.2.7, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn every_spelling_of_an_address_is_one_address() {
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", &["192.0.2.7:1234"]), "192.0.2.7");
        assert_eq!(seen("::ffff:10.0.0.1", &["::ffff:192.0.2.7"]), "192.0.2.7");
        assert_eq!(seen("::ffff:192.0.2.7", &[]), "192.0.2.7");
    }
}
