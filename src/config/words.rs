//! Readers of the small words that many sections share: names, networks, hosts, URLs.

use std::net::IpAddr;

use curfew_adapter::HostPort;
use ipnet::IpNet;
use url::{Host, Url};

use crate::contract::fold_email;
use crate::toml_doc::Value;

/// The name of a target, provider or node: it stands in URLs, file names, metrics and on psql's command line.
pub(super) fn name(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let fits = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
    let rule = "must be at most 63 of a-z, 0-9, \"-\", \"_\" and \".\", and begin with a letter or digit";
    value.check(fits.then_some(text).ok_or(rule))
}

/// A network, or a single address as the network of itself.
pub(super) fn network(value: &Value<'_>) -> Option<IpNet> {
    let text = value.string()?;
    let read = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    value.check(read.map(|net| net.trunc()).map_err(|_| {
        format!("must be networks such as \"10.0.0.0/8\" or addresses such as \"10.1.2.3\", not \"{text}\"")
    }))
}

/// `host:port` or `[v6]:port`.
pub(super) fn host_port(value: &Value<'_>) -> Option<HostPort> {
    let text = value.string()?;
    let read = || {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = match Host::parse(host).ok()? {
            Host::Domain(name) => name,
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        };
        Some(HostPort { host, port })
    };
    value.check(read().ok_or_else(|| {
        format!("must be a host and a port, such as \"orders-db.internal:5432\", not \"{text}\"")
    }))
}

/// An `https` URL; `http` only where it can't leave the machine.
pub(super) fn secure_url(value: &Value<'_>) -> Option<Url> {
    let text = value.string()?;
    let url =
        value
            .check(Url::parse(&text).map_err(|_| {
                format!("must be a URL such as \"https://gate.example.com\", not \"{text}\"")
            }))?;
    let problem = match url.scheme() {
        _ if url.host().is_none() => Some("must name a host"),
        "https" => None,
        "http" if on_loopback(&url) => None,
        "http" => Some("must begin with https://; http:// is for loopback addresses only"),
        _ => Some("must begin with https://"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        value.problem("must not hold a user name or password");
        return None;
    }
    value.check(problem.map_or(Ok(url), Err))
}

fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// An email address, lower-cased: the form under which people compare.
pub(super) fn email(value: &Value<'_>) -> Option<String> {
    let text = fold_email(&value.string()?);
    let fits = text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && is_domain(domain));
    value.check(fits.then_some(text).ok_or("must be email addresses such as \"alice@example.com\""))
}

/// A domain such as `example.com`, lower-cased.
pub(super) fn domain(value: &Value<'_>) -> Option<String> {
    let text = fold_email(&value.string()?);
    let fits = is_domain(&text);
    value.check(fits.then_some(text).ok_or("must be domains such as \"example.com\", without an @"))
}

fn is_domain(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
        })
}
