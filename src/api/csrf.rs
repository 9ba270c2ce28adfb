//! Proof that a form was sent by a page of ours, in the browser that the page was made for.
//!
//! The proof is an HMAC under the browser's own token, which no other site can read and no other browser has. It
//! needs no memory, and is worthless once the sign-in ends.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, header};
use data_encoding::BASE64URL_NOPAD;

use super::site::Site;

/// The name of the hidden field.
pub const FIELD: &str = "csrf";
const LABEL: &[u8] = b"curfew csrf 1";

/// The value of the hidden field for the browser that holds `token`.
pub fn proof(token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    BASE64URL_NOPAD.encode(hmac::sign(&key, LABEL).as_ref())
}

/// Whether `proof` was made for the browser that holds `token`. Compared in constant time.
pub fn holds(token: &str, proof: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    BASE64URL_NOPAD.decode(proof.as_bytes()).is_ok_and(|tag| hmac::verify(&key, LABEL, &tag).is_ok())
}

/// Whether the browser says that the request comes from a page of this gate. Browsers that say nothing are left to
/// the proof.
pub fn same_site(site: &Site, headers: &HeaderMap) -> bool {
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    if let Some(fetch) = headers.get("sec-fetch-site").map(text)
        && fetch != "same-origin"
    {
        return false;
    }
    headers.get(header::ORIGIN).map(text).is_none_or(|origin| origin == site.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_worth_nothing_in_another_browser() {
        let mine = proof("token-a");
        assert!(holds("token-a", &mine));
        assert!(!holds("token-b", &mine));
        for wrong in ["", "x", &mine[1..], &format!("{mine}A")] {
            assert!(!holds("token-a", wrong), "{wrong}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_told_apart() {
        let site = Site::new("https://gate.example".parse().unwrap(), Vec::new());
        let asked = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            same_site(&site, &headers)
        };
        assert!(asked("origin", "https://gate.example"));
        assert!(asked("sec-fetch-site", "same-origin"));
        assert!(asked("x-other", "x"));
        for origin in ["https://evil.example", "null", "http://gate.example", "https://gate.example:444"] {
            assert!(!asked("origin", origin), "{origin}");
        }
        for fetch in ["cross-site", "same-site", "none"] {
            assert!(!asked("sec-fetch-site", fetch), "{fetch}");
        }
    }
}
