//! Where a browser goes after it signed in: only ever to a page of this gate.

use url::Url;

/// A longer one is no page of ours.
const MAX: usize = 1024;

/// A path and query of this gate, safe in a `Location` header: an absolute path that no browser reads as a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next(String);

impl Next {
    /// The start page.
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// Reads it from a stranger's query; `None` for whatever could lead elsewhere (`//host`, `/\host`, schemes,
    /// control characters) or back to signing in.
    pub fn parse(text: &str) -> Option<Self> {
        let harmless = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if text.len() > MAX || !text.starts_with('/') || !text.bytes().all(harmless) {
            return None;
        }
        // Read as a browser reads it: the path may hold no second slash in front, and dots must not make one.
        let base = Url::parse("https://gate.invalid/").ok()?;
        let url = base.join(text).ok()?;
        let path = url.path();
        if url.origin() != base.origin() || path.starts_with("//") || text.starts_with("//") {
            return None;
        }
        let detour = ["/signin", "/signout", "/oidc"];
        let leads_to =
            |root: &str| path.strip_prefix(root).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        if detour.into_iter().any(leads_to) {
            return None;
        }
        Some(Self(match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }))
    }

    /// As [`Next::parse`], or the start page.
    pub fn or_home(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(Self::home)
    }

    /// For `Location`, forms and the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For a link to the sign-in page: percent-encoded for a query.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn warpgate_cve_2026_58491_a_hostile_next_leads_home() {
        for hostile in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%2e%2e//evil.example",
            "javascript:alert(1)",
            "/\tevil",
            "/\r\nSet-Cookie: a=b",
            "data:text/html,x",
            " /requests",
            "",
            "requests",
            "/signin?next=/signin",
            "/signout",
            "/oidc/callback/x?code=1",
            "/ünicode",
        ] {
            assert_eq!(Next::or_home(Some(hostile)), Next::home(), "{hostile}");
        }
        assert_eq!(Next::parse(&format!("/{}", "a".repeat(2000))), None);
    }

    #[test]
    fn pages_of_ours_are_kept() {
        for page in ["/", "/requests", "/link/abc", "/requests/new?target=orders&account=orders_read"] {
            assert_eq!(Next::parse(page).map(|next| next.0).as_deref(), Some(page));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_kept_stays_on_this_host(text in "[/\\\\a-z.:@?#%2fe\\t ]{0,40}") {
            if let Some(next) = Next::parse(&text) {
                let base = Url::parse("https://gate.example/x/y").unwrap();
                prop_assert_eq!(base.join(next.as_str()).unwrap().origin(), base.origin());
            }
        }
    }
}
