//! Where the gate is found over HTTP, as the configuration says it.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

/// The gate's public face.
#[derive(Clone, Debug)]
pub struct Site {
    url: Url,
    trusted_proxies: Vec<IpNet>,
}

impl Site {
    /// `url` is `server.public_url`; of its path nothing is used, pages live at the root.
    pub fn new(mut url: Url, trusted_proxies: Vec<IpNet>) -> Self {
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        Self { url, trusted_proxies }
    }

    /// Whether browsers come over TLS: then cookies carry `Secure` and the `__Host-` prefix.
    pub fn secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Scheme, host and port as browsers write them in `Origin`; without a slash behind.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The absolute URL of `path`, which begins with a slash.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The URL of the root, with a slash behind.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Whether forwarded addresses are believed from this peer.
    pub fn trusts(&self, proxy: IpAddr) -> bool {
        let proxy = proxy.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&proxy))
    }
}
