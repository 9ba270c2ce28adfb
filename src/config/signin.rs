//! `[signin]`: how long a sign-in lasts, and which browser may finish one.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use super::words;
use crate::toml_doc::{Section, Value};

/// How long a sign-in link lives. Fixed: a longer one helps only who wants to pass his own to somebody else.
pub const LINK_LIFETIME: Duration = Duration::from_secs(15 * 60);

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// `[signin]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signin {
    /// From signing in at the provider to having to do it again.
    pub lifetime: Duration,
    /// How long a client certificate lives; never longer than its sign-in.
    pub certificate: Duration,
    /// Where the browser that opens a link may be, seen from the client that got it.
    pub link_addresses: LinkAddresses,
    /// How long a client waits at the prompt for its request to be decided.
    pub patience: Duration,
}

/// Where the browser that opens a link may be. Anything but [`Same`](Self::Same) needs an approver, who sees both
/// addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkAddresses {
    /// At the client's own address.
    Same,
    /// There, or in one of these networks.
    Networks(Vec<IpNet>),
    /// Anywhere.
    Any,
}

impl LinkAddresses {
    /// Whether a browser at `browser` may open the link of a client at `client`.
    pub fn allow(&self, client: IpAddr, browser: IpAddr) -> bool {
        let (client, browser) = (client.to_canonical(), browser.to_canonical());
        client == browser
            || match self {
                Self::Same => false,
                Self::Networks(networks) => networks.iter().any(|network| network.contains(&browser)),
                Self::Any => true,
            }
    }
}

impl Default for Signin {
    fn default() -> Self {
        Self {
            lifetime: 12 * HOUR,
            certificate: HOUR,
            link_addresses: LinkAddresses::Same,
            patience: 5 * MINUTE,
        }
    }
}

impl Signin {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let otherwise = Self::default();
        let duration = |key: &str, range, otherwise| {
            section.get(key).map_or(Some(otherwise), |value| value.duration(range))
        };
        let lifetime = duration("lifetime", MINUTE..=30 * 24 * HOUR, otherwise.lifetime);
        let longest = lifetime.unwrap_or(Duration::MAX).min(24 * HOUR);
        let certificate = match section.get("certificate") {
            Some(value) => value.duration(MINUTE..=longest),
            None => Some(otherwise.certificate.min(longest)),
        };
        let patience = duration("patience", Duration::from_secs(1)..=LINK_LIFETIME, otherwise.patience);
        let link_addresses = section
            .get("link_addresses")
            .map_or(Some(LinkAddresses::Same), |value| LinkAddresses::read(&value));
        Some(Self {
            lifetime: lifetime?,
            certificate: certificate?,
            link_addresses: link_addresses?,
            patience: patience?,
        })
    }
}

impl LinkAddresses {
    fn read(value: &Value<'_>) -> Option<Self> {
        if value.is_list() {
            return value.list_of(words::network).map(Self::Networks);
        }
        if value.is_string() {
            return value.one_of(&[("same", Self::Same), ("any", Self::Any)]);
        }
        value.wrong_type("\"same\", \"any\" or a list of networks")
    }
}
