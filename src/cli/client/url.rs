//! Where a gate is: its origin, and nothing behind it.
//!
//! Owns the one accepted spelling of a gate's address, and refuses to carry tokens over plain HTTP, save on loopback.

use std::fmt;

use url::{Host, Url};

use crate::cli::CliError;
use crate::ways;

/// The origin of a gate, such as `https://gate.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateUrl(Url);

impl GateUrl {
    /// Reads what a person types: `https://` may be left out; a path, a query or a user is refused.
    ///
    /// # Errors
    /// A usage error that says what to type.
    pub fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = |why: &str| {
            CliError::usage(format!(
                "`{text}` is not the address of a gate: {why}; type one such as https://gate.example.com"
            ))
        };
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&full).map_err(|error| wrong(&error.to_string()))?;
        let host = url.host().ok_or_else(|| wrong("it names no host"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(wrong("over http:// others could read the sign-in")),
            _ => return Err(wrong("its scheme is not https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a user or password has no place in it"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("something follows the host"));
        }
        Ok(Self(url))
    }

    /// The URL of a path on this gate; each segment is escaped, so that none can climb out.
    pub fn at<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url
    }

    /// Whether the connection is not encrypted.
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether the gate is on this very machine, where no proxy has a say.
    pub fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }

    /// Whether `other`, an address that the gate gave, is on the gate itself.
    pub fn owns(&self, other: &Url) -> bool {
        self.0.origin() == other.origin()
    }

    /// The name of the folder that keeps the sign-in: safe as a file name, one for each origin.
    pub fn folder_name(&self) -> String {
        ways::gate_folder(&self.0)
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
    }
}

/// Without the slash at the end.
impl fmt::Display for GateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        GateUrl::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_scheme_may_be_left_out_and_the_slash_does_not_count() {
        for text in ["gate.example.com", "https://gate.example.com/", " https://GATE.example.com "] {
            assert_eq!(GateUrl::parse(text).unwrap().to_string(), "https://gate.example.com");
        }
        assert_eq!(GateUrl::parse("localhost:8443").unwrap().to_string(), "https://localhost:8443");
    }

    #[test]
    fn tokens_go_over_plain_http_on_loopback_only() {
        assert!(GateUrl::parse("http://127.0.0.1:8080").unwrap().is_plain());
        assert!(GateUrl::parse("http://[::1]:8080").is_ok());
        assert!(refused("http://gate.example.com").contains("others could read the sign-in"));
        assert!(refused("http://localhost.example.com").contains("others could read"));
    }

    #[test]
    fn what_follows_the_host_is_refused() {
        for text in
            ["https://gate/x", "https://gate?x=1", "https://gate#x", "https://a@gate", "ftp://gate", ""]
        {
            assert!(refused(text).contains("type one such as https://gate.example.com"), "{text}");
        }
    }

    #[test]
    fn folders_have_safe_names_of_their_own() {
        let name = |text| GateUrl::parse(text).unwrap().folder_name();
        assert_eq!(name("https://gate.example.com"), "gate.example.com");
        assert_eq!(name("https://gate.example.com:8443"), "gate.example.com_8443");
        assert_eq!(name("http://[::1]:80"), "http____1_");
        assert_ne!(name("http://127.0.0.1:81"), name("https://127.0.0.1:81"));
    }

    #[test]
    fn a_segment_cannot_climb_out() {
        let url = GateUrl::parse("https://gate").unwrap().at(["api", "v1", "requests", "../../x?y"]);
        assert_eq!(url.as_str(), "https://gate/api/v1/requests/..%2F..%2Fx%3Fy");
    }
}
