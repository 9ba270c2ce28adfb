//! Cookies: read from a request, written with the flags that browsers enforce.
//!
//! Every cookie of ours is `HttpOnly` and `SameSite=Lax`; over https it also has `Secure` and the `__Host-` prefix,
//! so that no neighbour on the domain can set it (RFC 6265bis, 4.1.3.2).

use axum::http::{HeaderMap, HeaderValue, header};

use super::site::Site;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// Holds the browser's token.
    Signin,
    /// Binds a sign-in that is under way to the browser that began it.
    Login,
}

impl Cookie {
    const fn base(self) -> &'static str {
        match self {
            Self::Signin => "curfew-signin",
            Self::Login => "curfew-login",
        }
    }

    fn name(self, site: &Site) -> String {
        let prefix = if site.secure() { "__Host-" } else { "" };
        format!("{prefix}{}", self.base())
    }

    /// Its value in a request. Two of the same name are none: one of them is not ours.
    pub fn read<'a>(self, site: &Site, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.name(site);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// A `Set-Cookie` that lives for `seconds`. `value` is one of our tokens: letters, digits, `_` and `-`.
    pub fn set(self, site: &Site, value: &str, seconds: u64) -> HeaderValue {
        let secure = if site.secure() { "; Secure" } else { "" };
        let name = self.name(site);
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        let mut header =
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("invalid="));
        header.set_sensitive(true);
        header
    }

    /// A `Set-Cookie` that takes it away.
    pub fn clear(self, site: &Site) -> HeaderValue {
        self.set(site, "", 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(url: &str) -> Site {
        Site::new(url.parse().unwrap(), Vec::new())
    }

    #[test]
    fn over_https_no_neighbour_can_set_our_cookie() {
        let text = Cookie::Signin.set(&site("https://gate.example"), "v", 60);
        assert_eq!(text, "__Host-curfew-signin=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        let plain = Cookie::Signin.set(&site("http://127.0.0.1:8080"), "v", 60);
        assert_eq!(plain, "curfew-signin=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_cookie_is_read_by_its_whole_name_and_once() {
        let site = site("https://gate.example");
        let read = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, line.parse().unwrap());
            Cookie::Signin.read(&site, &headers).map(str::to_owned)
        };
        assert_eq!(read("a=b; __Host-curfew-signin=x; c=d").as_deref(), Some("x"));
        for none in ["curfew-signin=x", "__Host-curfew-signin=", "a__Host-curfew-signin=x", ""] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(read("__Host-curfew-signin=x; __Host-curfew-signin=y"), None);
    }
}
