//! Signing in by a bearer token: SASL OAUTHBEARER (RFC 7628), as libpq 18 speaks it.
//!
//! A client without a token says so by an empty one. It is told where tokens are to be had, and comes back on another
//! connection: that is a question, not a failed sign-in, so the gate hears nothing of it. What a token is worth, the
//! gate says; nothing of it is looked at here but its spelling.

use super::{Client, Left, Sentence};
use crate::codec::{Malformed, backend, frontend::SaslInitial};
use curfew_adapter::{Ask, Gate, Proof, Secret, SignedIn};

/// The mechanism's name (IANA's registry of SASL mechanisms).
const MECHANISM: &str = "OAUTHBEARER";

/// What stands between the parts of a message, and alone for the answer to an error (RFC 7628, 3.1 and 3.2.3).
const SEPARATOR: u8 = 1;

/// The longest answer: our own bound. A token of ours has 48 characters.
const LONGEST: usize = 4 * 1024;

/// What the tokens of Postgres clients are for; libpq asks for it when it gets one.
const SCOPE: &str = "postgres";

/// What a client brings.
#[derive(Debug)]
enum Brought {
    /// Nothing: it asks where tokens are to be had.
    Nothing,
    /// A token.
    Token(Secret),
}

/// Signs the client in by the token that it brings; `issuer` makes the tokens.
///
/// # Errors
/// The client left or broke the protocol, or (within) is refused.
pub async fn sign_in(
    client: &mut Client,
    gate: &Gate,
    ask: &Ask,
    issuer: Option<&str>,
) -> Result<Result<SignedIn, Sentence>, Left> {
    // Nothing is told before the token has been judged: it would say that the client is authenticated.
    client.shows(false);
    let Some(issuer) = issuer else {
        return Ok(Err(Sentence::new(
            "0A000",
            "curfew: nobody signs in by a token here",
            "Leave out options='-c curfew.auth=oauth'.",
        )));
    };
    backend::sasl(&mut client.unsent, &[MECHANISM]);
    client.send().await.map_err(|_| Left::Gone)?;
    let token = match initial(&client.password(LONGEST).await?) {
        Ok(Brought::Token(token)) => token,
        Ok(Brought::Nothing) => {
            let asked = Sentence::new(
                "28000",
                "curfew: a token is needed to sign in",
                format!(
                    "Connect with oauth_issuer={issuer} and oauth_client_id=psql: the client gets a token there."
                ),
            );
            return decline(client, issuer, asked).await;
        }
        Err(malformed) => return Ok(Err(Sentence::protocol(malformed.0))),
    };
    let startup = gate.connection().startup.clone();
    match client.follow(&mut gate.sign_in(Proof::Bearer(token), ask), &startup).await? {
        Ok(who) => {
            client.shows(ask.can_wait);
            Ok(Ok(who))
        }
        Err(refused) if refused.code == "28000" => decline(client, issuer, refused).await,
        // Another token would not help.
        Err(refused) => Ok(Err(refused)),
    }
}

/// Says, in the way of the mechanism, that there is no token or that it is worth nothing; the client must answer with
/// a separator alone before it gets the sentence (RFC 7628, 3.2.3).
async fn decline<T>(
    client: &mut Client,
    issuer: &str,
    sentence: Sentence,
) -> Result<Result<T, Sentence>, Left> {
    backend::sasl_continue(&mut client.unsent, discovery(issuer).as_bytes());
    client.send().await.map_err(|_| Left::Gone)?;
    if client.password(LONGEST).await? == [SEPARATOR] {
        Ok(Err(sentence))
    } else {
        Ok(Err(Sentence::protocol("it does not end the exchange that came to nothing")))
    }
}

/// The error of RFC 7628, 3.2.2. An issuer is an origin as browsers write it; what could end a string of JSON is left
/// out all the same.
fn discovery(issuer: &str) -> String {
    let issuer: String = issuer.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    format!(
        "{{\"status\":\"invalid_token\",\"openid-configuration\":\"{issuer}/.well-known/openid-configuration\",\
         \"scope\":\"{SCOPE}\"}}"
    )
}

/// Reads the SASLInitialResponse.
fn initial(body: &[u8]) -> Result<Brought, Malformed> {
    let SaslInitial { mechanism, data } = SaslInitial::read(body)?;
    if mechanism != MECHANISM.as_bytes() {
        return Err(Malformed("it takes a SASL mechanism that was not offered"));
    }
    response(data.ok_or(Malformed("it begins to sign in by a token and says nothing"))?)
}

/// Reads the client's response (RFC 7628, 3.1): a GS2 header without channel binding and without another identity to
/// act for, a separator, pairs each with a separator behind, and one more at the end.
fn response(data: &[u8]) -> Result<Brought, Malformed> {
    let data = std::str::from_utf8(data).map_err(|_| Malformed("its token is not text"))?;
    let rest = match data.split_once(',') {
        Some(("n" | "y", rest)) => rest,
        Some((flag, _)) if flag.starts_with("p=") => {
            return Err(Malformed("a sign-in by token can't be bound to the connection"));
        }
        _ => return Err(Malformed("its sign-in by token has no GS2 header")),
    };
    let rest = match rest.split_once(',') {
        Some(("", rest)) => rest,
        Some(_) => return Err(Malformed("it wants to act for another identity than its token's")),
        None => return Err(Malformed("its sign-in by token has no GS2 header")),
    };
    let separator = char::from(SEPARATOR);
    let mut rest = rest
        .strip_prefix(separator)
        .ok_or(Malformed("its sign-in by token has no separator behind the header"))?;
    let mut auth = None;
    // A separator where a pair would begin is the end.
    while !rest.starts_with(separator) {
        let (pair, behind) =
            rest.split_once(separator).ok_or(Malformed("its sign-in by token has no end"))?;
        let (key, value) =
            pair.split_once('=').ok_or(Malformed("a pair of its sign-in by token has no value"))?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Malformed("a key of its sign-in by token is not made of letters"));
        }
        if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
            return Err(Malformed("a value of its sign-in by token is not printable"));
        }
        // Other keys are for others to read.
        if key == "auth" && auth.replace(value).is_some() {
            return Err(Malformed("it brings two tokens"));
        }
        rest = behind;
    }
    if rest.len() > 1 {
        return Err(Malformed("there is something behind its sign-in by token"));
    }
    match auth.ok_or(Malformed("its sign-in by token has no `auth`"))? {
        "" => Ok(Brought::Nothing),
        auth => token(auth).map(Brought::Token),
    }
}

/// The token of `Bearer TOKEN` (RFC 6750, 2.1; the scheme's case does not matter).
fn token(auth: &str) -> Result<Secret, Malformed> {
    let (scheme, token) = auth.split_once(' ').ok_or(Malformed("its `auth` is no bearer token"))?;
    let token = token.trim_start_matches(' ');
    let letters = token.trim_end_matches('=');
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if !scheme.eq_ignore_ascii_case("bearer") || letters.is_empty() || !letters.bytes().all(fine) {
        return Err(Malformed("its `auth` is no bearer token"));
    }
    Ok(Secret::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<Option<String>, &'static str> {
        match response(data.as_bytes()) {
            Ok(Brought::Nothing) => Ok(None),
            Ok(Brought::Token(token)) => Ok(Some(token.reveal().to_owned())),
            Err(malformed) => Err(malformed.0),
        }
    }

    #[test]
    fn what_libpq_says_is_understood() {
        assert_eq!(read("n,,\x01auth=\x01\x01"), Ok(None));
        assert_eq!(read("n,,\x01auth=Bearer cfwp_a-b_c\x01\x01"), Ok(Some("cfwp_a-b_c".to_owned())));
        // RFC 7628, 4.1: other keys stand beside it; RFC 6750: the scheme in any case.
        let example = "y,,\x01host=server.example.com\x01port=143\x01auth=bearer  vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(read(example), Ok(Some("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".to_owned())));
    }

    #[test]
    fn everything_else_is_refused() {
        for hostile in [
            "",
            "\x01",
            "n",
            "n,",
            "n,,",
            "n,,\x01",
            "n,,\x01\x01",
            "n,,auth=Bearer x\x01\x01",
            "n,,\x01auth=Bearer x",
            "n,,\x01auth=Bearer x\x01",
            "n,,\x01auth=Bearer x\x01\x01\x01",
            "n,,\x01auth=Bearer x\x01\x01auth=Bearer y\x01\x01",
            "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
            "n,,\x01auth=\x01auth=Bearer y\x01\x01",
            "n,,\x01AUTH=Bearer x\x01\x01",
            "n,,\x01auth\x01\x01",
            "n,,\x01=x\x01\x01",
            "n,,\x01a-b=x\x01auth=Bearer x\x01\x01",
            "n,,\x01auth=Bearer\x01\x01",
            "n,,\x01auth=Bearer \x01\x01",
            "n,,\x01auth= Bearer x\x01\x01",
            "n,,\x01auth=Bearer x y\x01\x01",
            "n,,\x01auth=Bearer x=y\x01\x01",
            "n,,\x01auth=Bearer ==\x01\x01",
            "n,,\x01auth=Bearer x\0\x01\x01",
            "n,,\x01auth=Bearer \u{fc}\x01\x01",
            "n,,\x01auth=Basic eDp5\x01\x01",
            "n,,\x01host=a\0b\x01auth=Bearer x\x01\x01",
            "n,a=bob,\x01auth=Bearer x\x01\x01",
            "n,bob,\x01auth=Bearer x\x01\x01",
            "p=tls-server-end-point,,\x01auth=Bearer x\x01\x01",
            "N,,\x01auth=Bearer x\x01\x01",
            "F,n,,\x01auth=Bearer x\x01\x01",
        ] {
            assert!(read(hostile).is_err(), "{hostile:?}: {:?}", read(hostile));
        }
        assert!(response(b"n,,\x01auth=Bearer \xff\x01\x01").is_err());
    }

    #[test]
    fn the_mechanism_is_the_one_that_was_offered() {
        let body = |mechanism: &str, length: i32, data: &[u8]| {
            let mut body = format!("{mechanism}\0").into_bytes();
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(data);
            body
        };
        let data = b"n,,\x01auth=\x01\x01";
        assert!(matches!(initial(&body(MECHANISM, 11, data)), Ok(Brought::Nothing)));
        for (mechanism, length) in [(MECHANISM, 10), (MECHANISM, 12), (MECHANISM, i32::MAX), (MECHANISM, -2)]
        {
            assert!(initial(&body(mechanism, length, data)).is_err(), "{length}");
        }
        for other in ["SCRAM-SHA-256", "oauthbearer", "", "OAUTHBEARER "] {
            assert!(initial(&body(other, 11, data)).is_err(), "{other}");
        }
        assert!(initial(&body(MECHANISM, -1, b"")).is_err());
        assert!(initial(b"n,,\x01auth=\x01\x01").is_err());
    }
}
