//! Where a browser goes on after it signed in, kept so that the store alone does not tell: it may be a sign-in link, and
//! whoever knows a link's id can open it.
//!
//! The key comes from `state`, which only the browser has meanwhile; the store has its hash. Each key seals one text.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;

/// Sets the key apart from the hash of the state that the store has.
const PURPOSE: &[u8] = b"curfew: where to go after the sign-in\n";

fn key(state: &str) -> Option<LessSafeKey> {
    let bytes = digest::digest(&digest::SHA256, &[PURPOSE, state.as_bytes()].concat());
    UnboundKey::new(&AES_256_GCM, bytes.as_ref()).ok().map(LessSafeKey::new)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// Seals `text` for whoever comes back with `state`.
pub(super) fn seal(state: &str, text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    key(state)?.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).ok()?;
    Some(BASE64URL_NOPAD.encode(&bytes))
}

/// What was sealed; `None` for another state, or where it was touched.
pub(super) fn open(state: &str, sealed: &str) -> Option<String> {
    let mut bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
    let text = key(state)?.open_in_place(nonce(), Aad::empty(), &mut bytes).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_with_its_state_and_only_whole() {
        let sealed = seal("a-state", "/link/abc").unwrap();
        assert!(!sealed.contains("link") && sealed != seal("another", "/link/abc").unwrap());
        assert_eq!(open("a-state", &sealed).as_deref(), Some("/link/abc"));
        assert_eq!(open("another", &sealed), None);
        assert_eq!(open("a-state", &sealed[1..]), None);
        assert_eq!(open("a-state", "/link/abc"), None);
    }
}
