//! A browser's cookies, with the rules that protect people: Secure, SameSite, Path, `__Host-`. Ports share cookies,
//! as they do in real browsers (RFC 6265, 8.5).

use url::Url;

/// One cookie as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that set it; domain cookies are not understood.
    pub host: String,
    /// Where it is sent to.
    pub path: String,
    /// Sent over TLS only.
    pub secure: bool,
    /// Hidden from scripts.
    pub http_only: bool,
    /// `Strict`, `Lax` or `None`; `Lax` where it was not said.
    pub same_site: String,
}

/// How a request came about, which decides what cookies go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// Typed, or from a page of the same site.
    SameSite,
    /// A link or redirect from another site.
    CrossSite,
    /// A form posted from another site.
    CrossSitePost,
}

#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

impl Jar {
    /// Takes one Set-Cookie header, or refuses it as a browser would.
    pub(super) fn set(&mut self, url: &Url, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            path: default_path(url),
            secure: false,
            http_only: false,
            same_site: "Lax".to_owned(),
        };
        let mut gone = false;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                "samesite" => value.clone_into(&mut cookie.same_site),
                "max-age" => gone = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                // Whoever deletes a cookie by date writes the epoch.
                "expires" => gone |= value.contains("1970"),
                _ => {}
            }
        }
        let https = url.scheme() == "https";
        let host_prefix = cookie.name.starts_with("__Host-") && (!cookie.secure || cookie.path != "/");
        if (cookie.secure && !https) || host_prefix || (cookie.same_site == "None" && !cookie.secure) {
            return;
        }
        let same = |other: &Cookie| {
            (&other.name, &other.host, &other.path) == (&cookie.name, &cookie.host, &cookie.path)
        };
        self.0.retain(|other| !same(other));
        if !gone {
            self.0.push(cookie);
        }
    }

    /// The Cookie header for a request, if any cookie goes with it.
    pub(super) fn header(&self, url: &Url, trigger: Trigger) -> Option<String> {
        let sent: Vec<_> = self
            .0
            .iter()
            .filter(|cookie| {
                Some(cookie.host.as_str()) == url.host_str()
                    && within(url.path(), &cookie.path)
                    && (!cookie.secure || url.scheme() == "https")
                    && match trigger {
                        Trigger::SameSite => true,
                        Trigger::CrossSite => !cookie.same_site.eq_ignore_ascii_case("strict"),
                        Trigger::CrossSitePost => cookie.same_site.eq_ignore_ascii_case("none"),
                    }
            })
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }

    pub(super) fn all(&self) -> Vec<Cookie> {
        self.0.clone()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// RFC 6265, 5.1.4.
fn default_path(url: &Url) -> String {
    match url.path().rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => url.path().get(..end).unwrap_or("/").to_owned(),
    }
}

fn within(path: &str, of: &str) -> bool {
    path == of || path.strip_prefix(of).is_some_and(|rest| of.ends_with('/') || rest.starts_with('/'))
}
